package ledger_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"kura/ledger"
)

var allKinds = []string{
	ledger.KindGenesis, ledger.KindFounding, ledger.KindStatement, ledger.KindOutcome, ledger.KindReasons,
	ledger.KindAdoption, ledger.KindInForce, ledger.KindTick, ledger.KindLook, ledger.KindStop, ledger.KindWallet,
	ledger.KindWalletState, ledger.KindSealing, ledger.KindSignature, ledger.KindStrand, ledger.KindStart, ledger.KindVouched, ledger.KindAlarm, ledger.KindRefused,
	ledger.KindGap, ledger.KindLogKey,
}

// TestDocumentedBodies reads the example of every kind in docs/journal.md as an entry's body, and looks for every kind
// and every member of it in that page's tables.
func TestDocumentedBodies(t *testing.T) {
	text, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Kinds\n")
	if !ok {
		t.Fatal("docs/journal.md has no section Kinds")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	overview, _, _ := strings.Cut(section, "\n### ")
	if source, err := os.ReadFile("kinds.go"); err != nil || len(regexp.MustCompile(`(?m)^\tKind\w+ += `).FindAll(source, -1)) != len(allKinds) {
		t.Errorf("kinds.go names other kinds than this test: %v", err)
	}
	documented := map[string]bool{}
	for _, part := range strings.Split(section, "\n### ")[1:] {
		heading, rest, _ := strings.Cut(part, "\n")
		kinds := strings.Split(heading, ", ")
		block := regexp.MustCompile("(?s)```json\n(.*?)```").FindStringSubmatch(rest)
		if block == nil {
			t.Errorf("%s has no example", heading)
			continue
		}
		examples := strings.Split(strings.TrimSpace(block[1]), "\n")
		if len(examples) != len(kinds) {
			t.Errorf("%s has %d examples", heading, len(examples))
			continue
		}
		prose := strings.Replace(rest, block[0], "", 1)
		inTables := map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(prose, -1) {
			for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[1], -1) {
				inTables[name[1]] = true
			}
		}
		for i, kind := range kinds {
			documented[kind] = true
			body, err := ledger.DecodeBody(kind, []byte(examples[i]))
			if err != nil {
				t.Error(err)
				continue
			}
			for _, f := range reflect.VisibleFields(reflect.TypeOf(body).Elem()) {
				if name := memberOf(f); !inTables[name] {
					t.Errorf("docs/journal.md has no row for %s of %s", name, kind)
				}
				for _, name := range innerMembers(f.Type) {
					if !regexp.MustCompile("[`\"]" + name + "[`\"]").MatchString(prose) {
						t.Errorf("docs/journal.md says nothing of %s in %s of %s", name, memberOf(f), kind)
					}
				}
			}
		}
	}
	for _, kind := range allKinds {
		if !documented[kind] || !strings.Contains(overview, "`"+kind+"`") {
			t.Errorf("docs/journal.md says nothing of %s", kind)
		}
	}
}

// TestDocumentedCodes: every code that this package adds, of outcomes and of alarms, is on the page.
func TestDocumentedCodes(t *testing.T) {
	page, err := os.ReadFile("../docs/journal.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range regexp.MustCompile(`(?m)\b(?:Code|Alarm)[A-Z]\w* += "(\w+)"`).FindAllStringSubmatch(string(source), -1) {
			if found++; !strings.Contains(string(page), "`"+code[1]+"`") {
				t.Errorf("docs/journal.md does not name the code %s of %s", code[1], file)
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d codes found", found)
	}
}

func memberOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// innerMembers are the members of the objects within a member, as far down as they go.
func innerMembers(t reflect.Type) (all []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name := memberOf(f); name != "" {
			all = append(append(all, name), innerMembers(f.Type)...)
		}
	}
	return all
}

func FuzzDecodeBody(f *testing.F) {
	for _, kind := range allKinds {
		f.Add(kind, `{}`)
	}
	for _, e := range storyEntries(f) {
		f.Add(e.Kind, string(e.Body))
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		body, err := ledger.DecodeBody(kind, []byte(text))
		if err != nil {
			return
		}
		again, err := ledger.EncodeBody(body)
		if err != nil || string(again) != text {
			t.Errorf("%s\nis written again as\n%s\n%v", text, again, err)
		}
	})
}
