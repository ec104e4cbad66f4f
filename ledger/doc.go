// Package ledger is what the journal means: the kinds of its entries, the state that they add up to, and
// [Judge], the one pure function by which everything is decided.
//
// The state is a fold: [State.Apply] takes the entries in order and believes what they record. It never
// decides. [Judge] decides: given a state, one input and a pair of times it returns the entries to append,
// and changes nothing. The signer's sequencer calls Judge, stamps its drafts into entries, applies and
// appends them; an auditor takes the input back out of the recorded entries ([InputOf]), calls the same
// Judge and demands the same bytes. There is no third way into the journal.
//
// One input leads to at most one decision about money. A verdict is only counted; what it completes is
// decided by the ticks that follow at once ([State.Due]), one after the other, so that each decision sees
// what the one before it used up. Every input's drafts begin with an entry that holds the whole input.
//
// What it trusts: that statements handed to it were opened by package statement (their signatures hold),
// that entries handed to Apply stand under a verified head, and package policy for every judgement of
// money and of governance. It takes no clock, no randomness, no network and no file.
//
// What it promises: one id leads to at most one transaction; no two authorisations share their bytes; the
// bytes of an authorisation were decoded again and say exactly what the client's statement says; memory is
// bounded by the policy's windows and by the lives of ids; and folding the same entries gives the same
// [State.Hash] everywhere.
//
// A State is not safe for concurrent use, except that any number of goroutines may call Judge and the
// queries while nobody calls Apply. What queries return belongs to the state and must not be changed.
//
// The bytes of every kind of entry are described in docs/journal.md, "Kinds".
package ledger
