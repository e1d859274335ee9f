package door_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// besidePath is the authorization endpoint of the door beside.
const besidePath = "/api/o/authorize/"

// Applications of an organisation, by client_id.
const (
	orgCode     = "orgcode"     // confidential: code, refresh; redirects over plain http
	orgPublic   = "orgpublic"   // public: code, refresh
	orgImplicit = "orgimplicit" // public: a token in the place of a code
	orgHouse    = "orghouse"    // confidential: code; no consent
)

const orgCallback = "http://awx.example.com/api/v2"

// withOrganisation gives a world the applications of an organisation.
func (w *world) withOrganisation() *world {
	w.Helper()
	o, err := w.issuer.AddOrganisation(w.Context(), store.Organisation{Tenant: store.DefaultTenant, Name: "Engineering"})
	w.do(err)
	rights, code := []string{"read", "write"}, []string{token.GrantAuthorizationCode, token.GrantRefreshToken}
	for _, a := range []store.Application{
		{ID: orgCode, Name: "AuthCodeApp", Grants: code, RedirectURIs: []string{orgCallback, "http://127.0.0.1/cb"}},
		{ID: orgPublic, Name: "Public", AuthMethod: oauth2.AuthNone, Grants: code, RedirectURIs: []string{orgCallback}},
		{ID: orgImplicit, Name: "admin's app", AuthMethod: oauth2.AuthNone, Implicit: true, RedirectURIs: []string{orgCallback + "?kind=a"}},
		{ID: orgHouse, Name: "The House", Grants: code, RedirectURIs: []string{"https://awx.example.com/cb"}, SkipConsent: true},
	} {
		a.Organisation, a.Scopes = o.Number, rights
		w.addApplication(a)
	}
	return w
}

// beyond is an authorization request at the door beside.
func beyond(app string, pairs ...string) string {
	f := fields("client_id", app, "response_type", "code", "state", "st-1")
	for i := 0; i+1 < len(pairs); i += 2 {
		if f.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			f.Del(pairs[i])
		}
	}
	return besidePath + "?" + f.Encode()
}

// fragment is the parameters behind the # of a redirection.
func (a answer) fragment() url.Values {
	_, text, _ := strings.Cut(a.location(), "#")
	f, err := url.ParseQuery(text)
	if err != nil {
		return nil
	}
	return f
}

func TestACodeOfTheDoorBesideComesThroughTheSamePages(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	b := w.person()
	a := b.visit(beyond(orgCode, "redirect_uri", orgCallback))
	code := a.query().Get("code")
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), orgCallback+"?") || code == "" || a.query().Get("state") != "st-1" {
		t.Fatalf("%d %s", a.status, a.location())
	}
	ticket, err := w.beside.Code(t.Context(), orgCode, token.NewSecret(code))
	w.do(err)
	if ticket.Scope != "read write" || ticket.Subject != "marco" || ticket.RedirectURI != orgCallback || ticket.Audience != "" {
		t.Errorf("the code stands for %+v", ticket)
	}
	if got := ticket.ExpiresAt - ticket.CreatedAt; got != 600_000_000 {
		t.Errorf("the code lives for %d µs", got)
	}
	// The login stays: nobody is asked for a password again.
	if a := b.get(beyond(orgCode, "redirect_uri", orgCallback)); !strings.Contains(a.body, `name="decision"`) || !strings.Contains(a.body, "AuthCodeApp") {
		t.Errorf("no question: %d %s", a.status, a.body)
	}
}

func TestACodeIsGoodAtItsOwnDoorAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	beside := w.person().visit(beyond(orgHouse)).query().Get("code")
	form := fields("grant_type", "authorization_code", "code", beside)
	w.refused(400, oauth2.ErrorUnauthorizedClient, form, w.as(orgHouse))
	if _, err := w.beside.Code(t.Context(), orgHouse, token.NewSecret(beside)); err != nil {
		t.Errorf("the refusal has used the code up: %v", err)
	}
	if _, err := w.door.Code(t.Context(), orgHouse, token.NewSecret(beside)); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("the standard door takes the code: %v", err)
	}
}

func TestTheDoorBesideRedirectsToTheVeryURIAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	b := w.person().login("marco")
	for _, uri := range []string{
		orgCallback + "/", orgCallback + "?", orgCallback + "?a=b", orgCallback + "#a", "http://awx.example.com/api", "http://AWX.example.com/api/v2", "http://awx.example.com:80/api/v2",
		"https://awx.example.com/api/v2", "http://evil.example/api/v2", "http://awx.example.com@evil.example/api/v2", "http://127.0.0.1:8080/cb", "http://127.0.0.1:/cb", "http://localhost/cb", "//awx.example.com/api/v2",
	} {
		a := b.get(beyond(orgCode, "redirect_uri", uri))
		if a.status != http.StatusBadRequest || a.location() != "" {
			t.Errorf("%s: %d %s", uri, a.status, a.location())
		}
	}
	for _, request := range []string{beyond(orgCode), beyond("nobody", "redirect_uri", orgCallback), beyond(web, "redirect_uri", webCallback), beyond(house), besidePath} {
		if a := b.get(request); a.status != http.StatusBadRequest || a.location() != "" {
			t.Errorf("%s: %d %s", request, a.status, a.location())
		}
	}
}

func TestAnOrganisationsApplicationIsForTheDoorBesideAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	b := w.person().login("marco")
	for app, uri := range map[string]string{orgCode: orgCallback, orgPublic: orgCallback, orgHouse: "https://awx.example.com/cb"} {
		a := b.get(authorizeTarget(authorization(app, "redirect_uri", uri)))
		if a.status != http.StatusBadRequest || a.location() != "" {
			t.Errorf("%s: %d %s", app, a.status, a.location())
		}
	}
	w.refused(400, oauth2.ErrorUnauthorizedClient, fields("grant_type", "refresh_token", "refresh_token", "x"), w.as(orgHouse))
}

func TestTheDoorBesideRefusesInTheWordsOfTheStandard(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	b := w.person().login("marco")
	challenge := []string{"code_challenge", challengeOf(codeVerifier), "code_challenge_method", "S256"}
	for name, c := range map[string]struct {
		app   string
		pairs []string
		want  string
	}{
		"no response_type":         {orgPublic, append(challenge, "response_type", ""), oauth2.ErrorInvalidRequest},
		"another response_type":    {orgPublic, append(challenge, "response_type", "id_token"), oauth2.ErrorUnsupportedResponseType},
		"both response_types":      {orgImplicit, []string{"response_type", "code token"}, oauth2.ErrorUnsupportedResponseType},
		"a code, made for tokens":  {orgImplicit, nil, oauth2.ErrorUnauthorizedClient},
		"a token, made for codes":  {orgHouse, []string{"response_type", "token"}, oauth2.ErrorUnauthorizedClient},
		"public without PKCE":      {orgPublic, nil, oauth2.ErrorInvalidRequest},
		"PKCE in plain":            {orgPublic, []string{"code_challenge", codeVerifier, "code_challenge_method", "plain"}, oauth2.ErrorInvalidRequest},
		"a method and no PKCE":     {orgHouse, []string{"code_challenge_method", "S256"}, oauth2.ErrorInvalidRequest},
		"a scope that there isn't": {orgHouse, []string{"scope", "read admin"}, oauth2.ErrorInvalidScope},
		"prompt none":              {orgPublic, append(challenge, "prompt", "none"), "consent_required"},
	} {
		a := b.get(beyond(c.app, c.pairs...))
		got, isToken := a.query(), slices.Contains(c.pairs, "token")
		if isToken {
			got = a.fragment()
		}
		if a.status != http.StatusSeeOther || got.Get("error") != c.want || got.Get("state") != "st-1" || strings.Contains(a.location(), "#") != isToken {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.location(), c.want)
		}
	}
	if a := b.visit(beyond(orgPublic, challenge...)); a.query().Get("code") == "" {
		t.Errorf("public with PKCE: %d %s", a.status, a.location())
	}
}

func TestAnApplicationMadeForItGetsATokenInTheFragment(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	b := w.person()
	a := b.visit(beyond(orgImplicit, "response_type", "token", "scope", "read"))
	f := a.fragment()
	if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), orgCallback+"?kind=a#") || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s", a.status, a.location())
	}
	if f.Get("token_type") != "Bearer" || f.Get("scope") != "read" || f.Get("expires_in") != "31536000000" || f.Get("state") != "st-1" || f.Has("refresh_token") || f.Has("code") {
		t.Errorf("fragment %v", f)
	}
	live, err := w.beside.Live(t.Context(), f.Get("access_token"))
	if err != nil || live.User != "marco" || live.Client != orgImplicit || live.Row == nil || live.Row.Scope != "read" {
		t.Errorf("the token is %+v, %v", live, err)
	}
	a = b.submit(b.get(beyond(orgImplicit, "response_type", "token")), besidePath, "decision", "deny")
	if a.fragment().Get("error") != oauth2.ErrorAccessDenied || a.fragment().Has("access_token") {
		t.Errorf("denied: %s", a.location())
	}
	// The standard endpoint does not know the way, whatever the application is.
	a = b.get(authorizeTarget(authorization(web, "redirect_uri", webCallback, "response_type", "token")))
	if a.query().Get("error") != oauth2.ErrorUnsupportedResponseType || strings.Contains(a.location(), "#") {
		t.Errorf("standard: %d %s", a.status, a.location())
	}
}

func TestALoginThatWasVoidedGivesNoTokenInTheFragment(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	b := w.person().login("marco")
	question := b.get(beyond(orgImplicit, "response_type", "token"))
	w.do(w.door.RevokeAllOf(t.Context(), "marco"))
	a := b.submit(question, besidePath, "decision", "allow")
	if strings.Contains(a.location(), "access_token") {
		t.Errorf("%d %s", a.status, a.location())
	}
}

func TestAnApplicationOfTheHouseAsksNobodyBeside(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	if a := w.person().login("marco").get(beyond(orgHouse)); a.query().Get("code") == "" {
		t.Errorf("%d %s", a.status, a.location())
	}
}

func TestThePagesAloneLetInBesideAndServeNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *settings) { s.alone = true }).withOrganisation()
	b := w.person()
	if a := b.visit(beyond(orgCode, "redirect_uri", orgCallback)); a.query().Get("code") == "" {
		t.Errorf("%d %s", a.status, a.location())
	}
	if a := b.get("/account"); a.status != http.StatusOK {
		t.Errorf("account: %d", a.status)
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/authorize", "/oauth2/revoke", "/oauth2/introspect", "/oauth2/userinfo", "/device", "/.well-known/jwks.json", metadataPath} {
		if a := b.get(path); a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestACodeBesideIsOverAfterItsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	trade := func(code string, wait time.Duration) error {
		w.clock.move(wait)
		ticket, err := w.beside.Code(t.Context(), orgHouse, token.NewSecret(code))
		w.do(err)
		_, err = w.beside.KeepFor(t.Context(), w.beside.Tick(), ticket, true)
		return err
	}
	code := func() string { return w.person().visit(beyond(orgHouse)).query().Get("code") }
	if err := trade(code(), 599*time.Second); err != nil {
		t.Errorf("in time: %v", err)
	}
	if err := trade(code(), 601*time.Second); !errors.Is(err, token.ErrExpired) {
		t.Errorf("too late: %v", err)
	}
}

func TestATokenThatIsARowIsNotExchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withOrganisation()
	for _, scope := range []string{"read", "write"} {
		k, err := w.beside.Keep(t.Context(), w.beside.Tick(), store.AccessToken{Subject: "marco", Scope: scope}, false)
		w.do(err)
		w.refused(400, oauth2.ErrorInvalidRequest, exchange(k.Access.Reveal()), w.as(gateway))
		w.refused(400, oauth2.ErrorInvalidRequest, exchange(w.machineToken(machine), acting(k.Access.Reveal())...), w.as(gateway))
	}
}
