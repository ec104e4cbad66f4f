package token

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"kura/nem"
	"kura/signer/token/backup"
)

// A backup's contents are lines of text, made and read only in memory:
//
//	kura backup 1
//	genesis HEX32
//	wallet NAME NETWORK HEX32(public key) generated|imported HEX32(seed)
//
// with one wallet line per wallet. Hex is lower case.
const backupHead = "kura backup 1\n"

// backupLine is room for one wallet's line, the longest name and network included.
const backupLine = 300

// SeedBackup is a seed in hand to be kept in a backup: at an import into the
// token, which never gives it out again.
type SeedBackup struct {
	Spec WalletSpec
	Seed *Secret
}

// Backup encrypts the seeds of the named sealed wallets (all when none is named)
// and of imports in hand so that any threshold of the custodians can restore them.
// Keys that were generated in the token are not in it: the token's own backup
// keeps those.
func (t *Token) Backup(ctx context.Context, wallets []string, imports []SeedBackup, custodians []backup.Custodian, threshold int) (backup.Archive, error) {
	genesis, ok := t.Genesis()
	if !ok {
		return backup.Archive{}, fmt.Errorf("back up: %w: it is bound to none", ErrGenesis)
	}
	if len(wallets) == 0 {
		var err error
		if wallets, err = sealedNames(t.config.StateDir); err != nil {
			return backup.Archive{}, err
		}
	}
	named := slices.Clone(wallets)
	for _, held := range imports {
		named = append(named, held.Spec.Name)
	}
	if name, twice := repeatedName(named); twice {
		return backup.Archive{}, fmt.Errorf("back up: %w: wallet %q is named twice", ErrBackup, name)
	}
	if len(wallets)+len(imports) == 0 {
		return backup.Archive{}, fmt.Errorf("back up: %w: there is no sealed wallet", ErrBackup)
	}
	contents, err := NewSecret(len(backupHead) + 100 + backupLine*(len(wallets)+len(imports)))
	if err != nil {
		return backup.Archive{}, err
	}
	defer contents.Wipe()
	text := fmt.Appendf(contents.Bytes()[:0], "%sgenesis %x\n", backupHead, genesis)
	for _, name := range wallets {
		b, err := readBlob(t.config.StateDir, name)
		if err != nil {
			return backup.Archive{}, err
		}
		seed, err := t.openSeed(ctx, b)
		if err != nil {
			return backup.Archive{}, err
		}
		text = appendWallet(text, name, b.network, b.publicKey, b.imported, seed)
		seed.Wipe()
	}
	for _, held := range imports {
		if err := checkName(held.Spec.Name); err != nil {
			return backup.Archive{}, err
		}
		text = appendWallet(text, held.Spec.Name, held.Spec.Network, PublicKeyOf(held.Spec.Network, held.Seed), true, held.Seed)
	}
	var archive backup.Archive
	shroud(func() { archive, err = backup.Seal(text, custodians, threshold) })
	return archive, err
}

// repeatedName is a name that a list has twice: the journal takes one wallet of a name.
func repeatedName(names []string) (name string, twice bool) {
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			return name, true
		}
		seen[name] = true
	}
	return "", false
}

// appendWallet writes into locked memory: hex.AppendEncode needs no other.
func appendWallet(text []byte, name string, network nem.Network, public nem.PublicKey, imported bool, seed *Secret) []byte {
	origin := "generated"
	if imported {
		origin = "imported"
	}
	text = fmt.Appendf(text, "wallet %s %s %x %s ", name, network, public[:], origin)
	text = hex.AppendEncode(text, seed.Bytes())
	return append(text, '\n')
}

// openSeed opens a sealed wallet into locked memory of its own and checks that it
// is the key the blob says.
func (t *Token) openSeed(ctx context.Context, b *blob) (*Secret, error) {
	return answer(ctx, t, "open wallet "+b.wallet, func(s *session) (*Secret, error) {
		defer clear(s.seed.Bytes())
		opened, err := s.open(b)
		if err != nil {
			return nil, err
		}
		if public := publicKeyOf(b.network, opened); public != b.publicKey {
			return nil, fmt.Errorf("%w: it holds the key of %s", ErrSealed, public)
		}
		seed, err := NewSecret(seedSize)
		if err != nil {
			return nil, err
		}
		shroud(func() { copy(seed.Bytes(), opened[:]) })
		return seed, nil
	})
}

// Restore puts a backup's wallets into this token, under the genesis it is bound
// to, which is a successor's: a fresh token serves no old journal. shares are the
// decrypted shares of enough custodians. A wallet that is there already with the
// same key is passed over, so an interrupted restore is run again; its ceremony is
// among the others all the same.
func (t *Token) Restore(ctx context.Context, contents []byte, shares [][]byte) ([]Ceremony, error) {
	genesis, ok := t.Genesis()
	if !ok {
		return nil, fmt.Errorf("restore: %w: it is bound to none: a restore opens a successor journal first", ErrGenesis)
	}
	wallets, err := openBackup(contents, shares)
	defer wipe(wallets)
	if err != nil {
		return nil, fmt.Errorf("restore: %w: %w", ErrBackup, err)
	}
	var ceremonies []Ceremony
	for _, wallet := range wallets {
		ceremony, err := t.restoreWallet(ctx, wallet, genesis)
		if err != nil {
			return ceremonies, fmt.Errorf("restore: %w", err)
		}
		ceremonies = append(ceremonies, ceremony)
	}
	return ceremonies, nil
}

func (t *Token) restoreWallet(ctx context.Context, wallet restored, genesis [32]byte) (Ceremony, error) {
	spec := WalletSpec{Name: wallet.name, Network: wallet.network, Genesis: genesis}
	err := t.checkSpec(ctx, spec)
	if errors.Is(err, ErrWalletExists) {
		info, there := t.Wallet(ctx, wallet.name)
		if there != nil {
			return Ceremony{}, there
		}
		if info.PublicKey != wallet.publicKey || info.Network != wallet.network || info.Problem != "" {
			return Ceremony{}, fmt.Errorf("%w, and it is another: %s on %s %s", err, info.PublicKey, info.Network, info.Problem)
		}
		return t.Ceremony(ctx, wallet.name)
	}
	if err != nil {
		return Ceremony{}, err
	}
	if CustodyOf(wallet.network) == CustodySealed {
		return t.sealWallet(ctx, spec, wallet.seed, wallet.imported)
	}
	return t.ImportWallet(ctx, spec, wallet.seed)
}

// restored is one wallet of a backup.
type restored struct {
	name      string
	network   nem.Network
	publicKey nem.PublicKey
	imported  bool
	seed      *Secret
}

// CheckBackup tells whether these shares open a backup that Restore understands,
// before anything is made for it.
func CheckBackup(contents []byte, shares [][]byte) error {
	wallets, err := openBackup(contents, shares)
	wipe(wallets)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return nil
}

func wipe(wallets []restored) {
	for _, wallet := range wallets {
		wallet.seed.Wipe()
	}
}

// openBackup decrypts and reads a backup. On an error the seeds read so far come
// back too, to be wiped.
func openBackup(contents []byte, shares [][]byte) (wallets []restored, err error) {
	shroud(func() {
		var plain []byte
		if plain, err = backup.Open(contents, shares); err != nil {
			return
		}
		defer clear(plain)
		wallets, err = parseBackup(plain)
	})
	return wallets, err
}

// parseBackup is strict. No error repeats a line: it holds a seed.
func parseBackup(plain []byte) (wallets []restored, err error) {
	body, ok := bytes.CutPrefix(plain, []byte(backupHead))
	if !ok {
		return nil, errors.New("the contents do not begin as a backup of Kura")
	}
	lines := bytes.Split(body, []byte("\n"))
	if len(lines) < 2 || len(lines[len(lines)-1]) != 0 {
		return nil, errors.New("the contents are cut off")
	}
	var genesis [32]byte
	text, ok := bytes.CutPrefix(lines[0], []byte("genesis "))
	if !ok || !decodeHex(genesis[:], text) {
		return nil, errors.New("line 2 is not a genesis")
	}
	var names []string
	for i, line := range lines[1 : len(lines)-1] {
		wallet, err := parseBackupWallet(line)
		if wallet.seed != nil {
			wallets = append(wallets, wallet)
		}
		if err != nil {
			return wallets, fmt.Errorf("line %d: %w", i+3, err)
		}
		names = append(names, wallet.name)
	}
	if name, twice := repeatedName(names); twice {
		return wallets, fmt.Errorf("wallet %q is in it twice", name)
	}
	return wallets, nil
}

func parseBackupWallet(line []byte) (wallet restored, err error) {
	fields := bytes.Split(line, []byte(" "))
	if len(fields) != 6 || string(fields[0]) != "wallet" {
		return wallet, errors.New("it is not a wallet's line")
	}
	wallet.name = string(fields[1])
	if checkName(wallet.name) != nil {
		return wallet, errors.New("its name cannot be")
	}
	if wallet.network, err = nem.ParseNetwork(string(fields[2])); err != nil {
		return wallet, errors.New("its network is not known")
	}
	switch string(fields[4]) {
	case "generated":
	case "imported":
		wallet.imported = true
	default:
		return wallet, errors.New("it says neither generated nor imported")
	}
	if !decodeHex(wallet.publicKey[:], fields[3]) {
		return wallet, errors.New("its public key is not 64 lower-case hex digits")
	}
	if wallet.seed, err = NewSecret(seedSize); err != nil {
		return wallet, err
	}
	if !decodeHex(wallet.seed.Bytes(), fields[5]) {
		return wallet, errors.New("its seed is not 64 lower-case hex digits")
	}
	if publicKeyOf(wallet.network, (*[seedSize]byte)(wallet.seed.Bytes())) != wallet.publicKey {
		return wallet, fmt.Errorf("the seed of wallet %q is not the key of its public key", wallet.name)
	}
	return wallet, nil
}

func decodeHex(into, text []byte) bool {
	if len(text) != 2*len(into) || bytes.ContainsAny(text, "ABCDEF") {
		return false
	}
	_, err := hex.Decode(into, text)
	return err == nil
}
