package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

// BenchmarkWrites measures durable changes of so many writers at once against the
// floor: the same change by one connection, one transaction each, on the same server
// in the same run. x-floor is how many times as fast.
func BenchmarkWrites(b *testing.B) {
	c := cluster{Server: pgtest.Start(b), free: &free{}}
	c.prepare(b)
	for _, kind := range []string{"revocations", "refreshes"} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", kind, writers), func(b *testing.B) {
				s := c.open(b)
				write := revokeRandom
				if kind == "refreshes" {
					write = rotateOwn(b, s)
				}
				floor := measureFloor(b, s, write)
				b.ResetTimer()
				start := time.Now()
				writeMany(b, s, writers, write)
				each := time.Since(start) / time.Duration(b.N)
				b.StopTimer()
				b.ReportMetric(float64(time.Second)/float64(each), kind+"/s")
				b.ReportMetric(float64(time.Second)/float64(floor), "floor/s")
				b.ReportMetric(float64(floor)/float64(each), "x-floor")
			})
		}
	}
}

// A change is the turn-th of a writer.
type change func(writer int, turn int64) store.Command

func revokeRandom(int, int64) store.Command {
	var key [16]byte
	_, _ = rand.Read(key[:])
	return store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: string(key[:]), At: 1_800_000_000_000_000}}
}

// rotateOwn gives each writer, and the floor, a session.
func rotateOwn(b *testing.B, s *Store) change {
	for i := range 65 {
		if err := s.Apply(b.Context(), store.CreateSession{Session: session(i)}); err != nil {
			b.Fatal(err)
		}
	}
	return func(writer int, turn int64) store.Command {
		return store.RotateSession{ID: session(writer).ID, From: turn, At: turn + 1}
	}
}

func session(i int) store.Session {
	return store.Session{ID: store.ID{byte(i >> 8), byte(i), 1}, Accessor: fmt.Sprint("accessor", i), Tenant: "t", Subject: "alice", CreatedAt: 1}
}

func writeMany(b *testing.B, s *Store, writers int, write change) {
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for turn := int64(0); int(turn)*writers+w < b.N; turn++ {
				if err := s.Apply(context.Background(), write(w, turn)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func measureFloor(b *testing.B, s *Store, write change) time.Duration {
	const changes = 1000
	start := time.Now()
	for turn := range int64(changes) {
		answers := make([]error, 1)
		err := s.attempt(b.Context(), [][]store.Command{{write(64, turn)}}, answers, false)
		if err != nil || answers[0] != nil {
			b.Fatal(err, answers[0])
		}
	}
	return time.Since(start) / changes
}
