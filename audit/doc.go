// Package audit checks a journal from outside: it writes an export, verifies one offline, and renders what
// happened for people.
//
// [Verify] trusts the pinned genesis line and nothing else that it reads. It demands that every entry leads
// to a head that the log key signed, that every statement carries its sender's SSH signature, that every
// decision comes out again, byte for byte, when [ledger.Judge] is asked anew with nothing but the entries
// before it, that every authorisation's bytes say what its statement says, and that every recorded
// signature is one by the rules of its chain. It streams: memory is that of the ledger's state.
//
// What it cannot see: whether the export is the newest there is. A journal that was rolled back as a whole,
// with a head that was once signed, verifies. Only anchors bound that: a checkpoint kept elsewhere
// ([Options.From], the token, a witness). Facts that a signer only reports (the machine's clock, who was
// present at a ceremony, an attribute that a token gave back) are covered by the signed head but can be
// checked against nothing else.
package audit
