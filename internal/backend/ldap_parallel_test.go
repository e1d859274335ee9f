package backend

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestParallelLoginsAreNotMixedUp(t *testing.T) {
	const people, rounds, connections = 50, 6, 4
	var entries []slapdtest.Entry
	for n := range people {
		name := fmt.Sprintf("user%d", n)
		entries = append(entries, slapdtest.User(name, "pass"+name), slapdtest.Group("of "+name, name))
	}
	s := slapdtest.New(t, entries...)
	l := directory(t, s, func(c *LDAPConfig) {
		c.Timeout, c.Connections, c.Roles = 30, connections, map[string][]string{}
		for n := range people {
			c.Roles[fmt.Sprintf("role%d", n)] = []string{slapdtest.GroupDN(fmt.Sprintf("of user%d", n))}
		}
	})
	var logins sync.WaitGroup
	for n := range people {
		logins.Go(func() {
			name, other := fmt.Sprintf("user%d", n), fmt.Sprintf("user%d", (n+1)%people)
			for round := range rounds {
				password, want := "pass"+name, error(nil)
				if (n+round)%2 == 0 {
					password, want = "pass"+other, token.ErrCredentials
				}
				p, err := login(t, l, name, password)
				if !errors.Is(err, want) {
					t.Errorf("%s with %s: %v, want %v", name, password, err, want)
				}
				if want == nil && (p.Name != name || p.DN != slapdtest.UserDN(name) || len(p.Roles) != 1 || p.Roles[0] != fmt.Sprintf("role%d", n)) {
					t.Errorf("%s is %+v", name, p)
				}
			}
		})
	}
	logins.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.kept); n < 1 || n > connections {
		t.Errorf("%d connections are kept", n)
	}
}

func TestNoMoreThanSoManyAreAskedForAtATime(t *testing.T) {
	var now, most atomic.Int32
	f := fake(t, func(_ int, r request) []byte {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(20 * time.Millisecond)
		now.Add(-1)
		return r.done(respSearchDone, 0)
	})
	l := faking(t, f, func(c *LDAPConfig) { c.Connections = 3 })
	var asked sync.WaitGroup
	for range 12 {
		asked.Go(func() {
			if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) {
				t.Error(err)
			}
		})
	}
	asked.Wait()
	if most.Load() != 3 || f.connected.Load() != 3 {
		t.Errorf("%d at a time on %d connections", most.Load(), f.connected.Load())
	}
}

func TestWhoWaitsForAnotherNeedNotWaitToTheEnd(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	f := fake(t, func(_ int, r request) []byte {
		close(asked)
		<-answer
		return r.done(respSearchDone, 0)
	})
	l := faking(t, f, func(c *LDAPConfig) { c.Connections = 1 })
	var first sync.WaitGroup
	first.Go(func() {
		if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("the first: %v", err)
		}
	})
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := l.Find(ctx, "bob"); !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("who waits: %v", err)
	}
	// Who closes the directory waits for the first one's answer.
	time.AfterFunc(50*time.Millisecond, func() { close(answer) })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-answer:
	default:
		t.Error("it was closed under somebody's hands")
	}
	first.Wait()
}

func BenchmarkALogin(b *testing.B) {
	s := slapdtest.New(b, slapdtest.User("alice", "a"), slapdtest.Group("admins", "alice"))
	grouped := func(c *LDAPConfig) {
		c.GroupBase, c.Roles = slapdtest.Groups, map[string][]string{"admin": {slapdtest.GroupDN("admins")}}
	}
	for _, kind := range []struct {
		name   string
		change func(*LDAPConfig)
	}{
		{"clear", func(c *LDAPConfig) { c.StartTLS = false }},
		{"starttls", func(*LDAPConfig) {}},
		{"ldaps", secure(s)},
		{"groups", grouped},
	} {
		l := directory(b, s, kind.change)
		b.Run(kind.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := login(b, l, "alice", "a"); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(kind.name+" in parallel", func(b *testing.B) {
			b.SetParallelism(4)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := login(b, l, "alice", "a"); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
