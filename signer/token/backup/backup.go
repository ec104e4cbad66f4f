// Package backup keeps wallets' seeds so that any k of n custodians together can
// restore them and fewer learn nothing.
//
// It is for: the few minutes in which a backup is made or read. It trusts age
// (filippo.io/age) for encryption and the custodians' own age identities; it holds
// no key and touches no token and no file.
//
// It promises: the archive is an ordinary age file, encrypted to an identity that
// is made for it and kept nowhere. That identity's text is split once for every
// set of k custodians: k-1 parts are random and the last is the XOR of all of them
// with the text, so any k-1 parts of a set are random bytes that say nothing. A
// custodian's share holds her parts for every set she is in, encrypted to her age
// recipient. With n choose k sets (252 at most) this is simple enough to check by
// eye and needs no arithmetic beyond XOR; no Shamir library that is looked after
// was at hand, and Kura writes no cryptographic primitives of its own.
//
// It does not promise that what passes through Go's heap is wiped: a caller who
// cares calls it inside runtime/secret.
//
// Custodians need nothing of Kura to read their share or, once the identity is
// joined, the archive: `age -d` does both.
package backup

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/go-json-experiment/json"
)

// mostSets bounds n choose k, and with it the size of a share.
const mostSets = 252

// maxArchive bounds what Open reads, in bytes.
const maxArchive = 16 << 20

// maxShare bounds one decrypted share, in bytes.
const maxShare = 1 << 20

// Custodian is a person who keeps a share. Recipient is her age recipient
// ("age1..."), to which only she has the identity.
type Custodian struct {
	Name      string
	Recipient string
}

// Archive is a backup: the encrypted contents and one encrypted share per custodian.
type Archive struct {
	ID       string  // 32 hex digits; stands in every share
	Contents []byte  // an age file
	Shares   []Share // in the order of the custodians
}

// Share is one custodian's file.
type Share struct {
	Custodian string
	File      []byte // an age file, encrypted to the custodian's recipient
}

// shareText is what a custodian finds in her share. Parts are named by the set
// of custodians' numbers (from 1) they belong to, "1,3".
type shareText struct {
	Format     string            `json:"format"`
	Backup     string            `json:"backup"`
	Custodian  string            `json:"custodian"`
	Number     int               `json:"number"`
	Threshold  int               `json:"threshold"`
	Custodians int               `json:"custodians"`
	Parts      map[string]string `json:"parts"`
}

const shareFormat = "kura-share/1"

// Seal encrypts plain so that threshold of the custodians can open it together.
// threshold is at least 2: a share alone has to be useless.
func Seal(plain []byte, custodians []Custodian, threshold int) (Archive, error) {
	recipients, err := checkCustodians(custodians, threshold)
	if err != nil {
		return Archive{}, err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return Archive{}, fmt.Errorf("make a backup: %w", err)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return Archive{}, fmt.Errorf("make a backup: %w", err)
	}
	archive := Archive{ID: hex.EncodeToString(id)}
	if archive.Contents, err = encrypt(plain, identity.Recipient()); err != nil {
		return Archive{}, err
	}
	shares := make([]shareText, len(custodians))
	for i, custodian := range custodians {
		shares[i] = shareText{Format: shareFormat, Backup: archive.ID, Custodian: custodian.Name, Number: i + 1,
			Threshold: threshold, Custodians: len(custodians), Parts: map[string]string{}}
	}
	for _, set := range sets(len(custodians), threshold) {
		parts, err := split([]byte(identity.String()), threshold)
		if err != nil {
			return Archive{}, err
		}
		for i, number := range set {
			shares[number-1].Parts[setName(set)] = hex.EncodeToString(parts[i])
		}
	}
	for i, share := range shares {
		text, err := json.Marshal(share, json.Deterministic(true))
		if err != nil {
			return Archive{}, fmt.Errorf("make a backup: encode a share: %w", err)
		}
		file, err := encrypt(append(text, '\n'), recipients[i])
		if err != nil {
			return Archive{}, err
		}
		archive.Shares = append(archive.Shares, Share{Custodian: share.Custodian, File: file})
	}
	return archive, nil
}

// OpenShare decrypts one custodian's file with her age identities (the text of an
// age identity file). The result goes to Open.
func OpenShare(file []byte, identities io.Reader) ([]byte, error) {
	parsed, err := age.ParseIdentities(identities)
	if err != nil {
		return nil, fmt.Errorf("open a share: read the identity: %w", err)
	}
	text, err := decrypt(file, maxShare, parsed...)
	if err != nil {
		return nil, fmt.Errorf("open a share: %w", err)
	}
	return text, nil
}

// Open decrypts an archive with the decrypted shares of as many custodians as its
// threshold asks for. More are welcome: a share that is damaged is passed over as
// long as enough others are there.
func Open(contents []byte, shares [][]byte) ([]byte, error) {
	decoded := make([]shareText, 0, len(shares))
	for i, text := range shares {
		share, err := decodeShare(text)
		if err != nil {
			return nil, fmt.Errorf("open a backup: share %d: %w", i+1, err)
		}
		if len(decoded) > 0 && (share.Backup != decoded[0].Backup || share.Threshold != decoded[0].Threshold || share.Custodians != decoded[0].Custodians) {
			return nil, fmt.Errorf("open a backup: the shares of %q and %q are of different backups", decoded[0].Custodian, share.Custodian)
		}
		if at := slices.IndexFunc(decoded, func(other shareText) bool { return other.Number == share.Number }); at >= 0 {
			if !maps.Equal(decoded[at].Parts, share.Parts) {
				return nil, fmt.Errorf("open a backup: two shares of %q differ: one of them is damaged, give one", share.Custodian)
			}
			continue // the same custodian twice is one share
		}
		decoded = append(decoded, share)
	}
	if len(decoded) == 0 {
		return nil, errors.New("open a backup: there is no share")
	}
	threshold := decoded[0].Threshold
	if len(decoded) < threshold {
		return nil, fmt.Errorf("open a backup: %d custodians' shares, %d are needed", len(decoded), threshold)
	}
	slices.SortFunc(decoded, func(a, b shareText) int { return a.Number - b.Number })
	var last error
	for _, set := range sets(len(decoded), threshold) {
		chosen := make([]shareText, 0, threshold)
		for _, place := range set {
			chosen = append(chosen, decoded[place-1])
		}
		plain, err := openWith(contents, chosen)
		if err == nil {
			return plain, nil
		}
		last = err
	}
	return nil, fmt.Errorf("open a backup: %w", last)
}

func openWith(contents []byte, chosen []shareText) ([]byte, error) {
	var numbers []int
	var names []string
	for _, share := range chosen {
		numbers, names = append(numbers, share.Number), append(names, fmt.Sprintf("%.100q", share.Custodian))
	}
	var text []byte
	for _, share := range chosen {
		part, err := hex.DecodeString(share.Parts[setName(numbers)])
		if err != nil || len(part) == 0 {
			return nil, fmt.Errorf("the share of %q has no part for the custodians %s", share.Custodian, setName(numbers))
		}
		if text == nil {
			text = make([]byte, len(part))
		}
		if len(part) != len(text) {
			return nil, fmt.Errorf("the share of %q has a part of another length", share.Custodian)
		}
		subtle.XORBytes(text, text, part)
	}
	identity, err := age.ParseX25519Identity(string(text))
	clear(text)
	if err != nil {
		// The error would repeat the text, which may be nearly right.
		return nil, fmt.Errorf("the shares of %s do not fit together: one of them is damaged", strings.Join(names, ", "))
	}
	plain, err := decrypt(contents, maxArchive, identity)
	if _, other := errors.AsType[*age.NoIdentityMatchError](err); other {
		return nil, fmt.Errorf("the shares of %s fit together, and open another file: they are of backup %.40q", strings.Join(names, ", "), chosen[0].Backup)
	}
	return plain, err
}

func decodeShare(text []byte) (shareText, error) {
	if len(text) > maxShare {
		return shareText{}, fmt.Errorf("%d bytes, %d at most", len(text), maxShare)
	}
	var share shareText
	if err := json.Unmarshal(text, &share, json.RejectUnknownMembers(true)); err != nil {
		return shareText{}, errors.New("it is not a share's JSON: is it still encrypted?")
	}
	switch {
	case share.Format != shareFormat:
		return shareText{}, fmt.Errorf("its format is %.40q, not %q", share.Format, shareFormat)
	case share.Custodians < 2 || share.Custodians > mostSets,
		share.Threshold < 2 || share.Threshold > share.Custodians,
		share.Number < 1 || share.Number > share.Custodians,
		choose(share.Custodians, share.Threshold) > mostSets:
		return shareText{}, errors.New("its numbers cannot be")
	}
	return share, nil
}

func checkCustodians(custodians []Custodian, threshold int) ([]age.Recipient, error) {
	if threshold < 2 || threshold > len(custodians) {
		return nil, fmt.Errorf("make a backup: %d of %d custodians: at least 2 have to be needed, and no more than there are", threshold, len(custodians))
	}
	if choose(len(custodians), threshold) > mostSets {
		return nil, fmt.Errorf("make a backup: %d of %d custodians has too many combinations (%d at most)", threshold, len(custodians), mostSets)
	}
	var recipients []age.Recipient
	seen := map[string]string{}
	for _, custodian := range custodians {
		if custodian.Name == "" || len(custodian.Name) > 100 || strings.ContainsFunc(custodian.Name, func(r rune) bool { return r < ' ' }) {
			return nil, fmt.Errorf("make a backup: custodian name %.40q: 1 to 100 printable characters", custodian.Name)
		}
		parsed, err := age.ParseRecipients(strings.NewReader(custodian.Recipient))
		if err != nil || len(parsed) != 1 {
			return nil, fmt.Errorf("make a backup: custodian %q: the recipient is not one age recipient (age1...)", custodian.Name)
		}
		for _, key := range []string{"name " + custodian.Name, "recipient " + strings.TrimSpace(custodian.Recipient)} {
			if other, twice := seen[key]; twice {
				return nil, fmt.Errorf("make a backup: custodians %q and %q are the same: %s", other, custodian.Name, key)
			}
			seen[key] = custodian.Name
		}
		recipients = append(recipients, parsed[0])
	}
	return recipients, nil
}

// split makes count parts whose XOR is secret; any count-1 of them are random.
func split(secret []byte, count int) ([][]byte, error) {
	last := bytes.Clone(secret)
	var parts [][]byte
	for range count - 1 {
		part := make([]byte, len(secret))
		if _, err := rand.Read(part); err != nil {
			return nil, fmt.Errorf("make a backup: %w", err)
		}
		subtle.XORBytes(last, last, part)
		parts = append(parts, part)
	}
	return append(parts, last), nil
}

// sets lists every way to take k of the numbers 1 to n, ascending.
func sets(n, k int) [][]int {
	if k == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for last := k; last <= n; last++ {
		for _, before := range sets(last-1, k-1) {
			all = append(all, append(slices.Clone(before), last))
		}
	}
	return all
}

// choose is n choose k, and more than mostSets for all that is too many.
func choose(n, k int) int {
	k = min(k, n-k)
	ways := 1
	for i := 1; i <= k; i++ {
		ways = ways * (n - k + i) / i
		if ways > mostSets {
			return mostSets + 1
		}
	}
	return ways
}

func setName(set []int) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(set), " ", ","), "[]")
}

func encrypt(plain []byte, recipient age.Recipient) ([]byte, error) {
	var file bytes.Buffer
	writer, err := age.Encrypt(&file, recipient)
	if err == nil {
		_, err = writer.Write(plain)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("make a backup: encrypt: %w", err)
	}
	return file.Bytes(), nil
}

func decrypt(file []byte, limit int64, identities ...age.Identity) ([]byte, error) {
	reader, err := age.Decrypt(bytes.NewReader(file), identities...)
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(reader, limit+1))
	if err != nil {
		return nil, fmt.Errorf("decrypt: %w", err)
	}
	if int64(len(plain)) > limit {
		return nil, fmt.Errorf("decrypt: more than %d bytes", limit)
	}
	return plain, nil
}
