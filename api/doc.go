// Package api is the gateway: the REST face of a Kura deployment, and nothing but a face.
//
// It takes HTTP over TLS, bounds it (sizes, rates, times), carries the bytes of signed statements to
// the signer's socket exactly as they came, and writes the signer's answers as JSON. Every answer to a
// failure is an RFC 9457 problem with a stable code, made in one place (problem.go).
//
// What it trusts: nothing that it forwards, and it is trusted by nobody. The signer verifies every
// statement again, and a client believes an outcome only with a receipt that verifies under the genesis
// line it pinned (package api/client). Whoever takes over this process can refuse service, read what
// passes by and use the bearer secrets that pass by for reading until they end, 15 minutes at most; they
// cannot make the signer sign, and cannot make a client believe what the journal does not say.
//
// What it promises: a request that it refuses itself never reached the signer (effect "none"); one that
// may have reached it is never reported as refused (effect "unknown"); it logs neither bodies nor
// bearer secrets; its memory is bounded whatever is sent.
//
// The routes stand in one table (route.go), from which both the router and the OpenAPI document at
// /openapi.json are made. docs/rest.md describes them for people.
package api
