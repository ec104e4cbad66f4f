package dev

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"

	"kura/api/client"
	"kura/journal"
	"kura/nem"
	"kura/policy"
	"kura/policy/source"
	"kura/signer/rpc"
	"kura/statement"
)

// The example's wallets.
var wallets = []struct {
	id      string
	network nem.Network
}{{"hot-xem", nem.NIS1Testnet}, {"hot-xym", nem.SymbolTestnet}}

// finish makes the wallets, has the directors adopt policy 2, which names them,
// together with the first address book, and gives everybody their home.
func (d *deployment) finish(ctx context.Context, g journal.Genesis, c *client.Client) error {
	d.now("two wallets: hot-xem (NIS1, sealed) and hot-xym (Symbol, in the token)")
	var made []source.DevWallet
	for _, w := range wallets {
		wallet, err := d.makeWallet(ctx, w.id, w.network)
		if err != nil {
			return err
		}
		made = append(made, wallet)
	}
	d.now("policy 2 with these wallets and an address book, adopted by its directors")
	if err := d.adopt(ctx, g, c, made); err != nil {
		return err
	}
	for _, party := range source.DevParties {
		if err := d.writeHome(party, g); err != nil {
			return err
		}
	}
	return os.WriteFile(d.path(doneFile), []byte("This directory was set up by kura dev. Nothing in it may ever be funded.\n"), 0o644)
}

// makeWallet runs the ceremony through the signer's administration socket, and
// keeps its record.
func (d *deployment) makeWallet(ctx context.Context, id string, n nem.Network) (source.DevWallet, error) {
	out, err := d.signer(ctx, "wallet", "create", "--config", d.path(signerConfig), "--name", id, "--network", n.String(), "--present", "kura dev", "--json")
	if err != nil {
		return source.DevWallet{}, err
	}
	if err := os.WriteFile(d.path(policyDir, "ceremony-"+id+".json"), []byte(out), 0o644); err != nil {
		return source.DevWallet{}, err
	}
	var ceremony rpc.Ceremony
	if err := json.Unmarshal([]byte(out), &ceremony); err != nil {
		return source.DevWallet{}, fmt.Errorf("the ceremony record of %s: %w", id, err)
	}
	key, err := nem.ParsePublicKey(ceremony.Wallet.PublicKey)
	if err != nil {
		return source.DevWallet{}, err
	}
	rescue, err := nem.ParseAddress(n, rescueAddresses[n])
	if err != nil {
		return source.DevWallet{}, err
	}
	return source.DevWallet{ID: id, Network: n, PublicKey: key, Rescue: rescue}, nil
}

// Where a wallet of the example is swept to, and whom it may pay: addresses of the
// public test keys of docs (nobody must fund them).
var rescueAddresses = map[nem.Network]string{
	nem.NIS1Testnet:   "TBZLOW3Q4GB7Y75BZPJH3KKGIF5MD2D4GHTSQWDW",
	nem.SymbolTestnet: "TA3ANFH2PWHXUTVLZ7J3EPP5HNDPGJQNFTMZZFY",
}

// examplePayee is an exchange that credits by message.
const examplePayee = "TDJVPIBJTORJLITKIBA7DHE2SE56DX7IQKQW5ZV5"

// adopt proposes policy 2 with the first address book and approves it by the
// directors. As the first policy with a wallet it acts at once.
func (d *deployment) adopt(ctx context.Context, g journal.Genesis, c *client.Client, made []source.DevWallet) error {
	text, err := os.ReadFile(d.path(policyDir, "policy-1.json"))
	if err != nil {
		return err
	}
	first, err := policy.Parse(text)
	if err != nil {
		return err
	}
	second, err := d.writePolicy(first, made)
	if err != nil {
		return err
	}
	book, err := d.writeBook()
	if err != nil {
		return err
	}
	key, err := privateKey(d.home(directors[0]))
	if err != nil {
		return err
	}
	id, expires := born(foundingLife)
	proposal, err := statement.Sign(key, rand.Reader, &statement.Proposal{
		Journal: statement.Hash(g.Hash), ID: id, Expires: expires, Proposes: statement.ProposePolicy,
		Base: first.Hash(), Document: string(second.Text()), Addresses: string(book.Text()),
		Reason: "the first wallets of this example",
	})
	if err != nil {
		return fmt.Errorf("the proposal of policy 2: %w", err)
	}
	if err := submit(ctx, c, proposal); err != nil {
		return fmt.Errorf("proposing policy 2: %w", err)
	}
	for _, director := range directors {
		env, err := d.verdict(director, statement.Hash(g.Hash), statement.Approve, statement.HashText(proposal.Statement), first.Hash())
		if err != nil {
			return err
		}
		if err := submit(ctx, c, env); err != nil {
			return fmt.Errorf("%s's approval of policy 2: %w", director, err)
		}
	}
	return nil
}

// submit sends a statement and takes any proven outcome but a refusal.
func submit(ctx context.Context, c *client.Client, env statement.Envelope) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	o, err := c.Submit(ctx, env)
	if err != nil {
		return err
	}
	for _, r := range o.Results {
		if r.State == rpc.StateRefused {
			return fmt.Errorf("refused: %s", r.Code)
		}
	}
	if o.State == rpc.StateRefused {
		return fmt.Errorf("refused: %s", o.Code)
	}
	return nil
}

// writeBook makes the first address book: an exchange that wants a numeric
// message, and a cold wallet that wants none.
func (d *deployment) writeBook() (*policy.BookChange, error) {
	if err := os.WriteFile(d.path(policyDir, "addresses.yaml"), []byte(exampleBook), 0o644); err != nil {
		return nil, err
	}
	return source.Addresses([]byte(exampleBook))
}

func (d *deployment) writeHome(party string, g journal.Genesis) error {
	text := fmt.Sprintf("gateway = %q\nca      = %q\ngenesis = %q\nkey     = %q\n",
		"https://"+d.Listen, d.path(caFile), g.String(), keyFileName)
	return os.WriteFile(filepath.Join(d.home(party), "kura.toml"), []byte(text), 0o644)
}
