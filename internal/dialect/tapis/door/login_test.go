package door_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	loggedIn  = "Token created successfully."
	badUser   = "Invalid username/password combination."
	badClient = "Invalid client credentials."
)

// loginBy posts members as JSON.
func (w *world) loginBy(members string, headers ...string) answer {
	w.Helper()
	return w.send("POST", tapis.PathOAuth2, "{"+members+"}", headers...)
}

func byPassword(user, pass string) string {
	return fmt.Sprintf(`"grant_type":"password","username":%q,"password":%q`, user, pass)
}

func TestAUserLogsInByPassword(t *testing.T) {
	w := newWorld(t)
	a := w.loginBy(byPassword("jstubbs", testPassword))
	w.want(a, 200, loggedIn, "without a client")
	p := a.pair(w)
	want := `{"iss":"https://dev.api.tapis.io/tokens/v3","sub":"jstubbs@dev","tapis/tenant_id":"dev","tapis/token_type":"access","tapis/delegation":false,
		"tapis/delegation_sub":null,"tapis/username":"jstubbs","tapis/account_type":"user","tapis/grant_type":"password","tapis/refresh_count":0%s}`
	w.wantClaims(p.Access.Token, fmt.Sprintf(want, ""), 300)
	if p.Refresh != nil {
		t.Errorf("a refresh token without a client: %s", a.body)
	}
	id, key := w.addApplication(everyGrant())
	a = w.loginBy(byPassword("jstubbs", testPassword), basic(id, key)...)
	w.want(a, 200, loggedIn, "with a client")
	for count := range 3 {
		p = a.pair(w)
		w.wantClaims(p.Access.Token, strings.Replace(fmt.Sprintf(want, `,"tapis/client_id":"`+id+`"`), `refresh_count":0`, fmt.Sprint(`refresh_count":`, count), 1), 300)
		a = w.loginBy(fmt.Sprintf(`"grant_type":"refresh_token","refresh_token":%q`, p.Refresh.Token), append(basic(id, key), tapis.HeaderToken, "whatever tapipy sends")...)
		w.want(a, 200, loggedIn, "a refresh")
	}
	form := url.Values{"grant_type": {"password"}, "username": {"jstubbs"}, "password": {testPassword}}.Encode()
	w.want(w.send("POST", tapis.PathOAuth2, form, "Content-Type", "application/x-www-form-urlencoded"), 200, loggedIn, "a form")
	w.want(w.send("POST", tapis.PathOAuth2, form+"&username=root", "Content-Type", "application/x-www-form-urlencoded"), 400,
		"Invalid POST data: username: want to stand there once", "a form with two names")
	w.want(w.send("POST", tapis.PathOAuth2, "%", "Content-Type", "application/x-www-form-urlencoded"), 400, "", "no form")
}

func TestALoginIsRefused(t *testing.T) {
	w := newWorld(t)
	id, key := w.addApplication(everyGrant())
	poor, poorKey := w.addApplication(store.Application{Tenant: "dev", Name: "poor", Grants: []string{token.GrantClientCredentials}})
	far, farKey := w.addApplication(store.Application{Tenant: "far", Name: "far", Grants: []string{token.GrantPassword}})
	public, _ := w.addApplication(store.Application{Tenant: "dev", Name: "public", AuthMethod: "none", Grants: []string{token.GrantDeviceCode}})
	post, postKey := w.addApplication(store.Application{Tenant: "dev", Name: "post", AuthMethod: "client_secret_post", Grants: []string{token.GrantPassword}})
	w.do(w.core.SetDisabled(t.Context(), "dev", "root", true))
	for _, c := range []struct {
		what, members string
		headers       []string
		want          string
	}{
		{"a wrong password", byPassword("jstubbs", "x"), nil, badUser},
		{"no such user", byPassword("nobody", testPassword), nil, badUser},
		{"a disabled user", byPassword("root", testPassword), nil, badUser},
		{"a service", byPassword("apps", testPassword), nil, badUser},
		{"a wrong key", byPassword("jstubbs", testPassword), basic(id, "x"), badClient},
		{"no key", byPassword("jstubbs", testPassword), basic(id, ""), badClient},
		{"no such client", byPassword("jstubbs", testPassword), basic("nobody", key), badClient},
		{"no client's name", byPassword("jstubbs", testPassword), basic("", key), badClient},
		{"another tenant's client", byPassword("jstubbs", testPassword), basic(far, farKey), badClient},
		{"a public client with Basic", byPassword("jstubbs", testPassword), basic(public, ""), badClient},
		{"a client that is not registered for Basic", byPassword("jstubbs", testPassword), basic(post, postKey), badClient},
		{"not registered for it", byPassword("jstubbs", testPassword), basic(poor, poorKey), "Invalid POST data: grant_type: the client is not registered for it"},
		{"two clients", byPassword("jstubbs", testPassword) + `,"client_id":"x"`, basic(id, key), "Invalid POST data: client_id: want the client of the Authorization header"},
		{"two headers", byPassword("jstubbs", testPassword), with(basic(id, key), basic(id, key)), "Invalid POST data: Authorization: want to stand there once"},
		{"no Basic", byPassword("jstubbs", testPassword), []string{"Authorization", "Bearer x"}, "Invalid POST data: Authorization: want Basic, of a client and its key"},
		{"no grant", `"username":"x"`, nil, "Invalid POST data: grant_type: it is missing"},
		{"another grant", `"grant_type":"client_credentials"`, basic(id, key), "Invalid POST data: grant_type: want password, authorization_code, refresh_token or device_code"},
		{"a code without a client", `"grant_type":"authorization_code","code":"x"`, nil, "Invalid POST data: Authorization: it is missing: want Basic, of a client and its key"},
		{"a refresh without a client", `"grant_type":"refresh_token","refresh_token":"x"`, nil, "Invalid POST data: Authorization: it is missing: want Basic, of a client and its key"},
		{"a device without a client", `"grant_type":"device_code","device_code":"x"`, nil, "Invalid POST data: client_id: it is missing"},
		{"a device of a client with a key", `"grant_type":"device_code","device_code":"x","client_id":"` + id + `"`, nil, badClient},
		{"a device of nobody", `"grant_type":"device_code","device_code":"x","client_id":"nobody"`, nil, badClient},
	} {
		a := w.loginBy(c.members, c.headers...)
		if a.status != 400 || a.Message != c.want {
			t.Errorf("%s: %d %q, want %q", c.what, a.status, a.Message, c.want)
		}
	}
}

func TestAUsersGuessesAreSlowed(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.want(w.loginBy(byPassword("jstubbs", "x")), 400, badUser, "a guess")
	}
	if a := w.loginBy(byPassword("jstubbs", testPassword)); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("a guess too many: %d %s", a.status, a.body)
	}
}

func TestARefreshTokenIsItsClientsOwn(t *testing.T) {
	w := newWorld(t)
	id, key := w.addApplication(everyGrant())
	other, otherKey := w.addApplication(everyGrant())
	p := w.loginBy(byPassword("jstubbs", testPassword), basic(id, key)...).pair(w)
	minted := w.apps(`{"token_tenant_id":"dev","account_type":"user","token_username":"jstubbs","generate_refresh_token":true}`)
	const unknown = "Invalid POST data: refresh_token: it is unknown here, or another client's"
	refresh := func(raw, id, key string) answer {
		t.Helper()
		return w.loginBy(fmt.Sprintf(`"grant_type":"refresh_token","refresh_token":%q`, raw), basic(id, key)...)
	}
	w.want(refresh(p.Refresh.Token, other, otherKey), 400, unknown, "another client")
	w.want(refresh(minted.Refresh.Token, id, key), 400, unknown, "no client's")
	w.want(refresh(p.Access.Token, id, key), 400, "Invalid POST data: refresh_token: tapis/token_type: it is no refresh token", "an access token")
	w.want(refresh("junk", id, key), 400, "Invalid POST data: refresh_token: it is not a token that can be read", "junk")
	w.want(refresh(p.Refresh.Token, id, key), 200, loggedIn, "its own")
	w.clock.move(601 * time.Second)
	w.want(refresh(p.Refresh.Token, id, key), 400, "Invalid POST data: refresh_token: the token has expired", "over")
}

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// code is one that the user jstubbs has allowed.
func (w *world) code(client string, change ...func(*store.Ticket)) string {
	w.Helper()
	sum := sha256.Sum256([]byte(verifier))
	ticket := store.Ticket{
		Client: client, Subject: "jstubbs", RedirectURI: "https://app.example/cb", AuthAt: w.door("dev").Tick(),
		Challenge: base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	for _, f := range change {
		f(&ticket)
	}
	code, err := w.door("dev").NewCode(w.Context(), ticket)
	w.do(err)
	return code.Reveal()
}

func trade(code, uri, verifier string) string {
	return fmt.Sprintf(`"grant_type":"authorization_code","code":%q,"redirect_uri":%q,"code_verifier":%q`, code, uri, verifier)
}

func TestACodeIsTradedOnce(t *testing.T) {
	w := newWorld(t)
	id, key := w.addApplication(everyGrant())
	other, otherKey := w.addApplication(everyGrant())
	code := w.code(id)
	const uri = "https://app.example/cb"
	w.want(w.loginBy(trade(code, uri, verifier), basic(other, otherKey)...), 400, "Invalid POST data: code: it is unknown here, or another client's", "another client")
	w.want(w.loginBy(trade("junk", uri, verifier), basic(id, key)...), 400, "Invalid POST data: code: it is unknown here, or another client's", "junk")
	w.want(w.loginBy(trade(code, uri+"/x", verifier), basic(id, key)...), 400, "Invalid POST data: redirect_uri: want the one of the authorization request", "another redirect_uri")
	w.want(w.loginBy(trade(code, "", verifier), basic(id, key)...), 400, "Invalid POST data: redirect_uri: want the one of the authorization request", "no redirect_uri")
	for _, wrong := range []string{"", strings.Repeat("x", 43), "short"} {
		w.want(w.loginBy(trade(code, uri, wrong), basic(id, key)...), 400, "Invalid POST data: code_verifier: want the one that code_challenge was made from", "verifier "+wrong)
	}
	a := w.loginBy(trade(code, uri, verifier), basic(id, key)...)
	w.want(a, 200, loggedIn, "a code")
	p := a.pair(w)
	c := w.claims(p.Access.Token)
	if c["tapis/grant_type"] != "authorization_code" || c["tapis/redirect_uri"] != uri || c["tapis/client_id"] != id || c["sub"] != "jstubbs@dev" || p.Refresh == nil {
		t.Errorf("claims %v", c)
	}
	again := fmt.Sprintf(`"grant_type":"refresh_token","refresh_token":%q`, p.Refresh.Token)
	next := w.loginBy(again, basic(id, key)...).pair(w)
	w.want(w.refresh(p.Refresh.Token), 400, "Invalid PUT data: refresh_token: it was given to a client: POST /v3/oauth2/tokens takes it, with the client's Authorization", "without its client")
	w.want(w.loginBy(trade(code, "", ""), basic(id, key)...), 400, "Invalid POST data: code: the token has been revoked", "a second use")
	if w.live(p.Access.Token) || w.live(next.Access.Token) || w.loginBy(strings.Replace(again, p.Refresh.Token, next.Refresh.Token, 1), basic(id, key)...).status != 400 {
		t.Error("what the first use gave is honoured after a second one")
	}
}

func TestACodeIsNotTraded(t *testing.T) {
	w := newWorld(t)
	id, key := w.addApplication(everyGrant())
	const uri = "https://app.example/cb"
	late, bare := w.code(id), w.code(id, func(t *store.Ticket) { t.Challenge = "" })
	bound := w.code(id, func(t *store.Ticket) { t.Bound = "thumbprint" })
	w.want(w.loginBy(trade(bare, uri, verifier), basic(id, key)...), 400, "Invalid POST data: code_verifier: want the one that code_challenge was made from", "a verifier without a challenge")
	w.want(w.loginBy(trade(bound, uri, verifier), basic(id, key)...), 400, "Invalid POST data: code: it is bound to a key, which this endpoint has no proof of", "a bound code")
	w.clock.move(61 * time.Second)
	w.want(w.loginBy(trade(late, uri, verifier), basic(id, key)...), 400, "Invalid POST data: code: the token has expired", "a code that is over")
	w.do(w.core.SetDisabled(t.Context(), "dev", "jstubbs", true))
	void := w.code(id, func(t *store.Ticket) { t.AuthAt = 1 })
	w.want(w.loginBy(trade(void, uri, verifier), basic(id, key)...), 400, "Invalid POST data: code: the token has been revoked", "a user who was disabled")
}

func TestADeviceWaitsForItsUser(t *testing.T) {
	w := newWorld(t)
	public, _ := w.addApplication(store.Application{Tenant: "dev", Name: "tv", AuthMethod: "none", Grants: []string{token.GrantDeviceCode, token.GrantRefreshToken}})
	id, key := w.addApplication(everyGrant())
	begin := func(client string) (string, store.Ticket) {
		t.Helper()
		code, ticket, err := w.door("dev").NewDevice(t.Context(), store.Ticket{Client: client})
		w.do(err)
		return code.Reveal(), ticket
	}
	poll := func(grant, code, client string, headers ...string) answer {
		t.Helper()
		return w.loginBy(fmt.Sprintf(`"grant_type":%q,"device_code":%q,"client_id":%q`, grant, code, client), headers...)
	}
	code, ticket := begin(public)
	const pending = "Invalid POST data: device_code: authorization_pending: nobody has decided yet"
	w.want(poll("device_code", code, public), 400, pending, "at once")
	w.want(poll("device_code", code, public), 400, "Invalid POST data: device_code: slow_down: polled too soon", "too soon")
	w.clock.move(5 * time.Second)
	w.want(poll(token.GrantDeviceCode, code, public), 400, pending, "by the registered name")
	w.do(w.door("dev").Decide(t.Context(), ticket, true, "jstubbs", "", w.door("dev").Tick()))
	a := poll("device_code", code, public)
	w.want(a, 200, loggedIn, "when it is allowed")
	if c := w.claims(a.pair(w).Access.Token); c["tapis/grant_type"] != "device_code" || c["tapis/client_id"] != public || a.pair(w).Refresh == nil {
		t.Errorf("claims %v", c)
	}
	w.want(poll("device_code", code, public), 400, "Invalid POST data: device_code: the token has been revoked", "a second use")
	if w.live(a.pair(w).Access.Token) {
		t.Error("what the first use gave is honoured after a second one")
	}
	code, ticket = begin(id)
	w.want(poll("device_code", code, public), 400, "Invalid POST data: device_code: it is unknown here, or another client's", "another client's")
	w.do(w.door("dev").Decide(t.Context(), ticket, false, "jstubbs", "", 0))
	w.want(poll("device_code", code, id, basic(id, key)...), 400, "Invalid POST data: device_code: access_denied: the user has denied it", "denied")
	code, _ = begin(public)
	w.clock.move(601 * time.Second)
	w.want(poll("device_code", code, public), 400, "Invalid POST data: device_code: expired_token: it has expired", "too late")
}
