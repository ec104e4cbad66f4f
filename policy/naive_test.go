package policy_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"
	"time"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// naiveInput is what the naive implementation decides from: the document, the
// list of stops, the list of entries and the whole history, all as plain data.
type naiveInput struct {
	doc      policy.Document
	hash     policy.Hash
	stops    []policy.Stop
	entries  []policy.Entry
	history  []policy.Event
	request  policy.Request
	verdicts []policy.Verdict
	now      policy.Now
}

// naiveLimit is one asked limit.
type naiveLimit struct {
	ID      string
	Before  uint64
	Fits    bool
	FreesAt int64
	Binds   bool
}

// naiveDecision is the part of a decision that both implementations must agree on.
type naiveDecision struct {
	Outcome policy.Outcome
	Code    string
	Rule    string
	Fee     uint64
	Quorum  bool
	Limits  []naiveLimit
}

// naive is the second implementation of Decide: everything is looked up by name
// in lists, every sum is made by reading all of history, every quorum by trying
// out all seatings. It shares no code with the first but the chain library.
func naive(in naiveInput) naiveDecision {
	n := &naiveJudge{in: in, w: in.request.Withdrawal}
	return n.decide()
}

type naiveJudge struct {
	in     naiveInput
	w      *statement.Withdrawal
	denies []string
	waits  []string
	d      naiveDecision
}

func (n *naiveJudge) later() int64 { return max(n.in.now.Clock, n.in.now.Time) }

func dayOver(day policy.Day, at int64) bool {
	if day == "" {
		return false
	}
	t, _ := time.Parse("2006-01-02", string(day))
	return at >= t.Add(24*time.Hour).UnixMilli()
}

type naiveOutflow struct {
	asset    policy.AssetRef
	amount   *big.Int
	transfer bool
}

func (n *naiveJudge) decide() naiveDecision {
	in, w := n.in, n.w
	client, ok := naiveFind(in.doc.Clients, func(c policy.Client) bool { return c.ID == in.request.Client })
	if !ok {
		n.denies = append(n.denies, "client_unknown")
	} else if dayOver(client.LastDay, n.later()) {
		n.denies = append(n.denies, "client_last_day")
	}
	if ok && !slices.Contains(client.Keys, string(in.request.Key)) {
		n.denies = append(n.denies, "key_removed")
	}
	for _, s := range in.stops {
		if ok && s.Kind == statement.TargetClient && s.Name == string(client.ID) && (s.Until == 0 || in.now.Time < s.Until) {
			n.denies = append(n.denies, "client_stopped")
		}
		if s.Kind == statement.TargetKey && s.Name == in.request.Key.Fingerprint() && ok {
			n.denies = append(n.denies, "key_suspended")
		}
	}
	if in.now.Clock > w.Expires {
		n.denies = append(n.denies, "expired")
	}
	if !ok {
		// The order of reasons: who asks comes first, and nothing of the rest can change it.
		n.denies = n.denies[:1]
	}
	slices.SortStableFunc(n.denies, func(a, b string) int {
		order := []string{"client_unknown", "client_last_day", "client_stopped", "key_removed", "key_suspended", "expired"}
		return slices.Index(order, a) - slices.Index(order, b)
	})
	outflows, network, payment, good := n.subject()
	if good {
		n.destination(payment)
		n.rulesAndLimits(outflows, network, payment, client)
	}
	if len(n.denies) > 0 {
		n.d.Outcome, n.d.Code = policy.Deny, n.denies[0]
		n.d.Quorum = false
		return n.d
	}
	if len(n.waits) > 0 {
		n.d.Outcome, n.d.Quorum = policy.Hold, false
		for _, code := range []string{"frozen", "needs_approval", "cooling_off", "waits_for_room"} {
			if slices.Contains(n.waits, code) {
				n.d.Code = code
				break
			}
		}
		return n.d
	}
	n.d.Outcome, n.d.Code = policy.Sign, "signed"
	if n.d.Quorum {
		n.d.Code = "approved"
	}
	return n.d
}

func (n *naiveJudge) deny(code string) { n.denies = append(n.denies, code) }

func naiveFind[T any](list []T, is func(T) bool) (T, bool) {
	for _, x := range list {
		if is(x) {
			return x, true
		}
	}
	var zero T
	return zero, false
}

func (n *naiveJudge) subject() ([]naiveOutflow, nem.Network, statement.Payment, bool) {
	doc, w := n.in.doc, n.w
	wallet, ok := naiveFind(doc.Wallets, func(x policy.Wallet) bool { return string(x.ID) == w.Wallet })
	if !ok {
		n.deny("wallet_unknown")
		return nil, 0, statement.Payment{}, false
	}
	network, _ := nem.ParseNetwork(wallet.Network)
	key, _ := nem.ParsePublicKey(wallet.PublicKey)
	payment, err := w.Resolve(network)
	if err != nil {
		n.deny("bad_value")
		return nil, 0, payment, false
	}
	if payment.WalletAddress != key.Address(network) {
		n.deny("wallet_address_mismatch")
		return nil, 0, payment, false
	}
	registry := nem.Assets{}
	for _, a := range doc.Assets {
		if a.Network == wallet.Network {
			id, _ := nem.ParseAssetID(network.Chain(), a.Asset)
			registry[id] = nem.Asset{ID: id, Supply: uint64(a.Supply), Divisibility: a.Divisibility}
		}
	}
	ref := func(text string) (policy.Asset, bool) {
		return naiveFind(doc.Assets, func(a policy.Asset) bool { return a.Network == wallet.Network && a.Asset == text })
	}
	var outflows []naiveOutflow
	for _, a := range w.Assets {
		asset, ok := ref(a.Asset)
		if !ok {
			n.deny("asset_not_registered")
			return nil, 0, payment, false
		}
		outflows = append(outflows, naiveOutflow{asset.ID, new(big.Int).SetUint64(uint64(a.Amount)), true})
		if l := asset.Levy; l != nil {
			amount := new(big.Int).SetUint64(uint64(l.Fee))
			if l.Kind == "percentile" {
				amount.Mul(amount, new(big.Int).SetUint64(uint64(a.Amount))).Div(amount, big.NewInt(10000))
			}
			outflows = append(outflows, naiveOutflow{l.Asset, amount, false})
		}
	}
	transfer := nem.Transfer{Network: network, Signer: key, Recipient: payment.Destination, Assets: payment.Assets, Message: payment.Message}
	fee, err := nem.FeeFor(transfer, registry, wallet.FeeMultiplier)
	switch {
	case err != nil:
		n.deny("bad_value")
	case w.MaxFee > nem.Amount(wallet.MaxFee):
		n.deny("fee_cap_above_policy")
	case fee > w.MaxFee:
		n.deny("fee_above_cap")
	default:
		n.d.Fee = uint64(fee)
		currency, ok := ref(nem.Currency(network).String())
		if !ok {
			n.deny("asset_not_registered")
			return nil, 0, payment, false
		}
		outflows = append(outflows, naiveOutflow{currency.ID, new(big.Int).SetUint64(uint64(fee)), false})
		return outflows, network, payment, true
	}
	return nil, 0, payment, false
}

func (n *naiveJudge) destination(payment statement.Payment) {
	address := payment.Destination.String()
	for _, c := range n.in.doc.Tripwires.CanaryAddresses {
		salt, _ := hex.DecodeString(c.Salt)
		if sum := sha256.Sum256(append(salt, address...)); hex.EncodeToString(sum[:]) == c.Hash {
			n.deny("destination_not_listed")
		}
	}
	for _, s := range n.in.stops {
		if s.Kind == statement.TargetAddress && s.Name == address {
			n.deny("destination_suspended")
			break
		}
	}
}

// bookLists gives the books that hold the address, and those that allow the message.
func (n *naiveJudge) bookLists(payment statement.Payment, network nem.Network) (standing, payable []string) {
	for _, e := range n.in.entries {
		if e.Address != payment.Destination.String() || dayOver(e.LastDay, n.later()) || !slices.Contains(n.in.doc.Books, e.Book) {
			continue
		}
		standing = append(standing, e.Book)
		if n.messageFits(e.Message, payment, network) {
			payable = append(payable, e.Book)
		}
	}
	return standing, payable
}

// messageFits compares by what the chain shows: on Symbol a text has a zero
// byte before it.
func (n *naiveJudge) messageFits(m policy.MessageRule, payment statement.Payment, network nem.Network) bool {
	shown := string(payment.Message.Payload(network.Chain()))
	prefix := ""
	if network.Chain() == nem.Symbol {
		prefix = "\x00"
	}
	switch m.Rule {
	case "any":
		return true
	case "none":
		return shown == ""
	case "exact":
		if m.Kind == "hex" {
			raw, _ := hex.DecodeString(m.Value)
			return shown == string(raw)
		}
		return shown == prefix+m.Value
	}
	// The one pattern of the random worlds: [0-9]{3,5}
	digits, ok := strings.CutPrefix(shown, prefix)
	return ok && len(digits) >= 3 && len(digits) <= 5 && strings.Trim(digits, "0123456789") == ""
}

func (n *naiveJudge) rulesAndLimits(outflows []naiveOutflow, network nem.Network, payment statement.Payment, client policy.Client) {
	standing, payable := n.bookLists(payment, network)
	if len(standing) > 0 && len(payable) == 0 {
		n.deny("message_not_allowed")
	}
	var matched []*policy.Rule
	for _, o := range outflows {
		if !o.transfer {
			continue
		}
		var hit *policy.Rule
		for i := range n.in.doc.Rules {
			if n.matches(&n.in.doc.Rules[i], o, standing, payable) {
				hit = &n.in.doc.Rules[i]
				break
			}
		}
		matched = append(matched, hit)
	}
	quorum := false
	for _, r := range matched {
		quorum = quorum || (r != nil && r.Then == "approve")
	}
	n.ruling(matched, standing)
	if frozen, ok := naiveFind(n.in.stops, func(s policy.Stop) bool {
		return s.Action == statement.ActionFreeze && (s.Kind == statement.TargetAll || s.Kind == statement.TargetWallet && s.Name == n.w.Wallet)
	}); ok {
		if n.in.request.Since >= frozen.At {
			n.deny("frozen")
		}
		n.waits = append(n.waits, "frozen")
	}
	escalated := n.limits(outflows, network, payment, quorum)
	if len(n.denies) > 0 {
		return
	}
	seen := map[string]bool{}
	for _, r := range matched {
		if r.Then == "approve" && !seen["rule "+r.ID] {
			seen["rule "+r.ID] = true
			n.approval(r.Approval, client)
		}
	}
	for _, l := range escalated {
		if !seen["limit "+l.ID] {
			seen["limit "+l.ID] = true
			n.approval(l.Approval, client)
		}
	}
}

// ruling finds the deciding rule: the strictest, the first of equals.
func (n *naiveJudge) ruling(matched []*policy.Rule, standing []string) {
	for _, r := range matched {
		if r == nil {
			if len(standing) == 0 {
				n.deny("destination_not_listed")
			} else {
				n.deny("no_rule")
			}
			return
		}
		if r.Then == "deny" {
			n.d.Rule = r.ID
			n.deny("denied_by_rule")
			return
		}
	}
	for _, then := range []string{"approve", "sign"} {
		for _, r := range matched {
			if r.Then == then {
				n.d.Rule = r.ID
				return
			}
		}
	}
}

func (n *naiveJudge) matches(r *policy.Rule, o naiveOutflow, standing, payable []string) bool {
	c := r.When
	if dayOver(r.LastDay, n.later()) {
		return false
	}
	if c.Wallet != nil && !slices.Contains(c.Wallet, policy.WalletID(n.w.Wallet)) {
		return false
	}
	if c.Client != nil && !slices.Contains(c.Client, n.in.request.Client) {
		return false
	}
	if c.Asset != nil && !slices.Contains(c.Asset, o.asset) {
		return false
	}
	if c.Amount != nil {
		if c.Amount.Above != nil && o.amount.Cmp(new(big.Int).SetUint64(uint64(*c.Amount.Above))) <= 0 {
			return false
		}
		if c.Amount.UpTo != nil && o.amount.Cmp(new(big.Int).SetUint64(uint64(*c.Amount.UpTo))) > 0 {
			return false
		}
	}
	if c.Destination != nil {
		lists := payable
		if r.Then == "deny" {
			lists = standing
		}
		if !slices.ContainsFunc(lists, func(b string) bool { return slices.Contains(c.Destination, b) }) {
			return false
		}
	}
	if c.Message != nil && !slices.Contains(c.Message, string(n.w.Message.Kind)) {
		return false
	}
	return c.Hours == nil || naiveHours(c.Hours, n.in.now.Time)
}

func naiveHours(h *policy.Hours, at int64) bool {
	zone, _ := time.Parse("-07:00", h.Offset)
	_, seconds := zone.Zone()
	local := time.UnixMilli(at).UTC().Add(time.Duration(seconds) * time.Second)
	if !slices.Contains(h.Days, strings.ToLower(local.Weekday().String()[:3])) {
		return false
	}
	clock := local.Format("15:04")
	if h.From < h.To {
		return h.From <= clock && clock < h.To
	}
	return clock >= h.From || clock < h.To
}
