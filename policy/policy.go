package policy

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/nem"
	"kura/statement"
)

// MaxText is the most bytes that a policy's JSON text may have.
const MaxText = 1 << 20

// Hash is the SHA-256 of a document's text: it names a policy version.
type Hash = statement.Hash

// ParseHash reads 64 lower-case hex digits.
func ParseHash(text string) (Hash, error) { return statement.ParseHash(text) }

// Policy is a document that was read and found sound, made ready for judging.
// It is immutable and safe for concurrent use.
type Policy struct {
	doc  Document
	text []byte
	hash Hash

	keys         map[statement.Key]Actor
	fingerprints map[string]Actor // SHA256:… of every key, as freezes name them
	lastDays     map[Actor]Day
	people       map[PersonID]int
	clients      map[ClientID]int
	wallets      map[WalletID]int
	groups       map[string][]Actor
	books        map[string]int

	walletList []walletFacts // beside doc.Wallets
	assetList  []assetFacts  // beside doc.Assets
	assetIndex map[assetKey]int
	registry   map[nem.Network]nem.Assets
	rules      []rule
	limits     []limit
	canaries   []canary
}

// walletFacts are a wallet's texts as parsed.
type walletFacts struct {
	network nem.Network
	key     nem.PublicKey
	address nem.Address
	text    string      // of address
	rescue  nem.Address // zero if there is none
	// currency is the registry entry that its fees leave in, -1 if there is none.
	currency int
}

// assetKey finds a registry entry: the same id may stand on two networks.
type assetKey struct {
	network nem.Network
	id      nem.AssetID
}

// assetFacts are a registry entry's texts as parsed.
type assetFacts struct {
	assetKey
	levy  int       // index of the registry entry the levy is taken in, -1 if none
	terms *nem.Levy // of the levy, nil if none
}

// Parse reads the JSON text of a policy. It takes the compiled form and nothing
// else: every member, in order, no white space, so that a text has one reading
// and a reading one text. The error is an Errors, with everything that is wrong.
func Parse(text []byte) (*Policy, error) {
	if len(text) > MaxText {
		return nil, Errors{{What: fmt.Sprintf("the policy has %d bytes", len(text)), Want: fmt.Sprintf("want at most %d", MaxText)}}
	}
	var doc Document
	if err := json.Unmarshal(text, &doc, json.RejectUnknownMembers(true)); err != nil {
		return nil, Errors{decodeError(err)}
	}
	p, err := New(doc)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(p.text, text) {
		at := 0
		for at < min(len(text), len(p.text)) && text[at] == p.text[at] {
			at++
		}
		return nil, Errors{{
			What: fmt.Sprintf("the text is not in compiled form: byte %d is %s", at, excerpt(text, at)),
			Want: fmt.Sprintf("want %s; kura policy compile writes that form (every member, in order, no white space)", excerpt(p.text, at)),
		}}
	}
	return p, nil
}

// New makes a policy of a document; its text is the document's compiled JSON.
// The error is an Errors.
func New(doc Document) (*Policy, error) {
	text, err := json.Marshal(&doc, json.Deterministic(true))
	if err != nil {
		return nil, Errors{{What: "the document cannot be written as JSON: " + err.Error()}}
	}
	p := &Policy{doc: doc, text: text, hash: sha256.Sum256(text)}
	v := &validator{p: p}
	v.document()
	if len(v.errs) > 0 {
		return nil, v.errs
	}
	return p, nil
}

// Text is the JSON text that the hash is of. Callers must not change it.
func (p *Policy) Text() []byte { return p.text }

// Hash names the policy.
func (p *Policy) Hash() Hash { return p.hash }

// Document is what the policy says. Callers must not change what it points to.
func (p *Policy) Document() *Document { return &p.doc }

// Wallet finds a wallet by its name.
func (p *Policy) Wallet(id WalletID) (*Wallet, bool) {
	i, ok := p.wallets[id]
	if !ok {
		return nil, false
	}
	return &p.doc.Wallets[i], true
}

// An Account is what a wallet's texts mean.
type Account struct {
	Network nem.Network
	Key     nem.PublicKey
	Address nem.Address
	Rescue  nem.Address // zero if it has none
}

// Account finds a wallet's account by the wallet's name.
func (p *Policy) Account(id WalletID) (Account, bool) {
	i, ok := p.wallets[id]
	if !ok {
		return Account{}, false
	}
	f := p.walletList[i]
	return Account{f.network, f.key, f.address, f.rescue}, true
}

// Client finds a client by its name.
func (p *Policy) Client(id ClientID) (*Client, bool) {
	i, ok := p.clients[id]
	if !ok {
		return nil, false
	}
	return &p.doc.Clients[i], true
}

// Person finds a person by name.
func (p *Policy) Person(id PersonID) (*Person, bool) {
	i, ok := p.people[id]
	if !ok {
		return nil, false
	}
	return &p.doc.People[i], true
}

// Limit finds a limit by its name.
func (p *Policy) Limit(id string) (*Limit, bool) {
	for i := range p.doc.Limits {
		if p.doc.Limits[i].ID == id {
			return &p.doc.Limits[i], true
		}
	}
	return nil, false
}

// Assets is the registry of a network, as fees and effects need it.
func (p *Policy) Assets(n nem.Network) nem.Assets { return p.registry[n] }

// AssetOf finds the registry entry of an asset on a network.
func (p *Policy) AssetOf(n nem.Network, id nem.AssetID) (*Asset, bool) {
	i, ok := p.assetIndex[assetKey{n, id}]
	if !ok {
		return nil, false
	}
	return &p.doc.Assets[i], true
}

// AssetRef finds a registry entry by its name in the policy.
func (p *Policy) AssetRef(ref AssetRef) (*Asset, bool) {
	for i := range p.doc.Assets {
		if p.doc.Assets[i].ID == ref {
			return &p.doc.Assets[i], true
		}
	}
	return nil, false
}

// Keys lists every key that the policy names, canaries included: none of them
// may come back under another name.
func (p *Policy) Keys() []statement.Key {
	keys := make([]statement.Key, 0, len(p.keys))
	for k := range p.keys {
		keys = append(keys, k)
	}
	return keys
}

// decodeError says in the document's own terms where JSON was not a policy.
func decodeError(err error) *Error {
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		what := "wrong kind of value"
		if semantic.Err != nil {
			what = semantic.Err.Error()
		} else if semantic.GoType != nil {
			what = fmt.Sprintf("a JSON %v cannot stand here", semantic.JSONKind)
		}
		return &Error{Path: pointerPath(semantic.JSONPointer), What: what, Want: "docs/policy.md lists the members"}
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &Error{Path: pointerPath(syntactic.JSONPointer), What: syntactic.Error()}
	}
	return &Error{What: err.Error()}
}

// pointerPath turns a JSON pointer (/people/2/keys/0) into people[2].keys[0].
func pointerPath(pointer jsontext.Pointer) string {
	var b strings.Builder
	for token := range pointer.Tokens() {
		switch {
		case token != "" && strings.Trim(token, "0123456789") == "":
			b.WriteString("[" + token + "]")
		case b.Len() > 0:
			b.WriteString("." + token)
		default:
			b.WriteString(token)
		}
	}
	return b.String()
}

// excerpt shows a little of a text from a byte on.
func excerpt(text []byte, from int) string {
	if from >= len(text) {
		return "the end"
	}
	return quoted(string(text[from:min(from+24, len(text))]))
}
