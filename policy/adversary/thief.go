package adversary

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// thief carries one play: usage and requests begin anew with each.
type thief struct {
	g       *Game
	usage   *policy.Usage
	start   int64 // of the span
	pending []pending
	serial  uint64
	loss    uint64 // of the target within the span, smallest units
	signed  int
	asked   int
	err     error
}

// pending is a request that was held, with the verdicts it has.
type pending struct {
	request  policy.Request
	verdicts []policy.Verdict
	ready    int64
}

// variant is a way to ask: who, from which wallet, to whom, with what beside.
type variant struct {
	client    policy.ClientID
	wallet    int
	entry     *policy.Entry   // nil: an address of the thief's own
	pays      policy.AssetRef // mostly what the thief wants; else that takes of it by fee or levy
	companion policy.AssetRef
}

// drain asks for as much as is signed at one moment.
func (t *thief) drain(now int64, most int) {
	t.usage.Advance(now)
	t.collect(now)
	for _, v := range t.g.variants {
		for _, amount := range t.g.amounts[v.pays] {
			for range most {
				if !t.take(v, amount, now) {
					break
				}
			}
		}
	}
}

// take asks for an amount, or for what the limits leave of it, and tells whether
// something was signed or is on its way.
func (t *thief) take(v variant, amount uint64, now int64) bool {
	for range 4 {
		if amount == 0 || t.err != nil || t.asked >= t.g.patience {
			return false
		}
		in := t.input(v, amount, now)
		d := policy.Decide(in)
		t.asked++
		if d.Outcome == policy.Hold && d.Code == policy.CodeNeedsApproval {
			in.Verdicts = t.g.votes(now)
			d = policy.Decide(in)
		}
		switch {
		case d.Outcome == policy.Sign:
			return t.keep(in, &d)
		case d.Outcome == policy.Hold && d.Code == policy.CodeCoolingOff:
			for _, w := range d.Waits {
				if w.Kind == policy.WaitTime && w.Until <= t.start+int64(t.g.span) && len(t.pending) < 200 {
					t.pending = append(t.pending, pending{in.Request, in.Verdicts, w.Until})
					return false // one at a time, or the dice decide
				}
			}
			return false
		}
		// What would the limits that have no room leave?
		left := amount
		for _, l := range d.Limits {
			if l.Fits || !l.Binds {
				continue
			}
			source, _ := t.g.p.Limit(l.Limit)
			if source.Of != "amount" || !slices.Contains(source.Asset, v.pays) {
				return false
			}
			beside := uint64(l.After-l.Before) - amount
			if uint64(l.After-l.Before) < amount {
				beside = 0
			}
			room := uint64(0)
			if uint64(l.Max) > uint64(l.Before)+beside {
				room = uint64(l.Max) - uint64(l.Before) - beside
			}
			left = min(left, room)
		}
		if left == amount {
			return false
		}
		amount = left
	}
	return false
}

// collect decides again what was on its way.
func (t *thief) collect(now int64) {
	waiting := t.pending
	t.pending = nil
	for _, p := range waiting {
		if p.ready > now {
			t.pending = append(t.pending, p)
			continue
		}
		in := policy.Input{Policy: t.g.p, Book: t.g.book, Usage: t.usage, Request: p.request, Verdicts: p.verdicts, Now: policy.Now{Clock: now, Time: now}}
		if d := policy.Decide(in); d.Outcome == policy.Sign {
			t.keep(in, &d)
		}
	}
}

// keep counts what was signed: against the limits always, as loss if it can be
// on the chain within the span.
func (t *thief) keep(in policy.Input, d *policy.Decision) bool {
	e, err := d.Event(t.g.p, in.Request.Withdrawal, in.Request.Client, in.Now.Time)
	if err == nil {
		err = t.usage.Add(e)
	}
	if err != nil {
		t.err = err
		return false
	}
	t.signed++
	wallet, _ := t.g.p.Wallet(e.Wallet)
	if e.Time < t.start-int64(wallet.Life) || e.Time > t.start+int64(t.g.span) || (t.g.target.Wallet != "" && t.g.target.Wallet != e.Wallet) {
		return true
	}
	for _, o := range e.Outflows {
		if o.Asset == t.g.target.Asset {
			t.loss += uint64(o.Amount)
		}
	}
	return true
}

// input writes the statement.
func (t *thief) input(v variant, amount uint64, now int64) policy.Input {
	t.serial++
	wallet := &t.g.p.Document().Wallets[v.wallet]
	account, _ := t.g.p.Account(wallet.ID)
	paid, _ := t.g.p.AssetRef(v.pays)
	w := &statement.Withdrawal{
		ID: identity(now, t.serial), Expires: now + int64(t.g.p.Document().WithdrawalLife), Wallet: string(wallet.ID), WalletAddress: account.Address.String(),
		Assets: []statement.AssetAmount{{Asset: paid.Asset, Amount: nem.Amount(amount)}}, Message: statement.Message{Kind: statement.MessageNone},
		MaxFee: nem.Amount(wallet.MaxFee), Customer: fmt.Sprint("customer ", t.serial),
	}
	if v.companion != "" {
		companion, _ := t.g.p.AssetRef(v.companion)
		w.Assets = append(w.Assets, statement.AssetAmount{Asset: companion.Asset, Amount: 1})
	}
	if v.entry != nil {
		w.Destination = v.entry.Address
		switch v.entry.Message.Rule {
		case "exact":
			w.Message = statement.Message{Kind: statement.MessageKind(v.entry.Message.Kind), Value: v.entry.Message.Value}
		case "pattern":
			w.Message = statement.Message{Kind: statement.MessageText, Value: t.g.samples[v.entry.Message.Value]}
		}
	} else {
		seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("thief "), t.serial%64))
		w.Destination = nem.PublicKey(seed).Address(account.Network).String()
	}
	return policy.Input{
		Policy: t.g.p, Book: t.g.book, Usage: t.usage,
		Request: policy.Request{Hash: statement.Hash(sha256.Sum256([]byte(w.ID.String()))), Client: v.client, Key: keyOf(t.g.p, v.client), Withdrawal: w, Since: now},
		Now:     policy.Now{Clock: now, Time: now},
	}
}

// keyOf is the first of a client's keys.
func keyOf(p *policy.Policy, client policy.ClientID) statement.Key {
	if c, ok := p.Client(client); ok && len(c.Keys) > 0 {
		return statement.Key(c.Keys[0])
	}
	return ""
}

func identity(now int64, serial uint64) statement.ID {
	var tail [10]byte
	binary.BigEndian.PutUint64(tail[2:], serial)
	return statement.NewID(now, tail)
}

// votes are the verdicts of everybody stolen.
func (g *Game) votes(now int64) []policy.Verdict {
	var out []policy.Verdict
	for _, id := range g.stolen.People {
		out = append(out, policy.Verdict{By: policy.Actor{Kind: policy.PersonActor, ID: string(id)}, Kind: statement.Approve, Policy: g.p.Hash(), At: now})
	}
	for _, id := range g.stolen.Services {
		out = append(out, policy.Verdict{By: policy.Actor{Kind: policy.ServiceActor, ID: id}, Kind: statement.Approve, Policy: g.p.Hash(), At: now})
	}
	return out
}

// payable gives the assets of a wallet's network.
func (g *Game) payable(wallet int) []policy.AssetRef {
	var out []policy.AssetRef
	for _, a := range g.p.Document().Assets {
		if a.Network == g.p.Document().Wallets[wallet].Network {
			out = append(out, a.ID)
		}
	}
	return out
}

// costing gives the assets of a wallet whose payment takes something of the target:
// the target itself, first, and what pays its fee or levy in it.
func (g *Game) costing(wallet int) []policy.AssetRef {
	out := []policy.AssetRef{g.target.Asset}
	network, _ := nem.ParseNetwork(g.p.Document().Wallets[wallet].Network)
	target, _ := g.p.AssetRef(g.target.Asset)
	fee := target.Asset == nem.Currency(network).String()
	for _, id := range g.payable(wallet) {
		a, _ := g.p.AssetRef(id)
		if id != g.target.Asset && (fee || (a.Levy != nil && a.Levy.Asset == g.target.Asset)) {
			out = append(out, id)
		}
	}
	return out
}

func (g *Game) has(wallet int, asset policy.AssetRef) bool {
	return slices.Contains(g.payable(wallet), asset)
}
