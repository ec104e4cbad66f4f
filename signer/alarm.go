package signer

import (
	"kura/ledger"
	"kura/signer/rpc"
)

// An Alarm is something that people are called for: an alarm entry of the journal, or a condition that stops signing.
type Alarm struct {
	Code  string            `json:"code"`
	About string            `json:"about"` // statement hash, or ""
	Clock int64             `json:"clock"` // unix milliseconds
	Facts map[string]string `json:"facts"`
}

func newAlarm(a *ledger.Alarm, clock int64) Alarm {
	out := Alarm{Code: a.Code, Clock: clock, Facts: map[string]string{}}
	if a.About != nil {
		out.About = a.About.String()
	}
	for _, f := range a.Facts {
		out.Facts[f.Name] = f.Value
	}
	return out
}

func (s *Signer) alarm(a Alarm) {
	s.log.Warn("alarm", "code", a.Code, "about", a.About, "facts", a.Facts)
	s.counters.alarms.Add(1)
	if s.alarmFor != nil {
		s.alarmFor(a)
	}
}

// stopped is told when something begins to stop signing.
func (s *Signer) stopped(r rpc.Reason) {
	switch r.Code {
	case conditionStarting, conditionStopping, conditionStandby:
		return
	}
	clock, _ := s.clock.Now()
	s.alarm(Alarm{Code: "signing_stopped", Clock: clock, Facts: map[string]string{"reason": r.Code, "detail": r.Detail}})
}
