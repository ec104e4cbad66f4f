package token

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"

	"kura/nem"
)

// Sizes of AES-GCM and AES-CBC-PAD with HMAC-SHA512 around a 32-byte seed.
const (
	gcmNonceSize = 12
	gcmTagSize   = 16
	cbcIVSize    = 16
	macSize      = 64
	seedSize     = 32
	gcmSealed    = seedSize + gcmTagSize
	cbcSealed    = 48 + macSize // 32 bytes pad to 48
	// seedRoom is what a session keeps locked: PKCS#11 lets a token ask for as
	// much room as the ciphertext has.
	seedRoom = 128

	maxBlob = 4 << 10
)

// scheme is how a seed is sealed. The zero value is none.
type scheme uint8

const (
	schemeGCM scheme = iota + 1
	schemeCBCHMAC
)

var schemeNames = map[scheme]string{schemeGCM: "aes-256-gcm", schemeCBCHMAC: "aes-256-cbc-pad+hmac-sha512"}

// blob is a sealed wallet. As a file (StateDir/wallets/NAME.sealed) it is one line
// of JSON with exactly these members, in this order, followed by a newline:
//
//	{"format":"kura-sealed/1","wallet":NAME,"network":"nis1-mainnet","genesis":HEX32,
//	 "publicKey":HEX32,"imported":false,"sealingKey":HEX16,"scheme":"aes-256-gcm",
//	 "nonce":HEX12,"sealed":HEX48}
//
// Hex is lower case. With scheme "aes-256-cbc-pad+hmac-sha512" the nonce is the
// 16-byte IV and sealed is 48 bytes of ciphertext and 64 of MAC, over the
// additional data, the IV and the ciphertext. The file's SHA-256 stands in the
// wallet's ceremony. Every member but nonce and sealed is additional data: a blob
// renamed, moved to another deployment or given another public key does not open.
type blob struct {
	wallet     string
	network    nem.Network
	genesis    [32]byte
	publicKey  nem.PublicKey
	imported   bool
	sealingKey [16]byte
	scheme     scheme
	nonce      []byte
	sealed     []byte
	bound      []byte // additional data, kept by whoever opens the blob often
}

// additional is the additional data: a name of the purpose and version, then the
// members, each on a line. No member can contain a newline.
func (b *blob) additional() []byte {
	if b.bound != nil {
		return b.bound
	}
	return fmt.Appendf(nil, "kura sealed seed 1\nwallet %s\nchain %s\nnetwork %s\ngenesis %x\npublic key %x\nimported %t\nsealing key %x\nscheme %s\n",
		b.wallet, b.network.Chain(), b.network, b.genesis, b.publicKey[:], b.imported, b.sealingKey, schemeNames[b.scheme])
}

type blobFile struct {
	Format     string `json:"format"`
	Wallet     string `json:"wallet"`
	Network    string `json:"network"`
	Genesis    string `json:"genesis"`
	PublicKey  string `json:"publicKey"`
	Imported   bool   `json:"imported"`
	SealingKey string `json:"sealingKey"`
	Scheme     string `json:"scheme"`
	Nonce      string `json:"nonce"`
	Sealed     string `json:"sealed"`
}

const blobFormat = "kura-sealed/1"

func (b *blob) encode() ([]byte, error) {
	text, err := json.Marshal(blobFile{
		Format:     blobFormat,
		Wallet:     b.wallet,
		Network:    b.network.String(),
		Genesis:    hex.EncodeToString(b.genesis[:]),
		PublicKey:  hex.EncodeToString(b.publicKey[:]),
		Imported:   b.imported,
		SealingKey: hex.EncodeToString(b.sealingKey[:]),
		Scheme:     schemeNames[b.scheme],
		Nonce:      hex.EncodeToString(b.nonce),
		Sealed:     hex.EncodeToString(b.sealed),
	})
	if err != nil {
		return nil, fmt.Errorf("encode a sealed wallet: %w", err)
	}
	return append(text, '\n'), nil
}

// decodeBlob is strict: what it accepts encodes to the same bytes again.
func decodeBlob(text []byte) (*blob, error) {
	if len(text) > maxBlob {
		return nil, fmt.Errorf("%w: %d bytes, %d at most", ErrSealed, len(text), maxBlob)
	}
	var file blobFile
	if err := json.Unmarshal(text, &file, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	b := &blob{wallet: file.Wallet, imported: file.Imported}
	var err error
	if b.network, err = nem.ParseNetwork(file.Network); err != nil {
		return nil, fmt.Errorf("%w: network: %w", ErrSealed, err)
	}
	if err := checkName(file.Wallet); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealed, err)
	}
	for name, known := range schemeNames {
		if file.Scheme == known {
			b.scheme = name
		}
	}
	nonceSize, sealedSize := 0, 0
	switch b.scheme {
	case schemeGCM:
		nonceSize, sealedSize = gcmNonceSize, gcmSealed
	case schemeCBCHMAC:
		nonceSize, sealedSize = cbcIVSize, cbcSealed
	default:
		return nil, fmt.Errorf("%w: unknown scheme %q", ErrSealed, file.Scheme)
	}
	b.nonce, b.sealed = make([]byte, nonceSize), make([]byte, sealedSize)
	for _, field := range []struct {
		name, text string
		into       []byte
	}{
		{"genesis", file.Genesis, b.genesis[:]},
		{"publicKey", file.PublicKey, b.publicKey[:]},
		{"sealingKey", file.SealingKey, b.sealingKey[:]},
		{"nonce", file.Nonce, b.nonce},
		{"sealed", file.Sealed, b.sealed},
	} {
		if len(field.text) != 2*len(field.into) {
			return nil, fmt.Errorf("%w: %s has %d characters, not %d", ErrSealed, field.name, len(field.text), 2*len(field.into))
		}
		if _, err := hex.Decode(field.into, []byte(field.text)); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrSealed, field.name, err)
		}
	}
	again, err := b.encode()
	if err != nil {
		return nil, err
	}
	if string(again) != string(text) {
		return nil, fmt.Errorf("%w: it is not in the one form it is written in", ErrSealed)
	}
	b.bound = b.additional()
	return b, nil
}

func walletDirectory(stateDir string) string { return filepath.Join(stateDir, "wallets") }

func blobPath(stateDir, wallet string) string {
	return filepath.Join(walletDirectory(stateDir), wallet+".sealed")
}

// readBlob reads one wallet's file and refuses it under another's name.
func readBlob(stateDir, wallet string) (*blob, error) {
	text, err := os.ReadFile(blobPath(stateDir, wallet))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("sealed wallet %q: %w: there is no file %s", wallet, ErrNoKey, blobPath(stateDir, wallet))
	}
	if err != nil {
		return nil, fmt.Errorf("read sealed wallet %q: %w", wallet, err)
	}
	b, err := decodeBlob(text)
	if err != nil {
		return nil, fmt.Errorf("read sealed wallet %q: %w", wallet, err)
	}
	if b.wallet != wallet {
		return nil, fmt.Errorf("read sealed wallet %q: %w: it is %q's", wallet, ErrSealed, b.wallet)
	}
	return b, nil
}

// sealedNames lists the wallets that have a file.
func sealedNames(stateDir string) ([]string, error) {
	files, err := os.ReadDir(walletDirectory(stateDir))
	if err != nil {
		return nil, fmt.Errorf("list sealed wallets: %w", err)
	}
	var names []string
	for _, file := range files {
		if name, ok := strings.CutSuffix(file.Name(), ".sealed"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// writeBlob puts the file in place whole or not at all, durable before it
// returns. Unless replace is set, an existing file stays and ErrWalletExists is
// returned.
func writeBlob(stateDir string, b *blob, replace bool) error {
	text, err := b.encode()
	if err != nil {
		return err
	}
	directory := walletDirectory(stateDir)
	file, err := os.CreateTemp(directory, "."+b.wallet+".*")
	if err != nil {
		return fmt.Errorf("write a sealed wallet: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }() // gone already when all went well
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	path := blobPath(stateDir, b.wallet)
	if err == nil && replace {
		err = os.Rename(file.Name(), path)
	} else if err == nil {
		err = os.Link(file.Name(), path)
	}
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("write a sealed wallet: %w: %s is there", ErrWalletExists, path)
	}
	if err == nil {
		err = syncDirectory(directory)
	}
	if err != nil {
		return fmt.Errorf("write a sealed wallet: %w", err)
	}
	return nil
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	err = directory.Sync()
	if closing := directory.Close(); err == nil {
		err = closing
	}
	return err
}

// blobSum is the SHA-256 of a wallet's file, in hex.
func blobSum(stateDir, wallet string) (string, error) {
	text, err := os.ReadFile(blobPath(stateDir, wallet))
	if err != nil {
		return "", fmt.Errorf("read sealed wallet %q: %w", wallet, err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
