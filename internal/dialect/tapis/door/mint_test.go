package door_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/signing"
)

const (
	mayNot      = "Not authorized to generate tokens in tenant dev."
	mismatch    = "Invalid POST data -- username does not match auth header."
	wrongPair   = "Invalid service account/password combination. Service account may not be registered with SK."
	noToken     = "No Tapis access token found in the request."
	wrongToken  = "Invalid Tapis token."
	bothHeaders = "Invalid POST data: Authorization and X-Tapis-Token: want one of them"
)

func body(tenant, kind, name string) string {
	return fmt.Sprintf(`{"token_tenant_id":%q,"account_type":%q,"token_username":%q}`, tenant, kind, name)
}

func with(lists ...[]string) []string {
	var all []string
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

func TestWhoMintsByItsPassword(t *testing.T) {
	w := newWorld(t)
	w.addService("dev", "idle")
	w.do(w.core.SetServiceDisabled(t.Context(), "dev", "idle", true))
	home := func(tenant string) []string {
		return []string{tapis.HeaderTenant, tenant, tapis.HeaderUser, "somebody"}
	}
	for _, c := range []struct {
		what, body string
		headers    []string
		want       string // empty: a token
	}{
		{"itself", body("dev", "service", "files"), basic("files", testPassword), ""},
		{"itself, its tenant named", body("dev", "service", "files"), with(basic("files", testPassword), home("dev")), ""},
		{"another service", body("dev", "service", "apps"), basic("files", testPassword), mismatch},
		{"a user", body("dev", "user", "jstubbs"), basic("files", testPassword), mismatch},
		{"a user of its own name", body("dev", "user", "files"), basic("files", testPassword), mismatch},
		{"itself in another tenant", body("far", "service", "files"), with(basic("files", testPassword), home("dev")), "Not authorized to generate tokens in tenant far."},
		{"a user where it may", body("dev", "user", "jstubbs"), basic("apps", testPassword), ""},
		{"anybody where it may", body("far", "user", "nobody-known"), with(basic("apps", testPassword), home("dev")), ""},
		{"a user where it may not", body("default", "user", "x"), with(basic("apps", testPassword), home("dev")), mismatch},
		{"from another tenant", body("dev", "user", "x"), with(basic("tokens", testPassword), home("admin")), ""},
		{"a wrong password", body("dev", "service", "files"), basic("files", "x"), wrongPair},
		{"no such account", body("dev", "service", "x"), basic("x", testPassword), wrongPair},
		{"another tenant's account", body("dev", "service", "tokens"), basic("tokens", testPassword), wrongPair},
		{"a user's password", body("dev", "service", "jstubbs"), basic("jstubbs", testPassword), wrongPair},
		{"a disabled account", body("dev", "service", "idle"), basic("idle", testPassword), wrongPair},
		{"an account of a tenant that there is not", body("dev", "service", "files"), with(basic("files", testPassword), home("nobody")), `Invalid POST data: X-Tapis-Tenant: there is no tenant "nobody"`},
		{"two tenants", body("dev", "service", "files"), with(basic("files", testPassword), home("dev"), home("dev")), "Invalid POST data: X-Tapis-Tenant: want to stand there once"},
		{"two passwords", body("dev", "service", "files"), with(basic("files", testPassword), basic("files", testPassword)), "Invalid POST data: Authorization: want to stand there once"},
		{"no Basic", body("dev", "service", "files"), []string{"Authorization", "Bearer x"}, "Invalid POST data: Authorization: want Basic, of a service account"},
		{"nothing", body("dev", "service", "files"), nil, noToken},
		{"both", body("dev", "service", "files"), with(basic("files", testPassword), bearing("x")), bothHeaders},
	} {
		a := w.send("POST", tapis.PathTokens, c.body, c.headers...)
		if status := map[bool]int{true: 200, false: 400}[c.want == ""]; a.status != status || c.want != "" && a.Message != c.want {
			t.Errorf("%s: %d %q, want %d %q", c.what, a.status, a.Message, status, c.want)
		}
	}
}

func TestGuessingAServicesPasswordIsSlowedAndSaysWhenToTryAgain(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.want(w.send("POST", tapis.PathTokens, body("dev", "service", "files"), basic("files", "x")...), 400, wrongPair, "a guess")
	}
	a := w.send("POST", tapis.PathTokens, body("dev", "service", "files"), basic("files", testPassword)...)
	w.want(a, 429, "Too many attempts: try again later.", "a guess too many")
	if a.header.Get("Retry-After") == "" {
		t.Error("it does not say when")
	}
}

func TestWhoMintsByAToken(t *testing.T) {
	w := newWorld(t)
	apps, files, keeper := w.service("dev", "apps"), w.service("dev", "files"), w.service("admin", "tokens")
	refresh := w.apps(`{"token_tenant_id":"dev","account_type":"service","token_username":"apps","generate_refresh_token":true}`).Refresh.Token
	user := w.apps(body("dev", "user", "apps")).Access.Token
	stranger := w.apps(body("dev", "service", "stranger")).Access.Token
	here := w.apps(`{"token_tenant_id":"dev","account_type":"service","token_username":"apps","target_site_id":"tacc"}`).Access.Token
	elsewhere := w.apps(`{"token_tenant_id":"dev","account_type":"service","token_username":"apps","target_site_id":"uh"}`).Access.Token
	short := w.apps(`{"token_tenant_id":"dev","account_type":"service","token_username":"apps","access_token_ttl":1}`).Access.Token
	revoked := w.service("dev", "apps")
	w.want(w.send("POST", tapis.PathRevoke, fmt.Sprintf(`{"token":%q}`, revoked)), 200, "", "a revocation")
	w.clock.move(2 * time.Second)
	for _, c := range []struct {
		what, body string
		headers    []string
		want       string
	}{
		{"where it may", body("dev", "user", "jstubbs"), bearing(apps), ""},
		{"at its own site", body("dev", "user", "jstubbs"), bearing(here), ""},
		{"a token for another site", body("dev", "user", "jstubbs"), bearing(elsewhere), mayNot},
		{"from another tenant", body("dev", "user", "x"), with(bearing(keeper), []string{tapis.HeaderTenant, "dev", tapis.HeaderUser, "x"}), ""},
		{"a service that may not", body("dev", "service", "files"), bearing(files), mayNot},
		{"where it may not", body("default", "user", "x"), bearing(apps), "Not authorized to generate tokens in tenant default."},
		{"a user of a service's name", body("dev", "user", "x"), bearing(user), mayNot},
		{"a service that there is not", body("dev", "user", "x"), bearing(stranger), mayNot},
		{"signed elsewhere", body("dev", "user", "x"), bearing(w.foreign("apps")), mayNot},
		{"a refresh token", body("dev", "user", "x"), bearing(refresh), wrongToken},
		{"over", body("dev", "user", "x"), bearing(short), wrongToken},
		{"revoked", body("dev", "user", "x"), bearing(revoked), wrongToken},
		{"junk", body("dev", "user", "x"), bearing("a.b.c"), wrongToken},
		{"forged", body("dev", "user", "x"), bearing(forge(apps)), wrongToken},
		{"empty", body("dev", "user", "x"), bearing(""), noToken},
		{"two", body("dev", "user", "x"), with(bearing(apps), bearing(apps)), "Invalid POST data: X-Tapis-Token: want to stand there once"},
	} {
		a := w.send("POST", tapis.PathTokens, c.body, c.headers...)
		if status := map[bool]int{true: 200, false: 400}[c.want == ""]; a.status != status || c.want != "" && a.Message != c.want {
			t.Errorf("%s: %d %q, want %d %q", c.what, a.status, a.Message, status, c.want)
		}
	}
	w.do(w.core.SetMayMint(t.Context(), "dev", "apps", []string{"far"}))
	w.want(w.send("POST", tapis.PathTokens, body("dev", "user", "x"), bearing(apps)...), 400, mayNot, "it may no more")
	w.do(w.core.SetServiceDisabled(t.Context(), "dev", "apps", true))
	w.want(w.send("POST", tapis.PathTokens, body("far", "user", "x"), bearing(apps)...), 400, wrongToken, "disabled")
}

// foreign is an access token of a service that dev's key has signed, but not here.
func (w *world) foreign(name string) string {
	w.Helper()
	keys, err := w.door("dev").Keys(w.Context())
	w.do(err)
	ring, err := signing.NewRing(w.clock.Now().Add(time.Second), keys...)
	w.do(err)
	raw, err := ring.Sign(signing.Header{Type: "JWT", TypeFirst: true}, fmt.Appendf(nil,
		`{"iss":%q,"sub":"%s@dev","tapis/tenant_id":"dev","tapis/token_type":"access","tapis/delegation":false,"tapis/delegation_sub":null,"tapis/username":%q,"tapis/account_type":"service","exp":%d}`,
		seedIssuer, name, name, w.clock.Now().Unix()+300))
	w.do(err)
	return raw
}

// forge changes a token's user and keeps its signature.
func forge(raw string) string {
	parts := strings.Split(raw, ".")
	claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(claims), "@dev", "@DEV", 1)))
	return strings.Join(parts, ".")
}

func TestOpenMintingDoesNotLeadToOtherTenants(t *testing.T) {
	w := newWorld(t)
	w.open = "dev"
	w.addService("dev", "traveller", "dev", "far")
	w.addService("dev", "home", "dev")
	here := []string{"Content-Type", "application/json", "Host", "localhost:5001", "Peer", "127.0.0.1:50123"}
	w.want(w.send("POST", tapis.PathTokens, body("dev", "service", "traveller"), here...), 400, noToken, "a service that may mint elsewhere")
	w.want(w.send("POST", tapis.PathTokens, body("dev", "service", "home"), here...), 200, "", "a service of this tenant")
}

func TestOpenMintingIsForProgramsOfThisMachineAlone(t *testing.T) {
	w := newWorld(t)
	w.open = "dev"
	usual := map[string]string{"Content-Type": "application/json", "Host": "localhost:5001", "Peer": "127.0.0.1:50123"}
	send := func(change ...string) answer {
		t.Helper()
		headers := []string{}
		for name, value := range usual {
			headers = append(headers, name, value)
		}
		tenant := "dev"
		if len(change) > 0 && change[0] == "tenant" {
			tenant, change = change[1], nil
		}
		return w.send("POST", tapis.PathTokens, body(tenant, "user", "anybody"), append(headers, change...)...)
	}
	w.want(send(), 200, "", "a program of this machine")
	for _, host := range []string{"localhost", "LOCALHOST:5001", "127.0.0.1", "127.8.8.8:80", "[::1]:5001", "[::1]"} {
		usual["Host"] = host
		w.want(send(), 200, "", host)
	}
	usual["Host"] = "localhost:5001"
	for _, peer := range []string{"[::1]:1", "[::ffff:127.0.0.1]:1"} {
		usual["Peer"] = peer
		w.want(send(), 200, "", peer)
	}
	usual["Peer"] = "127.0.0.1:50123"
	usual["Content-Type"] = "application/json; charset=utf-8"
	w.want(send(), 200, "", "a media type with a parameter")
	for _, header := range [][]string{{"Authorization", "Basic eDp4"}, {"Authorization", "junk"}, {tapis.HeaderToken, "junk"}} {
		w.want(send(header...), 200, "", "an ignored "+header[0])
	}
	for _, c := range [][3]string{
		{"Content-Type", "text/plain", noToken},
		{"Content-Type", "application/x-www-form-urlencoded", noToken},
		{"Content-Type", "", noToken},
		{"Host", "dev.api.tapis.io", noToken},
		{"Host", "localhost.evil.example:5001", noToken},
		{"Host", "192.0.2.1:5001", noToken},
		{"Host", "127.0.0.1.evil.example", noToken},
		{"Host", "", noToken},
		{"Peer", "192.0.2.7:50123", noToken},
		{"Peer", "10.0.0.1:50123", noToken},
		{"Peer", "@", noToken},
	} {
		kept := usual[c[0]]
		usual[c[0]] = c[1]
		w.want(send(), 400, c[2], c[0]+" "+c[1])
		usual[c[0]] = kept
	}
	for _, name := range []string{
		"Origin", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Real-Ip", "Via",
		"Referer", "Sec-Fetch-Site", "X-Client-Ip", "Cf-Connecting-Ip",
	} {
		w.want(send(name, "127.0.0.1"), 400, noToken, "with "+name)
		w.want(send(name, ""), 400, noToken, "with an empty "+name)
	}
	w.want(send("tenant", "far"), 400, noToken, "another tenant")
	w.want(send("Origin", "http://localhost:5001", "Authorization", basic("apps", testPassword)[1]), 200, "", "with credentials all the same")
	w.open = ""
	w.want(send(), 400, noToken, "not open")
}

func TestUsersHaveNoTokensWhereASiteIsAdministered(t *testing.T) {
	w := newWorld(t)
	const want = "Invalid POST data: account_type: want service: the tenant administers a site, and users have no tokens there"
	w.want(w.send("POST", tapis.PathTokens, body("admin", "user", "x"), basic("tokens", testPassword)...), 400, want, "a user")
	w.want(w.send("POST", tapis.PathTokens, body("admin", "service", "x"), basic("tokens", testPassword)...), 200, "", "a service")
}

func TestNobodyMintsForADisabledAccount(t *testing.T) {
	w := newWorld(t)
	p := w.apps(`{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs","generate_refresh_token":true}`)
	w.do(w.core.SetDisabled(t.Context(), "dev", "jstubbs", true))
	a := w.send("POST", tapis.PathTokens, body("dev", "user", "jstubbs"), basic("apps", testPassword)...)
	w.want(a, 400, "Invalid POST data: token_username: the account is disabled", "a disabled user")
	w.want(w.send("POST", tapis.PathTokens, body("dev", "service", "jstubbs"), basic("apps", testPassword)...), 200, "", "a service of that name")
	w.want(w.refresh(p.Refresh.Token), 400, "Invalid PUT data: refresh_token: the token has been revoked", "its refresh token")
}

func TestAUserNameMayBeAnAddress(t *testing.T) {
	w := newWorld(t)
	p := w.apps(body("dev", "user", "ann@example.org"))
	if c := w.claims(p.Access.Token); c["sub"] != "ann@example.org@dev" || c["tapis/username"] != "ann@example.org" || !w.live(p.Access.Token) {
		t.Errorf("claims %v", c)
	}
}

func TestAStoreThatIsDownIsNobodysFault(t *testing.T) {
	w := newWorld(t)
	w.store.down = true
	w.want(w.send("POST", tapis.PathTokens, body("dev", "service", "files"), basic("files", testPassword)...), 503, "The service cannot answer at the moment.", "no store")
	if len(w.failed) != 1 {
		t.Errorf("reported %v", w.failed)
	}
}
