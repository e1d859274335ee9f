package sqlite

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"
)

// BenchmarkRevocations measures durable revocations against the floor: the same
// rows, one transaction each, by the same driver on the same disk in the same
// run. x-floor is how many times as fast.
func BenchmarkRevocations(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s := openStore(b, b.TempDir())
			floor := measureFloor(b)
			b.ResetTimer()
			start := time.Now()
			revokeMany(b, s, writers, b.N)
			each := time.Since(start) / time.Duration(b.N)
			b.StopTimer()
			b.ReportMetric(float64(time.Second)/float64(each), "revocations/s")
			b.ReportMetric(float64(time.Second)/float64(floor), "floor/s")
			b.ReportMetric(float64(floor)/float64(each), "x-floor")
		})
	}
}

func revokeMany(b *testing.B, s *Store, writers, total int) {
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := w; i < total; i += writers {
				if err := s.Apply(context.Background(), revocation(randomKey())); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

func randomKey() string {
	key := make([]byte, 16)
	_, _ = rand.Read(key)
	return string(key)
}

func measureFloor(b *testing.B) time.Duration {
	const rows = 3000
	w := openStore(b, b.TempDir()).writer
	start := time.Now()
	for range rows {
		for _, step := range []func() error{
			func() error { _, err := w.exec("BEGIN IMMEDIATE"); return err },
			func() error { return w.command(revocation(randomKey())) },
			func() error { _, err := w.exec("COMMIT"); return err },
		} {
			if err := step(); err != nil {
				b.Fatal(err)
			}
		}
	}
	return time.Since(start) / rows
}
