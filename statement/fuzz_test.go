package statement_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
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

// fuzzBody checks a text in compact form and documented order, made of strings
// of a stranger: it is refused, or its members are exactly those strings.
func fuzzBody(t *testing.T, format string, values ...string) {
	quoted := make([]any, len(values))
	for i, v := range values {
		q, err := jsontext.AppendQuote(nil, v)
		if err != nil {
			t.Skip("no JSON can hold it")
		}
		quoted[i] = q
	}
	text := fmt.Sprintf(format, quoted...)
	body, err := statement.Decode(text)
	if err != nil {
		refused(t, err)
		return
	}
	if again := encode(t, body); again != text {
		t.Fatalf("%s\nis read as\n%s", text, again)
	}
}

const fuzzCommon = `"journal":"aeebad4a796fcc2e15dc4c6061b45ed9b373f26adfc798ca7d2d8cc58182718e","id":"019b8a42-4ec0-7000-8000-000000000001","expires":"2026-01-04T18:31:00.000Z",`

func FuzzWithdrawal(f *testing.F) {
	f.Add("hot-xem", alice, bob, "nem:xem", "25000000", "text", "1029384756", "200000", "wd-77120", "c-5f31", "")
	f.Add("hot-xym", alice[:39], bob[:39], "72C0212E67A08BCE", "1", "hex", "00ff", "0", "", "", "019b8a42-4ec0-7000-8000-000000000002")
	f.Fuzz(func(t *testing.T, wallet, walletAddress, destination, asset, amount, kind, value, maxFee, reference, customer, replaces string) {
		fuzzBody(t, `{"type":"withdrawal/1",`+fuzzCommon+`"wallet":%s,"walletAddress":%s,"destination":%s,"assets":[{"asset":%s,"amount":%s}],"message":{"kind":%s,"value":%s},"maxFee":%s,"reference":%s,"customer":%s,"replaces":%s}`,
			wallet, walletAddress, destination, asset, amount, kind, value, maxFee, reference, customer, replaces)
	})
}

func FuzzVerdict(f *testing.F) {
	f.Add("approve", someHash.String(), statement.HashText("other").String(), someHash.String(), "")
	f.Add("veto", someHash.String(), statement.HashText("other").String(), someHash.String(), "why")
	f.Fuzz(func(t *testing.T, verdict, first, second, policy, reason string) {
		fuzzBody(t, `{"type":"verdict/1",`+fuzzCommon+`"verdict":%s,"about":[%s,%s],"policy":%s,"reason":%s}`, verdict, first, second, policy, reason)
	})
}

func FuzzFreeze(f *testing.F) {
	f.Add("freeze", "all", "", "", "")
	f.Add("suspend", "key", "SHA256:qhXDwhBy67JM4UIFD8Kgv4r81+cAt/doGBzXTv0jdJ8", "", "lost")
	f.Add("suspend", "address", bob, "", "")
	f.Add("lower", "limit", "xem-per-day", "0", "")
	f.Fuzz(func(t *testing.T, action, kind, name, amount, reason string) {
		fuzzBody(t, `{"type":"freeze/1",`+fuzzCommon+`"action":%s,"target":{"kind":%s,"name":%s},"amount":%s,"reason":%s}`, action, kind, name, amount, reason)
	})
}

func FuzzProposal(f *testing.F) {
	f.Add("policy", someHash.String(), `{"version":2}`, `{}`, "")
	f.Add("resume", someHash.String(), `{"a":[1,2,{"b":null}]}`, ``, "why")
	f.Fuzz(func(t *testing.T, proposes, base, document, addresses, reason string) {
		fuzzBody(t, `{"type":"proposal/1",`+fuzzCommon+`"proposes":%s,"base":%s,"document":%s,"addresses":%s,"reason":%s}`, proposes, base, document, addresses, reason)
	})
}

func FuzzLogin(f *testing.F) {
	f.Add("login/1", genesis.String(), "019b8a42-4ec0-7000-8000-000000000001", "2026-01-04T18:31:00.000Z", someHash.String())
	f.Fuzz(func(t *testing.T, typ, journal, id, expires, secretHash string) {
		fuzzBody(t, `{"type":%s,"journal":%s,"id":%s,"expires":%s,"secretHash":%s}`, typ, journal, id, expires, secretHash)
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
