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

// TestAdversaryTakesFees: where only a mosaic is paid, the thief burns the currency in fees, and the bound counts that.
func TestAdversaryTakesFees(t *testing.T) {
	p := republic(t, func(d *policy.Document) {
		d.Assets = append(d.Assets, policy.Asset{
			ID: "gold", Network: "nis1-testnet", Asset: "mint:gold", Name: "GOLD", Supply: 1_000_000, Divisibility: 3,
			Levy: &policy.Levy{Kind: "absolute", Asset: "xem", Fee: 9_000_000, Recipient: benchAddress(2).String()},
		})
		d.Rules[0].When = policy.When{Asset: []policy.AssetRef{"gold"}, Amount: &policy.Range{UpTo: units(10_000)}}
		d.Limits = []policy.Limit{{ID: "pace", Of: "count", Asset: []policy.AssetRef{"gold"}, Per: []string{"wallet"}, Max: 3, Window: policy.Millis(hour), At: "deny"}}
	})
	result, err := adversary.Search(adversary.Options{
		Policy: p, Stolen: policy.Stolen{Clients: []policy.ClientID{"c1"}}, Span: policy.Millis(hour), Target: adversary.Target{Wallet: "w1", Asset: "xem"}, Start: base + 2*day, Plays: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	if result.Exceeds() || result.Loss < 54_000_000 {
		t.Errorf("%d taken, bound %s: want at least six levies of 9 XEM, and no more than the bound", result.Loss, result.Bound)
	}
}
