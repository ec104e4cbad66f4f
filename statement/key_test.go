package statement_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/statement"
	"kura/statement/statementtest"
)

// publicKey writes a key's text from its wire fields.
func publicKey(fields any) string {
	wire := ssh.Marshal(fields)
	var kind struct {
		Kind string
		Rest []byte `ssh:"rest"`
	}
	if err := ssh.Unmarshal(wire, &kind); err != nil {
		panic(err)
	}
	return kind.Kind + " " + base64.StdEncoding.EncodeToString(wire)
}

type edFields struct {
	Kind  string
	Point []byte
}

type skFields struct {
	Kind        string
	Point       []byte
	Application string
}

func TestParseKeyTakesItsOwnText(t *testing.T) {
	for kind, signer := range signers() {
		key := statementtest.Key(signer)
		got, err := statement.ParseKey(key.String())
		if err != nil || got != key || got.Kind() != kind {
			t.Errorf("%s: got %s, %v", kind, got, err)
		}
		if got.Fingerprint() != ssh.FingerprintSHA256(signer.PublicKey()) {
			t.Errorf("%s: fingerprint %s, want %s", kind, got.Fingerprint(), ssh.FingerprintSHA256(signer.PublicKey()))
		}
		if got.IsSecurityKey() != strings.HasPrefix(kind, "sk-") {
			t.Errorf("%s: IsSecurityKey() = %v", kind, got.IsSecurityKey())
		}
		var read statement.Key
		if err := read.UnmarshalText([]byte(key)); err != nil || read != key {
			t.Errorf("%s: UnmarshalText: %v", kind, err)
		}
	}
}

func TestParseKeyRefuses(t *testing.T) {
	good := statementtest.Key(statementtest.Signer("alice")).String()
	_, body, _ := strings.Cut(good, " ")
	point := statementtest.Signer("alice").PublicKey().(ssh.CryptoPublicKey).CryptoPublicKey().(ed25519.PublicKey)
	skWith := func(application string) string {
		return publicKey(skFields{"sk-ssh-ed25519@openssh.com", point, application})
	}
	generator := elliptic.MarshalCompressed(elliptic.P256(), elliptic.P256().Params().Gx, elliptic.P256().Params().Gy)
	cert := &ssh.Certificate{Key: statementtest.Signer("alice").PublicKey(), CertType: ssh.UserCert}
	if err := cert.SignCert(bytes.NewReader(make([]byte, 64)), statementtest.Signer("ca")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		code statement.Code
	}{
		"nothing":             {"", statement.CodeKeyTypeRefused},
		"kind only":           {"ssh-ed25519", statement.CodeKeyMalformed},
		"comment":             {good + " alice@example", statement.CodeKeyMalformed},
		"space after":         {good + " ", statement.CodeKeyMalformed},
		"newline after":       {good + "\n", statement.CodeKeyMalformed},
		"two spaces":          {strings.Replace(good, " ", "  ", 1), statement.CodeKeyMalformed},
		"space before":        {" " + good, statement.CodeKeyTypeRefused},
		"base64 without end":  {good[:len(good)-1], statement.CodeKeyMalformed},
		"base64 with newline": {good[:20] + "\n" + good[20:], statement.CodeKeyMalformed},
		"another kind":        {"ecdsa-sha2-nistp256 " + body, statement.CodeKeyMalformed},
		"too long":            {good + strings.Repeat("A", 512), statement.CodeKeyMalformed},
		"RSA":                 {"ssh-rsa AAAAB3NzaC1yc2E=", statement.CodeKeyTypeRefused},
		"DSA":                 {"ssh-dss AAAAB3NzaC1kc3M=", statement.CodeKeyTypeRefused},
		"P-384":               {"ecdsa-sha2-nistp384 AAAA", statement.CodeKeyTypeRefused},
		"sk-ecdsa":            {"sk-ecdsa-sha2-nistp256@openssh.com AAAA", statement.CodeKeyTypeRefused},
		"certificate":         {cert.Type() + " " + base64.StdEncoding.EncodeToString(cert.Marshal()), statement.CodeKeyTypeRefused},
		"bytes after":         {publicKey(struct{ A, B, C string }{"ssh-ed25519", string(point), "x"}), statement.CodeKeyMalformed},
		"short point":         {publicKey(edFields{"ssh-ed25519", point[:31]}), statement.CodeKeyMalformed},
		"not on the curve":    {publicKey(edFields{"ssh-ed25519", unhex(t, "0200000000000000000000000000000000000000000000000000000000000000")}), statement.CodeKeyMalformed},
		"order 1":             {publicKey(edFields{"ssh-ed25519", unhex(t, "0100000000000000000000000000000000000000000000000000000000000000")}), statement.CodeKeyMalformed},
		"order 8":             {publicKey(edFields{"ssh-ed25519", unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")}), statement.CodeKeyMalformed},
		"order 8, sk":         {publicKey(skFields{"sk-ssh-ed25519@openssh.com", unhex(t, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "ssh:"}), statement.CodeKeyMalformed},
		"y not reduced":       {publicKey(edFields{"ssh-ed25519", unhex(t, "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")}), statement.CodeKeyMalformed},
		"compressed P-256":    {publicKey(struct{ A, B, C string }{"ecdsa-sha2-nistp256", "nistp256", string(generator)}), statement.CodeKeyMalformed},
		"web application":     {skWith("https://example.com"), statement.CodeKeyMalformed},
		"no application":      {skWith(""), statement.CodeKeyMalformed},
		"long application":    {skWith("ssh:" + strings.Repeat("x", 64)), statement.CodeKeyMalformed},
		"odd application":     {skWith("ssh:\u202e"), statement.CodeKeyMalformed},
		"spaced application":  {skWith("ssh:a b"), statement.CodeKeyMalformed},
	} {
		key, err := statement.ParseKey(c.text)
		if codeOf(err) != c.code || key != "" {
			t.Errorf("%s: got %q, %v, want %s", name, key, err, c.code)
		}
	}
	if _, err := statement.ParseKey(skWith("ssh:kura")); err != nil {
		t.Errorf("own application: %v", err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
