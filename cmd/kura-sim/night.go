package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"kura/nem"
	"kura/policy"
	"kura/policy/adversary"
	"kura/statement"
)

// jst is the time of the exchange that was robbed.
var jst = time.FixedZone("JST", 9*60*60)

// midnight begins the night of the run: a 26 January that is a Friday, like that of 2018, when both chains existed.
var midnight = time.Date(2024, time.January, 26, 0, 0, 0, 0, jst).UnixMilli()

// noticed is when the exchange of 2018 saw it.
const noticed = 11*hour + 25*minute

// A target is what the night is played against: who asks, and for what.
type target struct {
	client policy.ClientID
	wallet policy.WalletID
	asset  policy.AssetRef
}

// aim finds the policy's first NIS1 wallet and the first client that a rule lets ask it; without a NIS1 wallet the
// first one there is.
func aim(p *policy.Policy) (target, error) {
	d := p.Document()
	if len(d.Wallets) == 0 {
		return target{}, exit(exitPolicy, errors.New("the policy has no wallet: there is nothing to rob"))
	}
	at := max(0, slices.IndexFunc(d.Wallets, func(w policy.Wallet) bool {
		account, _ := p.Account(w.ID)
		return account.Network.Chain() == nem.NIS1
	}))
	w := &d.Wallets[at]
	account, _ := p.Account(w.ID)
	n := account.Network
	asset, ok := p.AssetOf(n, nem.Currency(n))
	if !ok {
		return target{}, exit(exitPolicy, fmt.Errorf("the registry does not have the currency of %s: wallet %s can pay nothing, not even a fee", n, w.ID))
	}
	for _, c := range d.Clients {
		if slices.ContainsFunc(d.Rules, func(r policy.Rule) bool {
			return r.Then != "deny" && names(r.When.Wallet, w.ID) && names(r.When.Client, c.ID) && names(r.When.Asset, asset.ID)
		}) && len(c.Keys) > 0 {
			return target{c.ID, w.ID, asset.ID}, nil
		}
	}
	return target{}, exit(exitPolicy, fmt.Errorf("no client with a key may ask wallet %s for anything: there is nothing to steal", w.ID))
}

// names tells whether a condition of a rule admits somebody; no condition admits everybody.
func names[T comparable](list []T, one T) bool { return list == nil || slices.Contains(list, one) }

// playNight asks what was asked in 2018, at the same times of day, and lets the clock run on to when it was noticed.
func (d *deployment) playNight(ctx context.Context, t target) ([]answer, error) {
	asset, _ := d.policy.AssetRef(t.asset)
	account, _ := d.policy.Account(t.wallet)
	var all []answer
	for i, x := range adversary.Theft {
		at := midnight + x.Minute*minute
		if err := d.settle(ctx, at); err != nil {
			return nil, err
		}
		a, err := d.withdraw(ctx, t.client, ask{
			at: at, announce: at, wallet: t.wallet, asset: t.asset, amount: policy.Units(inUnits(x.XEM, asset.Divisibility)),
			to: throwAway(account.Network), message: statement.MessageNone, customer: "c-" + strconv.Itoa(i+1),
		})
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, d.settle(ctx, midnight+noticed)
}
