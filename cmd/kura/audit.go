package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"kura/audit"
	"kura/journal"
	"kura/journal/cosign"
	"kura/ledger"
	"kura/statement"
)

func newAudit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Export the journal, verify an export offline, report, extract statements",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAuditExport(), newAuditVerify(), newAuditReport(), newAuditStatement())
	return cmd
}

func newAuditExport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export --out FILE",
		Short: "Write the whole journal to a file, checked against its signed head",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usagef("give --out")
			}
			c, err := connect(cmd)
			if err != nil {
				return err
			}
			defer c.Close()
			var head journal.Head
			err = replaceFile(out, func(f *os.File) error {
				return c.withSession(cmd, func() error {
					var err error
					head, err = c.Export(cmd.Context(), f)
					return err
				})
			})
			if err != nil {
				return failure(err)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d entries up to the signed head\n", out, head.Size)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write")
	return cmd
}

// replaceFile writes a file whole or not at all. write may be called on an empty
// file only: a second try inside it must begin anew.
func replaceFile(name string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if err := errors.Join(write(f), f.Sync(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func newAuditVerify() *cobra.Command {
	var genesis, from, predecessor string
	var accepted []uint
	var witnesses []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check an export offline: tree and head, every signature, every decision made again",
		Long: `Check an export offline. Every entry must lead to the signed head under the pinned
genesis, every statement must be signed, and every decision is made again from the
entries alone and must come out the same, byte for byte. Exit 0 only if all held.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := auditOptions(cmd, genesis, from, accepted)
			if err != nil {
				return err
			}
			if options.Witnesses, err = witnessKeys(witnesses); err != nil {
				return err
			}
			if predecessor != "" {
				before, err := os.Open(predecessor)
				if err != nil {
					return err
				}
				defer before.Close()
				options.Predecessor = before
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			report, err := audit.Verify(cmd.Context(), f, options)
			if err != nil {
				return err
			}
			return printReport(cmd, args[0], report, asJSON)
		},
	}
	cmd.Flags().StringVar(&genesis, "genesis", "", "genesis line to hold it to (default: the one that the home pins, if there is a home)")
	cmd.Flags().StringVar(&from, "from-checkpoint", "", "file with an earlier signed head that the export must extend")
	cmd.Flags().UintSliceVar(&accepted, "accept-gap", nil, acceptGapUsage)
	cmd.Flags().StringVar(&predecessor, "predecessor", "", "export of the journal that this one follows after a restore; it is verified, too")
	cmd.Flags().StringArrayVar(&witnesses, "witness", nil, witnessUsage)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

const acceptGapUsage = "entry of a gap: go on from --from-checkpoint although that gap says it was lost (the directors said so)"

const witnessUsage = "key line of a witness that you know, once for each there ever was: no other may have vouched for the time"

// witnessKeys reads the key lines of --witness.
func witnessKeys(lines []string) ([]cosign.Key, error) {
	var all []cosign.Key
	for _, line := range lines {
		key, err := cosign.ParseKey(line)
		if err != nil {
			return nil, usagef("--witness: %w", err)
		}
		all = append(all, key)
	}
	return all, nil
}

// auditOptions pins what the flags or the home name. Without either the export is
// held to its own genesis, and the report says so.
func auditOptions(cmd *cobra.Command, genesis, from string, accepted []uint) (audit.Options, error) {
	options := audit.Options{Genesis: genesis}
	for _, seq := range accepted {
		options.AcceptGaps = append(options.AcceptGaps, uint64(seq))
	}
	if genesis == "" {
		if h, err := openHome(cmd); err == nil {
			options.Genesis = h.genesis.String()
		}
	} else if _, err := journal.ParseGenesis(genesis); err != nil {
		return options, usagef("--genesis: %w", err)
	}
	if from != "" {
		text, err := os.ReadFile(from)
		if err != nil {
			return options, fmt.Errorf("--from-checkpoint: %w", err)
		}
		options.From = text
	}
	return options, nil
}

func printReport(cmd *cobra.Command, name string, r audit.Report, asJSON bool) error {
	if asJSON {
		if err := writeJSONLine(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	} else {
		p := newPage(cmd.OutOrStdout())
		verdict := "ok, every check held"
		if !r.OK {
			verdict = "NOT OK"
		}
		p.title("%s: %s", filepath.Base(name), verdict)
		if f := r.Failure; f != nil {
			p.field("failure", "entry %d: %s: %s", f.Entry, f.Code, statement.Quote(f.Reason, 1000))
		}
		for _, g := range r.Gaps {
			p.field("ENTRIES LOST", "%s", gapWords(g))
		}
		p.field("genesis", "%s", r.Genesis)
		if !r.Pinned {
			p.field("", "(the export's own: pin one with --genesis)")
		}
		p.field("entries", "%d under a signed head of size %d", r.Counts.Entries, r.Size)
		p.field("statements", "%d SSH signatures hold", r.Counts.Statements)
		p.field("decisions", "%d made again with the same outcome, rule, numbers and codes", r.Counts.Decisions)
		p.field("transactions", "%d say exactly what their statements say", r.Counts.Transactions)
		p.field("signatures", "%d hold by their chain's rules", r.Counts.Signatures)
		if r.Counts.Vouched > 0 {
			p.field("time", "vouched for by witnesses %d times, by at least %d of them each time:", r.Counts.Vouched, r.VoucherQuorum)
			for _, line := range r.Vouchers {
				p.field("", "%s", statement.Quote(line, 300))
			}
		}
		for _, note := range r.Notes {
			p.field("note", "%s", note)
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	if !r.OK {
		return reported(exitFailed)
	}
	return nil
}

// gapWords says what a gap means.
func gapWords(g audit.Gap) string {
	lost := "entries"
	if g.Entries > 0 {
		lost = fmt.Sprintf("entries %d to %d", g.Kept, g.Lost-1)
	}
	return fmt.Sprintf("the journal lost %s (a head of size %d had been signed) and goes on without them after size %d, by the gap of %s at entry %d, approved by %s", lost, g.Lost, g.Kept, g.Time, g.Entry, strings.Join(g.By, ", "))
}

func newAuditReport() *cobra.Command {
	var genesis, from, out string
	var accepted []uint
	var witnesses []string
	cmd := &cobra.Command{
		Use:   "report FILE --out PAGE.html",
		Short: "Verify an export and write what happened in it as one static page",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("give --out")
			}
			options, err := auditOptions(cmd, genesis, from, accepted)
			if err != nil {
				return err
			}
			if options.Witnesses, err = witnessKeys(witnesses); err != nil {
				return err
			}
			export, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer export.Close()
			var report audit.Report
			err = replaceFile(out, func(page *os.File) error {
				report, err = audit.WritePage(cmd.Context(), page, export, options)
				return err
			})
			if err != nil {
				return err
			}
			return printReport(cmd, args[0], report, false)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "page to write: no scripts, nothing fetched from anywhere")
	cmd.Flags().StringVar(&genesis, "genesis", "", "genesis line to hold it to (default: the one that the home pins, if there is a home)")
	cmd.Flags().StringVar(&from, "from-checkpoint", "", "file with an earlier signed head that the export must extend")
	cmd.Flags().UintSliceVar(&accepted, "accept-gap", nil, acceptGapUsage)
	cmd.Flags().StringArrayVar(&witnesses, "witness", nil, witnessUsage)
	return cmd
}

// newAuditStatement takes one statement out of an export, with what a stock
// ssh-keygen needs to check it.
func newAuditStatement() *cobra.Command {
	var out, kind, by, hash string
	cmd := &cobra.Command{
		Use:   "statement FILE --out DIR",
		Short: "Take a statement out of an export, for ssh-keygen -Y verify",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("give --out")
			}
			options, err := auditOptions(cmd, "", "", nil)
			if err != nil {
				return err
			}
			var found *ledger.Statement
			options.Visit = func(_ journal.Entry, body ledger.Body, _ *ledger.State) {
				s, ok := body.(*ledger.Statement)
				if found == nil && ok && (kind == "" || string(s.Type) == kind) && (by == "" || s.By.ID == by) && strings.HasPrefix(s.Hash.String(), hash) {
					found = s
				}
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			report, err := audit.Verify(cmd.Context(), f, options)
			if err != nil {
				return err
			}
			switch {
			case !report.OK:
				return fmt.Errorf("%s does not verify: %w", args[0], report.Failure)
			case found == nil:
				return fmt.Errorf("%s holds no such statement", args[0])
			}
			return writeStatement(cmd, out, found)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "directory for text, text.sig and allowed_signers")
	cmd.Flags().StringVar(&kind, "type", "", "of this type, like verdict/1")
	cmd.Flags().StringVar(&by, "by", "", "of this person or client")
	cmd.Flags().StringVar(&hash, "hash", "", "whose hash begins so")
	return cmd
}

func writeStatement(cmd *cobra.Command, dir string, s *ledger.Statement) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	namespace := s.Type.Namespace()
	for name, text := range map[string]string{
		"text": s.Statement, "text.sig": s.Signature,
		"allowed_signers": fmt.Sprintf("%s namespaces=%q %s\n", s.By.ID, namespace, s.Key),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "ssh-keygen -Y verify -f %[1]s/allowed_signers -I %[2]s -n %[3]s -s %[1]s/text.sig < %[1]s/text\n", dir, s.By.ID, namespace)
	return err
}
