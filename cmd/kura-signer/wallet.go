package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/signer/token"
)

// repeated is a flag that may be given more than once.
type repeated []string

func (r *repeated) String() string     { return strings.Join(*r, ", ") }
func (r *repeated) Set(v string) error { *r = append(*r, v); return nil }

func (in *invocation) admin(configPath string) (rpc.AdminClient, error) {
	c, err := setUp(configPath)
	if err != nil {
		return rpc.AdminClient{}, err
	}
	return rpc.NewAdminClient(c.AdminSocket), nil
}

const networkUsage = "nis1-mainnet, nis1-testnet, nis1-mijin, symbol-mainnet, symbol-testnet"

func walletCreate(ctx context.Context, in *invocation) error {
	var configPath string
	var w rpc.NewWallet
	var asJSON bool
	err := in.flags("wallet create", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&w.ID, "name", "", "the wallet's name, as the policy will name it")
		f.StringVar(&w.Network, "network", "", networkUsage)
		f.Var((*repeated)(&w.Present), "present", "who is there, for the record; once for each")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config", "name", "network", "present")
	if err != nil {
		return err
	}
	admin, err := in.admin(configPath)
	if err != nil {
		return err
	}
	defer admin.Close()
	c, err := admin.CreateWallet(ctx, w)
	if err != nil {
		return err
	}
	return in.printCeremony(c, asJSON)
}

func (in *invocation) printCeremony(c rpc.Ceremony, asJSON bool) error {
	if asJSON {
		return printJSON(in.stdout, c)
	}
	imported, backup := "", "kura-signer wallet backup takes it along"
	switch inToken := c.Wallet.Custody == string(token.CustodyToken); {
	case inToken && c.Wallet.Imported:
		backup = fmt.Sprintf("kura-signer wallet backup --imported %s=FD, with the key once more: the token does not give it back", c.Wallet.ID)
	case inToken:
		backup = "the token's own, if it has one: the key never leaves it"
	}
	if c.Wallet.Imported {
		imported = " (imported: older copies of the key are out of reach)"
	}
	_, err := fmt.Fprintf(in.stdout, `wallet      %s%s
network     %s
address     %s
public key  %s
custody     %s
backup      %s
record      entry %d of the journal
            %s
It enters service when a policy names it.
`, c.Wallet.ID, imported, c.Wallet.Network, c.Wallet.Address, c.Wallet.PublicKey, c.Wallet.Custody, backup, c.Seq, c.Record)
	return err
}

// walletImport takes a private key from a descriptor or the terminal, shows the address it leads to, and sends it only
// when that is the expected one.
func walletImport(ctx context.Context, in *invocation) error {
	var configPath, expected string
	var w rpc.NewWallet
	var asJSON bool
	keyFD := -1
	err := in.flags("wallet import", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&w.ID, "name", "", "the wallet's name, as the policy will name it")
		f.StringVar(&w.Network, "network", "", networkUsage)
		f.StringVar(&expected, "address", "", "the address that the key must lead to")
		f.Var((*repeated)(&w.Present), "present", "who is there, for the record; once for each")
		f.IntVar(&keyFD, "key-fd", -1, "descriptor to read the private key from; without it, the terminal asks")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}, "config", "name", "network", "address", "present")
	if err != nil {
		return err
	}
	n, err := policy.ParseNetwork(w.Network)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("--network: %w", err))
	}
	address, err := nem.ParseAddress(n, expected)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("--address: %w", err))
	}
	admin, err := in.admin(configPath)
	if err != nil {
		return err
	}
	defer admin.Close()
	seed, err := readSeed(ctx, n.Chain(), keyFD)
	if err != nil {
		return err
	}
	defer seed.Wipe()
	leadsTo := token.PublicKeyOf(n, seed).Address(n)
	say(in.stderr, "the key leads to %s\n", leadsTo)
	if leadsTo != address {
		return fmt.Errorf("the key leads to %s, not to %s: nothing was imported", leadsTo, address)
	}
	text, err := keyText(n.Chain(), seed)
	if err != nil {
		return err
	}
	defer text.Wipe()
	c, err := admin.ImportWallet(ctx, w, address.String(), text.Bytes())
	if err != nil {
		return err
	}
	return in.printCeremony(c, asJSON)
}

// readSeed takes a private key from a descriptor, or from the terminal if there is none. Neither text nor seed stands
// anywhere but in locked memory.
func readSeed(ctx context.Context, chain nem.Chain, fd int) (*token.Secret, error) {
	if fd >= 0 {
		return fromDescriptor(ctx, fd, func(fd int) (*token.Secret, error) { return token.ReadPrivateKeyFD(chain, fd) })
	}
	terminal, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask for the private key on, and no --key-fd: %w", err)
	}
	defer terminal.Close() // it was only asked on
	restore, err := hideInput(terminal)
	if err != nil {
		return nil, err
	}
	defer restore()
	say(terminal, "private key (not shown): ")
	own, err := unix.FcntlInt(terminal.Fd(), unix.F_DUPFD_CLOEXEC, 0) // ReadPrivateKeyFD closes what it reads
	if err != nil {
		return nil, fmt.Errorf("read private key: %w", err)
	}
	return answer(ctx, terminal, func() (*token.Secret, error) { return token.ReadPrivateKeyFD(chain, own) })
}

// keyText writes a seed as the chain's tools print a private key, into locked memory: NIS1's is a number, whose last
// byte is the seed's first.
func keyText(chain nem.Chain, seed *token.Secret) (*token.Secret, error) {
	printed, err := token.NewSecret(len(seed.Bytes()))
	if err != nil {
		return nil, err
	}
	defer printed.Wipe()
	copy(printed.Bytes(), seed.Bytes())
	if chain == nem.NIS1 {
		slices.Reverse(printed.Bytes())
	}
	text, err := token.NewSecret(hex.EncodedLen(len(printed.Bytes())))
	if err != nil {
		return nil, err
	}
	hex.Encode(text.Bytes(), printed.Bytes())
	return text, nil
}

func walletList(ctx context.Context, in *invocation) error {
	c, asJSON, err := in.configAndJSON("wallet list")
	if err != nil {
		return err
	}
	admin := rpc.NewAdminClient(c.AdminSocket)
	defer admin.Close()
	wallets, err := admin.ListWallets(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(in.stdout, wallets)
	}
	return printWallets(in.stdout, wallets)
}

// suspended is the state of a key that can come back into service.
const suspended = "suspended"

// walletState is the command that takes a key out of service and into a state.
func walletState(verb, state string) func(context.Context, *invocation) error {
	return func(ctx context.Context, in *invocation) error {
		var configPath, name, reason string
		err := in.flags("wallet "+verb, func(f *flag.FlagSet) {
			f.StringVar(&configPath, "config", "", "configuration file")
			f.StringVar(&name, "name", "", "the wallet")
			f.StringVar(&reason, "reason", "", "why, for the journal")
		}, "config", "name", "reason")
		if err != nil {
			return err
		}
		admin, err := in.admin(configPath)
		if err != nil {
			return err
		}
		defer admin.Close()
		r, err := admin.SetWalletState(ctx, name, state, reason)
		if err != nil {
			return err
		}
		say(in.stdout, "wallet %s is %s: entry %d of the journal\n", name, r.State, r.Seq)
		if r.State == suspended && r.Receipt != nil {
			say(in.stdout, "the unfreeze quorum puts the key back into service: kura lift %s\n", ledger.Leaf(journal.LeafHash(r.Receipt.Entry)))
		}
		return nil
	}
}

func freeze(ctx context.Context, in *invocation) error {
	var configPath, reason string
	err := in.flags("freeze", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&reason, "reason", "", "why, for the journal")
	}, "config", "reason")
	if err != nil {
		return err
	}
	admin, err := in.admin(configPath)
	if err != nil {
		return err
	}
	defer admin.Close()
	r, err := admin.FreezeHost(ctx, reason)
	if err != nil {
		return fmt.Errorf("NOT FROZEN as far as is known: %w (stopping the service stops every signature, too)", err)
	}
	say(in.stdout, "FROZEN: entry %d of the journal\n", r.Seq)
	for _, t := range r.Alive {
		say(in.stdout, "authorised before it: %s of wallet %s, until %s\n", t.ID, t.Wallet, t.Until)
	}
	return nil
}
