package door_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// follower is an application that may read the feed.
const follower = "follower"

func (w *world) addFollower() {
	w.addApplication(store.Application{
		ID: follower, Name: "Follower", Grants: []string{token.GrantClientCredentials}, Scopes: []string{"revocations"}, Audiences: []string{resource},
	})
}

// Revocations is broken with the rest of the store.
func (b *breakable) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	if err := b.err(); err != nil {
		return nil, err
	}
	return b.Store.Revocations(ctx, after, limit)
}

func clientCredentials() map[string][]string {
	return fields("grant_type", token.GrantClientCredentials)
}

func TestTheFeedTakesATokenThatIsBoundToAKeyWithItsProofAlone(t *testing.T) {
	w := newWorld(t)
	w.addFollower()
	key := newKey(t)
	raw := w.token(follower, clientCredentials(), w.proof(key, "POST", "/oauth2/token")).text("access_token")
	w.wantError(w.get(verifier.FeedPath, withBearer(raw)), http.StatusUnauthorized, "invalid_token")
	bound := withHeader("Authorization", "DPoP "+raw)
	w.wantError(w.get(verifier.FeedPath, bound), http.StatusUnauthorized, "invalid_token")
	w.wantError(w.get(verifier.FeedPath, bound, w.proof(newKey(t), "GET", verifier.FeedPath, ath(raw))), http.StatusUnauthorized, "invalid_token")
	a := w.get(verifier.FeedPath, bound, w.proof(key, "GET", verifier.FeedPath, ath(raw)))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/revocations+jwt" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s %v", a.status, a.body, a.header)
	}
}

func TestTheFeedIsForNoTokenOfAnotherResource(t *testing.T) {
	w := newWorld(t)
	w.addFollower()
	// With the scope the service itself is always among those that it is for.
	asked := clientCredentials()
	asked["resource"] = []string{resource}
	if a := w.get(verifier.FeedPath, withBearer(w.token(follower, asked).text("access_token"))); a.status != http.StatusOK {
		t.Errorf("with the scope: %d %s", a.status, a.body)
	}
	a := w.get(verifier.FeedPath, withBearer(w.token(machine, machineForm()).text("access_token")))
	if a.status != http.StatusForbidden && a.status != http.StatusUnauthorized {
		t.Errorf("another application's for another resource: %d %s", a.status, a.body)
	}
}

// TestAReplicaThatSeesNothingTellsNoOldHead has the store go, and with it what the
// service may say.
func TestAReplicaThatSeesNothingTellsNoOldHead(t *testing.T) {
	w := newWorld(t)
	w.addFollower()
	raw := w.token(follower, clientCredentials()).text("access_token")
	seen := func() float64 {
		w.Helper()
		a := w.get(verifier.FeedPath, withBearer(raw))
		parts := strings.Split(a.body, ".")
		if a.status != http.StatusOK || len(parts) != 3 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		w.do(err)
		var page struct{ Seen float64 }
		w.do(json.Unmarshal(text, &page))
		return page.Seen
	}
	w.clock.move(2 * time.Second)
	if s := seen(); s != 0 { // the store was looked at now
		t.Errorf("seen %v", s)
	}
	w.store.breakDown(true)
	w.clock.move(time.Second)
	if s := seen(); s != -1_000_000 { // as old as it may be, and it says so
		t.Errorf("seen %v", s)
	}
	w.clock.move(time.Microsecond)
	for _, header := range []string{"*/*", "text/event-stream"} {
		a := w.get(verifier.FeedPath, withBearer(raw), withHeader("Accept", header))
		if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || strings.Contains(a.body, "eyJ") {
			t.Errorf("%s: %d %s", header, a.status, a.body)
		}
	}
	w.store.breakDown(false)
	if s := seen(); s != 0 {
		t.Errorf("seen %v", s)
	}
}

func TestTooManyWhoWaitAreAnsweredAtOnce(t *testing.T) {
	w := newWorld(t)
	w.addFollower()
	raw := w.token(follower, clientCredentials()).text("access_token")
	var leave []func()
	for {
		l, ok := w.issuer.EnterFeed()
		if !ok {
			break
		}
		leave = append(leave, l)
	}
	began := time.Now()
	if a := w.get(verifier.FeedPath+"?wait=25s", withBearer(raw)); a.status != http.StatusOK || time.Since(began) > 5*time.Second {
		t.Errorf("after %s: %d %s", time.Since(began), a.status, a.body)
	}
	if a := w.get(verifier.FeedPath, withBearer(raw), withHeader("Accept", "text/event-stream")); a.status != http.StatusServiceUnavailable {
		t.Errorf("a stream: %d %s", a.status, a.body)
	}
	for _, l := range leave {
		l()
	}
	if l, ok := w.issuer.EnterFeed(); !ok {
		t.Error("there is no room after they have left")
	} else {
		l()
	}
}
