package client

import (
	"testing"

	"github.com/go-json-experiment/json"

	"kura/api/apitest"
	"kura/signer/rpc"
	"kura/statement"
)

// FuzzProve alters a true answer: whatever comes out of it as proven is what the journal recorded.
func FuzzProve(f *testing.F) {
	signer := apitest.NewSigner()
	genesis := signer.Genesis()
	env := apitest.Withdrawal(f, genesis)
	answer, err := signer.Submit(f.Context(), env.Encode(), 0)
	if err != nil {
		f.Fatal(err)
	}
	honest, err := json.Marshal(answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(honest)
	f.Add([]byte(`{"state":"signed","receipt":{"entry":"e30=","index":0,"proof":[],"checkpoint":""}}`))
	f.Add([]byte(`{"receipt":{"entry":"","index":18446744073709551615,"proof":["AA=="],"checkpoint":"4oCUIA=="}}`))
	hash := statement.HashText(env.Statement)
	f.Fuzz(func(t *testing.T, text []byte) {
		var told rpc.Answer
		if json.Unmarshal(text, &told) != nil {
			return
		}
		o, err := prove(genesis.Keys(), told, answer.ID, &hash)
		if err != nil {
			return
		}
		if o.State != rpc.StateSigned && o.State != rpc.StateAuthorized {
			t.Errorf("proven %q, the journal has an authorisation", o.State)
		}
		if o.Entry.Seq != answer.Seq || (o.State == rpc.StateSigned && o.Answer.Transaction == nil) {
			t.Errorf("proven by entry %d with transaction %v", o.Entry.Seq, o.Answer.Transaction)
		}
	})
}
