package statement_test

import (
	"errors"
	"strings"
	"testing"

	"kura/nem"
	"kura/statement"
)

func TestResolve(t *testing.T) {
	w := bodies()["withdrawal"].(*statement.Withdrawal)
	got, err := w.Resolve(nem.NIS1Testnet)
	if err != nil {
		t.Fatal(err)
	}
	if got.WalletAddress.String() != alice || got.Destination.String() != bob || got.Destination.Network() != nem.NIS1Testnet {
		t.Errorf("addresses %s and %s", got.WalletAddress, got.Destination)
	}
	if len(got.Assets) != 1 || got.Assets[0] != (nem.AssetAmount{ID: nem.Currency(nem.NIS1Testnet), Amount: 25_000_000}) {
		t.Errorf("assets %v", got.Assets)
	}
	if text, err := nem.TextMessage("1029384756"); err != nil || got.Message != text {
		t.Errorf("message %v (%v)", got.Message, err)
	}
	w.Message = statement.Message{Kind: statement.MessageHex, Value: "00ff"}
	if got, err = w.Resolve(nem.NIS1Testnet); err != nil || string(got.Message.Payload(nem.NIS1)) != "\x00\xff" {
		t.Errorf("hex message: %v, %v", got.Message, err)
	}
	w.Message = statement.Message{Kind: statement.MessageNone}
	if got, err = w.Resolve(nem.NIS1Testnet); err != nil || got.Message != nem.NoMessage() {
		t.Errorf("no message: %v, %v", got.Message, err)
	}
}

func TestResolveNamesTheMember(t *testing.T) {
	const symbolAddress = "TATNE7Q5BITMUTRRN6IB4I7FLSDRDWZA37JGO5Q"
	for name, c := range map[string]struct {
		change  func(w *statement.Withdrawal)
		network nem.Network
		field   string
	}{
		"another network":     {func(w *statement.Withdrawal) {}, nem.NIS1Mainnet, "walletAddress"},
		"no network":          {func(w *statement.Withdrawal) {}, 0, "walletAddress"},
		"another chain":       {func(w *statement.Withdrawal) { w.Destination = symbolAddress }, nem.NIS1Testnet, "destination"},
		"no message kind":     {func(w *statement.Withdrawal) { w.Message = statement.Message{} }, nem.NIS1Testnet, "message.value"},
		"checksum":            {func(w *statement.Withdrawal) { w.Destination = bob[:38] + "AA" }, nem.NIS1Testnet, "destination"},
		"the chain's asset":   {func(w *statement.Withdrawal) { w.Assets[0].Asset = "72C0212E67A08BCE" }, nem.NIS1Testnet, "assets[0].asset"},
		"message of one byte": {symbolPayment(symbolAddress, strings.Repeat("x", 1024)), nem.SymbolTestnet, "message.value"},
		"message that fits":   {symbolPayment(symbolAddress, strings.Repeat("x", 1023)), nem.SymbolTestnet, ""},
	} {
		w := bodies()["withdrawal"].(*statement.Withdrawal)
		c.change(w)
		_, err := w.Resolve(c.network)
		e, _ := errors.AsType[*statement.Error](err)
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (e == nil || e.Field != c.field || e.Code != statement.CodeBadValue):
			t.Errorf("%s: got %v, want a refusal of %s", name, err, c.field)
		}
	}
}

func symbolPayment(address, message string) func(w *statement.Withdrawal) {
	return func(w *statement.Withdrawal) {
		w.WalletAddress, w.Destination = address, address
		w.Assets = []statement.AssetAmount{{Asset: "72C0212E67A08BCE", Amount: 1}}
		w.Message = statement.Message{Kind: statement.MessageText, Value: message}
	}
}
