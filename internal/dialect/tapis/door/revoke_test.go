package door_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (w *world) revoke(path, raw string, headers ...string) answer {
	w.Helper()
	return w.send("POST", path, fmt.Sprintf(`{"token":%q}`, raw), headers...)
}

const judged = "Invalid POST data; could not validate the token: "

func TestARevocationDoesNotCascade(t *testing.T) {
	w := newWorld(t)
	both := `{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs","generate_refresh_token":true}`
	for _, path := range []string{tapis.PathRevoke, tapis.PathOAuth2Revoke} {
		first, second := w.apps(both), w.apps(both)
		a := w.revoke(path, first.Access.Token)
		w.want(a, 200, "Token "+first.Access.JTI+" has been revoked.", path)
		if string(a.Result) != `""` {
			t.Errorf("result %s", a.Result)
		}
		w.want(w.refresh(first.Refresh.Token), 200, "", "the refresh token of a revoked access token")
		w.want(w.revoke(path, second.Refresh.Token), 200, "Token "+second.Refresh.JTI+" has been revoked.", path)
		w.want(w.refresh(second.Refresh.Token), 400, "Invalid PUT data: refresh_token: the token has been revoked", "a revoked refresh token")
		if w.live(first.Access.Token) || !w.live(second.Access.Token) {
			t.Error("the revoked access token is honoured, or the other one is not")
		}
		w.want(w.revoke(path, first.Access.Token), 400, judged+"the token has been revoked", "once more")
	}
}

func TestOnlyATokenThatIsHonouredCanBeRevoked(t *testing.T) {
	w := newWorld(t)
	p := w.apps(body("dev", "user", "jstubbs"))
	w.want(w.revoke(tapis.PathRevoke, forge(p.Access.Token)), 400, judged+"the signature is not by a key of the tenant's", "a forged one")
	w.want(w.revoke(tapis.PathRevoke, "junk"), 400, judged+"it is not a token that can be read", "junk")
	w.want(w.revoke(tapis.PathRevoke, "e30.e30.e30"), 400, judged+"it is not a token that can be read", "no header")
	w.want(w.revoke(tapis.PathRevoke, "eyJhbGciOiJSUzI1NiJ9.e30.e30"), 400, judged+"it is unknown here, or another client's", "of no tenant")
	w.want(w.revoke(tapis.PathRevoke, w.foreign("files")), 200, "The token has been revoked.", "one without an id")
	w.clock.move(301 * time.Second)
	w.want(w.revoke(tapis.PathRevoke, p.Access.Token), 400, judged+"the token has expired", "one that is over")
}

func TestATokenThatIsNoRefreshTokenIsNotRefreshed(t *testing.T) {
	w := newWorld(t)
	p := w.apps(body("dev", "user", "jstubbs"))
	w.want(w.refresh(p.Access.Token), 400, "Invalid PUT data: refresh_token: tapis/token_type: it is no refresh token", "an access token")
	w.want(w.refresh("junk"), 400, "Invalid PUT data: refresh_token: it is not a token that can be read", "junk")
	w.want(w.refresh(forge(p.Access.Token)), 400, "Invalid PUT data: refresh_token: the signature is not by a key of the tenant's", "a forged one")
	w.want(w.refresh("eyJhbGciOiJSUzI1NiJ9.eyJ0YXBpcy90ZW5hbnRfaWQiOiJub2JvZHkifQ.e30"), 400, "Invalid PUT data: refresh_token: it is unknown here, or another client's", "an unknown tenant's")
	a := w.send("PUT", tapis.PathTokens, fmt.Sprintf(`{"refresh_token":%q,"more":{"x":1}}`, w.apps(`{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs","generate_refresh_token":true}`).Refresh.Token))
	w.want(a, 200, tapis.MessageMinted, "with members that are nobody's business")
	if a.pair(w).Refresh == nil || a.Version != "1.8.3" {
		t.Errorf("answer %s", a.body)
	}
}

func TestTheSiteRouterTellsWhatWasRevoked(t *testing.T) {
	w := newWorld(t)
	p := w.apps(`{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs","access_token_ttl":100,"generate_refresh_token":true}`)
	check := func(status int, message, what string, headers ...string) {
		t.Helper()
		w.want(w.send("GET", tapis.PathCheck, "", headers...), status, message, what)
	}
	check(200, "X-Tapis-Token is not revoked.", "an access token", bearing(p.Access.Token)...)
	check(200, "X-Tapis-Token is not revoked.", "a refresh token", bearing(p.Refresh.Token)...)
	check(400, "X-Tapis-Token not found.", "none")
	check(400, "X-Tapis-Token not found.", "junk", bearing("junk")...)
	check(400, "X-Tapis-Token not found.", "a forged one", bearing(forge(p.Access.Token))...)
	check(400, "Invalid request: X-Tapis-Token: want to stand there once", "two", with(bearing("a"), bearing("b"))...)
	w.want(w.revoke(tapis.PathRevoke, p.Refresh.Token), 200, "", "a revocation")
	check(400, "X-Tapis-Token is revoked.", "a revoked one", bearing(p.Refresh.Token)...)
	w.clock.move(101 * time.Second)
	check(400, "X-Tapis-Token not found.", "one that is over", bearing(p.Access.Token)...)
	w.store.down = true
	w.clock.move(2 * time.Second)
	check(503, "The service cannot answer at the moment.", "no store", bearing(p.Refresh.Token)...)
}

func TestTheSiteRouterTakesRevocationsFromItsKeepers(t *testing.T) {
	w := newWorld(t)
	w.addService("admin", "tenants")
	w.addService("admin", "other")
	w.addService("dev", "tokens")
	victim := func() string { return w.apps(body("dev", "user", "jstubbs")).Access.Token }
	revoke := func(status int, message, what, raw string, headers ...string) {
		t.Helper()
		a := w.revoke(tapis.PathSiteRevoke, raw, headers...)
		w.want(a, status, message, what)
		if status == 401 && a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", what)
		}
	}
	revoke(401, noToken, "nobody", victim())
	revoke(401, wrongToken, "junk", victim(), bearing("junk")...)
	revoke(401, "Not authorized to revoke tokens.", "another service", victim(), bearing(w.service("admin", "other"))...)
	revoke(401, "Not authorized to revoke tokens.", "another tenant's", victim(), bearing(w.service("dev", "tokens"))...)
	revoke(401, "Not authorized to revoke tokens.", "a user", victim(), bearing(w.apps(body("dev", "user", "tokens")).Access.Token)...)
	far := w.send("POST", tapis.PathTokens, body("far", "user", "x"), append(basic("apps", testPassword), tapis.HeaderTenant, "dev")...).pair(w).Access.Token
	revoke(400, judged+"it is unknown here, or another client's", "another site's token", far, bearing(w.service("admin", "tokens"))...)
	for _, keeper := range []string{"tokens", "tenants"} {
		raw := victim()
		revoke(200, "", keeper, raw, bearing(w.service("admin", keeper))...)
		if w.live(raw) || !w.live(far) {
			t.Errorf("%s: the token is honoured, or another is not", keeper)
		}
	}
}

func TestWhoRotatesATenantsKey(t *testing.T) {
	w := newWorld(t)
	w.addUser("far", "root", store.RoleAdmin)
	login := func(tenant, name string, headers ...string) string {
		t.Helper()
		a := w.send("POST", tapis.PathOAuth2, fmt.Sprintf(`{"grant_type":"password","username":%q,"password":%q}`, name, testPassword), append(headers, tapis.HeaderTenant, tenant)...)
		w.want(a, 200, "Token created successfully.", name)
		return a.pair(w).Access.Token
	}
	id, key := w.addApplication(everyGrant())
	const notAllowed = "Not authorized to modify the tenant signing keys."
	for _, c := range []struct {
		what, tenant string
		headers      []string
		want         string
	}{
		{"nobody", "dev", nil, noToken},
		{"a password", "dev", basic("apps", testPassword), noToken},
		{"junk", "dev", bearing("junk"), wrongToken},
		{"a user", "dev", bearing(login("dev", "jstubbs")), notAllowed},
		{"an admin", "dev", bearing(login("dev", "root")), ""},
		{"an admin at an application", "dev", bearing(login("dev", "root", basic(id, key)...)), notAllowed},
		{"another tenant's admin", "dev", bearing(login("far", "root")), notAllowed},
		{"a service of the site", "dev", bearing(w.service("admin", "tokens")), ""},
		{"a service that may mint there", "dev", bearing(w.service("dev", "apps")), ""},
		{"a service of another site", "far", bearing(w.service("dev", "apps")), notAllowed},
		{"a service that may not", "dev", bearing(w.service("dev", "files")), notAllowed},
		{"signed elsewhere", "dev", bearing(w.foreign("apps")), notAllowed},
		{"nobody's tenant", "nobody", bearing(w.service("dev", "apps")), `Invalid PUT data: tenant_id: there is no tenant "nobody"`},
	} {
		before, err := w.door("dev").JWKS()
		w.do(err)
		a := w.send("PUT", tapis.PathKeys, fmt.Sprintf(`{"tenant_id":%q}`, c.tenant), c.headers...)
		after, err := w.door("dev").JWKS()
		w.do(err)
		if status := map[bool]int{true: 200, false: 400}[c.want == ""]; a.status != status || c.want != "" && a.Message != c.want || (status == 200) == (string(before) == string(after)) {
			t.Errorf("%s: %d %q, want %d %q", c.what, a.status, a.Message, status, c.want)
		}
	}
	w.open = "dev"
	a := w.send("PUT", tapis.PathKeys, `{"tenant_id":"dev"}`, "Content-Type", "application/json", "Host", "localhost", "Peer", "127.0.0.1:1")
	w.want(a, 400, noToken, "open minting is for minting")
}

func TestARefreshTokenEndsWithItsApplication(t *testing.T) {
	w := newWorld(t)
	id, key := w.addApplication(everyGrant())
	a := w.send("POST", tapis.PathOAuth2, fmt.Sprintf(`{"grant_type":"password","username":"jstubbs","password":%q}`, testPassword), basic(id, key)...)
	w.want(a, 200, "", "a login")
	w.do(w.core.DeleteApplication(t.Context(), "dev", id))
	w.want(w.refresh(a.pair(w).Refresh.Token), 400, "Invalid PUT data: refresh_token: the token has been revoked", "without its application")
}

// everyGrant is an application of dev that may do all that this door knows.
func everyGrant() store.Application {
	return store.Application{Tenant: "dev", Name: "all", RedirectURIs: []string{"https://app.example/cb"}, Grants: []string{
		token.GrantPassword, token.GrantAuthorizationCode, token.GrantRefreshToken, token.GrantDeviceCode,
	}}
}
