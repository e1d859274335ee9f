package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// plainGroups is how many groups of changes to single rows are committed at once. One
// would do on the machine of the server; where each statement is a walk through the
// network, several walk at once.
const plainGroups = 4

func (s *Store) startGroups() {
	for range plainGroups {
		s.plain = append(s.plain, store.NewGroup(s.commitShared))
	}
	s.facts = store.NewGroup(s.commitShared)
	s.alone = store.NewGroup(s.commitAlone)
}

func (s *Store) groups() []*store.Group { return append(slices.Clone(s.plain), s.facts, s.alone) }

// Apply is store.Writer. Facts are in one group, since their commits are one after the
// other. What keeps more promises than a row can goes one by one among all programs, in
// a group of its own, so that nothing else waits for it.
func (s *Store) Apply(ctx context.Context, commands ...store.Command) error {
	group := s.plain[placeOf(commands)]
	switch {
	case slices.ContainsFunc(commands, spansRows):
		group = s.alone
	case slices.ContainsFunc(commands, isFact):
		group = s.facts
	}
	return group.Apply(ctx, commands...)
}

func isFact(command store.Command) bool {
	_, is := command.(store.Revoke)
	return is
}

// placeOf gives one row to one group: those of others need not wait for it.
func placeOf(commands []store.Command) int {
	id, sum := rowOf(commands), 0
	for _, b := range id {
		sum += int(b)
	}
	return sum % plainGroups
}

// rowOf is the row that an operation changes, if it is one of those that many change
// at once.
func rowOf(commands []store.Command) store.ID {
	if len(commands) == 0 {
		return store.ID{}
	}
	switch c := commands[0].(type) {
	case store.CreateSession:
		return c.Session.ID
	case store.RotateSession:
		return c.ID
	case store.UseSession:
		return c.ID
	case store.RevokeSessions:
		return c.ID
	case store.CreateTicket:
		return c.Ticket.ID
	case store.DecideTicket:
		return c.ID
	case store.UseTicket:
		return c.ID
	}
	return store.ID{}
}

// inOrder gives the turns of the operations of a group, by their rows: if others lock
// the same rows in the same order, none waits for one that waits for it. The callers
// are all waiting, so nobody can tell which was first.
func inOrder(group [][]store.Command) []int {
	turns, rows := make([]int, len(group)), make([]store.ID, len(group))
	for i, commands := range group {
		turns[i], rows[i] = i, rowOf(commands)
	}
	slices.SortStableFunc(turns, func(a, b int) int { return bytes.Compare(rows[a][:], rows[b][:]) })
	return turns
}

// spansRows tells whether a command has to be alone: whether what it looks at is more
// than the row it changes, or the rows it changes are not locked in one order. A row
// is locked by its change until the commit, and what is asked of it is asked again
// when somebody else had it.
func spansRows(command store.Command) bool {
	switch c := command.(type) {
	case store.CreateSession:
		return c.Most > 0
	case store.RotateSession, store.UseSession, store.RevokeSessions, store.Revoke,
		store.Once, store.CreateTicket, store.DecideTicket, store.UseTicket:
		return false
	}
	return true
}

// commitShared is a store.CommitFunc. It never fails: when nobody knows what became of
// a group, its callers are told so, and the next one is another matter, on another
// connection if need be.
func (s *Store) commitShared(group [][]store.Command, answers []error) error {
	s.commit(group, answers, false)
	return nil
}

// commitAlone is a store.CommitFunc for commands that span rows.
func (s *Store) commitAlone(group [][]store.Command, answers []error) error {
	s.commit(group, answers, true)
	return nil
}

// attempts is how often a group is begun at most.
const attempts = 5

// commit carries out a group, again where that is safe: nothing of it was committed.
func (s *Store) commit(group [][]store.Command, answers []error, alone bool) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	defer s.changed(group)
	for try := 1; ; try++ {
		clear(answers)
		err := s.attempt(ctx, group, answers, alone)
		switch {
		case err == nil:
			return
		case again(err) && try < attempts && pause(ctx, try) == nil:
			continue
		case ofOne(err) && len(group) > 1:
			s.oneByOne(group, answers, alone)
		default:
			told(answers, s.unavailable(err))
		}
		return
	}
}

// oneByOne is for a group in which a statement failed, which ends the transaction: only
// the operation whose it was is told so.
func (s *Store) oneByOne(group [][]store.Command, answers []error, alone bool) {
	for i := range group {
		s.commit(group[i:i+1], answers[i:i+1], alone)
	}
}

// told gives all of a group the same answer.
func told(answers []error, err error) {
	for i := range answers {
		answers[i] = err
	}
}

// attempt is one transaction. An error that is unknown leaves open what became of it;
// after any other one nothing was changed.
func (s *Store) attempt(ctx context.Context, group [][]store.Command, answers []error, alone bool) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	t := newTx(ctx, s, conn)
	defer t.end()
	if err := t.begin(alone); err != nil {
		return err
	}
	for _, i := range inOrder(group) {
		answers[i] = t.operation(group[i])
		if t.failed != nil {
			return t.failed
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	return t.commit()
}

// unknown is an error after which nobody knows whether the transaction was committed.
type unknown struct{ error }

func (u unknown) Unwrap() error { return u.error }

// again tells whether the same transaction may succeed: the server ended it for the
// sake of another one, or the connection was lost before the commit.
func again(err error) bool {
	if errors.As(err, new(unknown)) {
		return false
	}
	switch code(err) {
	case "40001", "40P01", "55P03": // serialization_failure, deadlock_detected, lock_not_available
		return true
	}
	return lost(err)
}

// ofOne tells whether an error comes of what one operation holds, such as a text that
// is longer than an index takes.
func ofOne(err error) bool {
	if errors.As(err, new(unknown)) || code(err) == "" {
		return false
	}
	switch code(err)[:2] {
	case "22", "23", "54": // data_exception, integrity_constraint_violation, program_limit_exceeded
		return true
	}
	return false
}

// code is the SQLSTATE of an error of the server, else empty.
func code(err error) string {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return ""
	}
	return answer.Code
}

// pause is longer after each try, and fails when the time is over.
func pause(ctx context.Context, try int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(try*try) * 5 * time.Millisecond):
		return nil
	}
}
