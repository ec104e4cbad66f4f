package ledger_test

import (
	"slices"
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/statement"
)

// TestNoOtherBytesPassTheSelfCheck flips every bit of an authorisation's bytes, and asks for other payments
// with the same bytes: nothing but the very payment in its very bytes passes (I5).
func TestNoOtherBytesPassTheSelfCheck(t *testing.T) {
	w := ledgertest.New(t)
	for _, x := range w.Wallets {
		body := w.Withdrawal(x, ledgertest.Small)
		res := w.Submit("shop", body)
		r, _ := w.State.RequestByStatement(res.About)
		tx, unsigned := r.Transaction, r.Transaction.Unsigned
		if why := w.State.SelfCheck(unsigned, body, tx, w.Clock, tx.Deadline); why != "" {
			t.Fatalf("%s: the authorised bytes: %s", x.Name, why)
		}
		for i := range unsigned {
			for bit := range 8 {
				b := slices.Clone(unsigned)
				b[i] ^= 1 << bit
				if w.State.SelfCheck(b, body, tx, w.Clock, tx.Deadline) == "" {
					t.Errorf("%s: with bit %d of byte %d flipped it passes", x.Name, bit, i)
				}
			}
		}
		for name, change := range map[string]func(*statement.Withdrawal, *ledger.Transaction){
			"a fee above the cap": func(s *statement.Withdrawal, tx *ledger.Transaction) { s.MaxFee = tx.Fee - 1 },
			"another fee":         func(_ *statement.Withdrawal, tx *ledger.Transaction) { tx.Fee++ },
			"another deadline":    func(_ *statement.Withdrawal, tx *ledger.Transaction) { tx.Deadline -= 1000 },
			"another destination": func(s *statement.Withdrawal, _ *ledger.Transaction) { s.Destination = x.Stranger.String() },
			"another wallet":      func(s *statement.Withdrawal, _ *ledger.Transaction) { s.WalletAddress = x.Stranger.String() },
			"another message":     func(s *statement.Withdrawal, _ *ledger.Transaction) { s.Message.Value = "1029384757" },
			"another amount": func(s *statement.Withdrawal, _ *ledger.Transaction) {
				s.Assets = []statement.AssetAmount{{Asset: s.Assets[0].Asset, Amount: 1}}
			},
			"a wallet of no policy": func(s *statement.Withdrawal, _ *ledger.Transaction) { s.Wallet = "nope" },
		} {
			other, changed := *body, *tx
			change(&other, &changed)
			if w.State.SelfCheck(unsigned, &other, &changed, w.Clock, tx.Deadline) == "" {
				t.Errorf("%s: %s passes", x.Name, name)
			}
		}
		if w.State.SelfCheck(unsigned, body, tx, w.Clock, tx.Deadline-1) == "" {
			t.Errorf("%s: a deadline beyond the wallet's life passes", x.Name)
		}
		if w.State.SelfCheck(unsigned, body, tx, tx.Deadline, tx.Deadline) == "" {
			t.Errorf("%s: a deadline that is now passes", x.Name)
		}
		if x.Network.Chain() == nem.NIS1 && w.State.SelfCheck(unsigned, body, tx, w.Clock-1, tx.Deadline) == "" {
			t.Errorf("%s: a timestamp ahead of the clock passes", x.Name)
		}
	}
}
