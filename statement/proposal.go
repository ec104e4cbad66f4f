package statement

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Proposal becomes effective by verdicts, after its time-lock.
type Proposal struct {
	Journal Hash
	ID      ID
	Expires int64 // unix milliseconds

	Proposes  ProposalKind
	Base      Hash   // the policy in force that it builds on
	Document  string // the text of one JSON object
	Addresses string // with policy: the text of an address-book change, or ""
	Reason    string
}

// ProposalKind is what a proposal proposes. The zero value proposes nothing.
type ProposalKind string

// The kinds of proposals.
const (
	ProposePolicy     ProposalKind = "policy"
	ProposeAddresses  ProposalKind = "addresses"
	ProposeEvacuation ProposalKind = "evacuation"
	ProposeRecovery   ProposalKind = "recovery"
	ProposeResume     ProposalKind = "resume"
	ProposeLogKey     ProposalKind = "logkey"
)

// Type returns TypeProposal.
func (p *Proposal) Type() Type { return TypeProposal }

// Common returns what every statement says.
func (p *Proposal) Common() Common { return Common{p.Journal, p.ID, p.Expires} }

func (p *Proposal) members() object {
	return common(TypeProposal, &p.Journal, &p.ID, &p.Expires,
		member{"proposes", word(&p.Proposes, oneOf(ProposePolicy, ProposeAddresses, ProposeEvacuation, ProposeRecovery, ProposeResume, ProposeLogKey))},
		member{"base", &text[Hash]{&p.Base, ParseHash, Hash.String}},
		member{"document", word(&p.Document, parseDocument)},
		member{"addresses", word(&p.Addresses, optional(parseDocument))},
		member{"reason", word(&p.Reason, line(maxReason))},
	)
}

func (p *Proposal) check() error {
	if p.Addresses != "" && p.Proposes != ProposePolicy {
		return refuse(CodeBadValue, "addresses", "goes only with a policy; propose addresses with \"proposes\":\"addresses\" and the change as document")
	}
	return nil
}

// parseDocument reads the text of one JSON object. What its members mean is
// read by those who judge the proposal.
func parseDocument(text string) (string, error) {
	d := decoder([]byte(text), jsontext.AllowDuplicateNames(false))
	kind := d.PeekKind()
	if kind != '{' && kind != 0 {
		return "", errors.New("want the text of a JSON object")
	}
	if err := d.SkipValue(); err != nil {
		return "", fmt.Errorf("want the text of a JSON object; %s", explainSyntax(err))
	}
	if d.InputOffset() != int64(len(text)) {
		return "", fmt.Errorf("want the text of one JSON object, and nothing after byte %d", d.InputOffset())
	}
	return text, nil
}
