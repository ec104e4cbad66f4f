package audit

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// maxRows bounds each list of a page; what is left out is counted.
const maxRows = 5000

// A history is what a page shows of a journal, gathered while it is verified. Texts that others wrote are
// quoted here (statement.Quote), and escaped once more by the template.
type history struct {
	From, To string // times of the first and the last entry
	Payments list[*payment]
	Denials  list[*payment]
	Held     []*payment
	Stops    list[*stop]
	Changes  list[*change]
	Alarms   list[alarm]
	Wallets  []wallet
	Totals   []total

	requests map[statement.Hash]*payment
	stops    map[statement.Hash]*stop
	changes  map[statement.Hash]*change
	verdicts map[statement.Hash]*spoken // until their outcome says whether they count
	totals   map[string]*total
}

// A list keeps its first rows and counts the rest.
type list[T any] struct {
	Rows []T
	More int
}

func (l *list[T]) add(row T) {
	if len(l.Rows) == maxRows {
		l.More++
		return
	}
	l.Rows = append(l.Rows, row)
}

type payment struct {
	Seq                               uint64
	Time, ID, Client, Wallet, To      string
	Amounts, Message, Reference, Fee  string
	State, Code, Rule, Hash, Customer string
	ApprovedBy                        []string
	moved                             []moved
}

// moved is one asset that a payment moves.
type moved struct {
	wallet, asset string
	amount        nem.Amount
	decimals      uint8
}

type stop struct {
	Seq                    uint64
	Time, What, By, Reason string
	LiftedBy               []string
	Lifted                 string
	Alive                  int
}

type change struct {
	Seq                        uint64
	Time, Proposes, By, Reason string
	State, Code, Effective     string
	Approved, Vetoed           []string
}

type alarm struct {
	Seq               uint64
	Time, Code, Facts string
}

type wallet struct{ Name, Network, Address, Custody, Origin, State string }

type total struct {
	Wallet, Asset string
	Count         int
	Amount        string
	sum           nem.Amount
	decimals      uint8
	overflow      bool
}

type spoken struct {
	by   string
	kind statement.VerdictKind
}

func newHistory() *history {
	return &history{
		requests: map[statement.Hash]*payment{}, stops: map[statement.Hash]*stop{},
		changes: map[statement.Hash]*change{}, verdicts: map[statement.Hash]*spoken{}, totals: map[string]*total{},
	}
}

// visit takes in one verified entry.
func (h *history) visit(e journal.Entry, body ledger.Body, s *ledger.State) {
	h.To = statement.FormatTime(e.Clock)
	if e.Seq == 0 {
		h.From = h.To
	}
	switch b := body.(type) {
	case *ledger.Statement:
		h.statement(e, b, s)
	case *ledger.Outcome:
		h.outcome(e, b)
	case *ledger.Reasons:
		h.reasons(b)
	case *ledger.Signature:
		if p := h.requests[b.About]; p != nil {
			p.State, p.Hash = ledger.StateSigned, b.Transaction
			delete(h.requests, b.About) // nothing follows
		}
	case *ledger.Adoption:
		if c := h.changes[b.Proposal]; c != nil {
			c.Effective = statement.FormatTime(b.Effective)
		}
	case *ledger.Stop:
		if line, err := e.Encode(); err == nil {
			h.stop(ledger.Leaf(journal.LeafHash(line)), &stop{
				Seq: e.Seq, Time: h.To, What: what(b.Action, string(b.Target.Kind), b.Target.Name),
				By: b.By.Kind + " " + quote(b.By.ID), Reason: quote(b.Reason),
			})
		}
	case *ledger.WalletState:
		if line, err := e.Encode(); err == nil {
			h.stop(ledger.Leaf(journal.LeafHash(line)), &stop{
				Seq: e.Seq, Time: h.To, What: b.State + ": the key of wallet " + quote(b.Wallet), By: "host", Reason: quote(b.Reason),
			})
		}
	case *ledger.Alarm:
		var facts []string
		for _, f := range b.Facts {
			facts = append(facts, f.Name+" "+quote(f.Value))
		}
		h.Alarms.add(alarm{e.Seq, h.To, b.Code, strings.Join(facts, ", ")})
	}
}

func quote(text string) string {
	if text == "" {
		return ""
	}
	return statement.Quote(text, 200)
}

func what(action statement.FreezeAction, kind, name string) string {
	return strings.TrimSpace(string(action) + " " + kind + " " + quote(name))
}

func (h *history) statement(e journal.Entry, b *ledger.Statement, s *ledger.State) {
	body, err := statement.Decode(b.Statement)
	if err != nil {
		return // the ledger has just decoded it
	}
	by := b.By.Kind + " " + b.By.ID
	switch body := body.(type) {
	case *statement.Withdrawal:
		p := &payment{
			Seq: e.Seq, Time: h.To, ID: body.ID.String(), Client: by, Wallet: body.Wallet, To: body.Destination,
			Message: quote(body.Message.Value), Reference: quote(body.Reference), Customer: quote(body.Customer),
		}
		p.assets(body, s.PolicyInForce())
		h.requests[b.Hash] = p
	case *statement.Verdict:
		h.verdicts[b.Hash] = &spoken{by, body.Verdict}
	case *statement.Freeze:
		x := &stop{Seq: e.Seq, Time: h.To, What: what(body.Action, string(body.Target.Kind), body.Target.Name), By: by, Reason: quote(body.Reason)}
		if body.Amount != nil {
			x.What += " to " + body.Amount.String()
		}
		h.stop(b.Hash, x)
	case *statement.Proposal:
		c := &change{Seq: e.Seq, Time: h.To, Proposes: string(body.Proposes), By: by, Reason: quote(body.Reason)}
		h.changes[b.Hash] = c
		h.Changes.add(c)
	}
}

func (h *history) stop(hash statement.Hash, x *stop) {
	h.stops[hash] = x
	h.Stops.add(x)
}

// assets fills in what a payment moves, in whole units beside the raw numbers.
func (p *payment) assets(w *statement.Withdrawal, in *policy.Policy) {
	account, known := in.Account(policy.WalletID(w.Wallet))
	var parts []string
	for _, a := range w.Assets {
		name, decimals := a.Asset, uint8(0)
		if id, err := nem.ParseAssetID(account.Network.Chain(), a.Asset); known && err == nil {
			if listed, ok := in.AssetOf(account.Network, id); ok {
				name, decimals = listed.Name, listed.Divisibility
			}
		}
		p.moved = append(p.moved, moved{w.Wallet, name, a.Amount, decimals})
		parts = append(parts, fmt.Sprintf("%s %s (%s)", whole(a.Amount, decimals), quoteName(name), a.Amount))
	}
	p.Amounts = strings.Join(parts, ", ")
}

func quoteName(name string) string { return strings.Trim(statement.Quote(name, 200), `"`) }

// whole writes an amount in whole units, with all its decimals.
func whole(a nem.Amount, decimals uint8) string {
	if decimals == 0 {
		return a.String()
	}
	digits := fmt.Sprintf("%0*d", int(decimals)+1, uint64(a))
	return digits[:len(digits)-int(decimals)] + "." + digits[len(digits)-int(decimals):]
}

func (h *history) outcome(e journal.Entry, b *ledger.Outcome) {
	if p := h.requests[b.About]; p != nil {
		h.payment(p, b)
		return
	}
	if x := h.stops[b.About]; x != nil {
		x.Alive += len(b.Alive)
		if b.State == ledger.StateLifted {
			x.Lifted = statement.FormatTime(e.Clock)
		}
		if b.State == ledger.StateRefused {
			x.Lifted = "refused: " + b.Code
		}
		return
	}
	if c := h.changes[b.About]; c != nil {
		c.State, c.Code = b.State, b.Code
		return
	}
	if v := h.verdicts[b.About]; v != nil {
		delete(h.verdicts, b.About)
		for _, r := range b.Results {
			if r.State == ledger.StateCounted {
				h.counted(v, r.About)
			}
		}
	}
}

func (h *history) payment(p *payment, b *ledger.Outcome) {
	p.State, p.Code = b.State, b.Code
	switch b.State {
	case ledger.StateAuthorized:
		p.Fee = b.Transaction.Fee.String()
		h.Payments.add(p)
		for _, m := range p.moved {
			h.add(m)
		}
	case ledger.StateStranded:
		if p.Fee == "" { // it was held when the journal lost entries
			h.Denials.add(p)
		}
		delete(h.requests, b.About)
	case ledger.StateDenied, ledger.StateRejected, ledger.StateCancelled, ledger.StateLapsed:
		h.Denials.add(p)
		delete(h.requests, b.About)
	}
}

func (h *history) add(m moved) {
	key := m.wallet + "\x00" + m.asset
	t := h.totals[key]
	if t == nil {
		t = &total{Wallet: m.wallet, Asset: quoteName(m.asset), decimals: m.decimals}
		h.totals[key] = t
	}
	t.Count++
	sum, ok := t.sum.Add(m.amount)
	t.sum, t.overflow = sum, t.overflow || !ok
}

// counted notes for whom a verdict counted.
func (h *history) counted(v *spoken, about statement.Hash) {
	if p := h.requests[about]; p != nil && v.kind == statement.Approve {
		p.ApprovedBy = append(p.ApprovedBy, v.by)
	}
	if x := h.stops[about]; x != nil && v.kind == statement.Lift {
		x.LiftedBy = append(x.LiftedBy, v.by)
	}
	c := h.changes[about]
	switch {
	case c == nil:
	case v.kind == statement.Approve:
		c.Approved = append(c.Approved, v.by)
	case v.kind == statement.Veto:
		c.Vetoed = append(c.Vetoed, v.by)
	}
}

// reasons notes which rule decided about a payment.
func (h *history) reasons(b *ledger.Reasons) {
	p := h.requests[b.About]
	if p == nil {
		return
	}
	var d policy.Decision
	if json.Unmarshal(b.Decision, &d, json.RejectUnknownMembers(true)) == nil {
		p.Rule = d.Rule
	}
}

// finish sums up with the state after the last entry.
func (h *history) finish(s *ledger.State) {
	for _, r := range s.Pending() {
		if p := h.requests[r.Hash]; p != nil {
			h.Held = append(h.Held, p)
		}
	}
	for _, w := range s.Wallets() {
		origin := "made in the token"
		if w.Imported {
			origin = "IMPORTED: its old copies are out of reach"
		}
		h.Wallets = append(h.Wallets, wallet{w.Name, w.Network, w.Address, w.Custody, origin, w.State})
	}
	for _, t := range h.totals {
		t.Amount = whole(t.sum, t.decimals)
		if t.overflow {
			t.Amount = "more than 64 bits hold"
		}
		h.Totals = append(h.Totals, *t)
	}
	slices.SortFunc(h.Totals, func(a, b total) int { return strings.Compare(a.Wallet+a.Asset, b.Wallet+b.Asset) })
}
