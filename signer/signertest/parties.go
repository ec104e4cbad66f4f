// Package signertest is for tests: it makes a deployment in a temporary directory (token, keys, genesis, policy, wallets)
// and runs a signer on it, in this process or behind its socket. It also holds a token double, which says so.
//
// What it makes is as real as a test can have it: SoftHSM where it is installed, the embedded store, statements signed
// with SSH keys. It trusts everything, and promises nothing but to fail the test when something does not work.
package signertest

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"kura/nem"
	"kura/policy"
	"kura/signer/rpc"
	"kura/statement"
)

// Amounts of the test policy, in micro-units.
const (
	Small    = 1_000_000     // signed at once
	SmallMax = 100_000_000   // above it two officers approve
	BigMax   = 900_000_000   // above it nobody can
	DayMax   = 2_000_000_000 // of each asset
)

// Milliseconds.
const (
	Minute = 60 * 1000
	Hour   = 60 * Minute
	Day    = 24 * Hour
)

// Names of the two wallets.
const (
	XEM = "xem-hot"
	XYM = "xym-hot"
)

// Parties are everybody whom the test policy names, with their keys: the directors and officers alice, bob and carol;
// dave, an officer who operates the client shop; the sentinel watch; and canary, a key that only a thief has.
type Parties struct {
	TB      testing.TB
	Keys    map[string]ssh.Signer
	Journal statement.Hash // genesis hash, once there is one
	First   *policy.Policy // policy 1
	Force   *policy.Policy // the policy in force
	Now     func() int64   // the signer's clock, unix milliseconds
	// Adjust changes the policy that names the wallets; may be nil.
	Adjust func(*policy.Document)
}

// NewParties makes keys for everybody and policy 1.
func NewParties(t testing.TB) *Parties {
	t.Helper()
	p := &Parties{TB: t, Keys: map[string]ssh.Signer{}, Now: func() int64 { return time.Now().UnixMilli() }}
	for _, name := range []string{"alice", "bob", "carol", "dave", "shop", "watch", "canary"} {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		p.check(err)
		p.Keys[name], err = ssh.NewSignerFromKey(private)
		p.check(err)
	}
	var err error
	p.First, err = policy.New(p.document(nil, nil))
	p.check(err)
	p.Force = p.First
	return p
}

func (p *Parties) check(err error) {
	p.TB.Helper()
	if err != nil {
		p.TB.Fatal(err)
	}
}

func (p *Parties) publicKey(name string) []string {
	key, err := statement.KeyOf(p.Keys[name].PublicKey())
	p.check(err)
	return []string{string(key)}
}

// document is the test policy: without wallets version 1, with them the version after previous.
func (p *Parties) document(previous *policy.Policy, wallets []rpc.Wallet) policy.Document {
	two := func(group string) []policy.Quorum {
		return []policy.Quorum{{AllOf: []policy.Need{{Group: group, Count: 2}}}}
	}
	d := policy.Document{
		Semantics: 1, Version: 1, Title: "tests", WithdrawalLife: Day,
		Sentinels: []policy.Sentinel{{ID: "watch", Name: "watch", Keys: p.publicKey("watch")}},
		Clients: []policy.Client{{
			ID: "shop", Name: "shop", Keys: p.publicKey("shop"), Operators: []policy.PersonID{"dave"},
			Budget: policy.Budget{Entries: 100_000, Window: Hour, Pending: 50},
		}},
		Assets: []policy.Asset{
			{ID: "xem", Network: "nis1-testnet", Asset: "nem:xem", Name: "XEM", Supply: 8_999_999_999, Divisibility: 6},
			{ID: "xym", Network: "symbol-testnet", Asset: nem.Currency(nem.SymbolTestnet).String(), Name: "XYM", Supply: 7_842_928_625, Divisibility: 6},
		},
		Books: []string{"known"},
		Governance: policy.Governance{
			Policy: policy.Change{AnyOf: two("director")}, Addresses: policy.Change{AnyOf: two("director")},
			Unfreeze: policy.Gate{AnyOf: two("director")}, Resume: policy.Gate{AnyOf: two("director")}, Veto: 2,
		},
		Tripwires: policy.Tripwires{CanaryKeys: p.publicKey("canary"), Refusals: policy.Refusals{
			Codes: []string{policy.CodeWalletMismatch}, Count: 3, Window: 10 * Minute, Suspend: 30 * Minute,
		}},
		Anchor: policy.Anchor{Every: Hour, Values: []policy.Value{{Asset: "xem", Amount: SmallMax}}},
	}
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		roles := []string{"director", "officer"}
		if name == "dave" {
			roles = []string{"officer"}
		}
		d.People = append(d.People, policy.Person{ID: policy.PersonID(name), Name: name, Keys: p.publicKey(name), Roles: roles})
	}
	if previous == nil {
		return d
	}
	d.Version, d.Previous = previous.Document().Version+1, previous.Hash().String()
	for _, w := range wallets {
		multiplier := uint32(0)
		if w.Custody == "token" {
			multiplier = 100
		}
		d.Wallets = append(d.Wallets, policy.Wallet{
			ID: policy.WalletID(w.ID), Network: w.Network, PublicKey: w.PublicKey, Custody: w.Custody, Life: 30 * Minute,
			MaxFee: 10_000_000, FeeMultiplier: multiplier,
		})
	}
	units := func(n uint64) *policy.Units { u := policy.Units(n); return &u }
	for _, asset := range []policy.AssetRef{"xem", "xym"} {
		in := func(above, upTo *policy.Units) policy.When {
			return policy.When{Asset: []policy.AssetRef{asset}, Amount: &policy.Range{Above: above, UpTo: upTo}}
		}
		d.Rules = append(d.Rules,
			policy.Rule{ID: string(asset) + "-small", When: in(nil, units(SmallMax)), Then: "sign"},
			policy.Rule{ID: string(asset) + "-big", When: in(units(SmallMax), units(BigMax)), Then: "approve", Approval: &policy.Approval{
				AnyOf: two("officer"), Expiry: 2 * Hour, Rejections: 1,
			}},
		)
		d.Limits = append(d.Limits, policy.Limit{
			ID: string(asset) + "-day", Of: "amount", Asset: []policy.AssetRef{asset}, Max: DayMax, Window: Day, At: "deny", Always: true,
		})
	}
	return d
}

// FoundingVerdicts are the approvals of policy 1 by alice and bob.
func (p *Parties) FoundingVerdicts() []statement.Envelope {
	p.TB.Helper()
	var all []statement.Envelope
	for _, name := range []string{"alice", "bob"} {
		all = append(all, p.Sign(name, &statement.Verdict{
			ID: p.ID(), Expires: p.Now() + 30*Minute, Verdict: statement.Approve,
			About: []statement.Hash{p.First.Hash()}, Policy: p.First.Hash(),
		}))
	}
	return all
}

// ID makes a new statement's id.
func (p *Parties) ID() statement.ID {
	p.TB.Helper()
	var random [10]byte
	_, err := rand.Read(random[:])
	p.check(err)
	return statement.NewID(p.Now(), random)
}

// Sign signs a statement.
func (p *Parties) Sign(who string, body statement.Body) statement.Envelope {
	p.TB.Helper()
	e, err := statement.Sign(p.Keys[who], rand.Reader, body)
	p.check(err)
	return e
}

// Withdrawal is a request of the shop's that the policy signs if the amount is small.
func (p *Parties) Withdrawal(w rpc.Wallet, amount nem.Amount) *statement.Withdrawal {
	p.TB.Helper()
	n, err := nem.ParseNetwork(w.Network)
	p.check(err)
	var key nem.PublicKey
	_, err = rand.Read(key[:])
	p.check(err)
	return &statement.Withdrawal{
		Journal: p.Journal, ID: p.ID(), Expires: p.Now() + 12*Hour, Wallet: w.ID, WalletAddress: w.Address,
		Destination: key.Address(n).String(),
		Assets:      []statement.AssetAmount{{Asset: nem.Currency(n).String(), Amount: amount}},
		Message:     statement.Message{Kind: statement.MessageText, Value: "1029384756"}, MaxFee: 5_000_000, Reference: "test",
	}
}

// Verdict is somebody's about hashes, under the policy in force.
func (p *Parties) Verdict(kind statement.VerdictKind, about ...statement.Hash) *statement.Verdict {
	p.TB.Helper()
	v := &statement.Verdict{
		Journal: p.Journal, ID: p.ID(), Expires: p.Now() + 30*Minute, Verdict: kind, About: about, Policy: p.Force.Hash(),
	}
	if kind == statement.Reject || kind == statement.Veto {
		v.Reason = "no"
	}
	return v
}

// Freeze stops something.
func (p *Parties) Freeze(kind statement.TargetKind, name string) *statement.Freeze {
	p.TB.Helper()
	return &statement.Freeze{
		Journal: p.Journal, ID: p.ID(), Expires: p.Now() + 5*Minute, Action: statement.ActionFreeze,
		Target: statement.Target{Kind: kind, Name: name}, Reason: "test",
	}
}

// Submit signs and submits a statement, and fails the test on a problem.
func (p *Parties) Submit(ctx context.Context, g rpc.Gateway, who string, body statement.Body) rpc.Answer {
	p.TB.Helper()
	a, err := g.Submit(ctx, p.Sign(who, body).Encode(), LongWait)
	p.check(err)
	return a
}

// Login opens a session and returns its bearer.
func (p *Parties) Login(ctx context.Context, g rpc.Gateway, who string) string {
	p.TB.Helper()
	var secret [32]byte
	_, err := rand.Read(secret[:])
	p.check(err)
	hash := statement.HashText(string(secret[:]))
	_, err = g.OpenSession(ctx, p.Sign(who, &statement.Login{
		Journal: p.Journal, ID: p.ID(), Expires: p.Now() + 5*Minute, SecretHash: hash,
	}).Encode())
	p.check(err)
	return hash.String()
}

// Equip makes both wallets and has the directors adopt the policy that names them, which is in force when it returns.
func (p *Parties) Equip(ctx context.Context, g rpc.Gateway, create func(rpc.NewWallet) (rpc.Ceremony, error)) map[string]rpc.Wallet {
	p.TB.Helper()
	wallets := map[string]rpc.Wallet{}
	var list []rpc.Wallet
	for _, w := range []rpc.NewWallet{
		{ID: XEM, Network: nem.NIS1Testnet.String(), Present: []string{"alice"}},
		{ID: XYM, Network: nem.SymbolTestnet.String(), Present: []string{"alice"}},
	} {
		c, err := create(w)
		p.check(err)
		wallets[w.ID] = c.Wallet
		list = append(list, c.Wallet)
	}
	document := p.document(p.Force, list)
	if p.Adjust != nil {
		p.Adjust(&document)
	}
	next, err := policy.New(document)
	p.check(err)
	proposal := p.Sign("carol", &statement.Proposal{
		Journal: p.Journal, ID: p.ID(), Expires: p.Now() + Day, Proposes: statement.ProposePolicy,
		Base: p.Force.Hash(), Document: string(next.Text()),
	})
	a, err := g.Submit(ctx, proposal.Encode(), 0)
	p.check(err)
	if a.State != rpc.StateOpen {
		p.TB.Fatalf("the proposal is %s: %+v", a.State, a.Decision)
	}
	hash := statement.HashText(proposal.Statement)
	for _, director := range []string{"alice", "bob"} {
		if a := p.Submit(ctx, g, director, p.Verdict(statement.Approve, hash)); a.State != rpc.StateCounted {
			p.TB.Fatalf("%s's verdict is %s: %+v", director, a.State, a.Results)
		}
	}
	p.Force = next
	bearer := p.Login(ctx, g, "alice")
	found, err := g.Wallets(ctx, bearer)
	p.check(err)
	if !slices.ContainsFunc(found, func(w rpc.Wallet) bool { return w.ID == XYM && w.Named && w.State == "active" }) {
		p.TB.Fatalf("the new policy is not in force: wallets %+v", found)
	}
	return wallets
}

// patience is how long something may take that is only waited for: far more than it ever takes, for machines that
// are busy with other things.
const patience = 4 * time.Minute

// LongWait is the same in milliseconds, for a call that waits for what will come.
const LongWait = int64(patience / time.Millisecond)

// Until polls what has no event of its own to wait for.
func (p *Parties) Until(what string, done func() bool) {
	p.TB.Helper()
	if !Await(time.Millisecond, done) {
		p.TB.Fatalf("after %s still not: %s", patience, what)
	}
}

// Await is Until for what is better not asked without a pause, such as another process, and for goroutines, which
// cannot end a test: false if it did not come.
func Await(pause time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(patience); !done(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}
