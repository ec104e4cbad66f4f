package nem

func (b TransferBody) appendTo(dst []byte, tx *Transaction) []byte {
	if tx.network.Chain() == NIS1 {
		return b.appendNIS1(dst, tx.version)
	}
	return b.appendSymbol(dst)
}

func readNIS1Body(r *reader, n Network, kind Type, version uint8) Body {
	r.failAt(0, "type", "a %s is not decoded", kind)
	return nil
}

func readSymbolBody(r *reader, tx *Transaction) Body {
	r.failAt(signedOffset+2, "type", "a %s is not decoded", tx.kind)
	return nil
}

func (t Type) isAggregate() bool { return t == SymbolAggregateComplete || t == SymbolAggregateBonded }

func (t Type) symbolVersions() (first, last uint8) {
	switch t {
	case SymbolTransfer, SymbolHashLock:
		return 1, 1
	case SymbolAggregateComplete, SymbolAggregateBonded:
		return 1, 3
	}
	return 0, 0
}
