package issuer_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestATokenIsOneThingWhateverDoorItIsTakenTo(t *testing.T) {
	for _, c := range []struct {
		what   string
		revoke func(here, there *world, set token.Set) error
	}{
		{"at the other door", func(_, there *world, set token.Set) error {
			return there.door.Revoke(t.Context(), set.AccessToken.Reveal())
		}},
		{"at its own door", func(here, _ *world, set token.Set) error {
			return here.door.Revoke(t.Context(), set.AccessToken.Reveal())
		}},
		{"by revoke-all with it at the other door", func(_, there *world, set token.Set) error {
			return there.door.RevokeAll(t.Context(), set.AccessToken.Reveal(), "")
		}},
	} {
		for _, own := range []string{"ats", "oauth2"} {
			what := "a token of the " + own + " door revoked " + c.what
			ats, standard := newDoors(t)
			here, there, set := ats, standard, token.Set{}
			if own == "ats" {
				set = ats.loginRefresh("marco")
			} else {
				here, there = standard, ats
				set = standard.issue(issuer.Order{Subject: "marco", Client: "billing", Scope: "account", Refresh: true})
			}
			here.wantGood(set, what+": before")
			there.wantGood(set, what+": before, at the other door")
			if live := there.live(set); live.Door != here.door || live.Subject() != "marco" {
				t.Errorf("%s: it is said to be of the %s door", what, live.Door.Name)
			}
			there.wantRefresh(set, token.ErrUnknown, what+": a refresh at the other door")
			if err := c.revoke(here, there, set); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			here.wantAccess(set, token.ErrRevoked, what)
			there.wantAccess(set, token.ErrRevoked, what+", at the other door")
			if _, err := here.door.LiveRefresh(t.Context(), set.RefreshToken); !errors.Is(err, token.ErrRevoked) {
				t.Errorf("%s: its refresh token: %v", what, err)
			}
		}
	}
}

func TestATokenOfAnotherTenantIsOfNoDoorHere(t *testing.T) {
	ats, w := newDoors(t)
	other := ats.standard(func(c *issuer.DoorConfig) { c.Tenant, c.Issuer = "other", "https://other.example.org" })
	set := other.issue(identified())
	for name, here := range map[string]*world{"ats": ats, "oauth2": w} {
		if err := here.inspect(set); err == nil || errors.Is(err, token.ErrUnavailable) {
			t.Errorf("at the %s door: %v", name, err)
		}
		w.do(here.door.RevokeFor(t.Context(), "billing", set.AccessToken))
		w.do(here.door.RevokeFor(t.Context(), "billing", set.RefreshToken))
	}
	other.wantGood(set, "at its own door, afterwards")
}

func TestAnApplicationEndsAllLoginsOnlyWhereTheUserLetIt(t *testing.T) {
	for scope, allowed := range map[string]bool{"account": true, "read account": true, "": false, "read": false, "accounts": false, "Account": false} {
		ats, w := newDoors(t)
		bystander := ats.login("marco")
		set := w.issue(issuer.Order{Subject: "marco", Client: "billing", Scope: scope})
		for name, here := range map[string]*world{"ats": ats, "oauth2": w} {
			err := here.door.RevokeAll(t.Context(), set.AccessToken.Reveal(), "")
			if allowed {
				if err != nil {
					t.Errorf("scope %q: %v", scope, err)
				}
				ats.wantAccess(bystander, token.ErrRevoked, "the user's other token")
				break
			}
			if !errors.Is(err, token.ErrDenied) {
				t.Errorf("scope %q at the %s door: %v, want denied", scope, name, err)
			}
			ats.wantGood(bystander, "the user's other token")
			w.wantGood(set, "the application's own token")
		}
	}
}

func TestAnAdminsApplicationActsForOthersOnlyWithTheScope(t *testing.T) {
	ats, w := newDoors(t)
	w.addUser("ada", store.RoleAdmin)
	victim := ats.login("marco")
	for what, c := range map[string]struct {
		order issuer.Order
		user  string
		want  error
	}{
		"without the scope":         {issuer.Order{Subject: "ada", Client: "billing", Scope: "read"}, "marco", token.ErrDenied},
		"of no admin":               {issuer.Order{Subject: "nobody", Client: "billing", Scope: "account"}, "marco", token.ErrDenied},
		"for nobody":                {issuer.Order{Subject: "ada", Client: "billing", Scope: "account"}, "who", token.ErrDenied},
		"an application for itself": {issuer.Order{Subject: "billing", Client: "billing", Scope: "account"}, "marco", token.ErrDenied},
	} {
		if err := w.door.RevokeAll(t.Context(), w.issue(c.order).AccessToken.Reveal(), c.user); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		ats.wantGood(victim, what)
	}
	set := w.issue(issuer.Order{Subject: "ada", Client: "billing", Scope: "account"})
	w.do(w.door.RevokeAll(t.Context(), set.AccessToken.Reveal(), "marco"))
	ats.wantAccess(victim, token.ErrRevoked, "the user's token")
	w.wantGood(set, "the admin's own")
}

func TestABoundTokenRulesNothingAsAPlainBearer(t *testing.T) {
	ats, w := newDoors(t)
	set := w.issue(issuer.Order{Subject: "marco", Client: "billing", Scope: "account", Thumbprint: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})
	for name, here := range map[string]*world{"ats": ats, "oauth2": w} {
		if err := here.door.RevokeAll(t.Context(), set.AccessToken.Reveal(), ""); !errors.Is(err, token.ErrClaims) {
			t.Errorf("at the %s door: %v, want its claims refused", name, err)
		}
	}
	w.wantGood(set, "the token")
	// Whoever has held the proof against it may act by it.
	w.do(w.door.RevokeAllFor(t.Context(), w.live(set), ""))
	w.wantAccess(set, token.ErrRevoked, "afterwards")
}

func TestABoundRefreshTokenIsOfNoUseWithoutItsKey(t *testing.T) {
	_, w := newDoors(t)
	bound := w.issue(issuer.Order{Subject: "marco", Client: "native", Refresh: true, Thumbprint: "key", BindRefresh: true})
	for _, print := range []string{"", "other", "KEY"} {
		_, err := w.door.Renew(t.Context(), bound.RefreshToken, issuer.Renewal{Client: "native", Thumbprint: print})
		if !errors.Is(err, token.ErrUnknown) {
			t.Errorf("with the key %q: %v, want unknown", print, err)
		}
	}
	next, err := w.door.Renew(t.Context(), bound.RefreshToken, issuer.Renewal{Client: "native", Thumbprint: "key"})
	w.do(err)
	if next.TokenType != "DPoP" || w.live(next).Thumbprint() != "key" {
		t.Error("the next token is not bound")
	}
	free := w.issue(issuer.Order{Subject: "marco", Client: "billing", Refresh: true, Thumbprint: "key"})
	if next, err = w.door.Renew(t.Context(), free.RefreshToken, issuer.Renewal{Client: "billing", Thumbprint: "another"}); err != nil || w.live(next).Thumbprint() != "another" {
		t.Errorf("one that is not bound, with another key: %v", err)
	}
}

func TestARefreshTokenIsOfOneApplicationAndNarrowsOnly(t *testing.T) {
	_, w := newDoors(t)
	set := w.issue(issuer.Order{Subject: "marco", Client: "billing", Scope: "read write", Audience: []string{"https://a.example.org", "https://b.example.org"}, Refresh: true})
	for what, c := range map[string]struct {
		want issuer.Renewal
		kind error
	}{
		"another application's": {issuer.Renewal{Client: "other"}, token.ErrUnknown},
		"nobody's":              {issuer.Renewal{}, token.ErrUnknown},
		"a wider scope":         {issuer.Renewal{Client: "billing", Scope: "read admin"}, issuer.ErrScope},
		"another audience":      {issuer.Renewal{Client: "billing", Audience: []string{"https://c.example.org"}}, issuer.ErrTarget},
	} {
		if _, err := w.door.Renew(t.Context(), set.RefreshToken, c.want); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v, want %v", what, err, c.kind)
		}
	}
	less, err := w.door.Renew(t.Context(), set.RefreshToken, issuer.Renewal{Client: "billing", Scope: "read", Audience: []string{"https://b.example.org"}})
	w.do(err)
	if got := part(t, less.AccessToken, 1); got["scope"] != "read" || got["aud"] != "https://b.example.org" {
		t.Errorf("narrowed: %v", got)
	}
	whole, err := w.door.Renew(t.Context(), less.RefreshToken, issuer.Renewal{Client: "billing"})
	w.do(err)
	if got := part(t, whole.AccessToken, 1); got["scope"] != "read write" || fmt.Sprint(got["aud"]) != "[https://a.example.org https://b.example.org]" {
		t.Errorf("a later one: %v, want all that was granted", got)
	}
}

func TestARevocationOfWhatIsAnotherApplicationsChangesNothingAndSaysNothing(t *testing.T) {
	ats, w := newDoors(t)
	theirs, free := w.issue(identified()), ats.loginRefresh("marco")
	old := theirs.RefreshToken
	theirs.RefreshToken = w.renewed(theirs).RefreshToken
	for _, client := range []string{"other", ""} {
		for what, raw := range map[string]token.Secret{
			"an access token": theirs.AccessToken, "a refresh token": theirs.RefreshToken, "a used refresh token": old, "nothing": {},
			"garbage": token.NewSecret("garbage"), "a login of nobody's": free.AccessToken, "its refresh token": free.RefreshToken,
		} {
			if client == "" && (raw == free.AccessToken || raw == free.RefreshToken) {
				continue // those are of no application
			}
			if err := w.door.RevokeFor(t.Context(), client, raw); err != nil {
				t.Errorf("%q, %s: %v", client, what, err)
			}
		}
	}
	w.wantGood(theirs, "the access token")
	ats.wantGood(free, "the ats door's token")
	if _, err := w.door.LiveRefresh(t.Context(), theirs.RefreshToken); err != nil {
		t.Errorf("the refresh token: %v", err)
	}
	w.hook.set(func(h *hooked) { h.broken = errDown })
	if err := w.door.RevokeFor(t.Context(), "billing", theirs.RefreshToken); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("while the store is down: %v", err)
	}
}

func (w *world) renewed(set token.Set) token.Set {
	w.Helper()
	next, err := w.door.Renew(w.Context(), set.RefreshToken, issuer.Renewal{Client: "billing"})
	w.do(err)
	return next
}

func TestARevocationOfAnyTokenOfALoginEndsTheLogin(t *testing.T) {
	for what, pick := range map[string]func(first, second token.Set) token.Secret{
		"the refresh token":     func(_, second token.Set) token.Secret { return second.RefreshToken },
		"a used refresh token":  func(first, _ token.Set) token.Secret { return first.RefreshToken },
		"the access token":      func(_, second token.Set) token.Secret { return second.AccessToken },
		"an older access token": func(first, _ token.Set) token.Secret { return first.AccessToken },
	} {
		_, w := newDoors(t)
		first := w.issue(identified())
		w.clock.move(time.Minute)
		second, other := w.renewed(first), w.issue(identified())
		w.do(w.door.RevokeFor(t.Context(), "billing", pick(first, second)))
		w.wantAccess(first, token.ErrRevoked, what+": the first access token")
		w.wantAccess(second, token.ErrRevoked, what+": the second one")
		w.wantRenewal(second, token.ErrRevoked, what+": the refresh token")
		w.wantGood(other, what+": another login of the same user at the same application")
		w.do(w.door.RevokeFor(t.Context(), "billing", pick(first, second))) // once more is no error
	}
}
