package nem

import (
	"fmt"
	"math/big"
	"math/bits"
)

// NIS1's fees, in micro-XEM, since its second fee fork.
const (
	nis1FeeUnit         = 50_000
	nis1ModificationFee = 10 * nis1FeeUnit
	nis1OtherFee        = 3 * nis1FeeUnit
	nis1MaxTransferFee  = 25 // units, whatever the amount
)

// supplyThresholds[k-1] is the smallest whole v for which 0.8·ln(v) is at least
// k, that is, e^(1.25k) rounded up: the node's logarithm without its floats.
var supplyThresholds = [...]uint64{
	4, 13, 43, 149, 519, 1_809, 6_311, 22_027, 76_880, 268_338, 936_590, 3_269_018, 11_409_992,
	39_824_785, 139_002_156, 485_165_196, 1_693_392_924, 5_910_522_064, 20_629_749_058,
	72_004_899_338, 251_321_793_305, 877_199_251_319, 3_061_726_229_132, 10_686_474_581_525,
	37_299_461_295_719, 130_187_912_050_633, 454_400_461_972_589, 1_586_013_452_313_431,
	5_535_730_883_721_925,
}

// MinimumFee returns the least fee, in micro-XEM, that NIS1's nodes accept for
// the transfer: in exact integers, where nem-sdk's floats fall short by one for
// some messages. Mosaics other than nem:xem must be in assets, with a supply
// that is known; the node uses the supply on the chain at that moment. t's own
// fee and times are not looked at. Symbol has no minimum of its own: each node sets one.
func MinimumFee(t Transfer, assets Assets) (Amount, error) {
	if t.Network.Chain() != NIS1 {
		return 0, fmt.Errorf("minimum fee: %s has none of its own, want NIS1", t.Network.Label())
	}
	tx, err := t.compose()
	if err != nil {
		return 0, fmt.Errorf("minimum fee: %w", err)
	}
	fee, err := minimumNIS1Fee(&tx, assets)
	if err != nil {
		return 0, fmt.Errorf("minimum fee: %w", err)
	}
	return fee, nil
}

// FeeFor returns the fee that Kura pays: NIS1's minimum; in Symbol the bytes'
// size times the multiplier, in micro-XYM per byte.
func FeeFor(t Transfer, assets Assets, multiplier uint32) (Amount, error) {
	if t.Network.Chain() == NIS1 {
		return MinimumFee(t, assets)
	}
	tx, err := t.compose()
	if err != nil {
		return 0, fmt.Errorf("fee: %w", err)
	}
	return SymbolFee(tx.size(), multiplier), nil
}

// SymbolFee is the fee of size bytes at a multiplier in micro-XYM per byte. For
// an aggregate that will be cosigned, size must include 104 bytes for each
// cosignature to come.
func SymbolFee(size int, multiplier uint32) Amount {
	return Amount(max(size, 0)) * Amount(multiplier)
}

// FeeOf prices a transaction of any type. NIS1: the least fee that nodes accept
// for it alone; what a multisig wraps is priced by itself, and so is each
// cosignature (assets as for [MinimumFee]). Symbol: all of its bytes and those
// of the cosignatures still to come, at the multiplier.
func FeeOf(tx Transaction, assets Assets, multiplier uint32, cosignatures int) (Amount, error) {
	switch tx.network.Chain() {
	case NIS1:
		return minimumNIS1Fee(&tx, assets)
	case Symbol:
		if tx.embedded {
			return 0, fmt.Errorf("what is embedded pays no fee of its own")
		}
		if cosignatures < 0 || cosignatures > maxTransaction/cosignatureSize {
			return 0, fmt.Errorf("%d cosignatures are to come, want 0 to %d", cosignatures, maxTransaction/cosignatureSize)
		}
		return SymbolFee(len(tx.Encode())+cosignatureSize*cosignatures, multiplier), nil
	}
	return 0, fmt.Errorf("no transaction was decoded")
}

// minimumNIS1Fee is the least fee of one transaction, without what it wraps.
func minimumNIS1Fee(tx *Transaction, assets Assets) (Amount, error) {
	switch {
	case tx.kind == NIS1Modification:
		return nis1ModificationFee, nil
	case tx.kind != NIS1Transfer:
		return nis1OtherFee, nil
	}
	b := &tx.transfer
	var units uint64
	if n := b.Message.size(NIS1); n > 0 {
		units = uint64(n/32) + 1
	}
	if len(b.Mosaics) == 0 {
		return nis1FeeUnit * Amount(units+clampUnits(uint64(b.Amount)/10_000_000_000)), nil
	}
	for i := range b.Mosaics {
		mosaic, err := mosaicUnits(&b.Mosaics[i], b.Amount, assets)
		if err != nil {
			return 0, err
		}
		units += mosaic
	}
	return nis1FeeUnit * Amount(units), nil
}

func clampUnits(v uint64) uint64 { return min(max(v, 1), nis1MaxTransferFee) }

// mosaicUnits is what one mosaic adds to a transfer's fee: as if its share of
// its own supply were that share of all XEM, less a rebate for small supplies.
func mosaicUnits(a *AssetAmount, factor Amount, assets Assets) (uint64, error) {
	const xemSupply, maxQuantity = 8_999_999_999, 9_000_000_000_000_000
	asset, listed := assets[a.ID]
	supply, divisibility := asset.Supply, asset.Divisibility
	if a.ID == xem {
		supply, divisibility, listed = xemSupply, 6, true
	}
	switch {
	case !listed:
		return 0, fmt.Errorf("%s is not in the registry, so its supply is not known", a.ID)
	case supply == 0:
		return 0, fmt.Errorf("the registry does not say the supply of %s", a.ID)
	case divisibility > 6:
		return 0, fmt.Errorf("the registry says divisibility %d of %s, want at most 6", divisibility, a.ID)
	case divisibility == 0 && supply <= 10_000:
		return 1, nil
	}
	scale := uint64(1)
	for range divisibility {
		scale *= 10
	}
	overflow, units := bits.Mul64(supply, scale) // all that exists, in smallest units
	if overflow != 0 || units > maxQuantity {
		return 0, fmt.Errorf("the registry says a supply of %d of %s with divisibility %d, more than can exist", supply, a.ID, divisibility)
	}
	// xem = xemSupply · quantity · factor / (units · 10^6), in whole XEM.
	equivalent := new(big.Int).SetUint64(uint64(a.Amount))
	equivalent.Mul(equivalent, new(big.Int).SetUint64(uint64(factor)))
	equivalent.Mul(equivalent, big.NewInt(xemSupply))
	equivalent.Div(equivalent, new(big.Int).Mul(new(big.Int).SetUint64(units), big.NewInt(nis1Multiplier)))
	equivalent.Div(equivalent, big.NewInt(10_000))
	fee := uint64(nis1MaxTransferFee)
	if equivalent.IsUint64() {
		fee = clampUnits(equivalent.Uint64())
	}
	rebate := supplyRebate(maxQuantity / units)
	if rebate >= fee {
		return 1, nil
	}
	return fee - rebate, nil
}

// supplyRebate is floor(0.8·ln v).
func supplyRebate(v uint64) uint64 {
	var k uint64
	for int(k) < len(supplyThresholds) && v >= supplyThresholds[k] {
		k++
	}
	return k
}
