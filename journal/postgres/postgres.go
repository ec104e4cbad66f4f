// Package postgres keeps a journal in PostgreSQL (written for 15 to 18), the production store.
//
// It trusts the database no more than any store is trusted: what it returns is verified by package
// journal. It promises one durable transaction, of one statement, per group; a compare-and-swap on the
// head that holds between any number of signers; and that stray rows never block. The service's role can
// insert and select; update, delete and truncate are refused by its rights and again by triggers
// (migrations/0001_journal.sql has the schema).
//
// Appends go through one session that holds the journal's lease, a session-level advisory lock. The lease
// is no safety against two writers (the unique constraint on heads.prev is, and the witnesses are), but
// it settles unclear appends: a new session gets the lease only when the old one and its transaction are
// over, so a head read under the lease cannot be overtaken by an append that is still running.
//
// With synchronous replication a group counts only once the standby has it. PostgreSQL itself lets a commit
// that waits for the standby be cut short, by a cancel request or a restart, and shows its rows from then on;
// so a commit that comes back with a warning is unclear, and what is read back is believed only after one more
// commit, behind it, that the standby has.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kura/journal"
)

// Advisory locks are pairs: what for, and which schema.
const (
	lockWrite   = 0x6b757261 // "kura"
	lockMigrate = 0x6b757262
)

// maxReaders is how many sessions read at the same time.
const maxReaders = 4

// A patience is how long a store waits for answers where its caller sets no end: a connection whose other end is gone
// without a word says nothing, for ever.
type patience struct {
	batch time.Duration // for one batch of rows
	ping  time.Duration // to hear whether a session that was idle still answers
	turn  time.Duration // in line for the lease, before it asks anew
}

var usualPatience = patience{batch: time.Minute, ping: 5 * time.Second, turn: time.Minute}

// A Store is a journal.Store in a PostgreSQL schema. It is safe for concurrent use.
type Store struct {
	config   *pgx.ConnConfig
	patience patience

	closed    chan struct{}
	readers   chan *pgx.Conn // maxReaders places; nil is a place without a session
	unsettled atomic.Bool    // an append has failed and nobody has read the head back since

	held atomic.Bool  // the lease was taken by Hold: once lost it is not taken again
	sure atomic.Int64 // moment (boottime) of the last word under a held lease that was answered

	writing sync.Mutex
	writer  *pgx.Conn     // holds the lease; nil until it is needed
	idle    time.Duration // after which the server ends the writer's session if it is silent; 0 for never
	line    string        // application_name of the sessions that want the lease: this store's alone, so that it can end those given up
	warning string        // what the server warned of on the writer's session, since it was last asked something
}

var _ journal.Store = (*Store)(nil)

// Open connects with the service's DSN and checks that the schema is migrated. The lease is taken with the
// first append, or by Hold.
func Open(ctx context.Context, dsn string) (*Store, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("open the journal database: %w", err)
	}
	for name, value := range sessionParams {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	s := &Store{config: config, patience: usualPatience, line: "kura writer " + rand.Text(), closed: make(chan struct{}), readers: make(chan *pgx.Conn, maxReaders)}
	for range maxReaders {
		s.readers <- nil
	}
	err = s.read(ctx, func(conn *pgx.Conn) error { return checkSchema(ctx, conn) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the journal database: %w", err), s.Close())
	}
	return s, nil
}

// sessionParams make the server notice within seconds that a client is gone, also when an answer to it is on its
// way, so that its lease is freed; and keep a database's own settings from making appends fail in turn
// (serialisation errors, which the compare-and-swap does not need).
var sessionParams = map[string]string{
	"application_name":              "kura",
	"tcp_keepalives_idle":           "5",
	"tcp_keepalives_interval":       "2",
	"tcp_keepalives_count":          "3",
	"tcp_user_timeout":              "11000",
	"default_transaction_isolation": "read committed",
}

// Close ends all sessions, and the lease with them, when the calls under way have returned.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.isClosed() {
		return nil
	}
	close(s.closed)
	var err error
	if s.writer != nil {
		err = s.writer.Close(context.Background())
	}
	for range maxReaders {
		if conn := <-s.readers; conn != nil {
			err = errors.Join(err, conn.Close(context.Background()))
		}
	}
	return err
}

var errClosed = errors.New("the journal database was closed")

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// read runs a query on one of the readers' sessions, opened anew if it broke while it was idle.
func (s *Store) read(ctx context.Context, query func(*pgx.Conn) error) error {
	var conn *pgx.Conn
	select {
	case conn = <-s.readers:
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.readers <- conn }()
	ctx, cancel := context.WithTimeout(ctx, s.patience.batch)
	defer cancel()
	// A session that was idle may have died with the server; asking costs less than a query that fails.
	if conn == nil || !s.answers(ctx, conn) {
		fresh, err := pgx.ConnectConfig(ctx, s.config)
		if err != nil {
			conn = nil
			return err
		}
		conn = fresh
	}
	return query(conn)
}

// answers reports whether a session still does, and closes one that does not.
func (s *Store) answers(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, s.patience.ping)
	defer cancel()
	return conn.Ping(ctx) == nil
}

// lease returns the session that holds the lease. The caller holds writing.
func (s *Store) lease(ctx context.Context) (*pgx.Conn, error) {
	if s.isClosed() {
		return nil, errClosed
	}
	if s.writer != nil && !s.writer.IsClosed() {
		return s.writer, nil
	}
	if s.held.Load() {
		return nil, journal.ErrLeaseLost
	}
	config := s.config.Copy()
	config.RuntimeParams["client_min_messages"] = "warning"
	config.RuntimeParams["application_name"] = s.line
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" { // read while this session is asked something, under writing
			s.warning = n.Message
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := s.prepareWriter(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
	}
	s.writer = conn
	return conn, nil
}

// prepareWriter makes sure that a commit on this session means durable, and waits for the lease.
func (s *Store) prepareWriter(ctx context.Context, conn *pgx.Conn) error {
	var fsync, fullPages, commit string
	err := conn.QueryRow(ctx, `select current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit')`).
		Scan(&fsync, &fullPages, &commit)
	if err != nil {
		return err
	}
	if fsync != "on" || fullPages != "on" {
		return fmt.Errorf("the server does not keep what it commits: fsync is %s, full_page_writes is %s, both must be on", fsync, fullPages)
	}
	if commit == "off" || commit == "local" {
		if _, err := conn.Exec(ctx, "set synchronous_commit = on"); err != nil {
			return err
		}
	}
	if s.idle > 0 {
		if _, err := conn.Exec(ctx, "select set_config('idle_session_timeout', $1, false)", strconv.FormatInt(s.idle.Milliseconds(), 10)); err != nil {
			return err
		}
	}
	// Where something between here and the server keeps a session alive that was given up on this side, nobody
	// else would ever end it, and it has the lease or stands in line for it. Only older ones: this session may be
	// given up itself while the server is at this, and must not end the one that comes after it.
	_, err = conn.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1
		and backend_start < (select backend_start from pg_stat_activity where pid = pg_backend_pid())`, s.line)
	if err != nil {
		return fmt.Errorf("end the sessions of this store that were given up: %w", err)
	}
	_, err = conn.Exec(ctx, "select pg_advisory_lock($1, hashtext(current_schema()))", lockWrite)
	if err != nil {
		return fmt.Errorf("wait for the journal's lease: %w", err)
	}
	return nil
}

// The compare-and-swap: the head is inserted only after an existing head of that size and root that no
// other head follows, and the entries only if the head was.
const appendSQL = `
with head as (
	insert into heads (prev_size, prev, size, root, checkpoint)
	select size, root, $3, $4, $5 from heads where size = $1 and root = $2
	on conflict do nothing
	returning root
)
insert into entries (seq, head, entry, nodes)
select row.seq, head.root, row.entry, row.nodes
from head, unnest($6::bigint[], $7::text[], $8::bytea[]) as row (seq, entry, nodes)`

// Append implements journal.Store. It waits for the lease if this store does not hold it.
func (s *Store) Append(ctx context.Context, g journal.Group) error {
	rows, err := g.Rows()
	if err != nil {
		return err
	}
	seqs, entries, nodes := make([]int64, len(rows)), make([]string, len(rows)), make([][]byte, len(rows))
	for i, row := range rows {
		seqs[i], entries[i], nodes[i] = int64(row.Seq), string(row.Bytes), encodeNodes(row.Nodes)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	conn, err := s.lease(ctx)
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	s.unsettled.Store(true)
	s.warning = ""
	tag, err := conn.Exec(ctx, appendSQL, int64(g.Prev.Size), g.Prev.Root[:],
		int64(g.Head.Size), g.Head.Root[:], string(g.Checkpoint), seqs, entries, nodes)
	if err == nil {
		err = s.warned()
	}
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	s.unsettled.Store(false)
	switch tag.RowsAffected() {
	case int64(len(rows)):
		return nil
	case 0:
		return journal.ErrHeadMoved
	default:
		return fmt.Errorf("append: the database says that it wrote %d of %d entries", tag.RowsAffected(), len(rows))
	}
}

// warned returns what the server warned of. Nothing here gives it reason to but a commit whose wait for the standby
// was cut short: it stands on this server and perhaps nowhere else. The caller holds writing.
func (s *Store) warned() error {
	if s.warning == "" {
		return nil
	}
	return fmt.Errorf("the server warns: %s", s.warning)
}

// Head implements journal.Store. After a failed append it reads under the lease, which the session of
// that append has lost or still holds: either way that append is over. A signer that was deposed meanwhile
// waits for the lease until its context ends.
func (s *Store) Head(ctx context.Context) (journal.Checkpoint, error) {
	var c string
	query := func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "select checkpoint from heads order by size desc limit 1").Scan(&c)
	}
	var err error
	if s.unsettled.Load() {
		err = s.readUnderLease(ctx, query)
	} else {
		err = s.read(ctx, query)
	}
	if err != nil {
		return nil, fmt.Errorf("read the newest head: %w", err)
	}
	if c == "" {
		return nil, nil // row zero
	}
	return journal.Checkpoint(c), nil
}

func (s *Store) readUnderLease(ctx context.Context, query func(*pgx.Conn) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	conn, err := s.lease(ctx)
	if err != nil {
		return err
	}
	if err := query(conn); err != nil {
		return err
	}
	if err := s.confirm(ctx, conn); err != nil {
		return err
	}
	s.unsettled.Store(false)
	return nil
}

// confirm makes sure that what was read is as durable as what is committed: a commit of its own comes back when
// everything before it is on the standby's disk, too. It fails on a standby, whose head may be an old one.
func (s *Store) confirm(ctx context.Context, conn *pgx.Conn) error {
	s.warning = ""
	_, err := conn.Exec(ctx, "select pg_logical_emit_message(true, 'kura', 'read back')")
	if err == nil {
		err = s.warned()
	}
	if err != nil {
		return fmt.Errorf("make sure that it is durable: %w", err)
	}
	return nil
}
