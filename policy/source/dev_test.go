package source_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/nem"
	"kura/policy"
	"kura/policy/source"
)

// testKey is a public key that depends on its name alone.
func testKey(t *testing.T, name string) (sshKey string, chainKey nem.PublicKey) {
	t.Helper()
	seed := sha256.Sum256([]byte("kura example " + name))
	public := ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), nem.PublicKey(public)
}

func TestDev(t *testing.T) {
	keys := map[string]string{}
	for _, name := range source.DevParties {
		keys[name], _ = testKey(t, name)
	}
	yaml1, err := source.Dev(keys, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p1, err := source.Compile(yaml1)
	if err != nil {
		t.Fatalf("%v\n%s", err, yaml1)
	}
	_, xem := testKey(t, "wallet-xem")
	_, xym := testKey(t, "wallet-xym")
	_, rescue := testKey(t, "rescue-xem")
	wallets := []source.DevWallet{
		{ID: "hot-xem", Network: nem.NIS1Testnet, PublicKey: xem, Rescue: rescue.Address(nem.NIS1Testnet)},
		{ID: "hot-xym", Network: nem.SymbolTestnet, PublicKey: xym},
	}
	yaml2, err := source.Dev(keys, p1, wallets)
	if err != nil {
		t.Fatal(err)
	}
	p2, err := source.Compile(yaml2)
	if err != nil {
		t.Fatalf("%v\n%s", err, yaml2)
	}
	if refusal := policy.CheckSuccessor(p1, p2, nil); refusal != nil {
		t.Fatal(refusal)
	}
	again, err := policy.Parse(p2.Text())
	if err != nil {
		t.Fatal(err)
	}
	if again.Hash() != p2.Hash() {
		t.Error("the same text has another hash")
	}
	delete(keys, "dan")
	if _, err := source.Dev(keys, nil, nil); err == nil {
		t.Error("a missing key was not noticed")
	}
}
