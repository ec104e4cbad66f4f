package ledger_test

import (
	"testing"

	"kura/ledger"
	"kura/policy"
)

// TestSettles: what the ledger denies by itself no other policy would sign, and what a policy decides another may.
func TestSettles(t *testing.T) {
	for _, code := range []string{ledger.CodeNotAClient, ledger.CodeWalletNotReady, ledger.CodeReplacesPayable, ledger.CodePredecessorAlive, ledger.CodeTailAlive} {
		if !ledger.Settles(code) {
			t.Errorf("%s: a policy decides it", code)
		}
	}
	for _, code := range []string{policy.CodeSigned, policy.CodeLimit, policy.CodeExpired, policy.CodeFrozen, ledger.CodeExpired} {
		if ledger.Settles(code) {
			t.Errorf("%s: no policy decides it", code)
		}
	}
}
