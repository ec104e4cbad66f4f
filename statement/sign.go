package statement

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hiddeco/sshsig"
	"golang.org/x/crypto/ssh"
)

// Sign writes a statement's text and signs it, for clients and people's tools.
// The signer is a key from a file ([ParsePrivateKey]), from an agent
// ([AgentKey]), or anything else with those two methods. Entropy is used by
// ECDSA keys in this process only; others take nil.
//
// What Sign returns has been opened again: an agent that answers with another
// key's signature, or a security key that was not touched, is found here.
func Sign(signer ssh.Signer, entropy io.Reader, body Body) (Envelope, error) {
	text, err := Encode(body)
	if err != nil {
		return Envelope{}, err
	}
	return SignText(signer, entropy, text)
}

// SignText signs a statement's text as it stands, after reading it as strictly
// as [Open] does: for whoever wrote the text with another program.
func SignText(signer ssh.Signer, entropy io.Reader, text string) (Envelope, error) {
	body, err := Decode(text)
	if err != nil {
		return Envelope{}, err
	}
	if _, err := KeyOf(signer.PublicKey()); err != nil {
		return Envelope{}, err
	}
	sig, err := sshsig.SignWithRand(strings.NewReader(text), entropy, signer, sshsig.HashSHA512, body.Type().Namespace())
	if err != nil {
		return Envelope{}, fmt.Errorf("signing a %s: %w", body.Type(), err)
	}
	e := Envelope{Statement: text, Signature: armor(sig.Marshal(), armorWidth) + "\n"}
	if _, err := Open(e); err != nil {
		return Envelope{}, fmt.Errorf("checking the signature just made: %w", err)
	}
	return e, nil
}

// ParsePrivateKey reads a private key file's content. The passphrase is asked
// for only if the key is encrypted; callers that cannot ask pass nil. A
// security key's file holds no private key: it signs through an agent.
func ParsePrivateKey(content []byte, passphrase func() ([]byte, error)) (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(content)
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted && passphrase != nil {
		secret, askErr := passphrase()
		if askErr != nil {
			return nil, fmt.Errorf("asking for the key's passphrase: %w", askErr)
		}
		signer, err = ssh.ParsePrivateKeyWithPassphrase(content, secret)
	}
	if err != nil {
		return nil, fmt.Errorf("reading a private key: %w", err)
	}
	if _, err := KeyOf(signer.PublicKey()); err != nil {
		return nil, err
	}
	return signer, nil
}

// AgentKey finds the wanted key among those that an agent holds (the Signers
// method of x/crypto's agent.Agent).
func AgentKey(agent interface{ Signers() ([]ssh.Signer, error) }, want Key) (ssh.Signer, error) {
	signers, err := agent.Signers()
	if err != nil {
		return nil, fmt.Errorf("asking the ssh-agent for its keys: %w", err)
	}
	for _, s := range signers {
		if key, err := KeyOf(s.PublicKey()); err == nil && key == want {
			return s, nil
		}
	}
	return nil, fmt.Errorf("the ssh-agent does not hold the key %s (of %d keys); add it with ssh-add", want.Fingerprint(), len(signers))
}
