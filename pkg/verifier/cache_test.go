package verifier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// cached counts the entries of a verifier's cache.
func cached(v *Verifier) (n int) {
	for i := range v.cache.shards {
		n += len(v.cache.shards[i].young) + len(v.cache.shards[i].old)
	}
	return n
}

func TestACachedTokenExpiresToTheMicrosecond(t *testing.T) {
	c := newFakeClock()
	v := newVerifier(t, func(v *Config) { v.Now, v.CacheBytes, v.Leeway = c.now, 1<<20, time.Second })
	raw := claimed(`{"exp":1700000001,"nbf":1700000001.4}`)
	for range 3 {
		accepts(t, v, raw)
	}
	if cached(v) != 1 {
		t.Fatalf("%d tokens are cached", cached(v))
	}
	c.advance(-100 * time.Millisecond)
	accepts(t, v, raw)
	c.advance(-time.Microsecond)
	refuses(t, v, raw, token.ErrNotYetValid)
	c.advance(100*time.Millisecond + time.Microsecond)
	accepts(t, v, raw)
	c.advance(1500*time.Millisecond - time.Microsecond)
	accepts(t, v, raw)
	c.advance(time.Microsecond)
	refuses(t, v, raw, token.ErrExpired)
	if cached(v) != 0 {
		t.Error("an expired token stays in the cache")
	}
}

func TestACachedTokenEndsWithItsKey(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a"))
	source := newSource(t, SourceConfig{URL: server.URL, Now: c.now})
	v := newVerifier(t, func(v *Config) { sourced(source, c)(v); v.CacheBytes = 1 << 20 })
	raw := longLived(t, "a") // one text: each signature is another token
	accepts(t, v, raw)
	accepts(t, v, raw)
	if cached(v) != 1 {
		t.Fatalf("%d tokens are cached", cached(v))
	}
	server.set(setOf(t, "b"))
	c.advance(5 * time.Minute)
	accepts(t, v, raw)
	source.wait.Wait()
	refuses(t, v, raw, token.ErrSignature)
}

func TestAnotherSpellingIsNotTakenFromTheCache(t *testing.T) {
	v := newVerifier(t, func(c *Config) { c.CacheBytes = 1 << 20 })
	raw := claimed(goodPayload)
	accepts(t, v, raw)
	for _, a := range structureAttacks() {
		refuses(t, v, a.raw, a.kind)
	}
	refuses(t, v, tampered(raw), token.ErrSignature)
	if cached(v) != 1 {
		t.Errorf("%d tokens are cached", cached(v))
	}
}

func TestAFloodOfTokensStaysWithinTheCachesBound(t *testing.T) {
	const bound = 8 << 20
	v := newVerifier(t, func(c *Config) { c.CacheBytes, c.Revocations = bound, new(Revocations) })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 40_000 {
		raw := claimed(fmt.Sprintf(`{"exp":1700000060,"sub":"marco","x":"%0*d"}`, rand.IntN(500), i))
		accepts(t, v, raw)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if n := cached(v); grown > bound || n < 2000 || n > 40_000/2 {
		t.Errorf("%d tokens are cached in %d bytes, the bound is %d", n, grown, bound)
	}
	runtime.KeepAlive(v)
}

func TestAFloodOfForgeriesChangesNothing(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a"))
	v := newVerifier(t, func(v *Config) {
		sourced(newSource(t, SourceConfig{URL: server.URL, Now: c.now}), c)(v)
		v.CacheBytes = 1 << 20
	})
	accepts(t, v, longLived(t, "a"))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	sig := strings.Repeat("A", 86)
	for i := range 50_000 {
		header := fmt.Sprintf(`{"alg":"ES256","kid":"%d","x":"%s"}`, i, strings.Repeat("x", i%1000))
		refuses(t, v, b64(header)+"."+b64(goodPayload)+"."+sig, token.ErrSignature)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	if seen := len(*v.headers.seen.Load()); cached(v) != 1 || seen != 1 || server.asked.Load() != 1 || grown > 1<<20 {
		t.Errorf("%d tokens, %d headers, %d requests, %d bytes", cached(v), seen, server.asked.Load(), grown)
	}
	runtime.KeepAlive(v)
}

func TestManyHeadersOfOneIssuerStayWithinABound(t *testing.T) {
	v := newVerifier(t, nil)
	for i := range 1000 {
		accepts(t, v, forged(fmt.Sprintf(`{"alg":"HS256","x":%d}`, i), goodPayload))
	}
	if n := len(*v.headers.seen.Load()); n > maxHeaders {
		t.Errorf("%d headers are remembered", n)
	}
	set, err := v.source.KeySet(t.Context(), nil)
	if _, remembered := v.headers.signers(b64(`{"alg":"HS256","x":999}`), set); err != nil || !remembered {
		t.Errorf("the last header is not among them: %v", err)
	}
}

func TestACacheHitLooksAtExpiryAndRevocationAndAllocatesNothing(t *testing.T) {
	r := manyIDs(1000)
	r.Add(Fact{Kind: RevokedSubject, Key: SubjectKey("default", "polo"), At: 1})
	v := newVerifier(t, func(c *Config) { c.CacheBytes, c.Revocations, c.Fresh = 1<<20, r, func() error { return nil } })
	raw := benchTokens(1)[0]
	accepts(t, v, raw)
	if n := testing.AllocsPerRun(1000, func() { accepts(t, v, raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAnOpaqueTokenIsAskedAboutAndRememberedForAStatedTime(t *testing.T) {
	c, asked := newFakeClock(), atomic.Int64{}
	var r Revocations
	v := newVerifier(t, func(v *Config) {
		v.Now, v.CacheBytes, v.CheckMaxAge, v.Revocations = c.now, 1<<20, 5*time.Second, &r
		v.Check = func(_ context.Context, raw string) (*token.Claims, error) {
			asked.Add(1)
			switch raw {
			case "good":
				return token.ParseClaims(`{"sub":"marco"}`)
			case "short":
				return token.ParseClaims(`{"sub":"marco","exp":1700000002.5}`)
			case "over":
				return token.ParseClaims(`{"sub":"marco","exp":1600000000}`)
			case "odd":
				return token.ParseClaims(`{"exp":"soon"}`)
			}
			return nil, token.ErrUnknown
		}
	})
	times := func(raw string, kind error, want int64) {
		t.Helper()
		before := asked.Load()
		for range 3 {
			if claims, err := v.Verify(t.Context(), raw); !errors.Is(err, kind) || (claims != nil) != (kind == nil) {
				t.Errorf("%q: %v, %v, want %v", raw, claims, err, kind)
			}
		}
		if n := asked.Load() - before; n != want {
			t.Errorf("%q was asked about %d times, want %d", raw, n, want)
		}
	}
	times("good", nil, 1)
	times("short", nil, 1)
	times("over", token.ErrExpired, 3)
	times("odd", token.ErrMalformed, 3)
	times("unknown", token.ErrUnknown, 3)
	times("", token.ErrMalformed, 0)
	times(strings.Repeat("x", token.MaxLength+1), token.ErrMalformed, 0)
	times(claimed(goodPayload), nil, 0)
	times("a.b.c", token.ErrMalformed, 0)
	c.advance(2 * time.Second)
	times("short", token.ErrExpired, 3)
	c.advance(3*time.Second - time.Microsecond)
	times("good", nil, 0)
	c.advance(time.Microsecond)
	times("good", nil, 1)
	r.Add(Fact{Kind: RevokedSubject, Key: SubjectKey("default", "marco"), At: testNow.UnixMicro()})
	times("good", token.ErrRevoked, 3)
	refuses(t, newVerifier(t, nil), "good", token.ErrMalformed) // nobody to ask
}
