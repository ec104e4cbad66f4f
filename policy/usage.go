package policy

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"kura/nem"
)

// Event is an authorisation as usage remembers it.
type Event struct {
	Time        int64 // policy time, unix milliseconds
	Network     nem.Network
	Wallet      WalletID
	Client      ClientID
	Destination nem.Address
	Customer    string
	Outflows    []Outflow
	// Quorum: approved by a quorum, so that only always limits count it.
	Quorum bool
}

// Outflow is an amount that leaves the wallet.
type Outflow struct {
	Asset  AssetRef    `json:"asset"` // the registry's name
	ID     nem.AssetID `json:"-"`
	Amount Units       `json:"amount"`
	Kind   OutflowKind `json:"kind"`
}

// OutflowKind says why something leaves. Fees and levies count in limits over
// amounts, and are no withdrawal of their asset for limits over counts.
type OutflowKind string

// The kinds of outflows.
const (
	TransferOutflow OutflowKind = "transfer"
	FeeOutflow      OutflowKind = "fee"
	LevyOutflow     OutflowKind = "levy"
)

// Usage knows what was authorised: exact sums over rolling windows. One array
// holds all events of the last MaxWindow in the order of time (56 bytes for each
// asset that leaves), and each limit has an index over those it counts (4 bytes,
// 8 if it has windows for different keys) that links the events of one key. An event enters and leaves each index once,
// so adding costs amortised constant time. Because the array outlives every
// window, a new or changed limit starts from the true history.
//
// Any number of goroutines may read one Usage; changing it needs it alone.
type Usage struct {
	policy  *Policy
	events  deque[record]
	last    int64 // time of the newest event or Advance
	limits  []tally
	keys    []keys // each of all limits with the same parts and window
	wallets intern[WalletID]
	clients intern[ClientID]
	assets  intern[assetKey]
	full    int64 // every window counts as full that holds this time; 0: none
}

// record is one asset of an event.
type record struct {
	time   int64
	amount uint64
	windowKey
	flags uint8
}

const (
	firstOfEvent   uint8 = 1 << iota // the event's first record
	movedByClient                    // transferred, not only fee or levy
	quorumApproved                   // counted in always limits only
)

// digest stands for a text in a window's key. 128 bits of SHA-256: nobody finds
// two payees that share one.
type digest [16]byte

func digestOf(text []byte) digest {
	sum := sha256.Sum256(text)
	return digest(sum[:16])
}

// unseen is the number of a name that no event has, so that no window holds
// anything under it.
const unseen = math.MaxUint16

// intern numbers the few names that events repeat.
type intern[K comparable] struct {
	index map[K]uint16
	names []K
}

func (t *intern[K]) number(name K) (uint16, error) {
	if i, ok := t.index[name]; ok {
		return i, nil
	}
	if len(t.names) == unseen {
		return 0, errors.New("usage: more than 65,535 names")
	}
	if t.index == nil {
		t.index = map[K]uint16{}
	}
	i := uint16(len(t.names))
	t.index[name] = i
	t.names = append(t.names, name)
	return i, nil
}

func (t *intern[K]) find(name K) uint16 {
	if i, ok := t.index[name]; ok {
		return i
	}
	return unseen
}

// tally is one limit's index.
type tally struct {
	limit   *limit
	shares  int           // which of the usage's keys
	nodes   deque[uint32] // events, by position
	next    deque[uint32] // beside nodes: the key's next node; not used when per is empty
	windows []window      // by the key's place; what lies past the end is empty
	// The limit's sets refer to the policy's lists; these translate usage's numbers.
	wallets, clients, assets []bool
}

// NewUsage is a usage without history under a policy.
func NewUsage(p *Policy) *Usage {
	u := &Usage{}
	u.Bind(p)
	return u
}

// Bind counts the limits of another policy from the history that is held. It
// takes time proportional to that history and is called when a policy comes into
// force.
func (u *Usage) Bind(p *Policy) {
	u.policy = p
	u.limits = make([]tally, len(p.limits))
	u.keys = nil
	type sharing struct {
		per    Per
		window int64
	}
	shares := map[sharing]int{}
	for i := range u.limits {
		l := &p.limits[i]
		same := sharing{l.per, l.window}
		if _, ok := shares[same]; !ok {
			shares[same] = len(u.keys)
			u.keys = append(u.keys, keys{})
		}
		u.limits[i] = tally{limit: l, shares: shares[same]}
		u.learn(&u.limits[i])
	}
	for at := u.events.first; at != u.events.next; {
		end := at + 1
		for end != u.events.next && u.events.at(end).flags&firstOfEvent == 0 {
			end++
		}
		u.index(at, end)
		at = end
	}
	u.Advance(u.last)
}

// learn brings a tally's translations up to date with the names seen.
func (u *Usage) learn(t *tally) {
	for i := len(t.wallets); i < len(u.wallets.names); i++ {
		t.wallets = append(t.wallets, t.limit.wallets.has(indexOr(u.policy.wallets, u.wallets.names[i])))
	}
	for i := len(t.clients); i < len(u.clients.names); i++ {
		t.clients = append(t.clients, t.limit.clients.has(indexOr(u.policy.clients, u.clients.names[i])))
	}
	for i := len(t.assets); i < len(u.assets.names); i++ {
		t.assets = append(t.assets, t.limit.assets.has(indexOr(u.policy.assetIndex, u.assets.names[i])))
	}
}

func indexOr[K comparable](m map[K]int, k K) int {
	if i, ok := m[k]; ok {
		return i
	}
	return -1
}

// Add counts an authorisation. Events come in the order of time; one that is
// older than the newest is an error and changes nothing.
func (u *Usage) Add(e Event) error {
	if e.Time < u.last {
		return fmt.Errorf("usage: event at %d after one at %d", e.Time, u.last)
	}
	if len(e.Outflows) == 0 {
		return errors.New("usage: an event without outflow")
	}
	wallet, err := u.wallets.number(e.Wallet)
	if err != nil {
		return err
	}
	client, err := u.clients.number(e.Client)
	if err != nil {
		return err
	}
	base := record{time: e.Time, windowKey: windowKey{destination: destinationDigest(e.Destination), customer: digestOf([]byte(e.Customer)), wallet: wallet, client: client}}
	if e.Quorum {
		base.flags |= quorumApproved
	}
	merged, err := u.merge(base, e)
	if err != nil {
		return err
	}
	u.Advance(e.Time)
	for i := range u.limits {
		u.learn(&u.limits[i])
	}
	start := u.events.next
	for _, r := range merged {
		u.events.push(r)
	}
	u.index(start, u.events.next)
	return nil
}

func destinationDigest(a nem.Address) digest {
	var room [32]byte
	return digestOf(a.AppendRaw(room[:0]))
}

// merge makes one record for each asset.
func (u *Usage) merge(base record, e Event) ([]record, error) {
	merged := make([]record, 0, len(e.Outflows))
outflows:
	for _, o := range e.Outflows {
		asset, err := u.assets.number(assetKey{e.Network, o.ID})
		if err != nil {
			return nil, err
		}
		r := base
		r.asset, r.amount = asset, uint64(o.Amount)
		if o.Kind == TransferOutflow {
			r.flags |= movedByClient
		}
		for i := range merged {
			if m := &merged[i]; m.asset == asset {
				sum, carry := bits.Add64(m.amount, r.amount, 0)
				if carry != 0 {
					return nil, fmt.Errorf("usage: outflow of %s overflows", o.Asset)
				}
				m.amount, m.flags = sum, m.flags|r.flags
				continue outflows
			}
		}
		merged = append(merged, r)
	}
	merged[0].flags |= firstOfEvent
	return merged, nil
}

// index enters the event of records [start, end) into every limit that counts it.
func (u *Usage) index(start, end uint64) {
	for i := range u.limits {
		t := &u.limits[i]
		first := u.events.at(start)
		if !t.wallets[first.wallet] || !t.clients[first.client] || (first.flags&quorumApproved != 0 && !t.limit.always) {
			continue
		}
		for at := start; at != end; at++ {
			r := u.events.at(at)
			if !t.assets[r.asset] || (t.limit.count && r.flags&movedByClient == 0) {
				continue
			}
			t.enter(r, uint32(at), u.keys[t.shares].enter(r.only(t.limit.per)))
			if !t.limit.count || !t.limit.per.Has(PerAsset) {
				break // one asset for amounts, one withdrawal for counts
			}
		}
	}
}

// enter counts an event's record in the window at a place.
func (t *tally) enter(r *record, event, place uint32) {
	for uint32(len(t.windows)) <= place {
		t.windows = append(t.windows, window{})
	}
	w := &t.windows[place]
	at := uint32(t.nodes.push(event))
	if t.limit.per != 0 {
		t.next.push(0)
		if w.count != 0 {
			*t.next.at(t.position(w.tail)) = at
		}
	}
	if w.count == 0 {
		w.head = at
	}
	w.tail = at
	w.count++
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, t.weight(r), 0)
	w.hi += carry
}

func (t *tally) weight(r *record) uint64 {
	if t.limit.count {
		return 1
	}
	return r.amount
}

// position gives the full position of a node that lives.
func (t *tally) position(at uint32) uint64 {
	return t.nodes.first + uint64(at-uint32(t.nodes.first))
}

// after gives the node that follows a node in its window.
func (t *tally) after(at uint32) uint32 {
	if t.limit.per == 0 {
		return at + 1
	}
	return *t.next.at(t.position(at))
}

// Advance forgets what no window holds any more at a policy time. It changes no
// answer: sums are exact at whatever time they are asked for.
func (u *Usage) Advance(time int64) {
	u.last = max(u.last, time)
	for i := range u.limits {
		t := &u.limits[i]
		for !t.nodes.empty() {
			r := u.record(t, uint32(t.nodes.first))
			if r.time > u.last-t.limit.window {
				break
			}
			u.leave(t, r)
		}
	}
	for !u.events.empty() && u.events.at(u.events.first).time <= u.last-int64(MaxWindow) {
		u.events.pop()
	}
}

// leave takes a limit's oldest node, which is of the record, out of its window.
func (u *Usage) leave(t *tally, r *record) {
	keys, k := &u.keys[t.shares], r.only(t.limit.per)
	place := keys.find(k)
	t.drop(&t.windows[place], r)
	keys.leave(k, place)
	t.nodes.pop()
	if t.limit.per != 0 {
		t.next.pop()
	}
}

// drop takes its oldest node, which is of the record, off a window.
func (t *tally) drop(w *window, r *record) {
	var borrow uint64
	w.lo, borrow = bits.Sub64(w.lo, t.weight(r), 0)
	w.hi -= borrow
	w.head = t.after(w.head)
	w.count--
}

// record gives the record of a node that lives.
func (u *Usage) record(t *tally, node uint32) *record {
	event := *t.nodes.at(t.position(node))
	return u.events.at(u.events.first + uint64(event-uint32(u.events.first)))
}

// room is what a limit's window holds and whether an amount fits.
type room struct {
	before  uint64 // saturated
	fits    bool
	freesAt int64 // policy time from which it fits, 0 if it never will
}

// roomFor asks a limit, with a number in force, for room at a policy time in the
// window at a place.
func (u *Usage) roomFor(t *tally, place uint32, time int64, amount, number uint64) room {
	horizon := time - t.limit.window
	if u.full != 0 && time < u.full+t.limit.window {
		r := room{before: number}
		if amount <= number {
			r.freesAt = u.full + t.limit.window
		}
		return r
	}
	var rest window // what is left of it as time goes on
	if place < uint32(len(t.windows)) {
		rest = t.windows[place]
	}
	for rest.count > 0 {
		r := u.record(t, rest.head)
		if r.time > horizon {
			break
		}
		t.drop(&rest, r)
	}
	room := room{before: rest.lo, fits: rest.fits(amount, number)}
	if rest.hi != 0 {
		room.before = math.MaxUint64
	}
	if amount > number {
		return room
	}
	for !rest.fits(amount, number) { // an empty window has room for what is not above the number
		r := u.record(t, rest.head)
		t.drop(&rest, r)
		room.freesAt = r.time + t.limit.window
	}
	return room
}

// Fill counts every window as full that holds the policy time: what a restore
// does, since it cannot know what was authorised before.
func (u *Usage) Fill(time int64) { u.full = max(u.full, time) }

// Filled is the policy time that Fill was given, 0 if it never was.
func (u *Usage) Filled() int64 { return u.full }

// Len is how many records are held, one for each asset of an event.
func (u *Usage) Len() int { return int(u.events.next - u.events.first) }
