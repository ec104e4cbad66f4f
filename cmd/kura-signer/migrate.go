package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"kura/journal/postgres"
)

// migrate is the database owner's: the service's role cannot change tables.
func migrate(ctx context.Context, in *invocation) error {
	var dsnFile, role, passwordFile string
	err := in.flags("migrate", func(f *flag.FlagSet) {
		f.StringVar(&dsnFile, "dsn-file", "", "file with the owner's connection string, mode 0600")
		f.StringVar(&role, "service-role", "", "make or adjust this role for the signer: it can insert and select")
		f.StringVar(&passwordFile, "service-password-file", "", "file with that role's password, mode 0600")
	}, "dsn-file")
	if err != nil {
		return err
	}
	if (role == "") != (passwordFile == "") {
		return exit(exitUsage, errors.New("--service-role and --service-password-file go together"))
	}
	dsn, err := readSecretLine(dsnFile)
	if err != nil {
		return err
	}
	if err := postgres.Migrate(ctx, dsn); err != nil {
		return err
	}
	if role != "" {
		password, err := readSecretLine(passwordFile)
		if err != nil {
			return err
		}
		if err := postgres.GrantService(ctx, dsn, role, password); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(in.stdout, "the database has this version's tables")
	return err
}
