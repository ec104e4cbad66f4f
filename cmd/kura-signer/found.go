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
	"kura/ledger"
	"kura/policy"
	"kura/signer"
	"kura/statement"
)

// maxVerdicts bounds how many directors can found a journal.
const maxVerdicts = 256

// initJournal founds the journal: entry 0, entry 1, the genesis hash in the token.
func initJournal(ctx context.Context, in *invocation) error {
	var configPath, policyPath, verdictsPath, hashText, line, checkpointPath string
	err := in.flags("init", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&policyPath, "policy", "", "policy 1 as JSON, as kura policy compile writes it")
		f.StringVar(&verdictsPath, "verdicts", "", "the directors' approvals, one envelope a line")
		f.StringVar(&hashText, "policy-hash", "", "SHA-256 of the policy, as the directors read it to each other")
		f.StringVar(&line, "predecessor", "", "after a restore: the genesis line of the journal that this one follows")
		f.StringVar(&checkpointPath, "predecessor-checkpoint", "", "and a file with its last cosigned checkpoint")
	}, "config", "policy", "verdicts", "policy-hash")
	if err != nil {
		return err
	}
	predecessor, err := readPredecessor(line, checkpointPath)
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
	genesis, err := in.found(ctx, c, signer.Founding{
		Origin: c.Origin, Policy: bytes.TrimSuffix(text, []byte("\n")), Verdicts: verdicts, PolicyHash: hash, Predecessor: predecessor,
	})
	if err != nil {
		return err
	}
	say(in.stderr, "The journal is founded and the token bound to it. Everybody pins this line:\n")
	_, err = fmt.Fprintln(in.stdout, genesis.String())
	return err
}

// found opens what a founding needs beside the documents.
func (in *invocation) found(ctx context.Context, c *Config, f signer.Founding) (g journal.Genesis, err error) {
	t, err := openToken(ctx, c, slog.New(slog.NewTextHandler(in.stderr, nil)))
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if f.LogKey, err = t.LogPublicKey(); err != nil {
		return g, err
	}
	s, err := openStore(ctx, c.Journal)
	if err != nil {
		return g, fmt.Errorf("open the journal's store: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if f.Clock, err = host.NewMachineClock(); err != nil {
		return g, err
	}
	f.Store, f.Token = s, host.Keys{Token: t}
	f.Anchors = []journal.Anchor{anchorfile.New(c.AnchorFile), host.Anchor{Token: t}}
	f.Bind = func(genesis journal.Hash) error { return t.BindGenesis(genesis) }
	return signer.Found(ctx, f)
}

// readPredecessor reads what a successor's genesis names, and holds the checkpoint to the line.
func readPredecessor(line, checkpointPath string) (*ledger.Predecessor, error) {
	if line == "" && checkpointPath == "" {
		return nil, nil
	}
	if line == "" || checkpointPath == "" {
		return nil, exit(exitUsage, errors.New("--predecessor and --predecessor-checkpoint go together"))
	}
	genesis, err := journal.ParseGenesis(line)
	if err != nil {
		return nil, exit(exitUsage, fmt.Errorf("--predecessor: %w", err))
	}
	checkpoint, err := os.ReadFile(checkpointPath)
	if err != nil {
		return nil, err
	}
	if _, err := journal.OpenCheckpoint(genesis, checkpoint); err != nil {
		return nil, fmt.Errorf("%s: %w", checkpointPath, err)
	}
	return &ledger.Predecessor{Genesis: line, Checkpoint: string(checkpoint)}, nil
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
