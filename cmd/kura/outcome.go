package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/signer/rpc"
	"kura/statement"
)

// failure gives an error of the client its exit code, in one place.
func failure(err error) error {
	var coded *exitError
	if err == nil || errors.As(err, &coded) {
		return err
	}
	// What is not proven must not look like an outcome: see docs/decisions/0007.
	if _, ok := errors.AsType[*client.NotFrozen](err); ok || isContradiction(err) {
		return withExit(exitNotProven, err)
	}
	if _, ok := errors.AsType[*client.Conflict](err); ok {
		return withExit(exitConflict, err)
	}
	if _, ok := errors.AsType[*client.Unknown](err); ok {
		return withExit(exitUnavailable, err)
	}
	if _, ok := errors.AsType[*rpc.Problem](err); ok {
		return withExit(exitUnavailable, err)
	}
	return err
}

func isUnauthorized(err error) bool {
	p, ok := errors.AsType[*rpc.Problem](err)
	return ok && p.Code == "no_session"
}

// outcomeExit is the exit code that an outcome stands for.
func outcomeExit(state string) int {
	switch state {
	case rpc.StateSigned, rpc.StateCounted, rpc.StateInForce, rpc.StateAdopted:
		return exitOK
	case rpc.StateHeld, rpc.StateAuthorized, rpc.StateOpen:
		return exitHeld
	}
	return exitDenied
}

// printOutcome shows what became of a statement, as a table for people or as the
// answer itself, and returns the exit code that goes with it.
func printOutcome(cmd *cobra.Command, o client.Outcome, asJSON bool) error {
	if asJSON {
		if err := writeJSONLine(cmd.OutOrStdout(), o.Answer); err != nil {
			return err
		}
		return outcomeError(o)
	}
	p := newPage(cmd.OutOrStdout())
	p.title("%s %s", o.Answer.Type, o.Answer.ID)
	if o.Answer.Type == "proposal" || o.Answer.Type == "freeze" {
		p.field("hash", "%s", o.Answer.StatementHash) // what others name it by
	}
	p.field("state", "%s", stateText(o))
	if o.Code != "" {
		p.field("why", "%s", words(o.Code))
	}
	if d := o.Answer.Decision; d != nil {
		for _, w := range d.Waits {
			p.field("waits for", "%s", waitText(w))
		}
	}
	for _, r := range o.Results {
		p.field("about", "%s", r.About)
		if len(o.Results) > 1 {
			p.field("", "%s", joinCode(r.State, r.Code))
			if r.Code != "" {
				p.field("", "%s", words(r.Code))
			}
		}
	}
	if tx := o.Answer.Transaction; tx != nil && o.State == rpc.StateSigned {
		p.field("transaction", "%s", tx.Hash)
		p.field("network", "%s", tx.Network)
		p.field("fee", "%s (smallest units)", tx.Fee)
		p.field("valid until", "%s", tx.Deadline)
		p.field("announce", "%s %s, see --json", tx.Announce.Method, tx.Announce.Path)
	}
	for _, a := range o.Alive {
		p.field("still alive", "%s on %s, until %s", a.About, a.Wallet, statement.FormatTime(a.Until))
	}
	p.field("proven by", "entry %d under the signed head of size %d", o.Entry.Seq, o.Head.Size)
	if err := p.flush(); err != nil {
		return err
	}
	return outcomeError(o)
}

func outcomeError(o client.Outcome) error {
	if code := outcomeExit(o.State); code != exitOK {
		return reported(code)
	}
	for _, r := range o.Results {
		if r.State == rpc.StateRefused {
			return reported(exitDenied)
		}
	}
	return nil
}

func stateText(o client.Outcome) string { return joinCode(o.State, o.Code) }

func joinCode(state, code string) string {
	if code == "" || code == state {
		return state
	}
	return state + " (" + code + ")"
}

func waitText(w rpc.Wait) string {
	switch w.Kind {
	case "approval":
		text := fmt.Sprintf("approval: %d of %d of %s", w.Have, w.Need, w.Group)
		for i, who := range w.Who {
			if i == 0 {
				text += "; may approve:"
			}
			text += " " + statement.Quote(who, 64)
		}
		return text
	case "time", "limit":
		return fmt.Sprintf("%s, until %s", w.Kind, w.Until)
	}
	return w.Kind
}
