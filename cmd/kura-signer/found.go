package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
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
func initJournal(ctx context.Context, in *invocation) (err error) {
	var configPath, policyPath, verdictsPath, hashText string
	err = in.flags("init", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.StringVar(&policyPath, "policy", "", "policy 1 as JSON, as kura policy compile writes it")
		f.StringVar(&verdictsPath, "verdicts", "", "the directors' approvals, one envelope a line")
		f.StringVar(&hashText, "policy-hash", "", "SHA-256 of the policy, as the directors read it to each other")
	}, "config", "policy", "verdicts", "policy-hash")
	if err != nil {
		return err
	}
	founding, err := readFounding(policyPath, verdictsPath, hashText)
	if err != nil {
		return err
	}
	x, err := in.begin(ctx, configPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.end()) }()
	genesis, err := x.found(ctx, founding)
	if err != nil {
		return err
	}
	say(in.stderr, "The journal is founded and the token bound to it. Everybody pins this line:\n")
	_, err = fmt.Fprintln(in.stdout, genesis.String())
	return err
}

// readFounding reads the documents of a founding.
func readFounding(policyPath, verdictsPath, hashText string) (signer.Founding, error) {
	hash, err := policy.ParseHash(hashText)
	if err != nil {
		return signer.Founding{}, exit(exitUsage, fmt.Errorf("--policy-hash: %w", err))
	}
	text, err := os.ReadFile(policyPath)
	if err != nil {
		return signer.Founding{}, err
	}
	verdicts, err := readVerdicts(verdictsPath)
	return signer.Founding{Policy: bytes.TrimSuffix(text, []byte("\n")), Verdicts: verdicts, PolicyHash: hash}, err
}

// found opens what a founding needs beside its documents, and founds the journal.
func (x *ceremony) found(ctx context.Context, f signer.Founding) (g journal.Genesis, err error) {
	f.Origin = x.config.Origin
	if f.LogKey, err = x.token.LogPublicKey(); err != nil {
		return g, err
	}
	s, err := openStore(ctx, x.config.Journal)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if f.Clock, err = host.NewMachineClock(); err != nil {
		return g, err
	}
	f.Store, f.Token = s, host.Keys{Token: x.token}
	f.Anchors = []journal.Anchor{anchorfile.New(x.config.AnchorFile), host.Anchor{Token: x.token}}
	f.Bind = func(genesis journal.Hash) error { return x.token.BindGenesis(genesis) }
	return signer.Found(ctx, f)
}

func readVerdicts(path string) ([]statement.Envelope, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
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
