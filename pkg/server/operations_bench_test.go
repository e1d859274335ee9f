//go:build unix

package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// operation is what is asked for over many connections.
type operation struct {
	name  string
	least least // what a bare handler does for it
	turn  int   // requests; default 2000
	door  func(*Server) http.Handler
	ask   func(s *site, n int) []string       // requests to send in turn, made beforehand
	next  func(s *site, answer []byte) string // the request that follows from an answer; nil: the next of ask
	want  string                              // in each answer
}

func operations() []operation {
	return []operation{
		{name: "issue-opaque", least: least{writes: true}, ask: (*site).askOpaque, want: `"token":`},
		{name: "issue-jwt", least: least{signs: true}, ask: (*site).askJWT, want: `"access_token":`},
		{name: "check-jwt", least: least{verifies: true}, ask: (*site).askAbout, want: `"active":true`},
		{name: "refresh", least: least{writes: true, signs: true}, ask: (*site).askAgain, next: (*site).askNext, want: `"refresh_token":`},
		{name: "revoke-login", least: least{writes: true}, ask: (*site).askEnds},
		{name: "revoke-token", least: least{verifies: true, writes: true}, ask: (*site).askVoid},
		{name: "jwks", turn: 20_000, ask: askFor("/.well-known/jwks.json"), want: `"keys":`},
		{name: "healthz", turn: 20_000, door: (*Server).Health, ask: askFor("/healthz"), want: "ok"},
	}
}

// BenchmarkOverHTTP measures operations over 32 connections, over SQLite on the disk,
// in turns with a floor: a bare handler that does the least of it, which signs,
// verifies or makes a row durable and answers with 1 KB. x-floor is how many times as
// many of them a second; cpu-us is what one takes of a core, the client's part included,
// and cpu/floor how many times as much that is.
func BenchmarkOverHTTP(b *testing.B) {
	benchmarkOperations(b, operations(), openBench)
}

func openBench(b *testing.B) store.Store {
	b.Helper()
	s, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(b.TempDir(), "store.db")})
	return opened(b, s, err)
}

// BenchmarkOverPostgreSQL is that of BenchmarkOverHTTP in which the store has a part,
// with its server on the same machine.
func BenchmarkOverPostgreSQL(b *testing.B) {
	pg := pgtest.Start(b)
	var stored []operation
	for _, o := range operations() {
		if o.least.writes {
			stored = append(stored, o)
		}
	}
	benchmarkOperations(b, stored, func(b *testing.B) store.Store {
		s, err := postgres.Open(b.Context(), postgres.Config{URL: pg.SocketURL(pg.Database(b, ""))})
		return opened(b, s, err)
	})
}

func opened[S interface {
	store.Store
	Close() error
}](b *testing.B, s S, err error) store.Store {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func benchmarkOperations(b *testing.B, list []operation, open func(*testing.B) store.Store) {
	for _, o := range list {
		b.Run(o.name, func(b *testing.B) {
			s, floor := newSite(b, open(b), o.door), serveBench(b, o.least.handler(b, open(b)))
			turn := cmp.Or(o.turn, 2000)
			var rates, floors, ratios, costs, shares []float64
			for b.Loop() {
				requests := o.ask(s, turn)
				bare := drive(b, floor, turn, requests, nothing)
				ours := drive(b, s.address, turn, requests, func(answer []byte) (string, error) { return o.heard(s, answer) })
				rates, floors = append(rates, float64(turn)/ours.took.Seconds()), append(floors, float64(turn)/bare.took.Seconds())
				ratios = append(ratios, bare.took.Seconds()/ours.took.Seconds())
				costs = append(costs, float64(ours.cpu.Microseconds())/float64(turn))
				shares = append(shares, ours.cpu.Seconds()/bare.cpu.Seconds())
			}
			b.ReportMetric(median(rates), o.name+"/s")
			b.ReportMetric(median(floors), "floor/s")
			b.ReportMetric(median(ratios), "x-floor")
			b.ReportMetric(median(costs), "cpu-us")
			b.ReportMetric(median(shares), "cpu/floor")
		})
	}
}

// heard judges an answer, and gives the request that follows from it.
func (o operation) heard(s *site, answer []byte) (next string, err error) {
	if !bytes.Contains(answer, []byte(o.want)) {
		return "", fmt.Errorf("answer %q without %s", answer, o.want)
	}
	if o.next == nil {
		return "", nil
	}
	return o.next(s, answer), nil
}

func nothing([]byte) (string, error) { return "", nil }

// site is a service that follows its store, and an application that asks.
type site struct {
	testing.TB
	server  *Server
	address string
	secret  string
	users   int
}

const benchApplication = "machine"

func newSite(b *testing.B, st store.Store, door func(*Server) http.Handler) *site {
	b.Helper()
	server, err := New(b.Context(), Config{Store: st, Dialects: []string{"ats", "oauth2", "wazo"}, PasswordCost: PasswordCost{KiB: 8, Passes: 1}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	over := make(chan struct{})
	go func() { defer close(over); server.Run(ctx) }()
	b.Cleanup(func() { stop(); <-over })
	_, secret, err := server.AddApplication(b.Context(), store.Application{
		ID: benchApplication, Name: benchApplication, Grants: []string{token.GrantClientCredentials, token.GrantPassword, token.GrantRefreshToken},
	})
	if err != nil {
		b.Fatal(err)
	}
	handler := http.Handler(server)
	if door != nil {
		handler = door(server)
	}
	return &site{TB: b, server: server, secret: secret.Reveal(), address: serveBench(b, handler)}
}

func serveBench(b *testing.B, h http.Handler) (address string) {
	over := httptest.NewServer(h)
	b.Cleanup(over.Close)
	return over.Listener.Addr().String()
}

func askFor(path string) func(*site, int) []string {
	return func(*site, int) []string { return []string{"GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n"} }
}

// askOpaque asks for tokens of new users, so that none has too many.
func (s *site) askOpaque(n int) []string {
	first := s.users
	s.users += max(1, n/50)
	together(s.users-first, func(i int) {
		u := store.User{Name: fmt.Sprint("user", first+i), ACL: []string{"confd.users.me.read", "calld.#", "!calld.users.*.delete"}}
		if err := s.server.AddUser(s.Context(), u, token.NewPassword(testPassword)); err != nil {
			s.Error(err)
		}
	})
	requests := make([]string, n)
	for i := range requests {
		name := fmt.Sprint("user", first+i%(s.users-first))
		requests[i] = post("/0.1/token", "application/json", "{}", base64.StdEncoding.EncodeToString([]byte(name+":"+testPassword)))
	}
	return requests
}

// askJWT asks for tokens of the application's own.
func (s *site) askJWT(int) []string {
	return []string{s.form("/oauth2/token", "grant_type", token.GrantClientCredentials)}
}

// askAbout asks about tokens, each of which is seen once.
func (s *site) askAbout(n int) []string {
	return s.each(n, issuer.Order{}, func(set token.Set) string {
		return s.form("/oauth2/introspect", "token", set.AccessToken.Reveal())
	})
}

// askVoid asks to void access tokens, of which nothing is stored.
func (s *site) askVoid(n int) []string {
	return s.each(n, issuer.Order{}, func(set token.Set) string {
		return s.form("/oauth2/revoke", "token", set.AccessToken.Reveal())
	})
}

// askEnds asks to end logins that are kept.
func (s *site) askEnds(n int) []string {
	return s.each(n, issuer.Order{Subject: "marco", Refresh: true}, func(set token.Set) string {
		return s.form("/oauth2/revoke", "token", set.RefreshToken.Reveal())
	})
}

// askAgain asks for the first refresh of a login for each connection.
func (s *site) askAgain(int) []string {
	return s.each(benchClients, issuer.Order{Subject: "marco", Refresh: true}, func(set token.Set) string {
		return s.form("/oauth2/token", "grant_type", token.GrantRefreshToken, "refresh_token", set.RefreshToken.Reveal())
	})
}

// askNext asks for the refresh that follows.
func (s *site) askNext(answer []byte) string {
	var set struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(answer, &set); err != nil {
		s.Error(err)
	}
	return s.form("/oauth2/token", "grant_type", token.GrantRefreshToken, "refresh_token", set.RefreshToken)
}

// form is a request of the application's; parameters are name, value, name, value.
func (s *site) form(path string, parameters ...string) string {
	form := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	basic := base64.StdEncoding.EncodeToString([]byte(benchApplication + ":" + url.QueryEscape(s.secret)))
	return post(path, "application/x-www-form-urlencoded", form.Encode(), basic)
}

func post(path, kind, body, basic string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		path, basic, kind, len(body), body)
}

// each makes a request of each of n tokens.
func (s *site) each(n int, o issuer.Order, request func(token.Set) string) []string {
	o.Subject, o.Client, o.Grant = cmp.Or(o.Subject, benchApplication), benchApplication, token.GrantClientCredentials
	requests := make([]string, n)
	together(n, func(i int) {
		set, err := s.server.oauth2.Issue(s.Context(), s.server.oauth2.Tick(), o)
		if err != nil {
			s.Error(err)
			return
		}
		requests[i] = request(set)
	})
	if s.Failed() {
		s.FailNow()
	}
	return requests
}
