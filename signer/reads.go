package signer

import (
	"context"
	"fmt"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

const (
	maxPage      = 1000
	maxPageBytes = 8 << 20
)

// Withdrawal implements rpc.Gateway.
func (s *Signer) Withdrawal(ctx context.Context, bearer, id string, waitMillis int64) (rpc.Answer, error) {
	actor, err := s.reader(bearer)
	if err != nil {
		return rpc.Answer{}, err
	}
	parsed, err := statement.ParseID(id)
	if err != nil {
		return rpc.Answer{}, &rpc.Problem{Code: string(statement.CodeBadValue), Field: "id", Detail: err.Error(), Retry: rpc.RetryNever, Effect: rpc.EffectNone}
	}
	first, ok := s.ownRequest(actor, parsed)
	if !ok {
		return rpc.Answer{}, refusedUnjudged(codeNotFound, "no withdrawal, and no evacuation in force, with this id is remembered, or it is another client's")
	}
	down := s.down
	if s.halted() != nil {
		down = nil // whoever asks again does not do so without a pause
	}
	s.waitWhile(ctx, actor, first.record.Hash, waitMillis, down, func(st standing) bool {
		return st.state == ledger.StateAuthorized || st.state == ledger.StateHeld && st.record.OutcomeSeq == first.record.OutcomeSeq
	})
	st, ok := s.standing(first.record.Hash)
	if !ok {
		st = first
	}
	return s.answerWithdrawal(ctx, st)
}

// ownRequest finds a withdrawal, or an evacuation's transaction, that the party may see.
func (s *Signer) ownRequest(actor policy.Actor, id statement.ID) (standing, bool) {
	s.mu.RLock()
	r, ok := s.state.Request(id)
	var hash statement.Hash
	if ok {
		hash = r.Hash
		ok = r.By == actor || actor.Kind == policy.PersonActor || actor.Kind == policy.ServiceActor
	}
	s.mu.RUnlock()
	if !ok {
		return standing{}, false
	}
	return s.standing(hash)
}

// Wallets implements rpc.Gateway.
func (s *Signer) Wallets(_ context.Context, bearer string) ([]rpc.Wallet, error) {
	if _, err := s.reader(bearer); err != nil {
		return nil, err
	}
	return s.wallets(), nil
}

// Wallets that the policy names, and those that had a ceremony and wait for a policy to name them.
func (s *Signer) wallets() []rpc.Wallet {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.state.PolicyInForce()
	all := []rpc.Wallet{}
	for _, w := range p.Document().Wallets {
		account, _ := p.Account(w.ID)
		one := rpc.Wallet{
			ID: string(w.ID), Network: w.Network, Address: account.Address.String(), PublicKey: account.Key.String(), Custody: w.Custody,
			Named: true, State: walletMissing, Frozen: s.frozen(w.ID),
		}
		if c, ok := s.state.Wallet(string(w.ID)); ok {
			one.State, one.Imported = c.State, c.Imported
		}
		all = append(all, one)
	}
	for _, c := range s.state.Wallets() {
		if _, named := p.Wallet(policy.WalletID(c.Name)); !named {
			all = append(all, rpc.Wallet{
				ID: c.Name, Network: c.Network, Address: c.Address, PublicKey: c.PublicKey, Custody: c.Custody,
				State: c.State, Imported: c.Imported,
			})
		}
	}
	return all
}

// frozen tells whether a freeze that is in the journal keeps the wallet, or with "" every one, from paying: nobody is to
// believe in one that may yet be lost. The caller holds mu.
func (s *Signer) frozen(wallet policy.WalletID) bool {
	stop, frozen := s.state.Overlay().Frozen(wallet) // the oldest
	r, known := s.state.ByStatement(stop.Hash)
	decidedHere := known && !s.waits.Load() && r.StatementSeq >= s.durable.Load()
	return frozen && !decidedHere
}

// walletMissing is the state of a wallet that the policy names and no ceremony made.
const walletMissing = "missing"

// Entries implements rpc.Gateway.
func (s *Signer) Entries(ctx context.Context, bearer string, from, to uint64) (rpc.Entries, error) {
	if _, err := s.Reader(ctx, bearer); err != nil {
		return rpc.Entries{}, err
	}
	size := s.durable.Load()
	checkpoint, err := s.shown()
	if err != nil {
		return rpc.Entries{}, err
	}
	to = min(to, size)
	if from > to {
		return rpc.Entries{}, refusedUnjudged(codeBadRange, fmt.Sprintf("entries %d to %d: the journal has %d", from, to, size))
	}
	page := rpc.Entries{From: from, Entries: [][]byte{}, Heads: [][]byte{}, Checkpoint: checkpoint}
	bytes := 0
	for row, err := range s.journal.Entries(ctx, from, min(to, from+maxPage)) {
		if err != nil {
			return rpc.Entries{}, s.readFailed(err)
		}
		if bytes += len(row.Bytes); bytes > maxPageBytes && len(page.Entries) > 0 {
			break
		}
		page.Entries = append(page.Entries, row.Bytes)
	}
	for head, err := range s.journal.Heads(ctx, from, from+uint64(len(page.Entries))) {
		if err != nil {
			return rpc.Entries{}, s.readFailed(err)
		}
		page.Heads = append(page.Heads, head)
	}
	return page, nil
}

// Follow implements rpc.Gateway.
func (s *Signer) Follow(ctx context.Context, size uint64, waitMillis int64) (rpc.Checkpoint, error) {
	wait, cancel := waitFor(ctx, waitMillis)
	defer cancel()
	for {
		grown := s.grown.wait()
		if s.durable.Load() > size {
			break
		}
		select {
		case <-grown:
			continue
		case <-wait.Done():
		}
		break
	}
	return s.Checkpoint(ctx)
}

// Checkpoint implements rpc.Gateway.
func (s *Signer) Checkpoint(context.Context) (rpc.Checkpoint, error) {
	checkpoint, err := s.shown()
	return rpc.Checkpoint{Checkpoint: checkpoint, Genesis: s.journal.Genesis().String()}, err
}

// LogKeys implements rpc.Gateway.
func (s *Signer) LogKeys(ctx context.Context) (rpc.LogKeys, error) {
	chain, err := s.journal.Chain(ctx)
	if err != nil {
		return rpc.LogKeys{}, s.readFailed(err)
	}
	keys := rpc.LogKeys{Genesis: s.journal.Genesis().String(), Handovers: []rpc.Handover{}}
	keys.Handovers = append(keys.Handovers, handovers(chain.Under(s.shownSize()))...)
	return keys, nil
}

// Receipt implements rpc.Gateway. Whoever may not read everything gets receipts of what is theirs: outcomes of their
// own statements.
func (s *Signer) Receipt(ctx context.Context, bearer string, seq uint64) (rpc.Receipt, error) {
	actor, err := s.reader(bearer)
	if err != nil {
		return rpc.Receipt{}, err
	}
	if seq >= s.durable.Load() {
		return rpc.Receipt{}, refusedUnjudged(codeNotFound, fmt.Sprintf("the journal has no entry %d yet", seq))
	}
	r, err := s.prove(ctx, seq)
	if err != nil {
		return rpc.Receipt{}, err
	}
	if actor.Kind != policy.PersonActor && actor.Kind != policy.ServiceActor && !s.ownOutcome(actor, r.Entry) {
		return rpc.Receipt{}, refusedUnjudged(codeForbidden, fmt.Sprintf("entry %d is no outcome of a statement of yours that is still remembered", seq))
	}
	return *newReceipt(r), nil
}

func (s *Signer) ownOutcome(actor policy.Actor, entry []byte) bool {
	e, err := journal.DecodeEntry(entry)
	if err != nil || e.Kind != ledger.KindOutcome {
		return false
	}
	body, err := ledger.DecodeBody(e.Kind, e.Body)
	if err != nil {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, ok := s.state.ByStatement(body.(*ledger.Outcome).About)
	return ok && r.By == actor
}

// Consistency implements rpc.Gateway.
func (s *Signer) Consistency(ctx context.Context, old, newer uint64) (rpc.Consistency, error) {
	if old > newer || newer > s.durable.Load() {
		return rpc.Consistency{}, refusedUnjudged(codeBadRange, fmt.Sprintf("from %d to %d: the journal has %d entries", old, newer, s.durable.Load()))
	}
	proof, err := s.journal.ProveConsistency(ctx, old, newer)
	if err != nil {
		return rpc.Consistency{}, s.readFailed(err)
	}
	out := rpc.Consistency{Proof: make([][]byte, len(proof))}
	for i := range proof {
		out.Proof[i] = proof[i][:]
	}
	return out, nil
}

// Gaps implements rpc.Gateway.
func (s *Signer) Gaps(ctx context.Context) (rpc.Gaps, error) {
	s.mu.RLock()
	gaps := s.state.Gaps()
	s.mu.RUnlock()
	out := rpc.Gaps{Gaps: []rpc.Receipt{}}
	for _, g := range gaps {
		r, err := s.journal.Receipt(ctx, g.Seq)
		if err != nil {
			return rpc.Gaps{}, s.readFailed(err)
		}
		out.Gaps = append(out.Gaps, *newReceipt(r))
	}
	return out, nil
}
