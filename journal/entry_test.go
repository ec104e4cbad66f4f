package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kura/journal"
)

const exampleEntry = `{"v":1,"seq":12,"clock":"2026-01-02T03:04:05.678Z","time":"2026-01-02T03:04:05.070Z","kind":"outcome/1","body":{"id":"x", "n":[1,{}]}}`

func TestEntryBytes(t *testing.T) {
	e := journal.Entry{Seq: 12, Clock: 1767323045678, Time: 1767323045070, Kind: "outcome/1", Body: []byte(`{"id":"x", "n":[1,{}]}`)}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exampleEntry, string(b)); diff != "" {
		t.Errorf("encoding (-want +got):\n%s", diff)
	}
	got, err := journal.DecodeEntry(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestEncodeRefuses(t *testing.T) {
	ok := journal.Entry{Seq: 1, Clock: 1, Time: 1, Kind: "a/1", Body: []byte(`{}`)}
	for name, spoil := range map[string]func(*journal.Entry){
		"seq beyond 2^53":      func(e *journal.Entry) { e.Seq = journal.MaxSeq + 1 },
		"negative clock":       func(e *journal.Entry) { e.Clock = -1 },
		"clock in year 10000":  func(e *journal.Entry) { e.Clock = journal.MaxTime + 1 },
		"negative time":        func(e *journal.Entry) { e.Time = math.MinInt64 },
		"time in year 10000":   func(e *journal.Entry) { e.Time = math.MaxInt64 },
		"no kind":              func(e *journal.Entry) { e.Kind = "" },
		"kind without version": func(e *journal.Entry) { e.Kind = "outcome" },
		"kind version 0":       func(e *journal.Entry) { e.Kind = "outcome/0" },
		"kind version 01":      func(e *journal.Entry) { e.Kind = "outcome/01" },
		"kind version 10000":   func(e *journal.Entry) { e.Kind = "outcome/10000" },
		"kind with a quote":    func(e *journal.Entry) { e.Kind = `a"b/1` },
		"kind in capitals":     func(e *journal.Entry) { e.Kind = "Outcome/1" },
		"kind with a digit":    func(e *journal.Entry) { e.Kind = "1a/1" },
		"long kind":            func(e *journal.Entry) { e.Kind = strings.Repeat("k", journal.MaxKind) + "/1" },
		"no body":              func(e *journal.Entry) { e.Body = nil },
		"body is a list":       func(e *journal.Entry) { e.Body = []byte(`[]`) },
		"body is two objects":  func(e *journal.Entry) { e.Body = []byte(`{},{}`) },
		"body is open":         func(e *journal.Entry) { e.Body = []byte(`{"a":{}`) },
		"space before body":    func(e *journal.Entry) { e.Body = []byte(` {}`) },
		"space after body":     func(e *journal.Entry) { e.Body = []byte(`{} `) },
		"newline in body":      func(e *journal.Entry) { e.Body = []byte("{\n}") },
		"tab in body":          func(e *journal.Entry) { e.Body = []byte("{\t}") },
		"member twice":         func(e *journal.Entry) { e.Body = []byte(`{"a":1,"a":1}`) },
		"member twice, nested": func(e *journal.Entry) { e.Body = []byte(`{"b":[{"a":1,"\u0061":1}]}`) },
		"invalid UTF-8":        func(e *journal.Entry) { e.Body = []byte("{\"a\":\"\xff\"}") },
		"lone surrogate":       func(e *journal.Entry) { e.Body = []byte(`{"a":"\ud800"}`) },
		"too large": func(e *journal.Entry) {
			e.Body = fmt.Appendf(nil, `{"a":"%s"}`, strings.Repeat("a", journal.MaxEntrySize))
		},
	} {
		e := ok
		spoil(&e)
		if b, err := e.Encode(); !errors.Is(err, journal.ErrEntry) {
			t.Errorf("%s: encoded as %.100s, %v", name, b, err)
		}
	}
	if _, err := ok.Encode(); err != nil {
		t.Error(err)
	}
}

func TestDecodeRefusesOtherForms(t *testing.T) {
	for name, swap := range map[string][2]string{
		"another version":            {`"v":1`, `"v":2`},
		"a leading zero":             {`"seq":12`, `"seq":012`},
		"a plus sign":                {`"seq":12`, `"seq":+12`},
		"a fraction":                 {`"seq":12`, `"seq":12.0`},
		"seq as text":                {`"seq":12`, `"seq":"12"`},
		"white space":                {`,"kind"`, ` ,"kind"`},
		"another order":              {`"v":1,"seq":12`, `"seq":12,"v":1`},
		"a member more":              {`,"kind"`, `,"more":1,"kind"`},
		"a member less":              {`"time":"2026-01-02T03:04:05.070Z",`, ``},
		"a time zone":                {`05.678Z`, `05.678+00:00`},
		"no milliseconds":            {`05.678Z`, `05Z`},
		"microseconds":               {`05.678Z`, `05.678000Z`},
		"a comma for the point":      {`05.678Z`, `05,678Z`},
		"the 30th of February":       {`2026-01-02T03:04:05.678Z`, `2026-02-30T03:04:05.678Z`},
		"before 1970":                {`2026-01-02T03:04:05.678Z`, `1969-01-02T03:04:05.678Z`},
		"an escape in the kind":      {`"kind":"outcome/1"`, `"kind":"\u006futcome/1"`},
		"a member after the body":    {`{}]}}`, `{}]},"more":{}}`},
		"a newline at the end":       {`{}]}}`, "{}]}}\n"},
		"a byte order mark":          {`{"v"`, "\ufeff" + `{"v"`},
		"a second entry on the line": {`{}]}}`, `{}]}}{}`},
	} {
		b := strings.Replace(exampleEntry, swap[0], swap[1], 1)
		if b == exampleEntry {
			t.Fatalf("%s: nothing was swapped", name)
		}
		if e, err := journal.DecodeEntry([]byte(b)); !errors.Is(err, journal.ErrEntry) {
			t.Errorf("%s: decoded as %v, %v", name, e, err)
		}
	}
}

// TestBodyCannotEscape plants the text around the members inside a body: it must stay in the body.
func TestBodyCannotEscape(t *testing.T) {
	e := journal.Entry{Kind: "a/1", Body: []byte(`{"x":"\",\"body\":{}}","body":{"v":1},"kind":"b/1","time":"","seq":9}`)}
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := journal.DecodeEntry(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := journal.Entry{
			Seq:   rapid.Uint64Range(0, journal.MaxSeq).Draw(t, "seq"),
			Clock: rapid.Int64Range(0, journal.MaxTime).Draw(t, "clock"),
			Time:  rapid.Int64Range(0, journal.MaxTime).Draw(t, "time"),
			Kind:  rapid.StringMatching(`[a-z][a-z0-9_-]{0,20}/[1-9][0-9]{0,3}`).Draw(t, "kind"),
			Body:  fmt.Appendf(nil, `{"a":%q}`, rapid.StringMatching(`[ -!#-\[\]-~é蔵]*`).Draw(t, "text")),
		}
		b, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := journal.DecodeEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add([]byte(exampleEntry))
	f.Add([]byte(`{"v":1,"seq":0,"clock":"1970-01-01T00:00:00.000Z","time":"9999-12-31T23:59:59.999Z","kind":"a/9999","body":{}}`))
	f.Add([]byte(`{"v":1,"seq":0,"clock":"1970-01-01T00:00:00.000Z","time":"","kind":"","body":{"a":1,"a":2}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := journal.DecodeEntry(b)
		if err != nil {
			if !errors.Is(err, journal.ErrEntry) {
				t.Fatalf("error of another kind: %v", err)
			}
			return
		}
		again, err := e.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q decodes and encodes as %q, %v", b, again, err)
		}
		if bytes.ContainsAny(b, "\n\r") {
			t.Fatalf("%q is more than a line", b)
		}
	})
}
