package ledger

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// A decoder reads what an encoder wrote. The first error stays, and everything after it reads as zero, so
// that only loops need to look at it. It need not find every form that encode does not write: the hash of
// what it made of the bytes does, which must be that of the bytes (see RestoreSnapshot).
type decoder struct {
	in  *hashedReader
	s   *State
	err error
}

const (
	// maxText bounds one text: nothing that is written is longer than a policy or a proposal with its frame.
	maxText = 2 << 20
	// maxHint bounds what is set aside on the word of a count that nothing proves yet.
	maxHint = 1 << 14
)

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) keep(err error) {
	if d.err == nil && err != nil {
		d.err = err
	}
}

func (d *decoder) number() int64 {
	if d.err != nil {
		return 0
	}
	v, err := binary.ReadVarint(d.in)
	d.keep(err)
	return v
}

func (d *decoder) count() uint64 {
	if d.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(d.in)
	d.keep(err)
	return v
}

// small reads a count that fits an int.
func (d *decoder) small() int {
	v := d.count()
	if v > math.MaxInt32 {
		d.fail("a count of %d", v)
		return 0
	}
	return int(v)
}

func (d *decoder) short() uint16 {
	v := d.count()
	if v > math.MaxUint16 {
		d.fail("%d where at most %d can stand", v, math.MaxUint16)
		return 0
	}
	return uint16(v)
}

func (d *decoder) flag() bool {
	if d.err != nil {
		return false
	}
	b, err := d.in.ReadByte()
	d.keep(err)
	if b > 1 {
		d.fail("%d where only 0 and 1 can stand", b)
	}
	return b == 1
}

func (d *decoder) raw(b []byte) {
	if d.err == nil {
		_, err := io.ReadFull(d.in, b)
		d.keep(err)
	}
}

func (d *decoder) hash() (h statement.Hash) {
	d.raw(h[:])
	return h
}

func (d *decoder) bytes() []byte {
	n := d.small()
	if n > maxText {
		d.fail("a text of %d bytes", n)
	}
	if d.err != nil || n == 0 {
		return nil
	}
	b := make([]byte, n)
	d.raw(b)
	return b
}

func (d *decoder) text() string { return string(d.bytes()) }

// word reads a text that many records repeat; see State.shared.
func (d *decoder) word() string {
	n := d.small()
	if d.err != nil {
		return ""
	}
	near, ok := d.in.next(n)
	if !ok {
		d.fail("a word of %d bytes does not end", n)
		return ""
	}
	if have, ok := d.s.names[string(near)]; ok {
		return have
	}
	return d.s.shared(string(near))
}

func (d *decoder) json(v any) {
	text := d.bytes()
	if d.err == nil {
		d.keep(json.Unmarshal(text, v, json.RejectUnknownMembers(true)))
	}
}

// list reads as many items as a count says.
func list[T any](d *decoder, item func() T) []T {
	n := d.small()
	if n == 0 || d.err != nil {
		return nil
	}
	all := make([]T, 0, min(n, maxHint))
	for range n {
		x := item()
		if d.err != nil {
			return nil
		}
		all = append(all, x)
	}
	return all
}

// body reads a statement that is still needed; the zero value of its type if there is none.
func body[B statement.Body](d *decoder) (b B) {
	text := d.text()
	if text == "" || d.err != nil {
		return b
	}
	decoded, err := statement.Decode(text)
	if err != nil {
		d.keep(err)
		return b
	}
	b, ok := decoded.(B)
	if !ok {
		d.fail("a statement of type %s stands where another belongs", decoded.Type())
	}
	return b
}

// decodeState reads what State.encode wrote.
func decodeState(in *hashedReader) (*State, error) {
	s := NewState()
	d := &decoder{in: in, s: s}
	if engine := d.number(); engine != Engine {
		d.fail("engine %d", engine)
	}
	s.next = d.count()
	s.clock, s.time = d.number(), d.number()
	s.journal = d.hash()
	if d.flag() {
		s.genesis = new(Genesis)
		d.json(s.genesis)
	}
	s.line = timeline{bootID: d.text(), boot: d.number(), base: d.number(), credit: d.number(), proven: d.number()}
	if !d.flag() && d.err == nil {
		return nil, errors.New("there is no policy")
	}
	d.rules()
	var stops []policy.Stop
	d.json(&stops)
	s.overlay = policy.NewOverlay(stops)
	s.stopsEnd = d.number()
	s.spent = d.hash()
	for _, key := range list(d, func() statement.Key { return statement.Key(d.text()) }) {
		s.former[key] = true
	}
	d.memory()
	for _, w := range list(d, d.wallet) {
		s.wallets[w.Name] = w
	}
	for range d.small() {
		if d.err != nil {
			break
		}
		s.clients[policy.ClientID(d.text())] = d.client()
	}
	for range d.small() {
		if d.err != nil {
			break
		}
		s.parties[d.actor()] = &partyRecord{since: d.number(), entries: d.small()}
	}
	s.alarms = list(d, func() (a AlarmRecord) {
		d.json(&a.Alarm)
		a.Seq, a.Time = d.count(), d.number()
		return a
	})
	s.gaps = list(d, d.gap)
	d.logKeys()
	return s, d.err
}

// rules reads policy, address book and usage.
func (d *decoder) rules() {
	text := d.bytes()
	if d.err != nil {
		return
	}
	var err error
	d.s.policy, err = policy.Parse(text)
	d.keep(err)
	hash := d.hash()
	entries := list(d, func() (e policy.Entry) { d.json(&e); return e })
	if d.err != nil {
		return
	}
	d.s.book, err = policy.RestoreBook(entries, hash)
	d.keep(err)
	h := policy.History{Last: d.number(), Full: d.number()}
	h.Wallets = list(d, func() policy.WalletID { return policy.WalletID(d.word()) })
	h.Clients = list(d, func() policy.ClientID { return policy.ClientID(d.word()) })
	h.Assets = list(d, d.asset)
	h.Length = d.small()
	h.Records = func(yield func(policy.HistoryRecord) bool) {
		for range h.Length {
			r := policy.HistoryRecord{Time: d.number(), Amount: d.count(), Wallet: d.short(), Client: d.short(), Asset: d.short()}
			flags := d.short()
			if flags > math.MaxUint8 {
				d.fail("flags %#x", flags)
			}
			r.Flags = uint8(flags)
			d.raw(r.Destination[:])
			d.raw(r.Customer[:])
			if d.err != nil || !yield(r) {
				return
			}
		}
	}
	if d.err != nil {
		return
	}
	d.s.usage, err = policy.RestoreUsage(d.s.policy, h)
	d.keep(err)
}

func (d *decoder) network() nem.Network {
	name := d.word()
	if d.err != nil {
		return 0
	}
	n, err := nem.ParseNetwork(name)
	d.keep(err)
	return n
}

func (d *decoder) asset() (a policy.HistoryAsset) {
	a.Network = d.network()
	text := d.text()
	if d.err == nil {
		var err error
		a.ID, err = nem.ParseAssetID(a.Network.Chain(), text)
		d.keep(err)
	}
	return a
}

// memory reads the records and which of them wait for something.
func (d *decoder) memory() {
	m := &d.s.memory
	for range d.small() {
		if d.err != nil {
			return
		}
		m.floor[statement.Type(d.text())] = d.number()
	}
	n := d.small()
	m.ids = make(map[statement.ID]remembered, min(n, maxHint))
	m.hashes = make(map[statement.Hash]remembered, min(n, maxHint))
	recent := 0
	for range n {
		item := dueItem{at: d.number(), r: d.remembered()}
		if d.err != nil {
			return
		}
		rec := item.r.record()
		item.seq = rec.StatementSeq
		if len(m.due) > 0 && item.seq <= m.due[len(m.due)-1].seq || m.ids[rec.ID] != nil || m.hashes[rec.Hash] != nil {
			d.fail("statement %s stands twice or out of order", rec.Hash)
			return
		}
		m.ids[rec.ID], m.hashes[rec.Hash] = item.r, item.r
		m.due = append(m.due, item)
		if r, ok := item.r.(*Request); ok && r.State != "" {
			m.noteHeir(r)
		}
		if r := transactionOf(item.r); r != nil && r.Transaction.Deadline >= d.s.time {
			d.s.recent.add(r)
			recent++
		}
	}
	d.s.recent.floor = d.number()
	if want := d.small(); want != recent {
		d.fail("%d authorisations have not reached their deadline, it says %d", recent, want)
	}
	d.waiting()
	heap.Init(&m.due) // from here on not in the order of the journal
}

// transactionOf returns the request of a record that has a transaction, nil if it has none.
func transactionOf(r remembered) *Request {
	var request *Request
	switch r := r.(type) {
	case *Request:
		request = r
	case *Proposal:
		request = r.Evacuation
	}
	if request == nil || request.Transaction == nil {
		return nil
	}
	return request
}

// find returns the record that a statement's seq names. Records are in the order of the journal.
func find[R any](d *decoder) (r R) {
	seq := d.count()
	if d.err != nil {
		return r
	}
	due := d.s.memory.due
	i, ok := slices.BinarySearchFunc(due, seq, func(item dueItem, seq uint64) int { return cmp.Compare(item.seq, seq) })
	if ok {
		if r, ok = due[i].r.(R); ok {
			return r
		}
	}
	d.fail("entry %d is no statement that could wait here", seq)
	return r
}

// findTransaction returns the request that a statement's seq names: a withdrawal, or an evacuation's.
func findTransaction(d *decoder) *Request {
	known := find[remembered](d)
	if d.err != nil {
		return nil
	}
	r := transactionOf(known)
	if r == nil {
		d.fail("entry %d has no transaction", known.record().StatementSeq)
	}
	return r
}

func (d *decoder) waiting() {
	s := d.s
	s.held = list(d, func() *Request { return find[*Request](d) })
	s.looked = d.number()
	for _, r := range list(d, func() *Request { return findTransaction(d) }) {
		s.unsigned[r.Hash] = r
	}
	for _, p := range list(d, func() *Proposal { return find[*Proposal](d) }) {
		s.proposals[p.Hash] = p
	}
	for _, f := range list(d, func() *Freeze {
		if d.flag() {
			return d.freeze()
		}
		return find[*Freeze](d)
	}) {
		s.freezes[f.Hash] = f
	}
	if d.flag() {
		s.pending = findTransaction(d)
	}
}

func (d *decoder) remembered() remembered {
	switch kind := d.count(); kind {
	case recordRequest:
		return d.request()
	case recordProposal:
		return d.proposal()
	case recordFreeze:
		return d.freeze()
	case recordVerdict:
		return &verdict{Record: d.record(), body: body[*statement.Verdict](d), key: statement.Key(d.text())}
	default:
		d.fail("a record of kind %d", kind)
		return &verdict{}
	}
}

func (d *decoder) actor() policy.Actor {
	kind := d.count()
	if kind > uint64(policy.CanaryActor) {
		d.fail("a party of kind %d", kind)
	}
	return policy.Actor{Kind: policy.ActorKind(kind), ID: d.word()}
}

func (d *decoder) record() (r Record) {
	d.raw(r.ID[:])
	r.Hash = d.hash()
	r.Type = statement.Type(d.word())
	r.By = d.actor()
	r.Expires = d.number()
	r.State, r.Code = d.word(), d.word()
	r.Policy = d.hash()
	r.StatementSeq, r.OutcomeSeq = d.count(), d.count()
	return r
}

func (d *decoder) request() *Request {
	r := &Request{
		Record: d.record(), Wallet: policy.WalletID(d.word()), Destination: d.text(), Since: d.number(),
		ReasonsSeq: d.count(), SignatureSeq: d.count(), adopted: d.count(),
	}
	d.raw(r.Replaces[:])
	r.wakeAt, r.ready = d.number(), d.flag()
	r.Withdrawal = body[*statement.Withdrawal](d)
	r.Key = statement.Key(d.word())
	r.Waits = list(d, func() (w policy.Wait) { d.json(&w); return w })
	r.Verdicts = d.verdicts()
	if d.flag() {
		r.Transaction = &Transaction{Network: d.network(), Unsigned: d.bytes(), Fee: nem.Amount(d.count()), Deadline: d.number()}
		d.raw(r.Transaction.Signature[:])
		d.raw(r.Transaction.Hash[:])
	}
	return r
}

func (d *decoder) proposal() *Proposal {
	p := &Proposal{
		Record: d.record(), Body: body[*statement.Proposal](d), Since: d.number(), AdoptedAt: d.number(), Effective: d.number(),
		adopted: d.count(), ready: d.flag(), Verdicts: d.verdicts(),
	}
	if d.flag() {
		p.Evacuation = d.request()
	}
	return p
}

func (d *decoder) freeze() *Freeze {
	return &Freeze{Record: d.record(), Body: body[*statement.Freeze](d), Wallet: policy.WalletID(d.word()), ready: d.flag(), Lifts: d.verdicts()}
}

func (d *decoder) verdicts() []policy.Verdict {
	return list(d, func() policy.Verdict {
		return policy.Verdict{
			By: d.actor(), Key: statement.Key(d.text()), Kind: statement.VerdictKind(d.text()), Policy: d.hash(), At: d.number(), Hash: d.hash(),
		}
	})
}

func (d *decoder) wallet() *WalletRecord {
	w := new(WalletRecord)
	d.json(&w.Wallet)
	w.State, w.Seq = d.text(), d.count()
	return w
}

func (d *decoder) client() *clientRecord {
	return &clientRecord{
		since: d.number(), entries: d.small(), pending: d.small(), trips: d.small(), refused: d.flag(),
		suspicious: list(d, d.number),
	}
}
