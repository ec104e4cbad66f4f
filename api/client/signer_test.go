package client_test

import (
	"bytes"
	"testing"
	"time"

	"kura/api/apitest"
	"kura/api/client"
	"kura/audit"
	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestBeforeARealSigner tells a short story with everything real but the token: client, TLS, gateway,
// socket, signer, journal.
func TestBeforeARealSigner(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	g := apitest.StartBefore(t, d.Signer, apitest.Options{})
	c := newClient(t, client.Config{URL: g.URL, Genesis: d.Genesis, TLS: g.TLS})
	submit := func(who string, body statement.Body, want string) client.Outcome {
		t.Helper()
		o, err := c.Submit(t.Context(), d.Sign(who, body))
		if err != nil {
			t.Fatal(err)
		}
		if o.State != want {
			t.Fatalf("state %s (%s), want %s: %+v", o.State, o.Code, want, o.Answer.Decision)
		}
		return o
	}

	// Both chains, signed at once.
	for _, wallet := range []string{signertest.XEM, signertest.XYM} {
		o := submit("shop", d.Withdrawal(d.Wallets[wallet], signertest.Small), rpc.StateSigned)
		if o.Answer.Transaction == nil || o.Answer.Chain.State != "unseen" {
			t.Errorf("%s: answer %+v", wallet, o.Answer)
		}
	}

	// Held, approved by two, signed.
	big := d.Withdrawal(d.Wallets[signertest.XEM], signertest.SmallMax+1)
	held := submit("shop", big, rpc.StateHeld)
	about, err := statement.ParseHash(held.Answer.StatementHash)
	if err != nil {
		t.Fatal(err)
	}
	submit("alice", d.Verdict(statement.Approve, about), rpc.StateCounted)
	if o := submit("dave", d.Verdict(statement.Approve, about), rpc.StateRefused); len(o.Results) != 1 || o.Results[0].State != rpc.StateRefused || o.Results[0].Code == "" {
		t.Errorf("the operator's approval: %+v", o.Results)
	}
	submit("bob", d.Verdict(statement.Approve, about), rpc.StateCounted)
	submit("shop", big, rpc.StateSigned)

	// Denied, with a proof; and the same id with another text.
	denied := d.Withdrawal(d.Wallets[signertest.XEM], signertest.BigMax+1)
	submit("shop", denied, rpc.StateDenied)
	denied.Reference = "another"
	if _, err := c.Submit(t.Context(), d.Sign("shop", denied)); !is[*client.Conflict](err) {
		t.Errorf("another text under the id: %v", err)
	}
	if _, err := c.Submit(t.Context(), tampered(d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)))); !isCode(err, "signature_invalid") {
		t.Errorf("a doctored statement: %v", err)
	}

	// Reading: a client its own, an officer everything.
	open := func(who string) {
		t.Helper()
		if _, _, err := c.OpenSession(t.Context(), func(hash statement.Hash) (statement.Envelope, error) {
			return d.Sign(who, &statement.Login{Journal: d.Journal, ID: d.ID(), Expires: d.Now() + 5*signertest.Minute, SecretHash: hash}), nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	open("shop")
	if o, err := c.Withdrawal(t.Context(), big.ID, time.Second); err != nil || o.State != rpc.StateSigned {
		t.Errorf("its own withdrawal: %s, %v", o.State, err)
	}
	if _, err := c.Export(t.Context(), &bytes.Buffer{}); !isCode(err, "forbidden") {
		t.Errorf("a client exports the journal: %v", err)
	}
	open("alice")
	if wallets, err := c.Wallets(t.Context()); err != nil || len(wallets) != 2 {
		t.Errorf("wallets %v, %v", wallets, err)
	}
	if limits, err := c.Limits(t.Context()); err != nil || len(limits) == 0 {
		t.Errorf("limits %v, %v", limits, err)
	}

	// A freeze is proven, and after it nothing is signed.
	kept, _, err := c.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if o, err := c.Freeze(t.Context(), d.Sign("watch", d.Freeze(statement.TargetAll, ""))); err != nil || len(o.Alive) != 3 {
		t.Errorf("freeze: %d alive, %v", len(o.Alive), err)
	}
	o, err := c.Submit(t.Context(), d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)))
	if err != nil || o.State == rpc.StateSigned || o.State == rpc.StateAuthorized {
		t.Errorf("signed under a freeze: %s, %v", o.State, err)
	}
	// What was signed before is not handed out again under it: proven is the authorisation.
	if o := submit("shop", big, rpc.StateAuthorized); o.Answer.Transaction != nil {
		t.Error("a covered transaction was handed out")
	}

	// The journal grew from what was kept, and is exported whole.
	_, head, err := c.Advance(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if exported, err := c.Export(t.Context(), &export); err != nil || exported.Size < head.Size {
		t.Errorf("export of %d entries: %v", exported.Size, err)
	}
	report, err := audit.Verify(t.Context(), &export, audit.Options{Genesis: d.Genesis.String(), From: kept})
	if err != nil || !report.OK || report.Counts.Checkpoints < 10 {
		t.Errorf("the export verifies with %d signed heads: %v, %v", report.Counts.Checkpoints, report.Failure, err)
	}
	if _, err := readAll(t, c, emptyTree(t)); err != nil {
		t.Error(err)
	}
	if ready, err := c.Ready(t.Context()); err != nil || len(ready.Reasons) == 0 {
		t.Errorf("ready %+v, %v", ready, err)
	}

	// Without the signer: not sent is told apart, and nothing is frozen that is not proven.
	g.StopSigner()
	impatient := newClient(t, client.Config{URL: g.URL, Genesis: d.Genesis, TLS: g.TLS, Patience: 10 * time.Millisecond, Pause: time.Millisecond})
	if _, err := impatient.Submit(t.Context(), d.Sign("shop", big)); !is[*client.Unknown](err) || !isCode(err, rpc.CodeUnavailable) {
		t.Errorf("without a signer: %v", err)
	}
	if _, err := impatient.Freeze(t.Context(), d.Sign("alice", d.Freeze(statement.TargetAll, ""))); !is[*client.NotFrozen](err) {
		t.Errorf("without a signer: %v", err)
	}
}

// tampered raises the amount of a signed withdrawal.
func tampered(env statement.Envelope) statement.Envelope {
	env.Statement = swap(`"amount":"1000000"`, `"amount":"9000000"`)(env.Statement)
	return env
}

// TestEvacuation: who proposed an evacuation gets its transaction, proven, by the same text and by its id.
func TestEvacuation(t *testing.T) {
	d := signertest.New(t, signertest.Options{Adjust: func(doc *policy.Document) {
		for i, w := range doc.Wallets {
			n, err := nem.ParseNetwork(w.Network)
			if err != nil {
				t.Fatal(err)
			}
			doc.Wallets[i].Rescue = nem.PublicKey{1}.Address(n).String()
		}
	}})
	g := apitest.StartBefore(t, d.Signer, apitest.Options{})
	c := newClient(t, client.Config{URL: g.URL, Genesis: d.Genesis, TLS: g.TLS})
	for wallet, asset := range map[string]string{signertest.XEM: "xem", signertest.XYM: "xym"} {
		proposal := &statement.Proposal{
			Journal: d.Journal, ID: d.ID(), Expires: d.Now() + signertest.Hour, Proposes: statement.ProposeEvacuation, Base: d.Force.Hash(),
			Document: `{"wallet":"` + wallet + `","assets":[{"asset":"` + asset + `","amount":"1000000"}],"maxFee":"5000000"}`, Reason: "test",
		}
		sent := d.Sign("carol", proposal)
		if o, err := c.Submit(t.Context(), sent); err != nil || o.State != rpc.StateOpen {
			t.Fatalf("%s: %s, %v", wallet, o.State, err)
		}
		for _, director := range []string{"alice", "bob"} {
			if _, err := c.Submit(t.Context(), d.Sign(director, d.Verdict(statement.Approve, statement.HashText(sent.Statement)))); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := c.OpenSession(t.Context(), func(hash statement.Hash) (statement.Envelope, error) {
			return d.Sign("carol", &statement.Login{Journal: d.Journal, ID: d.ID(), Expires: d.Now() + 5*signertest.Minute, SecretHash: hash}), nil
		}); err != nil {
			t.Fatal(err)
		}
		byID, err := c.Withdrawal(t.Context(), proposal.ID, 30*time.Second)
		if err != nil || byID.State != rpc.StateSigned || byID.Answer.Type != "proposal" || byID.Answer.Transaction == nil {
			t.Fatalf("%s by its id: %+v, %v", wallet, byID.Answer, err)
		}
		again, err := c.Submit(t.Context(), sent)
		if err != nil || again.State != rpc.StateSigned || again.Answer.Transaction == nil || *again.Answer.Transaction != *byID.Answer.Transaction {
			t.Errorf("%s by the same text: %+v, %v", wallet, again.Answer, err)
		}
	}
}
