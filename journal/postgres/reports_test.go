package postgres_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"kura/journal"
	"kura/journal/postgres/pgtest"
	"kura/journal/storetest"
	"kura/ledger/ledgertest"
	"kura/statement"
)

// TestReports reads a real journal through the auditors' views.
func TestReports(t *testing.T) {
	w := ledgertest.New(t)
	small := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.Small))
	w.SignAll()
	large := w.Submit("shop", w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1))
	w.Verdict("alice", statement.Approve, large.About)
	// The oddest text that a message can have: PostgreSQL's JSON takes all of it, and the rows of others stay readable.
	odd := w.Withdrawal(w.Wallets[0], ledgertest.SmallMax+1)
	odd.Message = statement.Message{Kind: statement.MessageText, Value: "\x01\b\u2028\U0010ffff\\u0000"}
	strange := w.Submit("shop", odd)

	db := pgtest.Open(t)
	s := openStore(t, db.Service)
	defer s.Close()
	genesis := storetest.Genesis()
	genesis.Hash = journal.LeafHash(w.Lines[0])
	if _, err := journal.Create(t.Context(), journal.Config{Genesis: genesis, Store: s, Sign: storetest.Sign}, w.Entries); err != nil {
		t.Fatal(err)
	}

	// As the owner: whoever reads the views is granted them by name, the signer is not.
	conn, err := pgx.Connect(t.Context(), db.Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows := func(query string) (all [][]any) {
		t.Helper()
		r, err := conn.Query(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		for r.Next() {
			values, err := r.Values()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, values)
		}
		if err := r.Err(); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, c := range []struct {
		query string
		want  [][]any
	}{
		{`select hash, client, state, transaction is not null, message ->> 'kind' from withdrawals order by seq`, [][]any{
			{small.About.String(), "shop", "signed", true, "text"},
			{large.About.String(), "shop", "held", false, "text"},
			{strange.About.String(), "shop", strange.State, false, "text"},
		}},
		{`select by_id, verdict, state from verdicts where about = '` + large.About.String() + `'`, [][]any{{"alice", "approve", "counted"}}},
		{`select distinct outcome, quorum from decisions where about = '` + small.About.String() + `'`, [][]any{{"sign", false}}},
		{`select count(*) > 0, bool_and(after > before) from limit_use where about = '` + small.About.String() + `'`, [][]any{{true, true}}},
		{`select count(*) from journal_entries`, [][]any{{int64(len(w.Entries))}}},
	} {
		if diff := cmp.Diff(c.want, rows(c.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.query, diff)
		}
	}
}
