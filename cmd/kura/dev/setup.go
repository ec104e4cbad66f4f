package dev

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"kura/policy"
	"kura/policy/source"
)

// setUp makes everything that stands before a signer can serve: directories,
// keys, certificate, token, and the genesis with policy 1.
func (d *deployment) setUp(ctx context.Context) error {
	if err := d.makeDirectories(); err != nil {
		return err
	}
	d.now("keys of %s, each in a home of its own", strings.Join(source.DevParties, ", "))
	for _, party := range source.DevParties {
		if err := makeParty(d.home(party), party); err != nil {
			return err
		}
	}
	d.now("a TLS certificate for 127.0.0.1 and localhost, self-signed, 90 days")
	if err := makeCertificate(d.path(caFile), d.path(gatewayDir, "key.pem"), time.Now()); err != nil {
		return err
	}
	if err := os.WriteFile(d.path(listenFile), []byte(d.Listen+"\n"), 0o644); err != nil {
		return err
	}
	if err := d.writeConfigs(); err != nil {
		return err
	}
	if d.Journal != "" {
		d.now("the journal's tables in PostgreSQL, and a role that can only insert and select")
		if err := d.migrate(ctx); err != nil {
			return err
		}
	}
	d.now("a SoftHSM token: PIN of 128 random bits, sealing key, log key")
	if err := d.giveAway(); err != nil {
		return err
	}
	if _, err := d.signer(ctx, "token", "init", "--config", d.path(signerConfig)); err != nil {
		return err
	}
	d.now("the genesis: policy 1, approved by two of its three directors")
	return d.found(ctx)
}

func (d *deployment) makeDirectories() error {
	for _, dir := range []struct {
		name string
		mode os.FileMode
	}{
		{"", 0o755}, {signerDir, 0o700}, {gatewayDir, 0o700}, {runDir, 0o755}, {logDir, 0o755}, {policyDir, 0o755}, {homesDir, 0o755},
	} {
		if err := os.MkdirAll(d.path(dir.name), dir.mode); err != nil {
			return err
		}
	}
	return os.MkdirAll(d.path(signerDir, "tokens"), 0o700)
}

// giveAway hands each daemon its own directory. Without separate users it does
// nothing but say what that weakens.
func (d *deployment) giveAway() error {
	if !d.users.separate {
		d.say("    NOTE: signer and gateway run as one user (%s): whoever breaks into the", d.users.why)
		d.say("    gateway can read the signer's files. Never do this in production.")
		return nil
	}
	if err := own(d.path(signerDir), d.users.signer); err != nil {
		return err
	}
	if err := own(d.path(runDir), d.users.signer); err != nil {
		return err
	}
	return own(d.path(gatewayDir), d.users.gateway)
}

func (d *deployment) writeConfigs() error {
	softhsm := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\nlibrary.reset_on_fork = true\n",
		d.path(signerDir, "tokens"))
	if err := os.WriteFile(d.path(signerDir, softhsmConfig), []byte(softhsm), 0o644); err != nil {
		return err
	}
	journal := fmt.Sprintf("kind = \"embedded\"\npath = %q\n", d.path(signerDir, journalFile))
	if d.Journal != "" {
		if err := d.writeDSNs(); err != nil {
			return err
		}
		journal = fmt.Sprintf("kind = \"postgres\"\ndsn_file = %q\n", d.path(signerDir, serviceDSN))
	}
	signer := fmt.Sprintf(`# Made by kura dev. docs/operations.md explains every setting.
origin       = "kura.dev/%d"
state_dir    = %q
socket       = %q
gateway_uid  = %d
admin_socket = %q
anchor_file  = %q

[token]
module       = %q
label        = "kura-dev"
pin_file     = %q
softhsm_conf = %q
# SoftHSM 2.6.1 loses Ed25519 keys to C_DigestKey: see softhsm/README.md.
accept_leaky_token = "a development directory, never funded"

[journal]
%s`,
		time.Now().Unix(), d.path(signerDir), d.path(runDir, signerSocket), d.users.gateway, d.path(runDir, adminSocket),
		d.path(signerDir, anchorFile), softhsmModule(), d.path(signerDir, pinFile), d.path(signerDir, softhsmConfig), journal)
	if err := os.WriteFile(d.path(signerConfig), []byte(signer), 0o644); err != nil {
		return err
	}
	gateway := fmt.Sprintf(`# Made by kura dev. docs/rest.md explains every setting.
listen = %q
signer = %q
%s
[tls]
certificate = %q
key         = %q

[metrics]
observers = ["127.0.0.0/8", "::1/128"] # this machine: no proxy stands in front
`, d.Listen, d.path(runDir, signerSocket), d.acceptRoot(), d.path(caFile), d.path(gatewayDir, "key.pem"))
	return os.WriteFile(d.path(gatewayConfig), []byte(gateway), 0o644)
}

// acceptRoot lets the gateway run as root where there is no other way: as root,
// below a directory that is closed to every other user.
func (d *deployment) acceptRoot() string {
	if d.users.separate || d.users.gateway != 0 {
		return ""
	}
	return fmt.Sprintf("accept_root = %q\n", "a development directory; "+d.users.why)
}

// softhsmModule is where Debian puts SoftHSM.
func softhsmModule() string { return "/usr/lib/softhsm/libsofthsm2.so" }

// signer runs a kura-signer command as the signer's user and returns what it printed.
func (d *deployment) signer(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.binary(signerBinary), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Dir = "/"
	if d.users.separate {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(d.users.signer)}
	}
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", signerBinary, strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// keys reads everybody's public key.
func (d *deployment) keys() (map[string]string, error) {
	keys := map[string]string{}
	for _, party := range source.DevParties {
		key, err := publicKey(d.home(party))
		if err != nil {
			return nil, err
		}
		keys[party] = key
	}
	return keys, nil
}

// writePolicy compiles a version of the example policy and keeps both forms.
func (d *deployment) writePolicy(previous *policy.Policy, wallets []source.DevWallet) (*policy.Policy, error) {
	keys, err := d.keys()
	if err != nil {
		return nil, err
	}
	text, err := source.Dev(keys, previous, wallets)
	if err != nil {
		return nil, err
	}
	p, err := source.Compile(text)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("policy-%d", p.Document().Version)
	if err := os.WriteFile(d.path(policyDir, name+".yaml"), text, 0o644); err != nil {
		return nil, err
	}
	return p, os.WriteFile(d.path(policyDir, name+".json"), p.Text(), 0o644)
}
