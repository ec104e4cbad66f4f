package ledger

import (
	"strings"
	"testing"

	"kura/nem"
	"kura/statement"
)

func TestComparePayment(t *testing.T) {
	network := nem.NIS1Testnet
	payer, other := nem.PublicKey{1}, nem.PublicKey{2}
	to := other.Address(network)
	message, err := nem.TextMessage("1029384756")
	if err != nil {
		t.Fatal(err)
	}
	xem := nem.Currency(network)
	said := statement.Payment{
		WalletAddress: payer.Address(network), Destination: to, Message: message,
		Assets: []nem.AssetAmount{{ID: xem, Amount: 5}},
	}
	pay := nem.Outflow{Kind: nem.OutflowTransfer, Payer: payer, Asset: xem, Amount: 5, To: to, Message: message}
	fee := nem.Outflow{Kind: nem.OutflowFee, Payer: payer, Asset: xem, Amount: 7}
	with := func(o nem.Outflow, change func(*nem.Outflow)) nem.Outflow {
		change(&o)
		return o
	}
	for _, c := range []struct {
		name     string
		outflows []nem.Outflow
		why      string
	}{
		{"as said", []nem.Outflow{pay, fee}, ""},
		{"nothing", nil, "missing"},
		{"no fee", []nem.Outflow{pay}, "missing"},
		{"two fees", []nem.Outflow{pay, fee, fee}, "another fee"},
		{"a higher fee", []nem.Outflow{pay, with(fee, func(o *nem.Outflow) { o.Amount++ })}, "another fee"},
		{"twice", []nem.Outflow{pay, pay, fee}, "does not say"},
		{"more", []nem.Outflow{with(pay, func(o *nem.Outflow) { o.Amount++ }), fee}, "does not say"},
		{"another asset", []nem.Outflow{with(pay, func(o *nem.Outflow) { o.Asset = nem.Currency(nem.SymbolTestnet) }), fee}, "does not say"},
		{"to somebody else", []nem.Outflow{with(pay, func(o *nem.Outflow) { o.To = payer.Address(network) }), fee}, "another destination"},
		{"another message", []nem.Outflow{with(pay, func(o *nem.Outflow) { o.Message = nem.NoMessage() }), fee}, "another message"},
		{"from somebody else", []nem.Outflow{with(pay, func(o *nem.Outflow) { o.Payer = other }), fee}, "another account"},
		{"for no known reason", []nem.Outflow{with(pay, func(o *nem.Outflow) { o.Kind = 0 }), fee}, "no known reason"},
	} {
		t.Run(c.name, func(t *testing.T) {
			why := ""
			if err := comparePayment(c.outflows, said, payer, 7, network); err != nil {
				why = err.Error()
			}
			if (c.why == "") != (why == "") || !strings.Contains(why, c.why) {
				t.Errorf("%q, want something with %q", why, c.why)
			}
		})
	}
}
