package kura_test

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestComposeFileHolds holds docker-compose.yml to its form, and to what it is for:
// there is no container engine where the tests run.
func TestComposeFileHolds(t *testing.T) {
	text, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	type service struct {
		Image    string   `yaml:"image"`
		User     string   `yaml:"user"`
		Networks []string `yaml:"networks"`
		Ports    []string `yaml:"ports"`
		ReadOnly bool     `yaml:"read_only"`
	}
	var file struct {
		Services map[string]service `yaml:"services"`
		Networks map[string]struct {
			Internal bool `yaml:"internal"`
		} `yaml:"networks"`
		Configs map[string]struct {
			File string `yaml:"file"`
		} `yaml:"configs"`
		Secrets map[string]struct {
			File string `yaml:"file"`
		} `yaml:"secrets"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	users := map[string]string{}
	for _, name := range []string{"postgres", "migrate", "signer", "gateway"} {
		s, ok := file.Services[name]
		if !ok {
			t.Errorf("there is no service %s", name)
			continue
		}
		if name == "postgres" {
			continue
		}
		if owner, taken := users[s.User]; s.User == "" || taken {
			t.Errorf("%s runs as user %q, which is nobody or %s's", name, s.User, owner)
		}
		users[s.User] = name
		if !s.ReadOnly {
			t.Errorf("%s may write to its image", name)
		}
	}
	signer := file.Services["signer"]
	if len(signer.Ports) > 0 || len(signer.Networks) == 0 {
		t.Errorf("the signer has ports %v and networks %v; it must be reached by nobody and reach the database only", signer.Ports, signer.Networks)
	}
	for _, network := range signer.Networks {
		if !file.Networks[network].Internal {
			t.Errorf("the signer is on network %s, which is not internal", network)
		}
	}
	for name, config := range file.Configs {
		if _, err := os.Stat(config.File); err != nil {
			t.Errorf("config %s: %v", name, err)
		}
	}
	for name, secret := range file.Secrets {
		if !strings.HasPrefix(secret.File, "./deploy/secrets/") {
			t.Errorf("secret %s is in %s, want ./deploy/secrets/, which git ignores", name, secret.File)
		}
	}
}
