// Package statement reads, checks and makes statements: the small signed texts
// through which everything enters Kura (a client's withdrawal; an officer's
// verdict, freeze, proposal or login). docs/statements.md defines every member
// and is the source of what is written here.
//
// It trusts nothing that it is given. [DecodeEnvelope] and [Open] are total:
// any bytes give a statement or an *[Error] that names the code, the member and
// what would be right, and they allocate within a small multiple of what they
// read. The exact text is kept and never rewritten; its SHA-256 is the
// statement's name.
//
// It promises that what Open returns was signed by the key that it names, over
// that very text, for that very type: SSHSIG with SHA-512 in the type's own
// namespace. Who holds the key, whether they may say so, and which network an
// address is of, is for package policy to judge; so is time, which callers pass
// in ([CheckTimes]).
//
// The package is pure: no clock, randomness, network or file. All values are
// safe for concurrent use as long as nobody writes to them.
package statement
