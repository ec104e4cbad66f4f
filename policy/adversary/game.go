package adversary

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"

	"kura/policy"
)

// Target is what the thief wants most of. Wallet "" means all wallets together.
type Target struct {
	Wallet policy.WalletID
	Asset  policy.AssetRef
}

// Options say how to play.
type Options struct {
	Policy *policy.Policy
	Book   *policy.Book
	Stolen policy.Stolen
	Span   policy.Millis
	Target Target
	Start  int64 // unix milliseconds at which the span begins
	Seed   uint64
	Plays  int // how many random and guided plays follow the greedy one
	// MaxRequests ends a play, 0 for 1,000,000: where nothing bounds it, it would
	// take for ever.
	MaxRequests int
	// Samples gives a text for each pattern of the book's entries.
	Samples map[string]string
}

// Game is a prepared search.
type Game struct {
	p        *policy.Policy
	book     *policy.Book
	stolen   policy.Stolen
	span     policy.Millis
	target   Target
	start    int64
	variants []variant
	amounts  map[policy.AssetRef][]uint64
	samples  map[string]string
	patience int // requests in a play
	life     int64
	cooling  int64
}

// Result is the best that was found, beside the bound.
type Result struct {
	Target   Target
	Stolen   string
	Span     policy.Millis
	Loss     uint64
	Bound    *big.Int // nil: unbounded
	Strategy string   // of the best play
	Plays    int
	Asked    int // requests in all plays
}

// Ratio is how much of the bound was reached, from 0 to 1000 in thousandths; 1000
// if both are zero.
func (r *Result) Ratio() int64 {
	if r.Bound == nil {
		return 0
	}
	if r.Bound.Sign() == 0 {
		return 1000
	}
	x := new(big.Int).SetUint64(r.Loss)
	return x.Mul(x, big.NewInt(1000)).Div(x, r.Bound).Int64()
}

// Exceeds tells whether the thief took more than the bound, which must never be.
func (r *Result) Exceeds() bool {
	return r.Bound != nil && new(big.Int).SetUint64(r.Loss).Cmp(r.Bound) > 0
}

// Search plays greedily, at random, and guided by what went best, and gives the
// best of all.
func Search(opt Options) (Result, error) {
	g, err := prepare(opt)
	if err != nil {
		return Result{}, err
	}
	best := Result{Target: opt.Target, Stolen: opt.Stolen.String(), Span: opt.Span, Bound: g.bound()}
	r := rand.New(rand.NewPCG(opt.Seed, 2018)) //nolint:gosec // the dice of a search, which must fall the same for the same seed
	var bestPlan []int64
	try := func(strategy string, plan []int64, most int) error {
		t := g.play(plan, most)
		best.Plays++
		best.Asked += t.asked
		if t.loss > best.Loss || best.Strategy == "" {
			best.Loss, best.Strategy, bestPlan = t.loss, strategy, plan
		}
		return t.err
	}
	if err := try("greedy: as much as there is room for, as soon as there is", g.greedy(), 1<<20); err != nil {
		return best, err
	}
	if err := try("late: everything in the last moments of each window", g.late(), 1<<20); err != nil {
		return best, err
	}
	for i := range opt.Plays {
		if best.Bound != nil && best.Bound.Sign() == 0 && best.Loss == 0 {
			break // nothing to be had, and greed has tried every half hour
		}
		strategy, plan, most := "random", g.random(r), 1+r.IntN(100)
		if i%2 == 1 && len(bestPlan) > 0 {
			strategy, plan, most = "guided", g.mutate(r, bestPlan), 1<<20
		}
		if err := try(strategy, plan, most); err != nil {
			return best, err
		}
	}
	return best, nil
}

// bound is what the blast radius says.
func (g *Game) bound() *big.Int {
	b := policy.BlastRadius(g.p, policy.BlastOptions{Stolen: g.stolen, Span: g.span, Book: g.book})
	for _, row := range slices.Concat(b.Rows, b.Totals) {
		if row.Wallet == g.target.Wallet && row.Asset == g.target.Asset {
			if row.Unbounded {
				return nil
			}
			bound, _ := new(big.Int).SetString(row.Bound, 10)
			return bound
		}
	}
	return new(big.Int)
}

// prepare lists the ways to ask and the amounts worth trying.
func prepare(opt Options) (*Game, error) {
	d := opt.Policy.Document()
	if _, ok := opt.Policy.AssetRef(opt.Target.Asset); !ok {
		return nil, fmt.Errorf("adversary: the policy has no asset %q", opt.Target.Asset)
	}
	if opt.Span <= 0 {
		return nil, errors.New("adversary: want a span")
	}
	g := &Game{
		p: opt.Policy, book: opt.Book, stolen: opt.Stolen, span: opt.Span, target: opt.Target, start: opt.Start, samples: opt.Samples,
		patience: opt.MaxRequests,
	}
	if g.patience == 0 {
		g.patience = 1_000_000
	}
	entries := opt.Book.Entries()
	for i, w := range d.Wallets {
		if !g.has(i, opt.Target.Asset) || (opt.Target.Wallet != "" && opt.Target.Wallet != w.ID) {
			continue
		}
		g.life = max(g.life, int64(w.Life))
		for _, client := range opt.Stolen.Clients {
			for _, pays := range g.costing(i) {
				for _, companion := range append([]policy.AssetRef{""}, g.payable(i)...) {
					if companion == pays {
						continue
					}
					g.variants = append(g.variants, variant{client: client, wallet: i, pays: pays, companion: companion})
					for k := range entries {
						if entries[k].Network == w.Network {
							g.variants = append(g.variants, variant{client: client, wallet: i, entry: &entries[k], pays: pays, companion: companion})
						}
					}
				}
			}
		}
	}
	g.amounts = map[policy.AssetRef][]uint64{}
	for _, a := range d.Assets {
		g.amounts[a.ID] = amountsOf(d, a.ID)
	}
	for _, r := range d.Rules {
		if r.Approval != nil {
			g.cooling = max(g.cooling, int64(r.Approval.CoolingOff))
		}
	}
	return g, nil
}

// amountsOf lists the amounts of an asset that are worth trying, the largest first.
func amountsOf(d *policy.Document, asset policy.AssetRef) []uint64 {
	amounts := []uint64{1}
	for _, r := range d.Rules {
		if a := r.When.Amount; a != nil && slices.Contains(r.When.Asset, asset) {
			if a.UpTo != nil {
				amounts = append(amounts, uint64(*a.UpTo))
			}
			if a.Above != nil {
				amounts = append(amounts, uint64(*a.Above)+1)
			}
		}
	}
	for _, l := range d.Limits {
		if l.Of == "amount" && slices.Contains(l.Asset, asset) {
			amounts = append(amounts, uint64(l.Max))
		}
	}
	slices.Sort(amounts)
	slices.Reverse(amounts)
	return slices.Compact(amounts)
}

// play drains at each time of the plan.
func (g *Game) play(plan []int64, most int) *thief {
	t := &thief{g: g, usage: policy.NewUsage(g.p), start: g.start}
	for _, at := range plan {
		t.drain(at, most)
	}
	return t
}

// first and last are the times between which a signature is worth having; what
// needs a cooling-off is asked for before.
func (g *Game) first() int64 { return g.start - g.life }
func (g *Game) last() int64  { return g.start + int64(g.span) }

// greedy visits every moment at which a window can free, if it was filled at the
// first or at any such moment, and every half hour, when hours may begin.
func (g *Game) greedy() []int64 {
	const tick = int64(1_800_000)
	plan := []int64{g.first(), g.last()}
	if g.cooling > 0 {
		plan = append(plan, g.first()-g.cooling, g.first())
	}
	for at := g.first() - g.first()%tick + tick; at <= g.last(); at += tick {
		plan = append(plan, at)
	}
	for _, l := range g.p.Document().Limits {
		for at := g.first(); at <= g.last(); at += int64(l.Window) {
			plan = append(plan, at)
		}
	}
	return tidy(plan)
}

// late fills each window from its end backwards, so that the last moment of the
// span is one of them.
func (g *Game) late() []int64 {
	var plan []int64
	for _, l := range g.p.Document().Limits {
		for at := g.last(); at >= g.first(); at -= int64(l.Window) {
			plan = append(plan, at)
		}
	}
	return tidy(append(plan, g.first()))
}

func (g *Game) random(r *rand.Rand) []int64 {
	plan := make([]int64, 2+r.IntN(60))
	for i := range plan {
		plan[i] = g.first() + r.Int64N(g.last()-g.first()+1)
	}
	return tidy(plan)
}

// mutate moves, adds and drops some times.
func (g *Game) mutate(r *rand.Rand, plan []int64) []int64 {
	next := slices.Clone(plan)
	for range 1 + r.IntN(3) {
		i := r.IntN(len(next))
		switch r.IntN(3) {
		case 0:
			next[i] = min(max(next[i]+r.Int64N(7_200_001)-3_600_000, g.first()), g.last())
		case 1:
			next = append(next, g.first()+r.Int64N(g.last()-g.first()+1))
		default:
			if len(next) > 1 {
				next = slices.Delete(next, i, i+1)
			}
		}
	}
	return tidy(next)
}

func tidy(plan []int64) []int64 {
	slices.Sort(plan)
	return slices.Compact(plan)
}

// Table writes results for people.
func Table(p *policy.Policy, results []Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-44s %-12s %-6s %18s %22s %7s\n", "STOLEN", "WALLET", "SPAN", "TAKEN", "BOUND", "SHARE")
	for _, r := range results {
		bound, share := "unbounded", "-"
		if r.Bound != nil {
			bound = r.Bound.String()
			if r.Bound.IsUint64() {
				bound = p.Show(r.Target.Asset, policy.Units(r.Bound.Uint64()))
			}
			share = fmt.Sprintf("%d.%d%%", r.Ratio()/10, r.Ratio()%10)
		}
		wallet := string(r.Target.Wallet)
		if wallet == "" {
			wallet = "all"
		}
		fmt.Fprintf(&b, "%-44s %-12s %-6s %18s %22s %7s\n", r.Stolen, wallet, r.Span, p.Show(r.Target.Asset, policy.Units(r.Loss)), bound, share)
	}
	return b.String()
}
