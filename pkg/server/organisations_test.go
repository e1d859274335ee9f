package server

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAPersonalTokenIsItsUsersAndGoesWithThem(t *testing.T) {
	w := newWorld(t, withDialects("awx"))
	w.addUser("marco", store.RoleAdmin)
	create := func(scope string) []string {
		t.Helper()
		value, err := w.server.CreatePersonalToken(t.Context(), "", "marco", scope, "for the dashboard")
		w.do(err)
		if !regexp.MustCompile(`^[0-9A-Za-z]{30}$`).MatchString(value.Reveal()) {
			t.Errorf("the value is %q", value.Reveal())
		}
		return []string{"Authorization", "Bearer " + value.Reveal(), "Content-Type", "application/json"}
	}
	reads, writes := create("read"), create("write")
	for _, bearer := range [][]string{reads, writes} {
		me := w.send("GET", "/api/v2/me/", "", bearer...)
		w.want(me, 200, "me")
		if !strings.Contains(me.body, `"username":"marco"`) {
			t.Errorf("me is %s", me.body)
		}
	}
	list := w.send("GET", "/api/v2/tokens/", "", reads...)
	if strings.Count(list.body, `"description":"for the dashboard"`) != 2 || strings.Contains(list.body, strings.Fields(reads[1])[1]) {
		t.Errorf("the tokens are %s", list.body)
	}
	w.want(w.post("/api/v2/tokens/", "{}", reads...), 403, "a token made with the scope read")
	w.want(w.post("/api/v2/tokens/", "{}", writes...), 201, "a token made with the scope write")
	w.do(w.server.RevokeUser(t.Context(), "", "marco"))
	for _, bearer := range [][]string{reads, writes} {
		w.want(w.send("GET", "/api/v2/me/", "", bearer...), 401, "me, revoked")
	}
	w.want(w.send("GET", "/api/v2/me/", "", create("write")...), 200, "me with a new one")
	if strings.Contains(w.log.String(), strings.Fields(reads[1])[1]) {
		t.Error("the log holds the value of a token")
	}
}

func TestAPersonalTokenIsRefusedWithWhatIsWrong(t *testing.T) {
	w := newWorld(t, withDialects("oauth2", "awx"))
	w.addUser("marco")
	w.addUser("idle")
	w.do(w.server.SetDisabled(t.Context(), "", "idle", true))
	w.do(w.server.AddTenant(t.Context(), store.Tenant{Name: "dev"}))
	other := errors.New("another")
	for name, c := range map[string]struct {
		tenant, user, scope, description string
		kind                             error // other: neither of the two
		says                             string
	}{
		"no scope":               {"", "marco", "", "", ErrValue, `scope ""`},
		"a foreign scope":        {"", "marco", "read admin", "", ErrValue, `scope "read admin"`},
		"a scope twice":          {"", "marco", "read read", "", ErrValue, `scope "read read"`},
		"a long description":     {"", "marco", "read", strings.Repeat("é", 201), ErrValue, "description"},
		"a description in bytes": {"", "marco", "read", "\xff", ErrValue, "description"},
		"nobody":                 {"", "nina", "read", "", store.ErrNotFound, "nina"},
		"a disabled user":        {"", "idle", "read", "", other, "disabled"},
		"another tenant":         {"dev", "marco", "read", "", other, `"awx" does not serve a tenant "dev"`},
	} {
		value, err := w.server.CreatePersonalToken(t.Context(), c.tenant, c.user, c.scope, c.description)
		kind := other
		for _, k := range []error{ErrValue, store.ErrNotFound} {
			if errors.Is(err, k) {
				kind = k
			}
		}
		if err == nil || kind != c.kind || !strings.Contains(err.Error(), c.says) || !value.IsZero() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.server.CreatePersonalToken(t.Context(), "", "marco", "read write", strings.Repeat("é", 200)); err != nil {
		t.Errorf("what is possible: %v", err)
	}
	closed := newWorld(t, withDialects("oauth2"))
	closed.do(closed.server.AddUser(t.Context(), store.User{Name: "marco"}, token.NewPassword(testPassword)))
	if _, err := closed.server.CreatePersonalToken(t.Context(), "", "marco", "read", ""); err == nil || !strings.Contains(err.Error(), `"awx" is not open`) {
		t.Errorf("at a door that is not open: %v", err)
	}
}
