package door_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/pkg/token"
)

var (
	_ dialect.Client          = (*ciphertrust.Client)(nil)
	_ dialect.Lister          = (*ciphertrust.Client)(nil)
	_ dialect.LoginKeeper     = (*ciphertrust.Client)(nil)
	_ dialect.PasswordRevoker = (*ciphertrust.Client)(nil)
	_ dialect.Properties      = (*ciphertrust.Client)(nil)
)

func wantKind(t *testing.T, err, kind error, what string) {
	t.Helper()
	if !errors.Is(err, kind) || kind == nil && err != nil {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func TestBothEndsUnderstandEachOther(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client(""), t.Context()
	bare, err := c.Login(ctx, credentials("bob", testPassword), token.Request{})
	w.do(err)
	if !bare.RefreshToken.IsZero() || bare.ClientID != "" || bare.ExpiresIn != 300 || !bare.ExpiresAt.Equal(w.clock.Now().Add(300*time.Second)) {
		t.Errorf("a login that wants no refresh token: %+v", bare)
	}
	if list, err := c.List(ctx, bare.AccessToken); err != nil || len(list) != 0 {
		t.Errorf("it left %v behind: %v", list, err)
	}
	set, err := c.Login(ctx, credentials("bob", testPassword), token.Request{
		Refresh: true, RefreshTTL: 3601, RefreshIdle: 60, Labels: []string{"backup", "night"},
	})
	w.do(err)
	if set.RefreshExpiresIn != 3660 || set.ClientID == "" || set.LoginID == "" || set.TokenType != "Bearer" {
		t.Errorf("the lifetime is %d s, want 3601 rounded up to minutes: %+v", set.RefreshExpiresIn, set)
	}
	claims, err := c.Check(ctx, set.AccessToken)
	w.do(err)
	if name, _ := claims.String("preferred_username"); name != "bob" {
		t.Errorf("claims %s", claims.JSON())
	}
	again, err := c.Refresh(ctx, set.RefreshToken, token.Request{})
	w.do(err)
	if again.RefreshToken.Reveal() != set.RefreshToken.Reveal() || again.AccessToken.Reveal() == set.AccessToken.Reveal() {
		t.Error("a plain refresh did not keep the refresh token, or gave the same JWT")
	}
	renewed, err := c.Refresh(ctx, set.RefreshToken, token.Request{Refresh: true})
	w.do(err)
	if renewed.RefreshToken.Reveal() == set.RefreshToken.Reveal() || renewed.ClientID != set.ClientID {
		t.Error("a renewal gave the same refresh token, or another client id")
	}
	l, err := c.GetLogin(ctx, renewed.AccessToken, set.LoginID)
	if err != nil || l.ID != set.LoginID || !l.Current || len(l.Labels) != 2 || l.Client != set.ClientID || l.ExpiresAt.IsZero() || !l.CreatedAt.Equal(l.LastUsedAt) && l.LastUsedAt.IsZero() {
		t.Errorf("login %+v: %v", l, err)
	}
	w.clock.move(61 * time.Second)
	_, err = c.Refresh(ctx, renewed.RefreshToken, token.Request{})
	wantKind(t, err, token.ErrExpired, "unused for a minute")
}

func TestTheClientTellsRefusalsApart(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client(""), t.Context()
	_, err := c.Login(ctx, credentials("bob", "x"), token.Request{})
	wantKind(t, err, token.ErrCredentials, "a wrong password")
	_, err = c.Refresh(ctx, token.NewSecret("junk"), token.Request{})
	wantKind(t, err, token.ErrUnknown, "junk")
	_, err = c.Check(ctx, token.NewSecret("a.b.c"))
	wantKind(t, err, token.ErrUnknown, "a JWT of junk")
	for _, want := range []token.Request{{TTL: 1}, {Scope: "x"}, {Resources: []string{"https://x.example"}}} {
		_, err = c.Login(ctx, credentials("bob", testPassword), want)
		wantKind(t, err, token.ErrUnsupported, "a wish that cannot be sent")
	}
	for _, want := range []token.Request{{TTL: 1}, {Scope: "x"}, {RefreshTTL: 1}, {RefreshIdle: 1}, {Labels: []string{"x"}}} {
		_, err = c.Refresh(ctx, token.NewSecret("junk"), want)
		wantKind(t, err, token.ErrUnsupported, "a wish of a refresh")
	}
	_, err = c.Check(ctx, token.NewSecret("opaque"))
	wantKind(t, err, token.ErrUnsupported, "a check of a refresh token")
	wantKind(t, c.RevokeAll(ctx, token.NewSecret("a.b.c"), ""), token.ErrUnsupported, "revoke-all")
	for range 4 {
		c.Login(ctx, credentials("bob", "x"), token.Request{})
	}
	_, err = c.Login(ctx, credentials("bob", "x"), token.Request{})
	var slow *token.Refusal
	if !errors.As(err, &slow) || slow.Kind != token.ErrThrottled || slow.RetryAfter == 0 {
		t.Errorf("a guess too many: %v", err)
	}
}

func TestTheClientRevokesARefreshToken(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	login := func() token.Set {
		t.Helper()
		set, err := w.client("").Login(ctx, credentials("bob", testPassword), token.Request{Refresh: true})
		w.do(err)
		return set
	}
	over := func(set token.Set, what string) {
		t.Helper()
		_, err := w.client("").Refresh(ctx, set.RefreshToken, token.Request{})
		wantKind(t, err, token.ErrRevoked, what)
		_, err = w.client("").Check(ctx, set.AccessToken)
		wantKind(t, err, token.ErrRevoked, what+": its JWT")
	}
	known, asked, password, byID := login(), login(), login(), login()
	w.do(w.client(known.ClientID).Revoke(ctx, known.RefreshToken))
	over(known, "with its client id")
	w.do(w.client("").Revoke(ctx, asked.RefreshToken))
	over(asked, "without")
	w.do(w.client("").Revoke(ctx, asked.RefreshToken)) // void already: no error
	wantKind(t, w.client("").RevokeWith(ctx, password.RefreshToken, credentials("bob", "x")), token.ErrCredentials, "with a wrong password")
	w.do(w.client("").RevokeWith(ctx, password.RefreshToken, credentials("bob", testPassword)))
	over(password, "with its password")
	rest := login()
	w.do(w.client("").EndLogin(ctx, rest.AccessToken, byID.LoginID))
	over(byID, "by its id")
	wantKind(t, w.client("").EndLogin(ctx, rest.AccessToken, "nothing"), token.ErrUnknown, "by an id that is none")
	wantKind(t, w.client("another").Revoke(ctx, rest.RefreshToken), token.ErrUnknown, "with another's client id")
	wantKind(t, w.client("").Revoke(ctx, token.NewSecret("junk")), token.ErrUnknown, "junk")
	wantKind(t, w.client("").Revoke(ctx, rest.AccessToken), token.ErrUnsupported, "a JWT")
	_, err := w.client("").Refresh(ctx, rest.RefreshToken, token.Request{})
	wantKind(t, err, nil, "the one that is left")
}

func TestTheClientChangesProperties(t *testing.T) {
	w := newWorld(t)
	c, ctx := w.client(""), t.Context()
	const name = "MAXIMUM_REFRESH_TOKEN_LIFETIME"
	admin, err := c.Login(ctx, credentials("admin", testPassword), token.Request{})
	w.do(err)
	p, err := c.SetProperty(ctx, admin.AccessToken, name, "24h")
	if err != nil || p.Value != "24h" || p.Name != name || p.Description == "" {
		t.Errorf("set %+v: %v", p, err)
	}
	list, err := c.ListProperties(ctx, admin.AccessToken)
	if err != nil || len(list) != 3 || list[2] != p {
		t.Errorf("list %+v: %v", list, err)
	}
	if p, err = c.ResetProperty(ctx, admin.AccessToken, name); err != nil || p.Value != "" {
		t.Errorf("reset %+v: %v", p, err)
	}
	if p, err = c.GetProperty(ctx, admin.AccessToken, name); err != nil || p.Value != "" || p.Name != name {
		t.Errorf("get %+v: %v", p, err)
	}
	_, err = c.SetProperty(ctx, admin.AccessToken, name, "soon")
	wantKind(t, err, token.ErrDenied, "a value that makes no sense")
	_, err = c.GetProperty(ctx, admin.AccessToken, "a/b")
	wantKind(t, err, token.ErrUnknown, "a name that is none")
	bob, err := c.Login(ctx, credentials("bob", testPassword), token.Request{})
	w.do(err)
	_, err = c.SetProperty(ctx, bob.AccessToken, name, "24h")
	wantKind(t, err, token.ErrDenied, "who is no admin")
}
