package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"pgregory.net/rapid"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A machine does at random everything that can be done to a journal.
type machine struct {
	*ledgertest.World
	envelopes []statement.Envelope // of everything submitted
	hashes    []statement.Hash
	ids       []statement.ID // of withdrawals
	handed    int            // times that the log key was handed over
	changes   int
	stopped   map[statement.Hash]bool // authorisations that a stop covered once and still does
}

func newMachine(t *rapid.T) *machine {
	return &machine{World: ledgertest.New(t), stopped: map[statement.Hash]bool{}}
}

var everybody = []string{"alice", "bob", "carol", "dave", "erin", "aml", "watch", "shop", "desk", "mallory"}

func (m *machine) submit(t *rapid.T, who string, body statement.Body) {
	e := m.Envelope(who, body)
	m.envelopes = append(m.envelopes, e)
	m.hashes = append(m.hashes, statement.HashText(e.Statement))
	signed, err := statement.Open(e)
	if err != nil {
		t.Fatal(err)
	}
	m.Ticks()
	before := m.State.Hash()
	if _, _, err := ledger.Judge(m.State, ledger.StatementInput{Signed: signed}, m.Now()); err != nil && !errors.Is(err, ledger.ErrClock) {
		t.Fatal(err)
	}
	if m.State.Hash() != before {
		t.Fatal("Judge changed the state")
	}
	m.judge(t, ledger.StatementInput{Signed: signed})
}

// judge judges an input that may be refused, and what is due after it.
func (m *machine) judge(t *rapid.T, in ledger.Input) {
	if _, err := m.Judge(in); err != nil && !errors.Is(err, ledger.ErrInput) && !errors.Is(err, ledger.ErrClock) {
		t.Fatal(err)
	}
	m.Ticks()
}

func (m *machine) withdraw(t *rapid.T) {
	x := rapid.SampledFrom(m.Wallets).Draw(t, "wallet")
	amount := rapid.SampledFrom([]nem.Amount{1, ledgertest.Small, ledgertest.SmallMax, ledgertest.SmallMax + 1, ledgertest.BigMax, ledgertest.BigMax + 1}).Draw(t, "amount")
	body := m.Withdrawal(x, amount)
	switch rapid.IntRange(0, 9).Draw(t, "twist") {
	case 0:
		body.Destination = x.Stranger.String()
	case 1:
		body.WalletAddress = x.Stranger.String()
	case 2:
		body.MaxFee = 1
	case 3:
		body.Expires = m.Clock + ledgertest.Minute
	case 4:
		body.ID = m.IDAt(m.Clock - 2*ledgertest.Day)
	case 5, 6:
		if len(m.ids) > 0 {
			body.Replaces = rapid.SampledFrom(m.ids).Draw(t, "replaces")
		}
	}
	m.ids = append(m.ids, body.ID)
	m.submit(t, rapid.SampledFrom([]string{"shop", "shop", "shop", "desk", "alice", "mallory"}).Draw(t, "client"), body)
}

func (m *machine) judgeThem(t *rapid.T) {
	var about []statement.Hash
	for _, r := range m.State.Pending() {
		about = append(about, r.Hash)
	}
	for _, p := range m.State.Proposals() {
		about = append(about, p.Hash)
	}
	for _, f := range m.State.Freezes() {
		about = append(about, f.Hash)
	}
	about = append(about, m.hashes...)
	if len(about) == 0 {
		return
	}
	picked := rapid.SliceOfNDistinct(rapid.SampledFrom(about), 1, min(3, len(about)), rapid.ID[statement.Hash]).Draw(t, "about")
	kind := rapid.SampledFrom([]statement.VerdictKind{statement.Approve, statement.Approve, statement.Approve, statement.Lift, statement.Lift, statement.Reject, statement.Cancel, statement.Veto}).Draw(t, "kind")
	v := &statement.Verdict{
		Journal: m.Journal(), ID: m.ID(), Expires: m.Clock + ledgertest.Minute, Verdict: kind, About: picked,
		Policy: m.State.PolicyInForce().Hash(), Reason: "because",
	}
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		v.Policy = statement.Hash{1}
	}
	m.submit(t, rapid.SampledFrom(everybody).Draw(t, "who"), v)
}

func (m *machine) freeze(t *rapid.T) {
	kinds := map[statement.FreezeAction][]statement.Target{
		statement.ActionFreeze:  {{Kind: statement.TargetAll}, {Kind: statement.TargetWallet, Name: "hot-xem"}, {Kind: statement.TargetClient, Name: "shop"}},
		statement.ActionSuspend: {{Kind: statement.TargetPerson, Name: "bob"}, {Kind: statement.TargetClient, Name: "desk"}, {Kind: statement.TargetAddress, Name: m.Wallets[0].Destination.String()}},
		statement.ActionLower:   {{Kind: statement.TargetLimit, Name: "xem-day"}},
	}
	action := rapid.SampledFrom([]statement.FreezeAction{statement.ActionFreeze, statement.ActionSuspend, statement.ActionLower}).Draw(t, "action")
	f := &statement.Freeze{
		Journal: m.Journal(), ID: m.ID(), Expires: m.Clock + ledgertest.Minute, Action: action,
		Target: rapid.SampledFrom(kinds[action]).Draw(t, "target"),
	}
	if action == statement.ActionLower {
		amount := nem.Amount(rapid.Uint64Range(0, ledgertest.DayMax).Draw(t, "number"))
		f.Amount = &amount
	}
	m.submit(t, rapid.SampledFrom(everybody).Draw(t, "who"), f)
}

func (m *machine) propose(t *rapid.T) {
	m.changes++
	p := &statement.Proposal{
		Journal: m.Journal(), ID: m.ID(), Expires: m.Clock + 2*ledgertest.Day, Base: m.State.PolicyInForce().Hash(),
	}
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		doc := *m.State.PolicyInForce().Document()
		doc.Version, doc.Previous, doc.Title = doc.Version+1, m.State.PolicyInForce().Hash().String(), fmt.Sprint("change ", m.changes)
		next, err := policy.New(doc)
		if err != nil {
			t.Fatal(err)
		}
		p.Proposes, p.Document = statement.ProposePolicy, string(next.Text())
	case 1:
		x := rapid.SampledFrom(m.Wallets).Draw(t, "wallet")
		c := policy.BookChange{Add: []policy.Entry{{
			Book: "known", Name: fmt.Sprint("new-", m.changes), Network: x.Network.String(), Address: x.Stranger.String(),
			Message: policy.MessageRule{Rule: "none"},
		}}}
		p.Proposes, p.Document = statement.ProposeAddresses, string(c.Text())
	case 2:
		doc, err := json.Marshal(policy.Evacuation{Wallet: "hot-xem", Assets: []policy.Value{{Asset: "xem", Amount: 5 * ledgertest.DayMax}}, MaxFee: 5_000_000})
		if err != nil {
			t.Fatal(err)
		}
		p.Proposes, p.Document = statement.ProposeEvacuation, string(doc)
	case 3:
		doc, err := json.Marshal(policy.Resume{Time: m.Clock})
		if err != nil {
			t.Fatal(err)
		}
		p.Proposes, p.Document = statement.ProposeResume, string(doc)
	case 4:
		key := rapid.SampledFrom([][32]byte{ledgertest.LogKey(m.handed + 1), ledgertest.LogKey(m.handed), ledgertest.LogKey(0), {9}}).Draw(t, "log key")
		p.Proposes, p.Document = statement.ProposeLogKey, policy.LogKeyText(key)
	}
	m.submit(t, rapid.SampledFrom(everybody).Draw(t, "who"), p)
}

// agree has two directors approve whatever is proposed or held, or lift what is frozen.
func (m *machine) agree(t *rapid.T) {
	var about []statement.Hash
	kind := statement.Approve
	for _, p := range m.State.Proposals() {
		about = append(about, p.Hash)
	}
	for _, r := range m.State.Pending() {
		about = append(about, r.Hash)
	}
	if rapid.Bool().Draw(t, "lift") {
		kind, about = statement.Lift, nil
		for _, f := range m.State.Freezes() {
			about = append(about, f.Hash)
		}
	}
	if len(about) > 0 {
		about = about[:min(len(about), 40)]
		m.Verdict("alice", kind, about...)
		m.Verdict("carol", kind, about...)
	}
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"withdraw":  m.withdraw,
		"withdraw2": m.withdraw,
		"judge":     m.judgeThem,
		"agree":     m.agree,
		"freeze":    m.freeze,
		"propose":   m.propose,
		"again": func(t *rapid.T) {
			if len(m.envelopes) == 0 {
				t.Skip()
			}
			signed, err := statement.Open(rapid.SampledFrom(m.envelopes).Draw(t, "envelope"))
			if err != nil {
				t.Fatal(err)
			}
			m.Ticks()
			m.judge(t, ledger.StatementInput{Signed: signed})
		},
		"sign": func(t *rapid.T) { m.SignAll() },
		"time": func(t *rapid.T) {
			m.Advance(rapid.SampledFrom([]int64{1, 500, ledgertest.Minute, ledgertest.Hour, 13 * ledgertest.Hour, 25 * ledgertest.Hour}).Draw(t, "millis"))
			m.Ticks()
		},
		"clock": func(t *rapid.T) {
			m.Clock += rapid.Int64Range(-2*ledgertest.Hour, 2*ledgertest.Hour).Draw(t, "jump")
			m.Ticks()
		},
		"restart": func(t *rapid.T) {
			if rapid.Bool().Draw(t, "machine too") {
				m.BootID, m.Boot = fmt.Sprint("boot-", m.changes, m.Clock), 5000
			}
			m.Restart()
			for _, r := range m.State.Strandable(m.Clock) {
				m.judge(t, ledger.StrandInput{About: r.Hash})
			}
			m.Ticks()
		},
		"vouch": func(t *rapid.T) {
			ago := rapid.Int64Range(0, ledgertest.Hour).Draw(t, "ago")
			m.judge(t, m.Cosigned(ledgertest.Witnesses("ann", "ben"), 2, m.Clock-ago, m.Clock))
		},
		"host stop": func(t *rapid.T) {
			m.judge(t, ledger.StopInput{By: "root", Action: statement.ActionFreeze, Target: ledger.Target{Kind: statement.TargetWallet, Name: "hot-xym"}, Reason: "host"})
		},
		"wallet state": func(t *rapid.T) {
			state := rapid.SampledFrom([]string{ledger.WalletActive, ledger.WalletSuspended, ledger.WalletRetired}).Draw(t, "state")
			if state == ledger.WalletRetired && rapid.IntRange(0, 4).Draw(t, "for good") > 0 {
				return // it never signs again
			}
			m.judge(t, ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: "hot-xym", State: state}})
		},
		"hand over": func(t *rapid.T) {
			next := ledgertest.LogKey(m.handed + 1)
			permit := m.State.LogKeyPermit()
			_, err := m.Judge(ledger.HandoverInput{New: next})
			if may := permit != nil && permit.New == next && permit.From <= m.State.PolicyTime(m.Clock, m.Boot); may != (err == nil) || err != nil && !errors.Is(err, ledger.ErrInput) {
				t.Fatalf("permitted %v: %v", may, err)
			}
			if err == nil {
				m.handed++
			}
			m.Ticks()
		},
		"": m.invariants,
	}
}

// invariants holds after every step.
func (m *machine) invariants(t *rapid.T) {
	for _, r := range m.State.Unsigned(m.Clock) {
		if _, frozen := m.State.Overlay().Frozen(r.Wallet); frozen && r.Type == statement.TypeWithdrawal {
			t.Fatalf("%s may be signed although its wallet is frozen", r.ID)
		}
		if !m.State.MaySign(r.Hash, m.Clock) {
			t.Fatalf("%s is to be signed and may not be", r.ID)
		}
	}
}

// TestAnyJournal plays at random and checks what must hold of every journal.
func TestAnyJournal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(m.actions())
		checkOncePerID(t, m.Entries)
		checkAlwaysLimits(t, m.Entries)
		again, ahead := ledger.NewState(), ledger.NewState()
		rest := make([]func() error, len(m.Lines))
		for i, line := range slices.Backward(m.Lines) { // in any order
			e, err := journal.DecodeEntry(line)
			if err != nil {
				t.Fatal(err)
			}
			rest[i] = ahead.Ahead(e)
		}
		for i, line := range m.Lines {
			e, err := journal.DecodeEntry(line)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(again.Apply(e), rest[i]()); err != nil {
				t.Fatal(err)
			}
		}
		if again.Hash() != m.State.Hash() || ahead.Hash() != m.State.Hash() {
			t.Fatal("the fold of the encoded entries is another state than the live one")
		}
		report, err := audit.Verify(context.Background(), bytes.NewReader(m.Export()), audit.Options{Genesis: m.Genesis.String()})
		if err != nil || !report.OK {
			t.Fatalf("%v %v", err, report.Failure)
		}
	})
}

// checkOncePerID demands that no id and no bytes were authorised twice (I3).
func checkOncePerID(t *rapid.T, entries []journal.Entry) {
	ids, unsigned := map[string]uint64{}, map[string]uint64{}
	for _, e := range entries {
		o, ok := body(t, e).(*ledger.Outcome)
		if !ok || o.Transaction == nil {
			continue
		}
		if first, twice := ids[o.ID]; twice {
			t.Fatalf("id %s was authorised in entries %d and %d", o.ID, first, e.Seq)
		}
		if first, twice := unsigned[o.Transaction.Unsigned]; twice {
			t.Fatalf("entries %d and %d authorise the same bytes", first, e.Seq)
		}
		ids[o.ID], unsigned[o.Transaction.Unsigned] = e.Seq, e.Seq
	}
}

// checkAlwaysLimits adds up, by brute force, what left in every window of an always limit (I2).
func checkAlwaysLimits(t *rapid.T, entries []journal.Entry) {
	type spend struct{ time, amount int64 }
	spent := map[policy.AssetRef][]spend{}
	authorized := map[statement.Hash]bool{}
	for _, e := range entries {
		switch b := body(t, e).(type) {
		case *ledger.Outcome:
			authorized[b.About] = b.State == ledger.StateAuthorized
		case *ledger.Reasons:
			if !authorized[b.About] {
				continue
			}
			var d policy.Decision
			if err := json.Unmarshal(b.Decision, &d); err != nil {
				t.Fatal(err)
			}
			for _, o := range d.Outflows {
				spent[o.Asset] = append(spent[o.Asset], spend{e.Time, int64(o.Amount)})
			}
		}
	}
	for asset, all := range spent {
		for i, last := range all {
			sum := int64(0)
			for _, s := range slices.Backward(all[:i+1]) {
				if s.time > last.time-ledgertest.Day {
					sum += s.amount
				}
			}
			if sum > ledgertest.DayMax {
				t.Fatalf("%d of %s left within a day, the limit is %d", sum, asset, ledgertest.DayMax)
			}
		}
	}
}

func body(t ledgertest.TB, e journal.Entry) ledger.Body {
	b, err := ledger.DecodeBody(e.Kind, e.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
