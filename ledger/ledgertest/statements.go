package ledgertest

import (
	"bytes"

	"kura/audit"
	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/statement"
)

// Withdrawal is a client's request that the policy signs at once; tests change what they are about.
func (w *World) Withdrawal(x *Wallet, amount nem.Amount) *statement.Withdrawal {
	return &statement.Withdrawal{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 12*Hour,
		Wallet: x.Name, WalletAddress: x.Key.Address(x.Network).String(), Destination: x.Destination.String(),
		Assets:  []statement.AssetAmount{{Asset: nem.Currency(x.Network).String(), Amount: amount}},
		Message: statement.Message{Kind: statement.MessageText, Value: "1029384756"}, MaxFee: 5_000_000,
	}
}

// Verdict has somebody judge something under the policy in force.
func (w *World) Verdict(who string, kind statement.VerdictKind, about ...statement.Hash) ledger.Result {
	w.TB.Helper()
	v := &statement.Verdict{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 30*Minute, Verdict: kind, About: about,
		Policy: w.State.PolicyInForce().Hash(),
	}
	if kind == statement.Reject || kind == statement.Veto {
		v.Reason = "no"
	}
	return w.Submit(who, v)
}

// Freeze has somebody stop something.
func (w *World) Freeze(who string, action statement.FreezeAction, kind statement.TargetKind, name string) ledger.Result {
	w.TB.Helper()
	return w.Submit(who, &statement.Freeze{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 5*Minute, Action: action,
		Target: statement.Target{Kind: kind, Name: name}, Reason: "test",
	})
}

// Propose has somebody propose something on the policy in force.
func (w *World) Propose(who string, kind statement.ProposalKind, document, addresses string) ledger.Result {
	w.TB.Helper()
	return w.Submit(who, &statement.Proposal{
		Journal: w.Journal(), ID: w.ID(), Expires: w.Clock + 30*Day, Proposes: kind,
		Base: w.State.PolicyInForce().Hash(), Document: document, Addresses: addresses,
	})
}

// Adopt has alice propose something, and alice and bob approve of it.
func (w *World) Adopt(kind statement.ProposalKind, document, addresses string) ledger.Result {
	w.TB.Helper()
	p := w.Propose("alice", kind, document, addresses)
	w.Verdict("alice", statement.Approve, p.About)
	w.Verdict("bob", statement.Approve, p.About)
	return p
}

// SignAll makes and journals the signature of everything that may be signed.
func (w *World) SignAll() int {
	w.TB.Helper()
	all := w.State.Unsigned(w.Clock)
	for _, r := range all {
		for _, x := range w.Wallets {
			if x.Name == string(r.Wallet) {
				w.Must(ledger.SignatureInput{About: r.Hash, Signature: w.Sign(x, r.Transaction.Unsigned)})
			}
		}
	}
	return len(all)
}

// Sign signs a transaction's bytes with a wallet's key.
func (w *World) Sign(x *Wallet, unsigned []byte) nem.Signature {
	w.TB.Helper()
	message, err := nem.SigningBytes(x.Network, unsigned)
	w.check(err)
	return x.sign(message)
}

// Checkpoint signs the head over all entries with the world's log key.
func (w *World) Checkpoint() journal.Checkpoint {
	w.TB.Helper()
	return w.checkpoint(w.tree.Head())
}

func (w *World) checkpoint(h journal.Head) journal.Checkpoint {
	w.TB.Helper()
	c, err := journal.SignCheckpoint(w.Genesis.Origin, h, SignHead, w.State.LogKeys().At(h.Size))
	w.check(err)
	return c
}

// Export writes the journal as an export.
func (w *World) Export() []byte {
	w.TB.Helper()
	return w.export(w.Genesis, w.Lines)
}

// Forge writes an export of other lines under a head that the log key signed over them: what somebody who
// holds the log key could make.
func (w *World) Forge(all [][]byte) []byte {
	w.TB.Helper()
	g := w.Genesis
	g.Hash = journal.LeafHash(all[0])
	return w.export(g, all)
}

// export writes lines under the heads over the log key's handovers and one over all of them.
func (w *World) export(g journal.Genesis, all [][]byte) []byte {
	w.TB.Helper()
	tree, err := journal.NewTree(0, nil)
	w.check(err)
	for _, line := range all {
		tree.Append(journal.LeafHash(line))
	}
	size := tree.Head().Size
	heads := func(yield func(journal.StoredHead, error) bool) {
		for _, h := range w.Chain {
			if h.Index+1 < size && !yield(journal.StoredHead{Checkpoint: h.Checkpoint}, nil) {
				return
			}
		}
		yield(journal.StoredHead{Checkpoint: w.checkpoint(tree.Head())}, nil)
	}
	entries := func(yield func(journal.StoredEntry, error) bool) {
		for i, line := range all {
			if !yield(journal.StoredEntry{Seq: uint64(i), Bytes: line}, nil) {
				return
			}
		}
	}
	var b bytes.Buffer
	w.check(audit.Export(&b, g, heads, entries))
	return b.Bytes()
}

// Story is a journal in which a little of everything happened.
func Story(tb TB) *World {
	w := New(tb)
	for _, x := range w.Wallets {
		w.Submit("shop", w.Withdrawal(x, Small))
		big := w.Submit("shop", w.Withdrawal(x, SmallMax+1))
		w.Verdict("dave", statement.Approve, big.About)
		w.Verdict("alice", statement.Approve, big.About)
		w.Advance(Minute)
		w.Verdict("bob", statement.Approve, big.About)
		w.SignAll()
		w.Submit("shop", w.Withdrawal(x, BigMax+1))
		rejected := w.Submit("desk", w.Withdrawal(x, SmallMax+2))
		w.Verdict("carol", statement.Reject, rejected.About)
	}
	frozen := w.Freeze("erin", statement.ActionFreeze, statement.TargetAll, "")
	w.Advance(Minute)
	w.Verdict("alice", statement.Lift, frozen.About)
	w.Verdict("carol", statement.Lift, frozen.About)
	w.Submit("shop", w.Withdrawal(w.Wallets[0], Small))
	w.Advance(Hour)
	w.Ticks()
	return w
}
