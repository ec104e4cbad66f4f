package policy

import (
	"fmt"
	"slices"

	"kura/nem"
	"kura/statement"
)

// maxStops is how many stops one party can hold in force, so that a stolen key
// cannot make every decision slow. A freeze of everything always finds room.
const maxStops = 100

// Stop is one thing that acts at once: a freeze, a suspension or a lowered
// number. It can only add a deny.
type Stop struct {
	// Hash names the stop: its statement's, or that of the entry in which a tripwire acted.
	Hash   statement.Hash         `json:"hash"`
	Action statement.FreezeAction `json:"action"`
	Kind   statement.TargetKind   `json:"kind"`
	Name   string                 `json:"name"`
	Amount Units                  `json:"amount"` // with lower
	By     Actor                  `json:"by"`     // Nobody: a tripwire
	At     int64                  `json:"at"`     // policy time
	// Until is the policy time at which it ends by itself, 0 for never: only
	// tripwires make such.
	Until int64 `json:"until"`
	// Person is whom a suspended key belongs to, "" otherwise.
	Person PersonID `json:"person"`
}

// Overlay is what acts at once upon the policy in force, whose hash stays the
// same. It is an immutable value; the zero Overlay stops nothing.
type Overlay struct{ stops []Stop }

// NewOverlay puts stops in force that were judged before, as a ledger's
// snapshot restores them.
func NewOverlay(stops []Stop) Overlay { return Overlay{slices.Clone(stops)} }

// Stops lists what is in force, oldest first.
func (o Overlay) Stops() []Stop { return slices.Clone(o.stops) }

// Apply judges a freeze statement by a party whose key was attributed, and gives
// the overlay with it in force. A refusal changes nothing.
func (o Overlay) Apply(p *Policy, f *statement.Freeze, hash statement.Hash, by Actor, now Now) (Overlay, error) {
	s := Stop{Hash: hash, Action: f.Action, Kind: f.Target.Kind, Name: f.Target.Name, By: by, At: now.Time}
	if f.Amount != nil {
		s.Amount = Units(*f.Amount)
	}
	if (by.Kind != PersonActor && by.Kind != SentinelActor) || !p.Active(by, now) {
		return o, refuse(CodeNotEntitled, "", "%s may not freeze: only persons and sentinels of the policy whose last day is not over", by)
	}
	if err := o.target(p, &s); err != nil {
		return o, err
	}
	mine := 0
	for _, x := range o.stops {
		if x.By != by {
			continue
		}
		mine++
		if x.Action == s.Action && x.Kind == s.Kind && x.Name == s.Name && s.Action != statement.ActionLower {
			return o, refuse(CodeAlreadyInForce, "target", "%s has this in force already", by)
		}
	}
	if mine >= maxStops && s.Kind != statement.TargetAll {
		return o, refuse(CodeTooMany, "", "%s holds %d stops in force, want some lifted first; a freeze of everything still counts", by, mine)
	}
	return o.Trip(s), nil
}

// target finds what the stop acts on and who may do that.
func (o Overlay) target(p *Policy, s *Stop) error {
	switch s.Kind {
	case statement.TargetAll:
	case statement.TargetWallet:
		if _, ok := p.wallets[WalletID(s.Name)]; !ok {
			return refuse(CodeUnknownTarget, "target.name", "no wallet of the policy is called %s", quoted(s.Name))
		}
	case statement.TargetClient:
		if _, ok := p.clients[ClientID(s.Name)]; !ok {
			return refuse(CodeUnknownTarget, "target.name", "no client of the policy is called %s", quoted(s.Name))
		}
	case statement.TargetPerson:
		if _, ok := p.people[PersonID(s.Name)]; !ok {
			return refuse(CodeUnknownTarget, "target.name", "no person of the policy is called %s", quoted(s.Name))
		}
		return o.mayHold(s, PersonID(s.Name))
	case statement.TargetKey:
		owner, ok := p.fingerprints[s.Name]
		switch {
		case !ok:
			return refuse(CodeUnknownTarget, "target.name", "no key of the policy has the fingerprint %s", quoted(s.Name))
		case owner.Kind == SentinelActor || owner.Kind == CanaryActor:
			return refuse(CodeNotEntitled, "target.name", "a key of %s can only stop things, and nobody takes that away at once", owner)
		case owner.Kind == PersonActor:
			s.Person = PersonID(owner.ID)
			return o.mayHold(s, s.Person)
		}
	case statement.TargetAddress:
		for _, w := range p.walletList {
			if a, err := nem.ParseAddress(w.network, s.Name); err == nil && a.String() == s.Name {
				return nil
			}
		}
		return refuse(CodeUnknownTarget, "target.name", "%s is no address of a network that a wallet is on", quoted(s.Name))
	case statement.TargetLimit:
		l, ok := p.Limit(s.Name)
		if !ok {
			return refuse(CodeUnknownTarget, "target.name", "no limit of the policy is called %s", quoted(s.Name))
		}
		if now := o.lowered(l.ID, uint64(l.Max)); uint64(s.Amount) >= now {
			return refuse(CodeNotLower, "amount", "limit %s is %d now, want less", l.ID, now)
		}
	default:
		return refuse(CodeUnknownTarget, "target.kind", "%s is nothing that can be stopped", quoted(string(s.Kind)))
	}
	return nil
}

// mayHold keeps one person from silencing the others: each can hold at most one
// person suspended, by whatever keys, and a program none.
func (o Overlay) mayHold(s *Stop, person PersonID) error {
	if s.By.Kind != PersonActor {
		return refuse(CodeNotEntitled, "target", "only a person suspends a person")
	}
	for _, x := range o.stops {
		if held, ok := x.suspends(); ok && x.By == s.By && held != person {
			return refuse(CodeTooMany, "target", "%s holds %s suspended already, and one person can hold one", s.By, held)
		}
	}
	return nil
}

// suspends tells which person a stop suspends, wholly or by a key.
func (s *Stop) suspends() (PersonID, bool) {
	switch {
	case s.Action != statement.ActionSuspend:
	case s.Kind == statement.TargetPerson:
		return PersonID(s.Name), true
	case s.Person != "":
		return s.Person, true
	}
	return "", false
}

// Trip puts a stop in force without judging who asked: what a tripwire does.
func (o Overlay) Trip(s Stop) Overlay {
	stops := make([]Stop, 0, len(o.stops)+1)
	return Overlay{append(append(stops, o.stops...), s)}
}

// Lift takes the stop out; JudgeLift says when that may happen. The second
// result is false if none has that hash.
func (o Overlay) Lift(hash statement.Hash) (Overlay, bool) {
	kept := slices.DeleteFunc(slices.Clone(o.stops), func(s Stop) bool { return s.Hash == hash })
	return Overlay{kept}, len(kept) < len(o.stops)
}

// Find gives the stop with that hash.
func (o Overlay) Find(hash statement.Hash) (Stop, bool) {
	i := slices.IndexFunc(o.stops, func(s Stop) bool { return s.Hash == hash })
	if i < 0 {
		return Stop{}, false
	}
	return o.stops[i], true
}

// Expire takes out what has ended by itself.
func (o Overlay) Expire(time int64) Overlay {
	over := func(s Stop) bool { return s.Until != 0 && s.Until <= time }
	if !slices.ContainsFunc(o.stops, over) {
		return o
	}
	return Overlay{slices.DeleteFunc(slices.Clone(o.stops), over)}
}

// Next is what stays when a policy comes into force that was proposed at a
// policy time. It replaces the suspensions and lowered numbers that its directors
// could see when it was proposed; what came later stays, and a freeze is ended
// only by a lift. What has no target any more goes.
func (o Overlay) Next(p *Policy, proposed int64) Overlay {
	return Overlay{slices.DeleteFunc(slices.Clone(o.stops), func(s Stop) bool {
		if s.Action != statement.ActionFreeze && s.At < proposed {
			return true
		}
		ok := true
		switch s.Kind {
		case statement.TargetWallet:
			_, ok = p.wallets[WalletID(s.Name)]
		case statement.TargetClient:
			_, ok = p.clients[ClientID(s.Name)]
		case statement.TargetPerson:
			_, ok = p.people[PersonID(s.Name)]
		case statement.TargetKey:
			_, ok = p.fingerprints[s.Name]
		case statement.TargetLimit:
			_, ok = p.Limit(s.Name)
		case statement.TargetAll, statement.TargetAddress:
		}
		return !ok
	})}
}

// Frozen gives the freeze that covers a wallet: the earliest, of it or of everything.
func (o Overlay) Frozen(w WalletID) (Stop, bool) {
	return o.first(statement.ActionFreeze, func(s *Stop) bool {
		return s.Kind == statement.TargetAll || (s.Kind == statement.TargetWallet && s.Name == string(w))
	})
}

// ClientStopped gives the freeze or suspension of a client that is in force at
// a policy time.
func (o Overlay) ClientStopped(c ClientID, time int64) (Stop, bool) {
	for _, s := range o.stops {
		if s.Kind == statement.TargetClient && s.Name == string(c) && (s.Until == 0 || time < s.Until) {
			return s, true
		}
	}
	return Stop{}, false
}

// AddressSuspended gives the suspension of an address.
func (o Overlay) AddressSuspended(text string) (Stop, bool) {
	return o.first(statement.ActionSuspend, func(s *Stop) bool { return s.Kind == statement.TargetAddress && s.Name == text })
}

// addressSuspendedUnknown tells whether the address is suspended by a stop that
// is not among those that somebody knew of (nil: they knew of none).
func (o Overlay) addressSuspendedUnknown(text string, knew func(statement.Hash) bool) bool {
	_, ok := o.first(statement.ActionSuspend, func(s *Stop) bool {
		return s.Kind == statement.TargetAddress && s.Name == text && (knew == nil || !knew(s.Hash))
	})
	return ok
}

// KeySuspended tells whether a key was suspended.
func (o Overlay) KeySuspended(key statement.Key) bool {
	fingerprint := ""
	_, ok := o.first(statement.ActionSuspend, func(s *Stop) bool {
		if s.Kind != statement.TargetKey {
			return false
		}
		if fingerprint == "" {
			fingerprint = key.Fingerprint()
		}
		return s.Name == fingerprint
	})
	return ok
}

func (o Overlay) first(action statement.FreezeAction, covers func(*Stop) bool) (Stop, bool) {
	for i := range o.stops {
		if s := &o.stops[i]; s.Action == action && covers(s) {
			return *s, true
		}
	}
	return Stop{}, false
}

// silenced tells whether a person is suspended: they neither approve nor lift.
func (o Overlay) silenced(a Actor) bool {
	_, ok := o.first(statement.ActionSuspend, func(s *Stop) bool {
		return a.Kind == PersonActor && s.Kind == statement.TargetPerson && s.Name == a.ID
	})
	return ok
}

// muted tells whether a verdict's person may not even veto: two different
// persons, who are not partial, suspended them, or that key of theirs.
func (o Overlay) muted(v *Verdict, partial func(Actor) bool) bool {
	if v.By.Kind != PersonActor || len(o.stops) == 0 {
		return false
	}
	fingerprint := v.Key.Fingerprint()
	var by []Actor
	for i := range o.stops {
		s := &o.stops[i]
		covers := s.Action == statement.ActionSuspend && ((s.Kind == statement.TargetPerson && s.Name == v.By.ID) ||
			(s.Kind == statement.TargetKey && s.Name == fingerprint))
		if covers && !slices.Contains(by, s.By) && !partial(s.By) {
			by = append(by, s.By)
		}
	}
	return len(by) >= 2
}

// lowered gives the number of a limit that is in force, at most the policy's.
func (o Overlay) lowered(limit string, number uint64) uint64 {
	for i := range o.stops {
		s := &o.stops[i]
		if s.Action == statement.ActionLower && s.Kind == statement.TargetLimit && s.Name == limit {
			number = min(number, uint64(s.Amount))
		}
	}
	return number
}

// Refusal is why something was not taken: a stable code, the member it is
// about, and a sentence for people.
type Refusal struct {
	Code  string
	Field string
	Msg   string
}

// Error is the sentence with its field.
func (r *Refusal) Error() string {
	if r.Field == "" {
		return r.Msg
	}
	return r.Field + ": " + r.Msg
}

func refuse(code, field, msg string, args ...any) *Refusal {
	return &Refusal{Code: code, Field: field, Msg: fmt.Sprintf(msg, args...)}
}
