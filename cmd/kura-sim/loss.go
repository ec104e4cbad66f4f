package main

import (
	"fmt"
	"math/big"

	"kura/nem"
	"kura/policy"
)

// A loss is what left one wallet in one asset, beside the bound that was printed beforehand. Amounts are smallest
// units in decimal digits.
type loss struct {
	Wallet     policy.WalletID `json:"wallet"` // "" for all wallets together
	Asset      policy.AssetRef `json:"asset"`
	Bound      string          `json:"bound"` // "" if unbounded
	Unbounded  bool            `json:"unbounded"`
	Binding    []string        `json:"binding"` // the limits that make the bound
	Left       string          `json:"left"`    // everything that left
	ToIntruder string          `json:"toIntruder"`
	ToListed   string          `json:"toListed"` // to addresses of the books: no theft, but within the bound
	Fees       string          `json:"fees"`     // and levies
	Exceeded   bool            `json:"exceeded"`
}

// takings sums what left one wallet in one asset.
type takings struct{ own, listed, fees big.Int }

func (t *takings) add(o nem.Outflow, listed bool) {
	amount := new(big.Int).SetUint64(uint64(o.Amount))
	switch {
	case o.Kind != nem.OutflowTransfer:
		t.fees.Add(&t.fees, amount)
	case listed:
		t.listed.Add(&t.listed, amount)
	default:
		t.own.Add(&t.own, amount)
	}
}

func (t *takings) plus(o *takings) {
	t.own.Add(&t.own, &o.own)
	t.listed.Add(&t.listed, &o.listed)
	t.fees.Add(&t.fees, &o.fees)
}

// total is all that left.
func (t *takings) total() *big.Int {
	sum := new(big.Int).Add(&t.own, &t.listed)
	return sum.Add(sum, &t.fees)
}

// sum counts what signed transactions take, by wallet and asset.
func sum(p *policy.Policy, answers []answer) (map[stockKey]*takings, error) {
	all := map[stockKey]*takings{}
	for _, a := range answers {
		account, _ := p.Account(a.wallet)
		for _, o := range a.moved {
			asset, ok := p.AssetOf(account.Network, o.Asset)
			if !ok {
				return nil, fmt.Errorf("%s left, which is not in the registry", o.Asset)
			}
			key := stockKey{a.wallet, asset.ID}
			if all[key] == nil {
				all[key] = &takings{}
			}
			all[key].add(o, a.listed)
		}
	}
	return all, nil
}

// losses sets what left beside a blast radius, wallet by wallet and then all wallets together.
func losses(b policy.Blast, left map[stockKey]*takings) (each, together []loss) {
	sums := map[policy.AssetRef]*takings{}
	for _, row := range b.Rows {
		t := left[stockKey{row.Wallet, row.Asset}]
		if t == nil {
			t = &takings{}
		}
		if sums[row.Asset] == nil {
			sums[row.Asset] = &takings{}
		}
		sums[row.Asset].plus(t)
		each = append(each, newLoss(row, t))
	}
	for _, row := range b.Totals {
		if t := sums[row.Asset]; t != nil {
			together = append(together, newLoss(row, t))
		}
	}
	return each, together
}

func newLoss(row policy.BlastRow, t *takings) loss {
	l := loss{
		Wallet: row.Wallet, Asset: row.Asset, Bound: row.Bound, Unbounded: row.Unbounded, Binding: row.Binding,
		Left: t.total().String(), ToIntruder: t.own.String(), ToListed: t.listed.String(), Fees: t.fees.String(),
	}
	if !row.Unbounded {
		bound, ok := new(big.Int).SetString(row.Bound, 10)
		l.Exceeded = !ok || t.total().Cmp(bound) > 0 // a bound that cannot be read bounds nothing
	}
	return l
}

// share is what left as a part of the bound, "99.9 %", cut off and not rounded.
func (l *loss) share() string {
	left, _ := new(big.Int).SetString(l.Left, 10)
	bound, ok := new(big.Int).SetString(l.Bound, 10)
	if !ok || left == nil || bound.Sign() == 0 {
		return ""
	}
	perMille := left.Mul(left, big.NewInt(1000))
	perMille.Div(perMille, bound)
	return fmt.Sprintf("%d.%d %%", new(big.Int).Div(perMille, big.NewInt(10)), new(big.Int).Mod(perMille, big.NewInt(10)))
}

// show writes an amount in smallest units for people.
func show(p *policy.Policy, asset policy.AssetRef, digits string) string {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || !n.IsUint64() {
		return digits + " smallest units of " + string(asset)
	}
	return p.Show(asset, policy.Units(n.Uint64()))
}
