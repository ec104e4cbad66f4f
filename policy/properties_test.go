package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// cases runs a check on random decisions of random worlds, with something signed
// now and then so that limits fill.
func cases(t *testing.T, stream uint64, check func(*world, policy.Input)) {
	t.Helper()
	total := campaign(t, 4000)
	const perWorld = 80
	for seed := 0; seed*perWorld < total; seed++ {
		r := rand.New(rand.NewPCG(uint64(seed), stream))
		w := newWorld(t, r)
		for range perWorld {
			w.step()
			in := w.input()
			check(w, in)
			if d := policy.Decide(in); d.Outcome == policy.Sign && r.IntN(2) == 0 {
				w.take(t, in, &d)
			}
		}
	}
}

// TestStopsOnlyAdd: whatever acts at once never turns a deny or a hold into a sign.
func TestStopsOnlyAdd(t *testing.T) {
	worse := 0
	cases(t, 11, func(w *world, in policy.Input) {
		before := policy.Decide(in)
		stop := w.stop()
		in.Overlay = in.Overlay.Trip(stop)
		after := policy.Decide(in)
		if after.Outcome == policy.Sign && before.Outcome != policy.Sign {
			t.Fatalf("%v turns %v (%s) into sign (%s)\n%s", stop, before.Outcome, before.Code, after.Code, w.p.Text())
		}
		if after.Outcome < before.Outcome {
			worse++
		}
	})
	if worse == 0 {
		t.Error("no stop ever stopped anything")
	}
}

// TestApprovalsOnlyHelp: one more approval never makes an outcome stricter.
func TestApprovalsOnlyHelp(t *testing.T) {
	better := 0
	cases(t, 12, func(w *world, in policy.Input) {
		before := policy.Decide(in)
		name := string(pick(w.r, personNames))
		in.Verdicts = append(in.Verdicts[:len(in.Verdicts):len(in.Verdicts)], policy.Verdict{
			By: policy.Actor{Kind: policy.PersonActor, ID: name}, Key: statement.Key(worldKey(name)), Kind: statement.Approve, Policy: w.p.Hash(), At: in.Now.Time - int64(w.r.IntN(3))*hour,
		})
		after := policy.Decide(in)
		if after.Outcome < before.Outcome {
			t.Fatalf("an approval by %s turns %v (%s) into %v (%s)\n%s", name, before.Outcome, before.Code, after.Outcome, after.Code, w.p.Text())
		}
		if after.Outcome > before.Outcome {
			better++
		}
	})
	if better == 0 {
		t.Error("no approval ever helped")
	}
}

// alter makes one small change to a random policy's document.
func (w *world) alter(d *policy.Document) {
	r := w.r
	i, k := r.IntN(len(d.Rules)), r.IntN(len(d.Limits))
	rule, limit := &d.Rules[i], &d.Limits[k]
	// A month's windows and these numbers stay far from where doubling ends.
	factor := func(x *policy.Units) {
		if x != nil {
			*x = pick(r, []policy.Units{*x / 2, *x * 2})
		}
	}
	switch r.IntN(14) {
	case 0:
		d.Rules = slices.Delete(d.Rules, i, i+1)
	case 1:
		d.Rules = slices.Insert(d.Rules, i, w.rule(9))
	case 2, 3, 4:
		if rule.When.Amount != nil {
			factor(rule.When.Amount.UpTo)
		}
	case 5:
		rule.LastDay = pick(r, []policy.Day{"", "2026-01-04", "2026-01-06"})
	case 6:
		d.Limits = slices.Delete(d.Limits, k, k+1)
	case 7:
		d.Limits = append(d.Limits, w.limit(9))
	case 8:
		factor(&limit.Max)
	case 9:
		limit.Window = pick(r, []policy.Millis{limit.Window / 2, limit.Window * 2})
	case 10:
		limit.Always = !limit.Always
	case 11:
		factor(&d.Wallets[r.IntN(3)].MaxFee)
	case 12:
		d.People[r.IntN(len(d.People))].LastDay = pick(r, []policy.Day{"", "2026-01-04", "2026-01-06"})
	default:
		d.Clients[r.IntN(2)].Operators = some(r, personNames, 0.2)
	}
}

// TestTighteningLetsNoMoreThrough: where the difference of two policies tightens and
// does nothing else, no request is judged less strictly than before; and no
// difference goes without a word. (A rejection's weight is its person's, and goes
// with them: what was rejected is over before a policy changes.)
func TestTighteningLetsNoMoreThrough(t *testing.T) {
	stricter, tightened := 0, 0
	cases(t, 15, func(w *world, in policy.Input) {
		if w.counter%4 != 0 {
			return // another policy is dear to make
		}
		var d policy.Document
		if err := json.Unmarshal(w.p.Text(), &d); err != nil {
			t.Fatal(err)
		}
		w.alter(&d)
		next, err := policy.New(d)
		if err != nil || next.Hash() == w.p.Hash() {
			return
		}
		changes := policy.Diff(w.p, next)
		if len(changes) == 0 {
			t.Fatalf("no word about the difference of\n%s\n%s", w.p.Text(), next.Text())
		}
		if slices.ContainsFunc(changes, func(c policy.PolicyChange) bool { return c.Effect != policy.Tightens }) {
			return
		}
		tightened++
		in.Verdicts = slices.DeleteFunc(in.Verdicts, func(v policy.Verdict) bool { return v.Kind == statement.Reject })
		before := policy.Decide(in)
		other := in
		other.Policy, other.Verdicts = next, slices.Clone(in.Verdicts)
		for i := range other.Verdicts {
			if other.Verdicts[i].Policy == w.p.Hash() {
				other.Verdicts[i].Policy = next.Hash()
			}
		}
		if other.Usage, err = policy.RestoreUsage(next, in.Usage.History()); err != nil {
			t.Fatal(err)
		}
		after := policy.Decide(other)
		if after.Outcome > before.Outcome {
			t.Fatalf("%v turns %v (%s) into %v (%s)\n%s\n%s", changes, before.Outcome, before.Code, after.Outcome, after.Code, w.p.Text(), policy.Explain(next, in.Request.Withdrawal, &after))
		}
		if after.Outcome < before.Outcome {
			stricter++
		}
	})
	if tightened == 0 || stricter == 0 {
		t.Errorf("%d changes tightened, %d of them a decision", tightened, stricter)
	}
}

// TestLimitsThatNeverBindNeverDo: what is said never to bind changes no outcome when it goes.
func TestLimitsThatNeverBindNeverDo(t *testing.T) {
	found := 0
	for seed := range uint64(campaign(t, 4000) / 20) {
		w := newWorld(t, rand.New(rand.NewPCG(seed, 16)))
		var d policy.Document
		if err := json.Unmarshal(w.p.Text(), &d); err != nil {
			t.Fatal(err)
		}
		// A looser twin of a limit never binds, mostly.
		twin := w.limit(9)
		l := d.Limits[0]
		l.ID, l.Max, l.At, l.Always, l.Approval = twin.ID, 2*l.Max, twin.At, twin.Always, twin.Approval
		d.Limits = append(d.Limits, l)
		var err error
		if w.p, err = policy.New(d); err != nil {
			t.Fatal(err)
		}
		w.usage = policy.NewUsage(w.p)
		idle := map[string]bool{}
		for _, f := range policy.Check(w.p, nil, at(base)) {
			if f.Code == "limit_never_binds" && !strings.HasSuffix(f.Path, ".max") {
				idle[strings.Fields(f.Text)[1]] = true
			}
		}
		if len(idle) == 0 {
			continue
		}
		found++
		d.Limits = slices.DeleteFunc(d.Limits, func(l policy.Limit) bool { return idle[l.ID] })
		without, err := policy.New(d)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			w.step()
			in := w.input()
			before := policy.Decide(in)
			other := in
			other.Policy, other.Verdicts = without, slices.Clone(in.Verdicts)
			for i := range other.Verdicts {
				if other.Verdicts[i].Policy == w.p.Hash() {
					other.Verdicts[i].Policy = without.Hash()
				}
			}
			if other.Usage, err = policy.RestoreUsage(without, in.Usage.History()); err != nil {
				t.Fatal(err)
			}
			lowered := slices.ContainsFunc(w.stops, func(s policy.Stop) bool { return s.Kind == statement.TargetLimit })
			if after := policy.Decide(other); after.Outcome != before.Outcome && !lowered {
				t.Fatalf("world %d: without %v %v (%s) becomes %v (%s)\n%s\n%s", seed, idle, before.Outcome, before.Code, after.Outcome, after.Code, w.p.Text(), policy.Explain(w.p, in.Request.Withdrawal, &before))
			}
			if before.Outcome == policy.Sign {
				w.take(t, in, &before)
			}
		}
	}
	if found < 10 {
		t.Errorf("only %d policies have a limit that never binds", found)
	}
}

// TestLessIsNeverWorse: the same withdrawal with one asset left out is not
// judged more strictly; a second asset carries nothing past a rule.
func TestSecondAssetCarriesNothing(t *testing.T) {
	cases(t, 13, func(w *world, in policy.Input) {
		whole := policy.Decide(in)
		if whole.Outcome != policy.Sign || whole.Quorum || len(in.Request.Withdrawal.Assets) < 2 {
			return
		}
		for i := range in.Request.Withdrawal.Assets {
			alone := *in.Request.Withdrawal
			alone.Assets = alone.Assets[i : i+1]
			one := in
			one.Request.Withdrawal = &alone
			if d := policy.Decide(one); d.Outcome != policy.Sign && d.Code != policy.CodeFeeAboveCap {
				t.Fatalf("signed with another asset, alone %v (%s)\n%s", d.Outcome, d.Code, w.p.Text())
			}
		}
	})
}

// TestDecideDependsOnArgumentsAlone: again, in parallel, in another order, the
// same decision, and usage is not touched.
func TestDecideDependsOnArgumentsAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 14))
	for range 20 {
		w := newWorld(t, r)
		var inputs []policy.Input
		for range 40 {
			w.step()
			in := w.input()
			if d := policy.Decide(in); d.Outcome == policy.Sign {
				w.take(t, in, &d)
			}
		}
		for range 40 {
			inputs = append(inputs, w.input())
		}
		first := make([]policy.Decision, len(inputs))
		for i := range inputs {
			first[i] = policy.Decide(inputs[i])
		}
		held := w.usage.Len()
		var group sync.WaitGroup
		for range 4 {
			order := r.Perm(len(inputs))
			group.Go(func() {
				for _, i := range order {
					if diff := cmp.Diff(first[i], policy.Decide(inputs[i]), cmp.Comparer(func(a, b nem.AssetID) bool { return a == b })); diff != "" {
						t.Errorf("another decision in parallel:\n%s", diff)
						return
					}
				}
			})
		}
		group.Wait()
		if w.usage.Len() != held {
			t.Error("deciding changed usage")
		}
	}
}

// TestOrderDoesNotChangeTheTotal: requests that fit a limit together are all
// signed in any order, and leave the same sum.
func TestOrderDoesNotChangeTheTotal(t *testing.T) {
	d := benchDocument()
	d.Limits = d.Limits[:6]
	for i := range d.Limits {
		d.Limits[i].Max = 100_000_000
	}
	p, err := policy.New(d)
	if err != nil {
		t.Fatal(err)
	}
	to := benchAddress(0)
	change := &policy.BookChange{Add: []policy.Entry{{Book: "friends", Name: "x", Network: "nis1-testnet", Address: to.String(), Message: policy.MessageRule{Rule: "any"}}}}
	var empty *policy.Book
	book, err := empty.Apply(change)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 15))
	var want policy.Units
	for round := range 20 {
		u := policy.NewUsage(p)
		var last policy.Decision
		for _, i := range r.Perm(10) {
			in := benchInput(p, book, u, to)
			in.Request.Withdrawal.Assets[0].Amount = nem.Amount(1_000_000 * (i + 1))
			last = policy.Decide(in)
			if last.Outcome != policy.Sign {
				t.Fatal(fmt.Sprint("round ", round, ": ", last.Code))
			}
			e, err := last.Event(p, in.Request.Withdrawal, "c1", in.Now.Time)
			if err == nil {
				err = u.Add(e)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if after := last.Limits[0].After; round == 0 {
			want = after
		} else if after != want {
			t.Fatalf("%d in one order, %d in another", want, after)
		}
	}
}
