package statement

import (
	"fmt"
	"strings"

	"kura/nem"
)

// maxAssets is how many assets one withdrawal may pay.
const maxAssets = 10

// Withdrawal is a client's request for one payment out of one wallet. Addresses
// and assets have the right form but belong to no network yet: Resolve holds
// them to the network of the policy's wallet.
type Withdrawal struct {
	Journal Hash
	ID      ID
	Expires int64 // unix milliseconds

	Wallet        string // as the policy names it
	WalletAddress string
	Destination   string
	Assets        []AssetAmount // 1 to 10, distinct
	Message       Message
	MaxFee        nem.Amount // smallest units of the chain's currency
	Reference     string     // the client's own
	Customer      string     // a pseudonym, or ""
	Replaces      ID         // zero: none
}

// AssetAmount is one asset of a withdrawal and how much of it, in its smallest
// unit.
type AssetAmount struct {
	Asset  string
	Amount nem.Amount // at least 1
}

// Message is a transfer's message as the client writes it.
type Message struct {
	Kind  MessageKind
	Value string // text, or lower-case hex digits, or "" with none
}

// MessageKind says how a message's value becomes bytes on the chain.
type MessageKind string

// The kinds of messages.
const (
	MessageNone MessageKind = "none"
	MessageText MessageKind = "text"
	MessageHex  MessageKind = "hex"
)

// Type returns TypeWithdrawal.
func (w *Withdrawal) Type() Type { return TypeWithdrawal }

// Common returns what every statement says.
func (w *Withdrawal) Common() Common { return Common{w.Journal, w.ID, w.Expires} }

func (w *Withdrawal) members() object {
	return common(TypeWithdrawal, &w.Journal, &w.ID, &w.Expires,
		member{"wallet", word(&w.Wallet, ParseName)},
		member{"walletAddress", word(&w.WalletAddress, parseAddressText)},
		member{"destination", word(&w.Destination, parseAddressText)},
		member{"assets", &list[AssetAmount]{&w.Assets, maxAssets, func(a *AssetAmount) value {
			return object{
				{"asset", word(&a.Asset, parseAssetText)},
				{"amount", &text[nem.Amount]{&a.Amount, parsePositive, nem.Amount.String}},
			}
		}}},
		member{"message", object{
			{"kind", word(&w.Message.Kind, oneOf(MessageNone, MessageText, MessageHex))},
			{"value", word(&w.Message.Value, anyText)},
		}},
		member{"maxFee", &text[nem.Amount]{&w.MaxFee, nem.ParseAmount, nem.Amount.String}},
		member{"reference", word(&w.Reference, line(maxReference))},
		member{"customer", word(&w.Customer, line(maxReference))},
		member{"replaces", &text[ID]{&w.Replaces, optional(ParseID), formatOptionalID}},
	)
}

func (w *Withdrawal) check() error {
	seen := make(map[string]bool, len(w.Assets))
	for _, a := range w.Assets {
		if seen[a.Asset] {
			return refuse(CodeBadValue, "assets", "%s stands twice; add the amounts up", a.Asset)
		}
		seen[a.Asset] = true
	}
	if _, err := w.Message.resolve(); err != nil {
		return &Error{Code: CodeBadValue, Field: "message.value", Msg: err.Error()}
	}
	if w.Replaces == w.ID {
		return refuse(CodeBadValue, "replaces", "a withdrawal cannot replace itself; want the id of an earlier one, or \"\"")
	}
	return nil
}

// resolve makes the chain library's message.
func (m Message) resolve() (nem.Message, error) {
	switch m.Kind {
	case MessageNone:
		_, err := exactly("")(m.Value)
		return nem.NoMessage(), err
	case MessageText:
		if strings.ContainsRune(m.Value, 0) { // PostgreSQL's JSON, through which auditors read statements, has no such character
			return nem.Message{}, fmt.Errorf("the text holds the character U+0000; want the bytes as hex")
		}
		return nem.TextMessage(m.Value)
	case MessageHex:
		b, err := parseHexBytes(m.Value)
		if err != nil {
			return nem.Message{}, err
		}
		return nem.HexMessage(b)
	}
	return nem.Message{}, fmt.Errorf("the message has no kind; want none, text or hex")
}

// Payment is a withdrawal's payment in terms of one network.
type Payment struct {
	WalletAddress nem.Address
	Destination   nem.Address
	Assets        []nem.AssetAmount
	Message       nem.Message
}

// Resolve reads the withdrawal's addresses, assets and message as those of the
// network that its wallet is on. The error is an *[Error] with code bad_value
// that names the member: a wrong checksum, an address of another network or
// chain, an asset of the other chain, a message too long for the chain.
func (w *Withdrawal) Resolve(network nem.Network) (Payment, error) {
	return w.ResolveFrom(network, "", nem.Address{})
}

// ResolveFrom is Resolve for a caller that knows its wallet: text, if it is the
// statement's walletAddress to the letter, has been parsed as wallet before and
// is not parsed again. The result is the same.
func (w *Withdrawal) ResolveFrom(network nem.Network, text string, wallet nem.Address) (Payment, error) {
	bad := func(field string, err error) (Payment, error) {
		return Payment{}, &Error{Code: CodeBadValue, Field: field, Msg: err.Error()}
	}
	var p Payment
	var err error
	if p.WalletAddress = wallet; text == "" || text != w.WalletAddress {
		if p.WalletAddress, err = nem.ParseAddress(network, w.WalletAddress); err != nil {
			return bad("walletAddress", err)
		}
	}
	if p.Destination, err = nem.ParseAddress(network, w.Destination); err != nil {
		return bad("destination", err)
	}
	p.Assets = make([]nem.AssetAmount, len(w.Assets))
	for i, a := range w.Assets {
		id, err := nem.ParseAssetID(network.Chain(), a.Asset)
		if err != nil {
			return bad(element("assets", i)+".asset", err)
		}
		p.Assets[i] = nem.AssetAmount{ID: id, Amount: a.Amount}
	}
	if p.Message, err = w.Message.resolve(); err != nil {
		return bad("message.value", err)
	}
	if size := len(p.Message.Payload(network.Chain())); size > maxMessage {
		return Payment{}, refuse(CodeBadValue, "message.value", "makes %d bytes on the chain, want at most %d", size, maxMessage)
	}
	return p, nil
}
