package rpc

// An Actor is somebody the policy names.
type Actor struct {
	Kind string `json:"kind"` // person, client, service, sentinel
	ID   string `json:"id"`
}

// A Session is the right to read, opened by a login.
type Session struct {
	Actor Actor  `json:"actor"`
	Until string `json:"until"` // RFC 3339 UTC with milliseconds
}

// A Wallet is one account and what may be known of its key.
type Wallet struct {
	ID        string `json:"id"`
	Network   string `json:"network"`
	Address   string `json:"address"`
	PublicKey string `json:"publicKey"` // 64 upper-case hex digits
	Custody   string `json:"custody"`   // token, sealed
	State     string `json:"state"`     // active, suspended, retired, compromised; missing: no ceremony made its key
	Named     bool   `json:"named"`     // the policy in force names it
	Imported  bool   `json:"imported"`  // old copies of the key are out of reach
	Frozen    bool   `json:"frozen"`
}

// A Limit is one limit's bucket as it stands now.
type Limit struct {
	ID      string `json:"id"`
	Key     string `json:"key"`   // which bucket of it: of a wallet, client, destination …
	Asset   string `json:"asset"` // or group of assets
	Used    string `json:"used"`  // decimal digits; "" where it is not told
	Max     string `json:"max"`
	Window  int64  `json:"window"`            // milliseconds
	FreesAt string `json:"freesAt,omitempty"` // when the next part of it frees, RFC 3339 UTC with milliseconds, policy time
	Always  bool   `json:"always"`            // bounds what a quorum approved, too
}

// Entries is a page of the journal: exact bytes, one after another from the seq that was asked for, none past the
// checkpoint. A page ends early when it grows large.
type Entries struct {
	From       uint64   `json:"from"`
	Entries    [][]byte `json:"entries"`
	Heads      [][]byte `json:"heads"` // the signed heads of the groups that end in this page, in order
	Checkpoint []byte   `json:"checkpoint"`
}

// Checkpoint is the newest signed head, a signed note, and the genesis line it is to be opened under.
type Checkpoint struct {
	Checkpoint []byte `json:"checkpoint"`
	Genesis    string `json:"genesis"`
}

// LogKeys proves which log keys followed the genesis line's.
type LogKeys struct {
	Genesis   string     `json:"genesis"`
	Handovers []Handover `json:"handovers"`
}

// Consistency is a proof that one size of the journal extends another.
type Consistency struct {
	Proof [][]byte `json:"proof"`
}

// Gaps are the receipts of the entries by which the journal went on after entries that it lost, oldest first. They are
// under the journal's own newest head: a witness that has not accepted a gap yet cosigns none behind it.
type Gaps struct {
	Gaps []Receipt `json:"gaps"`
}

// Ready says whether the signer signs, and if not exactly why not.
type Ready struct {
	Ready    bool     `json:"ready"`
	Role     string   `json:"role"` // leader: it is the one that signs; standby: another one is
	Reasons  []Reason `json:"reasons"`
	Size     uint64   `json:"size"`     // of the newest signed head
	Root     string   `json:"root"`     // of the same
	Policy   string   `json:"policy"`   // hash of the policy in force
	Rollback string   `json:"rollback"` // how far a rollback of this host would go unnoticed
	Clock    string   `json:"clock"`    // real or simulated
	Genesis  string   `json:"genesis"`  // the line that everybody pins

	Cosigned  uint64    `json:"cosigned"`            // size of the newest head that enough witnesses cosigned; 0 for none
	Witnesses []Witness `json:"witnesses,omitempty"` // those that the signer knows
}

// A Witness is what the signer knows of one of its witnesses.
type Witness struct {
	Name    string `json:"name"`
	Size    uint64 `json:"size"`              // of the newest head that it has been seen to cosign; 0 for none
	Time    string `json:"time,omitempty"`    // when, by its own clock: RFC 3339 UTC
	Answers bool   `json:"answers"`           // it was heard lately
	Trouble string `json:"trouble,omitempty"` // why it could not be asked, as the gateway says
}

// A Reason is one thing that stops signing or that the operator must know.
type Reason struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Stops  bool   `json:"stops"` // false: a warning; signing goes on
}

// A Sample is one measured value, named as Prometheus does.
type Sample struct {
	Name   string            `json:"name"`
	Help   string            `json:"help"`
	Kind   string            `json:"kind"` // counter, gauge
	Labels map[string]string `json:"labels,omitempty"`
	Value  int64             `json:"value"`
}

// Metrics are all samples of this moment.
type Metrics struct {
	Samples []Sample `json:"samples"`
}
