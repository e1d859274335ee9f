package door_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/awx/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// jar is a browser's cookies, or a program's.
type jar map[string]string

func (j jar) take(a answer) {
	for _, line := range a.header.Values("Set-Cookie") {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			continue
		}
		if j[c.Name] = c.Value; c.MaxAge < 0 {
			delete(j, c.Name)
		}
	}
}

func (j jar) header() string {
	var list []string
	for name, value := range j {
		list = append(list, name+"="+value)
	}
	return strings.Join(list, "; ")
}

// browse sends with the cookies and, as AWX's client does, their token.
func (w *world) browse(j jar, method, path, body string, headers ...string) answer {
	w.Helper()
	headers = append([]string{"Cookie", j.header(), "Referer", publicURL + "/api/"}, headers...)
	if j[awx.CookieCSRF] != "" {
		headers = append(headers, awx.HeaderCSRF, j[awx.CookieCSRF])
	}
	a := w.send(method, path, body, headers...)
	j.take(a)
	return a
}

func (w *world) loginForm(name, pass, next string) string {
	return url.Values{"username": {name}, "password": {pass}, "next": {next}}.Encode()
}

// loggedIn logs in as AWX's client does.
func (w *world) loggedIn(name string) jar {
	w.Helper()
	j := jar{}
	w.want(w.browse(j, "GET", awx.PathAPI, ""), 200, "root")
	a := w.want(w.browse(j, "POST", awx.PathLogin, w.loginForm(name, testPassword, awx.PathAPI)), 303, "login")
	if a.header.Get("Location") != awx.PathAPI || a.header.Get(awx.HeaderCookie) != awx.CookieSession || j[awx.CookieSession] == "" {
		w.Fatalf("login: %v", a.header)
	}
	return j
}

func TestALoginHasASessionAndItsOwnToken(t *testing.T) {
	w := newHouse(t)
	j := w.loggedIn("rob")
	if a := w.want(w.browse(j, "GET", awx.PathMe, ""), 200, "me"); !strings.Contains(a.body, `"username":"rob"`) {
		t.Errorf("me: %s", a.body)
	}
	a := w.want(w.browse(j, "POST", awx.PathTokens, `{}`), 201, "create")
	w.want(w.browse(j, "DELETE", a.text(t, "url"), ""), 204, "delete")
	again := w.want(w.browse(j, "POST", awx.PathLogin, w.loginForm("rita", testPassword, "")), 303, "another login")
	if again.header.Get("Location") != awx.PathAPI {
		t.Errorf("it leads to %s", again.header.Get("Location"))
	}
	if a = w.browse(j, "GET", awx.PathMe, ""); !strings.Contains(a.body, `"username":"rita"`) {
		t.Errorf("me: %s", a.body)
	}
	held := jar{awx.CookieSession: j[awx.CookieSession]}
	w.want(w.browse(j, "POST", awx.PathLogout, ""), 303, "logout")
	if j[awx.CookieSession] != "" {
		t.Error("the cookie stays")
	}
	w.wantDetail(w.browse(held, "GET", awx.PathMe, ""), 401, awx.MessageNoCredentials, "the login that is over")
}

func TestAnotherSiteDoesNothingWithTheCookies(t *testing.T) {
	w := newHouse(t)
	j := w.loggedIn("root")
	other := w.loggedIn("rob")
	cookie := j.header()
	for what, headers := range map[string][]string{
		"no token":            {},
		"an empty token":      {awx.HeaderCSRF, ""},
		"another's token":     {awx.HeaderCSRF, other[awx.CookieCSRF]},
		"another origin":      {awx.HeaderCSRF, j[awx.CookieCSRF], "Origin", "https://evil.example"},
		"another site":        {awx.HeaderCSRF, j[awx.CookieCSRF], "Sec-Fetch-Site", "cross-site"},
		"another referer":     {awx.HeaderCSRF, j[awx.CookieCSRF], "Referer", "https://evil.example/x"},
		"a referer like ours": {awx.HeaderCSRF, j[awx.CookieCSRF], "Referer", publicURL + ".evil.example/x"},
		"a planted cookie":    {awx.HeaderCSRF, "planted", "Cookie", awx.CookieCSRF + "=planted"},
	} {
		a := w.send("POST", awx.PathTokens, `{}`, append([]string{"Cookie", cookie}, headers...)...)
		if w.want(a, 403, what); !strings.HasPrefix(a.text(t, "detail"), "CSRF Failed: ") {
			t.Errorf("%s: %s", what, a.body)
		}
	}
	w.want(w.send("POST", awx.PathTokens, `{}`, "Cookie", cookie, awx.HeaderCSRF, j[awx.CookieCSRF], "Origin", publicURL), 201, "our own page")
	w.want(w.send("GET", awx.PathTokens, "", "Cookie", cookie), 200, "reading")
	w.want(w.send("POST", awx.PathLogin, w.loginForm("rob", testPassword, "")), 403, "a login without a token")
	w.want(w.send("POST", awx.PathLogout, "", "Cookie", cookie), 403, "a logout without a token")
	own := w.keep("rob", "", "write").Access.Reveal()
	w.want(w.send("POST", awx.PathTokens, `{}`, append(bearer(own), "Origin", "https://evil.example")...), 201, "a token is no cookie")
}

func TestALoginLeadsNowhereElse(t *testing.T) {
	w := newHouse(t)
	for next, want := range map[string]string{
		"": awx.PathAPI, "/api/v2/tokens/?page=2": "/api/v2/tokens/?page=2", "/api/o/authorize/?client_id=x": "/api/o/authorize/?client_id=x",
		"https://evil.example/api/": awx.PathAPI, "//evil.example/api/": awx.PathAPI, "/\\evil.example": awx.PathAPI, "/api//evil.example/": awx.PathAPI,
		"/elsewhere": awx.PathAPI, "javascript:alert(1)": awx.PathAPI, "/api/\r\nX: y": awx.PathAPI, "/api/../x": awx.PathAPI,
	} {
		j := jar{}
		w.browse(j, "GET", awx.PathLogin, "")
		a := w.want(w.browse(j, "POST", awx.PathLogin, w.loginForm("rob", testPassword, next)), 303, next)
		if got := a.header.Get("Location"); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestALoginPageHasAFormThatIsItsOwn(t *testing.T) {
	w := newHouse(t)
	j := jar{}
	a := w.want(w.browse(j, "GET", awx.PathLogin+"?next=/api/v2/", ""), 200, "page")
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, `action="/api/login/"`) || !strings.Contains(a.body, `value="`+j[awx.CookieCSRF]+`"`) {
		t.Errorf("page: %s", a.body)
	}
	form := w.loginForm("rob", "wrong", "/api/v2/") + "&csrf=" + j[awx.CookieCSRF]
	a = w.want(w.send("POST", awx.PathLogin, form, "Cookie", j.header(), "Origin", "null"), 401, "a wrong password")
	if strings.Contains(a.body, "wrong") || !strings.Contains(a.body, "Wrong user name or password.") || len(a.header.Values("Set-Cookie")) > 0 {
		t.Errorf("a wrong password: %v %s", a.header, a.body)
	}
	for _, line := range w.loggedInCookies("rob") {
		c, err := http.ParseSetCookie(line)
		w.do(err)
		if c.HttpOnly != (c.Name == awx.CookieSession) || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure {
			t.Errorf("cookie %s", line)
		}
	}
	style := a.body[strings.Index(a.body, `href="`)+6:]
	w.want(w.send("GET", style[:strings.Index(style, `"`)], ""), 200, "the style")
}

func (w *world) loggedInCookies(name string) []string {
	j := jar{}
	w.browse(j, "GET", awx.PathLogin, "")
	return w.browse(j, "POST", awx.PathLogin, w.loginForm(name, testPassword, "")).header.Values("Set-Cookie")
}

func TestCookiesAreForTLSAloneWhereTheServiceIs(t *testing.T) {
	w := newHouse(t, func(_ *world, c *door.Config) { c.URL = "https://awx.example.org/sub" })
	a := w.want(w.send("GET", "/sub/api/", ""), 200, "root")
	if line := a.header.Get("Set-Cookie"); !strings.Contains(line, "Secure") || !strings.Contains(line, "Path=/sub/") {
		t.Errorf("cookie %s", line)
	}
	if v2, _ := a.object(t)["available_versions"].(map[string]any)["v2"].(string); v2 != "/sub/api/v2/" {
		t.Errorf("v2 is at %s", v2)
	}
	if a = w.want(w.as("rob", "GET", "/sub"+awx.PathMe, ""), 200, "me"); !strings.Contains(a.body, `"url":"/sub/api/v2/users/`) {
		t.Errorf("me: %s", a.body)
	}
}

func TestWhoAsksWithoutCredentialsIsTold(t *testing.T) {
	w := newHouse(t)
	for what, headers := range map[string][]string{
		"nothing": {}, "an unknown scheme": {"Authorization", "Digest x"}, "an empty bearer": {"Authorization", "Bearer "},
		"two headers": append(basic("rob", testPassword), basic("root", testPassword)...), "a cookie of nobody": {"Cookie", "sessionid=x"},
	} {
		a := w.send("GET", awx.PathTokens, "", headers...)
		w.wantDetail(a, 401, awx.MessageNoCredentials, what)
		if got := a.header.Get("WWW-Authenticate"); got != `Bearer realm="api"` {
			t.Errorf("%s: challenge %q", what, got)
		}
	}
	for what, headers := range map[string][]string{
		"a wrong password": basic("rob", "wrong"), "nobody": basic("nobody", testPassword), "no password": basic("rob", ""), "nonsense": {"Authorization", "Basic !"},
	} {
		w.wantDetail(w.send("GET", awx.PathTokens, "", headers...), 401, awx.MessageWrong, what)
	}
	w.do(w.core.SetDisabled(t.Context(), store.DefaultTenant, "nina", true))
	w.wantDetail(w.as("nina", "GET", awx.PathTokens, ""), 401, awx.MessageWrong, "who is disabled")
	for range 6 {
		w.as("rob", "GET", awx.PathTokens, "", "X", "")
		w.send("GET", awx.PathTokens, "", basic("ben", "wrong")...)
	}
	a := w.want(w.as("ben", "GET", awx.PathTokens, ""), 429, "after many wrong ones")
	if a.header.Get("Retry-After") == "" || !strings.HasPrefix(a.text(t, "detail"), "Request was throttled.") {
		t.Errorf("throttled: %v %s", a.header, a.body)
	}
}

func TestTokensOfOtherDoorsCountByTheirScope(t *testing.T) {
	w := newHouse(t)
	set, err := w.ats.Login(t.Context(), token.Credentials{Username: "rob", Password: token.NewPassword(testPassword)}, token.Request{})
	w.do(err)
	w.want(w.send("POST", awx.PathTokens, `{}`, bearer(set.AccessToken.Reveal())...), 201, "a login of the user's own")
	standard, err := w.core.Door(t.Context(), issuer.DoorConfig{Name: "oauth2", Issuer: publicURL + "/x", Format: issuer.FormatRFC9068(), AccessTTL: 600})
	w.do(err)
	for _, c := range []struct {
		scope, audience string
		read, write     int
	}{
		{"read write", "", 200, 201},
		{"write", "", 200, 201},
		{"read", "", 200, 403},
		{"openid", "", 403, 403},
		{"", "", 403, 403},
		{"write", "https://else.example", 401, 401},
	} {
		set, err := standard.Issue(t.Context(), standard.Tick(), issuer.Order{Subject: "rob", Client: "app", Scope: c.scope, Audience: strings.Fields(c.audience)})
		w.do(err)
		w.want(w.send("GET", awx.PathMe, "", bearer(set.AccessToken.Reveal())...), c.read, "read by "+c.scope+c.audience)
		w.want(w.send("POST", awx.PathTokens, `{}`, bearer(set.AccessToken.Reveal())...), c.write, "write by "+c.scope+c.audience)
	}
	own := w.keep("A-CLIENT", "A-CLIENT", "write")
	w.wantDetail(w.send("GET", awx.PathMe, "", bearer(own.Access.Reveal())...), 401, awx.MessageNoCredentials, "an application's own")
}

func TestABrowsersLoginEnds(t *testing.T) {
	w := newHouse(t)
	j := w.loggedIn("rob")
	w.clock.move(issuer.BrowserIdle*time.Second - time.Second)
	w.want(w.browse(j, "GET", awx.PathMe, ""), 200, "before it has lain idle")
	w.clock.move(issuer.BrowserIdle * time.Second)
	w.wantDetail(w.browse(j, "GET", awx.PathMe, ""), 401, awx.MessageNoCredentials, "after")
	w.want(w.browse(j, "POST", awx.PathLogin, w.loginForm("rob", testPassword, "")), 303, "anew")
	w.do(w.core.SetPassword(t.Context(), store.DefaultTenant, "rob", token.NewPassword("another one"), false))
	w.wantDetail(w.browse(j, "GET", awx.PathMe, ""), 401, awx.MessageNoCredentials, "after a new password")
}
