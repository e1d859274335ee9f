package verifier_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// authority stands for the service that issues tokens: it publishes its key and
// tells what it has revoked. ats-auth-server is one.
type authority struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	mu      sync.Mutex
	revoked []verifier.Fact
}

func newAuthority() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	a := &authority{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"issuer": a.URL, "jwks_uri": a.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	a.Server = httptest.NewServer(mux)
	return a
}

func (a *authority) issue(subject, scope, id string) string {
	t := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": a.URL, "sub": subject, "aud": "orders", "scope": scope, "jti": id, "exp": time.Now().Add(time.Minute).Unix(),
	})
	t.Header["kid"], t.Header["typ"] = "1", "at+jwt"
	raw, err := t.SignedString(a.key)
	if err != nil {
		panic(err)
	}
	return raw
}

// Next makes the authority a verifier.Feed: the cursor is how many facts are known.
func (a *authority) Next(_ context.Context, cursor string, into *verifier.Revocations) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := 0
	fmt.Sscan(cursor, &known)
	into.Add(a.revoked[known:]...)
	return fmt.Sprint(len(a.revoked)), nil
}

func (a *authority) revoke(id string) {
	identity := token.IdentityOf(a.URL, id)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revoked = append(a.revoked, verifier.Fact{Kind: verifier.RevokedToken, Key: string(identity[:])})
}

// A service learns the keys from the issuer, follows its revocations, and asks
// nobody while it serves.
func ExampleVerifier_Middleware() {
	issuer := newAuthority()
	defer issuer.Close()

	keys, err := verifier.NewSource(verifier.SourceConfig{Issuer: issuer.URL})
	if err != nil {
		panic(err)
	}
	defer keys.Close()
	revocations := new(verifier.Revocations)
	follower, err := verifier.NewFollower(verifier.FollowerConfig{Feed: issuer, Into: revocations})
	if err != nil {
		panic(err)
	}
	if err := follower.Sync(context.Background()); err != nil { // a service has `go follower.Run(ctx)`
		panic(err)
	}
	judge, err := verifier.New(verifier.Config{
		Source: keys, Audience: "orders", Types: []string{"at+jwt"},
		Revocations: revocations, Fresh: follower.Fresh, CacheBytes: 16 << 20, Realm: "orders",
	})
	if err != nil {
		panic(err)
	}

	mux := http.NewServeMux()
	mux.Handle("GET /orders", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := verifier.TokenFromContext(r.Context())
		fmt.Fprintf(w, "orders of %s", claims.Subject())
	}))
	mux.Handle("POST /orders", judge.RequireScope(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "ordered")
	}), "order"))
	service := httptest.NewServer(judge.Middleware(mux))
	defer service.Close()

	call := func(method, raw string) {
		request, err := http.NewRequest(method, service.URL+"/orders", nil)
		if err != nil {
			panic(err)
		}
		if raw != "" {
			request.Header.Set("Authorization", "Bearer "+raw)
		}
		answer, err := service.Client().Do(request)
		if err != nil {
			panic(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(err)
		}
		if answer.StatusCode == http.StatusOK {
			fmt.Printf("%d %s\n", answer.StatusCode, body)
			return
		}
		fmt.Println(answer.StatusCode, answer.Header.Get("WWW-Authenticate"))
	}
	marco := issuer.issue("marco", "", "a")
	call("GET", "")
	call("GET", marco)
	call("POST", marco)
	call("POST", issuer.issue("polo", "order", "b"))
	issuer.revoke("a")
	if err := follower.Sync(context.Background()); err != nil {
		panic(err)
	}
	call("GET", marco)
	// Output:
	// 401 Bearer realm="orders"
	// 200 orders of marco
	// 403 Bearer realm="orders", error="insufficient_scope", error_description="the token lacks a scope", scope="order"
	// 200 ordered
	// 401 Bearer realm="orders", error="invalid_token", error_description="token revoked"
}
