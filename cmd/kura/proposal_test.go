package main

import (
	"strings"
	"testing"

	"kura/ledger/ledgertest"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// TestProposalShowsWhatItsAddressesCost: what can be lost after a proposal is counted with the addresses that come with
// it, and before it with those that are listed.
func TestProposalShowsWhatItsAddressesCost(t *testing.T) {
	w := ledgertest.NewWith(t, func(d *policy.Document) {
		d.Limits = d.Limits[:1]
		d.Limits[0].Window = 3 * ledgertest.Day
		d.Limits[0].Per = []string{"destination"}
	})
	change := policy.BookChange{Add: []policy.Entry{{
		Book: "known", Name: "another", Network: "nis1-testnet", Address: nem.PublicKey{7}.Address(nem.NIS1Testnet).String(), Message: policy.MessageRule{Rule: "any"},
	}}}
	next := *w.State.PolicyInForce().Document()
	next.Version, next.Previous, next.Title = 3, w.State.PolicyInForce().Hash().String(), "with another"
	p, err := policy.New(next)
	if err != nil {
		t.Fatal(err)
	}
	addresses := string(change.Text())
	for _, proposed := range []statement.Hash{
		w.Propose("alice", statement.ProposeAddresses, addresses, "").About,
		w.Propose("alice", statement.ProposePolicy, string(p.Text()), addresses).About,
	} {
		var text strings.Builder
		page := newPage(&text)
		m := &mirror{state: w.State}
		if err := m.showProposal(page, proposed); err != nil {
			t.Fatal(err)
		}
		if err := page.flush(); err != nil {
			t.Fatal(err)
		}
		said := strings.Join(strings.Fields(text.String()), " ")
		for _, want := range []string{"client:shop before 1,000 XEM", "after 2,000 XEM"} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not say %q:\n%s", want, text.String())
			}
		}
	}
}
