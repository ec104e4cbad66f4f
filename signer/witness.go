package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kura/journal"
	"kura/signer/rpc"
	"kura/statement"
)

var _ rpc.Witnessed = (*Signer)(nil)

const maxTrouble = 200

// WitnessNext implements rpc.Witnessed.
func (s *Signer) WitnessNext(ctx context.Context, q rpc.WitnessQuery, waitMillis int64) (rpc.WitnessTask, error) {
	if s.cosigning == nil {
		return rpc.WitnessTask{}, refusedUnjudged(codeNotFound, "this signer's configuration names no witnesses")
	}
	if _, ok := s.cosigning.key(q.Witness); !ok {
		return rpc.WitnessTask{}, badParameter("witness", "the signer's configuration names no witness of this name")
	}
	s.cosigning.noteTrouble(q)
	wait, cancel := waitFor(ctx, waitMillis)
	defer cancel()
	for {
		changed := s.cosigning.changed.wait()
		ask, round, again := s.cosigning.next(q)
		switch ask {
		case rpc.WitnessShow:
			return rpc.WitnessTask{Ask: ask}, nil
		case rpc.WitnessAdd:
			return s.addTask(ctx, q.Size, round)
		}
		timer := time.NewTimer(again)
		select {
		case <-changed:
		case <-timer.C:
		case <-wait.Done():
			timer.Stop()
			return rpc.WitnessTask{}, nil
		}
		timer.Stop()
	}
}

// addTask is a round's head with the proof that it extends what the witness has.
func (s *Signer) addTask(ctx context.Context, old uint64, round signedHead) (rpc.WitnessTask, error) {
	task := rpc.WitnessTask{Ask: rpc.WitnessAdd, Old: old, Newest: round.Size}
	chain, err := s.journal.Chain(ctx)
	if err != nil {
		return rpc.WitnessTask{}, s.readFailed(err)
	}
	// A witness learns of a handover only when it has cosigned the head over it, the old key's last. So one that is
	// behind is led there first.
	for i, h := range chain.Under(round.Size) {
		if size := h.Index + 1; size == old {
			task.Handover = &handovers(chain[i : i+1])[0]
		} else if size > old {
			round = signedHead{journal.Head{Size: size}, h.Checkpoint}
			break
		}
	}
	proof := []journal.Hash{}
	if old != 0 && old != round.Size {
		if proof, err = s.journal.ProveConsistency(ctx, old, round.Size); err != nil {
			return rpc.WitnessTask{}, s.readFailed(err)
		}
	}
	task.Checkpoint, task.Size, task.Proof = round.checkpoint, round.Size, hashes(proof)
	return task, nil
}

// noteTrouble keeps the gateway's word of why a witness could not be asked, for people.
func (c *cosigning) noteTrouble(q rpc.WitnessQuery) {
	if q.Trouble == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[q.Witness].trouble = statement.Quote(q.Trouble, maxTrouble)
}

// next says what a witness is to be asked: the round's head if it has not cosigned that, or not for a while; what it
// has, if that is more than this signer knows, or if this signer has nothing to be cosigned. Otherwise nothing before
// again has passed.
func (c *cosigning) next(q rpc.WitnessQuery) (ask string, round signedHead, again time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, t := c.boot(), c.seen[q.Witness]
	if !c.asks || q.Size > c.round.Size {
		if t.shown == 0 || now-t.shown >= showEvery {
			t.shown = now
			return rpc.WitnessShow, round, 0
		}
		return "", round, time.Duration(showEvery-(now-t.shown)) * time.Millisecond
	}
	if age := now - max(t.heard, t.asked); t.line != "" && t.Head == c.round.Head && age < renewEvery {
		return "", round, time.Duration(renewEvery-age) * time.Millisecond
	}
	t.asked = now
	return rpc.WitnessAdd, c.round, 0
}

// WitnessCosigned implements rpc.Witnessed. The note proves itself, by the log's signature and the witness's; where it
// proves that a witness cosigned what this journal does not extend, the journal was rolled back or has two leaders, and
// this signer stops.
func (s *Signer) WitnessCosigned(ctx context.Context, witness string, note []byte, known []rpc.Handover) error {
	if s.cosigning == nil {
		return refusedUnjudged(codeNotFound, "this signer's configuration names no witnesses")
	}
	key, ok := s.cosigning.key(witness)
	if !ok {
		return badParameter("witness", "the signer's configuration names no witness of this name")
	}
	head, checkpoint, err := s.openWitnessed(note, known)
	if err != nil {
		return badParameter("note", err.Error())
	}
	line, seconds, ok := lineOf(key, note)
	if !ok {
		return badParameter("note", "it has no valid cosignature of "+witness+" under the key of the signer's configuration")
	}
	h := signedHead{head, checkpoint}
	if err := s.extendsWitnessed(ctx, key.Name, h); err != nil {
		return err
	}
	if s.lost(head) {
		// It proves nothing any more, and the smaller heads that follow it must not look late.
		s.cosigning.noteTrouble(rpc.WitnessQuery{Witness: witness, Trouble: fmt.Sprintf("it has cosigned size %d, which the journal lost: whoever runs it is to accept the gap (kura witness gap)", head.Size)})
		return nil
	}
	quorum := s.cosigning.record(key, h, line, seconds)
	if quorum && !s.waits.Load() {
		s.conditions.clear("", conditionWitnesses)
	}
	if s.cosigning.answering() >= s.cosigning.Quorum {
		s.conditions.clear("", conditionNoWitness)
	}
	return nil
}

// openWitnessed opens what a witness cosigned. It may be under a log key whose handover this journal does not have
// (yet, or any more): then the witness's own proof of the handover says so. The checkpoint is returned as the log signed it.
func (s *Signer) openWitnessed(note []byte, known []rpc.Handover) (journal.Head, journal.Checkpoint, error) {
	keys := s.journal.Keys()
	head, checkpoint, err := keys.OpenBare(note)
	if !errors.Is(err, journal.ErrOtherKey) || len(known) == 0 {
		return head, checkpoint, err
	}
	var chain journal.Chain
	for _, h := range known {
		r, err := receiptOf(h)
		if err != nil {
			return journal.Head{}, nil, err
		}
		chain = append(chain, r)
	}
	if keys, err = keys.Learn(chain); err != nil {
		return journal.Head{}, nil, err
	}
	return keys.OpenBare(note)
}

func receiptOf(h rpc.Handover) (journal.Receipt, error) {
	r := journal.Receipt{Index: h.Index, Entry: h.Entry, Checkpoint: h.Checkpoint, Proof: make([]journal.Hash, len(h.Proof))}
	for i, raw := range h.Proof {
		if len(raw) != len(r.Proof[i]) {
			return r, fmt.Errorf("hash %d of the proof has %d bytes", i, len(raw))
		}
		r.Proof[i] = journal.Hash(raw)
	}
	return r, nil
}

// extendsWitnessed holds the journal to a head that a witness cosigned. The journal of a signer that does not lead yet
// may be shorter: it follows. So may that of one whose lease may be gone: another one leads, and it is the lease that
// tells.
func (s *Signer) extendsWitnessed(ctx context.Context, witness string, h signedHead) error {
	if written, _ := s.journal.Written(); !(s.cosigning.leads() && s.leads()) && h.Size > written.Size {
		return nil
	}
	err := s.journal.CheckExtends(ctx, "witness "+witness, h.checkpoint)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*journal.RollbackError](err); ok {
		s.halt(conditionRollback, err.Error())
	}
	return s.readFailed(err)
}

// lost tells whether the journal itself says that it goes on without a head.
func (s *Signer) lost(h journal.Head) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state.Lost(h)
}

// untilCosigned waits until a quorum has cosigned a head of at least this size.
func (s *Signer) untilCosigned(ctx context.Context, reached func() bool) error {
	for {
		changed := s.cosigning.changed.wait()
		if reached() {
			return nil
		}
		if err := s.halted(); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-s.down:
		case <-ctx.Done():
			return errStopping
		}
	}
}

// keepCosigned keeps the newest cosigned head in its anchor until ctx ends.
func (s *Signer) keepCosigned(ctx context.Context) {
	var kept uint64
	for {
		changed := s.cosigning.changed.wait()
		best := s.cosigning.best()
		if best.Size > kept {
			if err := s.cosigning.Newest.Save(context.WithoutCancel(ctx), best.checkpoint); err != nil {
				s.conditions.set(conditionAnchor, "cosigned", fmt.Sprintf("save size %d to %s: %v", best.Size, s.cosigning.Newest.Name(), err), false)
			} else {
				kept = best.Size
				s.conditions.clear("cosigned", conditionAnchor)
				continue
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

const (
	witnessTick  = time.Second
	witnessGrace = 5_000 // milliseconds that a round may take before it stops taking in more
)

// watchWitnesses says when too few witnesses answer, and stops deciding while heads that answers wait for are not
// cosigned: what is not taken in does not pile up.
func (s *Signer) watchWitnesses(ctx context.Context) {
	tick := time.NewTicker(witnessTick)
	defer tick.Stop()
	var since int64 // boottime of the first look that found the round unfinished
	var size uint64
	for {
		if n, c := s.cosigning.answering(), s.cosigning; n < c.Quorum {
			s.conditions.set(conditionNoWitness, "", fmt.Sprintf("%d of %d witnesses answer, %d must: %s", n, len(c.Keys), c.Quorum, c.meanwhile()), false)
		} else {
			s.conditions.clear("", conditionNoWitness)
		}
		open, now := s.cosigning.unfinished(), s.cosigning.boot()
		switch {
		case open == 0 || open != size:
			size, since = open, now
			if !s.waits.Load() { // the quorum may have come just when it was said to be missing
				s.conditions.clear("", conditionWitnesses)
			}
		case s.cosigning.BeforeRelease && !s.waits.Load() && now-since > witnessGrace:
			s.conditions.set(conditionWitnesses, "", s.missing(open), true)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// meanwhile says what it means that too few witnesses answer.
func (c *cosigning) meanwhile() string {
	if c.BeforeRelease {
		return "nothing new leaves until they do"
	}
	return "rollback of this host: unbounded meanwhile"
}

// unfinished returns the size of the head that waits for its quorum, 0 if none does.
func (c *cosigning) unfinished() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done {
		return 0
	}
	return c.round.Size
}

// missing says which witnesses a head waits for.
func (s *Signer) missing(size uint64) string {
	text := fmt.Sprintf("the head of size %d waits for %d of %d witnesses:", size, s.cosigning.Quorum, len(s.cosigning.Keys))
	for _, w := range s.cosigning.list() {
		switch {
		case w.Size >= size && w.Answers:
			text += fmt.Sprintf(" %s has cosigned it;", w.Name)
		case w.Trouble != "":
			text += fmt.Sprintf(" %s: %s;", w.Name, w.Trouble)
		default:
			text += fmt.Sprintf(" %s has not;", w.Name)
		}
	}
	return text[:len(text)-1]
}

// leads reports whether this signer has heads to be cosigned.
func (c *cosigning) leads() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asks
}

// list says what is known of each witness.
func (c *cosigning) list() []rpc.Witness {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.boot()
	var all []rpc.Witness
	for _, k := range c.Keys {
		t := c.seen[k.Name]
		w := rpc.Witness{Name: k.Name, Size: t.Size, Answers: t.answers(now), Trouble: t.trouble}
		if t.seconds != 0 && t.seconds < journal.MaxTime/1000 {
			w.Time = statement.FormatTime(int64(t.seconds) * 1000)
		}
		all = append(all, w)
	}
	return all
}
