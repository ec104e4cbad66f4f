package main

import (
	"kura/ledger"
	"kura/policy"
)

// ledgerWords are the sentences for the codes that package ledger adds to the policy's.
var ledgerWords = map[string]string{
	ledger.CodeNotAClient:       "only a client asks for withdrawals",
	ledger.CodeWalletNotReady:   "the wallet's key is suspended, or given up, or had no ceremony",
	ledger.CodeReplacesUnknown:  "what it replaces is not one of this client's, or may still arrive",
	ledger.CodeReplacesPayable:  "what it replaces may still be paid",
	ledger.CodeReplacesReplaced: "another one stands in for that already",
	ledger.CodePredecessorAlive: "what the journal before this one authorised may still be paid",
	ledger.CodeTailAlive:        "what the lost entries authorised may still be paid",
	ledger.CodeGap:              "it waited when the journal lost its newest entries",
	ledger.CodeSelfCheck:        "the transaction did not say what was signed for: something is broken",
	ledger.CodeTooManyProposals: "too many proposals of this person are under way",
	ledger.CodeNoUserCheck:      "the security key did not verify its user, and the policy wants that",
	ledger.CodeIDTooOld:         "it is older than ids may live",
	ledger.CodeDeadlineOver:     "it could not be signed in time",
	ledger.CodeStopped:          "a stop came between authorisation and signature",
	ledger.CodeUnknownStatement: "the journal knows nothing by this hash, or it is long over",
	ledger.CodeNotAnOfficer:     "a sentinel judges nothing",
	ledger.CodeNotActive:        "this party's last day is over",
	ledger.CodeAlreadyDecided:   "it has ended, or is past the point of no return",
	ledger.CodeDuplicate:        "this party said the same before",
	ledger.CodeNotApplicable:    "a verdict does not go with it",
}

// words gives the sentence for a code of an outcome.
func words(code string) string {
	if text, ok := ledgerWords[code]; ok {
		return text
	}
	return policy.Words(code)
}
