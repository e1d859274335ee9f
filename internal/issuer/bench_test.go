package issuer_test

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func benchWorld(b *testing.B) *world {
	b.Helper()
	return benchWorldOver(b, openSQLite(b, sqlitePath(b)))
}

func benchWorldOver(b *testing.B, s *hooked) *world {
	b.Helper()
	w := newWorldOver(b, s, signing.NewMaster(), newClock(), func(c *issuer.Config, _ *issuer.DoorConfig) {
		c.Now = nil
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	w.addUser("marco")
	return w
}

// share runs op b.N times by so many clients and reports operations a second.
func share(b *testing.B, clients int, op func(i int) error) {
	b.Helper()
	b.ResetTimer()
	began := time.Now()
	var group sync.WaitGroup
	for c := range clients {
		group.Go(func() {
			for i := c; i < b.N; i += clients {
				if err := op(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "ops/s")
	b.StopTimer()
}

// BenchmarkOperations is what each operation costs over SQLite, with argon2id
// at its least: what is measured is the core, not the hash. sign is the floor:
// the signature of one claim set alone.
func BenchmarkOperations(b *testing.B) {
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("sign/clients=%d", clients), func(b *testing.B) { benchmarkSign(b, clients) })
		b.Run(fmt.Sprintf("issue/clients=%d", clients), func(b *testing.B) {
			w := benchWorld(b)
			share(b, clients, func(int) error { return w.tryLogin(token.Request{}) })
		})
		b.Run(fmt.Sprintf("login-kept/clients=%d", clients), func(b *testing.B) {
			w := benchWorld(b)
			share(b, clients, func(int) error { return w.tryLogin(token.Request{Refresh: true}) })
		})
		b.Run(fmt.Sprintf("check/clients=%d", clients), func(b *testing.B) {
			w := benchWorld(b)
			raw := w.login("marco").AccessToken.Reveal()
			share(b, clients, func(int) error { _, err := w.door.Inspect(b.Context(), raw); return err })
		})
		b.Run(fmt.Sprintf("revoke/clients=%d", clients), func(b *testing.B) { benchmarkRevoke(b, benchWorld(b), clients) })
		b.Run(fmt.Sprintf("revoke-all/clients=%d", clients), func(b *testing.B) {
			w := benchWorld(b)
			share(b, clients, func(i int) error { return w.door.RevokeAllOf(b.Context(), fmt.Sprint("user", i%1000)) })
		})
		b.Run(fmt.Sprintf("refresh/clients=%d", clients), func(b *testing.B) { benchmarkRefresh(b, benchWorld(b), clients) })
	}
}

func benchmarkRevoke(b *testing.B, w *world, clients int) {
	tokens := make([]string, b.N)
	for i := range tokens {
		tokens[i] = w.login("marco").AccessToken.Reveal()
	}
	share(b, clients, func(i int) error { return w.door.Revoke(b.Context(), tokens[i]) })
}

func benchmarkRefresh(b *testing.B, w *world, clients int) {
	chains := make([]token.Set, clients)
	for i := range chains {
		chains[i] = w.loginRefresh("marco")
	}
	share(b, clients, func(i int) (err error) {
		c := i % clients // each client has a chain of its own
		chains[c], err = w.door.Refresh(b.Context(), chains[c].RefreshToken, token.Request{})
		return err
	})
}

func (w *world) tryLogin(want token.Request) error {
	_, err := w.door.Login(w.Context(), credentials("marco", pass), want)
	return err
}

func benchmarkSign(b *testing.B, clients int) {
	ring, err := signing.NewRing(time.Now(), signing.Key{ID: "k", Algorithm: "HS256", State: signing.Active, Secret: token.NewSecret(seedSecret)})
	if err != nil {
		b.Fatal(err)
	}
	w := newWorld(b)
	w.addUser("marco")
	payload := []byte(payloadOf(b, w.login("marco")))
	share(b, clients, func(int) error { _, err := ring.Sign(signing.Header{Type: "JWT"}, payload); return err })
}
