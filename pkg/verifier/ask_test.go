package verifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// services answer about tokens as the three kinds of service do.
func services(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /introspect", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		if id != "orders%3A1" || secret != "s%2Bcret" || r.FormValue("token_type_hint") != "access_token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		switch r.PostFormValue("token") {
		case "good":
			fmt.Fprintf(w, `{"active":true,"sub":"marco","exp":%d}`, testNow.Unix()+60)
		case "over":
			fmt.Fprintf(w, `{"active":true,"sub":"marco","exp":%d}`, testNow.Unix()-60)
		case "html":
			fmt.Fprint(w, "<html>")
		case "mute":
			fmt.Fprint(w, `{}`)
		case "moved":
			http.Redirect(w, r, "https://elsewhere.example.org/", http.StatusTemporaryRedirect)
		case "huge":
			fmt.Fprint(w, `{"active":true,"x":"`+strings.Repeat("x", maxSaid)+`"}`)
		default:
			fmt.Fprint(w, `{"active":false}`)
		}
	})
	mux.HandleFunc("POST /user/check", func(w http.ResponseWriter, r *http.Request) {
		switch raw := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); raw {
		case "good":
			fmt.Fprintf(w, `{"sub":"marco","exp":%d.5}`, testNow.Unix()+60)
		case "token revoked", "token expired", "token unknown":
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":%q}`, raw)
		case "down":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "401: Unauthorized")
		}
	})
	mux.HandleFunc("/0.1/token/{token}", func(w http.ResponseWriter, r *http.Request) {
		if s := r.FormValue("scope"); s != "" && s != "confd.read" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		switch raw := r.PathValue("token"); {
		case raw == "good" && r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNoContent)
		case raw == "good":
			fmt.Fprintf(w, `{"data":{"auth_id":"marco","utc_expires_at":%q,"acl":["confd.#"]}}`, testNow.UTC().Add(time.Minute).Format("2006-01-02T15:04:05.000000"))
		case raw == "odd":
			fmt.Fprint(w, `{"data":{"auth_id":"marco","utc_expires_at":"soon"}}`)
		case raw == "down":
			w.WriteHeader(http.StatusBadGateway)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func TestAServiceIsAskedAboutATokenInItsOwnWay(t *testing.T) {
	s := services(t)
	made := func(c Checker, err error) Checker {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	introspection := made(Introspection(s.URL+"/introspect", "orders:1", token.NewSecret("s+cret"), s.Client()))
	stranger := made(Introspection(s.URL+"/introspect", "orders", token.NewSecret("wrong"), nil))
	ats := made(ATSCheck(s.URL+"/", nil))
	get, head := made(WazoToken(s.URL, "confd.read", nil)), made(WazoHead(s.URL, "", nil))
	denied := made(WazoToken(s.URL, "other", nil))
	for _, c := range []struct {
		name  string
		check Checker
		raw   string
		want  error
	}{
		{"introspection", introspection, "good", nil},
		{"introspection", introspection, "over", token.ErrExpired},
		{"introspection", introspection, "nobody's", token.ErrUnknown},
		{"introspection", introspection, "html", token.ErrUnavailable},
		{"introspection", introspection, "mute", token.ErrUnavailable},
		{"introspection", introspection, "moved", token.ErrUnavailable},
		{"introspection", introspection, "huge", token.ErrUnavailable},
		{"introspection by a stranger", stranger, "good", token.ErrUnavailable},
		{"ats", ats, "good", nil},
		{"ats", ats, "token revoked", token.ErrRevoked},
		{"ats", ats, "token expired", token.ErrExpired},
		{"ats", ats, "token unknown", token.ErrUnknown},
		{"ats", ats, "garbage", token.ErrUnknown},
		{"ats", ats, "down", token.ErrUnavailable},
		{"wazo GET", get, "good", nil},
		{"wazo GET", get, "../../x", token.ErrUnknown},
		{"wazo GET", get, "odd", token.ErrUnavailable},
		{"wazo GET", get, "down", token.ErrUnavailable},
		{"wazo GET with another scope", denied, "good", token.ErrDenied},
		{"wazo HEAD", head, "good", nil},
		{"wazo HEAD", head, "nobody's", token.ErrUnknown},
	} {
		v, err := New(Config{Check: c.check, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		claims, err := v.Verify(t.Context(), c.raw)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %q: %v, want %v", c.name, c.raw, err, c.want)
			continue
		}
		if err == nil && c.name != "wazo HEAD" && claims.Subject() != "marco" {
			t.Errorf("%s: the subject is %q", c.name, claims.Subject())
		}
	}
}

func TestWithoutKeysTheServiceIsAskedAboutJWTsToo(t *testing.T) {
	s := services(t)
	check, err := ATSCheck(s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	v, err := New(Config{Check: check, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), claimed(goodPayload)); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("a JWT that the service does not know: %v", err)
	}
	if w := v.Warnings(t.Context()); w != nil {
		t.Errorf("warnings %q", w)
	}
}

func TestTokensAreSentOnlyWhereNobodyListens(t *testing.T) {
	for _, address := range []string{"http://auth.example.org", "ftp://127.0.0.1", "", "https://marco:pw@auth.example.org"} {
		if _, err := ATSCheck(address, nil); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
}

func TestWhatAServiceSaysOfATokenMustFitTheConfiguration(t *testing.T) {
	said := func(claims string) Checker {
		return func(context.Context, string) (*token.Claims, error) { return token.ParseClaims(claims) }
	}
	for name, c := range map[string]struct {
		claims string
		change func(*Config)
		want   string // the claim that is wrong; empty: accepted
	}{
		"made for us":                    {`{"aud":["b","a"]}`, func(c *Config) { c.Audience = "a" }, ""},
		"made for another":               {`{"aud":"b"}`, func(c *Config) { c.Audience = "a" }, "aud"},
		"made for nobody":                {`{"sub":"marco"}`, func(c *Config) { c.Audience = "a" }, "aud"},
		"made for somebody":              {`{"aud":"b"}`, func(*Config) {}, "aud"},
		"made for somebody, which is ok": {`{"aud":"b"}`, func(c *Config) { c.AnyAudience = true }, ""},
		"our issuer":                     {`{"iss":"a"}`, func(c *Config) { c.Issuer = "a" }, ""},
		"another issuer":                 {`{"iss":"b"}`, func(c *Config) { c.Issuer = "a" }, "iss"},
		"an issuer without a name":       {`{"iss":""}`, func(c *Config) { c.Issuer = "a" }, "iss"},
		"no issuer":                      {`{}`, func(c *Config) { c.Issuer = "a" }, ""},
		"a claim that is required":       {`{"sub":"marco"}`, func(c *Config) { c.Required = []string{"sub"} }, ""},
		"a claim that is lacking":        {`{}`, func(c *Config) { c.Required = []string{"sub"} }, "sub"},
		"a rule": {`{"kind":"refresh"}`, func(c *Config) {
			c.Rule = func(*token.Claims) error { return &token.ClaimError{Claim: "kind", Kind: token.ErrClaims} }
		}, "kind"},
	} {
		config := Config{Check: said(c.claims), CheckMaxAge: time.Minute, CacheBytes: 1 << 20, Now: clock}
		c.change(&config)
		v, err := New(config)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it might be remembered
			_, err := v.Verify(t.Context(), "opaque")
			var wrong *token.ClaimError
			if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &wrong) || wrong.Claim != c.want) {
				t.Errorf("%s: %v, want the claim %q", name, err, c.want)
			}
		}
	}
}
