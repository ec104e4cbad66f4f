package ledger

import (
	"kura/policy"
	"kura/statement"
)

// SelfCheck opens the check of an authorisation's bytes to the external tests.
func (s *State) SelfCheck(unsigned []byte, w *statement.Withdrawal, t *Transaction, clock, latest int64) string {
	payment, err := w.Resolve(t.Network)
	if err != nil {
		return err.Error()
	}
	err = s.selfCheck(unsigned, intent{
		Payment: payment, wallet: policy.WalletID(w.Wallet), maxFee: w.MaxFee, fee: t.Fee,
		clock: clock, deadline: t.Deadline, latest: latest,
	})
	if err != nil {
		return err.Error()
	}
	return ""
}

// Remembered counts what the state keeps, to show that it is bounded.
func (s *State) Remembered() int {
	return len(s.memory.ids) + len(s.memory.hashes) + len(s.memory.due) + len(s.recent.seen) + len(s.recent.order) +
		len(s.held) + len(s.unsigned) + len(s.proposals) + len(s.freezes)
}
