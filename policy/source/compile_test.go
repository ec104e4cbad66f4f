package source_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"kura/policy"
	"kura/policy/source"
)

func treasury(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile("../../examples/treasury.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMistakes: each kind of mistake is refused at its place, with what would be
// right. A mistake is made by replacing the first occurrence of a text.
func TestMistakes(t *testing.T) {
	good := treasury(t)
	if _, err := source.Compile([]byte(good)); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, old, bad string
		want           string // in the message
	}{
		{"anchor", "people:", "people: &people", "an anchor"},
		{"alias", "services: []", "services: *people", "alias"},
		{"merge key", "  - id: aiko\n", "  - id: aiko\n    <<: {a: b}\n", "merge key"},
		{"tag", "semantics: 1", "semantics: !!int 1", "a tag"},
		{"null", "title: Small treasury", "title:", "no value"},
		{"tilde", "title: Small treasury", "title: ~", "no value"},
		{"twice", "title: Small treasury", "title: a\ntitle: b", "title"},
		{"fraction", "veto: 2", "veto: 2.5", "a fraction"},
		{"octal", "veto: 2", "veto: 02", "the number 02"},
		{"hex", "veto: 2", "veto: 0x2", "the number 0x2"},
		{"sign", "veto: 2", "veto: -2", "the number -2"},
		{"text block", "title: Small treasury", "title: |\n  two\n  lines", "a text block"},
		{"yes", "always: true", "always: yes", "want true or false"},
		{"capital", "always: true", "always: True", "want true or false"},
		{"tab", "  - id: aiko", "\t- id: aiko", "indented with a tab; want spaces"},
		{"unclosed", "services: []", "services: [", "a bracket is opened and not closed in this line"},
		{"crooked", "    of: amount\n    wallet", "    of: amount\n   wallet", "want what belongs together indented alike"},
		{"no unit", "max: 1_000_000 XEM", "max: 1_000_000", "limits[0].max: 1_000_000 without a unit; write 1_000_000 XEM"},
		{"underscores in a count", "supply: 8999999999", "supply: 8_999_999_999", "want a whole number in plain digits"},
		{"second document", "services: []", "services: []\n---\na: b", "second document"},
		{"unknown member", "coolingOff: 0s", "colingOff: 0s", "did you mean coolingOff?"},
		{"member of elsewhere", "semantics: 1", "semantics: 1\nmood: good", `"mood" is no member; want only semantics`},
		{"missing member", "    lastDay: \"\"\n    userVerification: false\n  - id: ben", "    userVerification: false\n  - id: ben", "lastDay is missing"},
		{"list expected", "books: [suppliers, staff]", "books: suppliers", "want a list"},
		{"mapping expected", "coolingOff: 0s\n      expiry: 3d\n      rejections: 1", "coolingOff: {}\n      expiry: 3d\n      rejections: 1", "want a span"},
		{"text expected", "title: Small treasury", "title: 2027", "put quotes around it"},
		{"number expected", "veto: 2", "veto: two", "want a number"},
		{"too large a number", "veto: 2", "veto: 99999999999999999999", "veto: 99999999999999999999; want a smaller number"},
		{"too large a supply", "supply: 8999999999", "supply: 99999999999999999999", "want a smaller number"},
		{"fraction of a count", "veto: 2", "veto: 2.0", "want a whole number"},
		{"letters that only look the same", "max: 1_000_000 XEM", "max: 1_000_000 \u0425\u0415\u041c", "(character 11 is U+0425)"},
		{"digits that only look the same", "max: 1_000_000 XEM", "max: \uff11 XEM", "(character 1 is U+FF11)"},
		{"a space that nobody sees", "max: 1_000_000 XEM", "max: 1_000_000\u00a0XEM", "(character 10 is U+00A0); write 1_000_000 XEM"},
		{"a name that only looks the same", "wallet: [payments]", "wallet: [p\u0430yments]", "(character 2 is U+0430); did you mean payments?"},
		{"a member that only looks the same", "custody: sealed", "\u0441ustody: sealed", "(character 1 is U+0441) is no member; did you mean custody?"},
		{"a span that only looks the same", "life: 2h", "life: 2\u04bb", "(character 2 is U+04BB)"},
		{"a name of other letters", "id: payments", "id: p\u0430yments", "(character 2 is U+0430) is no name"},
		{"another encoding", "title: Small treasury", "title: Tr\xe9sorerie", "line 8, column 10: the byte 0xe9, which is no UTF-8; save the file as UTF-8"},
		{"divisibility of the currency", "divisibility: 6", "divisibility: 5", "divisibility 5 of the currency of nis1-mainnet; want 6"},
		{"negative divisibility", "divisibility: 6", "divisibility: 600", "want a smaller number"},
		{"span without unit", "life: 2h", "life: 7200", "want a span"},
		{"span in words", "life: 2h", "life: two hours", "want a span"},
		{"span out of order", "life: 2h", "life: 30m2h", "want a span"},
		{"empty span", "life: 2h", `life: ""`, "no span"},
		{"amount without unit", "max: 1_000_000 XEM", "max: 1000000", "write 1000000 XEM"},
		{"amount with wrong unit", "max: 1_000_000 XEM", "max: 1_000_000 XYM", "want the unit of xem, XEM"},
		{"amount with a comma", "max: 1_000_000 XEM", "max: 1,000,000 XEM", "write 1_000_000 XEM"},
		{"amount grouped wrongly", "max: 1_000_000 XEM", "max: 10_00 XEM", "want digits"},
		{"amount too fine", "max: 1_000_000 XEM", "max: 0.0000001 XEM", "at most 6 after the point"},
		{"amount without end", "max: 1_000_000 XEM", "max: 1. XEM", "want digits"},
		{"amount of nothing", "amount: {upTo: 30_000 XEM}", "amount: {}", "state above, upTo or both"},
		{"amount of no asset", "when: {destination: [staff], asset: [xem], amount", "when: {destination: [staff], amount", "which asset"},
		{"list for an amount", "max: 1_000_000 XEM", "max: [1]", "want an amount"},
		{"no such asset", "asset: [xem], amount: {upTo: 30_000 XEM}", "asset: [xen], amount: {upTo: 30_000 XEM}", "did you mean xem?"},
		{"no such book", "destination: [staff]", "destination: [staf]", "did you mean staff?"},
		{"no such group", "group: finance", "group: finanec", "did you mean finance?"},
		{"no such person", "operators: [daichi]", "operators: [daihci]", "did you mean daichi?"},
		{"no such wallet", "wallet: [payments]", "wallet: [paiments]", "did you mean payments?"},
		{"count too high", "{group: finance, count: 1}", "{group: finance, count: 4}", "want 1 to 3"},
		{"group twice", "{group: finance, count: 1}", "{group: finance, count: 1}, {group: finance, count: 1}", "stands twice"},
		{"key twice", "AAAAIAQfStRHxt/VDurk5Dgh5RWLnIuwqIHb33fFaiAT/4wV", "AAAAIIS7iYuCnQi8OrIf902vu2Eg1cByc2YIggZrKDFlUtAR", "already belongs to person aiko"},
		{"bad key", "AAAAIAQfStRHxt/VDurk5Dgh5RWLnIuwqIHb33fFaiAT/4wV", "AAAA", "fields of the .pub file"},
		{"RSA key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAQfStRHxt/VDurk5Dgh5RWLnIuwqIHb33fFaiAT/4wV", "ssh-rsa AAAA", "fields of the .pub file"},
		{"verification by software", "userVerification: false", "userVerification: true", "want a security key"},
		{"no day", `lastDay: "2027-06-30"`, `lastDay: "30.6.2027"`, "want a day as"},
		{"impossible day", `lastDay: "2027-06-30"`, `lastDay: "2027-06-31"`, "want a day as"},
		{"address of the other chain", "rescue: NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE", "rescue: NBJUZN2RTMFPRSJCMZV3MTQWEA5CG6LBPWOVUXQ", "Symbol"},
		{"address of a testnet", "rescue: NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE", "rescue: TDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ5XC7W2Z", "testnet"},
		{"misspelt address", "NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE", "NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFA", "rescue"},
		{"the wallet as its own rescue", "rescue: NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE", "rescue: NBCDJQXQZMTMMLAYNQU253J5TTKVPMNIL7HOF7CV", "elsewhere"},
		{"custody of the other chain", "custody: sealed", "custody: token", `want "sealed"`},
		{"unknown network", "network: nis1-mainnet", "network: nem-mainnet", "want one of nis1-mainnet"},
		{"life too long", "life: 2h", "life: 2d", "want 1m to 1d"},
		{"unknown then", "then: approve", "then: maybe", `want "deny", "sign" or "approve"`},
		{"approval missing", "then: approve\n    approval:\n      anyOf: [{allOf: [{group: finance, count: 1}]}]\n      coolingOff: 0s\n      expiry: 3d\n      rejections: 1", "then: approve", "state who approves"},
		{"approval superfluous", "then: approve", "then: sign", "leave approval out"},
		{"cooling longer than expiry", "coolingOff: 1h", "coolingOff: 4d", "lapses after 3d"},
		{"unknown day of the week", "days: [mon,", "days: [monday,", "no day is called"},
		{"no time of day", `from: "09:00"`, `from: "9:00"`, "want a time of day"},
		{"no offset", `offset: "+09:00"`, `offset: "JST"`, "want an offset"},
		{"hours of nothing", `to: "19:00"`, `to: "09:00"`, "another time than from"},
		{"no last day of a rule", "then: approve", "then: approve\n    lastDay: tomorrow", "want a day as"},
		{"rule twice", "id: suppliers-large", "id: suppliers", "stands twice"},
		{"limit twice", "id: payee-week", "id: week", "stands twice"},
		{"bad name", "id: payments", "id: Payments!", "lower-case letters"},
		{"per out of order", "per: [destination]", "per: [destination, wallet]", "want the order"},
		{"per unknown", "per: [destination]", "per: [day]", "no part of a key"},
		{"at unknown", "at: deny", "at: stop", `want "deny", "approve" or "wait"`},
		{"always with approval", "at: deny", "at: approve", "binds what a quorum approved"},
		{"of unknown", "of: amount", "of: value", `want "amount" or "count"`},
		{"window too long", "window: 7d", "window: 32d", "want 1s to 31d"},
		{"empty condition", "destination: [staff]", "destination: []", "nothing meets"},
		{"range without room", "amount: {above: 50_000 XEM, upTo: 500_000 XEM}", "amount: {above: 50_000 XEM, upTo: 50_000 XEM}", "no amount is above"},
		{"veto too small", "veto: 2", "veto: 1", "want 2 to 4"},
		{"policy without directors", "policy: {anyOf: [{allOf: [{group: director", "policy: {anyOf: [{allOf: [{group: finance", "governed by directors"},
		{"unknown code", "destination_not_listed, message", "destination_not_liked, message", "did you mean destination_not_listed?"},
		{"limit code as tripwire", "destination_not_listed, message", "limit_exceeded, message", "honest client"},
		{"wrong semantics", "semantics: 1", "semantics: 2", "not known to this program"},
		{"version 1 with wallets", "version: 2", "version: 1", "wallets enter by version 2"},
		{"amount with the unit in small letters", "max: 1_000_000 XEM", "max: 1_000_000 xem", "write 1_000_000 XEM"},
		{"amount with the unit in front", "max: 1_000_000 XEM", "max: XEM 1000000", "write 1000000 XEM"},
		{"amount without a space", "max: 1_000_000 XEM", "max: 1000000XEM", "write 1000000 XEM"},
		{"amount in words", "max: 1_000_000 XEM", "max: 1 million XEM", "want digits"},
		{"amount of another money", "max: 1_000_000 XEM", "max: $5000", "want digits"},
		{"amount beyond everything", "max: 1_000_000 XEM", "max: 99_999_999_999_999_999 XEM", "nothing holds so much"},
		{"amount of two assets", "asset: [xem]\n    per: []", "asset: [xem, xym]\n    per: []", "amounts of different assets cannot be added up"},
		{"currency not registered", `asset: "nem:xem", name`, `asset: "mint:gold", name`, "put the currency of nis1-mainnet into assets"},
		{"asset without namespace", `asset: "nem:xem", name`, `asset: "XEM", name`, "such as nem:xem"},
		{"count in quotes", "{group: finance, count: 1}", `{group: finance, count: "1"}`, "want a number: 1"},
		{"list as a text", "asset: [xem], amount: {upTo: 30_000 XEM}", "asset: xem, amount: {upTo: 30_000 XEM}", "want a list: [xem]"},
		{"list as a mapping", "allOf: [{group: finance, count: 1}]", "allOf: {group: finance, count: 1}", "[ ] around it"},
		{"mapping as a text", "when: {destination: [staff], asset: [xem], amount: {upTo: 30_000 XEM}}", "when: staff", "{wallet: …, client: …"},
		{"choice missing", "    at: deny\n", "", "at is missing; write it out: nothing has a default (deny, approve, wait)"},
		{"colon missing", "window: 7d", "window 7d", "no colon in this line"},
		{"no space behind the colon", "window: 7d", "window:7d", "write window: 7d"},
		{"indented too far", "    window: 7d\n", "    window: 7d\n      mood: good\n", "a member indented below it"},
		{"indented below a value", "title: Small treasury\n", "title: Small treasury\n  mood: good\n", "want the line below indented like this one"},
		{"two colons", "title: Small treasury", "title: Small: treasury", `title: "Small: treasury"`},
		{"unclosed quote", "title: Small treasury", `title: "Small treasury`, "a quote is opened and not closed in this line"},
		{"odd space", "title: Small", "title:\u00a0Small", "a space that is not a plain one (U+00A0)"},
		{"twice, told", "semantics: 1\n", "semantics: 1\nsemantics: 1\n", "the first is in line 5"},
		{"comment for a value", "title: Small treasury", "title: #1 treasury", "# begins a comment"},
		{"address for a book", "destination: [staff]", "destination: [NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE]", "put the address into it"},
		{"no predecessor", `previous: "9c11`, `previous: "9C11`, "want the hash of the policy"},
	}
	for _, c := range cases {
		if !strings.Contains(good, c.old) {
			t.Errorf("%s: the example has no %q", c.name, c.old)
			continue
		}
		line := strings.Count(good[:strings.Index(good, c.old)], "\n") + 1
		_, err := source.Compile([]byte(strings.Replace(good, c.old, c.bad, 1)))
		if err == nil {
			t.Errorf("%s: taken", c.name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: no %q in:\n%v", c.name, c.want, err)
		}
		mistakes, ok := errors.AsType[source.Mistakes](err)
		if !ok {
			t.Errorf("%s: %T", c.name, err)
			continue
		}
		// Somewhere near: a mistake between parts is shown at one of them.
		first := mistakes[0].Line
		if first == 0 || first < line-8 || first > line+22 {
			t.Logf("%s: line %d, made in line %d: %v", c.name, first, line, mistakes[0])
			if first == 0 {
				t.Errorf("%s: no place", c.name)
			}
		}
	}
}

// TestUnclosedQuote: a quote that nobody closed takes in the lines below it, and is told where it was opened, not where
// the next one ends it.
func TestUnclosedQuote(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"version: 2\ntitle: 'Small treasury\npeople: []\n", "line 2, column 8: Q; want '"},
		{"version: 2\ntitle: 'Small treasury\npeople: []\n# the treasurer's\n", "line 2, column 8: Q; want '"},
		{"version: 2\ntitle: 'Small treasury\npeople: []\nmood: 'good'\n", "line 2, column 8: Q; want '"},
		{"version: 2\ntitle: \"Small treasury\npeople: []\n", "line 2, column 8: Q; want \""},
		{"version: 2\ntitle: \"Small treasury\npeople: []\nmood: \"good\"\n", "line 2, column 8: Q; want \""},
		{"version: 2\nrules: [{group: 'finance}]\npeople: 'ann'\nmood: 'good'\n", "line 2, column 17: Q; want '"},
		{"title: 'Small treasury'\nmood: \"good\"\npeople: 'ann", "line 3, column 9: Q; want '"},
		{"title: 'Small treasury'\npeople: 'ann\n  and bob'\nmood: 'good\nversion: 2\nid: 'x'\n", "line 4, column 7: Q; want '"},
	} {
		want := strings.Replace(c.want, "Q", "a quote is opened and not closed in this line", 1) + " at the end of the text, too"
		if _, err := source.Compile([]byte(c.file)); err == nil || err.Error() != want {
			t.Errorf("%s\n%v\nwant %s", c.file, err, want)
		}
	}
}

// TestOneMistakeIsToldOnce: what follows from a mistake is not told beside it.
func TestOneMistakeIsToldOnce(t *testing.T) {
	for _, c := range []struct{ old, bad, want string }{
		{"\nrules:", "\nruels:", "did you mean rules?"},
		{"{group: finance, count: 1}", "{group: finanec, count: 1}", "did you mean finance?"},
		{"title: Small treasury", "tittle: Small treasury", "did you mean title?"},
		{"      coolingOff: 0s\n", "      colingOff: 0s\n", "did you mean coolingOff?"},
		// Nobody knows then what the amounts are of, and the network's name is the mistake.
		{"network: nis1-mainnet", "network: mainnet", "want one of nis1-mainnet"},
		{"asset: [xem]\n", "asset: xem\n", "want a list: [xem]"},
		{"at: deny", "at: approve", "binds what a quorum approved"},
		{"operators: [daichi]", "operators: [hiro]", "want one of aiko, ben, chiyo, daichi"},
	} {
		good := treasury(t)
		if !strings.Contains(good, c.old) {
			t.Errorf("the example has no %q", c.old)
		}
		_, err := source.Compile([]byte(strings.Replace(good, c.old, c.bad, 1)))
		if mistakes, _ := errors.AsType[source.Mistakes](err); len(mistakes) != 1 || !strings.Contains(mistakes[0].Error(), c.want) {
			t.Errorf("%q: %v", c.bad, err)
		}
	}
}

// TestByteOrderMark: some editors put one in front, and nobody sees it.
func TestByteOrderMark(t *testing.T) {
	if _, err := source.Compile([]byte("\ufeff" + treasury(t))); err != nil {
		t.Error(err)
	}
}

func TestPlacesAreExact(t *testing.T) {
	bad := strings.Replace(treasury(t), "max: 1_000_000 XEM", "max: 1_000_000 XYM", 1)
	line := strings.Count(bad[:strings.Index(bad, "1_000_000 XYM")], "\n") + 1
	_, err := source.Compile([]byte(bad))
	mistakes, _ := errors.AsType[source.Mistakes](err)
	if len(mistakes) != 1 || mistakes[0].Line != line || mistakes[0].Column != 10 || mistakes[0].Path != "limits[0].max" {
		t.Errorf("%v, want line %d, column 10", err, line)
	}
}

func TestSpansAndAmounts(t *testing.T) {
	good := treasury(t)
	for text, want := range map[string]policy.Millis{"90m": 5_400_000, "1h30m": 5_400_000, `"1h 30m"`: 0, "3600s": 3_600_000, "1h500ms": 3_600_500} {
		p, err := source.Compile([]byte(strings.Replace(good, "life: 2h", "life: "+text, 1)))
		if (err == nil) != (want != 0) {
			t.Errorf("%s: %v", text, err)
		} else if err == nil && p.Document().Wallets[0].Life != want {
			t.Errorf("%s: %d", text, p.Document().Wallets[0].Life)
		}
	}
	for text, want := range map[string]policy.Units{
		"1 XEM": 1_000_000, "0.5 XEM": 500_000, "1_000.000001 XEM": 1_000_000_001, `"7"`: 7, "000001 XEM": 1_000_000, `"250 XEM"`: 250_000_000, "0 XEM": 0,
	} {
		p, err := source.Compile([]byte(strings.Replace(good, "max: 1_000_000 XEM", "max: "+text, 1)))
		if err != nil || p.Document().Limits[0].Max != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestJSONIsTaken(t *testing.T) {
	p, err := source.Compile([]byte(treasury(t)))
	if err != nil {
		t.Fatal(err)
	}
	pretty := jsontext.Value(bytes.Clone(p.Text()))
	if err := pretty.Indent(); err != nil {
		t.Fatal(err)
	}
	again, err := source.Compile(pretty)
	if err != nil || again.Hash() != p.Hash() {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{
		strings.Replace(string(pretty), `"veto": 2`, `"veto": 1`, 1),
		strings.Replace(string(pretty), `"veto": 2`, `"Veto": 2`, 1),
		strings.Replace(string(pretty), `"veto": 2`, `"veto": 2, "veto": 2`, 1),
		strings.Replace(string(pretty), `"semantics": 1,`, ``, 1),
		string(pretty) + "x", "{", "",
	} {
		if _, err := source.Compile([]byte(bad)); err == nil {
			t.Errorf("taken: %.80s", bad)
		}
	}
	_, err = source.Compile([]byte(strings.Replace(string(pretty), `"veto": 2`, `"veto": 1`, 1)))
	if mistakes, ok := errors.AsType[source.Mistakes](err); !ok || mistakes[0].Line == 0 {
		t.Errorf("no place: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	good := `
remove: [{book: suppliers, name: Old printer}]
add:
  - book: suppliers
    name: Printer
    network: nis1-mainnet
    address: NDCWUGEJII5NHUC7RNZ36ASPN2PSU3RTJ4KQKIFE
    message: {rule: pattern, kind: text, value: "INV-[0-9]{4,8}"}
    lastDay: ""
`
	change, err := source.Addresses([]byte(good))
	if err != nil || len(change.Add) != 1 || len(change.Remove) != 1 {
		t.Fatalf("%v", err)
	}
	short, err := source.Addresses([]byte(strings.Replace(good, "4KQKIFE", "4KQKIF", 1)))
	if err == nil || !strings.Contains(err.Error(), "address has 39 characters, want 40") {
		t.Errorf("%v, %v", short, err)
	}
	_, err = source.Addresses([]byte(strings.Replace(good, "{rule: pattern, kind: text,", "{rule: exact, kind: hex,", 1)))
	if err == nil || !strings.Contains(err.Error(), `"INV-[0-9]{4,8}" is not hex`) {
		t.Errorf("%v", err)
	}
	for old, bad := range map[string]string{
		"4KQKIFE": "4KQKIFA", "pattern": "regexp", "[0-9]{4,8}": "[0-9]+", "nis1": "nem", "lastDay": "until",
	} {
		if _, err := source.Addresses([]byte(strings.Replace(good, old, bad, 1))); err == nil {
			t.Errorf("%s: taken", bad)
		} else if mistakes, ok := errors.AsType[source.Mistakes](err); !ok || mistakes[0].Line == 0 {
			t.Errorf("%s: no place: %v", bad, err)
		}
	}
	if _, err := source.Addresses([]byte("remove: []\nadd: []\n")); err == nil {
		t.Error("a change of nothing was taken")
	}
}

// FuzzCompile: whatever the file, Compile returns, and what it takes is a policy
// whose text is taken again.
func FuzzCompile(f *testing.F) {
	f.Add([]byte(treasury(f)))
	f.Add([]byte("a: [1, {b: c}]\n---\n"))
	f.Add([]byte("{\"a\":1}"))
	f.Add([]byte("a: &x\n  <<: *x\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := source.Compile(file)
		if err != nil {
			return
		}
		if again, err := policy.Parse(p.Text()); err != nil || again.Hash() != p.Hash() {
			t.Fatalf("compiled to what is not taken: %v", err)
		}
	})
}

// TestOtherEncodings: what is not UTF-8 is refused by its name and not shown.
func TestOtherEncodings(t *testing.T) {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		_, err := source.Compile([]byte(mark + strings.Join(strings.Split(treasury(t), ""), "\x00")))
		if err == nil || err.Error() != "line 1, column 1: the file is UTF-16, as some editors and shells save it; save it as UTF-8" {
			t.Errorf("%.200v", err)
		}
	}
	if _, err := source.Addresses([]byte("add: \"\xe9\"")); err == nil || !strings.HasPrefix(err.Error(), "line 1, column 7: ") {
		t.Error(err)
	}
	if _, err := source.Compile([]byte(strings.Repeat("x", 1000))); err == nil || len(err.Error()) > 200 {
		t.Errorf("%v", err)
	}
}

// TestJSONPlaces: a mistake in a file of JSON has a place, too.
func TestJSONPlaces(t *testing.T) {
	for file, want := range map[string]string{
		"{\"semantics\": 1,\n \"version\": 2,}":   "line 2, column 15: not JSON",
		"\n{\"semantics\": 1\n\"version\": 2}":    "line 3, column 1: not JSON",
		"{\"title\": \"\u00e9\", \"version\": x}": "line 1, column 27: not JSON",
	} {
		if _, err := source.Compile([]byte(file)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	p, err := source.Compile([]byte(treasury(t)))
	if err != nil {
		t.Fatal(err)
	}
	pretty := jsontext.Value(p.Text())
	if err := pretty.Indent(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, bad, want string }{
		{`"veto": 2`, `"veto": 2.5`, "governance.veto: "},
		{`"version": 2`, "\"version\": 2,\n\"version\": 3", "version: "},
		{`"window": 604800000`, `"window": -1`, "limits[0].window: "},
		{`"group": "finance"`, `"group": "finanec"`, "rules[0].approval.anyOf[0].allOf[0].group: "},
		{`"title": "Small`, `"title": "\ud800 Small`, "title: "},
	} {
		file := strings.Replace(string(pretty), c.old, c.bad, 1)
		at := strings.Index(file, c.bad) + strings.LastIndex(c.bad, `": `) + 3
		before := file[:at]
		want := fmt.Sprintf("line %d, column %d: %s", strings.Count(before, "\n")+1, at-strings.LastIndex(before, "\n"), c.want)
		if _, err := source.Compile([]byte(file)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", c.bad, err, want)
		}
	}
}
