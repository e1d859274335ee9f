package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/rogpeppe/go-internal/testscript"
)

// fake starts a server that is not one of ours, by the name of what is wrong
// with it, and sets ATS_AUTH_URL.
func fake(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fake KIND")
	}
	switch args[0] {
	case "down":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		ts.Setenv("ATS_AUTH_URL", "http://"+l.Addr().String())
		ts.Check(l.Close())
		return
	case "ssh":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				fmt.Fprint(c, "SSH-2.0-OpenSSH_9.2p1\r\n")
				_, _ = c.Read(make([]byte, 4096))
				_ = c.Close()
			}
		}()
		ts.Setenv("ATS_AUTH_URL", "http://"+l.Addr().String())
		ts.Defer(func() { _ = l.Close() })
		return
	}
	answer, ok := fakes[args[0]]
	if args[0] == "provider" {
		provider := newProvider(ts)
		answer, ok = provider.ServeHTTP, true
	}
	if args[0] == "tapis" || args[0] == "tapis-open" {
		answer, ok = newOriginal(ts, args[0] == "tapis-open").ServeHTTP, true
	}
	if args[0] == "awx" {
		answer, ok = newTower().ServeHTTP, true
	}
	if !ok {
		ts.Fatalf("no fake server %q", args[0])
	}
	start := httptest.NewServer
	if args[0] == "tls" {
		start = httptest.NewTLSServer
	}
	s := start(answer)
	s.Config.ErrorLog = nil
	ts.Setenv("ATS_AUTH_URL", s.URL)
	if args[0] == "provider" {
		ts.Setenv("ATS_AUTH_URL", "")
		ts.Setenv("ATS_AUTH_ISSUER", s.URL)
	}
	ts.Defer(s.Close)
}

var fakes = map[string]http.HandlerFunc{
	"html": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Welcome to the proxy</body></html>")
	},
	"notfound": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<html><body>nginx</body></html>")
	},
	"broken": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, "<html><body>Traceback s3cre7</body></html>")
	},
	"redirect": func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/elsewhere", http.StatusTemporaryRedirect)
	},
	"slow": func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then is the end of the client seen
		<-r.Context().Done()
	},
	"tls": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	"throttled": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	},
	"huge": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 3<<20)) },
	// An original server issues no jti and takes any logout.
	"original": func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/user/login":
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			fmt.Fprint(w, "{\n    \"token\": \""+seedToken+"\"\n}")
		case "/user/logout", "/user/logout_all":
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "404: Not Found")
		}
	},
}

// seedToken is one that the original issued in 2015.
const seedToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE0NDY1NjQ2NDEuMDE2NzMyLCJzdWIiOiJtYXJjbyIsImlzcyI6ImF0cy5hdXRoIiwiZXhwIjoxNDQ2NTY4MjQxLjAxNjczMn0.3DWqx1J-DhaFbHurmALqAGkJbFGyKxTn_YTGUwk6KYo"

// provider is a small OAuth 2.0 server of somebody else's. The scope asks for what
// is odd about it: jwt and forged for access tokens that are JWTs, all others are
// opaque, and still for refresh tokens that stay as they are.
type provider struct {
	http.ServeMux
	key *ecdsa.PrivateKey

	mu        sync.Mutex
	count     int
	challenge map[string]string // code_challenge by code
	refresh   map[string]string // scope by the refresh tokens that are good
	revoked   map[string]bool
}

func newProvider(ts *testscript.TestScript) *provider {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	p := &provider{key: key, challenge: map[string]string{}, refresh: map[string]string{"rt-0": "read"}, revoked: map[string]bool{}}
	for path, serve := range map[string]func(http.ResponseWriter, *http.Request) any{
		"/.well-known/openid-configuration": p.metadata, "/jwks": p.jwks, "/token": p.token, "/authorize": p.authorize,
		"/device": p.device, "/introspect": p.introspect, "/revoke": p.revoke, "/revoke-all": p.revokeAll, "/logins": p.logins,
	} {
		p.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			p.mu.Lock()
			defer p.mu.Unlock()
			answer := serve(w, r)
			if answer == nil {
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			if refusal, ok := answer.(map[string]string); ok && refusal["error"] != "" {
				w.WriteHeader(http.StatusBadRequest)
			}
			_ = json.NewEncoder(w).Encode(answer)
		})
	}
	return p
}

func issuerOf(r *http.Request) string { return "http://" + r.Host }

func (p *provider) metadata(_ http.ResponseWriter, r *http.Request) any {
	i := issuerOf(r)
	return map[string]any{
		"issuer": i, "jwks_uri": i + "/jwks", "token_endpoint": i + "/token", "authorization_endpoint": i + "/authorize",
		"device_authorization_endpoint": i + "/device", "introspection_endpoint": i + "/introspect", "revocation_endpoint": i + "/revoke",
		"global_token_revocation_endpoint": i + "/revoke-all", "logins_endpoint": i + "/logins",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		"code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": true,
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "private_key_jwt", "none"},
		"dpop_signing_alg_values_supported":     []string{"ES256"},
	}
}

func (p *provider) jwks(http.ResponseWriter, *http.Request) any {
	point, err := p.key.PublicKey.Bytes()
	if err != nil {
		return refuse("server_error")
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "alg": "ES256", "x": b64(point[1:33]), "y": b64(point[33:]),
	}}}
}

func refuse(code string) map[string]string { return map[string]string{"error": code} }

// clientOf is the application that proves itself, by its secret or an assertion.
func clientOf(r *http.Request) (id string, proven bool) {
	if id, secret, ok := r.BasicAuth(); ok {
		return id, secret == "cl1ent-s3cret"
	}
	if assertion := r.PostFormValue("client_assertion"); assertion != "" {
		t, _, err := jwt.NewParser().ParseUnverified(assertion, jwt.MapClaims{})
		if err != nil || t.Header["kid"] != "key-1" {
			return "", false
		}
		id, _ := t.Claims.GetSubject()
		return id, true
	}
	return r.PostFormValue("client_id"), false
}

func (p *provider) token(_ http.ResponseWriter, r *http.Request) any {
	id, proven := clientOf(r)
	if id != "app" || strings.HasPrefix(r.Header.Get("Authorization"), "Basic ") && !proven {
		return refuse("invalid_client")
	}
	form := func(name string) string { return r.PostFormValue(name) }
	scope, subject := form("scope"), "app"
	switch form("grant_type") {
	case "password":
		if subject = form("username"); form("password") != "s3cre7" {
			return refuse("invalid_grant")
		}
	case "client_credentials":
		if !proven {
			return refuse("invalid_client")
		}
	case "refresh_token":
		granted, good := p.refresh[form("refresh_token")]
		if !good {
			return refuse("invalid_grant")
		}
		if scope == "" {
			scope = granted
		}
		if !strings.Contains(granted, "still") {
			delete(p.refresh, form("refresh_token"))
		} else {
			return p.answer(r, "marco", scope, false)
		}
		subject = "marco"
	case "authorization_code":
		sum := sha256.Sum256([]byte(form("code_verifier")))
		challenge := p.challenge[form("code")]
		delete(p.challenge, form("code"))
		if challenge == "" || base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
			return refuse("invalid_grant")
		}
		subject = "marco"
	case "urn:ietf:params:oauth:grant-type:device_code":
		if form("device_code") != "d3vice-code" {
			return refuse("invalid_grant")
		}
		subject = "marco"
	case "urn:ietf:params:oauth:grant-type:token-exchange":
		subject = form("subject_token") + "+" + form("actor_token") + "@" + strings.Join(r.PostForm["resource"], ",")
		scope += " jwt"
	default:
		return refuse("unsupported_grant_type")
	}
	return p.answer(r, subject, scope, form("grant_type") != "client_credentials")
}

// answer is a set of tokens, the access token opaque unless the scope says jwt.
func (p *provider) answer(r *http.Request, subject, scope string, refresh bool) any {
	p.count++
	access, kind := fmt.Sprintf("opaque-%s-%d", subject, p.count), "Bearer"
	if strings.Contains(scope, "jwt") || strings.Contains(scope, "forged") {
		t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": issuerOf(r), "sub": subject, "aud": "https://api.example.org", "exp": time.Now().Add(time.Hour).Unix()})
		t.Header["kid"] = "one"
		access, _ = t.SignedString(p.key)
	}
	if strings.Contains(scope, "forged") {
		access = access[:strings.LastIndexByte(access, '.')+1] + strings.Repeat("A", 86)
	}
	if r.Header.Get("DPoP") != "" {
		kind = "DPoP"
	}
	set := map[string]any{"access_token": access, "token_type": kind, "expires_in": 3600, "scope": strings.TrimSpace(scope)}
	if r.PostFormValue("grant_type") == "urn:ietf:params:oauth:grant-type:token-exchange" {
		set["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
	}
	if refresh {
		set["refresh_token"] = fmt.Sprintf("rt-%d", p.count)
		p.refresh[fmt.Sprintf("rt-%d", p.count)] = scope
	}
	return set
}

// authorize is the page at which marco says yes at once.
func (p *provider) authorize(w http.ResponseWriter, r *http.Request) any {
	q := r.URL.Query()
	p.challenge["c0de"] = q.Get("code_challenge")
	back := url.Values{"code": {"c0de"}, "state": {q.Get("state")}, "iss": {issuerOf(r)}}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther)
	return nil
}

func (p *provider) device(_ http.ResponseWriter, r *http.Request) any {
	i := issuerOf(r)
	return map[string]any{
		"device_code": "d3vice-code", "user_code": "WDJB-MJHT", "verification_uri": i + "/go",
		"verification_uri_complete": i + "/go?user_code=WDJB-MJHT", "expires_in": 600, "interval": 1,
	}
}

func (p *provider) introspect(_ http.ResponseWriter, r *http.Request) any {
	if _, proven := clientOf(r); !proven {
		return refuse("invalid_client")
	}
	t := r.PostFormValue("token")
	if !strings.HasPrefix(t, "opaque-") || p.revoked[t] {
		return map[string]any{"active": false}
	}
	return map[string]any{"active": true, "sub": "marco", "scope": "read", "exp": time.Now().Add(time.Hour).Unix()}
}

func (p *provider) revoke(w http.ResponseWriter, r *http.Request) any {
	p.revoked[r.PostFormValue("token")] = true
	delete(p.refresh, r.PostFormValue("token"))
	w.WriteHeader(http.StatusOK)
	return nil
}

// bearerOf is whom a token stands for.
func bearerOf(r *http.Request) string {
	raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer opaque-")
	name, _, _ := strings.Cut(raw, "-")
	return name
}

func (p *provider) revokeAll(w http.ResponseWriter, r *http.Request) any {
	if bearerOf(r) == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	clear(p.refresh)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (p *provider) logins(w http.ResponseWriter, r *http.Request) any {
	if bearerOf(r) == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	made := time.Now().Add(-49*time.Hour - 30*time.Minute).Unix()
	return map[string]any{"logins": []any{
		map[string]any{"id": "ab12", "client_id": "app", "name": "An \x1b[31mapp", "dialect": "oauth2", "scope": "read", "created_at": made, "last_used_at": made + 3600, "expires_at": made + 30*86400, "current": true},
		map[string]any{"id": "cd34", "dialect": "ats", "created_at": 1700000000},
	}}
}
