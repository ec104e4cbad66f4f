package source

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"kura/nem"
	"kura/policy"
)

// Compile reads a policy file, YAML or JSON, and gives the policy, whose Text is
// what is proposed and signed. The error is Mistakes.
func Compile(file []byte) (*policy.Policy, error) {
	if trimmed := bytes.TrimSpace(file); len(trimmed) > 0 && trimmed[0] == '{' {
		return compileJSON(trimmed)
	}
	doc := &policy.Document{}
	places, err := decode(file, doc)
	if err != nil {
		return nil, err
	}
	p, err := policy.New(*doc)
	if err != nil {
		return nil, places.locate(err)
	}
	return p, nil
}

// Addresses reads an address-book change as people write it.
func Addresses(file []byte) (*policy.BookChange, error) {
	change := &policy.BookChange{}
	places, err := decode(file, change)
	if err != nil {
		return nil, err
	}
	checked, err := policy.ParseBookChange(change.Text())
	if err != nil {
		return nil, places.locate(err)
	}
	if err := checked.Check(); err != nil {
		return nil, places.locate(err)
	}
	return checked, nil
}

// compileJSON takes compiled JSON with any white space.
func compileJSON(file []byte) (*policy.Policy, error) {
	compact := jsontext.Value(bytes.Clone(file))
	if err := compact.Compact(); err != nil {
		return nil, Mistakes{{What: "not JSON: " + err.Error()}}
	}
	p, err := policy.Parse(compact)
	if err == nil {
		return p, nil
	}
	places := places{}
	if root, m := parse(file); m == nil {
		places.note(root, "")
	}
	return nil, places.locate(err)
}

// decode reads YAML into a document.
func decode(file []byte, into any) (places, error) {
	root, mistake := parse(file)
	if mistake != nil {
		return nil, Mistakes{mistake}
	}
	d := &decoder{places: places{}}
	d.value(root, reflect.ValueOf(into).Elem(), "")
	if doc, ok := into.(*policy.Document); ok {
		for _, resolve := range d.amounts {
			resolve(doc)
		}
	}
	if len(d.mistakes) > 0 {
		slices.SortStableFunc(d.mistakes, func(a, b *Mistake) int {
			if a.Line != b.Line {
				return a.Line - b.Line
			}
			return a.Column - b.Column
		})
		return nil, d.mistakes
	}
	return d.places, nil
}

// places knows where each part of a document stands.
type places map[string]*node

// note enters a whole tree; decode enters what it reads.
func (p places) note(n *node, path string) {
	p[path] = n
	for i, item := range n.items {
		if n.kind == list {
			p.note(item, fmt.Sprintf("%s[%d]", path, i))
		} else {
			p.note(item, join(path, n.keys[i].value))
		}
	}
}

// locate gives a document's errors their places: that of the part, or of the
// smallest one around it.
func (p places) locate(err error) error {
	list, ok := errors.AsType[policy.Errors](err)
	if !ok {
		return err
	}
	out := make(Mistakes, len(list))
	for i, e := range list {
		out[i] = &Mistake{Path: e.Path, What: e.What, Want: e.Want}
		for path := e.Path; ; path = path[:strings.LastIndexAny(path, ".[")] {
			if n, ok := p[path]; ok {
				out[i].Line, out[i].Column = n.line, n.column
				break
			}
			if !strings.ContainsAny(path, ".[") {
				break
			}
		}
	}
	slices.SortStableFunc(out, func(a, b *Mistake) int { return a.Line - b.Line })
	return out
}

// decoder fills a document by its Go types: the types are the schema.
type decoder struct {
	places   places
	mistakes Mistakes
	owners   []any // structs around the present value, innermost last
	amounts  []func(*policy.Document)
}

func (d *decoder) fail(n *node, path, want, what string, args ...any) {
	d.mistakes = append(d.mistakes, &Mistake{Line: n.line, Column: n.column, Path: path, What: fmt.Sprintf(what, args...), Want: want})
}

func (d *decoder) expect(n *node, path string, want kind, example string) bool {
	if n.kind == want {
		return true
	}
	found := kindNames[n.kind]
	if n.kind == integer || n.kind == boolean {
		found = n.value
	}
	d.fail(n, path, "want "+kindNames[want]+example, "%s", found)
	return false
}

var (
	spanType   = reflect.TypeFor[policy.Millis]()
	amountType = reflect.TypeFor[policy.Units]()
)

func (d *decoder) value(n *node, v reflect.Value, path string) {
	d.places[path] = n
	switch {
	case v.Type() == spanType:
		d.span(n, v, path)
	case v.Type() == amountType:
		d.amount(n, v, path)
	default:
		d.plain(n, v, path)
	}
}

func (d *decoder) plain(n *node, v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), path)
	case reflect.Struct:
		if d.expect(n, path, mapping, "") {
			d.structure(n, v, path)
		}
	case reflect.Slice:
		if !d.expect(n, path, list, ": - or [ ]") {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
		for i, item := range n.items {
			d.value(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.String:
		if d.expect(n, path, text, "; put quotes around it") {
			v.SetString(n.value)
		}
	case reflect.Bool:
		if d.expect(n, path, boolean, "") {
			v.SetBool(n.value == "true")
		}
	case reflect.Int, reflect.Int64:
		if d.expect(n, path, integer, "") {
			x, err := strconv.ParseInt(n.value, 10, v.Type().Bits())
			if err != nil {
				d.fail(n, path, "want a smaller number", "%s", n.value)
			}
			v.SetInt(x)
		}
	default: // unsigned numbers are all that is left of the document's types
		if d.expect(n, path, integer, "") {
			x, err := strconv.ParseUint(n.value, 10, v.Type().Bits())
			if err != nil {
				d.fail(n, path, "want a smaller number", "%s", n.value)
			}
			v.SetUint(x)
		}
	}
}

// structure reads a mapping into a struct: no member unknown, none missing but
// those that may be absent.
func (d *decoder) structure(n *node, v reflect.Value, path string) {
	d.owners = append(d.owners, v.Addr().Interface())
	defer func() { d.owners = d.owners[:len(d.owners)-1] }()
	var known []string
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		known = append(known, name)
	}
	meant := d.unknown(n, path, known)
	for i, name := range known {
		_, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		at := slices.IndexFunc(n.keys, func(k *node) bool { return k.value == name })
		switch {
		case at >= 0:
			d.value(n.items[at], v.Field(i), join(path, name))
		case options != "omitzero" && !slices.Contains(meant, name):
			d.fail(n, path, fmt.Sprintf("write it out: nothing has a default (%s)", example(v.Field(i).Type())), "%s is missing", name)
		}
	}
}

// unknown finds the mapping's members that are none, and gives the names that
// were probably meant: they are misspelt and not missing.
func (d *decoder) unknown(n *node, path string, known []string) (meant []string) {
	for _, key := range n.keys {
		if slices.Contains(known, key.value) {
			continue
		}
		want := "want only " + strings.Join(known, ", ")
		if near := policy.Nearest(key.value, known); near != "" {
			want, meant = "did you mean "+near+"?", append(meant, near)
		}
		d.fail(key, path, want, "%s is no member", strconv.QuoteToGraphic(key.value))
	}
	return meant
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// example says how an empty or usual value of a type is written.
func example(t reflect.Type) string {
	switch {
	case t == spanType:
		return "a span such as 30m or 24h"
	case t == amountType:
		return "an amount such as 100 XEM"
	}
	switch t.Kind() {
	case reflect.Slice:
		return "[] if there is none"
	case reflect.String:
		return `"" if there is none`
	case reflect.Bool:
		return "true or false"
	case reflect.Struct:
		return "a mapping"
	default:
		return "a number"
	}
}

// span reads "30m", "1h30m", "14d", "0s".
func (d *decoder) span(n *node, v reflect.Value, path string) {
	const want = `want a span such as "30m", "1h30m" or "14d" (units d, h, m, s, ms, the larger first)`
	if n.kind != text {
		d.fail(n, path, want, "%s", n.value)
		return
	}
	span, ok := Span(n.value)
	switch {
	case n.value == "":
		d.fail(n, path, want, "no span")
	case !ok:
		d.fail(n, path, want, "%s", strconv.QuoteToGraphic(n.value))
	default:
		v.SetInt(int64(span))
	}
}

// Span reads a span as documents write it: "30m", "1h30m", "14d", "0s".
func Span(text string) (policy.Millis, bool) {
	total, rest, last := int64(0), text, int64(1<<62)
	for rest != "" {
		digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		unit := rest[len(digits):]
		if i := strings.IndexAny(unit, "0123456789"); i >= 0 {
			unit = unit[:i]
		}
		rest = rest[len(digits)+len(unit):]
		size := map[string]int64{"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}[unit]
		count, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || size == 0 || size >= last || count > (1<<53)/size {
			return 0, false
		}
		total, last = total+count*size, size
	}
	return policy.Millis(total), text != ""
}

// amount reads "250000 XEM". Which asset it is of stands elsewhere, so it is
// worked out when the whole document has been read.
func (d *decoder) amount(n *node, v reflect.Value, path string) {
	owners := slices.Clone(d.owners)
	d.amounts = append(d.amounts, func(doc *policy.Document) {
		number, unit, spaced := strings.Cut(n.value, " ")
		asset, plainNumber := assetOf(doc, owners)
		switch {
		case n.kind != text && n.kind != integer:
			d.fail(n, path, "want an amount such as 250000 XEM", "%s", kindNames[n.kind])
		case plainNumber || (n.quoted && !spaced):
			x, err := nem.ParseAmount(n.value)
			if err != nil {
				d.fail(n, path, "want a whole number in plain digits", "%s", strconv.QuoteToGraphic(n.value))
			}
			v.SetUint(uint64(x))
		case asset == nil:
			want := "name the asset that the amount is of, once and as it stands in assets"
			if w, ok := owners[len(owners)-1].(*policy.Wallet); ok {
				want = fmt.Sprintf("want nis1-mainnet or another network, and its currency in assets: the wallet's network is %s", strconv.QuoteToGraphic(w.Network))
			}
			d.fail(n, path, want, "%s of which asset?", strconv.QuoteToGraphic(n.value))
		case !spaced:
			d.fail(n, path, fmt.Sprintf("write %s %s, or digits in quotes for the smallest unit", n.value, asset.Name), "%s without a unit", n.value)
		case unit != asset.Name:
			d.fail(n, path, fmt.Sprintf("want the unit of %s, %s", asset.ID, asset.Name), "the unit %s", strconv.QuoteToGraphic(unit))
		default:
			x, ok := scale(number, int(asset.Divisibility))
			if !ok {
				d.fail(n, path, fmt.Sprintf("want digits, _ between thousands if you like, at most %d after the point", asset.Divisibility), "%s", strconv.QuoteToGraphic(number))
			}
			v.SetUint(uint64(x))
		}
	})
}

// assetOf finds what an amount is of by what it stands in; the second result
// tells that it is a plain number: a count, a supply, a percentile.
func assetOf(doc *policy.Document, owners []any) (*policy.Asset, bool) {
	var ref policy.AssetRef
	for i := len(owners) - 1; i >= 0; i-- {
		switch x := owners[i].(type) {
		case *policy.Asset:
			return nil, true // its supply
		case *policy.Levy:
			if x.Kind == "percentile" {
				return nil, true
			}
			ref = x.Asset
		case *policy.Value:
			ref = x.Asset
		case *policy.When:
			if len(x.Asset) == 1 {
				ref = x.Asset[0]
			}
		case *policy.Limit:
			if x.Of == "count" {
				return nil, true
			}
			if len(x.Asset) == 1 {
				ref = x.Asset[0]
			}
		case *policy.Wallet:
			ref = currency(doc, x.Network)
		default:
			continue
		}
		break
	}
	for i := range doc.Assets {
		if doc.Assets[i].ID == ref && ref != "" {
			return &doc.Assets[i], false
		}
	}
	return nil, false
}

// currency finds the registry's name for what a network's fees are paid in.
func currency(doc *policy.Document, name string) policy.AssetRef {
	network, err := nem.ParseNetwork(name)
	if err != nil {
		return ""
	}
	for _, a := range doc.Assets {
		if a.Network == name && a.Asset == nem.Currency(network).String() {
			return a.ID
		}
	}
	return ""
}

// scale turns whole units with a point into smallest units, exactly.
func scale(number string, divisibility int) (nem.Amount, bool) {
	whole, fraction, point := strings.Cut(number, ".")
	if groups := strings.Split(whole, "_"); len(groups) > 1 {
		for i, g := range groups {
			if len(g) > 3 || (i > 0 && len(g) != 3) {
				return 0, false
			}
		}
		whole = strings.Join(groups, "")
	}
	if whole == "" || len(fraction) > divisibility || (point && fraction == "") {
		return 0, false
	}
	digits := strings.TrimLeft(whole+fraction+strings.Repeat("0", divisibility-len(fraction)), "0")
	if digits == "" {
		digits = "0"
	}
	x, err := nem.ParseAmount(digits)
	return x, err == nil
}
