package source

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"kura/nem"
	"kura/policy"
)

// amount reads "250000 XEM". Which asset it is of stands elsewhere, so it is
// worked out when the whole document has been read.
func (d *decoder) amount(n *node, v reflect.Value, path string) {
	owners := slices.Clone(d.owners)
	d.amounts = append(d.amounts, func(doc *policy.Document) {
		asset, plainNumber := assetOf(doc, owners)
		switch {
		case n.kind != text && n.kind != integer:
			d.fail(n, path, "want an amount such as 250000 XEM", "%s", n)
		case plainNumber || (n.quoted && !strings.Contains(n.value, " ")):
			x, err := nem.ParseAmount(n.value)
			want := "want a whole number in plain digits" + n.plainDigits()
			if digits(n.value) && n.value[0] != '0' {
				want = "want a smaller number"
			}
			if err != nil {
				d.fail(n, path, want, "%s", shown(n.value)+policy.Odd(n.value))
			}
			v.SetUint(uint64(x))
		case asset == nil:
			want := "name the asset that the amount is of, once and as it stands in assets"
			if w, ok := owners[len(owners)-1].(*policy.Wallet); ok {
				want = "put the currency of " + w.Network + " into assets: fees are paid in it"
			}
			d.homeless = append(d.homeless, &Mistake{Line: n.line, Column: n.column, Path: path, What: shown(n.value) + " of which asset?", Want: want})
			if strings.HasSuffix(path, ".upTo") {
				v.SetUint(1) // so that it lies above an "above" that is homeless, too
			}
		default:
			x, what, want := readAmount(n.value, asset)
			if what != "" {
				d.fail(n, path, want, "%s", what)
			}
			v.SetUint(uint64(x))
		}
	})
}

// readAmount reads an amount of an asset, or says what is wrong with it.
func readAmount(text string, asset *policy.Asset) (x nem.Amount, what, want string) {
	number, unit, spaced := strings.Cut(text, " ")
	quoted := shown(text) + policy.Odd(text)
	x, scaled := scale(number, int(asset.Divisibility))
	if spaced && scaled && unit == asset.Name {
		return x, "", ""
	}
	want = fmt.Sprintf("want digits, _ between thousands if you like, at most %d after the point, a space, and %s", asset.Divisibility, asset.Name)
	if meant, ok := meantAmount(text, asset); ok {
		want = fmt.Sprintf("write %s %s", meant, asset.Name)
	}
	switch {
	case strings.Trim(text, "0123456789_.") == "":
		return 0, text + " without a unit", want + ", or digits in quotes for the smallest unit"
	case spaced && scaled && !strings.EqualFold(unit, asset.Name) && strings.Trim(unit, letters) == "":
		return 0, "the unit " + shown(unit), fmt.Sprintf("want the unit of %s, %s", asset.ID, asset.Name)
	case unit == asset.Name && strings.Trim(number, "0123456789_") == "" && len(number) > 12:
		return 0, quoted, "want less: nothing holds so much"
	}
	return 0, quoted, want
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// meantAmount gives the number of an amount that is written in another usual way:
// the unit in front or close behind, in small letters, thousands set apart by
// commas.
func meantAmount(text string, asset *policy.Asset) (string, bool) {
	var number, unit strings.Builder
	for _, r := range text {
		switch {
		case unicode.IsLetter(r):
			unit.WriteRune(r)
		case r == ',':
			number.WriteByte('_')
		case !unicode.IsSpace(r):
			number.WriteRune(r)
		}
	}
	_, ok := scale(number.String(), int(asset.Divisibility))
	return number.String(), ok && (unit.Len() == 0 || strings.EqualFold(unit.String(), asset.Name))
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
