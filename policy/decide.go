package policy

import (
	"errors"
	"slices"

	"kura/nem"
	"kura/statement"
)

// judge carries one decision on its way. Whatever denies is noted once, the
// first time; the rest is still worked out where it can be, so that a decision
// is never a bare no.
type judge struct {
	in     Input
	p      *Policy
	w      *statement.Withdrawal
	d      Decision
	people electorate
	client int
	subject
	outflows [2*maxAssets + 1]int // registry entry of each outflow
	legs     []matched
	key      requestKey
	escalate []demand // of limits
	waits    []Wait   // for room
}

// subject is what a withdrawal asks for, in terms of the policy and of its
// wallet's network.
type subject struct {
	wallet  int
	payment statement.Payment
	assets  [maxAssets]int // registry entry of each of the payment's assets
}

// maxAssets is how many assets a withdrawal statement can pay; each can take a
// levy, and all together one fee.
const maxAssets = 10

// matched is what the rules say about one asset.
type matched struct {
	asset int
	rule  *rule // nil: none matches
}

// demand is an approval that a rule or limit asks for.
type demand struct {
	by       string
	approval *Approval
}

// Decide says what becomes of a withdrawal: deny, hold or sign, and why. It is
// total, depends on nothing but its argument, changes nothing, and judges
// everything anew each time: a request that was held is simply decided again.
//
// The order: who asks (client, its last day, suspensions, expiry); what for
// (wallet, addresses, registered assets, fee); where to (canaries, suspended
// addresses, message rules); the rules, asset by asset, of which the strictest
// outcome counts; freezes; limits; approvals.
func Decide(in Input) Decision {
	j := judge{in: in, p: in.Policy, w: in.Request.Withdrawal}
	j.run()
	return j.d
}

func (j *judge) run() {
	in := &j.in
	if j.p == nil || j.w == nil || in.Usage == nil || in.Usage.policy == nil || in.Usage.policy.hash != j.p.hash {
		j.deny(CodeUnusable, "")
		return
	}
	j.asker()
	if j.read() && j.fee() {
		j.target()
		j.ruling()
		j.freeze()
		j.limits()
	}
	j.conclude()
}

// deny notes the first reason to deny.
func (j *judge) deny(code, field string) {
	if j.d.Outcome != Deny {
		j.d.Outcome, j.d.Code, j.d.Field = Deny, code, field
	}
}

// asker judges who asks and until when.
func (j *judge) asker() {
	in := &j.in
	index, ok := j.p.clients[in.Request.Client]
	if !ok {
		j.client = -1
		j.deny(CodeClientUnknown, "")
		return
	}
	j.client = index
	c := &j.p.doc.Clients[index]
	j.people = electorate{policy: j.p, overlay: in.Overlay, now: in.Now, barred: c.Operators}
	if c.LastDay.Past(in.Now.latest()) {
		j.deny(CodeClientLastDay, "")
	}
	if _, stopped := in.Overlay.ClientStopped(c.ID, in.Now.Time); stopped {
		j.deny(CodeClientStopped, "")
	}
	// A request outlives its key's suspension, which the next policy ends by taking
	// the key out: whoever stole it must not find a held payment decided anew.
	if j.p.keys[in.Request.Key] != (Actor{ClientActor, string(c.ID)}) {
		j.deny(CodeKeyRemoved, "")
	}
	if in.Overlay.KeySuspended(in.Request.Key) {
		j.deny(CodeKeySuspended, "")
	}
	if in.Now.Clock > j.w.Expires {
		j.deny(CodeExpired, "expires")
	}
}

// read finds the request's subject.
func (j *judge) read() bool {
	if refusal := j.subject.read(j.p, j.w); refusal != nil {
		j.deny(refusal.Code, refusal.Field)
		return false
	}
	return true
}

// read finds the wallet of a withdrawal and reads addresses, assets and message
// for its network.
func (s *subject) read(p *Policy, w *statement.Withdrawal) *Refusal {
	var ok bool
	if s.wallet, ok = p.wallets[WalletID(w.Wallet)]; !ok {
		return refuse(CodeWalletUnknown, "wallet", "no wallet of the policy is called %s", quoted(w.Wallet))
	}
	facts := &p.walletList[s.wallet]
	var err error
	if s.payment, err = w.ResolveFrom(facts.network, facts.text, facts.address); err != nil {
		field := ""
		if e, ok := errors.AsType[*statement.Error](err); ok {
			field = e.Field
		}
		return refuse(CodeBadValue, field, "%v", err)
	}
	if s.payment.WalletAddress != facts.address {
		return refuse(CodeWalletMismatch, "walletAddress", "wallet %s has the address %s", w.Wallet, facts.address)
	}
	if len(s.payment.Assets) > maxAssets {
		return refuse(CodeBadValue, "assets", "%d assets, want at most %d", len(s.payment.Assets), maxAssets)
	}
	for i, a := range s.payment.Assets {
		if s.assets[i], ok = p.assetIndex[assetKey{facts.network, a.ID}]; !ok {
			return refuse(CodeAssetNotRegistered, "assets", "%s is not in the policy's registry", a.ID)
		}
	}
	return nil
}

// Transfer gives the transfer that a withdrawal asks for, fee filled in,
// timestamp and deadline zero: what Decide counts and an authorisation builds.
func Transfer(p *Policy, w *statement.Withdrawal) (nem.Transfer, *Refusal) {
	var s subject
	if refusal := s.read(p, w); refusal != nil {
		return nem.Transfer{}, refusal
	}
	return s.transfer(p, w)
}

func (s *subject) transfer(p *Policy, w *statement.Withdrawal) (nem.Transfer, *Refusal) {
	facts, says := &p.walletList[s.wallet], &p.doc.Wallets[s.wallet]
	t := nem.Transfer{
		Network: facts.network, Signer: facts.key, Recipient: s.payment.Destination,
		Assets: s.payment.Assets, Message: s.payment.Message,
	}
	fee, err := nem.FeeFor(t, p.registry[facts.network], says.FeeMultiplier)
	if err != nil {
		return nem.Transfer{}, refuse(CodeBadValue, "assets", "%v", err)
	}
	t.Fee = fee
	if w.MaxFee > nem.Amount(says.MaxFee) {
		return nem.Transfer{}, refuse(CodeFeeCapAbovePolicy, "maxFee", "the cap is %d, and the policy allows at most %d", w.MaxFee, says.MaxFee)
	}
	if fee > w.MaxFee {
		return nem.Transfer{}, refuse(CodeFeeAboveCap, "maxFee", "the fee is %d, above the cap of %d", fee, w.MaxFee)
	}
	return t, nil
}

// fee fills in fee and outflows: what is asked for, the fee, and levies.
func (j *judge) fee() bool {
	t, refusal := j.transfer(j.p, j.w)
	if refusal != nil {
		j.deny(refusal.Code, refusal.Field)
		return false
	}
	j.d.Fee = Units(t.Fee)
	j.d.Outflows = make([]Outflow, 0, len(t.Assets)+1)
	for i, a := range t.Assets {
		j.outflow(j.assets[i], a.Amount, TransferOutflow)
		if asset := &j.p.assetList[j.assets[i]]; asset.terms != nil {
			amount, ok := levyOn(asset.terms, a.Amount)
			if !ok {
				j.deny(CodeAmountOverflow, "assets")
				return false
			}
			j.outflow(asset.levy, amount, LevyOutflow)
		}
	}
	currency := j.p.walletList[j.wallet].currency
	if currency < 0 {
		// The fee leaves in it, so it must be in the registry as well.
		j.deny(CodeAssetNotRegistered, "maxFee")
		return false
	}
	j.outflow(currency, t.Fee, FeeOutflow)
	return true
}

func (j *judge) outflow(asset int, amount nem.Amount, kind OutflowKind) {
	j.outflows[len(j.d.Outflows)] = asset
	j.d.Outflows = append(j.d.Outflows, Outflow{Asset: j.p.doc.Assets[asset].ID, ID: j.p.assetList[asset].id, Amount: Units(amount), Kind: kind})
}

// target judges where the payment goes.
func (j *judge) target() {
	address := j.payment.Destination.String()
	for i := range j.p.canaries {
		if j.p.canaries[i].is(address) {
			j.d.Tripwires = append(j.d.Tripwires, CanaryAddressTripwire)
			j.deny(CodeDestinationUnlisted, "destination")
		}
	}
	if _, suspended := j.in.Overlay.AddressSuspended(address); suspended {
		j.deny(CodeDestinationStopped, "destination")
	}
}

// ruling asks the rules about each asset by itself and keeps the strictest
// outcome: a second asset can never carry a first one past the rule that meant it.
func (j *judge) ruling() {
	standing, payable := j.listing()
	if standing != 0 && payable == 0 {
		j.deny(CodeMessageNotAllowed, "message")
	}
	j.legs = make([]matched, 0, len(j.payment.Assets))
	asked := make([]RuleTrace, 0, len(j.p.rules)*len(j.payment.Assets))
	l := leg{
		wallet: j.wallet, client: j.client, standing: standing, payable: payable,
		message: string(j.w.Message.Kind), time: j.in.Now.Time, latest: j.in.Now.latest(),
	}
	for i, a := range j.payment.Assets {
		l.asset, l.amount = j.assets[i], a.Amount
		name := j.p.doc.Assets[l.asset].ID
		m := matched{asset: l.asset}
		for k := range j.p.rules {
			r := &j.p.rules[k]
			held, failed := r.match(&l)
			asked = append(asked, RuleTrace{name, r.id, held, failed})
			if failed == 0 {
				m.rule = r
				break
			}
		}
		j.legs = append(j.legs, m)
	}
	j.d.Rules = asked
	j.strictest(standing)
}

// listing gives the books in which the address stands, and those with an entry
// that this payment meets.
func (j *judge) listing() (standing, payable uint64) {
	entries := j.in.Book.at(j.payment.Destination)
	if len(entries) == 0 {
		return 0, 0
	}
	payload := j.payment.Message.Payload(j.p.walletList[j.wallet].network.Chain())
	for _, e := range entries {
		book, ok := j.p.books[e.Book]
		if !ok || e.LastDay.Past(j.in.Now.latest()) {
			continue
		}
		standing |= 1 << book
		if e.rule.allows(payload) {
			payable |= 1 << book
		}
	}
	return standing, payable
}

// strictest names the deciding rule: the first that denies, else the first that
// asks for approval, else the first.
func (j *judge) strictest(standing uint64) {
	for _, then := range []string{thenDeny, thenApprove, thenSign} {
		for _, m := range j.legs {
			switch {
			case m.rule == nil && then == thenDeny:
				code := CodeNoRule
				if standing == 0 {
					code = CodeDestinationUnlisted
				}
				j.deny(code, "")
				return
			case m.rule != nil && m.rule.then == then:
				j.d.Rule = m.rule.id
				if then == thenDeny {
					j.deny(CodeDeniedByRule, "")
				}
				return
			}
		}
	}
}

// freeze holds what was there before the freeze and denies what came after, or in
// the same millisecond: when a freeze is lifted, nothing that an intruder sent
// meanwhile is waiting. Approvals of what is held count meanwhile.
func (j *judge) freeze() {
	if stop, frozen := j.in.Overlay.Frozen(WalletID(j.w.Wallet)); frozen {
		if j.in.Request.Since >= stop.At {
			j.deny(CodeFrozen, "")
		}
		j.d.Waits = append(j.d.Waits, Wait{Kind: WaitUnfreeze, For: stop.Hash.String()})
	}
}

// needsQuorum tells whether a rule asks for approval, so that limits that are
// not always do not bind.
func (j *judge) needsQuorum() bool {
	return slices.ContainsFunc(j.legs, func(m matched) bool { return m.rule != nil && m.rule.then == thenApprove })
}

// demands lists the approvals that are needed, each rule's and limit's once.
func (j *judge) demands() []demand {
	var all []demand
	for i, m := range j.legs {
		if m.rule != nil && m.rule.then == thenApprove &&
			!slices.ContainsFunc(j.legs[:i], func(o matched) bool { return o.rule == m.rule }) {
			all = append(all, demand{m.rule.id, m.rule.approval})
		}
	}
	for i, e := range j.escalate {
		if !slices.Contains(j.escalate[:i], e) {
			all = append(all, e)
		}
	}
	return all
}

// conclude sums up: the first reason to deny, else what it waits for, else sign.
func (j *judge) conclude() {
	if j.d.Outcome == Deny {
		j.d.Waits = nil
		return
	}
	for _, d := range j.demands() {
		j.approve(d.by, d.approval)
	}
	if j.d.Outcome == Deny {
		j.d.Waits, j.d.Quorum = nil, false
		return
	}
	j.d.Waits = append(j.d.Waits, j.waits...)
	if len(j.d.Waits) > 0 {
		j.d.Outcome = Hold
		j.d.Code = holdCode(j.d.Waits)
		j.d.Quorum = false
		return
	}
	j.d.Outcome, j.d.Code = Sign, CodeSigned
	if j.d.Quorum {
		j.d.Code = CodeApproved
	}
}

// holdCode names the wait that people can do most about.
func holdCode(waits []Wait) string {
	for _, c := range []struct {
		kind WaitKind
		code string
	}{{WaitUnfreeze, CodeFrozen}, {WaitApproval, CodeNeedsApproval}, {WaitTime, CodeCoolingOff}} {
		if slices.ContainsFunc(waits, func(w Wait) bool { return w.Kind == c.kind }) {
			return c.code
		}
	}
	return CodeWaitsForRoom
}

// approve judges one approval that the request needs.
func (j *judge) approve(by string, a *Approval) {
	b := j.people.sortVerdicts(j.in.Verdicts, statement.Approve)
	if j.people.rejections(a, b.rejected) >= a.Rejections {
		j.deny(CodeRejected, "")
		return
	}
	lapses := j.in.Request.Since + int64(a.Expiry)
	if j.in.Now.Time >= lapses {
		j.deny(CodeApprovalExpired, "")
		return
	}
	at, met := j.people.met(a.AnyOf, b.approved)
	if !met {
		for _, w := range j.people.missing(a.AnyOf, b) {
			w.For, w.Until = by, lapses
			j.d.Waits = append(j.d.Waits, w)
		}
		return
	}
	j.d.Quorum = true
	if until := at + int64(a.CoolingOff); j.in.Now.Time < until {
		j.d.Waits = append(j.d.Waits, Wait{Kind: WaitTime, For: by, Until: until})
	}
}
