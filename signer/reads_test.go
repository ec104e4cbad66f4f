package signer_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"kura/journal"
	"kura/signer/rpc"
	"kura/signer/signertest"
	"kura/statement"
)

func problem(t *testing.T, err error, code string) *rpc.Problem {
	t.Helper()
	p, ok := errors.AsType[*rpc.Problem](err)
	if !ok || p.Code != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	return p
}

func TestWhatIsRefusedUnjournalled(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	size := func() uint64 {
		r, err := d.Signer.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Size
	}
	before := size()
	good := d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)
	for _, c := range []struct {
		name, code, retry string
		envelope          func() []byte
	}{
		{"no JSON", "syntax", rpc.RetryNewStatement, func() []byte { return []byte("{") }},
		{"forged", "signature_invalid", rpc.RetryNewStatement, func() []byte {
			e := d.Sign("shop", good)
			e.Statement = d.Sign("shop", d.Withdrawal(d.Wallets[signertest.XEM], 2)).Statement
			return e.Encode()
		}},
		{"nobody", "unknown_key", rpc.RetryNever, func() []byte {
			return signertest.NewParties(t).Sign("shop", good).Encode()
		}},
		{"other journal", "wrong_journal", rpc.RetryNewStatement, func() []byte {
			w := *good
			w.Journal = statement.Hash{1}
			return d.Sign("shop", &w).Encode()
		}},
		{"old id", "id_too_old", rpc.RetryNewStatement, func() []byte {
			w := *good
			w.ID = statement.NewID(d.Now()-2*signertest.Day, [10]byte{})
			w.Expires = d.Now() - signertest.Day
			return d.Sign("shop", &w).Encode()
		}},
		{"future id", "id_from_the_future", rpc.RetrySame, func() []byte {
			w := *good
			w.ID = statement.NewID(d.Now()+signertest.Hour, [10]byte{})
			return d.Sign("shop", &w).Encode()
		}},
		{"a login", "wrong_place", rpc.RetryNever, func() []byte {
			return d.Sign("alice", &statement.Login{Journal: d.Journal, ID: d.ID(), Expires: d.Now() + signertest.Minute, SecretHash: statement.Hash{1}}).Encode()
		}},
	} {
		_, err := d.Signer.Submit(t.Context(), c.envelope(), 0)
		if p := problem(t, err, c.code); p.Retry != c.retry || p.Effect != rpc.EffectNone || p.Detail == "" {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
	if after := size(); after != before {
		t.Errorf("the journal grew from %d to %d", before, after)
	}
}

func TestConflict(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	first := d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)
	a := d.Submit(t.Context(), d.Signer, "shop", first)
	second := *first
	second.Assets = []statement.AssetAmount{{Asset: first.Assets[0].Asset, Amount: 2 * signertest.Small}}
	_, err := d.Signer.Submit(t.Context(), d.Sign("shop", &second).Encode(), 0)
	p := problem(t, err, "id_conflict")
	if p.Field != "id" || p.Answer == nil || p.Answer.StatementHash != a.StatementHash || p.Answer.State != rpc.StateSigned {
		t.Errorf("%+v", p)
	}
}

func TestSessions(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	paid := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
	journalled(t, d, paid) // nothing is written any more while pages are read
	alice, shop := d.Login(t.Context(), d.Signer, "alice"), d.Login(t.Context(), d.Signer, "shop")
	if _, err := d.Signer.Wallets(t.Context(), statement.HashText("guess").String()); true {
		problem(t, err, "no_session")
	}
	if _, err := d.Signer.Entries(t.Context(), shop, 0, 10); true {
		problem(t, err, "forbidden")
	}
	if _, err := d.Signer.Reader(t.Context(), shop); true {
		problem(t, err, "forbidden")
	}
	if who, err := d.Signer.Reader(t.Context(), alice); err != nil || who != (rpc.Actor{Kind: "person", ID: "alice"}) {
		t.Errorf("%v, %v", who, err)
	}
	if _, err := d.Signer.Receipt(t.Context(), shop, 0); true {
		problem(t, err, "forbidden")
	}
	r, err := d.Signer.Receipt(t.Context(), shop, paid.Seq)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openReceipt(&r).Verify(d.Genesis); err != nil {
		t.Error(err)
	}
	page, err := d.Signer.Entries(t.Context(), alice, 0, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	head, err := journal.OpenCheckpoint(d.Genesis, page.Checkpoint)
	if err != nil || head.Size < uint64(len(page.Entries)) || journal.LeafHash(page.Entries[0]) != d.Genesis.Hash {
		t.Errorf("%d entries under size %d, %v", len(page.Entries), head.Size, err)
	}
	if n := len(page.Heads); n < 2 || !bytes.Equal(page.Heads[n-1], page.Checkpoint) {
		t.Errorf("%d signed heads, the last is not the newest", n)
	}
	// A page from the middle of the journal has the heads of the groups that end in it, and no others.
	first, err := journal.OpenCheckpoint(d.Genesis, page.Heads[0])
	if err != nil {
		t.Fatal(err)
	}
	rest, err := d.Signer.Entries(t.Context(), alice, first.Size, head.Size-1)
	if err != nil || !slices.EqualFunc(rest.Heads, page.Heads[1:len(page.Heads)-1], bytes.Equal) {
		t.Errorf("%d heads in the middle, of %d: %v", len(rest.Heads), len(page.Heads), err)
	}
	d.Clock.Pass(15*signertest.Minute - 1)
	if _, err := d.Signer.Wallets(t.Context(), alice); err != nil {
		t.Errorf("before the session's end: %v", err)
	}
	d.Clock.Pass(1)
	if _, err := d.Signer.Wallets(t.Context(), alice); true {
		problem(t, err, "no_session")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	first := d.Login(t.Context(), d.Signer, "alice")
	bob := d.Login(t.Context(), d.Signer, "bob")
	for range 32 {
		d.Clock.Pass(1)
		d.Login(t.Context(), d.Signer, "alice")
	}
	if _, err := d.Signer.Wallets(t.Context(), first); true {
		problem(t, err, "no_session")
	}
	if _, err := d.Signer.Wallets(t.Context(), bob); err != nil {
		t.Errorf("alice's logins ended bob's: %v", err)
	}
}

func TestProofs(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	old, err := d.Signer.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	followed := make(chan rpc.Checkpoint, 1)
	oldHead, err := journal.OpenCheckpoint(d.Genesis, old.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	s := d.Signer
	go func() {
		c, err := s.Follow(t.Context(), oldHead.Size, signertest.LongWait)
		if err != nil {
			t.Error(err)
		}
		followed <- c
	}()
	d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
	newer := <-followed
	newHead, err := journal.OpenCheckpoint(d.Genesis, newer.Checkpoint)
	if err != nil || newHead.Size <= oldHead.Size {
		t.Fatalf("followed to size %d from %d, %v", newHead.Size, oldHead.Size, err)
	}
	c, err := d.Signer.Consistency(t.Context(), oldHead.Size, newHead.Size)
	if err != nil {
		t.Fatal(err)
	}
	var proof []journal.Hash
	for _, h := range c.Proof {
		proof = append(proof, journal.Hash(h))
	}
	if err := journal.VerifyConsistency(oldHead, newHead, proof); err != nil {
		t.Error(err)
	}
	tile, err := d.Signer.Tile(t.Context(), 0, 0, int(newHead.Size))
	if err != nil {
		t.Fatal(err)
	}
	root, err := tlog.TreeHash(int64(newHead.Size), tileReader(tile))
	if err != nil || root != newHead.Root {
		t.Errorf("the tile's hashes lead to root %s, the head has %s (%v)", root, newHead.Root, err)
	}
	if _, err := d.Signer.Tile(t.Context(), 0, 0, 257); true {
		problem(t, err, "not_found")
	}
	if _, err := d.Signer.Consistency(t.Context(), 5, newHead.Size+100); true {
		problem(t, err, "bad_range")
	}
}

// tileReader serves the inner hashes of a tree of fewer than 256 entries from its tile of leaves.
func tileReader(tile []byte) tlog.HashReader {
	n := int64(len(tile) / 32)
	var stored []tlog.Hash
	for i := range n {
		hashes, err := tlog.StoredHashesForRecordHash(i, tlog.Hash(tile[32*i:32*i+32]), tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
			out := make([]tlog.Hash, len(indexes))
			for j, at := range indexes {
				out[j] = stored[at]
			}
			return out, nil
		}))
		if err != nil {
			panic(err)
		}
		stored = append(stored, hashes...)
	}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for j, at := range indexes {
			out[j] = stored[at]
		}
		return out, nil
	})
}

func TestLimits(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	for range 3 {
		d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XYM], signertest.Small))
	}
	limits := func(who string) map[string]rpc.Limit {
		t.Helper()
		all, err := d.Signer.Limits(t.Context(), d.Login(t.Context(), d.Signer, who))
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]rpc.Limit{}
		for _, l := range all {
			out[l.ID] = l
		}
		return out
	}
	listed := 0
	for _, u := range limits("alice") {
		switch {
		case u.ID == "xem-day" && u.Used != "0", u.ID == "xym-day" && (u.Used <= "3000000" || u.Asset != "xym"):
			t.Errorf("%+v", u)
		case u.ID == "xym-day" && u.Max == "2000000000" && u.Window == signertest.Day && u.Always:
			listed++
		}
	}
	if listed != 1 {
		t.Error("xym-day is not listed")
	}
	if u := limits("shop")["xym-day"]; u.Used != "" || u.Max != "2000000000" {
		t.Errorf("a client is told of a window that others may fill: %+v", u)
	}
}

// TestCanary: whoever uses a key that only a thief has learns nothing, whatever they sign, and everything freezes.
func TestCanary(t *testing.T) {
	for _, login := range []bool{false, true} {
		d := signertest.New(t, signertest.Options{})
		var err error
		if login {
			_, err = d.Signer.OpenSession(t.Context(), d.Sign("canary", &statement.Login{
				Journal: d.Journal, ID: d.ID(), Expires: d.Now() + signertest.Minute, SecretHash: statement.Hash{1},
			}).Encode())
		} else {
			e := d.Sign("canary", d.Withdrawal(d.Wallets[signertest.XEM], 1)).Encode()
			_, err = d.Signer.Submit(t.Context(), e, 0)
			_, again := d.Signer.Submit(t.Context(), e, 0)
			problem(t, again, "unknown_key")
		}
		problem(t, err, "unknown_key")
		a := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small))
		if a.State != rpc.StateDenied || a.Decision.Code != "frozen" {
			t.Errorf("after a canary (login: %t): %+v", login, a.Decision)
		}
	}
}

// TestForeignConflict: an id that another party used is refused, without telling what became of it.
func TestForeignConflict(t *testing.T) {
	d := signertest.New(t, signertest.Options{})
	w := d.Withdrawal(d.Wallets[signertest.XEM], signertest.Small)
	d.Submit(t.Context(), d.Signer, "shop", w)
	v := d.Verdict(statement.Approve, statement.Hash{1})
	v.ID = w.ID
	_, err := d.Signer.Submit(t.Context(), d.Sign("alice", v).Encode(), 0)
	if p := problem(t, err, "id_conflict"); p.Answer != nil {
		t.Errorf("%+v", p.Answer)
	}
}
