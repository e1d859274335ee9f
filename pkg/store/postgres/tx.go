package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// tx is one transaction, READ COMMITTED: each statement sees what was committed before
// it began. It is a relational.Tx.
type tx struct {
	ctx      context.Context
	store    *Store
	conn     *sql.Conn
	commands *relational.Writer
	facts    []store.Revoke // to be recorded at the end
	failed   error          // why it is of no use any more
	over     bool
}

func newTx(ctx context.Context, s *Store, conn *sql.Conn) *tx {
	t := &tx{ctx: ctx, store: s, conn: conn}
	t.commands = &relational.Writer{Tx: t, Dialect: dialect()}
	return t
}

// turnstile is the advisory lock of those who go one by one. It is taken before
// anything else, so that nobody waits for it who holds what another one wants.
const turnstile = "SELECT pg_advisory_xact_lock(7308332238498)"

func (t *tx) begin(alone bool) error {
	if err := t.run("BEGIN ISOLATION LEVEL READ COMMITTED"); err != nil || !alone {
		return err
	}
	return t.run(turnstile)
}

// commit ends the transaction. Only an error in which the server says that it was
// undone for the sake of another one tells that it was. A warning is one too: the
// server gave up to wait for its standby.
func (t *tx) commit() error {
	err := t.run("COMMIT")
	t.over = err == nil
	if warned := t.warning(); err == nil && warned != nil {
		return unknown{warned}
	}
	if err == nil || code(err) == "40001" || code(err) == "40P01" {
		return err
	}
	return unknown{err}
}

func (t *tx) warning() (warned error) {
	_ = t.conn.Raw(func(conn any) error {
		warned = takeWarning(conn.(*stdlib.Conn).Conn().PgConn())
		return nil
	})
	return warned
}

// end gives the connection back, without a transaction, or not at all.
func (t *tx) end() {
	if !t.over {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := t.conn.ExecContext(ctx, "ROLLBACK")
		if err != nil || lost(t.failed) {
			_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}
	_ = t.conn.Close()
}

// operation carries out the commands of one Apply. One command alone changes nothing
// when it is refused.
func (t *tx) operation(commands []store.Command) error {
	switch len(commands) {
	case 0:
		return t.ping()
	case 1:
		return t.command(commands[0])
	}
	if err := t.run("SAVEPOINT operation"); err != nil {
		return err
	}
	before := len(t.facts)
	for _, command := range commands {
		if err := t.command(command); err != nil {
			t.facts = t.facts[:before]
			return t.undo(err)
		}
	}
	return t.run("RELEASE operation")
}

// undo takes back an operation that was refused for the given reason.
func (t *tx) undo(reason error) error {
	if t.failed != nil {
		return reason
	}
	if err := t.run("ROLLBACK TO operation; RELEASE operation"); err != nil {
		return err
	}
	return reason
}

// ping has something to be flushed, and acknowledged by a standby, and does what a
// database that is read-only refuses.
func (t *tx) ping() error {
	return t.run("SELECT " + mark + " FROM history WHERE one = 1 FOR KEY SHARE")
}

func (t *tx) command(command store.Command) error {
	if _, removes := command.(store.Purge); removes {
		if err := t.flush(); err != nil { // it may remove them
			return err
		}
	}
	return t.commands.Command(command)
}

// run carries out what has no arguments, and knows why it failed.
func (t *tx) run(query string) error {
	_, err := t.conn.ExecContext(t.ctx, query)
	return t.fail(err)
}

// fail remembers the first error.
func (t *tx) fail(err error) error {
	if err != nil && t.failed == nil {
		t.failed = err
	}
	return err
}

// Exec is relational.Tx.
func (t *tx) Exec(query string, args ...any) (int64, error) {
	result, err := t.conn.ExecContext(t.ctx, t.store.texts.of(query), values(args)...)
	if t.fail(err) != nil {
		return 0, t.store.unavailable(err)
	}
	return result.RowsAffected()
}

// Row is relational.Tx.
func (t *tx) Row(query string, args []any, into ...any) (found bool, err error) {
	err = t.conn.QueryRowContext(t.ctx, t.store.texts.of(query), values(args)...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if t.fail(err) != nil {
		return false, t.store.unavailable(err)
	}
	return true, nil
}

// Revoke is relational.Tx. The facts of a transaction are recorded together, at its
// end: so whoever adds some holds up others for a statement and the commit alone.
func (t *tx) Revoke(fact store.Revoke) error {
	t.facts = append(t.facts, fact)
	return nil
}

// channel is where others are told that there are facts.
const channel = "ats_auth_facts"

// record takes as many numbers as there are facts, so some may be of none. The row of
// the head is locked from here on; what a fact is merged with is looked for after that,
// whatever the statement saw when it began.
const record = `WITH head AS (UPDATE revocation_head SET seq = seq + $1 RETURNING seq),
	recorded AS (INSERT INTO revocations (seq, kind, key, at, until)
		SELECT head.seq - $1 + given.place, given.kind, given.key,
			CASE WHEN given.at_commit THEN greatest(given.at, ` + clock + `) ELSE given.at END, given.until
		FROM head, unnest($2::bytea[], $3::bytea[], $4::bigint[], $5::bigint[], $6::boolean[])
			WITH ORDINALITY AS given (kind, key, at, until, at_commit, place)
		ON CONFLICT (kind, key) DO UPDATE SET seq = excluded.seq, at = greatest(revocations.at, excluded.at),
			until = CASE WHEN revocations.until = 0 OR excluded.until = 0 THEN 0 ELSE greatest(revocations.until, excluded.until) END
			WHERE revocations.at < excluded.at
				OR (revocations.until <> 0 AND (excluded.until = 0 OR revocations.until < excluded.until)))
	SELECT pg_notify('` + channel + `', '') FROM head`

// flush records the facts there are so far.
func (t *tx) flush() error {
	facts := merge(t.facts)
	if len(facts) == 0 {
		return nil
	}
	t.facts = nil
	var kinds, keys [][]byte
	var ats, untils []int64
	var atCommit []bool
	for _, c := range facts {
		fact := c.Revocation
		kinds, keys = append(kinds, []byte(fact.Kind)), append(keys, []byte(fact.Key))
		ats, untils, atCommit = append(ats, fact.At), append(untils, fact.Until), append(atCommit, c.AtCommit)
	}
	_, err := t.conn.ExecContext(t.ctx, record, int64(len(facts)), kinds, keys, ats, untils, atCommit)
	return t.fail(err)
}

type factKey struct{ kind, key string }

// merge leaves one fact of each kind and key, where the last of them that moved it is,
// since a statement can change a row only once.
func merge(facts []store.Revoke) (merged []store.Revoke) {
	strongest := map[factKey]store.Revoke{}
	var order []factKey
	for _, fact := range facts {
		key := factKey{fact.Revocation.Kind, fact.Revocation.Key}
		before, there := strongest[key]
		if there {
			if fact = stronger(before, fact); fact == before {
				continue
			}
			order = slices.DeleteFunc(order, func(other factKey) bool { return other == key })
		}
		strongest[key] = fact
		order = append(order, key)
	}
	for _, key := range order {
		merged = append(merged, strongest[key])
	}
	return merged
}

// stronger holds what either of two facts of a key does.
func stronger(before, fact store.Revoke) store.Revoke {
	one, other := before.Revocation, &fact.Revocation
	other.At = max(one.At, other.At)
	if one.Until == 0 || other.Until == 0 {
		other.Until = 0
	} else {
		other.Until = max(one.Until, other.Until)
	}
	fact.AtCommit = fact.AtCommit || before.AtCommit
	return fact
}
