package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"kura/journal"
	"kura/signer/rpc"
)

// maxPage is how many entries one page holds at most.
const maxPage = 1000

// checkpoint answers with the newest signed head and the genesis line.
func checkpoint(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	return ask(g, w, r, 0, g.signer.Checkpoint)
}

// logKeys answers with the proof of which log keys followed the genesis line's, to everybody.
func logKeys(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	return ask(g, w, r, 0, g.signer.LogKeys)
}

// note answers with the newest signed head as it is, where C2SP tlog-tiles looks for it.
func note(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	c, err := g.signer.Checkpoint(ctx)
	if err != nil {
		return readOnly(err)
	}
	return writeBytes(w, "text/plain; charset=utf-8", c.Checkpoint)
}

// consistency answers with the proof that one size of the journal extends another.
func consistency(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, "old", "new")
	older, newer := q.required("old"), q.required("new")
	if older > newer {
		q.fail("old", "must not be above new")
	}
	if err := q.done(); err != nil {
		return err
	}
	return ask(g, w, r, 0, func(ctx context.Context) (rpc.Consistency, error) {
		return g.signer.Consistency(ctx, older, newer)
	})
}

// gaps answers with the receipts of the entries by which the journal went on after entries that it lost.
func gaps(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	return ask(g, w, r, 0, g.signer.Gaps)
}

// entries answers with a page of the journal.
func entries(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	q := queryOf(r, "from", "to")
	from := q.number("from", 0)
	to := q.number("to", from+maxPage)
	if to <= from || to-from > maxPage {
		q.fail("to", fmt.Sprintf("must be above from, by at most %d: it is the seq after the last one wanted", maxPage))
	}
	if err := q.done(); err != nil {
		return err
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	return ask(g, w, r, 0, func(ctx context.Context) (rpc.Entries, error) {
		return g.signer.Entries(ctx, bearer, from, to)
	})
}

// receipt answers with the proof that one entry is in the journal.
func receipt(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	if err := queryOf(r).done(); err != nil {
		return err
	}
	text := r.PathValue("seq")
	seq, err := strconv.ParseUint(text, 10, 53)
	if err != nil || strconv.FormatUint(seq, 10) != text {
		return refuse(CodeBadParameter, "seq", "must be a whole number in digits, the entry's place in the journal")
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	return ask(g, w, r, 0, func(ctx context.Context) (rpc.Receipt, error) {
		return g.signer.Receipt(ctx, bearer, seq)
	})
}

// hashTile answers with a tile of the hash tree, /tile/<L>/<N>[.p/<W>], to everybody.
func hashTile(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	t, err := tileOf(r, false)
	if err != nil {
		return err
	}
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	hashes, err := g.signer.Tile(ctx, t.Level, t.Index, t.Width)
	if err != nil {
		return readOnly(err)
	}
	if len(hashes) != t.Width*tlog.HashSize {
		return fmt.Errorf("the signer's %s has %d bytes, not %d", t.Path(), len(hashes), t.Width*tlog.HashSize)
	}
	return writeBytes(w, "application/octet-stream", hashes)
}

// entryBundle answers with a tile of entries, /tile/entries/<N>[.p/<W>], to whoever may read all of them.
func entryBundle(g *Gateway, w http.ResponseWriter, r *http.Request) error {
	t, err := tileOf(r, true)
	if err != nil {
		return err
	}
	bearer, err := bearerOf(r)
	if err != nil {
		return err
	}
	g.allowTime(w, 0)
	ctx, cancel := g.callContext(r, 0)
	defer cancel()
	entries, err := g.signer.EntryBundle(ctx, bearer, t.Index, t.Width)
	if err != nil {
		return readOnly(err)
	}
	return writeBytes(w, "application/octet-stream", entries)
}

// tileOf reads which tile a request names, as C2SP tlog-tiles writes it. The kind is asked for, because the router
// goes by the path as it came, in which the word may be written with percent signs.
func tileOf(r *http.Request, entries bool) (journal.Tile, error) {
	if err := queryOf(r).done(); err != nil {
		return journal.Tile{}, err
	}
	t, err := journal.ParseTilePath(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil || t.Entries != entries {
		return journal.Tile{}, refuse(CodeBadParameter, "tile", "must be a tile as C2SP tlog-tiles names it, like /tile/0/x001/234, /tile/0/000.p/17 or /tile/entries/000.p/17")
	}
	return t, nil
}

func writeBytes(w http.ResponseWriter, media string, body []byte) error {
	w.Header().Set("Content-Type", media)
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) //nolint:gosec // checkpoints, tiles and bundles under media types that are no page; fails when the caller has gone; the log line says how far it came
	return nil
}
