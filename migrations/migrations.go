// Package migrations holds the numbered SQL files that make and change the PostgreSQL schema.
//
// A file is named NNNN_what_it_does.sql and never changes once it has been released: package
// journal/postgres records the hash of every file that it applied and refuses to go on when one differs.
// The files are trusted like code: they run with the rights of the database's owner.
package migrations

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed *.sql
var files embed.FS

// A Migration is one file.
type Migration struct {
	Number int      // from 1 on, without gaps
	Name   string   // the file's name
	SQL    string   // statements, run in one transaction
	Hash   [32]byte // SHA-256 of SQL
}

// All returns the migrations in order. An error means that the files are misnumbered.
func All() ([]Migration, error) {
	entries, err := files.ReadDir(".") // sorted by name
	if err != nil {
		return nil, err
	}
	all := make([]Migration, 0, len(entries))
	for i, entry := range entries {
		digits, _, _ := strings.Cut(entry.Name(), "_")
		number, err := strconv.Atoi(digits)
		if err != nil || len(digits) != 4 || number != i+1 {
			return nil, fmt.Errorf("migration %s is not number %04d", entry.Name(), i+1)
		}
		sql, err := files.ReadFile(entry.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, Migration{Number: number, Name: entry.Name(), SQL: string(sql), Hash: sha256.Sum256(sql)})
	}
	return all, nil
}
