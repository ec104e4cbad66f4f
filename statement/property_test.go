package statement_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kura/nem"
	"kura/statement"
	"kura/statement/statementtest"
)

// drawBody makes any body that the rules allow.
func drawBody(t *rapid.T) statement.Body {
	hash := rapid.Custom(func(t *rapid.T) statement.Hash {
		return statement.Hash(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
	})
	name := rapid.StringMatching(`[a-z0-9][a-z0-9._-]{0,63}`)
	address := rapid.StringMatching(`[A-Z2-7]{39,40}`)
	foreign := rapid.Map(rapid.StringN(0, 40, 128), withoutControls)
	amount := rapid.Map(rapid.Uint64(), func(v uint64) nem.Amount { return nem.Amount(v) })
	document := rapid.Map(rapid.IntRange(0, 1000), func(n int) string { return fmt.Sprintf("{\"n\": %d}", n) })

	journal := hash.Draw(t, "journal")
	birth := rapid.Int64Range(0, 1<<48-1).Draw(t, "birth")
	id := statementtest.ID(birth, rapid.Uint64().Draw(t, "n"))
	until := rapid.Int64Range(0, 253402300799999).Draw(t, "expires")
	reason := foreign.Draw(t, "reason")

	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0:
		w := &statement.Withdrawal{
			Journal: journal, ID: id, Expires: until,
			Wallet: name.Draw(t, "wallet"), WalletAddress: address.Draw(t, "walletAddress"), Destination: address.Draw(t, "destination"),
			MaxFee: amount.Draw(t, "maxFee"), Reference: foreign.Draw(t, "reference"), Customer: foreign.Draw(t, "customer"),
		}
		for i := range rapid.IntRange(1, 10).Draw(t, "assets") {
			asset := fmt.Sprintf("ns%d:mosaic", i)
			if rapid.Bool().Draw(t, "symbol") {
				asset = fmt.Sprintf("%016X", 0x72C0212E67A08B00+i)
			}
			w.Assets = append(w.Assets, statement.AssetAmount{Asset: asset, Amount: max(1, amount.Draw(t, "amount"))})
		}
		switch rapid.IntRange(0, 2).Draw(t, "message") {
		case 0:
			w.Message = statement.Message{Kind: statement.MessageNone}
		case 1:
			text := strings.ReplaceAll(rapid.StringN(0, 30, 200).Draw(t, "text"), "\x00", "") // which no text may hold
			w.Message = statement.Message{Kind: statement.MessageText, Value: "x" + text}
		case 2:
			w.Message = statement.Message{Kind: statement.MessageHex, Value: rapid.StringMatching(`([0-9a-f]{2}){1,100}`).Draw(t, "hex")}
		}
		if rapid.Bool().Draw(t, "replaces") {
			w.Replaces = statement.NewID(birth, [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
		}
		return w
	case 1:
		return &statement.Verdict{
			Journal: journal, ID: id, Expires: until,
			Verdict: rapid.SampledFrom([]statement.VerdictKind{statement.Approve, statement.Reject, statement.Cancel, statement.Veto, statement.Lift}).Draw(t, "verdict"),
			About:   rapid.SliceOfNDistinct(hash, 1, 40, func(h statement.Hash) statement.Hash { return h }).Draw(t, "about"),
			Policy:  hash.Draw(t, "policy"), Reason: "because " + reason,
		}
	case 2:
		f := &statement.Freeze{Journal: journal, ID: id, Expires: until, Reason: reason}
		switch rapid.IntRange(0, 3).Draw(t, "action") {
		case 0:
			f.Action, f.Target = statement.ActionFreeze, statement.Target{Kind: statement.TargetAll}
		case 1:
			f.Action, f.Target = statement.ActionSuspend, statement.Target{Kind: statement.TargetKey, Name: statementtest.Key(statementtest.Signer("eve")).Fingerprint()}
		case 2:
			f.Action, f.Target = statement.ActionSuspend, statement.Target{Kind: statement.TargetAddress, Name: address.Draw(t, "address")}
		case 3:
			number := amount.Draw(t, "amount")
			f.Action, f.Target, f.Amount = statement.ActionLower, statement.Target{Kind: statement.TargetLimit, Name: name.Draw(t, "limit")}, &number
		}
		return f
	case 3:
		p := &statement.Proposal{
			Journal: journal, ID: id, Expires: until,
			Proposes: rapid.SampledFrom([]statement.ProposalKind{
				statement.ProposePolicy, statement.ProposeAddresses, statement.ProposeEvacuation, statement.ProposeRecovery, statement.ProposeResume,
			}).Draw(t, "proposes"),
			Base: hash.Draw(t, "base"), Document: document.Draw(t, "document"), Reason: reason,
		}
		if p.Proposes == statement.ProposePolicy && rapid.Bool().Draw(t, "with addresses") {
			p.Addresses = document.Draw(t, "addresses")
		}
		return p
	}
	return &statement.Login{Journal: journal, ID: id, Expires: until, SecretHash: hash.Draw(t, "secretHash")}
}

func withoutControls(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// TestWhatIsSignedIsWhatIsOpened, for every body and every kind of key, through
// the envelope.
func TestWhatIsSignedIsWhatIsOpened(t *testing.T) {
	keys := signers()
	rapid.Check(t, func(t *rapid.T) {
		body := drawBody(t)
		signer := keys[rapid.SampledFrom([]string{"ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"}).Draw(t, "key")]
		e, err := statement.Sign(signer, nil, body)
		if err != nil {
			if codeOf(err) == statement.CodeTooLarge {
				t.Skip("larger than a text may be")
			}
			t.Fatal(err)
		}
		carried, err := statement.DecodeEnvelope(e.Encode())
		if err != nil || carried != e {
			t.Fatalf("the envelope came back as %v: %v", carried, err)
		}
		got, err := statement.Open(carried)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(body, got.Body); diff != "" || got.Key != statementtest.Key(signer) {
			t.Fatalf("by %s (-want +got):\n%s", got.Key, diff)
		}
	})
}

// TestAnyChangedByteIsFound in text or signature; what changes neither the text
// nor the signature's meaning does not exist but for the final newline.
func TestAnyChangedByteIsFound(t *testing.T) {
	e := sign(t, bodies()["login"])
	for i := range len(e.Statement) {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			changed := []byte(e.Statement)
			changed[i] ^= flip
			if _, err := statement.Open(statement.Envelope{Statement: string(changed), Signature: e.Signature}); codeOf(err) == "" {
				t.Errorf("text with byte %d changed by %#x is opened (%v)", i, flip, err)
			}
		}
	}
	for i := range len(e.Signature) {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			changed := []byte(e.Signature)
			changed[i] ^= flip
			if _, err := statement.Open(statement.Envelope{Statement: e.Statement, Signature: string(changed)}); codeOf(err) == "" {
				t.Errorf("signature with byte %d changed by %#x is opened (%v)", i, flip, err)
			}
		}
	}
}
