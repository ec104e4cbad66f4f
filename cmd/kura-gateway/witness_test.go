package main

import (
	"strings"
	"testing"
)

// TestWitnessConfig reads where witnesses are, and names what is wrong with it.
func TestWitnessConfig(t *testing.T) {
	const rest = "listen = \":1\"\nsigner = \"s\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"\n"
	for _, c := range []struct{ name, text, want string }{
		{"two", "[[witness]]\nname = \"a\"\nurl = \"https://a.test/w\"\nca = \"ca.pem\"\n[[witness]]\nname = \"b\"\nurl = \"http://127.0.0.1:1\"\n", ""},
		{"no address", "[[witness]]\nname = \"a\"\n", "witness[0].url"},
		{"not an address", "[[witness]]\nname = \"a\"\nurl = \"ftp://a.test\"\n", "witness[0].url"},
		{"with a query", "[[witness]]\nname = \"a\"\nurl = \"https://a.test/?x=1\"\n", "witness[0].url"},
		{"no name", "[[witness]]\nurl = \"https://a.test\"\n", "witness[0].name"},
		{"twice", "[[witness]]\nname = \"a\"\nurl = \"https://a.test\"\n[[witness]]\nname = \"a\"\nurl = \"https://b.test\"\n", "witness[1].name"},
		{"unknown key", "[[witness]]\nname = \"a\"\nurl = \"https://a.test\"\nkey = \"x\"\n", "no such key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parseConfig(rest+c.text, "/etc/kura")
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("said %v, want %q", err, c.want)
			case err == nil && (len(config.Witnesses) != 2 || config.Witnesses[0].CA != "/etc/kura/ca.pem"):
				t.Errorf("%+v", config.Witnesses)
			}
		})
	}
	if _, err := newCouriers([]witnessConfig{{Name: "a", URL: "https://a.test", CA: "/nonexistent"}}, nil, nil); err == nil || !strings.Contains(err.Error(), "witness[0].ca") {
		t.Errorf("an authority that is missing: %v", err)
	}
}
