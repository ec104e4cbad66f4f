package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"
)

// List reads back every object of the token and says what is wrong with any.
func (t *Token) List() ([]ObjectReport, error) {
	return answer(context.Background(), t, "list the token", func(s *session) ([]ObjectReport, error) {
		objects, err := s.module.Find(s.handle, []*pkcs11.Attribute{attribute(pkcs11.CKA_TOKEN, true)})
		if err != nil {
			return nil, fmt.Errorf("search the token: %w", err)
		}
		if err := s.probe(); err != nil {
			return nil, err
		}
		genesis, _ := t.Genesis()
		reports := make([]ObjectReport, 0, len(objects))
		for _, handle := range objects {
			report, err := s.report(handle, genesis)
			if err != nil {
				return nil, err
			}
			reports = append(reports, report)
		}
		slices.SortStableFunc(reports, func(a, b ObjectReport) int {
			return strings.Compare(a.Kind+"\x00"+a.Label+"\x00"+a.ID, b.Kind+"\x00"+b.Label+"\x00"+b.ID)
		})
		return reports, nil
	})
}

// report recognises an object by class and label and holds it against the
// template that Kura makes such objects by.
func (s *session) report(handle pkcs11.ObjectHandle, genesis [32]byte) (ObjectReport, error) {
	head := map[uint][]byte{}
	for _, kind := range []uint{pkcs11.CKA_CLASS, pkcs11.CKA_LABEL, pkcs11.CKA_ID} {
		value, err := s.module.Attribute(s.handle, handle, kind)
		if err != nil && !errors.Is(err, errNoAttribute) {
			return ObjectReport{}, fmt.Errorf("read %s: %w", attributeName(kind), err)
		}
		head[kind] = value
	}
	class, label, id := ulong(head[pkcs11.CKA_CLASS]), string(head[pkcs11.CKA_LABEL]), head[pkcs11.CKA_ID]
	kind, template := "foreign", []*pkcs11.Attribute(nil)
	network, name, isWallet := parseWalletLabel(label)
	switch {
	case class == pkcs11.CKO_PRIVATE_KEY && label == labelLog:
		kind, template = "log key", s.logTemplate(id)
	case class == pkcs11.CKO_SECRET_KEY && label == labelSealing:
		kind, template = "sealing key", s.sealingTemplate(id)
	case class == pkcs11.CKO_SECRET_KEY && label == labelMAC:
		kind, template = "sealing MAC key", s.macTemplate(id)
	case class == pkcs11.CKO_PRIVATE_KEY && isWallet:
		kind, template = "wallet key", s.quirk.without(ed25519PrivateTemplate(label, walletKeyID(genesis, network, name)))
	case class == pkcs11.CKO_PUBLIC_KEY && (label == labelLog || isWallet):
		kind, template = "public key", s.quirk.without(ed25519PublicTemplate(label, id, s.quirk.ecParams))
	case class == pkcs11.CKO_DATA && label == labelGenesis:
		kind, template = "genesis", s.quirk.without(dataTemplate(label, nil))
	case class == pkcs11.CKO_DATA && label == labelAnchor:
		kind, template = "anchor", s.quirk.without(dataTemplate(label, nil))
	}
	report, err := s.inspect(handle, template)
	if err != nil {
		return ObjectReport{}, err
	}
	report.Kind = kind
	if _, ok := generationOf(id); !ok && (kind == "log key" || kind == "sealing key") {
		report.Problems = append(report.Problems, fmt.Sprintf("ID is %x, it has to be 16 bytes: Kura did not make this key", id))
	}
	if kind == "foreign" {
		report.Problems = append(report.Problems, "Kura did not make this object; a token of Kura holds nothing else")
	}
	return report, nil
}
