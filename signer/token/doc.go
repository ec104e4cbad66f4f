// Package token is the only part of Kura that speaks PKCS#11, the only user of
// the token's PIN and the only one that writes C.
//
// It is for: making and using the keys of a deployment. A token holds the
// sealing key (AES-256), the log key (Ed25519), one Ed25519 key per wallet in
// `token` custody, the genesis hash and the newest signed head (the anchor).
// Wallets in `sealed` custody (NIS1, whose Ed25519 with Keccak-512 no standard
// mechanism offers) are files that only the sealing key opens.
//
// It trusts: the module it loads (the module's code runs in this process), the
// kernel, and the directory of sealed blobs only as far as the sealing key
// authenticates them. It does not trust the token to be there, to answer in
// time, to answer truthfully about an empty search, or to sign correctly: each
// signature is verified against the chain's own rules before it is returned.
//
// It promises: no PIN, seed or private key in an error, a log line or an
// argument; secrets lie in locked memory that core dumps leave out, and are
// wiped; a PIN that was refused is never tried again, not even after a restart;
// "no such key" is said only by a token that can be asked. When the token is
// lost, one goroutine recovers it with back-off while callers wait up to their
// deadline and then get ErrUnavailable with the reason.
//
// What a token protects differs by token. SoftHSM hands out every Ed25519 key
// through C_DigestKey to whoever holds the PIN, NSS softokn every secret key through
// C_WrapKey; Open tries both routes on throw-away keys and refuses such a token unless
// Config.AcceptLeakyToken gives a reason. Attack tries every known route and reports.
//
// # Two bindings, one module
//
// The symmetric side (making the sealing key, sealing, random numbers) and the
// module's life (C_Initialize, C_Finalize) belong to crypto11. Four of its traits
// shape how: its session pool returns broken sessions unchecked and its errors
// drop the PKCS#11 return value, so whenever one of its calls fails the token is
// probed and, if in doubt, the whole Context is closed and configured anew; its
// Configure takes a wrong PIN in silence when the process is logged in already
// and leaves the PIN in freed memory, so it is configured without login and this
// package logs in itself, on a fresh library; its Seal panics, and the panic is
// turned into an error where it is called. Ed25519, searches and attributes go
// through miekg/pkcs11. The few calls that carry a secret across the border (login,
// opening a sealed seed, importing a seed) are this package's own C, because both
// bindings free their C copies unwiped.
//
// A PKCS#11 module is global to a process: at most one Token per module can be
// open at a time, and a second Open is refused.
package token
