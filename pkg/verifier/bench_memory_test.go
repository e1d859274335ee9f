package verifier

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// BenchmarkCacheHit judges a thousand tokens again and again, and one alone,
// beside the least that it can cost: a map under a lock, the clock, and a map of
// what was revoked under a lock.
func BenchmarkCacheHit(b *testing.B) {
	for _, c := range []struct{ tokens, revoked int }{{1, 10_000}, {1000, 1_000_000}} {
		b.Run(fmt.Sprintf("%d-of-%d", c.tokens, c.revoked), func(b *testing.B) {
			r := manyIDs(c.revoked)
			v := newVerifier(b, func(config *Config) {
				config.Issuer, config.CacheBytes, config.Revocations, config.Now = "ats.auth", 64<<20, r, nil
			})
			raws, plain, gone := make([]string, c.tokens), map[string]*entry{}, map[[16]byte]uint32{}
			for i := range raws {
				raws[i] = claimed(fmt.Sprintf(`{"iat":1700000000.500000,"sub":"marco","iss":"ats.auth","exp":4700003600.500000,"jti":"%032d"}`, i))
				accepts(b, v, raws[i])
				plain[raws[i]] = v.cache.find(raws[i])
			}
			for i := range r.shards {
				maps.Copy(gone, r.shards[i].ids[tokenIDs])
			}
			var tokens, revoked sync.RWMutex
			race(
				b, 2000,
				contender{"floor", over(b, raws, func(raw string) error {
					tokens.RLock()
					e := plain[raw]
					tokens.RUnlock()
					revoked.RLock()
					_, void := gone[e.query.Identity]
					revoked.RUnlock()
					if void || time.Now().UnixMicro() >= e.notAfter {
						return errFloor
					}
					return nil
				})},
				contender{"hit", over(b, raws, verifying(v))},
			)
		})
	}
}

// BenchmarkRevoked asks about ids, of which half are revoked.
func BenchmarkRevoked(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := manyIDs(n)
			queries, random := make([]Query, 1<<16), rand.New(rand.NewPCG(1, 2))
			for i := range queries {
				for at := range 16 {
					queries[i].Identity[at] = byte(random.Uint32())
				}
			}
			at := 0
			for i := range r.shards {
				for id := range r.shards[i].ids[tokenIDs] {
					if at += 2; at >= len(queries) || at%512 == 0 {
						break
					}
					queries[at].Identity = id
				}
			}
			rand.Shuffle(len(queries), func(i, j int) { queries[i], queries[j] = queries[j], queries[i] })
			i := 0
			for b.Loop() {
				r.Revoked(queries[i&(1<<16-1)])
				i++
			}
		})
	}
}

// BenchmarkLoad reads ten million ids from a file.
func BenchmarkLoad(b *testing.B) {
	const n = 10_000_000
	path := filepath.Join(b.TempDir(), "revocations")
	var buffer bytes.Buffer
	if err := errors.Join(manyIDs(n).Save(&buffer), os.WriteFile(path, buffer.Bytes(), 0o600)); err != nil {
		b.Fatal(err)
	}
	buffer = bytes.Buffer{}
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r := new(Revocations)
		if err := errors.Join(r.Load(f), f.Close()); err != nil || r.Len() != n {
			b.Fatal(err, r.Len())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/load")
}
