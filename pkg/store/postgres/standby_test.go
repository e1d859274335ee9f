package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestAStandbyIsRefusedAndFoundWhenItIsPromoted(t *testing.T) {
	c := startCluster(t)
	database := c.database(t)
	standby := c.Standby(t, "other")
	_, err := Open(t.Context(), Config{URL: standby.URL(database)})
	unavailable(t, "open of a standby", err)
	_, err = Open(t.Context(), Config{URL: standby.URL(database, "target_session_attrs=any")})
	unavailable(t, "open of a standby that is asked for", err)
	for _, parameter := range []string{"target_session_attrs=read-write", "application_name=x"} {
		url := strings.Replace(standby.URL(database, parameter), standby.Address(), standby.Address()+","+c.Address(), 1)
		apply(t, open(t, url), revoke(parameter))
	}
	s := open(t, strings.Replace(c.URL(database), c.Address(), c.Address()+","+standby.Address(), 1))
	c.Exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'other'")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	soon(t, "synchronous", func() error { return c.synchronous(s) })
	apply(t, s, revoke("answered"))
	c.Kill()
	unavailable(t, "write", s.Apply(t.Context(), revoke("lost")))
	standby.Promote(t)
	soon(t, "write", func() error { return s.Apply(t.Context(), revoke("after")) })
	facts, err := s.Revocations(t.Context(), 0, 99)
	if err != nil || !strings.Contains(fmt.Sprint(facts), "answered") || !strings.Contains(fmt.Sprint(facts), "after") {
		t.Errorf("facts %v, error %v", facts, err)
	}
}

func TestAServerWhoseStandbyHasTakenOverIsReadButNotBelieved(t *testing.T) {
	c := startCluster(t)
	s := open(t, c.URL(c.database(t)))
	standby := c.Standby(t, "other")
	c.Exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'other'")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	soon(t, "synchronous", func() error { return c.synchronous(s) })
	apply(t, s, revoke("answered"))
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	standby.Promote(t)
	within, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = s.Head(within)
	unavailable(t, "head", err)
	if facts, err := s.Revocations(t.Context(), 0, 99); err != nil || len(facts) != 1 {
		t.Errorf("facts %v, error %v: reading goes on", facts, err)
	}
	_, name, _ := strings.Cut(s.Name(), "/")
	after, err := open(t, standby.URL(name)).Head(t.Context())
	if err != nil || after.Epoch == before.Epoch || after.Seq != before.Seq {
		t.Errorf("the head was %+v and is %+v, error %v", before, after, err)
	}
}

func TestTablesThatWerePutBackHaveAnotherEpoch(t *testing.T) {
	c := startCluster(t)
	s := c.open(t)
	before, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const putBack = "CREATE TABLE copied AS TABLE revocation_head; TRUNCATE revocation_head; INSERT INTO revocation_head TABLE copied; DROP TABLE copied"
	if _, err := s.db.ExecContext(t.Context(), putBack); err != nil {
		t.Fatal(err)
	}
	after, err := s.Head(t.Context())
	if err != nil || after.Epoch == before.Epoch || after.Seq != before.Seq {
		t.Errorf("the head was %+v and is %+v, error %v", before, after, err)
	}
}

// synchronous wants a standby that every commit waits for.
func (c cluster) synchronous(s *Store) error {
	var standbys int
	const query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
	if err := s.db.QueryRow(query).Scan(&standbys); err != nil || standbys == 1 {
		return err
	}
	return store.ErrUnavailable
}

// The server answers the commit then, with a warning.
func notAtStandby(t *testing.T, c cluster) {
	defer func() {
		c.Exec(t, "postgres", "ALTER SYSTEM RESET synchronous_standby_names")
		c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	}()
	s := c.open(t)
	apply(t, s, revoke("before"))
	c.Exec(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	c.Exec(t, "postgres", "SELECT pg_reload_conf()")
	time.Sleep(300 * time.Millisecond) // the server reads it between two statements
	answer := make(chan error)
	go func() { answer <- s.Apply(context.Background(), revoke("k")) }()
	for {
		select {
		case err := <-answer:
			if unavailable(t, "write", err); err == nil || !strings.Contains(err.Error(), "canceling wait for synchronous replication") {
				t.Errorf("the answer is %v", err)
			}
			return
		case <-time.After(50 * time.Millisecond):
			c.Exec(t, "postgres", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
		}
	}
}
