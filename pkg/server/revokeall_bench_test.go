//go:build unix

package server

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// BenchmarkRevokeAll is how long a user waits who ends everything, by what the user
// has: access tokens, of which nothing is stored, however many there are; logins that
// are kept; tokens that are rows. x-floor is how many times as long as it takes to make
// one row durable in the same store, over HTTP too.
func BenchmarkRevokeAll(b *testing.B) {
	for _, has := range []struct {
		name  string
		count int64
		give  func(s *site, st store.Store, turn, count int64) (user string)
	}{
		{"tokens", 1_000_000, (*site).giveTokens},
		{"logins", 1000, giveRows(keptLogin)},
		{"rows", 1000, giveRows(keptRow)},
	} {
		b.Run(fmt.Sprintf("%s=%d", has.name, has.count), func(b *testing.B) {
			st := openBench(b)
			s := newSite(b, st, nil)
			ours, floor := dial(b, s.address), dial(b, serveBench(b, least{writes: true}.handler(b, st)))
			defer ours.close()
			defer floor.close()
			var waits, ratios []float64
			for turn := int64(0); b.Loop(); turn++ {
				user := has.give(s, st, turn, has.count)
				request := s.endAll(user)
				bare := s.timed(floor, request)
				took := s.timed(ours, request)
				waits, ratios = append(waits, took.Seconds()*1000), append(ratios, took.Seconds()/bare.Seconds())
			}
			b.ReportMetric(median(waits), "ms")
			b.ReportMetric(median(ratios), "x-floor")
		})
	}
}

// giveTokens issues tokens to one user, at the first turn.
func (s *site) giveTokens(_ store.Store, turn, count int64) (user string) {
	if turn == 0 {
		together(int(count), func(int) { s.token("marco") })
	}
	return "marco"
}

// giveRows makes rows of a user of that turn.
func giveRows(row func(user string, number int64) store.Command) func(*site, store.Store, int64, int64) string {
	return func(s *site, st store.Store, turn, count int64) string {
		user := fmt.Sprint("user", turn)
		rows := make([]store.Command, count)
		for i := range rows {
			rows[i] = row(user, turn*count+int64(i))
		}
		s.do(st.Apply(s.Context(), rows...))
		return user
	}
}

func keptLogin(user string, number int64) store.Command {
	s := store.Session{Accessor: fmt.Sprint(number), Tenant: store.DefaultTenant, Subject: user, Door: "ats", CreatedAt: 1, AccessTTL: 3600}
	binary.BigEndian.PutUint64(s.ID[:], uint64(number+1))
	return store.CreateSession{Session: s}
}

func keptRow(user string, _ int64) store.Command {
	return store.CreateAccessToken{AccessToken: store.AccessToken{Tenant: store.DefaultTenant, Door: "awx", Subject: user, Scope: "write", CreatedAt: 1}}
}

// endAll is how a user ends everything at the ats door.
func (s *site) endAll(user string) string {
	return fmt.Sprintf("POST /user/logout_all HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}", s.token(user))
}

// token is one of the ats door's.
func (s *site) token(user string) string {
	set, err := s.server.ats.Issue(s.Context(), s.server.ats.Tick(), issuer.Order{Subject: user})
	if err != nil {
		s.Error(err)
	}
	return set.AccessToken.Reveal()
}

func (s *site) timed(c *connection, request string) time.Duration {
	began := time.Now()
	_, err := c.ask(request)
	s.do(err)
	return time.Since(began)
}

func (s *site) do(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}
