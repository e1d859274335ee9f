package verifier

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestRequestsAreAnsweredAsRFC6750Says(t *testing.T) {
	v := newVerifier(t, func(c *Config) {
		c.Check = func(_ context.Context, raw string) (*token.Claims, error) {
			switch raw {
			case "later":
				return nil, &token.Refusal{Kind: token.ErrUnavailable, RetryAfter: 2100 * time.Millisecond}
			case "broken":
				return nil, errors.New("dial tcp 10.0.0.1: secret detail")
			case "revoked":
				return nil, token.ErrRevoked
			}
			return nil, token.Refuse(token.ErrUnknown, "unknown \"%s\"\r\nX-Evil: \u00e4", raw)
		}
	})
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, ok := TokenFromContext(r.Context())
		if !ok {
			t.Error("no claims in the context")
		}
		w.Write([]byte("hello " + claims.Subject()))
	})
	scoped := func(scope string) string { return claimed(`{"exp":1700000060,"sub":"marco","scope":` + scope + `}`) }
	good := claimed(goodPayload)
	for name, c := range map[string]struct {
		target        string
		authorization []string
		status        int
		challenge     string // the whole of it
	}{
		"a good token":             {"/", []string{"Bearer " + good}, 200, ""},
		"a scheme in lower case":   {"/", []string{"bearer " + good}, 200, ""},
		"several blanks":           {"/", []string{"BEARER   " + good + " "}, 200, ""},
		"no header":                {"/", nil, 401, `Bearer realm="ats-auth"`},
		"an empty header":          {"/", []string{""}, 401, `Bearer realm="ats-auth"`},
		"another scheme":           {"/", []string{"Basic bWFyY28="}, 401, `Bearer realm="ats-auth"`},
		"a scheme that begins so":  {"/", []string{"Bearerer " + good}, 401, `Bearer realm="ats-auth"`},
		"a token in the URL alone": {"/?access_token=" + good, nil, 401, `Bearer realm="ats-auth"`},
		"two headers":              {"/", []string{"Bearer " + good, "Bearer " + good}, 400, `Bearer realm="ats-auth", error="invalid_request", error_description="more than one token"`},
		"header and URL":           {"/?access_token=" + good, []string{"Bearer " + good}, 400, `Bearer realm="ats-auth", error="invalid_request", error_description="more than one token"`},
		"two in one header":        {"/", []string{"Bearer " + good + ", Bearer " + good}, 400, `Bearer realm="ats-auth", error="invalid_request", error_description="what stands behind Bearer is no token"`},
		"nothing behind it":        {"/", []string{"Bearer"}, 400, `Bearer realm="ats-auth", error="invalid_request", error_description="no token behind Bearer"`},
		"an expired token":         {"/", []string{"Bearer " + claimed(`{"exp":1699996400}`)}, 401, `Bearer realm="ats-auth", error="invalid_token", error_description="exp: token expired at 2023-11-14T21:13:20Z, 1h0m1s ago"`},
		"a forged token":           {"/", []string{"Bearer " + tampered(good)}, 401, `Bearer realm="ats-auth", error="invalid_token", error_description="signature verification failed"`},
		"a token bound to a key":   {"/", []string{"Bearer " + claimed(`{"exp":1700000060,"sub":"marco","cnf":{"jkt":"x"}}`)}, 401, `Bearer realm="ats-auth", error="invalid_token", error_description="cnf: the token is bound to a key and was sent as a plain bearer token"`},
		"a revoked token":          {"/", []string{"Bearer revoked"}, 401, `Bearer realm="ats-auth", error="invalid_token", error_description="token revoked"`},
		"text from elsewhere":      {"/", []string{"Bearer x"}, 401, `Bearer realm="ats-auth", error="invalid_token", error_description="unknown 'x'??X-Evil: ?"`},
		"nobody can say":           {"/", []string{"Bearer later"}, 503, ""},
		"an error within":          {"/", []string{"Bearer broken"}, 503, ""},
		"a scope":                  {"/scoped", []string{"Bearer " + scoped(`"write read"`)}, 200, ""},
		"a list of scopes":         {"/scoped", []string{"Bearer " + scoped(`["write","read"]`)}, 200, ""},
		"no scope":                 {"/scoped", []string{"Bearer " + good}, 403, `Bearer realm="ats-auth", error="insufficient_scope", error_description="the token lacks a scope", scope="read write"`},
		"a scope too few":          {"/scoped", []string{"Bearer " + scoped(`"read"`)}, 403, `Bearer realm="ats-auth", error="insufficient_scope", error_description="the token lacks a scope", scope="read write"`},
		"a scope that begins so":   {"/scoped", []string{"Bearer " + scoped(`"reader write"`)}, 403, `Bearer realm="ats-auth", error="insufficient_scope", error_description="the token lacks a scope", scope="read write"`},
	} {
		t.Run(name, func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/", v.Middleware(next))
			mux.Handle("/scoped", v.Middleware(v.RequireScope(next, "read", "write")))
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, c.target, nil)
			r.Header["Authorization"] = c.authorization
			mux.ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("WWW-Authenticate") != c.challenge {
				t.Errorf("%d, %s", w.Code, w.Header().Get("WWW-Authenticate"))
			}
			body := w.Body.String()
			if c.status == 200 {
				if body != "hello marco" {
					t.Errorf("body %q", body)
				}
				return
			}
			if !json.Valid([]byte(body)) || w.Header().Get("Cache-Control") != "no-store" || strings.Contains(body, "10.0.0.1") || strings.Contains(body, good) {
				t.Errorf("%v, body %q", w.Header(), body)
			}
			if wait := w.Header().Get("Retry-After"); (wait != "") != (c.status == 503) || name == "nobody can say" && wait != "3" {
				t.Errorf("Retry-After %q", wait)
			}
		})
	}
}

func TestAScopeIsNotGrantedWithoutAToken(t *testing.T) {
	w := httptest.NewRecorder()
	newVerifier(t, nil).RequireScope(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusUnauthorized {
		t.Errorf("%d", w.Code)
	}
}
