package signer_test

import (
	"sync"
	"testing"

	"kura/journal"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// announced decodes what an answer would have announced.
func announced(t *testing.T, d *signertest.Deployment, a rpc.Answer) {
	t.Helper()
	if a.State != rpc.StateSigned || a.Transaction == nil {
		t.Fatalf("state %s, transaction %v, decision %+v", a.State, a.Transaction, a.Decision)
	}
	if _, err := openReceipt(a.Receipt).Verify(d.Genesis); err != nil {
		t.Fatalf("receipt: %v", err)
	}
}

func openReceipt(r *rpc.Receipt) journal.Receipt {
	out := journal.Receipt{Entry: r.Entry, Index: r.Index, Checkpoint: r.Checkpoint}
	for _, h := range r.Proof {
		out.Proof = append(out.Proof, journal.Hash(h))
	}
	for _, h := range r.Handovers {
		out.Handovers = append(out.Handovers, openReceipt(&rpc.Receipt{Entry: h.Entry, Index: h.Index, Proof: h.Proof, Checkpoint: h.Checkpoint}))
	}
	return out
}

func TestRoad(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	for _, name := range []string{signertest.XEM, signertest.XYM} {
		t.Run(name, func(t *testing.T) {
			w := d.Wallets[name]
			small := d.Sign("shop", d.Withdrawal(w, signertest.Small))
			a, err := d.Signer.Submit(t.Context(), small.Encode(), signertest.LongWait)
			if err != nil {
				t.Fatal(err)
			}
			announced(t, d, a)
			again, err := d.Signer.Submit(t.Context(), small.Encode(), signertest.LongWait)
			if err != nil {
				t.Fatal(err)
			}
			if *again.Transaction != *a.Transaction {
				t.Errorf("the same text got another transaction:\n%+v\n%+v", a.Transaction, again.Transaction)
			}

			large := d.Sign("shop", d.Withdrawal(w, signertest.SmallMax+1))
			held, err := d.Signer.Submit(t.Context(), large.Encode(), signertest.LongWait)
			if err != nil {
				t.Fatal(err)
			}
			if held.State != rpc.StateHeld || len(held.Decision.Waits) != 1 || held.Decision.Waits[0].Need != 2 {
				t.Fatalf("state %s, decision %+v", held.State, held.Decision)
			}
			hash := statement.HashText(large.Statement)
			if r := d.Submit(t.Context(), d.Signer, "dave", d.Verdict(statement.Approve, hash)); r.State != rpc.StateRefused {
				t.Errorf("the client's operator approved: %+v", r)
			}
			for _, officer := range []string{"alice", "bob"} {
				if r := d.Submit(t.Context(), d.Signer, officer, d.Verdict(statement.Approve, hash)); r.State != rpc.StateCounted {
					t.Fatalf("%s: %+v", officer, r)
				}
			}
			bearer := d.Login(t.Context(), d.Signer, "shop")
			signed, err := d.Signer.Withdrawal(t.Context(), bearer, held.ID, signertest.LongWait)
			if err != nil {
				t.Fatal(err)
			}
			announced(t, d, signed)

			denied := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(w, signertest.BigMax+1))
			if denied.State != rpc.StateDenied || denied.Decision.Code != policy.CodeDestinationUnlisted {
				t.Errorf("above every rule: %+v", denied)
			}
			if _, err := openReceipt(denied.Receipt).Verify(d.Genesis); err != nil {
				t.Errorf("a denial without a receipt that verifies: %v", err)
			}
		})
	}
}

func TestSignedAgainAfterRestart(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	e := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	first, err := d.Signer.Submit(t.Context(), e.Encode(), signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	announced(t, d, first)
	d.Restart()
	again, err := d.Signer.Submit(t.Context(), e.Encode(), signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	announced(t, d, again)
	if *again.Transaction != *first.Transaction {
		t.Errorf("after a restart:\n%+v\n%+v", first.Transaction, again.Transaction)
	}
}

// TestNotWaiting: who does not wait learns that it is authorised, and gets the transaction by asking again.
func TestNotWaiting(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	asked, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.Token.(*signertest.FakeToken).Before = func(signer.Key) error {
		once.Do(func() { close(asked); <-goOn })
		return nil
	}
	e := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
	a, err := d.Signer.Submit(t.Context(), e.Encode(), 0)
	if err != nil || a.State != rpc.StateAuthorized || a.Transaction != nil || a.Receipt == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	bearer := d.Login(t.Context(), d.Signer, "shop")
	<-asked
	close(goOn)
	signed, err := d.Signer.Withdrawal(t.Context(), bearer, a.ID, signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	announced(t, d, signed)
	if signed.Seq != a.Seq {
		t.Errorf("authorised at entry %d, signed under %d", a.Seq, signed.Seq)
	}
	if _, err := d.Signer.Withdrawal(t.Context(), bearer, d.ID().String(), 0); true {
		problem(t, err, "not_found")
	}
}

// TestAdministratorOnlyTakesAway: the second socket suspends and retires keys and freezes; it gives nothing back.
func TestAdministratorOnlyTakesAway(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	admin, by := d.Signer.Admin(), rpc.Caller{UID: 0}
	if _, err := admin.SetWalletState(t.Context(), by, signertest.XEM, "active", "because"); true {
		problem(t, err, "bad_parameter")
	}
	if _, err := admin.SetWalletState(t.Context(), by, signertest.XEM, "suspended", "two\nlines"); true {
		problem(t, err, "bad_parameter")
	}
	if _, err := admin.SetWalletState(t.Context(), by, "nobody's", "suspended", "because"); true {
		problem(t, err, "refused")
	}
	for _, refused := range []struct{ name, network, field string }{
		{signertest.XEM, "nis1-testnet", "name"}, {"Bad Name", "nis1-testnet", "name"}, {"w", "mars", "network"}, {"w", "symbol-private", "network"},
	} {
		_, err := admin.CreateWallet(t.Context(), by, rpc.NewWallet{ID: refused.name, Network: refused.network, Present: []string{"alice"}})
		if p := problem(t, err, "bad_parameter"); p.Field != refused.field {
			t.Errorf("%v: the problem is said to be of %q: %v", refused, p.Field, err)
		}
	}
	r, err := admin.SetWalletState(t.Context(), by, signertest.XEM, "suspended", "because")
	if err != nil || r.State != "suspended" {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := openReceipt(r.Receipt).Verify(d.Genesis); err != nil {
		t.Error(err)
	}
	if a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)); a.State != rpc.StateDenied {
		t.Errorf("out of a suspended wallet: %+v", a)
	}
	if a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small)); a.State != rpc.StateSigned {
		t.Errorf("out of the other wallet: %+v", a)
	}
}
