package nem

import "fmt"

// Type is a transaction's type by the chain's own number: 32 bits in NIS1, 16
// in Symbol. The two chains' numbers do not overlap.
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

func (t Type) isTransfer() bool { return t == NIS1Transfer || t == SymbolTransfer }

// String returns the type's name, or its number if it has none here.
func (t Type) String() string {
	switch t {
	case NIS1Transfer, SymbolTransfer:
		return "transfer"
	case NIS1ImportanceTransfer:
		return "importance_transfer"
	case NIS1Modification:
		return "multisig_modification"
	case NIS1Cosignature:
		return "cosignature"
	case NIS1Multisig:
		return "multisig"
	case NIS1Namespace:
		return "namespace"
	case NIS1MosaicDefinition:
		return "mosaic_definition"
	case NIS1SupplyChange:
		return "mosaic_supply_change"
	case SymbolAggregateComplete:
		return "aggregate_complete"
	case SymbolAggregateBonded:
		return "aggregate_bonded"
	case SymbolHashLock:
		return "hash_lock"
	}
	return fmt.Sprintf("0x%04X", uint32(t))
}
