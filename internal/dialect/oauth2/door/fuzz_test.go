package door_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// fuzzed is a world that is asked arbitrary things, with what is secret in it.
type fuzzed struct {
	*world
	left    int // requests until it is made anew
	person  *person
	set     answer
	device  answer
	secrets []string // none of which comes back
	words   *strings.Replacer
}

// next prepares for one more request. Words in braces stand for what is good in
// this world.
func (f *fuzzed) next(t *testing.T) {
	t.Helper()
	if f.left > 0 {
		f.left--
		f.world.TB = t
		return
	}
	w := newWorld(t)
	*f = fuzzed{world: w, left: 500, person: w.person().login("ada")}
	f.set = w.browserTokens("ada", web)
	f.device = w.post("/oauth2/device_authorization", fields("client_id", tv))
	f.secrets = []string{w.secrets[web], w.secrets[machine], f.person.jar["__Host-ats_session"].Value, pass, f.set.text("refresh_token"), f.set.text("access_token")}
	f.words = strings.NewReplacer(
		"{code}", w.code(web), "{refresh}", f.set.text("refresh_token"), "{access}", f.set.text("access_token"), "{device}", f.device.text("device_code"),
		"{user_code}", f.device.text("user_code"), "{assertion}", w.assertion(), "{challenge}", challengeOf(codeVerifier), "{verifier}", codeVerifier,
		"{csrf}", w.form(f.person.get("/account"), "/logout").fields.Get("csrf"), "{pass}", url.QueryEscape(pass), "{secret}", w.secrets[web],
	)
}

var loopback = regexp.MustCompile(`^http://(127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?/cb\?`)

// isPlace tells whether a redirection leads to a page of the service, or to an
// address that is registered.
func isPlace(location string) bool {
	if strings.HasPrefix(location, "/") {
		return !strings.HasPrefix(location, "//") && !strings.HasPrefix(location, "/\\")
	}
	for _, app := range applications() {
		for _, uri := range app.RedirectURIs {
			if strings.HasPrefix(location, uri+"?") || strings.Contains(uri, "?") && strings.HasPrefix(location, uri+"&") {
				return true
			}
		}
	}
	return loopback.MatchString(location)
}

// ask sends what may be anything, and holds the answer against what is promised
// of all answers. sent is what may come back, where the sender put it in a place
// that is told again.
func (f *fuzzed) ask(t *testing.T, r *http.Request, sent string) {
	t.Helper()
	a := f.serve(r)
	if a.status >= 500 {
		t.Errorf("%s %s: %d %s", r.Method, r.URL, a.status, a.body)
	}
	if to := a.location(); to != "" && !isPlace(to) || a.status/100 == 3 && to == "" {
		t.Errorf("%s %s: %d leads to %q", r.Method, r.URL, a.status, to)
	}
	for name, list := range a.header {
		if strings.ContainsAny(strings.Join(list, ""), "\r\n\x00") {
			t.Errorf("%s %s: header %s: %q", r.Method, r.URL, name, list)
		}
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") && !json.Valid([]byte(a.body)) {
		t.Errorf("%s %s: no JSON: %q", r.Method, r.URL, a.body)
	}
	if strings.Contains(strings.ToLower(a.body), "<script") {
		t.Errorf("%s %s: a script in %s", r.Method, r.URL, a.body)
	}
	for _, secret := range f.secrets {
		if strings.Contains(a.body+a.location(), secret) && !strings.Contains(sent, secret) {
			t.Errorf("%s %s: a secret comes back: %s", r.Method, r.URL, a.body)
		}
	}
}

// told are the values of the parameters that errors and pages tell again.
func told(text string) string {
	values, _ := url.ParseQuery(text)
	var list []string
	for _, name := range []string{"scope", "resource", "audience", "state", "username", "login_hint", "next", "user_code"} {
		list = append(list, values[name]...)
	}
	for name := range values {
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

func (f *fuzzed) request(method, path, query, body string) *http.Request {
	r := httptest.NewRequest(method, f.url+path, strings.NewReader(body))
	r.URL.RawQuery = query
	if method == http.MethodPost {
		r.Header.Set("Content-Type", formType)
	}
	return r
}

func (f *fuzzed) withCookies(r *http.Request) *http.Request {
	m := &message{header: r.Header}
	f.person.withCookies()(m)
	return r
}

// FuzzForm sends arbitrary forms to the endpoints of applications, by one that
// has proved itself and by one that has not.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"grant_type=authorization_code&code={code}&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb&code_verifier={verifier}",
		"grant_type=refresh_token&refresh_token={refresh}&scope=read&resource=https%3A%2F%2Fapi.example.com%2F", "grant_type=client_credentials&scope=read&audience=x",
		"grant_type=password&username=marco&password={pass}&scope=openid", "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code={device}&client_id=tv",
		"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={access}&subject_token_type=urn:ietf:params:oauth:token-type:access_token&actor_token={access}&actor_token_type=urn:ietf:params:oauth:token-type:jwt",
		"token={access}&token_type_hint=refresh_token", "token={refresh}", "client_id=web&client_secret={secret}&token=x", "a=1&a=2", "%zz", "a=%ff", "a=%00", "&&=&", "scope=%22", "client_id=tv&scope=read",
		"client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&client_assertion={assertion}&grant_type=client_credentials",
	} {
		for at := range uint8(4) {
			f.Add(at, at, seed)
		}
	}
	fz := &fuzzed{}
	apps := []string{web, gateway, house, machine, tv, ""}
	f.Fuzz(func(t *testing.T, endpoint, app uint8, body string) {
		fz.next(t)
		body = fz.words.Replace(body)
		r := fz.request("POST", formEndpoints()[int(endpoint)%4], "", body)
		if id := apps[int(app)%len(apps)]; fz.world.secrets[id] != "" {
			r.SetBasicAuth(id, fz.world.secrets[id])
		}
		fz.ask(t, r, told(body))
	})
}

// FuzzQuery opens the pages with arbitrary queries, in a browser that is logged
// in and in one that is not.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"client_id=house&response_type=code&redirect_uri=https://house.example.com/cb&code_challenge={challenge}&code_challenge_method=S256&state=x&nonce=y&scope=openid",
		"client_id=web&response_type=token&redirect_uri=https://app.example.com/cb", "client_id=native&redirect_uri=http://127.0.0.1:8080/cb&prompt=none&max_age=0&response_type=code",
		"client_id=native&redirect_uri=http://[::1]:1/cb", "client_id=native&redirect_uri=com.example.app:/cb", "client_id=legacy&redirect_uri=https://old.example.com/cb%3Fkind=a&response_type=code&prompt=login+consent",
		"next=//evil.example", "next=/oauth2/authorize%3Fclient_id%3Dweb", "next=/device%3Fuser_code%3D{user_code}", "user_code={user_code}", "user_code=%ff", "username=%22%3E%3Cscript%3E", "access_token={access}",
		"client_id=web&redirect_uri=https://app.example.com/cb%0d%0aX:y", "client_id=web&state=%0d%0aSet-Cookie:a=b",
	} {
		for at := range uint8(5) {
			f.Add(at, at%2 == 0, seed)
		}
	}
	fz := &fuzzed{}
	pages := []string{"/oauth2/authorize", "/login", "/device", "/account", "/oauth2/userinfo", metadataPath, "/logout"}
	f.Fuzz(func(t *testing.T, page uint8, known bool, query string) {
		fz.next(t)
		query = fz.words.Replace(query)
		r := fz.request("GET", pages[int(page)%len(pages)], query, "")
		if known {
			fz.withCookies(r)
		}
		fz.ask(t, r, told(query)+query)
	})
}

// FuzzPageForm sends arbitrary forms to the pages, in a browser that is logged
// in, mostly with the token of a page of ours.
func FuzzPageForm(f *testing.F) {
	for _, seed := range [][2]string{
		{"client_id=web&response_type=code&redirect_uri=https://app.example.com/cb&code_challenge={challenge}&code_challenge_method=S256", "decision=allow"},
		{"client_id=web&response_type=code", "decision=deny"},
		{"", "username=marco&password={pass}&next=//evil.example"},
		{"", "username=marco&password=x"},
		{"", "user_code={user_code}&decision=allow"},
		{"", "id=x"},
		{"a=1&a=2", "x=%zz"},
		{"", "csrf=x&csrf=y"},
	} {
		for at := range uint8(6) {
			f.Add(at, seed[0], seed[1])
		}
	}
	fz := &fuzzed{}
	pages := []string{"/oauth2/authorize", "/login", "/device", "/account/end", "/account/end-all", "/logout"}
	f.Fuzz(func(t *testing.T, page uint8, query, body string) {
		fz.next(t)
		at := int(page) % len(pages)
		if at > 2 && body != "" || at == 1 {
			fz.left = 0 // it may have ended the login
		}
		query, body = fz.words.Replace(query), fz.words.Replace(body)
		r := fz.withCookies(fz.request("POST", pages[at], query, body+fz.words.Replace("&csrf={csrf}")))
		fz.ask(t, r, told(query)+query+told(body))
	})
}

// FuzzHeaders sends arbitrary headers to every endpoint.
func FuzzHeaders(f *testing.F) {
	for _, seed := range [][2]string{
		{"Authorization", "Bearer {access}"},
		{"Authorization", "DPoP {access}"},
		{"Authorization", "Basic d2ViOng="},
		{"Authorization", "Basic AP8AOgD/"},
		{"DPoP", "{assertion}"},
		{"DPoP", "a.b.c"},
		{"Cookie", "__Host-ats_session=x; __Host-ats_visitor=\x7f"},
		{"Content-Type", "multipart/form-data; boundary=\""},
		{"Origin", "https://\x00"},
		{"Sec-Fetch-Site", "x"},
		{"Content-Type", "application/x-www-form-urlencoded; charset=\"\\"},
		{"Host", "evil.example"},
		{"X-Forwarded-Host", "evil.example"},
		{"User-Agent", "\xff\x00"},
	} {
		for at := range uint8(10) {
			f.Add(at, at%2 == 0, seed[0], seed[1])
		}
	}
	fz := &fuzzed{}
	paths := append(formEndpoints(), "/oauth2/userinfo", "/oauth2/logins", "/oauth2/global-token-revocation", "/oauth2/authorize", "/login", "/device", "/account", "/.well-known/jwks.json")
	f.Fuzz(func(t *testing.T, path uint8, post bool, name, value string) {
		fz.next(t)
		method := map[bool]string{true: "POST", false: "GET"}[post]
		r := fz.request(method, paths[int(path)%len(paths)], "", "token=x&grant_type=client_credentials")
		fz.withCookies(r)
		r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], fz.words.Replace(value))
		fz.ask(t, r, "")
	})
}

// FuzzGlobalRevocation sends arbitrary bodies in the name of an admin.
func FuzzGlobalRevocation(f *testing.F) {
	for _, seed := range []string{
		`{"sub_id":{"format":"opaque","id":"marco"}}`, `{"sub_id":{"format":"iss_sub","iss":"https://auth.example.com","sub":"nobody"}}`, `{"sub_id":{"format":"iss_sub"}}`, `{"sub_id":[]}`, `{"sub_id":null}`,
		`[]`, ``, `{"sub_id":{"format":"opaque","id":"\ud800"}}`, `{"sub_id":{"format":"opaque","id":"\u0000"}}`, "{\"sub_id\":{\"format\":\"opaque\",\"id\":\"\xff\"}}", strings.Repeat(`{"a":`, 40), `{"sub_id":{"format":"email","email":"a@b"}}`,
	} {
		f.Add(seed)
	}
	fz := &fuzzed{}
	f.Fuzz(func(t *testing.T, body string) {
		fz.next(t)
		if strings.Contains(body, "ada") {
			fz.left = 0
		}
		r := fz.request("POST", "/oauth2/global-token-revocation", "", body)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+fz.set.text("access_token"))
		fz.ask(t, r, "")
	})
}
