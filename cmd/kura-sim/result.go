package main

import (
	"slices"

	"kura/audit"
	"kura/ledger"
	"kura/policy"
	"kura/signer"
)

// A robbery is both runs against one policy.
type robbery struct {
	Title  string          `json:"title"`
	Policy string          `json:"policy"` // hash of the policy in the file
	Client policy.ClientID `json:"client"`
	Stolen string          `json:"stolen"`
	// Night is January 2018, Cleverest what the policy allows at most.
	Night     *result `json:"night"`
	Cleverest *result `json:"cleverest"`
	OK        bool    `json:"ok"` // nothing left beyond the bound, and both journals verified
}

// A result is one run.
type result struct {
	Begin    string         `json:"begin"` // of the span of the bound, RFC 3339
	End      string         `json:"end"`
	Bound    policy.Blast   `json:"bound"` // computed before the run
	Requests []request      `json:"requests"`
	Capped   bool           `json:"capped"` // the policy would have allowed more requests than were played
	Losses   []loss         `json:"losses"`
	Together []loss         `json:"together"`
	Alarms   []signer.Alarm `json:"alarms"`
	Stopped  string         `json:"stopped"` // when a tripwire or freeze stopped the client, RFC 3339; "" if nothing did
	Journal  audit.Report   `json:"journal"`

	policy     *policy.Policy // as it was played
	begin, end int64
	answers    []answer
}

// A request is one row of a run.
type request struct {
	At     string          `json:"at"` // RFC 3339
	Wallet policy.WalletID `json:"wallet"`
	Asset  policy.AssetRef `json:"asset"`
	Amount policy.Units    `json:"amount"`
	Listed bool            `json:"listed"`
	State  string          `json:"state"`
	Code   string          `json:"code"`
}

// stoppedAt tells when something stopped the client or everything.
func stoppedAt(alarms []signer.Alarm) (int64, bool) {
	at := slices.IndexFunc(alarms, func(a signer.Alarm) bool {
		switch a.Code {
		case ledger.AlarmRefusals, ledger.AlarmFrozen, ledger.AlarmCanaryKey, policy.CanaryAddressTripwire:
			return true
		}
		return false
	})
	if at < 0 {
		return 0, false
	}
	return alarms[at].Clock, true
}

// holds tells whether nothing left beyond the bound and the journal verified.
func (r *result) holds() bool {
	exceeded := func(l loss) bool { return l.Exceeded }
	return r.Journal.OK && !slices.ContainsFunc(r.Losses, exceeded) && !slices.ContainsFunc(r.Together, exceeded)
}
