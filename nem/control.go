package nem

// ControlBody is the body of a transaction that Kura recognises but never
// judges by its fields: each changes what accounts, keys, names or mosaics are.
// Its layout has been checked to the last byte; addresses inside it have not.
type ControlBody struct {
	raw string
}

// Bytes returns the body as it stands in the transaction.
func (b ControlBody) Bytes() []byte { return []byte(b.raw) }

func (b ControlBody) appendTo(dst []byte, _ Network, _ uint8) []byte { return append(dst, b.raw...) }

// readControl holds the rest of the transaction to the layout that walk reads.
func readControl(r *reader, walk func(*reader)) Body {
	start := r.pos
	walk(r)
	if r.err != nil {
		return nil
	}
	return ControlBody{r.src[start:r.pos]}
}

// number reads a number of up to 8 bytes that must lie in a range.
func (r *reader) number(field string, size int, low, high uint64) uint64 {
	at := r.pos
	var v uint64
	for i, c := range []byte(r.bytes(field, size)) {
		v |= uint64(c) << (8 * i)
	}
	if r.err == nil && (v < low || v > high) {
		r.failAt(at, field, "is %d, want %d to %d", v, low, high)
	}
	return v
}

func walkImportanceTransfer(r *reader) {
	r.number("mode", 4, 1, 2)
	r.fixed32("remote key length", keySize)
	r.bytes("remote key", keySize)
}

// absent is the length that NIS1 writes for a text that is not there.
const absent = 0xFFFFFFFF

func walkNamespace(r *reader) {
	r.nis1Sink("rental sink")
	r.u64("rental fee")
	r.nis1Text("name")
	at := r.pos
	if r.u32("parent length") != absent {
		r.rewind(at)
		r.nis1Text("parent")
	}
}

func walkMosaicDefinition(r *reader) {
	at := r.pos
	size := r.u32("definition size")
	start := r.pos
	r.fixed32("creator key length", keySize)
	r.bytes("creator key", keySize)
	r.nis1AssetID()
	r.nis1Text("description")
	for range r.number("property count", 4, 0, maxProperties) {
		at := r.pos
		size := r.u32("property size")
		start := r.pos
		r.nis1Text("property name")
		r.nis1Text("property value")
		r.sizeWas(at, "property size", size, start)
	}
	levyAt := r.pos
	if levy := r.u32("levy size"); levy != 0 {
		start := r.pos
		r.number("levy kind", 4, uint64(LevyAbsolute), uint64(LevyPercentile))
		r.nis1Sink("levy recipient")
		r.nis1AssetID()
		r.u64("levy fee")
		r.sizeWas(levyAt, "levy size", levy, start)
	}
	r.sizeWas(at, "definition size", size, start)
	r.nis1Sink("creation sink")
	r.u64("creation fee")
}

// maxProperties is how many properties a NIS1 mosaic has at most: divisibility,
// initial supply, and whether it can be transferred and its supply changed.
const maxProperties = 4

func walkSupplyChange(r *reader) {
	r.nis1AssetID()
	r.number("supply change", 4, 1, 2)
	r.u64("delta")
}

// nis1Sink reads a length and the text of an address that is not looked at.
func (r *reader) nis1Sink(field string) {
	r.fixed32(field+" length", nis1AddressText)
	r.bytes(field, nis1AddressText)
}

// sizeWas checks a size, read at an offset, of what began at start.
func (r *reader) sizeWas(at int, field string, size uint32, start int) {
	if r.err == nil && int64(size) != int64(r.pos-start) {
		r.failAt(at, field, "is %d, want %d", size, r.pos-start)
	}
}

// rewind goes back to an offset already read.
func (r *reader) rewind(to int) {
	if r.err == nil {
		r.pos = to
	}
}
