package door_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
)

// endpoints are all that take a body.
func endpoints() [][2]string {
	return [][2]string{
		{"POST", tapis.PathTokens},
		{"PUT", tapis.PathTokens},
		{"POST", tapis.PathRevoke},
		{"PUT", tapis.PathKeys},
		{"POST", tapis.PathOAuth2},
		{"POST", tapis.PathOAuth2Revoke},
		{"POST", tapis.PathSiteRevoke},
	}
}

// wantAnswer wants an answer that is no failure and tells nothing that was sent
// and may be secret. That it is an envelope is wanted of all answers.
func (w *world) wantAnswer(a answer, sent string, secrets ...string) {
	w.Helper()
	if a.status >= 500 || len(w.failed) > 0 {
		w.Fatalf("%q: %d %q %v", sent, a.status, a.body, w.failed)
	}
	if a.header.Get("Location") != "" || len(a.Message) > 400 {
		w.Errorf("%q: %d %q", sent, a.status, a.body)
	}
	for _, secret := range secrets {
		if strings.Contains(a.Message, secret) {
			w.Errorf("%q: the answer %q tells %q", sent, a.Message, secret)
		}
	}
}

func FuzzBodies(f *testing.F) {
	w := newWorld(f)
	const secret = "s3cr3t-and-l0ng-enough-t0-be-n0thing-else"
	bearer := w.service("dev", "files") // may do nothing
	for _, seed := range []string{
		object(whole()), body("dev", "user", "x"), `{"token_tenant_id":"nobody","account_type":"user","token_username":"` + secret + `"}`,
		`{"refresh_token":"` + bearer + `"}`, `{"token":"` + forge(bearer) + `"}`, `{"refresh_token":"e30.e30.e30","token":"a.b.c"}`, `{"tenant_id":"dev"}`, `{"tenant_id":"` + secret + `x` + secret + `"}`,
		`{"grant_type":"password","username":"jstubbs","password":"` + secret + `"}`, `{"grant_type":"refresh_token","refresh_token":"` + secret + `"}`,
		`{"grant_type":"authorization_code","code":"` + secret + `","redirect_uri":"x","code_verifier":"y"}`, `{"grant_type":"device_code","device_code":"` + secret + `","client_id":"x"}`,
		`grant_type=password&username=x&password=` + secret, `grant_type=%ff&username=%00`, "%", "", "null", "{", "[]", "{\"token\":\"\xff\"}", `{"token":"\ud800"}`, `{"token_tenant_id":"dev","access_token_ttl":1e400}`,
		`{"token_tenant_id":"dev","account_type":"user","token_username":"x","claims":{"` + strings.Repeat("n", 300) + `":1,"jti":2}}`, strings.Repeat(`{"a":`, 40),
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, form bool) {
		w.TB, w.failed = t, nil
		kind := "application/json"
		if form {
			kind = "application/x-www-form-urlencoded"
		}
		for _, e := range endpoints() {
			for _, headers := range [][]string{nil, bearing(bearer), basic("apps", testPassword)} {
				a := w.send(e[0], e[1], text, append(headers, "Content-Type", kind, "Host", hostOfDev)...)
				w.wantAnswer(a, e[1]+" "+text, secret, bearer, testPassword)
				if a.status == 200 && e[1] != tapis.PathTokens && !strings.HasSuffix(e[1], "revoke") {
					t.Errorf("%s %q: %s", e[1], text, a.body)
				}
			}
		}
	})
}

func FuzzMintWithCredentials(f *testing.F) {
	w := newWorld(f)
	for name, value := range whole() {
		f.Add(name, value)
	}
	f.Add("claims", `{"a":{"b":[1,2,{"c":null}]}}`)
	f.Add("claims", `{"tapis/username":"root"}`)
	f.Add("access_token_ttl", "-0.000")
	f.Add("token_username", `"a@b@c"`)
	f.Fuzz(func(t *testing.T, name, value string) {
		w.TB, w.failed = t, nil
		members := whole()
		members[name] = value
		a := w.mint(object(members))
		w.wantAnswer(a, name+" "+value, testPassword)
		if a.status != 200 {
			return
		}
		p := a.pair(w)
		c := w.claims(p.Access.Token)
		if c["tapis/tenant_id"] != "dev" && c["tapis/tenant_id"] != "far" || c["tapis/token_type"] != "access" || c["sub"] != fmt.Sprint(c["tapis/username"], "@", c["tapis/tenant_id"]) {
			t.Errorf("%s %q gives the claims %v", name, value, c)
		}
		if p.Refresh != nil && w.refresh(p.Refresh.Token).status != 200 {
			t.Errorf("%s %q gives a refresh token that is not taken", name, value)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	w := newWorld(f)
	raw := w.service("dev", "files")
	for _, seed := range []string{raw, forge(raw), "junk", "a.b.c", "e30.e30.e30", "", "\xff", "Basic x", "Basic eDp5", "Bearer " + raw, basic("files", "x\x00")[1], "dev", "nobody", "localhost", strings.Repeat("x", 9000)} {
		f.Add(seed, seed, seed, seed)
	}
	f.Fuzz(func(t *testing.T, bearer, authorization, tenant, host string) {
		w.TB, w.failed = t, nil
		for _, headers := range [][]string{{tapis.HeaderToken, bearer}, {"Authorization", authorization}, {tapis.HeaderToken, bearer, "Authorization", authorization}} {
			headers = append(headers, tapis.HeaderTenant, tenant, tapis.HeaderUser, tenant, "Host", host)
			for _, e := range append(endpoints(), [2]string{"GET", tapis.PathCheck}, [2]string{"GET", tapis.PathTenants}) {
				a := w.send(e[0], e[1], body("dev", "user", "jstubbs"), headers...)
				w.wantAnswer(a, fmt.Sprintf("%s %q", e[1], headers), raw)
				if a.status == 200 && e[0] != "GET" {
					t.Errorf("%s %q: %s", e[1], headers, a.body)
				}
			}
		}
	})
}

func FuzzPath(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []string{"tokens", "tokens/keys", "tenants/dev?limit=%zz", "tenants/%2e%2e%2fx", "tenants/%00", "tenants//", "sites/tacc/", "sites/%ff", "oauth2/tokens/revoke", "site-router/tokens/check", "tenants/dev/../far", "../tokens"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		w.TB, w.failed = t, nil
		if strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r > '~' }) || !isEscaped(path) {
			return // no client can send it
		}
		for _, root := range []string{"/v3/tenants/", "/v3/sites/", "/v3/tokens/", "/v3/oauth2/tokens/", "/v3/site-router/"} {
			for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
				w.wantAnswer(w.send(method, root+path, `{"token":"x"}`), root+path)
			}
		}
	})
}

// isEscaped reports whether every percent sign begins an escape.
func isEscaped(path string) bool {
	for rest := path; ; {
		_, after, found := strings.Cut(rest, "%")
		if !found {
			return true
		}
		if len(after) < 2 || strings.Trim(after[:2], "0123456789abcdefABCDEF") != "" {
			return false
		}
		rest = after
	}
}
