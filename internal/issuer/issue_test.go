package issuer_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const standardIssuer = "https://id.example.org"

// standard opens the oauth2 door beside the world's own, and returns the world as
// it is seen from there.
func (w *world) standard(change ...func(*issuer.DoorConfig)) *world {
	w.Helper()
	c := issuer.DoorConfig{
		Name: "oauth2", Issuer: standardIssuer, Format: issuer.FormatRFC9068(), AccessTTL: 600, RefreshTTL: 30 * 86400, ReuseGrace: 30,
	}
	for _, f := range change {
		f(&c)
	}
	there := *w
	var err error
	there.door, err = w.issuer.Door(w.Context(), c)
	w.do(err)
	return &there
}

// newDoors is a service with both doors, and a user marco.
func newDoors(t testing.TB) (ats, standard *world) {
	t.Helper()
	ats = newWorld(t)
	ats.addUser("marco")
	return ats, ats.standard()
}

func (w *world) issue(o issuer.Order) token.Set {
	w.Helper()
	set, err := w.door.Issue(w.Context(), w.door.Tick(), o)
	w.do(err)
	return set
}

func (w *world) live(set token.Set) *issuer.Live {
	w.Helper()
	live, err := w.door.Live(w.Context(), set.AccessToken.Reveal())
	w.do(err)
	return live
}

// part is one of the first two segments of a JWT, as its members.
func part(t testing.TB, raw token.Secret, n int) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw.Reveal(), ".")[n])
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func TestAnAccessTokenHasTheClaimsOfRFC9068AndNoOthers(t *testing.T) {
	_, w := newDoors(t)
	const at = 1_446_564_493
	type members = map[string]any
	origin := w.live(w.issue(issuer.Order{Subject: "marco", Client: "billing"}))
	for what, c := range map[string]struct {
		order issuer.Order
		want  members
	}{
		"of an application's own": {
			issuer.Order{Subject: "billing", Client: "billing"},
			members{"sub": "billing", "client_id": "billing", "aud": standardIssuer},
		},
		"of a user's": {
			issuer.Order{Subject: "marco", Client: "billing", Scope: "read write", AuthAt: (at - 100) * 1_000_000, Refresh: true},
			members{"sub": "marco", "client_id": "billing", "aud": standardIssuer, "scope": "read write", "auth_time": float64(at - 100)},
		},
		"for one": {
			issuer.Order{Subject: "marco", Client: "billing", Audience: []string{"https://a.example.org"}},
			members{"sub": "marco", "client_id": "billing", "aud": "https://a.example.org"},
		},
		"for many": {
			issuer.Order{Subject: "marco", Client: "billing", Audience: []string{"https://a.example.org", "urn:b"}},
			members{"sub": "marco", "client_id": "billing", "aud": []any{"https://a.example.org", "urn:b"}},
		},
		"bound to a key": {
			issuer.Order{Subject: "marco", Client: "billing", Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
			members{"sub": "marco", "client_id": "billing", "aud": standardIssuer, "cnf": members{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
		},
		"exchanged": {
			issuer.Order{Subject: "marco", Client: "other", Origin: origin, Actor: json.RawMessage(`{"sub":"other"}`)},
			members{"sub": "marco", "client_id": "other", "aud": standardIssuer, "act": members{"sub": "other"}, "origin": []any{members{"jti": origin.Claims.ID(), "client_id": "billing"}}},
		},
		"with what JSON would trip over": {
			issuer.Order{Subject: "mar\"co\\\u2028</script>", Client: "billing"},
			members{"sub": "mar\"co\\\u2028</script>", "client_id": "billing", "aud": standardIssuer},
		},
	} {
		set := w.issue(c.order)
		got := part(t, set.AccessToken, 1)
		if jti, _ := got["jti"].(string); len(jti) < 40 {
			t.Errorf("%s: jti %q", what, jti)
		}
		delete(got, "jti")
		c.want["iss"], c.want["iat"], c.want["exp"] = standardIssuer, float64(at), float64(at+600)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: claims (-want +got)\n%s", what, diff)
		}
		header := part(t, set.AccessToken, 0)
		if diff := cmp.Diff(members{"alg": "ES256", "typ": "at+jwt", "kid": w.keys()[0].ID}, header); diff != "" {
			t.Errorf("%s: header (-want +got)\n%s", what, diff)
		}
		w.wantGood(set, what)
	}
}

func TestATokenTypeSaysWhetherAKeyIsNeeded(t *testing.T) {
	_, w := newDoors(t)
	if set := w.issue(issuer.Order{Subject: "marco", Client: "billing"}); set.TokenType != "Bearer" || w.live(set).Thumbprint() != "" {
		t.Errorf("a plain one: %s", set.TokenType)
	}
	set := w.issue(issuer.Order{Subject: "marco", Client: "billing", Thumbprint: "abc"})
	if set.TokenType != "DPoP" || w.live(set).Thumbprint() != "abc" {
		t.Errorf("a bound one: %s", set.TokenType)
	}
}

func TestALifetimeIsClampedToTheDoorsAndTheLogins(t *testing.T) {
	w := newWorld(t).standard(func(c *issuer.DoorConfig) { c.MaxRefreshTTL = 1000 })
	for _, c := range []struct {
		what  string
		order issuer.Order
		want  int64
	}{
		{"the door's own", issuer.Order{}, 600},
		{"a shorter one", issuer.Order{TTL: 60}, 60},
		{"a longer one", issuer.Order{TTL: 6000}, 600},
		{"of a login that is over before", issuer.Order{Refresh: true, RefreshTTL: 30}, 30},
		{"of a login that could last longer", issuer.Order{Refresh: true, RefreshTTL: 1e9}, 600},
	} {
		c.order.Subject, c.order.Client = "marco", "billing"
		if set := w.issue(c.order); set.ExpiresIn != c.want {
			t.Errorf("%s: %d s, want %d", c.what, set.ExpiresIn, c.want)
		}
	}
}

// identified is an order whose login gives an id_token.
func identified(change ...func(*issuer.Order)) issuer.Order {
	o := issuer.Order{Subject: "marco", Client: "billing", Scope: "openid read", AuthAt: 1_446_564_400_999_999, Nonce: "n-0S6", Refresh: true}
	for _, f := range change {
		f(&o)
	}
	return o
}

func TestAnIDTokenSaysWhoLoggedInWhereAndWhen(t *testing.T) {
	half256 := func(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:16] }
	half384 := func(s string) []byte { h := sha512.Sum384([]byte(s)); return h[:24] }
	half512 := func(s string) []byte { h := sha512.Sum512([]byte(s)); return h[:32] }
	for algorithm, half := range map[string]func(string) []byte{
		"ES256": half256, "ES384": half384, "EdDSA": half512, "PS256": half256,
	} {
		_, w := newDoors(t)
		w.do(w.door.RotateKey(t.Context(), issuer.Rotation{Algorithm: algorithm, Now: true}))
		set := w.issue(identified())
		key := w.keys()[0]
		if diff := cmp.Diff(map[string]any{"alg": algorithm, "typ": "JWT", "kid": key.ID}, part(t, set.IDToken, 0)); diff != "" {
			t.Errorf("%s: header (-want +got)\n%s", algorithm, diff)
		}
		want := map[string]any{
			"iss": standardIssuer, "sub": "marco", "aud": "billing", "iat": 1_446_564_493.0, "exp": 1_446_565_093.0, "auth_time": 1_446_564_400.0,
			"nonce": "n-0S6", "at_hash": base64.RawURLEncoding.EncodeToString(half(set.AccessToken.Reveal())),
		}
		if diff := cmp.Diff(want, part(t, set.IDToken, 1)); diff != "" {
			t.Errorf("%s: claims (-want +got)\n%s", algorithm, diff)
		}
		public := func(*jwt.Token) (any, error) { return key.Private.Public(), nil }
		for what, raw := range map[string]token.Secret{"id_token": set.IDToken, "access token": set.AccessToken} {
			_, err := jwt.Parse(raw.Reveal(), public, jwt.WithValidMethods([]string{algorithm}), jwt.WithTimeFunc(w.clock.Now))
			if err != nil {
				t.Errorf("%s: golang-jwt on the %s: %v", algorithm, what, err)
			}
		}
	}
}

func TestARefreshGivesAnIDTokenOfTheSameLoginWithoutTheNonce(t *testing.T) {
	_, w := newDoors(t)
	set := w.issue(identified())
	next, err := w.door.Renew(t.Context(), set.RefreshToken, issuer.Renewal{Client: "billing"})
	w.do(err)
	first, second := part(t, set.IDToken, 1), part(t, next.IDToken, 1)
	if _, has := second["nonce"]; has {
		t.Error("it has a nonce (OpenID Connect Core section 12.2)")
	}
	for _, name := range []string{"iss", "sub", "aud", "auth_time"} {
		if first[name] != second[name] {
			t.Errorf("%s was %v, is %v", name, first[name], second[name])
		}
	}
}

func TestOnlyAPersonsLoginThroughAnApplicationThatAsksGivesAnIDToken(t *testing.T) {
	_, w := newDoors(t)
	origin := w.live(w.issue(identified()))
	for what, change := range map[string]func(*issuer.Order){
		"without openid":         func(o *issuer.Order) { o.Scope = "read openid2" },
		"of no person":           func(o *issuer.Order) { o.AuthAt = 0 },
		"without an application": func(o *issuer.Order) { o.Client = "" },
		"exchanged":              func(o *issuer.Order) { o.Origin, o.Refresh = origin, false },
	} {
		if set := w.issue(identified(change)); !set.IDToken.IsZero() {
			t.Errorf("%s: there is an id_token", what)
		}
	}
}

func TestAnIDTokenIsNeverTakenForAnythingElse(t *testing.T) {
	ats, w := newDoors(t)
	set := w.issue(identified(func(o *issuer.Order) { o.Scope = "openid account" }))
	raw := set.IDToken
	for name, door := range map[string]*issuer.Door{"ats": ats.door, "oauth2": w.door} {
		uses := map[string]func() error{
			"inspected":        func() error { _, err := door.Inspect(t.Context(), raw.Reveal()); return err },
			"revoked":          func() error { return door.Revoke(t.Context(), raw.Reveal()) },
			"sent as a bearer": func() error { return door.RevokeAll(t.Context(), raw.Reveal(), "") },
			"refreshed":        func() error { _, err := door.Renew(t.Context(), raw, issuer.Renewal{Client: "billing"}); return err },
			"looked up":        func() error { _, err := door.LiveRefresh(t.Context(), raw); return err },
			"traded":           func() error { _, err := door.Code(t.Context(), "billing", raw); return err },
			"polled with":      func() error { _, err := door.Device(t.Context(), "billing", raw); return err },
			"a cookie":         func() error { _, err := door.Browser(t.Context(), raw); return err },
		}
		for what, use := range uses {
			if err := use(); err == nil || errors.Is(err, token.ErrUnavailable) {
				t.Errorf("at the %s door %s: %v", name, what, err)
			}
		}
		w.do(door.RevokeFor(t.Context(), "billing", raw))
	}
	w.wantGood(set, "the access token of the same login")
}

func TestNothingIsIssuedThatIsNotDurable(t *testing.T) {
	_, w := newDoors(t)
	w.hook.set(func(h *hooked) { h.onApply = func([]store.Command) error { return errDown } })
	set, err := w.door.Issue(t.Context(), w.door.Tick(), identified())
	if !errors.Is(err, token.ErrUnavailable) || !set.AccessToken.IsZero() || !set.IDToken.IsZero() {
		t.Errorf("%v, %v", set, err)
	}
}

func TestWhatIsAskedForIsNarrowedNeverWidened(t *testing.T) {
	granted := []string{"a", "b"}
	for _, c := range []struct {
		asked, want []string
		refused     bool
	}{
		{nil, granted, false},
		{[]string{"b"}, []string{"b"}, false},
		{[]string{"b", "a"}, []string{"b", "a"}, false},
		{[]string{"a", "c"}, nil, true},
		{[]string{""}, nil, true},
		{[]string{"A"}, nil, true},
	} {
		got, err := issuer.Narrow(granted, c.asked, issuer.ErrScope)
		if !slices.Equal(got, c.want) || errors.Is(err, issuer.ErrScope) != c.refused {
			t.Errorf("%q: %q, %v", c.asked, got, err)
		}
	}
}
