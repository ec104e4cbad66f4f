package main

import (
	"context"
	"errors"
	"flag"
	"maps"
	"slices"
	"strings"

	"kura/ledger"
	"kura/signer/token"
)

// tokenRotate puts another sealing key in the place of the one there is: every sealed wallet is sealed anew, both keys'
// ids are journalled, and the old key is destroyed last. Interrupted anywhere it is run again and finishes.
func tokenRotate(ctx context.Context, in *invocation) (err error) {
	var configPath string
	var present []string
	var copied bool
	err = in.flags("token rotate-sealing", func(f *flag.FlagSet) {
		f.StringVar(&configPath, "config", "", "configuration file")
		f.Var((*repeated)(&present), "present", "who is there, for the record; once for each")
		f.BoolVar(&copied, "copied", false, "with a shared journal, the second time: the new files of state_dir/wallets are on every signer's host")
	}, "config", "present")
	if err != nil {
		return err
	}
	x, err := in.begin(ctx, configPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.end()) }()
	// Nothing is changed before the journal is known to take the record.
	if err := x.record(ctx, func(*ledger.State) []ledger.Input { return nil }); err != nil {
		return err
	}
	rotation, err := x.token.RotateSealingKey(ctx)
	if err != nil {
		return err
	}
	say(in.stdout, "sealing key  %s, in place of %s\n", rotation.New, strings.Join(rotation.Old, ", "))
	for _, wallet := range slices.Sorted(maps.Keys(rotation.Blobs)) {
		say(in.stdout, "sealed anew  %s\n", wallet)
	}
	err = x.record(ctx, func(s *ledger.State) []ledger.Input { return sealingInputs(s, rotation, present) })
	if err != nil {
		return err
	}
	if x.config.Journal.Shared && !copied {
		say(in.stdout, "Journalled. The old key is still there, for the other signers: copy state_dir/wallets to each of them,\n"+
			"then run this again with --copied.\n")
		return nil
	}
	for _, old := range rotation.Old {
		if err := x.token.DestroySealingKey(ctx, old); err != nil {
			return err
		}
		say(in.stdout, "destroyed    %s\n", old)
	}
	return nil
}

// sealingInputs is the entry that records a rotation, unless the journal has it from a run that was interrupted.
func sealingInputs(s *ledger.State, rotation token.SealingRotation, present []string) []ledger.Input {
	b := ledger.Sealing{Old: rotation.Old, New: rotation.New, Present: present, Blobs: []ledger.Blob{}}
	known := true
	for _, wallet := range slices.Sorted(maps.Keys(rotation.Blobs)) {
		w, ok := s.Wallet(wallet)
		if !ok {
			continue // it had no ceremony: no policy can name it
		}
		known = known && w.Sealed == rotation.Blobs[wallet]
		b.Blobs = append(b.Blobs, ledger.Blob{Wallet: wallet, SHA256: rotation.Blobs[wallet]})
	}
	if known && len(b.Blobs) > 0 {
		return nil
	}
	return []ledger.Input{ledger.SealingInput{Sealing: b}}
}
