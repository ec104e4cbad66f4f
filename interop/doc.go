// Package interop holds Kura to clients that nobody here wrote: symbol-sdk 3.3.2
// and nem-sdk 1.6.11, the NEM projects' own, as npm delivers them.
//
// Random transactions of both chains are built from the same fields by both
// sides; each side decodes, verifies and hashes what the other made, and the
// bytes, signatures and hashes must be equal. Where the SDKs differ from the
// nodes (differences_test.go, and the fee of aggregates), the
// difference itself is asserted, by name, so that it cannot pass unnoticed when
// an SDK mends it.
//
// It needs Node 20 or later (Debian 12's own is 18) and `npm ci` in this
// directory. `make interop` does both and exchanges 10,000 transactions per
// chain; without them the tests are skipped, and a short form runs where they
// are there:
//
//	KURA_INTEROP=10000       transactions per chain; its presence makes a missing SDK a failure
//	KURA_INTEROP_SEED=7      another seed for them
package interop
