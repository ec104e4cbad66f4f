package statement_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"kura/statement"
	"kura/statement/statementtest"
)

// signers returns one signer of each accepted kind.
func signers() map[string]ssh.Signer {
	return map[string]ssh.Signer{
		"ssh-ed25519":                statementtest.Signer("backend"),
		"ecdsa-sha2-nistp256":        statementtest.ECDSASigner("backend"),
		"sk-ssh-ed25519@openssh.com": statementtest.NewSecurityKey("backend"),
	}
}

func TestSignThenOpen(t *testing.T) {
	for kind, signer := range signers() {
		for name, body := range bodies() {
			e, err := statement.Sign(signer, rand.Reader, body)
			if err != nil {
				t.Fatal(kind, name, err)
			}
			carried, err := statement.DecodeEnvelope(e.Encode())
			if err != nil {
				t.Fatal(kind, name, err)
			}
			got, err := statement.Open(carried)
			if err != nil {
				t.Fatal(kind, name, err)
			}
			if diff := cmp.Diff(body, got.Body); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", kind, name, diff)
			}
			if got.Key.Kind() != kind || got.Key != statementtest.Key(signer) || got.Hash != statement.HashText(e.Statement) || got.Envelope != e {
				t.Errorf("%s %s: opened as %+v", kind, name, got)
			}
			if got.SK.Used != (kind == "sk-ssh-ed25519@openssh.com") {
				t.Errorf("%s %s: SK %+v", kind, name, got.SK)
			}
		}
	}
}

func TestSecurityKeyAttestations(t *testing.T) {
	key := statementtest.NewSecurityKey("alice")
	key.Counter = 41
	body := bodies()["verdict"]
	e, err := statement.Sign(key, nil, body)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := statement.Open(e); got.SK != (statement.SK{Used: true, Counter: 42}) {
		t.Errorf("SK = %+v", got.SK)
	}
	key.UserVerified = true
	if e, err = statement.Sign(key, nil, body); err != nil {
		t.Fatal(err)
	}
	if got, _ := statement.Open(e); got.SK != (statement.SK{Used: true, UserVerified: true, Counter: 43}) {
		t.Errorf("SK = %+v", got.SK)
	}
	key.Touched = false
	if _, err := statement.Sign(key, nil, body); codeOf(err) != statement.CodeTouchMissing {
		t.Errorf("untouched: got %v, want touch_missing", err)
	}
	key.Touched, key.Application = true, "https://example.com"
	if _, err := statement.Sign(key, nil, body); codeOf(err) != statement.CodeKeyMalformed {
		t.Errorf("web application: got %v, want key_malformed", err)
	}
}

// signWith signs without any of Sign's checks.
func signWith(t *testing.T, signer ssh.Signer, text, namespace string, h sshsig.HashAlgorithm) *sshsig.Signature {
	t.Helper()
	sig, err := sshsig.Sign(strings.NewReader(text), signer, h, namespace)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// rewrap armors wire bytes as OpenSSH does.
func rewrap(wire []byte) string { return wrap(wire, 70) }

func wrap(wire []byte, width int) string {
	encoded := base64.StdEncoding.EncodeToString(wire)
	var lines []string
	for len(encoded) > width {
		lines, encoded = append(lines, encoded[:width]), encoded[width:]
	}
	return "-----BEGIN SSH SIGNATURE-----\n" + strings.Join(append(lines, encoded), "\n") + "\n-----END SSH SIGNATURE-----\n"
}

// wire is the layout of PROTOCOL.sshsig, for taking signatures apart.
type wire struct {
	Magic     [6]byte
	Version   uint32
	Key       []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
	Rest      []byte `ssh:"rest"`
}

func TestSignaturesAreRefused(t *testing.T) {
	body := bodies()["withdrawal"]
	text := encode(t, body)
	const ns = "kura/withdrawal/1"
	ed, sk, ec := statementtest.Signer("backend"), statementtest.NewSecurityKey("backend"), statementtest.ECDSASigner("backend")
	good := signWith(t, ed, text, ns, sshsig.HashSHA512).Marshal()
	armored := rewrap(good)
	edit := func(raw []byte, change func(w *wire)) string {
		var w wire
		// What is read shares its memory with what it is read from.
		if err := ssh.Unmarshal(bytes.Clone(raw), &w); err != nil {
			t.Fatal(err)
		}
		change(&w)
		return rewrap(ssh.Marshal(w))
	}
	editBlob := func(raw []byte, change func(s *ssh.Signature)) string {
		return edit(raw, func(w *wire) {
			var s ssh.Signature
			if err := ssh.Unmarshal(w.Signature, &s); err != nil {
				t.Fatal(err)
			}
			change(&s)
			w.Signature = ssh.Marshal(s)
		})
	}
	skGood := signWith(t, sk, text, ns, sshsig.HashSHA512).Marshal()
	ecGood := signWith(t, ec, text, ns, sshsig.HashSHA512).Marshal()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaSigner, err := ssh.NewSignerFromKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := &ssh.Certificate{Key: ed.PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity, ValidPrincipals: []string{"backend"}}
	if err := cert.SignCert(rand.Reader, ed); err != nil {
		t.Fatal(err)
	}
	untouched := statementtest.NewSecurityKey("backend")
	untouched.Touched = false
	weak := statementtest.NewSecurityKey("backend")
	weak.Application = "example.com"

	for name, c := range map[string]struct {
		signature string
		code      statement.Code
	}{
		"none":                      {"", statement.CodeSignatureMalformed},
		"not armored":               {"x", statement.CodeSignatureMalformed},
		"empty armor":               {"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n", statement.CodeSignatureMalformed},
		"another armor":             {strings.ReplaceAll(armored, "SSH SIGNATURE", "PGP SIGNATURE"), statement.CodeSignatureMalformed},
		"CRLF":                      {strings.ReplaceAll(armored, "\n", "\r\n"), statement.CodeSignatureMalformed},
		"text before":               {"hello\n" + armored, statement.CodeSignatureMalformed},
		"newline before":            {"\n" + armored, statement.CodeSignatureMalformed},
		"text after":                {armored + "hello", statement.CodeSignatureMalformed},
		"two newlines after":        {armored + "\n", statement.CodeSignatureMalformed},
		"two signatures":            {armored + armored, statement.CodeSignatureMalformed},
		"one line":                  {wrap(good, 10000), statement.CodeSignatureMalformed},
		"lines of 76":               {wrap(good, 76), statement.CodeSignatureMalformed},
		"a space in the base64":     {strings.Replace(armored, "U1NIU0lH", "U1NI U0lH", 1), statement.CodeSignatureMalformed},
		"PEM headers":               {string(pem.EncodeToMemory(&pem.Block{Type: "SSH SIGNATURE", Headers: map[string]string{"A": "b"}, Bytes: good})), statement.CodeSignatureMalformed},
		"too large":                 {armored + strings.Repeat("\n", statement.MaxSignature), statement.CodeTooLarge},
		"trailing bytes":            {rewrap(append(bytes.Clone(good), 0)), statement.CodeSignatureMalformed},
		"cut":                       {rewrap(good[:len(good)-1]), statement.CodeSignatureMalformed},
		"reserved field":            {edit(good, func(w *wire) { w.Reserved = "x" }), statement.CodeSignatureMalformed},
		"version 2":                 {edit(good, func(w *wire) { w.Version = 2 }), statement.CodeSignatureMalformed},
		"magic":                     {edit(good, func(w *wire) { w.Magic[0] = 's' }), statement.CodeSignatureMalformed},
		"key with trailing bytes":   {edit(good, func(w *wire) { w.Key = append(w.Key, 0) }), statement.CodeSignatureMalformed},
		"sha256":                    {rewrap(signWith(t, ed, text, ns, sshsig.HashSHA256).Marshal()), statement.CodeSignatureMalformed},
		"hash renamed":              {edit(good, func(w *wire) { w.Hash = "sha256" }), statement.CodeSignatureMalformed},
		"hash unknown":              {edit(good, func(w *wire) { w.Hash = "md5" }), statement.CodeSignatureMalformed},
		"other namespace":           {rewrap(signWith(t, ed, text, "kura/verdict/1", sshsig.HashSHA512).Marshal()), statement.CodeNamespaceMismatch},
		"namespace file":            {rewrap(signWith(t, ed, text, "file", sshsig.HashSHA512).Marshal()), statement.CodeNamespaceMismatch},
		"namespace renamed":         {edit(rawNamespace(t, ed, text), func(w *wire) { w.Namespace = ns }), statement.CodeSignatureInvalid},
		"other text":                {rewrap(signWith(t, ed, text+" ", ns, sshsig.HashSHA512).Marshal()), statement.CodeSignatureInvalid},
		"other key":                 {edit(good, func(w *wire) { w.Key = statementtest.Signer("eve").PublicKey().Marshal() }), statement.CodeSignatureInvalid},
		"bit flipped":               {editBlob(good, func(s *ssh.Signature) { s.Blob[5] ^= 1 }), statement.CodeSignatureInvalid},
		"S not reduced":             {editBlob(good, addOrder), statement.CodeSignatureInvalid},
		"bytes after the signature": {editBlob(good, func(s *ssh.Signature) { s.Rest = []byte{0} }), statement.CodeSignatureMalformed},
		"signature of another kind": {editBlob(good, func(s *ssh.Signature) { s.Format = "ecdsa-sha2-nistp256" }), statement.CodeSignatureMalformed},
		"webauthn":                  {editBlob(ecGood, func(s *ssh.Signature) { s.Format = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" }), statement.CodeSignatureInvalid},
		"RSA":                       {rewrap(signWith(t, rsaSigner, text, ns, sshsig.HashSHA512).Marshal()), statement.CodeKeyTypeRefused},
		"certificate":               {edit(good, func(w *wire) { w.Key = cert.Marshal() }), statement.CodeKeyTypeRefused},
		"ECDSA superfluous zero":    {editBlob(ecGood, func(s *ssh.Signature) { s.Blob = padInteger(s.Blob) }), statement.CodeSignatureMalformed},
		"ECDSA after the integers":  {editBlob(ecGood, func(s *ssh.Signature) { s.Blob = append(s.Blob, 0) }), statement.CodeSignatureMalformed},
		"ECDSA after the signature": {editBlob(ecGood, func(s *ssh.Signature) { s.Rest = []byte{0} }), statement.CodeSignatureMalformed},
		"untouched":                 {rewrap(signWith(t, untouched, text, ns, sshsig.HashSHA512).Marshal()), statement.CodeTouchMissing},
		"touch flag added":          {editBlob(signWith(t, untouched, text, ns, sshsig.HashSHA512).Marshal(), func(s *ssh.Signature) { s.Rest[0] |= 1 }), statement.CodeSignatureInvalid},
		"verified flag added":       {editBlob(skGood, func(s *ssh.Signature) { s.Rest[0] |= 4 }), statement.CodeSignatureInvalid},
		"counter changed":           {editBlob(skGood, func(s *ssh.Signature) { s.Rest[4]++ }), statement.CodeSignatureInvalid},
		"flags and more":            {editBlob(skGood, func(s *ssh.Signature) { s.Rest = append(s.Rest, 0) }), statement.CodeSignatureMalformed},
		"no flags":                  {editBlob(skGood, func(s *ssh.Signature) { s.Rest = nil }), statement.CodeSignatureMalformed},
		"web application":           {rewrap(signWith(t, weak, text, ns, sshsig.HashSHA512).Marshal()), statement.CodeKeyMalformed},
		"plain key claims to be sk": {editBlob(good, func(s *ssh.Signature) { s.Format, s.Rest = "sk-ssh-ed25519@openssh.com", []byte{1, 0, 0, 0, 1} }), statement.CodeSignatureInvalid},
	} {
		got, err := statement.Open(statement.Envelope{Statement: text, Signature: c.signature})
		if codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
		if e, ok := errors.AsType[*statement.Error](err); ok && e.Field != "signature" {
			t.Errorf("%s: is about %q, want signature", name, e.Field)
		}
		if got.Body != nil || got.Key != "" {
			t.Errorf("%s: refused, and still answered %+v", name, got)
		}
	}
	for name, signature := range map[string]string{
		"as it is": armored, "without the last newline": strings.TrimSuffix(armored, "\n"),
		"lines of 64": wrap(good, 64), "by the library": string(sshsig.Armor(signWith(t, ed, text, ns, sshsig.HashSHA512))),
	} {
		if _, err := statement.Open(statement.Envelope{Statement: text, Signature: signature}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func rawNamespace(t *testing.T, signer ssh.Signer, text string) []byte {
	return signWith(t, signer, text, "kura/login/1", sshsig.HashSHA512).Marshal()
}

// addOrder adds the group's order to S: the second text of one signature that
// careless verifiers take.
func addOrder(s *ssh.Signature) {
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	carry := 0
	for i, o := range order {
		carry += int(s.Blob[32+i]) + int(o)
		s.Blob[32+i], carry = byte(carry), carry>>8
	}
}

// padInteger writes an ECDSA signature's first integer with a zero too many.
func padInteger(blob []byte) []byte {
	var rs struct{ R, S []byte }
	if err := ssh.Unmarshal(blob, &rs); err != nil {
		panic(err)
	}
	rs.R = append([]byte{0}, rs.R...)
	return ssh.Marshal(rs)
}

func TestOneSignatureIsForOneText(t *testing.T) {
	e := sign(t, bodies()["withdrawal"])
	e.Statement = replace(t, e.Statement, "25000000", "25000001")
	if _, err := statement.Open(e); codeOf(err) != statement.CodeSignatureInvalid {
		t.Errorf("got %v, want signature_invalid", err)
	}
}

func TestEnvelopesAreRefused(t *testing.T) {
	good := string(sign(t, bodies()["login"]).Encode())
	for name, c := range map[string]struct {
		text string
		code statement.Code
	}{
		"empty":            {"", statement.CodeSyntax},
		"null":             {"null", statement.CodeBadValue},
		"array":            {"[" + good + "]", statement.CodeBadValue},
		"second object":    {good + "{}", statement.CodeSyntax},
		"text after":       {good + " x", statement.CodeSyntax},
		"extra member":     {strings.TrimSuffix(good, "}") + `,"key":""}`, statement.CodeUnknownMember},
		"other case":       {strings.Replace(good, `"signature"`, `"Signature"`, 1), statement.CodeUnknownMember},
		"no signature":     {`{"statement":"{}"}`, statement.CodeMissingMember},
		"statement twice":  {`{"statement":"{}","statement":"{}","signature":""}`, statement.CodeDuplicateMember},
		"statement object": {`{"statement":{},"signature":""}`, statement.CodeBadValue},
		"not UTF-8":        {"{\"statement\":\"\xff\",\"signature\":\"\"}", statement.CodeSyntax},
		"too large":        {good + strings.Repeat(" ", statement.MaxEnvelope), statement.CodeTooLarge},
	} {
		if _, err := statement.DecodeEnvelope([]byte(c.text)); codeOf(err) != c.code {
			t.Errorf("%s: got %v, want %s", name, err, c.code)
		}
	}
	if _, err := statement.DecodeEnvelope([]byte(" \r\n\t" + good + "\n")); err != nil {
		t.Errorf("white space around: %v", err)
	}
}

// TestLargestEnvelopeFits holds MaxEnvelope to its arithmetic.
func TestLargestEnvelopeFits(t *testing.T) {
	e := statement.Envelope{Statement: strings.Repeat(`"`, statement.MaxProposalText), Signature: strings.Repeat(`\`, statement.MaxSignature)}
	got, err := statement.DecodeEnvelope(e.Encode())
	if err != nil || got != e {
		t.Errorf("the largest envelope does not come back: %v", err)
	}
}

// keygen runs the machine's ssh-keygen in dir.
func keygen(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("ssh-keygen")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ssh-keygen is not installed (apt-get install openssh-client)")
		}
		t.Skip("ssh-keygen is not installed: interoperation is not tested")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestStockVerifyTakesOurSignatures(t *testing.T) {
	dir := t.TempDir()
	for kind, signer := range signers() {
		line := "backend " + statementtest.Key(signer).String() + "\n"
		write(t, dir, "allowed_signers", line)
		for name, body := range bodies() {
			e, err := statement.Sign(signer, rand.Reader, body)
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "s.sig", e.Signature)
			args := []string{"-Y", "verify", "-f", "allowed_signers", "-I", "backend", "-n", body.Type().Namespace(), "-s", "s.sig"}
			if out, err := keygen(t, dir, e.Statement, args...); err != nil {
				t.Errorf("%s %s: ssh-keygen refuses: %v\n%s", kind, name, err, out)
			}
			if _, err := keygen(t, dir, e.Statement+" ", args...); err == nil {
				t.Errorf("%s %s: ssh-keygen takes another text", kind, name)
			}
		}
	}
}

func TestOpenTakesStockSignatures(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"ed25519", "ecdsa"} {
		if out, err := keygen(t, dir, "", "-q", "-t", kind, "-N", "", "-C", "alice@example", "-f", kind); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		public, _, _ := strings.Cut(read(t, dir, kind+".pub"), " alice@example")
		key, err := statement.ParseKey(public)
		if err != nil {
			t.Fatal(err)
		}
		out, err := keygen(t, dir, "", "-lf", kind+".pub")
		if err != nil || !strings.Contains(out, " "+key.Fingerprint()+" ") {
			t.Errorf("fingerprint %s, ssh-keygen says %s (%v)", key.Fingerprint(), out, err)
		}
		for name, body := range bodies() {
			file := kind + name
			text := encode(t, body)
			write(t, dir, file, text)
			if out, err := keygen(t, dir, "", "-q", "-Y", "sign", "-f", kind, "-n", body.Type().Namespace(), file); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			got, err := statement.Open(statement.Envelope{Statement: text, Signature: read(t, dir, file+".sig")})
			if err != nil || got.Key != key {
				t.Errorf("%s: %v, key %s", file, err, got.Key)
			}
		}
	}
	text := encode(t, bodies()["login"])
	write(t, dir, "short", text)
	if out, err := keygen(t, dir, "", "-q", "-Y", "sign", "-O", "hashalg=sha256", "-f", "ed25519", "-n", "kura/login/1", "short"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := statement.Open(statement.Envelope{Statement: text, Signature: read(t, dir, "short.sig")}); codeOf(err) != statement.CodeSignatureMalformed {
		t.Errorf("sha256: got %v", err)
	}
}

func TestSigningWithFilesAndAgents(t *testing.T) {
	dir := t.TempDir()
	const passphrase = "correct horse"
	if out, err := keygen(t, dir, "", "-q", "-t", "ed25519", "-a", "1", "-N", passphrase, "-f", "k"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	content := []byte(read(t, dir, "k"))
	asked := 0
	signer, err := statement.ParsePrivateKey(content, func() ([]byte, error) { asked++; return []byte(passphrase), nil })
	if err != nil || asked != 1 {
		t.Fatalf("asked %d times: %v", asked, err)
	}
	if _, err := statement.Sign(signer, nil, bodies()["login"]); err != nil {
		t.Error(err)
	}
	for name, ask := range map[string]func() ([]byte, error){
		"nobody to ask": nil,
		"wrong":         func() ([]byte, error) { return []byte("wrong"), nil },
		"no answer":     func() ([]byte, error) { return nil, io.ErrUnexpectedEOF },
	} {
		if _, err := statement.ParsePrivateKey(content, ask); err == nil || strings.Contains(err.Error(), passphrase) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := statement.ParsePrivateKey([]byte(read(t, dir, "k.pub")), nil); err == nil {
		t.Error("a public key file is taken as a private one")
	}

	ring := agent.NewKeyring()
	private, err := ssh.ParseRawPrivateKeyWithPassphrase(content, []byte(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	held, err := statement.AgentKey(ring, statementtest.Key(signer))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := statement.Sign(held, nil, bodies()["login"]); err != nil {
		t.Error(err)
	}
	if _, err := statement.AgentKey(ring, statementtest.Key(statementtest.Signer("eve"))); err == nil {
		t.Error("the agent gave a key that it does not hold")
	}
}

// swapped answers with another key's signature, as a confused agent might.
type swapped struct{ ssh.Signer }

func (swapped) PublicKey() ssh.PublicKey { return statementtest.Signer("alice").PublicKey() }

func TestSignChecksWhatItGot(t *testing.T) {
	if _, err := statement.Sign(swapped{statementtest.Signer("eve")}, nil, bodies()["login"]); codeOf(err) != statement.CodeSignatureInvalid {
		t.Errorf("got %v, want signature_invalid", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
