//go:build unix

package soak

import (
	"context"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

// world is the processes that a run is about, and what may happen to them.
type world struct {
	testing.TB
	*load
	rng      *rand.Rand
	replicas []*replica
	postgres *pgtest.Server // nil: the store is a file
	standby  *pgtest.Server // nil: it has been promoted, or there is none
	network  *network       // nil: it cannot be cut
	dir      string         // for the histories and the logs
}

// accident is something that happens, and its repair.
type accident struct {
	name   string
	happen func(ctx context.Context)
}

func (w *world) accidents() []accident {
	all := []accident{
		{"kill -9 of a replica", w.killReplica},
		{"kill -9 of a replica", w.killReplica},
		{"stop of a replica", w.stopReplica},
	}
	if w.postgres != nil {
		all = append(
			all,
			accident{"kill -9 of PostgreSQL", w.killPostgres},
			accident{"kill -9 of PostgreSQL and a replica", w.killBoth},
			accident{"stop of PostgreSQL", w.stopPostgres},
			accident{"connections closed", w.hangUp},
		)
	}
	if w.network != nil {
		all = append(all, accident{"cut network", w.cutNetwork}, accident{"cut network", w.cutNetwork})
	}
	return all
}

// disturb lets one accident after the other happen until ctx ends, each kind as often
// as the others, and leaves all repaired. In the middle the standby takes over.
func (w *world) disturb(ctx context.Context) {
	end, _ := ctx.Deadline()
	middle := time.Now().Add(time.Until(end) / 2)
	for {
		all := w.accidents()
		w.rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, a := range all {
			if w.standby != nil && time.Now().After(middle) {
				a = accident{"promotion of the standby", w.promote}
			}
			pause(ctx, w.between(500, 3000))
			if ctx.Err() != nil {
				return
			}
			w.count(w.book.accidents, a.name)
			a.happen(ctx)
		}
	}
}

// between is a time of so many milliseconds.
func (w *world) between(least, most int) time.Duration {
	return time.Duration(least+w.rng.IntN(most-least)) * time.Millisecond
}

func (w *world) replica() *replica { return w.replicas[w.rng.IntN(len(w.replicas))] }

func (w *world) killReplica(ctx context.Context) {
	r := w.replica()
	r.kill()
	pause(ctx, w.between(0, 1000))
	w.again(ctx, r)
}

// again starts a replica, which then has to know all that was answered.
func (w *world) again(ctx context.Context, r *replica) {
	r.start(w)
	w.recall(ctx, r.peer, w.rng)
}

// stopReplica stops one for longer than its view may be old.
func (w *world) stopReplica(ctx context.Context) {
	r := w.replica()
	r.signal(syscall.SIGSTOP)
	pause(ctx, w.between(2000, 6000))
	r.signal(syscall.SIGCONT)
}

func (w *world) killPostgres(ctx context.Context) {
	w.postgres.Kill()
	pause(ctx, w.between(0, 2000))
	w.postgres.Start(w)
	w.recall(ctx, w.replica().peer, w.rng)
}

func (w *world) killBoth(ctx context.Context) {
	r := w.replica()
	w.postgres.Kill()
	r.kill()
	pause(ctx, w.between(0, 1000))
	w.postgres.Start(w)
	w.again(ctx, r)
}

func (w *world) stopPostgres(ctx context.Context) {
	resume := w.postgres.Pause()
	pause(ctx, w.between(2000, 6000))
	resume()
}

// follow gives PostgreSQL a standby that every commit waits for.
func (w *world) follow(settings ...string) {
	w.standby = w.postgres.Standby(w, "standby", append(settings, "wal_retrieve_retry_interval=100ms")...)
	w.postgres.Exec(w, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	w.postgres.Exec(w, "postgres", "SELECT pg_reload_conf()")
	w.postgres.Exec(w, "postgres", caughtUp)
}

// caughtUp waits until the standby has all that there is. After a crash the server shows
// what it had not told the standby yet.
const caughtUp = `DO $$ DECLARE upto pg_lsn := pg_current_wal_flush_lsn(); BEGIN
	FOR i IN 1..600 LOOP
		PERFORM pg_stat_clear_snapshot();
		IF EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync' AND flush_lsn >= upto) THEN
			RETURN;
		END IF;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RAISE 'the standby does not follow';
END $$`

// promote lets the standby take over from a server that is killed for good: before, or
// after some seconds in which it does not know that it is no longer the one.
func (w *world) promote(ctx context.Context) {
	w.postgres.Exec(w, "postgres", caughtUp)
	old := w.postgres
	if w.rng.IntN(2) == 0 {
		old.Kill()
		w.standby.Promote(w)
	} else {
		w.standby.Promote(w)
		pause(ctx, w.between(1000, 4000))
		old.Kill()
	}
	w.postgres, w.standby = w.standby, nil
	w.recall(ctx, w.replica().peer, w.rng)
}

func (w *world) hangUp(context.Context) {
	w.postgres.Exec(w, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ats-auth-server'")
}

// cutNetwork takes PostgreSQL away from a replica that its clients still reach.
func (w *world) cutNetwork(ctx context.Context) {
	i := w.rng.IntN(len(w.replicas))
	w.network.cut(w, i)
	pause(ctx, w.between(2000, 6000))
	w.network.mend(w, i)
}
