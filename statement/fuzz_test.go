package statement_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kura/statement"
	"kura/statement/statementtest"
)

// refused checks that an error is ours, with everything that people need.
func refused(t *testing.T, err error) {
	t.Helper()
	e, ok := errors.AsType[*statement.Error](err)
	if !ok || e.Code == "" || e.Msg == "" {
		t.Fatalf("refused without code and message: %v", err)
	}
	if len(e.Msg) > 2000 || strings.ContainsAny(e.Msg, "\x00\x1b\n\r") {
		t.Fatalf("a message that cannot be shown: %q", e.Msg)
	}
}

func FuzzDecodeEnvelope(f *testing.F) {
	for _, body := range bodies() {
		f.Add(sign(f, body).Encode())
	}
	f.Add([]byte(`{"statement":"","signature":"","Statement":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := statement.DecodeEnvelope(data)
		if err != nil {
			refused(t, err)
			return
		}
		again, err := statement.DecodeEnvelope(e.Encode())
		if err != nil || again != e {
			t.Fatalf("%+v came back as %+v: %v", e, again, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	for _, signer := range signers() {
		for _, body := range bodies() {
			e, err := statement.Sign(signer, nil, body)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(e.Statement, e.Signature)
		}
	}
	f.Fuzz(func(t *testing.T, text, signature string) {
		s, err := statement.Open(statement.Envelope{Statement: text, Signature: signature})
		if err != nil {
			refused(t, err)
			return
		}
		if s.Statement != text || s.Hash != statement.HashText(text) || s.Body == nil {
			t.Fatalf("opened as %+v", s)
		}
	})
}

// FuzzDecode covers the bodies of all types: what is taken can be encoded, and
// means the same then.
func FuzzDecode(f *testing.F) {
	for _, body := range bodies() {
		f.Add(encode(f, body))
	}
	golden, err := os.ReadFile("testdata/texts.golden")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(golden)) {
		f.Add(strings.TrimSpace(line))
	}
	f.Fuzz(func(t *testing.T, text string) {
		body, err := statement.Decode(text)
		if err != nil {
			refused(t, err)
			return
		}
		if len(text) > body.Type().MaxText() {
			t.Fatalf("%d bytes of %s", len(text), body.Type())
		}
		again, err := statement.Encode(body)
		if err != nil {
			t.Fatalf("cannot be encoded: %v", err)
		}
		back, err := statement.Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(body, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("019b8a42-4ec0-7000-8000-000000000001")
	f.Add("019B8A42-4EC0-7000-8000-000000000001")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := statement.ParseID(text); err == nil && (id.String() != text || id.IsZero()) {
			t.Fatalf("%q is read as %s", text, id)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	f.Add("2026-01-02T03:04:05.678Z")
	f.Add("2026-01-02T03:04:05,678Z")
	f.Fuzz(func(t *testing.T, text string) {
		if millis, err := statement.ParseTime(text); err == nil && statement.FormatTime(millis) != text {
			t.Fatalf("%q is read as %s", text, statement.FormatTime(millis))
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, signer := range signers() {
		f.Add(statementtest.Key(signer).String())
	}
	f.Add("ssh-rsa AAAAB3NzaC1yc2E=")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := statement.ParseKey(text)
		if err != nil {
			refused(t, err)
			return
		}
		if key.String() != text || len(key.Fingerprint()) != 50 {
			t.Fatalf("%q is read as %s, %s", text, key, key.Fingerprint())
		}
	})
}

func FuzzQuote(f *testing.F) {
	f.Add("pay \u202eeve", 10)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		got := statement.Quote(text, limit)
		end := strings.LastIndex(got, `"`)
		checkNeighbourly(t, got[1:end])
	})
}
