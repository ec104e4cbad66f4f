package policy

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"kura/nem"
	"kura/statement"
)

// Recorded is a withdrawal of the past: what was asked, what people said about
// it, and what became of it.
type Recorded struct {
	Request  Request
	Verdicts []Verdict
	First    Moment // at which it was first judged
	Last     Moment // at which it was last judged; First if only once
	Outcome  Outcome
	Code     string
	Rule     string // that decided; "" if none did
}

// Moment is a time at which something was judged, with what no policy says.
type Moment struct {
	Now     Now
	Book    *Book
	Overlay Overlay // stops are no part of a policy, and would have been in force under another one, too
	// Settled: no policy decided it (its wallet had no key; it replaced what may still be paid).
	Settled bool
}

// Simulation is a recorded history decided anew under another policy.
type Simulation struct {
	Policy  Hash             `json:"policy"`
	Total   int              `json:"total"`
	Differs int              `json:"differs"`
	Rows    []SimulatedRow   `json:"rows"`
	Limits  []SimulatedLimit `json:"limits"`
}

// SimulatedRow is one withdrawal under the other policy.
type SimulatedRow struct {
	Statement   statement.Hash    `json:"statement"`
	ID          string            `json:"id"`
	Time        int64             `json:"time"`
	Client      ClientID          `json:"client"`
	Wallet      string            `json:"wallet"`
	Destination string            `json:"destination"`
	Assets      []SimulatedPay    `json:"assets"`
	Recorded    SimulatedDecision `json:"recorded"`
	Simulated   SimulatedDecision `json:"simulated"`
	// Differs: another outcome, or signed by a rule alone where people approved, or the reverse.
	Differs bool `json:"differs"`
	// Needs says whose approval it would have waited for.
	Needs []Wait `json:"needs"`
}

// SimulatedPay is an asset of a simulated withdrawal.
type SimulatedPay struct {
	Asset  string `json:"asset"`
	Amount Units  `json:"amount"`
}

// SimulatedDecision is what became of it.
type SimulatedDecision struct {
	Outcome Outcome `json:"outcome"`
	Code    string  `json:"code"`
	Rule    string  `json:"rule"`
}

// word is the outcome, and of what was signed whether a rule did it or people.
func (d SimulatedDecision) word() string {
	if d.Outcome == Sign {
		return d.Code
	}
	return d.Outcome.String()
}

// SimulatedLimit is how full a limit would have been at most.
type SimulatedLimit struct {
	Limit   string `json:"limit"`
	Peak    Units  `json:"peak"` // what any window of it held at most
	Max     Units  `json:"max"`
	At      int64  `json:"at"` // when
	Refused int    `json:"refused"`
}

// Simulate decides a recorded history anew under a policy, in the order of
// time, starting from empty limits. Each withdrawal is decided when it first was,
// and again, with what people had said by then, when it last was; their verdicts
// count as if given under this policy, and requests as if signed with a key that
// their client has in it. Address books and stops are those of that time, and what
// no policy decided stays as it was. What it signs takes usage, as it would have.
func Simulate(p *Policy, history []Recorded) (Simulation, error) {
	s := simulator{policy: p, usage: NewUsage(p), peaks: map[string]*SimulatedLimit{}}
	type moment struct {
		*Moment
		index int
		last  bool
	}
	var moments []moment
	for i := range history {
		r := &history[i]
		moments = append(moments, moment{&r.First, i, false})
		if r.Last.Now != r.First.Now {
			moments = append(moments, moment{&r.Last, i, true})
		}
	}
	slices.SortStableFunc(moments, func(a, b moment) int { return cmp.Compare(a.Now.Time, b.Now.Time) })
	rows := make([]SimulatedRow, len(history))
	for _, m := range moments {
		r := &history[m.index]
		if m.last && rows[m.index].Simulated.Outcome != Hold {
			continue
		}
		row, err := s.decide(r, m.Moment)
		if err != nil {
			return Simulation{}, fmt.Errorf("simulate %s: %w", r.Request.Hash, err)
		}
		if m.last && len(row.Needs) == 0 {
			row.Needs = rows[m.index].Needs
		}
		rows[m.index] = row
	}
	out := Simulation{Policy: p.hash, Total: len(rows), Rows: rows}
	for i := range rows {
		if rows[i].Differs {
			out.Differs++
		}
	}
	for _, l := range p.doc.Limits {
		if peak, ok := s.peaks[l.ID]; ok {
			out.Limits = append(out.Limits, *peak)
		} else {
			out.Limits = append(out.Limits, SimulatedLimit{Limit: l.ID, Max: l.Max})
		}
	}
	return out, nil
}

type simulator struct {
	policy *Policy
	usage  *Usage
	peaks  map[string]*SimulatedLimit
}

// decide judges one withdrawal at a moment and takes its usage.
func (s *simulator) decide(r *Recorded, at *Moment) (SimulatedRow, error) {
	now := at.Now
	in := Input{Policy: s.policy, Overlay: at.Overlay, Book: at.Book, Usage: s.usage, Request: r.Request, Now: now}
	in.Request.Since = r.First.Now.Time
	if c, ok := s.policy.Client(r.Request.Client); ok && len(c.Keys) > 0 && !slices.Contains(c.Keys, string(r.Request.Key)) {
		in.Request.Key = statement.Key(c.Keys[0])
	}
	for _, v := range r.Verdicts {
		if v.At <= now.Time {
			v.Policy = s.policy.hash
			in.Verdicts = append(in.Verdicts, v)
		}
	}
	w := r.Request.Withdrawal
	d := Decision{Outcome: r.Outcome, Code: r.Code, Rule: r.Rule}
	if !at.Settled {
		d = s.judge(in)
	}
	row := SimulatedRow{
		Statement: r.Request.Hash, ID: w.ID.String(), Time: r.First.Now.Time, Client: r.Request.Client, Wallet: w.Wallet, Destination: w.Destination,
		Recorded:  SimulatedDecision{r.Outcome, r.Code, r.Rule},
		Simulated: SimulatedDecision{d.Outcome, d.Code, d.Rule},
	}
	row.Differs = row.Simulated.word() != row.Recorded.word()
	for _, a := range w.Assets {
		row.Assets = append(row.Assets, SimulatedPay{a.Asset, Units(a.Amount)})
	}
	for _, wait := range d.Waits {
		if wait.Kind == WaitApproval {
			row.Needs = append(row.Needs, wait)
		}
	}
	s.note(&d, now)
	if d.Outcome != Sign || at.Settled {
		return row, nil
	}
	e, err := d.Event(s.policy, w, r.Request.Client, now.Time)
	if err != nil {
		return row, err
	}
	return row, s.usage.Add(e)
}

// judge decides, and holds a new request to the age that the policy allows, as a ledger does before.
func (s *simulator) judge(in Input) Decision {
	if in.Now.Time == in.Request.Since {
		err := statement.CheckTimes(in.Request.Withdrawal.Common(), in.Now.Clock, int64(s.policy.doc.WithdrawalLife))
		if e, ok := errors.AsType[*statement.Error](err); ok {
			return Decision{Outcome: Deny, Code: string(e.Code), Field: e.Field}
		}
	}
	return Decide(in)
}

// note keeps how full each limit was.
func (s *simulator) note(d *Decision, now Now) {
	for _, t := range d.Limits {
		peak, ok := s.peaks[t.Limit]
		if !ok {
			peak = &SimulatedLimit{Limit: t.Limit, Max: t.Max}
			s.peaks[t.Limit] = peak
		}
		if !t.Fits && t.Binds {
			peak.Refused++
		}
		held := t.Before
		if d.Outcome == Sign && (t.Always || !d.Quorum) {
			held = t.After
		}
		if held > peak.Peak {
			peak.Peak, peak.At = held, now.Time
		}
	}
}

// CSV writes the rows for a spreadsheet, one withdrawal a line. Texts that a
// spreadsheet would take for a formula are prefixed with an apostrophe.
func (s *Simulation) CSV() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	write := func(cells ...string) {
		for i, c := range cells {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				cells[i] = "'" + c
			}
		}
		// Writing to memory does not fail.
		_ = w.Write(cells)
	}
	write("time", "statement", "client", "wallet", "destination", "assets", "recorded", "recorded code", "simulated", "simulated code", "rule", "differs", "needs")
	for _, r := range s.Rows {
		pays := make([]string, len(r.Assets))
		for i, a := range r.Assets {
			pays[i] = a.Amount.String() + " " + a.Asset
		}
		write(moment(r.Time), r.Statement.String(), string(r.Client), r.Wallet, r.Destination, strings.Join(pays, " and "),
			r.Recorded.Outcome.String(), r.Recorded.Code, r.Simulated.Outcome.String(), r.Simulated.Code, r.Simulated.Rule, strconv.FormatBool(r.Differs), needs(r.Needs))
	}
	w.Flush()
	return b.String()
}

func needs(waits []Wait) string {
	words := make([]string, len(waits))
	for i, w := range waits {
		words[i] = fmt.Sprintf("%d of %s (%s)", w.Need, w.Group, w.For)
		if w.Alternative > 0 {
			words[i] = "or " + words[i]
		}
	}
	return strings.Join(words, "; ")
}

// approvals counts, for each approval that anything would have waited for, what
// would have waited for it.
func (s *Simulation) approvals() string {
	var names []string
	counts := map[string]int{}
	for _, r := range s.Rows {
		if name := needs(r.Needs); name != "" {
			if counts[name] == 0 {
				names = append(names, name)
			}
			counts[name]++
		}
	}
	if names == nil {
		return ""
	}
	lines := "\nAPPROVAL OF\tFOR\n"
	for _, name := range names {
		lines += fmt.Sprintf("%s\t%s\n", name, plural(counts[name], "withdrawal"))
	}
	return lines
}

// Table writes what would have come out otherwise, who would have been asked, and
// how full the limits were.
func (s *Simulation) Table(p *Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d withdrawals, %d would have come out otherwise\n", s.Total, s.Differs)
	lines := ""
	if s.Differs > 0 {
		lines = "\nTIME\tCLIENT\tWALLET\tPAYS\tWAS\tWOULD BE\tWHY\tNEEDS\n"
	}
	for _, r := range s.Rows {
		if !r.Differs {
			continue
		}
		pays := make([]string, len(r.Assets))
		for i, a := range r.Assets {
			pays[i] = p.showAsset(WalletID(r.Wallet), a)
		}
		lines += strings.Join([]string{
			moment(r.Time), string(r.Client), r.Wallet, strings.Join(pays, " and "),
			r.Recorded.word(), r.Simulated.word(), r.Simulated.Code, needs(r.Needs),
		}, "\t") + "\n"
	}
	lines += s.approvals()
	lines += "\nLIMIT\tPEAK\tMAX\tAT\tNO ROOM\n"
	for _, l := range s.Limits {
		source, ok := p.Limit(l.Limit)
		if !ok {
			continue
		}
		at := "never used"
		if l.At != 0 {
			at = moment(l.At)
		}
		lines += fmt.Sprintf("%s\t%s\t%s\t%s\t%d times\n", l.Limit, p.limitUnit(source, l.Peak), p.limitUnit(source, l.Max), at, l.Refused)
	}
	// Writing to memory does not fail.
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = t.Write([]byte(lines))
	_ = t.Flush()
	return b.String()
}

func (p *Policy) showAsset(wallet WalletID, a SimulatedPay) string {
	if i, ok := p.wallets[wallet]; ok {
		network := p.walletList[i].network
		if id, err := nem.ParseAssetID(network.Chain(), a.Asset); err == nil {
			if asset, ok := p.AssetOf(network, id); ok {
				return p.Show(asset.ID, a.Amount)
			}
		}
	}
	return a.Amount.String() + " of " + quoted(a.Asset)
}
