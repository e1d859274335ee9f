package verifier

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestClaimsAreJudgedWithTheFiguresInTheMessage(t *testing.T) {
	for name, c := range map[string]struct {
		payload string
		adjust  func(*Config)
		kind    error  // nil: accepted
		says    string // of the error
	}{
		"exp a microsecond ahead":          {`{"exp":1700000000.500001}`, nil, nil, ""},
		"exp now":                          {`{"exp":1700000000.5}`, nil, token.ErrExpired, "exp: token expired at 2023-11-14T22:13:20.5Z, 0s ago"},
		"exp a microsecond ago":            {`{"exp":1700000000.499999}`, nil, token.ErrExpired, "exp: token expired at 2023-11-14T22:13:20.499999Z"},
		"exp in the same second":           {`{"exp":1700000000}`, nil, token.ErrExpired, "exp: token expired at 2023-11-14T22:13:20Z, 500ms ago"},
		"exp long ago":                     {`{"exp":1699996400}`, nil, token.ErrExpired, "token expired at 2023-11-14T21:13:20Z, 1h0m1s ago"},
		"exp within the leeway":            {`{"exp":1699999990.500001}`, leeway(10 * time.Second), nil, ""},
		"exp at the end of the leeway":     {`{"exp":1699999990.5}`, leeway(10 * time.Second), token.ErrExpired, "token expired at"},
		"exp in the year 9999":             {`{"exp":253402300799}`, nil, nil, ""},
		"exp with an exponent":             {`{"exp":1.70000006e9}`, nil, nil, ""},
		"exp absent":                       {`{}`, nil, token.ErrClaims, "exp: missing, and required here"},
		"nbf now":                          {`{"exp":1700000060,"nbf":1700000000.5}`, nil, nil, ""},
		"nbf a microsecond ahead":          {`{"exp":1700000060,"nbf":1700000000.500001}`, nil, token.ErrNotYetValid, "nbf: token not valid before 2023-11-14T22:13:20.500001Z"},
		"nbf far ahead":                    {`{"exp":1800000000,"nbf":1700003600.5}`, nil, token.ErrNotYetValid, "in 1h0m0s"},
		"nbf within the leeway":            {`{"exp":1700000060,"nbf":1700000010.5}`, leeway(10 * time.Second), nil, ""},
		"iat a microsecond ahead":          {`{"exp":1700000060,"iat":1700000000.500001}`, nil, token.ErrNotYetValid, "iat: token issued in the future, at 2023-11-14T22:13:20.500001Z"},
		"iat within the leeway":            {`{"exp":1700000060,"iat":1700000010.5}`, leeway(10 * time.Second), nil, ""},
		"iss as configured":                {`{"exp":1700000060,"iss":"ats.auth"}`, issuer("ats.auth"), nil, ""},
		"iss in another case":              {`{"exp":1700000060,"iss":"Ats.auth"}`, issuer("ats.auth"), token.ErrClaims, `iss: "Ats.auth" is not "ats.auth"`},
		"iss with a slash behind it":       {`{"exp":1700000060,"iss":"https://a/"}`, issuer("https://a"), token.ErrClaims, `iss: "https://a/" is not "https://a"`},
		"iss absent":                       {`{"exp":1700000060}`, issuer("ats.auth"), token.ErrClaims, `iss: "" is not "ats.auth"`},
		"aud a string":                     {`{"exp":1700000060,"aud":"api"}`, audience("api"), nil, ""},
		"aud one of several":               {`{"exp":1700000060,"aud":["x","api"]}`, audience("api"), nil, ""},
		"aud of another service":           {`{"exp":1700000060,"aud":["x","y"]}`, audience("api"), token.ErrClaims, `aud: "x", "y" does not name "api"`},
		"aud in another case":              {`{"exp":1700000060,"aud":"API"}`, audience("api"), token.ErrClaims, `does not name "api"`},
		"aud absent, one configured":       {`{"exp":1700000060}`, audience("api"), token.ErrClaims, `aud: no audience does not name "api"`},
		"aud an empty string":              {`{"exp":1700000060,"aud":""}`, audience("api"), token.ErrClaims, `does not name "api"`},
		"aud there, none configured":       {`{"exp":1700000060,"aud":"x"}`, nil, token.ErrClaims, `aud: the token was made for "x", and no audience is configured here`},
		"aud there, any taken":             {`{"exp":1700000060,"aud":"x"}`, func(c *Config) { c.AnyAudience = true }, nil, ""},
		"a required claim absent":          {`{"exp":1700000060}`, func(c *Config) { c.Required = []string{"sub", "exp"} }, token.ErrClaims, "sub: missing, and required here"},
		"a required claim in another case": {`{"exp":1700000060,"Sub":"a"}`, func(c *Config) { c.Required = []string{"sub"} }, token.ErrClaims, "sub: missing"},
		"a lifetime over the maximum":      {`{"exp":1700003601,"iat":1700000000}`, lifetime(3600), token.ErrClaims, "exp: the token lives 1h0m1s from its iat, at most 1h0m0s is accepted here"},
		"a lifetime at the maximum":        {`{"exp":1700003600,"iat":1700000000}`, lifetime(3600), nil, ""},
		"no iat under a maximum":           {`{"exp":1700003600.6}`, lifetime(3600), token.ErrClaims, "exp: the token lives 1h0m0.1s from now"},
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := newVerifier(t, c.adjust).Verify(t.Context(), claimed(c.payload))
			if !errors.Is(err, c.kind) || (claims != nil) != (c.kind == nil) {
				t.Fatalf("%v, %v, want %v", claims, err, c.kind)
			}
			if err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("it says %q, want %q", err, c.says)
			}
		})
	}
}

func leeway(d time.Duration) func(*Config) { return func(c *Config) { c.Leeway = d } }
func issuer(s string) func(*Config)        { return func(c *Config) { c.Issuer = s } }
func audience(s string) func(*Config)      { return func(c *Config) { c.Audience = s } }
func lifetime(seconds int64) func(*Config) { return func(c *Config) { c.MaxLifetime = seconds } }
func types(list ...string) func(*Config)   { return func(c *Config) { c.Types = list } }

func TestAllThatIsWrongWithATokenIsToldAtOnce(t *testing.T) {
	v := newVerifier(t, func(c *Config) { c.Issuer, c.Audience, c.Required = "ats.auth", "api", []string{"sub"} })
	_, err := v.Verify(t.Context(), claimed(`{"exp":1600000000,"nbf":1800000000,"iat":1800000000,"iss":"x","aud":"y"}`))
	for _, kind := range []error{token.ErrExpired, token.ErrNotYetValid, token.ErrClaims} {
		if !errors.Is(err, kind) {
			t.Errorf("%v is not among %v", kind, err)
		}
	}
	for _, name := range []string{"sub: ", "exp: ", "nbf: ", "iat: ", "iss: ", "aud: "} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %q", name, err)
		}
	}
	if strings.Count(err.Error(), "; ") != 5 {
		t.Errorf("not six failures: %q", err)
	}
}

func TestTheTypeInTheHeaderIsAmongThoseAccepted(t *testing.T) {
	for _, c := range []struct {
		typ   string
		types func(*Config)
		ok    bool
	}{
		{"JWT", nil, true},
		{"jwt", nil, true},
		{"at+jwt", nil, true},
		{"AT+JWT", nil, true},
		{"application/at+jwt", nil, true},
		{"Application/At+JWT", nil, true},
		{"", nil, true},
		{"logout+jwt", nil, false},
		{"JWT", types("at+jwt"), false},
		{"", types("at+jwt"), false},
		{"application/at+jwt", types("at+jwt"), true},
	} {
		header := `{"alg":"HS256","typ":"` + c.typ + `"}`
		if c.typ == "" {
			header = `{"alg":"HS256"}`
		}
		_, err := newVerifier(t, c.types).Verify(t.Context(), forged(header, goodPayload))
		if c.ok && err != nil || !c.ok && !errors.Is(err, token.ErrClaims) {
			t.Errorf("typ %q: %v, want accepted: %v", c.typ, err, c.ok)
		}
	}
}

func TestAWrongConfigurationIsRefusedByName(t *testing.T) {
	for says, adjust := range map[string]func(*Config){
		"leeway 5m1s":     leeway(301 * time.Second),
		"leeway -1ns":     leeway(-1),
		"no key":          func(c *Config) { c.Keys = nil },
		"secret is empty": func(c *Config) { c.Keys[0].Secret = token.Secret{} },
		`"none"`:          func(c *Config) { c.Keys[0].Algorithm = "none" },
		`algorithm ""`:    func(c *Config) { c.Keys[0].Algorithm = "" },
		`"hs256"`:         func(c *Config) { c.Keys[0].Algorithm = "hs256" },
		"maximum":         lifetime(-1),
	} {
		c := Config{Keys: []Key{strongKey()}}
		adjust(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), strongSecret) {
			t.Errorf("New: %v, want %q", err, says)
		}
	}
}

func TestTheTokenOfRFC7515AppendixA1Verifies(t *testing.T) {
	const raw = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." +
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ." +
		"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	secret, err := base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1300819379, 0)
	v := newVerifier(t, func(c *Config) {
		c.Keys = []Key{{Algorithm: "HS256", Secret: token.NewSecret(string(secret))}}
		c.Now = func() time.Time { return at }
	})
	claims, err := v.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if root, _ := claims.Raw("http://example.com/is_root"); claims.Issuer() != "joe" || string(root) != "true" {
		t.Errorf("claims %s", claims.JSON())
	}
	at = at.Add(time.Second)
	if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrExpired) {
		t.Errorf("a second later: %v", err)
	}
}

func TestTokensOfTheOriginalServiceAreReadAndTheirSignatureIsRefused(t *testing.T) {
	v := newVerifier(t, func(c *Config) {
		c.Keys = []Key{{Algorithm: "HS256", Secret: token.NewSecret(seedSecret)}}
		c.Now = func() time.Time { return time.Unix(1446565000, 0) }
	})
	want := []string{
		`{"exp":1446568093.414818,"iat":1446564493.414818,"iss":"ats.auth","sub":"marco"}`,
		`{"exp":1446568241.016732,"iat":1446564641.016732,"iss":"ats.auth","sub":"marco"}`,
		`{"exp":1446568595.9806926,"iat":1446564995.9806926,"iss":"ats.auth","sub":"marco"}`,
	}
	raws := lines(t, "ats_tokens.txt")
	if len(raws) != len(want) {
		t.Fatalf("%d tokens", len(raws))
	}
	for i, raw := range raws {
		d, err := token.Decode(raw)
		if err != nil || d.Claims.JSON() != want[i] || d.Header.JSON() != jwtHeader {
			t.Errorf("token %d: %v, %v", i+1, d, err)
		}
		if _, err := v.Verify(t.Context(), raw); !errors.Is(err, token.ErrSignature) || err.Error() != "signature verification failed" {
			t.Errorf("token %d: %v", i+1, err)
		}
	}
}

func TestTheRuleOfAnIssuerIsAskedLast(t *testing.T) {
	asked := 0
	v := newVerifier(t, func(c *Config) {
		c.CacheBytes = 1 << 20
		c.Rule = func(claims *token.Claims) error {
			asked++
			if kind, _ := claims.String("tapis/token_type"); kind != "access" {
				return &token.ClaimError{Claim: "tapis/token_type", Reason: "not access", Kind: token.ErrClaims}
			}
			return nil
		}
	})
	accepts(t, v, claimed(`{"exp":1700000060,"tapis/token_type":"access"}`))
	for range 2 {
		refuses(t, v, claimed(`{"exp":1700000060,"tapis/token_type":"refresh"}`), token.ErrClaims)
	}
	refuses(t, v, claimed(`{"exp":1600000000,"tapis/token_type":"access"}`), token.ErrExpired)
	if asked != 3 {
		t.Errorf("asked %d times", asked)
	}
}
