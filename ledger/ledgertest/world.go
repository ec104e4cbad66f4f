// Package ledgertest is a small world for tests: a journal in memory with people, clients and two wallets,
// in which statements are really signed, judged and applied. Its log key and its wallets' keys are software
// keys made of their names; nothing here is for anything but tests.
package ledgertest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"kura/journal"
	"kura/ledger"
	"kura/nem"
	"kura/policy"
	"kura/statement"
)

// Start is the clock at which every world begins.
const Start = int64(1_767_225_600_000) // 2026-01-01T00:00:00Z

// A Wallet is one of the world's two.
type Wallet struct {
	Name        string
	Network     nem.Network
	Custody     string
	Multiplier  uint32
	Key         nem.PublicKey
	Destination nem.Address // listed in the address book
	Stranger    nem.Address // not listed
	Rescue      nem.Address
	sign        func([]byte) nem.Signature
}

// TB is what a world needs of a test: *testing.T, *testing.B and *rapid.T have it.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// A World is a journal in the making. TB is whom it fails.
type World struct {
	TB      TB
	State   *ledger.State
	Entries []journal.Entry
	Lines   [][]byte
	Genesis journal.Genesis
	Chain   journal.Chain // proofs of the log key's handovers
	Wallets []*Wallet
	Clock   int64 // unix milliseconds; tests move it
	Boot    int64 // CLOCK_BOOTTIME; tests move it
	BootID  string
	signers map[string]ssh.Signer
	tree    *journal.Tree
	ids     uint64
}

func seed(name string) [32]byte { return sha256.Sum256([]byte("kura test key " + name)) }

// New returns a world in which policy 2 is in force: its wallets had their ceremonies, the address book has
// one destination for each.
func New(tb TB) *World { return NewWith(tb, func(*policy.Document) {}) }

// NewWith is New with changes to policy 2.
func NewWith(tb TB, change func(*policy.Document)) *World {
	w := Founded(tb)
	for _, x := range w.Wallets {
		w.Must(ledger.WalletInput{Wallet: w.Ceremony(x)})
	}
	first := w.State.PolicyInForce()
	doc := w.document(2, first.Hash().String())
	change(&doc)
	second, err := policy.New(doc)
	w.check(err)
	w.Adopt(statement.ProposePolicy, string(second.Text()), string(w.book().Text()))
	if w.State.PolicyInForce().Hash() != second.Hash() {
		tb.Fatalf("policy 2 is not in force: %+v", w.State.Proposals())
	}
	return w
}

// Founded returns a world with genesis, policy 1 and a start.
func Founded(tb TB) *World {
	w := &World{
		TB: tb, State: ledger.NewState(), Clock: Start, Boot: 1_000_000, BootID: "boot-1",
		signers: map[string]ssh.Signer{},
	}
	tree, err := journal.NewTree(0, nil)
	w.check(err)
	w.tree = tree
	w.Wallets = []*Wallet{w.nis1("hot-xem"), w.symbol("hot-xym")}
	first, err := policy.New(w.document(1, ""))
	w.check(err)
	genesis := ledger.Genesis{Origin: "kura.test/main", LogKey: journal.FormatLogKey(LogKey(0)), Policy: first.Hash(), Clock: ledger.ClockSimulated}
	w.Must(ledger.GenesisInput{Genesis: genesis})
	w.Genesis, err = genesis.Line(journal.LeafHash(w.Lines[0]))
	w.check(err)
	founding := ledger.FoundingInput{Policy: string(first.Text())}
	for _, director := range []string{"alice", "bob"} {
		founding.Verdicts = append(founding.Verdicts, w.Envelope(director, &statement.Verdict{
			ID: w.ID(), Expires: w.Clock + Hour, Verdict: statement.Approve,
			About: []statement.Hash{first.Hash()}, Policy: first.Hash(),
		}))
	}
	w.Must(founding)
	w.Restart()
	return w
}

func (w *World) check(err error) {
	w.TB.Helper()
	if err != nil {
		w.TB.Fatal(err)
	}
}

// nis1 and symbol make wallets whose private keys are in the open.
func (w *World) nis1(name string) *Wallet {
	s := seed(name)
	x := &Wallet{Name: name, Network: nem.NIS1Testnet, Custody: "sealed", Key: nem.NIS1PublicKey(&s)}
	x.sign = func(message []byte) nem.Signature {
		signature, err := nem.SignNIS1(&s, x.Key, message)
		w.check(err)
		return signature
	}
	x.addresses()
	return x
}

func (w *World) symbol(name string) *Wallet {
	s := seed(name)
	key := ed25519.NewKeyFromSeed(s[:])
	x := &Wallet{Name: name, Network: nem.SymbolTestnet, Custody: "token", Multiplier: 100}
	copy(x.Key[:], key.Public().(ed25519.PublicKey))
	x.sign = func(message []byte) nem.Signature { return nem.Signature(ed25519.Sign(key, message)) }
	x.addresses()
	return x
}

func (x *Wallet) addresses() {
	address := func(name string) nem.Address {
		s := seed(x.Name + " " + name)
		return nem.PublicKey(s).Address(x.Network)
	}
	x.Destination, x.Stranger, x.Rescue = address("destination"), address("stranger"), address("rescue")
}

// Ceremony is the record of the wallet's key.
func (w *World) Ceremony(x *Wallet) ledger.Wallet {
	return ledger.Wallet{
		Name: x.Name, Network: x.Network.String(), PublicKey: x.Key.String(), Address: x.Key.Address(x.Network).String(),
		Custody: x.Custody, Deterministic: true, Token: ledger.TokenRecord{Model: "test"}, Present: []string{"alice"},
	}
}

func (w *World) signer(name string) ssh.Signer {
	if w.signers[name] == nil {
		s := seed("ssh " + name)
		signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(s[:]))
		w.check(err)
		w.signers[name] = signer
	}
	return w.signers[name]
}

// PublicKey is somebody's key as policies write it.
func (w *World) PublicKey(name string) string {
	key, err := statement.KeyOf(w.signer(name).PublicKey())
	w.check(err)
	return string(key)
}

// ID makes an id that is born now.
func (w *World) ID() statement.ID { return w.IDAt(w.Clock) }

// IDAt makes an id that is born at a time.
func (w *World) IDAt(born int64) statement.ID {
	w.ids++
	var random [10]byte
	binary.BigEndian.PutUint64(random[2:], w.ids)
	return statement.NewID(born, random)
}

// Envelope signs a statement.
func (w *World) Envelope(who string, body statement.Body) statement.Envelope {
	w.TB.Helper()
	e, err := statement.Sign(w.signer(who), nil, body)
	w.check(err)
	return e
}

// Journal is the hash that statements name.
func (w *World) Journal() statement.Hash { return ledger.Leaf(w.Genesis.Hash) }

// Now is the pair of times for an input.
func (w *World) Now() policy.Now {
	return policy.Now{Clock: w.Clock, Time: w.State.PolicyTime(w.Clock, w.Boot)}
}

// Advance lets time pass, on the clock and for the machine.
func (w *World) Advance(millis int64) {
	w.Clock += millis
	w.Boot += millis
}

// Restart journals the start of a signer.
func (w *World) Restart() {
	w.TB.Helper()
	in := ledger.StartInput{Version: "test", BootID: w.BootID, Boot: w.Boot}
	_, err := w.JudgeAt(in, policy.Now{Clock: w.Clock, Time: w.State.StartTime(in, w.Clock)})
	w.check(err)
}

// Reboot has the machine be off for so many milliseconds, and journals the start of a signer on it.
func (w *World) Reboot(off int64) {
	w.TB.Helper()
	w.Clock += off
	w.BootID, w.Boot = fmt.Sprint("boot before ", w.State.Next()), 1000
	w.Restart()
}

// Judge judges an input now and appends what comes of it.
func (w *World) Judge(in ledger.Input) (ledger.Result, error) { return w.JudgeAt(in, w.Now()) }

// JudgeAt judges an input at the given times and appends what comes of it.
func (w *World) JudgeAt(in ledger.Input, now policy.Now) (ledger.Result, error) {
	w.TB.Helper()
	drafts, res, err := ledger.Judge(w.State, in, now)
	if err != nil {
		return res, err
	}
	for _, d := range drafts {
		w.Append(journal.Entry{Seq: w.State.Next(), Clock: now.Clock, Time: now.Time, Kind: d.Kind, Body: d.Body})
	}
	return res, nil
}

// Append applies an entry and puts it into the journal.
func (w *World) Append(e journal.Entry) {
	w.TB.Helper()
	w.check(w.State.Apply(e))
	line, err := e.Encode()
	w.check(err)
	w.Entries = append(w.Entries, e)
	w.Lines = append(w.Lines, line)
	w.tree.Append(journal.LeafHash(line))
	if e.Kind == ledger.KindLogKey {
		w.keepChain(line)
	}
}

// Must judges an input that must not fail, and then all that is due.
func (w *World) Must(in ledger.Input) ledger.Result {
	w.TB.Helper()
	res, err := w.Judge(in)
	w.check(err)
	w.Ticks()
	return res
}

// Ticks judges ticks until nothing is due, or the clock is too far behind for it.
func (w *World) Ticks() {
	w.TB.Helper()
	for w.State.Due(w.Now()) {
		before := w.State.Next()
		_, err := w.Judge(ledger.TickInput{})
		if err != nil && !errors.Is(err, ledger.ErrClock) {
			w.TB.Fatal(err)
		}
		if w.State.Next() == before {
			return
		}
	}
}

// Submit signs a statement and has it judged, after all that is due.
func (w *World) Submit(who string, body statement.Body) ledger.Result {
	w.TB.Helper()
	return w.SubmitEnvelope(w.Envelope(who, body))
}

// SubmitEnvelope has a signed statement judged, after all that is due.
func (w *World) SubmitEnvelope(e statement.Envelope) ledger.Result {
	w.TB.Helper()
	signed, err := statement.Open(e)
	w.check(err)
	w.Ticks()
	return w.Must(ledger.StatementInput{Signed: signed})
}
