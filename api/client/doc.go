// Package client asks a Kura gateway on behalf of Go programs: an exchange's backend, and the kura
// command.
//
// What it trusts: the genesis line that its user pinned, and no server. TLS keeps what is read from
// others; it proves nothing. An outcome counts when its receipt verifies under the pinned line, is about
// exactly the text that was sent, and, when it is said to be signed, carries the very transaction that
// the journal authorised with a valid signature: its hash, fee, deadline and announcement are derived from
// its bytes. Whatever else a server says is [Unknown], and is asked again with the same text.
//
// What it promises: it never reports a payment, a refusal or a freeze that the journal does not record; it
// never makes a second statement out of one; [Client.Freeze] says NOT FROZEN unless the freeze is proven.
// A proof shows what was recorded, not that nothing came after it: of the states, those that are not final
// (held, authorized, open, adopted) may have moved on.
//
// A caller that keeps checkpoints and finds one that the journal does not extend is told why, if the journal lost its
// newest entries and goes on without them by its directors' word: [LostTail]. A person decides then.
//
// What a transaction pays is not looked at here (package nem decodes it); cmd/kura does before it announces.
package client
