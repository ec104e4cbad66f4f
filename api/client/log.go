package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"

	"kura/journal"
	"kura/signer/rpc"
)

// A Contradiction says that what the server shows does not agree with the pinned genesis line or with a
// head that was seen before: the journal was changed, rolled back or split, or this is another server.
type Contradiction struct{ Err error }

func (e *Contradiction) Error() string {
	return "the server contradicts what is pinned or was seen before: " + e.Err.Error()
}
func (e *Contradiction) Unwrap() error { return e.Err }

// Checkpoint fetches the newest signed head and opens it under the pinned line, or the log key that follows
// from it. The error is a *Contradiction when it does not open.
func (c *Client) Checkpoint(ctx context.Context) (journal.Checkpoint, journal.Head, error) {
	var newest rpc.Checkpoint
	if err := c.read(ctx, "/v1/log/checkpoint", &newest, http.StatusOK); err != nil {
		return nil, journal.Head{}, err
	}
	head, err := c.open(ctx, newest.Checkpoint)
	if err != nil {
		return nil, journal.Head{}, err
	}
	return newest.Checkpoint, head, nil
}

// Advance fetches the newest signed head and the proof that it extends the last one that the caller kept
// (nil: none yet). The error is a *Contradiction when it does not: the caller keeps the old one and calls
// for help. It is a *LostTail when the journal proves that it lost that head, and goes on without it by its
// directors' word.
func (c *Client) Advance(ctx context.Context, last journal.Checkpoint) (journal.Checkpoint, journal.Head, error) {
	newest, head, err := c.Checkpoint(ctx)
	if err != nil || last == nil {
		return newest, head, err
	}
	old, err := c.open(ctx, last)
	if err != nil {
		err = fmt.Errorf("the kept checkpoint: %w", err)
	} else {
		err = c.CheckConsistency(ctx, old, head)
	}
	if err != nil {
		return nil, journal.Head{}, c.explain(ctx, last, newest, head, err)
	}
	return newest, head, nil
}

// CheckConsistency has the server prove that one head extends another. The error is a *Contradiction when
// the proof does not hold, or when the newer one is smaller.
func (c *Client) CheckConsistency(ctx context.Context, old, newer journal.Head) error {
	if newer.Size < old.Size {
		return &Contradiction{fmt.Errorf("the journal has %d entries, it had %d", newer.Size, old.Size)}
	}
	proof := []journal.Hash{}
	if old.Size > 0 && old.Size < newer.Size {
		var fetched rpc.Consistency
		if err := c.read(ctx, fmt.Sprintf("/v1/log/consistency?old=%d&new=%d", old.Size, newer.Size), &fetched, http.StatusOK); err != nil {
			return err
		}
		for _, h := range fetched.Proof {
			if len(h) != len(journal.Hash{}) {
				return &Contradiction{fmt.Errorf("a hash of the consistency proof has %d bytes", len(h))}
			}
			proof = append(proof, journal.Hash(h))
		}
	}
	if err := journal.VerifyConsistency(old, newer, proof); err != nil {
		return &Contradiction{err}
	}
	return nil
}

// Entries pages through the entries from..to (to exclusive), in their exact bytes. Nothing about them is
// proven: Read does that.
func (c *Client) Entries(ctx context.Context, from, to uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for from < to {
			var page rpc.Entries
			path := fmt.Sprintf("/v1/log/entries?from=%d&to=%d", from, min(to, from+1000))
			err := c.read(ctx, path, &page, http.StatusOK)
			if err == nil && (len(page.Entries) == 0 || page.From != from || uint64(len(page.Entries)) > to-from) {
				err = fmt.Errorf("the server's page of entries from %d on is empty or another one", from)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, entry := range page.Entries {
				if !yield(entry, nil) {
					return
				}
				from++
			}
		}
	}
}

// Read brings a tree up to the newest signed head and hands each new entry to deliver, in order. What was
// delivered is proven when Read returns without error and not before: keep it apart until then. After an
// error the tree is of no use. It needs a session of somebody named in the policy.
func (c *Client) Read(ctx context.Context, tree *journal.Tree, deliver func(journal.Entry) error) (journal.Checkpoint, error) {
	checkpoint, head, err := c.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	had := tree.Head()
	if head.Size < had.Size {
		return nil, &Contradiction{fmt.Errorf("the journal has %d entries, it had %d", head.Size, had.Size)}
	}
	keys := c.logKeys().Below(had.Size)
	for raw, err := range c.Entries(ctx, had.Size, head.Size) {
		if err != nil {
			return nil, err
		}
		if keys, err = c.grow(tree, keys, raw, deliver); err != nil {
			return nil, err
		}
	}
	if got := tree.Head(); got != head {
		return nil, &Contradiction{fmt.Errorf("the entries up to %d do not lead to the signed head", got.Size)}
	}
	// What was proven of handovers is what the entries say, or somebody signs with a key that they gave up.
	if _, err := keys.Open(checkpoint); err != nil {
		return nil, &Contradiction{err}
	}
	return checkpoint, nil
}

// grow adds one entry to a tree, delivers it, and returns the log keys after it.
func (c *Client) grow(tree *journal.Tree, keys journal.LogKeys, raw []byte, deliver func(journal.Entry) error) (journal.LogKeys, error) {
	seq := tree.Head().Size
	leaf := journal.LeafHash(raw)
	if seq == 0 && leaf != c.genesis.Hash {
		return keys, &Contradiction{errors.New("entry 0 is not the pinned genesis")}
	}
	entry, err := journal.DecodeEntry(raw)
	if err != nil {
		return keys, &Contradiction{err}
	}
	if entry.Seq != seq {
		return keys, &Contradiction{fmt.Errorf("entry %d stands in the place of entry %d", entry.Seq, seq)}
	}
	if keys, err = keys.After(entry); err != nil {
		return keys, &Contradiction{err}
	}
	tree.Append(leaf)
	return keys, deliver(entry)
}

// Export writes the whole journal to w as the server streams it (docs/rest.md, "Export") and checks it on
// the way: every entry in its place, no more of them than a signed head counts, and all of them leading to
// each head that stands between them and to the one in the last line, which is at least as long as the
// newest one when the export began. Without an error the head is returned; with one, what was written is
// not to be used.
func (c *Client) Export(ctx context.Context, w io.Writer) (journal.Head, error) {
	_, began, err := c.Checkpoint(ctx)
	if err != nil {
		return journal.Head{}, err
	}
	resp, err := c.do(ctx, http.MethodGet, "/v1/export", nil)
	if err != nil {
		return journal.Head{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return journal.Head{}, decode(resp, nil)
	}
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		return journal.Head{}, err
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(make([]byte, 64<<10), journal.MaxEntrySize+1)
	if err := c.exportBegin(lines); err != nil {
		return journal.Head{}, err
	}
	if _, err := w.Write(append(lines.Bytes(), '\n')); err != nil {
		return journal.Head{}, err
	}
	x := exported{tree: tree, keys: c.genesis.Keys(), counted: began}
	for lines.Scan() {
		line := lines.Bytes()
		checkpoint, err := journal.ParseExportHead(line)
		switch {
		case err != nil:
		case checkpoint != nil:
			err = x.head(checkpoint)
		default:
			err = c.exportEntry(ctx, &x, line)
		}
		if err != nil {
			return journal.Head{}, err
		}
		if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
			return journal.Head{}, err
		}
	}
	if err := lines.Err(); err != nil {
		return journal.Head{}, fmt.Errorf("the export was cut short: %w", err)
	}
	if x.covered != tree.Head() {
		return journal.Head{}, errors.New("the export was cut short: it has no checkpoint in its last line")
	}
	if x.covered.Size < began.Size {
		return journal.Head{}, fmt.Errorf("the export was cut short: it ends at size %d, and the journal had %d entries when it began", x.covered.Size, began.Size)
	}
	return x.covered, nil
}

// An exported is what came of an export so far.
type exported struct {
	tree    *journal.Tree
	keys    journal.LogKeys // by its own entries
	counted journal.Head    // the newest that the server showed
	covered journal.Head    // the last one in the export
}

// head holds the entries so far to a signed head.
func (x *exported) head(checkpoint journal.Checkpoint) error {
	head, err := x.keys.Open(checkpoint)
	if err != nil {
		return &Contradiction{err}
	}
	if x.tree.Head() != head {
		return &Contradiction{fmt.Errorf("the %d exported entries do not lead to the signed head of size %d", x.tree.Head().Size, head.Size)}
	}
	if head == x.covered {
		return &Contradiction{fmt.Errorf("the head of size %d stands in the export twice", head.Size)}
	}
	x.covered = head
	return nil
}

// exportEntry adds an exported entry. The journal grows while it is read; beyond the newest head, which is
// asked for then, the server makes entries up. Behind a handover of the log key the old key's head must stand, or
// anybody could name the next one.
func (c *Client) exportEntry(ctx context.Context, x *exported, line []byte) (err error) {
	size := x.tree.Head().Size
	if n := len(x.keys.Handovers()); n > 0 && x.keys.Handovers()[n-1].Seq+1 == size && x.covered.Size != size {
		return &Contradiction{fmt.Errorf("no signed head stands behind the handover of the log key in entry %d", size-1)}
	}
	if size >= x.counted.Size {
		if _, x.counted, err = c.Checkpoint(ctx); err != nil {
			return err
		}
		if size >= x.counted.Size {
			return &Contradiction{fmt.Errorf("the export goes on after the %d entries that the newest signed head counts", x.counted.Size)}
		}
	}
	x.keys, err = c.grow(x.tree, x.keys, line, func(journal.Entry) error { return nil })
	return err
}

// exportBegin reads the first line of an export, which names the journal.
func (c *Client) exportBegin(lines *bufio.Scanner) error {
	if !lines.Scan() {
		return errors.Join(errors.New("the export is empty"), lines.Err())
	}
	g, err := journal.ParseExportBegin(lines.Bytes())
	if err != nil {
		return err
	}
	if g != c.genesis {
		return &Contradiction{errors.New("the export is of another journal than the pinned one")}
	}
	return nil
}
