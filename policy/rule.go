package policy

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strconv"

	"kura/nem"
)

// set holds indices into one of the document's lists. The nil set is no
// condition at all: it has everything.
type set []uint64

// has tells whether the index is in the set; -1, for what is not in the
// document, is in none that states something.
func (s set) has(i int) bool { return s == nil || (i >= 0 && s[i/64]&(1<<(i%64)) != 0) }

func (s set) meets(other uint64) bool { return s == nil || s[0]&other != 0 }

// rule is a Rule made ready for judging.
type rule struct {
	id       string
	then     string
	wallets  set
	clients  set
	assets   set
	amount   *Range
	books    set // at most 64
	listed   bool
	messages []string
	hours    *hours
	approval *Approval
	lastDay  Day
	end      int64 // unix milliseconds at which lastDay is over
	stated   Conditions
}

// hours is an Hours in milliseconds.
type hours struct {
	offset   int64
	days     [7]bool // Monday first
	from, to int64   // since midnight
}

// contains tells whether the moment falls into the hours.
func (h *hours) contains(unixMillis int64) bool {
	const dayMillis = int64(day)
	local := unixMillis + h.offset
	date := local / dayMillis
	if local%dayMillis < 0 {
		date--
	}
	tod := local - date*dayMillis
	weekday := ((date+3)%7 + 7) % 7 // 1970-01-01 was a Thursday
	if !h.days[weekday] {
		return false
	}
	if h.from < h.to {
		return h.from <= tod && tod < h.to
	}
	return h.from <= tod || tod < h.to
}

// Condition names a condition of a rule; the value is its bit in a Conditions.
type Condition uint8

// The conditions that a rule can state.
const (
	WalletCondition Condition = iota
	ClientCondition
	AssetCondition
	AmountCondition
	DestinationCondition
	MessageCondition
	HoursCondition
	LastDayCondition
	conditions
)

var conditionNames = [conditions]string{"wallet", "client", "asset", "amount", "destination", "message", "hours", "last_day"}

// Conditions is a set of conditions; JSON writes the names.
type Conditions uint8

// Has tells whether the condition is in the set.
func (c Conditions) Has(x Condition) bool { return c&(1<<x) != 0 }

// Names lists the set in the order of the document.
func (c Conditions) Names() []string {
	out := make([]string, 0, bits.OnesCount8(uint8(c)))
	for x := range conditions {
		if c.Has(x) {
			out = append(out, conditionNames[x])
		}
	}
	return out
}

// leg is one asset of a withdrawal, as the rules see it.
type leg struct {
	wallet, client, asset int
	amount                nem.Amount
	standing              uint64 // books in which the address stands
	payable               uint64 // books with an entry whose message rule this payment meets
	message               string
	time                  int64 // policy time
	latest                int64 // the later of policy time and clock
}

// match tells which of the rule's conditions hold and which fail for the leg.
func (r *rule) match(l *leg) (held, failed Conditions) {
	if !r.wallets.has(l.wallet) {
		failed |= 1 << WalletCondition
	}
	if !r.clients.has(l.client) {
		failed |= 1 << ClientCondition
	}
	if !r.assets.has(l.asset) {
		failed |= 1 << AssetCondition
	}
	if r.amount != nil && !r.amount.contains(l.amount) {
		failed |= 1 << AmountCondition
	}
	// A deny must not be escaped by writing another message.
	listed := l.payable
	if r.then == thenDeny {
		listed = l.standing
	}
	if !r.books.meets(listed) {
		failed |= 1 << DestinationCondition
	}
	if r.messages != nil && !slices.Contains(r.messages, l.message) {
		failed |= 1 << MessageCondition
	}
	if r.hours != nil && !r.hours.contains(l.time) {
		failed |= 1 << HoursCondition
	}
	if r.lastDay != "" && l.latest >= r.end {
		failed |= 1 << LastDayCondition
	}
	return r.stated &^ failed, failed
}

// conditions gives the set of those that the rule states.
func (r *rule) conditions() Conditions {
	var c Conditions
	for x, stated := range [...]bool{
		WalletCondition: r.wallets != nil, ClientCondition: r.clients != nil, AssetCondition: r.assets != nil, AmountCondition: r.amount != nil,
		DestinationCondition: r.listed, MessageCondition: r.messages != nil, HoursCondition: r.hours != nil, LastDayCondition: r.lastDay != "",
	} {
		if stated {
			c |= 1 << x
		}
	}
	return c
}

// takesAbove is the amount above which a rule matches whatever a wallet and client pay
// of an asset, wherever, whenever and with whatever message; nil if there is none.
func (r *rule) takesAbove(wallet, client, asset int) *big.Int {
	const others = 1<<DestinationCondition | 1<<MessageCondition | 1<<HoursCondition | 1<<LastDayCondition
	if !r.wallets.has(wallet) || !r.clients.has(client) || !r.assets.has(asset) || r.stated&others != 0 || (r.amount != nil && r.amount.UpTo != nil) {
		return nil
	}
	if r.amount == nil {
		return new(big.Int)
	}
	return new(big.Int).SetUint64(uint64(*r.amount.Above))
}

func (r *Range) contains(a nem.Amount) bool {
	return (r.Above == nil || a > nem.Amount(*r.Above)) && (r.UpTo == nil || a <= nem.Amount(*r.UpTo))
}

func (v *validator) rules() {
	d := &v.p.doc
	v.p.rules = make([]rule, len(d.Rules))
	for i, x := range d.Rules {
		path := fmt.Sprintf("rules[%d]", i)
		v.name(path+".id", x.ID)
		if slices.ContainsFunc(d.Rules[:i], func(y Rule) bool { return y.ID == x.ID }) {
			v.fail(path+".id", "each stands once", "rule %s stands twice", quoted(x.ID))
		}
		if x.Then != thenDeny && x.Then != thenSign && x.Then != thenApprove {
			v.fail(path+".then", `want "deny", "sign" or "approve"`, "%s", quoted(x.Then))
		}
		v.approval(path+".approval", x.Then == thenApprove, x.Approval)
		w := x.When
		at := path + ".when"
		r := rule{id: x.ID, then: x.Then, amount: w.Amount, messages: w.Message, approval: x.Approval, listed: w.Destination != nil, lastDay: x.LastDay}
		if x.LastDay != "" {
			var err error
			if r.end, err = x.LastDay.end(); err != nil {
				v.fail(path+".lastDay", `want a day as 2027-01-31, or leave it out`, "%s is no day", quoted(string(x.LastDay)))
			}
		}
		r.wallets = v.walletSet(at+".wallet", w.Wallet)
		r.clients = v.clientSet(at+".client", w.Client)
		r.assets = v.assetSet(at+".asset", w.Asset)
		r.books = subset(v, at+".destination", "book", w.Destination, d.Books)
		v.amountRange(at+".amount", w)
		for j, kind := range w.Message {
			if !slices.Contains(messageKind, kind) {
				v.unknown(fmt.Sprintf("%s.message[%d]", at, j), "kind of message", kind, messageKind)
			}
		}
		if w.Message != nil && len(w.Message) == 0 {
			v.fail(at+".message", "leave it out, or list kinds", "a condition that nothing meets")
		}
		if w.Hours != nil {
			r.hours = v.hours(at+".hours", w.Hours)
		}
		r.stated = r.conditions()
		v.p.rules[i] = r
	}
	if len(d.Rules) > 1000 {
		v.fail("rules", "want at most 1000", "%d rules", len(d.Rules))
	}
}

func (v *validator) amountRange(path string, w When) {
	r := w.Amount
	switch {
	case r == nil:
	case r.Above == nil && r.UpTo == nil:
		v.fail(path, "state above, upTo or both", "a range without an end")
	case r.Above != nil && r.UpTo != nil && *r.Above >= *r.UpTo:
		v.fail(path, "want above less than upTo", "no amount is above %s and up to %s", r.Above, r.UpTo)
	case len(w.Asset) != 1:
		v.fail(path, "state exactly one asset in the same rule", "an amount of which asset?")
	}
}

func (v *validator) walletSet(path string, ids []WalletID) set {
	return subset(v, path, "wallet", ids, names(v.p.doc.Wallets, func(x Wallet) WalletID { return x.ID }))
}

func (v *validator) clientSet(path string, ids []ClientID) set {
	return subset(v, path, "client", ids, names(v.p.doc.Clients, func(x Client) ClientID { return x.ID }))
}

func (v *validator) assetSet(path string, ids []AssetRef) set {
	return subset(v, path, "asset", ids, names(v.p.doc.Assets, func(x Asset) AssetRef { return x.ID }))
}

// subset finds names in the list that they refer to. No list is no condition;
// an empty one could never be met and is a mistake.
func subset[T ~string](v *validator, path, kind string, list, all []T) set {
	if list == nil {
		return nil
	}
	if len(list) == 0 {
		v.fail(path, "leave it out, or list names", "a condition that nothing meets")
	}
	s := make(set, len(all)/64+1)
	for j, name := range list {
		here := fmt.Sprintf("%s[%d]", path, j)
		i := slices.Index(all, name)
		if i < 0 {
			v.unknown(here, kind, string(name), names(all, func(x T) string { return string(x) }))
			continue
		}
		if slices.Contains(list[:j], name) {
			v.fail(here, "name each once", "%s stands twice", quoted(string(name)))
		}
		s[i/64] |= 1 << (i % 64)
	}
	return s
}

func (v *validator) hours(path string, x *Hours) *hours {
	h := &hours{}
	sign, offset := int64(1), x.Offset
	if len(offset) == 6 && offset[0] == '-' {
		sign = -1
	}
	ok := len(offset) == 6 && (offset[0] == '+' || offset[0] == '-')
	if ok {
		h.offset, ok = clockTime(offset[1:], 14)
		h.offset *= sign
	}
	if !ok {
		v.fail(path+".offset", `want an offset from UTC such as "+09:00"`, "%s", quoted(x.Offset))
	}
	if h.from, ok = clockTime(x.From, 23); !ok {
		v.fail(path+".from", `want a time of day such as "09:00"`, "%s", quoted(x.From))
	}
	if h.to, ok = clockTime(x.To, 24); !ok {
		v.fail(path+".to", `want a time of day such as "18:00", up to "24:00"`, "%s", quoted(x.To))
	}
	if h.from == h.to {
		v.fail(path+".to", "want another time than from; a whole day is 00:00 to 24:00", "no time is from %s to %s", x.From, x.To)
	}
	if len(x.Days) == 0 {
		v.fail(path+".days", "list days: mon, tue, wed, thu, fri, sat, sun", "hours on no day")
	}
	for i, name := range x.Days {
		j := slices.Index(dayNames, name)
		if j < 0 {
			v.unknown(fmt.Sprintf("%s.days[%d]", path, i), "day", name, dayNames)
			continue
		}
		h.days[j] = true
	}
	return h
}

// clockTime reads HH:MM with HH up to a highest hour, as milliseconds.
func clockTime(text string, highest int) (int64, bool) {
	if len(text) != 5 || text[2] != ':' {
		return 0, false
	}
	h, err := strconv.ParseUint(text[:2], 10, 8)
	if err != nil || h > uint64(highest) {
		return 0, false
	}
	m, err := strconv.ParseUint(text[3:], 10, 8)
	if err != nil || m > 59 || (h == 24 && m > 0) {
		return 0, false
	}
	return int64(h)*int64(hour) + int64(m)*int64(minute), true
}
