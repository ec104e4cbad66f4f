package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"kura/journal"
	"kura/journal/gap"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

// signedLife is how long a director's answer counts that goes by hand and not through a gateway.
const signedLife = 24 * time.Hour

func newJournal() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "journal",
		Short: "What directors decide about the journal itself, when no signer can run",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newJournalApprove())
	return cmd
}

// newJournalApprove signs what kura-signer recover-tail and kura-signer restore ask the directors. No gateway is
// asked: there is no signer behind it that could answer.
func newJournalApprove() *cobra.Command {
	var gapPath, checkpointPath, policyPath, confirmed string
	cmd := &cobra.Command{
		Use:   "approve --gap FILE | --successor CHECKPOINT --policy FILE",
		Short: "Approve that the journal goes on after a lost tail, or in a successor after a lost token; prints the envelope",
		Long: `Approve that the journal goes on. Nothing is sent: the envelope is printed, and goes
to whoever runs kura-signer.

--gap FILE           after entries that it lost. FILE is what kura-signer recover-tail
                     --out wrote: the head that is kept and the one that is lost.
--successor FILE     in a new journal, after its token was lost. FILE is the last
                     cosigned checkpoint that anybody holds, --policy the policy that
                     was in force, as JSON.

What is approved is shown first, held to this home's own copy of the journal, which
is read without a gateway. Then the beginning of its hash is asked for; --confirm
answers beforehand. The answer counts for a day.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (gapPath == "") == (checkpointPath == "") || (checkpointPath == "") != (policyPath == "") {
				return usagef("give --gap, or --successor and --policy")
			}
			h, err := openHome(cmd)
			if err != nil {
				return err
			}
			m, err := h.openMirror()
			if err != nil {
				return err
			}
			page := newPage(cmd.ErrOrStderr())
			var about []statement.Hash
			var under statement.Hash
			if gapPath != "" {
				about, under, err = h.showGap(page, m, gapPath)
			} else {
				about, under, err = h.showSuccession(page, m, checkpointPath, policyPath)
			}
			if err = errors.Join(err, page.flush()); err != nil {
				return err
			}
			if err := confirmHash(cmd, statement.Approve, about[len(about)-1], confirmed); err != nil {
				return err
			}
			id, expires := h.newCommon(signedLife)
			env, err := h.sign(cmd, &statement.Verdict{
				Journal: statement.Hash(h.genesis.Hash), ID: id, Expires: expires, Verdict: statement.Approve, About: about, Policy: under,
			})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), string(env.Encode()))
			return err
		},
	}
	cmd.Flags().StringVar(&gapPath, "gap", "", "the question that kura-signer recover-tail wrote")
	cmd.Flags().StringVar(&checkpointPath, "successor", "", "the last cosigned checkpoint of the journal whose token is lost")
	cmd.Flags().StringVar(&policyPath, "policy", "", "with --successor: the policy that was in force, as JSON")
	cmd.Flags().StringVar(&confirmed, "confirm", "", "the first eight characters of the hash that is asked for")
	return cmd
}

// showGap says what going on after a lost tail means, and holds it to what this home has verified.
func (h *home) showGap(p *page, m *mirror, path string) (about []statement.Hash, under statement.Hash, err error) {
	text, err := readBounded(path, gap.MaxQuestion)
	if err != nil {
		return nil, under, err
	}
	keys := h.genesis.Keys()
	if m.head.Size > 0 {
		keys = m.state.LogKeys()
	}
	q, g, err := gap.ParseQuestion(keys, text)
	if err != nil {
		return nil, under, fmt.Errorf("%s: %w", path, err)
	}
	about = []statement.Hash{g.About(h.genesis.Origin)}
	kept, lost := g.Kept, g.Lost
	p.title("THE JOURNAL LOST ENTRIES, AND GOES ON WITHOUT THEM")
	p.field("journal", "%s", h.genesis)
	showHeads(p, g)
	if n := g.Entries(); n > 0 {
		p.field("entries", "%d to %d are lost (%d)", kept.Size, lost.Size-1, n)
	} else {
		p.field("entries", "NOT A LOST TAIL: the kept journal is longer than the lost head. Two histories were signed, and nobody can tell from which entry on they differ")
	}
	p.field("policy", "%s", q.Policy)
	p.field("hash", "%s", about[0])
	p.blank()
	if err := m.holdToGap(p, q, g); err != nil {
		return nil, under, withExit(exitNotProven, err)
	}
	p.blank()
	p.line("If you approve: whatever waited ends. Withdrawals are denied for up to 31 hours, and every limit counts as used up. " +
		"What a client signed up to the time under \"until\" is never paid, and the wait counts from it: if the clock of the lost entries " +
		"was further ahead than that, a lost payment can be made TWICE. FREEZES, SUSPENSIONS, VETOES AND CHANGES that stood in the lost entries are gone " +
		"until they are made again. Approve only if you know why the entries are lost, and that they cannot be found.")
	return about, q.Policy, nil
}

// showHeads shows all that a verdict about a gap approves, but for its hash.
func showHeads(p *page, g gap.Gap) {
	p.field("kept", "size %d, root %s", g.Kept.Size, g.Kept.Root)
	p.field("lost", "size %d, root %s", g.Lost.Size, g.Lost.Root)
	for _, h := range g.Between {
		p.field("and", "size %d, root %s", h.Size, h.Root)
	}
	p.field("until", "%s: the clock of the lost entries stood no later", statement.FormatTime(g.Until))
}

// holdToGap compares the kept head with this home's own copy, and says what that still has of the lost entries.
func (m *mirror) holdToGap(p *page, q gap.Question, g gap.Gap) error {
	switch {
	case m.head.Size < g.Kept.Size:
		p.field("your copy", "ends at size %d, before the kept head: it cannot tell whether that head and this policy are those you know. Read the hashes to the other directors", m.head.Size)
		return nil
	case m.head.Size > g.Lost.Size:
		return fmt.Errorf("your copy of the journal has a newer head, of size %d, than the lost one: that one is to be named (kura-signer recover-tail --head, with the file %q of this home)", m.head.Size, checkpointFileName)
	case m.head.Size == g.Lost.Size && m.head != g.Lost:
		return fmt.Errorf("your copy of the journal has another root at size %d than the lost head (%s): somebody signed two histories", m.head.Size, m.head.Root)
	}
	for _, e := range m.entries[g.Kept.Size:] {
		if e.Clock > g.Until {
			return fmt.Errorf("your copy of the journal has lost entry %d, written %s, after the time under \"until\" (%s): that one is to be named (kura-signer recover-tail --until)",
				e.Seq, statement.FormatTime(e.Clock), statement.FormatTime(g.Until))
		}
	}
	for _, lost := range m.state.Gaps() {
		if lost.Seq >= g.Kept.Size && lost.Latest > g.Until {
			return fmt.Errorf("your copy of the journal has a gap at the lost entry %d, which counts from %s, after the time under \"until\" (%s): that one is to be named (kura-signer recover-tail --until)",
				lost.Seq, statement.FormatTime(lost.Latest), statement.FormatTime(g.Until))
		}
	}
	known, err := m.upTo(g.Kept.Size)
	if err != nil {
		return err
	}
	if known.tree.Head() != g.Kept {
		return fmt.Errorf("your copy of the journal has root %s at the size of the kept head, not %s: this is another history", known.tree.Head().Root, g.Kept.Root)
	}
	if in := known.state.PolicyInForce().Hash(); in != q.Policy {
		return fmt.Errorf("at the kept head policy %s is in force, the question says %s", in, q.Policy)
	}
	p.field("your copy", "goes through the kept head, with this policy in force; its last entry was written %s", statement.FormatTime(known.state.Last().Clock))
	m.showLost(p, g.Kept.Size)
	return nil
}

// holdToEnd compares the end of the journal that a successor is to follow with this home's own copy.
func (m *mirror) holdToEnd(p *page, end journal.Head, inForce statement.Hash) error {
	switch {
	case m.head.Size == 0:
		p.field("your copy", "there is none: it cannot tell whether this head and this policy are those you know. Read the hashes to the other directors")
		return nil
	case m.head.Size < end.Size:
		p.field("your copy", "ends at size %d, before this head: it cannot tell whether that is the one you know. Read the hashes to the other directors", m.head.Size)
		if in := m.state.PolicyInForce().Hash(); in != inForce {
			p.field("", "ANOTHER POLICY is in force at its end: %s", in)
		}
		return nil
	}
	known, err := m.upTo(end.Size)
	if err != nil {
		return err
	}
	if known.tree.Head() != end {
		return fmt.Errorf("your copy of the journal has root %s at the checkpoint's size, not %s: this is another history", known.tree.Head().Root, end.Root)
	}
	if in := known.state.PolicyInForce().Hash(); in != inForce {
		return fmt.Errorf("at the checkpoint policy %s is in force, not %s", in, inForce)
	}
	if m.head.Size > end.Size {
		p.field("your copy", "GOES ON to size %d, after this head: what it has beyond is not known to the successor. Somebody may hold a newer cosigned checkpoint", m.head.Size)
		return nil
	}
	p.field("your copy", "ends at this head, with this policy in force")
	return nil
}

// upTo folds the first entries of the copy again.
func (m *mirror) upTo(size uint64) (*mirror, error) {
	tree, err := journal.NewTree(0, nil)
	if err != nil {
		return nil, err
	}
	part := &mirror{state: ledger.NewState(), tree: tree}
	for _, e := range m.entries[:size] {
		line, err := e.Encode()
		if err != nil {
			return nil, err
		}
		tree.Append(journal.LeafHash(line))
		if err := part.take(e); err != nil {
			return nil, err
		}
	}
	part.head = tree.Head()
	return part, nil
}

// showLost says what this home has of the lost entries.
func (m *mirror) showLost(p *page, from uint64) {
	lost := m.entries[from:]
	if len(lost) == 0 {
		p.field("", "It has none of the lost entries.")
		return
	}
	p.field("", "It still has %d of the lost entries, %d to %d; among them:", len(lost), from, lost[len(lost)-1].Seq)
	for _, e := range lost {
		body, err := ledger.DecodeBody(e.Kind, e.Body)
		if err != nil {
			continue // it was folded, so it decodes
		}
		switch b := body.(type) {
		case *ledger.Outcome:
			if b.State == ledger.StateAuthorized || b.Type == statement.TypeFreeze && b.State == ledger.StateInForce {
				p.field("", "entry %d: %s is %s: %s", e.Seq, b.Type, b.State, b.ID)
			}
		case *ledger.InForce:
			p.field("", "entry %d: a change of kind %s acts (policy %s)", e.Seq, b.Proposes, b.Policy)
		case *ledger.Stop:
			p.field("", "entry %d: %s of %s %s", e.Seq, b.Action, b.Target.Kind, statement.Quote(b.Target.Name, 100))
		case *ledger.WalletState:
			p.field("", "entry %d: the key of wallet %s is %s", e.Seq, statement.Quote(b.Wallet, 100), b.State)
		}
	}
}

// showSuccession says what a successor journal means, and holds it to what this home has verified.
func (h *home) showSuccession(p *page, m *mirror, checkpointPath, policyPath string) (about []statement.Hash, under statement.Hash, err error) {
	checkpoint, err := readBounded(checkpointPath, journal.MaxCheckpoint)
	if err != nil {
		return nil, under, err
	}
	keys := h.genesis.Keys()
	if m.head.Size > 0 {
		keys = m.state.LogKeys()
	}
	head, err := keys.Open(checkpoint)
	if err != nil {
		return nil, under, fmt.Errorf("%s: %w", checkpointPath, err)
	}
	text, err := os.ReadFile(policyPath)
	if err != nil {
		return nil, under, err
	}
	force, err := policy.Parse(bytes.TrimSuffix(text, []byte("\n")))
	if err != nil {
		return nil, under, fmt.Errorf("%s: %w", policyPath, err)
	}
	about = []statement.Hash{force.Hash(), statement.HashText(string(checkpoint))}
	p.title("THE TOKEN IS LOST, AND A SUCCESSOR JOURNAL GOES ON")
	p.field("journal", "%s", h.genesis)
	p.field("its end", "size %d, root %s", head.Size, head.Root)
	p.field("", "hash %s (of the checkpoint's text, with its cosignatures)", about[1])
	p.field("policy", "version %d, %s", force.Document().Version, statement.Quote(force.Document().Title, 200))
	p.field("", "%s", force.Hash())
	if err := m.holdToEnd(p, head, force.Hash()); err != nil {
		return nil, under, withExit(exitNotProven, err)
	}
	p.blank()
	p.line("If you approve: a new journal goes on under this policy, after this head. Withdrawals are denied for up to 31 hours, every " +
		"limit counts as used up, the address book is empty, and freezes and suspensions are gone until they are made again. Nothing " +
		"proves that the old token is destroyed: make sure of it.")
	return about, force.Hash(), nil
}

// readBounded reads a file that is handed around, at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return b, err
}
