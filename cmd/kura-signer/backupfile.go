package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age/armor"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kura/signer/token/backup"
)

// A backupFile is a backup as one file of JSON. Its encrypted parts are armored age files, so that a custodian needs
// nothing of Kura to read her share: jq prints it, age -d decrypts it. Everybody may hold the whole file. What it says in
// the clear is for people; what a restore believes is inside the contents.
type backupFile struct {
	Format    string         `json:"format"`
	Backup    string         `json:"backup"`    // 32 hex digits; stands in every share
	Journal   string         `json:"journal"`   // genesis line
	Threshold int            `json:"threshold"` // how many custodians restore it
	Wallets   []backedUp     `json:"wallets"`
	Contents  string         `json:"contents"` // armored age
	Shares    []custodyShare `json:"shares"`
}

// backedUp is a wallet whose key is in the contents.
type backedUp struct {
	Name     string `json:"name"`
	Network  string `json:"network"`
	Address  string `json:"address"`
	Imported bool   `json:"imported"`
}

type custodyShare struct {
	Custodian string `json:"custodian"`
	Share     string `json:"share"` // armored age, to the custodian's recipient
}

const backupFormat = "kura-backup/1"

// maxBackupFile bounds what is read, in bytes.
const maxBackupFile = 32 << 20

func armored(file []byte) (string, error) {
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	if _, err := w.Write(file); err != nil {
		return "", err
	}
	err := w.Close()
	return text.String(), err
}

func dearmored(text string) ([]byte, error) {
	return io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader([]byte(text))), maxBackupFile))
}

func (f *backupFile) encode() ([]byte, error) {
	text, err := json.Marshal(f, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(text, '\n'), err
}

// readBackup reads a backup file strictly.
func readBackup(path string) (*backupFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, maxBackupFile+1))
	if err != nil {
		return nil, err
	}
	f, err := parseBackup(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not a backup as wallet backup writes it: %w", path, err)
	}
	return f, nil
}

func parseBackup(text []byte) (*backupFile, error) {
	var f backupFile
	switch err := json.Unmarshal(text, &f, json.RejectUnknownMembers(true)); {
	case err != nil:
		return nil, err
	case len(text) > maxBackupFile:
		return nil, fmt.Errorf("more than %d bytes", maxBackupFile)
	case f.Format != backupFormat:
		return nil, fmt.Errorf("its format is %q, not %q", f.Format, backupFormat)
	}
	return &f, nil
}

// open decrypts the share that an age identity opens.
func (f *backupFile) open(identity []byte) ([]byte, error) {
	for _, s := range f.Shares {
		file, err := dearmored(s.Share)
		if err != nil {
			return nil, fmt.Errorf("the share of %q: %w", s.Custodian, err)
		}
		if share, err := backup.OpenShare(file, bytes.NewReader(identity)); err == nil {
			return share, nil
		}
	}
	return nil, errors.New("this identity opens no share of the backup")
}
