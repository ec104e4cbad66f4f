package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A cast is everybody whom a policy names, with keys made for the run: the file names keys that we do not hold.
type cast struct {
	keys map[policy.Actor]ssh.Signer // the first of each party
	err  error
}

// rekey gives the policy's document with other keys and on the testnets of its chains; wallets have no public key yet.
// Everything that bounds a loss stays as it is: roles, rules, limits, governance, tripwires, lives, fees.
func rekey(d policy.Document) (policy.Document, *cast, error) {
	c := &cast{keys: map[policy.Actor]ssh.Signer{}}
	d.People, d.Services = slices.Clone(d.People), slices.Clone(d.Services)
	d.Sentinels, d.Clients = slices.Clone(d.Sentinels), slices.Clone(d.Clients)
	for i := range d.People {
		p := &d.People[i]
		p.Keys = c.replace(p.Keys, policy.Actor{Kind: policy.PersonActor, ID: string(p.ID)})
		p.UserVerification = false // nobody's finger is here; no rule depends on it
	}
	for i := range d.Services {
		s := &d.Services[i]
		s.Keys = c.replace(s.Keys, policy.Actor{Kind: policy.ServiceActor, ID: s.ID})
	}
	for i := range d.Sentinels {
		s := &d.Sentinels[i]
		s.Keys = c.replace(s.Keys, policy.Actor{Kind: policy.SentinelActor, ID: s.ID})
	}
	for i := range d.Clients {
		x := &d.Clients[i]
		x.Keys = c.replace(x.Keys, policy.Actor{Kind: policy.ClientActor, ID: string(x.ID)})
	}
	d.Tripwires.CanaryKeys = c.replace(d.Tripwires.CanaryKeys, policy.Actor{Kind: policy.CanaryActor})
	c.moveWallets(&d)
	c.moveAssets(&d)
	return d, c, c.err
}

// replace makes as many keys as there were.
func (c *cast) replace(keys []string, owner policy.Actor) []string {
	fresh := make([]string, len(keys))
	for i := range keys {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		c.note(err)
		key, err := ssh.NewSignerFromKey(private)
		c.note(err)
		if c.err != nil {
			return nil
		}
		text, err := statement.KeyOf(key.PublicKey())
		c.note(err)
		fresh[i] = string(text)
		if i == 0 {
			c.keys[owner] = key
		}
	}
	return fresh
}

func (c *cast) note(err error) {
	if c.err == nil && err != nil {
		c.err = err
	}
}

// testnetOf is where a network's wallets are played.
func testnetOf(name string) (nem.Network, error) {
	n, err := nem.ParseNetwork(name)
	if err != nil {
		return n, err
	}
	if n.Chain() == nem.Symbol {
		return nem.SymbolTestnet, nil
	}
	return nem.NIS1Testnet, nil
}

func (c *cast) moveWallets(d *policy.Document) {
	d.Wallets = slices.Clone(d.Wallets)
	for i := range d.Wallets {
		w := &d.Wallets[i]
		n, err := testnetOf(w.Network)
		c.note(err)
		w.Network, w.PublicKey = n.String(), ""
		if w.Rescue != "" {
			w.Rescue = throwAway(n).String()
		}
	}
}

// moveAssets takes the registry to the testnets. The currencies have other ids there; what else an exchange pays out
// keeps its id, for nothing here asks a chain.
func (c *cast) moveAssets(d *policy.Document) {
	d.Assets = slices.Clone(d.Assets)
	for i := range d.Assets {
		a := &d.Assets[i]
		was, err := nem.ParseNetwork(a.Network)
		c.note(err)
		n, err := testnetOf(a.Network)
		c.note(err)
		if c.err != nil {
			return
		}
		if a.Asset == nem.Currency(was).String() {
			a.Asset = nem.Currency(n).String()
		}
		a.Network = n.String()
		if a.Levy != nil {
			levy := *a.Levy
			levy.Recipient = throwAway(n).String()
			a.Levy = &levy
		}
		if slices.ContainsFunc(d.Assets[:i], func(o policy.Asset) bool { return o.Network == a.Network && o.Asset == a.Asset }) {
			c.note(fmt.Errorf("assets[%d]: the policy names %s on two networks of one chain; only one of them can be played on the testnet", i, a.Name))
		}
	}
}

// throwAway is an address that nobody has the key of.
func throwAway(n nem.Network) nem.Address {
	var key nem.PublicKey
	_, _ = rand.Read(key[:]) // never fails: it ends the process instead
	return key.Address(n)
}

// first is policy 1 of the run: the same people and the same governance, and no wallets yet.
func first(d policy.Document) (*policy.Policy, error) {
	d.Version, d.Previous = 1, ""
	d.Wallets, d.Rules, d.Limits = nil, nil, nil
	return policy.New(d)
}

// second is the policy that is robbed: everything, with the wallets that the token made.
func second(d policy.Document, after *policy.Policy, made map[policy.WalletID]string) (*policy.Policy, error) {
	d.Version, d.Previous = 2, after.Hash().String()
	d.Wallets = slices.Clone(d.Wallets)
	for i := range d.Wallets {
		d.Wallets[i].PublicKey = made[d.Wallets[i].ID]
	}
	return policy.New(d)
}

// addressBook lists two destinations on each network in every book that the policy names, so that whatever its rules
// say of listed ones can be played. Any message is good: the worst case for the bound.
func addressBook(p *policy.Policy) (*policy.BookChange, error) {
	change := &policy.BookChange{}
	networks := map[string]bool{}
	for _, w := range p.Document().Wallets {
		if networks[w.Network] {
			continue
		}
		networks[w.Network] = true
		n, err := nem.ParseNetwork(w.Network)
		if err != nil {
			return nil, err
		}
		for _, book := range p.Document().Books {
			for i := range listedEach {
				change.Add = append(change.Add, policy.Entry{
					Book: book, Name: fmt.Sprintf("%s %d", n, i+1), Network: w.Network,
					Address: throwAway(n).String(), Message: policy.MessageRule{Rule: "any"},
				})
			}
		}
	}
	if len(change.Add) == 0 {
		return nil, nil
	}
	return change, nil
}

const listedEach = 2
