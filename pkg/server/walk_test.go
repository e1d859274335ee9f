package server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// walker goes in and out by every door, and remembers what nobody else may see.
type walker struct {
	*world
	secrets map[string]string // what it is by its text
	app     store.Application
	key     string // its secret
}

const (
	wrongPassword = "canary-of-a-wrong-password"
	typedAsName   = "canary-typed-in-the-wrong-field"
)

func basicAuth(name, pass string) []string {
	return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+pass))}
}

// newWalker makes everybody whom a walk needs.
func newWalker(w *world) *walker {
	w.Helper()
	k := &walker{world: w, secrets: map[string]string{testPassword: "a password", wrongPassword: "a wrong password", typedAsName: "a password as a name", testSecret: "jwt_secret"}}
	w.addUser("marco")
	w.addUser("root", store.RoleAdmin)
	w.do(w.server.SetRights(w.Context(), "", "root", []string{"#"}, nil))
	w.do(w.server.AddTenant(w.Context(), store.Tenant{Name: "dev", Issuer: "https://dev.example.org/v3/tokens"}))
	w.do(w.server.AddServiceAccount(w.Context(), store.ServiceAccount{Tenant: "dev", Name: "files", MayMint: []string{"dev"}}, token.NewPassword(testPassword)))
	app, secret, err := w.server.AddApplication(w.Context(), store.Application{
		Name: "Everything", Grants: []string{"password", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"},
		Scopes: []string{"read", "write", "openid"}, Introspect: true,
	})
	w.do(err)
	k.app, k.key = app, secret.Reveal()
	k.secrets[k.key] = "a client secret"
	return k
}

// step sends a request, wants a status, and remembers the tokens of the answer.
func (k *walker) step(status int, method, path, body string, headers ...string) answer {
	k.Helper()
	a := k.send(method, path, body, headers...)
	k.want(a, status, method+" "+path)
	var told any
	if json.Unmarshal([]byte(a.body), &told) == nil {
		k.remember(told)
	}
	return a
}

func (k *walker) remember(told any) {
	secret := []string{"access_token", "refresh_token", "id_token", "token", "jwt", "client_secret", "device_code"}
	switch told := told.(type) {
	case map[string]any:
		for name, value := range told {
			if text, ok := value.(string); ok && slices.Contains(secret, name) && len(text) > 20 {
				k.secrets[text] = name
			}
			k.remember(value)
		}
	case []any:
		for _, value := range told {
			k.remember(value)
		}
	}
}

// all goes by every door.
func (k *walker) all() {
	k.Helper()
	k.ats()
	k.oauth2()
	k.tapis()
	k.kylo()
	k.awx()
	k.wazo()
}

func (k *walker) ats() {
	login := `{"username":"marco","password":"` + testPassword + `","refresh":true}`
	a := k.step(200, "POST", "/user/login", login)
	b := k.step(200, "POST", "/user/refresh", `{"refresh_token":"`+a.member(k, "refresh_token")+`"}`)
	k.step(200, "POST", "/user/check", "", bearer(b.member(k, "token"))...)
	k.step(200, "POST", "/user/tokens", "", bearer(b.member(k, "token"))...)
	k.step(204, "POST", "/user/logout", "", bearer(b.member(k, "token"))...)
	k.step(401, "POST", "/user/login", `{"username":"marco","password":"`+wrongPassword+`"}`)
	k.step(401, "POST", "/user/login", `{"username":"`+typedAsName+`","password":"x"}`)
	k.step(204, "POST", "/user/logout_all", "", bearer(k.step(200, "POST", "/user/login", login).member(k, "token"))...)
}

func (k *walker) oauth2() {
	by := append(basicAuth(k.app.ID, k.key), "Content-Type", "application/x-www-form-urlencoded")
	password := url.Values{"grant_type": {"password"}, "username": {"marco"}, "password": {testPassword}, "scope": {"read openid"}}
	a := k.step(200, "POST", "/oauth2/token", password.Encode(), by...)
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.member(k, "refresh_token")}}
	a = k.step(200, "POST", "/oauth2/token", refresh.Encode(), by...)
	k.step(200, "POST", "/oauth2/introspect", url.Values{"token": {a.member(k, "access_token")}}.Encode(), by...)
	k.step(200, "GET", "/oauth2/userinfo", "", bearer(a.member(k, "access_token"))...)
	k.step(200, "POST", "/oauth2/revoke", url.Values{"token": {a.member(k, "refresh_token")}}.Encode(), by...)
	k.step(200, "POST", "/oauth2/token", "grant_type=client_credentials", by...)
	k.step(200, "POST", "/oauth2/device_authorization", "scope=read", by...)
	password.Set("password", wrongPassword)
	k.step(400, "POST", "/oauth2/token", password.Encode(), by...)
	k.step(401, "POST", "/oauth2/token", "grant_type=client_credentials", append(basicAuth(k.app.ID, wrongPassword), "Content-Type", "application/x-www-form-urlencoded")...)
}

func (k *walker) tapis() {
	by := append([]string{"X-Tapis-Tenant", "dev"}, basicAuth("files", testPassword)...)
	a := k.step(200, "POST", "/v3/tokens", `{"token_tenant_id":"dev","account_type":"service","token_username":"files","generate_refresh_token":true}`, by...)
	var told struct {
		Result struct {
			Access struct {
				Token string `json:"access_token"`
			} `json:"access_token"`
			Refresh struct {
				Token string `json:"refresh_token"`
			} `json:"refresh_token"`
		} `json:"result"`
	}
	k.do(json.Unmarshal([]byte(a.body), &told))
	k.step(200, "PUT", "/v3/tokens", `{"refresh_token":"`+told.Result.Refresh.Token+`"}`)
	k.step(200, "POST", "/v3/tokens/revoke", `{"token":"`+told.Result.Access.Token+`"}`)
	k.step(400, "POST", "/v3/tokens", `{"token_tenant_id":"dev","account_type":"service","token_username":"files"}`, append([]string{"X-Tapis-Tenant", "dev"}, basicAuth("files", wrongPassword)...)...)
}

func (k *walker) kylo() {
	a := k.step(200, "POST", kyloTokens, fmt.Sprintf(`{"username":"marco","password":%q}`, testPassword))
	refresh := fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q}`, a.member(k, "refresh_token"))
	k.step(200, "POST", kyloTokens, refresh)
	k.step(401, "POST", kyloTokens, fmt.Sprintf(`{"username":"marco","password":%q}`, wrongPassword))
	root := k.step(200, "POST", kyloTokens, fmt.Sprintf(`{"username":"root","password":%q}`, testPassword)).member(k, "jwt")
	k.step(200, "GET", "/api/v1/configs/properties", "", bearer(root)...)
	k.step(204, "DELETE", kyloTokens+"/"+a.member(k, "refresh_token_id"), "", bearer(root)...)
}

func (k *walker) awx() {
	a := k.step(201, "POST", "/api/v2/tokens/", `{"description":"CLI","application":null,"scope":"write"}`, append(basicAuth("marco", testPassword), "Content-Type", "application/json")...)
	k.step(200, "GET", "/api/v2/tokens/", "", bearer(a.member(k, "token"))...)
	k.step(401, "GET", "/api/v2/tokens/", "", basicAuth("marco", wrongPassword)...)
	k.step(204, "DELETE", "/api/v2/tokens/1/", "", bearer(a.member(k, "token"))...)
}

func (k *walker) wazo() {
	made := k.step(200, "POST", "/0.1/token", `{"access_type":"offline","client_id":"phone"}`, append(basicAuth("marco", testPassword), "Content-Type", "application/json")...)
	var told struct {
		Data struct {
			Token   string `json:"token"`
			Refresh string `json:"refresh_token"`
		} `json:"data"`
	}
	k.do(json.Unmarshal([]byte(made.body), &told))
	k.step(204, "HEAD", "/0.1/token/"+told.Data.Token, "")
	k.step(200, "POST", "/0.1/token", `{"refresh_token":"`+told.Data.Refresh+`","client_id":"phone"}`, "Content-Type", "application/json")
	k.step(200, "DELETE", "/0.1/token/"+told.Data.Token, "")
	k.step(401, "POST", "/0.1/token", "", basicAuth("marco", wrongPassword)...)
	k.step(404, "HEAD", "/0.1/token/"+told.Data.Token, "")
	k.step(404, "GET", "/nowhere/"+strings.Repeat("x", 3), "")
	k.step(http.StatusMethodNotAllowed, "GET", "/user/login", "")
}
