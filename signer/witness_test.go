package signer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kura/journal"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestNothingLeavesUncosigned holds back a signature and its answer for as long as one witness too few cosigns.
func TestNothingLeavesUncosigned(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	token := d.Token.(*signertest.FakeToken)
	wallet := d.Wallets[signertest.XYM]
	first := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(wallet, signertest.Small))
	announced(t, d, first)
	if n := w.cosignedBy(t, first.Receipt); n < 2 {
		t.Errorf("the receipt's head carries %d cosignatures", n)
	}
	if r := ready(t, d.Signer); r.Role != "leader" || r.Cosigned == 0 || hasReason(r, "no_witness") || !strings.Contains(r.Rollback, "3 witnesses answer") && !strings.Contains(r.Rollback, "2 of 3") {
		t.Errorf("with witnesses: %+v", r)
	}

	bearer, alice := d.Login(t.Context(), d.Signer, "shop"), d.Login(t.Context(), d.Signer, "alice")
	w.setDown(true, 1)
	paid := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(wallet, signertest.Small))
	announced(t, d, paid)
	size := untilQuiet(t, d, paid)
	w.setDown(true, 2)
	before := token.Signatures.Load()
	sent := d.Sign("shop", d.Withdrawal(wallet, signertest.Small))
	answered := make(chan answer, 1)
	go func() {
		a, err := d.Signer.Submit(context.Background(), sent.Encode(), signertest.LongWait)
		answered <- answer{a, err}
	}()
	d.Until("the authorisation is in the journal", func() bool { return ready(t, d.Signer).Size > size })
	d.Until("the signer says whom it waits for", func() bool {
		d.Clock.Pass(10)
		return hasReason(ready(t, d.Signer), "witnesses_missing")
	})
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := d.Signer.Withdrawal(short, bearer, statementID(t, sent), 100); err == nil {
		t.Error("its state is told before its head is cosigned")
	}
	if _, err := d.Signer.Submit(t.Context(), d.Sign("shop", d.Withdrawal(wallet, signertest.Small)).Encode(), 0); codeOf(err) != "witnesses_missing" {
		t.Errorf("what comes meanwhile is answered %v", err)
	}
	if c, err := d.Signer.Checkpoint(t.Context()); err != nil {
		t.Error(err)
	} else if h, err := journal.OpenCheckpoint(d.Genesis, c.Checkpoint); err != nil || h.Size > size {
		t.Errorf("a head of size %d is shown (%v), cosigned is only %d", h.Size, err, size)
	}
	if _, err := d.Signer.EntryBundle(t.Context(), alice, 0, int(size)); err != nil {
		t.Errorf("the entries that are cosigned: %v", err)
	}
	if _, err := d.Signer.EntryBundle(t.Context(), alice, 0, int(size)+1); codeOf(err) != "not_found" {
		t.Errorf("an entry is told before its head is cosigned: %v", err)
	}
	if _, err := d.Signer.Tile(t.Context(), 0, 0, int(size)+1); codeOf(err) != "not_found" {
		t.Errorf("an entry's hash is told before its head is cosigned: %v", err)
	}
	d.Clock.Pass(2 * signertest.Minute)
	d.Until("it is said that too few answer, and that nothing leaves", func() bool {
		r := ready(t, d.Signer)
		return hasReason(r, "no_witness") && strings.Contains(r.Rollback, "nothing new leaves: ") && !strings.Contains(fmt.Sprint(r), "unbounded")
	})
	select {
	case a := <-answered:
		t.Fatalf("answered without a quorum of witnesses: %+v", a)
	default:
	}
	if made := token.Signatures.Load() - before; made != 0 {
		t.Errorf("%d signatures made without a quorum of witnesses", made)
	}
	w.setDown(false, 2)
	a := <-answered
	if a.err != nil {
		t.Fatal(a.err)
	}
	announced(t, d, a.Answer)
	if n := w.cosignedBy(t, a.Receipt); n < 2 {
		t.Errorf("the receipt's head carries %d cosignatures", n)
	}
	d.Until("the signer decides again", func() bool { return ready(t, d.Signer).Ready })
}

// TestFreezeWhileWitnessesAreAway has an authorisation wait for its witnesses, and a freeze come before they are back:
// it is never signed.
func TestFreezeWhileWitnessesAreAway(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	token := d.Token.(*signertest.FakeToken)
	untilQuiet(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small)))
	before := token.Signatures.Load()
	w.setDown(true, 0)
	ask := func(who string, body statement.Body) chan answer {
		answered := make(chan answer, 1)
		sent, size := d.Sign(who, body), ready(t, d.Signer).Size
		go func() {
			a, err := d.Signer.Submit(context.Background(), sent.Encode(), signertest.LongWait)
			answered <- answer{a, err}
		}()
		d.Until("it is in the journal", func() bool { return ready(t, d.Signer).Size > size })
		return answered
	}
	paid := ask("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	d.Until("the signer takes nothing in", func() bool {
		d.Clock.Pass(10)
		return hasReason(ready(t, d.Signer), "witnesses_missing")
	})
	frozen := ask("alice", d.Freeze(statement.TargetAll, ""))
	w.setDown(false, 0)
	if a := <-frozen; a.err != nil || a.State != rpc.StateInForce {
		t.Errorf("the freeze: %+v", a)
	}
	if a := <-paid; a.err != nil || a.Transaction != nil || a.State == rpc.StateSigned {
		t.Errorf("the payment: %+v", a)
	}
	if made := token.Signatures.Load() - before; made != 0 {
		t.Errorf("%d signatures after the freeze", made)
	}
}

// TestStartShowsNothingUncosigned asks a signer that was started again, and whose witnesses are away, for what the one
// before it had signed: it may have been signed on a journal that no witness knows.
func TestStartShowsNothingUncosigned(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	sent := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
	first, err := d.Signer.Submit(t.Context(), sent.Encode(), signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	announced(t, d, first)
	_ = d.Stop()
	w.setDown(true, 0, 1, 2)
	if err := d.TryStart(); err != nil {
		t.Fatal(err)
	}
	d.Until("it waits for its witnesses", func() bool { return hasReason(ready(t, d.Signer), "witnesses_missing") })
	a, err := d.Signer.Submit(t.Context(), sent.Encode(), 0)
	if p, ok := errors.AsType[*rpc.Problem](err); !ok || p.Code != "starting" && p.Code != "witnesses_missing" || p.Retry != rpc.RetrySame || p.Effect != rpc.EffectNone {
		t.Errorf("without witnesses it answers %+v, %v", a, err)
	}
	if c, err := d.Signer.Checkpoint(t.Context()); err == nil {
		t.Errorf("without witnesses it shows %s", c.Checkpoint)
	}
	if r := ready(t, d.Signer); !strings.HasPrefix(r.Rollback, "nothing leaves before") || strings.Contains(fmt.Sprint(r), "unbounded") {
		t.Errorf("without witnesses it says of a rollback: %+v", r)
	}
	w.setDown(false, 0, 1, 2)
	d.Until("it is ready", func() bool { return ready(t, d.Signer).Ready })
	again, err := d.Signer.Submit(t.Context(), sent.Encode(), signertest.LongWait)
	if err != nil || again.Transaction == nil || *again.Transaction != *first.Transaction {
		t.Errorf("with witnesses again: %+v, %v", again, err)
	}
}

func statementID(t *testing.T, e statement.Envelope) string {
	t.Helper()
	signed, err := statement.Open(e)
	if err != nil {
		t.Fatal(err)
	}
	return signed.Body.Common().ID.String()
}

func codeOf(err error) string {
	if p, ok := errors.AsType[*rpc.Problem](err); ok {
		return p.Code
	}
	return fmt.Sprint(err)
}

// TestCosigningInTheBackground signs while the witnesses are away, and says that nobody keeps the newest head.
func TestCosigningInTheBackground(t *testing.T) {
	w := newWitnesses(t, 1, 1, false)
	d := signertest.New(t, signertest.Options{Open: w.open})
	d.Until("the newest head is cosigned", func() bool { r := ready(t, d.Signer); return r.Cosigned == r.Size })
	w.setDown(true, 0)
	announced(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)))
	d.Clock.Pass(2 * signertest.Minute)
	d.Until("it is said that no witness answers", func() bool {
		r := ready(t, d.Signer)
		return hasReason(r, "no_witness") && strings.Contains(r.Rollback, "unbounded") && r.Ready
	})
	w.setDown(false, 0)
	d.Until("the newest head is cosigned", func() bool {
		r := ready(t, d.Signer)
		return r.Cosigned == r.Size && !hasReason(r, "no_witness")
	})
}

// TestRestoredBackupRefused puts back an older copy of everything that the host has: journal, anchor, and the newest
// cosigned head. Only the witnesses know better. With the host's own cosigned head left, the start is refused at once.
func TestRestoredBackupRefused(t *testing.T) {
	for name, before := range map[string]bool{"before release": true, "in the background": false} {
		t.Run(name, func(t *testing.T) {
			w := newWitnesses(t, 3, 2, before)
			d := signertest.New(t, signertest.Options{Open: w.open})
			_ = d.Stop()
			files := []string{d.StorePath(), filepath.Join(d.Dir, "anchor"), w.cosigned()}
			var old [][]byte
			for _, name := range files {
				old = append(old, readFile(t, name))
			}
			d.Start()
			announced(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)))
			d.Until("the newest head is cosigned", func() bool { r := ready(t, d.Signer); return r.Cosigned == r.Size })
			_ = d.Stop()
			token := d.Token.(*signertest.FakeToken)
			signatures := token.Signatures.Load()

			for i, name := range files[:2] {
				writeFile(t, name, old[i])
			}
			err := d.TryStart()
			if err == nil || !strings.Contains(err.Error(), "rolled back") || !strings.Contains(err.Error(), "cosigned") {
				t.Errorf("with the host's newest cosigned head: %v", err)
				_ = d.Stop()
			}
			writeFile(t, files[2], old[2])
			if err := d.TryStart(); err != nil {
				t.Fatal(err)
			}
			var detail string
			d.Until("the signer refuses the journal", func() bool {
				for _, reason := range ready(t, d.Signer).Reasons {
					if reason.Code == "journal_rolled_back" && reason.Stops {
						detail = reason.Detail
					}
				}
				return detail != ""
			})
			if !strings.Contains(detail, "witness w") || !strings.Contains(detail, "root") || !strings.Contains(detail, "the journal ends at size") {
				t.Errorf("it says %q", detail)
			}
			if _, err := d.Signer.Submit(t.Context(), d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)).Encode(), 0); err == nil {
				t.Error("a withdrawal is taken on a journal that was rolled back")
			}
			if n := token.Signatures.Load() - signatures; n != 0 {
				t.Errorf("%d signatures were made", n)
			}
		})
	}
}

// TestTwoWinners has a store that lies: it tells two signers that each is alone, and keeps a journal of its own for
// each. The witnesses cosign one of the two only, and the other one's signatures never leave.
func TestTwoWinners(t *testing.T) {
	w := newWitnesses(t, 3, 2, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	_ = d.Stop()
	w.stop()
	type side struct {
		*signer.Signer
		answers []answer
	}
	// Both get the head that they share cosigned, and both write after it, before any witness is asked about either.
	started := headSize(t, d.StorePath(), d.Genesis)
	gates := []chan struct{}{make(chan struct{}), make(chan struct{})}
	var sides []*side
	for i := range 2 {
		dir := t.TempDir()
		for _, name := range []string{"journal", "anchor"} {
			writeFile(t, filepath.Join(dir, name), readFile(t, filepath.Join(d.Dir, name)))
		}
		store := openEmbedded(t, filepath.Join(dir, "journal"))
		s := w.another(d, dir, signer.Config{Store: store})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = s.Run(ctx)
		}()
		carried := w.carry(lateWitnessed{s, started, gates[i]})
		t.Cleanup(func() {
			stop()
			<-ended
			carried()
			_ = store.Close()
		})
		sides = append(sides, &side{Signer: s})
	}
	for _, one := range sides {
		d.Until("each has written", func() bool { return ready(t, one.Signer).Size > started })
	}
	var clients sync.WaitGroup
	var mu sync.Mutex
	ask := func(one *side) {
		for range 10 {
			sent := d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
			clients.Go(func() {
				a, err := one.Signer.Submit(t.Context(), sent.Encode(), signertest.LongWait)
				mu.Lock()
				defer mu.Unlock()
				one.answers = append(one.answers, answer{a, err})
			})
		}
	}
	close(gates[0])
	d.Until("the one side is cosigned", func() bool { return ready(t, sides[0].Signer).Ready })
	token := d.Token.(*signertest.FakeToken)
	before := token.Signatures.Load()
	// Both began with the same entry, under the same clock, so until the one has a payment cosigned everywhere they are
	// no fork, and the other could win.
	ask(sides[0])
	clients.Wait()
	d.Until("every witness has a payment of the one side", func() bool {
		return !slices.ContainsFunc(ready(t, sides[0].Signer).Witnesses, func(w rpc.Witness) bool { return w.Size <= started+1 })
	})
	ask(sides[1])
	close(gates[1])
	clients.Wait()
	d.Until("the other side stops", func() bool { return hasReason(ready(t, sides[1].Signer), "journal_rolled_back") })
	for i, want := range []int{10, 0} {
		signed := 0
		for _, a := range sides[i].answers {
			if a.Transaction != nil {
				signed++
			}
		}
		if signed != want {
			t.Errorf("side %d signed %d, want %d: %+v", i, signed, want, sides[i].answers)
		}
	}
	if made := token.Signatures.Load() - before; made != 10 {
		t.Errorf("the token made %d signatures for 10 payments that are in the cosigned journal", made)
	}
	for _, reason := range ready(t, sides[1].Signer).Reasons {
		if reason.Code == "journal_rolled_back" && (!strings.Contains(reason.Detail, "witness w") || strings.Count(reason.Detail, "root") < 2) {
			t.Errorf("the other side says %q", reason.Detail)
		}
	}
	if r := ready(t, sides[0].Signer); hasReason(r, "journal_rolled_back") {
		t.Errorf("the cosigned side stopped: %+v", r.Reasons)
	}
}

// A lateWitnessed keeps heads beyond a size from the witnesses until its gate opens.
type lateWitnessed struct {
	rpc.Witnessed
	size uint64
	gate chan struct{}
}

func (l lateWitnessed) WitnessNext(ctx context.Context, q rpc.WitnessQuery, waitMillis int64) (rpc.WitnessTask, error) {
	task, err := l.Witnessed.WitnessNext(ctx, q, waitMillis)
	if err == nil && task.Size > l.size {
		select {
		case <-l.gate:
		case <-ctx.Done():
		}
	}
	return task, err
}

func headSize(t *testing.T, path string, g journal.Genesis) uint64 {
	t.Helper()
	store := openEmbedded(t, path)
	defer store.Close()
	c, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h, err := journal.OpenCheckpoint(g, c)
	if err != nil {
		t.Fatal(err)
	}
	return h.Size
}

// TestAForgedLogLineIsNotShown: a gateway puts a line with the log's name before the log's own. The note opens all the
// same, by the log's line; what is shown and kept must not be the forged one.
func TestAForgedLogLineIsNotShown(t *testing.T) {
	w := newWitnesses(t, 1, 1, true)
	d := signertest.New(t, signertest.Options{Open: w.open})
	d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	shown, err := d.Signer.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, lines, _ := strings.Cut(string(shown.Checkpoint), "\n\n")
	forged := "— " + d.Genesis.Origin + " " + base64.StdEncoding.EncodeToString(make([]byte, 4+64)) + "\n"
	if err := d.Signer.WitnessCosigned(t.Context(), w.keys[0].Name, []byte(text+"\n\n"+forged+lines), nil); err != nil {
		t.Fatal(err)
	}
	if again, err := d.Signer.Checkpoint(t.Context()); err != nil {
		t.Error(err)
	} else if _, err := journal.OpenCheckpoint(d.Genesis, again.Checkpoint); err != nil {
		t.Errorf("what is shown does not open: %v", err)
	}
	if _, err := d.Signer.Receipt(t.Context(), d.Login(t.Context(), d.Signer, "alice"), 0); err != nil {
		t.Errorf("nothing can be proven: %v", err)
	}
	announced(t, d, d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small)))
	d.Restart()
}
