package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"kura/journal"
	"kura/journal/storetest"
)

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]journal.Tile{
		"tile/0/000":                 {Width: 256},
		"tile/1/x001/234.p/5":        {Level: 1, Index: 1234, Width: 5},
		"tile/entries/x123/x456/789": {Entries: true, Index: 123456789, Width: 256},
		"tile/entries/000.p/255":     {Entries: true, Width: 255},
	} {
		got, err := journal.ParseTilePath(path)
		if err != nil || got != want || got.Path() != path {
			t.Errorf("%s: %+v, %v, printed as %s; want %+v", path, got, err, got.Path(), want)
		}
	}
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/0", "tile/0/0000", "tile/0/x000/000", "tile/00/000", "tile/-1/000", "tile/8/000", "tile/64/000",
		"tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000/", "/tile/0/000", "tile/8/0/000", "tile/data/000", "tile/0/../000", "tile/entries/000.p/256",
	} {
		if got, err := journal.ParseTilePath(path); !errors.Is(err, journal.ErrTile) {
			t.Errorf("%q parsed as %+v, %v", path, got, err)
		}
	}
}

func FuzzParseTilePath(f *testing.F) {
	f.Add("tile/1/x001/234.p/5")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		if tile, err := journal.ParseTilePath(path); err == nil && tile.Path() != path {
			t.Fatalf("%q parses and prints as %q", path, tile.Path())
		}
	})
}

// tileReader serves tiles to tlog's own client, as a server would.
type tileReader struct {
	t   *testing.T
	log *journal.Log
}

func (r tileReader) Height() int                   { return 8 }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		parsed, err := journal.ParseTilePath(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		if data[i], err = r.log.HashTile(r.t.Context(), parsed); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// TestStockTileClient verifies entries with tlog's tile client, which checks every tile against the head.
func TestStockTileClient(t *testing.T) {
	ctx := t.Context()
	c := testConfig(t)
	log := createLog(t, c, 300)
	for log.Head().Size < 70_000 {
		if _, err := log.Append(ctx, storetest.Entries(log.Head().Size, log.Head().Size+9_973)); err != nil {
			t.Fatal(err)
		}
	}
	head := log.Head()
	reader := tlog.TileHashReader(tlog.Tree{N: int64(head.Size), Hash: head.Root}, tileReader{t, log})
	for _, index := range []uint64{0, 1, 255, 256, 65_535, 65_536, head.Size - 1} {
		proof := must(tlog.ProveRecord(int64(head.Size), int64(index), reader))
		bundle := journal.Tile{Entries: true, Index: index / 256, Width: int(min(256, head.Size-index/256*256))}
		entry := must(cut(must(log.EntryBundle(ctx, bundle)), int(index%256)))
		if err := tlog.CheckRecord(proof, int64(head.Size), head.Root, int64(index), tlog.RecordHash(entry)); err != nil {
			t.Errorf("entry %d: %v", index, err)
		}
	}
	for _, tile := range []journal.Tile{
		{}, {Width: 257}, {Index: head.Size / 256, Width: 256}, {Level: 1, Index: 1, Width: 256}, {Level: 3, Width: 1}, {Index: 1 << 60, Width: 1}, {Level: 9, Width: 1},
	} {
		if b, err := log.HashTile(ctx, tile); !errors.Is(err, journal.ErrTile) {
			t.Errorf("%+v: %d bytes, %v", tile, len(b), err)
		}
		tile.Entries = true
		if b, err := log.EntryBundle(ctx, tile); tile.Level == 0 && !errors.Is(err, journal.ErrTile) {
			t.Errorf("%+v: %d bytes, %v", tile, len(b), err)
		}
	}
}

// cut returns one entry of a bundle.
func cut(bundle []byte, n int) ([]byte, error) {
	for ; ; n-- {
		if len(bundle) < 2 {
			return nil, errors.New("the bundle ends early")
		}
		size := int(binary.BigEndian.Uint16(bundle))
		if n == 0 {
			return bundle[2 : 2+size], nil
		}
		bundle = bundle[2+size:]
	}
}

func TestBundleCannotHoldALargeEntry(t *testing.T) {
	c := testConfig(t)
	log := createLog(t, c, 1)
	large := storetest.NewEntry(1, "")
	large.Body = append(append([]byte(`{"a":"`), bytes.Repeat([]byte("a"), 1<<16)...), `"}`...)
	if _, err := log.Append(t.Context(), []journal.Entry{large}); err != nil {
		t.Fatal(err)
	}
	if _, err := log.EntryBundle(t.Context(), journal.Tile{Entries: true, Width: 2}); !errors.Is(err, journal.ErrTile) || !strings.Contains(err.Error(), "entry 1") {
		t.Errorf("a bundle with a large entry: %v", err)
	}
}
