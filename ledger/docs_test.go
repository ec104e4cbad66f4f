package ledger_test

import (
	"os"
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

// TestDocumentedBodies reads the example of every kind in docs/journal.md as an entry's body.
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
		for i, kind := range kinds {
			documented[kind] = true
			if _, err := ledger.DecodeBody(kind, []byte(examples[i])); err != nil {
				t.Error(err)
			}
		}
	}
	for _, kind := range allKinds {
		if !documented[kind] {
			t.Errorf("docs/journal.md says nothing of %s", kind)
		}
	}
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
