package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// text is a part of a document as JSON, for comparing and for what has no words.
func text[T any](x T) string {
	b, err := json.Marshal(&x, json.Deterministic(true))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// rest says that something differs in what has no words of its own; blank takes
// out what has.
func rest[T any](d *differ, who string, old, next T, blank func(*T)) {
	blank(&old)
	blank(&next)
	if text(old) != text(next) {
		d.say(Alters, "%s: %s becomes %s", who, text(old), text(next))
	}
}

func listOr(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

func (d *differ) wallets() {
	pair(d.old.doc.Wallets, d.next.doc.Wallets, func(x *Wallet) WalletID { return x.ID }, func(old, next *Wallet) {
		switch {
		case old == nil:
			account, _ := d.next.Account(next.ID)
			d.say(Loosens, "wallet %s enters: %s on %s, custody %s", next.ID, account.Address, next.Network, next.Custody)
			d.wallet(&Wallet{ID: next.ID, Network: next.Network, PublicKey: next.PublicKey, Custody: next.Custody}, next)
		case next == nil:
			d.say(Tightens, "wallet %s is out: nothing is signed for it any more", old.ID)
		default:
			d.wallet(old, next)
		}
	})
}

func (d *differ) wallet(old, next *Wallet) {
	d.number(fmt.Sprintf("transactions of %s stay valid longer", next.ID), fmt.Sprintf("transactions of %s stay valid shorter", next.ID), old.Life, next.Life)
	switch {
	case next.MaxFee > old.MaxFee:
		d.say(Loosens, "wallet %s may pay fees up to %s instead of %s", next.ID, d.fee(next, next.MaxFee), d.fee(next, old.MaxFee))
	case next.MaxFee < old.MaxFee:
		d.say(Tightens, "wallet %s may pay fees up to %s instead of %s", next.ID, d.fee(next, next.MaxFee), d.fee(next, old.MaxFee))
	}
	if old.FeeMultiplier != next.FeeMultiplier {
		d.say(Alters, "wallet %s pays %d per byte instead of %d", next.ID, next.FeeMultiplier, old.FeeMultiplier)
	}
	if old.Rescue != next.Rescue {
		d.say(Loosens, "the rescue address of %s becomes %s instead of %s: an evacuation sweeps everything there", next.ID, quoted(next.Rescue), quoted(old.Rescue))
	}
	o, n := *old, *next
	for _, w := range []*Wallet{&o, &n} {
		w.Life, w.MaxFee, w.FeeMultiplier, w.Rescue = 0, 0, 0, ""
	}
	if o != n {
		d.say(Alters, "wallet %s: %s becomes %s", next.ID, text(o), text(n))
	}
}

// fee shows an amount of what a wallet of the next policy pays fees in.
func (d *differ) fee(w *Wallet, amount Units) string {
	facts := &d.next.walletList[d.next.wallets[w.ID]]
	if facts.currency < 0 {
		return amount.String() + " (smallest units)"
	}
	return d.next.Show(d.next.doc.Assets[facts.currency].ID, amount)
}

func (d *differ) assets() {
	pair(d.old.doc.Assets, d.next.doc.Assets, func(x *Asset) AssetRef { return x.ID }, func(old, next *Asset) {
		switch {
		case old == nil:
			d.say(Loosens, "asset %s enters the registry: %s of %s, written in %s, divisibility %d, supply %s, %s",
				next.ID, next.Asset, next.Network, next.Name, next.Divisibility, next.Supply, d.next.levyWords(next.Levy))
		case next == nil:
			d.say(Tightens, "asset %s leaves the registry and moves no more", old.ID)
		default:
			d.asset(old, next)
		}
	})
}

func (d *differ) asset(old, next *Asset) {
	if old.Network != next.Network || old.Asset != next.Asset {
		d.say(Loosens, "asset %s is %s of %s instead of %s of %s: rules and limits that name it are about that", next.ID, next.Asset, next.Network, old.Asset, old.Network)
	}
	if old.Name != next.Name {
		d.say(Alters, "amounts of asset %s are written in %s instead of %s", next.ID, next.Name, old.Name)
	}
	if old.Divisibility != next.Divisibility {
		d.say(Loosens, "the divisibility of asset %s is %d instead of %d: the same number of %s is another amount, and each of the two policies is shown by its own", next.ID, next.Divisibility, old.Divisibility, next.Name)
	}
	if old.Supply != next.Supply {
		d.say(Alters, "the supply of asset %s is %s instead of %s", next.ID, next.Supply, old.Supply)
	}
	if was, is := d.old.levyWords(old.Levy), d.next.levyWords(next.Levy); was != is {
		d.say(Alters, "asset %s has %s instead of %s", next.ID, is, was)
	}
}

// levyWords says what a levy takes.
func (p *Policy) levyWords(l *Levy) string {
	switch {
	case l == nil:
		return "no levy"
	case l.Kind == "percentile":
		return fmt.Sprintf("a levy of %s ten-thousandths, in %s, to %s", l.Fee, l.Asset, l.Recipient)
	}
	return fmt.Sprintf("a levy of %s to %s", p.Show(l.Asset, l.Fee), l.Recipient)
}

func (d *differ) books() {
	for _, x := range d.next.doc.Books {
		if !slices.Contains(d.old.doc.Books, x) {
			d.say(Alters, "book %s is new", x)
		}
	}
	for _, x := range d.old.doc.Books {
		if !slices.Contains(d.next.doc.Books, x) {
			d.say(Alters, "book %s is gone: its entries do not count any more", x)
		}
	}
	if a, b := d.old.doc.Books, d.next.doc.Books; len(a) > 0 && len(b) > 0 && a[0] != b[0] {
		d.say(Alters, "tools put new entries into book %s instead of %s, unless they are told otherwise", b[0], a[0])
	}
}

func (d *differ) limits() {
	pair(d.old.doc.Limits, d.next.doc.Limits, func(x *Limit) string { return x.ID }, func(old, next *Limit) {
		switch {
		case old == nil:
			if next.At == atApprove {
				// What exceeds it is approved by a quorum then, and that fills no limit but those marked always.
				d.say(Alters, "limit %s is new: %s; what is approved beyond it fills no limit but those marked always", next.ID, d.next.LimitWords(next))
				return
			}
			d.say(Tightens, "limit %s is new: %s", next.ID, d.next.LimitWords(next))
		case next == nil:
			d.say(Loosens, "limit %s is gone: %s", old.ID, d.old.LimitWords(old))
		default:
			d.limit(old, next)
		}
	})
}

func (d *differ) limit(old, next *Limit) {
	switch {
	case next.Max > old.Max:
		d.say(Loosens, "limit %s is raised from %s to %s", next.ID, d.old.limitUnit(old, old.Max), d.next.limitUnit(next, next.Max))
	case next.Max < old.Max:
		d.say(Tightens, "limit %s is lowered from %s to %s", next.ID, d.old.limitUnit(old, old.Max), d.next.limitUnit(next, next.Max))
	}
	switch {
	case next.Window < old.Window:
		d.say(Loosens, "limit %s frees sooner: within %s instead of %s", next.ID, next.Window, old.Window)
	case next.Window > old.Window:
		d.say(Tightens, "limit %s holds longer: within %s instead of %s", next.ID, next.Window, old.Window)
	}
	if old.Always != next.Always {
		effect, words := Tightens, "binds what a quorum approved, too"
		if old.Always {
			effect, words = Loosens, "does not bind what a quorum approved any more"
		}
		d.say(effect, "limit %s %s", next.ID, words)
	}
	o, n := *old, *next
	for _, l := range []*Limit{&o, &n} {
		l.Max, l.Window, l.Always = 0, 0, false
	}
	if text(o) != text(n) {
		d.say(Alters, "limit %s changes: it was: %s; it becomes: %s", next.ID, d.old.LimitWords(old), d.next.LimitWords(next))
	}
}

func (d *differ) governance() {
	a, b := &d.old.doc.Governance, &d.next.doc.Governance
	for _, x := range []struct {
		what      string
		old, next Change
	}{{"policy", a.Policy, b.Policy}, {"addresses", a.Addresses, b.Addresses}} {
		d.quorum("changes of "+x.what, x.old.AnyOf, x.next.AnyOf)
		d.lock(x.what, x.old.TimeLock, x.next.TimeLock)
	}
	d.quorum("unfreezing and evacuations", a.Unfreeze.AnyOf, b.Unfreeze.AnyOf)
	d.quorum("proposals to resume", a.Resume.AnyOf, b.Resume.AnyOf)
	switch {
	case a.Recovery == nil && b.Recovery == nil:
	case a.Recovery == nil:
		d.say(Loosens, "a recovery becomes possible: %s can replace people after %s", quorumWords(b.Recovery.AnyOf), b.Recovery.TimeLock)
	case b.Recovery == nil:
		d.say(Tightens, "no recovery is possible any more")
	default:
		d.quorum("recoveries", a.Recovery.AnyOf, b.Recovery.AnyOf)
		d.lock("recovery", a.Recovery.TimeLock, b.Recovery.TimeLock)
	}
	switch {
	case b.Veto > a.Veto:
		d.say(Loosens, "a veto takes %s instead of %d", plural(b.Veto, "director"), a.Veto)
	case b.Veto < a.Veto:
		d.say(Tightens, "a veto takes %s instead of %d", plural(b.Veto, "director"), a.Veto)
	}
}

func (d *differ) lock(what string, old, next Millis) {
	switch {
	case next < old:
		d.say(Loosens, "changes of %s act after %s instead of %s", what, next, old)
	case next > old:
		d.say(Tightens, "changes of %s act after %s instead of %s", what, next, old)
	}
}

func (d *differ) quorum(what string, old, next []Quorum) {
	if text(old) == text(next) {
		return
	}
	effect := Alters
	switch eases, binds := suffices(old, next), suffices(next, old); {
	case eases && !binds:
		effect = Loosens
	case binds && !eases:
		effect = Tightens
	}
	d.say(effect, "%s are decided by %s instead of %s", what, quorumWords(next), quorumWords(old))
}

// suffices tells whether whoever meets a quorum surely meets another one, too: each alternative of it asks for at least as
// many of each group as some alternative of the other.
func suffices(quorum, other []Quorum) bool {
	return len(quorum) > 0 && !slices.ContainsFunc(quorum, func(q Quorum) bool {
		return !slices.ContainsFunc(other, func(o Quorum) bool {
			return !slices.ContainsFunc(o.AllOf, func(need Need) bool {
				return !slices.ContainsFunc(q.AllOf, func(have Need) bool { return have.Group == need.Group && have.Count >= need.Count })
			})
		})
	})
}

func (d *differ) tripwires() {
	a, b := &d.old.doc.Tripwires, &d.next.doc.Tripwires
	for _, key := range b.CanaryKeys {
		if !slices.Contains(a.CanaryKeys, key) {
			d.say(Tightens, "a canary key is new: whatever it signs freezes everything: %s", fingerprint(d.next, key))
		}
	}
	for _, key := range a.CanaryKeys {
		if !slices.Contains(b.CanaryKeys, key) {
			d.say(Loosens, "a canary key is gone: what it signs freezes nothing any more: %s", fingerprint(d.old, key))
		}
	}
	for _, x := range b.CanaryAddresses {
		if !slices.Contains(a.CanaryAddresses, x) {
			d.say(Tightens, "a canary address is new: asking to pay it suspends the client: hash %s", x.Hash)
		}
	}
	for _, x := range a.CanaryAddresses {
		if !slices.Contains(b.CanaryAddresses, x) {
			d.say(Loosens, "a canary address is gone: asking to pay it suspends nobody any more: hash %s", x.Hash)
		}
	}
	if text(a.Refusals) != text(b.Refusals) {
		d.say(Alters, "refusals: %s, instead of: %s", refusalWords(b.Refusals), refusalWords(a.Refusals))
	}
}

func refusalWords(r Refusals) string {
	if len(r.Codes) == 0 {
		return "they suspend nobody"
	}
	return fmt.Sprintf("a client that is refused %s within %s for %s is suspended for %s",
		plural(r.Count, "time"), r.Window, strings.Join(r.Codes, " or "), r.Suspend)
}

func (d *differ) anchor() {
	a, b := d.old.doc.Anchor, d.next.doc.Anchor
	if text(a) != text(b) {
		d.say(Alters, "the token's copy of the log's head: %s, instead of: %s", anchorWords(d.next, b), anchorWords(d.old, a))
	}
}

// anchorWords says when the token's copy is renewed: one rollback of everything but the token repeats what comes between.
func anchorWords(p *Policy, a Anchor) string {
	if a.Every == 0 {
		return "there is none"
	}
	words := []string{"renewed after " + a.Every.String()}
	for _, v := range a.Values {
		words = append(words, "when more than "+p.Show(v.Asset, v.Amount)+" was authorised")
	}
	return strings.Join(words, " or ")
}

// RuleWords says in a sentence what a rule does.
func (p *Policy) RuleWords(r *Rule) string {
	var parts []string
	add := func(word string, list []string) {
		if len(list) > 0 {
			parts = append(parts, word+" "+strings.Join(list, " or "))
		}
	}
	w := &r.When
	add("client", names(w.Client, func(x ClientID) string { return string(x) }))
	add("wallet", names(w.Wallet, func(x WalletID) string { return string(x) }))
	add("asset", names(w.Asset, func(x AssetRef) string { return string(x) }))
	if w.Amount != nil {
		if w.Amount.Above != nil {
			parts = append(parts, "above "+p.Show(w.Asset[0], *w.Amount.Above))
		}
		if w.Amount.UpTo != nil {
			parts = append(parts, "up to "+p.Show(w.Asset[0], *w.Amount.UpTo))
		}
	}
	add("to a destination of", w.Destination)
	if w.Destination == nil && r.Then != thenDeny {
		parts = append(parts, "to any destination")
	}
	add("message", w.Message)
	if w.Hours != nil {
		parts = append(parts, fmt.Sprintf("%s from %s to %s at UTC%s", strings.Join(w.Hours.Days, " "), w.Hours.From, w.Hours.To, w.Hours.Offset))
	}
	if r.LastDay != "" {
		parts = append(parts, "until "+string(r.LastDay))
	}
	if len(parts) == 0 {
		parts = []string{"anything"}
	}
	then := r.Then
	if r.Approval != nil {
		then = "needs " + approvalWords(r.Approval)
	}
	return strings.Join(parts, ", ") + ": " + then
}

// LimitWords says in a sentence what a limit bounds.
func (p *Policy) LimitWords(l *Limit) string {
	words := fmt.Sprintf("at most %s in any %s", p.limitUnit(l, l.Max), l.Window)
	for _, x := range []struct {
		name string
		list []string
	}{
		{"wallet", names(l.Wallet, func(x WalletID) string { return string(x) })},
		{"client", names(l.Client, func(x ClientID) string { return string(x) })},
		{"asset", names(l.Asset, func(x AssetRef) string { return string(x) })},
	} {
		if len(x.list) > 0 {
			words += ", " + x.name + " " + strings.Join(x.list, " and ")
		}
	}
	if len(l.Per) > 0 {
		words += ", for each " + strings.Join(l.Per, " and ")
	}
	words += "; beyond: " + l.At
	if l.Approval != nil {
		words += " by " + approvalWords(l.Approval)
	}
	if l.Always {
		words += "; always"
	}
	return words
}

func approvalWords(a *Approval) string {
	words := quorumWords(a.AnyOf)
	if a.CoolingOff > 0 {
		words += ", then " + a.CoolingOff.String() + " of cooling-off"
	}
	return words + fmt.Sprintf(", within %s, ended by %s", a.Expiry, plural(a.Rejections, "rejection"))
}

func quorumWords(anyOf []Quorum) string {
	if len(anyOf) == 0 {
		return "nobody"
	}
	alternatives := make([]string, len(anyOf))
	for i, q := range anyOf {
		needs := make([]string, len(q.AllOf))
		for k, n := range q.AllOf {
			needs[k] = fmt.Sprintf("%d of %s", n.Count, n.Group)
		}
		alternatives[i] = strings.Join(needs, " and ")
	}
	return strings.Join(alternatives, ", or ")
}
