package api

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"kura/journal"
	"kura/signer/rpc"
)

// pageTime is how long a reader of a stream may take for one page or one event before it is cut off: a
// slow reader must not hold a stream for ever.
const pageTime = time.Minute

// export streams the whole journal as it stood when the stream began: one line for each entry, its exact
// bytes (which are one line of JSON), after each group a line {"checkpoint":"<the signed note>"} with the
// head that was signed over it, and last such a line with the head over all. A file that does not end in a
// checkpoint was cut short.
func export(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	leave, err := g.enterStream(r, bearer)
	if err != nil {
		return err
	}
	defer leave()

	first, err := g.page(r, bearer, 0, maxPage)
	if err != nil {
		return err
	}
	// Every page carries its own newest checkpoint; the export ends at the first one's.
	size, err := checkpointSize(first.Checkpoint)
	if err != nil {
		return err
	}
	newest, err := g.signer.Checkpoint(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", `attachment; filename="kura-journal.ndjson"`)
	g.allowPage(w)
	if err := journal.WriteExportBegin(w, newest.Genesis); err != nil {
		return err
	}
	page, next := first, uint64(0)
	for {
		g.allowPage(w)
		if err := writePage(w, page, size); err != nil {
			return err
		}
		if next += uint64(len(page.Entries)); next >= size {
			break
		}
		if page, err = g.page(r, bearer, next, min(size, next+maxPage)); err != nil {
			return err
		}
		if len(page.Entries) == 0 {
			return fmt.Errorf("the signer gave no entry from %d on, below its size %d", next, size)
		}
	}
	return journal.WriteExportHead(w, first.Checkpoint)
}

// writePage writes a page's entries, and each signed head after the group that it is of. The head over all,
// of the export's size, is the last line's.
func writePage(w io.Writer, page rpc.Entries, size uint64) error {
	heads := page.Heads
	for i, entry := range page.Entries {
		if _, err := fmt.Fprintf(w, "%s\n", entry); err != nil {
			return err
		}
		if len(heads) == 0 {
			continue
		}
		end, err := checkpointSize(heads[0])
		if err != nil {
			return err
		}
		if end == page.From+uint64(i)+1 {
			if end < size {
				err = journal.WriteExportHead(w, heads[0])
			}
			heads = heads[1:]
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// page asks for entries from..to, to exclusive.
func (g *Gateway) page(r *http.Request, bearer string, from, to uint64) (rpc.Entries, error) {
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	page, err := g.signer.Entries(ctx, bearer, from, to)
	if err != nil {
		return rpc.Entries{}, readOnly(err)
	}
	return page, nil
}

// checkpointSize reads the size out of a checkpoint without opening it: the gateway pins nothing.
func checkpointSize(checkpoint []byte) (uint64, error) {
	_, rest, _ := strings.Cut(string(checkpoint), "\n")
	text, _, _ := strings.Cut(rest, "\n")
	size, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		return 0, fmt.Errorf("the checkpoint has no size in its second line")
	}
	return size, nil
}

// events streams the journal as it grows, as server-sent events: each entry is one event with its seq as
// id, its kind as event name and its exact bytes as data. A reader that comes back with Last-Event-ID
// misses nothing; ?from= begins at a seq, and without either the stream begins at the end.
func events(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, "from")
	next, given := uint64(0), false
	if _, given = q.text("from"); given {
		next = q.number("from", 0)
	}
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		seq, err := strconv.ParseUint(last, 10, 53)
		if err != nil {
			q.fail("Last-Event-ID", "must be the seq of the last event that was read")
		}
		next, given = seq+1, true
	}
	if err := q.done(); err != nil {
		return err
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	leave, err := g.enterStream(r, bearer)
	if err != nil {
		return err
	}
	defer leave()

	size, err := g.follow(r, 0, 0)
	if err != nil {
		return err
	}
	if !given {
		next = size
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	for g.closing.Err() == nil {
		for next < size {
			page, err := g.page(r, bearer, next, min(size, next+maxPage))
			if err != nil {
				return err
			}
			if len(page.Entries) == 0 {
				return fmt.Errorf("the signer gave no entry from %d on, below its size %d", next, size)
			}
			g.allowPage(w)
			for _, entry := range page.Entries {
				if err := writeEvent(w, entry); err != nil {
					return err
				}
				next++
			}
		}
		// A comment when nothing happens keeps the connection open and finds readers that have gone.
		g.allowPage(w)
		if _, err := fmt.Fprint(w, ": \n\n"); err != nil {
			return err
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		if size, err = g.follow(r, max(size, next), heartbeat); err != nil {
			return err
		}
	}
	return nil
}

// heartbeat is the longest silence of an event stream.
const heartbeat = 15 * time.Second

func writeEvent(w http.ResponseWriter, entry []byte) error {
	e, err := journal.DecodeEntry(entry)
	if err != nil {
		return fmt.Errorf("an entry of the signer: %w", err)
	}
	_, err = fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, entry)
	return err
}

// follow waits until the journal is longer than size, and returns its length.
func (g *Gateway) follow(r *http.Request, size uint64, wait time.Duration) (uint64, error) {
	ctx, cancel := g.callContext(r, wait)
	defer cancel()
	ctx, cancel = g.untilClosing(ctx)
	defer cancel()
	c, err := g.signer.Follow(ctx, size, wait.Milliseconds())
	if err != nil {
		return 0, readOnly(err)
	}
	return checkpointSize(c.Checkpoint)
}

// enterStream takes one of the places for long answers, for whoever's session it is. So an answer begins only with a
// session, while a problem can still be answered as one.
func (g *Gateway) enterStream(r *http.Request, bearer string) (leave func(), err error) {
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	who, err := g.signer.Reader(ctx, bearer)
	if err != nil {
		return nil, readOnly(err)
	}
	return g.streams.enter(who)
}

// allowPage moves the connection's deadline on for what is written next.
func (g *Gateway) allowPage(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(pageTime)) // fails only where there are no deadlines
}
