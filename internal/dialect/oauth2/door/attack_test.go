package door_test

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ats"
	"github.com/ats-auth/ats-auth/internal/throttle"
)

// startFrom asks for a device code from a source.
func (w *world) startFrom(source string, form url.Values) answer {
	w.Helper()
	r := httptest.NewRequest(http.MethodPost, w.url+"/oauth2/device_authorization", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r.WithContext(dialect.WithSource(r.Context(), source)))
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

func TestASourceThatBeginsManyDevicesAtOnceIsSlowedAndNoOther(t *testing.T) {
	w := newWorld(t)
	form := fields("client_id", tv)
	want := func(source string, status int, what string) {
		t.Helper()
		a := w.startFrom(source, form)
		if a.status != status {
			t.Errorf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
		if slowed := status == http.StatusTooManyRequests; slowed && (a.header.Get("Retry-After") != "1" || a.failure() == "" || a.text("device_code") != "") {
			t.Errorf("%s: Retry-After %q, %s", what, a.header.Get("Retry-After"), a.body)
		}
	}
	for i := range 60 {
		want("192.0.2.1", 200, fmt.Sprintf("device %d", i+1))
	}
	want("192.0.2.1", 429, "device 61")
	want("192.0.2.2", 200, "another source")
	w.clock.move(time.Second)
	want("192.0.2.1", 200, "after a second")
	want("192.0.2.1", 429, "a second one after a second")
}

func TestSourcesThatBeginDevicesAreNotAllRemembered(t *testing.T) {
	w := newWorld(t)
	form := fields("client_id", tv, "scope", "admin") // refused, after its source was looked at
	for i := range 25_000 {
		if a := w.startFrom(fmt.Sprintf("2001:db8::%x", i), form); a.failure() != "invalid_scope" {
			t.Fatalf("source %d: %d %s", i, a.status, a.body)
		}
		if n := w.handler.Paced(); n > 10_000 || n == 0 {
			t.Fatalf("after source %d: %d are remembered", i, n)
		}
	}
}

func TestAnAdministratorIsToldThatAnApplicationReachesEveryUser(t *testing.T) {
	const told = "every user"
	for user, wide := range map[string]bool{"ada": true, "marco": false} {
		w := newWorld(t)
		b := w.person().login(user)
		for scope, wide := range map[string]bool{"account read": wide, "read": false} {
			device := w.startDevice(tv, "scope", scope)
			for name, a := range map[string]answer{
				"consent": b.get(authorizeTarget(authorization(web, "scope", scope))),
				"device":  b.get("/device?user_code=" + device.text("user_code")),
			} {
				if a.status != http.StatusOK || !strings.Contains(a.body, `name="decision"`) {
					t.Fatalf("%s is not asked at the %s page: %d %s", user, name, a.status, a.body)
				}
				if strings.Contains(a.body, told) != wide {
					t.Errorf("%s, asked for %q at the %s page, is told of %s: %t", user, scope, name, told, !wide)
				}
			}
		}
	}
}

func TestANonceCannotBeMadeOfAFormTokenByChoiceOfTheCookie(t *testing.T) {
	w, key := newWorld(t), newKey(t)
	ask := func(nonce string) answer {
		return w.post("/oauth2/token", machineForm(), w.as(machine), w.proof(key, "POST", "/oauth2/token", claim("nonce", nonce)))
	}
	stamp := encode64(binary.BigEndian.AppendUint64(nil, uint64(w.clock.Now().UnixMicro())))
	for _, cookie := range []string{"nonce " + stamp, "nonce:" + stamp, ":" + stamp, " " + stamp, stamp} {
		page := w.get("/login", withHeader("Cookie", "__Host-ats_visitor="+cookie))
		mac := w.form(page, "/login").fields.Get("csrf")
		if strings.TrimSpace(cookie) == cookie && mac != w.issuer.FormToken(cookie) {
			t.Fatalf("the form token is not that of the cookie %q", cookie)
		}
		w.wantError(ask(stamp+"."+mac), 400, "use_dpop_nonce")
	}
	ours := ask("theirs").header.Get("DPoP-Nonce")
	if a := ask(ours); !strings.HasPrefix(ours, stamp+".") || a.status != http.StatusOK {
		t.Errorf("the service's own %q: %d %s", ours, a.status, a.body)
	}
}

// fewGuesses lets five wrong ones through.
func fewGuesses(s *settings) { s.throttle = throttle.Config{Attempts: 5} }

func TestAGoodUserCodeForgivesNoWrongGuesses(t *testing.T) {
	w := newWorld(t, fewGuesses)
	b := w.person().login("marco")
	status := map[int]int{}
	for range 12 {
		good := w.startDevice(tv).text("user_code")
		if a := b.submit(b.get("/device"), "/device", "user_code", good); a.status != http.StatusOK && a.status != http.StatusTooManyRequests {
			t.Fatalf("a good code: %d %s", a.status, a.body)
		}
		status[b.decideDevice("BBBB-BBBB", "allow").status]++
	}
	if status[http.StatusNotFound] == 0 || status[http.StatusNotFound] > 5 || status[http.StatusTooManyRequests] == 0 {
		t.Errorf("wrong codes between good ones were answered %v", status)
	}
}

func TestALinkOfAnotherSiteFillsInTheDeviceFormAndSpendsNoGuess(t *testing.T) {
	w := newWorld(t, fewGuesses)
	b := w.person().login("marco")
	started := w.startDevice(tv)
	for _, code := range []string{"BBBB-BBBB", started.text("user_code")} {
		for range 12 {
			a := b.get("/device?user_code="+code, withHeader("Sec-Fetch-Site", "cross-site"))
			if a.status != http.StatusOK || strings.Contains(a.body, `name="decision"`) || strings.Contains(a.body, "Television") {
				t.Fatalf("a link with %s: %d %s", code, a.status, a.body)
			}
			if got := w.form(a, "/device").fields.Get("user_code"); got != code {
				t.Fatalf("the form holds %q, want %q", got, code)
			}
		}
	}
	b.decideDevice(started.text("user_code"), "allow")
	w.token(tv, polling(started))
	if a := b.get("/device?user_code=BBBB-BBBB", withHeader("Sec-Fetch-Site", "same-origin")); a.status != http.StatusNotFound {
		t.Errorf("a page of the service's own: %d, want the guess counted", a.status)
	}
}

func TestAnAssertionForTwoAudiencesIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, other := range []string{"https://other.example", w.url + "/oauth2/token", ""} {
		for _, audience := range [][]string{{w.url, other}, {other, w.url}} {
			w.refused(401, "invalid_client", machineForm(), asserted(w.assertion(claim("aud", audience))))
		}
	}
	w.token(signer, machineForm(), asserted(w.assertion(claim("aud", []string{w.url}))))
}

func TestABoundTokenSentPlainlyEndsNothingAtTheAtsDoor(t *testing.T) {
	w := newWorld(t)
	handler := ats.NewHandler(w.ats, ats.Config{Fail: func(_ http.ResponseWriter, r *http.Request, err error) {
		t.Errorf("%s: %v", r.URL.Path, err)
	}})
	logout := func(path, raw string) {
		r := httptest.NewRequest(http.MethodPost, path, nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		handler.ServeHTTP(httptest.NewRecorder(), r)
	}
	set, plain := w.boundLogin(web, newKey(t), "scope", "account"), w.logIn(web, "scope", "account")
	for _, path := range []string{"/user/logout", "/user/logout_all"} {
		logout(path, set.text("access_token"))
		for _, name := range []string{"access_token", "refresh_token"} {
			w.wantLive(set.text(name), true, path+": its "+name)
			w.wantLive(plain.text(name), true, path+": another login's "+name)
		}
	}
	logout("/user/logout", plain.text("access_token"))
	w.wantLive(plain.text("access_token"), false, "one that is bound to no key")
	w.wantLive(set.text("access_token"), true, "the bound one")
}
