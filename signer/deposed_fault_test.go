package signer_test

import (
	"context"
	"strings"
	"testing"

	"kura/journal"
	"kura/journal/cosign"
	"kura/signer"
	"kura/signer/signertest"
)

// TestDeposedLeaderHearsWitness gives a leader a head that a witness has cosigned beyond the end of its own journal.
// With a stale lease, as after a pause, that is what the next leader wrote: it is no rollback, and the lease tells the
// rest. With a lease that holds, the journal lost its end.
func TestDeposedLeaderHearsWitness(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	lease := newLease()
	close(lease.given)
	d := signertest.New(t, signertest.Options{Open: func(c signer.Config) (*signer.Signer, error) {
		c.Lease = lease
		return w.open(c)
	}})
	w.stop() // the couriers
	token := d.Token.(*signertest.FakeToken)
	head := journal.Head{Size: ready(t, d.Signer).Size + 10, Root: journal.LeafHash([]byte("what the next leader wrote"))}
	note, err := journal.SignCheckpoint(signertest.Origin, head, func(key [32]byte, text []byte) ([64]byte, error) {
		return token.SignHead(context.Background(), key, text)
	}, token.LogPublicKey())
	if err != nil {
		t.Fatal(err)
	}
	line, err := cosign.Sign(w.keys[0], w.privates[0], textOf(note), 1_800_000_000)
	if err != nil {
		t.Fatal(err)
	}
	note = append(note, line...)

	lease.held.Store(false)
	if err := d.Signer.WitnessCosigned(t.Context(), w.keys[0].Name, note, nil); err != nil {
		t.Errorf("with a stale lease: %v", err)
	}
	if r := ready(t, d.Signer); hasReason(r, "journal_rolled_back") {
		t.Errorf("with a stale lease it says %+v", r.Reasons)
	}
	lease.held.Store(true)
	if err := d.Signer.WitnessCosigned(t.Context(), w.keys[0].Name, note, nil); err == nil {
		t.Error("a head that the journal does not have was taken")
	}
	if r := ready(t, d.Signer); r.Ready || !hasReason(r, "journal_rolled_back") {
		t.Errorf("with a lease that holds it says %+v", r.Reasons)
	}
}

// textOf is what a note's signatures are over.
func textOf(note journal.Checkpoint) string {
	text, _, _ := strings.Cut(string(note), "\n\n")
	return text + "\n"
}
