package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kura/api/client"
	"kura/journal"
	"kura/ledger"
)

// A mirror is the journal as this home has verified it, folded: what an officer
// judges by. Nothing in it was believed without a proof under the pinned genesis.
type mirror struct {
	state   *ledger.State
	tree    *journal.Tree
	head    journal.Head
	entries []journal.Entry // by seq
	known   uint64          // how many of them an earlier command had verified
	synced  time.Time       // when the head was fetched
}

// staleAfter is how old a view may be when somebody judges by it.
const staleAfter = time.Minute

// agedView is how old the newest entry may be before an officer is told.
const agedView = 15 * time.Minute

// mirrorFileName holds the exact bytes of each entry, a line each; checkpointFileName the signed
// head that they led to when they were last verified.
const (
	mirrorFileName     = "journal.jsonl"
	checkpointFileName = "checkpoint"
)

// sync brings this home's copy of the journal up to the gateway's newest signed
// head, verified, and folds it. A head that does not extend the last one seen is
// a *client.Contradiction, and nothing of it is kept.
func (c *connection) sync(cmd *cobra.Command) (*mirror, error) {
	var m *mirror
	err := c.withSession(cmd, func() error {
		var err error
		if m, err = c.openMirror(); err != nil {
			return err
		}
		err = c.catchUp(cmd, m)
		if isContradiction(err) {
			m, err = c.overGap(cmd, err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// openMirror folds what earlier commands verified, and checks it against the last
// signed head that they kept: a file that was changed since is refused.
func (h *home) openMirror() (*mirror, error) {
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		return nil, err
	}
	m := &mirror{state: ledger.NewState(), tree: tree}
	checkpoint, err := os.ReadFile(h.path(checkpointFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	keys, err := h.logKeys()
	if err != nil {
		return nil, err
	}
	if m.head, err = keys.Open(checkpoint); err != nil {
		return nil, fmt.Errorf("the kept %s: %w", h.path(checkpointFileName), err)
	}
	f, err := os.Open(h.path(mirrorFileName))
	if err != nil {
		return nil, fmt.Errorf("the kept journal: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), journal.MaxEntrySize+1)
	for lines.Scan() && m.tree.Head().Size < m.head.Size {
		line := bytes.Clone(lines.Bytes()) // the entry keeps it, the scanner does not
		entry, err := journal.DecodeEntry(line)
		if err != nil {
			return nil, h.damaged(err)
		}
		m.tree.Append(journal.LeafHash(line))
		if err := m.take(entry); err != nil {
			return nil, h.damaged(err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, h.damaged(err)
	}
	if m.tree.Head() != m.head {
		return nil, h.damaged(errors.New("its entries do not lead to the kept checkpoint"))
	}
	if _, err := m.state.LogKeys().Open(checkpoint); err != nil {
		return nil, h.damaged(err)
	}
	m.known = m.head.Size
	return m, nil
}

func (h *home) damaged(err error) error {
	return withExit(exitNotProven, fmt.Errorf("%s was changed or damaged (%w): remove it and the checkpoint beside it only if you know why, then everything is fetched and verified anew", h.path(mirrorFileName), err))
}

func (m *mirror) take(e journal.Entry) error {
	if err := m.state.Apply(e); err != nil {
		return err
	}
	m.entries = append(m.entries, e)
	return nil
}

func (c *connection) catchUp(cmd *cobra.Command, m *mirror) error {
	had := m.head.Size
	m.synced = time.Now()
	checkpoint, err := c.Read(cmd.Context(), m.tree, m.take)
	if err != nil {
		return err
	}
	m.head = m.tree.Head()
	if m.head.Size == had {
		return nil
	}
	if err := c.keepHandovers(c.Handovers()); err != nil {
		return err
	}
	return c.keep(m, had, checkpoint)
}

// keep appends the new entries to the file, and only then moves the checkpoint, so
// that a crash between the two leaves lines that are not counted.
func (h *home) keep(m *mirror, had uint64, checkpoint journal.Checkpoint) error {
	if err := h.cutMirror(m, had); err != nil {
		return err
	}
	f, err := os.OpenFile(h.path(mirrorFileName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, e := range m.entries[had:] {
		line, err := e.Encode()
		if err != nil {
			f.Close()
			return err
		}
		_, _ = w.Write(append(line, '\n')) // Flush returns the first error
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keeping the journal: %w", err)
	}
	return h.keepCheckpoint(checkpoint)
}

func (h *home) keepCheckpoint(checkpoint journal.Checkpoint) error {
	temporary := h.path(checkpointFileName + ".new")
	if err := os.WriteFile(temporary, checkpoint, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, h.path(checkpointFileName))
}

// cutMirror drops lines past the kept checkpoint, which a crash left behind.
func (h *home) cutMirror(m *mirror, had uint64) error {
	size := int64(0)
	for _, e := range m.entries[:had] {
		line, err := e.Encode()
		if err != nil {
			return err
		}
		size += int64(len(line)) + 1
	}
	err := os.Truncate(h.path(mirrorFileName), size)
	if errors.Is(err, fs.ErrNotExist) && had == 0 {
		return nil
	}
	return err
}

// fresh refuses to let somebody judge by a view that is old.
func (m *mirror) fresh() error {
	if age := time.Since(m.synced); age > staleAfter {
		return withExit(exitNotProven, fmt.Errorf("the view is %s old: look again before you judge", age.Round(time.Second)))
	}
	return nil
}

// age says how new the newest entry is that the gateway showed. An old one is all
// there is, or the gateway holds back what came after it: then a freeze or used-up
// limits would not be on the page. The signer decides anew in any case.
func (m *mirror) age(p *page) {
	if m.head.Size == 0 {
		return
	}
	written := time.UnixMilli(m.state.Last().Clock)
	p.field("view", "up to entry %d, written %s ago", m.head.Size-1, time.Since(written).Round(time.Second))
	if time.Since(written) > agedView {
		p.field("", "NOTHING NEWER was shown: if you know of a freeze or a payment since then, the gateway withholds it")
	}
}

// isContradiction is for the exit code: the server is not to be believed.
func isContradiction(err error) bool {
	_, ok := errors.AsType[*client.Contradiction](err)
	return ok
}
