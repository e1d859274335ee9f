package door_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const formType = "application/x-www-form-urlencoded"

// formEndpoints are those that take a form from an application.
func formEndpoints() []string {
	return []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/device_authorization"}
}

func TestMustRFC6749TokenEndpoint(t *testing.T) {
	must(t, []rule{
		{"RFC 6749 section 3.2: the token endpoint takes POST alone", func(t *testing.T, w *world) {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post"} {
				a := w.send(method, "/oauth2/token", nil, withBasic(machine, w.secrets[machine]))
				if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
					t.Errorf("%s: %d, Allow %q", method, a.status, a.header.Get("Allow"))
				}
			}
		}},
		{"RFC 6749 section 3.2: a parameter must not stand there more than once", func(_ *testing.T, w *world) {
			for _, name := range []string{"grant_type", "scope", "client_id", "client_secret", "code", "username", "refresh_token", "unknown"} {
				form := machineForm()
				form[name] = []string{"a", "a"}
				for _, path := range formEndpoints() {
					w.wantError(w.post(path, form, withBasic(machine, w.secrets[machine])), 400, "invalid_request")
				}
			}
		}},
		{"RFC 6749 section 3.2: an empty value beside a full one is twice too", func(_ *testing.T, w *world) {
			w.refused(400, "invalid_request", nil, w.as(machine), withBody(formType, "grant_type=client_credentials&scope=&scope=read"))
		}},
		{"RFC 6749 section 3.2: parameters sent without a value are treated as omitted", func(t *testing.T, w *world) {
			with := w.token(machine, machineForm(), withField("scope", ""), withField("client_secret", ""), withField("client_assertion", ""), withField("resource", ""))
			if got := with.text("scope"); got != "read write" {
				t.Errorf("scope %q", got)
			}
			w.refused(400, "invalid_request", fields("grant_type", ""), w.as(machine))
			w.refused(400, "invalid_request", fields("grant_type", "refresh_token", "refresh_token", ""), w.as(web))
		}},
		{"RFC 6749 section 3.2: unrecognized parameters are ignored", func(_ *testing.T, w *world) {
			w.token(machine, machineForm(), withField("colour", "blue"))
		}},
		{"RFC 6749 section 3.2 and appendix B: the body must be a form in UTF-8", func(_ *testing.T, w *world) {
			for _, path := range formEndpoints() {
				for _, kind := range []string{"", "application/json", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded-not", ";"} {
					a := w.post(path, nil, withBasic(machine, w.secrets[machine]), withBody(kind, "grant_type=client_credentials&token=x"))
					w.wantError(a, 400, "invalid_request")
				}
				for _, body := range []string{"grant_type=%zz", "grant_type=%ff", "%ff=a", "a=%00", "a;b=c", "grant_type=client_credentials&scope=%C3%28"} {
					w.wantError(w.post(path, nil, withBasic(machine, w.secrets[machine]), withBody(formType, body)), 400, "invalid_request")
				}
			}
		}},
		{"RFC 6749 section 3.2: a charset does no harm", func(_ *testing.T, w *world) {
			w.token(machine, nil, withBody("Application/X-WWW-Form-URLencoded; charset=UTF-8", "grant_type=client_credentials"))
		}},
		{"RFC 6749 section 2.3.1: parameters in the URL are refused", func(_ *testing.T, w *world) {
			for _, path := range formEndpoints() {
				for _, query := range []string{"grant_type=client_credentials", "a=b", "token=x", "x"} {
					w.wantError(w.post(path+"?"+query, machineForm(), withBasic(machine, w.secrets[machine])), 400, "invalid_request")
				}
			}
		}},
		{"security.md B 11: a body of more than 16 KiB is refused", func(_ *testing.T, w *world) {
			for _, path := range formEndpoints() {
				a := w.post(path, machineForm(), withBasic(machine, w.secrets[machine]), withField("padding", strings.Repeat("x", 17<<10)))
				w.wantError(a, http.StatusRequestEntityTooLarge, "invalid_request")
			}
			w.token(machine, machineForm(), withField("padding", strings.Repeat("x", 15<<10)))
		}},
		{"RFC 6749 section 5.2: an unknown grant_type is unsupported_grant_type, a missing one invalid_request", func(_ *testing.T, w *world) {
			for _, grant := range []string{"implicit", "Client_Credentials", "client_credentials ", "urn:ietf:params:oauth:grant-type:jwt-bearer", strings.Repeat("x", 3000), "\u2028"} {
				w.refused(400, "unsupported_grant_type", fields("grant_type", grant), w.as(machine))
			}
			w.refused(400, "invalid_request", url.Values{}, w.as(machine))
		}},
		{"RFC 6749 section 5.2: a grant that the application is not registered for is unauthorized_client", func(_ *testing.T, w *world) {
			for _, grant := range []string{"authorization_code", "refresh_token", "password", token.GrantDeviceCode, token.GrantTokenExchange} {
				w.refused(400, "unauthorized_client", fields("grant_type", grant), w.as(machine))
			}
			w.refused(400, "unauthorized_client", machineForm(), w.as(web))
			w.refused(400, "unauthorized_client", machineForm(), w.as(native))
		}},
		{"RFC 6749 section 5.1: a token answer is JSON, names its type and lifetime, and is not to be kept", func(t *testing.T, w *world) {
			a := w.token(machine, machineForm())
			if a.text("token_type") != "Bearer" || a.member("expires_in") != 600.0 || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("%v %s", a.header, a.body)
			}
			wantUnkept(t, a)
		}},
		{"RFC 6749 section 5.2: an error is JSON of printable ASCII, and is not to be kept", func(t *testing.T, w *world) {
			for _, a := range []answer{
				w.refused(400, "unsupported_grant_type", fields("grant_type", "é\"\\\n"), w.as(machine)),
				w.refused(400, "invalid_scope", machineForm(), w.as(machine), withField("scope", "nö\"pe")),
				w.refused(400, "invalid_request", nil, w.as(machine), withBody(formType, "%C3%A9%22=1&%C3%A9%22=2")),
				w.refused(401, "invalid_client", machineForm()),
				w.get("/oauth2/token"),
			} {
				wantUnkept(t, a)
				for _, c := range a.text("error_description") {
					if c < ' ' || c > '~' || c == '"' || c == '\\' {
						t.Errorf("%s holds %q", a.body, c)
					}
				}
			}
		}},
		{"RFC 6749 section 3.3: a scope that the application may not have, or that is none, is invalid_scope", func(_ *testing.T, w *world) {
			for _, scope := range []string{"admin", "read admin", "READ", "read  write", " read", "read ", "re\"ad", "re\\ad", "read\twrite", "read\nwrite", "ré"} {
				w.refused(400, "invalid_scope", machineForm(), w.as(machine), withField("scope", scope))
			}
		}},
		{"RFC 6749 section 3.3: the answer says what was granted: what was asked for, or by default all that the application is registered for", func(t *testing.T, w *world) {
			for asked, want := range map[string]string{"": "read write", "read": "read", "write read": "read write", "read read": "read"} {
				a := w.token(machine, machineForm(), withField("scope", asked))
				if a.text("scope") != want || w.claims(a.text("access_token"))["scope"] != want {
					t.Errorf("asked for %q: %s", asked, a.body)
				}
			}
		}},
		{"RFC 6749 section 4.4.3: client credentials give no refresh token, and no id_token", func(t *testing.T, w *world) {
			a := w.token(signer, machineForm(), withField("scope", "openid"))
			if a.member("refresh_token") != nil || a.member("id_token") != nil {
				t.Error(a.body)
			}
		}},
		{"RFC 6749 section 4.4: client credentials are for confidential applications alone", func(t *testing.T, w *world) {
			_, _, err := w.issuer.AddApplication(t.Context(), store.Application{Tenant: store.DefaultTenant, ID: "p", Name: "p", AuthMethod: "none", Grants: []string{token.GrantClientCredentials}})
			if err == nil {
				t.Error("a public application has got the grant")
			}
		}},
		{"RFC 6749 section 4.3 and RFC 9700 section 2.4: passwords are taken for applications made for it alone", func(t *testing.T, w *world) {
			form := fields("grant_type", "password", "username", "marco", "password", pass)
			for _, app := range []string{web, native, legacy, machine, signer} {
				w.refused(400, "unauthorized_client", form, w.as(app))
			}
			a := w.token(house, form)
			if w.claims(a.text("access_token"))["sub"] != "marco" || a.text("refresh_token") == "" {
				t.Error(a.body)
			}
		}},
		{"RFC 6749 section 4.3.2: wrong user, wrong password and disabled user are invalid_grant and read the same", func(t *testing.T, w *world) {
			w.addUser("gone")
			w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "gone", true))
			texts := map[string]bool{}
			for _, who := range [][2]string{{"marco", "wrong"}, {"nobody", pass}, {"gone", pass}, {machine, w.secrets[machine]}} {
				a := w.refused(400, "invalid_grant", fields("grant_type", "password", "username", who[0], "password", who[1]), w.as(house))
				texts[a.body] = true
			}
			if len(texts) != 1 {
				t.Error(texts)
			}
			w.refused(400, "invalid_request", fields("grant_type", "password", "username", "marco"), w.as(house))
			w.refused(400, "invalid_request", fields("grant_type", "password", "password", pass), w.as(house))
		}},
		{"RFC 6749 section 10.10: codes and tokens cannot be guessed: 128 random bits and more, never the same", func(t *testing.T, w *world) {
			seen := map[string]bool{}
			for range 3 {
				code := w.code(house)
				a := w.token(house, trade(house, code))
				for _, s := range []string{code, a.text("access_token"), a.text("refresh_token")} {
					if len(s) < 64 || seen[s] {
						t.Errorf("%q", s)
					}
					seen[s] = true
				}
			}
		}},
		{"security.md B 11: no secret of a request comes back or gets into the log", noSecretComesBack},
		{"server.md promise 6: a store that is away is a 503 with Retry-After, and what was sent can be sent again", func(t *testing.T, w *world) {
			code := w.code(house)
			refresh := w.logIn(web).text("refresh_token")
			w.store.breakDown(true)
			for _, a := range []answer{
				w.post("/oauth2/token", trade(house, code), w.as(house)), w.renew(web, refresh),
				w.post("/oauth2/revoke", fields("token", refresh), w.as(web)), w.post("/oauth2/introspect", fields("token", refresh), w.as(web)),
			} {
				w.wantError(a, 503, "temporarily_unavailable")
				if a.header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
			w.store.breakDown(false)
			w.token(house, trade(house, code))
			if a := w.renew(web, refresh); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}},
	})
}

func wantUnkept(t *testing.T, a answer) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", a.status, a.header)
	}
}

func noSecretComesBack(t *testing.T, w *world) {
	set := w.logIn(web)
	secrets := []string{w.secrets[web], set.text("refresh_token"), set.text("access_token"), "sEcReT-password", w.code(web), codeVerifier}
	w.clock.move(90 * time.Second)
	for _, name := range []string{"refresh_token", "code", "password", "client_secret", "code_verifier", "subject_token", "device_code", "token", "client_assertion", "username", "scope"} {
		for _, grant := range []string{"refresh_token", "authorization_code", "password", "client_credentials"} {
			for _, path := range formEndpoints() {
				for _, secret := range secrets {
					a := w.post(path, fields("grant_type", grant, name, secret), w.as(plainApp))
					if name != "scope" && strings.Contains(a.body, secret) {
						t.Errorf("%s %s %s: %s", path, grant, name, a.body)
					}
				}
			}
		}
	}
	for _, secret := range append(secrets, pass) {
		if strings.Contains(w.logged(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}
