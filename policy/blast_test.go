package policy_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"kura/policy"
	"kura/policy/adversary"
)

// TestAdversaryOnRandomPolicies plays against random policies with random stolen
// sets: whatever the thief finds, it never exceeds the blast radius.
// KURA_POLICIES=1000 runs the long campaign.
func TestAdversaryOnRandomPolicies(t *testing.T) {
	count := 8
	if text := os.Getenv("KURA_POLICIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("KURA_POLICIES: %v", err)
		}
		count = n
	}
	unbounded, bounded, zero, close := 0, 0, 0, 0
	for seed := range count {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		w := newWorld(t, r)
		stolen := policy.Stolen{Clients: some(r, clientIDs, 0), People: some(r, personNames, 0.4)}
		if r.IntN(3) == 0 {
			stolen.Services = []string{"aml"}
		}
		span := policy.Millis(pick(r, []int64{hour, 5 * hour, day, 2 * day}))
		book := w.book
		if r.IntN(3) == 0 {
			book = nil
		}
		for _, target := range []adversary.Target{{Wallet: "w1", Asset: "xem"}, {Wallet: "w1", Asset: "gold"}, {Wallet: "w2", Asset: "xym"}, {Asset: "xem"}} {
			result, err := adversary.Search(adversary.Options{
				Policy: w.p, Book: book, Stolen: stolen, Span: span, Target: target, Start: base + 2*day, Seed: uint64(seed), Plays: 2,
				Samples: map[string]string{"[0-9]{3,5}": "1234"}, MaxRequests: 1000,
			})
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case result.Bound == nil:
				unbounded++
			case result.Bound.Sign() == 0:
				zero++
			default:
				bounded++
				if result.Ratio() >= 900 {
					close++
				}
			}
			if result.Exceeds() {
				t.Fatalf("policy %d, %s, %s within %s: %d taken, bound %s, by %s\n%s", seed, stolen, target, span, result.Loss, result.Bound, result.Strategy, w.p.Text())
			}
		}
	}
	t.Logf("%d policies: %d targets bounded (%d reached to nine tenths), %d nothing to take, %d unbounded", count, bounded, close, zero, unbounded)
	if bounded == 0 {
		t.Error("no random policy had a bound to hold")
	}
}
