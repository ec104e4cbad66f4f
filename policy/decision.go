package policy

import (
	"slices"

	"kura/statement"
)

// Now is the pair of times of an entry, in unix milliseconds: Clock for births,
// expiries and deadlines; Time, policy time, for windows, time-locks and delays.
type Now struct {
	Clock int64 `json:"clock"`
	Time  int64 `json:"time"`
}

// latest is the later of both: what takes something away once it has passed is
// judged by it.
func (n Now) latest() int64 { return max(n.Clock, n.Time) }

// Request is a withdrawal whose signature was verified and attributed.
type Request struct {
	Hash       statement.Hash
	Client     ClientID
	Key        statement.Key // that signed it; of a request that nobody signed, one of its client's
	Withdrawal *statement.Withdrawal
	Since      int64 // policy time at which it was first judged
}

// Input is everything that a decision depends on.
type Input struct {
	Policy   *Policy
	Overlay  Overlay
	Book     *Book
	Usage    *Usage // bound to Policy
	Request  Request
	Verdicts []Verdict // about the request
	Now      Now
}

// Outcome is what becomes of a withdrawal. The zero value denies.
type Outcome uint8

// The outcomes.
const (
	Undecided Outcome = iota
	Deny
	Hold
	Sign
)

var outcomes = [...]string{"undecided", "deny", "hold", "sign"}

// String is the stable name of the outcome.
func (o Outcome) String() string {
	if int(o) < len(outcomes) {
		return outcomes[o]
	}
	return outcomes[Undecided]
}

// MarshalText writes the stable name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the stable name.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomes[:], string(text))
	if i < 0 {
		return &Error{Path: "outcome", What: quoted(string(text)), Want: "want deny, hold or sign"}
	}
	*o = Outcome(i)
	return nil
}

// Codes say in one word why. They are stable: clients branch on them.
const (
	// CodeSigned: a rule signs and every limit has room.
	CodeSigned = "signed"
	// CodeApproved: a quorum approved.
	CodeApproved = "approved"

	CodeNeedsApproval = "needs_approval" // held
	CodeCoolingOff    = "cooling_off"    // held: the quorum is complete, its cooling-off is not over
	CodeWaitsForRoom  = "waits_for_room" // held: a limit that says wait has no room yet
	CodeFrozen        = "frozen"         // held if it was there before the freeze, else denied

	CodeUnusable            = "unusable_input" // the caller's mistake; never a client's
	CodeClientUnknown       = "client_unknown"
	CodeClientLastDay       = "client_last_day"
	CodeClientStopped       = "client_stopped"
	CodeKeyRemoved          = "key_removed" // the policy in force does not name it as this client's
	CodeKeySuspended        = "key_suspended"
	CodeExpired             = "expired"
	CodeWalletUnknown       = "wallet_unknown"
	CodeWalletMismatch      = "wallet_address_mismatch"
	CodeBadValue            = "bad_value"
	CodeAssetNotRegistered  = "asset_not_registered"
	CodeFeeAboveCap         = "fee_above_cap"
	CodeFeeCapAbovePolicy   = "fee_cap_above_policy"
	CodeAmountOverflow      = "amount_overflow"
	CodeDestinationStopped  = "destination_suspended"
	CodeMessageNotAllowed   = "message_not_allowed"
	CodeDestinationUnlisted = "destination_not_listed"
	CodeNoRule              = "no_rule"
	CodeDeniedByRule        = "denied_by_rule"
	CodeLimit               = "limit_exceeded"
	CodeLimitNever          = "limit_never_fits"
	CodeRejected            = "rejected"
	CodeApprovalExpired     = "approval_expired"
)

// The codes of verdicts, freezes, lifts and proposals that were refused or ended.
const (
	CodeNotEntitled     = "not_entitled"
	CodeOperator        = "operates_the_client"
	CodeOtherPolicy     = "judged_under_another_policy"
	CodeLastDay         = "last_day_over"
	CodeSuspended       = "suspended"
	CodeNothingToDecide = "nothing_to_decide"
	CodeUnknownTarget   = "unknown_target"
	CodeAlreadyInForce  = "already_in_force"
	CodeNotLower        = "not_lower"
	CodeTooMany         = "too_many_in_force"
	CodeBaseNotInForce  = "base_not_in_force"
	CodeBadDocument     = "bad_document"
	CodeKeyReturns      = "key_returns"
	CodeVetoed          = "vetoed"
	CodeCancelled       = "cancelled"
	CodeTimeLock        = "time_lock"
	CodeInForce         = "in_force"
	CodePermitted       = "permitted" // adopted: the host may hand the log key over
	CodeReplaced        = "replaced"  // another proposal of a log key was adopted after it
)

// RefusalCodes are the codes that an honest client's own checks exclude: the
// refusals tripwire may name them. None is about a limit.
var RefusalCodes = []string{
	CodeWalletUnknown, CodeWalletMismatch, CodeBadValue, CodeAssetNotRegistered, CodeFeeCapAbovePolicy,
	CodeDestinationStopped, CodeMessageNotAllowed, CodeDestinationUnlisted, CodeNoRule, CodeDeniedByRule,
}

// Decision is what becomes of a withdrawal and why: outcome, numbers and codes,
// no prose (Explain renders that). Its JSON is deterministic and is what the
// journal records.
type Decision struct {
	Outcome Outcome `json:"outcome"`
	Code    string  `json:"code"`
	// Field is the statement's member that Code is about, "" if none.
	Field string `json:"field"`
	// Rule is the rule that decided: of the asset that made the outcome, if there are several.
	Rule     string    `json:"rule"`
	Fee      Units     `json:"fee"` // 0 if it did not come so far
	Outflows []Outflow `json:"outflows"`
	Waits    []Wait    `json:"waits"`
	// Quorum: a quorum approved, so that only always limits count it.
	Quorum bool `json:"quorum"`
	// Rules are the rules that were asked, asset by asset, the matching one last.
	Rules  []RuleTrace  `json:"rules"`
	Limits []LimitTrace `json:"limits"`
	// Tripwires names those that the request touched. Never shown to the client.
	Tripwires []string `json:"tripwires"`
}

// CanaryAddressTripwire is the name in Decision.Tripwires of a payment to a canary.
const CanaryAddressTripwire = "canary_address"

// WaitKind is what a held request waits for.
type WaitKind string

// The kinds of waits. WaitToken is the signer's: the token cannot sign now.
const (
	WaitApproval WaitKind = "approval"
	WaitTime     WaitKind = "time"
	WaitLimit    WaitKind = "limit"
	WaitUnfreeze WaitKind = "unfreeze"
	WaitToken    WaitKind = "token"
)

// Wait is one thing that a held request waits for.
type Wait struct {
	Kind WaitKind `json:"kind"`
	// For is the rule or limit that makes it wait.
	For string `json:"for"`
	// Alternative numbers the quorum of any-of that this need belongs to, from 0.
	Alternative int    `json:"alternative"`
	Group       string `json:"group"`
	Have        int    `json:"have"`
	Need        int    `json:"need"`
	// Who could still approve.
	Who []string `json:"who"`
	// Until is a policy time in unix milliseconds: from when it goes on (time,
	// limit), or at which it lapses (approval). 0 if there is none.
	Until int64 `json:"until"`
}

// RuleTrace is one rule asked about one asset: it matched if nothing failed.
type RuleTrace struct {
	Asset  AssetRef   `json:"asset"`
	Rule   string     `json:"rule"`
	Held   Conditions `json:"held"`
	Failed Conditions `json:"failed"`
}

// LimitTrace is one limit that counts the request. The values of its key are
// the request's own.
type LimitTrace struct {
	Limit  string   `json:"limit"`
	Per    Per      `json:"per"`
	Asset  AssetRef `json:"asset"` // of the key, if Per has it
	Before Units    `json:"before"`
	After  Units    `json:"after"` // what it would be
	Max    Units    `json:"max"`   // the number in force, lowered or not
	Window Millis   `json:"window"`
	At     string   `json:"at"`
	Always bool     `json:"always"`
	Fits   bool     `json:"fits"`
	// Binds: this limit bears on the outcome; one that is not always does not
	// bind what its rule's quorum approves.
	Binds bool `json:"binds"`
	// FreesAt is the policy time from which it would fit, if nothing else is
	// authorised; 0 if it fits now or never will.
	FreesAt int64 `json:"freesAt"`
}

// MarshalText writes the names, comma-separated.
func (c Conditions) MarshalText() ([]byte, error) { return joinNames(c.Names()), nil }

// UnmarshalText reads what MarshalText writes.
func (c *Conditions) UnmarshalText(text []byte) error {
	return splitNames(text, conditionNames[:], func(i int) { *c |= 1 << i })
}

// MarshalText writes the names, comma-separated.
func (p Per) MarshalText() ([]byte, error) { return joinNames(p.Names()), nil }

// UnmarshalText reads what MarshalText writes.
func (p *Per) UnmarshalText(text []byte) error {
	return splitNames(text, perNames, func(i int) { *p |= 1 << i })
}

func joinNames(list []string) []byte {
	var out []byte
	for i, name := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, name...)
	}
	return out
}

func splitNames(text []byte, known []string, add func(int)) error {
	for start := 0; start < len(text); {
		end := start
		for end < len(text) && text[end] != ',' {
			end++
		}
		i := slices.Index(known, string(text[start:end]))
		if i < 0 {
			return &Error{What: quoted(string(text[start:end])) + " is not known", Want: "want names separated by commas"}
		}
		add(i)
		start = end + 1
	}
	return nil
}

// Event is what usage adds once a decision is authorised at a policy time. It
// works from a recorded decision as well, whose assets are read by the policy
// that it was made under.
func (d *Decision) Event(p *Policy, w *statement.Withdrawal, client ClientID, time int64) (Event, error) {
	var s subject
	if refusal := s.read(p, w); refusal != nil {
		return Event{}, refusal
	}
	e := Event{
		Time: time, Network: p.walletList[s.wallet].network, Wallet: WalletID(w.Wallet), Client: client,
		Destination: s.payment.Destination, Customer: w.Customer, Quorum: d.Quorum, Outflows: slices.Clone(d.Outflows),
	}
	for k := range e.Outflows {
		o := &e.Outflows[k]
		at := slices.IndexFunc(p.doc.Assets, func(a Asset) bool { return a.ID == o.Asset })
		if at < 0 {
			return Event{}, refuse(CodeAssetNotRegistered, "outflows", "the policy has no asset %s", quoted(string(o.Asset)))
		}
		o.ID = p.assetList[at].id
	}
	return e, nil
}
