package ledger

import (
	"errors"
	"fmt"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// A State is what the entries so far add up to. The zero value is not one; see NewState.
type State struct {
	next        uint64 // seq of the next entry
	clock, time int64  // of the last entry
	genesis     *Genesis
	journal     statement.Hash // leaf hash of entry 0: what statements name

	line    timeline
	policy  *policy.Policy
	book    *policy.Book
	overlay policy.Overlay
	usage   *policy.Usage
	spent   statement.Hash         // chain over everything that usage was given
	former  map[statement.Key]bool // keys that any policy named: they never come back once they are out

	memory    memory
	recent    recentBytes
	held      []*Request // in the order in which they were journalled
	looked    int64      // policy time at which those were looked at whose time had come
	unsigned  map[statement.Hash]*Request
	proposals map[statement.Hash]*Proposal // open or adopted
	freezes   map[statement.Hash]*Freeze   // in force
	stopsEnd  int64                        // policy time at which the next of them ends by itself; 0: none does
	wallets   map[string]*WalletRecord
	clients   map[policy.ClientID]*clientRecord
	parties   map[policy.Actor]*partyRecord // who is no client
	alarms    []AlarmRecord
	gaps      []GapRecord // all of them, oldest first
	keys      journal.LogKeys
	pending   *Request // authorised by the last outcome; its reasons, which come next, count it

	names map[string]string // one copy of each text that many records repeat
}

// A WalletRecord is a wallet's ceremony and the state of its key.
type WalletRecord struct {
	Wallet
	State string
	Seq   uint64 // of the ceremony's entry
}

// An AlarmRecord is an alarm with its place.
type AlarmRecord struct {
	Alarm
	Seq  uint64
	Time int64 // policy time, unix milliseconds
}

// keptAlarms is how many alarms the state keeps for those who ask; all of them are in the journal.
const keptAlarms = 256

// NewState returns the state of an empty journal.
func NewState() *State {
	return &State{
		memory:    newMemory(),
		recent:    recentBytes{seen: map[[32]byte]struct{}{}},
		unsigned:  map[statement.Hash]*Request{},
		proposals: map[statement.Hash]*Proposal{},
		freezes:   map[statement.Hash]*Freeze{},
		former:    map[statement.Key]bool{},
		wallets:   map[string]*WalletRecord{},
		clients:   map[policy.ClientID]*clientRecord{},
		parties:   map[policy.Actor]*partyRecord{},
		names:     map[string]string{},
	}
}

// ErrFold is wrapped by every error of Apply: the entry cannot follow, the state must not be used further.
var ErrFold = errors.New("the journal cannot be folded")

// Apply takes the next entry. It believes what the entry records (Judge and auditors do not) but refuses
// what cannot follow: a gap, an unknown kind, a body in another form, an outcome that no rule leads to.
func (s *State) Apply(e journal.Entry) error { return s.take(read(e)) }

// take is Apply of an entry that was read.
func (s *State) take(e reading) error {
	if e.Seq != s.next {
		return fmt.Errorf("%w: entry %d where entry %d should be", ErrFold, e.Seq, s.next)
	}
	if e.Time < s.time {
		return fmt.Errorf("%w: entry %d: policy time goes back", ErrFold, e.Seq)
	}
	if e.err != nil {
		return fmt.Errorf("%w: entry %d: %w", ErrFold, e.Seq, e.err)
	}
	if (e.Seq == 0) != (e.Kind == KindGenesis) || (e.Seq == 1) != (e.Kind == KindFounding) {
		return fmt.Errorf("%w: entry %d is of kind %s; entry 0 is the genesis, entry 1 policy 1, and nothing else is", ErrFold, e.Seq, e.Kind)
	}
	s.next, s.clock, s.time = e.Seq+1, e.Clock, e.Time
	if err := s.apply(e); err != nil {
		return fmt.Errorf("%w: entry %d (%s): %w", ErrFold, e.Seq, e.Kind, err)
	}
	if s.policy != nil {
		s.forget()
	}
	return nil
}

func (s *State) apply(r reading) error {
	e := r.Entry
	if s.pending != nil && e.Kind != KindReasons {
		return fmt.Errorf("the authorisation before it has no reasons")
	}
	switch b := r.body.(type) {
	case *Genesis:
		return s.applyGenesis(e, b)
	case *Founding:
		return s.applyFounding(e, b)
	case *Statement:
		return s.applyStatement(e, b, r.statement)
	case *Outcome:
		return s.applyOutcome(e, b)
	case *Reasons:
		return s.applyReasons(e, b, r.decision)
	case *Adoption:
		return s.applyAdoption(e, b)
	case *InForce:
		return s.applyInForce(e, b)
	case *Stop:
		return s.applyStop(e, b)
	case *Wallet:
		return s.applyWallet(e, b)
	case *WalletState:
		return s.applyWalletState(e, b)
	case *Sealing:
		return s.applySealing(b)
	case *LogKey:
		return s.applyLogKey(e, b)
	case *Signature:
		return s.applySignature(e, b)
	case *Start:
		s.applyStart(b)
	case *Vouched:
		return s.applyVouched(b)
	case *Alarm:
		s.applyAlarm(e, b)
	case *Gap:
		return s.applyGap(e, b)
	case *Look:
		s.looked = e.Time
	case *Tick, *Strand, *Refused:
		// They say where what follows comes from, or count what left no trace; nothing follows from them.
	}
	return nil
}

// shared returns the one copy of a text that many records repeat: a code, the name of a wallet or client.
// Were there more of them than a policy can name, the rest would not be shared.
func (s *State) shared(text string) string {
	const most = 1 << 16
	if have, ok := s.names[text]; ok {
		return have
	}
	if len(s.names) < most {
		s.names[text] = text
	}
	return text
}

func (s *State) applyAlarm(e journal.Entry, b *Alarm) {
	if len(s.alarms) == keptAlarms {
		copy(s.alarms, s.alarms[1:])
		s.alarms = s.alarms[:keptAlarms-1]
	}
	s.alarms = append(s.alarms, AlarmRecord{*b, e.Seq, e.Time})
}
