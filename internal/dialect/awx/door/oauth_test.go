package door_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAPasswordGivesATokenInTheSeedsShape(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	password := slices.Clip([]string{"grant_type=password", "username=bob", "password=" + oauthPass})
	for _, c := range []struct{ app, scope, want string }{
		{byPassword, "", "read write"},
		{byPassword, "read", "read"},
		{byPassword, "write", "write"},
		{byPassword, "write read", "read write"},
		{byPassword, "read  read", "read"},
		{byPasswordPublic, "read", "read"},
	} {
		a := w.ask(awx.PathToken, c.app, append(password, "scope="+c.scope)...)
		want := regexp.MustCompile(`^{"access_token":"[A-Za-z0-9]{30}","token_type":"Bearer","expires_in":31536000000,"refresh_token":"[A-Za-z0-9]{30}","scope":"` + c.want + `"}\n$`)
		if a.status != http.StatusOK || !want.MatchString(a.body) {
			t.Errorf("%s, scope %q: %d %s", c.app, c.scope, a.status, a.body)
		}
		if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
			t.Errorf("headers %v", a.header)
		}
		live, err := w.door.Live(t.Context(), a.member("access_token"))
		if err != nil || live.Row.Subject != "bob" || live.Row.Client != c.app || live.Row.Scope != c.want {
			t.Errorf("%s: the token is %+v, %v", c.app, live, err)
		}
	}
}

// TestTheGrantsRefuseInTheWordsOfTheTable is the table of answers, with the statuses
// of RFC 6749 section 5.2.
func TestTheGrantsRefuseInTheWordsOfTheTable(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	password := func(pairs ...string) []string {
		return append([]string{"grant_type=password", "username=bob"}, pairs...)
	}
	good := slices.Clip(password("password=" + oauthPass))
	const (
		client, grant = `{"error":"invalid_client"}`, `{"error":"invalid_grant"}`
		wrong         = `{"error":"invalid_grant","error_description":"Invalid credentials given."}`
		noGrant       = `{"error":"unsupported_grant_type"}`
		notAllowed    = `{"error":"unauthorized_client"}`
		scope         = `{"error":"invalid_scope"}`
	)
	missing := func(text string) string {
		return `{"error":"invalid_request","error_description":"` + text + `"}`
	}
	for _, c := range []struct {
		name, path, app string
		form            []string
		status          int
		body            string
	}{
		{"nobody", awx.PathToken, "", good, 401, client},
		{"an unknown application", awx.PathToken, "nobody", good, 401, client},
		{"a confidential one without its secret", awx.PathToken, "", append(good, "client_id="+byPassword), 401, client},
		{"a wrong secret", awx.PathToken, "", append(good, "client_id="+byPassword, "client_secret=x"), 401, client},
		{"another one's secret", awx.PathToken, "", append(good, "client_id="+byPassword, "client_secret="+w.secrets[byPasswordToo]), 401, client},
		{"a public one with a secret", awx.PathToken, byPasswordPublic, append(good, "client_secret=x"), 401, client},
		{"one of no organisation", awx.PathToken, standardAlone, good, 401, client},
		{"a wrong password", awx.PathToken, byPassword, password("password=x"), 400, wrong},
		{"an unknown user", awx.PathToken, byPassword, []string{"grant_type=password", "username=nobody", "password=x"}, 400, wrong},
		{"no user", awx.PathToken, byPassword, []string{"grant_type=password", "password=x"}, 400, missing("Request is missing username parameter.")},
		{"no password", awx.PathToken, byPassword, password(), 400, missing("Request is missing password parameter.")},
		{"no grant_type", awx.PathToken, byPassword, []string{"username=bob"}, 400, noGrant},
		{"an unknown grant_type", awx.PathToken, byPassword, []string{"grant_type=implicit"}, 400, noGrant},
		{"a grant_type of the standard door", awx.PathToken, byPassword, []string{"grant_type=" + token.GrantDeviceCode}, 400, noGrant},
		{"a grant that it was not made for", awx.PathToken, byCode, good, 400, notAllowed},
		{"a code for one by password", awx.PathToken, byPassword, []string{"grant_type=authorization_code", "code=x"}, 400, notAllowed},
		{"a refresh by one without", awx.PathToken, byItself, []string{"grant_type=refresh_token", "refresh_token=x"}, 400, notAllowed},
		{"client credentials for one by password", awx.PathToken, byPassword, []string{"grant_type=client_credentials"}, 400, notAllowed},
		{"an unknown scope", awx.PathToken, byPassword, append(good, "scope=read admin"), 400, scope},
		{"an unknown scope, by itself", awx.PathToken, byItself, []string{"grant_type=client_credentials", "scope=x"}, 400, scope},
		{"an unknown refresh token", awx.PathToken, byPassword, []string{"grant_type=refresh_token", "refresh_token=" + strings.Repeat("x", 30)}, 400, grant},
		{"no refresh token", awx.PathToken, byPassword, []string{"grant_type=refresh_token"}, 400, missing("Missing refresh token parameter.")},
		{"an unknown code", awx.PathToken, byCode, []string{"grant_type=authorization_code", "code=x"}, 400, grant},
		{"no code", awx.PathToken, byCode, []string{"grant_type=authorization_code"}, 400, missing("Missing code parameter.")},
		{"a parameter twice", awx.PathToken, byPassword, append(good, "username=carol"), 400, missing("Duplicate parameter.")},
		{"a parameter in the URL", awx.PathToken + "?scope=read", byPassword, good, 400, missing("URL query parameters are not allowed")},
		{"a revocation by nobody", awx.PathRevoke, "", []string{"token=x"}, 401, client},
		{"a revocation by one without its secret", awx.PathRevoke, "", []string{"token=x", "client_id=" + byPassword}, 401, client},
		{"a revocation of nothing", awx.PathRevoke, byPassword, nil, 400, missing("Missing token parameter.")},
	} {
		a := w.ask(c.path, c.app, c.form...)
		w.wantError(a, c.status, c.body, c.name)
		if challenge := a.header.Get("WWW-Authenticate"); (challenge == `Bearer error="invalid_client"`) != (c.status == 401) {
			t.Errorf("%s: challenge %q", c.name, challenge)
		}
	}
}

func TestADisabledUserGetsNothingAndLosesWhatThereIs(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "bob", true))
	a := w.ask(awx.PathToken, byPassword, "grant_type=password", "username=bob", "password="+oauthPass)
	w.wantError(a, 400, `{"error":"invalid_grant","error_description":"Invalid credentials given."}`, "password")
	w.wantError(w.renew(byPassword, refresh), 400, `{"error":"invalid_grant"}`, "refresh")
	w.wantLive(access, false, "the access token")
}

func TestGuessingIsSlowedAtTheGrants(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{Attempts: 3})
	for range 3 {
		w.ask(awx.PathToken, byPasswordPublic, "grant_type=password", "username=bob", "password=x")
	}
	a := w.ask(awx.PathToken, byPasswordPublic, "grant_type=password", "username=bob", "password="+oauthPass)
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.member("error") == "" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

func TestOnlyAFormIsReadAtTheGrants(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	send := func(kind, body string) told {
		r := httptest.NewRequest(http.MethodPost, oauthURL+awx.PathToken, strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		r.SetBasicAuth(byPassword, w.secrets[byPassword])
		return w.serve(r)
	}
	form := "grant_type=password&username=bob&password=correct+horse"
	for kind, body := range map[string]string{
		"application/json": `{"grant_type":"password","username":"bob","password":"correct horse"}`, "": form, "text/plain": form, "multipart/form-data; boundary=x": form, ";": form,
	} {
		w.wantError(send(kind, body), 400, `{"error":"unsupported_grant_type"}`, kind)
	}
	if a := send("application/x-www-form-urlencoded; charset=utf-8", form); a.status != http.StatusOK {
		t.Errorf("with a charset: %d %s", a.status, a.body)
	}
	if a := send("application/x-www-form-urlencoded", form+"&x="+strings.Repeat("x", 20_000)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("too large: %d %s", a.status, a.body)
	}
}

func TestAnApplicationProvesItselfInOneWay(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	form := "grant_type=password&username=bob&password=correct+horse"
	send := func(body, authorization string) told {
		r := httptest.NewRequest(http.MethodPost, oauthURL+awx.PathToken, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		return w.serve(r)
	}
	basic := func(id, secret string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(id, secret)
		return r.Header.Get("Authorization")
	}
	secret := w.secrets[byPassword]
	for _, c := range []struct {
		name, body, authorization string
		status                    int
	}{
		{"the body", form + "&client_id=" + byPassword + "&client_secret=" + secret, "", 200},
		{"the header", form, basic(byPassword, secret), 200},
		{"the header, and its name in the body", form + "&client_id=" + byPassword, basic(byPassword, secret), 200},
		{"the header of some clients that says nothing", form + "&client_id=" + byPasswordPublic, "Basic Og==", 200},
		{"a public one by the header", form, basic(byPasswordPublic, ""), 200},
		{"both", form + "&client_id=" + byPassword + "&client_secret=" + secret, basic(byPassword, secret), 400},
		{"two applications", form + "&client_id=" + byPasswordToo, basic(byPassword, secret), 400},
		{"a public one with a secret in the header", form, basic(byPasswordPublic, "x"), 401},
		{"a header that cannot be read", form + "&client_id=" + byPasswordPublic, "Basic %", 401},
		{"a header without a colon", form + "&client_id=" + byPasswordPublic, "Basic eA==", 401},
	} {
		if a := send(c.body, c.authorization); a.status != c.status {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	a := send(form, basic(byPassword, "x"))
	if list := a.header.Values("WWW-Authenticate"); len(list) != 2 || !strings.HasPrefix(list[1], "Basic ") {
		t.Errorf("who tried the header is told %q", list)
	}
}

func TestAnApplicationByItselfGetsATokenOfNoUser(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	a := w.ask(awx.PathToken, byItself, "grant_type=client_credentials", "scope=read")
	if a.status != http.StatusOK || a.member("scope") != "read" || strings.Contains(a.body, "refresh_token") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	row, err := w.door.KeptByValue(t.Context(), token.NewSecret(a.member("access_token")))
	if err != nil || row.Client != byItself || row.Subject != byItself {
		t.Errorf("row %+v, %v", row, err)
	}
	r := httptest.NewRequest(http.MethodGet, oauthURL+awx.PathMe, nil)
	r.Header.Set("Authorization", "Bearer "+a.member("access_token"))
	if me := w.serve(r); me.status != http.StatusUnauthorized {
		t.Errorf("it is somebody: %d %s", me.status, me.body)
	}
	w.ask(awx.PathRevoke, byItself, "token="+a.member("access_token"))
	w.wantLive(a.member("access_token"), false, "revoked")
}

func TestDeletingAnApplicationEndsItsTokens(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	w.do(w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, byPassword))
	w.wantLive(access, false, "its token")
	w.wantError(w.renew(byPassword, refresh), 401, `{"error":"invalid_client"}`, "refresh")
}

func TestAStoreThatIsGoneIsToldInTheWordsOfTheGrants(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	w.store.broken = true
	for name, a := range map[string]told{
		"password": w.ask(awx.PathToken, byPassword, "grant_type=password", "username=bob", "password="+oauthPass),
		"refresh":  w.renew(byPassword, refresh), "revoke": w.ask(awx.PathRevoke, byPassword, "token="+access),
	} {
		if a.status != http.StatusServiceUnavailable || a.member("error") != "temporarily_unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	w.store.broken = false
	w.move(time.Second)
	w.wantLive(access, true, "the token")
}

func TestNoSecretOfTheGrantsIsLogged(t *testing.T) {
	t.Parallel()
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	a := w.renew(byPassword, refresh)
	w.renew(byPassword, refresh) // is warned of
	for _, secret := range []string{access, refresh, a.member("access_token"), a.member("refresh_token"), oauthPass, w.secrets[byPassword]} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("logged: %s", w.log.String())
		}
	}
	if !strings.Contains(w.log.String(), "used twice") {
		t.Error("the reuse was not logged")
	}
}
