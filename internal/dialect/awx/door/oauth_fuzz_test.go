package door_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/throttle"
)

// oauthFuzz is a world that is asked arbitrary things, with what is good in it.
type oauthFuzz struct {
	*oauthWorld
	left    int // requests until it is made anew
	words   *strings.Replacer
	secrets []string // none of which comes back
}

// next prepares for one more request.
func (f *oauthFuzz) next(t *testing.T) {
	if f.left > 0 {
		f.left--
		f.oauthWorld.TB = t
		return
	}
	w := newOAuthWorld(t, throttle.Config{})
	access, refresh := w.login(byPassword)
	code := w.code(byCode)
	*f = oauthFuzz{oauthWorld: w, left: 500, secrets: []string{access, refresh, code, oauthPass, w.secrets[byPassword], w.secrets[byCode]}}
	f.words = strings.NewReplacer(
		"{access}", access, "{refresh}", refresh, "{code}", code, "{pass}", url.QueryEscape(oauthPass), "{secret}", w.secrets[byPassword],
	)
}

// errorCodes are those of RFC 6749 section 5.2, and of section 4.1.2.1 for a service
// that cannot answer.
var errorCodes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "temporarily_unavailable": true,
}

// hold holds an answer against what is promised of all.
func (f *oauthFuzz) hold(t *testing.T, r *http.Request) {
	t.Helper()
	a := f.serve(r)
	if a.status >= 500 || a.header.Get("Location") != "" {
		t.Errorf("%d %s %s", a.status, a.header.Get("Location"), a.body)
	}
	if a.status == http.StatusOK {
		return
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(a.body), &m); err != nil || !errorCodes[m["error"]] || strings.Trim(m["error_description"], " !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~") != "" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, secret := range f.secrets {
		if strings.Contains(a.body, secret) {
			t.Errorf("a secret comes back: %s", a.body)
		}
	}
}

// FuzzOAuthForm sends arbitrary forms to the grants, by an application that has
// proved itself and by one that has not.
func FuzzOAuthForm(f *testing.F) {
	for _, seed := range []string{
		"grant_type=password&username=bob&password={pass}&scope=read", "grant_type=password&username=%00&password=x", "grant_type=refresh_token&refresh_token={refresh}&scope=write",
		"grant_type=authorization_code&code={code}&redirect_uri=http%3A%2F%2Fapp.example.com%2Fcb", "grant_type=client_credentials&scope=read+write", "token={access}&token_type_hint=x",
		"token={refresh}", "client_id=bypassword&client_secret={secret}&token={access}", "client_id=bypasswordpublic&token=%ff", "a=1&a=2", "%zz", "&&=&", "grant_type=password&grant_type=password", "{secret}={secret}&{secret}=1",
	} {
		for at := range uint8(12) {
			f.Add(at, at/3, seed)
		}
	}
	fz := &oauthFuzz{}
	apps := []string{byPassword, byCode, byItself, ""}
	paths := []string{awx.PathToken, awx.PathRevoke, awx.PathRevokeToo}
	f.Fuzz(func(t *testing.T, path, app uint8, body string) {
		fz.next(t)
		r := httptest.NewRequest(http.MethodPost, oauthURL+paths[int(path)%len(paths)], strings.NewReader(fz.words.Replace(body)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if id := apps[int(app)%len(apps)]; id != "" {
			r.SetBasicAuth(id, fz.oauthWorld.secrets[id])
		}
		fz.hold(t, r)
	})
}

// FuzzOAuthHeaders sends arbitrary headers to the grants.
func FuzzOAuthHeaders(f *testing.F) {
	for _, seed := range [][2]string{
		{"Authorization", "Basic Og=="},
		{"Authorization", "Basic YTpi"},
		{"Authorization", "Basic JXp6Og=="},
		{"Authorization", "basic "},
		{"Authorization", "Bearer {access}"},
		{"Content-Type", "application/json"},
		{"Content-Type", "multipart/form-data; boundary=\""},
		{"Content-Type", "application/x-www-form-urlencoded; charset=\"\\"},
		{"Accept", "text/html"},
		{"Origin", "https://\x00"},
	} {
		f.Add(uint8(0), seed[0], seed[1])
		f.Add(uint8(1), seed[0], seed[1])
	}
	fz := &oauthFuzz{}
	paths := []string{awx.PathToken, awx.PathRevoke}
	f.Fuzz(func(t *testing.T, path uint8, name, value string) {
		fz.next(t)
		r := httptest.NewRequest(http.MethodPost, oauthURL+paths[int(path)%len(paths)], strings.NewReader("grant_type=password&token=x&client_id=bypasswordpublic"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header[http.CanonicalHeaderKey(name)] = []string{fz.words.Replace(value)}
		fz.hold(t, r)
	})
}

// FuzzOAuthAuthorize opens the way in with arbitrary queries: a browser is sent to
// the service's own pages, or to where an application is registered.
func FuzzOAuthAuthorize(f *testing.F) {
	for _, seed := range []string{
		"client_id=bycode&response_type=code&redirect_uri=http://app.example.com/cb&state=x", "client_id=implicitly&response_type=token&state=%0d%0aX:y", "client_id=bycode&redirect_uri=http://evil.example/cb",
		"client_id=bycode&redirect_uri=http://app.example.com/cb%0d%0a", "client_id=implicitly&redirect_uri=//app.example.com/cb", "client_id=standardalone&response_type=code", "client_id=bycodepublic&response_type=code&code_challenge=x",
		"client_id=bycode&prompt=none&response_type=code", "a=1&a=2", "%zz", "client_id=%ff", "client_id=bycode&scope=%22", "client_id=bycode&response_type=code&max_age=-1",
	} {
		f.Add(false, seed)
		f.Add(true, seed)
	}
	fz := &oauthFuzz{}
	f.Fuzz(func(t *testing.T, post bool, text string) {
		fz.next(t)
		r := httptest.NewRequest(http.MethodGet, oauthURL+awx.PathAuthorize, nil)
		if r.URL.RawQuery = text; post {
			r = httptest.NewRequest(http.MethodPost, oauthURL+awx.PathAuthorize, strings.NewReader(text))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		a := fz.serve(r)
		to := a.header.Get("Location")
		own := strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") && !strings.HasPrefix(to, `/\`)
		registered := strings.HasPrefix(to, oauthCallback+"?") || strings.HasPrefix(to, oauthCallback+"#")
		if a.status >= 500 || to != "" && !own && !registered || strings.ContainsAny(to, "\r\n\x00") {
			t.Errorf("%d %q", a.status, to)
		}
	})
}
