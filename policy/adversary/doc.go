// Package adversary plays a thief against a policy: it holds a stolen set, moves
// a virtual clock, and asks the real policy.Decide with the real policy.Usage for
// as much as they will sign. It hoards (what was signed up to the life of a
// transaction before the theft begins is announced within it), approves with what
// it has stolen, and waits for windows to free.
//
// It exists to hold policy.BlastRadius to its word: no play may exceed the bound,
// and the best should come close. A play proves that so much can be lost; only
// the bound says how much cannot.
//
// It is as pure as package policy: the seed of its dice is an argument.
package adversary
