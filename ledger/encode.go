package ledger

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/journal"
	"kura/policy"
	"kura/statement"
)

// An encoder writes values so that no two lists of them have the same bytes: numbers as varints, texts and
// bytes after their length, hashes as they are. The first error stays.
type encoder struct {
	w   io.Writer
	buf []byte
	err error
}

const encoderBuffer = 1 << 15

func (e *encoder) flush() {
	if e.err == nil {
		_, e.err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
}

func (e *encoder) room() {
	if len(e.buf) >= encoderBuffer {
		e.flush()
	}
}

func (e *encoder) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

func (e *encoder) number(values ...int64) {
	for _, v := range values {
		e.buf = binary.AppendVarint(e.buf, v)
	}
	e.room()
}

func (e *encoder) count(values ...uint64) {
	for _, v := range values {
		e.buf = binary.AppendUvarint(e.buf, v)
	}
	e.room()
}

func (e *encoder) raw(b []byte) {
	e.buf = append(e.buf, b...)
	e.room()
}

func (e *encoder) bytes(b []byte) {
	e.count(uint64(len(b)))
	e.raw(b)
}

func (e *encoder) text(s string) {
	e.count(uint64(len(s)))
	e.buf = append(e.buf, s...)
	e.room()
}

func (e *encoder) flag(values ...bool) {
	for _, v := range values {
		if v {
			e.buf = append(e.buf, 1)
		} else {
			e.buf = append(e.buf, 0)
		}
	}
}

func (e *encoder) json(v any) {
	text, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		e.fail(err)
	}
	e.bytes(text)
}

// body writes a statement that the state still needs, nil as the empty text.
func (e *encoder) body(b statement.Body, present bool) {
	if !present {
		e.text("")
		return
	}
	text, err := statement.Encode(b)
	if err != nil {
		e.fail(err)
	}
	e.text(text)
}

// encode writes everything that the state holds, in the one form that docs/journal.md describes.
func (s *State) encode(w io.Writer) error {
	e := &encoder{w: w, buf: make([]byte, 0, 2*encoderBuffer)}
	e.number(Engine)
	e.count(s.next)
	e.number(s.clock, s.time)
	e.raw(s.journal[:])
	e.flag(s.genesis != nil)
	if s.genesis != nil {
		e.json(s.genesis)
	}
	e.text(s.line.bootID)
	e.number(s.line.boot, s.line.base, s.line.credit, s.line.proven)
	e.flag(s.policy != nil)
	if s.policy != nil {
		e.bytes(s.policy.Text())
		e.book(s.book)
		e.history(s.usage.History())
	}
	e.json(s.overlay.Stops())
	e.number(s.stopsEnd)
	e.raw(s.spent[:])
	e.keys(s.former)
	e.memory(s)
	e.wallets(s)
	e.clients(s.clients)
	e.parties(s.parties)
	e.count(uint64(len(s.alarms)))
	for _, a := range s.alarms {
		e.json(a.Alarm)
		e.count(a.Seq)
		e.number(a.Time)
	}
	e.count(uint64(len(s.gaps)))
	for _, g := range s.gaps {
		e.gap(g)
	}
	e.logKeys(s)
	e.flush()
	return e.err
}

func (e *encoder) gap(g GapRecord) {
	e.count(g.Seq)
	e.number(g.Clock, g.Time, g.Latest)
	e.heads(g.Kept, g.Lost)
	e.count(uint64(len(g.Between)))
	e.heads(g.Between...)
	e.number(g.Until)
	e.count(uint64(len(g.By)))
	for _, by := range g.By {
		e.text(by)
	}
}

func (e *encoder) heads(all ...journal.Head) {
	for _, h := range all {
		e.count(h.Size)
		e.raw(h.Root[:])
	}
}

func (e *encoder) book(b *policy.Book) {
	hash := b.Hash()
	e.raw(hash[:])
	entries := b.Listed()
	e.count(uint64(len(entries)))
	for _, entry := range entries {
		e.json(entry)
	}
}

func (e *encoder) history(h policy.History) {
	e.number(h.Last, h.Full)
	e.count(uint64(len(h.Wallets)))
	for _, name := range h.Wallets {
		e.text(string(name))
	}
	e.count(uint64(len(h.Clients)))
	for _, name := range h.Clients {
		e.text(string(name))
	}
	e.count(uint64(len(h.Assets)))
	for _, a := range h.Assets {
		e.text(a.Network.String())
		e.text(a.ID.String())
	}
	e.count(uint64(h.Length))
	for r := range h.Records {
		e.number(r.Time)
		e.count(r.Amount, uint64(r.Wallet), uint64(r.Client), uint64(r.Asset), uint64(r.Flags))
		e.raw(r.Destination[:])
		e.raw(r.Customer[:])
	}
}

func (e *encoder) keys(all map[statement.Key]bool) {
	e.count(uint64(len(all)))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		e.text(string(key))
	}
}

// memory writes the records in the order of the journal, each with the moment at which it may be forgotten,
// and then which of them wait for something.
func (e *encoder) memory(s *State) {
	e.count(uint64(len(s.memory.floor)))
	for _, t := range slices.Sorted(maps.Keys(s.memory.floor)) {
		e.text(string(t))
		e.number(s.memory.floor[t])
	}
	due := slices.SortedFunc(slices.Values(s.memory.due), func(a, b dueItem) int { return cmp.Compare(a.seq, b.seq) })
	if len(due) != len(s.memory.ids) || len(due) != len(s.memory.hashes) {
		e.fail(fmt.Errorf("%d ids, %d hashes and %d moments to forget them", len(s.memory.ids), len(s.memory.hashes), len(due)))
	}
	e.count(uint64(len(due)))
	for _, item := range due {
		e.number(item.at)
		e.remembered(item.r)
	}
	e.number(s.recent.floor)
	e.count(uint64(len(s.recent.order)))
	e.count(uint64(len(s.held)))
	for _, r := range s.held {
		e.count(r.StatementSeq)
	}
	e.number(s.looked)
	waiting := inOrder(s.unsigned)
	e.count(uint64(len(waiting)))
	for _, r := range waiting {
		e.count(r.StatementSeq)
	}
	proposals := inOrder(s.proposals)
	e.count(uint64(len(proposals)))
	for _, p := range proposals {
		e.count(p.StatementSeq)
	}
	freezes := inOrder(s.freezes)
	e.count(uint64(len(freezes)))
	for _, f := range freezes {
		e.flag(f.ID.IsZero())
		if f.ID.IsZero() { // a stop without a statement is remembered nowhere else
			e.freeze(f)
		} else {
			e.count(f.StatementSeq)
		}
	}
	e.flag(s.pending != nil)
	if s.pending != nil {
		e.count(s.pending.StatementSeq)
	}
}

// What kind of record follows.
const (
	recordRequest  = 1
	recordProposal = 2
	recordFreeze   = 3
	recordVerdict  = 4
)

func (e *encoder) remembered(r remembered) {
	switch r := r.(type) {
	case *Request:
		e.count(recordRequest)
		e.request(r)
	case *Proposal:
		e.count(recordProposal)
		e.proposal(r)
	case *Freeze:
		e.count(recordFreeze)
		e.freeze(r)
	case *verdict:
		e.count(recordVerdict)
		e.record(&r.Record)
		e.body(r.body, r.body != nil)
		e.text(string(r.key))
	default:
		e.fail(errors.New("a record of no kind"))
	}
}

func (e *encoder) record(r *Record) {
	e.raw(r.ID[:])
	e.raw(r.Hash[:])
	e.text(string(r.Type))
	e.count(uint64(r.By.Kind))
	e.text(r.By.ID)
	e.number(r.Expires)
	e.text(r.State)
	e.text(r.Code)
	e.raw(r.Policy[:])
	e.count(r.StatementSeq, r.OutcomeSeq)
}

func (e *encoder) request(r *Request) {
	e.record(&r.Record)
	e.text(string(r.Wallet))
	e.text(r.Destination)
	e.number(r.Since)
	e.count(r.ReasonsSeq, r.SignatureSeq, r.adopted)
	e.raw(r.Replaces[:])
	e.number(r.wakeAt)
	e.flag(r.ready)
	e.body(r.Withdrawal, r.Withdrawal != nil)
	e.text(string(r.Key))
	e.count(uint64(len(r.Waits)))
	for _, w := range r.Waits {
		e.json(w)
	}
	e.verdicts(r.Verdicts)
	e.flag(r.Transaction != nil)
	if t := r.Transaction; t != nil {
		e.text(t.Network.String())
		e.bytes(t.Unsigned)
		e.count(uint64(t.Fee))
		e.number(t.Deadline)
		e.raw(t.Signature[:])
		e.raw(t.Hash[:])
	}
}

func (e *encoder) proposal(p *Proposal) {
	e.record(&p.Record)
	e.body(p.Body, p.Body != nil)
	e.number(p.Since, p.AdoptedAt, p.Effective)
	e.count(p.adopted)
	e.flag(p.ready)
	e.verdicts(p.Verdicts)
	e.flag(p.Evacuation != nil)
	if p.Evacuation != nil {
		e.request(p.Evacuation)
	}
}

func (e *encoder) freeze(f *Freeze) {
	e.record(&f.Record)
	e.body(f.Body, f.Body != nil)
	e.text(string(f.Wallet))
	e.flag(f.ready)
	e.verdicts(f.Lifts)
}

func (e *encoder) verdicts(all []policy.Verdict) {
	e.count(uint64(len(all)))
	for _, v := range all {
		e.count(uint64(v.By.Kind))
		e.text(v.By.ID)
		e.text(string(v.Key))
		e.text(string(v.Kind))
		e.raw(v.Policy[:])
		e.number(v.At)
		e.raw(v.Hash[:])
	}
}

func (e *encoder) wallets(s *State) {
	all := s.Wallets()
	e.count(uint64(len(all)))
	for _, w := range all {
		e.json(w.Wallet)
		e.text(w.State)
		e.count(w.Seq)
	}
}

func (e *encoder) clients(all map[policy.ClientID]*clientRecord) {
	e.count(uint64(len(all)))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		c := all[id]
		e.text(string(id))
		e.number(c.since)
		e.count(uint64(c.entries), uint64(c.pending), uint64(c.trips))
		e.flag(c.refused)
		e.count(uint64(len(c.suspicious)))
		e.number(c.suspicious...)
	}
}

func (e *encoder) parties(all map[policy.Actor]*partyRecord) {
	e.count(uint64(len(all)))
	for _, by := range slices.SortedFunc(maps.Keys(all), compareActors) {
		e.count(uint64(by.Kind))
		e.text(by.ID)
		e.number(all[by].since)
		e.count(uint64(all[by].entries))
	}
}

func compareActors(a, b policy.Actor) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}
