package postgres

import (
	"context"
	"time"
)

const (
	clockEvery = time.Second
	clockTries = 3 // the quickest of them counts
)

// Now is the time by the clock of the server, so that all programs over one database
// have one clock, whatever those of their machines say: what one issues can be told to
// be before or after what another one revokes. It is right to half a round trip.
// While the server cannot be asked, the machine's clock goes on from there; a server
// that is taken instead, with another clock, is followed within a second.
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

// readClock finds out how far the server's clock is ahead of the machine's. What may
// come of the way there and back changes nothing, so that Now does not tremble.
func (s *Store) readClock(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := s.following.Conn(ctx) // first, since that may take long
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var ahead, took time.Duration
	for try := range clockTries {
		const now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
		var server int64
		began := s.machine()
		if err := conn.QueryRowContext(ctx, now).Scan(&server); err != nil {
			return err
		}
		if this := s.machine().Sub(began); try == 0 || this < took {
			ahead, took = time.UnixMicro(server).Sub(began.Add(this/2)), this
		}
	}
	if moved := ahead - time.Duration(s.ahead.Load()); moved.Abs() > took/2 {
		s.ahead.Store(int64(ahead))
	}
	return nil
}
