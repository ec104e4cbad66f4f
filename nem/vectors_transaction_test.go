package nem

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// descriptor is what a vector says that its bytes mean, of what both chains'
// rows have in common.
type descriptor struct {
	Type      string           `json:"type"`
	Signer    string           `json:"signer_public_key"`
	Fee       uint64           `json:"fee"`
	Deadline  uint64           `json:"deadline"`
	Timestamp uint64           `json:"timestamp"`
	Recipient string           `json:"recipient_address"`
	Amount    uint64           `json:"amount"`
	Message   jsontext.Value   `json:"message"`
	Mosaics   []mosaicRow      `json:"mosaics"`
	Inner     *descriptor      `json:"inner_transaction"`
	Embedded  []descriptor     `json:"transactions"`
	Hash      string           `json:"hash"`
	RootHash  string           `json:"transactions_hash"`
	Cosigned  []jsontext.Value `json:"cosignatures"`
	OtherHash string           `json:"other_transaction_hash"`
	Account   string           `json:"multisig_account_address"`
	Delta     int32            `json:"min_approval_delta"`
	Changes   []struct {
		Modification struct {
			Type        string `json:"modification_type"`
			Cosignatory string `json:"cosignatory_public_key"`
		} `json:"modification"`
	} `json:"modifications"`
}

type mosaicRow struct {
	ID     uint64 `json:"mosaic_id"`
	Amount uint64 `json:"amount"`
	Mosaic struct {
		ID struct {
			Namespace struct {
				Name string `json:"name"`
			} `json:"namespace_id"`
			Name string `json:"name"`
		} `json:"mosaic_id"`
		Amount uint64 `json:"amount"`
	} `json:"mosaic"`
}

type transactionRow struct {
	Schema     string     `json:"schema_name"`
	Name       string     `json:"test_name"`
	Payload    string     `json:"payload"`
	Data       string     `json:"data"`
	Descriptor descriptor `json:"descriptor"`
	Hash       string     `json:"hash"`
	SymbolHash string     `json:"hash_testnet_seed"`
	SignedData string     `json:"signed_data_testnet_seed"`
}

// refusedVectors are the rows that the strict decoder refuses on purpose, and
// why. Every other row must decode, and encode to the same bytes again.
var refusedVectors = map[string]string{
	"nis1 TransferTransactionV1_transfer_single_2":    "must be written as envelope size 0", // T3: the node drops the empty envelope
	"nis1 TransferTransactionV1_transfer_aggregate_2": "must be written as envelope size 0",

	"symbol TransferTransactionV1_transfer_single_3":                       "is a namespace alias",
	"symbol TransferTransactionV1_transfer_single_7":                       "is a namespace alias",
	"symbol TransferTransactionV1_transfer_aggregate_3":                    "is a namespace alias",
	"symbol TransferTransactionV1_transfer_aggregate_7":                    "is a namespace alias",
	"symbol AggregateCompleteTransactionV1_aggregate_complete_aggregate_1": "is a namespace alias",
	"symbol AggregateCompleteTransactionV2_aggregate_complete_aggregate_2": "is a namespace alias",
	"symbol HashLockTransactionV1_hash_lock_single_1":                      "is a namespace alias",
	"symbol HashLockTransactionV1_hash_lock_aggregate_1":                   "is a namespace alias",
	"symbol TransferTransactionV1_transfer_single_5":                       "address checksum is wrong",
	"symbol TransferTransactionV1_transfer_aggregate_5":                    "address checksum is wrong",
}

// modelledSchemas are the schemas of transactions.json whose fields are read;
// recognisedSchemas are those whose layout is checked and which are control.
var (
	modelledSchemas = []string{
		"nis1 CosignatureV1", "nis1 MultisigAccountModificationTransactionV1", "nis1 MultisigAccountModificationTransactionV2",
		"nis1 MultisigTransactionV1", "nis1 TransferTransactionV1", "nis1 TransferTransactionV2",
		"symbol AggregateBondedTransactionV1", "symbol AggregateBondedTransactionV2", "symbol AggregateCompleteTransactionV1",
		"symbol AggregateCompleteTransactionV2", "symbol HashLockTransactionV1", "symbol TransferTransactionV1",
	}
	recognisedSchemas = []string{
		"nis1 AccountKeyLinkTransactionV1", "nis1 MosaicDefinitionTransactionV1", "nis1 MosaicSupplyChangeTransactionV1",
		"nis1 NamespaceRegistrationTransactionV1",
		"symbol AccountAddressRestrictionTransactionV1", "symbol AccountKeyLinkTransactionV1", "symbol AccountMetadataTransactionV1",
		"symbol AccountMosaicRestrictionTransactionV1", "symbol AccountOperationRestrictionTransactionV1",
		"symbol AddressAliasTransactionV1", "symbol MosaicAddressRestrictionTransactionV1", "symbol MosaicAliasTransactionV1",
		"symbol MosaicDefinitionTransactionV1", "symbol MosaicGlobalRestrictionTransactionV1", "symbol MosaicMetadataTransactionV1",
		"symbol MosaicSupplyChangeTransactionV1", "symbol MosaicSupplyRevocationTransactionV1",
		"symbol MultisigAccountModificationTransactionV1", "symbol NamespaceMetadataTransactionV1",
		"symbol NamespaceRegistrationTransactionV1", "symbol NodeKeyLinkTransactionV1", "symbol SecretLockTransactionV1",
		"symbol SecretProofTransactionV1", "symbol VotingKeyLinkTransactionV1", "symbol VrfKeyLinkTransactionV1",
	}
)

// transactionVectors returns the rows of a chain with what is signed in Data
// (NIS1) or Payload (Symbol), and their hashes.
func transactionVectors(t *testing.T, chain Chain) []transactionRow {
	t.Helper()
	rows := vectors[[]transactionRow](t, chain.String()+"/transactions.json")
	side := map[Chain]string{NIS1: "nis1/transactions.nonverifiable.json", Symbol: "symbol/transactions.hashes.json"}[chain]
	more := vectors[[]transactionRow](t, side)
	if len(rows) != len(more) {
		t.Fatalf("%d rows, but %s has %d", len(rows), side, len(more))
	}
	for i := range rows {
		if rows[i].Name != more[i].Name {
			t.Fatalf("row %d is %s, but %s has %s", i, rows[i].Name, side, more[i].Name)
		}
		rows[i].Data, rows[i].Hash = more[i].Data, more[i].Hash+more[i].SymbolHash
		rows[i].SignedData = more[i].SignedData
	}
	return rows
}

func TestVectorTransactions(t *testing.T) {
	refused := 0
	for chain, n := range map[Chain]Network{NIS1: NIS1Testnet, Symbol: SymbolTestnet} {
		for _, row := range transactionVectors(t, chain) {
			t.Run(chain.String()+"/"+row.Name, func(t *testing.T) {
				b, sig := vectorBytes(t, chain, &row)
				if hash, err := HashOf(n, b, sig); err != nil || hash.String() != row.Hash {
					t.Errorf("hash is %s, %v, want %s", hash, err, row.Hash)
				}
				tx, err := Decode(n, b)
				if why, ok := refusedVectors[chain.String()+" "+row.Name]; ok {
					refused++
					var where *DecodeError
					if !contains(err, why) || !errors.As(err, &where) {
						t.Errorf("error is %v, want %q", err, why)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if again := tx.Encode(); !bytes.Equal(again, b) {
					t.Errorf("encodes to %X, want %X", again, b)
				}
				checkDescriptor(t, &tx, &row.Descriptor)
				checkSchema(t, &tx, chain.String()+" "+row.Schema)
			})
		}
	}
	if refused != len(refusedVectors) {
		t.Errorf("%d rows are refused, want %d", refused, len(refusedVectors))
	}
}

// vectorBytes returns a row's bytes as Decode takes them, and its signature.
func vectorBytes(t *testing.T, chain Chain, row *transactionRow) ([]byte, Signature) {
	t.Helper()
	payload := unhex(t, row.Payload)
	if chain == Symbol {
		sig := Signature(payload[signatureOffset:signerOffset])
		signed, err := SigningBytes(SymbolTestnet, payload)
		if err != nil || upperHex(signed) != row.SignedData {
			t.Errorf("signing bytes are %X, %v, want %s", signed, err, row.SignedData)
		}
		if whole, err := Attach(SymbolTestnet, payload, sig); err != nil || !bytes.Equal(whole, payload) {
			t.Errorf("attaching its own signature gives %X, %v", whole, err)
		}
		return payload, sig
	}
	// The stored form holds length and signature between signer and fee, and a
	// multisig's cosignatures at its end; inside a multisig it is not used.
	const at, size = 48, 4 + 64
	data := unhex(t, row.Data)
	stored := slices.Delete(slices.Clone(payload), at, at+size)
	if row.Schema == "MultisigTransactionV1" {
		stored = stored[:min(len(data), len(stored))]
	}
	if !bytes.Equal(stored, data) {
		t.Errorf("stored form without signature is %X, want %X", stored, data)
	}
	return data, Signature(payload[at+4 : at+size])
}

func checkSchema(t *testing.T, tx *Transaction, schema string) {
	t.Helper()
	_, isControl := tx.Body().(ControlBody)
	switch {
	case slices.Contains(modelledSchemas, schema):
		if isControl {
			t.Error("its fields are not read")
		}
	case slices.Contains(recognisedSchemas, schema):
		if e := Effects(*tx, nil); !isControl || !e.Control || e.Why == "" {
			t.Errorf("body is %T and effect %+v, want control", tx.Body(), e)
		}
	default:
		t.Errorf("schema %s is in no list", schema)
	}
}

// checkDescriptor compares the fields that the package reads.
func checkDescriptor(t *testing.T, tx *Transaction, d *descriptor) {
	t.Helper()
	equal := func(field string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s is %v, want %v", field, got, want)
		}
	}
	if !tx.Embedded() {
		equal("signer", tx.Signer().String(), d.Signer)
		equal("fee", uint64(tx.Fee()), d.Fee)
		equal("deadline", tx.Deadline(), d.Deadline)
		equal("timestamp", tx.Timestamp(), d.Timestamp)
	}
	switch body := tx.Body().(type) {
	case TransferBody:
		equal("recipient", body.Recipient.String(), d.Recipient)
		equal("amount", uint64(body.Amount), d.Amount)
		checkMessage(t, tx.Network().Chain(), body.Message, d.Message)
		checkMosaics(t, body.Mosaics, d.Mosaics)
	case MultisigBody:
		checkDescriptor(t, &body.Inner, d.Inner)
	case CosignatureBody:
		equal("inner hash", body.InnerHash.String(), d.OtherHash)
		equal("account", body.Account.String(), d.Account)
	case ModificationBody:
		equal("changes", len(body.Changes), len(d.Changes))
		for _, want := range d.Changes {
			kind := map[string]ChangeKind{"add_cosignatory": AddCosignatory, "delete_cosignatory": DeleteCosignatory}[want.Modification.Type]
			change := CosignatoryChange{kind, must(ParsePublicKey(want.Modification.Cosignatory))}
			equal("contains change", slices.Contains(body.Changes, change), true)
		}
		equal("relative change", body.RelativeChange, d.Delta)
	case AggregateBody:
		equal("transactions hash", body.TransactionsHash.String(), strings.ToUpper(d.RootHash))
		equal("cosignatures", len(body.Cosignatures), len(d.Cosigned))
		equal("embedded", len(body.Embedded), len(d.Embedded))
		for i := range body.Embedded {
			checkDescriptor(t, &body.Embedded[i], &d.Embedded[i])
		}
	case HashLockBody:
		equal("hash", body.Hash.String(), d.Hash)
	}
}

// checkMessage takes the rows' message for what it is: text or hex in Symbol,
// without a kind byte; in NIS1 a type beside text or hex.
func checkMessage(t *testing.T, chain Chain, got Message, row jsontext.Value) {
	t.Helper()
	if len(row) == 0 {
		if got != NoMessage() {
			t.Errorf("message is %v, want none", got)
		}
		return
	}
	if chain == Symbol {
		var text string
		unmarshal(t, row, &text)
		payload := []byte(text)
		if len(text)%2 == 0 && strings.Trim(text, "0123456789ABCDEF") == "" {
			payload = unhex(t, text)
		}
		if !bytes.Equal(got.Payload(chain), payload) {
			t.Errorf("message is %X, want %X", got.Payload(chain), payload)
		}
		return
	}
	var want struct {
		Type    string `json:"message_type"`
		Message string `json:"message"`
	}
	unmarshal(t, row, &want)
	if payload := got.Payload(chain); upperHex(payload) != want.Message && string(payload) != want.Message || (got.Kind() == MessageEncrypted) != (want.Type == "encrypted") {
		t.Errorf("message is %s %X, want %s %s", got.Kind(), got.Payload(chain), want.Type, want.Message)
	}
}

func checkMosaics(t *testing.T, got []AssetAmount, want []mosaicRow) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d mosaics, want %d", len(got), len(want))
	}
	for _, m := range want {
		a := AssetAmount{AssetID{chain: Symbol, mosaic: m.ID}, Amount(m.Amount)}
		if m.ID == 0 {
			id := m.Mosaic.ID
			a.ID = AssetID{chain: NIS1, namespace: string(unhex(t, id.Namespace.Name)), name: string(unhex(t, id.Name))}
			a.Amount = Amount(m.Mosaic.Amount)
		}
		if !slices.Contains(got, a) {
			t.Errorf("mosaic %s %s is missing in %v", a.ID, a.Amount, got)
		}
	}
}

// TestVectorsOfOtherThings refuses, wholly, what is no transaction: blocks,
// receipts and statements are not this package's. The detached cosignature is.
func TestVectorsOfOtherThings(t *testing.T) {
	refused := map[string]bool{
		"NormalBlockV1": true, "NemesisBlockV1": true, "ImportanceBlockV1": true,
		"HarvestFeeReceipt": true, "InflationReceipt": true, "LockHashCreatedFeeReceipt": true, "LockHashCompletedFeeReceipt": true,
		"LockHashExpiredFeeReceipt": true, "LockSecretCreatedFeeReceipt": true, "LockSecretCompletedFeeReceipt": true,
		"LockSecretExpiredFeeReceipt": true, "MosaicExpiredReceipt": true, "MosaicRentalFeeReceipt": true,
		"NamespaceExpiredReceipt": true, "NamespaceDeletedReceipt": true, "NamespaceRentalFeeReceipt": true,
		"FinalizedBlockHeader": true, "TransactionStatement": true, "MosaicResolutionStatement": true,
		"AddressResolutionStatement": true, "BlockStatement": true,
	}
	for _, file := range []string{"symbol/blocks.json", "symbol/receipts.json", "symbol/other.json"} {
		for _, row := range vectors[[]struct {
			Schema  string `json:"schema_name"`
			Payload string `json:"payload"`
		}](t, file) {
			b := unhex(t, row.Payload)
			var where *DecodeError
			for _, n := range []Network{NIS1Mainnet, NIS1Testnet, SymbolMainnet, SymbolTestnet} {
				if _, err := Decode(n, b); !errors.As(err, &where) {
					t.Errorf("%s on %s: error is %v, want one with an offset", row.Schema, n, err)
				}
			}
			c, err := DecodeDetachedCosignature(b)
			switch {
			case row.Schema == "DetachedCosignature":
				if err != nil || !bytes.Equal(c.Encode(), b) {
					t.Errorf("detached cosignature: %+v, %v", c, err)
				}
			case !refused[row.Schema]:
				t.Errorf("schema %s is in no list", row.Schema)
			case err == nil:
				t.Errorf("%s is taken for a detached cosignature", row.Schema)
			}
		}
	}
}
