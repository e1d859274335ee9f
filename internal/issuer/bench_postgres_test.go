package issuer_test

import (
	"fmt"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// BenchmarkOverPostgreSQL is that of BenchmarkOperations in which the store has a part,
// with the server on the same machine.
func BenchmarkOverPostgreSQL(b *testing.B) {
	server := pgtest.Start(b)
	open := func(b *testing.B) *world {
		b.Helper()
		s, err := postgres.Open(b.Context(), postgres.Config{URL: server.SocketURL(server.Database(b, ""))})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return benchWorldOver(b, &hooked{Store: s})
	}
	for _, clients := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("login-kept/clients=%d", clients), func(b *testing.B) {
			w := open(b)
			share(b, clients, func(int) error { return w.tryLogin(token.Request{Refresh: true}) })
		})
		b.Run(fmt.Sprintf("revoke/clients=%d", clients), func(b *testing.B) { benchmarkRevoke(b, open(b), clients) })
		b.Run(fmt.Sprintf("refresh/clients=%d", clients), func(b *testing.B) { benchmarkRefresh(b, open(b), clients) })
	}
}
