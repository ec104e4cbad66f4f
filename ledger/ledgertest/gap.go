package ledgertest

import (
	"kura/journal"
	"kura/journal/gap"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

// A Loss is what a world needs to go on after a lost tail, all as it has to be; tests change it.
type Loss struct {
	World      *World
	Kept, Lost journal.Checkpoint
	Between    []journal.Checkpoint
	Until      int64 // unix milliseconds; Lose takes the world's clock
	Verdicts   []statement.Envelope
}

// Lose puts the world back to its first entries, as a replica that missed the last groups does. Its clock goes on.
// Alice and bob approve of going on.
func (w *World) Lose(size int) *Loss {
	w.TB.Helper()
	l := &Loss{World: w, Lost: w.Checkpoint(), Until: w.Clock}
	entries := w.Entries[:size]
	w.State, w.Entries, w.Lines, w.Chain = ledger.NewState(), nil, nil, nil
	tree, err := journal.NewTree(0, nil)
	w.check(err)
	w.tree = tree
	for _, e := range entries {
		w.Append(e)
	}
	l.Kept = w.Checkpoint()
	return l.Approve()
}

// LoseTwoHeads writes two groups and loses both, so that a smaller head is lost with the newest one.
func (w *World) LoseTwoHeads() *Loss {
	w.TB.Helper()
	kept := len(w.Entries)
	w.Restart()
	between := w.Checkpoint()
	w.Restart()
	l := w.Lose(kept)
	l.Between = append(l.Between, between)
	return l.Approve()
}

// Approve has alice and bob sign verdicts about the gap as it stands now.
func (l *Loss) Approve() *Loss {
	l.World.TB.Helper()
	l.Verdicts = nil
	for _, director := range []string{"alice", "bob"} {
		l.Verdicts = append(l.Verdicts, l.World.Envelope(director, l.Verdict()))
	}
	return l
}

// Head is the world's newest head.
func (w *World) Head() journal.Head { return w.tree.Head() }

// Receipt proves an entry under the newest head.
func (w *World) Receipt(seq uint64) journal.Receipt {
	w.TB.Helper()
	proof, err := w.tree.Prove(seq)
	w.check(err)
	return journal.Receipt{Index: seq, Entry: w.Lines[seq], Proof: proof, Checkpoint: w.Checkpoint()}
}

// ForgedReceipt is Receipt over the lines as they stand now, under a head that the log key signs: what somebody who holds
// that key could make.
func (w *World) ForgedReceipt(seq uint64) journal.Receipt {
	w.TB.Helper()
	var err error
	w.tree, err = journal.NewTree(0, nil)
	w.check(err)
	for _, line := range w.Lines {
		w.tree.Append(journal.LeafHash(line))
	}
	return w.Receipt(seq)
}

// Consistency proves that the newest head extends the one of a size.
func (w *World) Consistency(old, newer uint64) []journal.Hash {
	w.TB.Helper()
	proof, err := w.tree.ProveConsistency(old, newer)
	w.check(err)
	return proof
}

// Verdict is a director's approval of the gap.
func (l *Loss) Verdict() *statement.Verdict {
	l.World.TB.Helper()
	w := l.World
	return &statement.Verdict{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + Hour, Verdict: statement.Approve,
		About: []statement.Hash{l.Gap().About(w.Genesis.Origin)}, Policy: w.State.PolicyInForce().Hash(),
	}
}

// Gap is what the directors are asked about.
func (l *Loss) Gap() gap.Gap {
	l.World.TB.Helper()
	keys := l.World.State.LogKeys()
	open := func(c journal.Checkpoint) journal.Head {
		head, err := keys.Open(c)
		l.World.check(err)
		return head
	}
	g := gap.Gap{Kept: open(l.Kept), Lost: open(l.Lost), Until: l.Until}
	for _, c := range l.Between {
		g.Between = append(g.Between, open(c))
	}
	return g
}

// Input is the gap as it stands.
func (l *Loss) Input() ledger.GapInput {
	in := ledger.GapInput{Gap: ledger.Gap{Kept: string(l.Kept), Lost: string(l.Lost), Between: []string{}, Until: l.Until, Verdicts: []gap.Envelope{}}}
	for _, c := range l.Between {
		in.Gap.Between = append(in.Gap.Between, string(c))
	}
	for _, v := range l.Verdicts {
		in.Gap.Verdicts = append(in.Gap.Verdicts, gap.Envelope(v))
	}
	return in
}

// Judge has the gap judged where it belongs: right after the last entry, at its policy time.
func (l *Loss) Judge() error {
	_, err := l.World.JudgeAt(l.Input(), policy.Now{Clock: l.World.Clock, Time: l.World.State.Last().Time})
	return err
}

// Continue goes on after the loss as a signer does: the gap, a start, and all that is due.
func (l *Loss) Continue() {
	l.World.TB.Helper()
	l.World.check(l.Judge())
	l.World.Restart()
	l.World.Ticks()
}
