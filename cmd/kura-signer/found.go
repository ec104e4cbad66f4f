package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/policy"
	"kura/signer"
	"kura/statement"
)

// maxVerdicts bounds how many directors can found a journal.
const maxVerdicts = 256

// initJournal founds the journal: entry 0, entry 1, the genesis hash in the token.
func initJournal(ctx context.Context, in *invocation) error {
	var configPath, policyPath, verdictsPath, hashText string
	err := in.flags("init", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&policyPath, "policy", "", "policy 1 as JSON, as kura policy compile writes it")
		f.StringVar(&verdictsPath, "verdicts", "", "the directors' approvals, one envelope a line")
		f.StringVar(&hashText, "policy-hash", "", "SHA-256 of the policy, as the directors read it to each other")
	}, "config", "policy", "verdicts", "policy-hash")
	if err != nil {
		return err
	}
	c, err := setUp(configPath)
	if err != nil {
		return err
	}
	hash, err := policy.ParseHash(hashText)
	if err != nil {
		return exit(exitUsage, fmt.Errorf("--policy-hash: %w", err))
	}
	text, err := os.ReadFile(policyPath)
	if err != nil {
		return err
	}
	verdicts, err := readVerdicts(verdictsPath)
	if err != nil {
		return err
	}
	unlock, err := lockState(c.StateDir)
	if err != nil {
		return err
	}
	defer unlock()
	genesis, err := found(ctx, c, bytes.TrimSuffix(text, []byte("\n")), verdicts, hash, in)
	if err != nil {
		return err
	}
	fmt.Fprintln(in.stderr, "The journal is founded and the token bound to it. Everybody pins this line:")
	_, err = fmt.Fprintln(in.stdout, genesis.String())
	return err
}

func found(ctx context.Context, c *Config, text []byte, verdicts []statement.Envelope, hash policy.Hash, in *invocation) (g journal.Genesis, err error) {
	t, err := openToken(ctx, c, slog.New(slog.NewTextHandler(in.stderr, nil)))
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	logKey, err := t.LogPublicKey()
	if err != nil {
		return g, err
	}
	s, err := openStore(ctx, c.Journal)
	if err != nil {
		return g, fmt.Errorf("open the journal's store: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	clock, err := host.NewMachineClock()
	if err != nil {
		return g, err
	}
	return signer.Found(ctx, signer.Founding{
		Origin: c.Origin, LogKey: logKey, Policy: text, Verdicts: verdicts, PolicyHash: hash, Store: s,
		Anchors: []journal.Anchor{anchorfile.New(c.AnchorFile), host.Anchor{Token: t}},
		Token:   host.Keys{Token: t}, Clock: clock,
		Bind: func(genesis journal.Hash) error { return t.BindGenesis(genesis) },
	})
}

func readVerdicts(path string) ([]statement.Envelope, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	var all []statement.Envelope
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, statement.MaxEnvelope)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := statement.DecodeEnvelope(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		if all = append(all, e); len(all) > maxVerdicts {
			return nil, fmt.Errorf("%s: more than %d verdicts", path, maxVerdicts)
		}
	}
	return all, lines.Err()
}
