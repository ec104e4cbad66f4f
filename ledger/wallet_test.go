package ledger_test

import (
	"errors"
	"testing"

	"kura/ledger"
	"kura/ledger/ledgertest"
)

func TestCeremoniesThatAreRefused(t *testing.T) {
	w := ledgertest.New(t)
	fresh := w.Ceremony(w.Wallets[0])
	fresh.Name = "another"
	for name, change := range map[string]func(*ledger.Wallet){
		"a name twice":       func(x *ledger.Wallet) { x.Name = "hot-xym" },
		"a key twice":        func(*ledger.Wallet) {},
		"no name":            func(x *ledger.Wallet) { x.Name = "" },
		"no network":         func(x *ledger.Wallet) { x.Network = "nis1" },
		"no key":             func(x *ledger.Wallet) { x.PublicKey = "" },
		"another's address":  func(x *ledger.Wallet) { x.Address = w.Wallets[0].Rescue.String() },
		"an unknown custody": func(x *ledger.Wallet) { x.Custody = "drawer" },
		"a key in lower case": func(x *ledger.Wallet) {
			x.PublicKey = "2915a4fe400f72585ebd23e65cdcf006294a01e5abcf691cfa3ad05100d05b67"
		},
		"an address elsewhere": func(x *ledger.Wallet) { x.Network = "nis1-mainnet" },
	} {
		bad := fresh
		change(&bad)
		if _, err := w.Judge(ledger.WalletInput{Wallet: bad}); !errors.Is(err, ledger.ErrInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStatesOfKeys tries every change of state: what is out of service never signs again.
func TestStatesOfKeys(t *testing.T) {
	all := []string{ledger.WalletActive, ledger.WalletSuspended, ledger.WalletRetired, ledger.WalletCompromised}
	allowed := map[[2]string]bool{
		{ledger.WalletActive, ledger.WalletSuspended}:      true,
		{ledger.WalletActive, ledger.WalletRetired}:        true,
		{ledger.WalletActive, ledger.WalletCompromised}:    true,
		{ledger.WalletSuspended, ledger.WalletRetired}:     true,
		{ledger.WalletSuspended, ledger.WalletCompromised}: true,
		{ledger.WalletRetired, ledger.WalletCompromised}:   true,
	}
	for _, from := range all {
		for _, to := range all {
			w := ledgertest.New(t)
			if from != ledger.WalletActive {
				w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: from}})
			}
			_, err := w.Judge(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xem", State: to}})
			if (err == nil) != allowed[[2]string{from, to}] {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	}
	w := ledgertest.New(t)
	if _, err := w.Judge(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "nope", State: ledger.WalletRetired}}); !errors.Is(err, ledger.ErrInput) {
		t.Errorf("a wallet without ceremony: %v", err)
	}
}

// TestASuspendedKeySignsNothingThatWasAuthorisedBefore: an authorisation without a signature waits no longer
// once its wallet's key is out of service.
func TestASuspendedKeySignsNothingThatWasAuthorisedBefore(t *testing.T) {
	for _, state := range []string{ledger.WalletSuspended, ledger.WalletRetired, ledger.WalletCompromised} {
		w := ledgertest.New(t)
		res := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
		if !w.State.MaySign(res.About, w.Clock) {
			t.Fatal("it may not be signed while the key is active")
		}
		w.Must(ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: w.Wallets[0].Name, State: state, Reason: "test"}})
		if w.State.MaySign(res.About, w.Clock) || len(w.State.Unsigned(w.Clock)) != 0 || len(w.State.Strandable(w.Clock)) != 1 {
			t.Errorf("%s: it may still be signed", state)
		}
	}
}
