package main

import (
	"path/filepath"
	"strings"
	"testing"

	"kura/journal"
	"kura/journal/embedded"
	"kura/policy"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// rotateLog is what one run of the command says.
func (x *installation) rotateLog(more ...string) string {
	x.TB.Helper()
	return x.must(append([]string{"rotate", "log-key", "--config", x.config}, more...)...)
}

// field is the first word after a label of the command's answer.
func field(text, label string) string {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); strings.HasPrefix(line, label) && len(words) > len(strings.Fields(label)) {
			return words[len(strings.Fields(label))]
		}
	}
	return ""
}

// permit has the directors permit a log key, which the test policy does without a time-lock.
func (x *installation) permit(key [32]byte) {
	x.TB.Helper()
	ctx := x.TB.Context()
	proposal := x.Submit(ctx, x.gateway, "carol", &statement.Proposal{
		Journal: x.Journal, ID: x.ID(), Expires: x.Now() + signertest.Day, Proposes: statement.ProposeLogKey,
		Base: x.Force.Hash(), Document: policy.LogKeyText(key),
	})
	about, err := statement.ParseHash(proposal.StatementHash)
	if err != nil {
		x.TB.Fatal(err)
	}
	for _, director := range []string{"alice", "bob"} {
		if a := x.Submit(ctx, x.gateway, director, x.Verdict(statement.Approve, about)); a.State != rpc.StateCounted {
			x.TB.Fatalf("%s's verdict is %s: %+v", director, a.State, a.Results)
		}
	}
}

// TestRotateLogKey changes the log key on a real token, killed at every point of the handover's way and run again.
func TestRotateLogKey(t *testing.T) {
	x := install(t)
	x.start("")
	x.equip(t.Context())
	pay := func() rpc.Answer {
		t.Helper()
		a := x.Submit(t.Context(), x.gateway, "shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small))
		if a.State != rpc.StateSigned {
			t.Fatalf("%s %+v", a.State, a.Decision)
		}
		x.verifyReceipt(t, a)
		return a
	}
	receipts := []rpc.Answer{pay()}
	for _, step := range [][]string{nil, {"--destroy-old"}} {
		if out := x.rotateLog(step...); !strings.Contains(out, "No change is under way") {
			t.Errorf("before it, with %v:\n%s", step, out)
		}
	}
	points := []string{"", "before-append", "after-append", "before-anchor", "after-anchor"}
	if !everything {
		points = []string{"", "after-append", "after-anchor"}
	}
	for _, point := range points {
		waiting := x.rotateLog("--begin")
		if list := x.must("token", "list", "--config", x.config); !strings.Contains(lineWith(list, field(waiting, "log key")), "signed the newest head") || !strings.Contains(lineWith(list, field(waiting, "next")), "waits") {
			t.Errorf("which log key is for what does not stand in\n%s", list)
		}
		current, next := field(waiting, "log key"), field(waiting, "next")
		key, err := journal.ParseLogKey(next)
		if err != nil {
			t.Fatalf("%v\n%s", err, waiting)
		}
		if again := x.rotateLog(); field(again, "next") != next || field(again, "log key") != current {
			t.Errorf("nobody permitted it, and:\n%s", again)
		}
		x.permit(key)
		if point != "" {
			x.stop()
			x.start(point)
			if out, stderr, code := x.run("rotate", "log-key", "--config", x.config); code == exitOK {
				t.Fatalf("at %s it was not killed:\n%s%s", point, out, stderr)
			}
			x.untilEnded()
			if !strings.Contains(x.log.String(), "crash at "+point) {
				t.Fatalf("the signer did not come to %s\n%s", point, x.log)
			}
			x.start("")
			pay()
		}
		kept := x.rotateLog()
		if field(kept, "log key") != next+"," || field(kept, "destroyed") != "" || !strings.Contains(kept, "--destroy-old") {
			t.Errorf("at %q: %s was to follow %s, which stays:\n%s", point, next, current, kept)
		}
		if list := x.must("token", "list", "--config", x.config); !strings.Contains(lineWith(list, current), "--destroy-old destroys it") {
			t.Errorf("at %q: that the old key lies there still is not said:\n%s", point, list)
		}
		done := x.rotateLog("--destroy-old")
		if field(done, "log key") != next+"," || field(done, "destroyed") != current {
			t.Errorf("at %q: %s was to follow %s:\n%s", point, next, current, done)
		}
		if n := strings.Count(x.must("token", "list", "--config", x.config), " log key "); n != 1 {
			t.Errorf("at %q: the token has %d log keys, want the new one alone", point, n)
		}
		receipts = append(receipts, pay())
	}
	x.stop()
	x.start("")
	for _, a := range append(receipts, pay()) {
		x.verifyReceipt(t, a) // old and new ones, by the genesis line alone
	}
	x.stop()
	if line := lineWith(x.must("doctor", "--config", x.config), "log_key"); strings.HasPrefix(line, "fail") {
		t.Error(line)
	}
	store, err := embedded.Open(filepath.Join(x.dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() // it was only read
	if _, _, err := journal.Verify(t.Context(), store, journal.Verification{Genesis: x.genesis}); err != nil {
		t.Error(err)
	}
}
