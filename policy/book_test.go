package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kura/nem"
	"kura/policy"
)

func entry(name string, i int) policy.Entry {
	return policy.Entry{Book: "friends", Name: name, Network: "nis1-testnet", Address: benchAddress(i).String(), Message: policy.MessageRule{Rule: "any"}}
}

func TestBook(t *testing.T) {
	var empty *policy.Book
	if empty.Len() != 0 || empty.Hash() != (policy.Hash{}) || len(empty.At(benchAddress(1))) != 0 || len(empty.Entries()) != 0 {
		t.Error("the empty book is not empty")
	}
	one, err := empty.Apply(&policy.BookChange{Add: []policy.Entry{entry("a", 1), entry("b", 2)}})
	if err != nil {
		t.Fatal(err)
	}
	two, err := one.Apply(&policy.BookChange{Remove: []policy.EntryName{{Book: "friends", Name: "a"}}, Add: []policy.Entry{entry("a", 3)}})
	if err != nil {
		t.Fatal(err)
	}
	if one.Len() != 2 || two.Len() != 2 || one.Hash() == two.Hash() || len(two.At(benchAddress(1))) != 0 || len(one.At(benchAddress(1))) != 1 {
		t.Error("a change touched the book before it, or did not happen")
	}
	if e, ok := two.Find(policy.EntryName{Book: "friends", Name: "a"}); !ok || e.Address != benchAddress(3).String() {
		t.Errorf("%v", e)
	}
	if _, ok := two.Find(policy.EntryName{Book: "friends", Name: "z"}); ok {
		t.Error("found what is not there")
	}
	bad := entry("c", 4)
	bad.Address = strings.ToLower(bad.Address)
	elsewhere := entry("d", 5)
	elsewhere.Address = account("x").Address(nem.SymbolTestnet).String()
	for name, change := range map[string]policy.BookChange{
		"name taken":       {Add: []policy.Entry{entry("b", 9)}},
		"same destination": {Add: []policy.Entry{entry("c", 2)}},
		"no such entry":    {Remove: []policy.EntryName{{Book: "friends", Name: "z"}}},
		"not plain":        {Add: []policy.Entry{bad}},
		"wrong network":    {Add: []policy.Entry{elsewhere}},
		"no name":          {Add: []policy.Entry{entry("", 9)}},
		"not UTF-8":        {Add: []policy.Entry{entry("\xff", 9)}},
	} {
		if _, err := two.Apply(&change); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if two.Len() != 2 {
		t.Error("a refused change changed the book")
	}
}

// TestBookManyChanges: the layers below a book of many versions keep nothing
// that is gone and lose nothing that is there.
func TestBookManyChanges(t *testing.T) {
	var book *policy.Book
	want := map[string]bool{}
	for i := range 3000 {
		change := &policy.BookChange{Add: []policy.Entry{entry(fmt.Sprint("n", i), i)}}
		want[fmt.Sprint("n", i)] = true
		if i%3 == 2 {
			gone := fmt.Sprint("n", i-1)
			change.Remove = []policy.EntryName{{Book: "friends", Name: gone}}
			delete(want, gone)
		}
		next, err := book.Apply(change)
		if err != nil {
			t.Fatal(err)
		}
		book = next
	}
	entries := book.Entries()
	if len(entries) != len(want) || book.Len() != len(want) {
		t.Fatalf("%d entries, want %d", len(entries), len(want))
	}
	for _, e := range entries {
		if !want[e.Name] {
			t.Fatalf("%s is still there", e.Name)
		}
	}
	if !slices.IsSortedFunc(entries, func(a, b policy.Entry) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not in order")
	}
	if len(book.At(benchAddress(1))) != 0 || len(book.At(benchAddress(0))) != 1 {
		t.Error("look-up by address does not agree")
	}
}

func TestParseBookChange(t *testing.T) {
	good := policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{entry("a", 1)}}
	text := string(good.Text())
	if _, err := policy.ParseBookChange([]byte(text)); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{}", " " + text, strings.Replace(text, `"lastDay":""`, `"lastday":""`, 1), strings.Replace(text, `"remove":[],`, "", 1), `{"remove":[],"add":[]}`, text + text} {
		if _, err := policy.ParseBookChange([]byte(bad)); err == nil {
			t.Errorf("taken: %s", bad)
		}
	}
}

func TestMessageRules(t *testing.T) {
	text := func(s string) nem.Message {
		m, err := nem.TextMessage(s)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	cases := []struct {
		rule  policy.MessageRule
		fits  []string
		fails []string
	}{
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: "[0-9]{6,8}"}, []string{"123456", "12345678"}, []string{"12345", "123456789", "12345a", " 123456"}},
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: `INV-[A-Za-z0-9_]{1,3}\.x`}, []string{"INV-a.x", "INV-aZ9.x"}, []string{"INV-.x", "INV-abcd.x", "INV-a,x", "inv-a.x"}},
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: "[ab]{1,3}[b]{2}"}, []string{"abb", "bbb", "bbbbb", "aabbb"}, []string{"ab", "bb", "abbbbb"}},
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: "[a-]{0,2}x"}, []string{"x", "-x", "a-x"}, []string{"", "a", "aaax"}},
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: "[0-9]{0,2}"}, []string{"1", "12"}, []string{"123"}},
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: "[a-a]{1024}"}, nil, []string{"a"}},
		{policy.MessageRule{Rule: "pattern", Kind: "text", Value: strings.Repeat("a", 64)}, []string{strings.Repeat("a", 64)}, []string{strings.Repeat("a", 63)}},
		{policy.MessageRule{Rule: "exact", Kind: "text", Value: "é"}, []string{"é"}, []string{"e\u0301", "é "}},
		{policy.MessageRule{Rule: "exact", Kind: "hex", Value: "616263"}, []string{"abc"}, []string{"616263"}},
	}
	for _, c := range cases {
		for i, message := range append(slices.Clone(c.fits), c.fails...) {
			if message == "" {
				continue
			}
			e := entry("a", 1)
			e.Message = c.rule
			var book *policy.Book
			book, err := book.Apply(&policy.BookChange{Add: []policy.Entry{e}})
			if err != nil {
				t.Fatal(err)
			}
			p := small(t, nil)
			in := ask(p, policy.NewUsage(p))
			in.Book = book
			in.Request.Withdrawal.Message.Value = text(message).Text()
			d := policy.Decide(in)
			if fits := d.Outcome == policy.Sign; fits != (i < len(c.fits)) {
				t.Errorf("%s, %q: %v", c.rule.Value, message, fits)
			}
			in.Request.Withdrawal.Message.Kind, in.Request.Withdrawal.Message.Value = "none", ""
			if d := policy.Decide(in); d.Code != policy.CodeMessageNotAllowed {
				t.Errorf("%s is paid without a message: %s", c.rule.Value, d.Code)
			}
		}
	}
	for _, bad := range []policy.MessageRule{
		{}, {Rule: "some"}, {Rule: "none", Value: "x"}, {Rule: "any", Kind: "text"}, {Rule: "exact"}, {Rule: "exact", Kind: "hex", Value: "6"}, {Rule: "exact", Kind: "text"},
		{Rule: "pattern", Kind: "hex", Value: "a"}, {Rule: "pattern", Kind: "text"}, {Rule: "pattern", Kind: "text", Value: "[a"}, {Rule: "pattern", Kind: "text", Value: "[]"},
		{Rule: "pattern", Kind: "text", Value: "a*"}, {Rule: "pattern", Kind: "text", Value: ".+"}, {Rule: "pattern", Kind: "text", Value: "a{2,1}"}, {Rule: "pattern", Kind: "text", Value: "a{0}"},
		{Rule: "pattern", Kind: "text", Value: "a{9999}"}, {Rule: "pattern", Kind: "text", Value: "a{1025}"}, {Rule: "pattern", Kind: "text", Value: "a{x,5}"}, {Rule: "pattern", Kind: "text", Value: "a{1"}, {Rule: "pattern", Kind: "text", Value: "[z-a]"}, {Rule: "pattern", Kind: "text", Value: `[\d]`},
		{Rule: "pattern", Kind: "text", Value: strings.Repeat("a", 65)}, {Rule: "pattern", Kind: "text", Value: `a\`}, {Rule: "pattern", Kind: "text", Value: "[a-é]"},
	} {
		e := entry("a", 1)
		e.Message = bad
		var book *policy.Book
		if _, err := book.Apply(&policy.BookChange{Add: []policy.Entry{e}}); err == nil {
			t.Errorf("taken: %+v", bad)
		}
	}
	e := entry("a", 1)
	e.Message = policy.MessageRule{Rule: "pattern", Kind: "text", Value: "ab*"}
	var book *policy.Book
	if _, err := book.Apply(&policy.BookChange{Add: []policy.Entry{e}}); err == nil || !strings.Contains(err.Error(), "at character 3") {
		t.Errorf("where in the pattern: %v", err)
	}
}

// FuzzBookChange: whatever the text, reading and applying return.
func FuzzBookChange(f *testing.F) {
	good := policy.BookChange{Remove: []policy.EntryName{}, Add: []policy.Entry{entry("a", 1)}}
	f.Add(good.Text())
	good.Add[0].Message = policy.MessageRule{Rule: "pattern", Kind: "text", Value: "[a-f]{1,3}x"}
	f.Add(good.Text())
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := policy.ParseBookChange(text)
		if err != nil {
			return
		}
		if string(c.Text()) != string(text) {
			t.Fatal("read, and written otherwise")
		}
		var book *policy.Book
		if book, err = book.Apply(c); err == nil && book.Len() != len(c.Add) {
			t.Fatalf("%d of %d entries", book.Len(), len(c.Add))
		}
	})
}

// FuzzParse: whatever the text, Parse returns, and takes only what it would write.
func FuzzParse(f *testing.F) {
	f.Add(republic(f, nil).Text())
	f.Add([]byte(`{"semantics":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := policy.Parse(text)
		if err == nil && string(p.Text()) != string(text) {
			t.Fatal("taken, and written otherwise")
		}
	})
}

func TestParseIsStrict(t *testing.T) {
	good := string(republic(t, nil).Text())
	if _, err := policy.Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"white space":     strings.Replace(good, ",", ", ", 1),
		"another order":   strings.Replace(good, `"semantics":1,"version":2`, `"version":2,"semantics":1`, 1),
		"unknown member":  strings.Replace(good, `"semantics":1`, `"semantics":1,"x":1`, 1),
		"twice":           strings.Replace(good, `"semantics":1`, `"semantics":1,"semantics":1`, 1),
		"other case":      strings.Replace(good, `"semantics":1`, `"Semantics":1`, 1),
		"missing":         strings.Replace(good, `"title":"benchmark",`, ``, 1),
		"number as text":  strings.Replace(good, `"version":2`, `"version":"2"`, 1),
		"text as number":  strings.Replace(good, `"max":"100000000"`, `"max":100000000`, 1),
		"leading zero":    strings.Replace(good, `"max":"100000000"`, `"max":"0100000000"`, 1),
		"null":            strings.Replace(good, `"services":[`, `"services":null,"x":[`, 1),
		"trailing":        good + " ",
		"escaped":         strings.Replace(good, `"benchmark"`, `"\u0062enchmark"`, 1),
		"exponent":        strings.Replace(good, `"version":2`, `"version":2e0`, 1),
		"too large":       good + strings.Repeat(" ", policy.MaxText),
		"nothing":         "",
		"wrong semantics": strings.Replace(good, `"semantics":1`, `"semantics":2`, 1),
	} {
		if bad == good {
			t.Errorf("%s: the text was not changed", name)
		}
		if _, err := policy.Parse([]byte(bad)); err == nil || err.Error() == "" {
			t.Errorf("%s: taken", name)
		}
	}
}
