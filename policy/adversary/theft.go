package adversary

import (
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// Attempt is one transfer of the theft of January 2018 as it would have gone
// under a policy.
type Attempt struct {
	At       int64 // policy time, unix milliseconds
	Asked    policy.Units
	Decision policy.Decision
}

// Theft is the theft of January 2018: minutes after midnight and whole XEM.
var Theft = []struct {
	Minute int64
	XEM    uint64
}{
	{2, 10},
	{10, 100_000_000}, {11, 100_000_000}, {13, 100_000_000}, {14, 100_000_000}, {16, 100_000_000}, {18, 20_000_000},
	{3*60 + 35, 1_500_000}, {4*60 + 33, 1_000_000}, {8*60 + 26, 800_000},
}

// Replay plays the theft against a policy with one stolen client, from a wallet,
// to an address of the thief's, from a midnight on (unix milliseconds). The
// amounts are whole units of the asset.
func Replay(p *policy.Policy, book *policy.Book, client policy.ClientID, wallet policy.WalletID, ref policy.AssetRef, to nem.Address, midnight int64) ([]Attempt, error) {
	usage := policy.NewUsage(p)
	asset, _ := p.AssetRef(ref)
	says, ok := p.Wallet(wallet)
	if !ok || asset == nil {
		return nil, &policy.Error{What: "no such wallet or asset"}
	}
	_, _, address, _, _ := p.WalletAccount(wallet)
	unit := uint64(1)
	for range asset.Divisibility {
		unit *= 10
	}
	var out []Attempt
	for i, step := range Theft {
		at := midnight + step.Minute*60_000
		in := policy.Input{
			Policy: p, Book: book, Usage: usage, Now: policy.Now{Clock: at, Time: at},
			Request: policy.Request{Client: client, Key: keyOf(p, client), Since: at, Withdrawal: &statement.Withdrawal{
				ID: identity(at, uint64(i)), Expires: at + 60_000, Wallet: string(wallet), WalletAddress: address.String(), Destination: to.String(),
				Assets: []statement.AssetAmount{{Asset: asset.Asset, Amount: nem.Amount(step.XEM * unit)}}, Message: statement.Message{Kind: statement.MessageNone}, MaxFee: nem.Amount(says.MaxFee),
			}},
		}
		d := policy.Decide(in)
		out = append(out, Attempt{at, policy.Units(step.XEM * unit), d})
		if d.Outcome != policy.Sign {
			continue
		}
		e, err := d.Event(p, in.Request.Withdrawal, client, at)
		if err == nil {
			err = usage.Add(e)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
