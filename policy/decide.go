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
	in       *Input
	p        *Policy
	w        *statement.Withdrawal
	d        Decision
	people   electorate
	wallet   int
	client   int
	payment  statement.Payment
	legs     []matched
	assets   [2*maxAssets + 1]int // registry index of each outflow
	escalate []demand             // of limits
	waits    []Wait               // for room
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
	j := judge{in: &in, p: in.Policy, w: in.Request.Withdrawal}
	j.run()
	return j.d
}

func (j *judge) run() {
	in := j.in
	if j.p == nil || j.w == nil || in.Usage == nil || in.Usage.policy == nil || in.Usage.policy.hash != j.p.hash {
		j.deny(CodeUnusable, "")
		return
	}
	j.asker()
	if j.subject() && j.fee() {
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
	in := j.in
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

// subject reads wallet, addresses, assets and message in terms of the wallet's network.
func (j *judge) subject() bool {
	var refusal *Refusal
	j.wallet, j.payment, refusal = resolve(j.p, j.w)
	if refusal != nil {
		j.deny(refusal.Code, refusal.Field)
		return false
	}
	return true
}

// resolve finds the wallet of a withdrawal and reads the rest for its network.
func resolve(p *Policy, w *statement.Withdrawal) (int, statement.Payment, *Refusal) {
	i, ok := p.wallets[WalletID(w.Wallet)]
	if !ok {
		return 0, statement.Payment{}, refuse(CodeWalletUnknown, "wallet", "no wallet of the policy is called %s", quoted(w.Wallet))
	}
	facts := &p.walletList[i]
	payment, err := w.ResolveFrom(facts.network, facts.text, facts.address)
	if err != nil {
		field := ""
		if e, ok := errors.AsType[*statement.Error](err); ok {
			field = e.Field
		}
		return 0, statement.Payment{}, refuse(CodeBadValue, field, "%v", err)
	}
	if payment.WalletAddress != facts.address {
		return 0, statement.Payment{}, refuse(CodeWalletMismatch, "walletAddress", "wallet %s has the address %s", w.Wallet, facts.address)
	}
	if len(payment.Assets) > maxAssets {
		return 0, statement.Payment{}, refuse(CodeBadValue, "assets", "%d assets, want at most %d", len(payment.Assets), maxAssets)
	}
	for _, a := range payment.Assets {
		if _, ok := p.assetIndex[assetKey{facts.network, a.ID}]; !ok {
			return 0, statement.Payment{}, refuse(CodeAssetNotRegistered, "assets", "%s is not in the policy's registry", a.ID)
		}
	}
	return i, payment, nil
}

// Transfer gives the transfer that a withdrawal asks for, fee filled in,
// timestamp and deadline zero: what Decide counts and an authorisation builds.
func Transfer(p *Policy, w *statement.Withdrawal) (nem.Transfer, *Refusal) {
	i, payment, refusal := resolve(p, w)
	if refusal != nil {
		return nem.Transfer{}, refusal
	}
	return transfer(p, w, i, payment)
}

func transfer(p *Policy, w *statement.Withdrawal, wallet int, payment statement.Payment) (nem.Transfer, *Refusal) {
	facts, says := &p.walletList[wallet], &p.doc.Wallets[wallet]
	t := nem.Transfer{
		Network: facts.network, Signer: facts.key, Recipient: payment.Destination,
		Assets: payment.Assets, Message: payment.Message,
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
	t, refusal := transfer(j.p, j.w, j.wallet, j.payment)
	if refusal != nil {
		j.deny(refusal.Code, refusal.Field)
		return false
	}
	j.d.Fee = Units(t.Fee)
	network := t.Network
	j.d.Outflows = make([]Outflow, 0, len(t.Assets)+1)
	for _, a := range t.Assets {
		j.outflow(network, a.ID, a.Amount, TransferOutflow)
		if levy := j.p.registry[network][a.ID].Levy; levy != nil {
			amount, ok := levyOn(levy, a.Amount)
			if !ok {
				j.deny(CodeAmountOverflow, "assets")
				return false
			}
			j.outflow(network, levy.Asset, amount, LevyOutflow)
		}
	}
	currency := nem.Currency(network)
	if _, ok := j.p.assetIndex[assetKey{network, currency}]; !ok {
		// The fee leaves in it, so it must be in the registry as well.
		j.deny(CodeAssetNotRegistered, "maxFee")
		return false
	}
	j.outflow(network, currency, t.Fee, FeeOutflow)
	return true
}

func (j *judge) outflow(network nem.Network, id nem.AssetID, amount nem.Amount, kind OutflowKind) {
	index := j.p.assetIndex[assetKey{network, id}]
	j.assets[len(j.d.Outflows)] = index
	j.d.Outflows = append(j.d.Outflows, Outflow{Asset: j.p.doc.Assets[index].ID, ID: id, Amount: Units(amount), Kind: kind})
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
	j.d.Rules = make([]RuleTrace, 0, len(j.p.rules)*len(j.payment.Assets))
	network := j.p.walletList[j.wallet].network
	for _, a := range j.payment.Assets {
		l := leg{
			wallet: j.wallet, client: j.client, asset: j.p.assetIndex[assetKey{network, a.ID}], amount: a.Amount,
			standing: standing, payable: payable, message: string(j.w.Message.Kind), time: j.in.Now.Time, latest: j.in.Now.latest(),
		}
		m := matched{asset: l.asset}
		for i := range j.p.rules {
			r := &j.p.rules[i]
			held, failed := r.match(&l)
			j.d.Rules = append(j.d.Rules, RuleTrace{j.p.doc.Assets[l.asset].ID, r.id, held, failed})
			if failed == 0 {
				m.rule = r
				break
			}
		}
		j.legs = append(j.legs, m)
	}
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

// freeze holds what was there before the freeze and denies what came after: when
// a freeze is lifted, nothing that an intruder sent meanwhile is waiting.
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
