package witness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-json-experiment/json"
	"golang.org/x/sys/unix"

	"kura/journal"
	"kura/statement"
)

// stateFile is what a witness must never forget, in one JSON file that is
// replaced whole.
type stateFile struct {
	name string
	lock *os.File // held for the life of the process: two witnesses on one file could cosign a fork

	Genesis    string             // the pinned line: a file of another journal is refused
	Head       journal.Head       // the last head that was cosigned; the empty one before
	Checkpoint journal.Checkpoint // its text, the log's signature and ours; nil before the first
	Stopped    string             // why it was told to stop, "" if it cosigns
	Gaps       []statement.Hash   // what the directors approved of the gaps that it was told to go on from
	Handovers  journal.Chain      // of the log key, as far as it was told of them

	keys journal.LogKeys // by the handovers
}

type stateText struct {
	Genesis    string `json:"genesis"`
	Checkpoint string `json:"checkpoint"`
	Stopped    string `json:"stopped"`
	// Gaps is left out until there is one.
	Gaps []statement.Hash `json:"gaps,omitempty"`
	// Handovers is left out until there is one.
	Handovers journal.Chain `json:"handovers,omitempty"`
}

func openState(name string, genesis journal.Genesis) (*stateFile, error) {
	lock, err := lockFile(name + ".lock")
	if err != nil {
		return nil, err
	}
	s, err := readState(name, genesis, lock)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.lock = lock
	return s, nil
}

// begun is what the lock file says once there is a state beside it.
const begun = "begun\n"

// begin writes the first state, once in a life: one that was there and is gone is not made anew.
func (s *stateFile) begin(lock *os.File) error {
	info, err := lock.Stat()
	if err != nil {
		return err
	}
	if info.Size() > 0 {
		return fmt.Errorf("%s is gone, and a witness has run on it: begun anew, it would cosign another history. "+
			"Bring that very file back, never an older copy, or replace this witness by one with a new key and another state", s.name)
	}
	return s.write() // at once, so that a path on which nothing can be kept is found now
}

// mark notes in the lock file that there is a state.
func mark(lock *os.File) error {
	if _, err := lock.WriteAt([]byte(begun), 0); err != nil {
		return err
	}
	return lock.Sync()
}

// lockFile takes the lock beside a state file, or refuses at once. The kernel lets
// go of it when the process ends, however it ends.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a witness runs on this state, stop it first (%s: %w)", name, err), f.Close())
	}
	return f, nil
}

func readState(name string, genesis journal.Genesis, lock *os.File) (*stateFile, error) {
	s := &stateFile{name: name, Genesis: genesis.String(), Head: journal.EmptyHead(), keys: genesis.Keys()}
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.begin(lock); err != nil {
			return nil, err
		}
		return s, mark(lock)
	}
	if err != nil {
		return nil, err
	}
	if err := mark(lock); err != nil {
		return nil, err
	}
	var text stateText
	if err := json.Unmarshal(raw, &text, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if text.Genesis != s.Genesis {
		return nil, fmt.Errorf("%s is the state of another journal (%s)", name, text.Genesis)
	}
	s.Stopped, s.Gaps, s.Handovers = text.Stopped, text.Gaps, text.Handovers
	if s.keys, err = s.keys.Learn(s.Handovers); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if text.Checkpoint == "" {
		return s, nil
	}
	s.Checkpoint = journal.Checkpoint(text.Checkpoint)
	if s.Head, err = s.keys.Open(s.Checkpoint); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return s, nil
}

func (s *stateFile) advance(head journal.Head, checkpoint journal.Checkpoint) error {
	next := *s
	next.Head, next.Checkpoint = head, checkpoint
	return s.replace(next)
}

// skip goes on from a head that does not extend the last one, by a gap.
func (s *stateFile) skip(o *GapOffer, checkpoint journal.Checkpoint) error {
	next := *s
	next.Gaps = append(slices.Clone(s.Gaps), o.About(s.keys.Genesis().Origin))
	next.Head, next.Checkpoint = o.next, checkpoint
	next.keys = o.keys
	if n := len(o.keys.Handovers()); n == len(o.receipt.Handovers) {
		next.Handovers = o.receipt.Handovers
	} else {
		next.Handovers = s.Handovers[:n] // the receipt brought none that were not known
	}
	return s.replace(next)
}

func (s *stateFile) learn(chain journal.Chain, keys journal.LogKeys) error {
	next := *s
	next.Handovers, next.keys = chain, keys
	return s.replace(next)
}

func (s *stateFile) stop(reason string) error {
	next := *s
	next.Stopped = reason
	return s.replace(next)
}

// replace makes next durable, and only then current.
func (s *stateFile) replace(next stateFile) error {
	if err := next.write(); err != nil {
		return err
	}
	*s = next
	return nil
}

// write replaces the file whole: a temporary one, synced, renamed over it, and
// the directory synced.
func (s *stateFile) write() error {
	text, err := json.Marshal(stateText{
		Genesis: s.Genesis, Checkpoint: string(s.Checkpoint), Stopped: s.Stopped, Gaps: s.Gaps, Handovers: s.Handovers,
	})
	if err != nil {
		return err
	}
	dir := filepath.Dir(s.name)
	f, err := os.CreateTemp(dir, filepath.Base(s.name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if _, err := f.Write(append(text, '\n')); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), s.name); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
