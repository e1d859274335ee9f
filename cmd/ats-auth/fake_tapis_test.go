package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

// original is a small Tapis of somebody else's, with one tenant. open is one of
// the seed's time as it is started for development: it mints for everybody, its
// tokens have no jti, and it knows nothing but tokens.
type original struct {
	open bool
	key  *rsa.PrivateKey

	mu      sync.Mutex
	count   int
	revoked map[string]bool // by jti
}

func newOriginal(ts *testscript.TestScript, open bool) *original {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	return &original{open: open, key: key, revoked: make(map[string]bool)}
}

// refused is the message of an answer with status 400.
type refused string

func (o *original) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var body map[string]any
	if r.Body != nil {
		_ = json.NewDecoder(r.Body).Decode(&body)
	}
	routes := map[string]func(*http.Request, map[string]any) (string, any){
		"POST /v3/tokens": o.mint, "PUT /v3/tokens": o.refresh, "POST /v3/tokens/revoke": o.revoke, "POST /v3/oauth2/tokens": o.login,
		"GET /v3/site-router/tokens/check": o.check, "GET /v3/tenants/dev": o.tenant, "GET /v3/tenants/prod": o.noTenant,
	}
	serve := routes[r.Method+" "+r.URL.Path]
	w.Header().Set("Content-Type", "application/json")
	answer := map[string]any{"status": "success", "version": "dev"}
	if !o.open {
		answer["metadata"] = map[string]any{}
	}
	if serve == nil || o.open && r.URL.Path != "/v3/tokens" {
		w.WriteHeader(http.StatusMethodNotAllowed)
		answer["status"], answer["result"] = "error", nil
		answer["message"] = "Invalid request: the API endpoint does not exist or the provided HTTP method is not allowed."
	} else {
		answer["message"], answer["result"] = serve(r, body)
	}
	if message, ok := answer["result"].(refused); ok {
		answer["status"], answer["message"], answer["result"] = "error", string(message), nil
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func text(body map[string]any, name string) string { s, _ := body[name].(string); return s }

func seconds(body map[string]any, name string, standard int64) int64 {
	if n, _ := body[name].(float64); n > 0 {
		return int64(n)
	}
	return standard
}

// may reports what is wrong with who mints.
func (o *original) may(r *http.Request, body map[string]any) refused {
	user, password, basic := r.BasicAuth()
	raw := r.Header.Get("X-Tapis-Token")
	switch {
	case o.open:
	case basic && raw != "":
		return "Both an Authorization header and a Tapis token were sent."
	case raw != "":
		claims, err := o.claims(raw)
		if err != nil || claims["sub"] != "files@dev" {
			return "Not authorized to generate tokens in tenant dev."
		}
	case !basic:
		return "No Tapis access token found in the request."
	case user != "files" || password != "s3rvice: %" || r.Header.Get("X-Tapis-Tenant") != "dev" || r.Header.Get("X-Tapis-User") != user:
		return "Invalid service account/password combination. Service account may not be registered with SK."
	case text(body, "token_username") != user:
		return "Invalid POST data -- username does not match auth header."
	}
	return ""
}

func (o *original) mint(r *http.Request, body map[string]any) (string, any) {
	if message := o.may(r, body); message != "" {
		return "", message
	}
	if text(body, "token_tenant_id") != "dev" {
		return "", refused("Invalid POST data: token_tenant_id is no tenant of this site.")
	}
	claims := jwt.MapClaims{
		"tapis/delegation": body["delegation_token"] == true, "tapis/delegation_sub": nil,
		"tapis/username": text(body, "token_username"), "tapis/account_type": text(body, "account_type"),
	}
	if body["delegation_token"] == true {
		claims["tapis/delegation_sub"] = text(body, "delegation_sub_username") + "@" + text(body, "delegation_sub_tenant_id")
	}
	if site := text(body, "target_site_id"); site != "" {
		claims["tapis/target_site"] = site
	}
	custom, _ := body["claims"].(map[string]any)
	maps.Copy(claims, custom)
	ttl, refreshTTL := seconds(body, "access_token_ttl", 300), seconds(body, "refresh_token_ttl", 600)
	if body["generate_refresh_token"] != true {
		refreshTTL = 0
	}
	return "Token generation successful.", o.pair(claims, ttl, refreshTTL)
}

// pair is an access token, and a refresh token that lives for refreshTTL, if any.
func (o *original) pair(claims jwt.MapClaims, ttl, refreshTTL int64) any {
	claims["iss"], claims["sub"] = "https://dev.api.tapis.io/v3/tokens", claims["tapis/username"].(string)+"@dev"
	claims["tapis/tenant_id"], claims["tapis/token_type"] = "dev", "access"
	result := map[string]any{"access_token": o.sign("access_token", maps.Clone(claims), ttl)}
	if refreshTTL > 0 {
		claims["ttl"] = ttl
		result["refresh_token"] = o.sign("refresh_token", jwt.MapClaims{
			"iss": claims["iss"], "sub": claims["sub"], "tapis/tenant_id": "dev", "tapis/token_type": "refresh",
			"tapis/initial_ttl": refreshTTL, "tapis/access_token": claims,
		}, refreshTTL)
	}
	return result
}

func (o *original) sign(name string, claims jwt.MapClaims, ttl int64) any {
	o.count++
	end := time.Unix(time.Now().Unix()+ttl, 0).UTC()
	claims["exp"] = end.Unix()
	token := map[string]any{"expires_in": ttl, "expires_at": end.Format("2006-01-02 15:04:05.000000")}
	if !o.open {
		claims["jti"] = fmt.Sprintf("jti-%d", o.count)
		token["jti"], token["expires_at"] = claims["jti"], end.Format("2006-01-02T15:04:05.000000+00:00")
	}
	token[name], _ = jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(o.key)
	return token
}

func (o *original) claims(raw string) (jwt.MapClaims, error) {
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(raw, claims, func(*jwt.Token) (any, error) { return &o.key.PublicKey, nil })
	if jti, _ := claims["jti"].(string); err == nil && o.revoked[jti] {
		err = fmt.Errorf("token has been revoked")
	}
	return claims, err
}

func (o *original) refresh(_ *http.Request, body map[string]any) (string, any) {
	claims, err := o.claims(text(body, "refresh_token"))
	inner, ok := claims["tapis/access_token"].(map[string]any)
	if err != nil || !ok {
		return "", refused(fmt.Sprintf("Invalid PUT data: %v.", err))
	}
	ttl := int64(inner["ttl"].(float64))
	delete(inner, "ttl")
	return "Token generation successful.", o.pair(inner, ttl, int64(claims["tapis/initial_ttl"].(float64)))
}

func (o *original) login(r *http.Request, body map[string]any) (string, any) {
	id, key, client := r.BasicAuth()
	switch {
	case r.Header.Get("X-Tapis-Tenant") != "dev", r.Header.Get("X-Tapis-Token") != "":
		return "", refused("Invalid tenant.")
	case client && (id != "app" || key != "cl1ent-s3cret"):
		return "", refused("Invalid client credentials.")
	case text(body, "grant_type") == "refresh_token" && client:
		return o.refresh(r, body)
	case text(body, "grant_type") != "password":
		return "", refused("Invalid grant_type.")
	case text(body, "username") != "jstubbs" || text(body, "password") != "s3cre7":
		return "", refused("Invalid username/password combination.")
	}
	refreshTTL := int64(0)
	if client {
		refreshTTL = 31536000
	}
	claims := jwt.MapClaims{"tapis/delegation": false, "tapis/delegation_sub": nil, "tapis/username": "jstubbs", "tapis/account_type": "user", "tapis/grant_type": "password"}
	return "Token created successfully.", o.pair(claims, 14400, refreshTTL)
}

func (o *original) revoke(_ *http.Request, body map[string]any) (string, any) {
	claims, err := o.claims(text(body, "token"))
	if err != nil {
		return "", refused("Invalid POST data; could not validate the token: " + err.Error())
	}
	jti, _ := claims["jti"].(string)
	o.revoked[jti] = true
	return fmt.Sprintf("Token %s has been revoked.", jti), ""
}

func (o *original) check(r *http.Request, _ map[string]any) (string, any) {
	claims := jwt.MapClaims{}
	_, _, err := jwt.NewParser().ParseUnverified(r.Header.Get("X-Tapis-Token"), claims)
	if jti, _ := claims["jti"].(string); err == nil && o.revoked[jti] {
		return "", refused("X-Tapis-Token is revoked.")
	}
	return "X-Tapis-Token is not revoked.", ""
}

func (o *original) tenant(*http.Request, map[string]any) (string, any) {
	der, _ := x509.MarshalPKIXPublicKey(&o.key.PublicKey)
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return "Tenant retrieved successfully.", map[string]any{
		"tenant_id": "dev", "site_id": "tacc", "base_url": "https://dev.api.tapis.io", "token_service": "https://dev.api.tapis.io/v3/tokens",
		"public_key": strings.TrimSpace(string(public)), "status": "active",
	}
}

func (o *original) noTenant(*http.Request, map[string]any) (string, any) {
	return "", refused("No tenant found with tenant_id 'prod'.")
}
