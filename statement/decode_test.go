package statement_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"kura/statement"
	"kura/statement/statementtest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// golden compares text with testdata/name, and rewrites it with -update.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("%s differs; if that is meant, run go test -update (-want +got):\n%s", path, diff)
	}
}

func TestTextsAreGolden(t *testing.T) {
	all := bodies()
	var out strings.Builder
	for _, name := range []string{"withdrawal", "verdict", "freeze", "proposal", "login"} {
		text := encode(t, all[name])
		fmt.Fprintf(&out, "%s\n%s\n", text, statement.HashText(text))
	}
	golden(t, "texts.golden", out.String())
}

func TestDecodeIsTheInverseOfEncode(t *testing.T) {
	for name, body := range bodies() {
		got, err := statement.Decode(encode(t, body))
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(body, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Common() != (statement.Common{Journal: genesis, ID: statementtest.ID(born, 1), Expires: expires}) {
			t.Errorf("%s: Common() = %v", name, got.Common())
		}
	}
}

func TestMembersInAnyOrderAndSpacing(t *testing.T) {
	for name, body := range bodies() {
		members := split(t, encode(t, body))
		slices.Reverse(members)
		got, err := statement.Decode("{\n  " + strings.Join(members, " ,\t") + "\n}")
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(body, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// split takes a compact JSON object apart into its members, `"name":value`.
func split(t testing.TB, object string) []string {
	t.Helper()
	d := jsontext.NewDecoder(strings.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		t.Fatal(err)
	}
	var members []string
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			t.Fatal(err)
		}
		text := `"` + name.String() + `":`
		value, err := d.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, text+string(value))
	}
	return members
}

// TestEveryMemberIsHeld breaks each member of each object of each type in every
// way that a member can be broken whatever it means.
func TestEveryMemberIsHeld(t *testing.T) {
	for name, body := range bodies() {
		text := encode(t, body)
		breakMembers(t, name, split(t, text), func(members string) string { return members })
		for _, inner := range []string{`{"asset"`, `{"kind"`} {
			start := strings.Index(text, inner)
			if start < 0 {
				continue
			}
			end := start + strings.Index(text[start:], "}") + 1
			breakMembers(t, name+" "+inner, split(t, text[start:end]), func(members string) string {
				return text[:start] + members + text[end:]
			})
		}
	}
}

func breakMembers(t *testing.T, name string, members []string, in func(object string) string) {
	refused := func(way string, code statement.Code, members []string) {
		t.Helper()
		text := in("{" + strings.Join(members, ",") + "}")
		if _, err := statement.Decode(text); codeOf(err) != code {
			t.Errorf("%s, %s: got %v, want %s\n%s", name, way, err, code, text)
		}
	}
	if _, err := statement.Decode(in("{" + strings.Join(members, ",") + "}")); err != nil {
		t.Fatalf("%s as it is: %v", name, err)
	}
	for i, m := range members {
		key, _, _ := strings.Cut(m, ":")
		with := func(changed ...string) []string { return slices.Replace(slices.Clone(members), i, i+1, changed...) }
		refused("without "+key, statement.CodeMissingMember, with())
		refused("twice "+key, statement.CodeDuplicateMember, with(m, m))
		// With "type" in other case there is no type, and no table to name it by.
		if key != `"type"` {
			refused("other case "+key, statement.CodeUnknownMember, with(strings.ToUpper(key)+m[len(key):]))
			refused("both cases "+key, statement.CodeUnknownMember, with(m, strings.ToUpper(key)+m[len(key):]))
		} else {
			refused("other case "+key, statement.CodeMissingMember, with(`"Type"`+m[len(key):]))
		}
		refused("something new before "+key, statement.CodeUnknownMember, with(`"memo":"x"`, m))
		for _, wrong := range []string{"1", "-1.5e9", "true", "false", "null", "[]", "{}", `["x"]`, `{"x":"y"}`} {
			code := statement.CodeBadValue
			switch value := m[len(key)+1:]; {
			case value[0] == '{' && wrong == "{}":
				code = statement.CodeMissingMember
			case value[0] == '{' && wrong == `{"x":"y"}`:
				code = statement.CodeUnknownMember
			}
			refused(key+" as "+wrong, code, with(key+":"+wrong))
		}
		code := statement.CodeSyntax
		if m[len(key)+1] != '"' {
			code = statement.CodeBadValue // no string belongs here at all
		}
		refused(key+" with a half surrogate", code, with(key+`:"\ud800"`))
	}
}

func codeOf(err error) statement.Code {
	if e, ok := errors.AsType[*statement.Error](err); ok {
		return e.Code
	}
	return ""
}

// TestRefusals shows what people read for every bad form of every value.
func TestRefusals(t *testing.T) {
	type change struct{ old, with string }
	long := strings.Repeat
	cases := []struct {
		in      string
		changes []change
	}{
		{"login", []change{
			{`"type":"login/1"`, `"type":"login/2"`}, {`"type":"login/1"`, `"type":""`}, {`"type":"login/1"`, `"type":7`},
			{`"type":"login/1"`, `"type":"verdict/1"`},
			{genesis.String(), ""}, {genesis.String(), genesis.String()[1:]}, {genesis.String(), strings.ToUpper(genesis.String())}, {genesis.String(), "\\u202e" + long("0", 61)},
			{"019b8a", "019B8A"}, {"-7000-8000", "-4000-8000"}, {"-7000-8000", "-7000-c000"}, {"-7000-8000", "7000-8000-"}, {"-7000-8000", ""},
			{"18:31:00.000Z", "18:31:00Z"}, {"18:31:00.000Z", "18:31:00,000Z"}, {"18:31:00.000Z", "18:31:00.000z"}, {"18:31:00.000Z", "18:31:00.0001Z"},
			{"18:31:00.000Z", "18:31:60.000Z"}, {"18:31:00.000Z", "24:31:00.000Z"}, {"2026-01-04", "2026-02-30"}, {"2026-01-04", "1969-12-31"}, {"2026-01-04T", "2026-01-04 "},
			{`}`, `},`}, {`}`, `}}`}, {`}`, `} `}, {`}`, "}\n"}, {`}`, `}{}`}, {`}`, ``}, {`}`, `,}`}, {`{`, ` {`}, {`{`, "\ufeff{"}, {`{`, `[{`}, {`login/1"`, `login/1`},
			{`login/1`, "login/1\xff"}, {`login/1`, "login\n/1"}, {`login/1"`, `login/1" /* comment */`}, {`"secretHash"`, `'secretHash'`}, {`"secretHash"`, `"secret\u0000Hash"`},
			{`}`, `,"` + long("x", 5000) + `":""}`},
		}},
		{"withdrawal", []change{
			{"hot-xem", ""}, {"hot-xem", "Hot-xem"}, {"hot-xem", "-hot"}, {"hot-xem", "hot xem"}, {"hot-xem", "hоt-xem"}, {"hot-xem", long("a", 65)},
			{bob, ""}, {bob, strings.ToLower(bob)}, {bob, bob + "A"}, {bob, "TDJVPI-BJTORJ-LITKIB-A7DHE2-SE56DX-7IQKQW-5ZV5"}, {bob, "0" + bob[1:]},
			{alice, alice[:38]},
			{`[{"asset":"nem:xem","amount":"25000000"}]`, `[]`},
			{`[{"asset":"nem:xem","amount":"25000000"}]`, `{"nem:xem":"25000000"}`},
			{`[{"asset":"nem:xem","amount":"25000000"}]`, `[` + long(`{"asset":"nem:xem","amount":"1"},`, 10) + `{"asset":"nem:xem","amount":"1"}]`},
			{`{"asset":"nem:xem","amount":"25000000"}`, `{"asset":"nem:xem","amount":"1"},{"asset":"nem:xem","amount":"2"}`},
			{"nem:xem", ""}, {"nem:xem", "NEM:XEM"}, {"nem:xem", "xem"}, {"nem:xem", "72c0212e67a08bce"}, {"nem:xem", "E74B99BA41F4AFEE"}, {"nem:xem", "0x72C0212E67A08BCE"}, {"nem:xem", "nem:" + long("x", 200)},
			{"25000000", "0"}, {"25000000", "025"}, {"25000000", "+25"}, {"25000000", "-25"}, {"25000000", "2.5"}, {"25000000", "2e7"}, {"25000000", " 25"}, {"25000000", ""}, {"25000000", "18446744073709551616"}, {"25000000", "２５"}, {"25000000", "2_5"},
			{`"amount":"25000000"`, `"amount":25000000`},
			{`"kind":"text"`, `"kind":"plain"`}, {`"kind":"text"`, `"kind":"encrypted"`}, {`"kind":"text"`, `"kind":"none"`}, {"1029384756", ""}, {"1029384756", long("x", 1025)}, {"1029384756", `a\u0000b`},
			{`"text","value":"1029384756"`, `"hex","value":"0F"`}, {`"text","value":"1029384756"`, `"hex","value":"abc"`}, {`"text","value":"1029384756"`, `"hex","value":""`}, {`"text","value":"1029384756"`, `"hex","value":"` + long("00", 1025) + `"`},
			{`"maxFee":"200000"`, `"maxFee":""`}, {`"maxFee":"200000"`, `"maxFee":"0.2"`},
			{"wd-77120", long("x", 129)}, {"wd-77120", `a\nb`}, {"wd-77120", `\u0000`}, {"wd-77120", "\u0085"},
			{"c-5f31", long("é", 65)}, {"c-5f31", `\u007f`},
			{"019b8a42-4ad8-7000-8000-000000000001", "019b8a42-4ec0-7000-8000-000000000001"}, {"019b8a42-4ad8-7000-8000-000000000001", "none"},
		}},
		{"verdict", []change{
			{`"reject"`, `"Approve"`}, {`"reject"`, `"approved"`}, {`"reject"`, `""`}, {`"reject"`, `"approve\u202e"`},
			{`["` + someHash.String() + `"]`, `[]`}, {`["` + someHash.String() + `"]`, `"` + someHash.String() + `"`}, {`["` + someHash.String() + `"]`, `[1]`},
			{`["` + someHash.String() + `"]`, `["` + someHash.String() + `","` + someHash.String() + `"]`}, {`["` + someHash.String() + `"]`, `[` + strings.Join(hashes(49), ",") + `]`},
			{"not ours", ""}, {"not ours", "  "}, {"not ours", long("x", 513)}, {"not ours", `two\nlines`}, {"not ours", `\u001b[2J`},
		}},
		{"freeze", []change{
			{`"lower"`, `"freeze"`}, {`"lower"`, `"suspend"`}, {`"lower"`, `"thaw"`}, {`"kind":"limit"`, `"kind":"all"`}, {`"kind":"limit"`, `"kind":"wallet"`}, {`"kind":"limit"`, `"kind":"everything"`},
			{"1000000000", ""}, {"1000000000", "-1"}, {"xem-per-day", ""}, {"xem-per-day", "XEM per day"},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"freeze","target":{"kind":"all","name":"hot-xem"},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"freeze","target":{"kind":"wallet","name":"hot-xem"},"amount":"0"`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"freeze","target":{"kind":"wallet","name":""},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"freeze","target":{"kind":"person","name":"eve"},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"suspend","target":{"kind":"key","name":"eve"},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"suspend","target":{"kind":"key","name":"SHA256:qhXDwhBy67JM4UIFD8Kgv4r81+cAt/doGBzXTv0jdJ9"},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"suspend","target":{"kind":"address","name":"eve"},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"suspend","target":{"kind":"key","name":"SHA256:qhXDwhBy67I"},"amount":""`},
			{`"lower","target":{"kind":"limit","name":"xem-per-day"},"amount":"1000000000"`, `"suspend","target":{"kind":"key","name":"qhXDwhBy67JM4UIFD8Kgv4r81+cAt/doGBzXTv0jdJ8"},"amount":""`},
		}},
		{"proposal", []change{
			{`"policy"`, `"law"`}, {`"proposes":"policy"`, `"proposes":"addresses"`}, {`"{\"version\":2}"`, `""`}, {`"{\"version\":2}"`, `{"version":2}`}, {`"{\"version\":2}"`, `"[]"`}, {`"{\"version\":2}"`, `"2"`},
			{`"{\"version\":2}"`, `"{\"version\":2"`}, {`"{\"version\":2}"`, `"{} "`}, {`"{\"version\":2}"`, `"{}{}"`}, {`"{\"version\":2}"`, `"{\"a\":1,\"a\":2}"`}, {`"{\"add\":[]}"`, `"add"`},
		}},
	}
	all := bodies()
	var out strings.Builder
	for _, c := range cases {
		text := encode(t, all[c.in])
		fmt.Fprintf(&out, "# %s\n", c.in)
		for _, change := range c.changes {
			_, err := statement.Decode(replaceFirst(t, text, change.old, change.with))
			if codeOf(err) == "" {
				t.Errorf("%s with %q for %q: got %v, want a refusal", c.in, change.with, change.old, err)
				continue
			}
			fmt.Fprintf(&out, "%s\n\t%v\n", statement.Quote(change.with, 70), err)
		}
	}
	golden(t, "refusals.golden", out.String())
}

func hashes(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = `"` + statement.HashText(fmt.Sprint(i)).String() + `"`
	}
	return list
}

func replaceFirst(t *testing.T, text, old, with string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q does not stand in %s", old, text)
	}
	// A closing brace is the last one.
	if i := strings.LastIndex(text, old); old == "}" {
		return text[:i] + with
	}
	return strings.Replace(text, old, with, 1)
}

func TestSizes(t *testing.T) {
	for name, body := range bodies() {
		text := encode(t, body)
		pad := func(size int) string {
			return "{" + strings.Repeat(" ", size-len(text)) + text[1:]
		}
		limit := body.Type().MaxText()
		if _, err := statement.Decode(pad(limit)); err != nil {
			t.Errorf("%s of %d bytes: %v", name, limit, err)
		}
		if _, err := statement.Decode(pad(limit + 1)); codeOf(err) != statement.CodeTooLarge {
			t.Errorf("%s of %d bytes: got %v, want too_large", name, limit+1, err)
		}
	}
	// Beyond the longest of all nothing is even looked at.
	if _, err := statement.Decode(strings.Repeat("\xff", statement.MaxProposalText+1)); codeOf(err) != statement.CodeTooLarge {
		t.Errorf("garbage: got %v, want too_large", err)
	}
	largest := make([]statement.Hash, 48)
	for i := range largest {
		largest[i] = statement.HashText(fmt.Sprint(i))
	}
	encode(t, &statement.Verdict{
		Journal: genesis, ID: statementtest.ID(born, 1), Expires: expires,
		Verdict: statement.Approve, About: largest, Policy: someHash, Reason: strings.Repeat("x", 512),
	})
}

// TestDecodingAllocatesLittle holds the promise that bytes of strangers cost
// memory in proportion, whatever their shape.
func TestDecodingAllocatesLittle(t *testing.T) {
	const size = statement.MaxProposalText - 200
	fill := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	proposal := encode(t, bodies()["proposal"])
	for name, text := range map[string]string{
		"deep":          `{"x":` + fill("[") + `}`,
		"many members":  `{` + fill(`"x":"",`) + `"x":""}`,
		"many types":    `{` + fill(`"type":"",`) + `"type":""}`,
		"long name":     `{"` + fill("x") + `":""}`,
		"long type":     `{"type":"` + fill("x") + `"}`,
		"spaces":        `{` + fill(" ") + `}`,
		"escapes":       `{"type":"` + fill(`\u0041`) + `"}`,
		"long document": replace(t, proposal, `{\"version\":2}`, `{\"a\":[`+strings.TrimSuffix(strings.Repeat("0,", size/4), ",")+`]}`),
		"deep document": replace(t, proposal, `{\"version\":2}`, `{\"a\":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`),
		"many elements": `{"type":"verdict/1","about":[` + fill(`"",`) + `""]}`,
		"not UTF-8":     `{` + fill("\xff") + `}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := statement.Decode(text)
		runtime.ReadMemStats(&after)
		spent := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %d bytes cost %d (%v)", name, len(text), spent, codeOf(err))
		// Nesting costs some bytes a level, and ends at 10,000 levels.
		if limit := uint64(8*len(text) + 512<<10); spent > limit {
			t.Errorf("%s: %d bytes made Decode allocate %d, want at most %d", name, len(text), spent, limit)
		}
	}
}

func TestEncodeRefusesWhatDecodeWould(t *testing.T) {
	for name, breakIt := range map[string]func(w *statement.Withdrawal){
		"id":                    func(w *statement.Withdrawal) { w.ID = statement.ID{} },
		"expires":               func(w *statement.Withdrawal) { w.Expires = -1 },
		"assets":                func(w *statement.Withdrawal) { w.Assets = nil },
		"assets[0].amount":      func(w *statement.Withdrawal) { w.Assets[0].Amount = 0 },
		"message.kind":          func(w *statement.Withdrawal) { w.Message.Kind = "" },
		"destination":           func(w *statement.Withdrawal) { w.Destination = "" },
		"wallet":                func(w *statement.Withdrawal) { w.Wallet = "Hot" },
		"reference":             func(w *statement.Withdrawal) { w.Reference = "\n" },
		"" /* no valid text */ : func(w *statement.Withdrawal) { w.Reference = "\xff" },
	} {
		w := bodies()["withdrawal"].(*statement.Withdrawal)
		breakIt(w)
		_, err := statement.Encode(w)
		if e, ok := errors.AsType[*statement.Error](err); !ok || e.Code != statement.CodeBadValue || e.Field != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
	for _, none := range []statement.Body{nil, (*statement.Login)(nil)} {
		if _, err := statement.Encode(none); codeOf(err) != statement.CodeUnknownType {
			t.Errorf("no body: got %v", err)
		}
	}
}

func TestWhichVerdictsNeedAReason(t *testing.T) {
	for kind, needed := range map[statement.VerdictKind]bool{
		statement.Approve: false, statement.Reject: true, statement.Cancel: false, statement.Veto: true, statement.Lift: false,
	} {
		v := bodies()["verdict"].(*statement.Verdict)
		v.Verdict, v.Reason = kind, ""
		_, err := statement.Encode(v)
		if e, ok := errors.AsType[*statement.Error](err); needed != ok || ok && e.Field != "reason" {
			t.Errorf("%s without a reason: got %v", kind, err)
		}
	}
}
