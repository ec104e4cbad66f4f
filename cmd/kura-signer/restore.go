package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/go-json-experiment/json"

	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/signer"
	"kura/signer/token"
)

// restore opens a successor journal on a fresh token and puts a backup's wallets into it, while no signer runs. The
// policy that was in force goes on, by a quorum of its directors. Interrupted anywhere it is run again with the same
// arguments and finishes what was begun.
func restore(ctx context.Context, in *invocation) (err error) {
	var configPath, backupPath, line, checkpointPath, keysPath, policyPath, verdictsPath, hashText string
	var sharePaths, identityPaths, present []string
	err = in.flags("restore", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file, of a token that token init has just prepared")
		f.StringVar(&backupPath, "backup", "", "the backup that wallet backup wrote")
		f.Var((*repeated)(&sharePaths), "share", "a custodian's share, decrypted with age -d; once for each")
		f.Var((*repeated)(&identityPaths), "identity", "or her age identity file; once for each")
		f.StringVar(&line, "predecessor", "", "genesis line of the journal that is followed")
		f.StringVar(&checkpointPath, "predecessor-checkpoint", "", "its last cosigned checkpoint")
		f.StringVar(&keysPath, "predecessor-keys", "", "the handovers of its log key, if it had any: what kura log keys --out wrote")
		f.StringVar(&policyPath, "policy", "", "the policy that was in force, as JSON")
		f.StringVar(&hashText, "policy-hash", "", "SHA-256 of that policy, as the directors read it to each other")
		f.StringVar(&verdictsPath, "verdicts", "", "their approvals of the succession, one envelope a line")
		f.Var((*repeated)(&present), "present", "who is there, for the record; once for each")
	}, "config", "backup", "predecessor", "predecessor-checkpoint", "policy", "policy-hash", "verdicts", "present")
	if err != nil {
		return err
	}
	founding, err := readFounding(policyPath, verdictsPath, hashText)
	if err != nil {
		return err
	}
	if founding.Predecessor, err = readPredecessor(line, checkpointPath, keysPath); err != nil {
		return err
	}
	b, err := readBackup(backupPath)
	if err != nil {
		return err
	}
	shares, err := b.gather(sharePaths, identityPaths)
	defer func() {
		for _, share := range shares {
			clear(share)
		}
	}()
	if err != nil {
		return err
	}
	contents, err := dearmored(b.Contents)
	if err != nil {
		return fmt.Errorf("%s: contents: %w", backupPath, err)
	}
	if b.Journal != line {
		say(in.stderr, "note: the backup says that it was made under %.200q, not under the journal that is followed: newer wallets are not in it\n", b.Journal)
	}
	x, err := in.begin(ctx, configPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.end()) }()
	// Before the successor is founded: a token that is bound to it takes no other.
	if err := token.CheckBackup(contents, shares); err != nil {
		return fmt.Errorf("%s: %w: nothing was changed", backupPath, err)
	}
	if err := x.succeed(ctx, founding); err != nil {
		return err
	}
	ceremonies, err := x.token.Restore(ctx, contents, shares)
	if err != nil {
		return err
	}
	records := make([]ledger.Wallet, len(ceremonies))
	for i, one := range ceremonies {
		records[i] = host.Record(one)
	}
	err = x.record(ctx, func(s *ledger.State) []ledger.Input { return signer.Ceremonies(s, records, present) })
	if err != nil {
		return err
	}
	return x.reportRestored(ctx, in, founding.Policy, records)
}

// succeed founds the successor, unless a run that was interrupted has done so.
func (x *ceremony) succeed(ctx context.Context, f signer.Founding) error {
	if _, bound := x.token.Genesis(); !bound {
		_, err := x.found(ctx, f)
		return err
	}
	var foreign error
	err := x.record(ctx, func(s *ledger.State) []ledger.Input {
		genesis, _ := s.Genesis()
		before := genesis.Predecessor
		if before == nil || before.Genesis != f.Predecessor.Genesis || before.Checkpoint != f.Predecessor.Checkpoint || genesis.Policy != f.PolicyHash {
			foreign = errors.New("the token is bound to a journal that is not this successor: a restore takes a fresh token and an empty store")
		}
		return nil
	})
	return errors.Join(err, foreign)
}

// readPredecessor reads what a successor's genesis names, and holds the checkpoint to the line.
func readPredecessor(line, checkpointPath, keysPath string) (*ledger.Predecessor, error) {
	if _, err := journal.ParseGenesis(line); err != nil {
		return nil, exit(exitUsage, fmt.Errorf("--predecessor: %w", err))
	}
	checkpoint, err := os.ReadFile(checkpointPath)
	if err != nil {
		return nil, err
	}
	p := &ledger.Predecessor{Genesis: line, Checkpoint: string(checkpoint)}
	if keysPath != "" {
		text, err := os.ReadFile(keysPath)
		if err == nil {
			err = json.Unmarshal(text, &p.Handovers)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", keysPath, err)
		}
	}
	err = p.Check()
	if errors.Is(err, journal.ErrOtherKey) {
		err = fmt.Errorf("%w: if its log key was handed over, give the proofs of that with --predecessor-keys", err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", checkpointPath, err)
	}
	return p, nil
}

// gather reads decrypted shares, and decrypts those that the identities open. The caller wipes what comes back.
func (f *backupFile) gather(sharePaths, identityPaths []string) (shares [][]byte, err error) {
	for _, path := range sharePaths {
		share, err := os.ReadFile(path)
		if err != nil {
			return shares, err
		}
		shares = append(shares, share)
	}
	for _, path := range identityPaths {
		identity, err := os.ReadFile(path)
		if err != nil {
			return shares, err
		}
		opened, err := f.open(identity)
		clear(identity)
		if err != nil {
			return shares, fmt.Errorf("%s: %w", path, err)
		}
		shares = append(shares, opened)
	}
	return shares, nil
}

// reportRestored says what came back, what did not, and how it goes on.
func (x *ceremony) reportRestored(ctx context.Context, in *invocation, policyText []byte, records []ledger.Wallet) error {
	restored := map[string]bool{}
	for _, r := range records {
		restored[r.Name] = true
		say(in.stdout, "restored      %s  %s  %s\n", r.Name, r.Network, r.Address)
	}
	p, err := policy.Parse(policyText)
	if err != nil {
		return err
	}
	for _, w := range p.Document().Wallets {
		if !restored[string(w.ID)] {
			say(in.stdout, "not restored  %s  %s: its key is not in the backup; a new wallet, or the import of a key that is kept elsewhere, takes another name and a policy that names it\n", w.ID, w.Network)
		}
	}
	genesis, err := storedGenesis(ctx, x.config, x.token)
	if err != nil {
		return err
	}
	say(in.stderr, "The successor is open. Its address book is empty, every window counts as full, and withdrawals are denied until\n"+
		"nothing that the old journal authorised can be paid any more. Everybody pins this line from now on:\n")
	_, err = fmt.Fprintln(in.stdout, genesis.String())
	return err
}
