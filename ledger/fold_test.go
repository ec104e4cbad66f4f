package ledger_test

import (
	"bytes"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// unsignedStatement is a statement as statement.Open would return it, without the work of signing: Judge
// and Apply do not look at signatures, so long journals can be made quickly.
func unsignedStatement(tb ledgertest.TB, w *ledgertest.World, who string, b statement.Body) statement.Signed {
	text, err := statement.Encode(b)
	if err != nil {
		tb.Fatal(err)
	}
	key, err := statement.ParseKey(w.PublicKey(who))
	if err != nil {
		tb.Fatal(err)
	}
	armor := w.Envelope(who, &statement.Login{Journal: w.Journal(), ID: w.ID(), Expires: w.Clock, SecretHash: statement.Hash{1}}).Signature
	return statement.Signed{
		Envelope: statement.Envelope{Statement: text, Signature: armor},
		Hash:     statement.HashText(text), Key: key, Body: b,
	}
}

// manyPayments makes a journal of at least n entries: payments that are signed at once, thirty a second.
func manyPayments(tb ledgertest.TB, n int) *ledgertest.World {
	w := ledgertest.NewWith(tb, func(doc *policy.Document) {
		for i := range doc.Limits {
			doc.Limits[i].Max = 1 << 60
		}
		doc.Clients[0].Budget.Entries = 10_000_000
	})
	template := unsignedStatement(tb, w, "shop", w.Withdrawal(w.Wallets[0], 1))
	for len(w.Lines) < n {
		x := w.Wallets[len(w.Lines)/4%2]
		b := w.Withdrawal(x, nem.Amount(1+len(w.Lines)%7))
		text, err := statement.Encode(b)
		if err != nil {
			tb.Fatal(err)
		}
		signed := template
		signed.Statement, signed.Hash, signed.Body = text, statement.HashText(text), b
		res, err := w.Judge(ledger.StatementInput{Signed: signed})
		if err != nil || res.State != ledger.StateAuthorized {
			tb.Fatalf("%+v %v", res, err)
		}
		if _, err := w.Judge(ledger.SignatureInput{About: res.About, Signature: nem.Signature{1}}); err != nil {
			tb.Fatal(err)
		}
		w.Advance(33)
	}
	return w
}

func fold(tb ledgertest.TB, lines [][]byte) *ledger.State {
	s := ledger.NewState()
	for _, line := range lines {
		e, err := journal.DecodeEntry(line)
		if err != nil {
			tb.Fatal(err)
		}
		if err := s.Apply(e); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// TestFoldOfManyEntries folds KURA_FOLD_ENTRIES entries (by default few) and says how long that took and
// how much the state holds.
func TestFoldOfManyEntries(t *testing.T) {
	n := 2000
	if s := os.Getenv("KURA_FOLD_ENTRIES"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	lines, want := func() ([][]byte, statement.Hash) {
		w := manyPayments(t, n)
		return w.Lines, w.State.Hash()
	}()
	start := time.Now()
	s := fold(t, lines)
	took, count := time.Since(start), len(lines)
	clear(lines) // the entries are garbage now, but for what the state holds
	var with, without runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&with)
	hash := s.Hash()
	s = nil
	runtime.GC()
	runtime.ReadMemStats(&without)
	t.Logf("%d entries in %v (%v each), state %d KB", count, took, took/time.Duration(count), (with.HeapAlloc-without.HeapAlloc)>>10)
	if hash != want {
		t.Error("the fold is another state than the live one")
	}
}

// TestTheSameStoryTwice: judging takes nothing but its arguments, no order of maps among them, so the same
// inputs at the same times leave the same bytes.
func TestTheSameStoryTwice(t *testing.T) {
	first, second := ledgertest.Story(t), ledgertest.Story(t)
	if len(first.Lines) != len(second.Lines) {
		t.Fatalf("%d entries, then %d", len(first.Lines), len(second.Lines))
	}
	for i := range first.Lines {
		if !bytes.Equal(first.Lines[i], second.Lines[i]) {
			t.Fatalf("entry %d:\n%s\nand then\n%s", i, first.Lines[i], second.Lines[i])
		}
	}
}

func BenchmarkJudgeWithdrawal(b *testing.B) {
	w := ledgertest.New(b)
	signed := unsignedStatement(b, w, "shop", w.Withdrawal(w.Wallets[0], 1))
	now := w.Now()
	b.ReportAllocs()
	for b.Loop() {
		if drafts, _, err := ledger.Judge(w.State, ledger.StatementInput{Signed: signed}, now); err != nil || len(drafts) != 3 {
			b.Fatal(err)
		}
	}
}

func BenchmarkFold(b *testing.B) {
	w := manyPayments(b, 4000)
	b.ReportAllocs()
	for b.Loop() {
		fold(b, w.Lines)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(w.Lines)), "ns/entry")
}

func storyEntries(tb ledgertest.TB) []journal.Entry { return rotatedStory(tb).Entries }

// rotatedStory is the story, after which the log key is handed over and may be once more.
func rotatedStory(tb ledgertest.TB) *ledgertest.World {
	w := ledgertest.Story(tb)
	w.HandOver()
	w.PermitLogKey(ledgertest.LogKey(2))
	return w
}
