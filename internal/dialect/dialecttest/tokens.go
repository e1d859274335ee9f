package dialecttest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func refreshChecks() []check {
	return []check{
		{"a refresh token arrives, the new set comes back whole", refreshArrives},
		{"what is wished for arrives, or is unsupported", renewalWishesArrive},
		{"the logins come back whole", listArrives},
	}
}

// listArrives is for a dialect whose client is a dialect.Lister.
func listArrives(t *testing.T, w *world) {
	lister, ok := w.client.(dialect.Lister)
	if !ok {
		return
	}
	at := time.Unix(1446564493, 0)
	w.authority.logins = []token.Login{
		{ID: "one", Client: "app", Name: "The \"App\"", Door: "oauth2", Scope: "read write", CreatedAt: at, LastUsedAt: at.Add(time.Hour), ExpiresAt: at.Add(24 * time.Hour), Current: true},
		{ID: "two", CreatedAt: at},
	}
	got, err := lister.List(t.Context(), token.NewSecret(secrets[1]))
	w.authority.wantAsked(t, "List", secrets[1])
	if err != nil || !slices.EqualFunc(got, w.authority.logins, sameLogin) {
		t.Errorf("%+v, %v", got, err)
	}
}

func sameLogin(a, b token.Login) bool {
	times := a.CreatedAt.Equal(b.CreatedAt) && a.LastUsedAt.Equal(b.LastUsedAt) && a.ExpiresAt.Equal(b.ExpiresAt)
	a.CreatedAt, a.LastUsedAt, a.ExpiresAt = b.CreatedAt, b.LastUsedAt, b.ExpiresAt
	return times && reflect.DeepEqual(a, b)
}

func refreshArrives(t *testing.T, w *world) {
	if w.Cannot.Refresh {
		_, err := w.client.Refresh(t.Context(), refresh(), token.Request{})
		w.wantUnsupported(t, err)
		return
	}
	w.authority.set = wholeSet()
	for _, old := range []string{secrets[1], "A-Z_a-z.0~9+/=", strings.Repeat("r", 1000)} {
		got, err := w.client.Refresh(t.Context(), token.NewSecret(old), token.Request{})
		if err != nil {
			t.Errorf("refresh: %v", err)
		}
		w.authority.wantAsked(t, "Refresh", old)
		w.wantSet(t, got)
		if w.authority.want.Source != source {
			t.Errorf("a refresh came from %q, want %q", w.authority.want.Source, source)
		}
	}
}

func renewalWishesArrive(t *testing.T, w *world) {
	w.authority.set = wholeSet()
	for _, wish := range []struct {
		want   token.Request
		cannot bool
	}{
		{token.Request{TTL: 60}, w.Cannot.RenewTTL},
		{token.Request{RefreshTTL: 86400}, w.Cannot.RenewEnd},
		{token.Request{Scope: "read"}, w.Cannot.RenewScope},
	} {
		_, err := w.client.Refresh(t.Context(), refresh(), wish.want)
		if wish.cannot || w.Cannot.Refresh {
			w.wantUnsupported(t, err)
			continue
		}
		got := w.authority.want
		got.Source = ""
		w.authority.wantAsked(t, "Refresh", secrets[1])
		if err != nil || !reflect.DeepEqual(got, wish.want) {
			t.Errorf("%+v arrived as %+v, %v", wish.want, got, err)
		}
	}
}

func tokenChecks() []check {
	return []check{
		{"check returns the claims digit for digit", claimsComeBack},
		{"revoke names the token", revokeNames},
		{"revoking a void token is done, where the dialect says so", voidIsDone},
		{"revoke-all names the bearer and the right user", revokeAllNames},
	}
}

func claimsComeBack(t *testing.T, w *world) {
	if w.Cannot.Check {
		_, err := w.client.Check(t.Context(), access())
		w.wantUnsupported(t, err)
		return
	}
	claims, err := token.ParseClaims(`{"sub":"<mar\"co> & 馬","iss":"ats.auth","exp":1446568241.016732,"iat":1446564641.0,` +
		`"big":12345678901234567890123,"small":1E-7,"list":[1.50,{"b":2,"a":null}],"yes":true}`)
	if err != nil {
		t.Fatal(err)
	}
	w.authority.claims = claims
	got, err := w.client.Check(t.Context(), access())
	if err != nil {
		t.Fatal(err)
	}
	w.authority.wantAsked(t, "Inspect", secrets[2])
	if got.JSON() != claims.JSON() {
		t.Errorf("%s came back as %s", claims.JSON(), got.JSON())
	}
}

func revokeNames(t *testing.T, w *world) {
	err := w.client.Revoke(t.Context(), access())
	if w.Cannot.Revoke {
		w.wantUnsupported(t, err)
		return
	}
	if err != nil {
		t.Error(err)
	}
	w.authority.wantAsked(t, "Revoke", secrets[2])
}

func voidIsDone(t *testing.T, w *world) {
	if w.Cannot.Revoke {
		w.wantUnsupported(t, w.client.Revoke(t.Context(), access()))
		return
	}
	for _, void := range []error{token.ErrRevoked, token.ErrExpired, token.ErrUnknown} {
		w.authority.err = void
		err := w.client.Revoke(t.Context(), access())
		if w.VoidIsRefused {
			w.wantKind(t, "revoke", err, void)
		} else if err != nil {
			t.Errorf("a token that is void (%v): %v", void, err)
		}
	}
}

func revokeAllNames(t *testing.T, w *world) {
	err := w.client.RevokeAll(t.Context(), access(), "")
	if w.Cannot.RevokeAll {
		w.wantUnsupported(t, err)
		return
	}
	if err != nil {
		t.Error(err)
	}
	w.authority.wantAsked(t, "RevokeAll", secrets[2], "")
	for _, user := range oddTexts() {
		err := w.client.RevokeAll(t.Context(), access(), user)
		if w.Cannot.RevokeOthers {
			w.wantUnsupported(t, err)
			continue
		}
		if err != nil {
			t.Errorf("revoke-all of %q: %v", user, err)
		}
		w.authority.wantAsked(t, "RevokeAll", secrets[2], user)
	}
}
