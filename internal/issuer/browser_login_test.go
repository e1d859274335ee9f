package issuer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (w *world) browser(name string) token.Secret {
	w.Helper()
	at, user, err := w.door.Authenticate(w.Context(), credentials(name, pass), "")
	w.do(err)
	cookie, err := w.door.NewBrowser(w.Context(), at, user, "Firefox")
	w.do(err)
	return cookie
}

func (w *world) wantBrowser(cookie token.Secret, kind error, what string) {
	w.Helper()
	if _, err := w.door.Browser(w.Context(), cookie); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func TestABrowserIsLoggedInForTenMinutesWithoutAVisitAndEightHoursWithThem(t *testing.T) {
	_, w := newDoors(t)
	before := w.clock.Now().UnixMicro()
	cookie := w.browser("marco")
	s, err := w.door.Browser(t.Context(), cookie)
	w.do(err)
	if s.Subject != "marco" || s.Device != "Firefox" || s.Door != issuer.DoorBrowser || s.AuthAt < before || s.AuthAt != s.CreatedAt {
		t.Errorf("%+v", s)
	}
	idle := w.browser("marco")
	w.clock.move(10*time.Minute - time.Second)
	w.wantBrowser(cookie, nil, "visited a second before it lay idle for too long")
	w.wantBrowser(idle, nil, "visited in time")
	for range 47 {
		w.clock.move(10*time.Minute - time.Second)
		w.wantBrowser(cookie, nil, "visited every ten minutes")
	}
	w.wantBrowser(idle, token.ErrExpired, "not visited for ten minutes")
	w.clock.move(8*time.Hour - 48*(10*time.Minute-time.Second) - time.Second)
	w.wantBrowser(cookie, nil, "a second before the end")
	w.clock.move(2 * time.Second)
	w.wantBrowser(cookie, token.ErrExpired, "a second after it")
	w.issuer.Purge(t.Context())
	w.wantBrowser(cookie, token.ErrUnknown, "when it has been forgotten")
}

func TestWhatVoidsAUsersTokensLogsTheBrowserOut(t *testing.T) {
	_, probe := newDoors(t)
	for void := range voids(probe) {
		if void == "application deleted" {
			continue
		}
		ats, w := newDoors(t)
		w.addUser("other")
		cookie, others := w.browser("marco"), w.browser("other")
		w.wantBrowser(cookie, nil, "before")
		w.do(voids(w)[void]())
		w.wantBrowser(cookie, token.ErrRevoked, void)
		if void != "revoke everything" {
			w.wantBrowser(others, nil, void+": another user's")
		}
		if void == "revoke-all" {
			w.wantBrowser(w.browser("marco"), nil, "a login afterwards")
		}
		after := ats.twin().standard()
		after.wantBrowser(cookie, token.ErrRevoked, void+", after a new start")
	}
}

func TestABrowserCanBeLoggedOutByItsOwnUserAlone(t *testing.T) {
	_, w := newDoors(t)
	w.addUser("mallory")
	cookie := w.browser("marco")
	s, err := w.door.Browser(t.Context(), cookie)
	w.do(err)
	for what, end := range map[string]func() error{
		"by another":    func() error { return w.door.EndLogin(t.Context(), "mallory", s.Accessor) },
		"of nothing":    func() error { return w.door.EndLogin(t.Context(), "marco", "") },
		"by the row ID": func() error { return w.door.EndLogin(t.Context(), "marco", string(s.ID[:])) },
	} {
		if err := end(); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%s: %v, want unknown", what, err)
		}
	}
	w.wantBrowser(cookie, nil, "so far")
	w.do(w.door.EndLogin(t.Context(), "marco", s.Accessor))
	w.wantBrowser(cookie, token.ErrRevoked, "logged out")
}

func TestACookieCannotBeMadeChangedOrTakenElsewhere(t *testing.T) {
	ats, w := newDoors(t)
	cookie := w.browser("marco")
	raw := cookie.Reveal()
	set := w.issue(identified())
	for what, other := range map[string]string{
		"empty": "", "one letter": raw[:30] + map[bool]string{true: "B", false: "A"}[raw[30] == 'A'] + raw[31:], "cut": raw[:len(raw)-1],
		"a line break": raw + "\r\n", "a code of the same login": "ats_ac_" + strings.TrimPrefix(raw, "ats_bs_"),
		"an access token": set.AccessToken.Reveal(), "a refresh token": set.RefreshToken.Reveal(),
		"a refresh token with its prefix": "ats_bs_" + strings.TrimPrefix(set.RefreshToken.Reveal(), "ats_rt_"),
		"another service's":               newDoorsOf(t).browser("marco").Reveal(),
	} {
		w.wantBrowser(token.NewSecret(other), token.ErrUnknown, what)
	}
	tenant := ats.standard(func(c *issuer.DoorConfig) { c.Tenant, c.Issuer = "other", "https://other.example.org" })
	tenant.wantBrowser(cookie, token.ErrUnknown, "at another tenant")
	w.wantBrowser(cookie, nil, "itself")
}

func newDoorsOf(t testing.TB) *world {
	_, w := newDoors(t)
	return w
}

func TestACookieIsNoToken(t *testing.T) {
	_, w := newDoors(t)
	cookie := w.browser("marco")
	if _, err := w.door.Inspect(t.Context(), cookie.Reveal()); err == nil {
		t.Error("it is inspected as a token")
	}
	if _, err := w.door.Renew(t.Context(), cookie, issuer.Renewal{}); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("it is refreshed: %v", err)
	}
	w.do(w.door.RevokeFor(t.Context(), "", cookie))
	w.wantBrowser(cookie, nil, "after it was sent to be revoked")
}

func TestLoginsAreThoseInForceAndNobodyElses(t *testing.T) {
	ats, w := newDoors(t)
	w.addUser("other")
	w.browser("other")
	w.browser("marco")
	atsLogin := ats.loginRefresh("marco")
	mine := w.issue(identified())
	ended := w.issue(identified())
	w.do(w.door.RevokeFor(t.Context(), "billing", ended.RefreshToken))
	short := w.issue(identified(func(o *issuer.Order) { o.RefreshTTL = 1 }))
	w.clock.move(2 * time.Second)
	w.wantRenewal(short, token.ErrExpired, "one that is over")
	list, more, err := w.door.Logins(t.Context(), "marco", store.ID{}, 10)
	w.do(err)
	doors := map[string]int{}
	for _, s := range list {
		doors[s.Door]++
	}
	if more || len(list) != 3 || doors["ats"] != 1 || doors["oauth2"] != 1 || doors[issuer.DoorBrowser] != 1 {
		t.Errorf("%v, more %t", doors, more)
	}
	for _, limit := range []int{1, 2} {
		if list, more, err := w.door.Logins(t.Context(), "marco", store.ID{}, limit); err != nil || len(list) != limit || !more {
			t.Errorf("%d of them: %d, more %t, %v", limit, len(list), more, err)
		}
	}
	if list, more, err := w.door.Logins(t.Context(), "marco", store.ID{}, 3); err != nil || len(list) != 3 || more {
		t.Errorf("exactly as many as there are: %d, more %t, %v", len(list), more, err)
	}
	for _, s := range list {
		w.do(w.door.EndLogin(t.Context(), "marco", s.ID))
	}
	ats.wantAccess(atsLogin, token.ErrRevoked, "the ats door's token when its login was ended")
	w.wantAccess(mine, token.ErrRevoked, "the application's token when its login was ended")
}

func TestAllLoginsAreFoundBehindManyThatAreOver(t *testing.T) {
	_, w := newDoors(t)
	for range 1200 {
		w.issue(identified(func(o *issuer.Order) { o.RefreshTTL = 1 }))
	}
	w.clock.move(2 * time.Second)
	for range 3 {
		w.issue(identified())
	}
	if list, more, err := w.door.Logins(t.Context(), "marco", store.ID{}, 10); err != nil || len(list) != 3 || more {
		t.Errorf("%d, more %t, %v", len(list), more, err)
	}
}

func TestABrowserIsUnknownWhileNobodyCanSay(t *testing.T) {
	_, w := newDoors(t)
	cookie := w.browser("marco")
	w.hook.set(func(h *hooked) { h.broken = errDown })
	w.wantBrowser(cookie, token.ErrUnavailable, "while the store is down")
	user := store.User{Tenant: store.DefaultTenant, Name: "marco"}
	if _, err := w.door.NewBrowser(t.Context(), w.door.Tick(), user, ""); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a login meanwhile: %v", err)
	}
}

func TestAFormTokenIsOfOneCookie(t *testing.T) {
	_, w := newDoors(t)
	a, b := w.issuer.FormToken("a"), w.issuer.FormToken("b")
	if a == b || len(a) != 43 || a != w.issuer.FormToken("a") || a != w.twin().issuer.FormToken("a") || a == newDoorsOf(t).issuer.FormToken("a") {
		t.Error("form tokens are not those of cookie and service")
	}
}
