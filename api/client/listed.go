package client

import (
	"regexp"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"kura/nem"
	"kura/signer/rpc"
	"kura/statement"
)

// Lists and the signer's state are never proven. They are held to their form like everything else that is told
// (told.go): a row that has a form and does not keep it is dropped.

var (
	plainForm  = regexp.MustCompile(`^[!#-~ ]{0,200}$`) // visible ASCII without double quotes
	digitsForm = regexp.MustCompile(`^[0-9]{1,20}$`)

	custodies  = []string{"token", "sealed"}
	keyStates  = []string{"active", "suspended", "retired", "compromised", "missing"}
	roles      = []string{"leader", "standby", "signer"}
	clockKinds = []string{"real", "simulated"}
)

// plain leaves a label as it is if nothing in it could surprise a reader, and quotes it otherwise.
func plain(text string) string {
	if plainForm.MatchString(text) {
		return text
	}
	return statement.Quote(text, maxField)
}

func heldWallets(told []rpc.Wallet) []rpc.Wallet {
	return slices.DeleteFunc(told, func(w rpc.Wallet) bool {
		network, err := nem.ParseNetwork(w.Network)
		if err != nil || !keeps(w.ID, statement.ParseName) || !keeps(w.PublicKey, nem.ParsePublicKey) {
			return true
		}
		_, err = nem.ParseAddress(network, w.Address)
		return err != nil || !slices.Contains(custodies, w.Custody) || !slices.Contains(keyStates, w.State)
	})
}

func heldLimits(told []rpc.Limit) []rpc.Limit {
	told = slices.DeleteFunc(told, func(l rpc.Limit) bool {
		return !keeps(l.ID, statement.ParseName) || !digitsForm.MatchString(l.Max) || l.Used != "" && !digitsForm.MatchString(l.Used) ||
			l.FreesAt != "" && !keeps(l.FreesAt, statement.ParseTime)
	})
	for i := range told {
		told[i].Key, told[i].Asset = plain(told[i].Key), plain(told[i].Asset)
	}
	return told
}

// holdReady holds what a gateway says of its signer to its form. A member without one is emptied: that the signer is
// ready is not proven in any case.
func holdReady(r *rpc.Ready) {
	for _, m := range []struct {
		text  *string
		known []string
	}{{&r.Role, roles}, {&r.Clock, clockKinds}} {
		if !slices.Contains(m.known, *m.text) {
			*m.text = ""
		}
	}
	if !keeps(r.Root, tlog.ParseHash) {
		r.Root = ""
	}
	if !keeps(r.Policy, statement.ParseHash) {
		r.Policy = ""
	}
	r.Rollback = plain(r.Rollback)
	r.Reasons = slices.DeleteFunc(r.Reasons, func(reason rpc.Reason) bool { return !codeForm.MatchString(reason.Code) })
	for i := range r.Reasons {
		r.Reasons[i].Detail = statement.Quote(r.Reasons[i].Detail, maxDetail)
	}
	for i := range r.Witnesses {
		w := &r.Witnesses[i]
		w.Name = plain(w.Name)
		if w.Trouble != "" {
			w.Trouble = statement.Quote(w.Trouble, maxDetail)
		}
		if !keeps(w.Time, statement.ParseTime) {
			w.Time = ""
		}
	}
}
