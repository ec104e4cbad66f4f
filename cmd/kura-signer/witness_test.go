package main

import (
	"strings"
	"testing"

	"kura/journal/cosign"
)

// TestWitnessConfig reads the members about witnesses and several signers, and names what is wrong with them.
func TestWitnessConfig(t *testing.T) {
	a, b := cosign.Key{Name: "a.test", Public: [32]byte{1}}.String(), cosign.Key{Name: "b.test", Public: [32]byte{2}}.String()
	const embedded, shared = "kind = \"embedded\"\npath = \"j\"\n", "kind = \"postgres\"\ndsn_file = \"d\"\nshared = true\n"
	for _, c := range []struct {
		name, top, journal string
		want               string // part of the error; "" for none
		before             bool   // nothing leaves before it is cosigned
	}{
		{"none", "", embedded, "", false},
		{"before release unless it says otherwise", `witnesses = ["` + a + `"]` + "\nwitness_quorum = 1\n", embedded, "", true},
		{"in the background", `witnesses = ["` + a + `"]` + "\nwitness_quorum = 1\ncosign_before_release = false\n", embedded, "", false},
		{"two of two", `witnesses = ["` + a + `", "` + b + `"]` + "\nwitness_quorum = 2\ncosign_before_release = true\n", shared, "", true},
		{"half of them", `witnesses = ["` + a + `", "` + b + `"]` + "\nwitness_quorum = 1\n", embedded, "witnesses: a quorum of 1 of 2", false},
		{"no quorum", `witnesses = ["` + a + `"]` + "\n", embedded, "witnesses: a quorum of 0 of 1", false},
		{"not a key line", `witnesses = ["a.test"]` + "\nwitness_quorum = 1\n", embedded, "witnesses: ", false},
		{"quorum of nobody", "witness_quorum = 1\n", embedded, "no witness is named", false},
		{"shared, in the background", `witnesses = ["` + a + `"]` + "\nwitness_quorum = 1\ncosign_before_release = false\n", shared, "cosign_before_release: must be true", false},
		{"shared, without witnesses", "", shared, "cosign_before_release: must be true", false},
		{"shared, embedded", "", embedded + "shared = true\n", "journal.shared: belongs to kind postgres", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parseConfig(c.top+`origin = "o"
state_dir = "state"
socket = "s"
gateway_uid = 1
admin_socket = "a"
anchor_file = "anchor"
[token]
module = "m"
label = "l"
[journal]
`+c.journal, "/base")
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("said %v, want %q", err, c.want)
			case err == nil:
				w, err := config.witnesses()
				if err != nil || w.Newest.Name() != "anchor file /base/state/cosigned" || len(w.Keys) != w.Quorum || w.BeforeRelease != c.before {
					t.Errorf("%+v, %v", w, err)
				}
			}
		})
	}
}
