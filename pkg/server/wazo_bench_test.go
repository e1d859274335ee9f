package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

const (
	manyTokens = 1_000_000
	overTokens = 100_000
)

// BenchmarkHEAD compares, in one run and in turns, checks of opaque tokens by HEAD,
// drawn by chance from a million live ones in SQLite, with the floor: a bare handler
// that answers 204. cold is the first check of each token, for which the store is
// asked; log writes its line a request to a file.
func BenchmarkHEAD(b *testing.B) {
	w := newWazoBench(b, b.Context(), manyTokens)
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer bare.Close()
	const turn = 20_000
	next := 0
	cold := func(int) string { next++; return w.tokens[(next-1)%len(w.tokens)] }
	floor := load(b, bare.Listener.Addr().String(), turn, func(i int) string { return w.tokens[i] }, "")
	first := load(b, w.address, turn, cold, "")
	for _, raw := range w.tokens {
		if _, err := w.server.wazo.Check(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
	}
	chance := func(int) string { return w.tokens[rand.N(len(w.tokens))] }
	var plain, scoped, written, rates []float64
	for b.Loop() {
		floor := load(b, bare.Listener.Addr().String(), turn, chance, "")
		checked := load(b, w.address, turn, chance, "")
		allowed := load(b, w.address, turn, chance, "?scope=confd.users.me.read")
		w.log.on.Store(true)
		lines := load(b, w.address, turn, chance, "")
		w.log.on.Store(false)
		plain = append(plain, floor.Seconds()/checked.Seconds())
		scoped = append(scoped, floor.Seconds()/allowed.Seconds())
		written = append(written, floor.Seconds()/lines.Seconds())
		rates = append(rates, turn/checked.Seconds())
	}
	b.ReportMetric(floor.Seconds()/first.Seconds(), "cold/bare")
	b.ReportMetric(median(plain), "HEAD/bare")
	b.ReportMetric(median(scoped), "HEAD-with-scope/bare")
	b.ReportMetric(median(written), "HEAD-with-log/bare")
	b.ReportMetric(median(rates), "checks/s")
}

// BenchmarkCleaning compares the p99 of checks at a steady pace while tokens that are
// over are removed from the store with that of before, in one run.
func BenchmarkCleaning(b *testing.B) {
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	w := newWazoBench(b, ctx, 10_000)
	for b.Loop() {
		w.issue(b, overTokens, 1)
		time.Sleep(1100 * time.Millisecond)
		idle := w.pace(b, func(n int) bool { return n < 5000 })
		w.store.reset()
		began := time.Now()
		running, end := context.WithCancel(ctx)
		go w.server.Run(running)
		for !w.store.cleaning() {
			time.Sleep(time.Millisecond)
		}
		cleaning := w.pace(b, func(int) bool { return w.store.cleaning() })
		end()
		b.ReportMetric(idle.Seconds()*1000, "idle-p99-ms")
		b.ReportMetric(cleaning.Seconds()*1000, "cleaning-p99-ms")
		b.ReportMetric(cleaning.Seconds()/idle.Seconds(), "cleaning/idle")
		b.ReportMetric(time.Since(began).Seconds(), "s-with-the-wait")
		b.ReportMetric(float64(w.store.removed), "removed")
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// wazoBench is a service over SQLite with opaque tokens.
type wazoBench struct {
	server  *Server
	store   *watched
	log     *switched
	address string
	tokens  []string
}

func newWazoBench(b *testing.B, ctx context.Context, count int) *wazoBench {
	b.Helper()
	db, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(b.TempDir(), "store.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = file.Close() })
	w := &wazoBench{store: &watched{Store: db}, log: &switched{Handler: slog.NewJSONHandler(file, nil)}}
	c := Config{Store: w.store, Dialects: []string{"wazo"}, StaleAfter: time.Hour, Log: slog.New(w.log)}
	if w.server, err = New(ctx, c); err != nil {
		b.Fatal(err)
	}
	over := httptest.NewServer(w.server)
	b.Cleanup(over.Close)
	w.address = over.Listener.Addr().String()
	w.tokens = w.issue(b, count, 86400)
	return w
}

// switched is a log that is written to while it is on.
type switched struct {
	slog.Handler
	on atomic.Bool
}

func (s *switched) Enabled(context.Context, slog.Level) bool { return s.on.Load() }

// issue makes tokens of so many users that none has too many.
func (w *wazoBench) issue(b *testing.B, count int, ttl int64) []string {
	b.Helper()
	const clients = 64
	list := make([]string, count)
	var wait sync.WaitGroup
	for c := range clients {
		wait.Go(func() {
			for n := c; n < count; n += clients {
				user := store.User{Tenant: store.DefaultTenant, Name: fmt.Sprintf("user%d-%d", ttl, n/50), ACL: []string{"confd.users.me.read", "calld.#", "!calld.users.*.delete"}}
				door := w.server.wazo
				made, err := door.IssueOpaque(b.Context(), door.Tick(), issuer.OpaqueOrder{User: user, Backend: door.Backends()[0], TTL: ttl})
				if err != nil {
					b.Error(err)
					return
				}
				list[n] = made.Access.Reveal()
			}
		})
	}
	wait.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return list
}

// pace checks tokens over one connection, one every half millisecond, while more are
// wanted, and returns the p99.
func (w *wazoBench) pace(b *testing.B, more func(n int) bool) time.Duration {
	b.Helper()
	c := dial(b, w.address)
	defer c.close()
	var took []time.Duration
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for n := 0; more(n); n++ {
		<-tick.C
		began := time.Now()
		if err := c.head(w.tokens[rand.N(len(w.tokens))], ""); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	if len(took) < 200 {
		b.Fatalf("only %d checks while it lasted", len(took))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// load sends so many requests over 32 connections and returns how long they took.
func load(b *testing.B, address string, count int, pick func(i int) string, query string) time.Duration {
	b.Helper()
	const clients = 32
	paths := make([]string, count)
	for i := range paths {
		paths[i] = pick(i)
	}
	connections := make([]*connection, clients)
	for i := range connections {
		connections[i] = dial(b, address)
	}
	began := time.Now()
	var wait sync.WaitGroup
	for n, c := range connections {
		wait.Go(func() {
			for i := n; i < count; i += clients {
				if err := c.head(paths[i], query); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	took := time.Since(began)
	for _, c := range connections {
		c.close()
	}
	return took
}

// connection is a client that costs next to nothing.
type connection struct {
	conn net.Conn
	read *bufio.Reader
}

func dial(b *testing.B, address string) *connection {
	b.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	return &connection{c, bufio.NewReader(c)}
}

func (c *connection) close() { _ = c.conn.Close() }

func (c *connection) head(raw, query string) error {
	if _, err := c.conn.Write([]byte("HEAD /0.1/token/" + raw + query + " HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		return err
	}
	line, err := c.read.ReadSlice('\n')
	if err == nil && !bytes.HasPrefix(line, []byte("HTTP/1.1 204 ")) {
		return fmt.Errorf("answer %q", line)
	}
	for err == nil && len(line) > len("\r\n") {
		line, err = c.read.ReadSlice('\n')
	}
	return err
}

// watched tells when what is over is removed.
type watched struct {
	store.Store
	mu             sync.Mutex
	removed        int64
	started, ended bool
}

func (s *watched) Apply(ctx context.Context, commands ...store.Command) error {
	purge, ok := store.Purge{}, false
	if len(commands) == 1 {
		purge, ok = commands[0].(store.Purge)
	}
	if ok {
		s.mu.Lock()
		s.started = true
		s.mu.Unlock()
	}
	err := s.Store.Apply(ctx, commands...)
	if ok && err == nil && purge.Removed != nil {
		s.mu.Lock()
		s.removed += *purge.Removed
		s.ended = s.ended || *purge.Removed < int64(purge.Limit)
		s.mu.Unlock()
	}
	return err
}

func (s *watched) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started, s.ended, s.removed = false, false, 0
}

func (s *watched) cleaning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started && !s.ended
}
