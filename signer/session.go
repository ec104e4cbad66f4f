package signer

import (
	"context"
	"sync"

	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

const (
	// sessionLife is how long a login lets read, in milliseconds of CLOCK_BOOTTIME.
	sessionLife = 15 * 60 * 1000
	// Sessions of one party, and of all; the oldest gives way.
	maxSessionsEach = 32
	maxSessions     = 8192
)

// A session is the right of one party to read. It ends with its time, with the run, and when the policy no longer names
// the key that opened it.
type session struct {
	actor policy.Actor
	key   statement.Key
	until int64 // milliseconds of CLOCK_BOOTTIME
}

// sessions are those that are open, by the hash of their secret.
type sessions struct {
	mu  sync.Mutex
	all map[string]session
}

func newSessions() *sessions { return &sessions{all: map[string]session{}} }

func (s *sessions) open(secretHash string, new session, boot int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var oldest, oldestOwn string
	own := 0
	for hash, one := range s.all {
		if one.until <= boot {
			delete(s.all, hash)
			continue
		}
		if oldest == "" || one.until < s.all[oldest].until {
			oldest = hash
		}
		if one.actor == new.actor {
			if own++; oldestOwn == "" || one.until < s.all[oldestOwn].until {
				oldestOwn = hash
			}
		}
	}
	switch {
	case own >= maxSessionsEach:
		delete(s.all, oldestOwn)
	case len(s.all) >= maxSessions:
		delete(s.all, oldest)
	}
	s.all[secretHash] = new
}

func (s *sessions) find(secretHash string, boot int64) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.all[secretHash]
	return one, ok && one.until > boot
}

// reader returns whose session a bearer is.
func (s *Signer) reader(bearer string) (policy.Actor, error) {
	_, boot := s.clock.Now()
	one, ok := s.sessions.find(bearer, boot)
	if ok {
		s.mu.RLock()
		actor, named := s.state.PolicyInForce().Attribute(one.key)
		s.mu.RUnlock()
		ok = named && actor == one.actor
	}
	if !ok {
		return policy.Actor{}, &rpc.Problem{Code: codeNoSession, Detail: "no session is open under this bearer: log in", Retry: rpc.RetryNever, Effect: rpc.EffectNone}
	}
	return one.actor, nil
}

// Reader implements rpc.Gateway: it refuses a bearer who may not read everything, a client or nobody.
func (s *Signer) Reader(_ context.Context, bearer string) (rpc.Actor, error) {
	actor, err := s.reader(bearer)
	if err != nil {
		return rpc.Actor{}, err
	}
	if actor.Kind != policy.PersonActor && actor.Kind != policy.ServiceActor {
		return rpc.Actor{}, refusedUnjudged(codeForbidden, "a "+actor.Kind.String()+" reads only what is its own")
	}
	return rpc.Actor{Kind: actor.Kind.String(), ID: actor.ID}, nil
}
