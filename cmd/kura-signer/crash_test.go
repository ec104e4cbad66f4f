package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// crashPoints are all points of crashpoints.go.
var crashPoints = []string{
	"before-append", "after-append", "before-anchor", "after-anchor", "before-sign", "after-sign", "before-answer",
	"before-signature", "after-signature",
}

// TestKilledAtEveryWrite kills the real process with SIGKILL at every point of the road of a withdrawal, starts it again
// and sends the same text: nothing is lost, nothing is paid twice, and the bytes are the ones that the journal held.
func TestKilledAtEveryWrite(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	for i, point := range crashPoints {
		for j, name := range []string{signertest.XEM, signertest.XYM} {
			if !everything && i%2 != j {
				continue
			}
			t.Run(name+"/"+point, func(t *testing.T) {
				x.TB = t
				x.killedAt(t, point, x.wallets[name])
			})
		}
	}
}

// everything has each custody killed at each point, which takes its time: otherwise they take turns.
var everything = os.Getenv("KURA_CAMPAIGN") != ""

func (x *installation) killedAt(t *testing.T, point string, w rpc.Wallet) {
	sent := x.Sign("shop", x.Withdrawal(w, signertest.Small))
	x.start(point)
	first, err := x.gateway.Submit(t.Context(), sent.Encode(), signertest.LongWait)
	if err != nil {
		p, ok := errors.AsType[*rpc.Problem](err)
		if !ok || p.Code != rpc.CodeNoAnswer || p.Effect != rpc.EffectUnknown {
			t.Errorf("a caller whose signer was killed learns %v", err)
		}
	}
	x.untilEnded() // signature points are reached within a second, by themselves
	if !strings.Contains(x.log.String(), "crash at "+point) {
		t.Fatalf("the signer did not come to %s\n%s", point, x.log)
	}
	x.start("")
	second, err := x.gateway.Submit(t.Context(), sent.Encode(), signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	if second.State != rpc.StateSigned {
		t.Fatalf("after the crash: %+v", second)
	}
	if first.State == rpc.StateSigned && *first.Transaction != *second.Transaction {
		t.Errorf("signed before and after the crash:\n%+v\n%+v", first.Transaction, second.Transaction)
	}
	third, err := x.gateway.Submit(t.Context(), sent.Encode(), signertest.LongWait)
	if err != nil {
		t.Fatal(err)
	}
	if *third.Transaction != *second.Transaction {
		t.Errorf("asked twice after the crash:\n%+v\n%+v", second.Transaction, third.Transaction)
	}
	x.verifyReceipt(t, second)
	x.stop()
	x.countAuthorisations(t, statement.HashText(sent.Statement), second)
}

// TestKilledWithAGroupAhead kills the process when a group and the one after it are durable and neither is anchored:
// nothing of either has left, and all of both is signed, once, by the next start.
func TestKilledWithAGroupAhead(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	x.start("appended-ahead")
	var sent []statement.Envelope
	var asking sync.WaitGroup
	for running := true; running; { // what comes while the first group is written makes the next
		e := x.Sign("shop", x.Withdrawal(x.wallets[signertest.XEM], 1))
		sent = append(sent, e)
		answered := make(chan struct{})
		asking.Go(func() {
			defer close(answered)
			if a, err := x.gateway.Submit(t.Context(), e.Encode(), signertest.LongWait); err == nil {
				t.Errorf("answered before anything was anchored: %+v", a)
			}
		})
		select {
		case <-x.ended:
			running = false
		case <-answered:
		default:
			running = len(sent) < 200
		}
	}
	x.untilEnded()
	asking.Wait()
	if !strings.Contains(x.log.String(), "crash at appended-ahead") {
		t.Fatalf("the signer did not come to it\n%s", x.log)
	}
	x.start("")
	answers := map[statement.Hash]rpc.Answer{}
	for _, e := range sent[:min(len(sent), 20)] {
		a, err := x.gateway.Submit(t.Context(), e.Encode(), signertest.LongWait)
		if err != nil || a.State != rpc.StateSigned {
			t.Fatalf("after the crash: %+v, %v", a, err)
		}
		answers[statement.HashText(e.Statement)] = a
	}
	x.stop()
	for about, a := range answers {
		x.countAuthorisations(t, about, a)
	}
}

// TestKilledWhileApproving kills the process at every point of the approval that releases a held withdrawal.
func TestKilledWhileApproving(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	x.stop()
	points := crashPoints
	if !everything {
		points = []string{"before-append", "after-append", "after-anchor", "after-sign"}
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			x.TB = t
			x.start("")
			sent := x.Sign("shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.SmallMax+1))
			about := statement.HashText(sent.Statement)
			held, err := x.gateway.Submit(t.Context(), sent.Encode(), 0)
			if err != nil || held.State != rpc.StateHeld {
				t.Fatalf("%+v, %v", held, err)
			}
			x.Submit(t.Context(), x.gateway, "alice", x.Verdict(statement.Approve, about))
			x.stop()

			verdict := x.Sign("bob", x.Verdict(statement.Approve, about))
			x.start(point)
			_, _ = x.gateway.Submit(t.Context(), verdict.Encode(), 0) // it may be answered before the crash
			x.untilEnded()
			if !strings.Contains(x.log.String(), "crash at "+point) {
				t.Fatalf("the signer did not come to %s\n%s", point, x.log)
			}

			x.start("")
			counted, err := x.gateway.Submit(t.Context(), verdict.Encode(), 0)
			if err != nil || counted.State != rpc.StateCounted {
				t.Fatalf("the verdict after the crash: %+v, %v", counted, err)
			}
			signed, err := x.gateway.Submit(t.Context(), sent.Encode(), signertest.LongWait)
			if err != nil || signed.State != rpc.StateSigned {
				t.Fatalf("the withdrawal after the crash: %+v, %v", signed, err)
			}
			x.stop()
			x.countAuthorisations(t, about, signed)
		})
	}
}

func (x *installation) verifyReceipt(t *testing.T, a rpc.Answer) {
	t.Helper()
	var r journal.Receipt
	text, err := json.Marshal(a.Receipt) // as it travels
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(x.genesis); err != nil {
		t.Errorf("receipt: %v", err)
	}
}

// countAuthorisations reads the journal from the disk: one authorisation and one signature of the withdrawal, whose hash
// is the answer's.
func (x *installation) countAuthorisations(t *testing.T, about statement.Hash, a rpc.Answer) {
	t.Helper()
	c, err := readConfig(x.config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := openStore(t.Context(), c.Journal)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var authorised, signed []string
	_, _, err = journal.Verify(t.Context(), s, journal.Verification{Genesis: x.genesis, EverySignature: true, Visit: func(e journal.Entry, _ []byte) error {
		if e.Kind != ledger.KindOutcome && e.Kind != ledger.KindSignature {
			return nil
		}
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if err != nil {
			return err
		}
		switch b := body.(type) {
		case *ledger.Outcome:
			if b.About == about && b.Transaction != nil {
				authorised = append(authorised, b.Transaction.Unsigned)
			}
		case *ledger.Signature:
			if b.About == about {
				signed = append(signed, b.Transaction)
			}
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(authorised) != 1 || len(signed) != 1 || signed[0] != a.Transaction.Hash {
		t.Errorf("the journal holds %d authorisations and the signatures %v; the answer's transaction is %s", len(authorised), signed, a.Transaction.Hash)
	}
	if body := fmt.Sprint(a.Transaction.Announce.Body); len(authorised) == 1 && !strings.Contains(strings.ToLower(body), authorised[0][len(authorised[0])/2:]) {
		t.Errorf("what is announced does not hold the authorised bytes:\n%s\n%s", authorised[0], body)
	}
}
