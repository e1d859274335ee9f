package issuer_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// breakDown has nothing written down any more, which is known beforehand.
func (n *notes) breakDown() { n.down, n.full = errors.New("disk full"), errors.New("disk full") }

func (n *notes) mend() { n.down, n.full = nil, nil }

func TestNothingIsUsedUpWhileNothingCanBeWrittenDown(t *testing.T) {
	base, n := newNotedWorld(t)
	w := newKeptWorld(t, base)
	w.addUser("marco")
	w.addUser("bob")
	kylo, err := w.issuer.Door(t.Context(), issuer.DoorConfig{Name: "ciphertrust", Issuer: "kylo", Format: issuer.FormatKylo(), Secret: token.NewSecret(seedSecret), AccessTTL: 300})
	w.do(err)
	ats, row := w.loginRefresh("marco"), w.keep("bob", "app", "read")
	renewed, err := kylo.Login(t.Context(), credentials("marco", pass), token.Request{Refresh: true})
	w.do(err)
	code := w.code()
	_, ticket := w.allowed()
	uses := map[string]func() error{
		"refresh": func() error {
			_, err := w.door.Refresh(t.Context(), ats.RefreshToken, token.Request{})
			return err
		},
		"renewal without a grace": func() error {
			_, err := kylo.Refresh(t.Context(), renewed.RefreshToken, token.Request{})
			return err
		},
		"refresh of a row": func() error {
			_, err := w.awx.KeepAgain(t.Context(), row.Refresh, "app", "")
			return err
		},
		"code": func() error {
			_, err := w.redeemCode(code)
			return err
		},
		"code for a row": func() error {
			_, err := w.redeem(ticket)
			return err
		},
		"a user": func() error {
			return w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: "new"}, token.NewPassword(pass))
		},
		"a policy": func() error {
			_, err := w.issuer.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "p"})
			return err
		},
	}
	n.breakDown()
	for what, use := range uses {
		for range 3 {
			if err := use(); !errors.Is(err, token.ErrUnavailable) {
				t.Errorf("%s while nothing can be written: %v, want it unavailable", what, err)
			}
		}
	}
	w.clock.move(50 * time.Second) // longer than the grace, not than a code
	n.mend()
	for what, use := range uses {
		if err := use(); err != nil {
			t.Errorf("%s afterwards: %v", what, err)
		}
	}
}

func (w *keptWorld) redeemCode(code token.Secret) (token.Set, error) {
	return w.world.redeem(code, true)
}

func TestARevocationGoesOnWhileNothingCanBeWrittenDown(t *testing.T) {
	w, n := newNotedWorld(t)
	w.addUser("marco")
	one, all, reused := w.login("marco"), w.login("marco"), w.loginRefresh("marco")
	w.refresh(reused)
	n.breakDown()
	w.clock.move(time.Minute)
	if err := w.door.Revoke(t.Context(), one.AccessToken.Reveal()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a revocation: %v, want it unavailable", err)
	}
	w.wantAccess(one, token.ErrRevoked, "revoked")
	w.wantRefresh(reused, token.ErrUnavailable, "used twice")
	w.wantAccess(reused, token.ErrRevoked, "used twice")
	if err := w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "marco", true); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("disabled: %v, want it unavailable", err)
	}
	w.wantAccess(all, token.ErrRevoked, "disabled")
}

// In the moment in which the log breaks, what was used up is answered all the same.
func TestWhatIsUsedUpIsAnsweredWhenItIsWrittenDownLater(t *testing.T) {
	base, n := newNotedWorld(t)
	w := newKeptWorld(t, base)
	w.addUser("marco")
	w.addUser("bob")
	set, row, code := w.loginRefresh("marco"), w.keep("bob", "app", "read"), w.code()
	_, ticket := w.allowed()
	n.full = fmt.Errorf("%w: disk full", issuer.ErrUnwritten)
	if next, err := w.door.Refresh(t.Context(), set.RefreshToken, token.Request{}); err != nil || next.RefreshToken.IsZero() {
		t.Errorf("a refresh: %v", err)
	}
	if next, err := w.awx.KeepAgain(t.Context(), row.Refresh, "app", ""); err != nil || next.Refresh.IsZero() {
		t.Errorf("a refresh of a row: %v", err)
	}
	if next, err := w.redeemCode(code); err != nil || next.AccessToken.IsZero() {
		t.Errorf("a code: %v", err)
	}
	if next, err := w.redeem(ticket); err != nil || next.Access.IsZero() {
		t.Errorf("a code for a row: %v", err)
	}
	err := w.door.Revoke(t.Context(), set.AccessToken.Reveal())
	if !errors.Is(err, token.ErrUnavailable) || !strings.Contains(err.Error(), "it was done, but could not be written down") {
		t.Errorf("a revocation: %v, want it unavailable, and said that it was done", err)
	}
}

func TestARefusedRefreshIsWrittenDownWhereTheTokenWasMadeHere(t *testing.T) {
	base, n := newNotedWorld(t)
	w := newKeptWorld(t, base)
	w.addUser("marco")
	w.addUser("bob")
	revoked, late, row := w.loginRefresh("marco"), w.loginRefresh("marco"), w.keep("bob", "app", "read")
	w.do(w.door.Revoke(t.Context(), revoked.AccessToken.Reveal()))
	w.do(w.awx.EndFamily(t.Context(), row.AccessToken))
	n.names()
	w.wantRefresh(revoked, token.ErrRevoked, "revoked")
	if _, err := w.door.Renew(t.Context(), late.RefreshToken, issuer.Renewal{Client: "thief"}); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("another application: %v", err)
	}
	w.clock.move(31 * 24 * time.Hour)
	w.wantRefresh(late, token.ErrExpired, "expired")
	if _, err := w.awx.KeepAgain(t.Context(), row.Refresh, "app", ""); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("a row that is gone: %v", err)
	}
	var got []string
	for _, e := range n.events {
		got = append(got, strings.Join([]string{e.Name, e.Outcome, e.Reason, e.User, e.Client}, " "))
		if e.Login+e.Token == "" {
			t.Errorf("%+v: of which login?", e)
		}
	}
	if diff := cmp.Diff([]string{
		"token.refresh refused revoked marco ", "token.refresh refused unknown marco thief", "token.refresh refused expired marco ",
		"token.refresh refused unknown  app",
	}, got); diff != "" {
		t.Error(diff)
	}
	n.names()
	for _, junk := range []string{"", "x", revoked.RefreshToken.Reveal() + "x", "ats_rt_" + strings.Repeat("A", 75)} {
		_, _ = w.door.Refresh(t.Context(), token.NewSecret(junk), token.Request{})
	}
	if got := n.names(); len(got) != 0 {
		t.Errorf("of what was made up: %q", got)
	}
}

func TestALongValueIsRememberedUnderABoundedName(t *testing.T) {
	w := newWorld(t)
	var longest int
	w.hook.set(func(h *hooked) {
		h.onApply = func(commands []store.Command) error {
			for _, c := range commands {
				if o, ok := c.(store.Once); ok {
					longest = max(longest, len(o.Value))
				}
			}
			return nil
		}
	})
	until := w.clock.Now().Add(time.Hour).UnixMicro()
	for _, value := range []string{"assertion:app\x00short", "assertion:app\x00" + strings.Repeat("j", 4000), "assertion:app\x00" + strings.Repeat("j", 4001)} {
		if err := w.issuer.Once(t.Context(), value, until); err != nil {
			t.Errorf("%d bytes: %v", len(value), err)
		}
		if err := w.issuer.Once(t.Context(), value, until); !errors.Is(err, issuer.ErrReplayed) {
			t.Errorf("%d bytes again: %v", len(value), err)
		}
	}
	if longest == 0 || longest > 255 {
		t.Errorf("the store is given up to %d bytes, want 1 to 255", longest)
	}
	// One that was remembered before long ones were shortened is known.
	w.do(w.hook.Store.Apply(t.Context(), store.Once{Value: "proof:old", Until: until}))
	if err := w.issuer.Once(t.Context(), "proof:old", until); !errors.Is(err, issuer.ErrReplayed) {
		t.Errorf("one from before: %v", err)
	}
}
