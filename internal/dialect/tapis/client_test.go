package tapis

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// seen is the instant of all these tests: the seed's first token is good then.
var seen = time.Unix(1571068600, 0)

// canned is a client of a service that gives the same answer to everything, and
// what it was sent.
func canned(c Config, status int, body string) (*Client, *dialect.Message) {
	sent := new(dialect.Message)
	c.Now = func() time.Time { return seen }
	c.Exchange = func(_ context.Context, m dialect.Message) (dialect.Reply, error) {
		*sent = m
		return dialect.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}, nil
	}
	return NewClient(c), sent
}

// made is a token that says that, with a signature that nobody looks at.
func made(claims string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"RS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func who() token.Credentials {
	return token.Credentials{Username: "files", Password: token.NewPassword("Pa55:of f%les")}
}

func basic(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// The answers of originals, to the byte: that of the seed's time and that of today.
const (
	oldPair = `{
"message": "Token generation successful.",
"result": {
"access_token": {
"access_token": "aaa.bbb.ccc",
"expires_at": "2019-10-14 16:02:29.428697",
"expires_in": 300
},
"refresh_token": {
"expires_at": "2019-10-14 16:07:29.429428",
"expires_in": 3153600000,
"refresh_token": "ddd.eee.fff"
}
},
"status": "success",
"version": "dev"
}`
	newPair = `{"message":"Token generation successful.","metadata":{},"result":{"access_token":{"access_token":"aaa.bbb.ccc","expires_at":"2024-01-08T22:19:04.123456+00:00","expires_in":300,"jti":"5c6ed4e6-97d6-4b6d-a1c0-d6c7a3c1ee51"},"refresh_token":{"expires_at":"2124-01-08T22:19:04.123456+00:00","expires_in":3153600000,"jti":"1f7c6e2b-37b7-4b8c-9d7e-1b0a4d7ed5a6","refresh_token":"ddd.eee.fff"}},"status":"success","version":"1.3.1"}`
	success = `{"message":"%s","metadata":{},"result":"","status":"success","version":"1.3.1"}`
	failure = `{"message":"%s","metadata":{},"result":null,"status":"error","version":"dev"}`
)

func TestOriginalsOfAllAgesAreUnderstood(t *testing.T) {
	for _, body := range []string{oldPair, newPair} {
		for status := 200; status < 202; status++ {
			c, _ := canned(Config{Tenant: "dev"}, status, body)
			set, err := c.Login(t.Context(), who(), token.Request{Mint: &token.Mint{}, Refresh: true})
			if err != nil {
				t.Fatal(err)
			}
			if set.AccessToken.Reveal() != "aaa.bbb.ccc" || set.RefreshToken.Reveal() != "ddd.eee.fff" || set.ExpiresIn != 300 || set.RefreshExpiresIn != 3153600000 ||
				!set.ExpiresAt.Equal(seen.Add(300*time.Second)) {
				t.Errorf("%s: %+v", body, set)
			}
		}
	}
}

func TestALongLifeIsNotCutToThirtyTwoBits(t *testing.T) {
	c, sent := canned(Config{Tenant: "dev"}, 200, strings.ReplaceAll(newPair, `"expires_in":300,`, `"expires_in":3153600000,`))
	set, err := c.Login(t.Context(), who(), token.Request{Mint: &token.Mint{}, TTL: 3153600000, Refresh: true, RefreshTTL: 3153600000})
	if err != nil || set.ExpiresIn != 3153600000 || set.ExpiresAt.Unix() != seen.Unix()+3153600000 {
		t.Errorf("%+v: %v", set, err)
	}
	if body, _ := json.Marshal(sent.JSON); strings.Count(string(body), "3153600000") != 2 {
		t.Errorf("sent %s", body)
	}
}

func TestWhatIsSentForEachWish(t *testing.T) {
	app := Config{Tenant: "dev", ClientID: "app", ClientSecret: token.NewPassword("k+y%41")}
	for name, c := range map[string]struct {
		config        Config
		who           token.Credentials
		want          token.Request
		path          string
		authorization string
		header        string // names and values
		body          string
	}{
		"a user's login": {
			config: Config{}, who: who(), path: "/v3/oauth2/tokens",
			body: `{"grant_type":"password","password":"Pa55:of f%les","username":"files"}`,
		},
		"a login in a tenant, by a client": {
			config: app, who: who(), want: token.Request{Refresh: true}, path: "/v3/oauth2/tokens", authorization: basic("app:k+y%41"), header: "X-Tapis-Tenant=dev",
			body: `{"grant_type":"password","password":"Pa55:of f%les","username":"files"}`,
		},
		"a service's own token": {
			config: app, who: who(), want: token.Request{Mint: &token.Mint{Service: true}}, path: "/v3/tokens", authorization: basic("files:Pa55:of f%les"),
			header: "X-Tapis-Tenant=dev X-Tapis-User=files",
			body:   `{"token_tenant_id":"dev","account_type":"service","token_username":"files"}`,
		},
		"all of it": {
			config: app, who: who(), path: "/v3/tokens", authorization: basic("files:Pa55:of f%les"), header: "X-Tapis-Tenant=dev X-Tapis-User=files",
			want: token.Request{TTL: 9999999, Refresh: true, RefreshTTL: 600, Mint: &token.Mint{
				Username: "jstubbs", Delegate: "files@admin", TargetSite: "tacc", Claims: `{"client_id": "123", "n": 12345678901234567890}`,
			}},
			body: `{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs","target_site_id":"tacc","access_token_ttl":9999999,"generate_refresh_token":true,` +
				`"refresh_token_ttl":600,"delegation_token":true,"delegation_sub_tenant_id":"admin","delegation_sub_username":"files","claims":{"client_id":"123","n":12345678901234567890}}`,
		},
		"for another tenant": {
			config: app, who: who(), want: token.Request{Mint: &token.Mint{Username: "jstubbs", Tenant: "prod"}}, path: "/v3/tokens",
			authorization: basic("files:Pa55:of f%les"), header: "X-Tapis-Tenant=dev X-Tapis-User=files",
			body: `{"token_tenant_id":"prod","account_type":"user","token_username":"jstubbs"}`,
		},
		"a bearer's": {
			config: app, want: token.Request{Mint: &token.Mint{Username: "jstubbs", Bearer: token.NewSecret("x.y.z")}}, path: "/v3/tokens",
			header: "X-Tapis-Tenant=dev X-Tapis-Token=x.y.z", body: `{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs"}`,
		},
		"in development": {
			config: app, who: token.Credentials{Username: "jstubbs"}, want: token.Request{Mint: &token.Mint{Service: true}}, path: "/v3/tokens",
			body: `{"token_tenant_id":"dev","account_type":"service","token_username":"jstubbs"}`,
		},
	} {
		client, sent := canned(c.config, 200, newPair)
		if _, err := client.Login(t.Context(), c.who, c.want); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		body, err := json.Marshal(sent.JSON)
		if err != nil || string(body) != c.body || sent.Method != "POST" || sent.Path != c.path || sent.Authorization() != c.authorization || flat(sent.Header) != c.header {
			t.Errorf("%s: %s %s %q %q\n%s\n%s", name, sent.Method, sent.Path, sent.Authorization(), flat(sent.Header), body, c.body)
		}
	}
}

// flat is a header on a line.
func flat(h http.Header) string {
	var list []string
	for _, name := range []string{HeaderTenant, HeaderToken, HeaderUser} {
		if v, ok := h[name]; ok {
			list = append(list, name+"="+strings.Join(v, ","))
		}
	}
	if len(list) != len(h) {
		return fmt.Sprint(h)
	}
	return strings.Join(list, " ")
}

func TestARefreshGoesWhereItsTokenCameFrom(t *testing.T) {
	app := Config{Tenant: "dev", ClientID: "app", ClientSecret: token.NewPassword("key")}
	service := made(`{"tapis/access_token":{"tapis/account_type":"service"}}`)
	user := made(`{"tapis/access_token":{"tapis/account_type":"user","tapis/client_id":"app"}}`)
	minted := made(`{"tapis/access_token":{"tapis/account_type":"user"}}`)
	for name, c := range map[string]struct {
		config          Config
		refresh, method string
		authorization   string
		body            string
	}{
		"no client":                   {Config{Tenant: "dev"}, user, "PUT /v3/tokens", "", `{"refresh_token":"` + user + `"}`},
		"a client without its secret": {Config{ClientID: "app"}, user, "PUT /v3/tokens", "", `{"refresh_token":"` + user + `"}`},
		"a client":                    {app, user, "POST /v3/oauth2/tokens", basic("app:key"), `{"grant_type":"refresh_token","refresh_token":"` + user + `"}`},
		"a client's, but a service's": {app, service, "PUT /v3/tokens", "", `{"refresh_token":"` + service + `"}`},
		"a client's, but minted":      {app, minted, "PUT /v3/tokens", "", `{"refresh_token":"` + minted + `"}`},
		"opaque":                      {app, "r", "POST /v3/oauth2/tokens", basic("app:key"), `{"grant_type":"refresh_token","refresh_token":"r"}`},
	} {
		client, sent := canned(c.config, 200, newPair)
		set, err := client.Refresh(t.Context(), token.NewSecret(c.refresh), token.Request{Refresh: true})
		body, _ := json.Marshal(sent.JSON)
		if err != nil || set.RefreshToken.Reveal() != "ddd.eee.fff" || sent.Method+" "+sent.Path != c.method || sent.Authorization() != c.authorization || string(body) != c.body {
			t.Errorf("%s: %v, %s %s %q %s", name, err, sent.Method, sent.Path, sent.Authorization(), body)
		}
	}
}

func TestWhatCannotBeAskedForIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		who    token.Credentials
		want   token.Request
	}{
		"a scope":               {Config{}, who(), token.Request{Scope: "x"}},
		"labels":                {Config{}, who(), token.Request{Labels: []string{"x"}}},
		"a login's lifetime":    {Config{}, who(), token.Request{TTL: 1}},
		"no tenant":             {Config{}, who(), token.Request{Mint: &token.Mint{}}},
		"half a delegate":       {Config{Tenant: "dev"}, who(), token.Request{Mint: &token.Mint{Delegate: "files@"}}},
		"a reserved claim":      {Config{Tenant: "dev"}, who(), token.Request{Mint: &token.Mint{Claims: `{"sub":"x"}`}}},
		"a claim of Tapis":      {Config{Tenant: "dev"}, who(), token.Request{Mint: &token.Mint{Claims: `{"tapis/username":"x"}`}}},
		"claims that are none":  {Config{Tenant: "dev"}, who(), token.Request{Mint: &token.Mint{Claims: `[1]`}}},
		"a colon in a name":     {Config{Tenant: "dev"}, token.Credentials{Username: "a:b", Password: token.NewPassword("x")}, token.Request{Mint: &token.Mint{}}},
		"a password, not UTF-8": {Config{}, token.Credentials{Username: "a", Password: token.NewPassword("\xff")}, token.Request{}},
	} {
		client, sent := canned(c.config, 200, newPair)
		if _, err := client.Login(t.Context(), c.who, c.want); !errors.Is(err, token.ErrUnsupported) || sent.Method != "" {
			t.Errorf("%s: %v, sent %s %s", name, err, sent.Method, sent.Path)
		}
	}
}

func TestARefusalIsWhatItsWordsMean(t *testing.T) {
	const page = "<html>"
	for _, c := range []struct {
		name   string
		status int
		body   string
		kind   error
		text   string // in the error
	}{
		{"a wrong service password", 400, fmt.Sprintf(failure, MessageService), token.ErrCredentials, "Invalid service account/password combination"},
		{"no credentials", 400, fmt.Sprintf(failure, MessageNoToken), token.ErrCredentials, "No Tapis access token"},
		{"a wrong password", 400, fmt.Sprintf(failure, "Invalid username/password combination."), token.ErrCredentials, "Invalid username/password"},
		{"a wrong client", 400, fmt.Sprintf(failure, "Invalid client credentials."), token.ErrCredentials, "client"},
		{"another's name", 400, fmt.Sprintf(failure, MessageMismatch), token.ErrDenied, "does not match auth header"},
		{"another tenant", 400, fmt.Sprintf(failure, "Not authorized to generate tokens in tenant dev."), token.ErrDenied, "Not authorized to generate tokens in tenant dev"},
		{"a bad field", 400, fmt.Sprintf(failure, "Invalid POST data: token_tenant_id is required."), token.ErrDenied, "token_tenant_id"},
		{"unauthorized", 401, fmt.Sprintf(failure, "who are you"), token.ErrCredentials, "who are you"},
		{"forbidden", 403, fmt.Sprintf(failure, "not you"), token.ErrDenied, "not you"},
		{"no endpoint", 405, fmt.Sprintf(failure, MessageNoEndpoint), token.ErrUnsupported, "cannot do that"},
		{"no such path", 404, page, token.ErrUnsupported, "404 Not Found"},
		{"no such path, says another's JSON", 404, `{"message":"no Route matched"}`, token.ErrUnsupported, "this server cannot do that: 404 Not Found"},
		{"slower", 429, fmt.Sprintf(failure, "slow"), token.ErrThrottled, "wait"},
		{"a failure", 500, fmt.Sprintf(failure, "Unrecognized exception type: <class 'KeyError'>"), token.ErrUnavailable, "the server failed"},
		{"a failing proxy", 502, page, token.ErrUnavailable, "502 Bad Gateway"},
		{"a page that refuses", 400, page, token.ErrUnavailable, "makes no sense"},
		{"a page", 200, page, token.ErrUnavailable, "makes no sense"},
		{"another's JSON", 200, `{"access_token":"a.b.c"}`, token.ErrUnavailable, "makes no sense"},
		{"no token", 200, `{"status":"success","result":{}}`, token.ErrUnavailable, "no access token"},
		{"a token of two lines", 200, strings.Replace(newPair, "aaa.bbb", `a\nb`, 1), token.ErrUnavailable, "no access token"},
		{"a list", 200, `{"status":"success","result":[]}`, token.ErrUnavailable, "makes no sense"},
		{"a redirection", 302, ``, token.ErrUnavailable, "makes no sense"},
		{"an error that says 200", 200, fmt.Sprintf(failure, "no"), token.ErrUnavailable, "makes no sense"},
		{"an echo", 400, fmt.Sprintf(failure, "bad Pa55:of f%les"), token.ErrDenied, "400 Bad Request"},
		{"an escape", 400, fmt.Sprintf(failure, `\u001b[2J`), token.ErrDenied, "400 Bad Request"},
		{"a book", 400, fmt.Sprintf(failure, strings.Repeat("x", 999)), token.ErrDenied, "400 Bad Request"},
	} {
		client, _ := canned(Config{Tenant: "dev"}, c.status, c.body)
		for _, want := range []token.Request{{}, {Mint: &token.Mint{}}} {
			_, err := client.Login(t.Context(), who(), want)
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "Pa55") {
				t.Errorf("%s: %v, want %v with %q", c.name, err, c.kind, c.text)
			}
		}
	}
}

func TestWhoMayNotMintIsToldWhatMayHelp(t *testing.T) {
	const account, others = "--tenant is where the service account is; whom for goes in --as-user USER@TENANT",
		"the service account may not mint for others there: ats-auth-server service set NAME --may-mint TENANT"
	for message, want := range map[string]string{
		MessageService: account, MessageMismatch: others, MessageMayNotMint + "dev.": others,
		MessageNoToken: "", "Invalid POST data: token_tenant_id is no tenant of this site": "",
	} {
		client, _ := canned(Config{Tenant: "dev"}, 400, fmt.Sprintf(failure, message))
		hint := func(want token.Request) string {
			var helps interface{ Hint() string }
			if _, err := client.Login(t.Context(), who(), want); errors.As(err, &helps) {
				return helps.Hint()
			}
			return ""
		}
		if got := hint(token.Request{Mint: &token.Mint{}}); got != want {
			t.Errorf("%s: %q", message, got)
		}
		if got := hint(token.Request{}); got != "" {
			t.Errorf("%s at a login: %q", message, got)
		}
	}
}

func TestARefreshTokenThatIsNotTakenIsOverOrUnknown(t *testing.T) {
	good, over := made(`{"exp":1571069249}`), made(`{"exp":1571068599}`)
	for _, c := range []struct {
		refresh, message string
		kind             error
	}{
		{good, MessagePut + "Invalid refresh token.", token.ErrUnknown},
		{over, MessagePut + "Invalid refresh token.", token.ErrExpired},
		{good, MessagePut + "token has been revoked", token.ErrRevoked},
		{good, MessagePut + "the token has expired", token.ErrExpired},
		{"junk", MessagePut + "not enough segments", token.ErrUnknown},
	} {
		client, _ := canned(Config{}, 400, fmt.Sprintf(failure, c.message))
		if _, err := client.Refresh(t.Context(), token.NewSecret(c.refresh), token.Request{}); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", c.message, err, c.kind)
		}
	}
}

func TestACheckTellsTheClaimsOfATokenThatIsHonoured(t *testing.T) {
	good, over := made(`{"exp":1571069249,"sub":"jstubbs@dev"}`), made(`{"exp":1571068600}`)
	for _, c := range []struct {
		name, raw string
		status    int
		body      string
		kind      error
	}{
		{"good", good, 200, fmt.Sprintf(success, MessageNotRevoked), nil},
		{"over, which the service does not look at", over, 200, fmt.Sprintf(success, MessageNotRevoked), token.ErrExpired},
		{"revoked", good, 400, fmt.Sprintf(failure, MessageRevoked), token.ErrRevoked},
		{"revoked and over", over, 400, fmt.Sprintf(failure, MessageRevoked), token.ErrRevoked},
		{"not found", good, 400, fmt.Sprintf(failure, MessageNotFound), token.ErrUnknown},
		{"not found and over", over, 400, fmt.Sprintf(failure, MessageNotFound), token.ErrExpired},
		{"a success of something else", good, 200, fmt.Sprintf(success, "Hello from Tapis"), token.ErrUnavailable},
		{"no JWT", "abc", 200, fmt.Sprintf(success, MessageNotRevoked), token.ErrMalformed},
	} {
		client, sent := canned(Config{}, c.status, c.body)
		claims, err := client.Check(t.Context(), token.NewSecret(c.raw))
		if !errors.Is(err, c.kind) || (err == nil) == (claims == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil && (sent.Method+" "+sent.Path != "GET /v3/site-router/tokens/check" || flat(sent.Header) != "X-Tapis-Token="+good) {
			t.Errorf("%s: %s %s %v", c.name, sent.Method, sent.Path, sent.Header)
		}
	}
}

func TestATokenThatIsOverNeedsNoRevoking(t *testing.T) {
	good, over := made(`{"exp":1571069249}`), made(`{"exp":1571068600}`)
	invalid := fmt.Sprintf(failure, MessageJudge+"Signature has gone.")
	for _, c := range []struct {
		name, raw string
		status    int
		body      string
		kind      error
	}{
		{"revoked now", good, 200, fmt.Sprintf(success, "Token 5c6e has been revoked."), nil},
		{"over", over, 400, invalid, nil},
		{"not its own", good, 400, invalid, token.ErrUnknown},
		{"junk", "abc", 400, invalid, token.ErrUnknown},
		{"revoked before", good, 400, fmt.Sprintf(failure, "token has been revoked"), nil},
		{"a failure", over, 500, invalid, token.ErrUnavailable},
	} {
		client, sent := canned(Config{}, c.status, c.body)
		err := client.Revoke(t.Context(), token.NewSecret(c.raw))
		body, _ := json.Marshal(sent.JSON)
		if !errors.Is(err, c.kind) || (err == nil) != (c.kind == nil) || string(body) != `{"token":"`+c.raw+`"}` || sent.Path != "/v3/tokens/revoke" {
			t.Errorf("%s: %v, %s %s", c.name, err, sent.Path, body)
		}
	}
}

func TestKeysAreThoseOfTheTenantThatWasAskedFor(t *testing.T) {
	public, err := os.ReadFile(filepath.Join("..", "..", "..", "testdata", "tapis", "tapis-seed-public-2048.pem"))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := json.Marshal(string(public))
	original := `{"message":"Tenant retrieved successfully.","metadata":{},"result":{"tenant_id":"dev","base_url":"https://dev.develop.tapis.io","token_service":"https://dev.develop.tapis.io/v3/tokens","public_key":` + string(key) + `%s},"status":"success","version":"dev"}`
	for _, c := range []struct {
		name, tenant, body string
		status             int
		keys               string
		kind               error
	}{
		{"an original's", "dev", fmt.Sprintf(original, ""), 200, string(public), nil},
		{"a set", "dev", fmt.Sprintf(original, `,"jwks":{"keys":[]}`), 200, `{"keys":[]}`, nil},
		{"no set", "dev", fmt.Sprintf(original, `,"jwks":null`), 200, string(public), nil},
		{"another tenant's", "prod", fmt.Sprintf(original, ""), 200, "", token.ErrUnavailable},
		{"an unknown one", "prod", fmt.Sprintf(failure, "No tenant found with tenant_id prod."), 400, "", token.ErrUnknown},
		{"no key", "dev", `{"status":"success","result":{"tenant_id":"dev","public_key":null}}`, 200, "", token.ErrUnsupported},
		{"a way out", "../sites", fmt.Sprintf(original, ""), 200, "", token.ErrUnknown},
		{"a query", "dev?x", fmt.Sprintf(original, ""), 200, "", token.ErrUnknown},
	} {
		client, sent := canned(Config{}, c.status, c.body)
		keys, issuer, err := client.Keys(t.Context(), c.tenant)
		if !errors.Is(err, c.kind) || string(keys) != c.keys {
			t.Errorf("%s: %s, %v", c.name, keys, err)
		}
		if err == nil && (issuer != "https://dev.develop.tapis.io/v3/tokens" || sent.Path != "/v3/tenants/dev") {
			t.Errorf("%s: issuer %s, asked %s", c.name, issuer, sent.Path)
		}
	}
}

func TestALoginWithoutARefreshTokenSaysWhatIsMissing(t *testing.T) {
	c, _ := canned(Config{}, 200, `{"message":"Token created successfully.","result":{"access_token":{"access_token":"a.b.c","expires_in":14400}},"status":"success"}`)
	if _, err := c.Login(t.Context(), who(), token.Request{Refresh: true}); !errors.Is(err, token.ErrUnsupported) || !strings.Contains(err.Error(), "client id") {
		t.Error(err)
	}
	if set, err := c.Login(t.Context(), who(), token.Request{}); err != nil || set.ExpiresIn != 14400 || !set.RefreshToken.IsZero() {
		t.Errorf("%+v: %v", set, err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{oldPair, newPair, fmt.Sprintf(failure, "bad Pa55:of f%les"), `{"status":"success","result":{"access_token":{"expires_in":-1}}}`, ``, `null`} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		c, _ := canned(Config{Tenant: "dev"}, status, body)
		for _, want := range []token.Request{{Refresh: true}, {Refresh: true, Mint: &token.Mint{}}} {
			set, err := c.Login(t.Context(), who(), want)
			if (err == nil) == set.RefreshToken.IsZero() || err != nil && strings.Contains(err.Error(), "Pa55") {
				t.Errorf("%d %q: %+v %v", status, body, set, err)
			}
		}
	})
}
