package statement_test

import (
	"testing"

	"kura/statement"
)

func BenchmarkOpen(b *testing.B) {
	for kind, signer := range signers() {
		for name, body := range bodies() {
			if name != "withdrawal" && kind != "ssh-ed25519" {
				continue
			}
			e, err := statement.Sign(signer, nil, body)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := statement.Open(e); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for name, body := range bodies() {
		text := encode(b, body)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := statement.Decode(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
