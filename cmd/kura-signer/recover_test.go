package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kura/audit"
	"kura/journal/gap"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// A lostTail is an installation whose journal was put back to an older copy, behind its anchors' back.
type lostTail struct {
	*installation
	t        *testing.T
	paid     statement.Envelope // signed in the entries that are lost
	held     statement.Envelope // held in those that were kept, and paid in those that are lost
	longer   []byte             // the journal before the loss
	question gap.Question
	asked    string // the file that holds it
	about    statement.Hash
}

func loseTail(t *testing.T) *lostTail {
	t.Helper()
	x := &lostTail{installation: install(t), t: t}
	x.start("")
	x.equip(t.Context())
	w := x.wallets[signertest.XEM]
	x.held = x.Sign("shop", x.Withdrawal(w, signertest.SmallMax+1))
	x.send(x.held, rpc.StateHeld)
	x.stop()
	older := readAll(t, filepath.Join(x.dir, "journal"))
	x.start("")
	x.paid = x.Sign("shop", x.Withdrawal(w, signertest.Small))
	x.send(x.paid, rpc.StateSigned)
	for _, who := range []string{"alice", "bob"} {
		x.Submit(t.Context(), x.gateway, who, x.Verdict(statement.Approve, statement.HashText(x.held.Statement)))
	}
	x.send(x.held, rpc.StateSigned)
	x.stop()
	x.longer = readAll(t, filepath.Join(x.dir, "journal"))
	x.write("journal", string(older))
	return x
}

// send submits an envelope.
func (x *lostTail) send(e statement.Envelope, want string) {
	x.t.Helper()
	a, err := x.gateway.Submit(x.t.Context(), e.Encode(), signertest.LongWait)
	if err != nil || a.State != want {
		x.t.Fatalf("%s, %v, want %s", a.State, err, want)
	}
}

// ask has the stopped signer write down what the directors are asked.
func (x *lostTail) ask(name string) string {
	x.t.Helper()
	path := filepath.Join(x.dir, name)
	out := x.must("recover-tail", "--config", x.config, "--out", path)
	q, g, err := gap.ParseQuestion(x.genesis.Keys(), readAll(x.t, path))
	if err != nil {
		x.t.Fatal(err)
	}
	x.question, x.asked, x.about = q, path, g.About(x.genesis.Origin)
	return out
}

// verdicts writes the approvals of some directors into a file.
func (x *lostTail) verdicts(who ...string) string {
	x.t.Helper()
	var lines []string
	for _, one := range who {
		lines = append(lines, string(x.Sign(one, x.Verdict(statement.Approve, x.about)).Encode()))
	}
	return save(x.t, x.dir, "gap-"+strings.Join(who, "-"), []byte(strings.Join(lines, "\n")+"\n"))
}

// TestRecoverTail goes on after a lost tail with the real binary, and tries to be paid twice.
func TestRecoverTail(t *testing.T) {
	x := loseTail(t)
	x.start("")
	x.untilEnded()
	if code := x.process.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(x.log.String(), "journal rolled back") {
		t.Fatalf("on the older copy: exit %d\n%s", code, x.log)
	}
	x.process = nil
	shown := x.ask("question")
	for _, want := range []string{"anchor file", x.about.String(), "are lost", "policy  " + x.Force.Hash().String()} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not show %q:\n%s", want, shown)
		}
	}
	for name, verdicts := range map[string]string{
		"one director": x.verdicts("alice"), "a director and an officer": x.verdicts("alice", "dave"), "a client": x.verdicts("alice", "shop"),
	} {
		if out, stderr, code := x.run("recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", verdicts); code != exitFailed {
			t.Errorf("%s: exit %d\n%s%s", name, code, out, stderr)
		}
	}
	quorum := x.verdicts("alice", "bob")
	for range 2 { // the second finds nothing left to do
		if out := x.must("recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", quorum); !strings.Contains(out, "gap     entry") {
			t.Errorf("it says\n%s", out)
		}
	}
	if out := x.must("recover-tail", "--config", x.config); !strings.Contains(out, "nothing is lost") {
		t.Errorf("afterwards it shows\n%s", out)
	}
	x.goesOn()
	if out, _, code := x.run("doctor", "--config", x.config); code != exitOK || !strings.Contains(out, "lost its entries") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}
	after := x.export(t)
	kept := x.question.Kept
	r, err := audit.Verify(t.Context(), bytes.NewReader(after.bytes), audit.Options{Genesis: x.genesis.String(), From: kept})
	if err != nil || !r.OK {
		t.Errorf("audit: %v, %+v", err, r.Failure)
	}

	// The longer journal, if somebody finds it again, is refused from now on: it does not extend the anchors.
	x.write("journal", string(x.longer))
	x.start("")
	x.untilEnded()
	if code := x.process.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(x.log.String(), "journal replaced") {
		t.Errorf("on the longer copy: exit %d\n%s", code, x.log)
	}
	x.process = nil
}

// goesOn starts the daemon after a gap: it takes no text from before it, ended what waited, and pays nobody yet.
func (x *lostTail) goesOn() {
	x.t.Helper()
	x.start("")
	if x.process == nil {
		x.t.Fatalf("the signer does not start\n%s", x.log)
	}
	_, err := x.gateway.Submit(x.t.Context(), x.paid.Encode(), signertest.LongWait)
	p, ok := errors.AsType[*rpc.Problem](err)
	if !ok || p.Code != ledger.CodeBornBeforeGap || p.Effect != rpc.EffectUnknown || p.Retry != rpc.RetryNever {
		x.t.Errorf("a payment of the lost entries is asked for again: %v", err)
	}
	x.Until("what waited has ended", func() bool {
		a, err := x.gateway.Submit(x.t.Context(), x.held.Encode(), 0)
		return err == nil && a.State == rpc.StateStranded && a.Decision.Code == ledger.CodeGap
	})
	// Ids of this moment could still be a lost withdrawal's whose client was ahead by five minutes.
	if _, err := x.gateway.Submit(x.t.Context(), x.Sign("shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)).Encode(), 0); err == nil {
		x.t.Error("a withdrawal was taken right after the gap")
	}
	ready, err := x.admin.Ready(x.t.Context())
	if err != nil || !ready.Ready || !slices.ContainsFunc(ready.Reasons, func(r rpc.Reason) bool { return r.Code == ledger.CodeTailAlive }) {
		x.t.Errorf("readiness: %+v, %v", ready, err)
	}
	x.stop()
}

// TestKilledWhileRecovering kills the command at every point of its way, and runs it again, or starts the signer at once.
func TestKilledWhileRecovering(t *testing.T) {
	x := loseTail(t)
	x.ask("question")
	quorum := x.verdicts("alice", "bob")
	saved := filepath.Join(t.TempDir(), "saved")
	if err := os.CopyFS(saved, os.DirFS(x.dir)); err != nil {
		t.Fatal(err)
	}
	for _, point := range []string{"before-append", "after-append", "before-anchor", "after-anchor"} {
		for _, again := range []bool{true, false} {
			if again == (point == "after-append" && !everything) {
				continue
			}
			t.Run(point, func(t *testing.T) {
				x.TB, x.t = t, t
				for _, name := range []string{"journal", "anchor"} {
					x.write(name, string(readAll(t, filepath.Join(saved, name))))
				}
				if err := os.RemoveAll(filepath.Join(x.dir, "tokens")); err != nil {
					t.Fatal(err)
				}
				if err := os.CopyFS(filepath.Join(x.dir, "tokens"), os.DirFS(filepath.Join(saved, "tokens"))); err != nil {
					t.Fatal(err)
				}
				if _, stderr, code := x.runTo(point, "recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", quorum); code != -1 {
					t.Fatalf("it was not killed: exit %d\n%s", code, stderr)
				}
				if again || point == "before-append" {
					x.must("recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", quorum)
				}
				x.goesOn()
			})
		}
	}
}

// TestRecoverTailAgain puts back all that whoever has the database and the anchor file can, after a gap that the signer
// went on from. The token alone proves what came after it, and the gap's verdicts do not let go of that.
func TestRecoverTailAgain(t *testing.T) {
	x := &lostTail{installation: install(t), t: t}
	x.start("")
	x.equip(t.Context())
	x.stop()
	older := readAll(t, filepath.Join(x.dir, "journal"))
	x.start("")
	for range 12 { // the lost head is larger than what follows the gap
		x.send(x.Sign("shop", x.Withdrawal(x.wallets[signertest.XEM], 1)), rpc.StateSigned)
	}
	x.stop()
	anchored := readAll(t, filepath.Join(x.dir, "anchor"))
	x.write("journal", string(older))
	x.ask("question")
	quorum := x.verdicts("alice", "bob")
	if _, _, code := x.run("recover-tail", "--config", x.config, "--verdicts", quorum); code != exitUsage {
		t.Errorf("verdicts without what they are about: exit %d", code)
	}
	x.must("recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", quorum)
	x.start("") // the token's anchor moves with the first group
	common := x.Withdrawal(x.wallets[signertest.XEM], 1)
	x.send(x.Sign("dave", &statement.Freeze{
		Journal: common.Journal, ID: common.ID, Expires: common.ID.Born() + 300_000, Action: statement.ActionFreeze,
		Target: statement.Target{Kind: statement.TargetAll}, Reason: "a thief",
	}), rpc.StateInForce)
	x.stop()
	x.write("journal", string(older))
	x.write("anchor", string(anchored))
	out, said, code := x.run("recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", quorum)
	if code != exitFailed || !strings.Contains(said, "other heads than are found lost now") {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
	// The first gap's question, written anew with the newer head in it, has another hash.
	first := quorum
	x.ask("question-again")
	if len(x.question.Between) != 1 {
		t.Fatalf("it asks about %d heads between", len(x.question.Between))
	}
	if out, said, code := x.run("recover-tail", "--config", x.config, "--gap", x.asked, "--verdicts", first); code != exitFailed || !strings.Contains(said, "is not an approval of") {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
}

// TestLostAnchor has the only signer's anchor file lost with its disk. Nobody is paid before somebody has said how long
// the journal was, and it is no way around a head that somebody holds.
func TestLostAnchor(t *testing.T) {
	x := loseTail(t)
	older := readAll(t, filepath.Join(x.dir, "journal"))
	x.ask("question")
	newer := save(t, x.dir, "newer", []byte(x.question.Lost))
	x.write("journal", string(x.longer))
	if err := os.Remove(filepath.Join(x.dir, "anchor")); err != nil {
		t.Fatal(err)
	}
	x.start("")
	x.untilEnded()
	if !strings.Contains(x.log.String(), "anchor is empty") {
		t.Fatalf("without its anchor file:\n%s", x.log)
	}
	x.process = nil
	head, err := x.genesis.Keys().Open(x.question.Lost)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(why string, more ...string) {
		t.Helper()
		if _, said, code := x.run(append([]string{"recover-tail", "--config", x.config}, more...)...); code != exitFailed || !strings.Contains(said, why) {
			t.Errorf("%v: exit %d\n%s", more, code, said)
		}
		if _, err := os.Stat(filepath.Join(x.dir, "anchor")); err == nil {
			t.Fatalf("%v: the anchor file is filled", more)
		}
	}
	refused("anchor is empty")
	refused("the newest are lost, too", "--lost-anchor", fmt.Sprint(head.Size+1))
	x.write("journal", string(older))
	refused("the newest are lost, too", "--lost-anchor", fmt.Sprint(head.Size))
	refused("the newest are lost, too", "--lost-anchor", fmt.Sprint(head.Size+1), "--head", newer)
	if out := x.must("recover-tail", "--config", x.config, "--lost-anchor", fmt.Sprint(head.Size), "--head", newer); !strings.Contains(out, "are lost") {
		t.Errorf("on the older copy it shows\n%s", out)
	}
	x.write("journal", string(x.longer))
	if out := x.must("recover-tail", "--config", x.config, "--lost-anchor", fmt.Sprint(head.Size), "--head", newer); !strings.Contains(out, fmt.Sprintf("anchor  size %d ", head.Size)) {
		t.Errorf("it says\n%s", out)
	}
	x.start("")
	x.send(x.paid, rpc.StateSigned)
	x.send(x.Sign("shop", x.Withdrawal(x.wallets[signertest.XEM], signertest.Small)), rpc.StateSigned)
	x.stop()
}

// TestLostAnchorAndTail has the anchor file gone and the newest entries, too: whoever has the lost head goes on with it, and
// says the same length each time, also where a run was interrupted before the anchor file was filled.
func TestLostAnchorAndTail(t *testing.T) {
	x := loseTail(t)
	x.ask("question")
	head, err := x.genesis.Keys().Open(x.question.Lost)
	if err != nil {
		t.Fatal(err)
	}
	quorum := x.verdicts("alice", "bob")
	for _, run := range []string{"first", "interrupted"} {
		if err := os.Remove(filepath.Join(x.dir, "anchor")); err != nil {
			t.Fatal(err)
		}
		if out := x.must("recover-tail", "--config", x.config, "--lost-anchor", fmt.Sprint(head.Size), "--gap", x.asked, "--verdicts", quorum); !strings.HasPrefix(out, "gap  ") {
			t.Errorf("%s: it says\n%s", run, out)
		}
	}
	x.start("")
	x.stop()
}
