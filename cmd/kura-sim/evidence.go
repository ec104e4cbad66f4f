package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kura/audit"
	"kura/journal"
)

// exportName is the journal of a run as an auditor gets it.
const exportName = "export.jsonl"

// verify ends the signer, exports its journal and has it verified as an auditor would, under the genesis that the run
// began with: every signature, every decision made again, every head.
func (d *deployment) verify(ctx context.Context) (audit.Report, error) {
	if err := d.halt(); err != nil {
		return audit.Report{}, err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, exportName), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		return audit.Report{}, err
	}
	report, err := d.exportAndVerify(ctx, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return audit.Report{}, fmt.Errorf("verify the journal of the run: %w", err)
	}
	return report, nil
}

func (d *deployment) exportAndVerify(ctx context.Context, f *os.File) (audit.Report, error) {
	if err := audit.Export(f, d.genesis, d.store.Heads(ctx, 0), d.store.Entries(ctx, 0, journal.MaxSeq)); err != nil {
		return audit.Report{}, err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, f, audit.Options{Genesis: d.genesis.String()})
}
