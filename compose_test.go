package kura_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// TestComposeFileHolds holds docker-compose.yml to its form, and to what it is for:
// there is no container engine where the tests run.
func TestComposeFileHolds(t *testing.T) {
	text, err := os.ReadFile("docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	type mounted struct {
		Source string `yaml:"source"`
		Target string `yaml:"target"`
	}
	type service struct {
		Image    string    `yaml:"image"`
		User     string    `yaml:"user"`
		Command  []string  `yaml:"command"`
		Networks []string  `yaml:"networks"`
		Ports    []string  `yaml:"ports"`
		ReadOnly bool      `yaml:"read_only"`
		CapDrop  []string  `yaml:"cap_drop"`
		Security []string  `yaml:"security_opt"`
		Secrets  []string  `yaml:"secrets"`
		Configs  []mounted `yaml:"configs"`
		Volumes  []string  `yaml:"volumes"`
	}
	var file struct {
		Services map[string]service `yaml:"services"`
		Networks map[string]struct {
			Internal bool `yaml:"internal"`
		} `yaml:"networks"`
		Volumes map[string]any `yaml:"volumes"`
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
	image, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	// Who is on which network, and has which volume and secret: nobody else may.
	networks, volumes, secrets := map[string][]string{}, map[string][]string{}, map[string][]string{}
	users := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		s := file.Services[name]
		for _, network := range s.Networks {
			networks[network] = append(networks[network], name)
		}
		for _, volume := range s.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			volumes[source] = append(volumes[source], name)
		}
		for _, secret := range s.Secrets {
			secrets[secret] = append(secrets[secret], name)
		}
		for _, config := range s.Configs {
			if _, ok := file.Configs[config.Source]; !ok {
				t.Errorf("%s mounts the config %s, which is not there", name, config.Source)
			}
		}
		if len(s.Networks) == 0 {
			t.Errorf("%s is on the default network, with everybody", name)
		}
		if name == "postgres" {
			continue
		}
		if owner, taken := users[s.User]; s.User == "" || taken {
			t.Errorf("%s runs as user %q, which is nobody or %s's", name, s.User, owner)
		}
		users[s.User] = name
		uid, _, _ := strings.Cut(s.User, ":")
		if !strings.Contains(string(image), "--uid "+uid+" ") {
			t.Errorf("the image has no user %s, whom %s runs as", uid, name)
		}
		if !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Equal(s.Security, []string{"no-new-privileges:true"}) {
			t.Errorf("%s is not hardened as the others are", name)
		}
		if len(s.Command) == 0 || !strings.Contains(string(image), "/src/.build/"+s.Command[0]+" ") {
			t.Errorf("the image does not hold the command %v of %s", s.Command, name)
		}
	}
	for _, held := range []struct {
		what      string
		have, own map[string][]string
	}{
		{"network", networks, map[string][]string{
			"front": {"gateway"}, "journal": {"migrate", "postgres", "signer"}, "witness": {"gateway", "witness"},
		}},
		{"volume", volumes, map[string][]string{
			"postgres-data": {"postgres"}, "token": {"signer"}, "signer-state": {"signer"}, "socket": {"gateway", "signer"}, "witness-state": {"witness"},
		}},
		{"secret", secrets, map[string][]string{
			"postgres_owner_password": {"postgres"}, "postgres_owner_dsn": {"migrate"}, "postgres_service_password": {"migrate"},
			"postgres_service_dsn": {"signer"}, "token_pin": {"signer"}, "gateway_tls_key": {"gateway"}, "gateway_tls_certificate": {"gateway"},
			"witness_key": {"witness"},
		}},
	} {
		if diff := cmp.Diff(held.own, held.have); diff != "" {
			t.Errorf("who has which %s (-want +got):\n%s", held.what, diff)
		}
	}
	for name, service := range file.Services {
		if name != "gateway" && len(service.Ports) > 0 {
			t.Errorf("%s has ports %v; only the gateway is reached from outside", name, service.Ports)
		}
	}
	for name, members := range networks {
		if network, ok := file.Networks[name]; !ok || network.Internal == (name == "front") {
			t.Errorf("the network %s of %v is not there, or leads where it must not", name, members)
		}
	}
	for name := range volumes {
		if _, ok := file.Volumes[name]; !ok {
			t.Errorf("volume %s is not there", name)
		}
	}
	for name, config := range file.Configs {
		if _, err := os.Stat(config.File); err != nil {
			t.Errorf("config %s: %v", name, err)
		}
	}
	for name := range secrets {
		if secret := file.Secrets[name]; secret.File != "./deploy/secrets/"+name {
			t.Errorf("secret %s is in %q, want ./deploy/secrets/%[1]s, which git ignores", name, secret.File)
		}
	}
}
