package nem_test

import (
	"fmt"
	"log"

	"kura/nem"
)

// From an intent to what a node takes, and what it does once it is there. The
// key is a public test key: never fund it.
func Example() {
	seed, err := nem.ParsePrivateKeyText(nem.NIS1, "ABF4CF55A2B3F742D7543D9CC17F50447B969E6E06F5EA9195D428AB12B7318D")
	if err != nil {
		log.Fatal(err)
	}
	wallet := nem.NIS1PublicKey(&seed)
	recipient, err := nem.ParseAddress(nem.NIS1Testnet, "TDJVPI-BJTORJ-LITKIB-A7DHE2-SE56DX-7IQKQW-5ZV5")
	if err != nil {
		log.Fatal(err)
	}
	message, err := nem.TextMessage("invoice 42")
	if err != nil {
		log.Fatal(err)
	}
	xem := nem.Currency(nem.NIS1Testnet)
	registry := nem.Assets{xem: {ID: xem, Supply: 8_999_999_999, Divisibility: 6}}

	transfer, err := nem.Transfer{
		Network: nem.NIS1Testnet, Signer: wallet, Recipient: recipient,
		Assets: []nem.AssetAmount{{ID: xem, Amount: 5_100_000}}, Message: message,
	}.Fill(1_800_000_000_000, 30*60*1000, registry, 0)
	if err != nil {
		log.Fatal(err)
	}
	unsigned, err := nem.BuildTransfer(transfer)
	if err != nil {
		log.Fatal(err)
	}
	toSign, err := nem.SigningBytes(nem.NIS1Testnet, unsigned)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := nem.SignNIS1(&seed, wallet, toSign)
	if err != nil {
		log.Fatal(err)
	}
	if err := nem.VerifyTransaction(nem.NIS1Testnet, unsigned, signature); err != nil {
		log.Fatal(err)
	}
	announcement, err := nem.Announce(nem.NIS1Testnet, unsigned, signature)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(announcement.Method, announcement.Path)

	tx, err := nem.Decode(nem.NIS1Testnet, unsigned)
	if err != nil {
		log.Fatal(err)
	}
	for _, flow := range nem.Effects(tx, registry).Outflows {
		fmt.Println(flow.Kind, flow.Amount, flow.Asset, flow.To)
	}
	// Output:
	// POST /transaction/announce
	// transfer 5100000 nem:xem TDJVPIBJTORJLITKIBA7DHE2SE56DX7IQKQW5ZV5
	// fee 100000 nem:xem
}
