package door_test

import (
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
)

const maximum = ciphertrust.PathProperties + "/MAXIMUM_REFRESH_TOKEN_LIFETIME"

func TestTheMaximumClampsRefreshTokensThatWereIssuedAlready(t *testing.T) {
	w := newWorld(t)
	jwt := w.login("admin", "").text(t, "jwt")
	endless, short := w.login("bob", ""), w.login("bob", `,"refresh_token_lifetime":30`)
	w.clock.move(time.Minute)
	w.want(w.send("PATCH", maximum, `{"value":"90m"}`, bearer(jwt)...), 200, "", "set")
	if left := w.refresh(endless.text(t, "refresh_token"), "").member(t, "refresh_token_expires_in"); left != 5340.0 {
		t.Errorf("the endless one has %v s left, want 5340", left)
	}
	if left := w.refresh(short.text(t, "refresh_token"), "").member(t, "refresh_token_expires_in"); left != 1740.0 {
		t.Errorf("the short one has %v s left, want 1740", left)
	}
	if left := w.login("bob", `,"refresh_token_lifetime":100000`).member(t, "refresh_token_expires_in"); left != 5400.0 {
		t.Errorf("a new one has %v s left, want 5400", left)
	}
	w.clock.move(89*time.Minute + time.Second)
	w.want(w.refresh(endless.text(t, "refresh_token"), ""), 401, ciphertrust.MessageExpired, "the endless one, after 90 minutes")

	admin := w.login("admin", "").text(t, "jwt")
	w.want(w.send("POST", maximum+"/reset", "", bearer(admin)...), 200, "", "reset")
	w.want(w.refresh(endless.text(t, "refresh_token"), ""), 200, "", "the endless one, without a maximum")
}

func TestAPropertyTakesEveryFormOfALifetime(t *testing.T) {
	w := newWorld(t)
	jwt := w.login("admin", "").text(t, "jwt")
	for _, c := range []struct {
		body    string
		status  int
		value   string
		seconds float64
	}{
		{`{"value":"24h"}`, 200, "24h", 86400},
		{`{"value":"30d"}`, 200, "30d", 30 * 86400},
		{`{"value":"90m"}`, 200, "90m", 5400},
		{`{"value":"3600"}`, 200, "3600", 3600},
		{`{"value":3600}`, 200, "3600", 3600},
		{`{"value":"soon"}`, 400, "", 0},
		{`{"value":"0"}`, 400, "", 0},
		{`{"value":"-1h"}`, 400, "", 0},
		{`{"value":"1.5h"}`, 400, "", 0},
		{`{"value":"99999999999999999999d"}`, 400, "", 0},
		{`{"value":true}`, 400, "", 0},
		{`{"value":["24h"]}`, 400, "", 0},
		{`{"value":null}`, 400, "", 0},
		{`{}`, 400, "", 0},
		{`{"value":""}`, 200, "", 0},
	} {
		a := w.send("PATCH", maximum, c.body, bearer(jwt)...)
		w.want(a, c.status, "", c.body)
		if c.status != 200 {
			continue
		}
		if shown := w.send("GET", maximum, "", bearer(jwt)...); shown.text(t, "value") != c.value || shown.text(t, "description") == "" {
			t.Errorf("%s: %s", c.body, shown.body)
		}
		got, _ := w.login("bob", "").member(t, "refresh_token_expires_in").(float64)
		if got != c.seconds {
			t.Errorf("%s: a refresh token lives for %v s, want %v", c.body, got, c.seconds)
		}
	}
}

func TestOnlyAnAdminSeesAndChangesProperties(t *testing.T) {
	w := newWorld(t)
	bob, admin := w.login("bob", "").text(t, "jwt"), w.login("admin", "").text(t, "jwt")
	for _, c := range [][3]string{
		{"GET", ciphertrust.PathProperties, ""}, {"GET", maximum, ""}, {"PATCH", maximum, `{"value":"1h"}`}, {"POST", maximum + "/reset", ""},
	} {
		w.want(w.send(c[0], c[1], c[2]), 401, ciphertrust.MessageInvalid, "nobody: "+c[0]+" "+c[1])
		w.want(w.send(c[0], c[1], c[2], bearer(bob)...), 403, "", "bob: "+c[0]+" "+c[1])
		w.want(w.send(c[0], c[1], c[2], bearer(admin)...), 200, "", "the admin: "+c[0]+" "+c[1])
	}
	for _, c := range [][3]string{{"GET", "/X", ""}, {"PATCH", "/X", `{"value":"1h"}`}, {"POST", "/X/reset", ""}} {
		a := w.send(c[0], ciphertrust.PathProperties+c[1], c[2], bearer(admin)...)
		w.want(a, 404, `property "X": not found: there is ACCESS_TOKEN_EXPIRE_SECONDS, AUTHORIZATION_CODE_EXPIRE_SECONDS, MAXIMUM_REFRESH_TOKEN_LIFETIME`, "an unknown name")
	}
	list := w.send("GET", ciphertrust.PathProperties+"/", "", bearer(admin)...)
	if list.member(t, "total") != 3.0 {
		t.Errorf("list %s", list.body)
	}
}
