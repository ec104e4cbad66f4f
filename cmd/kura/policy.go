package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kura/policy"
	"kura/policy/source"
)

func newPolicy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Write, check, bound, explain, propose, approve, reject and veto policies",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newPolicyCompile(), newPolicyCheck(), newPolicyDiff(), newPolicyBlastRadius(), newPolicyExplain(), newPolicySimulate(), newPolicyCanary(),
		newPolicyPropose(), newProposalApprove("policy"), newProposalReject(), newProposalCancel(), newProposalVeto(), newPolicyShow(), newPolicyHistory(),
	)
	return cmd
}

// readPolicy compiles a policy file, YAML or JSON. Every mistake is in the error,
// a line each.
func readPolicy(cmd *cobra.Command, name string) (*policy.Policy, error) {
	p, _, err := readPolicyText(cmd, name)
	return p, err
}

// readPolicyText gives the file's text beside the policy, to find lines in.
func readPolicyText(cmd *cobra.Command, name string) (*policy.Policy, []byte, error) {
	text, err := readAll(cmd, name)
	if err != nil {
		return nil, nil, err
	}
	p, err := source.Compile(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%s:\n%w", name, err)
	}
	return p, text, nil
}

// readBook makes an address book of a change file, YAML or JSON; nil for "".
func readBook(cmd *cobra.Command, name string) (*policy.Book, error) {
	if name == "" {
		return nil, nil
	}
	change, err := readBookChange(cmd, name)
	if err != nil {
		return nil, err
	}
	book, err := new(policy.Book).Apply(change)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return book, nil
}

// wallTime is the pair of times for judgements that are about no journal.
func wallTime() policy.Now {
	now := time.Now().UnixMilli()
	return policy.Now{Clock: now, Time: now}
}

func newPolicyCompile() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "compile FILE",
		Short: "Compile YAML to the JSON that is signed; prints its hash on standard error",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "policy %d, hash %s\n", p.Document().Version, p.Hash())
			if out != "" {
				return os.WriteFile(out, p.Text(), 0o644)
			}
			// Exactly the bytes that are hashed: no newline behind them.
			_, err = cmd.OutOrStdout().Write(p.Text())
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write instead of standard output")
	return cmd
}

// checkView is what `kura policy check --json` prints.
type checkView struct {
	OK       bool        `json:"ok"` // nothing dangerous was found
	Hash     string      `json:"hash"`
	Version  int         `json:"version"`
	Findings []foundView `json:"findings"`
}

// foundView is a finding with the line of the file where its part stands, 0 if it
// is about nothing in the file.
type foundView struct {
	policy.Finding
	Line int `json:"line"`
}

func newPolicyCheck() *cobra.Command {
	var book string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check form and meaning, and look for what is unwise",
		Long: `Check a policy, YAML or JSON: first its form and meaning, then what is unwise in it
(rules that never match, limits that never bind, quorums that cannot be reached,
paths that nothing bounds). Exit 1 if it is wrong or something in it is dangerous.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, text, err := readPolicyText(cmd, args[0])
			if err != nil {
				return err
			}
			b, err := readBook(cmd, book)
			if err != nil {
				return err
			}
			view := checkView{OK: true, Hash: p.Hash().String(), Version: p.Document().Version}
			line := source.Lines(text)
			for _, f := range policy.Check(p, b, wallTime()) {
				view.OK = view.OK && f.Level != policy.Danger
				view.Findings = append(view.Findings, foundView{f, line(f.Path)})
			}
			return view.print(cmd, asJSON)
		},
	}
	cmd.Flags().StringVar(&book, "addresses", "", "address book to check it with (a change file)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return cmd
}

func (v checkView) print(cmd *cobra.Command, asJSON bool) error {
	if asJSON {
		if err := writeJSONLine(cmd.OutOrStdout(), v); err != nil {
			return err
		}
	} else {
		p := newPage(cmd.OutOrStdout())
		for _, f := range v.Findings {
			where := f.Path
			if f.Line > 0 {
				where = fmt.Sprintf("line %d, %s", f.Line, f.Path)
			}
			p.field(string(f.Level), "%s: %s", where, f.Text)
		}
		p.line("policy %d, hash %s: well-formed, %d findings", v.Version, v.Hash, len(v.Findings))
		if err := p.flush(); err != nil {
			return err
		}
	}
	if !v.OK {
		return reported(exitFailed)
	}
	return nil
}

func newPolicyDiff() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Say in words what a policy changes, with the blast radius before and after",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			old, err := readPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			next, err := readPolicy(cmd, args[1])
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSONLine(cmd.OutOrStdout(), policy.Diff(old, next))
			}
			p := newPage(cmd.OutOrStdout())
			printDiff(p, old, next, nil, nil)
			return p.flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the differences as JSON")
	return cmd
}

// printDiff says what changes, and what can be lost before and after, with the address
// book of each.
func printDiff(p *page, old, next *policy.Policy, had, has *policy.Book) {
	changes := policy.Diff(old, next)
	for _, c := range changes {
		p.field(string(c.Effect), "%s", c.Text)
	}
	if len(changes) == 0 {
		p.line("Nothing changes but the version (or the order of names, which says nothing).")
	}
	printLosses(p, old, next, had, has)
}

// printLosses says what can be lost before and after: to each client's key, and to
// every other set of the table for which that changes (once, if a key of it alone does
// the same).
func printLosses(p *page, old, next *policy.Policy, had, has *policy.Book) {
	p.line("The most that can reach the chain within 24 hours, if stolen:")
	before, sets := blastTexts(old, had)
	after, more := blastTexts(next, has)
	for _, stolen := range more {
		if !slices.Contains(sets, stolen) {
			sets = append(sets, stolen)
		}
	}
	for _, stolen := range sets {
		was, is := costs(before, stolen), costs(after, stolen)
		parts := strings.Split(stolen, ",")
		client := len(parts) == 1 && strings.HasPrefix(stolen, "client:")
		asAlone := len(parts) > 1 && slices.ContainsFunc(parts, func(one string) bool {
			return costs(before, one) == was && costs(after, one) == is
		})
		if (!client && was == is) || asAlone {
			continue
		}
		p.title("%s", stolen)
		p.field("before", "%s", was)
		p.field("after", "%s", is)
	}
}

// costs says what a set can cost under a policy. Of a pair that has only one key
// in the policy, that one is all that anybody could steal; and where no service is
// lacking, the pair without it is the set.
func costs(texts map[string]string, stolen string) string {
	if text, ok := texts[stolen]; ok {
		return text
	}
	pair, _, _ := strings.Cut(stolen, ",service:")
	if text, ok := texts[pair]; ok {
		return text
	}
	for one := range strings.SplitSeq(stolen, ",") {
		if text, ok := texts[one]; ok {
			return text
		}
	}
	return "nothing: not in the policy"
}

// blastTexts says what each set of the default table can cost, and names the sets
// in its order.
func blastTexts(p *policy.Policy, book *policy.Book) (texts map[string]string, sets []string) {
	texts = map[string]string{}
	for _, b := range policy.BlastTable(p, policy.BlastOptions{Span: blastDay, Book: book}) {
		texts[b.Stolen] = totalText(p, b)
		sets = append(sets, b.Stolen)
	}
	return texts, sets
}
