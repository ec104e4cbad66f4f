package journal

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	pageEntries = 256  // entries whose tree hashes make a page, about 16 KB
	pagesKept   = 1024 // pages of one generation: at most two generations are held, about 32 MB
)

// A nodeCache reads tree hashes from a store by pages and keeps those that were used lately. Full pages
// never change; the last one grows with the journal. It is safe for concurrent use. What it returns is as
// unverified as the store: whoever builds a proof checks it.
type nodeCache struct {
	store Store

	mu         sync.Mutex
	young, old map[uint64][]Hash // by page number; old is dropped when young is full
}

func newNodeCache(store Store) *nodeCache {
	return &nodeCache{store: store, young: make(map[uint64][]Hash)}
}

// reader returns the hashes of the tree of the given size.
func (c *nodeCache) reader(ctx context.Context, size uint64) HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]Hash, error) {
		hashes := make([]Hash, len(indexes))
		for i, index := range indexes {
			level, n := tlog.SplitStoredHashIndex(index)
			last := (uint64(n)+1)<<level - 1 // the entry that completed this hash
			if last >= size {
				return nil, fmt.Errorf("tree hash %d belongs to entry %d, the journal has %d", index, last, size)
			}
			page := last / pageEntries
			offset := uint64(index) - NodesBefore(page*pageEntries)
			nodes, err := c.page(ctx, page, offset, size)
			if err != nil {
				return nil, err
			}
			hashes[i] = nodes[offset]
		}
		return hashes, nil
	})
}

// page returns the page, read anew from the store when what is kept does not reach the offset.
func (c *nodeCache) page(ctx context.Context, page, offset, size uint64) ([]Hash, error) {
	c.mu.Lock()
	nodes, ok := c.young[page]
	if !ok {
		if nodes, ok = c.old[page]; ok {
			c.keep(page, nodes)
		}
	}
	c.mu.Unlock()
	if offset < uint64(len(nodes)) {
		return nodes, nil
	}
	from := page * pageEntries
	nodes, err := c.store.Nodes(ctx, from, min(from+pageEntries, size))
	if err != nil {
		return nil, err
	}
	if offset >= uint64(len(nodes)) {
		return nil, fmt.Errorf("the store returned %d tree hashes from entry %d on, hash %d of them is needed", len(nodes), from, offset)
	}
	c.mu.Lock()
	c.keep(page, nodes)
	c.mu.Unlock()
	return nodes, nil
}

// keep stores a page unless a longer one is there. The caller holds mu.
func (c *nodeCache) keep(page uint64, nodes []Hash) {
	if len(c.young) >= pagesKept {
		c.young, c.old = make(map[uint64][]Hash), c.young
	}
	if len(nodes) > len(c.young[page]) {
		c.young[page] = nodes
	}
}

// grow adds the hashes of a group that was appended to the pages that are held from their beginning.
func (c *nodeCache) grow(first uint64, entries int, nodes []Hash) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for end := first + uint64(entries); first < end; {
		page := first / pageEntries
		next := min((page+1)*pageEntries, end)
		count := NodesBefore(next) - NodesBefore(first)
		held := c.young[page]
		if uint64(len(held)) == NodesBefore(first)-NodesBefore(page*pageEntries) {
			// A reader may be using held up to its length: appending never changes what it sees.
			c.keep(page, append(held, nodes[:count]...))
		}
		nodes, first = nodes[count:], next
	}
}
