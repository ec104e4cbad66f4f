package signer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// Codes of the administrator's problems.
const (
	codeRefused      = "refused" // it does not fit what the journal says; the detail says how
	codeBadParameter = "bad_parameter"
)

const (
	maxPresent = 16
	maxLine    = 512
)

// An administrator is the signer's rpc.Admin. It is a type of its own so that nothing of it is reachable from the
// gateway's socket.
type administrator struct{ *Signer }

// Admin returns the methods of the second socket.
func (s *Signer) Admin() rpc.Admin { return administrator{s} }

// CreateWallet implements rpc.Admin.
func (a administrator) CreateWallet(ctx context.Context, by rpc.Caller, w rpc.NewWallet) (rpc.Ceremony, error) {
	return a.ceremony(ctx, by, w, func(n nem.Network) (ledger.Wallet, error) {
		return a.token.CreateWallet(ctx, w.ID, n)
	})
}

// ImportWallet implements rpc.Admin.
func (a administrator) ImportWallet(ctx context.Context, by rpc.Caller, w rpc.NewWallet, expectedAddress string, keyText []byte) (rpc.Ceremony, error) {
	defer clear(keyText)
	return a.ceremony(ctx, by, w, func(n nem.Network) (ledger.Wallet, error) {
		expected, err := nem.ParseAddress(n, expectedAddress)
		if err != nil {
			return ledger.Wallet{}, badParameter("address", err.Error())
		}
		// Before the token has the key: it would keep one that no wallet is ever made of.
		for _, have := range a.wallets() {
			if have.Network == n.String() && have.Address == expected.String() {
				return ledger.Wallet{}, badParameter("address", fmt.Sprintf("it is wallet %q's: nothing was imported", have.ID))
			}
		}
		return a.token.ImportWallet(ctx, w.ID, n, expected, keyText)
	})
}

// ceremony makes a key and journals the record of it. A key whose record did not get into the journal is of no use to
// anybody: no policy can name a wallet without a ceremony.
func (a administrator) ceremony(ctx context.Context, by rpc.Caller, w rpc.NewWallet, makeKey func(nem.Network) (ledger.Wallet, error)) (rpc.Ceremony, error) {
	if problem := a.refusing(); problem != nil {
		return rpc.Ceremony{}, problem
	}
	if _, err := statement.ParseName(w.ID); err != nil {
		return rpc.Ceremony{}, badParameter("name", err.Error())
	}
	n, err := policy.ParseNetwork(w.Network) // another's wallet would wait for ever for a policy that names it
	if err != nil {
		return rpc.Ceremony{}, badParameter("network", err.Error())
	}
	if len(w.Present) == 0 || len(w.Present) > maxPresent {
		return rpc.Ceremony{}, badParameter("present", fmt.Sprintf("1 to %d persons who are there", maxPresent))
	}
	for _, name := range w.Present {
		if !oneLine(name) {
			return rpc.Ceremony{}, badParameter("present", "a name is one line of text")
		}
	}
	a.mu.RLock()
	_, exists := a.state.Wallet(w.ID)
	a.mu.RUnlock()
	if exists {
		return rpc.Ceremony{}, badParameter("name", "the journal has a ceremony of a wallet of this name")
	}
	record, err := makeKey(n)
	if err != nil {
		return rpc.Ceremony{}, a.tokenProblem(err)
	}
	record.Present = append(append([]string{}, w.Present...), "host uid "+strconv.FormatUint(uint64(by.UID), 10))
	res, err := a.judge(ctx, ledger.WalletInput{Wallet: record})
	if err != nil {
		return rpc.Ceremony{}, a.adminProblem(err)
	}
	body, err := ledger.EncodeBody(&record)
	if err != nil {
		return rpc.Ceremony{}, err
	}
	return rpc.Ceremony{
		Wallet: rpc.Wallet{
			ID: record.Name, Network: record.Network, Address: record.Address, PublicKey: record.PublicKey,
			Custody: record.Custody, State: ledger.WalletActive, Imported: record.Imported,
		},
		Seq: res.Seq, Record: string(body),
	}, nil
}

// ListWallets implements rpc.Admin.
func (a administrator) ListWallets(context.Context) ([]rpc.Wallet, error) { return a.wallets(), nil }

// SetWalletState implements rpc.Admin.
func (a administrator) SetWalletState(ctx context.Context, _ rpc.Caller, id, state, reason string) (rpc.Recorded, error) {
	switch {
	case state != ledger.WalletSuspended && state != ledger.WalletRetired && state != ledger.WalletCompromised:
		return rpc.Recorded{}, badParameter("state", "suspended, retired or compromised: the host only ever takes a key out of service")
	case !oneLine(reason):
		return rpc.Recorded{}, badParameter("reason", fmt.Sprintf("one line of text, at most %d bytes", maxLine))
	}
	res, err := a.judge(ctx, ledger.WalletStateInput{WalletState: ledger.WalletState{Wallet: id, State: state, Reason: reason}})
	if err != nil {
		return rpc.Recorded{}, a.adminProblem(err)
	}
	return a.recorded(ctx, res)
}

// FreezeHost implements rpc.Admin.
func (a administrator) FreezeHost(ctx context.Context, by rpc.Caller, reason string) (rpc.Recorded, error) {
	if !oneLine(reason) {
		return rpc.Recorded{}, badParameter("reason", fmt.Sprintf("one line of text, at most %d bytes", maxLine))
	}
	res, err := a.judge(ctx, ledger.StopInput{
		By: "uid " + strconv.FormatUint(uint64(by.UID), 10), Action: statement.ActionFreeze,
		Target: ledger.Target{Kind: statement.TargetAll}, Reason: reason,
	})
	if err != nil {
		return rpc.Recorded{}, a.adminProblem(err)
	}
	return a.recorded(ctx, res)
}

// recorded proves the entry that an administrator's input left.
func (a administrator) recorded(ctx context.Context, res ledger.Result) (rpc.Recorded, error) {
	receipt, err := a.receipt(ctx, res.Seq)
	if err != nil {
		return rpc.Recorded{}, err
	}
	return rpc.Recorded{State: res.State, Seq: res.Seq, Alive: a.alive(res.Alive), Receipt: receipt}, nil
}

// oneLine holds what an administrator writes into the journal to what people can read.
func oneLine(text string) bool {
	return text != "" && len(text) <= maxLine && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

func badParameter(field, detail string) *rpc.Problem {
	return &rpc.Problem{Code: codeBadParameter, Field: field, Detail: detail, Retry: rpc.RetryNever, Effect: rpc.EffectNone}
}

// adminProblem tells the administrator more than a client is told: their inputs are no statements.
func (a administrator) adminProblem(err error) error {
	if errors.Is(err, ledger.ErrInput) {
		detail := err.Error()
		if _, facts, ok := strings.Cut(detail, ledger.ErrInput.Error()+": "); ok {
			detail = facts
		}
		return &rpc.Problem{Code: codeRefused, Detail: detail, Retry: rpc.RetryNever, Effect: rpc.EffectNone}
	}
	return a.problem(err)
}

func (a administrator) tokenProblem(err error) error {
	if p, ok := errors.AsType[*rpc.Problem](err); ok {
		return p
	}
	return &rpc.Problem{Code: codeOf(err, conditionToken), Detail: err.Error(), Retry: rpc.RetryNever, Effect: rpc.EffectNone}
}
