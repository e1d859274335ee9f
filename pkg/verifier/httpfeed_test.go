package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAFeedTellsEveryKindOfFact(t *testing.T) {
	f := newFakeFeed(t)
	f.says("c1", strings.Join([]string{
		factText(RevokedToken, sixteen, 1, 2), factText(RevokedSession, sixteen, 1, 0), factText(RevokedSubject, SubjectKey("default", "marco"), 5, 0),
		factText(RevokedClient, SubjectKey("default", "app"), 6, 0), factText(RevokedTenant, "default", 7, 0), factText(RevokedAll, "", 8, 0),
	}, ","))
	var set Revocations
	feed := f.feed(t)
	next, err := feed.Next(t.Context(), "", &set)
	if err != nil || next != "c1" || set.Len() != 6 {
		t.Fatalf("%q, %v, %d facts", next, err, set.Len())
	}
	for _, q := range []Query{
		{Identity: [16]byte([]byte(sixteen)), IssuedAt: 9},
		{Session: [16]byte([]byte(sixteen)), IssuedAt: 9},
		{Subject: SubjectKey("default", "marco"), IssuedAt: 5},
		{Client: SubjectKey("default", "app"), IssuedAt: 6},
		{Tenant: "default", IssuedAt: 7},
		{IssuedAt: 8},
	} {
		if !set.Revoked(q) {
			t.Errorf("%+v is not revoked", q)
		}
	}
	if asOf, whole := feed.AsOf(); !whole || !asOf.Equal(testNow.Add(-20*time.Millisecond)) {
		t.Errorf("as of %s, %t", asOf, whole)
	}
}

// TestAnswersThatAreNotTheServersToThisRequestAreRefused has nothing of them taken
// and the cursor stay where it was.
func TestAnswersThatAreNotTheServersToThisRequestAreRefused(t *testing.T) {
	f := newFakeFeed(t)
	good := factText(RevokedToken, sixteen, 1, 2)
	var before string // an honest answer to another request of this feed
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		before = forged(feedHeader, f.page(r, "c1", good))
		_, _ = w.Write([]byte(before))
	})
	feed := f.feed(t)
	if _, err := feed.Next(t.Context(), "", new(Revocations)); err != nil {
		t.Fatal(err)
	}
	first := before
	if _, err := feed.Next(t.Context(), "c1", new(Revocations)); err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) func(*http.Request) string {
		return func(r *http.Request) string {
			page := f.page(r, "c2", good)
			changed := strings.Replace(page, old, with, 1)
			if changed == page {
				t.Fatalf("%q is not in %s", old, page)
			}
			return forged(feedHeader, changed)
		}
	}
	header := func(h string) func(*http.Request) string {
		return func(r *http.Request) string { return forged(h, f.page(r, "c2", good)) }
	}
	whole := func(r *http.Request) string { return forged(feedHeader, f.page(r, "c2", good)) }
	for name, answer := range map[string]func(*http.Request) string{
		"played back":            func(*http.Request) string { return before },
		"played back, the first": func(*http.Request) string { return first },
		"another server's":       replace(f.URL, "http://localhost:1"),
		"another tenant's":       replace(`"default"`, `"dev"`),
		"to another cursor":      replace(`"after":"c1"`, `"after":"c0"`),
		"without a nonce":        replace(`"nonce"`, `"nonsense"`),
		"without next":           replace(`"next"`, `"nixt"`),
		"with no time":           replace(`-20000`, `null`),
		"with a time of its own": replace(`-20000`, `9223372036854775807`),
		"more of the same": func(r *http.Request) string {
			return forged(feedHeader, strings.Replace(f.page(r, "c1", ""), "false", "true", 1))
		},
		"a member twice":        replace(`"head":9`, `"next":"c3"`),
		"a fact of no kind":     replace(`"token"`, `"tokens"`),
		"a fact cut short":      replace(`,2]`, `]`),
		"a key cut short":       replace(`MDEy`, ``),
		"a time below zero":     replace(`,1,2]`, `,-1,2]`),
		"one fact too broken":   replace(`]]}`, `],["token"]]}`),
		"facts that do not end": replace(`]]}`, `]}`),
		"a token":               header(jwtHeader),
		"an access token":       header(`{"alg":"HS256","typ":"at+jwt"}`),
		"signed by nobody":      header(`{"alg":"none","typ":"revocations+jwt"}`),
		"another's key":         header(`{"alg":"HS512","typ":"revocations+jwt"}`),
		"cut off":               func(r *http.Request) string { raw := whole(r); return raw[:len(raw)/2] },
		"one character lost":    func(r *http.Request) string { raw := whole(r); return raw[:len(raw)-1] },
		"with a line behind":    func(r *http.Request) string { return whole(r) + "\n" },
		"changed": func(r *http.Request) string {
			parts := strings.Split(whole(r), ".")
			return parts[0] + "." + b64(strings.Replace(f.page(r, "c2", good), ",1,2]", ",1,3]", 1)) + "." + parts[2]
		},
		"by another secret": func(r *http.Request) string {
			input := b64(feedHeader) + "." + b64(f.page(r, "c2", good))
			return input + "." + b64(hs256(input, strings.ToUpper(strongSecret)))
		},
		"nothing":               func(*http.Request) string { return "" },
		"a page":                func(*http.Request) string { return "<html>welcome</html>" },
		"larger than it may be": func(*http.Request) string { return strings.Repeat("a.", maxFeedAnswer) },
	} {
		f.answers(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(answer(r))) })
		var set Revocations
		next, err := feed.Next(t.Context(), "c1", &set)
		if _, whole := feed.AsOf(); err == nil || !errors.Is(err, token.ErrUnavailable) || next != "c1" || set.Len() != 0 || whole {
			t.Errorf("%s: %q, %v, %d facts taken", name, next, err, set.Len())
		}
		if errors.Is(err, token.ErrSignature) || errors.Is(err, token.ErrClaims) || errors.Is(err, token.ErrMalformed) {
			t.Errorf("%s is told as if it were about a token: %v", name, err)
		}
	}
	f.says("c2", good)
	if next, err := feed.Next(t.Context(), "c1", new(Revocations)); err != nil || next != "c2" {
		t.Errorf("an honest answer after these: %q, %v", next, err)
	}
}

func TestAFeedFollowsNoRedirection(t *testing.T) {
	f, elsewhere := newFakeFeed(t), newFakeFeed(t)
	elsewhere.answers(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("it was followed, with %q", r.Header.Get("Authorization"))
	})
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	_, err := f.feed(t).Next(t.Context(), "", new(Revocations))
	if err == nil || !strings.Contains(err.Error(), "307") || strings.Contains(err.Error(), "the-token") {
		t.Errorf("%v", err)
	}
}

func TestAFeedGetsAnotherTokenWhenItsOwnIsRefused(t *testing.T) {
	f := newFakeFeed(t)
	given := 0
	feed := f.feed(t, func(c *HTTPFeedConfig) {
		c.Token = func(context.Context) (string, error) { given++; return fmt.Sprint("token-", given), nil }
	})
	good := "Bearer token-1"
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != good {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(forged(feedHeader, f.page(r, "c1", ""))))
	})
	for _, c := range []struct {
		good  string
		given int
		ok    bool
	}{{"Bearer token-1", 1, true}, {"Bearer token-1", 1, true}, {"Bearer token-2", 2, true}, {"none", 3, false}} {
		good = c.good
		_, err := feed.Next(t.Context(), "c1", new(Revocations))
		if (err == nil) != c.ok || given != c.given || err != nil && !errors.Is(err, token.ErrDenied) {
			t.Errorf("%s: %v, %d tokens", c.good, err, given)
		}
	}
}

func TestACursorThatTheServerDoesNotKnowLeadsToTheBeginning(t *testing.T) {
	f := newFakeFeed(t)
	feed := f.feed(t)
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") != "" {
			w.WriteHeader(http.StatusGone)
			return
		}
		_, _ = w.Write([]byte(forged(feedHeader, f.page(r, "c1", factText(RevokedAll, "", 8, 0)))))
	})
	var set Revocations
	if next, err := feed.Next(t.Context(), "old", &set); err != nil || next != "" {
		t.Fatalf("%q, %v", next, err)
	}
	if next, err := feed.Next(t.Context(), "", &set); err != nil || next != "c1" || set.Len() != 1 {
		t.Fatalf("%q, %v", next, err)
	}
	// One that never knows its own cursors is not asked without a pause.
	f.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	if next, err := feed.Next(t.Context(), "c1", &set); err != nil || next != "" {
		t.Fatalf("%q, %v", next, err)
	}
	if _, err := feed.Next(t.Context(), "", &set); err == nil {
		t.Error("the beginning is not known either, and that is no error")
	}
}

func TestAFollowerOfAServerVouchesForAsLongAsItMay(t *testing.T) {
	f := newFakeFeed(t)
	var mu sync.Mutex
	now := testNow
	move := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	read := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	feed := f.feed(t, func(c *HTTPFeedConfig) { c.Now = read })
	follower, err := NewFollower(FollowerConfig{Feed: feed, Into: new(Revocations), Now: read})
	if err != nil {
		t.Fatal(err)
	}
	if follower.Fresh() == nil || follower.Lag() < time.Hour {
		t.Errorf("fresh before anything was read: lag %s", follower.Lag())
	}
	// The server's view is of 20 ms before the request came in; 300 ms later its
	// answer is here. How long that was on its way makes it no newer.
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		move(300 * time.Millisecond)
		_, _ = w.Write([]byte(forged(feedHeader, f.page(r, "c1", ""))))
	})
	if err := follower.Sync(t.Context()); err != nil || follower.Lag() != 320*time.Millisecond {
		t.Errorf("%v, lag %s", err, follower.Lag())
	}
	move(680 * time.Millisecond)
	if err := follower.Fresh(); err != nil {
		t.Errorf("after a second: %v", err)
	}
	move(time.Microsecond)
	if err := follower.Fresh(); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("after more than a second: %v", err)
	}
	// One that waited says so: its view is of then.
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		move(400 * time.Millisecond)
		_, _ = w.Write([]byte(forged(feedHeader, strings.Replace(f.page(r, "c1", ""), "-20000", "390000", 1))))
	})
	if err := follower.Sync(t.Context()); err != nil || follower.Lag() != 10*time.Millisecond {
		t.Errorf("%v, lag %s", err, follower.Lag())
	}
	// And none is of a time to come.
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(forged(feedHeader, strings.Replace(f.page(r, "c1", ""), "-20000", "390000", 1))))
	})
	if err := follower.Sync(t.Context()); err != nil || follower.Lag() != 0 {
		t.Errorf("%v, lag %s", err, follower.Lag())
	}
	// An outage: every try fails, and none makes it fresher.
	f.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	move(2 * time.Second)
	if follower.Sync(t.Context()) == nil || follower.Fresh() == nil || follower.Lag() != 2*time.Second {
		t.Errorf("lag %s in an outage", follower.Lag())
	}
}

func TestAFollowerPausesLongerTheOftenerItFails(t *testing.T) {
	f, err := NewFollower(FollowerConfig{Feed: silent{}, Into: new(Revocations)})
	if err != nil {
		t.Fatal(err)
	}
	if f.pause(0) != 100*time.Millisecond {
		t.Errorf("without failures %s", f.pause(0))
	}
	for failures, most := range map[int]time.Duration{1: 200 * time.Millisecond, 3: 800 * time.Millisecond, 5: 2 * time.Second, 1000: 2 * time.Second} {
		for range 100 {
			if p := f.pause(failures); p < most/2 || p > most {
				t.Fatalf("after %d failures %s, want %s to %s", failures, p, most/2, most)
			}
		}
	}
}

func TestAFeedIsRefusedThatCannotBeTrusted(t *testing.T) {
	give := func(context.Context) (string, error) { return "", nil }
	for _, c := range []HTTPFeedConfig{
		{URL: "http://auth.example.org", Token: give},
		{URL: "https://user@auth.example.org", Token: give},
		{URL: "https://auth.example.org/?tenant=dev", Token: give},
		{URL: "", Token: give},
		{URL: "https://auth.example.org"},
		{URL: "https://auth.example.org", Token: give, Wait: -1},
	} {
		if _, err := NewHTTPFeed(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// TestNamesThatAreNotInSubVoidAToken holds what the service writes into tokens of
// its doors against what it says to be revoked.
func TestNamesThatAreNotInSubVoidAToken(t *testing.T) {
	identity := func(iss, jti string) string { id := token.IdentityOf(iss, jti); return string(id[:]) }
	const tapis = `{"iss":"i","sub":"marco@default","exp":1700000060,"jti":"a","tapis/tenant_id":"default","tapis/username":"marco","tapis/account_type":`
	for _, c := range []struct {
		name, payload string
		fact          Fact
	}{
		{"tapis", tapis + `"user"}`, Fact{Kind: RevokedSubject, Key: "default\x00marco", At: 1700000000_000000}},
		{"a service of tapis", tapis + `"service"}`, Fact{Kind: RevokedSubject, Key: "default\x00\x00marco", At: 1700000000_000000}},
		{"an application of tapis", tapis + `"user","tapis/client_id":"app"}`, Fact{Kind: RevokedClient, Key: "default\x00app", At: 1700000000_000000}},
		{
			"ciphertrust", `{"iss":"kylo","sub":"local|u","exp":1700000060,"jwtid":"a","preferred_username":"marco"}`,
			Fact{Kind: RevokedSubject, Key: "default\x00marco", At: 1700000000_000000},
		},
		{
			"exchanged", `{"iss":"i","sub":"marco","exp":1700000060,"jti":"b","origin":[{"jti":"a"},{"jti":"z","iss":"o","client_id":"app"}]}`,
			Fact{Kind: RevokedToken, Key: identity("i", "a")},
		},
		{
			"exchanged at another door", `{"iss":"i","sub":"marco","exp":1700000060,"jti":"b","origin":[{"jti":"a"},{"jti":"z","iss":"o","client_id":"app"}]}`,
			Fact{Kind: RevokedToken, Key: identity("o", "z")},
		},
		{
			"exchanged by an application", `{"iss":"i","sub":"marco","exp":1700000060,"jti":"b","origin":[{"jti":"a"},{"jti":"z","iss":"o","client_id":"app"}]}`,
			Fact{Kind: RevokedClient, Key: "default\x00app", At: 1700000000_000000},
		},
	} {
		var set Revocations
		v := newVerifier(t, func(config *Config) { config.Revocations, config.CacheBytes = &set, 1<<20 })
		for range 2 { // the second time from memory
			if _, err := v.Verify(t.Context(), claimed(c.payload)); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		set.Add(c.fact)
		if _, err := v.Verify(t.Context(), claimed(c.payload)); !errors.Is(err, token.ErrRevoked) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	v := newVerifier(t, func(config *Config) { config.Revocations, config.Tenant = new(Revocations), "dev" })
	if _, err := v.Verify(t.Context(), claimed(tapis+`"user"}`)); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a token of a tenant whose revocations are not known: %v", err)
	}
}
