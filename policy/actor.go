package policy

import "kura/statement"

// ActorKind says what sort of party signed a statement; zero is nobody.
type ActorKind uint8

// The kinds of parties that a policy names.
const (
	Nobody ActorKind = iota
	PersonActor
	ClientActor
	ServiceActor
	SentinelActor
	// CanaryActor is a key of the tripwires: whoever signs with it has stolen it.
	CanaryActor
)

var actorKinds = [...]string{"nobody", "person", "client", "service", "sentinel", "canary"}

// String is the stable name of the kind, as journals record it.
func (k ActorKind) String() string {
	if int(k) < len(actorKinds) {
		return actorKinds[k]
	}
	return actorKinds[Nobody]
}

// MarshalText writes the stable name.
func (k ActorKind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the stable name.
func (k *ActorKind) UnmarshalText(text []byte) error {
	for i, name := range actorKinds {
		if name == string(text) {
			*k = ActorKind(i)
			return nil
		}
	}
	return &Error{Path: "kind", What: "unknown kind of party " + quoted(string(text)), Want: "person, client, service, sentinel or canary"}
}

// Actor is a party that the policy names. It is comparable.
type Actor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id"`
}

// String is "person alice", for people; of who is in no policy the name alone, like "host".
func (a Actor) String() string {
	if a.Kind == Nobody && a.ID != "" {
		return a.ID
	}
	return a.Kind.String() + " " + a.ID
}

// Attribute tells whose key this is. It says nothing about last days and
// suspensions; Active and Overlay do.
func (p *Policy) Attribute(key statement.Key) (Actor, bool) {
	a, ok := p.keys[key]
	return a, ok
}

// Active tells whether the party is in the policy and its last day is not over
// at now (the later of clock and policy time counts, so that turning the clock
// back prolongs nothing).
func (p *Policy) Active(a Actor, now Now) bool {
	day, ok := p.lastDays[a]
	return ok && !day.Past(now.latest())
}

// UserVerification tells whether statements of this party need a security key
// that verified its user.
func (p *Policy) UserVerification(a Actor) bool {
	if a.Kind != PersonActor {
		return false
	}
	i, ok := p.people[PersonID(a.ID)]
	return ok && p.doc.People[i].UserVerification
}
