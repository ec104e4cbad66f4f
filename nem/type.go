package nem

import "fmt"

// Type is a transaction's type by the chain's own number: 32 bits in NIS1, 16
// in Symbol. No number means something in both.
type Type uint32

const (
	NIS1Transfer           Type = 0x0101
	NIS1ImportanceTransfer Type = 0x0801
	NIS1Modification       Type = 0x1001
	NIS1Cosignature        Type = 0x1002
	NIS1Multisig           Type = 0x1004
	NIS1Namespace          Type = 0x2001
	NIS1MosaicDefinition   Type = 0x4001
	NIS1SupplyChange       Type = 0x4002

	SymbolTransfer          Type = 0x4154
	SymbolAggregateComplete Type = 0x4141
	SymbolAggregateBonded   Type = 0x4241
	SymbolHashLock          Type = 0x4148
)

var typeNames = map[Type]string{
	NIS1Transfer:           "transfer",
	NIS1ImportanceTransfer: "importance_transfer",
	NIS1Modification:       "multisig_modification",
	NIS1Cosignature:        "cosignature",
	NIS1Multisig:           "multisig",
	NIS1Namespace:          "namespace",
	NIS1MosaicDefinition:   "mosaic_definition",
	NIS1SupplyChange:       "mosaic_supply_change",

	SymbolTransfer:          "transfer",
	SymbolAggregateComplete: "aggregate_complete",
	SymbolAggregateBonded:   "aggregate_bonded",
	SymbolHashLock:          "hash_lock",
	0x414C:                  "account_key_link",
	0x424C:                  "node_key_link",
	0x4243:                  "vrf_key_link",
	0x4143:                  "voting_key_link",
	0x4152:                  "secret_lock",
	0x4252:                  "secret_proof",
	0x4144:                  "account_metadata",
	0x4244:                  "mosaic_metadata",
	0x4344:                  "namespace_metadata",
	0x414D:                  "mosaic_definition",
	0x424D:                  "mosaic_supply_change",
	0x434D:                  "mosaic_supply_revocation",
	0x4155:                  "multisig_modification",
	0x424E:                  "address_alias",
	0x434E:                  "mosaic_alias",
	0x414E:                  "namespace_registration",
	0x4150:                  "account_address_restriction",
	0x4250:                  "account_mosaic_restriction",
	0x4350:                  "account_operation_restriction",
	0x4251:                  "mosaic_address_restriction",
	0x4151:                  "mosaic_global_restriction",
}

// String returns the type's name, or its number if it has none here.
func (t Type) String() string {
	if name := typeNames[t]; name != "" {
		return name
	}
	return fmt.Sprintf("0x%04X", uint32(t))
}

func (t Type) isTransfer() bool { return t == NIS1Transfer || t == SymbolTransfer }

func (t Type) isAggregate() bool { return t == SymbolAggregateComplete || t == SymbolAggregateBonded }

// nis1Versions returns the first and last layout version of a NIS1 type, or
// zero for a type that does not exist.
func (t Type) nis1Versions() (first, last uint8) {
	switch t {
	case NIS1Transfer, NIS1Modification:
		return 1, 2
	case NIS1ImportanceTransfer, NIS1Cosignature, NIS1Multisig, NIS1Namespace, NIS1MosaicDefinition, NIS1SupplyChange:
		return 1, 1
	default:
		return 0, 0
	}
}

// symbolVersions is the same for Symbol. Aggregates of every version are
// decoded, whichever the network accepts today.
func (t Type) symbolVersions() (first, last uint8) {
	switch {
	case t.isAggregate():
		return 1, 3
	case t == SymbolTransfer, t == SymbolHashLock, controlLayouts[t] != nil:
		return 1, 1
	}
	return 0, 0
}
