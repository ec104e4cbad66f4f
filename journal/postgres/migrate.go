package postgres

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"kura/migrations"
)

// ErrSchema says that the database's schema is not the one this program was built for.
var ErrSchema = errors.New("database schema does not fit")

// Migrate brings the schema that the owner's DSN leads to (its search_path, usually public) up to date:
// every numbered file of package migrations that was not applied yet, each in a transaction of its own.
// It is run by the database's owner; two at once wait for each other. A database that has other or newer
// files than this program is refused.
func Migrate(ctx context.Context, ownerDSN string) error {
	files, err := migrations.All()
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, ownerDSN)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := migrate(ctx, conn, files); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, conn *pgx.Conn, files []migrations.Migration) error {
	var encoding string
	if err := conn.QueryRow(ctx, "show server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("%w: its encoding is %s, entries need UTF8", ErrSchema, encoding)
	}
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1, hashtext(current_schema()))", lockMigrate); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `create table if not exists migrations (
		number integer primary key,
		name text not null,
		sha256 bytea not null,
		applied timestamptz not null default now())`); err != nil {
		return err
	}
	applied, err := appliedMigrations(ctx, conn, files)
	if err != nil {
		return err
	}
	for _, file := range files[applied:] {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, file.SQL); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "insert into migrations (number, name, sha256) values ($1, $2, $3)", file.Number, file.Name, file.Hash[:])
			return err
		})
		if err != nil {
			return fmt.Errorf("apply %s: %w", file.Name, err)
		}
	}
	return nil
}

// appliedMigrations returns how many of the files have been applied, and refuses others than these.
func appliedMigrations(ctx context.Context, conn *pgx.Conn, files []migrations.Migration) (int, error) {
	rows, err := conn.Query(ctx, "select number, name, sha256 from migrations order by number")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	applied := 0
	for rows.Next() {
		var number int
		var name string
		var hash []byte
		if err := rows.Scan(&number, &name, &hash); err != nil {
			return 0, err
		}
		if applied >= len(files) || files[applied].Number != number || !bytes.Equal(files[applied].Hash[:], hash) {
			return 0, fmt.Errorf("%w: it has migration %d (%s), which is not one of this program's", ErrSchema, number, name)
		}
		applied++
	}
	return applied, rows.Err()
}

// checkSchema refuses to work on a schema that is not up to date.
func checkSchema(ctx context.Context, conn *pgx.Conn) error {
	files, err := migrations.All()
	if err != nil {
		return err
	}
	applied, err := appliedMigrations(ctx, conn, files)
	if err != nil {
		return fmt.Errorf("%w: %w (has it been migrated?)", ErrSchema, err)
	}
	if applied < len(files) {
		return fmt.Errorf("%w: %d of %d migrations are applied; run kura-signer migrate", ErrSchema, applied, len(files))
	}
	return nil
}

// GrantService gives the service's role what it may do and nothing else: read the journal and insert into
// it. The role is made if there is none. With a password the role gets it, as a SCRAM verifier, so that
// the password itself is in no statement that the server might log; without one it keeps what it has.
// Run by the owner, who must be allowed to make roles if the role is not there yet.
func GrantService(ctx context.Context, ownerDSN, role, password string) error {
	conn, err := pgx.Connect(ctx, ownerDSN)
	if err != nil {
		return fmt.Errorf("grant to %s: %w", role, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	name := pgx.Identifier{role}.Sanitize()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var schema string
		var exists bool
		err := tx.QueryRow(ctx, "select current_schema(), exists (select from pg_roles where rolname = $1)", role).Scan(&schema, &exists)
		if err != nil {
			return err
		}
		schema = pgx.Identifier{schema}.Sanitize()
		var statements []string
		if !exists {
			statements = append(statements, "create role "+name+" login nosuperuser nocreatedb nocreaterole noreplication")
		}
		if password != "" {
			verifier, err := scramVerifier(password)
			if err != nil {
				return err
			}
			statements = append(statements, "alter role "+name+" password '"+verifier+"'")
		}
		statements = append(statements,
			"grant usage on schema "+schema+" to "+name,
			"grant select, insert on heads, entries to "+name,
			"grant select on journal, migrations to "+name)
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("grant to %s: %w", role, err)
	}
	return nil
}

// scramVerifier is what PostgreSQL stores for a password (RFC 5803, SCRAM-SHA-256). Passwords here are
// made by programs, of printable ASCII, so they need no SASLprep; others are refused.
func scramVerifier(password string) (string, error) {
	for _, c := range []byte(password) {
		if c <= ' ' || c > '~' {
			return "", errors.New("the role's password must be of printable ASCII characters without spaces")
		}
	}
	const iterations = 4096
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		return "", err
	}
	mac := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(mac("Server Key"))), nil
}
