// Package signer is the sequencer and what stands around it: it takes signed statements, has them judged by
// package ledger, makes what was decided durable, and only then lets the token sign.
//
// # The road of a statement
//
//	caller     opens the envelope and verifies its signature, in parallel with others
//	sequencer  one goroutine: judges each input on arrival, applies the entries to the state, and gathers them
//	           into the open group, which it hands over whenever the committer is free (no timer: a lone
//	           request never waits, many share one append)
//	committer  one goroutine: appends the group under a head signed by the token, moves the anchors, and only
//	           then releases what the group's callers wait for
//	workers    sign the authorised bytes in parallel, verify each signature against the chain's rules, look once
//	           more whether a freeze came in between, and hand the transaction to whoever waits
//	sequencer  journals the signatures with the next group, within a second when idle
//
// With witnesses, the committer has each head cosigned by them (through the gateway: the signer has no network); where
// they come before release, groups wait in their order for a quorum, while the next ones are appended. Every start has
// the head that it found cosigned anew. With several signers on one journal, those without the lease follow its entries,
// warm; the one that gets it holds what it found to anchors and witnesses before it decides, and ends when it loses it.
//
// It trusts: package ledger for every decision, package journal for what is durable, the token for nothing but
// keeping keys (its signatures are verified), the clock as far as ledger.State.PolicyTime lets it go.
//
// It promises: no signature leaves before its authorisation, with the very bytes, is durable under a signed head
// and covered by the anchors (I1); the bytes that are signed are those in the journal, after a crash too (I3);
// nothing is answered that is not durable (I4); after a freeze that the journal holds no signature leaves (I9);
// in doubt about token, journal, anchor or clock it refuses new statements, says why through Ready, and goes on
// answering questions (I8).
//
// Each interface that it needs is defined here; cmd/kura-signer fills them with the token, the clock and a store.
package signer
