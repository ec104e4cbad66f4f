package main

import (
	"fmt"
	"io"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
)

// width is that of the narrowest terminal worth the name; nothing that is printed passes it.
const width = 79

// A page tells of a robbery while it goes on. What it writes is for people; --json is for programs.
type page struct {
	out io.Writer
	err error // of the first line that could not be written; nothing is written after it
}

func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// field prints a word and what it says, wrapped beside it.
func (p *page) field(word, format string, args ...any) {
	const column = 11
	for i, line := range wrap(fmt.Sprintf(format, args...), width-column) {
		if i > 0 {
			word = ""
		}
		p.line("  %-*s%s", column-2, word, line)
	}
}

// clockTime is a time of day of the exchange's.
func clockTime(unixMillis int64) string { return time.UnixMilli(unixMillis).In(jst).Format("15:04") }

func (p *page) opening(r *robbery) {
	for _, line := range wrap(fmt.Sprintf("Robbing %q: this policy, with keys made for the run, on testnets, in a SoftHSM token that is thrown away, under a simulated clock. Times are those of Japan.", r.Title), width) {
		p.line("%s", line)
	}
	p.field("stolen", "%s", strings.ReplaceAll(r.Stolen, ",", ", "))
	p.line("")
}

const nightHeading = "1. The night of January 2018: 00:02 to 11:25"

func cleverestHeading(days int64) string {
	return fmt.Sprintf("2. The cleverest theft that the policy allows, over %d hours", 24*days)
}

// bound prints the blast radius before anything is asked.
func (p *page) bound(heading string, r *result) {
	p.line("%s", heading)
	p.line("")
	none := true
	for _, row := range r.Bound.Rows {
		if row.Bound == "0" {
			continue
		}
		word := ""
		if none {
			word = "bound"
		}
		none = false
		if row.Unbounded {
			asset, _ := r.policy.AssetRef(row.Asset)
			p.field(word, "%s: UNBOUNDED in %s: %s", row.Wallet, asset.Name, unboundedWords(row))
			continue
		}
		p.field(word, "%s: %s, by limit %s%s", row.Wallet, show(r.policy, row.Asset, row.Bound), strings.Join(row.Binding, " and "), listedWords(row))
	}
	if none {
		p.field("bound", "0: no rule pays anything for what was stolen alone")
	}
	for _, note := range r.Bound.Notes {
		p.field("note", "%s", note)
	}
	p.line("")
}

func unboundedWords(row policy.BlastRow) string {
	if row.Formula == "unbounded" {
		return row.Schedule
	}
	return "no limit counts all that can leave"
}

func listedWords(row policy.BlastRow) string {
	if row.Listed {
		return ", and only to listed addresses"
	}
	return ""
}

// night prints what was asked, what became of it, and who was told.
func (p *page) night(t target, r *result) {
	rows := [][]string{{"time", "asked", "what became of it", "left so far"}}
	left := new(big.Int)
	for i := range r.answers {
		a := &r.answers[i]
		for _, o := range a.moved {
			if o.Kind == nem.OutflowTransfer {
				left.Add(left, new(big.Int).SetUint64(uint64(o.Amount)))
			}
		}
		rows = append(rows, []string{clockTime(a.at), r.policy.Show(a.asset, a.amount), a.words(), show(r.policy, t.asset, left.String())})
	}
	p.table(rows, 2)
	p.line("")
	p.left(r)
	p.signing(r)
	p.told(r)
	p.field("in 2018", "about 523,300,000 XEM left; it was noticed at 11:25")
	p.journal(r)
	p.line("")
}

// signing tells when signing stopped, and what stopped it.
func (p *page) signing(r *result) {
	last := "nothing was signed"
	for i := range r.answers {
		if r.answers[i].state != rpc.StateSigned {
			continue
		}
		last = "nothing was signed after " + clockTime(r.answers[i].at)
		if i == len(r.answers)-1 {
			last = "it did not stop: the last request was signed like the first"
		}
	}
	at, stopped := stoppedAt(r.Alarms)
	switch {
	case stopped && r.policy.Document().Tripwires.Refusals.Suspend > 0:
		p.field("stopped", "%s; at %s a tripwire suspended the client, for %s the first time", last, clockTime(at), r.policy.Document().Tripwires.Refusals.Suspend)
	case stopped:
		p.field("stopped", "%s; at %s a tripwire stopped the client", last, clockTime(at))
	default:
		p.field("stopped", "%s; no tripwire was touched", last)
	}
}

// cleverest prints the hours in which something was asked.
func (p *page) cleverest(r *result) {
	var keys []stockKey
	for _, l := range r.Losses {
		if l.Left != "0" {
			keys = append(keys, stockKey{l.Wallet, l.Asset})
		}
	}
	if len(r.answers) == 0 {
		p.field("asked", "nothing: whatever the intruder asks for alone is refused or waits for people")
	} else {
		p.hours(r, keys)
	}
	p.line("")
	if len(r.answers) > 0 && r.answers[0].at < r.begin {
		p.field("hoarded", "signed before the theft, within the life of a transaction, kept, and announced with the rest")
	}
	p.left(r)
	if r.Capped {
		p.field("note", "the policy would have signed more requests than the %d that were played, the largest first; the bound counts all of them", len(r.answers))
	}
	p.told(r)
	p.journal(r)
	p.line("")
}

// hours sums requests by when they were made.
func (p *page) hours(r *result, keys []stockKey) {
	header := []string{"when", "asked", "signed"}
	for _, k := range keys {
		header = append(header, "from "+string(k.wallet))
	}
	rows := [][]string{append(header, "")}
	for i := 0; i < len(r.answers); {
		slot := slotOf(r, i)
		sums, asked, signed := map[stockKey]*takings{}, 0, 0
		for ; i < len(r.answers) && slotOf(r, i) == slot; i++ {
			asked++
			if r.answers[i].state == rpc.StateSigned {
				signed++
			}
			one, err := sum(r.policy, r.answers[i:i+1])
			if err != nil {
				continue // it was summed before
			}
			for k, t := range one {
				if sums[k] == nil {
					sums[k] = &takings{}
				}
				sums[k].plus(t)
			}
		}
		row := []string{slot, strconv.Itoa(asked), strconv.Itoa(signed)}
		for _, k := range keys {
			amount := "0"
			if t := sums[k]; t != nil {
				amount = t.total().String()
			}
			row = append(row, show(r.policy, k.asset, amount))
		}
		rows = append(rows, append(row, ""))
	}
	p.table(rows, len(rows[0])-1)
}

// slotOf names the hour of an answer, in a long theft the day.
func slotOf(r *result, i int) string {
	at := r.answers[i].at
	if at < r.begin {
		return "hoarded"
	}
	if at == r.end {
		return "at the end"
	}
	if r.end-r.begin > 2*day {
		return fmt.Sprintf("day %d", (at-r.begin)/day+1)
	}
	n := (at - r.begin) / hour
	return fmt.Sprintf("hour %d, %s", n+1, clockTime(r.begin+n*hour))
}

// left prints what left beside the bound.
func (p *page) left(r *result) {
	word := "left"
	for _, l := range slices.Concat(r.Losses, together(r)) {
		if l.Left == "0" && !l.Exceeded {
			continue
		}
		name := string(l.Wallet)
		if name == "" {
			name = "all wallets together"
		}
		text := name + ": " + show(r.policy, l.Asset, l.Left)
		switch {
		case l.Exceeded:
			text += " OF AT MOST " + show(r.policy, l.Asset, l.Bound) + ": THE BOUND DOES NOT HOLD"
		case l.Unbounded:
			text += ", and nothing bounds it"
		default:
			text += " of at most " + show(r.policy, l.Asset, l.Bound) + " (" + l.share() + ")"
		}
		p.field(word, "%s", text)
		p.field("", "%s", partsOf(r.policy, &l))
		word = ""
	}
	if word != "" {
		p.field(word, "nothing")
	}
}

// partsOf says where it went. What reached a listed address is no theft, and counts in the bound.
func partsOf(p *policy.Policy, l *loss) string {
	burnt := " in fees"
	if slices.ContainsFunc(p.Document().Assets, func(a policy.Asset) bool { return a.Levy != nil && a.Levy.Asset == l.Asset }) {
		burnt = " in fees and levies"
	}
	var parts []string
	for _, part := range []struct{ amount, where string }{
		{l.ToIntruder, " to the intruder's own addresses"}, {l.ToListed, " to listed addresses"}, {l.Fees, burnt},
	} {
		if part.amount != "0" {
			parts = append(parts, show(p, l.Asset, part.amount)+part.where)
		}
	}
	return strings.Join(parts, ", ")
}

// together are the sums over all wallets, where they say more than the wallets do.
func together(r *result) []loss {
	return slices.DeleteFunc(slices.Clone(r.Together), func(t loss) bool {
		wallets := 0
		for _, l := range r.Losses {
			if l.Asset == t.Asset {
				wallets++
			}
		}
		return wallets < 2 && !t.Exceeded
	})
}

// shownAlarms bounds how many alarms are told of one by one.
const shownAlarms = 4

// told prints the alarms, and what the program of alarm_command gets of the first.
func (p *page) told(r *result) {
	if len(r.Alarms) == 0 {
		p.field("told", "nobody: nothing was refused, so nothing looked unusual")
		return
	}
	word := "told"
	for _, a := range r.Alarms[:min(len(r.Alarms), shownAlarms)] {
		p.field(word, "%s %s", clockTime(a.Clock), alarmWords(a))
		word = ""
	}
	if more := len(r.Alarms) - shownAlarms; more > 0 {
		p.field("", "and %d more", more)
	}
	text, err := json.Marshal(r.Alarms[0], json.Deterministic(true))
	if err != nil {
		return
	}
	p.field("", "alarm_command reads of the first, on standard input:")
	for _, line := range wrap(strings.ReplaceAll(string(text), ",\"", ", \""), width-4) {
		p.line("    %s", line)
	}
}

func alarmWords(a signer.Alarm) string {
	who := strings.TrimSpace(a.Facts["kind"] + " " + a.Facts["name"])
	switch a.Code {
	case ledger.AlarmFirstRefusal:
		return fmt.Sprintf("alarm: the first refusal of client %s (%s)", a.Facts["client"], policy.Words(a.Facts["code"]))
	case ledger.AlarmRefusals:
		return fmt.Sprintf("alarm: %s is suspended, refused too often for what its own checks exclude", who)
	case policy.CanaryAddressTripwire:
		return fmt.Sprintf("alarm: %s is suspended, it wanted to pay an address that only a thief would", who)
	}
	return "alarm: " + a.Code + " " + who
}

func (p *page) journal(r *result) {
	j := &r.Journal
	if !j.OK {
		p.field("journal", "DOES NOT VERIFY: %v", j.Failure)
		return
	}
	p.field("journal", "verified (package audit): entries %d, statements %d, decisions made again %d, signatures %d",
		j.Counts.Entries, j.Counts.Statements, j.Counts.Decisions, j.Counts.Signatures)
}

func (p *page) closing(r *robbery) {
	if r.OK {
		if slices.ContainsFunc(r.Cleverest.Losses, func(l loss) bool { return l.Unbounded }) {
			p.line("This policy does not bound what is lost with that key.")
			return
		}
		p.line("Nothing left beyond the bound.")
		return
	}
	p.line("*** MORE LEFT THAN THE BOUND ALLOWS, OR A JOURNAL DOES NOT VERIFY. ***")
	p.line("*** Do not put money behind this policy; report this run.          ***")
}
