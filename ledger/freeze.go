package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// Codes of alarms that this package raises.
const (
	AlarmFrozen       = "frozen"        // something was stopped
	AlarmCanaryKey    = "canary_key"    // somebody signed with a key that only a thief has
	AlarmRefusals     = "refusals"      // a client asks again and again for what it should know is refused
	AlarmFirstRefusal = "first_refusal" // a client is denied for the first time
	AlarmLifted       = "lifted"        // a stop was lifted
	AlarmProposed     = "proposed"      // somebody wants a change of policy, addresses or more
	AlarmAdopted      = "adopted"       // a change got its quorum and acts when its time-lock ends
	AlarmInForce      = "in_force"      // a change acts
	AlarmRecovery     = "recovery"      // somebody wants to replace the directors
)

// freeze puts a stop in force. It is judged by package policy; whoever may, stops at once and alone.
func (j *judgement) freeze(in statement.Signed, f *statement.Freeze, actor policy.Actor, code string, res Result) (Result, error) {
	if code == "" {
		if _, err := j.s.overlay.Apply(j.s.policy, f, in.Hash, actor, j.now); err != nil {
			refusal, ok := errors.AsType[*policy.Refusal](err)
			if !ok {
				return res, err
			}
			code = refusal.Code
		}
	}
	res.State, res.Code, res.Alive = StateInForce, code, []AliveTransaction{}
	if code != "" {
		res.State = StateRefused
	} else {
		res.Alive = j.s.aliveUnder(f.Target.Kind, f.Target.Name, j.now)
	}
	res.Seq = j.write(&Outcome{
		About: res.About, ID: res.ID, Type: statement.TypeFreeze, State: res.State, Code: code,
		Policy: j.s.policy.Hash(), Alive: res.Alive,
	})
	if code == "" {
		j.alarmFrozen(in.Hash, byActor(actor), f.Action, f.Target.Kind, f.Target.Name)
	}
	return res, nil
}

func (j *judgement) alarmFrozen(about statement.Hash, by By, action statement.FreezeAction, kind statement.TargetKind, name string) {
	j.alarm(AlarmFrozen, &about, Fact{"action", string(action)}, Fact{"kind", string(kind)}, Fact{"name", name}, Fact{"by", by.Kind + " " + by.ID})
}

// aliveUnder lists what was authorised that a stop covers and has not reached its deadline: signed or about to be, it may
// still come to the chain. A deadline is over when clock and policy time say so: either may be wrong.
func (s *State) aliveUnder(kind statement.TargetKind, name string, now policy.Now) []AliveTransaction {
	over := min(now.Clock, now.Time)
	alive := []AliveTransaction{}
	for _, item := range s.recent.order {
		r := item.request
		if r.Transaction.Deadline < over || !covers(policy.Stop{Kind: kind, Name: name}, r) {
			continue
		}
		alive = append(alive, AliveTransaction{
			About: r.Hash, Wallet: string(r.Wallet), Signed: r.State == StateSigned, Until: r.Transaction.Deadline,
		})
	}
	slices.SortFunc(alive, func(a, b AliveTransaction) int {
		return cmp.Or(cmp.Compare(a.Until, b.Until), slices.Compare(a.About[:], b.About[:]))
	})
	return alive
}

// applyFreeze puts a freeze statement in force as its outcome says.
func (s *State) applyFreeze(f *Freeze) error {
	if f.State != StateInForce {
		f.Body = nil
		return nil
	}
	now := policy.Now{Clock: s.clock, Time: s.time}
	next, err := s.overlay.Apply(s.policy, f.Body, f.Hash, f.By, now)
	if err != nil {
		return fmt.Errorf("freeze: %w", err)
	}
	s.overlay = next
	s.freezes[f.Hash] = f
	f.Body = nil
	return nil
}

// stop is a freeze or suspension by the host's administrator: like a person's, without a statement.
func (j *judgement) stop(in StopInput) (Result, error) {
	if !stoppable(j.s.policy, in.Action, in.Target) {
		return Result{}, fmt.Errorf("%w: %s of %s %q is nothing that the host can do: it freezes all, a wallet or a client of the policy, and suspends a client", ErrInput, in.Action, in.Target.Kind, in.Target.Name)
	}
	by := By{Kind: hostActor.ID, ID: in.By}
	if j.s.stoppedBy(hostActor, in.Action, in.Target) {
		return Result{}, fmt.Errorf("%w: the host holds this stop in force already", ErrInput)
	}
	seq := j.write(&Stop{By: by, Action: in.Action, Target: in.Target, Reason: in.Reason})
	alive := j.s.aliveUnder(in.Target.Kind, in.Target.Name, j.now)
	j.alarm(AlarmFrozen, nil, Fact{"action", string(in.Action)}, Fact{"kind", string(in.Target.Kind)}, Fact{"name", in.Target.Name}, Fact{"by", "host " + in.By})
	return Result{State: StateInForce, Seq: seq, Alive: alive}, nil
}

// stoppable tells whether a stop without a statement can do this to that.
func stoppable(p *policy.Policy, action statement.FreezeAction, t Target) bool {
	freezes := action == statement.ActionFreeze
	switch t.Kind {
	case statement.TargetAll:
		return freezes && t.Name == ""
	case statement.TargetWallet:
		_, ok := p.Wallet(policy.WalletID(t.Name))
		return freezes && ok
	case statement.TargetClient:
		_, ok := p.Client(policy.ClientID(t.Name))
		return ok && (freezes || action == statement.ActionSuspend)
	default:
		return false
	}
}

// applyStop puts a stop without a statement in force. Its name is the leaf hash of its entry.
func (s *State) applyStop(e journal.Entry, b *Stop) error {
	hash, err := leafOf(e)
	if err != nil {
		return err
	}
	s.overlay = s.overlay.Trip(policy.Stop{
		Hash: hash, Action: b.Action, Kind: b.Target.Kind, Name: b.Target.Name,
		By: policy.Actor{ID: b.By.Kind}, At: e.Time, Until: b.Until,
	})
	s.noteEnd(b.Until)
	s.noteTrip(b)
	s.freezes[hash] = s.stopWithoutStatement(hash, e.Seq)
	return nil
}

// leafOf is the name of a stop without a statement.
func leafOf(e journal.Entry) (statement.Hash, error) {
	line, err := e.Encode()
	return Leaf(journal.LeafHash(line)), err
}

// stopWithoutStatement is the record of what the host or a tripwire stopped, for lifts to be counted.
func (s *State) stopWithoutStatement(hash statement.Hash, seq uint64) *Freeze {
	return &Freeze{Record: Record{
		Hash: hash, Type: statement.TypeFreeze, State: StateInForce, Policy: s.policy.Hash(),
		StatementSeq: seq, OutcomeSeq: seq,
	}}
}

// tickLifts lifts the first stop whose lift has its quorum, and notes where one is still missing.
func (j *judgement) tickLifts() (Result, error) {
	for _, f := range inOrder(j.s.freezes) {
		if !f.ready {
			continue
		}
		lifted, waits := policy.JudgeLift(j.s.policy, j.s.overlay, f.Lifts, j.now)
		state := StateInForce
		if lifted {
			state = StateLifted
		}
		res := Result{Type: string(statement.TypeFreeze), About: f.Hash, ID: f.id(), By: f.By, State: state}
		res.Seq = j.write(&Outcome{
			About: f.Hash, ID: res.ID, Type: statement.TypeFreeze, State: state, Policy: j.s.policy.Hash(), Waits: waits,
		})
		if lifted {
			j.alarm(AlarmLifted, &f.Hash)
		}
		return res, nil
	}
	return Result{}, nil
}

// id is the freeze's id, "" for a stop without a statement.
func (f *Freeze) id() string {
	if f.ID.IsZero() {
		return ""
	}
	return f.ID.String()
}

// applyStopped takes what became of a stop in force: it goes on, or is lifted, and then everything that
// waited for that is ready to be judged again.
func (s *State) applyStopped(f *Freeze, e journal.Entry, b *Outcome) error {
	if b.ID != f.id() || b.Type != statement.TypeFreeze || b.State != StateInForce && b.State != StateLifted {
		return fmt.Errorf("is no outcome of the stop %s", f.Hash)
	}
	f.State, f.OutcomeSeq, f.ready = b.State, e.Seq, false
	if b.State == StateInForce {
		return nil
	}
	if w := s.wallets[string(f.Wallet)]; w != nil {
		w.State = WalletActive
	} else if next, ok := s.overlay.Lift(f.Hash); ok {
		s.overlay = next
	} else {
		return fmt.Errorf("stop %s is not in force", f.Hash)
	}
	f.Lifts = nil
	delete(s.freezes, f.Hash)
	for _, r := range s.held {
		r.ready = r.ready || r.waitsFor(policy.WaitUnfreeze)
	}
	return nil
}

// expireStops lets go of the stops that ended by themselves.
func (s *State) expireStops() {
	if s.stopsEnd == 0 || s.time < s.stopsEnd {
		return
	}
	s.overlay = s.overlay.Expire(s.time)
	s.dropStops()
	s.stopsEnd = 0
	for _, stop := range s.overlay.Stops() {
		s.noteEnd(stop.Until)
	}
}

// noteEnd remembers when the next stop ends by itself.
func (s *State) noteEnd(until int64) {
	if until != 0 && (s.stopsEnd == 0 || until < s.stopsEnd) {
		s.stopsEnd = until
	}
}

// dropStops forgets what is not in the overlay any more. A key's suspension never was: no policy ends it.
func (s *State) dropStops() {
	for hash, f := range s.freezes {
		if f.Wallet != "" {
			continue
		}
		if _, stays := s.overlay.Find(hash); !stays {
			f.State, f.Lifts, f.ready = StateLifted, nil, false
			delete(s.freezes, hash)
		}
	}
}

func (r *Request) waitsFor(kind policy.WaitKind) bool {
	return slices.ContainsFunc(r.Waits, func(w policy.Wait) bool { return w.Kind == kind })
}

func (j *judgement) alarm(code string, about *statement.Hash, facts ...Fact) {
	j.write(&Alarm{Code: code, About: about, Facts: facts})
}

func (j *judgement) alarmInput(a Alarm) (Result, error) {
	if a.Code == "" {
		return Result{}, fmt.Errorf("%w: an alarm without a code", ErrInput)
	}
	return Result{Code: a.Code, Seq: j.write(&a)}, nil
}

func (j *judgement) refused(b Refused) (Result, error) {
	if b.Count == 0 || b.Code == "" {
		return Result{}, fmt.Errorf("%w: a count of refusals without a number or a code", ErrInput)
	}
	return Result{Code: b.Code, Seq: j.write(&b)}, nil
}
