package signer_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"kura/journal/anchorfile"
	"kura/journal/cosign"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
)

// leaseDouble is a lease for tests: it is given, goes stale and is lost when the test says so.
type leaseDouble struct {
	given chan struct{} // closed when it is this signer's turn
	lost  chan struct{}
	held  atomic.Bool
}

func newLease() *leaseDouble {
	return &leaseDouble{given: make(chan struct{}), lost: make(chan struct{})}
}

func (l *leaseDouble) Hold(ctx context.Context) (<-chan struct{}, error) {
	select {
	case <-l.given:
		l.held.Store(true)
		return l.lost, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *leaseDouble) Held() bool { return l.held.Load() }

// TestStandbyOnOldRows has the database show a standby old rows and then give it the lease: it refuses to lead, ends,
// and says which witness knows more.
func TestStandbyOnOldRows(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	_ = d.Stop()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "journal"), readFile(t, d.StorePath()))
	d.Start()
	announced(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)))
	_ = d.Stop()
	w.stop()

	store := openEmbedded(t, filepath.Join(dir, "journal"))
	defer store.Close()
	lease := newLease()
	s := w.another(d, dir, signer.Config{Store: store, Lease: lease})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	defer w.carry(s)()
	d.Until("it stands by", func() bool { return hasReason(ready(t, s), "standby") })
	if r := ready(t, s); r.Role != "standby" || r.Ready {
		t.Errorf("a standby is %+v", r)
	}
	_, err := s.Submit(t.Context(), d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)).Encode(), 0)
	if p, ok := errors.AsType[*rpc.Problem](err); !ok || p.Code != "standby" || p.Retry != rpc.RetrySame || p.Effect != rpc.EffectNone {
		t.Errorf("a standby answers %v", err)
	}
	if _, err := s.Admin().FreezeHost(t.Context(), rpc.Caller{}, "test"); codeOf(err) != "standby" {
		t.Errorf("a freeze on a standby's host: %v", err)
	}
	size := ready(t, s).Size
	close(lease.given)
	err = <-ended
	if err == nil || !strings.Contains(err.Error(), "witness w") || !strings.Contains(err.Error(), fmt.Sprintf("the journal ends at size %d", size)) {
		t.Errorf("it ended with %v", err)
	}
	if got := headSize(t, d.StorePath(), d.Genesis); got <= size {
		t.Fatalf("the leader's journal has %d entries, the standby's %d", got, size)
	}
}

// TestStaleLeaseLetsNothingOut has a signer's lease go stale between a decision and its signature, as when its process
// was paused: neither the signature nor the answer leaves, and the loss of the lease ends it.
func TestStaleLeaseLetsNothingOut(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	lease := newLease()
	close(lease.given)
	shared := &memoryAnchor{}
	d := signertest.New(t, signertest.Options{TokenAnchor: shared, Open: func(c signer.Config) (*signer.Signer, error) {
		c.Lease = lease
		return w.open(c)
	}})
	token := d.Token.(*signertest.FakeToken)
	first := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	before, err := d.Signer.Submit(t.Context(), first.Encode(), signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	announced(t, d, before)
	kept := 0
	asked := make(chan struct{}, 1)
	token.Before = func(signer.Key) error {
		lease.held.Store(false)
		kept = shared.count()
		d.Clock.Pass(2 * signertest.Hour) // the signature's group would renew the token's anchor
		asked <- struct{}{}
		return nil
	}
	sent := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	if _, err := d.Signer.Submit(t.Context(), sent.Encode(), 0); err != nil && codeOf(err) != "lease_lost" {
		t.Fatal(err)
	}
	<-asked // which may be after that answer
	a, err := d.Signer.Submit(t.Context(), sent.Encode(), 100)
	if p, ok := errors.AsType[*rpc.Problem](err); !ok || p.Code != "lease_lost" || p.Retry != rpc.RetrySame || p.Effect != rpc.EffectUnknown {
		t.Errorf("with a stale lease: %+v, %v", a, err)
	}
	if a, err := d.Signer.Submit(t.Context(), first.Encode(), 0); err == nil {
		t.Errorf("with a stale lease it shows %+v", a)
	}
	if r := ready(t, d.Signer); r.Role != "standby" {
		t.Errorf("role %s", r.Role)
	}
	close(lease.lost)
	d.Until("it stops", func() bool { return hasReason(ready(t, d.Signer), "lease_lost") })
	if err := d.Stop(); err == nil || !strings.Contains(err.Error(), "lease_lost") {
		t.Errorf("it ended with %v", err)
	}
	if got := shared.count(); got != kept {
		t.Errorf("the token's anchor, which another leader may have moved on, was written %d times", got-kept)
	}
}

// TestForgedCosignatures hands a signer what no witness of its own signed.
func TestForgedCosignatures(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	w.stop() // the couriers
	checkpoint, err := d.Signer.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good := string(checkpoint.Checkpoint)
	text, lines, _ := strings.Cut(good, "\n\n")
	own, _, _ := strings.Cut(lines, "\n")
	alone := text + "\n\n" + own + "\n"
	line := func(by int, key cosign.Key, text string) string {
		l, err := cosign.Sign(key, w.privates[by], text, 1_800_000_000)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	stranger := cosign.Key{Name: w.keys[0].Name, Public: w.keys[1].Public}
	for name, note := range map[string]string{
		"no line":               alone,
		"nothing":               "",
		"another witness's":     alone + line(1, w.keys[1], text+"\n"),
		"the name of another":   alone + line(1, stranger, text+"\n"),
		"over another text":     alone + line(0, w.keys[0], text+"\nmore\n"),
		"without the log's own": text + "\n\n" + line(0, w.keys[0], text+"\n"),
		"of another log":        strings.Replace(alone, signertest.Origin, "other.test", 1) + line(0, w.keys[0], text+"\n"),
	} {
		if err := d.Signer.WitnessCosigned(t.Context(), w.keys[0].Name, []byte(note), nil); codeOf(err) != "bad_parameter" {
			t.Errorf("%s: %v", name, err)
		}
	}
	whole := alone + line(1, w.keys[1], text+"\n") + line(0, w.keys[0], text+"\n")
	if err := d.Signer.WitnessCosigned(t.Context(), w.keys[0].Name, []byte(whole), nil); err != nil {
		t.Errorf("among others' lines: %v", err)
	}
	if err := d.Signer.WitnessCosigned(t.Context(), "nobody.test", []byte(whole), nil); codeOf(err) != "bad_parameter" {
		t.Errorf("by nobody: %v", err)
	}
	if _, err := d.Signer.WitnessNext(t.Context(), rpc.WitnessQuery{Witness: "nobody.test"}, 0); codeOf(err) != "bad_parameter" {
		t.Errorf("for nobody: %v", err)
	}
	answers := func() bool { return ready(t, d.Signer).Witnesses[0].Answers }
	if !answers() {
		t.Error("a witness that has just cosigned does not answer")
	}
	d.Clock.Pass(2 * signertest.Minute)
	if err := d.Signer.WitnessCosigned(t.Context(), w.keys[0].Name, []byte(whole), nil); err != nil || answers() {
		t.Errorf("an old line that is brought again makes its witness answer: %v", err)
	}
	if r := ready(t, d.Signer); !r.Ready {
		t.Errorf("forgeries stopped the signer: %+v", r.Reasons)
	}
}

// TestWitnessesCheck refuses choices under which two heads that disagree could both have their quorum.
func TestWitnessesCheck(t *testing.T) {
	keys := newWitnesses(t, 4, 1, false).keys
	newest := anchorfile.New(filepath.Join(t.TempDir(), "cosigned"))
	for _, c := range []struct {
		w    signer.Witnesses
		good bool
	}{
		{signer.Witnesses{}, true},
		{signer.Witnesses{Newest: newest}, true},
		{signer.Witnesses{BeforeRelease: true}, false},
		{signer.Witnesses{Quorum: 1}, false},
		{signer.Witnesses{Keys: keys[:1], Quorum: 1, Newest: newest}, true},
		{signer.Witnesses{Keys: keys[:1], Quorum: 1}, false},
		{signer.Witnesses{Keys: keys[:3], Newest: newest}, false},
		{signer.Witnesses{Keys: keys[:3], Quorum: 1, Newest: newest}, false},
		{signer.Witnesses{Keys: keys[:3], Quorum: 2, Newest: newest}, true},
		{signer.Witnesses{Keys: keys[:3], Quorum: 4, Newest: newest}, false},
		{signer.Witnesses{Keys: keys, Quorum: 2, Newest: newest}, false},
		{signer.Witnesses{Keys: keys, Quorum: 3, Newest: newest}, true},
		{signer.Witnesses{Keys: []cosign.Key{keys[0], keys[0]}, Quorum: 2, Newest: newest}, false},
	} {
		if err := c.w.Check(); (err == nil) != c.good {
			t.Errorf("%d of %d, before %t: %v", c.w.Quorum, len(c.w.Keys), c.w.BeforeRelease, err)
		}
	}
	_, err := signer.Open(t.Context(), signer.Config{Lease: newLease(), Witnesses: signer.Witnesses{Keys: keys, Quorum: 3, Newest: newest}})
	if err == nil || !strings.Contains(err.Error(), "several signers") {
		t.Errorf("several signers without cosigning before release: %v", err)
	}
}
