// Package rpc is the socket between the gateway and the signer, both ends: what crosses it, the server and the
// client. The signer's second socket, for the administrator of its host, speaks the same.
//
// It is for: carrying bytes. What a client signed passes through as it is; nothing here interprets it.
//
// It trusts: the kernel, which says who is at the other end (SO_PEERCRED). The server trusts its peer with nothing
// but the right to ask: frames are bounded before they are read, parameters decoded strictly, calls in flight
// bounded and answered "busy" beyond. The client trusts the server's word no further than the receipts in it go.
//
// It promises: a call that was refused or never sent is told apart from one whose outcome is unknown
// (Problem.Effect), so that a caller knows when to ask again with the same text.
//
// # Frames
//
// One unix stream connection carries any number of calls at once. A frame is
//
//	uint32 length of all that follows | uint64 call number | uint8 kind | payload
//
// with integers in big-endian order. Kinds: 1 call, 2 result, 3 problem (to the client), 4 cancel (to the server:
// the caller has gone; no payload). The payload of the first three is
//
//	uint32 length of the JSON | JSON | attachment
//
// where the JSON of a call is {"method": …, "params": {…}}, of a result the method's own, of a problem a [Problem].
// The attachment holds what must not become JSON: a client's envelope, which is passed on as it was sent, and the
// private key of an imported wallet, which must leave no copy in a decoder. Both ends have one writer per connection,
// which flushes when its queue is empty: a lone call never waits, many share one system call.
package rpc
