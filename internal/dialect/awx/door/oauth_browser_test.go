package door_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/throttle"
)

var verifier = strings.Repeat("v", 43)

// authorizeAt is an authorization request, given as name=value pairs.
func authorizeAt(app string, pairs ...string) string {
	f := url.Values{"client_id": {app}, "response_type": {"code"}, "state": {"st-1"}, "redirect_uri": {oauthCallback}}
	for _, p := range pairs {
		name, value, _ := strings.Cut(p, "=")
		f.Set(name, value)
	}
	return awx.PathAuthorize + "?" + f.Encode()
}

func challenge() []string {
	sum := sha256.Sum256([]byte(verifier))
	return []string{"code_challenge=" + base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method=S256"}
}

// code has bob allow a request and returns the code.
func (w *oauthWorld) code(app string, pairs ...string) string {
	w.Helper()
	to := w.allow(authorizeAt(app, pairs...))
	u, err := url.Parse(to)
	w.do(err)
	if !strings.HasPrefix(to, oauthCallback+"?") || u.Query().Get("code") == "" || u.Query().Get("state") != "st-1" {
		w.Fatalf("no code for %s: %s", app, to)
	}
	return u.Query().Get("code")
}

func TestACodeIsTradedForATokenOnce(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	trade := []string{"grant_type=authorization_code", "redirect_uri=" + oauthCallback, "code=" + w.code(byCode, "scope=read")}
	w.wantError(w.ask(awx.PathToken, byCodePublic, trade...), 400, `{"error":"invalid_grant"}`, "another application")
	a := w.ask(awx.PathToken, byCode, trade...)
	if a.status != http.StatusOK || a.member("scope") != "read" || a.member("refresh_token") == "" || a.member("expires_in") == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.wantLive(a.member("access_token"), true, "the token")
	w.wantError(w.ask(awx.PathToken, byCode, trade...), 400, `{"error":"invalid_grant"}`, "a second use")
	w.wantLive(a.member("access_token"), false, "after the second use")
	w.wantError(w.renew(byCode, a.member("refresh_token")), 400, `{"error":"invalid_grant"}`, "its refresh token")
}

func TestACodeIsHeldAgainstWhatItWasGivenFor(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	for name, c := range map[string]struct {
		app  string
		form []string
		want int
	}{
		"good":                            {byCodePublic, []string{"redirect_uri=" + oauthCallback, "code_verifier=" + verifier}, 200},
		"another redirect URI":            {byCodePublic, []string{"redirect_uri=" + oauthCallback + "/", "code_verifier=" + verifier}, 400},
		"no redirect URI":                 {byCodePublic, []string{"code_verifier=" + verifier}, 400},
		"no verifier":                     {byCodePublic, []string{"redirect_uri=" + oauthCallback}, 400},
		"another verifier":                {byCodePublic, []string{"redirect_uri=" + oauthCallback, "code_verifier=" + strings.Repeat("w", 43)}, 400},
		"confidential, good":              {byCode, []string{"redirect_uri=" + oauthCallback}, 200},
		"confidential, verifier for none": {byCode, []string{"redirect_uri=" + oauthCallback, "code_verifier=" + verifier}, 400},
	} {
		var pkce []string
		if c.app == byCodePublic {
			pkce = challenge()
		}
		code := w.code(c.app, pkce...)
		a := w.ask(awx.PathToken, c.app, append(c.form, "grant_type=authorization_code", "code="+code)...)
		if a.status != c.want || c.want == 400 && a.member("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestATokenIsInTheFragmentForAnApplicationMadeForItAlone(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	fragment := func(app string) url.Values {
		to := w.allow(authorizeAt(app, "response_type=token"))
		place, text, _ := strings.Cut(to, "#")
		f, err := url.ParseQuery(text)
		if err != nil || place != oauthCallback {
			t.Errorf("%s: %s, %v", app, to, err)
		}
		return f
	}
	f := fragment(implicitly)
	if f.Get("token_type") != "Bearer" || f.Get("expires_in") != "31536000000" || f.Get("scope") != "read write" || f.Get("state") != "st-1" {
		t.Errorf("fragment %v", f)
	}
	w.wantLive(f.Get("access_token"), true, "the token")
	if f = fragment(byCode); f.Get("error") != "unauthorized_client" || f.Has("access_token") {
		t.Errorf("made for codes: %v", f)
	}
	// Its client_id alone revokes.
	f = fragment(implicitly)
	w.ask(awx.PathRevoke, implicitly, "token="+f.Get("access_token"))
	w.wantLive(f.Get("access_token"), false, "revoked by its public application")
}

func TestTheWayInKnowsItsPathWithoutTheLastSlash(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	bare := strings.Replace(authorizeAt(implicitly, "response_type=token"), "/?", "?", 1)
	if to := w.allow(bare); !strings.Contains(to, "access_token=") {
		t.Errorf("GET: %s", to)
	}
	_, query, _ := strings.Cut(bare, "?")
	r := httptest.NewRequest(http.MethodPost, oauthURL+strings.TrimSuffix(awx.PathAuthorize, "/"), strings.NewReader(query))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := w.serve(r); a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), awx.PathAuthorize+"?") {
		t.Errorf("POST: %d %s", a.status, a.header.Get("Location"))
	}
}

func TestTheRootOfTheGrantsTellsWhereTheyAre(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	send := func(method, path, accept string) told {
		r := httptest.NewRequest(method, oauthURL+path, nil)
		r.Header.Set("Accept", accept)
		r.Header.Set("Authorization", "Basic Og==") // as some clients probe
		return w.serve(r)
	}
	a := send("GET", awx.PathOAuth, "*/*")
	if a.status != 200 || strings.TrimSpace(a.body) != `{"authorize":"/api/o/authorize/","token":"/api/o/token/","revoke_token":"/api/o/revoke_token/"}` {
		t.Errorf("GET: %d %s", a.status, a.body)
	}
	if a = send("HEAD", awx.PathOAuth, "*/*"); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
	a = send("GET", awx.PathOAuth, "text/html,*/*;q=0.8")
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "grant_type=refresh_token") || a.header.Get("Content-Security-Policy") == "" {
		t.Errorf("HTML: %d %v %s", a.status, a.header, a.body)
	}
	a = send("OPTIONS", awx.PathOAuth, "*/*")
	if a.status != 200 || a.header.Get("Allow") != "GET, HEAD, OPTIONS" || !strings.Contains(a.member("description"), oauthURL+awx.PathToken) || !json.Valid([]byte(a.body)) {
		t.Errorf("OPTIONS: %d %v %s", a.status, a.header, a.body)
	}
	for _, path := range []string{awx.PathToken, awx.PathRevoke, awx.PathRevokeToo} {
		if a = send("GET", path, "*/*"); a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("GET %s: %d %v", path, a.status, a.header)
		}
		if a = send("OPTIONS", path, "*/*"); a.status != http.StatusOK || a.header.Get("Allow") != "POST, OPTIONS" {
			t.Errorf("OPTIONS %s: %d %v", path, a.status, a.header)
		}
	}
}
