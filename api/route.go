package api

import (
	"net/http"

	"kura/signer/rpc"
	"kura/statement"
)

// A handler answers one request, or returns why it could not: a *rpc.Problem, or a fault of the gateway.
type handler func(g *Gateway, w http.ResponseWriter, r *http.Request) error

// A route is one thing that the gateway does. The router and the OpenAPI document are both made from the
// table below, so neither can have what the other has not.
type route struct {
	method, path string
	name         string         // operationId
	summary      string         // one line
	text         string         // more of it
	takes        statement.Type // the type of statement that is posted here
	session      bool           // needs a bearer secret
	open         bool           // not counted against the caller's allowance: probes of the machinery
	params       []param
	answers      []answer
	problems     []int // statuses of the problems it may answer with, besides those of all routes
	handle       handler
}

// A param is a parameter in path, query or header.
type param struct {
	in, name, text string
	schema         schema
	required       bool
}

// An answer is a success, or readyz's 503: its status and the Go value whose type is the body.
type answer struct {
	status int
	text   string
	media  string // "" is application/json
	body   any    // nil is text or bytes
}

var (
	seqSchema  = schema{"type": "integer", "minimum": 0, "maximum": int64(1)<<53 - 1}
	waitSchema = schema{"type": "string", "examples": []string{"30s"}}
	idSchema   = schema{"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"}
)

// routes is filled by init, because handlers look routes up in it (wrongType).
var routes []route

func init() { routes = routeTable() }

func routeTable() []route {
	return []route{
		{
			method: http.MethodPost, path: "/v1/withdrawals", name: "submitWithdrawal", takes: statement.TypeWithdrawal,
			summary: "Ask for a payment",
			text: "Takes a client's signed withdrawal. The same text again gets its current state, so a caller that " +
				"knows no outcome, or has no receipt that verifies, sends the same text again and never a new one.",
			answers: []answer{
				{status: 201, text: "Signed, ready to announce, with a receipt.", body: rpc.Answer{}},
				{status: 202, text: "Held, with what it waits for; or authorized, its signature being on the way.", body: rpc.Answer{}},
			},
			problems: []int{400, 403, 409, 413}, handle: submit(statement.TypeWithdrawal),
		},
		{
			method: http.MethodGet, path: "/v1/withdrawals/{id}", name: "getWithdrawal", session: true,
			summary: "Read the state of a withdrawal",
			text:    "A client sees its own, people named in the policy see all. Whatever the state, the status is 200. With the id of an evacuation's proposal that is in force: the state of its transaction.",
			params: []param{
				{in: "path", name: "id", text: "The withdrawal's id.", schema: idSchema, required: true},
				{in: "query", name: "wait", text: "How long to wait for a change while the state is not final.", schema: waitSchema},
			},
			answers:  []answer{{status: 200, text: "The state as the journal has it.", body: rpc.Answer{}}},
			problems: []int{404}, handle: withdrawal,
		},
		{
			method: http.MethodPost, path: "/v1/verdicts", name: "submitVerdict", takes: statement.TypeVerdict,
			summary: "Approve, reject, cancel, veto or lift",
			answers: []answer{
				{status: 200, text: "Counted; of a verdict over several hashes one result each, whatever became of them.", body: rpc.Answer{}},
			},
			problems: []int{400, 403, 409, 413}, handle: submit(statement.TypeVerdict),
		},
		{
			method: http.MethodPost, path: "/v1/proposals", name: "submitProposal", takes: statement.TypeProposal,
			summary: "Propose a policy, an address-book change, an evacuation, a recovery, a resume or the next log key",
			answers: []answer{
				{status: 200, text: "Adopted.", body: rpc.Answer{}},
				{status: 202, text: "Open for verdicts.", body: rpc.Answer{}},
			},
			problems: []int{400, 403, 409, 413}, handle: submit(statement.TypeProposal),
		},
		{
			method: http.MethodPost, path: "/v1/freezes", name: "submitFreeze", takes: statement.TypeFreeze,
			summary: "Freeze, suspend or lower a limit, at once",
			text: "Only the receipt proves a freeze. Without one that verifies under the genesis line that its " +
				"sender pinned, what was to be frozen is NOT FROZEN, whatever this answer says.",
			answers:  []answer{{status: 201, text: "In force; alive lists the authorisations that it came too late for.", body: rpc.Answer{}}},
			problems: []int{400, 403, 409, 413}, handle: submit(statement.TypeFreeze),
		},
		{
			method: http.MethodPost, path: "/v1/sessions", name: "openSession", takes: statement.TypeLogin,
			summary:  "Open a session for reading, of 15 minutes",
			text:     "Takes a signed login with the SHA-256 of 32 random bytes. Those bytes in 64 lower-case hex digits are then the bearer secret; the answer holds no secret.",
			answers:  []answer{{status: 201, text: "Who reads, and until when.", body: rpc.Session{}}},
			problems: []int{400, 403, 409, 413}, handle: openSession,
		},
		{
			method: http.MethodGet, path: "/v1/wallets", name: "listWallets", session: true, summary: "List the wallets",
			answers: []answer{{status: 200, text: "The wallets that the session may see.", body: WalletList{}}}, handle: wallets,
		},
		{
			method: http.MethodGet, path: "/v1/limits", name: "listLimits", session: true, summary: "List the limits and what of them is used",
			answers: []answer{{status: 200, text: "The limits that the session may see.", body: LimitList{}}}, handle: limits,
		},
		{
			method: http.MethodGet, path: "/v1/log/checkpoint", name: "getCheckpoint", summary: "Read the newest signed head",
			answers: []answer{{status: 200, text: "The head as a C2SP signed note, in base64, and the genesis line to compare with the one that is pinned.", body: rpc.Checkpoint{}}},
			handle:  checkpoint,
		},
		{
			method: http.MethodGet, path: "/v1/log/keys", name: "getLogKeys", summary: "Read which log keys followed the genesis line's",
			answers: []answer{{status: 200, text: "A receipt of each handover of the log key, in order, under the last head of the old key: docs/journal.md, \"Log keys\".", body: rpc.LogKeys{}}},
			handle:  logKeys,
		},
		{
			method: http.MethodGet, path: "/v1/log/entries", name: "listEntries", session: true, summary: "Read entries of the journal",
			params: []param{
				{in: "query", name: "from", text: "Seq of the first entry, 0 when missing.", schema: seqSchema},
				{in: "query", name: "to", text: "Seq after the last entry, at most 1000 above from. A page may end earlier: go on from the seq after its last entry.", schema: seqSchema},
			},
			answers: []answer{{status: 200, text: "The entries' exact bytes in base64, the signed heads of the groups that end among them, and the newest checkpoint.", body: rpc.Entries{}}}, handle: entries,
		},
		{
			method: http.MethodGet, path: "/v1/log/receipts/{seq}", name: "getReceipt", session: true, summary: "Prove that an entry is in the journal",
			params:   []param{{in: "path", name: "seq", text: "The entry's seq.", schema: seqSchema, required: true}},
			answers:  []answer{{status: 200, text: "The entry, its inclusion proof and the checkpoint that it leads to.", body: rpc.Receipt{}}},
			problems: []int{404}, handle: receipt,
		},
		{
			method: http.MethodGet, path: "/v1/log/consistency", name: "getConsistency", summary: "Prove that the journal only grew",
			params: []param{
				{in: "query", name: "old", text: "Size of the older head.", schema: seqSchema, required: true},
				{in: "query", name: "new", text: "Size of the newer head.", schema: seqSchema, required: true},
			},
			answers: []answer{{status: 200, text: "RFC 9162 consistency proof, hashes in base64.", body: rpc.Consistency{}}}, handle: consistency,
		},
		{
			method: http.MethodGet, path: "/v1/log/gaps", name: "listGaps", summary: "Prove where the journal lost entries",
			text: "Each gap is an entry of kind gap/1: the journal goes on after its kept head although its lost head was signed, by the " +
				"verdicts of a quorum of directors. Whoever kept a head that a gap names finds here why the journal does not extend it.",
			answers: []answer{{status: 200, text: "The entries' receipts, oldest first; none if nothing was ever lost.", body: rpc.Gaps{}}}, handle: gaps,
		},
		{
			method: http.MethodGet, path: "/v1/export", name: "export", session: true, summary: "Stream the whole journal",
			text:    "One line for each entry, its exact bytes; after each group of entries, and last, a line {\"checkpoint\":the signed note} with the head over all before it. A file that does not end in one was cut short.",
			answers: []answer{{status: 200, text: "The journal as it stood when the stream began.", media: "application/x-ndjson"}},
			handle:  export,
		},
		{
			method: http.MethodGet, path: "/v1/events", name: "events", session: true, summary: "Follow the journal as it grows",
			text: "Server-sent events: id is the entry's seq, event its kind, data its exact bytes. Come back with Last-Event-ID and nothing is missed.",
			params: []param{
				{in: "query", name: "from", text: "Seq to begin at; the end of the journal when missing.", schema: seqSchema},
				{in: "header", name: "Last-Event-ID", text: "Seq of the last event that was read; goes before from.", schema: seqSchema},
			},
			answers: []answer{{status: 200, text: "A stream of events.", media: "text/event-stream"}},
			handle:  events,
		},
		{
			method: http.MethodGet, path: "/checkpoint", name: "getNote", summary: "Read the newest signed head as C2SP tlog-tiles serves it",
			answers: []answer{{status: 200, text: "A signed note.", media: "text/plain"}}, handle: note,
		},
		{
			method: http.MethodGet, path: "/tile/*", name: "getTile", summary: "Read a tile of the hash tree as C2SP tlog-tiles serves it",
			params:   []param{{in: "path", name: "*", text: "Level and index, and the width of a partial tile: 0/x001/234 or 0/000.p/17.", schema: schema{"type": "string"}, required: true}},
			answers:  []answer{{status: 200, text: "Up to 256 hashes of 32 bytes.", media: "application/octet-stream"}},
			problems: []int{404}, handle: hashTile,
		},
		{
			method: http.MethodGet, path: "/tile/entries/*", name: "getEntryBundle", session: true, summary: "Read a tile of entries as C2SP tlog-tiles serves it",
			text:     "For people and services that the policy names, as the entries are. A tile with an entry of more than 65,535 bytes does not exist: listEntries has it.",
			params:   []param{{in: "path", name: "*", text: "Index, and the width of a partial tile: x001/234 or 000.p/17.", schema: schema{"type": "string"}, required: true}},
			answers:  []answer{{status: 200, text: "Up to 256 entries, each preceded by its length in two bytes, big-endian.", media: "application/octet-stream"}},
			problems: []int{404}, handle: entryBundle,
		},
		{
			method: http.MethodGet, path: "/healthz", name: "health", open: true, summary: "Whether the gateway answers",
			answers: []answer{{status: 200, text: "It does.", body: Health{}}}, handle: healthz,
		},
		{
			method: http.MethodGet, path: "/readyz", name: "ready", summary: "Whether withdrawals are being signed, and if not exactly why",
			answers: []answer{
				{status: 200, text: "They are.", body: rpc.Ready{}},
				{status: 503, text: "They are not; reasons says why.", body: rpc.Ready{}},
			},
			handle: readyz,
		},
		{
			method: http.MethodGet, path: "/metrics", name: "metrics", summary: "Counters in the Prometheus text format",
			text:    "For the networks that the gateway's configuration names as observers.",
			answers: []answer{{status: 200, text: "The gateway's counters and the signer's.", media: "text/plain"}}, problems: []int{403}, handle: measure,
		},
		{
			method: http.MethodGet, path: "/openapi.json", name: "openapi", summary: "This document",
			answers: []answer{{status: 200, text: "OpenAPI 3.1.", media: "application/json"}}, handle: document,
		},
	}
}
