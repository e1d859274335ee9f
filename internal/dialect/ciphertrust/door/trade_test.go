package door_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust/door"
	"github.com/ats-auth/ats-auth/pkg/token"
)

var (
	uuidShape    = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[478][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	refreshShape = regexp.MustCompile(`^[0-9A-Za-z]{64}$`)
)

// names are the members of a JSON object, sorted.
func names(t testing.TB, text string) []string {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var list []string
	for name := range o {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

func TestAPasswordIsTradedForAJWTAndARefreshToken(t *testing.T) {
	w := newWorld(t)
	a := w.login("admin", "")
	want := []string{"client_id", "duration", "jwt", "refresh_token", "refresh_token_id", "token_type"}
	if got := names(t, a.body); !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	if a.member(t, "duration") != 300.0 || a.text(t, "token_type") != "Bearer" {
		t.Errorf("answer %s", a.body)
	}
	if !refreshShape.MatchString(a.text(t, "refresh_token")) || !uuidShape.MatchString(a.text(t, "client_id")) || !uuidShape.MatchString(a.text(t, "refresh_token_id")) {
		t.Errorf("shapes: %s", a.body)
	}
	if kind := a.header.Get("Content-Type"); kind != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", a.header)
	}
	jwt, err := token.Decode(a.text(t, "jwt"))
	w.do(err)
	if aud, _ := jwt.Claims.String("aud"); aud != a.text(t, "client_id") {
		t.Errorf("aud is %q, want the client id", aud)
	}
	w.wantJWT(a.text(t, "jwt"), 200, "the JWT")
}

func TestALoginIsTakenInEveryFormThatClientsSend(t *testing.T) {
	form := url.Values{"grant_type": {"password"}, "username": {"bob"}, "password": {testPassword}, "domain": {""}, "labels": {"a, b"}, "refresh_token_lifetime": {"60"}, "renew_refresh_token": {"false"}}.Encode()
	for _, c := range []struct {
		name, path, body string
		headers          []string
	}{
		{"json", "/api/v1/auth/tokens", `{"username":"bob","password":"correct horse battery"}`, nil},
		{"a slash at the end", "/api/v1/auth/tokens/", `{"username":"bob","password":"correct horse battery"}`, nil},
		{"a form", "/api/v1/auth/tokens/", form, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"json that is called a form", "/api/v1/auth/tokens", `{"username":"bob","password":"correct horse battery"}`, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"an empty bearer", "/api/v1/auth/tokens/", `{"username":"bob","password":"correct horse battery"}`, []string{"Authorization", "Bearer "}},
		{"a junk bearer", "/api/v1/auth/tokens/", `{"username":"bob","password":"correct horse battery"}`, bearer("junk")},
		{"the connection in the name", "/api/v1/auth/tokens/", `{"username":"local_account|bob","password":"correct horse battery"}`, nil},
		{"all members", "/api/v1/auth/tokens/", `{"grant_type":"password","username":"bob","password":"correct horse battery","connection":"local_account","domain":"","auth_domain":"root","refresh_token":null,"refresh_token_lifetime":0,"refresh_token_revoke_unused_in":30.0,"labels":[],"cookies":false,"client_id":"","cert":null,"unknown":[1]}`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.send("POST", c.path, c.body, c.headers...)
			w.want(a, 200, "", c.name)
			w.wantJWT(a.text(t, "jwt"), 200, "the JWT")
		})
	}
}

func TestALoginThatCannotBeIsRefusedInTheDialectsWords(t *testing.T) {
	const formKind = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, body, kind string
		status           int
		message          string // begins with it
	}{
		{"wrong password", `{"username":"bob","password":"x"}`, "", 401, "Wrong username or password."},
		{"unknown user", `{"username":"eve","password":"x"}`, "", 401, "Wrong username or password."},
		{"a user of another connection", `{"username":"ldap|bob","password":"correct horse battery"}`, "", 401, "Wrong username or password."},
		{"another connection", `{"username":"bob","password":"x","connection":"ldap"}`, "", 400, "connection: want local_account"},
		{"another domain", `{"username":"bob","password":"correct horse battery","domain":"sales"}`, "", 401, "Failed to locate domain"},
		{"another auth domain", `{"username":"bob","password":"correct horse battery","auth_domain":"sales"}`, "", 401, "Failed to locate domain"},
		{"a registered client", `{"username":"bob","password":"correct horse battery","client_id":"x"}`, "", 401, "Invalid Client"},
		{"no user", `{"password":"x"}`, "", 400, "username is missing"},
		{"no password", `{"username":"bob"}`, "", 400, "password is missing"},
		{"a number for a name", `{"username":1,"password":"x"}`, "", 400, "username: want a string"},
		{"a list for a password", `{"username":"bob","password":["x"]}`, "", 400, "password: want a string"},
		{"a text for a lifetime", `{"username":"bob","password":"x","refresh_token_lifetime":"60"}`, "", 400, "refresh_token_lifetime: want a whole number of minutes"},
		{"half a minute", `{"username":"bob","password":"x","refresh_token_lifetime":0.5}`, "", 400, "refresh_token_lifetime: want a whole number of minutes"},
		{"a lifetime below 0", `{"username":"bob","password":"x","refresh_token_revoke_unused_in":-1}`, "", 400, "refresh_token_revoke_unused_in: want a whole number of minutes"},
		{"labels in a text", `{"username":"bob","password":"x","labels":"a,b"}`, "", 400, "labels: want an array of strings"},
		{"an odd label", `{"username":"bob","password":"x","labels":["a\nb"]}`, "", 400, "labels: want 1 to 128 printable bytes"},
		{"a flag in a text", `{"username":"bob","password":"x","cookies":"yes"}`, "", 400, "cookies: want true or false"},
		{"a certificate", `{"grant_type":"user_certificate"}`, "", 400, "grant_type user_certificate: "},
		{"a client credential", `{"grant_type":"client_credential","client_id":"x"}`, "", 400, "grant_type client_credential: "},
		{"an unknown grant", `{"grant_type":"magic"}`, "", 400, "grant_type: want password or refresh_token"},
		{"no body", ``, "", 400, "username is missing"},
		{"no json", `{"username":`, "", 400, "the body is not a JSON object"},
		{"a list", `[]`, "", 400, "the body is not a JSON object"},
		{"a broken form", `%zz`, formKind, 400, "the body cannot be read as application/x-www-form-urlencoded"},
		{"a user twice", `username=bob&username=eve&password=x`, formKind, 400, "username: want to stand there once"},
		{"no utf-8", "username=%ff&password=x", formKind, 400, "username: want UTF-8"},
		{"minutes in words", `username=bob&password=x&refresh_token_lifetime=ten`, formKind, 400, "refresh_token_lifetime: want a whole number of minutes"},
		{"too much", `{"username":"` + strings.Repeat("x", 70_000) + `"}`, "", 413, "the body is larger than 64 KiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			a := w.post(c.body, "Content-Type", c.kind)
			w.want(a, c.status, "", c.name)
			if !strings.HasPrefix(a.text(t, "message"), c.message) {
				t.Errorf("message %q, want %q", a.text(t, "message"), c.message)
			}
			wantCode := map[int]float64{400: 15, 413: 15, 401: 5}[c.status]
			if a.member(t, "code") != wantCode || !strings.HasPrefix(a.text(t, "codeDesc"), "NCERR") {
				t.Errorf("code %s", a.body)
			}
			if len(w.failed) > 0 {
				t.Errorf("reported as a failure: %v", w.failed)
			}
		})
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.want(w.post(`{"username":"bob","password":"x"}`), 401, ciphertrust.MessageCredentials, "a guess")
	}
	a := w.post(`{"username":"bob","password":"x"}`)
	w.want(a, 429, "", "a guess too many")
	if a.header.Get("Retry-After") == "" {
		t.Errorf("no Retry-After: %v", a.header)
	}
	a = w.send("POST", ciphertrust.PathRevoke, `{"token":"x","username":"bob","password":"x"}`)
	w.want(a, 429, "", "a guess at another path")
}

func TestAPlainRefreshGivesTheSameRefreshTokenAgain(t *testing.T) {
	w := newWorld(t)
	first := w.login("bob", "")
	for range 3 {
		w.clock.move(time.Hour)
		a := w.refresh(first.text(t, "refresh_token"), "")
		w.want(a, 200, "", "refresh")
		for _, name := range []string{"refresh_token", "refresh_token_id", "client_id"} {
			if a.text(t, name) != first.text(t, name) {
				t.Errorf("%s is another", name)
			}
		}
		if a.text(t, "jwt") == first.text(t, "jwt") || a.member(t, "duration") != 300.0 {
			t.Errorf("answer %s", a.body)
		}
		w.wantJWT(a.text(t, "jwt"), 200, "the new JWT")
	}
	w.wantJWT(first.text(t, "jwt"), 401, "the first JWT, after its 300 s")
}

func TestARenewedRefreshTokenTakesThePlaceOfTheOldOne(t *testing.T) {
	for _, flag := range []string{`,"renew_refresh_token":true`, `,"issueRefreshToken":true`, `,"renew_refresh_token":true,"issueRefreshToken":false`} {
		t.Run(flag, func(t *testing.T) {
			w := newWorld(t)
			old := w.login("bob", "")
			a := w.refresh(old.text(t, "refresh_token"), flag)
			w.want(a, 200, "", "renew")
			if fresh := a.text(t, "refresh_token"); fresh == old.text(t, "refresh_token") || !refreshShape.MatchString(fresh) {
				t.Fatalf("renewed: %s", a.body)
			}
			if a.text(t, "client_id") != old.text(t, "client_id") {
				t.Error("the client id has changed")
			}
			w.want(w.refresh(a.text(t, "refresh_token"), ""), 200, "", "the new one")
			w.want(w.refresh(old.text(t, "refresh_token"), ""), 401, ciphertrust.MessageRevoked, "the old one")
		})
	}
}

func TestIssueRefreshTokenFalseGivesNone(t *testing.T) {
	w := newWorld(t)
	want := []string{"duration", "jwt", "token_type"}
	a := w.login("bob", `,"issueRefreshToken":false,"labels":["x"]`)
	if got := names(t, a.body); !slices.Equal(got, want) {
		t.Errorf("members %v, want %v", got, want)
	}
	w.wantJWT(a.text(t, "jwt"), 200, "the JWT")
	list := w.send("GET", ciphertrust.PathTokens, "", bearer(a.text(t, "jwt"))...)
	if list.member(t, "total") != 0.0 {
		t.Errorf("something was left behind: %s", list.body)
	}
	b := w.refresh(w.login("bob", "").text(t, "refresh_token"), `,"issueRefreshToken":false`)
	if got := names(t, b.body); !slices.Equal(got, want) {
		t.Errorf("members of a refresh %v, want %v", got, want)
	}
}

func TestARefreshTokenThatIsNotHonouredIsRefused(t *testing.T) {
	w := newWorld(t)
	good := w.login("bob", "").text(t, "refresh_token")
	last := good[:63] + map[bool]string{true: "B", false: "A"}[good[63] == 'A']
	for name, raw := range map[string]string{
		"junk": "junk", "none": strings.Repeat("A", 64), "the largest": strings.Repeat("z", 64), "a letter lost": good[:63], "another letter": last,
		"one of the ats door": "ats_rt_" + good,
	} {
		w.want(w.refresh(raw, ""), 401, ciphertrust.MessageInvalid, name)
	}
	w.want(w.refresh("", ""), 400, "refresh_token is missing", "nothing")
	w.want(w.refresh(good, `,"client_id":"another"`), 401, ciphertrust.MessageClient, "another's client id")
	w.want(w.refresh(good, `,"auth_domain":"sales"`), 401, ciphertrust.MessageDomain, "another auth domain")
	w.want(w.refresh(good, ""), 200, "", "the good one, after all that")
}

func TestADifferentDomainRevokesARefreshToken(t *testing.T) {
	w := newWorld(t)
	a := w.login("bob", `,"domain":"root"`)
	w.want(w.refresh(a.text(t, "refresh_token"), `,"domain":"root"`), 200, "", "the same domain")
	w.want(w.refresh(a.text(t, "refresh_token"), `,"domain":"sales"`), 401, ciphertrust.MessageRevoked, "a different domain")
	w.want(w.refresh(a.text(t, "refresh_token"), ""), 401, ciphertrust.MessageRevoked, "the domain it is of")
	w.wantJWT(a.text(t, "jwt"), 401, "its JWT")
}

func TestLifetimesAreMinutes(t *testing.T) {
	w := newWorld(t)
	a := w.login("bob", `,"refresh_token_lifetime":60,"refresh_token_revoke_unused_in":25`)
	if a.member(t, "refresh_token_expires_in") != 3600.0 {
		t.Errorf("lifetime: %s", a.body)
	}
	raw := a.text(t, "refresh_token")
	for _, minutes := range []int{24, 24} { // each use counts the idle time anew
		w.clock.move(time.Duration(minutes) * time.Minute)
		w.want(w.refresh(raw, ""), 200, "", "within both")
	}
	if left := w.refresh(raw, "").member(t, "refresh_token_expires_in"); left != 720.0 {
		t.Errorf("%v s left, want 720", left)
	}
	w.clock.move(12*time.Minute + time.Second)
	w.want(w.refresh(raw, ""), 401, ciphertrust.MessageExpired, "after the absolute end")

	raw = w.login("bob", `,"refresh_token_revoke_unused_in":25`).text(t, "refresh_token")
	w.clock.move(25*time.Minute - time.Second)
	w.want(w.refresh(raw, ""), 200, "", "just used")
	w.clock.move(25 * time.Minute)
	w.want(w.refresh(raw, ""), 401, ciphertrust.MessageExpired, "unused for 25 minutes")

	raw = w.login("bob", `,"refresh_token_lifetime":0`).text(t, "refresh_token")
	w.clock.move(20 * 365 * 24 * time.Hour)
	w.want(w.refresh(raw, ""), 200, "", "without end")
}

func TestAJWTIsOverWithItsLogin(t *testing.T) {
	w := newWorld(t)
	a := w.login("bob", `,"refresh_token_lifetime":2`)
	if a.member(t, "duration") != 120.0 {
		t.Errorf("duration: %s", a.body)
	}
}

func TestABrowserGetsCookiesInThePlaceOfTheBody(t *testing.T) {
	for _, c := range []struct {
		url, prefix string
		secure      bool
	}{{publicURL, "", false}, {"https://cm.example.org/x", "__Host-", true}} {
		w := newWorld(t, func(d *door.Config) { d.URL = c.url })
		a := w.login("bob", `,"cookies":true`)
		if a.text(t, "jwt")+a.text(t, "refresh_token") != "" || a.text(t, "client_id") == "" || a.member(t, "duration") != 300.0 {
			t.Errorf("the body is %s", a.body)
		}
		cookies := map[string]*http.Cookie{}
		header := ""
		for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
			cookies[cookie.Name] = cookie
			header += cookie.Name + "=" + cookie.Value + "; "
			if !cookie.HttpOnly || cookie.Secure != c.secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" {
				t.Errorf("cookie %v", cookie)
			}
		}
		jwt, refresh := cookies[c.prefix+"ciphertrust_jwt"], cookies[c.prefix+"ciphertrust_refresh_token"]
		if jwt == nil || refresh == nil || jwt.MaxAge != 300 || refresh.MaxAge != 1800 || !refreshShape.MatchString(refresh.Value) {
			t.Fatalf("cookies %v", a.header)
		}
		w.want(w.send("GET", ciphertrust.PathDomains, "", "Cookie", header), 200, "", "the JWT cookie")
		w.clock.move(29 * time.Minute)
		b := w.post(`{"grant_type":"refresh_token"}`, "Cookie", header)
		w.want(b, 200, "", "the refresh cookie")
		if len(b.header["Set-Cookie"]) != 2 || b.text(t, "jwt") != "" {
			t.Errorf("refresh by cookie: %v %s", b.header, b.body)
		}
		w.want(w.post(`{"grant_type":"refresh_token"}`, "Cookie", header, "Origin", "https://evil.example"), 403, "", "a page of another site")
		w.clock.move(30 * time.Minute)
		w.want(w.post(`{"grant_type":"refresh_token"}`, "Cookie", header), 401, ciphertrust.MessageExpired, "a closed window, after 30 minutes")
	}
}

func TestAPageOfOurOwnIsThePlayground(t *testing.T) {
	w := newWorld(t)
	body := fmt.Sprintf(`{"username":"bob","password":%q}`, testPassword)
	raw := w.post(body, "Origin", publicURL).text(t, "refresh_token")
	w.clock.move(59 * time.Minute)
	w.want(w.refresh(raw, ""), 200, "", "after 59 minutes")
	w.clock.move(60 * time.Minute)
	w.want(w.refresh(raw, ""), 401, ciphertrust.MessageExpired, "after 60 minutes")
	raw = w.post(body).text(t, "refresh_token")
	w.clock.move(6000 * time.Minute)
	w.want(w.refresh(raw, ""), 200, "", "a program's")
}

func TestALogoutOfABrowserTakesItsCookiesAway(t *testing.T) {
	w := newWorld(t)
	a := w.login("bob", `,"cookies":true`)
	var header string
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		header += c.Name + "=" + c.Value + "; "
	}
	body := fmt.Sprintf(`{"client_id":%q}`, a.text(t, "client_id"))
	w.want(w.send("POST", ciphertrust.PathRevoke, body, "Cookie", header, "Sec-Fetch-Site", "cross-site"), 403, "", "a page of another site")
	path := ciphertrust.PathTokens + "/" + a.text(t, "refresh_token_id")
	w.want(w.send("DELETE", path, "", "Cookie", header, "Origin", "https://evil.example"), 403, "", "a page of another site, by the id")
	w.want(w.send("DELETE", path, "", "Cookie", header, "Origin", publicURL), 204, "", "a page of ours, by the id")
	b := w.send("POST", ciphertrust.PathRevoke, body, "Cookie", header)
	w.want(b, 204, "", "logout")
	for _, c := range (&http.Response{Header: b.header}).Cookies() {
		if c.MaxAge != -1 {
			t.Errorf("cookie %v", c)
		}
	}
	w.want(w.send("GET", ciphertrust.PathDomains, "", "Cookie", header), 401, ciphertrust.MessageRevoked, "the JWT cookie")
}
