package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"kura/cmd/kura-signer/host"
	"kura/journal"
	"kura/journal/anchorfile"
	"kura/journal/embedded"
	"kura/policy"
	"kura/signer"
	"kura/signer/rpc"
	"kura/signer/token"
	"kura/statement"
)

// Spans in milliseconds.
const (
	minute = int64(60 * 1000)
	hour   = 60 * minute
	day    = 24 * hour
)

// A deployment is a whole Kura for one run: token, journal, and a signer that lives by a clock of ours. Withdraw may be
// called concurrently, the rest not.
type deployment struct {
	dir     string
	clock   *Clock
	cast    *cast
	token   *token.Token
	store   *embedded.Store
	signer  *signer.Signer
	genesis journal.Genesis
	policy  *policy.Policy // in force
	book    *policy.Book   // nil if the policy has none
	log     *os.File

	stop  context.CancelFunc
	ended chan error

	handedOut  atomic.Int64 // signed transactions that were answered with
	journalled int          // signatures in the first `read` entries of the journal
	read       uint64

	mu     sync.Mutex
	alarms []signer.Alarm
}

// deploy founds a journal at a unix time, makes the wallets, and has the directors adopt the policy, which is in force
// when it returns.
func deploy(ctx context.Context, module, dir string, document policy.Document, begin int64) (d *deployment, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d = &deployment{dir: dir, clock: NewClock(begin)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if document, d.cast, err = rekey(document); err != nil {
		return d, err
	}
	if d.log, err = os.OpenFile(filepath.Join(dir, "signer.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return d, err
	}
	log := slog.New(slog.NewJSONHandler(d.log, nil))
	if d.token, err = makeToken(ctx, module, dir, log); err != nil {
		return d, fmt.Errorf("make a throw-away token: %w", err)
	}
	if d.policy, err = first(document); err != nil {
		return d, fmt.Errorf("policy 1 of the run: %w", err)
	}
	if err := d.found(ctx); err != nil {
		return d, fmt.Errorf("found the journal: %w", err)
	}
	if err := d.start(ctx, log); err != nil {
		return d, fmt.Errorf("start the signer: %w", err)
	}
	if err := d.equip(ctx, document); err != nil {
		return d, fmt.Errorf("put the policy in force: %w", err)
	}
	return d, nil
}

func (d *deployment) found(ctx context.Context) error {
	logKey, err := d.token.LogPublicKey()
	if err != nil {
		return err
	}
	var verdicts []statement.Envelope
	for _, voter := range d.voters() {
		e, err := d.verdict(voter, d.policy.Hash())
		if err != nil {
			return err
		}
		verdicts = append(verdicts, e)
	}
	if d.store, err = embedded.Open(filepath.Join(d.dir, "journal.db")); err != nil {
		return err
	}
	d.genesis, err = signer.Found(ctx, signer.Founding{
		Origin: "kura-sim/" + filepath.Base(d.dir), LogKey: logKey,
		Policy: d.policy.Text(), PolicyHash: d.policy.Hash(), Verdicts: verdicts,
		Store: d.store, Anchors: d.anchors(), Token: testnetKeys{host.Keys{Token: d.token}}, Clock: d.clock,
		Bind: func(genesis journal.Hash) error { return d.token.BindGenesis(genesis) },
	})
	return err
}

func (d *deployment) anchors() []journal.Anchor {
	return []journal.Anchor{anchorfile.New(filepath.Join(d.dir, "anchor")), host.Anchor{Token: d.token}}
}

// start opens the journal that was founded and runs a signer on it.
func (d *deployment) start(ctx context.Context, log *slog.Logger) error {
	anchors := d.anchors()
	s, err := signer.Open(ctx, signer.Config{
		Genesis: d.genesis, Store: d.store, Anchors: anchors[:1], TokenAnchor: anchors[1],
		Token: testnetKeys{host.Keys{Token: d.token}}, Clock: d.clock, Version: "kura-sim", Log: log, Alarm: d.alarmed,
	})
	if err != nil {
		return err
	}
	if err := refuseMainnetWallets(ctx, s); err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.signer, d.stop, d.ended = s, stop, make(chan error, 1)
	go func() { d.ended <- s.Run(running) }()
	return d.untilReady(ctx)
}

// startTimeout bounds how long a signer may take to begin, in real time.
const startTimeout = time.Minute

// untilReady waits until the signer signs: it has no event for that, since nobody waits for it in production.
func (d *deployment) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		ready, err := d.signer.Ready(ctx)
		if err != nil || ready.Ready {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("the signer is not ready: %v", ready.Reasons)
		}
	}
}

// alarmed is told of every alarm, as the program that alarm_command names would be.
func (d *deployment) alarmed(a signer.Alarm) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alarms = append(d.alarms, a)
}

// raised lists the alarms since a unix time.
func (d *deployment) raised(since int64) []signer.Alarm {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []signer.Alarm
	for _, a := range d.alarms {
		if a.Clock >= since {
			all = append(all, a)
		}
	}
	return all
}

// equip makes the wallets' keys in the token and has the policy that names them adopted, with an address book.
func (d *deployment) equip(ctx context.Context, document policy.Document) error {
	made := map[policy.WalletID]string{}
	for _, w := range document.Wallets {
		c, err := d.signer.Admin().CreateWallet(ctx, rpc.Caller{UID: uint32(os.Geteuid())}, rpc.NewWallet{
			ID: string(w.ID), Network: w.Network, Present: []string{"kura-sim"},
		})
		if err != nil {
			return fmt.Errorf("wallet %s: %w", w.ID, err)
		}
		made[w.ID] = c.Wallet.PublicKey
	}
	next, err := second(document, d.policy, made)
	if err != nil {
		return err
	}
	proposal := &statement.Proposal{
		Journal: statement.Hash(d.genesis.Hash), ID: d.newID(), Expires: d.now() + day,
		Proposes: statement.ProposePolicy, Base: d.policy.Hash(), Document: string(next.Text()),
		Reason: "the policy to be robbed",
	}
	change, err := addressBook(next)
	if err != nil {
		return err
	}
	if change != nil {
		proposal.Addresses = string(change.Text())
		if d.book, err = (*policy.Book)(nil).Apply(change); err != nil {
			return err
		}
	}
	return d.adopt(ctx, proposal, next)
}

// adopt has everybody approve a policy until it is in force.
func (d *deployment) adopt(ctx context.Context, proposal *statement.Proposal, next *policy.Policy) error {
	voters := d.voters()
	e, err := statement.Sign(d.cast.keys[voters[0]], rand.Reader, proposal)
	if err != nil {
		return err
	}
	if _, err := d.signer.Submit(ctx, e.Encode(), 0); err != nil {
		return err
	}
	about := statement.HashText(e.Statement)
	for _, voter := range voters {
		verdict, err := d.verdict(voter, about)
		if err != nil {
			return err
		}
		if _, err := d.signer.Submit(ctx, verdict.Encode(), 0); err != nil {
			return err
		}
		ready, err := d.signer.Ready(ctx)
		if err != nil {
			return err
		}
		if ready.Policy == next.Hash().String() {
			d.policy = next
			return nil
		}
	}
	return errors.New("its own quorum for policies cannot be reached: kura policy check says why")
}

// voters are those who may approve a policy: persons, and services where the policy asks for one.
func (d *deployment) voters() []policy.Actor {
	var all []policy.Actor
	for _, p := range d.policy.Document().People {
		all = append(all, policy.Actor{Kind: policy.PersonActor, ID: string(p.ID)})
	}
	for _, s := range d.policy.Document().Services {
		all = append(all, policy.Actor{Kind: policy.ServiceActor, ID: s.ID})
	}
	voters := all[:0]
	for _, a := range all {
		if d.cast.keys[a] != nil {
			voters = append(voters, a)
		}
	}
	return voters
}

// verdict approves something under the policy in force. Verdicts about policy 1 come before the journal has a name.
func (d *deployment) verdict(by policy.Actor, about statement.Hash) (statement.Envelope, error) {
	return statement.Sign(d.cast.keys[by], rand.Reader, &statement.Verdict{
		Journal: statement.Hash(d.genesis.Hash), ID: d.newID(), Expires: d.now() + 30*minute,
		Verdict: statement.Approve, About: []statement.Hash{about}, Policy: d.policy.Hash(),
	})
}

func (d *deployment) now() int64 {
	clock, _ := d.clock.Now()
	return clock
}

func (d *deployment) newID() statement.ID {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the process instead
	return statement.NewID(d.now(), random)
}

// halt ends the signer; what it knows is in the journal then.
func (d *deployment) halt() error {
	if d.stop == nil {
		return nil
	}
	d.stop()
	d.stop = nil
	return <-d.ended
}

// close lets go of everything.
func (d *deployment) close() error {
	errs := []error{d.halt()}
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.token != nil {
		errs = append(errs, d.token.Close())
	}
	if d.log != nil {
		errs = append(errs, d.log.Close())
	}
	return errors.Join(errs...)
}
