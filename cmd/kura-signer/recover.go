package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"kura/journal"
	"kura/journal/gap"
	"kura/signer"
	"kura/statement"
)

// recoverTail goes on after entries that the journal lost: its store ends before a head that the anchors prove. Without
// verdicts it only shows what is lost and what the directors are to sign, and writes that down; with that text and their
// verdicts it goes on. Interrupted anywhere it is run again with the same arguments and finishes what was begun.
func recoverTail(ctx context.Context, in *invocation) (err error) {
	o, err := in.tailOrder()
	if err != nil {
		return err
	}
	x, err := in.begin(ctx, o.configPath)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.end()) }()
	return x.onJournal(ctx, func(c signer.Config) error {
		return in.recoverOn(ctx, &signer.Recovery{Config: c, More: o.heads, Until: o.until, Joining: x.config.Journal.Shared || o.lostAnchor > 0}, o)
	})
}

// recoverOn looks for a lost tail and does about it what was told.
func (in *invocation) recoverOn(ctx context.Context, r *signer.Recovery, o tailOrder) error {
	tail, err := r.Find(ctx)
	switch {
	case err != nil:
		return err
	case knownSize(r, tail, o) < o.lostAnchor:
		return fmt.Errorf("the journal has %d entries, and --lost-anchor says that it had %d: the newest are lost, too. Whoever has seen them has a signed head that says so: --head", r.Kept().Size, o.lostAnchor)
	case tail == nil && !o.answered() && o.lostAnchor > 0:
		return in.fillAnchor(ctx, r)
	case tail == nil && (!o.answered() || len(r.Gaps()) == 0):
		say(in.stdout, "nothing is lost: the journal extends every head that is known here, or says itself that it goes on without it\n")
		return nil
	case tail != nil && !o.answered():
		return in.showTail(r, tail, o.outPath)
	case tail != nil:
		err = r.GoOn(ctx, o.question, o.verdicts)
	default: // a run that was interrupted had made the gap durable; the anchors may still hold what was lost
		err = r.Finish(ctx)
	}
	if err != nil {
		return err
	}
	return in.reportGap(r)
}

// knownSize is how long the journal is known to have been: as it is, or as the lost head says that the directors are asked
// about, or were before a run that was interrupted.
func knownSize(r *signer.Recovery, tail *signer.LostTail, o tailOrder) uint64 {
	size := r.Kept().Size
	if tail != nil {
		size = max(size, tail.Lost.Size)
	} else if gaps := r.Gaps(); o.answered() && len(gaps) > 0 {
		size = max(size, gaps[len(gaps)-1].Lost.Size)
	}
	return size
}

// fillAnchor puts the journal's head into an anchor file that was lost.
func (in *invocation) fillAnchor(ctx context.Context, r *signer.Recovery) error {
	if err := r.Finish(ctx); err != nil {
		return err
	}
	head := r.Kept()
	say(in.stdout, "anchor  size %d root %s\n", head.Size, head.Root)
	say(in.stderr, "The journal extends every other head that is known here, and its anchor file holds its head.\n")
	return nil
}

// A tailOrder is what recover-tail is told, by its flags and the files that they name.
type tailOrder struct {
	configPath, outPath string
	heads               []signer.HeldHead
	lostAnchor          uint64 // the anchor file is gone, and the journal had at least so many entries; 0: it is there
	until               int64  // unix milliseconds; 0: nobody says
	question            []byte
	verdicts            []statement.Envelope // of the directors who were asked the question
}

// answered tells whether the directors were asked.
func (o *tailOrder) answered() bool { return o.question != nil }

// tailOrder reads all that is told before anything is opened.
func (in *invocation) tailOrder() (o tailOrder, err error) {
	var untilText, gapPath, verdictsPath string
	var headPaths []string
	err = in.flags("recover-tail", func(f *flag.FlagSet) {
		f.StringVar(&o.configPath, "config", "", "configuration file")
		f.Var((*repeated)(&headPaths), "head", "a checkpoint that a witness holds, or what --out wrote on another signer's host; once for each")
		f.StringVar(&untilText, "until", "", "the clock under which the lost entries were written stood at most at this time, later than what is known here")
		f.Uint64Var(&o.lostAnchor, "lost-anchor", 0, "the anchor file is gone: fill it anew from the journal, which somebody outside this host knows to have at least so many entries")
		f.StringVar(&o.outPath, "out", "", "write what the directors are asked to this file (it must not exist)")
		f.StringVar(&gapPath, "gap", "", "with --verdicts: what --out wrote, and the directors were asked")
		f.StringVar(&verdictsPath, "verdicts", "", "the directors' approvals, one envelope a line: go on")
	}, "config")
	switch {
	case err != nil:
		return o, err
	case (gapPath == "") != (verdictsPath == ""):
		return o, exit(exitUsage, errors.New("--verdicts and --gap go together: the verdicts, and what they are about"))
	case gapPath != "" && (untilText != "" || o.outPath != ""):
		return o, exit(exitUsage, errors.New("--until and --out are for asking the directors; with --gap they have been asked"))
	case gapPath != "":
		if o.verdicts, err = readVerdicts(verdictsPath); err != nil {
			return o, err
		}
		if o.question, err = os.ReadFile(gapPath); err != nil {
			return o, err
		}
		headPaths = append(headPaths, gapPath) // the heads of others need not be given again
	case untilText != "":
		if o.until, err = statement.ParseTime(untilText); err != nil {
			return o, exit(exitUsage, fmt.Errorf("--until: %w", err))
		}
	}
	o.heads, err = readHeads(headPaths)
	return o, err
}

// readHeads reads checkpoints from files, or out of the questions that other signers' hosts asked.
func readHeads(paths []string) ([]signer.HeldHead, error) {
	var all []signer.HeldHead
	for _, path := range paths {
		c, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		held := gap.LostIn(c)
		if held == nil {
			held = []journal.Checkpoint{c}
		}
		for _, c := range held {
			all = append(all, signer.HeldHead{Checkpoint: c, Holder: path})
		}
	}
	return all, nil
}

// reportGap says how it goes on after the newest gap.
func (in *invocation) reportGap(r *signer.Recovery) error {
	gaps := r.Gaps()
	g := gaps[len(gaps)-1]
	say(in.stdout, "gap     entry %d, by %s\n", g.Seq, strings.Join(g.By, ", "))
	say(in.stdout, "kept    size %d root %s\n", g.Kept.Size, g.Kept.Root)
	say(in.stdout, "lost    size %d root %s\n", g.Lost.Size, g.Lost.Root)
	say(in.stdout, "opens   %s\n", statement.FormatTime(r.OpensAt()))
	say(in.stderr, "The journal goes on, and the anchors of this host with it. What waited ends as stranded or lapsed when the signer starts;\n"+
		"withdrawals are denied until the time above, by policy time. Freezes, suspensions and changes that stood in the lost\n"+
		"entries are not in force: make them again. Every witness refuses until the one who runs it says `kura witness gap`.\n")
	return nil
}

// showTail says what is lost and what the directors are to sign.
func (in *invocation) showTail(r *signer.Recovery, tail *signer.LostTail, outPath string) error {
	heads := tail.Heads()
	say(in.stdout, "kept    size %d root %s\n", heads.Kept.Size, heads.Kept.Root)
	say(in.stdout, "        its last entry was written %s\n", statement.FormatTime(tail.Last.Clock))
	for _, h := range append([]signer.HeldHead{tail.Lost}, tail.Between...) {
		say(in.stdout, "lost    size %d root %s\n        held by %s\n", h.Size, h.Root, h.Holder)
	}
	if n := heads.Entries(); n > 0 {
		say(in.stdout, "        %d entries, %d to %d, are lost\n", n, heads.Kept.Size, heads.Lost.Size-1)
	} else {
		say(in.stdout, "        the journal has more entries than that head: it is no lost tail but a second history, and nobody can tell where they part\n")
	}
	say(in.stdout, "until   %s\n        the clock of the lost entries stood no later, as far as is known here; if it was ahead: --until\n", statement.FormatTime(tail.Until))
	say(in.stdout, "policy  %s\nabout   %s\n", tail.Policy, heads.About(r.Genesis.Origin))
	if outPath == "" {
		say(in.stderr, "Nothing was changed. Find out first why they are lost. With --out FILE the question is written down that the directors\n"+
			"answer, each with `kura journal approve --gap FILE`; with that file as --gap and their answers as --verdicts it goes on.\n")
		return nil
	}
	text, err := tail.Question(r.Genesis).Encode()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(outPath, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // it is made to be handed out: every director reads it
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
