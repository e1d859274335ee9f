package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// service is what the replicas of a feed's tests are called together.
const service = "http://localhost:8081"

// replicas are servers over one store, and a network that leads to one of them.
type replicas struct {
	testing.TB
	list    []*world
	secret  string       // of the application that follows
	leads   atomic.Int64 // to which replica
	cut     atomic.Bool  // to none
	network *http.Client
}

func newReplicas(t testing.TB, n int, options ...func(*Config)) *replicas {
	t.Helper()
	return newReplicasOver(t, n, overSQLite(t), options...)
}

// overSQLite opens one file again and again.
func overSQLite(t testing.TB) func() store.Store {
	path := filepath.Join(t.TempDir(), "db")
	return func() store.Store {
		st, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
		return closing(t, st, err)
	}
}

// overPostgres starts a server and opens one database of it again and again.
func overPostgres(t testing.TB) func() store.Store {
	server := pgtest.Start(t)
	url := server.SocketURL(server.Database(t, ""))
	return func() store.Store {
		st, err := postgres.Open(t.Context(), postgres.Config{URL: url})
		return closing(t, st, err)
	}
}

func closing(t testing.TB, st store.Store, err error) store.Store {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// testMaster is the master key of all who share a store.
func testMaster() token.Secret {
	return token.NewSecret(base64.StdEncoding.EncodeToString(make([]byte, 32)))
}

// newReplicasOver has each open the store.
func newReplicasOver(t testing.TB, n int, open func() store.Store, options ...func(*Config)) *replicas {
	t.Helper()
	r := &replicas{TB: t}
	for range n {
		st := open()
		w := newWorld(t, append([]func(*Config){func(c *Config) {
			c.Store, c.PublicURL = st, service
			c.MasterKey = testMaster()
		}}, options...)...)
		w.store = st
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		over := make(chan struct{})
		go func() { defer close(over); w.server.Run(ctx) }()
		t.Cleanup(func() { w.server.Drain(); w.http.CloseClientConnections(); stop(); <-over })
		r.list = append(r.list, w)
	}
	r.secret = r.addFollower("follower", "revocations")
	r.network = r.client(&r.leads)
	return r
}

// client is a network of its own that leads to a replica.
func (r *replicas) client(leads *atomic.Int64) *http.Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		if r.cut.Load() {
			return nil, errors.New("the cable is cut")
		}
		c, err := new(net.Dialer).DialContext(ctx, "tcp", r.list[leads.Load()].http.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		return &cable{c, &r.cut}, nil
	}
	transport := &http.Transport{DialContext: dial}
	r.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// cable lets nothing through once it is cut.
type cable struct {
	net.Conn
	cut *atomic.Bool
}

func (c *cable) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.cut.Load() {
		c.Close()
		return 0, errors.New("the cable is cut")
	}
	return n, err
}

func (r *replicas) addFollower(id, scope string) string {
	r.Helper()
	_, secret, err := r.list[0].server.AddApplication(r.Context(), store.Application{
		ID: id, Name: id, Grants: []string{token.GrantClientCredentials, token.GrantPassword}, Scopes: strings.Fields(scope),
	})
	r.list[0].do(err)
	return secret.Reveal()
}

// credentials gets a token for an application.
func (r *replicas) credentials(ctx context.Context, id, secret string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	q, err := http.NewRequestWithContext(ctx, "POST", service+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := r.network.Do(q)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	var set struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(a.Body).Decode(&set); err != nil || set.Token == "" {
		return "", fmt.Errorf("no token: %s, %w", a.Status, err)
	}
	return set.Token, nil
}

// follow makes a verifier of the ats door's tokens that follows the feed.
func (r *replicas) follow(change ...func(*verifier.HTTPFeedConfig, *verifier.FollowerConfig)) (*verifier.Verifier, *verifier.Follower) {
	r.Helper()
	f := verifier.HTTPFeedConfig{
		URL: service, Client: r.network,
		Token: func(ctx context.Context) (string, error) { return r.credentials(ctx, "follower", r.secret) },
	}
	c := verifier.FollowerConfig{Into: new(verifier.Revocations)}
	for _, change := range change {
		change(&f, &c)
	}
	feed, err := verifier.NewHTTPFeed(f)
	r.list[0].do(err)
	r.Cleanup(feed.Close)
	c.Feed = feed
	follower, err := verifier.NewFollower(c)
	r.list[0].do(err)
	v, err := verifier.New(verifier.Config{
		Keys: []verifier.Key{{Algorithm: "HS256", Secret: token.NewSecret(testSecret)}}, Issuer: "ats.auth",
		Revocations: c.Into, Fresh: follower.Fresh, CacheBytes: 1 << 20,
	})
	r.list[0].do(err)
	return v, follower
}

// running has a follower follow to the end of the test.
func (r *replicas) running(f *verifier.Follower) {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.Context()))
	over := make(chan struct{})
	go func() { defer close(over); f.Run(ctx) }()
	r.Cleanup(func() { stop(); <-over })
	r.within(5*time.Second, "the first answer", func() bool { return f.Fresh() == nil })
}

func (r *replicas) within(most time.Duration, what string, done func() bool) time.Duration {
	r.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > most {
			r.Fatalf("%s: not within %s", what, most)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}
