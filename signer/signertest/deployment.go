package signertest

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/ledger"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/statement"
)

// Origin names the journals of tests.
const Origin = "signer.test"

// A Clock is a signer.Clock that a test sets.
type Clock struct {
	mu          sync.Mutex
	clock, boot int64
	bootID      string
	kind        string
}

// NewClock starts at the machine's time, which statements signed by others go by.
func NewClock() *Clock {
	return &Clock{clock: time.Now().UnixMilli(), boot: 1000, bootID: "first", kind: ledger.ClockReal}
}

// Now implements signer.Clock.
func (c *Clock) Now() (clock, boot int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clock, c.boot
}

// BootID implements signer.Clock.
func (c *Clock) BootID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bootID
}

// Kind implements signer.Clock.
func (c *Clock) Kind() string { return c.kind }

// Pass lets time pass for clock and machine alike.
func (c *Clock) Pass(millis int64) { c.Turn(millis, millis) }

// Turn moves the clock and the machine's own count apart.
func (c *Clock) Turn(clock, boot int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock += clock
	c.boot += boot
}

// Reboot starts the machine anew after it was off for some time.
func (c *Clock) Reboot(off int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock += off
	c.boot, c.bootID = 1000, c.bootID+"'"
}

// Options change what a Deployment is made of; the zero value is a FakeToken, the embedded store and a Clock.
type Options struct {
	Token  signer.Token // with LogKey, Bind and TokenAnchor, if it is not a FakeToken
	LogKey [32]byte
	Bind   func(journal.Hash) error
	// TokenAnchor is the token's own copy of the head; may be nil.
	TokenAnchor journal.Anchor

	Store      journal.Store // instead of an embedded one; stays open
	WrapStore  func(journal.Store) journal.Store
	WrapAnchor func(journal.Anchor) journal.Anchor
	// Adjust changes the policy that names the wallets; may be nil.
	Adjust func(*policy.Document)
	// Open is signer.Open, with whatever the test adds to the configuration.
	Open func(signer.Config) (*signer.Signer, error)
}

// A Deployment is a founded journal with two wallets, and a signer that runs on it until the test ends.
type Deployment struct {
	*Parties
	Dir     string
	Clock   *Clock
	Token   signer.Token
	Genesis journal.Genesis
	Signer  *signer.Signer
	Wallets map[string]rpc.Wallet
	Alarms  chan signer.Alarm

	options Options
	store   interface {
		journal.Store
		Close() error
	}
	stop  context.CancelFunc
	ended chan error
}

// New makes a deployment and starts its signer.
func New(t testing.TB, o Options) *Deployment {
	t.Helper()
	d := &Deployment{Parties: NewParties(t), Dir: t.TempDir(), Clock: NewClock(), options: o, Alarms: make(chan signer.Alarm, 1000)}
	d.Parties.Now = func() int64 { clock, _ := d.Clock.Now(); return clock }
	if o.Token == nil {
		fake := NewFakeToken()
		d.options.Token, d.options.LogKey = fake, fake.LogPublicKey()
		d.options.Bind = func(journal.Hash) error { return nil }
	}
	d.Token = d.options.Token
	d.Adjust = o.Adjust
	d.openStore()
	anchors := []journal.Anchor{d.AnchorFile()}
	if d.options.TokenAnchor != nil {
		anchors = append(anchors, d.options.TokenAnchor)
	}
	var err error
	d.Genesis, err = signer.Found(t.Context(), signer.Founding{
		Origin: Origin, LogKey: d.options.LogKey, Policy: d.First.Text(), Verdicts: d.FoundingVerdicts(), PolicyHash: d.First.Hash(),
		Store: d.store, Anchors: anchors, Token: d.Token, Clock: d.Clock, Bind: d.options.Bind,
	})
	d.check(err)
	d.Journal = statement.Hash(d.Genesis.Hash)
	d.closeStore()
	t.Cleanup(func() { _ = d.Stop() }) // what Run returns is checked by tests that stop it
	d.Start()
	d.Wallets = d.Equip(t.Context(), d.Signer, func(w rpc.NewWallet) (rpc.Ceremony, error) {
		return d.Signer.Admin().CreateWallet(t.Context(), rpc.Caller{}, w)
	})
	return d
}

// AnchorFile is the anchor on disk.
func (d *Deployment) AnchorFile() journal.Anchor {
	return anchorfile.New(filepath.Join(d.Dir, "anchor"))
}

// StorePath is the embedded store's file.
func (d *Deployment) StorePath() string { return filepath.Join(d.Dir, "journal") }

type kept struct{ journal.Store }

func (kept) Close() error { return nil }

func (d *Deployment) openStore() {
	d.TB.Helper()
	if d.options.Store != nil {
		d.store = kept{d.options.Store}
		return
	}
	s, err := embedded.Open(d.StorePath())
	d.check(err)
	d.store = s
}

func (d *Deployment) closeStore() {
	d.TB.Helper()
	if d.store != nil {
		d.check(d.store.Close())
		d.store = nil
	}
}

// TryStart starts the signer and returns why it does not, if it does not.
func (d *Deployment) TryStart() error {
	d.TB.Helper()
	d.openStore()
	store, anchor := journal.Store(d.store), d.AnchorFile()
	if d.options.WrapStore != nil {
		store = d.options.WrapStore(store)
	}
	if d.options.WrapAnchor != nil {
		anchor = d.options.WrapAnchor(anchor)
	}
	open := d.options.Open
	if open == nil {
		open = func(c signer.Config) (*signer.Signer, error) { return signer.Open(d.TB.Context(), c) }
	}
	s, err := open(signer.Config{
		Genesis: d.Genesis, Store: store, Anchors: []journal.Anchor{anchor}, TokenAnchor: d.options.TokenAnchor,
		Token: d.Token, Clock: d.Clock, Version: "test", Log: slog.New(slog.NewTextHandler(d.TB.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Alarm: func(a signer.Alarm) { d.Alarms <- a },
	})
	if err != nil {
		d.closeStore()
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	d.Signer, d.stop, d.ended = s, stop, make(chan error, 1)
	go func() { d.ended <- s.Run(ctx) }()
	return nil
}

// Start starts the signer and waits until it has taken up what the last run left.
func (d *Deployment) Start() {
	d.TB.Helper()
	d.check(d.TryStart())
	d.Until("the signer has started", func() bool {
		r, err := d.Signer.Ready(d.TB.Context())
		d.check(err)
		for _, reason := range r.Reasons {
			if reason.Code == "starting" {
				return false
			}
		}
		return true
	})
}

// Stop ends the signer and returns what Run returned. It does nothing to one that does not run.
func (d *Deployment) Stop() error {
	d.TB.Helper()
	if d.stop == nil {
		return nil
	}
	d.stop()
	err := <-d.ended
	d.stop = nil
	d.closeStore()
	return err
}

// Restart ends the signer and starts another one.
func (d *Deployment) Restart() {
	d.TB.Helper()
	_ = d.Stop()
	d.Start()
}
