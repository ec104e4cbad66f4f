// Package witness cosigns the heads of one journal, run by somebody other than
// the one who runs its signer: rollback detector, fence between signers, second
// clock, and a second way to stop.
//
// It trusts the genesis line that it pinned, its own key, its own clock and its
// own disk. It promises never to cosign two heads that disagree: a head is written
// durably before it is cosigned, and the next one must extend it by a consistency
// proof. What it does not do is read entries: it sees sizes and roots, but for two:
// the handover of the log key, whose receipt it is given, and a gap (package
// journal/gap), the only way past a head that the journal lost, which the one who
// runs the witness accepts by hand.
//
// Source: C2SP tlog-witness (c2sp.org/tlog-witness) and tlog-cosignature.
package witness

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"kura/journal"
	"kura/journal/cosign"
)

// Refusals. Each maps to one status of tlog-witness.
var (
	ErrUnknownLog = errors.New("this witness does not know that log")                             // 404
	ErrSignature  = errors.New("the checkpoint is not signed by the log key of its size")         // 403
	ErrOldSize    = errors.New("the old size is above the checkpoint's")                          // 400
	ErrProof      = errors.New("the proof does not lead from the last cosigned head to this one") // 422
	ErrStopped    = errors.New("this witness was told to stop cosigning")                         // 403
)

// A Conflict says that the caller's old size is not the one that was cosigned
// last, or that the same size was cosigned with another root (409).
type Conflict struct{ Size uint64 }

func (c *Conflict) Error() string {
	return fmt.Sprintf("the last head that this witness cosigned has size %d", c.Size)
}

// A Witness cosigns. Safe for concurrent use.
type Witness struct {
	genesis journal.Genesis
	key     cosign.Key
	private ed25519.PrivateKey
	now     func() time.Time

	mu    sync.Mutex
	state *stateFile
}

// Open returns a witness of the journal that genesis names, with its state in the
// file stateName, and a lock beside it. It begins with the empty journal once in a life: a state that was there
// and is gone is refused, or the witness would forget what it cosigned. Where both files are gone, as on a disk that
// is not mounted, it cannot tell.
func Open(genesis journal.Genesis, key cosign.Key, private ed25519.PrivateKey, stateName string, now func() time.Time) (*Witness, error) {
	if len(private) != ed25519.PrivateKeySize || [ed25519.PublicKeySize]byte(private[ed25519.SeedSize:]) != key.Public {
		return nil, fmt.Errorf("open witness %s: the private key is not that of its key line", key.Name)
	}
	state, err := openState(stateName, genesis)
	if err != nil {
		return nil, fmt.Errorf("open witness %s: %w", key.Name, err)
	}
	return &Witness{genesis: genesis, key: key, private: private, now: now, state: state}, nil
}

// Key returns the line by which others pin this witness.
func (w *Witness) Key() cosign.Key { return w.key }

// Newest returns the last head that this witness cosigned, with its own
// cosignature: nil before the first.
func (w *Witness) Newest() journal.Checkpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Checkpoint
}

// AddCheckpoint cosigns a checkpoint that extends the last one it cosigned, and
// returns its signature line. old is the size from which proof leads; it must be
// the size cosigned last. The same head again is cosigned again, with a new time,
// but for size 0, where a second first head would begin another history unseen.
func (w *Witness) AddCheckpoint(_ context.Context, old uint64, proof []journal.Hash, checkpoint journal.Checkpoint) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	head, bare, err := w.state.keys.OpenBare(checkpoint)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	text, err := cosign.Text(checkpoint)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrSignature, err)
	}
	switch {
	case w.state.Stopped != "":
		return "", fmt.Errorf("%w: %s", ErrStopped, w.state.Stopped)
	case old > head.Size:
		return "", ErrOldSize
	case old != w.state.Head.Size, head.Size == 0:
		return "", &Conflict{Size: w.state.Head.Size}
	case head.Size == w.state.Head.Size && head.Root != w.state.Head.Root:
		return "", &Conflict{Size: w.state.Head.Size}
	}
	if err := checkExtends(w.state.Head, head, proof); err != nil {
		return "", err
	}
	line, err := cosign.Sign(w.key, w.private, text, uint64(w.now().Unix()))
	if err != nil {
		return "", err
	}
	// First durable, then out: after a crash between the two the witness knows more
	// than the world, never less.
	if err := w.state.advance(head, append(bare, line...)); err != nil {
		return "", fmt.Errorf("keep the head of size %d before cosigning it: %w", head.Size, err)
	}
	return line, nil
}

// AddHandover learns that the log key hands over, from the receipt of the entry that says so under the head that
// this witness cosigned last. Every larger head must then have the next key's signature. One that is known already
// is no error.
func (w *Witness) AddHandover(r journal.Receipt) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.state.Handovers); n > 0 && w.state.Handovers[n-1].Index == r.Index && bytes.Equal(w.state.Handovers[n-1].Entry, r.Entry) {
		return nil
	}
	if w.state.Stopped != "" {
		return fmt.Errorf("%w: %s", ErrStopped, w.state.Stopped)
	}
	chain := append(slices.Clone(w.state.Handovers), r)
	keys, err := w.state.keys.Learn(chain)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	// What it learns from is what it cosigned: so nobody teaches it a key on another branch than its own.
	if head, err := keys.Open(r.Checkpoint); err != nil || head != w.state.Head {
		return &Conflict{Size: w.state.Head.Size}
	}
	return w.state.learn(chain, keys)
}

// Handovers returns the handovers of the log key that this witness knows of.
func (w *Witness) Handovers() journal.Chain {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Handovers
}

func checkExtends(last, next journal.Head, proof []journal.Hash) error {
	if last.Size == 0 || last.Size == next.Size {
		// Everything extends the empty journal, and equal roots were checked above.
		if len(proof) != 0 {
			return fmt.Errorf("%w: want an empty proof from size %d to %d", ErrProof, last.Size, next.Size)
		}
		return nil
	}
	err := tlog.CheckTree(tlog.TreeProof(proof), int64(next.Size), next.Root, int64(last.Size), last.Root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}

// Close lets go of the state, for another process or a later Open.
func (w *Witness) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.lock.Close()
}

// Stop makes the witness refuse every later checkpoint, durably, with the reason.
// Only the one who runs the witness can undo it, by [Witness.Resume]. With an error
// it refuses them all the same, but forgets that when the process ends.
func (w *Witness) Stop(reason string) error {
	if reason == "" {
		return errors.New("stop: give a reason")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.state.stop(reason)
	w.state.Stopped = reason // on a full disk, too: else it would cosign again as soon as there is room
	return err
}

// Resume lets a stopped witness cosign again.
func (w *Witness) Resume() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.stop("")
}

// Stopped returns why the witness was stopped, "" if it cosigns.
func (w *Witness) Stopped() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Stopped
}
