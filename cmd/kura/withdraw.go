package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/nem"
	"kura/signer/rpc"
	"kura/statement"
)

// withdrawFlags are the members of a withdrawal as the command line gives them.
type withdrawFlags struct {
	wallet, walletAddress, to, amount string
	assets                            []string
	message, messageHex               string
	maxFee, reference, customer       string
	id, replaces                      string
	life, wait                        time.Duration
	printOnly, json                   bool
}

func newWithdraw() *cobra.Command {
	var f withdrawFlags
	cmd := &cobra.Command{
		Use:   "withdraw --wallet W --to ADDRESS --amount \"12.5 XEM\"",
		Short: "Ask for a payment out of a wallet",
		Long: `Ask for a payment out of a wallet, signed with this home's key.

The answer is proven by its receipt before it is shown: signed (exit 0), held (4)
or denied (3). If no proven answer comes (6) the outcome is unknown: send the same
text again with 'kura send', never a new withdrawal. With --print the envelope is
written instead of sent; any HTTP client may POST it to /v1/withdrawals.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return failure(f.run(cmd)) },
	}
	s := cmd.Flags()
	s.StringVar(&f.wallet, "wallet", "", "wallet that pays, as the policy names it")
	s.StringVar(&f.walletAddress, "wallet-address", "", "its address (default: asked of the gateway)")
	s.StringVar(&f.to, "to", "", "address that is paid")
	s.StringVar(&f.amount, "amount", "", "amount of XEM or XYM, like \"12.5 XEM\"")
	s.StringArrayVar(&f.assets, "asset", nil, "any asset in smallest units, like nem:xem=12500000 (may be repeated)")
	s.StringVar(&f.message, "message", "", "text message")
	s.StringVar(&f.messageHex, "message-hex", "", "message as bytes in lower-case hex")
	s.StringVar(&f.maxFee, "max-fee", "1", "highest fee that is accepted, in XEM or XYM")
	s.StringVar(&f.reference, "reference", "", "the client's own reference")
	s.StringVar(&f.customer, "customer", "", "pseudonym of the customer who is paid out")
	s.StringVar(&f.id, "id", "", "UUIDv7 of the withdrawal (default: a new one)")
	s.StringVar(&f.replaces, "replaces", "", "id of an earlier withdrawal that this one stands in for")
	s.DurationVar(&f.life, "life", time.Hour, "how long it may be authorised")
	s.DurationVar(&f.wait, "wait", 0, "wait so long for a final state")
	s.BoolVar(&f.printOnly, "print", false, "print the signed envelope, send nothing")
	s.BoolVar(&f.json, "json", false, "print the answer as JSON")
	return cmd
}

func (f *withdrawFlags) run(cmd *cobra.Command) error {
	c, err := connect(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	if f.walletAddress == "" && f.wallet != "" {
		if f.walletAddress, err = c.walletAddress(cmd, f.wallet); err != nil {
			return err
		}
	}
	w, err := f.statement(c.home)
	if err != nil {
		return usageError(err)
	}
	env, err := c.sign(cmd, w)
	if err != nil {
		return err
	}
	if f.printOnly {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), string(env.Encode()))
		return err
	}
	if err := f.fits(); err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), visible("kura: --to: "+err.Error()+"; the signer will deny it"))
	}
	return c.submit(cmd, env, f.wait, f.json)
}

// fits holds the destination to the network of the wallet's address, of which an answer only says that a value is bad.
func (f *withdrawFlags) fits() error {
	for _, n := range networks {
		if _, err := nem.ParseAddress(n, f.walletAddress); err == nil {
			_, err = nem.ParseAddress(n, f.to)
			return err
		}
	}
	return nil // the wallet's own address is checked with the amount
}

// walletAddress asks the gateway for the address of a wallet. It may lie: then the
// signer refuses the mix-up (walletAddress must be the policy's).
func (c *connection) walletAddress(cmd *cobra.Command, id string) (string, error) {
	var wallets []rpc.Wallet
	err := c.withSession(cmd, func() (err error) {
		wallets, err = c.Wallets(cmd.Context())
		return err
	})
	if err != nil {
		return "", err
	}
	var known []string
	for _, w := range wallets {
		if w.ID == id {
			return w.Address, nil
		}
		known = append(known, statement.Quote(w.ID, 64))
	}
	return "", usagef("--wallet: there is no wallet %q; there are: %s", id, strings.Join(known, ", "))
}

func (f *withdrawFlags) statement(h *home) (*statement.Withdrawal, error) {
	w := &statement.Withdrawal{
		Journal: statement.Hash(h.genesis.Hash), Wallet: f.wallet, WalletAddress: f.walletAddress,
		Destination: f.to, Reference: f.reference, Customer: f.customer,
	}
	w.ID, w.Expires = h.newCommon(f.life)
	var err error
	if f.id != "" {
		if w.ID, err = statement.ParseID(f.id); err != nil {
			return nil, fmt.Errorf("--id: %w", err)
		}
	}
	if f.replaces != "" {
		if w.Replaces, err = statement.ParseID(f.replaces); err != nil {
			return nil, fmt.Errorf("--replaces: %w", err)
		}
	}
	if w.Assets, err = f.paid(); err != nil {
		return nil, err
	}
	if w.MaxFee, err = parseWhole(f.maxFee, currencyDivisibility); err != nil {
		return nil, fmt.Errorf("--max-fee: %w", err)
	}
	switch {
	case f.message != "" && f.messageHex != "":
		return nil, errors.New("give --message or --message-hex, not both")
	case f.message != "":
		w.Message = statement.Message{Kind: statement.MessageText, Value: f.message}
	case f.messageHex != "":
		w.Message = statement.Message{Kind: statement.MessageHex, Value: f.messageHex}
	default:
		w.Message = statement.Message{Kind: statement.MessageNone}
	}
	// Encoding checks every member against docs/statements.md before anything is signed.
	if _, err := statement.Encode(w); err != nil {
		return nil, err
	}
	return w, nil
}

// paid reads --amount and --asset. The currency's id follows from the length of
// the wallet's address: NIS1 has 40 characters, Symbol 39.
func (f *withdrawFlags) paid() ([]statement.AssetAmount, error) {
	var assets []statement.AssetAmount
	if f.amount != "" {
		number, unit, ok := strings.Cut(f.amount, " ")
		if !ok {
			return nil, fmt.Errorf("--amount: %q has no unit, want an amount like \"12.5 XEM\"", f.amount)
		}
		id, err := currencyID(strings.ToUpper(strings.TrimSpace(unit)), f.walletAddress)
		if err != nil {
			return nil, fmt.Errorf("--amount: %w", err)
		}
		amount, err := parseWhole(number, currencyDivisibility)
		if err != nil {
			return nil, fmt.Errorf("--amount: %w", err)
		}
		assets = append(assets, statement.AssetAmount{Asset: id, Amount: amount})
	}
	for _, text := range f.assets {
		id, digits, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("--asset: %q, want ASSET=SMALLEST-UNITS", text)
		}
		amount, err := nem.ParseAmount(digits)
		if err != nil {
			return nil, fmt.Errorf("--asset: %w", err)
		}
		assets = append(assets, statement.AssetAmount{Asset: id, Amount: amount})
	}
	if len(assets) == 0 {
		return nil, errors.New("give --amount, like \"12.5 XEM\", or --asset")
	}
	return assets, nil
}

// networks are those that Kura builds transactions for.
var networks = []nem.Network{nem.NIS1Mainnet, nem.NIS1Testnet, nem.NIS1Mijin, nem.SymbolMainnet, nem.SymbolTestnet}

// currencyID returns the asset id of a currency on the network of an address.
func currencyID(unit, address string) (string, error) {
	for _, n := range networks {
		if _, err := nem.ParseAddress(n, address); err != nil {
			continue
		}
		want := "XYM"
		if n.Chain() == nem.NIS1 {
			want = "XEM"
		}
		if unit != want {
			return "", fmt.Errorf("the unit is %q, the wallet's currency is %s; for other assets use --asset", unit, want)
		}
		return nem.Currency(n).String(), nil
	}
	return "", fmt.Errorf("the wallet's address %q is of no network", address)
}

// submit sends an envelope and shows its proven outcome.
func (c *connection) submit(cmd *cobra.Command, env statement.Envelope, wait time.Duration, asJSON bool) error {
	var o client.Outcome
	var err error
	if wait > 0 {
		ctx, cancel := context.WithTimeout(cmd.Context(), wait)
		defer cancel()
		if o, err = c.Wait(ctx, env); err != nil && ctx.Err() != nil && o.State != "" {
			err = nil // the newest state is what the wait was for
		}
	} else {
		o, err = c.Submit(cmd.Context(), env)
	}
	if err != nil {
		return err
	}
	return printOutcome(cmd, o, asJSON)
}

func newSend() *cobra.Command {
	var asJSON bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "send FILE",
		Short: "Send a signed envelope, again if need be (- for standard input)",
		Long: `Send an envelope that 'kura withdraw --print' (or any other tool) made. Sending the
same text again never pays twice: the answer is the recorded one.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			env, err := readEnvelope(cmd, args[0])
			if err != nil {
				return err
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			return failure(c.submit(cmd, env, wait, asJSON))
		},
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so long for a final state")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

func readEnvelope(cmd *cobra.Command, name string) (statement.Envelope, error) {
	in := cmd.InOrStdin()
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return statement.Envelope{}, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, statement.MaxEnvelope+1))
	if err != nil {
		return statement.Envelope{}, err
	}
	return statement.DecodeEnvelope(text)
}
