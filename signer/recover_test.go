package signer_test

import (
	"slices"
	"strings"
	"testing"

	"kura/journal"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// recovery is what works on the journal of a deployment whose signer does not run.
func recovery(d *signertest.Deployment, store journal.Store) *signer.Recovery {
	return &signer.Recovery{Config: signer.Config{
		Genesis: d.Genesis, Store: store, Anchors: []journal.Anchor{d.AnchorFile()}, Token: d.Token, Clock: d.Clock, Version: "test",
	}}
}

// goOnWithout has the directors decide about the tail that the promoted standby does not have, starts the signer and
// asks for every payment again: those that were kept are told what they were, those that were lost are not paid.
func (r *replica) goOnWithout(t *testing.T, kept, lost uint64) {
	t.Helper()
	re := recovery(r.Deployment, r.pg)
	tail, err := re.Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	heads := tail.Heads()
	if heads.Kept.Size != kept || heads.Lost.Size != lost {
		t.Fatalf("found %+v, want %d and %d", heads, kept, lost)
	}
	var verdicts []statement.Envelope
	for _, who := range []string{"alice", "bob"} {
		verdicts = append(verdicts, r.Sign(who, r.Verdict(statement.Approve, heads.About(r.Genesis.Origin))))
	}
	question, err := tail.Question(r.Genesis).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := re.GoOn(t.Context(), question, verdicts[:1]); err == nil {
		t.Fatal("one director went on")
	}
	// What was judged and refused is of no further use: it is looked for anew.
	re = recovery(r.Deployment, r.pg)
	if _, err := re.Find(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := re.GoOn(t.Context(), question, verdicts); err != nil {
		t.Fatal(err)
	}
	signed := r.token.Signatures.Load()
	r.Start()
	again := map[string]int{}
	for _, envelope := range r.sent {
		a, err := r.Signer.Submit(t.Context(), envelope.Encode(), 0)
		switch {
		case err == nil:
			again[a.State]++
		case codeOf(err) == ledger.CodeBornBeforeGap:
			again[ledger.CodeBornBeforeGap]++
		default:
			t.Error(err)
		}
	}
	if again[ledger.CodeBornBeforeGap] == 0 || again[rpc.StateSigned] == 0 || len(again) != 2 {
		t.Errorf("asked for again: %v", again)
	}
	if n := r.token.Signatures.Load(); n != signed {
		t.Errorf("%d signatures although everything was asked for before", n-signed)
	}
	if err := r.Stop(); err != nil {
		t.Error(err)
	}
}

// TestRecoveryNamesWhatIsLost tells a lost tail from two histories, and names every head that was lost, once.
func TestRecoveryNamesWhatIsLost(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	size := ready(t, d.Signer).Size
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	fake := d.Token.(*signertest.FakeToken)
	held := func(size uint64, root string) signer.HeldHead {
		h := journal.Head{Size: size, Root: journal.LeafHash([]byte(root))}
		c, err := journal.SignCheckpoint(d.Genesis.Origin, h, func(key [32]byte, text []byte) ([64]byte, error) {
			return fake.SignHead(t.Context(), key, text)
		}, d.Genesis.LogKey)
		if err != nil {
			t.Fatal(err)
		}
		return signer.HeldHead{Checkpoint: c, Holder: root}
	}
	for name, c := range map[string]struct {
		more []signer.HeldHead
		lost []uint64 // sizes, the largest first
		says string   // of the error
	}{
		"nothing":                     {},
		"one head":                    {[]signer.HeldHead{held(size+9, "a")}, []uint64{size + 9}, ""},
		"several":                     {[]signer.HeldHead{held(size+3, "a"), held(size+9, "b"), held(size+3, "a"), held(size+5, "c")}, []uint64{size + 9, size + 5, size + 3}, ""},
		"two leaders":                 {[]signer.HeldHead{held(size+3, "a"), held(size+9, "b"), held(size+3, "c")}, nil, "two leaders"},
		"two newest heads":            {[]signer.HeldHead{held(size+9, "a"), held(size+9, "b")}, nil, "two leaders"},
		"a replaced journal":          {[]signer.HeldHead{held(size+9, "a"), held(size-1, "b")}, nil, "replaced"},
		"a head of another history":   {[]signer.HeldHead{held(size-1, "a")}, []uint64{size - 1}, ""},
		"a head of another key":       {[]signer.HeldHead{{Checkpoint: journal.Checkpoint(strings.Replace(string(held(size+9, "a").Checkpoint), "\n— "+signertest.Origin, "\n— else", 1)), Holder: "x"}}, nil, "a successor is left"},
		"a text that is no head":      {[]signer.HeldHead{{Checkpoint: []byte("hello"), Holder: "x"}}, nil, "x: "},
		"a head under another origin": {[]signer.HeldHead{{Checkpoint: journal.Checkpoint(strings.Replace(string(held(size+9, "a").Checkpoint), signertest.Origin, "else", 2)), Holder: "x"}}, nil, "x: "},
	} {
		store, err := embedded.Open(d.StorePath())
		if err != nil {
			t.Fatal(err)
		}
		re := recovery(d, store)
		re.More = c.more
		tail, err := re.Find(t.Context())
		var lost []uint64
		if tail != nil {
			lost = append(lost, tail.Lost.Size)
			for _, h := range tail.Between {
				lost = append(lost, h.Size)
			}
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || !slices.Equal(lost, c.lost) {
			t.Errorf("%s: %v, %v", name, lost, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d.Start() // looking changed nothing
}
