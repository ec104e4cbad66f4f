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
	var keys requestKeys
	for i := range u.limits {
		t := &u.limits[i]
		if !t.limit.wallets.has(j.wallet) || !t.limit.clients.has(j.client) {
			continue
		}
		if t.limit.count {
			j.countLimit(t, &keys, quorum)
			continue
		}
		if amount, asset, moves := j.leaving(t.limit); moves {
			j.ask(t, &keys, asset, amount, quorum)
		}
	}
}

// countLimit asks a limit over counts, once for each asset if it has one window
// for each, else once.
func (j *judge) countLimit(t *tally, keys *requestKeys, quorum bool) {
	for _, m := range j.legs {
		if !t.limit.assets.has(m.asset) {
			continue
		}
		j.ask(t, keys, m.asset, 1, quorum)
		if !t.limit.per.Has(PerAsset) {
			return
		}
	}
}

// leaving sums what leaves of the one asset that a limit over amounts counts. A
// sum past 64 bits is given as the most there is: no limit has room for it.
func (j *judge) leaving(l *limit) (amount uint64, asset int, moves bool) {
	for i := range j.d.Outflows {
		index := j.assets[i]
		if !l.assets.has(index) {
			continue
		}
		sum, carry := bits.Add64(amount, uint64(j.d.Outflows[i].Amount), 0)
		if carry != 0 {
			sum = ^uint64(0)
			j.deny(CodeAmountOverflow, "assets")
		}
		amount, asset, moves = sum, index, true
	}
	return amount, asset, moves
}

// requestKeys are the parts of the request's keys as usage numbers and digests
// them, made once, and the digests only if some limit uses them.
type requestKeys struct {
	named                  bool
	wallet, client         uint16
	seenWallet, seenClient bool
	digested               bool
	destination            digest
	customer               digest
}

// key gives the request's key in a limit's windows, and whether usage has seen
// the names in it; what it has not seen has an empty window.
func (j *judge) key(t *tally, keys *requestKeys, asset int) (windowKey, bool) {
	u := j.in.Usage
	var k windowKey
	per := t.limit.per
	if per == 0 {
		return k, true
	}
	if !keys.named {
		keys.named = true
		keys.wallet, keys.seenWallet = u.wallets.seen(j.p.doc.Wallets[j.wallet].ID)
		keys.client, keys.seenClient = u.clients.seen(j.in.Request.Client)
	}
	seen := true
	if per.Has(PerWallet) {
		k.wallet, seen = keys.wallet, keys.seenWallet
	}
	if per.Has(PerClient) {
		k.client, seen = keys.client, seen && keys.seenClient
	}
	if per.Has(PerAsset) {
		number, known := u.assets.seen(j.p.assetList[asset].assetKey)
		k.asset, seen = number, seen && known
	}
	if (per.Has(PerDestination) || per.Has(PerCustomer)) && !keys.digested {
		keys.digested = true
		keys.destination = destinationDigest(j.payment.Destination)
		keys.customer = digestOf([]byte(j.w.Customer))
	}
	if per.Has(PerDestination) {
		k.destination = keys.destination
	}
	if per.Has(PerCustomer) {
		k.customer = keys.customer
	}
	return k, seen
}

func (t *intern[K]) seen(name K) (uint16, bool) {
	i, ok := t.index[name]
	return i, ok
}

// ask puts one limit's answer into the decision.
func (j *judge) ask(t *tally, keys *requestKeys, asset int, amount uint64, quorum bool) {
	l := t.limit
	number := j.in.Overlay.lowered(l.id, l.max)
	key, seen := j.key(t, keys, asset)
	r := j.in.Usage.roomFor(t, key, seen, j.in.Now.Time, amount, number)
	after, carry := bits.Add64(r.before, amount, 0)
	if carry != 0 {
		after = ^uint64(0)
	}
	trace := LimitTrace{
		Limit: l.id, Per: l.per, Before: Units(r.before), After: Units(after), Max: Units(number),
		Window: Millis(l.window), At: l.at, Always: l.always, Fits: r.fits, FreesAt: r.freesAt,
		Binds: l.always || !quorum,
	}
	if l.per.Has(PerAsset) {
		trace.Asset = j.p.doc.Assets[asset].ID
	}
	j.d.Limits = append(j.d.Limits, trace)
	if r.fits || !trace.Binds {
		return
	}
	limit, _ := j.p.Limit(l.id)
	switch {
	case l.at == atApprove:
		j.escalate = append(j.escalate, demand{l.id, limit.Approval})
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
