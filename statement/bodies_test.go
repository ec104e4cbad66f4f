package statement_test

import (
	"strings"
	"testing"
	"time"

	"kura/nem"
	"kura/statement"
	"kura/statement/statementtest"
)

var (
	genesis  = statement.HashText("genesis")
	born     = time.Date(2026, 1, 4, 18, 26, 0, 0, time.UTC).UnixMilli()
	expires  = born + 5*60*1000
	lowered  = nem.Amount(1_000_000_000)
	alice    = "TAZQOWGZJ5PKR3QJEUZEMS6MXQX3WZZZAJJDHP3H"
	bob      = "TDJVPIBJTORJLITKIBA7DHE2SE56DX7IQKQW5ZV5"
	someHash = statement.HashText("something")
)

// bodies returns one good body of each type, by a name for subtests.
func bodies() map[string]statement.Body {
	id := statementtest.ID(born, 1)
	return map[string]statement.Body{
		"withdrawal": &statement.Withdrawal{
			Journal: genesis, ID: id, Expires: expires,
			Wallet: "hot-xem", WalletAddress: alice, Destination: bob,
			Assets:  []statement.AssetAmount{{Asset: "nem:xem", Amount: 25_000_000}},
			Message: statement.Message{Kind: statement.MessageText, Value: "1029384756"},
			MaxFee:  200_000, Reference: "wd-77120", Customer: "c-5f31", Replaces: statementtest.ID(born-1000, 1),
		},
		"verdict": &statement.Verdict{
			Journal: genesis, ID: id, Expires: expires,
			Verdict: statement.Reject, About: []statement.Hash{someHash}, Policy: statement.HashText("policy"), Reason: "not ours",
		},
		"freeze": &statement.Freeze{
			Journal: genesis, ID: id, Expires: expires,
			Action: statement.ActionLower, Target: statement.Target{Kind: statement.TargetLimit, Name: "xem-per-day"}, Amount: &lowered, Reason: "00:10",
		},
		"proposal": &statement.Proposal{
			Journal: genesis, ID: id, Expires: expires,
			Proposes: statement.ProposePolicy, Base: someHash, Document: `{"version":2}`, Addresses: `{"add":[]}`, Reason: "new year",
		},
		"login": &statement.Login{Journal: genesis, ID: id, Expires: expires, SecretHash: someHash},
	}
}

// encode returns the text of a body that has one.
func encode(t testing.TB, body statement.Body) string {
	t.Helper()
	text, err := statement.Encode(body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sign returns the envelope of a body that can be signed.
func sign(t testing.TB, body statement.Body) statement.Envelope {
	t.Helper()
	e, err := statement.Sign(statementtest.Signer("backend"), nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// replace changes the only occurrence of old.
func replace(t testing.TB, text, old, with string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in %s", old, strings.Count(text, old), text)
	}
	return strings.Replace(text, old, with, 1)
}
