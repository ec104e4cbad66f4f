// Package nem speaks both chains of NEM, NIS1 (XEM) and Symbol (XYM), to the
// last byte: keys, addresses, transactions, signatures, hashes, fees, what a
// transaction does, and the forms in which nodes take one and answer.
//
// It trusts nothing. Every decoder takes bytes or text from strangers, accepts
// exactly one form of each thing and says which field, at which offset, was
// wrong. [Decode] returns a [Transaction] only if encoding it again gives the
// bytes it was given, so what is judged is what is signed.
//
// It is pure: no clock, no randomness, no file, no network, no key store. Time
// and seeds are arguments; the same arguments give the same result for ever.
// All values are immutable and safe for concurrent use.
//
// Units: amounts are the smallest unit of an asset (micro-XEM, micro-XYM);
// chain time is seconds in NIS1 and milliseconds in Symbol, since the network's
// own epoch; everything called millis is milliseconds of Unix time.
//
// What Kura makes is a [Transfer] and nothing else: [BuildTransfer] gives its
// exact bytes. What others made is read with [Decode] and judged with
// [Effects], which is total: it lists everything that leaves an account, or it
// says control.
//
// The bytes follow the nodes (NIS1's nis-client, Symbol's catapult) where they
// and the public SDKs disagree; the disagreements are asserted, by name, in
// package interop.
package nem
