package door_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestARefreshPutsANewPairInThePlaceOfTheOld(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	for _, app := range []string{byPassword, byPasswordPublic} {
		access, refresh := w.login(app)
		before, err := w.door.KeptByValue(t.Context(), token.NewSecret(access))
		w.do(err)
		w.wantError(w.renew(byPasswordToo, refresh), 400, `{"error":"invalid_grant"}`, "another application")
		a := w.renew(app, refresh)
		if a.status != http.StatusOK || a.member("scope") != "read write" || a.member("access_token") == access || a.member("refresh_token") == refresh {
			t.Fatalf("%s: %d %s", app, a.status, a.body)
		}
		if _, err := w.store.AccessToken(t.Context(), store.DefaultTenant, before.Number); err == nil {
			t.Errorf("%s: the old row is still there", app)
		}
		w.wantLive(access, false, "the old access token")
		w.wantLive(a.member("access_token"), true, "the new one")
		a = w.renew(app, a.member("refresh_token"), "scope=read")
		if a.status != http.StatusOK || a.member("scope") != "read" {
			t.Errorf("%s, narrower: %d %s", app, a.status, a.body)
		}
		last, lastRefresh := a.member("access_token"), a.member("refresh_token")
		w.wantError(w.renew(app, lastRefresh, "scope=read write"), 400, `{"error":"invalid_scope"}`, "wider")
		w.wantLive(last, true, "after a wider scope was refused")
		w.wantError(w.renew(app, refresh), 400, `{"error":"invalid_grant"}`, "reuse")
		w.wantLive(last, false, "the family, after reuse")
		w.wantError(w.renew(app, lastRefresh), 400, `{"error":"invalid_grant"}`, "the last of the family")
	}
}

func TestAConfidentialApplicationRefreshesWithItsSecretAlone(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	a := w.ask(awx.PathToken, "", "grant_type=refresh_token", "refresh_token="+refresh, "client_id="+byPassword)
	w.wantError(a, 401, `{"error":"invalid_client"}`, "without its secret")
	w.wantLive(access, true, "the token")
}

func TestOfParallelRefreshesOneWinsAndTheFamilyEnds(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	for range 5 {
		_, refresh := w.login(byPassword)
		answers := make([]told, 16)
		var wait sync.WaitGroup
		for n := range answers {
			wait.Go(func() { answers[n] = w.renew(byPassword, refresh) })
		}
		wait.Wait()
		won := 0
		for _, a := range answers {
			if a.status != http.StatusOK {
				w.wantError(a, 400, `{"error":"invalid_grant"}`, "one that lost")
				continue
			}
			won++
			w.wantLive(a.member("access_token"), false, "the winner's")
			w.wantError(w.renew(byPassword, a.member("refresh_token")), 400, `{"error":"invalid_grant"}`, "the winner's refresh token")
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	}
}

func TestRevokingEitherValueEndsBoth(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	for n, path := range []string{awx.PathRevoke, awx.PathRevokeToo, strings.TrimSuffix(awx.PathRevoke, "/")} {
		for _, hint := range []string{"", "access_token", "refresh_token", "id_token"} {
			app := []string{byPassword, byPasswordPublic}[n%2]
			for which := range 2 {
				access, refresh := w.login(app)
				a := w.ask(path, app, "token="+[]string{access, refresh}[which], "token_type_hint="+hint)
				if a.status != http.StatusOK || a.body != "" || a.header.Get("Content-Type") != "text/html; charset=utf-8" {
					t.Errorf("%s: %d %q %v", path, a.status, a.body, a.header)
				}
				w.wantLive(access, false, path+" "+hint)
				w.wantError(w.renew(app, refresh), 400, `{"error":"invalid_grant"}`, "refresh after "+path)
			}
		}
	}
}

func TestWhatIsNotItsOwnLivesOnAndTheApplicationIsToldNothing(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	personal, err := w.door.Keep(t.Context(), w.door.Tick(), store.AccessToken{Subject: "bob", Scope: "write"}, false)
	w.do(err)
	for name, value := range map[string]string{
		"access token": access, "refresh token": refresh, "personal token": personal.Access.Reveal(), "unknown": strings.Repeat("x", 30), "odd": "\x01é",
	} {
		for _, app := range []string{byPasswordToo, byPasswordPublic} {
			if a := w.ask(awx.PathRevoke, app, "token="+value); a.status != http.StatusOK || a.body != "" {
				t.Errorf("%s by %s: %d %s", name, app, a.status, a.body)
			}
		}
	}
	if a := w.ask(awx.PathRevoke, byPassword, "token="+personal.Access.Reveal()); a.status != http.StatusOK {
		t.Errorf("personal token: %d %s", a.status, a.body)
	}
	w.wantLive(access, true, "the other application's")
	w.wantLive(personal.Access.Reveal(), true, "the personal one")
	if a := w.renew(byPassword, refresh); a.status != http.StatusOK {
		t.Errorf("refresh: %d %s", a.status, a.body)
	}
	w.wantError(w.renew(byPassword, personal.Access.Reveal()), 400, `{"error":"invalid_grant"}`, "a refresh by a personal token")
}
