package issuer_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// tapisConfig is what a service makes of a tenant. ES256: keys of RSA take long
// to make.
func tapisConfig(t store.Tenant) (c issuer.DoorConfig, serves bool) {
	ttl := func(seconds, usual int64) int64 {
		if seconds == 0 {
			return usual
		}
		return seconds
	}
	return issuer.DoorConfig{
		Name: "tapis", Tenant: t.Name, Issuer: "https://" + t.Name + ".example/v3/tokens", Format: issuer.FormatTapis(), KeyAlgorithm: "ES256",
		AccessTTL: ttl(t.AccessTTL, 300), RefreshTTL: ttl(t.RefreshTTL, 600), MaxAccessTTL: t.MaxAccessTTL, MaxRefreshTTL: t.MaxRefreshTTL,
	}, t.Name != "elsewhere"
}

// mintWorld is a service with a tenant dev.
type mintWorld struct {
	*world
	doors *issuer.Doors
	dev   *issuer.Door
}

func newMintWorld(t testing.TB) *mintWorld { return mintWorldOver(newWorld(t)) }

func mintWorldOver(base *world) *mintWorld {
	base.Helper()
	w := &mintWorld{world: base}
	var err error
	w.doors, err = w.issuer.Doors(w.Context(), tapisConfig)
	w.do(err)
	if err := w.issuer.AddTenant(w.Context(), store.Tenant{Name: "dev"}); !errors.Is(err, store.ErrExists) {
		w.do(err)
	}
	w.dev = w.of("dev")
	return w
}

func (w *mintWorld) of(tenant string) *issuer.Door {
	w.Helper()
	served, ok := w.doors.Of(tenant)
	if !ok {
		w.Fatalf("no door for %s", tenant)
	}
	return served.Door
}

func (w *mintWorld) mint(o issuer.Order) token.Set {
	w.Helper()
	if o.Mint == nil {
		o.Mint = &issuer.Mint{}
	}
	set, err := w.dev.Issue(w.Context(), w.dev.Tick(), o)
	w.do(err)
	return set
}

func (w *mintWorld) again(set token.Set) token.Set {
	w.Helper()
	next, err := w.dev.MintAgain(w.Context(), set.RefreshToken, "")
	w.do(err)
	return next
}

func (w *mintWorld) wantLive(raw token.Secret, kind error, what string) {
	w.Helper()
	if _, err := w.dev.LiveMinted(w.Context(), raw.Reveal()); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func (w *mintWorld) claims(raw token.Secret) map[string]any {
	w.Helper()
	t, err := token.Decode(raw.Reveal())
	w.do(err)
	var m map[string]any
	w.do(json.Unmarshal([]byte(t.Claims.Text()), &m))
	return m
}

func custom(pairs ...string) (list []issuer.Claim) {
	for pair := range slices.Chunk(pairs, 2) {
		list = append(list, issuer.Claim{Name: pair[0], Value: json.RawMessage(pair[1])})
	}
	return list
}

func TestAMintedTokenSaysWhatTapisTokensSay(t *testing.T) {
	w := newMintWorld(t)
	at := w.clock.Now().Unix()
	set := w.mint(issuer.Order{Subject: "jstubbs", Refresh: true, Mint: &issuer.Mint{
		Service: true, Delegate: "files@admin", TargetSite: "tacc", Claims: custom("client_id", `"123"`, "deep", `{"a":[1,2.50]}`),
	}})
	access := fmt.Sprintf(`"delegation":true,"delegation_sub":"files@admin","username":"jstubbs","account_type":"service","exp":%d,"target_site":"tacc"`, at+300)
	for name := range strings.SplitSeq("delegation delegation_sub username account_type target_site", " ") {
		access = strings.Replace(access, `"`+name+`":`, `"tapis/`+name+`":`, 1)
	}
	head := `{"iss":"https://dev.example/v3/tokens","sub":"jstubbs@dev","tapis/tenant_id":"dev","tapis/token_type":`
	want := head + `"access",` + access + `,"client_id":"123","deep":{"a":[1,2.50]},"jti":"`
	decoded, err := token.Decode(set.AccessToken.Reveal())
	w.do(err)
	if got := decoded.Claims.Text(); !strings.HasPrefix(got, want) {
		t.Errorf("claims\n%s, want\n%s", got, want)
	}
	if h := decoded.Header.JSON(); h != `{"alg":"ES256","typ":"JWT"}` || !strings.HasPrefix(set.AccessToken.Reveal(), "eyJ0eXAi") {
		t.Errorf("header %s", h)
	}
	refresh, err := token.Decode(set.RefreshToken.Reveal())
	w.do(err)
	inner := strings.Replace(access, fmt.Sprintf(`,"exp":%d`, at+300), "", 1)
	want = head + fmt.Sprintf(`"refresh","tapis/initial_ttl":600,"exp":%d,"tapis/access_token":`, at+600) +
		head + `"access",` + inner + `,"client_id":"123","deep":{"a":[1,2.50]},"ttl":300},"jti":"`
	if got := refresh.Claims.Text(); !strings.HasPrefix(got, want) {
		t.Errorf("claims of the refresh token\n%s, want\n%s", got, want)
	}
	if set.ExpiresIn != 300 || set.RefreshExpiresIn != 600 || set.ExpiresAt.Sub(w.clock.Now()).Truncate(time.Millisecond) != 300*time.Second {
		t.Errorf("lifetimes %d %d %v", set.ExpiresIn, set.RefreshExpiresIn, set.ExpiresAt.Sub(w.clock.Now()))
	}
}

func TestCustomClaimsSurviveTwoRefreshes(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "jstubbs", Refresh: true, TTL: 77, RefreshTTL: 88, Mint: &issuer.Mint{
		Delegate: "a@b", TargetSite: "s", Claims: custom("scope", `"dev"`, "tenant_id", `"mine"`, "x", `[null]`),
	}})
	first := w.claims(set.AccessToken)
	for range 2 {
		w.clock.move(time.Second)
		set = w.again(set)
	}
	last := w.claims(set.AccessToken)
	for _, m := range []map[string]any{first, last} {
		delete(m, "jti")
		delete(m, "exp")
	}
	if a, b := fmt.Sprint(first), fmt.Sprint(last); a != b || last["tenant_id"] != "mine" {
		t.Errorf("claims changed from\n%s to\n%s", a, b)
	}
	if set.ExpiresIn != 77 || set.RefreshExpiresIn != 88 {
		t.Errorf("lifetimes %d and %d, want those of the first", set.ExpiresIn, set.RefreshExpiresIn)
	}
}

func TestTheOldRefreshTokenStaysGoodUntilItsEnd(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", Refresh: true})
	w.again(set)
	w.again(set)
	w.clock.move(600 * time.Second)
	if _, err := w.dev.MintAgain(t.Context(), set.RefreshToken, ""); !errors.Is(err, token.ErrExpired) {
		t.Errorf("after its end: %v", err)
	}
}

func TestRevocationOfAMintedTokenDoesNotCascade(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", Refresh: true})
	_, err := w.dev.RevokeMinted(t.Context(), set.RefreshToken.Reveal())
	w.do(err)
	w.wantLive(set.RefreshToken, token.ErrRevoked, "the revoked refresh token")
	w.wantLive(set.AccessToken, nil, "its access token")
	other := w.mint(issuer.Order{Subject: "bob", Refresh: true})
	_, err = w.dev.RevokeMinted(t.Context(), other.AccessToken.Reveal())
	w.do(err)
	w.wantLive(other.AccessToken, token.ErrRevoked, "the revoked access token")
	w.again(other)
	if _, err := w.dev.RevokeMinted(t.Context(), other.AccessToken.Reveal()); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestARefreshTokenIsNoAccessTokenAndTheOtherWayRound(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", Refresh: true})
	if _, err := w.dev.Live(t.Context(), set.RefreshToken.Reveal()); !errors.Is(err, token.ErrClaims) {
		t.Errorf("a refresh token as access token: %v", err)
	}
	if _, err := w.dev.MintAgain(t.Context(), set.AccessToken, ""); !errors.Is(err, token.ErrClaims) {
		t.Errorf("an access token as refresh token: %v", err)
	}
}

func TestATokenOfOneTenantIsNoneOfAnotherEvenWithTheSameKey(t *testing.T) {
	w := newMintWorld(t)
	w.do(w.issuer.AddTenant(t.Context(), store.Tenant{Name: "twin"}))
	key, err := signing.Generate("ES256")
	w.do(err)
	for _, name := range []string{"dev", "twin"} {
		w.do(w.of(name).RotateKey(t.Context(), issuer.Rotation{Private: key}))
	}
	set := w.mint(issuer.Order{Subject: "bob"})
	if _, err := w.of("twin").LiveMinted(t.Context(), set.AccessToken.Reveal()); !errors.Is(err, token.ErrClaims) {
		t.Errorf("at another tenant: %v", err)
	}
}

func TestAHundredYearsAreNotTooLongForAMintedToken(t *testing.T) {
	const century = 3_153_600_000
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", TTL: century, RefreshTTL: century, Refresh: true})
	if set.ExpiresIn != century || w.claims(set.AccessToken)["exp"].(float64) != float64(w.clock.Now().Unix()+century) {
		t.Errorf("lifetime %d", set.ExpiresIn)
	}
	w.do(w.dev.RotateKey(t.Context(), issuer.Rotation{}))
	w.clock.move((century - 10) * time.Second)
	w.wantLive(set.AccessToken, nil, "ten seconds before its end, the key rotated since")
	w.again(set)
}

func TestARotatedKeyVerifiesUntilItsLongestTokenIsOver(t *testing.T) {
	w := newMintWorld(t)
	short := w.mint(issuer.Order{Subject: "bob"})
	long := w.mint(issuer.Order{Subject: "bob", TTL: 5000})
	w.mint(issuer.Order{Subject: "bob", TTL: 4000})
	old := w.claimsKey()
	w.do(w.dev.RotateKey(t.Context(), issuer.Rotation{}))
	if w.claimsKey() == old {
		t.Error("the old key signs")
	}
	w.wantLive(short.AccessToken, nil, "a token of the old key")
	w.clock.move(4999 * time.Second)
	w.wantLive(long.AccessToken, nil, "the longest token of the old key")
	w.clock.move(3 * time.Second)
	w.wantLive(long.AccessToken, token.ErrSignature, "when the key is over")
}

// claimsKey is the id of the key that signs.
func (w *mintWorld) claimsKey() string {
	w.Helper()
	keys, err := w.dev.Keys(w.Context())
	w.do(err)
	return keys[0].ID
}

func TestATokenThatIsSignedWhileItsKeyIsRotatedElsewhereIsGoodToItsEnd(t *testing.T) {
	w := newMintWorld(t)
	other := mintWorldOver(w.twin())
	w.do(other.dev.RotateKey(t.Context(), issuer.Rotation{}))
	set := w.mint(issuer.Order{Subject: "bob", TTL: 9000}) // it has not heard of it
	w.clock.move(8999 * time.Second)
	w.do(other.issuer.Fresh(t.Context()))
	if _, err := other.dev.LiveMinted(t.Context(), set.AccessToken.Reveal()); err != nil {
		t.Errorf("a second before its end: %v", err)
	}
}

func TestTheTokensOfAKeyThatWasRemovedAreVoidAtOnce(t *testing.T) {
	w := newMintWorld(t)
	other := mintWorldOver(w.twin())
	set, old := w.mint(issuer.Order{Subject: "bob", Refresh: true}), w.claimsKey()
	if err := w.dev.RemoveKey(t.Context(), old); !errors.Is(err, issuer.ErrSigns) {
		t.Errorf("the only key is removed: %v", err)
	}
	w.do(w.dev.RotateKey(t.Context(), issuer.Rotation{}))
	w.wantLive(set.AccessToken, nil, "before it is removed")
	w.do(w.dev.RemoveKey(t.Context(), old))
	w.wantLive(set.AccessToken, token.ErrSignature, "a token of a removed key")
	w.clock.move(2 * time.Second)
	w.do(other.issuer.Fresh(t.Context()))
	if _, err := other.dev.LiveMinted(t.Context(), set.AccessToken.Reveal()); !errors.Is(err, token.ErrSignature) {
		t.Errorf("at another process: %v", err)
	}
	if err := w.dev.RemoveKey(t.Context(), old); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

func TestWhatVoidsAUserVoidsMintedTokensOfThatUserAlone(t *testing.T) {
	w := newMintWorld(t)
	w.do(w.issuer.AddUser(t.Context(), store.User{Tenant: "dev", Name: "bob"}, token.NewPassword(pass)))
	w.do(w.issuer.AddServiceAccount(t.Context(), store.ServiceAccount{Tenant: "dev", Name: "bob"}, token.NewPassword(pass)))
	user := w.mint(issuer.Order{Subject: "bob", Refresh: true})
	service := w.mint(issuer.Order{Subject: "bob", Refresh: true, Mint: &issuer.Mint{Service: true}})
	w.do(w.issuer.SetDisabled(t.Context(), "dev", "bob", true))
	w.wantLive(user.AccessToken, token.ErrRevoked, "the user's access token")
	w.wantLive(user.RefreshToken, token.ErrRevoked, "the user's refresh token")
	w.wantLive(service.AccessToken, nil, "the service's")
	if _, err := w.dev.Issue(t.Context(), w.dev.Tick(), issuer.Order{Subject: "bob", Mint: &issuer.Mint{}}); !errors.Is(err, token.ErrDenied) {
		t.Errorf("a token for a disabled user: %v", err)
	}
	w.do(w.issuer.DeleteServiceAccount(t.Context(), "dev", "bob"))
	w.wantLive(service.AccessToken, token.ErrRevoked, "the token of a service that is gone")
}

func TestTokensThatWereSignedElsewhereWithOurKeyAreHonoured(t *testing.T) {
	w := newMintWorld(t)
	key, err := signing.Generate("ES256")
	w.do(err)
	w.do(w.dev.RotateKey(t.Context(), issuer.Rotation{Private: key}))
	foreign := func(claims string) token.Secret {
		raw, err := signing.Compact(key, "ES256", map[string]any{"typ": "JWT"}, []byte(claims))
		w.do(err)
		return token.NewSecret(raw)
	}
	exp := fmt.Sprintf(`"exp":%d`, w.clock.Now().Unix()+100)
	old := foreign(`{"iss":"https://dev.example/v3/tokens","sub":"dev@jstubbs","tenant_id":"dev","token_type":"refresh",` + exp +
		`,"access_token":{"iss":"https://dev.example/v3/tokens","sub":"dev@jstubbs","tenant_id":"dev","token_type":"access","delegation":false,"username":"jstubbs","account_type":"service","ttl":30,"mine":1}}`)
	set, err := w.dev.MintAgain(t.Context(), old, "")
	w.do(err)
	claims := w.claims(set.AccessToken)
	for _, name := range []string{"tenant_id", "token_type", "delegation", "username", "account_type"} {
		if _, bare := claims[name]; bare {
			t.Errorf("the old name %s is among the claims %v", name, claims)
		}
	}
	if claims["sub"] != "jstubbs@dev" || claims["mine"] != 1.0 || claims["tapis/account_type"] != "service" || set.ExpiresIn != 30 || set.RefreshExpiresIn != 600 {
		t.Errorf("claims %v, lifetimes %d and %d", claims, set.ExpiresIn, set.RefreshExpiresIn)
	}
	live, err := w.dev.LiveMinted(t.Context(), old.Reveal())
	w.do(err)
	if live.IsSealed() || !live.IsService() || live.Name() != "jstubbs" {
		t.Errorf("live %+v", live)
	}
	_, err = w.dev.RevokeMinted(t.Context(), old.Reveal())
	w.do(err)
	w.wantLive(old, token.ErrRevoked, "an old token that was revoked")
	access := foreign(`{"iss":"https://dev.example/v3/tokens","sub":"ann@dev","jti":"7d1a","tapis/tenant_id":"dev","tapis/token_type":"access","tapis/username":"ann","tapis/account_type":"user",` + exp + `}`)
	w.wantLive(access, nil, "a foreign access token")
	w.do(w.issuer.RevokeUser(t.Context(), "dev", "ann"))
	w.wantLive(access, token.ErrRevoked, "after its user was voided, though it does not say when it was issued")
}

func TestAMintedTokenIsBroughtIntoNoOtherFormByItsClaims(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", Mint: &issuer.Mint{Claims: custom(
		"client_id", `"app"`, "cnf", `{"jkt":"x"}`, "origin", `"nowhere"`, "scope", `7`, "aud", `["a"]`, "jwtid", `"x"`,
	)}})
	live, err := w.dev.Live(t.Context(), set.AccessToken.Reveal())
	w.do(err)
	if live.Client != "" || live.Thumbprint() != "" || live.IsExchanged() || live.User != "bob" {
		t.Errorf("live %+v", live)
	}
}

func TestAMintedTokenOfTheDefaultTenantIsGoodAtTheOtherDoorsButRulesNothingAsAService(t *testing.T) {
	w := newMintWorld(t)
	w.addUser("bob", store.RoleAdmin)
	door := w.of(store.DefaultTenant)
	for _, service := range []bool{false, true} {
		set, err := door.Issue(t.Context(), door.Tick(), issuer.Order{Subject: "bob", Mint: &issuer.Mint{Service: service}})
		w.do(err)
		live, err := w.world.door.Live(t.Context(), set.AccessToken.Reveal())
		w.do(err)
		if err := live.Rules(); errors.Is(err, token.ErrDenied) != service {
			t.Errorf("service %v rules: %v", service, err)
		}
		if err := w.world.door.RevokeAll(t.Context(), set.AccessToken.Reveal(), ""); errors.Is(err, token.ErrDenied) != service {
			t.Errorf("service %v revokes all: %v", service, err)
		}
	}
}

func TestTheStoreHearsOfLongerLifetimesOnly(t *testing.T) {
	w := newMintWorld(t)
	var writes int
	w.hook.set(func(h *hooked) {
		h.onApply = func([]store.Command) error { writes++; return nil }
	})
	for range 10 {
		w.mint(issuer.Order{Subject: "bob", Refresh: true})
	}
	w.mint(issuer.Order{Subject: "bob", TTL: 10})
	if writes != 1 {
		t.Errorf("%d writes for tokens that live no longer than the first, want 1", writes)
	}
	w.mint(issuer.Order{Subject: "bob", TTL: 601})
	if writes != 2 {
		t.Errorf("%d writes after a longer one, want 2", writes)
	}
}

func TestATenantsMaximaClampWhatIsMinted(t *testing.T) {
	w := newMintWorld(t)
	w.do(w.issuer.AddTenant(t.Context(), store.Tenant{Name: "short", AccessTTL: 50, MaxAccessTTL: 60, MaxRefreshTTL: 70}))
	w.dev = w.of("short")
	for _, c := range []struct{ ttl, refresh, wantTTL, wantRefresh int64 }{{0, 0, 50, 70}, {55, 65, 55, 65}, {61, 71, 60, 70}, {-1, -1, 50, 70}} {
		set := w.mint(issuer.Order{Subject: "bob", TTL: c.ttl, RefreshTTL: c.refresh, Refresh: true})
		if set.ExpiresIn != c.wantTTL || set.RefreshExpiresIn != c.wantRefresh {
			t.Errorf("%d and %d give %d and %d", c.ttl, c.refresh, set.ExpiresIn, set.RefreshExpiresIn)
		}
	}
}

func TestATenantThatIsMadeElsewhereIsServedAsSoonAsItIsHeardOf(t *testing.T) {
	w := newMintWorld(t)
	other := mintWorldOver(w.twin())
	w.do(w.issuer.AddTenant(t.Context(), store.Tenant{Name: "late"}))
	if _, known := other.doors.Of("late"); known {
		t.Error("known before it was heard of")
	}
	set, err := w.of("late").Issue(t.Context(), w.dev.Tick(), issuer.Order{Subject: "bob", Mint: &issuer.Mint{}})
	w.do(err)
	w.clock.move(2 * time.Second)
	w.do(other.issuer.Fresh(t.Context()))
	if _, err := other.of("late").LiveMinted(t.Context(), set.AccessToken.Reveal()); err != nil {
		t.Errorf("its token elsewhere: %v", err)
	}
	late, err := w.issuer.Tenant(t.Context(), "late")
	w.do(err)
	late.AccessTTL = 7
	w.do(w.issuer.ChangeTenant(t.Context(), late))
	if err := w.issuer.ChangeTenant(t.Context(), late); !errors.Is(err, store.ErrConflict) {
		t.Errorf("changed by what was read before: %v", err)
	}
	w.clock.move(2 * time.Second)
	w.do(other.issuer.Fresh(t.Context()))
	if got := other.of("late").AccessTTL; got != 7 {
		t.Errorf("elsewhere the lifetime is %d", got)
	}
	w.do(w.issuer.AddTenant(t.Context(), store.Tenant{Name: "elsewhere"}))
	if _, served := w.doors.Of("elsewhere"); served {
		t.Error("a tenant is served that is not to be")
	}
	if n := len(other.doors.All()); n != 3 {
		t.Errorf("%d tenants", n)
	}
}

func TestATenantThatCouldNotBeServedIsRefusedByTheNameOfTheField(t *testing.T) {
	w := newMintWorld(t)
	w.do(w.issuer.AddTenant(t.Context(), store.Tenant{Name: "admin", Site: "tacc", SiteAdmin: true}))
	for want, tenant := range map[string]store.Tenant{
		"name":              {Name: ""},
		"tenant name":       {Name: "a@b"},
		"exists":            {Name: "dev"},
		"issuer":            {Name: "x", Issuer: "dev"},
		"base URL":          {Name: "x", BaseURL: "https://h/?a"},
		"algorithm":         {Name: "x", Algorithm: "HS256"},
		"site":              {Name: "x", Site: "a b"},
		"lifetime":          {Name: "x", AccessTTL: -1},
		"refresh tokens at": {Name: "x", MaxRefreshTTL: 1 << 60},
		"administered":      {Name: "x", Site: "tacc", SiteAdmin: true},
	} {
		if err := w.issuer.AddTenant(t.Context(), tenant); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want it to name %q", tenant, err, want)
		}
	}
}

func TestAServiceAccountProvesItselfWithoutAHashEachTime(t *testing.T) {
	w := newMintWorld(t)
	ctx := t.Context()
	w.do(w.issuer.AddServiceAccount(ctx, store.ServiceAccount{Tenant: "dev", Name: "files", MayMint: []string{"dev", "default", "dev"}}, token.NewPassword(pass)))
	if err := w.issuer.AddServiceAccount(ctx, store.ServiceAccount{Tenant: "dev", Name: "x", MayMint: []string{"nowhere"}}, token.NewPassword(pass)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it may mint nowhere: %v", err)
	}
	prove := func(password string) error {
		a, err := w.issuer.AuthenticateService(ctx, "dev", credentials("files", password), "here")
		if err == nil && strings.Join(a.MayMint, " ") != "default dev" {
			t.Errorf("it may mint in %q", a.MayMint)
		}
		return err
	}
	for range 3 {
		w.do(prove(pass))
		if err := prove("wrong"); !errors.Is(err, token.ErrCredentials) {
			t.Errorf("a wrong password: %v", err)
		}
	}
	w.do(w.issuer.SetServicePassword(ctx, "dev", "files", token.NewPassword("next"), false))
	if err := prove(pass); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("the old password, which was remembered: %v", err)
	}
	w.do(prove("next"))
	w.do(w.issuer.SetServiceDisabled(ctx, "dev", "files", true))
	if err := prove("next"); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("while it is disabled: %v", err)
	}
	if _, err := w.issuer.AuthenticateService(context.Background(), "dev", credentials("nobody", ""), "here"); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("an account that there is not: %v", err)
	}
}

func TestAWeakKeyThatAnotherProcessLetInHarmsNobodyElse(t *testing.T) {
	w := newMintWorld(t)
	config := func(tenant store.Tenant) (issuer.DoorConfig, bool) {
		c, serves := tapisConfig(tenant)
		c.AllowWeakKeys, c.KeyAlgorithm = true, "RS256"
		return c, serves
	}
	lax := w.twin()
	doors, err := lax.issuer.Doors(t.Context(), config)
	w.do(err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	w.do(err)
	served, _ := doors.Of("dev")
	w.do(served.Door.RotateKey(t.Context(), issuer.Rotation{Private: weak}))
	set, err := served.Door.Issue(t.Context(), served.Door.Tick(), issuer.Order{Subject: "bob", Mint: &issuer.Mint{}})
	w.do(err)
	w.clock.move(2 * time.Second)
	w.do(w.issuer.Fresh(t.Context()))
	w.wantLive(set.AccessToken, token.ErrSignature, "a token of the weak key where it is not allowed")
	w.mint(issuer.Order{Subject: "bob"})
	if _, err := w.of("default").Issue(t.Context(), w.dev.Tick(), issuer.Order{Subject: "bob", Mint: &issuer.Mint{}}); err != nil {
		t.Errorf("another tenant: %v", err)
	}
}

func TestATokenThatIsGivenForAForeignOneIsForeignToo(t *testing.T) {
	w := newMintWorld(t)
	key, err := signing.Generate("ES256")
	w.do(err)
	w.do(w.dev.RotateKey(t.Context(), issuer.Rotation{Private: key}))
	raw, err := signing.Compact(key, "ES256", map[string]any{"typ": "JWT"}, fmt.Appendf(nil,
		`{"iss":"https://dev.example/v3/tokens","sub":"root@dev","tapis/tenant_id":"dev","tapis/token_type":"refresh","exp":%d,"tapis/access_token":{"tapis/username":"root","tapis/account_type":"service","ttl":300}}`,
		w.clock.Now().Unix()+100))
	w.do(err)
	set := token.Set{RefreshToken: token.NewSecret(raw)}
	for range 2 {
		set = w.again(set)
		live, err := w.dev.Live(t.Context(), set.AccessToken.Reveal())
		w.do(err)
		if live.IsSealed() {
			t.Error("a token that was signed elsewhere gives one that counts as issued here")
		}
	}
}

func TestAServicesClaimsMeanNothingAtAnotherDoor(t *testing.T) {
	w := newMintWorld(t)
	door := w.of(store.DefaultTenant)
	set, err := door.Issue(t.Context(), door.Tick(), issuer.Order{Subject: "bob", Mint: &issuer.Mint{Claims: custom(
		"scope", `"admin"`, "client_id", `"portal"`, "aud", `"rs"`, "act", `{"sub":"root"}`, "auth_time", "1", "cnf", `{"jkt":"x"}`,
	)}})
	w.do(err)
	live, err := w.world.door.Live(t.Context(), set.AccessToken.Reveal())
	w.do(err)
	want := "iss sub tapis/tenant_id tapis/token_type tapis/delegation tapis/delegation_sub tapis/username tapis/account_type exp jti"
	if got := strings.Join(live.Names(), " "); got != want {
		t.Errorf("another door sees %s, want %s", got, want)
	}
}

func TestALowerMaximumEndsMintedTokensThatExist(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", TTL: 9000, RefreshTTL: 9000, Refresh: true})
	dev, err := w.issuer.Tenant(t.Context(), "dev")
	w.do(err)
	dev.MaxAccessTTL, dev.MaxRefreshTTL = 60, 120
	w.do(w.issuer.ChangeTenant(t.Context(), dev))
	w.dev = w.of("dev")
	w.clock.move(59 * time.Second)
	w.wantLive(set.AccessToken, nil, "within the maximum")
	w.clock.move(2 * time.Second)
	w.wantLive(set.AccessToken, token.ErrExpired, "the access token, at the maximum")
	w.wantLive(set.RefreshToken, nil, "the refresh token")
	w.clock.move(time.Minute)
	w.wantLive(set.RefreshToken, token.ErrExpired, "the refresh token, at its maximum")
}

func TestAClientsRefreshTokenIsOfNoUseWithoutTheClient(t *testing.T) {
	w := newMintWorld(t)
	set := w.mint(issuer.Order{Subject: "bob", Client: "portal", Grant: token.GrantPassword, Refresh: true})
	for client, want := range map[string]error{"": issuer.ErrNeedsClient, "other": token.ErrUnknown, "portal": nil} {
		if _, err := w.dev.MintAgain(t.Context(), set.RefreshToken, client); !errors.Is(err, want) {
			t.Errorf("as %q: %v, want %v", client, err, want)
		}
	}
}

func TestAKeyThatAnotherProcessRemovedSignsNothing(t *testing.T) {
	w := newMintWorld(t)
	other := mintWorldOver(w.twin())
	old := w.claimsKey()
	w.do(other.dev.RotateKey(t.Context(), issuer.Rotation{}))
	w.do(other.dev.RemoveKey(t.Context(), old))
	set := w.mint(issuer.Order{Subject: "bob", TTL: 4000})
	if _, err := other.dev.LiveMinted(t.Context(), set.AccessToken.Reveal()); err != nil {
		t.Errorf("a token that was signed then: %v", err)
	}
}
