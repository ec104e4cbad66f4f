package policy

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/statement"
)

// ProposalInput is everything that the state of a proposal depends on.
type ProposalInput struct {
	Policy   *Policy // in force
	Overlay  Overlay
	Book     *Book
	Proposal *statement.Proposal
	By       Actor
	Since    int64 // policy time at which it was first judged
	// Adopted tells that its quorum was complete and an adoption entry stands in
	// the journal since policy time AdoptedAt.
	Adopted   bool
	AdoptedAt int64
	Verdicts  []Verdict // about the proposal: approve, reject, cancel, veto
	// Retired tells whether a key stood in some earlier policy and is out: it never
	// comes back. nil: none is.
	Retired func(statement.Key) bool
	// LogKey tells whether a key is or was the journal's log key: it is never handed
	// over to. nil: none is.
	LogKey func([32]byte) bool
	// OtherAccount is the network and public key of a wallet's ceremony where they are not those of this wallet, ""
	// where they are, and where it had none. nil: none has.
	OtherAccount func(*Wallet) string
	// Replaced tells that another proposal of a log key was adopted after this one.
	Replaced bool
	// Knew tells whether a stop was in the journal when the proposal was: policy time, which may stand
	// still, does not say. nil: none was.
	Knew func(stop statement.Hash) bool
	Now  Now
}

// ProposalState is where a proposal stands. The zero value is refused.
type ProposalState uint8

// The states of a proposal.
const (
	ProposalRefused ProposalState = iota
	ProposalOpen                  // waits for its quorum
	ProposalAdopted               // waits for its time-lock
	ProposalInForce               // takes effect now
	ProposalVetoed
	ProposalLapsed
)

var proposalStates = [...]string{"refused", "open", "adopted", "in_force", "vetoed", "lapsed"}

// String is the stable name of the state.
func (s ProposalState) String() string {
	if int(s) < len(proposalStates) {
		return proposalStates[s]
	}
	return proposalStates[ProposalRefused]
}

// MarshalText writes the stable name.
func (s ProposalState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ProposalDecision is where a proposal stands and why.
type ProposalDecision struct {
	State ProposalState `json:"state"`
	Code  string        `json:"code"`
	// Problem is the sentence with Code for people, "" if there is none. It is
	// made of the documents alone and deterministic.
	Problem string `json:"problem"`
	// Effective is the policy time at which it takes effect, once adopted.
	Effective int64  `json:"effective"`
	Waits     []Wait `json:"waits"`
	Vetoes    int    `json:"vetoes"`
}

// JudgeProposal tells where a proposal stands. A proposer has no more say than
// others: their own verdict counts as one person's, and proposing as none.
func JudgeProposal(in ProposalInput) ProposalDecision {
	if !in.Adopted {
		return in.open()
	}
	return in.locked()
}

// open judges a proposal that waits for its quorum.
func (in *ProposalInput) open() ProposalDecision {
	end := ProposalLapsed
	if in.Since == in.Now.Time && len(in.Verdicts) == 0 {
		end = ProposalRefused // it was never any good
	}
	if in.By.Kind != PersonActor || (end == ProposalRefused && !in.Policy.Active(in.By, in.Now)) {
		return ProposalDecision{State: end, Code: CodeNotEntitled, Problem: "only a person whose last day is not over proposes"}
	}
	if in.Now.Clock > in.Proposal.Expires {
		return ProposalDecision{State: ProposalLapsed, Code: CodeExpired}
	}
	if in.Proposal.Base != in.Policy.hash {
		return ProposalDecision{State: end, Code: CodeBaseNotInForce, Problem: "the policy in force is " + in.Policy.hash.String()}
	}
	if refusal := in.document(); refusal != nil {
		return ProposalDecision{State: end, Code: refusal.Code, Problem: refusal.Error()}
	}
	e := in.electorate()
	b := e.sortVerdicts(in.Verdicts, statement.Approve)
	if slices.ContainsFunc(in.Verdicts, func(v Verdict) bool { return v.Kind == statement.Cancel && v.By == in.By }) {
		return ProposalDecision{State: ProposalLapsed, Code: CodeCancelled}
	}
	if in.directors(b.rejected) >= in.Policy.doc.Governance.Veto {
		return ProposalDecision{State: ProposalRefused, Code: CodeRejected}
	}
	d := ProposalDecision{State: ProposalOpen, Code: CodeNeedsApproval}
	for _, anyOf := range in.gates() {
		if _, met := e.met(anyOf, b.approved); !met {
			waits := e.missing(anyOf, b)
			for i := range waits {
				waits[i].For = string(in.Proposal.Proposes)
			}
			d.Waits = append(d.Waits, waits...)
		}
	}
	if len(d.Waits) > 0 {
		return d
	}
	effective := in.Now.Time + in.timeLock()
	return ProposalDecision{State: ProposalAdopted, Code: CodeTimeLock, Effective: effective}
}

// permissionLife is for how long after its time-lock, in milliseconds of policy time, a permission to hand the log
// key over can be used. A forgotten one would be whoever's who comes upon the host.
const permissionLife = 30 * int64(day)

// locked judges an adopted proposal: directors can veto until its time-lock ends, and a permission to hand the log key
// over for as long as it is not used.
func (in *ProposalInput) locked() ProposalDecision {
	d := ProposalDecision{State: ProposalAdopted, Code: CodeTimeLock, Effective: in.AdoptedAt + in.timeLock()}
	permits := in.Proposal.Proposes == statement.ProposeLogKey
	if permits && in.handedOver() {
		d.State, d.Code = ProposalInForce, CodeInForce
		return d
	}
	bound := permits || in.Proposal.Proposes == statement.ProposePolicy || in.Proposal.Proposes == statement.ProposeRecovery
	if bound && in.Proposal.Base != in.Policy.hash {
		return ProposalDecision{State: ProposalLapsed, Code: CodeBaseNotInForce, Problem: "the policy in force is " + in.Policy.hash.String()}
	}
	vetoes := in.vetoes()
	d.Vetoes = len(vetoes)
	if in.vetoed(vetoes) {
		d.State, d.Code = ProposalVetoed, CodeVetoed
		return d
	}
	switch {
	case in.Replaced:
		return ProposalDecision{State: ProposalLapsed, Code: CodeReplaced, Effective: d.Effective}
	case in.Now.Time < d.Effective:
		d.Waits = []Wait{{Kind: WaitTime, For: string(in.Proposal.Proposes), Until: d.Effective}}
		return d
	case permits && in.Now.Time >= d.Effective+permissionLife:
		return ProposalDecision{State: ProposalLapsed, Code: CodeExpired, Effective: d.Effective}
	}
	// What has changed meanwhile, the books above all, may have made it impossible.
	if refusal := in.document(); refusal != nil {
		return ProposalDecision{State: ProposalLapsed, Code: refusal.Code, Problem: refusal.Error(), Effective: d.Effective}
	}
	if permits {
		d.Code = CodePermitted // it takes effect when the host says so
		return d
	}
	d.State, d.Code = ProposalInForce, CodeInForce
	return d
}

// handedOver tells whether the log key that is proposed has become the journal's.
func (in *ProposalInput) handedOver() bool {
	key, err := ParseLogKey([]byte(in.Proposal.Document))
	return err == nil && in.LogKey != nil && in.LogKey(key)
}

func (in *ProposalInput) electorate() electorate {
	return electorate{policy: in.Policy, overlay: in.Overlay, now: in.Now}
}

// gates lists the quorums that must all approve.
func (in *ProposalInput) gates() [][]Quorum {
	g := &in.Policy.doc.Governance
	switch in.Proposal.Proposes {
	case statement.ProposePolicy:
		if in.Proposal.Addresses != "" {
			return [][]Quorum{g.Policy.AnyOf, g.Addresses.AnyOf}
		}
		return [][]Quorum{g.Policy.AnyOf}
	case statement.ProposeLogKey:
		return [][]Quorum{g.Policy.AnyOf}
	case statement.ProposeAddresses:
		return [][]Quorum{g.Addresses.AnyOf}
	case statement.ProposeEvacuation:
		return [][]Quorum{g.Unfreeze.AnyOf}
	case statement.ProposeRecovery:
		return [][]Quorum{g.recovery().AnyOf}
	default:
		return [][]Quorum{g.Resume.AnyOf}
	}
}

// recovery is the recovery change; without one nobody can approve it.
func (g *Governance) recovery() *Change {
	if g.Recovery == nil {
		return &Change{TimeLock: maxTimeLock}
	}
	return g.Recovery
}

// timeLock is how long after its adoption it takes effect. Until the first
// policy with a wallet is in force, there is nothing to protect and changes act
// at adoption.
func (in *ProposalInput) timeLock() int64 {
	g := &in.Policy.doc.Governance
	var lock Millis
	switch in.Proposal.Proposes {
	case statement.ProposePolicy:
		lock = g.Policy.TimeLock
		if in.Proposal.Addresses != "" {
			lock = max(lock, g.Addresses.TimeLock)
		}
	case statement.ProposeLogKey:
		lock = g.Policy.TimeLock
	case statement.ProposeAddresses:
		lock = g.Addresses.TimeLock
	case statement.ProposeRecovery:
		return int64(g.recovery().TimeLock)
	default:
		return 0
	}
	if len(in.Policy.doc.Wallets) == 0 {
		return 0
	}
	return int64(lock)
}

// vetoes gathers the directors' vetoes, one for each person. A veto counts under
// whatever policy it was written, and from a suspended director unless two
// persons say so who did not want the change themselves.
func (in *ProposalInput) vetoes() []Verdict {
	var all []Verdict
	for i := range in.Verdicts {
		v := &in.Verdicts[i]
		if v.Kind != statement.Veto || !in.Policy.Active(v.By, in.Now) || in.Overlay.muted(v, in.wants) ||
			!slices.Contains(in.Policy.groups[DirectorRole], v.By) ||
			slices.ContainsFunc(all, func(o Verdict) bool { return o.By == v.By }) {
			continue
		}
		all = append(all, *v)
	}
	return all
}

// wants tells whether a party proposed or approved this: a stolen quorum must not
// take away the vetoes that are left against it.
func (in *ProposalInput) wants(a Actor) bool {
	return a == in.By || slices.ContainsFunc(in.Verdicts, func(v Verdict) bool { return v.By == a && v.Kind == statement.Approve })
}

// vetoed tells whether the vetoes suffice: for a recovery a quorum of directors.
func (in *ProposalInput) vetoed(vetoes []Verdict) bool {
	if in.Proposal.Proposes != statement.ProposeRecovery {
		return len(vetoes) >= in.Policy.doc.Governance.Veto
	}
	e := in.electorate()
	return slices.ContainsFunc(in.Policy.doc.Governance.Policy.AnyOf, func(q Quorum) bool {
		q.AllOf = slices.DeleteFunc(slices.Clone(q.AllOf), func(n Need) bool { return n.Group != DirectorRole })
		filled, wanted := e.fill(q, vetoes)
		return filled == wanted
	})
}

func (in *ProposalInput) directors(actors []Actor) int {
	count := 0
	for _, a := range actors {
		if slices.Contains(in.Policy.groups[DirectorRole], a) {
			count++
		}
	}
	return count
}

// CheckProposal tells what stands against a proposal's document, whoever proposes
// it: what a person is told before anything is sent.
func CheckProposal(in ProposalInput) error {
	if refusal := in.document(); refusal != nil {
		return refusal
	}
	return nil
}

// document judges what is proposed.
func (in *ProposalInput) document() *Refusal {
	text := []byte(in.Proposal.Document)
	switch in.Proposal.Proposes {
	case statement.ProposePolicy:
		next, refusal := in.successor(text)
		if refusal != nil || in.Proposal.Addresses == "" {
			return refusal
		}
		return in.addresses([]byte(in.Proposal.Addresses), next)
	case statement.ProposeAddresses:
		return in.addresses(text, in.Policy)
	case statement.ProposeEvacuation:
		e, err := ParseEvacuation(text)
		if err != nil {
			return refuse(CodeBadDocument, "document", "%v", err)
		}
		t, err := e.Transfer(in.Policy)
		if err != nil {
			return refuse(CodeBadDocument, "document", "%v", err)
		}
		// The quorum that evacuates is the one that lifts. What was suspended before they were asked, they knew of.
		if in.Overlay.addressSuspendedUnknown(t.Recipient.String(), in.Knew) {
			return refuse(CodeDestinationStopped, "document.wallet", "the rescue address %s was suspended after this was proposed: whoever approves it proposed anew knows that", t.Recipient)
		}
	case statement.ProposeRecovery:
		if in.Policy.doc.Governance.Recovery == nil {
			return refuse(CodeNotEntitled, "proposes", "the policy in force has no recovery")
		}
		next, refusal := in.successor(text)
		if refusal != nil {
			return refusal
		}
		if !onlyPeopleDiffer(in.Policy, next) {
			return refuse(CodeBadDocument, "document", "a recovery replaces people (and operators of clients) and nothing else")
		}
	case statement.ProposeResume:
		if _, err := ParseResume(text); err != nil {
			return refuse(CodeBadDocument, "document", "%v", err)
		}
	case statement.ProposeLogKey:
		key, err := ParseLogKey(text)
		if err != nil {
			return refuse(CodeBadDocument, "document", "%v", err)
		}
		if in.LogKey != nil && in.LogKey(key) {
			return refuse(CodeKeyReturns, "document", "the log key %s signs this journal or did before, and never comes back", base64.StdEncoding.EncodeToString(key[:]))
		}
	default:
		return refuse(CodeBadDocument, "proposes", "%s is nothing that can be proposed", quoted(string(in.Proposal.Proposes)))
	}
	return nil
}

// successor reads a policy that may follow the one in force.
func (in *ProposalInput) successor(text []byte) (*Policy, *Refusal) {
	next, err := Parse(text)
	if err != nil {
		return nil, refuse(CodeBadDocument, "document", "%v", err)
	}
	if refusal := CheckSuccessor(in.Policy, next, in.Retired); refusal != nil {
		return nil, refusal
	}
	for i := range next.doc.Wallets {
		w := &next.doc.Wallets[i]
		if _, kept := in.Policy.Wallet(w.ID); kept || in.OtherAccount == nil {
			continue
		}
		// It could never pay: a wallet has one ceremony, and keeps its key from policy to policy.
		if other := in.OtherAccount(w); other != "" {
			return nil, refuse(CodeBadDocument, fmt.Sprintf("document.wallets[%d]", i), "wallet %s was made as %s, and here it is %s %s", w.ID, other, w.Network, w.PublicKey)
		}
	}
	return next, nil
}

// CheckSuccessor tells what stands against a policy following another: it must
// name it and count on, a wallet keeps its network and key, and a key keeps its
// owner and never comes back (retired, nil for none, knows those that are out).
func CheckSuccessor(p, next *Policy, retired func(statement.Key) bool) *Refusal {
	if next.doc.Version != p.doc.Version+1 {
		return refuse(CodeBadDocument, "document.version", "version %d, want %d", next.doc.Version, p.doc.Version+1)
	}
	if next.doc.Previous != p.hash.String() {
		return refuse(CodeBadDocument, "document.previous", "%s, want the policy in force, %s", quoted(next.doc.Previous), p.hash)
	}
	keys := next.Keys()
	slices.Sort(keys)
	for _, key := range keys {
		owner, known := p.keys[key]
		// Canaries are numbered, and may be numbered anew.
		if known && owner != next.keys[key] && (owner.Kind != CanaryActor || next.keys[key].Kind != CanaryActor) {
			return refuse(CodeKeyReturns, "document", "the key %s belongs to %s and cannot become %s's", key.Fingerprint(), owner, next.keys[key])
		}
		if !known && retired != nil && retired(key) {
			return refuse(CodeKeyReturns, "document", "the key %s stood in an earlier policy, is out, and never comes back", key.Fingerprint())
		}
	}
	if len(p.doc.Wallets) > 0 && len(next.doc.Wallets) == 0 {
		// Its changes would act at adoption, and the wallets could come back so.
		return refuse(CodeBadDocument, "document.wallets", "no wallet is left: keep one, without rules that pay from it if nothing may leave")
	}
	for i := range p.doc.Wallets {
		old := &p.doc.Wallets[i]
		w, ok := next.Wallet(old.ID)
		if ok && (w.Network != old.Network || w.PublicKey != old.PublicKey) {
			return refuse(CodeBadDocument, "document.wallets", "wallet %s keeps its network and key; give another account another name", old.ID)
		}
	}
	return nil
}

// addresses judges a change of the books under the policy whose names it uses.
func (in *ProposalInput) addresses(text []byte, p *Policy) *Refusal {
	change, err := ParseBookChange(text)
	if err != nil {
		return refuse(CodeBadDocument, "document", "%v", err)
	}
	for _, e := range change.Add {
		if _, ok := p.books[e.Book]; !ok {
			return refuse(CodeBadDocument, "document", "the policy has no book %s", quoted(e.Book))
		}
	}
	if _, err := in.Book.Apply(change); err != nil {
		return refuse(CodeBadDocument, "document", "%v", err)
	}
	return nil
}

func onlyPeopleDiffer(p, next *Policy) bool {
	a, b := p.doc, next.doc
	b.Version, b.Previous, b.Title, b.People = a.Version, a.Previous, a.Title, a.People
	if len(a.Clients) == len(b.Clients) {
		b.Clients = slices.Clone(b.Clients)
		for i := range b.Clients {
			b.Clients[i].Operators = a.Clients[i].Operators
		}
	}
	x, err1 := json.Marshal(&a, json.Deterministic(true))
	y, err2 := json.Marshal(&b, json.Deterministic(true))
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}
