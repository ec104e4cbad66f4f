package signer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/signer/rpc"
	"kura/statement"
)

// Config is what a signer is made of.
type Config struct {
	Genesis journal.Genesis // the journal that the token is bound to
	Store   journal.Store
	Anchors []journal.Anchor
	// TokenAnchor is the token's own, renewed as seldom as the policy allows; may be nil.
	TokenAnchor journal.Anchor
	Token       Token
	// Witnesses cosign the journal's heads; the zero value is none.
	Witnesses Witnesses
	// Lease is what several signers of one journal compete for, witnesses being before release; nil for the only one.
	Lease Lease
	// Snapshots is where the state is written down; the zero value is nowhere.
	Snapshots Snapshots
	Clock     Clock
	Version   string // of the program, for the journal
	Log       *slog.Logger

	// Warnings stand in Ready for as long as the signer runs; they do not stop it.
	Warnings []rpc.Reason
	// Alarm is told of every alarm once it is durable, and of everything that begins to stop signing. It must not
	// block. May be nil.
	Alarm func(Alarm)
}

// A Signer is a running signer. Its exported methods may be called concurrently, and answer while Run runs.
type Signer struct {
	journal *journal.Log
	// tokenAnchor is one of the journal's anchors, nil if the token keeps none.
	tokenAnchor *sparseAnchor
	token       Token
	cosigning   *cosigning // nil without witnesses
	lease       Lease      // nil for the only signer
	clock       Clock
	version     string
	log         *slog.Logger
	alarmFor    func(Alarm)

	conditions *conditions
	counters   *counters
	refusals   refusals
	sessions   *sessions
	watches    *watches
	shadow     *shadow

	intake   chan *request
	commits  chan *group
	storing  atomic.Bool   // the store has a group in hand
	stored   chan struct{} // tells the sequencer that it has none in hand any more
	letOut   atomic.Int64  // entries of the group that was covered last
	started  chan struct{} // closed when the state knows of this start
	ended    chan struct{} // closed when the sequencer takes nothing any more
	gone     chan struct{} // closed when everything that it took is answered
	prodded  chan struct{} // wakes the sequencer
	probe    chan struct{} // wakes watchToken
	work     *workQueue
	durable  atomic.Uint64 // size of the journal that is durable, signed and anchored
	grown    broadcast     // of durable
	haltedBy atomic.Pointer[haltError]
	down     chan struct{} // closed by the first halt
	told     uint64        // size of the journal behind which nobody has been told of anything before this run
	waits    atomic.Bool   // nothing is decided yet: this signer stands by, or waits for its witnesses or anchors

	// The sequencer alone changes the state; it holds mu for writing while it does, others hold it for
	// reading. signatures are those that have been made and are not in the state yet.
	mu         *sync.RWMutex // the journal asks the state under it, too
	state      *ledger.State
	signatures map[statement.Hash]nem.Signature
}

var errStopping = errors.New("the signer is about to end")

// A haltError says why this run decides nothing any more.
type haltError struct{ code, detail string }

func (h *haltError) Error() string { return h.code + ": " + h.detail }

// Open verifies the journal, checks that it extends every anchor, and folds it into a state; if there is a snapshot to
// begin from, what came after it. Nothing is written or signed before Run.
func Open(ctx context.Context, c Config) (*Signer, error) {
	if err := c.Witnesses.Check(); err != nil {
		return nil, err
	}
	if c.Lease != nil && !c.Witnesses.BeforeRelease {
		return nil, errors.New("several signers of one journal need witnesses that cosign before anything is released")
	}
	anchors := slices.Clone(c.Anchors)
	var tokenAnchor *sparseAnchor
	if c.TokenAnchor != nil {
		tokenAnchor = newSparseAnchor(c.TokenAnchor, func() bool { return c.Lease == nil || c.Lease.Held() })
		anchors = append(anchors, tokenAnchor)
	}
	mu := new(sync.RWMutex)
	log, state, from, err := openJournal(ctx, c, anchors, mu)
	if err != nil {
		return nil, err
	}
	genesis, _ := state.Genesis()
	switch {
	case genesis == nil || state.PolicyInForce() == nil:
		return nil, errors.New("the journal has no policy: kura-signer init was not finished")
	case genesis.Clock != c.Clock.Kind():
		return nil, fmt.Errorf("the journal lives by a %s clock, this program by a %s one", genesis.Clock, c.Clock.Kind())
	}
	s := &Signer{
		journal: log, tokenAnchor: tokenAnchor, token: c.Token, clock: c.Clock, version: c.Version, log: c.Log, alarmFor: c.Alarm,
		counters:   newCounters(),
		sessions:   newSessions(),
		watches:    newWatches(),
		intake:     make(chan *request, 1024),
		commits:    make(chan *group),
		stored:     make(chan struct{}, 1),
		started:    make(chan struct{}),
		ended:      make(chan struct{}),
		gone:       make(chan struct{}),
		down:       make(chan struct{}),
		prodded:    make(chan struct{}, 1),
		probe:      make(chan struct{}, 1),
		work:       newWorkQueue(),
		mu:         mu,
		state:      state,
		signatures: map[statement.Hash]nem.Signature{},
	}
	s.conditions = newConditions(c.Log, s.stopped)
	s.conditions.set(conditionStarting, "", "the journal is read; what the last run left is taken up", true)
	for _, w := range c.Warnings {
		s.conditions.set(w.Code, "", w.Detail, false)
	}
	if from > 0 {
		s.conditions.set(conditionUnchecked, "", fmt.Sprintf("the state began from a snapshot of size %d; the fold from entry 0 that confirms it is under way", from), false)
	}
	s.shadow = &shadow{live: s, store: c.Store, snapshots: c.Snapshots}
	s.lease = c.Lease
	if err := s.useLogKey(ctx, log.Keys()); err != nil {
		return nil, err
	}
	s.waits.Store(true)
	if !c.Witnesses.any() {
		return s, nil
	}
	if err := checkNewest(ctx, log, c.Witnesses.Newest); err != nil {
		return nil, err
	}
	s.cosigning = newCosigning(c.Witnesses, func() int64 { _, boot := c.Clock.Now(); return boot })
	s.conditions.set(conditionNoWitness, "", "no witness was heard yet: "+s.cosigning.meanwhile(), false)
	return s, nil
}

// Run signs until ctx ends; then it finishes what the token has in hand, journals the signatures and returns. It is
// called once. It returns an error only when it had to stop by itself and cannot go on. The only signer of a journal
// goes on answering questions all the same until ctx ends; one of several returns at once, to give up the lease.
func (s *Signer) Run(ctx context.Context) error {
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching.Go(func() { s.watchToken(ctx) })
	watching.Go(func() { s.shadow.run(ctx) })
	watching.Go(func() { s.reportStrays(ctx) })
	if s.cosigning != nil {
		watching.Go(func() { s.watchWitnesses(ctx) })
	}
	switch err := s.takeOver(ctx); {
	case errors.Is(err, errStopping), err != nil && ctx.Err() != nil:
		return nil
	case err != nil:
		s.refuse(err)
		s.untilEnd(ctx)
		return s.halted()
	}
	if s.cosigning != nil {
		watching.Go(func() { s.keepCosigned(ctx) })
		watching.Go(func() { s.keepVouched(ctx) })
	}
	s.waits.Store(false)
	return s.lead(ctx)
}

// reportStrays says once what the store holds and no signed head covers. It reads all of a database's index: nothing
// waits for it.
func (s *Signer) reportStrays(ctx context.Context) {
	stray, err := s.journal.Stray(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.Warn("nobody looked for rows that no signed head covers", "error", err)
	case stray.Rows > 0:
		s.conditions.set(conditionStray, "", stray.String(), false)
	}
}

// untilEnd waits for the end of ctx, or, where others can take over, for the first halt.
func (s *Signer) untilEnd(ctx context.Context) {
	down := s.down
	if s.lease == nil {
		down = nil
	}
	select {
	case <-ctx.Done():
	case <-down:
	}
}

// lead decides and signs.
func (s *Signer) lead(ctx context.Context) error {
	sequencing, stopSequencing := context.WithCancel(context.WithoutCancel(ctx))
	defer stopSequencing()
	var deciding, working sync.WaitGroup
	deciding.Go(func() { (&sequencer{Signer: s}).run(sequencing) })
	deciding.Go(func() { s.commit(ctx) })
	for range 2 * runtime.NumCPU() { // the token bounds its own sessions; verifying goes on beside them
		working.Go(func() { s.sign(context.WithoutCancel(ctx)) })
	}

	s.untilEnd(ctx)
	s.conditions.set(conditionStopping, "", "the process is about to end", true)
	s.work.close()
	working.Wait()
	stopSequencing()
	deciding.Wait()
	if err := s.halted(); err != nil {
		return err
	}
	return nil
}

// Wake has the sequencer look at once whether something is due, as it does by itself twice a second. It is for
// clocks that are set.
func (s *Signer) Wake() {
	select {
	case s.prodded <- struct{}{}:
	default:
	}
}

// Genesis returns what the journal is pinned to.
func (s *Signer) Genesis() journal.Genesis { return s.journal.Genesis() }

// send hands a request to the sequencer; after its end the request is told so.
func (s *Signer) send(r *request) {
	select {
	case s.intake <- r:
	case <-s.ended:
		r.done(ledger.Result{}, errStopping)
	}
}

// judge sends an input and waits until what came of it is durable.
func (s *Signer) judge(ctx context.Context, in ledger.Input) (ledger.Result, error) {
	type answer struct {
		res ledger.Result
		err error
	}
	if s.waits.Load() {
		return ledger.Result{}, s.undecided()
	}
	answered := make(chan answer, 1)
	r := &request{in: in, done: func(res ledger.Result, err error) { answered <- answer{res, err} }}
	select {
	case s.intake <- r:
	case <-s.ended:
		return ledger.Result{}, refusedUnjudged(conditionStopping, errStopping.Error())
	case <-ctx.Done():
		return ledger.Result{}, refusedUnjudged(rpc.CodeBusy, "the signer has more to decide than it can")
	}
	select {
	case a := <-answered:
		return a.res, a.err
	case <-s.gone:
	case <-ctx.Done():
		return ledger.Result{}, ctx.Err()
	}
	select {
	case a := <-answered:
		return a.res, a.err
	default: // it came when the sequencer had ended, and was never looked at
		return ledger.Result{}, refusedUnjudged(conditionStopping, errStopping.Error())
	}
}

// halt ends deciding and signing for this run, for a reason that stands on Ready from then on.
func (s *Signer) halt(code, detail string) {
	if s.haltedBy.CompareAndSwap(nil, &haltError{code, detail}) {
		close(s.down)
	}
	s.conditions.set(code, "", detail, true)
}

// halted returns why this run decides nothing any more, nil if it does.
func (s *Signer) halted() error {
	if h := s.haltedBy.Load(); h != nil {
		return h
	}
	return nil
}
