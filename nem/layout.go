package nem

import "math"

// part is one field of a Symbol layout: size bytes read as role says.
type part struct {
	name string
	size int
	role role
}

type role uint8

const (
	plain   role = iota // any value
	zero                // reserved
	boolean             // one byte, 0 or 1
	count               // a number that counts the elements of an each below
	each                // as many elements as the oldest count not used yet says
	choice              // one byte, 0 to 2
)

var (
	linkedKey = []part{{"linked public key", keySize, plain}, {"link action", 1, boolean}}
	deltas    = []part{{"additions count", 1, count}, {"deletions count", 1, count}, {"reserved", 4, zero}}
	value     = []part{{"value size delta", 2, plain}, {"value size", 2, count}, {"value", 1, each}}
	target    = []part{{"target address", symbolAddressSize, plain}, {"scoped metadata key", 8, plain}}
)

// controlLayouts holds the layout, after the header, of every Symbol type that
// is recognised only. All have version 1.
var controlLayouts = map[Type][]part{
	0x414C: linkedKey,
	0x424C: linkedKey,
	0x4243: linkedKey,
	0x4143: {{"linked public key", keySize, plain}, {"start epoch", 4, plain}, {"end epoch", 4, plain}, {"link action", 1, boolean}},
	0x4152: {
		{"recipient", symbolAddressSize, plain}, {"secret", hashSize, plain}, {"mosaic", mosaicSize, plain},
		{"duration", 8, plain}, {"hash algorithm", 1, choice}},
	0x4252: {
		{"recipient", symbolAddressSize, plain}, {"secret", hashSize, plain}, {"proof size", 2, count},
		{"hash algorithm", 1, choice}, {"proof", 1, each}},
	0x4144: concat(target, value),
	0x4244: concat(target, []part{{"target mosaic id", 8, plain}}, value),
	0x4344: concat(target, []part{{"target namespace id", 8, plain}}, value),
	0x414D: {
		{"mosaic id", 8, plain}, {"duration", 8, plain}, {"nonce", 4, plain}, {"flags", 1, plain}, {"divisibility", 1, plain}},
	0x424D: {{"mosaic id", 8, plain}, {"delta", 8, plain}, {"action", 1, boolean}},
	0x434D: {{"source address", symbolAddressSize, plain}, {"mosaic", mosaicSize, plain}},
	0x4155: concat(
		[]part{{"minimum removal delta", 1, plain}, {"minimum approval delta", 1, plain}}, deltas,
		[]part{{"address additions", symbolAddressSize, each}, {"address deletions", symbolAddressSize, each}}),
	0x424E: {{"namespace id", 8, plain}, {"address", symbolAddressSize, plain}, {"alias action", 1, boolean}},
	0x434E: {{"namespace id", 8, plain}, {"mosaic id", 8, plain}, {"alias action", 1, boolean}},
	0x414E: {
		{"duration or parent id", 8, plain}, {"namespace id", 8, plain}, {"registration type", 1, boolean},
		{"name size", 1, count}, {"name", 1, each}},
	0x4150: restriction(symbolAddressSize),
	0x4250: restriction(8),
	0x4350: restriction(2),
	0x4251: {
		{"mosaic id", 8, plain}, {"restriction key", 8, plain}, {"previous value", 8, plain}, {"new value", 8, plain},
		{"target address", symbolAddressSize, plain}},
	0x4151: {
		{"mosaic id", 8, plain}, {"reference mosaic id", 8, plain}, {"restriction key", 8, plain},
		{"previous value", 8, plain}, {"new value", 8, plain}, {"previous type", 1, plain}, {"new type", 1, plain}},
}

// restriction is the layout of the three account restrictions, which differ in
// what they list.
func restriction(size int) []part {
	return concat([]part{{"restriction flags", 2, plain}}, deltas,
		[]part{{"restriction additions", size, each}, {"restriction deletions", size, each}})
}

func concat(lists ...[]part) (all []part) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// walkLayout reads a layout. No field is read before its bytes are there.
func walkLayout(r *reader, layout []part) {
	var counts []int
	for _, p := range layout {
		switch p.role {
		case plain:
			r.bytes(p.name, p.size)
		case zero:
			r.zeros(p.name, p.size)
		case boolean:
			r.number(p.name, p.size, 0, 1)
		case choice:
			r.number(p.name, p.size, 0, 2)
		case count:
			counts = append(counts, int(r.number(p.name, p.size, 0, math.MaxUint16)))
		case each:
			r.bytes(p.name, counts[0]*p.size)
			counts = counts[1:]
		}
	}
}
