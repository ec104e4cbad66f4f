package ledger

import (
	"slices"

	"kura/statement"
)

// transitions says which state may follow which, for each type of statement. "" stands before the first
// outcome; a state that is missing on the left is final. A signature, not an outcome, makes an authorised
// request signed.
var transitions = map[statement.Type]map[string][]string{
	statement.TypeWithdrawal: {
		"":              {StateDenied, StateHeld, StateAuthorized},
		StateHeld:       {StateHeld, StateDenied, StateAuthorized, StateRejected, StateCancelled, StateLapsed, StateStranded},
		StateAuthorized: {StateStranded},
	},
	statement.TypeVerdict: {
		"": {StateCounted, StateRefused},
	},
	statement.TypeFreeze: {
		"": {StateInForce, StateRefused}, // what is in force goes on or is lifted, see applyStopped
	},
	statement.TypeLogin: { // a canary's, which is the only one that is journalled
		"": {StateRefused},
	},
	statement.TypeProposal: {
		"":              {StateOpen, StateRefused},
		StateOpen:       {StateOpen, StateAdopted, StateRefused, StateLapsed},
		StateAuthorized: {StateStranded}, // an evacuation's transaction
		StateAdopted:    {StateAdopted, StateInForce, StateVetoed, StateLapsed},
	},
}

func mayBecome(t statement.Type, from, to string) bool {
	return slices.Contains(transitions[t][from], to)
}
