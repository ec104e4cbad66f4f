// Package journal is the log: an append-only sequence of entries under a Merkle tree whose head is
// signed with every group, and a few lines of arithmetic with which anyone can check it offline.
//
// It is ignorant of what entries mean (package ledger knows) and does no input or output of its own:
// rows are kept by a [Store] (packages journal/embedded and journal/postgres), heads are signed by a
// function that the signer passes in, and the newest head is kept away from the database by [Anchor]s.
//
// What it trusts: the genesis line that its reader pinned ([Genesis]), the log key named there, SHA-256
// and Ed25519. It does not trust the store: every head is opened under the pinned key, every entry is
// decoded strictly and must lead to a signed root, and a journal that does not extend every anchor is
// refused ([Log], [Verify]).
//
// What it promises: nothing past the last signed head exists; a group is in the journal whole or not at
// all; what [Log.Append] acknowledged is durable, signed and anchored; and a [Receipt] proves an entry to
// whoever holds nothing but the genesis line.
//
// Formats: RFC 6962 hashing (golang.org/x/mod/sumdb/tlog), C2SP tlog-checkpoint and signed-note
// (golang.org/x/mod/sumdb/note), C2SP tlog-tiles for readers. docs/journal.md describes the bytes.
package journal

import "golang.org/x/mod/sumdb/tlog"

// Hash is a SHA-256 tree hash of RFC 6962. It prints and marshals as standard base64, as checkpoints
// and proofs write it; a genesis line writes it in hex.
type Hash = tlog.Hash

// HashReader reads tree hashes by their stored index (tlog.StoredHashIndex).
type HashReader = tlog.HashReader

// LeafHash is the RFC 6962 hash of an entry's exact bytes: SHA-256(0x00 || entry).
func LeafHash(entry []byte) Hash { return tlog.RecordHash(entry) }

// A Head is the size of the journal and the root of the tree over its entries. The zero Head is not the
// head of any journal: the empty journal's head is [EmptyHead].
type Head struct {
	Size uint64
	Root Hash
}

// EmptyHead returns the head of a journal without entries: size 0 and the SHA-256 of nothing.
func EmptyHead() Head {
	root, _ := tlog.TreeHash(0, nil) // of size 0 it reads nothing and cannot fail
	return Head{Root: root}
}
