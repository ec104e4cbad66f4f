package policy

import (
	"math/bits"

	"kura/nem"
)

// limits asks every limit that counts the request for room. One that is not
// always does not bind what a rule's quorum approves; where a limit itself asks
// for approval, its approvers lift that limit alone, and every other one must
// have room. What they approved was approved by a quorum all the same: once it is
// authorised, only limits marked always count it (Event), and a blast radius bounds
// it by those alone.
func (j *judge) limits() {
	u := j.in.Usage
	quorum := j.needsQuorum()
	j.d.Limits = make([]LimitTrace, 0, len(u.limits))
	j.key = newRequestKey(u, WalletID(j.w.Wallet), j.in.Request.Client)
	for i := range u.limits {
		t := &u.limits[i]
		if !t.limit.wallets.has(j.wallet) || !t.limit.clients.has(j.client) {
			continue
		}
		if t.limit.count {
			j.countLimit(t, quorum)
			continue
		}
		if amount, asset, moves := j.leaving(t.limit); moves {
			j.ask(t, asset, amount, quorum)
		}
	}
	j.overflow()
}

// overflow denies what usage could not count, whether or not a limit of today
// counts the asset: one of tomorrow may, and starts from the true history.
func (j *judge) overflow() {
	for i := range j.d.Outflows {
		sum := uint64(0)
		for k := range j.d.Outflows {
			if j.outflows[k] != j.outflows[i] {
				continue
			}
			var carry uint64
			if sum, carry = bits.Add64(sum, uint64(j.d.Outflows[k].Amount), 0); carry != 0 {
				j.deny(CodeAmountOverflow, "assets")
				return
			}
		}
	}
}

// countLimit asks a limit over counts, once for each asset if it has one window
// for each, else once.
func (j *judge) countLimit(t *tally, quorum bool) {
	for _, m := range j.legs {
		if !t.limit.assets.has(m.asset) {
			continue
		}
		j.ask(t, m.asset, 1, quorum)
		if !t.limit.per.Has(PerAsset) {
			return
		}
	}
}

// leaving sums what leaves of the one asset that a limit over amounts counts. A
// sum past 64 bits is given as the most there is: no limit has room for it.
func (j *judge) leaving(l *limit) (amount uint64, asset int, moves bool) {
	for i := range j.d.Outflows {
		if !l.assets.has(j.outflows[i]) {
			continue
		}
		sum, carry := bits.Add64(amount, uint64(j.d.Outflows[i].Amount), 0)
		if carry != 0 {
			sum = ^uint64(0)
			j.deny(CodeAmountOverflow, "assets")
		}
		amount, asset, moves = sum, j.outflows[i], true
	}
	return amount, asset, moves
}

// requestKey is the request's key in the windows of limits, and where usage keeps
// them. Each part and place is found out when the first limit wants it.
type requestKey struct {
	windowKey          // with every part
	entry     int      // of the registry, whose number the key holds; -1: none yet
	digested  bool     // destination and customer are known
	places    []uint32 // in the usage's keys; unplaced: not looked up yet
}

// unplaced stands for a place that was not looked up yet.
const unplaced = nowhere - 1

func newRequestKey(u *Usage, wallet WalletID, client ClientID) requestKey {
	return requestKey{
		windowKey: windowKey{wallet: u.wallets.find(wallet), client: u.clients.find(client)},
		entry:     -1, places: make([]uint32, len(u.keys)),
	}
}

// place gives where usage keeps the request's window of a limit.
func (j *judge) place(t *tally, asset int) uint32 {
	k, per := &j.key, t.limit.per
	if k.entry != asset {
		k.entry, k.asset = asset, j.in.Usage.assets.find(j.p.assetList[asset].assetKey)
		for i := range k.places {
			k.places[i] = unplaced
		}
	}
	if at := k.places[t.shares]; at != unplaced {
		return at
	}
	if (per.Has(PerDestination) || per.Has(PerCustomer)) && !k.digested {
		k.digested = true
		k.destination = destinationDigest(j.payment.Destination)
		k.customer = digestOf([]byte(j.w.Customer))
	}
	k.places[t.shares] = j.in.Usage.keys[t.shares].find(k.only(per))
	return k.places[t.shares]
}

// ask puts one limit's answer into the decision.
func (j *judge) ask(t *tally, asset int, amount uint64, quorum bool) {
	l := t.limit
	number := j.in.Overlay.lowered(l.id, l.max)
	r := j.in.Usage.roomFor(t, j.place(t, asset), j.in.Now.Time, amount, number)
	after, carry := bits.Add64(r.before, amount, 0)
	if carry != 0 {
		after = ^uint64(0)
	}
	j.d.Limits = append(j.d.Limits, LimitTrace{
		Limit: l.id, Per: l.per, Before: Units(r.before), After: Units(after), Max: Units(number),
		Window: Millis(l.window), At: l.at, Always: l.always, Fits: r.fits, FreesAt: r.freesAt,
		Binds: l.always || !quorum,
	})
	trace := &j.d.Limits[len(j.d.Limits)-1]
	if l.per.Has(PerAsset) {
		trace.Asset = j.p.doc.Assets[asset].ID
	}
	if r.fits || !trace.Binds {
		return
	}
	switch {
	case l.at == atApprove:
		j.escalate = append(j.escalate, demand{l.id, l.approval})
	case l.at == atWait && r.freesAt != 0:
		j.waits = append(j.waits, Wait{Kind: WaitLimit, For: l.id, Until: r.freesAt})
	case l.at == atWait:
		j.deny(CodeLimitNever, "assets")
	default:
		j.deny(CodeLimit, "assets")
	}
}

// levyOn is what NIS1 takes beside a quantity of a mosaic.
func levyOn(l *nem.Levy, quantity nem.Amount) (nem.Amount, bool) {
	if l.Kind == nem.LevyAbsolute {
		return l.Fee, true
	}
	hi, lo := bits.Mul64(uint64(quantity), uint64(l.Fee))
	if hi >= 10_000 {
		return 0, false
	}
	q, _ := bits.Div64(hi, lo, 10_000)
	return nem.Amount(q), true
}
