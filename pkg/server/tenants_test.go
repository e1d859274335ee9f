package server

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// at sends a request to a host of the service.
func (w *world) at(host, method, path, body string, headers ...string) answer {
	w.Helper()
	r := httptest.NewRequest(method, "http://"+host+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return answer{rec.Code, rec.Header(), rec.Body.String()}
}

// accessOf is the access token of a Tapis answer.
func (a answer) accessOf(t testing.TB) string {
	t.Helper()
	var wire struct {
		Result struct {
			Access struct {
				Token string `json:"access_token"`
			} `json:"access_token"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(a.body), &wire); err != nil || wire.Result.Access.Token == "" {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	return wire.Result.Access.Token
}

func TestATenantHasATapisDoorAndAtItsOwnAddressAStandardOne(t *testing.T) {
	w := newWorld(t, withDialects("oauth2", "tapis"), func(c *Config) { c.OpenMinting = []string{"dev"} })
	const host = "dev.example.org"
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "dev", BaseURL: "http://" + host, Algorithm: "ES256"}))
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "bare", Algorithm: "EdDSA"}))

	minted := w.at("localhost:5001", "POST", "/v3/tokens", mintBody, "Content-Type", "application/json")
	w.want(minted, 200, "mint")
	w.want(w.at(host, "GET", "/v3/site-router/tokens/check", "", "X-Tapis-Token", minted.accessOf(t)), 200, "check")

	metadata := w.at(host, "GET", "/.well-known/openid-configuration", "")
	w.want(metadata, 200, "metadata of the tenant")
	if issuer := metadata.member(t, "issuer"); issuer != "http://"+host {
		t.Errorf("its issuer is %q", issuer)
	}
	elsewhere := w.at("elsewhere", "GET", "/.well-known/openid-configuration", "")
	if issuer := elsewhere.member(t, "issuer"); issuer != "http://127.0.0.1:8081" {
		t.Errorf("elsewhere it is %q", issuer)
	}
	app, secret, err := w.server.AddApplication(t.Context(), store.Application{
		Tenant: "dev", Name: "robot", Grants: []string{token.GrantClientCredentials},
	})
	w.do(err)
	form := fmt.Sprintf("grant_type=client_credentials&client_id=%s&client_secret=%s", app.ID, secret.Reveal())
	kind := []string{"Content-Type", "application/x-www-form-urlencoded"}
	w.want(w.at(host, "POST", "/oauth2/token", form, kind...), 200, "an application of the tenant at its address")
	w.want(w.at("elsewhere", "POST", "/oauth2/token", form, kind...), 401, "and elsewhere")

	for door, tenants := range map[string]string{"tapis": "default dev bare", "oauth2": "default dev"} {
		for tenant := range strings.FieldsSeq(tenants) {
			if keys, err := w.server.Keys(t.Context(), door, tenant); err != nil || len(keys) != 1 || keys[0].Tenant != tenant {
				t.Errorf("keys of %s at %s: %v %v", tenant, door, keys, err)
			}
		}
	}
	for _, c := range [][2]string{{"oauth2", "bare"}, {"tapis", "nowhere"}, {"ciphertrust", "dev"}} {
		if _, err := w.server.Keys(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("%s has keys at %s", c[1], c[0])
		}
	}
}

func TestATenantThatMovesHasItsStandardDoorAtTheNewAddress(t *testing.T) {
	w := newWorld(t, withDialects("oauth2"))
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "dev", BaseURL: "https://old.example"}))
	issuerAt := func(host string) string {
		return w.at(host, "GET", "/.well-known/oauth-authorization-server", "").member(t, "issuer")
	}
	if got := issuerAt("old.example"); got != "https://old.example" {
		t.Errorf("at first it is %q", got)
	}
	dev, err := w.server.Tenant(t.Context(), "dev")
	w.do(err)
	dev.BaseURL = "https://new.example"
	w.do(w.server.ChangeTenant(t.Context(), dev))
	if got := issuerAt("new.example"); got != "https://new.example" {
		t.Errorf("at the new address it is %q", got)
	}
	if got := issuerAt("old.example"); got == "https://old.example" {
		t.Error("it is at the old address still")
	}
}

func TestOpenMintingIsNotToBeHadBehindAProxy(t *testing.T) {
	c := testConfig(store.Store(nil), &logBuffer{})
	c.Store, c.OpenMinting, c.BehindProxy = newWorld(t).store, []string{"dev"}, true
	if _, err := New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("behind a proxy: %v", err)
	}
}

// TestTheDefaultsOfATenantAreWhatItsDoorUses asks for the key that a new tenant has.
func TestTheDefaultsOfATenantAreWhatItsDoorUses(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Dialects, c.MaxRefreshTTL = []string{"tapis"}, 86400 })
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "dev"}))
	keys, err := w.server.Keys(t.Context(), "tapis", "dev")
	w.do(err)
	served, _ := w.server.tapis.Of("dev")
	d := served.Door.DoorConfig
	got := w.server.TenantDefaults()
	want := store.Tenant{Algorithm: keys[0].Algorithm, AccessTTL: d.AccessTTL, RefreshTTL: d.RefreshTTL, MaxRefreshTTL: d.MaxRefreshTTL}
	if got != want {
		t.Errorf("%+v, the door has %+v", got, want)
	}
}
