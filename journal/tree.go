package journal

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// NodeCount returns how many tree hashes the entry seq completes: its leaf, and one for each subtree
// that ends with it. A store keeps them beside the entry.
func NodeCount(seq uint64) int { return 1 + bits.TrailingZeros64(seq+1) }

// NodesBefore returns how many tree hashes the entries below seq complete together: the stored index
// (tlog.StoredHashIndex) at which the hashes of the entry seq begin.
func NodesBefore(seq uint64) uint64 { return uint64(tlog.StoredHashCount(int64(seq))) }

// SplitNodes cuts the tree hashes of consecutive entries, the first of which is from, into those that
// each entry completes. The number of hashes must be exactly that of the entries.
func SplitNodes(from uint64, entries int, nodes []Hash) ([][]Hash, error) {
	to := from + uint64(entries)
	if want := NodesBefore(to) - NodesBefore(from); uint64(len(nodes)) != want {
		return nil, fmt.Errorf("%d tree hashes for entries %d to %d, there must be %d", len(nodes), from, to, want)
	}
	split := make([][]Hash, entries)
	for i := range split {
		n := NodeCount(from + uint64(i))
		split[i], nodes = nodes[:n], nodes[n:]
	}
	return split, nil
}

// An edge is the right border of a tree: the roots of its perfect subtrees, largest first, one for each
// bit that is set in the size. It is all that is needed to append.
type edge struct {
	size  uint64
	roots []Hash
}

// newEdge reads the border of the tree of the given size from stored hashes.
func newEdge(size uint64, r HashReader) (edge, error) {
	var indexes []int64
	for left := size; left > 0; {
		level := bits.Len64(left) - 1
		first := size - left
		indexes = append(indexes, tlog.StoredHashIndex(level, int64(first>>level)))
		left -= 1 << level
	}
	if len(indexes) == 0 {
		return edge{}, nil
	}
	roots, err := r.ReadHashes(indexes)
	if err != nil {
		return edge{}, fmt.Errorf("read the tree's border at size %d: %w", size, err)
	}
	return edge{size: size, roots: roots}, nil
}

// clone returns a copy that can be appended to while the original stays.
func (e edge) clone() edge {
	return edge{size: e.size, roots: append(make([]Hash, 0, len(e.roots)+1), e.roots...)}
}

// append adds a leaf and appends to nodes the hashes that it completes, in the order of tlog.StoredHashes.
func (e *edge) append(leaf Hash, nodes []Hash) []Hash {
	nodes = append(nodes, leaf)
	for below := e.size; below&1 == 1; below >>= 1 {
		last := len(e.roots) - 1
		leaf = tlog.NodeHash(e.roots[last], leaf)
		e.roots = e.roots[:last]
		nodes = append(nodes, leaf)
	}
	e.roots = append(e.roots, leaf)
	e.size++
	return nodes
}

func (e edge) head() Head {
	if e.size == 0 {
		return EmptyHead()
	}
	root := e.roots[len(e.roots)-1]
	for i := len(e.roots) - 2; i >= 0; i-- {
		root = tlog.NodeHash(e.roots[i], root)
	}
	return Head{Size: e.size, Root: root}
}

// A Tree is a Merkle tree that grows in memory over hashes that are stored elsewhere. It serves readers
// that have a whole export at hand (auditors, tests); a [Log] keeps only the border. Not safe for
// concurrent use.
type Tree struct {
	edge   edge
	base   int64      // number of stored hashes below the fresh ones
	stored HashReader // the hashes below base
	fresh  []Hash     // the hashes from base on
}

// NewTree returns the tree of the given size whose hashes r reads; r may be nil for size 0.
func NewTree(size uint64, r HashReader) (*Tree, error) {
	e, err := newEdge(size, r)
	if err != nil {
		return nil, err
	}
	return &Tree{edge: e, base: int64(NodesBefore(size)), stored: r}, nil
}

// Append adds a leaf hash and returns the tree hashes that it completes, the leaf first.
func (t *Tree) Append(leaf Hash) []Hash {
	n := len(t.fresh)
	t.fresh = t.edge.append(leaf, t.fresh)
	return t.fresh[n:len(t.fresh):len(t.fresh)]
}

// Head returns the tree's size and root.
func (t *Tree) Head() Head { return t.edge.head() }

// Prove returns the inclusion proof of the entry at index under the tree's head.
func (t *Tree) Prove(index uint64) ([]Hash, error) {
	return proveInclusion(t.edge.size, index, t)
}

// ProveConsistency returns the proof that the tree at size newer extends the tree at size old.
func (t *Tree) ProveConsistency(old, newer uint64) ([]Hash, error) {
	if newer > t.edge.size {
		return nil, fmt.Errorf("prove consistency with size %d: the tree has %d entries", newer, t.edge.size)
	}
	return proveConsistency(old, newer, t)
}

// ReadHashes implements HashReader.
func (t *Tree) ReadHashes(indexes []int64) ([]Hash, error) {
	hashes := make([]Hash, len(indexes))
	var old []int64
	var at []int
	for i, index := range indexes {
		switch fresh := index - t.base; {
		case fresh >= int64(len(t.fresh)) || index < 0:
			return nil, fmt.Errorf("tree hash %d is not in the tree of size %d", index, t.edge.size)
		case fresh >= 0:
			hashes[i] = t.fresh[fresh]
		default:
			old, at = append(old, index), append(at, i)
		}
	}
	if len(old) == 0 {
		return hashes, nil
	}
	stored, err := t.stored.ReadHashes(old)
	if err != nil {
		return nil, err
	}
	for i, h := range stored {
		hashes[at[i]] = h
	}
	return hashes, nil
}

func proveInclusion(size, index uint64, r HashReader) ([]Hash, error) {
	if index >= size {
		return nil, fmt.Errorf("prove entry %d: the journal has %d entries", index, size)
	}
	proof, err := tlog.ProveRecord(int64(size), int64(index), r)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d under size %d: %w", index, size, err)
	}
	return proof, nil
}

func proveConsistency(old, newer uint64, r HashReader) ([]Hash, error) {
	if old > newer {
		return nil, fmt.Errorf("prove consistency: size %d is above size %d", old, newer)
	}
	if old == 0 || old == newer {
		return []Hash{}, nil
	}
	proof, err := tlog.ProveTree(int64(newer), int64(old), r)
	if err != nil {
		return nil, fmt.Errorf("prove that size %d extends size %d: %w", newer, old, err)
	}
	return proof, nil
}
