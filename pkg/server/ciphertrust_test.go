package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func withDialects(names ...string) func(*Config) { return func(c *Config) { c.Dialects = names } }

const kyloTokens = "/api/v1/auth/tokens"

func (w *world) kyloLogin(name string) answer {
	w.Helper()
	a := w.post(kyloTokens, fmt.Sprintf(`{"username":%q,"password":%q}`, name, testPassword))
	w.want(a, http.StatusOK, "login")
	return a
}

func (w *world) kyloRefresh(raw string) answer {
	w.Helper()
	return w.post(kyloTokens+"/", fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q}`, raw))
}

func TestTheCipherTrustDoorIsOpenWhenItIsAskedFor(t *testing.T) {
	closed := newWorld(t)
	closed.addUser("marco")
	closed.want(closed.post(kyloTokens, `{"username":"marco","password":"x"}`), http.StatusNotFound, "a door that is closed")
	if _, err := closed.server.Keys(t.Context(), "ciphertrust", ""); err == nil {
		t.Error("the keys of a closed door are told")
	}

	w := newWorld(t, withDialects("ats", "ciphertrust"))
	w.addUser("marco")
	a := w.kyloLogin("marco")
	w.wantCheck(a.member(t, "jwt"), http.StatusOK, "its JWT at the ats door")
	w.want(w.post("/user/logout", "", bearer(a.member(t, "jwt"))...), http.StatusNoContent, "logout at the ats door")
	w.want(w.kyloRefresh(a.member(t, "refresh_token")), http.StatusUnauthorized, "its refresh token")
	wrong := w.post(kyloTokens, `{"username":"marco","password":"x"}`, "X-Request-Id", "of-the-client")
	if wrong.status != http.StatusUnauthorized || wrong.member(t, "requestID") != "of-the-client" || wrong.member(t, "codeDesc") != "NCERRUnauthorizedAccess" {
		t.Errorf("a wrong password: %d %s", wrong.status, wrong.body)
	}
	if strings.Contains(w.log.String(), a.member(t, "refresh_token")) || strings.Contains(w.log.String(), a.member(t, "jwt")) {
		t.Error("the log tells a token")
	}
	w.want(w.post("/oauth2/token", ""), http.StatusNotFound, "the oauth2 door")
	keys, err := w.server.Keys(t.Context(), "ciphertrust", "")
	if err != nil || len(keys) == 0 || keys[0].Algorithm != "HS256" {
		t.Errorf("keys %v: %v", keys, err)
	}
	if _, err := New(t.Context(), Config{Store: w.store, Dialects: []string{"klingon"}}); err == nil || !strings.Contains(err.Error(), "ats, oauth2, tapis, ciphertrust, awx") {
		t.Errorf("an unknown dialect: %v", err)
	}
}

func TestAllDoorsAreOpenAtOnce(t *testing.T) {
	w := newWorld(t, withDialects(Dialects()...))
	w.addUser("marco")
	raw := w.login("marco").member(t, "token")
	w.wantCheck(w.kyloLogin("marco").member(t, "jwt"), http.StatusOK, "a JWT of the ciphertrust door")
	w.wantCheck(raw, http.StatusOK, "a token of the ats door")
	r, err := http.Get(w.http.URL + "/.well-known/oauth-authorization-server")
	w.do(err)
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("the oauth2 door: %d", r.StatusCode)
	}
}

func TestAPropertyHoldsAtEveryDoorAndInEveryProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	master := signing.NewMaster().Derive("any 32 bytes will do", 32)
	open := func() *world {
		st, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return newWorld(t, withDialects("ats", "ciphertrust"), func(c *Config) {
			c.Store, c.MasterKey = st, token.NewSecret(base64.StdEncoding.EncodeToString(master))
		})
	}
	w := open()
	w.addUser("marco")
	kylo, ats := w.kyloLogin("marco").member(t, "refresh_token"), w.login("marco").member(t, "refresh_token")
	other := open()
	other.do(other.server.SetProperty(t.Context(), "", "MAXIMUM_REFRESH_TOKEN_LIFETIME", "1h"))
	if a := w.kyloRefresh(kylo); a.status != http.StatusOK || !strings.Contains(a.body, `"refresh_token_expires_in":`) {
		t.Errorf("at the ciphertrust door of another process: %d %s", a.status, a.body)
	}
	w.want(w.post("/user/refresh", `{"refresh_token":"`+ats+`"}`), http.StatusOK, "at the ats door, within the maximum")
	list, err := w.server.Properties(t.Context(), store.DefaultTenant)
	if err != nil || len(list) != 3 || list[2].Value != "1h" || PropertyDescription(list[2].Name) == "" {
		t.Errorf("properties %+v: %v", list, err)
	}
	w.do(w.server.ResetProperty(t.Context(), "", "MAXIMUM_REFRESH_TOKEN_LIFETIME"))
	if a := other.kyloRefresh(kylo); a.status != http.StatusOK || strings.Contains(a.body, `"refresh_token_expires_in":`) {
		t.Errorf("reset, at the process that set it: %d %s", a.status, a.body)
	}
}

func TestTheConfiguredMaximumHoldsAtTheCipherTrustDoor(t *testing.T) {
	w := newWorld(t, withDialects("ciphertrust"), func(c *Config) { c.MaxRefreshTTL = 7200 })
	w.addUser("marco")
	if a := w.kyloLogin("marco"); !strings.Contains(a.body, `"refresh_token_expires_in":7200`) && !strings.Contains(a.body, `"refresh_token_expires_in":7199`) {
		t.Errorf("a login: %s", a.body)
	}
}
