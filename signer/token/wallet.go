package token

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"

	"kura/nem"
)

// Custody is where a wallet's private key lives.
type Custody string

// The custodies. The chain decides: Symbol's Ed25519 is PKCS#11's, NIS1's is not.
const (
	CustodyToken  Custody = "token"
	CustodySealed Custody = "sealed"
)

// CustodyOf is the custody of every wallet on this network.
func CustodyOf(network nem.Network) Custody {
	switch network.Chain() {
	case nem.Symbol:
		return CustodyToken
	case nem.NIS1:
		return CustodySealed
	}
	return ""
}

// WalletSpec names a wallet to be made. Genesis has to be the one the token is bound to.
type WalletSpec struct {
	Name    string
	Network nem.Network
	Genesis [32]byte
}

// Ceremony is the record of how a wallet came to be, for the journal. It holds no secret.
type Ceremony struct {
	Wallet        string            `json:"wallet"`
	Network       string            `json:"network"`
	Custody       Custody           `json:"custody"`
	PublicKey     string            `json:"publicKey"`
	Address       string            `json:"address"`
	Imported      bool              `json:"imported"`   // old copies of the key are out of reach
	Attributes    map[string]string `json:"attributes"` // of the key, or of the sealing key, as read back
	Model         string            `json:"model"`
	Manufacturer  string            `json:"manufacturer"`
	Firmware      string            `json:"firmware"`
	Serial        string            `json:"serial"`
	BlobSHA256    string            `json:"blobSha256,omitzero"` // of the sealed file, hex
	SealingKey    string            `json:"sealingKey,omitzero"` // CKA_ID, hex
	Deterministic bool              `json:"deterministic"`       // two signatures of one message are the same
}

const maxName = 64

// checkName keeps names apart from paths, labels and lines, and to what a policy
// can name: lower-case letters, digits, dot, underscore and hyphen, 1 to 64 of
// them, the first a letter or digit.
func checkName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("wallet name %.80q has %d characters, 1 to %d are possible", name, len(name), maxName)
	}
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-", rune(c))) {
			return fmt.Errorf("wallet name %q: character %d is not a lower-case letter, a digit or, after the first, one of . _ -", name, i+1)
		}
	}
	return nil
}

// checkSpec refuses a name that any wallet has and a genesis that is not the token's.
// A key whose making was cut off has no name: what is left of it goes first.
func (t *Token) checkSpec(ctx context.Context, spec WalletSpec) error {
	if err := checkName(spec.Name); err != nil {
		return err
	}
	if CustodyOf(spec.Network) == "" {
		return fmt.Errorf("wallet %q: no network is given", spec.Name)
	}
	genesis, ok := t.Genesis()
	if !ok || genesis != spec.Genesis {
		return fmt.Errorf("wallet %q: %w: the token is not bound to %x", spec.Name, ErrGenesis, spec.Genesis)
	}
	if err := t.clearName(ctx, spec); err != nil {
		return fmt.Errorf("wallet %q: %w", spec.Name, err)
	}
	network, taken, err := t.networkOf(spec.Name)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("wallet %q: %w, on %s", spec.Name, ErrWalletExists, network)
	}
	return nil
}

// CreateWallet makes a wallet's key: in the token for Symbol, sealed for NIS1. A
// call that failed halfway may have left the wallet: Wallets tells, and Ceremony
// gives its record; the next call removes what is no whole key. So the journal must
// know no wallet of this name.
func (t *Token) CreateWallet(ctx context.Context, spec WalletSpec) (Ceremony, error) {
	if err := t.checkSpec(ctx, spec); err != nil {
		return Ceremony{}, fmt.Errorf("create: %w", err)
	}
	if CustodyOf(spec.Network) == CustodySealed {
		seed, err := t.newSeed(ctx)
		if err != nil {
			return Ceremony{}, fmt.Errorf("create wallet %q: %w", spec.Name, err)
		}
		defer seed.Wipe()
		return t.sealWallet(ctx, spec, seed, false)
	}
	id, label := walletKeyID(spec.Genesis, spec.Network, spec.Name), walletLabel(spec.Network, spec.Name)
	logKey, err := t.LogPublicKey()
	if err != nil {
		return Ceremony{}, fmt.Errorf("create wallet %q: %w", spec.Name, err)
	}
	err = t.create(ctx, "create wallet "+spec.Name, func(s *session) error {
		if there, err := s.hasKey(id, logKey); there || err != nil {
			return err
		}
		return s.module.GenerateEd25519(s.handle,
			s.quirk.without(ed25519PublicTemplate(label, id, s.quirk.ecParams)),
			s.quirk.without(ed25519PrivateTemplate(label, id)))
	})
	if err == nil {
		err = t.settle()
	}
	if err != nil {
		return Ceremony{}, err
	}
	return t.Ceremony(ctx, spec.Name)
}

// ImportWallet takes over an account that exists. seed is the 32-byte seed that
// nem.ParsePrivateKeyText gives, in locked memory; the caller wipes it. The wallet
// is marked as imported wherever it is shown: its old copies are out of reach.
func (t *Token) ImportWallet(ctx context.Context, spec WalletSpec, seed *Secret) (Ceremony, error) {
	if len(seed.Bytes()) != seedSize {
		return Ceremony{}, fmt.Errorf("import wallet %q: a seed has %d bytes, not %d", spec.Name, seedSize, len(seed.Bytes()))
	}
	if subtle.ConstantTimeCompare(seed.Bytes(), make([]byte, seedSize)) == 1 {
		return Ceremony{}, fmt.Errorf("import wallet %q: the seed is all zero", spec.Name)
	}
	if err := t.checkSpec(ctx, spec); err != nil {
		return Ceremony{}, fmt.Errorf("import: %w", err)
	}
	if CustodyOf(spec.Network) == CustodySealed {
		return t.sealWallet(ctx, spec, seed, true)
	}
	if err := t.importKey(ctx, spec, seed); err != nil {
		return Ceremony{}, err
	}
	if err := t.settle(); err != nil {
		return Ceremony{}, err
	}
	return t.Ceremony(ctx, spec.Name)
}

func (t *Token) importKey(ctx context.Context, spec WalletSpec, seed *Secret) error {
	id, label := walletKeyID(spec.Genesis, spec.Network, spec.Name), walletLabel(spec.Network, spec.Name)
	public := PublicKeyOf(spec.Network, seed)
	logKey, err := t.LogPublicKey()
	if err != nil {
		return err
	}
	return lend(seed, func(own *Secret) error {
		return t.create(ctx, "import wallet "+spec.Name, func(s *session) error {
			if there, err := s.hasKey(id, logKey); there || err != nil {
				return err
			}
			point := attribute(pkcs11.CKA_EC_POINT, append([]byte{0x04, 0x20}, public[:]...))
			parameters := attribute(pkcs11.CKA_EC_PARAMS, s.quirk.ecParams)
			err := s.module.CreateObject(s.handle,
				s.quirk.without(append(ed25519PublicTemplate(label, id, s.quirk.ecParams), point)), nil)
			if err != nil {
				return fmt.Errorf("make the public key: %w", err)
			}
			err = s.module.CreateObject(s.handle,
				s.quirk.without(append(ed25519PrivateTemplate(label, id), parameters)), own.Bytes())
			if err != nil {
				return fmt.Errorf("import the private key: %w", err)
			}
			return nil
		})
	})
}

// lend gives work that may hang a seed of its own, which outlives the caller's.
func lend(seed *Secret, work func(own *Secret) error) error {
	own, err := NewSecret(seedSize)
	if err != nil {
		return err
	}
	shroud(func() { copy(own.Bytes(), seed.Bytes()) }) // a copy leaves the seed in registers, and a signal has them in memory
	err = work(own)
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		own.Wipe() // else a call may still read it; the page goes with the process
	}
	return err
}

// newSeed is the kernel's random numbers and the token's, combined: neither alone
// tells it, and the copy of the token's half that the binding leaves is worthless.
func (t *Token) newSeed(ctx context.Context) (*Secret, error) {
	tokens, err := answer(ctx, t, "draw random numbers", func(s *session) ([]byte, error) {
		random := make([]byte, seedSize)
		return random, binding(s.module.Random(random))
	})
	if err != nil {
		return nil, err
	}
	seed, err := NewSecret(seedSize)
	if err != nil {
		return nil, err
	}
	if err := fillRandom(seed.Bytes()); err != nil {
		seed.Wipe()
		return nil, err
	}
	subtle.XORBytes(seed.Bytes(), seed.Bytes(), tokens)
	return seed, nil
}

// sealWallet seals the seed and writes the wallet's file.
func (t *Token) sealWallet(ctx context.Context, spec WalletSpec, seed *Secret, imported bool) (Ceremony, error) {
	template := blob{
		wallet:    spec.Name,
		network:   spec.Network,
		genesis:   spec.Genesis,
		publicKey: PublicKeyOf(spec.Network, seed),
		imported:  imported,
	}
	b, err := t.sealSeed(ctx, template, seed)
	if err != nil {
		return Ceremony{}, err
	}
	if err := writeBlob(t.config.StateDir, b, false); err != nil {
		return Ceremony{}, err
	}
	t.forgetBlobs()
	return t.Ceremony(ctx, spec.Name)
}

func (t *Token) sealSeed(ctx context.Context, template blob, seed *Secret) (*blob, error) {
	var sealed *blob
	err := lend(seed, func(own *Secret) (err error) {
		sealed, err = answer(ctx, t, "seal wallet "+template.wallet, func(s *session) (*blob, error) {
			b := template
			b.bound = nil
			err := s.seal(&b, own.Bytes())
			return &b, err
		})
		return err
	})
	return sealed, err
}

// Ceremony is the record of a wallet that exists: what CreateWallet and
// ImportWallet return, read back again. It signs two canary messages to learn
// whether the key signs at all, and deterministically.
func (t *Token) Ceremony(ctx context.Context, wallet string) (Ceremony, error) {
	info, err := t.Wallet(ctx, wallet)
	if err != nil {
		return Ceremony{}, err
	}
	if info.Problem != "" {
		return Ceremony{}, fmt.Errorf("wallet %q: %w: %s", wallet, ErrUnsafeKey, info.Problem)
	}
	ceremony := Ceremony{
		Wallet:    info.Name,
		Network:   info.Network.String(),
		Custody:   info.Custody,
		PublicKey: info.PublicKey.String(),
		Address:   info.Address.String(),
		Imported:  info.Imported,
	}
	var key []byte
	var template func(*session) []*pkcs11.Attribute
	if info.Custody == CustodySealed {
		b, err := readBlob(t.config.StateDir, wallet)
		if err != nil {
			return Ceremony{}, err
		}
		if ceremony.BlobSHA256, err = blobSum(t.config.StateDir, wallet); err != nil {
			return Ceremony{}, err
		}
		key, ceremony.SealingKey = b.sealingKey[:], hex.EncodeToString(b.sealingKey[:])
		template = func(s *session) []*pkcs11.Attribute { return s.sealingTemplate(key) }
	} else {
		genesis, _ := t.Genesis()
		key = walletKeyID(genesis, info.Network, wallet)
		template = func(s *session) []*pkcs11.Attribute {
			return s.quirk.without(ed25519PrivateTemplate(walletLabel(info.Network, wallet), key))
		}
	}
	type readBack struct {
		attributes map[string]string
		info       pkcs11.TokenInfo
	}
	back, err := answer(ctx, t, "read back wallet "+wallet, func(s *session) (readBack, error) {
		found, err := s.findKey(key, template(s))
		if err != nil {
			return readBack{}, err
		}
		report, err := s.inspect(found.handle, template(s))
		return readBack{report.Attributes, s.info}, err
	})
	if err != nil {
		return Ceremony{}, err
	}
	ceremony.Attributes = back.attributes
	ceremony.Model, ceremony.Manufacturer = back.info.Model, back.info.ManufacturerID
	ceremony.Firmware, ceremony.Serial = firmware(back.info), back.info.SerialNumber
	ceremony.Deterministic, err = t.tryWallet(ctx, WalletRef{Name: wallet, Network: info.Network, PublicKey: info.PublicKey})
	if err != nil {
		return Ceremony{}, err
	}
	return ceremony, nil
}
