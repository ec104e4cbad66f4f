package policy

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/nem"
)

// Evacuation is the document of a proposal that sweeps a wallet to its rescue address.
type Evacuation struct {
	Wallet WalletID `json:"wallet"`
	Assets []Value  `json:"assets"`
	MaxFee Units    `json:"maxFee"`
}

// Resume is the document of a proposal that vouches for the time: policy time
// may reach Time (unix milliseconds).
type Resume struct {
	Time int64 `json:"time"`
}

// logKeyChange is the document of a proposal that permits handing the log key over.
type logKeyChange struct {
	New []byte `json:"new"` // Ed25519 public key
}

// ParseEvacuation reads the document of an evacuation strictly.
func ParseEvacuation(text []byte) (*Evacuation, error) {
	return parseCompiled[Evacuation](text, `want {"wallet":"…","assets":[{"asset":"…","amount":"…"}],"maxFee":"…"}`)
}

// Transfer is the transfer that sweeps the wallet, timestamp and deadline zero.
func (e *Evacuation) Transfer(p *Policy) (nem.Transfer, error) {
	i, ok := p.wallets[e.Wallet]
	if !ok {
		return nem.Transfer{}, refuse(CodeWalletUnknown, "wallet", "no wallet of the policy is called %s", quoted(string(e.Wallet)))
	}
	facts := &p.walletList[i]
	if facts.rescue.IsZero() {
		return nem.Transfer{}, refuse(CodeBadDocument, "wallet", "wallet %s has no rescue address", e.Wallet)
	}
	t := nem.Transfer{Network: facts.network, Signer: facts.key, Recipient: facts.rescue, Message: nem.NoMessage()}
	for k, value := range e.Assets {
		at := slices.IndexFunc(p.doc.Assets, func(a Asset) bool { return a.ID == value.Asset })
		if at < 0 || p.assetList[at].network != facts.network || value.Amount == 0 ||
			slices.ContainsFunc(e.Assets[:k], func(o Value) bool { return o.Asset == value.Asset }) {
			return nem.Transfer{}, refuse(CodeBadDocument, "assets", "%s: want registered assets of the wallet's network, each once, each with an amount", value.Asset)
		}
		t.Assets = append(t.Assets, nem.AssetAmount{ID: p.assetList[at].id, Amount: nem.Amount(value.Amount)})
	}
	if len(t.Assets) == 0 {
		return nem.Transfer{}, refuse(CodeBadDocument, "assets", "want at least one asset")
	}
	fee, err := nem.FeeFor(t, p.registry[facts.network], p.doc.Wallets[i].FeeMultiplier)
	if err != nil {
		return nem.Transfer{}, err
	}
	if fee > nem.Amount(e.MaxFee) {
		return nem.Transfer{}, refuse(CodeFeeAboveCap, "maxFee", "the fee is %d", fee)
	}
	t.Fee = fee
	return t, nil
}

// ParseResume reads the document of a resume strictly.
func ParseResume(text []byte) (*Resume, error) {
	return parseCompiled[Resume](text, `want {"time":1767225600000}`)
}

// ParseLogKey reads the document of a proposal to hand the log key over strictly.
func ParseLogKey(text []byte) (key [32]byte, err error) {
	const want = `want {"new":"…"}, the base64 of a 32-byte Ed25519 key`
	c, err := parseCompiled[logKeyChange](text, want)
	if err != nil {
		return key, err
	}
	if len(c.New) != len(key) {
		return key, notCompiled(want)
	}
	return [32]byte(c.New), nil
}

// LogKeyText is the document that permits handing the log key over to a key.
func LogKeyText(key [32]byte) string {
	return `{"new":"` + base64.StdEncoding.EncodeToString(key[:]) + `"}`
}

// parseCompiled reads a document strictly: it must be what the same values are written as.
func parseCompiled[T any](text []byte, want string) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(text, v, json.RejectUnknownMembers(true)); err != nil {
		return nil, decodeError(err)
	}
	if again, err := json.Marshal(v); err != nil || !bytes.Equal(again, text) {
		return nil, notCompiled(want)
	}
	return v, nil
}

func notCompiled(want string) error { return &Error{What: "not in compiled form", Want: want} }
