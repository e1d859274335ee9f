package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func noFactMissed(t *testing.T, c cluster) {
	r := c.replicas(t, 4)
	const writers, each = 9, 300
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				key := fmt.Sprintf("%d-%d", w, i)
				commands := one(store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: key, At: 1}})
				if i%7 == 0 { // one that is refused, and leaves numbers out
					commands = append(commands, store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: "refused", At: 1}}, store.DeleteKey{ID: "none"})
					if err := r[w%3].Apply(context.Background(), commands...); !errors.Is(err, store.ErrNotFound) {
						t.Error(err)
					}
					commands = commands[:1]
				}
				if err := r[w%3].Apply(context.Background(), commands...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { group.Wait(); close(written) }()
	seen, cursor, last := map[string]bool{}, int64(0), false
	for {
		facts, err := r[3].Revocations(t.Context(), cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, fact := range facts {
			if fact.Seq <= cursor || seen[fact.Key] {
				t.Fatalf("fact %v after %d", fact, cursor)
			}
			seen[fact.Key], cursor = true, fact.Seq
		}
		if len(facts) == 0 && last {
			break
		}
		select {
		case <-written:
			last = true
		default:
		}
	}
	if len(seen) != writers*each || seen["refused"] {
		t.Errorf("the follower saw %d facts of %d", len(seen), writers*each)
	}
}

// Each locks what the other one wants next: PostgreSQL ends one of two transactions
// after a second, and nobody hears of it.
func deadlock(t *testing.T, c cluster) {
	r := c.replicas(t, 2)
	for i := range 2 {
		apply(t, r[0], store.CreateSession{Session: session(i)})
	}
	deadlocks := func() (n int64) {
		t.Helper()
		const query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
		if err := r[0].db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	rounds := int64(0)
	for began := time.Now(); deadlocks() == 0; rounds++ {
		if time.Since(began) > 2*time.Minute {
			t.Fatal("there was never a deadlock: nothing was tested")
		}
		var group sync.WaitGroup
		for i := range 2 {
			group.Go(func() {
				for turn := range int64(20) {
					a, b := session(i).ID, session(1-i).ID
					err := r[i].Apply(context.Background(), store.UseSession{ID: a, At: rounds*20 + turn}, store.UseSession{ID: b, At: rounds*20 + turn})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		time.Sleep(100 * time.Millisecond) // the server counts at its leisure
	}
	t.Logf("a deadlock in %d rounds", rounds)
}

// A program that was stopped while it holds the head must not hold up the others.
func standsStill(t *testing.T, c cluster) {
	r := c.replicas(t, 2)
	conn, err := r[0].db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	still := newTx(t.Context(), r[0], conn)
	defer still.end()
	if err := errors.Join(still.begin(true), still.Revoke(store.Revoke{Revocation: store.Revocation{Kind: "token", Key: "k"}}), still.flush()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	apply(t, r[1], revoke("other"))
	if took := time.Since(began); took < 500*time.Millisecond || took > 6*time.Second {
		t.Errorf("the other one waited %v", took)
	}
	if err := still.commit(); !errors.As(err, new(unknown)) {
		t.Errorf("the commit: %v", err)
	}
}
