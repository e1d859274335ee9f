package door_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/dialect/tapis/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// tenant is what the service tells of one.
func (w *world) tenant(name string) tapis.Tenant {
	w.Helper()
	a := w.send("GET", tapis.PathTenants+"/"+name, "")
	w.want(a, 200, "", name)
	var t tapis.Tenant
	w.do(json.Unmarshal(a.Result, &t))
	return t
}

func TestItGreetsAndIsReady(t *testing.T) {
	w := newWorld(t)
	for path, message := range map[string]string{tapis.PathHello: "Hello from Tapis", tapis.PathReady + "/": "Service is ready."} {
		a := w.send("GET", path, "")
		w.want(a, 200, message, path)
		if string(a.Result) != `""` {
			t.Errorf("%s: result %s", path, a.Result)
		}
	}
	if a := w.send("GET", tapis.PathHello, ""); a.Version != "1.8.3" {
		t.Errorf("at dev's host the version is %s, not dev's", a.Version)
	}
	if a := w.send("GET", tapis.PathHello, "", "Host", "127.0.0.1:5001"); a.Version != "dev" {
		t.Errorf("at the host of a tenant without one the version is %s", a.Version)
	}
	w.store.down = true
	w.clock.move(2e9)
	a := w.send("GET", tapis.PathReady, "")
	w.want(a, 503, "The service cannot answer at the moment.", "without a store")
	if a.header.Get("Retry-After") == "" || len(w.failed) != 1 {
		t.Errorf("Retry-After %q, reported %v", a.header.Get("Retry-After"), w.failed)
	}
}

func TestTenantsAreToldInTheOrderInWhichTheyWereMadeTheFirstLast(t *testing.T) {
	w := newWorld(t)
	a := w.send("GET", tapis.PathTenants+"?limit=1&select=tenant_id", "")
	w.want(a, 200, "", "tenants")
	var list []tapis.Tenant
	w.do(json.Unmarshal(a.Result, &list))
	var told []string
	for _, one := range list {
		told = append(told, fmt.Sprint(one.TenantID, " ", one.SiteID, " ", one.BaseURL, " ", one.TokenService, " ", one.Authenticator, " ", one.Status))
		if one.TenantID == "dev" && fmt.Sprint(one) != fmt.Sprint(w.tenant("dev")) {
			t.Errorf("the list tells %v of dev", one)
		}
	}
	want := []string{
		"dev tacc https://dev.api.tapis.io https://dev.api.tapis.io/tokens/v3 https://dev.api.tapis.io/v3/oauth2 active",
		"admin tacc https://admin.api.tapis.io https://admin.api.tapis.io/v3/tokens https://admin.api.tapis.io/v3/oauth2 active",
		"far uh https://tapis.uh.example:8443/v https://tapis.uh.example:8443/v/v3/tokens https://tapis.uh.example:8443/v/v3/oauth2 active",
		"default tapis http://127.0.0.1:5001 http://127.0.0.1:5001/v3/tokens http://127.0.0.1:5001/v3/oauth2 active",
	}
	if strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("tenants\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
	}
}

func TestATenantTellsTheKeyThatSignsAndAllThatVerify(t *testing.T) {
	w := newWorld(t)
	one := w.tenant("dev")
	key, err := signing.ParsePublic([]byte(one.PublicKey))
	w.do(err)
	keys, err := w.door("dev").Keys(t.Context())
	w.do(err)
	jwks, err := w.door("dev").JWKS()
	w.do(err)
	if public, ok := keys[0].Private.Public().(interface{ Equal(any) bool }); ok && !public.Equal(key) {
		t.Error("another key")
	}
	if signed, _ := signing.PublicPEM(keys[0].Private.Public()); signed != one.PublicKey || !bytes.Equal(one.JWKS, jwks) {
		t.Errorf("tenant %+v, want the key %s and the set %s", one, signed, jwks)
	}
	w.want(w.send("GET", tapis.PathTenants+"/nobody", ""), 404, "No tenant found with that tenant_id.", "no tenant")
	w.want(w.send("GET", tapis.PathTenants+"/%2e%2e%2f", ""), 404, "", "a name that is none")
}

func TestSitesHaveTheirAdminTenantAndOneIsPrimary(t *testing.T) {
	w := newWorld(t)
	a := w.send("GET", tapis.PathSites, "")
	w.want(a, 200, "", "sites")
	want := `[{"site_id":"tapis","primary":false,"site_admin_tenant_id":"","base_url":"http://127.0.0.1:5001","tenant_base_url_template":"http://127.0.0.1:5001","services":["authenticator","site-router","tenants","tokens"]},` +
		`{"site_id":"tacc","primary":true,"site_admin_tenant_id":"admin","base_url":"https://admin.api.tapis.io","tenant_base_url_template":"https://${tenant_id}.api.tapis.io","services":["authenticator","site-router","tenants","tokens"]},` +
		`{"site_id":"uh","primary":false,"site_admin_tenant_id":"","base_url":"https://tapis.uh.example:8443/v","tenant_base_url_template":"https://tapis.uh.example:8443/v","services":["authenticator","site-router","tenants","tokens"]}]`
	if string(a.Result) != want {
		t.Errorf("sites %s\nwant %s", a.Result, want)
	}
	if one := w.send("GET", tapis.PathSites+"/uh", ""); one.status != 200 || !strings.Contains(want, string(one.Result)) {
		t.Errorf("uh: %s", one.body)
	}
	w.want(w.send("GET", tapis.PathSites+"/nowhere", ""), 404, "No site found with that site_id.", "no site")
}

func TestOtherPathsAndMethodsAreNoEndpoints(t *testing.T) {
	w := newWorld(t)
	const message = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."
	for path, methods := range map[string]string{
		tapis.PathTokens: "GET DELETE PATCH OPTIONS", tapis.PathTokens + "/x": "GET POST", tapis.PathRevoke: "GET PUT", tapis.PathKeys: "GET POST",
		tapis.PathOAuth2: "GET PUT", tapis.PathOAuth2 + "/x": "POST", tapis.PathTenants: "POST", tapis.PathTenants + "/dev/x": "GET",
		tapis.PathSites: "POST", tapis.PathSiteRouter: "GET", tapis.PathCheck: "POST", tapis.PathSiteRevoke: "GET",
	} {
		for method := range strings.FieldsSeq(methods) {
			w.want(w.send(method, path, "{}"), 405, message, method+" "+path)
		}
	}
	if a := w.send("GET", tapis.PathTokens, ""); a.header.Get("Allow") != "POST, PUT" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
	if a := w.send("HEAD", tapis.PathTenants, ""); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
	for _, path := range []string{"/v3/systems", "/v3/tokensx", "/v3/oauth2/clients", "/v3", "/user/login", "/"} {
		if w.handler.Serves(httptest.NewRequest("GET", path, nil)) {
			t.Errorf("%s is the door's", path)
		}
	}
}

func TestAPathOfTheURLIsTakenOff(t *testing.T) {
	w := newWorld(t)
	var err error
	w.handler, err = door.New(door.Config{URL: "https://example.org/auth", Core: w.core, Doors: w.doors, Report: w.report})
	w.do(err)
	w.want(w.send("GET", "/auth"+tapis.PathHello, ""), 200, "", "behind the path")
}

func TestAnURLThatCannotBeIsRefused(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"", "example.org", "https://example.org/", "://"} {
		if _, err := door.New(door.Config{URL: text, Core: w.core, Doors: w.doors, Report: w.report}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if _, err := door.New(door.Config{URL: publicURL}); err == nil {
		t.Error("a handler of nothing is made")
	}
}

func TestTheTenantOfALoginIsFoundByHeaderHostOrBeingTheOnlyOne(t *testing.T) {
	w := newWorld(t)
	w.addUser("far", "ann")
	w.addUser("default", "ann")
	w.do(w.core.AddTenant(t.Context(), store.Tenant{Name: "twin", Site: "tacc", BaseURL: "https://" + hostOfDev, Algorithm: "ES256"}))
	body := `{"grant_type":"password","username":"ann","password":"` + testPassword + `"}`
	login := func(headers ...string) string {
		t.Helper()
		a := w.send("POST", tapis.PathOAuth2, body, headers...)
		if a.status != 200 {
			return a.Message
		}
		return w.claims(a.pair(w).Access.Token)["tapis/tenant_id"].(string)
	}
	const unknown = "Invalid username/password combination."
	for _, c := range []struct {
		what    string
		headers []string
		want    string
	}{
		{"by header", []string{tapis.HeaderTenant, "far"}, "far"},
		{"by header, another's host", []string{tapis.HeaderTenant, "far", "Host", "dev.api.tapis.io"}, "far"},
		{"by host", []string{"Host", "TAPIS.uh.example:8443"}, "far"},
		{"by host, another port", []string{"Host", "tapis.uh.example"}, "Invalid POST data: X-Tapis-Tenant: it is missing, and no tenant is called by that Host"},
		{"the service's own host", []string{"Host", "127.0.0.1:5001"}, "default"},
		{"the usual port", []string{"Host", "dev.api.tapis.io:443"}, unknown},
		{"the first of two, dev", []string{"Host", "dev.api.tapis.io"}, unknown},
		{"the admin tenant", []string{"Host", "admin.api.tapis.io"}, "Invalid POST data: X-Tapis-Tenant: the tenant administers a site, and users have no tokens there"},
		{"a tenant that there is not", []string{tapis.HeaderTenant, "nobody"}, `Invalid POST data: X-Tapis-Tenant: there is no tenant "nobody"`},
		{"no name", []string{tapis.HeaderTenant, ""}, `Invalid POST data: X-Tapis-Tenant: there is no such tenant`},
		{"two names", []string{tapis.HeaderTenant, "far", tapis.HeaderTenant, "far"}, `Invalid POST data: X-Tapis-Tenant: want to stand there once`},
	} {
		if got := login(c.headers...); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestTheTenantFromTheStartCountsLast(t *testing.T) {
	w := newWorld(t)
	w.do(w.core.AddTenant(t.Context(), store.Tenant{Name: "plain", Algorithm: "ES256", APIVersion: "plain"}))
	version := func(headers ...string) string { return w.send("GET", tapis.PathHello, "", headers...).Version }
	if got := version("Host", "127.0.0.1:5001"); got != "plain" {
		t.Errorf("of two at the service's own host the version is %s", got)
	}
	if got := version("Host", "localhost:5001"); got != "dev" {
		t.Errorf("at an unknown host, with several tenants, the version is %s", got)
	}
	for _, c := range []struct{ serves, want string }{{"default plain admin", "plain"}, {"default admin", "dev"}, {"plain dev", "dev"}, {"", "dev"}} {
		doors, err := w.core.Doors(t.Context(), func(t store.Tenant) (issuer.DoorConfig, bool) {
			config, _ := doorConfig(t)
			return config, strings.Contains(" "+c.serves+" ", " "+t.Name+" ")
		})
		w.do(err)
		w.handler, err = door.New(door.Config{URL: publicURL, Core: w.core, Doors: doors, Report: w.report})
		w.do(err)
		if got := version("Host", "localhost:5001"); got != c.want {
			t.Errorf("at an unknown host, of %q, the version is %s, want %s", c.serves, got, c.want)
		}
	}
	a := w.send("POST", tapis.PathOAuth2, `{"grant_type":"password","username":"x","password":"x"}`)
	w.want(a, 400, "Invalid POST data: X-Tapis-Tenant: it is missing, and no tenant is called by that Host", "no tenant is served")
}
