package policy

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kura/nem"
)

func (v *validator) governance() {
	g := &v.p.doc.Governance
	v.change("governance.policy", g.Policy, 0)
	v.change("governance.addresses", g.Addresses, 0)
	v.quorums("governance.unfreeze.anyOf", g.Unfreeze.AnyOf)
	v.quorums("governance.resume.anyOf", g.Resume.AnyOf)
	if g.Recovery != nil {
		v.change("governance.recovery", *g.Recovery, MinRecoveryLock)
	}
	for i, q := range g.Policy.AnyOf {
		if !slices.ContainsFunc(q.AllOf, func(n Need) bool { return n.Group == DirectorRole }) {
			v.fail(fmt.Sprintf("governance.policy.anyOf[%d]", i), "want a need of group director in each alternative", "a policy is governed by directors")
		}
	}
	directors := len(v.p.groups[DirectorRole])
	least := 1
	if directors >= 3 {
		least = 2
	}
	if directors == 0 {
		v.fail("people", "give at least one person the role director", "nobody is a director")
	} else if g.Veto < least || g.Veto > directors {
		v.fail("governance.veto", fmt.Sprintf("want %d to %d", least, directors), "veto of %d with %d directors", g.Veto, directors)
	}
}

func (v *validator) change(path string, c Change, least Millis) {
	v.quorums(path+".anyOf", c.AnyOf)
	v.span(path+".timeLock", c.TimeLock, least, maxTimeLock)
}

// quorums reads alternatives: every group known, and no need that its group can
// never fill. Reaching a quorum with its different persons is Check's finding.
func (v *validator) quorums(path string, anyOf []Quorum) {
	if len(anyOf) == 0 {
		v.fail(path, "want at least one alternative", "a quorum of nobody")
	}
	for i, q := range anyOf {
		at := fmt.Sprintf("%s[%d].allOf", path, i)
		if len(q.AllOf) == 0 {
			v.fail(at, "want at least one need", "an alternative that asks nothing of anybody")
		}
		persons := false
		for j, n := range q.AllOf {
			here := fmt.Sprintf("%s[%d]", at, j)
			members := v.p.groups[n.Group]
			if len(members) == 0 {
				v.unknown(here+".group", "role or service", n.Group, v.groupNames())
				persons = true // perhaps: one mistake at a time
				continue
			}
			if slices.ContainsFunc(q.AllOf[:j], func(o Need) bool { return o.Group == n.Group }) {
				v.fail(here+".group", "add up the counts", "group %s stands twice in one quorum", quoted(n.Group))
			}
			if n.Count < 1 || n.Count > min(len(members), maxNeed) {
				v.fail(here+".count", fmt.Sprintf("want 1 to %d, as many as hold %s", min(len(members), maxNeed), n.Group), "count %d", n.Count)
			}
			persons = persons || members[0].Kind == PersonActor
		}
		if !persons && len(q.AllOf) > 0 {
			v.fail(at, "add a need that persons fill", "a quorum of services alone: a service never counts as a person")
		}
	}
}

func (v *validator) approval(path string, needed bool, a *Approval) {
	switch {
	case needed && a == nil:
		v.fail(path, `state who approves: approval: {anyOf: …, coolingOff: …, expiry: …, rejections: …}`, `"approve" without an approval`)
	case !needed && a != nil:
		v.fail(path, `leave approval out, or write "approve"`, "an approval that nothing asks for")
	case needed:
		v.quorums(path+".anyOf", a.AnyOf)
		v.span(path+".coolingOff", a.CoolingOff, 0, maxExpiry)
		v.span(path+".expiry", a.Expiry, minute, maxExpiry)
		if a.CoolingOff >= a.Expiry {
			v.fail(path+".expiry", "want more than coolingOff", "the request lapses after %s, before its cooling-off of %s can end", a.Expiry, a.CoolingOff)
		}
		v.count(path+".rejections", a.Rejections, 1, maxNeed)
	}
}

func (v *validator) tripwires() {
	t := &v.p.doc.Tripwires
	for i, key := range t.CanaryKeys {
		v.key(fmt.Sprintf("tripwires.canaryKeys[%d]", i), key, Actor{CanaryActor, fmt.Sprint(i + 1)})
	}
	for i, c := range t.CanaryAddresses {
		path := fmt.Sprintf("tripwires.canaryAddresses[%d]", i)
		var parsed canary
		if n, err := hex.Decode(parsed.salt[:], lowerHex(c.Salt, len(parsed.salt))); err != nil || n != len(parsed.salt) {
			v.fail(path+".salt", "want 32 lower-case hex digits, random: openssl rand -hex 16", "%s is no salt", quoted(c.Salt))
		}
		if n, err := hex.Decode(parsed.hash[:], lowerHex(c.Hash, len(parsed.hash))); err != nil || n != len(parsed.hash) {
			v.fail(path+".hash", "want 64 lower-case hex digits: SHA-256 of the salt's 16 bytes and the address; docs/policy.md shows how", "%s is no hash", quoted(c.Hash))
		}
		v.p.canaries = append(v.p.canaries, parsed)
	}
	for i, code := range t.Refusals.Codes {
		if !slices.Contains(RefusalCodes, code) {
			path := fmt.Sprintf("tripwires.refusals.codes[%d]", i)
			if Words(code) != code {
				v.fail(path, "want only what an honest client's own checks exclude: "+strings.Join(RefusalCodes, ", "), "honest clients are refused with %s, too", code)
			} else {
				v.unknown(path, "refusal", code, RefusalCodes)
			}
		}
	}
	if len(t.Refusals.Codes) > 0 {
		v.count("tripwires.refusals.count", t.Refusals.Count, 1, 1000)
		v.span("tripwires.refusals.window", t.Refusals.Window, 1000, day)
		v.span("tripwires.refusals.suspend", t.Refusals.Suspend, 1000, 30*day)
	}
}

// lowerHex gives the text if it is n bytes of lower-case hex by length and case, else nothing.
func lowerHex(text string, n int) []byte {
	if len(text) != 2*n || strings.ToLower(text) != text {
		return nil
	}
	return []byte(text)
}

func (v *validator) anchor() {
	a := &v.p.doc.Anchor
	v.span("anchor.every", a.Every, 1000, 31*day)
	for i, value := range a.Values {
		path := fmt.Sprintf("anchor.values[%d]", i)
		v.assetRef(path+".asset", value.Asset)
		if slices.ContainsFunc(a.Values[:i], func(o Value) bool { return o.Asset == value.Asset }) {
			v.fail(path+".asset", "each stands once", "asset %s stands twice", value.Asset)
		}
	}
}

func (v *validator) name(path, name string) {
	if !namePattern.MatchString(name) {
		v.fail(path, "want 1 to 64 lower-case letters, digits, '.', '_' or '-', beginning with a letter or digit", "%s is no name", quoted(name)+Odd(name))
	}
}

func (v *validator) line(path, text string, longest int) {
	if len(text) > longest || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		v.fail(path, fmt.Sprintf("want one line of at most %d bytes", longest), "%s is too long or has control characters", quoted(text))
	}
}

func (v *validator) span(path string, got, least, most Millis) {
	if got < least || got > most {
		v.fail(path, fmt.Sprintf("want %s to %s", least, most), "%s", got)
	}
}

func (v *validator) count(path string, got, least, most int) {
	if got < least || got > most {
		v.fail(path, fmt.Sprintf("want %d to %d", least, most), "%d", got)
	}
}

// ParseNetwork reads a network that a policy's wallets can be on.
func ParseNetwork(name string) (nem.Network, error) {
	n, err := walletNetwork(name)
	if err != nil {
		return 0, fmt.Errorf("%w; want one of %s", err, strings.Join(networkNames, ", "))
	}
	return n, nil
}

// walletNetwork is ParseNetwork without what would be right: a network's bytes must be known exactly.
func walletNetwork(name string) (nem.Network, error) {
	n, err := nem.ParseNetwork(name)
	if err != nil {
		return 0, fmt.Errorf("network %s is not known", quoted(name))
	}
	if n == nem.SymbolPrivate || n == nem.SymbolPrivateTest {
		return 0, fmt.Errorf("nothing can be signed for %s", name)
	}
	return n, nil
}

func (v *validator) network(path, name string) (nem.Network, bool) {
	n, err := walletNetwork(name)
	if err != nil {
		v.fail(path, "want one of "+strings.Join(networkNames, ", "), "%v", err)
		return 0, false
	}
	return n, true
}

// assetRef gives the index of a registry entry, -1 (and a mistake) if there is none.
func (v *validator) assetRef(path string, ref AssetRef) int {
	i := slices.IndexFunc(v.p.doc.Assets, func(a Asset) bool { return a.ID == ref })
	if i < 0 {
		v.unknown(path, "asset", string(ref), names(v.p.doc.Assets, func(x Asset) string { return string(x.ID) }))
	}
	return i
}

// unknown says that a name refers to nothing, and what it could have been.
func (v *validator) unknown(path, kind, name string, known []string) {
	if kind == "book" && len(name) > 30 { // an address, most likely
		v.fail(path, "name a book, and put the address into it with kura addresses propose", "%s is no book", quoted(name))
		return
	}
	want := "there is none in this policy yet"
	if len(known) > 0 {
		want = "want one of " + strings.Join(known[:min(len(known), 12)], ", ")
	}
	if near := Nearest(name, known); near != "" {
		want = "did you mean " + near + "?"
	}
	v.fail(path, want, "no %s is called %s", kind, quoted(name)+Odd(name))
}

func (v *validator) groupNames() []string {
	var all []string
	for name := range v.p.groups {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

func names[T, S any](list []T, name func(T) S) []S {
	out := make([]S, len(list))
	for i, x := range list {
		out[i] = name(x)
	}
	return out
}

// Nearest gives the known word that name is most likely a misspelling of, "" if
// none is close: at most two letters apart, and less than half of the word (with
// another first letter, a third).
func Nearest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(name, k); d < distance && (3*d <= len(k) || (2*d < len(k) && name[:1] == k[:1])) {
			best, distance = k, d
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
