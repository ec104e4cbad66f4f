package policy_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/policy"
)

// campaign is how many cases a random test tries: a few thousand, or what
// KURA_CASES says.
func campaign(t testing.TB, usual int) int {
	text := os.Getenv("KURA_CASES")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("KURA_CASES: %v", err)
	}
	return n
}

// TestAgreesWithNaive holds Decide and Usage to an implementation that shares no
// code with them, on random policies, histories, stops, verdicts and requests.
// KURA_CASES=1000000 runs the long campaign.
func TestAgreesWithNaive(t *testing.T) {
	total := campaign(t, 10_000)
	const perWorld = 100
	outcomes := map[policy.Outcome]int{}
	codes := map[string]int{}
	for seed := 0; seed*perWorld < total; seed++ {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		w := newWorld(t, r)
		for i := range perWorld {
			w.step()
			in := w.input()
			got := policy.Decide(in)
			want := naive(w.naiveInput(in))
			if diff := cmp.Diff(want, shared(&got)); diff != "" {
				t.Fatalf("world %d, request %d (-naive +decide):\n%s\n%s\n%s", seed, i, diff, w.p.Text(), policy.Explain(w.p, in.Request.Withdrawal, &got))
			}
			outcomes[got.Outcome]++
			codes[got.Code]++
			if got.Outcome == policy.Sign {
				w.take(t, in, &got)
			}
			if r.IntN(20) == 0 {
				w.usage.Advance(w.now)
			}
			if r.IntN(50) == 0 {
				w.usage.Bind(w.p) // from the true history
			}
		}
	}
	t.Logf("outcomes %v", outcomes)
	t.Logf("codes %v", codes)
	for _, o := range []policy.Outcome{policy.Deny, policy.Hold, policy.Sign} {
		if outcomes[o]*20 < total {
			t.Errorf("only %d of %d cases came out as %v: the worlds are too poor", outcomes[o], total, o)
		}
	}
	for _, code := range []string{
		policy.CodeSigned, policy.CodeApproved, policy.CodeNeedsApproval, policy.CodeCoolingOff, policy.CodeWaitsForRoom, policy.CodeFrozen,
		policy.CodeClientUnknown, policy.CodeClientLastDay, policy.CodeClientStopped, policy.CodeKeyRemoved, policy.CodeKeySuspended, policy.CodeExpired,
		policy.CodeWalletUnknown, policy.CodeWalletMismatch, policy.CodeBadValue, policy.CodeAssetNotRegistered, policy.CodeFeeAboveCap, policy.CodeFeeCapAbovePolicy,
		policy.CodeDestinationStopped, policy.CodeMessageNotAllowed, policy.CodeDestinationUnlisted, policy.CodeNoRule, policy.CodeDeniedByRule,
		policy.CodeLimit, policy.CodeLimitNever, policy.CodeRejected, policy.CodeApprovalExpired,
	} {
		if codes[code] == 0 {
			t.Errorf("no case came out as %s", code)
		}
	}
}

// shared is the part of a decision that the naive implementation makes too.
func shared(d *policy.Decision) naiveDecision {
	n := naiveDecision{Outcome: d.Outcome, Code: d.Code, Rule: d.Rule, Fee: uint64(d.Fee), Quorum: d.Quorum}
	for _, l := range d.Limits {
		n.Limits = append(n.Limits, naiveLimit{ID: l.Limit, Before: uint64(l.Before), Fits: l.Fits, FreesAt: l.FreesAt, Binds: l.Binds})
	}
	return n
}
