package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/policy"
	"kura/statement"
)

// Hash is a SHA-256 over everything that can bear on a later decision. Two folds of the same entries have
// the same hash on every machine; it takes time in proportion to what is remembered.
func (s *State) Hash() statement.Hash {
	d := digest{sha256.New()}
	d.number(Engine, int64(s.next), s.clock, s.time)
	d.bytes(s.journal[:])
	d.text(s.line.bootID)
	d.number(s.line.boot, s.line.base, s.line.credit, s.line.proven)
	if s.policy != nil {
		p, b := s.policy.Hash(), s.book.Hash()
		d.bytes(p[:])
		d.bytes(b[:])
	}
	d.json(s.overlay.Stops())
	d.bytes(s.spent[:])
	d.memory(&s.memory)
	d.number(s.recent.floor, int64(len(s.recent.order)))
	for _, r := range s.held {
		d.number(int64(r.StatementSeq))
	}
	for _, r := range inOrder(s.unsigned) {
		d.number(int64(r.StatementSeq))
	}
	for _, p := range inOrder(s.proposals) {
		d.number(int64(p.StatementSeq))
	}
	for _, f := range inOrder(s.freezes) {
		d.freeze(f)
	}
	for _, w := range s.Wallets() {
		d.json(w.Wallet)
		d.text(w.State)
	}
	for _, key := range slices.Sorted(maps.Keys(s.former)) {
		d.text(string(key))
	}
	for _, id := range slices.Sorted(maps.Keys(s.clients)) {
		c := s.clients[id]
		d.text(string(id))
		d.number(c.since, int64(c.entries), int64(c.pending), flag(c.refused), int64(c.trips))
		d.number(c.suspicious...)
	}
	return statement.Hash(d.Sum(nil))
}

// A digest writes values so that no two lists of them have the same bytes.
type digest struct{ hash.Hash }

func (d digest) number(values ...int64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(len(values)))
	d.Write(b[:])
	for _, v := range values {
		binary.BigEndian.PutUint64(b[:], uint64(v))
		d.Write(b[:])
	}
}

func (d digest) bytes(b []byte) {
	d.number(int64(len(b)))
	d.Write(b)
}

func (d digest) text(s string) { d.bytes([]byte(s)) }

func (d digest) json(v any) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		text = []byte(err.Error())
	}
	d.bytes(text)
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (d digest) memory(m *memory) {
	for _, t := range slices.Sorted(maps.Keys(m.floor)) {
		d.text(string(t))
		d.number(m.floor[t])
	}
	all := make([]remembered, 0, len(m.ids))
	for _, r := range m.ids {
		all = append(all, r)
	}
	slices.SortFunc(all, bySeq)
	d.number(int64(len(all)))
	for _, r := range all {
		switch r := r.(type) {
		case *Request:
			d.request(r)
		case *Proposal:
			d.record(&r.Record)
			d.number(r.Since, r.AdoptedAt, r.Effective, flag(r.ready))
			d.verdicts(r.Verdicts)
			if r.Evacuation != nil {
				d.request(r.Evacuation)
			}
		case *Freeze:
			d.freeze(r)
		default:
			d.record(r.record())
		}
	}
}

func (d digest) record(r *Record) {
	d.bytes(r.ID[:])
	d.bytes(r.Hash[:])
	d.text(r.By.String())
	d.text(r.State)
	d.text(r.Code)
	d.bytes(r.Policy[:])
	d.number(r.Expires, int64(r.StatementSeq), int64(r.OutcomeSeq))
}

func (d digest) request(r *Request) {
	d.record(&r.Record)
	d.bytes(r.ReplacedBy[:])
	d.number(r.Since, int64(r.ReasonsSeq), int64(r.SignatureSeq), r.wakeAt, flag(r.ready))
	d.verdicts(r.Verdicts)
	if t := r.Transaction; t != nil {
		d.bytes(t.Unsigned)
		d.bytes(t.Signature[:])
		d.number(int64(t.Fee), t.Deadline)
	}
}

func (d digest) freeze(f *Freeze) {
	d.record(&f.Record)
	d.number(flag(f.ready))
	d.verdicts(f.Lifts)
}

func (d digest) verdicts(all []policy.Verdict) {
	d.number(int64(len(all)))
	for _, v := range all {
		d.text(v.By.String())
		d.text(string(v.Kind))
		d.bytes(v.Hash[:])
		d.number(v.At)
	}
}
