package door_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// exchange is a good request to exchange a token.
func exchange(subject string, pairs ...string) url.Values {
	return fields(append([]string{
		"grant_type", token.GrantTokenExchange, "subject_token", subject, "subject_token_type", oauth2.TypeAccessToken,
	}, pairs...)...)
}

// acting adds an actor token to a request.
func acting(actor string) []string {
	return []string{"actor_token", actor, "actor_token_type", oauth2.TypeAccessToken}
}

func (w *world) machineToken(app string) string {
	w.Helper()
	return w.token(app, fields("grant_type", "client_credentials")).text("access_token")
}

func TestMustRFC8693Request(t *testing.T) {
	must(t, []rule{
		{"RFC 8693 section 2.1: subject_token and its type are needed", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for _, name := range []string{"subject_token", "subject_token_type"} {
				w.refused(400, "invalid_request", exchange(raw), w.as(gateway), without(name))
				w.refused(400, "invalid_request", exchange(raw), w.as(gateway), withField(name, ""))
			}
		}},
		{"RFC 8693 section 2.1: actor_token goes with its type, and its type with it", func(_ *testing.T, w *world) {
			raw, actor := w.logIn(web).text("access_token"), w.machineToken(gateway)
			w.refused(400, "invalid_request", exchange(raw, "actor_token", actor), w.as(gateway))
			w.refused(400, "invalid_request", exchange(raw, "actor_token_type", oauth2.TypeAccessToken), w.as(gateway))
			w.token(gateway, exchange(raw, acting(actor)...))
		}},
		{"RFC 8693 sections 2.1 and 3: types of tokens that are not exchanged or not given are invalid_request", func(_ *testing.T, w *world) {
			set := w.logIn(web)
			raw := set.text("access_token")
			const prefix = "urn:ietf:params:oauth:token-type:"
			for _, kind := range []string{prefix + "refresh_token", prefix + "id_token", prefix + "saml1", prefix + "saml2", "access_token", "x"} {
				w.refused(400, "invalid_request", exchange(raw), w.as(gateway), withField("subject_token_type", kind))
				w.refused(400, "invalid_request", exchange(raw, "requested_token_type", kind), w.as(gateway))
				w.refused(400, "invalid_request", exchange(raw, "actor_token", raw, "actor_token_type", kind), w.as(gateway))
			}
			w.refused(400, "invalid_request", exchange(set.text("refresh_token")), w.as(gateway))
			w.refused(400, "invalid_request", exchange(set.text("id_token")), w.as(gateway))
			w.token(gateway, exchange(raw), withField("subject_token_type", oauth2.TypeJWT))
			w.token(gateway, exchange(raw, "requested_token_type", oauth2.TypeAccessToken))
			w.token(gateway, exchange(raw, "requested_token_type", oauth2.TypeJWT))
		}},
		{"RFC 8693 section 2.1: the application proves itself, and is registered for it", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			w.refused(401, "invalid_client", exchange(raw))
			w.refused(401, "invalid_client", exchange(raw, "client_id", gateway))
			w.refused(401, "invalid_client", exchange(raw), withBasic(gateway, "wrong"))
			for _, app := range []string{web, native, machine, watcher} {
				w.refused(400, "unauthorized_client", exchange(raw), w.as(app))
			}
		}},
		{"RFC 8693 section 2.1: no public application is registered for it", func(t *testing.T, w *world) {
			a := store.Application{Tenant: store.DefaultTenant, ID: "open", Name: "Open", AuthMethod: "none", Grants: []string{token.GrantTokenExchange}}
			if _, _, err := w.issuer.AddApplication(t.Context(), a); err == nil {
				t.Error("it was")
			}
		}},
		{"RFC 8693 section 2.2.2: a subject or actor token that is not honoured is invalid_request", func(_ *testing.T, w *world) {
			good, set := w.logIn(web).text("access_token"), w.logIn(web)
			raw := set.text("access_token")
			w.post("/oauth2/revoke", fields("token", set.text("refresh_token")), w.as(web))
			for _, bad := range []string{"x", raw, good + "x", good[:len(good)-6] + "AAAAAA"} {
				w.refused(400, "invalid_request", exchange(bad), w.as(gateway))
				w.refused(400, "invalid_request", exchange(good, acting(bad)...), w.as(gateway))
			}
			w.clock.move(601 * time.Second)
			w.refused(400, "invalid_request", exchange(good), w.as(gateway))
		}},
		{"RFC 8693 section 2.2.2: an audience or resource that the application may not ask for is invalid_target", func(_ *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			for _, name := range []string{"audience", "resource"} {
				w.refused(400, "invalid_target", exchange(raw, name, "https://other.example.com"), w.as(gateway))
				w.refused(400, "invalid_target", exchange(raw, name, resource, name, "https://other.example.com"), w.as(gateway))
			}
		}},
		{"RFC 8693 section 2.1: audience and resource may stand more than once, nothing else may", func(t *testing.T, w *world) {
			raw := w.logIn(web).text("access_token")
			set := w.token(gateway, exchange(raw, "resource", resource, "audience", files, "scope", "read"))
			if got := fmt.Sprint(w.claims(set.text("access_token"))["aud"]); got != "["+resource+" "+files+"]" {
				t.Errorf("aud %s", got)
			}
			set = w.token(gateway, exchange(raw, "resource", resource, "resource", files, "scope", "read"))
			if got := fmt.Sprint(w.claims(set.text("access_token"))["aud"]); got != "["+resource+" "+files+"]" {
				t.Errorf("aud %s", got)
			}
			w.refused(400, "invalid_request", exchange(raw, "subject_token", raw), w.as(gateway))
		}},
		{"RFC 8693 section 2.1: scope beyond the subject token's or the application's is invalid_scope", func(t *testing.T, w *world) {
			raw := w.logIn(web, "scope", "read").text("access_token")
			w.refused(400, "invalid_scope", exchange(raw, "scope", "write"), w.as(gateway))
			w.refused(400, "invalid_scope", exchange(raw, "scope", "read write"), w.as(gateway))
			w.refused(400, "invalid_scope", exchange(raw, "scope", "admin"), w.as(gateway))
			if got := w.token(gateway, exchange(raw)).text("scope"); got != "read" {
				t.Errorf("without asking: %q, want what the subject token has", got)
			}
		}},
	})
}

func TestMustRFC8693Answer(t *testing.T) {
	must(t, []rule{
		{"RFC 8693 section 2.2.1: the answer says what was issued, of which type, with which scope and for how long", func(t *testing.T, w *world) {
			raw := w.logIn(web, "scope", "read write").text("access_token")
			a := w.token(gateway, exchange(raw, "scope", "read"))
			if a.text("issued_token_type") != oauth2.TypeAccessToken || a.text("token_type") != "Bearer" || a.text("scope") != "read" || a.member("expires_in") != 600.0 {
				t.Errorf("%s", a.body)
			}
			if a.member("refresh_token") != nil || a.member("id_token") != nil {
				t.Errorf("more than an access token: %s", a.body)
			}
			if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
				t.Errorf("%v", a.header)
			}
		}},
		{"RFC 8693 section 1.1: without an actor token the subject is impersonated: no act", func(t *testing.T, w *world) {
			raw := w.logIn(web, "scope", "read").text("access_token")
			claims := w.claims(w.token(gateway, exchange(raw)).text("access_token"))
			if _, has := claims["act"]; has || claims["sub"] != "marco" || claims["client_id"] != gateway {
				t.Errorf("%v", claims)
			}
		}},
		{"RFC 8693 section 4.1: act says who acts, and within it who acted before", func(t *testing.T, w *world) {
			raw := w.logIn(web, "scope", "read").text("access_token")
			first := w.token(gateway, exchange(raw, acting(w.machineToken(gateway))...)).text("access_token")
			want := map[string]any{"sub": gateway, "client_id": gateway}
			if diff := cmp.Diff(want, w.claims(first)["act"]); diff != "" {
				t.Errorf("once (-want +got)\n%s", diff)
			}
			second := w.token(gateway, exchange(first, acting(w.machineToken(machine))...)).text("access_token")
			want = map[string]any{"sub": machine, "client_id": machine, "act": want}
			if diff := cmp.Diff(want, w.claims(second)["act"]); diff != "" {
				t.Errorf("twice (-want +got)\n%s", diff)
			}
			third := w.token(gateway, exchange(second)).text("access_token")
			if diff := cmp.Diff(want, w.claims(third)["act"]); diff != "" {
				t.Errorf("impersonated afterwards: the chain is lost (-want +got)\n%s", diff)
			}
			if sub := w.claims(third)["sub"]; sub != "marco" {
				t.Errorf("sub %v", sub)
			}
		}},
		{"RFC 8693 section 4.1: introspection shows act", func(t *testing.T, w *world) {
			raw := w.logIn(web, "scope", "read").text("access_token")
			set := w.token(gateway, exchange(raw, acting(w.machineToken(gateway))...))
			a := w.post("/oauth2/introspect", fields("token", set.text("access_token")), w.as(gateway))
			if act, _ := a.member("act").(map[string]any); act["sub"] != gateway || a.text("username") != "marco" {
				t.Errorf("%s", a.body)
			}
		}},
		{"RFC 8693 section 4.1: a chain that nobody could read is refused, and what is given can be read", func(t *testing.T, w *world) {
			raw, actor := w.logIn(web, "scope", "read").text("access_token"), w.machineToken(machine)
			for n := range 40 {
				a := w.post("/oauth2/token", exchange(raw, acting(actor)...), w.as(gateway))
				if a.status != 200 {
					w.wantError(a, 400, "invalid_request")
					if n < 8 {
						t.Errorf("refused after %d", n)
					}
					return
				}
				raw = a.text("access_token")
				if !w.isLive(raw) {
					t.Fatalf("the token of actor %d is not honoured", n+1)
				}
			}
			t.Error("40 actors in a row")
		}},
		{"server.md: a token that would be too long to be read is refused, never a 500", func(_ *testing.T, w *world) {
			var many []string
			for n := range 10 {
				many = append(many, fmt.Sprintf("https://api.example.com/%d/%s", n, strings.Repeat("x", 2000)))
			}
			w.addApplication(store.Application{ID: "wide", Name: "Wide", Grants: []string{token.GrantClientCredentials}, Audiences: many})
			w.refused(400, "invalid_request", fields("grant_type", "client_credentials"), w.as("wide"))
			w.token("wide", fields("grant_type", "client_credentials", "resource", many[0]))
		}},
		{"server.md: any live token of the tenant is exchanged, the ats door's too, for what the application is registered for", func(t *testing.T, w *world) {
			set, err := w.ats.Login(t.Context(), token.Credentials{Username: "marco", Password: token.NewPassword(pass)}, token.Request{})
			w.do(err)
			a := w.token(gateway, exchange(set.AccessToken.Reveal(), "scope", "read"))
			if claims := w.claims(a.text("access_token")); claims["sub"] != "marco" || claims["scope"] != "read" {
				t.Errorf("%v", claims)
			}
			w.do(w.ats.Revoke(t.Context(), set.AccessToken.Reveal()))
			w.wantLive(a.text("access_token"), false, "when the login has been ended")
		}},
		{"RFC 8693 section 2.1: an exchanged token is over no later than its subject's, and void with its login", func(t *testing.T, w *world) {
			set := w.logIn(web, "scope", "read")
			w.clock.move(400 * time.Second)
			one := w.token(gateway, exchange(set.text("access_token")))
			if one.member("expires_in").(float64) > 200 || w.claims(one.text("access_token"))["exp"] != w.claims(set.text("access_token"))["exp"] {
				t.Errorf("%s", one.body)
			}
			w.post("/oauth2/revoke", fields("token", one.text("access_token")), w.as(gateway))
			w.wantLive(one.text("access_token"), false, "revoked")
			w.wantLive(set.text("access_token"), true, "what it was exchanged for")
			two := w.token(gateway, exchange(set.text("access_token")))
			w.post("/oauth2/revoke", fields("token", set.text("refresh_token")), w.as(web))
			w.wantLive(two.text("access_token"), false, "when its origin's login has ended")
		}},
		{"RFC 9449 section 5: an exchange with a proof gives a bound token", func(t *testing.T, w *world) {
			raw, key := w.logIn(web, "scope", "read").text("access_token"), newKey(t)
			a := w.token(gateway, exchange(raw), w.proof(key, "POST", "/oauth2/token"))
			if a.text("token_type") != "DPoP" || jktOf(w, a) != thumbprint(t, key) {
				t.Errorf("%s", a.body)
			}
		}},
	})
}

func TestMustRFC8707(t *testing.T) {
	credentials := func(pairs ...string) url.Values {
		return fields(append([]string{"grant_type", "client_credentials"}, pairs...)...)
	}
	must(t, []rule{
		{"RFC 8707 section 2: a resource is an absolute URI without a fragment", func(_ *testing.T, w *world) {
			for _, bad := range []string{"api", "/api", "//api.example.com/", resource + "#part", resource + "#", "https://%zz", ":", " " + resource} {
				w.refused(400, "invalid_target", credentials("resource", bad), w.as(machine))
			}
		}},
		{"RFC 8707 section 2: a resource that is unknown or not this application's is invalid_target", func(_ *testing.T, w *world) {
			for _, bad := range []string{"https://other.example.com/", strings.ToUpper(resource), strings.TrimSuffix(resource, "/"), resource + "?x", files + "/"} {
				w.refused(400, "invalid_target", credentials("resource", bad), w.as(machine))
				w.refused(400, "invalid_target", credentials("resource", resource, "resource", bad), w.as(machine))
			}
			w.refused(400, "invalid_target", credentials("resource", resource), w.as(basic))
		}},
		{"RFC 8707 section 2: several resources are all in aud, one alone is a string, none means all of the application's", func(t *testing.T, w *world) {
			for _, c := range []struct {
				app   string
				asked []string
				want  any
			}{
				{machine, []string{"resource", resource}, resource},
				{machine, []string{"resource", files, "resource", resource}, []any{resource, files}},
				{machine, []string{"resource", files, "resource", files}, files},
				{machine, []string{"resource", ""}, []any{resource, files}},
				{machine, nil, []any{resource, files}},
				{basic, nil, issuerURL},
				{machine, []string{"resource", issuerURL}, issuerURL},
			} {
				got := w.claims(w.token(c.app, credentials(c.asked...)).text("access_token"))["aud"]
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s, %v: aud (-want +got)\n%s", c.app, c.asked, diff)
				}
			}
		}},
		{"RFC 8707 section 2.1: a wrong resource in an authorization request is told to the application", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			for _, bad := range []string{"https://other.example.com/", resource + "#x", "api"} {
				a := b.get(authorizeTarget(authorization(web, "resource", bad)))
				if !strings.HasPrefix(a.location(), webCallback) || a.query().Get("error") != "invalid_target" || a.query().Get("state") != "st-1" {
					t.Errorf("%s: %d %s", bad, a.status, a.location())
				}
			}
		}},
		{"RFC 8707 section 2.2: a code, and a refresh token, give tokens for any part of what was allowed, and for nothing else", func(t *testing.T, w *world) {
			request := authorization(web, "scope", "read")
			request["resource"] = []string{resource, files}
			code := w.person().visit(authorizeTarget(request)).query().Get("code")
			w.refused(400, "invalid_target", trade(web, code), w.as(web), withField("resource", "https://other.example.com/"))
			set := w.token(web, trade(web, code), withField("resource", files))
			if aud := w.claims(set.text("access_token"))["aud"]; aud != files {
				t.Errorf("aud %v", aud)
			}
			bad := w.renew(web, set.text("refresh_token"), withField("resource", issuerURL))
			w.wantError(bad, 400, "invalid_target")
			next := w.renew(web, set.text("refresh_token"), withField("resource", files))
			if aud := w.claims(next.text("access_token"))["aud"]; aud != files {
				t.Errorf("refreshed for one: aud %v", aud)
			}
		}},
		{"RFC 8707 section 2.2: an application that was allowed one resource gets no other by refreshing", func(t *testing.T, w *world) {
			set := w.logIn(web, "scope", "read", "resource", resource)
			if aud := w.claims(set.text("access_token"))["aud"]; aud != resource {
				t.Errorf("aud %v", aud)
			}
			w.wantError(w.renew(web, set.text("refresh_token"), withField("resource", files)), 400, "invalid_target")
			next := w.renew(web, set.text("refresh_token"))
			if aud := w.claims(next.text("access_token"))["aud"]; aud != resource {
				t.Errorf("refreshed: aud %v", aud)
			}
		}},
		{"RFC 8707 section 3: the consent page shows whom the token is for", func(t *testing.T, w *world) {
			a := w.person().login("marco").get(authorizeTarget(authorization(web, "scope", "read", "resource", files)))
			if !strings.Contains(a.body, files) || strings.Contains(a.body, resource) {
				t.Errorf("%s", a.body)
			}
		}},
	})
}

// jktOf is the key that an answer's access token is bound to.
func jktOf(w *world, a answer) string {
	b, _ := json.Marshal(w.claims(a.text("access_token"))["cnf"])
	var cnf struct{ JKT string }
	w.do(json.Unmarshal(b, &cnf))
	return cnf.JKT
}
