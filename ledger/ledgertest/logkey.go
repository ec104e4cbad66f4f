package ledgertest

import (
	"crypto/ed25519"
	"fmt"

	"kura/journal"
	"kura/ledger"
	"kura/policy"
	"kura/statement"
)

// LogKey is the public half of the log key that a world uses after so many handovers.
func LogKey(n int) [32]byte { return [32]byte(logKey(n).Public().(ed25519.PublicKey)) }

func logKey(n int) ed25519.PrivateKey {
	name := "log"
	if n > 0 {
		name = fmt.Sprint("log ", n)
	}
	s := seed(name)
	return ed25519.NewKeyFromSeed(s[:])
}

// SignHead signs a head with the one of a world's log keys that is asked for.
func SignHead(key [32]byte, text []byte) ([64]byte, error) {
	for n := range 10 {
		if LogKey(n) == key {
			return [64]byte(ed25519.Sign(logKey(n), text)), nil
		}
	}
	return [64]byte{}, fmt.Errorf("no world has the log key %x", key)
}

// PermitLogKey has a quorum permit handing the log key over to another one, and waits out the time-lock.
func (w *World) PermitLogKey(key [32]byte) statement.Hash {
	w.TB.Helper()
	p := w.Adopt(statement.ProposeLogKey, policy.LogKeyText(key), "")
	w.Advance(Day)
	w.Ticks()
	return p.About
}

// HandOver hands the log key over to the next one, by a proposal as it has to be.
func (w *World) HandOver() {
	w.TB.Helper()
	next := LogKey(len(w.State.LogKeys().Handovers()) + 1)
	w.PermitLogKey(next)
	_, err := w.Judge(ledger.HandoverInput{New: next})
	w.check(err)
}

// keepChain notes the proof of a handover that was just appended.
func (w *World) keepChain(line []byte) {
	w.TB.Helper()
	head := w.tree.Head()
	proof, err := w.tree.Prove(head.Size - 1)
	w.check(err)
	w.Chain = append(w.Chain, journal.Receipt{Index: head.Size - 1, Entry: line, Proof: proof, Checkpoint: w.Checkpoint()})
}
