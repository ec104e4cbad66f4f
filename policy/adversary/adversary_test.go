package adversary_test

import (
	"os"
	"strconv"
	"testing"

	"kura/nem"
	"kura/policy"
	"kura/policy/adversary"
	"kura/policy/source"
)

const (
	hour = policy.Millis(3_600_000)
	day  = 24 * hour
	// monday is 2026-01-05 00:00 at UTC+9, so that office hours come soon.
	monday = int64(1767538800000)
)

func example(t testing.TB, name string) *policy.Policy {
	t.Helper()
	text, err := os.ReadFile("../../examples/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := source.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// payees fills every book of a policy with a few addresses that take any message.
func payees(t testing.TB, p *policy.Policy) *policy.Book {
	t.Helper()
	change := &policy.BookChange{}
	for _, book := range p.Document().Books {
		if book == "blocked" || book == "sanctioned" {
			continue
		}
		for _, name := range []string{"nis1-mainnet", "symbol-mainnet"} {
			network, err := nem.ParseNetwork(name)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				key := nem.PublicKey{0: byte(len(book)), 1: byte(i), 2: book[0]}
				change.Add = append(change.Add, policy.Entry{
					Book: book, Name: name + " " + string(rune('a'+i)), Network: name, Address: key.Address(network).String(), Message: policy.MessageRule{Rule: "any"},
				})
			}
		}
	}
	var empty *policy.Book
	book, err := empty.Apply(change)
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// plays is how many plays follow the two planned ones: one of each kind within
// short spans, or what KURA_PLAYS says.
func plays(t testing.TB, span policy.Millis) int {
	text := os.Getenv("KURA_PLAYS")
	switch {
	case text == "" && span <= day:
		return 2
	case text == "":
		return 0
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("KURA_PLAYS: %v", err)
	}
	return n
}

// TestExamples holds the bound of the three examples from both sides: no play
// exceeds it, and the best reaches nine tenths.
func TestExamples(t *testing.T) {
	cases := []struct {
		policy, stolen string
		span           policy.Millis
		targets        []adversary.Target
	}{
		{"exchange", "client:backend,gateway,network,database", day, []adversary.Target{{"hot-xem", "xem"}, {"hot-xym", "xym"}, {"", "xem"}}},
		{"exchange", "client:backend", hour, []adversary.Target{{"hot-xem", "xem"}}},
		{"exchange", "client:backend", 30 * day, []adversary.Target{{"hot-xem", "xem"}}},
		{"exchange", "client:backend,officer:daichi,service:aml", day, []adversary.Target{{"hot-xem", "xem"}}},
		{"exchange", "client:rebalancer,officer:emi", day, []adversary.Target{{"hot-xym", "xym"}}},
		{"treasury", "client:bookkeeping,officer:ben", 7 * day, []adversary.Target{{"payments", "xem"}}},
		{"treasury", "client:bookkeeping,officer:ben", 30 * day, []adversary.Target{{"payments", "xem"}}},
		{"treasury", "client:bookkeeping,officer:aiko,officer:ben", 2 * day, []adversary.Target{{"payments", "xem"}}},
		{"treasury", "client:bookkeeping", 30 * day, []adversary.Target{{"payments", "xem"}}},
		{"regulator", "client:core,officer:daichi", day, []adversary.Target{{"hot", "xym"}}},
		{"regulator", "client:core,officer:daichi,service:screening", 30 * day, []adversary.Target{{"hot", "xym"}}},
		{"regulator", "client:core", 30 * day, []adversary.Target{{"hot", "xym"}}},
	}
	for _, c := range cases {
		p := example(t, c.policy)
		stolen, err := p.ParseStolen(c.stolen)
		if err != nil {
			t.Fatal(err)
		}
		if c.span > 7*day && os.Getenv("KURA_PLAYS") == "" {
			c.span = 7 * day // a month in the long campaign
		}
		for _, target := range c.targets {
			result, err := adversary.Search(adversary.Options{
				Policy: p, Book: payees(t, p), Stolen: stolen, Span: c.span, Target: target, Start: monday, Seed: 1, Plays: plays(t, c.span),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, %d plays, %d requests, best: %s\n%s", c.policy, result.Plays, result.Asked, result.Strategy, adversary.Table(p, []adversary.Result{result}))
			if result.Exceeds() {
				t.Errorf("%s: %s took more than the bound", c.policy, c.stolen)
			}
			if result.Ratio() < 900 {
				t.Errorf("%s: %s reached only %d thousandths of the bound", c.policy, c.stolen, result.Ratio())
			}
		}
	}
}
