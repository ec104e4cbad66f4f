package apitest

import (
	"encoding/hex"

	"kura/nem"
	"kura/signer/rpc"
	"kura/statement"
)

// The double's transaction is for this network, until this chain time.
const (
	network  = nem.NIS1Testnet
	deadline = 300_001_800
)

// Unsigned is the transaction that every withdrawal of the double is, in hex: a real one, so that what
// clients derive from its bytes holds.
var Unsigned = hex.EncodeToString(unsigned)

var unsigned, signature = makeTransaction()

// makeTransaction signs a transfer to itself with a key that everybody knows.
func makeTransaction() ([]byte, nem.Signature) {
	seed := [32]byte{1}
	key := nem.NIS1PublicKey(&seed)
	unsigned, err := nem.BuildTransfer(nem.Transfer{
		Network: network, Signer: key, Recipient: key.Address(network),
		Assets:  []nem.AssetAmount{{ID: nem.Currency(network), Amount: 1_000_000}},
		Message: nem.NoMessage(), Fee: 50_000, Timestamp: 300_000_000, Deadline: deadline,
	})
	if err != nil {
		panic(err)
	}
	signature, err := nem.SignNIS1(&seed, key, unsigned)
	if err != nil {
		panic(err)
	}
	return unsigned, signature
}

// signedTransaction is the double's transaction as a signer hands it out.
func signedTransaction() *rpc.Transaction {
	hash, err := nem.HashOf(network, unsigned, signature)
	if err != nil {
		panic(err)
	}
	announce, err := nem.Announce(network, unsigned, signature)
	if err != nil {
		panic(err)
	}
	return &rpc.Transaction{
		Network: network.String(), Hash: hash.String(), Fee: "50000",
		Deadline: statement.FormatTime(nem.UnixMillis(network, deadline)), Announce: rpc.Announce(announce),
	}
}
