package statement

import "strings"

// maxAbout is how many hashes one verdict may judge: what fits into MaxText
// beside a full reason.
const maxAbout = 48

// Verdict is what an officer judges about statements of others, or a client
// about its own.
type Verdict struct {
	Journal Hash // zero only for verdicts about policy 1
	ID      ID
	Expires int64 // unix milliseconds

	Verdict VerdictKind
	About   []Hash // statement hashes, 1 to 48, distinct
	Policy  Hash   // the policy that it was judged under
	Reason  string // not empty with reject and veto
}

// VerdictKind is what a verdict says. The zero value says nothing.
type VerdictKind string

// The kinds of verdicts.
const (
	Approve VerdictKind = "approve"
	Reject  VerdictKind = "reject"
	Cancel  VerdictKind = "cancel"
	Veto    VerdictKind = "veto"
	Lift    VerdictKind = "lift"
)

// Type returns TypeVerdict.
func (v *Verdict) Type() Type { return TypeVerdict }

// Common returns what every statement says.
func (v *Verdict) Common() Common { return Common{v.Journal, v.ID, v.Expires} }

func (v *Verdict) members() object {
	return common(TypeVerdict, &v.Journal, &v.ID, &v.Expires,
		member{"verdict", word(&v.Verdict, oneOf(Approve, Reject, Cancel, Veto, Lift))},
		member{"about", &list[Hash]{&v.About, maxAbout, func(h *Hash) value {
			return &text[Hash]{h, ParseHash, Hash.String}
		}}},
		member{"policy", &text[Hash]{&v.Policy, ParseHash, Hash.String}},
		member{"reason", word(&v.Reason, line(maxReason))},
	)
}

func (v *Verdict) check() error {
	seen := make(map[Hash]bool, len(v.About))
	for i, h := range v.About {
		if seen[h] {
			return refuse(CodeBadValue, element("about", i), "stands twice; want each hash once")
		}
		seen[h] = true
	}
	if strings.TrimSpace(v.Reason) == "" && (v.Verdict == Reject || v.Verdict == Veto) {
		return refuse(CodeBadValue, "reason", "want a reason with %s", v.Verdict)
	}
	return nil
}
