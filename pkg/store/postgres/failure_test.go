package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// TestAServerThat is for what is done to a server that goes on afterwards.
func TestAServerThat(t *testing.T) {
	c := startCluster(t)
	for name, check := range map[string]func(t *testing.T, c cluster){
		"is killed keeps what was answered, and the store goes on":   killed,
		"is down is unavailable to all":                              down,
		"was restarted between two calls is not noticed":             restartBetween,
		"hangs is unavailable within the timeout":                    hangs,
		"was restarted gives a hint of every fact, as it did before": hinted,
		"did not have a commit at its standby has not answered it":   notAtStandby,
	} {
		t.Run(name, func(t *testing.T) { check(t, c) })
	}
}

func killed(t *testing.T, c cluster) {
	s := c.open(t)
	answered, failed := map[string]bool{}, 0
	for round := range 6 {
		var group sync.WaitGroup
		var mu sync.Mutex
		over := make(chan struct{})
		for w := range 16 {
			group.Go(func() {
				for i := 0; ; i++ {
					key := fmt.Sprintf("%d-%d-%d", round, w, i)
					err := s.Apply(context.Background(), revoke(key))
					mu.Lock()
					if answered[key] = err == nil; err != nil {
						unavailable(t, key, err)
						failed++
					}
					mu.Unlock()
					select {
					case <-over:
						return
					default:
					}
					if err != nil {
						time.Sleep(10 * time.Millisecond)
					}
				}
			})
		}
		time.Sleep(100 * time.Millisecond)
		if round%2 == 0 {
			c.Kill()
		} else {
			c.Stop()
		}
		time.Sleep(50 * time.Millisecond)
		c.Start(t)
		soon(t, "write", func() error { return s.Apply(t.Context(), revoke("again")) })
		close(over)
		group.Wait()
	}
	facts, err := s.Revocations(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	kept, count := map[string]bool{}, 0
	for _, fact := range facts {
		kept[fact.Key] = true
	}
	for key, was := range answered {
		if was && !kept[key] {
			t.Errorf("%s was answered and is lost", key)
		}
		if was {
			count++
		}
	}
	t.Logf("%d answered, %d failed, %d kept", count, failed, len(kept))
	if count < 100 || failed == 0 {
		t.Errorf("%d answered, %d failed: nothing was tested", count, failed)
	}
}

func down(t *testing.T, c cluster) {
	s := c.open(t)
	c.Stop()
	_, err := s.Session(t.Context(), store.ID{1})
	unavailable(t, "read", err)
	unavailable(t, "write", s.Apply(t.Context(), revoke("k")))
	unavailable(t, "ping", s.Ping(t.Context()))
	_, err = Open(t.Context(), Config{URL: strings.Replace(c.URL("any"), "@", ":s3cret@", 1)})
	unavailable(t, "open", err)
	c.Start(t)
	if _, err := s.Keys(t.Context()); err != nil { // what was lost meanwhile is not noticed
		t.Error(err)
	}
	if err := errors.Join(s.Apply(t.Context(), revoke("k")), s.Ping(t.Context())); err != nil {
		t.Error(err)
	}
}

func restartBetween(t *testing.T, c cluster) {
	s := c.open(t)
	for range 3 {
		apply(t, s, revoke("k"))
		if _, err := s.Keys(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.Stop()
		c.Start(t)
	}
}

func hangs(t *testing.T, c cluster) {
	s, err := Open(t.Context(), Config{URL: c.URL(c.database(t), "connect_timeout=1"), Timeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	apply(t, s, revoke("k"))
	resume := c.Pause()
	began := time.Now()
	_, err = s.Keys(t.Context())
	unavailable(t, "read", err)
	unavailable(t, "write", s.Apply(t.Context(), revoke("l")))
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	resume()
	soon(t, "write", func() error { return s.Apply(t.Context(), revoke("m")) })
}

func hinted(t *testing.T, c cluster) {
	r := c.replicas(t, 2)
	hints := store.Hinter(r[1]).Watch(t.Context())
	await := func(what string) {
		t.Helper()
		select {
		case <-hints:
		case <-time.After(20 * time.Second):
			t.Fatalf("no hint %s", what)
		}
	}
	await("at the beginning")
	for i := range 5 {
		apply(t, r[0], revoke(fmt.Sprint(i)))
		await("of a fact")
	}
	apply(t, r[0], store.CreateSession{Session: session(1)})
	select {
	case <-hints:
		t.Error("a hint where there was no fact")
	case <-time.After(200 * time.Millisecond):
	}
	c.Stop()
	c.Start(t)
	await("after a restart")
	apply(t, r[0], revoke("after"))
	await("of a fact after a restart")
	ended := make(chan error)
	go func() { ended <- r[1].Close() }() // ends the watch too
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the watch never ends")
	}
}
