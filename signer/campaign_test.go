package signer_test

import (
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"kura/journal"
	"kura/ledger"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

// TestCampaign has many clients ask at once for more than the limit allows, while appends fail in both ways and the
// signer is started again in between. Afterwards the journal holds what was answered, each text has one transaction,
// and the sum of what was authorised is within the limit (I1 to I4). KURA_CAMPAIGN sets the number of rounds, and
// KURA_SEED what goes wrong.
func TestCampaign(t *testing.T) {
	rounds, seed := 2, uint64(1)
	if text := os.Getenv("KURA_CAMPAIGN"); text != "" {
		rounds = number(t, text)
	}
	if text := os.Getenv("KURA_SEED"); text != "" {
		seed = uint64(number(t, text))
	}
	f := newFaults(t)
	random := rand.New(rand.NewPCG(seed, 0)) // the same faults for the same seed
	const amount = signertest.SmallMax
	sent := map[statement.Hash]statement.Envelope{}
	answers := map[statement.Hash]rpc.Answer{}
	var mu sync.Mutex
	for range rounds {
		f.makeAppendsFail(random)
		var clients sync.WaitGroup
		for i := range 30 {
			wallet := f.Wallets[[]string{signertest.XEM, signertest.XYM}[i%2]]
			e := f.Sign("shop", f.Withdrawal(wallet, amount))
			hash := statement.HashText(e.Statement)
			sent[hash] = e
			clients.Go(func() {
				a, err := f.Signer.Submit(context.Background(), e.Encode(), signertest.LongWait)
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				answers[hash] = a
			})
		}
		clients.Wait()
		f.Restart()
	}
	for hash, e := range sent {
		a, err := f.Signer.Submit(t.Context(), e.Encode(), signertest.LongWait)
		if err != nil {
			t.Fatalf("asked again: %v", err)
		}
		before, answered := answers[hash]
		if answered && (before.State != a.State || before.Seq != a.Seq) {
			t.Errorf("answered %s at %d, now %s at %d", before.State, before.Seq, a.State, a.Seq)
		}
		if answered && before.Transaction != nil && *before.Transaction != *a.Transaction {
			t.Errorf("two transactions for one text:\n%+v\n%+v", before.Transaction, a.Transaction)
		}
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	f.checkJournal(t, amount)
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%q is not a number", text)
	}
	return n
}

// makeAppendsFail has one append in four fail, half of those after it was written.
func (f *faults) makeAppendsFail(random *rand.Rand) {
	f.store.set(func() {
		f.store.append = func(ctx context.Context, g journal.Group) error {
			switch random.IntN(8) { // one goroutine appends
			case 0:
				return errLost
			case 1:
				if err := f.store.Store.Append(ctx, g); err != nil {
					return err
				}
				return errLost
			}
			return f.store.Store.Append(ctx, g)
		}
	})
}

// checkJournal verifies the journal from the disk and adds up what it authorised.
func (f *faults) checkJournal(t *testing.T, amount uint64) {
	t.Helper()
	s := openEmbedded(t, f.StorePath())
	defer s.Close()
	f.checkStore(t, s, amount)
}

func (f *faults) checkStore(t *testing.T, s journal.Store, amount uint64) {
	t.Helper()
	authorised := map[statement.Hash]int{}
	sums := map[string]uint64{}
	bytes := map[string]bool{}
	f.eachAuthorised(t, s, func(b *ledger.Outcome) error {
		authorised[b.About]++
		sums[b.Wallet] += amount
		if bytes[b.Transaction.Unsigned] {
			t.Errorf("two authorisations with the same bytes: %s", b.Transaction.Unsigned)
		}
		bytes[b.Transaction.Unsigned] = true
		return nil
	})
	for about, n := range authorised {
		if n != 1 {
			t.Errorf("%s was authorised %d times", about, n)
		}
	}
	for wallet, sum := range sums {
		if sum > signertest.DayMax {
			t.Errorf("%s: %d authorised, the limit is %d", wallet, sum, signertest.DayMax)
		}
	}
	t.Logf("%d authorised", len(authorised))
}

// eachAuthorised verifies the journal, and visits the outcomes that let the token sign.
func (f *faults) eachAuthorised(t *testing.T, s journal.Store, visit func(*ledger.Outcome) error) {
	t.Helper()
	_, _, err := journal.Verify(t.Context(), s, journal.Verification{Genesis: f.Genesis, EverySignature: true, Visit: func(e journal.Entry, _ []byte) error {
		if e.Kind != ledger.KindOutcome {
			return nil
		}
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if err != nil {
			return err
		}
		if b := body.(*ledger.Outcome); b.State == ledger.StateAuthorized {
			return visit(b)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
}
