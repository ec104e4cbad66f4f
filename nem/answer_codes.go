package nem

import "strings"

// nis1Codes holds the node's validation results. Whatever code a node answers,
// it keeps it for the hash for ten minutes, so that announcing again to the same
// node sooner gets the same answer.
var nis1Codes = map[int64]meaning{
	0:  {OutcomeSeen, AdviceLookUp, "already known: in the pool, in a block, or refused less than ten minutes ago"},
	1:  {OutcomeAccepted, AdviceLookUp, "valid, and being passed on"},
	2:  {OutcomeRefused, AdviceElsewhere, "the node gives no reason"},
	3:  {OutcomeRefused, AdviceNever, "the deadline has passed"},
	4:  {OutcomeRefused, AdviceLater, "the deadline is too far ahead of the node's clock"},
	5:  {OutcomeRefused, AdviceLater, "the account cannot pay amount and fee with what is not yet spoken for"},
	6:  {OutcomeRefused, AdviceStop, "the message is too long"},
	7:  {OutcomeSeen, AdviceLookUp, "a block of the last 36 hours has it"},
	8:  {OutcomeRefused, AdviceStop, "the signature does not verify over the form that the node rebuilds"},
	9:  {OutcomeRefused, AdviceNever, "the timestamp is too far past"},
	10: {OutcomeRefused, AdviceLater, "the timestamp is ahead of the node's clock"},
	12: {OutcomeRefused, AdviceElsewhere, "the node is not in step with the chain"},
	17: {OutcomeRefused, AdviceNever, "the fee is below the minimum"},
	18: {OutcomeRefused, AdviceStop, "the nemesis account cannot send"},
	19: {OutcomeRefused, AdviceLater, "the node's pool is full for this account: pace what is announced"},
	20: {OutcomeRefused, AdviceStop, "it is for another network"},
	21: {OutcomeRefused, AdviceStop, "the account is blocked"},
	22: {OutcomeRefused, AdviceStop, "the node does not know this version of the layout"},
	41: {OutcomeRefused, AdviceStop, "not possible before a fork of the chain"},
	42: {OutcomeRefused, AdviceStop, "not possible before a fork of the chain"},
	71: {OutcomeRefused, AdviceStop, "the signer is not a cosignatory of the account"},
	72: {OutcomeRefused, AdviceStop, "the cosignatories are not valid"},
	73: {OutcomeRefused, AdviceElsewhere, "the node does not hold the wrapper that this cosigns: it must arrive there first"},
	74: {OutcomeRefused, AdviceStop, "a multisig account cannot send by itself"},
	75: {OutcomeRefused, AdviceStop, "is a cosignatory already"},
	76: {OutcomeRefused, AdviceStop, "the cosignature does not match the wrapper"},
	77: {OutcomeRefused, AdviceStop, "removes more than one cosignatory"},
	78: {OutcomeRefused, AdviceStop, "lists a change twice"},
	79: {OutcomeRefused, AdviceLater, "another change of this account waits"},
	80: {OutcomeRefused, AdviceStop, "has more than 32 cosignatories"},
	81: {OutcomeRefused, AdviceStop, "a multisig account cannot cosign"},
	82: {OutcomeRefused, AdviceStop, "the number of needed signatures is out of range"},

	141: {OutcomeRefused, AdviceStop, "the mosaic does not exist or has expired"},
	147: {OutcomeRefused, AdviceStop, "the mosaic cannot be transferred"},
	148: {OutcomeRefused, AdviceStop, "the amount field is not a whole number of XEM, or the mosaic is not so divisible"},
	152: {OutcomeRefused, AdviceStop, "lists too many mosaics"},
}

func nis1Meaning(code int64) meaning {
	if m, known := nis1Codes[code]; known {
		return m
	}
	switch {
	case code < 0:
		return meaning{OutcomeUnknown, AdviceStop, "no code that a node gives"}
	case 62 <= code && code <= 66:
		return meaning{OutcomeRefused, AdviceStop, "the importance transfer is not valid"}
	case 121 <= code && code <= 129:
		return meaning{OutcomeRefused, AdviceStop, "the namespace is not valid or not the account's"}
	case 142 <= code && code <= 154:
		return meaning{OutcomeRefused, AdviceStop, "the mosaic is not valid for this"}
	}
	return meaning{OutcomeRefused, AdviceStop, "refused for a reason that is not known here"}
}

var symbolCodes = map[string]meaning{
	"Success":                                                   {OutcomeAccepted, AdviceLookUp, "valid"},
	"Neutral":                                                   {OutcomeSeen, AdviceLookUp, "already known"},
	"Failure_Core_Past_Deadline":                                {OutcomeRefused, AdviceNever, "the deadline has passed"},
	"Failure_Core_Future_Deadline":                              {OutcomeRefused, AdviceLater, "the deadline is further ahead than the network allows"},
	"Failure_Core_Insufficient_Balance":                         {OutcomeRefused, AdviceLater, "the account cannot pay amount and fee"},
	"Failure_Core_Too_Many_Transactions":                        {OutcomeRefused, AdviceLater, "a block holds no more"},
	"Failure_Core_Wrong_Network":                                {OutcomeRefused, AdviceStop, "it is for another network"},
	"Failure_Core_Invalid_Address":                              {OutcomeRefused, AdviceStop, "the recipient is not an address"},
	"Failure_Core_Invalid_Version":                              {OutcomeRefused, AdviceStop, "the network does not take this version of the layout"},
	"Failure_Signature_Not_Verifiable":                          {OutcomeRefused, AdviceStop, "the signature does not verify: wrong key, bytes or generation hash"},
	"Failure_LockHash_Unknown_Hash":                             {OutcomeRefused, AdviceLater, "the hash lock is not confirmed yet"},
	"Failure_LockHash_Inactive_Hash":                            {OutcomeRefused, AdviceNever, "the hash lock has expired"},
	"Failure_Aggregate_Missing_Cosignatures":                    {OutcomeRefused, AdviceStop, "a cosignature is missing"},
	"Failure_Aggregate_Transactions_Hash_Mismatch":              {OutcomeRefused, AdviceStop, "the transactions hash is not that of what is embedded"},
	"Failure_Aggregate_Ineligible_Cosignatories":                {OutcomeRefused, AdviceStop, "somebody cosigned who need not"},
	"Neutral_Consumer_Hash_In_Recency_Cache":                    {OutcomeSeen, AdviceLookUp, "the node has seen it lately"},
	"Failure_Chain_Unconfirmed_Cache_Too_Full":                  {OutcomeRefused, AdviceLater, "the node's pool is full"},
	"Failure_Consumer_Batch_Signature_Not_Verifiable":           {OutcomeRefused, AdviceStop, "the signature does not verify: wrong key, bytes or generation hash"},
	"Failure_Hash_Already_Exists":                               {OutcomeSeen, AdviceLookUp, "a block has it already"},
	"Failure_Core_Nonzero_Internal_Padding":                     {OutcomeRefused, AdviceStop, "reserved bytes are not zero"},
	"Failure_Transfer_Message_Too_Large":                        {OutcomeRefused, AdviceStop, "the message is too long"},
	"Failure_Transfer_Out_Of_Order_Mosaics":                     {OutcomeRefused, AdviceStop, "the mosaics are not in order"},
	"Failure_RestrictionAccount_Address_Interaction_Prohibited": {OutcomeRefused, AdviceStop, "a restriction of an account forbids it"},
	"Failure_RestrictionAccount_Mosaic_Transfer_Prohibited":     {OutcomeRefused, AdviceStop, "a restriction of an account forbids the mosaic"},
}

func symbolMeaning(code string) meaning {
	if m, known := symbolCodes[code]; known {
		return m
	}
	if strings.HasPrefix(code, "Failure_") {
		return meaning{OutcomeRefused, AdviceStop, "refused for a reason that is not known here"}
	}
	return meaning{OutcomeUnknown, AdviceLookUp, "the node's code is not known here"}
}
