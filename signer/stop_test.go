package signer_test

import (
	"sync"
	"testing"

	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestFreezeWhileSigning: a freeze that is in the journal before the signature leaves stops it (I9).
func TestFreezeWhileSigning(t *testing.T) {
	f := newFaults(t)
	signing, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.token.After = func(signer.Key) error {
		once.Do(func() { close(signing); <-goOn })
		return nil
	}
	sent, answered := f.submit(t, signertest.XYM)
	<-signing
	frozen := f.Submit(t.Context(), f.Signer, "watch", f.Freeze(statement.TargetAll, ""))
	if frozen.State != rpc.StateInForce || len(frozen.Alive) != 1 || frozen.Alive[0].StatementHash != statement.HashText(sent.Statement).String() || frozen.Alive[0].Signed {
		t.Errorf("freeze: %+v", frozen)
	}
	close(goOn)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	if a.State != rpc.StateStranded || a.Transaction != nil || a.Decision.Code != ledger.CodeStopped {
		t.Errorf("%+v", a)
	}
}

// TestFrozenTransactionIsNotHandedOutAgain: the same text under a freeze gets its state without the transaction.
func TestFrozenTransactionIsNotHandedOutAgain(t *testing.T) {
	f := newFaults(t)
	sent, answered := f.submit(t, signertest.XEM)
	if a := <-answered; a.State != rpc.StateSigned {
		t.Fatalf("%+v", a)
	}
	f.Submit(t.Context(), f.Signer, "alice", f.Freeze(statement.TargetWallet, signertest.XEM))
	again, err := f.Signer.Submit(t.Context(), sent.Encode(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if again.State != rpc.StateSigned || again.Transaction != nil {
		t.Errorf("%+v", again)
	}
}

// rescued gives every wallet an address to be swept to.
func rescued(t *testing.T) (addresses map[string]string, adjust func(*policy.Document)) {
	addresses = map[string]string{}
	return addresses, func(d *policy.Document) {
		for i, w := range d.Wallets {
			n, err := nem.ParseNetwork(w.Network)
			if err != nil {
				t.Fatal(err)
			}
			addresses[string(w.ID)] = nem.PublicKey{1}.Address(n).String()
			d.Wallets[i].Rescue = addresses[string(w.ID)]
		}
	}
}

// evacuate has a quorum approve the evacuation of a wallet and returns its statement.
func (f *faults) evacuate(t *testing.T, wallet, asset string) statement.Envelope {
	t.Helper()
	document := `{"wallet":"` + wallet + `","assets":[{"asset":"` + asset + `","amount":"1000000"}],"maxFee":"5000000"}`
	sent := f.Sign("carol", &statement.Proposal{
		Journal: f.Journal, ID: f.ID(), Expires: f.Now() + signertest.Hour, Proposes: statement.ProposeEvacuation,
		Base: f.Force.Hash(), Document: document, Reason: "test",
	})
	if _, err := f.Signer.Submit(t.Context(), sent.Encode(), 0); err != nil {
		t.Fatal(err)
	}
	for _, director := range []string{"alice", "bob"} {
		f.Submit(t.Context(), f.Signer, director, f.Verdict(statement.Approve, statement.HashText(sent.Statement)))
	}
	return sent
}

// untilSigned asks for an evacuation until it is signed.
func (f *faults) untilSigned(t *testing.T, sent statement.Envelope) (a rpc.Answer) {
	t.Helper()
	f.Until("the evacuation is signed", func() bool {
		var err error
		if a, err = f.Signer.Submit(t.Context(), sent.Encode(), 0); err != nil {
			t.Fatal(err)
		}
		return a.State == rpc.StateSigned
	})
	return a
}

// TestEvacuationUnderAFreeze: an evacuation that was approved after a freeze is signed and handed out; a freeze after it
// withholds it.
func TestEvacuationUnderAFreeze(t *testing.T) {
	_, adjust := rescued(t)
	f := newFaultsUnder(t, adjust)
	f.Submit(t.Context(), f.Signer, "watch", f.Freeze(statement.TargetAll, ""))
	sent := f.evacuate(t, signertest.XEM, "xem")
	a := f.untilSigned(t, sent)
	announced(t, f.Deployment, a)
	f.Submit(t.Context(), f.Signer, "alice", f.Freeze(statement.TargetWallet, signertest.XEM))
	if a := f.untilSigned(t, sent); a.Transaction != nil {
		t.Errorf("handed out under a freeze that came after it: %+v", a)
	}
}

// TestSuspendedDestination: a transaction to an address that is suspended is not handed out again, be it a payment or an
// evacuation.
func TestSuspendedDestination(t *testing.T) {
	rescue, adjust := rescued(t)
	f := newFaultsUnder(t, adjust)
	payment := f.Withdrawal(f.Wallets[signertest.XYM], signertest.Small)
	paid := f.Sign("shop", payment)
	if a, err := f.Signer.Submit(t.Context(), paid.Encode(), signertest.LongWait); err != nil || a.Transaction == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	swept := f.evacuate(t, signertest.XEM, "xem")
	announced(t, f.Deployment, f.untilSigned(t, swept))
	for sent, address := range map[*statement.Envelope]string{&paid: payment.Destination, &swept: rescue[signertest.XEM]} {
		suspend := f.Freeze(statement.TargetAddress, address)
		suspend.Action = statement.ActionSuspend
		f.Submit(t.Context(), f.Signer, "alice", suspend)
		if a, err := f.Signer.Submit(t.Context(), sent.Encode(), 0); err != nil || a.State != rpc.StateSigned || a.Transaction != nil {
			t.Errorf("to a suspended address: %+v, %v", a, err)
		}
	}
}
