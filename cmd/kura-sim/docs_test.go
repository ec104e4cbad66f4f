package main

import (
	"testing"

	"kura/docs/docstest"
)

// TestDocumentedCommands: what the documents show of kura-sim exists, with its flags.
func TestDocumentedCommands(t *testing.T) {
	rob := newRob()
	for _, shown := range docstest.Commands(t, "../..", "kura-sim") {
		if shown.Args[0] != rob.Name() {
			t.Errorf("%s: there is no command kura-sim %q", shown.Page, shown.Args)
			continue
		}
		for _, flag := range shown.Flags() {
			if rob.Flag(flag) == nil {
				t.Errorf("%s: %s has no flag --%s", shown.Page, rob.Name(), flag)
			}
		}
	}
}
