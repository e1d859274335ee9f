package oauth2

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestASetIsReadAsTheServiceSaysIt(t *testing.T) {
	for _, c := range []struct {
		body  string
		scope string
		in    int64
		end   time.Time
	}{
		{`{"access_token":"at","token_type":"Bearer"}`, "asked for", 0, time.Time{}},
		{`{"access_token":"at","token_type":"bEARER","expires_in":3600,"scope":"given"}`, "given", 3600, today.Add(time.Hour)},
		{`{"access_token":"at","token_type":"Bearer","expires_in":"60"}`, "asked for", 60, today.Add(time.Minute)},
		{`{"access_token":"at","token_type":"Bearer","expires_in":59.9,"scope":""}`, "asked for", 59, today.Add(59 * time.Second)},
		{`{"access_token":"at","token_type":"Bearer","expires_in":null,"refresh_token":null,"id_token":""}`, "asked for", 0, time.Time{}},
		{`{"access_token":"at","token_type":"Bearer","expires_in":31536000000,"x":[1]}`, "asked for", 31536000000, today.AddDate(0, 0, 365000)},
	} {
		p := newProvider(t, "")
		p.say("/token", 200, c.body)
		set, err := p.client(nil).Login(t.Context(), marco(), token.Request{Scope: "asked for"})
		if err != nil || set.AccessToken.Reveal() != "at" || set.TokenType != "Bearer" || set.Scope != c.scope || set.ExpiresIn != c.in || !set.ExpiresAt.Equal(c.end) {
			t.Errorf("%s: %+v, %v; want %q, %d, %v", c.body, set, err, c.scope, c.in, c.end)
		}
	}
}

// badSets are answers with the status 200 that no client may take.
func badSets() []string {
	return []string{
		"", "<html>ok</html>", "[]", "null", "{}", `"at"`, `{"token":"at"}`, `{"access_token":"","token_type":"Bearer"}`,
		`{"access_token":1,"token_type":"Bearer"}`, `{"access_token":"a b","token_type":"Bearer"}`, `{"access_token":"a\nb","token_type":"Bearer"}`,
		`{"access_token":"ä","token_type":"Bearer"}`, `{"access_token":"at"}`, `{"access_token":"at","token_type":""}`, `{"access_token":"at","token_type":["Bearer"]}`,
		`{"access_token":"at","token_type":"mac"}`, `{"access_token":"at","token_type":"N_A"}`, `{"access_token":"at","token_type":"DPoP"}`,
		`{"access_token":"at","token_type":"\u001b[31m"}`, `{"access_token":"at","token_type":"Bearer","refresh_token":"r\u0000t"}`,
		`{"access_token":"at","token_type":"Bearer","expires_in":-1}`, `{"access_token":"at","token_type":"Bearer","expires_in":"soon"}`,
		`{"access_token":"at","token_type":"Bearer","expires_in":{}}`, `{"access_token":"at","token_type":"Bearer","expires_in":1e3}`,
		`{"access_token":"at","token_type":"Bearer","expires_in":99999999999999999999}`, `{"access_token":"at","token_type":"Bearer","scope":"a\nb"}`,
		`{"access_token":"at","access_token":"bt","token_type":"Bearer"}`, `{"access_token":"at","token_type":"Bearer"} trailing`,
		`{"access_token":"at","token_type":"Bearer","id_token":"not a jwt"}`, `{"access_token":"at","token_type":"Bearer","id_token":"a.b.c"}`,
		`access_token=at&token_type=bearer`,
	}
}

func TestAnAnswerThatMakesNoSenseGivesNoToken(t *testing.T) {
	for _, body := range badSets() {
		p := newProvider(t, "")
		p.say("/token", 200, body)
		set, err := p.client(nil).Login(t.Context(), marco(), token.Request{})
		if !errors.Is(err, token.ErrUnavailable) || set != (token.Set{}) || !strings.Contains(err.Error(), "makes no sense") || strings.ContainsAny(err.Error(), "\n\x1b<") {
			t.Errorf("%s: %v, %v", body, set, err)
		}
	}
}

func TestAnExchangeGivesWhatWasAskedFor(t *testing.T) {
	for kind, good := range map[string]bool{
		`"` + TypeAccessToken + `"`: true, `"` + TypeJWT + `"`: true, `"urn:ietf:params:oauth:token-type:refresh_token"`: false,
		`"urn:ietf:params:oauth:token-type:id_token"`: false, `""`: false, `null`: false, `1`: false,
	} {
		p := newProvider(t, "")
		p.say("/token", 200, `{"access_token":"at","token_type":"Bearer","issued_token_type":`+kind+`}`)
		_, err := p.client(nil).Grant(t.Context(), token.Grant{Type: token.GrantTokenExchange, Subject: token.NewSecret("st")}, token.Request{})
		if good != (err == nil) || err != nil && !errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestARefreshTokenThatWasAskedForAndDidNotComeIsUnsupported(t *testing.T) {
	for _, c := range []struct{ listed, scope, hint string }{
		{"", "openid", ""}, {"openid", "openid", ""}, {"openid offline_access", "openid", ": ask for the scope offline_access"}, {"offline_access", "offline_access", ""},
	} {
		p := newProvider(t, "")
		if c.listed != "" {
			p.metadata["scopes_supported"] = strings.Fields(c.listed)
		}
		_, err := p.client(nil).Login(t.Context(), marco(), token.Request{Refresh: true, Scope: c.scope})
		if !errors.Is(err, token.ErrUnsupported) || err.Error() != "this server issued no refresh token"+c.hint {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestAnIDTokenIsJudgedByItsClaims(t *testing.T) {
	now := today.Unix()
	for _, c := range []struct {
		name   string
		header string
		change map[string]any
		refuse string // empty: taken
	}{
		{"a good one", "", nil, ""},
		{"an audience among others, for us", "", map[string]any{"aud": []string{"other", appID}, "azp": appID}, ""},
		{"just expired, by a clock that is a little ahead", "", map[string]any{"exp": now - 59}, ""},
		{"an algorithm of tomorrow", `{"alg":"ML-DSA-44"}`, map[string]any{"at_hash": "x"}, ""},
		{"another issuer (3.1.3.7 item 2)", "", map[string]any{"iss": "https://evil.example.org"}, "its issuer is another"},
		{"no issuer", "", map[string]any{"iss": nil}, "a claim of the wrong kind"},
		{"another audience (item 3)", "", map[string]any{"aud": "other"}, "it is for another application"},
		{"no audience", "", map[string]any{"aud": []string{}}, "a claim of the wrong kind"},
		{"several audiences without azp (item 4)", "", map[string]any{"aud": []string{appID, "other"}}, "it was issued to another application"},
		{"another azp (item 5)", "", map[string]any{"azp": "other"}, "it was issued to another application"},
		{"unsigned (item 7)", `{"alg":"None"}`, nil, "it is not signed"},
		{"expired (item 9)", "", map[string]any{"exp": now - 61}, "it has expired"},
		{"without an end", "", map[string]any{"exp": "never"}, "a claim of the wrong kind"},
		{"from the future (item 10)", "", map[string]any{"iat": now + 61}, "it is not from the past"},
		{"no subject", "", map[string]any{"sub": ""}, "a claim of the wrong kind"},
		{"another access token's", "", map[string]any{"at_hash": "x"}, "it belongs to another access token"},
	} {
		p := newProvider(t, "")
		claims := map[string]any{"iss": p.issuer, "sub": "marco", "aud": appID, "exp": now + 60, "iat": now, "at_hash": leftHalf("at")}
		for name, value := range c.change {
			claims[name] = value
		}
		if c.header == "" {
			c.header = `{"alg":"RS256"}`
		}
		id := jwtOf(c.header, claims)
		p.say("/token", 200, fmt.Sprintf(`{"access_token":"at","token_type":"Bearer","id_token":%q}`, id))
		set, err := p.client(nil).Login(t.Context(), marco(), token.Request{Scope: "openid"})
		if c.refuse == "" {
			if err != nil || set.IDToken.Reveal() != id {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, token.ErrClaims) || !strings.HasSuffix(err.Error(), "is refused: "+c.refuse) || set != (token.Set{}) {
			t.Errorf("%s: %v, want %s", c.name, err, c.refuse)
		}
	}
}

// TestTheHashOfAnAccessTokenIsThatOfTheStandard takes the example of OpenID
// Connect Core, appendix A.3.
func TestTheHashOfAnAccessTokenIsThatOfTheStandard(t *testing.T) {
	const access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	for _, c := range []struct {
		algorithm, hash string
		want            bool
	}{
		{"RS256", "77QmUPtjPfzWtF2AnpK9RQ", true},
		{"ES256", "77QmUPtjPfzWtF2AnpK9RQ", true},
		{"RS256", "77QmUPtjPfzWtF2AnpK9RA", false},
		{"ES384", "77QmUPtjPfzWtF2AnpK9RQ", false},
		{"EdDSA", "77QmUPtjPfzWtF2AnpK9RQ", false},
	} {
		if got := hashes(c.algorithm, access, c.hash); got != c.want {
			t.Errorf("%s %s: %v", c.algorithm, c.hash, got)
		}
	}
}

func FuzzTokenAnswer(f *testing.F) {
	for _, body := range badSets() {
		f.Add(body)
	}
	f.Add(`{"access_token":"at","token_type":"Bearer","expires_in":"60","scope":"a b","refresh_token":"rt"}`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := NewClient(Config{Issuer: "https://auth.example.org", ClientID: "app", Now: func() time.Time { return today }})
		if err != nil {
			t.Fatal(err)
		}
		set, err := c.readSet(dialect.Reply{Status: 200, Body: []byte(body)}, token.Request{}, "")
		if err == nil && (set.AccessToken.IsZero() || !visible(set.AccessToken.Reveal()+set.RefreshToken.Reveal()) || set.TokenType != "Bearer" || set.ExpiresIn < 0) {
			t.Errorf("%q: %+v", body, set)
		}
		if err != nil && (set != token.Set{} || strings.ContainsAny(err.Error(), "\n\x1b\x00") || len(err.Error()) > 500) {
			t.Errorf("%q: %v", body, err)
		}
		if err == nil && !json.Valid([]byte(body)) {
			t.Errorf("%q is no JSON", body)
		}
	})
}

// leftHalf is at_hash for algorithms with SHA-256.
func leftHalf(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
