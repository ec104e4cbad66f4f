package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kura/nem"
	"kura/policy"
	"kura/policy/source"
)

func policyOf(t testing.TB, file string) *policy.Policy {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p, err := source.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A tester is a *testing.T or a *rapid.T.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// played is a policy as a run has it in force, with public keys that no token has made.
func played(t tester, document policy.Document) *policy.Policy {
	t.Helper()
	d, _, err := rekey(document)
	if err != nil {
		t.Fatal(err)
	}
	one, err := first(d)
	if err != nil {
		t.Fatal(err)
	}
	made := map[policy.WalletID]string{}
	for i, w := range d.Wallets {
		made[w.ID] = nem.PublicKey{1: byte(i), 31: 1}.String()
	}
	two, err := second(d, one, made)
	if err != nil {
		t.Fatal(err)
	}
	return two
}

// TestRekey: no key, account or mainnet of the file is left, and what bounds a loss is untouched.
func TestRekey(t *testing.T) {
	for _, name := range []string{"exchange", "treasury", "regulator"} {
		p := policyOf(t, "../../examples/"+name+".yaml")
		before := string(p.Text())
		d := p.Document()
		got := played(t, *d)
		if string(p.Text()) != before || p.Document().Wallets[0].Network != d.Wallets[0].Network || strings.Contains(d.Wallets[0].Network, "testnet") {
			t.Errorf("%s: the file's own policy was changed", name)
		}
		text := string(got.Text())
		for _, key := range p.Keys() {
			if strings.Contains(text, string(key)) {
				t.Errorf("%s: %s is still in it", name, key)
			}
		}
		if len(got.Keys()) != len(p.Keys()) {
			t.Errorf("%s: %d keys, the file has %d", name, len(got.Keys()), len(p.Keys()))
		}
		if strings.Contains(text, "mainnet") {
			t.Errorf("%s: a mainnet is left in %s", name, text)
		}
		for _, w := range d.Wallets {
			if strings.Contains(text, w.PublicKey) || (w.Rescue != "" && strings.Contains(text, w.Rescue)) {
				t.Errorf("%s: wallet %s is still an account of the file", name, w.ID)
			}
		}
		same := cmp.Options{
			cmpopts.IgnoreFields(policy.Document{}, "Version", "Previous"),
			cmpopts.IgnoreFields(policy.Person{}, "Keys", "UserVerification"),
			cmpopts.IgnoreFields(policy.Service{}, "Keys"),
			cmpopts.IgnoreFields(policy.Sentinel{}, "Keys"),
			cmpopts.IgnoreFields(policy.Client{}, "Keys"),
			cmpopts.IgnoreFields(policy.Wallet{}, "Network", "PublicKey", "Rescue"),
			cmpopts.IgnoreFields(policy.Asset{}, "Network", "Asset"),
			cmpopts.IgnoreFields(policy.Tripwires{}, "CanaryKeys"),
			cmpopts.EquateEmpty(),
		}
		if diff := cmp.Diff(d, got.Document(), same); diff != "" {
			t.Errorf("%s (-file +played):\n%s", name, diff)
		}
	}
}

// TestAim: the first client that may ask the first NIS1 wallet, whatever else stands before them.
func TestAim(t *testing.T) {
	got, err := aim(policyOf(t, "testdata/shop.yaml"))
	if want := (target{"till", "xem", "xem"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = aim(policyOf(t, "../../examples/regulator.yaml")) // Symbol alone
	if want := (target{"core", "hot", "xym"}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
