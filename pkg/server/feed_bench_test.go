package server

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// BenchmarkFeedLoad has a verifier with nothing catch up with a server that knows
// many revocations, through the whole way: store, signature, network, set.
func BenchmarkFeedLoad(b *testing.B) {
	for _, n := range []int{1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newReplicas(b, 1)
			r.fill(n)
			var bytes float64
			b.ResetTimer()
			for b.Loop() {
				set := new(verifier.Revocations)
				before := heap()
				_, f := r.follow(func(_ *verifier.HTTPFeedConfig, c *verifier.FollowerConfig) { c.Into = set })
				if err := f.Sync(b.Context()); err != nil || set.Len() < n {
					b.Fatal(err, set.Len())
				}
				bytes = float64(heap()-before) / float64(n)
				runtime.KeepAlive(set)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/load")
			b.ReportMetric(bytes, "B/fact")
		})
	}
}

// BenchmarkMirrorLoad has a server begin over a store that knows many revocations: it is
// not there before it knows them all.
func BenchmarkMirrorLoad(b *testing.B) {
	for kind, open := range map[string]func(testing.TB) func() store.Store{"sqlite": overSQLite, "postgres": overPostgres} {
		for _, n := range []int{1_000_000, 10_000_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				st := open(b)()
				fill(b, st, n)
				c := testConfig(st, io.Discard)
				c.MasterKey = testMaster()
				b.ResetTimer()
				for b.Loop() {
					s, err := New(b.Context(), c)
					if err != nil {
						b.Fatal(err)
					}
					if known := s.Stats().Core.Revocations[verifier.RevokedToken]; known != n {
						b.Fatalf("%d are known", known)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/load")
			})
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fill revokes tokens by their numbers. The keys are spread as those of tokens are over
// the parts of the set; that they ascend in each spares the store's index much.
func fill(t testing.TB, st store.Store, n int) {
	t.Helper()
	const batch = 5000
	commands := make([]store.Command, 0, batch)
	until := time.Now().Add(time.Hour).UnixMicro()
	for i := range n {
		var key [16]byte
		binary.BigEndian.PutUint64(key[8:], uint64(i+1))
		key[0] = byte(i)
		commands = append(commands, store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: string(key[:]), At: int64(i + 1), Until: until}})
		if len(commands) == batch || i == n-1 {
			if err := st.Apply(t.Context(), commands...); err != nil {
				t.Fatal(err)
			}
			commands = commands[:0]
		}
	}
}
