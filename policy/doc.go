// Package policy is what decides: the policy document and the pure functions
// that judge by it.
//
// [Parse] reads a policy's compiled JSON strictly into a [Policy]. [Decide] says
// what becomes of a withdrawal, given the policy, what acts at once upon it
// ([Overlay]), the address books ([Book]), what was authorised before ([Usage]),
// the verdicts and the time. [JudgeProposal], [JudgeLift], [JudgeGenesis] and
// [Overlay.Apply] judge what changes those. [BlastRadius] computes the most that
// can be lost, [Check] finds what is unwise, [Diff] says in words what a new
// version changes, [Explain] renders a decision, and [Simulate] decides a
// recorded history anew.
//
// The package trusts its caller for one thing: that statements were verified and
// attributed ([Policy.Attribute]), and that usage holds every authorisation.
// Whatever a statement says is foreign.
//
// It promises that everything here depends on its arguments alone: no clock, no
// randomness, no network, no file; that a zero value denies; that amounts are
// integers, never wrap around and never are rounded; and that what semantics 1
// once decided it decides for ever (testdata/golden).
//
// Times are unix milliseconds. Amounts are in an asset's smallest unit
// (micro-XEM, micro-XYM).
package policy
