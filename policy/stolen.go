package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Stolen is what an intruder has. Names are the policy's; persons are officers
// and directors alike.
type Stolen struct {
	Clients  []ClientID
	People   []PersonID
	Services []string
	// Parts of the installation. Gateway and Network add nothing: nothing is signed
	// that a client did not ask for, and a replay has no effect. (A network that sets
	// the host's time is Clock, too.) Database alone adds
	// nothing, because the signer's anchor file is not in it; with AnchorFile it is
	// a rollback of the host.
	Gateway, Network, Database, AnchorFile, Clock bool
}

// ParseStolen reads "client:backend,officer:aiko,gateway". The prefixes are
// client, officer (person and director mean the same) and service; the bare words
// gateway, network, database, anchor-file and clock.
func (p *Policy) ParseStolen(text string) (Stolen, error) {
	var s Stolen
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		kind, name, named := strings.Cut(word, ":")
		known := true
		switch {
		case named && kind == "client":
			_, known = p.clients[ClientID(name)]
			s.Clients = with(s.Clients, ClientID(name))
		case named && (kind == "officer" || kind == "person" || kind == "director"):
			_, known = p.people[PersonID(name)]
			s.People = with(s.People, PersonID(name))
		case named && kind == "service":
			known = len(p.groups[name]) == 1 && p.groups[name][0].Kind == ServiceActor
			s.Services = with(s.Services, name)
		case word == "gateway":
			s.Gateway = true
		case word == "network":
			s.Network = true
		case word == "database":
			s.Database = true
		case word == "anchor-file":
			s.AnchorFile = true
		case word == "clock":
			s.Clock = true
		case word == "":
		default:
			return Stolen{}, &Error{What: quoted(word) + " is nothing that can be stolen", Want: "want client:NAME, officer:NAME, service:NAME, gateway, network, database, anchor-file or clock, separated by commas"}
		}
		if !known {
			return Stolen{}, &Error{What: fmt.Sprintf("no %s of the policy is called %s", kind, quoted(name))}
		}
	}
	return s, nil
}

// with adds to a set: who is named twice is one all the same.
func with[T comparable](list []T, x T) []T {
	if slices.Contains(list, x) {
		return list
	}
	return append(list, x)
}

// String writes the set as ParseStolen reads it.
func (s Stolen) String() string {
	var words []string
	for _, c := range s.Clients {
		words = append(words, "client:"+string(c))
	}
	for _, x := range s.People {
		words = append(words, "officer:"+string(x))
	}
	for _, x := range s.Services {
		words = append(words, "service:"+x)
	}
	for _, part := range []struct {
		has  bool
		name string
	}{{s.Gateway, "gateway"}, {s.Network, "network"}, {s.Database, "database"}, {s.AnchorFile, "anchor-file"}, {s.Clock, "clock"}} {
		if part.has {
			words = append(words, part.name)
		}
	}
	return strings.Join(words, ",")
}
