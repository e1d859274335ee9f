package postgres

import (
	"context"
	"time"
)

const (
	clockEvery = time.Second
	clockTries = 3 // the best of them counts
)

// clock is the server's, in microseconds.
const clock = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

// Now is the time by the clock of the server, so that all programs over one database
// have one clock, whatever those of their machines say. It is never ahead of that clock,
// and behind it by what an answer takes to come: so what is issued at an instant, and
// then voided at the instant of a commit (store.Revoke.AtCommit), is void, whoever
// issued it. While the server cannot be asked, the machine's clock goes on from there; a
// server that is taken instead, with another clock, is followed within a second.
func (s *Store) Now() time.Time { return s.machine().Add(time.Duration(s.ahead.Load())) }

// followClock asks for the time until the store is closed.
func (s *Store) followClock() {
	every := time.NewTicker(clockEvery)
	defer every.Stop()
	for {
		select {
		case <-s.closing.Done():
			return
		case <-every.C:
			_ = s.readClock(s.closing) // the next one may succeed
		}
	}
}

// clockSlip is by how much the machine's clock may be faster, in each clockEvery.
const clockSlip = 200 * time.Microsecond

// readClock finds out by how much the server's clock is ahead of the machine's at least:
// it said what it said before that came here. What was found out before holds as well, a
// little less each time, unless the server says that it is wrong.
func (s *Store) readClock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := s.following.Conn(ctx) // first, since that may take long
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var least, most time.Duration
	for try := range clockTries {
		var server int64
		began := s.machine()
		if err := conn.QueryRowContext(ctx, "SELECT "+clock).Scan(&server); err != nil {
			return err
		}
		from, to := time.UnixMicro(server).Sub(s.machine()), time.UnixMicro(server).Sub(began)
		if try == 0 || from > least {
			least = from
		}
		if try == 0 || to < most {
			most = to
		}
	}
	if before := time.Duration(s.ahead.Load()) - clockSlip; s.ahead.Load() != 0 && before > least && before <= most {
		least = before
	}
	s.ahead.Store(int64(least))
	return nil
}
