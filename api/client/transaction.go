package client

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"kura/nem"
	"kura/signer/rpc"
	"kura/statement"
)

// A recordedTransaction is the transaction that an outcome's entry authorises.
type recordedTransaction struct {
	Network  string `json:"network"`
	Unsigned string `json:"unsigned"` // hex
}

// carriedBy checks that what is to be announced is the transaction that the journal authorised, signed by
// the account that pays, and that all that the answer says about it follows from its bytes. Of the answer
// only the signature is taken: everything else is derived again and must be the same.
func (t *recordedTransaction) carriedBy(told *rpc.Transaction) error {
	if t == nil {
		return errors.New("the receipt is of an authorisation without a transaction")
	}
	network, err := nem.ParseNetwork(t.Network)
	if err != nil {
		return fmt.Errorf("the authorised transaction: %w", err)
	}
	unsigned, err := hex.DecodeString(t.Unsigned)
	if err != nil {
		return fmt.Errorf("the authorised transaction is not hex: %w", err)
	}
	signature, err := signatureIn(network, told.Announce.Body)
	if err != nil {
		return err
	}
	if err := nem.VerifyTransaction(network, unsigned, signature); err != nil {
		return fmt.Errorf("what is to be announced is not the authorised transaction with its signature: %w", err)
	}
	derived, err := describe(network, unsigned, signature)
	if err != nil {
		return err
	}
	if *told != derived {
		return errors.New("the answer describes the transaction otherwise than its bytes do, or would announce another one")
	}
	return nil
}

// signatureIn finds the signature in the body of an announcement: beside the data in NIS1, at bytes 8 to 72
// of the payload in Symbol.
func signatureIn(network nem.Network, announced string) (nem.Signature, error) {
	var body struct {
		Data      string `json:"data"`      // NIS1
		Signature string `json:"signature"` // NIS1
		Payload   string `json:"payload"`   // Symbol
	}
	if err := json.Unmarshal([]byte(announced), &body, json.RejectUnknownMembers(true)); err != nil {
		return nem.Signature{}, fmt.Errorf("the transaction to announce does not decode: %w", err)
	}
	text := body.Signature
	if network.Chain() == nem.Symbol {
		const from, to = 2 * 8, 2 * 72 // hex digits
		if len(body.Payload) < to {
			return nem.Signature{}, errors.New("the transaction to announce is cut short")
		}
		text = body.Payload[from:to]
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(nem.Signature{}) {
		return nem.Signature{}, errors.New("the transaction to announce has no signature of 64 bytes in hex")
	}
	return nem.Signature(raw), nil
}

// describe says of a signed transaction what an answer must say of it.
func describe(network nem.Network, unsigned []byte, signature nem.Signature) (rpc.Transaction, error) {
	tx, err := nem.Decode(network, unsigned)
	if err != nil {
		return rpc.Transaction{}, err
	}
	hash, err := nem.HashOf(network, unsigned, signature)
	if err != nil {
		return rpc.Transaction{}, err
	}
	announce, err := nem.Announce(network, unsigned, signature)
	if err != nil {
		return rpc.Transaction{}, err
	}
	return rpc.Transaction{
		Network: network.String(), Hash: hash.String(), Fee: tx.Fee().String(),
		Deadline: statement.FormatTime(nem.UnixMillis(network, tx.Deadline())),
		Announce: rpc.Announce(announce),
	}, nil
}
