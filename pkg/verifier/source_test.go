package verifier

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeClock is a clock that a test moves.
type fakeClock struct{ at atomic.Int64 }

func newFakeClock() *fakeClock {
	c := &fakeClock{}
	c.at.Store(testNow.UnixMicro())
	return c
}

func (c *fakeClock) now() time.Time          { return time.UnixMicro(c.at.Load()) }
func (c *fakeClock) advance(d time.Duration) { c.at.Add(d.Microseconds()) }

// keyServer answers with a set that a test exchanges, and counts.
type keyServer struct {
	*httptest.Server
	mu     sync.Mutex
	answer func(http.ResponseWriter, *http.Request)
	asked  atomic.Int64
}

func newKeyServer(t *testing.T, set string) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.set(set)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) handle(h func(http.ResponseWriter, *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

func (s *keyServer) set(text string) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) })
}

func (s *keyServer) fail() {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
}

func newSource(t *testing.T, c SourceConfig) *Source {
	t.Helper()
	s, err := NewSource(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func setOf(t *testing.T, kidsOfP256 ...string) string {
	t.Helper()
	var list []string
	for _, kid := range kidsOfP256 {
		list = append(list, jwk(t, "P-256", `{`, `{"kid":"`+kid+`",`))
	}
	return `{"keys":[` + strings.Join(list, ",") + `]}`
}

func by(t *testing.T, kid string) string { return pairs()["P-256"].sign(t, "ES256", kid, goodPayload) }

// longLived is a token that outlives what the tests do to the clock.
func longLived(t *testing.T, kid string) string {
	return pairs()["P-256"].sign(t, "ES256", kid, `{"sub":"marco","exp":1900000000}`)
}

func sourced(s KeySource, c *fakeClock) func(*Config) {
	return func(v *Config) {
		v.Keys, v.Source = nil, s
		if c != nil {
			v.Now = c.now
		}
	}
}

func accepts(t testing.TB, v *Verifier, raw string) {
	t.Helper()
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Error(err)
	}
}

func TestANewKidIsLookedForAtMostOnceAnInterval(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a"))
	v := newVerifier(t, sourced(newSource(t, SourceConfig{URL: server.URL, Now: c.now}), c))
	accepts(t, v, by(t, "a"))
	server.set(setOf(t, "a", "b"))
	c.advance(9 * time.Second)
	for i := range 100 {
		refuses(t, v, by(t, "b"+strings.Repeat("x", i)), token.ErrSignature)
	}
	if n := server.asked.Load(); n != 1 {
		t.Errorf("asked %d times within the interval", n)
	}
	c.advance(time.Second)
	accepts(t, v, by(t, "b"))
	accepts(t, v, by(t, "a"))
	for i := range 100 {
		refuses(t, v, by(t, "c"+strings.Repeat("x", i)), token.ErrSignature)
	}
	if n := server.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestKeysAreLookedForAgainInTheBackground(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a", "b"))
	source := newSource(t, SourceConfig{URL: server.URL, Refresh: time.Minute, Now: c.now})
	v := newVerifier(t, sourced(source, c))
	accepts(t, v, longLived(t, "a"))
	release := make(chan struct{})
	server.handle(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.Write([]byte(setOf(t, "b")))
	})
	c.advance(time.Minute)
	accepts(t, v, longLived(t, "a")) // answered with the old keys while the new ones are under way
	close(release)
	source.wait.Wait()
	refuses(t, v, longLived(t, "a"), token.ErrSignature)
	accepts(t, v, longLived(t, "b"))
}

func TestKeysThatStayTheSameStayTheSameSet(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a"))
	source := newSource(t, SourceConfig{URL: server.URL, Now: c.now})
	one, err := source.KeySet(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c.advance(time.Hour)
	two, err := source.KeySet(t.Context(), one)
	if err != nil || one != two || server.asked.Load() != 2 {
		t.Errorf("%p, %p, %v, asked %d times", one, two, err, server.asked.Load())
	}
}

func TestStaleKeysServeThroughAnOutageUpToTheLimit(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a"))
	source := newSource(t, SourceConfig{URL: server.URL, MaxStale: time.Hour, Now: c.now})
	v := newVerifier(t, sourced(source, c))
	accepts(t, v, longLived(t, "a"))
	server.fail()
	for range 59 {
		c.advance(time.Minute)
		accepts(t, v, longLived(t, "a"))
		source.wait.Wait()
	}
	c.advance(time.Minute)
	_, err := v.Verify(t.Context(), longLived(t, "a"))
	var refusal *token.Refusal
	if !errors.Is(err, token.ErrUnavailable) || !errors.As(err, &refusal) || !strings.Contains(err.Error(), "500") {
		t.Errorf("after the limit: %v", err)
	}
	asked := server.asked.Load()
	_, err = v.Verify(t.Context(), longLived(t, "a"))
	if !errors.As(err, &refusal) || refusal.RetryAfter != 10*time.Second || server.asked.Load() != asked {
		t.Errorf("right after: %v, retry after %s, asked %d times", err, refusal.RetryAfter, server.asked.Load()-asked)
	}
	server.set(setOf(t, "a"))
	c.advance(10 * time.Second)
	accepts(t, v, longLived(t, "a"))
}

func TestABadAnswerChangesNothing(t *testing.T) {
	c, server := newFakeClock(), newKeyServer(t, setOf(t, "a"))
	source := newSource(t, SourceConfig{URL: server.URL, Now: c.now})
	v := newVerifier(t, sourced(source, c))
	accepts(t, v, longLived(t, "a"))
	for name, text := range map[string]string{
		"nothing": "", "HTML": "<html>", "no keys": `{"keys":[]}`, "a kid twice": setOf(t, "b", "b"),
		"too large": setOf(t, "b") + strings.Repeat(" ", maxKeyText), "cut off": setOf(t, "b")[:40],
	} {
		server.set(text)
		c.advance(10 * time.Second)
		refuses(t, v, longLived(t, "b"), token.ErrSignature)
		accepts(t, v, longLived(t, "a"))
		if source.err == nil {
			t.Errorf("%s: no error is kept", name)
		}
	}
}

func TestAKeyFileIsReadAgainWhenItChanges(t *testing.T) {
	c, file := newFakeClock(), filepath.Join(t.TempDir(), "keys.pem")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	source := newSource(t, SourceConfig{File: file, Now: c.now})
	v := newVerifier(t, sourced(source, c))
	refuses(t, v, longLived(t, ""), token.ErrUnavailable)
	write(spki(t, "P-256"))
	c.advance(time.Second)
	accepts(t, v, longLived(t, ""))
	write(spki(t, "P-384"))
	c.advance(5 * time.Second)
	accepts(t, v, longLived(t, "")) // and looks in the background
	source.wait.Wait()
	refuses(t, v, longLived(t, ""), token.ErrSignature)
	write("half a k")
	c.advance(5 * time.Second)
	refuses(t, v, longLived(t, ""), token.ErrSignature)
	source.wait.Wait()
	accepts(t, v, pairs()["P-384"].sign(t, "ES384", "", `{"exp":1900000000}`))
}

func TestACallerThatLeavesDoesNotEndTheLookOfOthers(t *testing.T) {
	server := newKeyServer(t, "")
	entered, release := make(chan struct{}), make(chan struct{})
	server.handle(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		w.Write([]byte(setOf(t, "a")))
	})
	source := newSource(t, SourceConfig{URL: server.URL})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := source.KeySet(ctx, nil)
		left <- err
	}()
	<-entered
	leave()
	if err := <-left; !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	done := make(chan error)
	for range 50 {
		go func() {
			_, err := source.KeySet(t.Context(), nil)
			done <- err
		}()
	}
	close(release)
	for range 50 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := server.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestCloseEndsALookUnderWay(t *testing.T) {
	server := newKeyServer(t, "")
	entered := make(chan struct{})
	server.handle(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	source := newSource(t, SourceConfig{URL: server.URL})
	ended := make(chan error)
	go func() {
		_, err := source.KeySet(context.Background(), nil)
		ended <- err
	}()
	<-entered
	source.Close()
	if err := <-ended; !errors.Is(err, token.ErrUnavailable) {
		t.Error(err)
	}
	if _, err := source.KeySet(t.Context(), nil); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("after Close: %v", err)
	}
}
