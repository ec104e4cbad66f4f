package ledger

import (
	"github.com/go-json-experiment/json/jsontext"

	"kura/journal"
	"kura/journal/gap"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// The kinds of entries. An entry of any other kind stops the fold.
const (
	KindGenesis     = "genesis/1"     // entry 0
	KindFounding    = "policy/1"      // entry 1: policy 1 with its directors' verdicts
	KindStatement   = "statement/1"   // a statement that decodes, verifies and is someone's
	KindOutcome     = "outcome/1"     // what became of a statement: the part its sender may know
	KindReasons     = "reasons/1"     // why: for officers and auditors
	KindAdoption    = "adoption/1"    // a proposal got its quorum; its time-lock runs
	KindInForce     = "inforce/1"     // what was adopted acts from here on
	KindTick        = "tick/1"        // time passed, and something was due
	KindLook        = "look/1"        // what waits past its time was looked at, and still waits
	KindStop        = "stop/1"        // a freeze or suspension without a statement: the host's or a tripwire's
	KindWallet      = "wallet/1"      // the record of a key ceremony
	KindWalletState = "walletstate/1" // a wallet's key changes state
	KindSealing     = "sealing/1"     // sealed wallets were sealed anew under another key of the token
	KindSignature   = "signature/1"   // a signature that was made
	KindStrand      = "strand/1"      // the signer gives up an authorisation that it must not sign any more
	KindStart       = "start/1"       // a signer starts, with what it knows about the time
	KindVouched     = "vouched/1"     // witnesses' times say how late it is
	KindAlarm       = "alarm/1"       // something that people are called for
	KindRefused     = "refused/1"     // how many requests were refused without an entry of their own
	KindGap         = gap.Kind        // the journal lost its newest entries and goes on without them
	KindLogKey      = journal.KindHandover
)

// A Body is the content of one entry. Its JSON form has every member, always, in the order of the fields.
type Body interface{ Kind() string }

// Clocks that a genesis can name. A signer with a real clock refuses a journal made under a simulated
// one, and the other way round.
const (
	ClockReal      = "real"
	ClockSimulated = "simulated"
)

// Genesis names the journal and what everything in it rests on.
type Genesis struct {
	Origin      string       `json:"origin"`
	LogKey      string       `json:"logKey"` // base64 of the 32-byte Ed25519 key that signs heads
	Policy      policy.Hash  `json:"policy"` // hash of policy 1
	Clock       string       `json:"clock"`  // ClockReal or ClockSimulated
	Predecessor *Predecessor `json:"predecessor"`
}

// A Predecessor is the journal that this one follows after a restore.
type Predecessor struct {
	Genesis    string `json:"genesis"`    // genesis line
	Checkpoint string `json:"checkpoint"` // its last cosigned checkpoint
	// Handovers prove which log key signed that checkpoint, if it was another than the line's.
	Handovers journal.Chain `json:"handovers"`
}

// Founding is policy 1 and the verdicts by which its directors took it, signed before there was a genesis.
type Founding struct {
	Policy   string     `json:"policy"` // the exact JSON text
	Verdicts []Envelope `json:"verdicts"`
}

// An Envelope is a signed text as it travelled.
type Envelope struct {
	Statement string `json:"statement"`
	Signature string `json:"signature"`
}

// A Gap is the directors' word that the journal goes on although it lost its newest entries.
type Gap = gap.Body

// By says who a key stood for under the policy in force.
type By struct {
	Kind string `json:"kind"` // person, client, service, sentinel, host or tripwire
	ID   string `json:"id"`
}

// Statement is a statement as it was signed. Judging it again needs nothing else.
type Statement struct {
	Hash      statement.Hash `json:"hash"`
	Type      statement.Type `json:"type"`
	By        By             `json:"by"`
	Key       string         `json:"key"` // OpenSSH public key without comment
	Statement string         `json:"statement"`
	Signature string         `json:"signature"`
}

// States of a withdrawal in outcomes; StateSigned is never written, it follows from a signature entry.
const (
	StateAuthorized = "authorized"
	StateSigned     = "signed"
	StateHeld       = "held"
	StateDenied     = "denied"
	StateRejected   = "rejected"
	StateCancelled  = "cancelled"
	StateLapsed     = "lapsed"
	StateStranded   = "stranded"
)

// States of verdicts, freezes and proposals in outcomes. A proposal lapses and is rejected or cancelled
// like a withdrawal.
const (
	StateCounted = "counted"
	StateRefused = "refused"
	StateInForce = "in_force"
	StateLifted  = "lifted"
	StateOpen    = "open"
	StateAdopted = "adopted"
	StateVetoed  = "vetoed"
)

// An Outcome is what became of a statement: all that its sender may know, and what a receipt proves.
type Outcome struct {
	About       statement.Hash     `json:"about"` // the statement; the leaf hash of the entry for a stop
	ID          string             `json:"id"`
	Type        statement.Type     `json:"type"`
	State       string             `json:"state"`
	Code        string             `json:"code"`   // stable; "" where the state says it all
	Policy      policy.Hash        `json:"policy"` // in force when it was judged
	Wallet      string             `json:"wallet"` // "" if none is concerned
	Transaction *TransactionRecord `json:"transaction"`
	Waits       []policy.Wait      `json:"waits"`
	Results     []VerdictResult    `json:"results"` // of a verdict, one for each hash it is about
	Alive       []AliveTransaction `json:"alive"`   // of a freeze: what may still reach the chain
}

// A TransactionRecord is an authorisation's transaction: the very bytes that may be signed.
type TransactionRecord struct {
	Network  string     `json:"network"`
	Unsigned string     `json:"unsigned"` // hex
	Fee      nem.Amount `json:"fee,string"`
	Deadline int64      `json:"deadline"` // unix milliseconds
}

// A VerdictResult says what became of a verdict for one of the hashes it is about.
type VerdictResult struct {
	About statement.Hash `json:"about"`
	State string         `json:"state"` // counted or refused
	Code  string         `json:"code"`
}

// An AliveTransaction was authorised before a freeze and may be on its way: nothing can call it back.
type AliveTransaction struct {
	About  statement.Hash `json:"about"`
	Wallet string         `json:"wallet"`
	Signed bool           `json:"signed"`
	Until  int64          `json:"until"` // unix milliseconds: its deadline
}

// Reasons is the whole decision behind an outcome of a withdrawal or a proposal.
type Reasons struct {
	About    statement.Hash `json:"about"`
	Outcome  uint64         `json:"outcome"`  // seq of the outcome
	Decision jsontext.Value `json:"decision"` // a policy.Decision
}

// An Adoption starts the time-lock of a proposal that got its quorum.
type Adoption struct {
	Proposal  statement.Hash         `json:"proposal"`
	Proposes  statement.ProposalKind `json:"proposes"`
	Effective int64                  `json:"effective"` // policy time, unix milliseconds
}

// InForce says that a proposal's change acts: which policy and which address book hold from here on.
type InForce struct {
	Proposal statement.Hash         `json:"proposal"`
	Proposes statement.ProposalKind `json:"proposes"`
	Policy   policy.Hash            `json:"policy"`
	Book     policy.Hash            `json:"book"`
}

// A Tick begins what was due because time passed or because an earlier input made it so.
type Tick struct {
	InDoubt bool `json:"inDoubt,omitzero"` // nothing was to be authorised: the signer was in doubt
}

// A Look says that no held request whose time has come can go on yet.
type Look struct{}

// A Stop is a freeze or a suspension by the host's administrator or by a tripwire.
type Stop struct {
	By     By                     `json:"by"`
	Action statement.FreezeAction `json:"action"`
	Target Target                 `json:"target"`
	Until  int64                  `json:"until"` // policy time; 0: until it is lifted
	Reason string                 `json:"reason"`
	About  *statement.Hash        `json:"about"` // the statement that tripped the wire
}

// A Target is what a stop acts on, as in a freeze statement.
type Target struct {
	Kind statement.TargetKind `json:"kind"`
	Name string               `json:"name"`
}

// States of a wallet's key.
const (
	WalletActive      = "active"
	WalletSuspended   = "suspended"
	WalletRetired     = "retired"
	WalletCompromised = "compromised"
)

// A Wallet is the record of the ceremony that made a key.
type Wallet struct {
	Name          string      `json:"name"`
	Network       string      `json:"network"`
	PublicKey     string      `json:"publicKey"`
	Address       string      `json:"address"`
	Custody       string      `json:"custody"` // token or sealed
	Imported      bool        `json:"imported"`
	Deterministic bool        `json:"deterministic"` // the token makes the same signature twice
	Sealed        string      `json:"sealed"`        // SHA-256 of the sealed blob, hex; "" with custody token
	Token         TokenRecord `json:"token"`
	Attributes    []Attribute `json:"attributes"` // as read back from the token
	Present       []string    `json:"present"`    // who was there
}

// A TokenRecord says which token holds a key.
type TokenRecord struct {
	Model        string `json:"model"`
	Manufacturer string `json:"manufacturer"`
	Serial       string `json:"serial"`
	Firmware     string `json:"firmware"`
}

// An Attribute is one PKCS#11 attribute as the token gave it back.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A WalletState changes the state of a wallet's key.
type WalletState struct {
	Wallet string `json:"wallet"`
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// A Sealing says under which of the token's keys the sealed wallets lie from here on. It is written when all
// of them do, before the old keys are destroyed.
type Sealing struct {
	Old     []string `json:"old"` // CKA_IDs in hex of the keys that no blob needs any more
	New     string   `json:"new"` // CKA_ID in hex
	Blobs   []Blob   `json:"blobs"`
	Present []string `json:"present"` // who was there
}

// A Blob is a wallet's sealed file.
type Blob struct {
	Wallet string `json:"wallet"`
	SHA256 string `json:"sha256"` // hex
}

// A LogKey hands the log key over: every head that is larger than this entry's own is signed by the new one. It is
// the last entry of its group.
type LogKey struct {
	Old      string         `json:"old"`      // base64 of the 32-byte Ed25519 key
	New      string         `json:"new"`      // likewise
	Proposal statement.Hash `json:"proposal"` // that permitted it
}

// A Signature is a signature that the token made over an authorisation's bytes.
type Signature struct {
	About       statement.Hash `json:"about"`
	Signature   string         `json:"signature"`   // 128 hex digits, upper case
	Transaction string         `json:"transaction"` // the chain's hash of the signed transaction
}

// A Strand gives up an authorisation without a known signature.
type Strand struct {
	About statement.Hash `json:"about"`
}

// A Start is what a signer knows about the time when it starts. Boot counts milliseconds since the
// machine started and goes on while it sleeps (CLOCK_BOOTTIME).
type Start struct {
	Version string `json:"version"` // of the program
	Engine  int    `json:"engine"`  // of this package
	BootID  string `json:"bootId"`  // changes with every start of the machine
	Boot    int64  `json:"boot"`
	Credit  int64  `json:"credit"` // milliseconds of unvouched time that are left to give, after this start
	Behind  int64  `json:"behind"` // milliseconds by which policy time stays behind the clock
}

// A Vouched says that a moment has passed, by the times that a quorum of witnesses signed. Keys and quorum are
// those of the signer's configuration: whoever reads it holds them to the witnesses that they know.
type Vouched struct {
	Checkpoint string   `json:"checkpoint"` // with the witnesses' lines
	Witnesses  []string `json:"witnesses"`  // key lines of all who were asked
	Quorum     int      `json:"quorum"`     // how many of them had to agree
	Moment     int64    `json:"moment"`     // up to which policy time is vouched for, unix milliseconds
	Behind     int64    `json:"behind"`     // milliseconds by which it stays behind the clock
}

// An Alarm calls people.
type Alarm struct {
	Code  string          `json:"code"`
	About *statement.Hash `json:"about"`
	Facts []Fact          `json:"facts"`
}

// A Fact is one detail of an alarm: a stable name and a value.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Refused counts what got no entry of its own.
type Refused struct {
	By    By     `json:"by"` // zero: nobody that the policy names
	Code  string `json:"code"`
	From  int64  `json:"from"` // clock of the first, unix milliseconds
	Count uint64 `json:"count"`
}

func (*Genesis) Kind() string     { return KindGenesis }
func (*Founding) Kind() string    { return KindFounding }
func (*Statement) Kind() string   { return KindStatement }
func (*Outcome) Kind() string     { return KindOutcome }
func (*Reasons) Kind() string     { return KindReasons }
func (*Adoption) Kind() string    { return KindAdoption }
func (*InForce) Kind() string     { return KindInForce }
func (*Tick) Kind() string        { return KindTick }
func (*Look) Kind() string        { return KindLook }
func (*Stop) Kind() string        { return KindStop }
func (*Wallet) Kind() string      { return KindWallet }
func (*WalletState) Kind() string { return KindWalletState }
func (*Sealing) Kind() string     { return KindSealing }
func (*LogKey) Kind() string      { return KindLogKey }
func (*Signature) Kind() string   { return KindSignature }
func (*Strand) Kind() string      { return KindStrand }
func (*Start) Kind() string       { return KindStart }
func (*Vouched) Kind() string     { return KindVouched }
func (*Alarm) Kind() string       { return KindAlarm }
func (*Refused) Kind() string     { return KindRefused }

// Leaf converts the leaf hash of an entry to the form in which verdicts name it.
func Leaf(h journal.Hash) statement.Hash { return statement.Hash(h) }
