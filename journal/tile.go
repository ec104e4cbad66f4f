package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// tileHeight is fixed by C2SP tlog-tiles: a full tile has 2^8 hashes or entries.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// ErrTile is wrapped by every error about a tile that cannot be: a malformed path, or one past the head.
var ErrTile = errors.New("no such tile")

// A Tile names a part of the tree, as C2SP tlog-tiles does.
type Tile struct {
	Entries bool   // an entry bundle; otherwise hashes
	Level   int    // of hashes: 0 for leaf hashes, then 8 tree levels for each step
	Index   uint64 // from the left
	Width   int    // hashes or entries in it, 256 in a full one
}

// ParseTilePath reads the path of a tile strictly: tile/<level>/<index>[.p/<width>], or
// tile/entries/<index>[.p/<width>].
func ParseTilePath(path string) (Tile, error) {
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok {
		return Tile{}, fmt.Errorf("%w: path %q does not begin with tile/", ErrTile, path)
	}
	// The same paths with a height before the level, and another word for entries, are tlog's.
	bundle, entries := strings.CutPrefix(rest, "entries/")
	if entries {
		rest = "data/" + bundle
	}
	t, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", tileHeight, rest))
	if err != nil || !entries && strings.HasPrefix(rest, "data/") || t.L > 63/tileHeight {
		return Tile{}, fmt.Errorf("%w: path %q is malformed", ErrTile, path)
	}
	tile := Tile{Entries: entries, Index: uint64(t.N), Width: t.W}
	if !entries {
		tile.Level = t.L
	}
	return tile, nil
}

// Path returns the tile's path.
func (t Tile) Path() string {
	path := strings.TrimPrefix(tlog.Tile{H: tileHeight, L: t.Level, N: int64(t.Index), W: t.Width}.Path(), fmt.Sprintf("tile/%d/%d/", tileHeight, t.Level))
	if t.Entries {
		return "tile/entries/" + path
	}
	return fmt.Sprintf("tile/%d/%s", t.Level, path)
}

// Within reports whether the tree of that size has the whole tile.
func (t Tile) Within(size uint64) bool {
	if t.Width < 1 || t.Width > tileWidth || t.Index > MaxSeq || t.Level < 0 || t.Level > 63/tileHeight {
		return false
	}
	items := size
	if !t.Entries {
		items >>= tileHeight * t.Level
	}
	return t.Index*tileWidth+uint64(t.Width) <= items
}

// HashTile returns a tile's hashes, 32 bytes each. The reader checks them against a checkpoint: they are
// as the store holds them.
func (l *Log) HashTile(ctx context.Context, t Tile) ([]byte, error) {
	size := l.Head().Size
	if t.Entries || !t.Within(size) {
		return nil, fmt.Errorf("%w: %s in a journal of %d entries", ErrTile, t.Path(), size)
	}
	return tlog.ReadTileData(tlog.Tile{H: tileHeight, L: t.Level, N: int64(t.Index), W: t.Width}, l.cache.reader(ctx, size))
}

// EntryBundle returns a tile of entries, each preceded by its length in two bytes, big-endian. An entry of
// more than 65,535 bytes does not fit the format: its bundle is refused with its number.
func (l *Log) EntryBundle(ctx context.Context, t Tile) ([]byte, error) {
	size := l.Head().Size
	if !t.Entries || !t.Within(size) {
		return nil, fmt.Errorf("%w: %s in a journal of %d entries", ErrTile, t.Path(), size)
	}
	var bundle []byte
	from := t.Index * tileWidth
	next := from
	for row, err := range l.store.Entries(ctx, from, from+uint64(t.Width)) {
		if err != nil {
			return nil, err
		}
		if row.Seq != next {
			break
		}
		if len(row.Bytes) > math.MaxUint16 {
			return nil, fmt.Errorf("%w: entry %d has %d bytes, a bundle holds entries of up to %d", ErrTile, row.Seq, len(row.Bytes), math.MaxUint16)
		}
		bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(row.Bytes)))
		bundle = append(bundle, row.Bytes...)
		next++
	}
	if next != from+uint64(t.Width) {
		return nil, &TamperError{TamperMissing, next, next, "the store does not have it"}
	}
	return bundle, nil
}
