package ledgertest

import (
	"crypto/ed25519"

	"kura/journal"
	"kura/journal/cosign"
	"kura/ledger"
)

// A Witness cosigns heads at whatever time it is told, and holds them to nothing.
type Witness struct {
	Key     cosign.Key
	private ed25519.PrivateKey
}

// Witnesses makes witnesses out of names.
func Witnesses(names ...string) []Witness {
	var all []Witness
	for _, name := range names {
		s := seed("witness " + name)
		private := ed25519.NewKeyFromSeed(s[:])
		all = append(all, Witness{cosign.Key{Name: name + ".test", Public: [32]byte(private.Public().(ed25519.PublicKey))}, private})
	}
	return all
}

// Cosign adds the witness's line to a checkpoint, with its time in unix milliseconds, of which it signs the seconds.
func (x Witness) Cosign(w *World, c journal.Checkpoint, millis int64) journal.Checkpoint {
	w.TB.Helper()
	text, err := cosign.Text(c)
	w.check(err)
	line, err := cosign.Sign(x.Key, x.private, text, uint64(millis/1000))
	w.check(err)
	return append(c, line...)
}

// Cosigned is the world's head, cosigned by the first of the witnesses at the times given, one each.
func (w *World) Cosigned(witnesses []Witness, quorum int, millis ...int64) ledger.VouchedInput {
	w.TB.Helper()
	in := ledger.VouchedInput{Checkpoint: w.Checkpoint(), Quorum: quorum}
	for i, x := range witnesses {
		in.Witnesses = append(in.Witnesses, x.Key.String())
		if i < len(millis) {
			in.Checkpoint = x.Cosign(w, in.Checkpoint, millis[i])
		}
	}
	return in
}
