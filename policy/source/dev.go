package source

import (
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"kura/nem"
	"kura/policy"
)

//go:embed dev.yaml.tmpl
var devTemplate string

// DevParties are those whose keys the policy of `kura dev` names, in the order
// of the file: alice, bob and carol are directors, alice, bob and dan the
// treasury, dan operates the client backend, pager is a sentinel. A key for
// "canary" may be given as well.
var DevParties = []string{"alice", "bob", "carol", "dan", "pager", "backend"}

// DevWallet is a wallet of a `kura dev` deployment, on a testnet.
type DevWallet struct {
	ID        string
	Network   nem.Network // NIS1Testnet or SymbolTestnet
	PublicKey nem.PublicKey
	Rescue    nem.Address // may be zero
}

// Dev writes the YAML of a `kura dev` policy. keys holds an OpenSSH public key
// for each of DevParties. Version 1 has no wallets and previous is nil; version 2
// names the wallets and its predecessor.
func Dev(keys map[string]string, previous *policy.Policy, wallets []DevWallet) ([]byte, error) {
	for _, party := range DevParties {
		if keys[party] == "" {
			return nil, fmt.Errorf("dev policy: no key for %s", party)
		}
	}
	type wallet struct {
		ID, Network, PublicKey, Custody, MaxFee, Rescue, Asset, Unit string
		FeeMultiplier                                                int
	}
	data := struct {
		Version  int
		Previous string
		Keys     map[string]string
		Wallets  []wallet
	}{Version: 1, Keys: keys}
	if previous != nil {
		data.Version = previous.Document().Version + 1
		data.Previous = previous.Hash().String()
	}
	for _, w := range wallets {
		x := wallet{
			ID: w.ID, Network: w.Network.String(), PublicKey: w.PublicKey.String(),
			Custody: "sealed", Asset: "xem", Unit: "XEM", MaxFee: "10 XEM",
		}
		if w.Network.Chain() == nem.Symbol {
			x.Custody, x.Asset, x.Unit, x.MaxFee, x.FeeMultiplier = "token", "xym", "XYM", "10 XYM", 100
		}
		if !w.Rescue.IsZero() {
			x.Rescue = w.Rescue.String()
		}
		data.Wallets = append(data.Wallets, x)
	}
	var out strings.Builder
	t, err := template.New("dev policy").Option("missingkey=zero").Parse(devTemplate)
	if err != nil {
		return nil, fmt.Errorf("dev policy: %w", err)
	}
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("dev policy: %w", err)
	}
	return []byte(out.String()), nil
}
