package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"kura/journal"
	"kura/journal/gap"
	"kura/ledger/ledgertest"
	"kura/statement"
)

// worldHome makes the home of somebody of a ledgertest world, with a copy of the journal as it stands.
func worldHome(t *testing.T, w *ledgertest.World, who string) string {
	t.Helper()
	dir := t.TempDir()
	seed := sha256.Sum256([]byte("kura test key ssh " + who)) // as package ledgertest makes it
	block, err := ssh.MarshalPrivateKey(ed25519.NewKeyFromSeed(seed[:]), "")
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "key", pem.EncodeToMemory(block))
	put(t, dir, homeFileName, fmt.Appendf(nil, "gateway = \"https://127.0.0.1:1\"\ngenesis = %q\nkey = \"key\"\n", w.Genesis.String()))
	put(t, dir, mirrorFileName, append(bytes.Join(w.Lines, []byte("\n")), '\n'))
	put(t, dir, checkpointFileName, w.Checkpoint())
	return dir
}

func put(t *testing.T, dir, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kura runs the program.
func kura(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(stdin), &out, &err)
	return out.String(), err.String(), code
}

// lostWorld is a world whose clock is the machine's, with a payment and a freeze in the entries that it will lose.
func lostWorld(t *testing.T) (w *ledgertest.World, kept int) {
	t.Helper()
	w = ledgertest.New(t)
	w.Advance(time.Now().UnixMilli() - w.Clock)
	kept = len(w.Entries)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	w.Freeze("erin", statement.ActionFreeze, statement.TargetClient, "desk")
	return w, kept
}

// question is what the signer's host asks after a loss.
func question(t *testing.T, l *ledgertest.Loss, change func(*gap.Question)) string {
	t.Helper()
	q := gap.Question{Genesis: l.World.Genesis, Kept: l.Kept, Lost: l.Lost, Until: l.Until, Policy: l.World.State.PolicyInForce().Hash()}
	change(&q)
	text, err := q.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return put(t, t.TempDir(), "question", text)
}

// TestJournalApproveGap has two directors answer, one of whom has the lost entries, and journals the gap with that.
func TestJournalApproveGap(t *testing.T) {
	w, kept := lostWorld(t)
	alice := worldHome(t, w, "alice")
	l := w.Lose(kept)
	bob := worldHome(t, w, "bob")
	asked := question(t, l, func(*gap.Question) {})
	hash := l.Verdict().About[0].String()
	l.Verdicts = nil
	for home, says := range map[string][]string{
		alice: {"still has 6 of the lost entries", "withdrawal/1 is authorized", "freeze/1 is in_force"},
		bob:   {"none of the lost entries"},
	} {
		if out, _, code := kura(t, "wrong\n", "journal", "approve", "--home", home, "--gap", asked); code != exitFailed || out != "" {
			t.Errorf("after typing something else: exit %d, %s", code, out)
		}
		out, shown, code := kura(t, hash[:8]+"\n", "journal", "approve", "--home", home, "--gap", asked)
		if code != exitOK {
			t.Fatalf("exit %d\n%s", code, shown)
		}
		for _, want := range append(says, hash, "are lost", "FREEZES") {
			if !strings.Contains(strings.Join(strings.Fields(shown), " "), want) {
				t.Errorf("it does not show %q:\n%s", want, shown)
			}
		}
		env, err := statement.DecodeEnvelope([]byte(out))
		if err != nil {
			t.Fatal(err)
		}
		l.Verdicts = append(l.Verdicts, env)
	}
	w.Clock = time.Now().UnixMilli()
	if err := l.Judge(); err != nil {
		t.Errorf("the answers are no gap: %v", err)
	}
}

// TestJournalApproveRefuses what the home itself knows to be wrong.
func TestJournalApproveRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		ask  func(t *testing.T) (home, question string)
		code int
		says string
	}{
		"a newer head than the one named": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			older := w.Checkpoint()
			w.Restart()
			home := worldHome(t, w, "alice")
			return home, question(t, w.Lose(kept), func(q *gap.Question) { q.Lost = older })
		}, exitNotProven, "newer head"},
		"another history": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			home := worldHome(t, w, "alice")
			w.Lose(kept)
			w.Restart()
			other := w.Checkpoint()
			for range 6 {
				w.Restart()
			}
			return home, question(t, w.Lose(kept), func(q *gap.Question) { q.Kept = other })
		}, exitNotProven, "another history"},
		"a lost entry of a later clock": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			home := worldHome(t, w, "alice")
			return home, question(t, w.Lose(kept), func(q *gap.Question) { q.Until = w.Clock - 1 })
		}, exitNotProven, "recover-tail --until"},
		"a lost gap that counts from later": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			first := w.Lose(kept)
			first.Until = w.Clock + ledgertest.Hour
			first.Approve().Continue()
			home := worldHome(t, w, "alice")
			return home, question(t, w.Lose(kept), func(*gap.Question) {})
		}, exitNotProven, "a gap at the lost entry"},
		"another policy": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			home := worldHome(t, w, "alice")
			return home, question(t, w.Lose(kept), func(q *gap.Question) { q.Policy[0] ^= 1 })
		}, exitNotProven, "is in force"},
		"another journal": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			home := worldHome(t, w, "alice")
			return home, question(t, w.Lose(kept), func(q *gap.Question) { q.Genesis.Origin += "x" })
		}, exitFailed, "pinned"},
		"a head that nobody signed": {func(t *testing.T) (string, string) {
			w, kept := lostWorld(t)
			home := worldHome(t, w, "alice")
			return home, question(t, w.Lose(kept), func(q *gap.Question) {
				q.Lost = journal.Checkpoint(strings.Replace(string(q.Lost), "\n", "\n1", 1))
			})
		}, exitFailed, "the lost head"},
	} {
		t.Run(name, func(t *testing.T) {
			home, asked := c.ask(t)
			out, shown, code := kura(t, "", "journal", "approve", "--home", home, "--gap", asked)
			if code != c.code || out != "" || !strings.Contains(shown, c.says) {
				t.Errorf("exit %d\n%s%s", code, out, shown)
			}
		})
	}
	if _, _, code := kura(t, "", "journal", "approve"); code != exitUsage {
		t.Errorf("without anything to approve: exit %d", code)
	}
}

// TestJournalApproveSuccessor has two directors answer what kura-signer restore needs.
func TestJournalApproveSuccessor(t *testing.T) {
	w, _ := lostWorld(t)
	s := w.Succeed()
	checkpoint := put(t, t.TempDir(), "last", []byte(s.Genesis.Predecessor.Checkpoint))
	inForce := put(t, t.TempDir(), "policy", append([]byte(s.Founding.Policy), '\n'))
	hash := statement.HashText(s.Genesis.Predecessor.Checkpoint).String()
	s.Founding.Verdicts = nil
	for _, who := range []string{"alice", "bob"} {
		out, shown, code := kura(t, "", "journal", "approve", "--home", worldHome(t, w, who), "--successor", checkpoint, "--policy", inForce, "--confirm", hash[:8])
		if code != exitOK || !strings.Contains(shown, hash) || !strings.Contains(shown, s.Genesis.Policy.String()) || strings.Contains(shown, "ANOTHER") {
			t.Fatalf("exit %d\n%s", code, shown)
		}
		env, err := statement.DecodeEnvelope([]byte(out))
		if err != nil {
			t.Fatal(err)
		}
		s.Founding.Verdicts = append(s.Founding.Verdicts, env)
	}
	if _, err := s.Open(); err != nil {
		t.Errorf("the answers open no successor: %v", err)
	}
	other := ledgertest.Founded(t).State.PolicyInForce()
	out, said, code := kura(t, "", "journal", "approve", "--home", worldHome(t, w, "alice"), "--successor", checkpoint, "--policy", put(t, t.TempDir(), "other", other.Text()), "--confirm", hash[:8])
	if code != exitNotProven || out != "" || !strings.Contains(said, "is in force, not") {
		t.Errorf("a policy that is not in force: exit %d\n%s%s", code, out, said)
	}
}

// TestJournalApproveOtherHistory: a director's own copy contradicts the end that a successor is to follow.
func TestJournalApproveOtherHistory(t *testing.T) {
	w, kept := lostWorld(t)
	home := worldHome(t, w, "alice")
	size := len(w.Entries)
	w.Lose(kept)
	for len(w.Entries) < size {
		w.Restart()
	}
	fork := w.Checkpoint()
	hash := statement.HashText(string(fork)).String()
	out, said, code := kura(t, "", "journal", "approve", "--home", home, "--successor", put(t, t.TempDir(), "last", fork),
		"--policy", put(t, t.TempDir(), "policy", w.State.PolicyInForce().Text()), "--confirm", hash[:8])
	if code != exitNotProven || out != "" || !strings.Contains(said, "another history") {
		t.Errorf("exit %d\n%s%s", code, out, said)
	}
}
