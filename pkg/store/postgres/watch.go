package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Watch is store.Hinter, by LISTEN on a connection of its own, made again whenever it
// is lost.
func (s *Store) Watch(ctx context.Context) <-chan struct{} {
	hints := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.closing, cancel)
	s.background.Go(func() {
		defer stop()
		defer cancel()
		for try := 1; ctx.Err() == nil; try = min(try+1, 20) {
			if s.listen(ctx, hints) {
				try = 1
			}
			_ = pause(ctx, try) // ends with ctx, as the loop does
		}
	})
	return hints
}

// silence is how long nothing may be heard before the server is asked whether it is
// there.
const silence = 15 * time.Second

// listen tells when there is something new until the connection is lost, and whether
// there was one.
func (s *Store) listen(ctx context.Context, hints chan<- struct{}) bool {
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return false
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return false
	}
	for {
		select {
		case hints <- struct{}{}: // the first one for what came before
		default: // there is one already
		}
		if err := s.await(ctx, conn); err != nil {
			return true
		}
	}
}

func (s *Store) await(ctx context.Context, conn *pgx.Conn) error {
	for {
		patience, cancel := context.WithTimeout(ctx, silence)
		_, err := conn.WaitForNotification(patience)
		quiet := patience.Err() != nil && ctx.Err() == nil
		cancel()
		if !quiet {
			return err
		}
		alive, cancel := context.WithTimeout(ctx, s.timeout)
		err = conn.Ping(alive)
		cancel()
		if err != nil {
			return err
		}
	}
}
