package door_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// machineForm asks for a token for the application itself.
func machineForm() url.Values { return fields("grant_type", "client_credentials") }

func TestMustRFC6749HowApplicationsProveThemselves(t *testing.T) {
	must(t, []rule{
		{"RFC 6749 section 2.3.1: Basic is taken from any application with a secret, and its scheme in any case", func(t *testing.T, w *world) {
			pair := base64.StdEncoding.EncodeToString([]byte(machine + ":" + w.secrets[machine]))
			for _, scheme := range []string{"Basic", "basic", "BASIC"} {
				if a := w.post("/oauth2/token", machineForm(), withHeader("Authorization", scheme+" "+pair)); a.status != 200 {
					t.Errorf("%s: %d %s", scheme, a.status, a.body)
				}
			}
		}},
		{"RFC 6749 section 2.3.1: name and secret in Basic are form-encoded, so that they may hold anything", func(_ *testing.T, w *world) {
			w.addApplication(store.Application{ID: "an app/+%=&é"[:9], Name: "Odd", Grants: []string{token.GrantClientCredentials}})
			w.token("an app/+%", machineForm())
			raw := base64.StdEncoding.EncodeToString([]byte("an app/+%:" + w.secrets["an app/+%"]))
			w.refused(401, "invalid_client", machineForm(), withHeader("Authorization", "Basic "+raw))
		}},
		{"RFC 6749 section 2.3.1: the secret may stand in the body, and never in the URL", func(t *testing.T, w *world) {
			form := machineForm()
			form.Set("client_id", machine)
			form.Set("client_secret", w.secrets[machine])
			if a := w.post("/oauth2/token", form); a.status != 200 {
				t.Errorf("in the body: %d %s", a.status, a.body)
			}
			a := w.post("/oauth2/token?client_id="+machine+"&client_secret="+w.secrets[machine], machineForm())
			w.wantError(a, 400, "invalid_request")
		}},
		{"RFC 6749 section 2.3: more than one method in a request is refused", func(_ *testing.T, w *world) {
			body := []option{withField("client_id", machine), withField("client_secret", w.secrets[machine])}
			header := withBasic(machine, w.secrets[machine])
			assertion := []option{withField("client_assertion_type", oauth2.AssertionType), withField("client_assertion", w.assertion())}
			w.refused(400, "invalid_request", machineForm(), append(body, header)...)
			w.refused(400, "invalid_request", machineForm(), append(assertion, header)...)
			w.refused(400, "invalid_request", machineForm(), append(assertion, body...)...)
			w.refused(400, "invalid_request", machineForm(), header, header)
		}},
		{"RFC 6749 section 2.3: a method that is not the application's own is refused (RFC 9700 section 2.5)", func(_ *testing.T, w *world) {
			w.refused(401, "invalid_client", machineForm(), withBasic(posting, w.secrets[posting]))
			w.refused(401, "invalid_client", machineForm(), withField("client_id", basic), withField("client_secret", w.secrets[basic]))
			w.refused(401, "invalid_client", machineForm(), withField("client_id", machine))
			w.refused(401, "invalid_client", machineForm(), withField("client_id", signer))
			w.refused(401, "invalid_client", machineForm(), withBasic(signer, "ats_cs_guess"))
			w.refused(401, "invalid_client", machineForm(), withBasic(signer, ""))
			w.refused(401, "invalid_client", machineForm(), withBasic(native, ""))
			w.token(basic, machineForm())
			w.token(posting, machineForm())
			w.token(signer, machineForm())
		}},
		{"RFC 6749 section 2.3.1: client_id beside Basic must name the same application", func(_ *testing.T, w *world) {
			w.refused(400, "invalid_request", machineForm(), w.as(machine), withField("client_id", web))
			w.token(machine, machineForm(), withField("client_id", machine))
		}},
		{"RFC 6749 section 5.2: unknown application, wrong secret and wrong method read the same, to the byte, at every endpoint", sameForStrangers},
		{"RFC 6749 section 5.2: invalid_client is a 401 with a challenge of the scheme that was used", func(t *testing.T, w *world) {
			a := w.refused(401, "invalid_client", machineForm(), withBasic(machine, "wrong"))
			if got := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Basic ") {
				t.Errorf("challenge %q", got)
			}
		}},
		{"RFC 6749 section 5.2: what is no Basic is no proof", func(_ *testing.T, w *world) {
			good := base64.StdEncoding.EncodeToString([]byte(machine + ":" + w.secrets[machine]))
			for _, header := range []string{
				"Basic", "Basic ", "Basic " + good[:10], "Basic !!!", "Basic " + base64.StdEncoding.EncodeToString([]byte("nocolon")),
				"Basic " + base64.StdEncoding.EncodeToString([]byte("%zz:%zz")), "Bearer " + w.secrets[machine], good, "Digest " + good, ":", "\x00",
				"Basic " + base64.StdEncoding.EncodeToString([]byte(":")), "Basic " + base64.StdEncoding.EncodeToString([]byte("\x00\xff:\xff")),
			} {
				w.refused(401, "invalid_client", machineForm(), withHeader("Authorization", header))
			}
		}},
		{"RFC 6749 section 2.3.1: the secret of one application is no good for another", func(_ *testing.T, w *world) {
			w.refused(401, "invalid_client", machineForm(), withBasic(machine, w.secrets[watcher]))
		}},
		{"RFC 6749 section 2.2: client_id is no secret: a public application has to name itself, and no more", func(_ *testing.T, w *world) {
			w.refused(401, "invalid_client", fields("grant_type", "refresh_token", "refresh_token", "x"))
			w.refused(401, "invalid_client", fields("grant_type", "refresh_token", "refresh_token", "x"), withField("client_id", native), withField("client_secret", "x"))
			w.refused(400, "invalid_grant", fields("grant_type", "refresh_token", "refresh_token", "x"), withField("client_id", native))
		}},
		{"RFC 6749 section 2.3.1: a new secret is good at once, and the old one no more", func(_ *testing.T, w *world) {
			old := w.secrets[machine]
			fresh, err := w.issuer.SetApplicationSecret(w.Context(), store.DefaultTenant, machine)
			w.do(err)
			w.refused(401, "invalid_client", machineForm(), withBasic(machine, old))
			w.secrets[machine] = fresh.Reveal()
			w.token(machine, machineForm())
		}},
		{"RFC 9700 section 4.15: client_id and user name are one space: no application is called like a user, nor a user like an application", func(t *testing.T, w *world) {
			_, _, err := w.issuer.AddApplication(t.Context(), store.Application{Tenant: store.DefaultTenant, ID: "marco", Name: "M", Grants: []string{token.GrantClientCredentials}})
			if err == nil {
				t.Error("an application is called marco")
			}
			if err := w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: machine}, token.NewPassword(pass)); err == nil {
				t.Error("a user is called machine")
			}
			claims := w.claims(w.token(machine, machineForm()).text("access_token"))
			if claims["sub"] != machine || claims["client_id"] != machine {
				t.Errorf("claims %v", claims)
			}
		}},
	})
}

func sameForStrangers(t *testing.T, w *world) {
	proofs := map[string][]option{
		"unknown":               {withBasic("nobody", "wrong")},
		"wrong secret":          {withBasic(machine, "wrong")},
		"empty secret":          {withBasic(machine, "")},
		"another kind":          {withBasic(posting, w.secrets[posting])},
		"unknown in body":       {withField("client_id", "nobody"), withField("client_secret", "x")},
		"wrong in body":         {withField("client_id", machine), withField("client_secret", "x")},
		"unknown and public":    {withField("client_id", "nobody")},
		"secret left out":       {withField("client_id", machine)},
		"nobody":                {},
		"a name without end":    {withBasic(strings.Repeat("x", 5000), "x")},
		"a user":                {withBasic("marco", pass)},
		"no assertion":          {withField("client_assertion_type", oauth2.AssertionType), withField("client_assertion", "a.b.c")},
		"a foreign assertion":   {withField("client_assertion_type", oauth2.AssertionType), withField("client_assertion", sign(newKey(t), map[string]any{"kid": "k1"}, map[string]any{"iss": signer, "sub": signer}))},
		"an unknown one's":      {withField("client_assertion_type", oauth2.AssertionType), withField("client_assertion", sign(w.key, nil, map[string]any{"iss": "nobody", "sub": "nobody"}))},
		"another's without key": {withField("client_assertion_type", oauth2.AssertionType), withField("client_assertion", sign(w.key, nil, map[string]any{"iss": machine, "sub": machine}))},
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/device_authorization"} {
		texts := map[string]string{}
		for what, options := range proofs {
			form := fields("grant_type", "client_credentials", "token", "x")
			a := w.post(path, form, options...)
			texts[fmt.Sprint(a.status, a.header, a.body)] = what
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s, %s: %d %s", path, what, a.status, a.body)
			}
		}
		if len(texts) != 1 {
			t.Errorf("%s: %d different answers: %v", path, len(texts), texts)
		}
	}
}
