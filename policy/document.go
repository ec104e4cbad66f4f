package policy

import (
	"fmt"
	"strconv"
	"time"

	"kura/nem"
)

// Document is a policy as it is written and signed. Its JSON form holds every
// member in the order of these fields; the only ones that may be left out are
// marked "may be absent". docs/policy.md explains each by example, and
// schema.json is generated from these types.
type Document struct {
	// Semantics is the number of the rules by which the rest is read. This package knows 1.
	Semantics int `json:"semantics"`
	// Version counts from 1; policy 1 stands in the genesis and has no wallets.
	Version int `json:"version"`
	// Previous is the SHA-256 of the predecessor's JSON text in lower-case hex, "" in version 1.
	Previous string `json:"previous"`
	// Title is for people.
	Title string `json:"title"`
	// WithdrawalLife is the oldest that a withdrawal statement may get, from its birth; at most 7 days.
	WithdrawalLife Millis `json:"withdrawalLife"`

	People    []Person   `json:"people"`
	Services  []Service  `json:"services"`
	Sentinels []Sentinel `json:"sentinels"`
	Clients   []Client   `json:"clients"`
	Wallets   []Wallet   `json:"wallets"`
	Assets    []Asset    `json:"assets"`
	// Books are the names of the address lists that rules may refer to. What stands in
	// them is no part of the policy (see Book). The first is where tools put new entries.
	Books      []string   `json:"books"`
	Rules      []Rule     `json:"rules"`
	Limits     []Limit    `json:"limits"`
	Governance Governance `json:"governance"`
	Tripwires  Tripwires  `json:"tripwires"`
	Anchor     Anchor     `json:"anchor"`
}

// Person is somebody with keys of their own. Every person may freeze; what else
// they may do follows from their roles, and a role is a group of those who hold it.
type Person struct {
	ID    PersonID `json:"id"`
	Name  string   `json:"name"`
	Keys  []string `json:"keys"` // OpenSSH public keys without a comment
	Roles []string `json:"roles"`
	// LastDay is the last UTC day on which the person may do anything, "" for no end.
	LastDay Day `json:"lastDay"`
	// UserVerification demands that the security key checked its holder (PIN or
	// fingerprint) for every statement; then all keys must be security keys.
	UserVerification bool `json:"userVerification"`
}

// Service is a program with its own key that takes part in approvals, an
// anti-money-laundering check for instance. Its ID is a group of one. It never
// counts as a person.
type Service struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Keys    []string `json:"keys"`
	LastDay Day      `json:"lastDay"`
}

// Sentinel is a program that can freeze and do nothing else.
type Sentinel struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Keys    []string `json:"keys"`
	LastDay Day      `json:"lastDay"`
}

// Client is a program that asks for withdrawals.
type Client struct {
	ID   ClientID `json:"id"`
	Name string   `json:"name"`
	Keys []string `json:"keys"`
	// Operators are the persons who run it: they never approve for it.
	Operators []PersonID `json:"operators"`
	LastDay   Day        `json:"lastDay"`
	Budget    Budget     `json:"budget"`
}

// Budget bounds what one client can write into the journal: at most Entries
// statements per Window, and at most Pending requests waiting at a time.
type Budget struct {
	Entries int    `json:"entries"`
	Window  Millis `json:"window"`
	Pending int    `json:"pending"`
}

// Wallet is one account on one chain.
type Wallet struct {
	ID        WalletID `json:"id"`
	Network   string   `json:"network"`
	PublicKey string   `json:"publicKey"` // 64 hex digits, upper case
	Custody   string   `json:"custody"`   // "token" (Symbol) or "sealed" (NIS1)
	// Life is how long a signed transaction of it stays valid.
	Life Millis `json:"life"`
	// MaxFee is the most that a client may offer as fee, in the network's currency.
	MaxFee Units `json:"maxFee"`
	// FeeMultiplier is Symbol's fee per byte in micro-XYM; 0 on NIS1, whose fee is its minimum.
	FeeMultiplier uint32 `json:"feeMultiplier"`
	// Rescue is the address that an evacuation sweeps to; "" if there is none (a finding of Check).
	Rescue string `json:"rescue"`
}

// Asset is an entry of the registry: only what stands here moves.
type Asset struct {
	ID      AssetRef `json:"id"`
	Network string   `json:"network"`
	Asset   string   `json:"asset"` // "nem:xem", or Symbol's 16 hex digits
	// Name is the unit that people read and write: "XEM".
	Name string `json:"name"`
	// Supply is in whole units; NIS1's fee for a mosaic depends on it.
	Supply       Units `json:"supply"`
	Divisibility uint8 `json:"divisibility"`
	// Levy may be absent: there is none. With a levy that is not stated the node takes
	// it all the same, so whoever writes the registry vouches for it.
	Levy *Levy `json:"levy,omitzero"`
}

// Levy is what NIS1 takes from the sender beside a mosaic, without a trace in the bytes.
type Levy struct {
	Kind string `json:"kind"` // "absolute": Fee units; "percentile": quantity × Fee / 10,000
	// Asset names the registry entry that the levy is taken in.
	Asset     AssetRef `json:"asset"`
	Fee       Units    `json:"fee"`
	Recipient string   `json:"recipient"`
}

// Rule says what happens to a withdrawal that meets all its conditions. The
// first that matches decides.
type Rule struct {
	ID   string `json:"id"`
	When When   `json:"when"`
	Then string `json:"then"` // "deny", "sign" or "approve"
	// Approval must stand with "approve" and only there.
	Approval *Approval `json:"approval,omitzero"`
	// LastDay may be absent: no end. When it is over, the rule is as if it were not there.
	LastDay Day `json:"lastDay,omitzero"`
}

// When holds a rule's conditions. Each may be absent, and then does not
// restrict; what is stated must all hold.
type When struct {
	Wallet []WalletID `json:"wallet,omitzero"`
	Client []ClientID `json:"client,omitzero"`
	Asset  []AssetRef `json:"asset,omitzero"`
	// Amount needs exactly one asset in Asset.
	Amount *Range `json:"amount,omitzero"`
	// Destination names books: the address must stand in one of them with an entry
	// whose message rule the payment meets. In a deny rule the address alone counts.
	Destination []string `json:"destination,omitzero"`
	// Message lists the kinds that may be: "none", "text", "hex".
	Message []string `json:"message,omitzero"`
	Hours   *Hours   `json:"hours,omitzero"`
}

// Range is Above < amount ≤ UpTo, so that tiers written with the same number
// neither overlap nor leave a gap. Either may be absent, not both.
type Range struct {
	Above *Units `json:"above,omitzero"`
	UpTo  *Units `json:"upTo,omitzero"`
}

// Hours is a part of the week at a fixed offset from UTC (so that no time-zone
// database decides anything): From ≤ time of day < To, past midnight if To is
// the earlier. Days are those of the shifted calendar at that moment.
type Hours struct {
	Offset string   `json:"offset"` // "+09:00"
	Days   []string `json:"days"`   // "mon" … "sun"
	From   string   `json:"from"`   // "09:00"
	To     string   `json:"to"`     // "18:00", up to "24:00"
}

// Approval is what a quorum must do before something is signed.
type Approval struct {
	// AnyOf lists the alternatives; one of them suffices.
	AnyOf []Quorum `json:"anyOf"`
	// CoolingOff is how long after the quorum was complete nothing is signed yet.
	CoolingOff Millis `json:"coolingOff"`
	// Expiry is how long after the first decision the request lapses.
	Expiry Millis `json:"expiry"`
	// Rejections is how many of those who may approve end it by a rejection. A
	// service ends it alone.
	Rejections int `json:"rejections"`
}

// Quorum is met when every need in it is met, by different persons: nobody
// fills two places of one quorum.
type Quorum struct {
	AllOf []Need `json:"allOf"`
}

// Need is Count different persons that hold the role Group, or the service Group.
type Need struct {
	Group string `json:"group"`
	Count int    `json:"count"`
}

// Limit bounds what was authorised within any window of its length: a rolling
// window, exact to the millisecond.
type Limit struct {
	ID string `json:"id"`
	Of string `json:"of"` // "amount" or "count"
	// Wallet, Client and Asset say what it counts; each may be absent and then does
	// not restrict. Of "amount" needs exactly one asset.
	Wallet []WalletID `json:"wallet,omitzero"`
	Client []ClientID `json:"client,omitzero"`
	Asset  []AssetRef `json:"asset,omitzero"`
	// Per says what has a window of its own: "wallet", "client", "asset",
	// "destination", "customer" in this order. Empty: one window for all it counts.
	Per    []string `json:"per"`
	Max    Units    `json:"max"` // smallest units, or withdrawals
	Window Millis   `json:"window"`
	At     string   `json:"at"` // "deny", "approve" or "wait"
	// Always binds what a quorum approved, too.
	Always bool `json:"always"`
	// Approval must stand with "approve" and only there.
	Approval *Approval `json:"approval,omitzero"`
}

// Governance says who changes what, and how long everybody can see it coming.
type Governance struct {
	Policy    Change `json:"policy"`
	Addresses Change `json:"addresses"`
	// Unfreeze lifts freezes, suspensions and lowered numbers, and approves evacuations.
	Unfreeze Gate `json:"unfreeze"`
	// Resume vouches for the time after a stop.
	Resume Gate `json:"resume"`
	// Recovery may be absent; else its group replaces people after at least 14 days.
	Recovery *Change `json:"recovery,omitzero"`
	// Veto is how many directors stop a change while it waits.
	Veto int `json:"veto"`
}

// Change is a quorum and the time that passes between its adoption and its effect.
type Change struct {
	AnyOf    []Quorum `json:"anyOf"`
	TimeLock Millis   `json:"timeLock"`
}

// Gate is a quorum that acts at once.
type Gate struct {
	AnyOf []Quorum `json:"anyOf"`
}

// Tripwires are conditions that no honest party meets.
type Tripwires struct {
	// CanaryKeys freeze everything when anything signed by one arrives.
	CanaryKeys []string `json:"canaryKeys"`
	// CanaryAddresses suspend the client that asks to pay one.
	CanaryAddresses []Canary `json:"canaryAddresses"`
	Refusals        Refusals `json:"refusals"`
}

// Canary is an address nobody honest uses, hidden: Hash is
// SHA-256(salt || address text) in hex.
type Canary struct {
	Salt string `json:"salt"` // 32 hex digits
	Hash string `json:"hash"` // 64 hex digits
}

// Refusals suspend a client that is refused Count times within Window for one
// of Codes (see Codes: those that an honest client's own checks exclude). The
// suspension lasts Suspend and doubles each time.
type Refusals struct {
	Codes   []string `json:"codes"`
	Count   int      `json:"count"`
	Window  Millis   `json:"window"`
	Suspend Millis   `json:"suspend"`
}

// Anchor says when the token's copy of the head is renewed: after Every, or
// when what was authorised since passes one of Values. One rollback of everything
// but the token can repeat at most that; how often it can be done only witnesses
// bound.
type Anchor struct {
	Every  Millis  `json:"every"`
	Values []Value `json:"values"`
}

// Value is an amount of one asset of the registry.
type Value struct {
	Asset  AssetRef `json:"asset"`
	Amount Units    `json:"amount"`
}

// The names within a policy. Distinct types, so that a wallet is never looked up as a client.
type (
	PersonID string
	ClientID string
	WalletID string
	AssetRef string // an entry of the registry
)

// Millis is a span in milliseconds. In YAML it is written "30m", "24h", "14d".
type Millis int64

// String writes the span in the largest unit that divides it, as YAML takes it.
func (m Millis) String() string {
	units := []struct {
		size Millis
		name string
	}{{86_400_000, "d"}, {3_600_000, "h"}, {60_000, "m"}, {1000, "s"}}
	for _, u := range units {
		if m != 0 && m%u.size == 0 {
			return strconv.FormatInt(int64(m/u.size), 10) + u.name
		}
	}
	if m == 0 {
		return "0s"
	}
	return strconv.FormatInt(int64(m), 10) + "ms"
}

// Units is an amount in an asset's smallest unit; JSON holds it as a string of digits.
type Units uint64

// MarshalText writes decimal digits.
func (u Units) MarshalText() ([]byte, error) { return strconv.AppendUint(nil, uint64(u), 10), nil }

// UnmarshalText takes decimal digits without sign or leading zeros.
func (u *Units) UnmarshalText(text []byte) error {
	a, err := nem.ParseAmount(string(text))
	if err != nil {
		return err
	}
	*u = Units(a)
	return nil
}

// String is the number in smallest units.
func (u Units) String() string { return strconv.FormatUint(uint64(u), 10) }

// Day is a UTC day as YYYY-MM-DD, or "" for never.
type Day string

// Past tells whether the day is over at a unix time in milliseconds. A day that
// cannot be read is over.
func (d Day) Past(unixMillis int64) bool {
	if d == "" {
		return false
	}
	end, err := d.end()
	return err != nil || unixMillis >= end
}

// end is the unix time in milliseconds at which the day is over.
func (d Day) end() (int64, error) {
	t, err := time.Parse(time.DateOnly, string(d))
	if err != nil {
		return 0, fmt.Errorf("day %q: %w", string(d), err)
	}
	return t.AddDate(0, 0, 1).UnixMilli(), nil
}
