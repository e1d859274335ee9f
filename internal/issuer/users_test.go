package issuer_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestNamesAndPasswordsOfNewUsersAreChecked(t *testing.T) {
	w := newWorld(t)
	w.do(w.open(func(c *issuer.Config, _ *issuer.DoorConfig) { c.MinPassword = 8 }))
	for _, c := range []struct{ name, pass, role string }{
		{"", pass, ""},
		{"a\nb", pass, ""},
		{"a\x00b", pass, ""},
		{"\xff", pass, ""},
		{strings.Repeat("a", 256), pass, ""},
		{"marco", "", ""},
		{"marco", "ööööööö", ""},
		{"marco", strings.Repeat("x", password.MaxLength+1), ""},
		{"marco", pass, "root"},
	} {
		u := store.User{Tenant: store.DefaultTenant, Name: c.name}
		if c.role != "" {
			u.Roles = []string{c.role}
		}
		if err := w.issuer.AddUser(t.Context(), u, token.NewPassword(c.pass)); err == nil || strings.Contains(err.Error(), c.pass) && c.pass != "" {
			t.Errorf("%.20q with %.10q: %v", c.name, c.pass, err)
		}
	}
	w.addUser("marco")
	err := w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: "marco"}, token.NewPassword(pass))
	if !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), `"marco"`) {
		t.Errorf("a name twice: %v", err)
	}
	for what, err := range map[string]error{
		"passwd":  w.issuer.SetPassword(t.Context(), store.DefaultTenant, "nobody", token.NewPassword(pass), false),
		"disable": w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "nobody", true),
		"delete":  w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "nobody"),
	} {
		if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `"nobody"`) {
			t.Errorf("%s of nobody: %v", what, err)
		}
	}
}

func TestAUserOfATenantThatIsNotThereIsRefused(t *testing.T) {
	w := newWorld(t)
	err := w.issuer.AddUser(t.Context(), store.User{Tenant: "nowhere", Name: "marco"}, token.NewPassword("s3cre7"))
	if err == nil || err.Error() != `no tenant "nowhere": not found` {
		t.Errorf("%v", err)
	}
}

func TestAPasswordCanBeChangedWithoutVoidingTokens(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.loginRefresh("marco")
	w.do(w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("another"), true))
	w.wantGood(set, "the token")
	w.refresh(set)
	if _, err := w.door.Login(t.Context(), credentials("marco", pass), token.Request{}); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
}

func TestChangesToOneUserAtOnceAreAllMade(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	var group sync.WaitGroup
	for i := range 16 {
		group.Go(func() {
			if err := w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword(fmt.Sprint("p", i)), false); err != nil {
				t.Error(err)
			}
		})
	}
	group.Go(func() { w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "marco", true)) })
	group.Wait()
	u, err := w.issuer.User(t.Context(), store.DefaultTenant, "marco")
	if err != nil || !u.Disabled {
		t.Errorf("the user is enabled: %+v, %v", u, err)
	}
}
