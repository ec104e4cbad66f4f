package kura_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// walled is what every unit must say.
var walled = []string{
	"NoNewPrivileges=yes", "CapabilityBoundingSet=", "AmbientCapabilities=", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes",
	"PrivateDevices=yes", "ProtectClock=yes", "ProtectHostname=yes", "ProtectControlGroups=yes", "ProtectKernelLogs=yes",
	"ProtectKernelModules=yes", "ProtectKernelTunables=yes", "RestrictNamespaces=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes",
	"LockPersonality=yes", "MemoryDenyWriteExecute=yes", "SystemCallArchitectures=native", "LimitCORE=0", "UMask=0077",
	"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "Restart=always",
}

// TestUnits holds deploy/systemd to its form: the walls of each unit, who runs where, and systemd's own judgement where
// it is installed. That the programs take the command lines is held by each program's tests.
func TestUnits(t *testing.T) {
	own := map[string][]string{
		"kura-signer": {
			"LimitMEMLOCK=infinity", "IPAddressDeny=any", "IPAddressAllow=localhost", "LoadCredential=token_pin:/etc/kura/secrets/token_pin",
			"RuntimeDirectoryMode=0750", "StateDirectoryMode=0700", "Group=kura-socket",
		},
		"kura-gateway": {"SupplementaryGroups=kura-socket", "ExecReload=/bin/kill -HUP $MAINPID"},
		"kura-witness": {"StateDirectory=kura-witness", "StateDirectoryMode=0700"},
	}
	users, err := os.ReadFile("deploy/systemd/kura.sysusers")
	if err != nil {
		t.Fatal(err)
	}
	copies := t.TempDir() // systemd wants the programs to be there
	var names []string
	for name, more := range own {
		text, err := os.ReadFile(filepath.Join("deploy/systemd", name+".service"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for _, want := range append(slices.Clone(walled), append(more, "User="+name)...) {
			if !slices.Contains(lines, want) {
				t.Errorf("%s.service does not say %s", name, want)
			}
		}
		if !strings.Contains(string(users), "\nu "+name+" ") {
			t.Errorf("kura.sysusers makes no user %s", name)
		}
		if name != "kura-witness" && slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "PrivateUsers=") }) {
			t.Errorf("%s.service has user numbers of its own, by which the signer could not tell its peers apart", name)
		}
		copied := filepath.Join(copies, name+".service")
		if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(text), "ExecStart=/usr/local/bin/", "ExecStart=/bin/sh ")), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, copied)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: systemd's own judgement was skipped")
		return
	}
	if out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, names...)...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	for _, name := range names { // 2.0 of 10 is the most exposure that is taken
		if out, err := exec.Command(analyze, "security", "--no-pager", "--offline=true", "--threshold=20", name).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze security: %v\n%s", err, out)
		}
	}
}
