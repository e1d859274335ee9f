package sqlite

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// BenchmarkWrites measures durable changes of so many writers at once against the
// floor: the same changes, one transaction each, by the same driver on the same disk
// in turns with them. x-floor is how many times as fast, the median of the turns.
func BenchmarkWrites(b *testing.B) {
	for _, kind := range []string{"revocations", "refreshes"} {
		for _, writers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/writers=%d", kind, writers), func(b *testing.B) {
				s, alone := openStore(b, b.TempDir()), openStore(b, b.TempDir()).writer
				write, writeAlone := revokeRandom, revokeRandom
				if kind == "refreshes" {
					write, writeAlone = rotateOwn(b, s, writers), rotateOwn(b, alone.store, 1)
				}
				var rates, floors, ratios []float64
				for b.Loop() {
					took := timed(func() { writeMany(b, s, writers, turn, write) })
					floor := timed(func() { writeEach(b, alone, turn, writeAlone) })
					rates, floors = append(rates, turn/took.Seconds()), append(floors, turn/floor.Seconds())
					ratios = append(ratios, float64(floor)/float64(took))
				}
				b.ReportMetric(median(rates), kind+"/s")
				b.ReportMetric(median(floors), "floor/s")
				b.ReportMetric(median(ratios), "x-floor")
			})
		}
	}
}

// turn is how many changes come before it is the other's turn.
const turn = 1000

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

func timed(do func()) time.Duration {
	began := time.Now()
	do()
	return time.Since(began)
}

// A change is the next one of a writer.
type change func(writer int) store.Command

func revokeRandom(int) store.Command { return revocation(randomKey()) }

func randomKey() string {
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	return string(key)
}

// rotateOwn gives each writer a session, which it moves on.
func rotateOwn(b *testing.B, s *Store, writers int) change {
	b.Helper()
	own := make([]store.RotateSession, writers)
	for i := range own {
		own[i].ID = store.ID{byte(i), 1}
		made := store.Session{ID: own[i].ID, Accessor: fmt.Sprint("accessor", i), Tenant: "t", Subject: "alice", CreatedAt: 1}
		if err := s.Apply(b.Context(), store.CreateSession{Session: made}); err != nil {
			b.Fatal(err)
		}
	}
	return func(writer int) store.Command {
		c := own[writer]
		own[writer].From++
		c.At = own[writer].From
		return c
	}
}

func writeMany(b *testing.B, s *Store, writers, total int, write change) {
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := w; i < total; i += writers {
				if err := s.Apply(context.Background(), write(w)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func writeEach(b *testing.B, w *writer, total int, write change) {
	for range total {
		for _, step := range []func() error{
			func() error { _, err := w.Exec("BEGIN IMMEDIATE"); return err },
			func() error { return w.commands.Command(write(0)) },
			func() error { _, err := w.Exec("COMMIT"); return err },
		} {
			if err := step(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
