package server

import (
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// TestAVerifierThatBeginsIsToldAllByASnapshot has each page told by another replica, and
// something revoked before each: in parts that were told, and in others.
func TestAVerifierThatBeginsIsToldAllByASnapshot(t *testing.T) {
	r := newReplicas(t, 2)
	w := r.list[0]
	w.addUser("marco")
	const many = 120_000
	w.do(w.server.RevokeUser(t.Context(), "", "marco"))
	r.fill(many)
	set := new(verifier.Revocations)
	var asked, late int
	watch := &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
		if strings.HasPrefix(q.URL.Path, verifier.FeedPath) && asked < 20 {
			asked++
			for part := range 256 {
				w.do(w.store.Apply(t.Context(), lateFact(part, late)))
			}
			late++
			r.leads.Store(int64(asked % 2))
			r.network.CloseIdleConnections()
		}
		return r.network.Transport.RoundTrip(q)
	})}
	_, f := r.follow(func(h *verifier.HTTPFeedConfig, c *verifier.FollowerConfig) { h.Client, c.Into = watch, set })
	w.do(f.Sync(t.Context()))
	// 512 KiB of 20 bytes are 26,214 ids a page. The rest are the facts that came late.
	if asked < 6 || asked > 12 {
		t.Errorf("it asked %d times", asked)
	}
	// What came last the replica that was asked may not have read yet. What is missed
	// never comes.
	asked = 20
	r.within(5*time.Second, "the rest", func() bool { w.do(f.Sync(t.Context())); return set.Len() == many+256*late+1 })
	if count := set.Count(); count[verifier.RevokedToken] != many+256*late || count[verifier.RevokedSubject] != 1 {
		t.Errorf("it knows %v, not %d and %d late", count, many, 256*late)
	}
	for part := range 256 {
		for n := range late {
			if !set.Revoked(verifier.Query{Identity: lateKey(part, n)}) {
				t.Fatalf("late fact %d of part %d was missed", n, part)
			}
		}
	}
}

// fill revokes tokens, and waits until all replicas know.
func (r *replicas) fill(n int) {
	r.Helper()
	fill(r, r.list[0].store, n)
	for _, w := range r.list {
		r.within(5*time.Minute, "all is known", func() bool { return w.server.Stats().Core.Revocations[verifier.RevokedToken] >= n })
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func lateKey(part, n int) [16]byte { return [16]byte{byte(part), 0xff, byte(n), byte(n >> 8)} }

func lateFact(part, n int) store.Command {
	key := lateKey(part, n)
	return store.Revoke{Revocation: store.Revocation{
		Kind: store.RevokeToken, Key: string(key[:]), At: time.Now().UnixMicro(), Until: time.Now().Add(time.Hour).UnixMicro(),
	}}
}

// members are those of an answer, and no others.
func members(p map[string]any) string {
	var names []string
	for _, name := range []string{"iss", "tenant", "iat", "after", "nonce", "seen", "next", "head", "more", "tokens", "sessions", "facts"} {
		if _, ok := p[name]; ok {
			names = append(names, name)
			delete(p, name)
		}
	}
	for name := range p {
		names = append(names, "and "+name)
	}
	return strings.Join(names, " ")
}

func TestASnapshotIsForWhoAsksForItAtTheBeginning(t *testing.T) {
	r := newReplicas(t, 1)
	w := r.list[0]
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "dev", Algorithm: "ES256"}))
	for _, tenant := range []string{"", "dev"} {
		w.do(w.server.AddUser(t.Context(), store.User{Tenant: tenant, Name: "user of " + tenant}, token.NewPassword(testPassword)))
		w.do(w.server.RevokeUser(t.Context(), tenant, "user of "+tenant))
	}
	w.do(w.store.Apply(t.Context(), lateFact(1, 1)))
	good, err := r.credentials(t.Context(), "follower", r.secret)
	w.do(err)
	time.Sleep(150 * time.Millisecond) // the facts are read
	p := r.ask(good, "?snapshot=1&nonce=n1").payload(t)
	key := lateKey(1, 1)
	next, _ := p["next"].(string)
	ids, err := base64.RawURLEncoding.DecodeString(p["tokens"].(string))
	w.do(err)
	if len(ids) != 20 || string(ids[:16]) != string(key[:]) || p["more"] != true || p["sessions"] != "" || next != r.head(good) {
		t.Errorf("it says %v, the head is %s", p, r.head(good))
	}
	facts, _ := p["facts"].([]any)
	own := base64.RawURLEncoding.EncodeToString([]byte(verifier.SubjectKey("default", "user of ")))
	if len(facts) != 1 || facts[0].([]any)[1] != own {
		t.Errorf("the marks are %v", facts)
	}
	if got := members(p); got != "iss tenant iat after nonce seen next head more tokens sessions facts" {
		t.Errorf("its members: %s", got)
	}
	seq, at, _ := strings.Cut(next, ".")
	wrong := at[:len(at)-1] + string('0'+(at[len(at)-1]-'0'+1)%10)
	for _, c := range []struct {
		query string
		want  int
	}{
		{"?snapshot=1&after=" + next, 200},
		{"?snapshot=1&after=" + next + ".73", 200}, // 255
		{"?after=" + next + ".73", 410},
		{"?snapshot=1&after=" + next + ".74", 410},
		{"?snapshot=1&after=" + next + ".0", 410},
		{"?snapshot=1&after=" + next + ".-1", 410},
		{"?snapshot=1&after=" + next + ".01", 410},
		{"?snapshot=1&after=" + next + ".", 410},
		{"?snapshot=1&after=" + next + ".1.1", 410},
		{"?snapshot=1&after=" + seq + "." + wrong + ".1", 410},
		{"?snapshot=1&after=zzzzzz.1.1", 410},
		{"?snapshot=0", 400},
		{"?snapshot=1&snapshot=1", 400},
	} {
		w.want(r.ask(good, c.query), c.want, c.query)
	}
	for _, query := range []string{"", "?after=" + next, "?snapshot=1&after=" + next} {
		if got := members(r.ask(good, query).payload(t)); got != "iss tenant iat after seen next head more facts" {
			t.Errorf("%q: %s", query, got)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	q, err := http.NewRequestWithContext(ctx, "GET", w.http.URL+verifier.FeedPath+"?snapshot=1", nil)
	w.do(err)
	q.Header.Set("Authorization", "Bearer "+good)
	q.Header.Set("Accept", "text/event-stream")
	a, err := r.network.Do(q)
	w.do(err)
	defer a.Body.Close()
	event := make([]byte, 1<<16)
	n, err := a.Body.Read(event)
	w.do(err)
	_, data, _ := strings.Cut(strings.TrimSpace(string(event[:n])), "data: ")
	if got := members(answer{body: data}.payload(t)); got != "iss tenant iat after seen next head more facts" {
		t.Errorf("an event: %s", got)
	}
}

// TestAStoreThatWasReplacedDuringASnapshotIsReadFromTheBeginning leads a follower to
// the replica of another store after the first page.
func TestAStoreThatWasReplacedDuringASnapshotIsReadFromTheBeginning(t *testing.T) {
	r, other := newReplicas(t, 1), newReplicas(t, 1)
	r.fill(60_000)
	other.list[0].do(other.list[0].store.Apply(t.Context(), lateFact(9, 9)))
	r.list = append(r.list, other.list[0])
	var asked atomic.Int64
	set := new(verifier.Revocations)
	_, f := r.follow(func(h *verifier.HTTPFeedConfig, c *verifier.FollowerConfig) {
		c.Into = set
		h.Token = func(ctx context.Context) (string, error) {
			if r.leads.Load() == 1 {
				return other.credentials(ctx, "follower", other.secret)
			}
			return r.credentials(ctx, "follower", r.secret)
		}
		h.Client = &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
			if strings.HasPrefix(q.URL.Path, verifier.FeedPath) && asked.Add(1) == 2 {
				r.leads.Store(1)
				r.network.CloseIdleConnections()
			}
			return r.network.Transport.RoundTrip(q)
		})}
		h.Source = both(t, r, other)
	})
	r.within(20*time.Second, "what the other store knows", func() bool { return f.Sync(t.Context()) == nil })
	if !set.Revoked(verifier.Query{Identity: lateKey(9, 9)}) || set.Len() < 25_000 || asked.Load() < 4 {
		t.Errorf("it asked %d times and knows %d", asked.Load(), set.Len())
	}
}

// both are the keys of two services that are called the same.
func both(t *testing.T, list ...*replicas) verifier.KeySource {
	t.Helper()
	var keys []verifier.Key
	for _, r := range list {
		more, err := verifier.ParseKeys([]byte(r.list[0].send("GET", "/.well-known/jwks.json", "").body))
		r.list[0].do(err)
		keys = append(keys, more...)
	}
	set, err := verifier.NewKeySet(keys...)
	list[0].list[0].do(err)
	return set
}
