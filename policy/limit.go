package policy

import (
	"fmt"
	"slices"
)

// KeyPart is a part of what a limit has separate windows for; the value is its
// bit in a Per.
type KeyPart uint8

// The parts, in the order in which documents write them.
const (
	PerWallet KeyPart = iota
	PerClient
	PerAsset
	PerDestination
	PerCustomer
	keyParts
)

// Per is a set of parts: each combination of their values has a window of its own.
type Per uint8

// Has tells whether the part is in the set.
func (p Per) Has(x KeyPart) bool { return p&(1<<x) != 0 }

// Names lists the set in the order of the document.
func (p Per) Names() []string {
	var out []string
	for x := range keyParts {
		if p.Has(x) {
			out = append(out, perNames[x])
		}
	}
	return out
}

// limit is a Limit made ready for judging.
type limit struct {
	id       string
	count    bool // of count, not amount
	wallets  set
	clients  set
	assets   set
	per      Per
	max      uint64
	window   int64
	at       string
	always   bool
	approval *Approval
}

func (v *validator) limits() {
	d := &v.p.doc
	v.p.limits = make([]limit, len(d.Limits))
	for i, x := range d.Limits {
		path := fmt.Sprintf("limits[%d]", i)
		v.name(path+".id", x.ID)
		if slices.ContainsFunc(d.Limits[:i], func(y Limit) bool { return y.ID == x.ID }) {
			v.fail(path+".id", "each stands once", "limit %s stands twice", quoted(x.ID))
		}
		l := limit{id: x.ID, count: x.Of == ofCount, max: uint64(x.Max), window: int64(x.Window), at: x.At, always: x.Always, approval: x.Approval}
		switch x.Of {
		case ofAmount:
			if len(x.Asset) != 1 {
				v.fail(path+".asset", "state exactly one asset: amounts of different assets cannot be added up", "an amount of which asset?")
			}
		case ofCount:
		default:
			v.fail(path+".of", `want "amount" or "count"`, "%s", quoted(x.Of))
		}
		l.wallets = v.walletSet(path+".wallet", x.Wallet)
		l.clients = v.clientSet(path+".client", x.Client)
		l.assets = v.assetSet(path+".asset", x.Asset)
		for j, name := range x.Per {
			here := fmt.Sprintf("%s.per[%d]", path, j)
			k := slices.Index(perNames, name)
			switch {
			case k < 0:
				v.unknown(here, "part of a key", name, perNames)
			case l.per.Has(KeyPart(k)):
				v.fail(here, "name each once", "%s stands twice", name)
			case l.per>>k != 0:
				v.fail(here, "want the order wallet, client, asset, destination, customer", "%s out of order", name)
			default:
				l.per |= 1 << k
			}
		}
		v.span(path+".window", x.Window, 1000, MaxWindow)
		switch x.At {
		case atDeny, atWait:
		case atApprove:
			if x.Always {
				v.fail(path+".at", `want "deny" or "wait", or always: false`, "an always limit binds what a quorum approved, so no approval can lift it")
			}
		default:
			v.fail(path+".at", `want "deny", "approve" or "wait"`, "%s", quoted(x.At))
		}
		if x.At != atApprove || !x.Always { // else one mistake at a time
			v.approval(path+".approval", x.At == atApprove, x.Approval)
		}
		v.p.limits[i] = l
	}
	if len(d.Limits) > 250 {
		v.fail("limits", "want at most 250", "%d limits", len(d.Limits))
	}
}
