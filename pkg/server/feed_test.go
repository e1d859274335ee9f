package server

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

func TestAVerifierElsewhereRefusesWhatAReplicaRevoked(t *testing.T) {
	r := newReplicas(t, 2)
	r.list[0].addUser("marco")
	r.list[0].addUser("anna")
	var judges []*verifier.Verifier
	for i := range r.list {
		to := new(atomic.Int64)
		to.Store(int64(i))
		r.network = r.client(to)
		v, f := r.follow()
		r.running(f)
		judges = append(judges, v)
	}
	for round := range 6 {
		raw := r.list[0].login("marco").member(t, "token")
		other := r.list[1].login("anna").member(t, "token")
		w := r.list[round%2]
		switch round {
		case 4:
			w.do(w.server.RevokeUser(t.Context(), "", "marco"))
		case 5:
			w.do(w.server.RevokeEverything(t.Context()))
		default:
			for _, v := range judges {
				_, err := v.Verify(t.Context(), raw)
				w.do(err)
			}
			w.want(w.post("/user/logout", "", bearer(raw)...), http.StatusNoContent, "logout")
		}
		for i, v := range judges {
			var err error
			took := r.within(5*time.Second, "refused", func() bool {
				_, err = v.Verify(t.Context(), raw)
				return errors.Is(err, token.ErrRevoked)
			})
			t.Logf("round %d: revoked at %d, refused at %d after %s", round, round%2, i, took)
			if _, err := v.Verify(t.Context(), other); (err == nil) == (round == 5) {
				t.Errorf("round %d: anna's: %v", round, err)
			}
		}
	}
}

func TestAVerifierThatIsCutOffStopsVouchingAndCatchesUp(t *testing.T) {
	r := newReplicas(t, 1)
	w := r.list[0]
	w.addUser("marco")
	v, f := r.follow()
	r.running(f)
	stays, goes := w.login("marco").member(t, "token"), w.login("marco").member(t, "token")
	for _, raw := range []string{stays, goes} {
		_, err := v.Verify(t.Context(), raw)
		w.do(err)
	}
	r.cut.Store(true)
	w.want(w.post("/user/logout", "", bearer(goes)...), http.StatusNoContent, "logout")
	took := r.within(3*time.Second, "no more vouching", func() bool {
		_, err := v.Verify(t.Context(), stays)
		return errors.Is(err, token.ErrUnavailable)
	})
	if lag := f.Lag(); took > 1500*time.Millisecond || lag < time.Second {
		t.Errorf("it vouched for %s, lag %s", took, lag)
	}
	r.cut.Store(false)
	r.within(10*time.Second, "fresh again", func() bool { return f.Fresh() == nil })
	if _, err := v.Verify(t.Context(), stays); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if _, err := v.Verify(t.Context(), goes); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("what was revoked meanwhile: %v", err)
	}
}

// TestNoRevocationIsSkippedByAFollower has eight writers at two replicas, while a
// follower loses its connection, and the replica that it is led to, all the time.
func TestNoRevocationIsSkippedByAFollower(t *testing.T) {
	r := newReplicas(t, 2)
	r.list[0].addUser("marco")
	var set *verifier.Revocations
	_, f := r.follow(func(_ *verifier.HTTPFeedConfig, c *verifier.FollowerConfig) {
		set, c.Every = c.Into, time.Millisecond
	})
	r.running(f)
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	others.Go(func() {
		for tick := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-tick.C {
			r.leads.Add(1 - 2*r.leads.Load())
			r.network.CloseIdleConnections()
			r.list[r.leads.Load()].http.CloseClientConnections()
		}
	})
	const writers, each = 8, 150
	keys := make([][][16]byte, writers)
	var group sync.WaitGroup
	for n := range writers {
		group.Go(func() {
			w := r.list[n%2]
			for i := range each {
				key := [16]byte([]byte(fmt.Sprintf("writer %d, %06d", n, i)))
				err := w.store.Apply(t.Context(), store.Revoke{Revocation: store.Revocation{
					Kind: store.RevokeToken, Key: string(key[:]), At: time.Now().UnixMicro(), Until: time.Now().Add(time.Hour).UnixMicro(),
				}})
				if err != nil {
					t.Error(err)
					return
				}
				keys[n] = append(keys[n], key)
			}
		})
	}
	group.Wait()
	stop()
	others.Wait()
	held := func() (n int) {
		for _, list := range keys {
			for _, key := range list {
				if set.Revoked(verifier.Query{Identity: key}) {
					n++
				}
			}
		}
		return n
	}
	r.within(5*time.Second, "fresh", func() bool { return f.Fresh() == nil })
	r.within(3*time.Second, fmt.Sprintf("all of %d", writers*each), func() bool { return held() == writers*each })
}

// ask sends a request to the feed.
func (r *replicas) ask(raw, query string, headers ...string) answer {
	r.Helper()
	if raw != "" {
		headers = append(headers, bearer(raw)...)
	}
	return r.list[0].send("GET", verifier.FeedPath+query, "", headers...)
}

// payload is what a feed's answer says.
func (a answer) payload(t testing.TB) map[string]any {
	t.Helper()
	parts := strings.Split(a.body, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWS: %d %q", a.status, a.body)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var o map[string]any
	if err := errors.Join(err, json.Unmarshal(text, &o)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestTheFeedIsForApplicationsWithItsScope(t *testing.T) {
	r := newReplicas(t, 1)
	w := r.list[0]
	w.addUser("marco")
	good, err := r.credentials(t.Context(), "follower", r.secret)
	w.do(err)
	plain, err := r.credentials(t.Context(), "plain", r.addFollower("plain", "read"))
	w.do(err)
	users := w.post("/oauth2/token", url.Values{
		"grant_type": {"password"}, "client_id": {"follower"}, "client_secret": {r.secret}, "username": {"marco"}, "password": {testPassword},
	}.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	w.want(users, 200, "a user's token with the scope")
	head := r.head(good)
	other := head[:len(head)-1] + string('0'+(head[len(head)-1]-'0'+1)%10)
	for _, c := range []struct {
		name, raw, query string
		want             int
	}{
		{"an application with the scope", good, "", 200},
		{"nobody", "", "", 401},
		{"a token that is none", "x.y.z", "", 401},
		{"the scope is another", plain, "", 403},
		{"a user through an application with the scope", users.member(t, "access_token"), "", 403},
		{"a user of the ats door", w.login("marco").member(t, "token"), "", 403},
		{"a cursor that is none", good, "?after=x", 410},
		{"a cursor of another store", good, "?after=zzzz.1", 410},
		{"a cursor behind another fact", good, "?after=" + other, 410},
		{"a cursor behind this one", good, "?after=" + head, 200},
		{"a time that is none", good, "?wait=long", 400},
		{"a time of before", good, "?wait=-1s", 400},
		{"a nonce that says too much", good, "?nonce=%22", 400},
		{"the same twice", good, "?after=1&after=2", 400},
		{"a token in the URL", "", "?access_token=" + good, 401},
	} {
		w.want(r.ask(c.raw, c.query), c.want, c.name)
	}
	w.want(w.post(verifier.FeedPath, "", bearer(good)...), 405, "POST")
}

func TestTheFeedNamesNobodyOfAnotherTenant(t *testing.T) {
	r := newReplicas(t, 1)
	w := r.list[0]
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "dev", Algorithm: "ES256"}))
	for _, tenant := range []string{"", "dev"} {
		w.do(w.server.AddUser(t.Context(), store.User{Tenant: tenant, Name: "user of " + tenant}, token.NewPassword(testPassword)))
		w.do(w.server.RevokeUser(t.Context(), tenant, "user of "+tenant))
	}
	good, err := r.credentials(t.Context(), "follower", r.secret)
	w.do(err)
	r.within(2*time.Second, "the facts", func() bool {
		p := r.ask(good, "").payload(t)
		facts, _ := p["facts"].([]any)
		text := fmt.Sprint(facts...)
		if strings.Contains(text, base64.RawURLEncoding.EncodeToString([]byte("dev"))) || strings.Contains(text, "tenants") || strings.Contains(text, "keys") {
			t.Fatalf("it tells of another tenant: %s", text)
		}
		own := base64.RawURLEncoding.EncodeToString([]byte(verifier.SubjectKey("default", "user of ")))
		return strings.Contains(text, own) && p["more"] == false && p["tenant"] == "default"
	})
}

func TestAnAnswerOfTheFeedIsNoToken(t *testing.T) {
	r := newReplicas(t, 1)
	good, err := r.credentials(t.Context(), "follower", r.secret)
	r.list[0].do(err)
	a := r.ask(good, "?nonce=n1")
	r.list[0].want(r.ask(a.body, ""), 401, "an answer as a bearer token")
	source, err := verifier.NewSource(verifier.SourceConfig{Issuer: service, Client: r.network})
	r.list[0].do(err)
	defer source.Close()
	v, err := verifier.New(verifier.Config{Source: source, AnyAudience: true})
	r.list[0].do(err)
	if _, err := v.Verify(t.Context(), a.body); err == nil || !strings.Contains(err.Error(), "header typ") {
		t.Errorf("a verifier of tokens: %v", err)
	}
	if p := a.payload(t); p["nonce"] != "n1" || p["after"] != "" || p["iss"] != service || p["iat"] == nil {
		t.Errorf("it says %v", p)
	}
}

func TestARequestWaitsForFactsAndForNoLongerThanItSays(t *testing.T) {
	r := newReplicas(t, 1)
	w := r.list[0]
	good, err := r.credentials(t.Context(), "follower", r.secret)
	w.do(err)
	time.Sleep(150 * time.Millisecond) // what the world began with is read
	next, _ := r.ask(good, "").payload(t)["next"].(string)
	began := time.Now()
	p := r.ask(good, "?wait=300ms&after="+next).payload(t)
	if took := time.Since(began); took < 300*time.Millisecond || took > 3*time.Second || fmt.Sprint(p["facts"]) != "[]" || p["next"] != next {
		t.Errorf("after %s: %v", took, p)
	}
	answered := make(chan answer)
	go func() { answered <- r.ask(good, "?wait=25s&after="+next) }()
	time.Sleep(100 * time.Millisecond)
	began = time.Now()
	w.do(w.server.RevokeUser(t.Context(), "", "nobody"))
	if p := (<-answered).payload(t); len(p["facts"].([]any)) == 0 || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %v", time.Since(began), p)
	} else {
		t.Logf("answered after %s", time.Since(began))
	}
	next = r.head(good)
	go func() { answered <- r.ask(good, "?wait=25s&after="+next) }()
	time.Sleep(100 * time.Millisecond)
	w.do(w.server.RevokeEverything(t.Context()))
	w.want(<-answered, 401, "the token is revoked while it waits")
}

func TestWhoWaitsHoldsUpNoServerThatStops(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("", func(t *testing.T) {
		r := newReplicas(t, 1)
		good, err := r.credentials(t.Context(), "follower", r.secret)
		r.list[0].do(err)
		public := &http.Server{Handler: r.list[0].server, ReadTimeout: 500 * time.Millisecond, WriteTimeout: 500 * time.Millisecond}
		public.RegisterOnShutdown(r.list[0].server.Drain)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		r.list[0].do(err)
		go public.Serve(l)
		var group sync.WaitGroup
		for _, accept := range []string{"", "text/event-stream"} {
			group.Go(func() {
				q := httptest.NewRequest("GET", "http://"+l.Addr().String()+verifier.FeedPath+"?wait=25s&after="+r.head(good), nil)
				q.RequestURI = ""
				q.Header.Set("Authorization", "Bearer "+good)
				q.Header.Set("Accept", accept)
				c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				began := time.Now()
				a, err := c.Do(q)
				if err != nil {
					t.Errorf("%q: %v", accept, err)
					return
				}
				defer a.Body.Close()
				text, err := io.ReadAll(a.Body)
				// The server's own deadlines have long been over.
				if took := time.Since(began); err != nil || a.StatusCode != 200 || len(text) == 0 || took < 1200*time.Millisecond {
					t.Errorf("%q: %d, %v, %d bytes after %s", accept, a.StatusCode, err, len(text), took)
				}
			})
		}
		time.Sleep(1500 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if err := public.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		group.Wait()
	})
	goleak.VerifyNone(t, before)
}

// head is the last cursor, once all that was written is read.
func (r *replicas) head(good string) string {
	time.Sleep(150 * time.Millisecond)
	next, _ := r.ask(good, "").payload(r)["next"].(string)
	return next
}

func TestAStreamBeatsEachSecondAndTellsOfRevocationsAtOnce(t *testing.T) {
	r := newReplicas(t, 1)
	w := r.list[0]
	good, err := r.credentials(t.Context(), "follower", r.secret)
	w.do(err)
	q, err := http.NewRequestWithContext(t.Context(), "GET", w.http.URL+verifier.FeedPath+"?nonce=n2", nil)
	w.do(err)
	q.Header.Set("Authorization", "Bearer "+good)
	q.Header.Set("Accept", "text/event-stream")
	q.Header.Set("Last-Event-ID", r.head(good))
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := c.Do(q)
	w.do(err)
	defer a.Body.Close()
	in := bufio.NewScanner(a.Body)
	in.Buffer(nil, 1<<20)
	event := func() (id string, p map[string]any) {
		for in.Scan() && in.Text() != "" {
			if text, ok := strings.CutPrefix(in.Text(), "id: "); ok {
				id = text
			}
			if text, ok := strings.CutPrefix(in.Text(), "data: "); ok {
				p = answer{200, nil, text}.payload(t)
			}
		}
		if p == nil || p["nonce"] != "n2" || p["next"] != id {
			t.Fatalf("an event %q of %v: %v", id, p, in.Err())
		}
		return id, p
	}
	began := time.Now()
	event()
	event()
	if beat := time.Since(began); beat > 4*time.Second {
		t.Errorf("two events in %s", beat)
	}
	w.do(w.server.RevokeUser(t.Context(), "", "nobody"))
	began = time.Now()
	for {
		if _, p := event(); len(p["facts"].([]any)) > 0 {
			break
		}
	}
	if took := time.Since(began); took > 900*time.Millisecond {
		t.Errorf("told after %s", took)
	}
	// The bearer's own token: the stream ends with it.
	w.do(w.server.RevokeEverything(t.Context()))
	for in.Scan() {
		if time.Since(began) > 10*time.Second {
			t.Fatal("the stream goes on for a token that is void")
		}
	}
}

func TestAFollowerLeavesNothingBehind(t *testing.T) {
	r := newReplicas(t, 1)
	feed, err := verifier.NewHTTPFeed(verifier.HTTPFeedConfig{
		URL:   r.list[0].http.URL, // not what the server calls itself, and so with keys of its own
		Token: func(ctx context.Context) (string, error) { return r.credentials(ctx, "follower", r.secret) },
	})
	r.list[0].do(err)
	follower, err := verifier.NewFollower(verifier.FollowerConfig{Feed: feed, Into: new(verifier.Revocations), Every: time.Millisecond})
	r.list[0].do(err)
	before := goleak.IgnoreCurrent()
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	follower.Run(ctx)
	if follower.Fresh() == nil {
		t.Error("a server is believed that calls itself something else")
	}
	feed.Close()
	r.network.CloseIdleConnections()
	r.list[0].http.CloseClientConnections()
	goleak.VerifyNone(t, before)
}
