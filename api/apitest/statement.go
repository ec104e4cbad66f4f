package apitest

import (
	"crypto/ed25519"
	"encoding/binary"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/ssh"

	"kura/journal"
	"kura/statement"
)

// born counts the ids that were made, so that each test statement has its own.
var born atomic.Uint64

// NewCommon returns what every test statement begins with: a fresh id, born at the double's time.
func NewCommon(g journal.Genesis) statement.Common {
	var random [10]byte
	binary.BigEndian.PutUint64(random[2:], born.Add(1))
	const now = 1767225600000
	return statement.Common{Journal: statement.Hash(g.Hash), ID: statement.NewID(now, random), Expires: now + 300000}
}

// Sign signs a statement with a key that is the same for all tests.
func Sign(t testing.TB, body statement.Body) statement.Envelope {
	t.Helper()
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = 7
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	env, err := statement.Sign(signer, nil, body)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// Withdrawal returns a signed withdrawal.
func Withdrawal(t testing.TB, g journal.Genesis) statement.Envelope {
	t.Helper()
	return Sign(t, NewWithdrawal(g))
}

// NewWithdrawal returns a withdrawal of 1 XEM.
func NewWithdrawal(g journal.Genesis) *statement.Withdrawal {
	c := NewCommon(g)
	return &statement.Withdrawal{
		Journal: c.Journal, ID: c.ID, Expires: c.Expires,
		Wallet: "hot", WalletAddress: "TALICELCD3XPH4FFI5STGGNSNSWPOTG5E4DS2TOS", Destination: "TALICELCD3XPH4FFI5STGGNSNSWPOTG5E4DS2TOS",
		Assets: []statement.AssetAmount{{Asset: "nem:xem", Amount: 1000000}}, Message: statement.Message{Kind: statement.MessageNone},
		MaxFee: 100000, Reference: "order 1",
	}
}

// Freeze returns a signed freeze of everything.
func Freeze(t testing.TB, g journal.Genesis) statement.Envelope {
	t.Helper()
	c := NewCommon(g)
	return Sign(t, &statement.Freeze{
		Journal: c.Journal, ID: c.ID, Expires: c.Expires,
		Action: statement.ActionFreeze, Target: statement.Target{Kind: statement.TargetAll}, Reason: "drill",
	})
}

// Verdict returns a signed approval of a hash.
func Verdict(t testing.TB, g journal.Genesis, about statement.Hash) statement.Envelope {
	t.Helper()
	c := NewCommon(g)
	return Sign(t, &statement.Verdict{
		Journal: c.Journal, ID: c.ID, Expires: c.Expires, Verdict: statement.Approve, About: []statement.Hash{about},
	})
}

// Login returns a signed login for a secret's hash.
func Login(t testing.TB, g journal.Genesis, secretHash statement.Hash) statement.Envelope {
	t.Helper()
	c := NewCommon(g)
	return Sign(t, &statement.Login{Journal: c.Journal, ID: c.ID, Expires: c.Expires, SecretHash: secretHash})
}
