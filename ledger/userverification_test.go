package ledger_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/ledger"
	"kura/ledger/ledgertest"
	"kura/policy"
	"kura/statement"
)

// TestUserVerification gives a person a security key that must verify its user, and has statements come from
// it, opened, with and without that.
func TestUserVerification(t *testing.T) {
	const kind = "sk-ssh-ed25519@openssh.com"
	public := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	wire := ssh.Marshal(struct {
		Kind        string
		Key         []byte
		Application string
	}{kind, public, "ssh:"})
	text := kind + " " + base64.StdEncoding.EncodeToString(wire)
	w := ledgertest.NewWith(t, func(doc *policy.Document) {
		doc.People = slices.Clone(doc.People)
		carol := &doc.People[2]
		carol.Keys, carol.UserVerification = []string{text}, true
	})
	r := held(w)
	for _, c := range []struct {
		sk    statement.SK
		state string
		code  string
	}{
		{statement.SK{Used: true}, ledger.StateRefused, ledger.CodeNoUserCheck},
		{statement.SK{Used: true, UserVerified: true}, ledger.StateCounted, ""},
	} {
		signed := unsignedStatement(t, w, "alice", &statement.Verdict{
			Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + ledgertest.Minute, Verdict: statement.Approve,
			About: []statement.Hash{r.Hash}, Policy: w.State.PolicyInForce().Hash(),
		})
		signed.Key, signed.SK = statement.Key(text), c.sk
		if res := w.Must(ledger.StatementInput{Signed: signed}); res.State != c.state || res.Code != c.code {
			t.Errorf("%+v: %s (%s), want %s (%s)", c.sk, res.State, res.Code, c.state, c.code)
		}
	}
}
