package witness

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"kura/statement"
)

// maxEnvelope bounds the envelope of a freeze: a statement of at most 4 KB and
// its signature, with JSON's escapes.
const maxEnvelope = 64 << 10

// freeze takes an officer's word that everything must stop. It is the way that is
// left when the gateway is silent: a signer that needs this witness then signs
// nothing more.
func (s *server) freeze(rw http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxEnvelope))
	if err != nil {
		http.Error(rw, "read the envelope: "+err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	who, f, err := s.openFreeze(raw)
	if err != nil {
		s.log.Warn("freeze refused", "reason", err)
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	reason := fmt.Sprintf("frozen by %s (%s)", who, f.Common().ID)
	if f.Reason != "" {
		reason += ": " + statement.Quote(f.Reason, 200)
	}
	kept := s.witness.Stop(reason)
	s.log.Error("this witness cosigns no more", "reason", reason)
	if s.relay != nil {
		s.passOn(f.Common().ID, raw)
	}
	if kept != nil {
		s.log.Error("freeze could not be kept", "reason", kept)
		http.Error(rw, "stopped, but that could not be kept, and is forgotten when this witness is restarted: "+kept.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprintln(rw, "stopped:", reason)
}

// passOn has a freeze relayed: whoever froze hears at once that this witness stopped, however silent the gateway is.
func (s *server) passOn(id statement.ID, raw []byte) {
	if _, busy := s.relaying.LoadOrStore(id, true); busy {
		return
	}
	go func() {
		defer s.relaying.Delete(id)
		s.relay(raw)
	}()
}

// openFreeze holds the envelope to: a freeze of everything, of this journal, not
// expired, signed by one of the keys that may stop this witness.
func (s *server) openFreeze(raw []byte) (string, *statement.Freeze, error) {
	env, err := statement.DecodeEnvelope(raw)
	if err != nil {
		return "", nil, err
	}
	signed, err := statement.Open(env)
	if err != nil {
		return "", nil, err
	}
	f, ok := signed.Body.(*statement.Freeze)
	if !ok || f.Action != statement.ActionFreeze || f.Target.Kind != statement.TargetAll {
		return "", nil, fmt.Errorf("this is not a freeze of everything, the only statement that a witness acts on")
	}
	if f.Common().Journal != statement.Hash(s.witness.genesis.Hash) {
		return "", nil, fmt.Errorf("journal: the freeze is meant for another journal (%s)", f.Common().Journal)
	}
	if err := statement.CheckTimes(f.Common(), stopClock(f.Common().ID.Born(), s.witness.now().UnixMilli()), statement.MaxLife(statement.TypeFreeze)); err != nil {
		return "", nil, err
	}
	who, ok := s.stoppers[signed.Key]
	if !ok {
		return "", nil, fmt.Errorf("the key %s may not stop this witness", signed.Key.Fingerprint())
	}
	return who, f, nil
}

// stopAhead is how far this witness's clock may be behind a freeze's birth, in milliseconds.
const stopAhead = 24 * 60 * 60 * 1000

// stopClock is the clock that a freeze is held to: its own birth, as long as the true time may be that. A witness whose
// clock was set back goes on cosigning, and must not refuse the officers who want to end it. The signer does the same.
func stopClock(born, clock int64) int64 { return max(clock, min(born, clock+stopAhead)) }

// Timeouts of the witness's own HTTP server.
const (
	ReadTimeout  = 10 * time.Second
	WriteTimeout = 10 * time.Second
)
