package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// spending are uses of what can be used once, one at each door that has it; each is
// made anew, and wants a status.
func (k *walker) spending() map[string]func(status int) {
	by := append(basicAuth(k.app.ID, k.key), "Content-Type", "application/x-www-form-urlencoded")
	ats := k.step(200, "POST", "/user/login", `{"username":"marco","password":"`+testPassword+`","refresh":true}`).member(k, "refresh_token")
	password := url.Values{"grant_type": {"password"}, "username": {"marco"}, "password": {testPassword}, "scope": {"read"}}
	oauth2 := k.step(200, "POST", "/oauth2/token", password.Encode(), by...).member(k, "refresh_token")
	kylo := k.step(200, "POST", kyloTokens, fmt.Sprintf(`{"username":"marco","password":%q}`, testPassword)).member(k, "refresh_token")
	return map[string]func(int){
		"ats": func(status int) { k.step(status, "POST", "/user/refresh", `{"refresh_token":"`+ats+`"}`) },
		"oauth2": func(status int) {
			k.step(status, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {oauth2}}.Encode(), by...)
		},
		"ciphertrust": func(status int) {
			k.step(status, "POST", kyloTokens, fmt.Sprintf(`{"grant_type":"refresh_token","refresh_token":%q,"renew_refresh_token":true}`, kylo))
		},
	}
}

func TestAnAuditLogThatCannotBeWrittenForAWhileLogsNobodyOut(t *testing.T) {
	clock := time.Now()
	k, b := newAudited(t, func(c *Config) { c.Now = func() time.Time { return clock } })
	uses := k.spending()
	b.setFull(true)
	k.step(503, "POST", "/user/login", `{"username":"marco","password":"`+testPassword+`"}`)
	for range 3 {
		for _, use := range uses {
			use(503)
		}
	}
	clock = clock.Add(time.Minute) // longer than the grace
	b.setFull(false)
	for _, use := range uses {
		use(200)
	}
}

func TestTheMomentInWhichTheAuditLogBreaksLogsNobodyOut(t *testing.T) {
	for _, door := range []string{"ats", "oauth2", "ciphertrust"} {
		k, b := newAudited(t)
		uses := k.spending()
		before := len(b.find("token.refresh", "success", door))
		b.setFull(true)
		uses[door](200) // nobody knew yet
		for name, use := range uses {
			if name != door {
				use(503)
			}
		}
		b.setFull(false)
		k.step(200, "POST", "/user/login", `{"username":"marco","password":"`+testPassword+`"}`)
		if n := len(b.find("token.refresh", "success", door)) - before; n != 1 {
			t.Errorf("%s: the refresh is written %d times afterwards, want once", door, n)
		}
	}
}

func TestWhatWasRevokedWhileTheAuditLogFailedIsWrittenAfterwardsInOrder(t *testing.T) {
	k, b := newAudited(t)
	login := `{"username":"marco","password":"` + testPassword + `"}`
	one, two := k.step(200, "POST", "/user/login", login).member(k, "token"), k.step(200, "POST", "/user/login", login).member(k, "token")
	b.setFull(true)
	k.step(503, "POST", "/user/logout", "", bearer(one)...)
	for range 5 {
		k.step(401, "POST", "/user/login", `{"username":"root","password":"`+wrongPassword+`"}`)
	}
	k.step(503, "POST", "/user/logout_all", "", bearer(two)...)
	b.setFull(false)
	b.events = nil
	k.step(200, "POST", "/user/login", login)
	var names []string
	for _, e := range b.events {
		names = append(names, e.Event)
	}
	if len(names) < 3 || names[0] != "login.revoke" || !slices.Contains(names, "revoke.all") || !slices.Contains(names, "login") {
		t.Errorf("afterwards %q, want both revocations and then the login", names)
	}
}

func TestAFloodOfWhatIsRefusedDoesNotFillTheAuditLog(t *testing.T) {
	clock := time.Now()
	var lines []AuditEvent
	r := &recorder{counts: newCounts(), config: Config{
		Now:   func() time.Time { return clock },
		Audit: func(e AuditEvent) error { lines = append(lines, e); return nil },
	}}
	for _, c := range []struct {
		event issuer.Event
		bound bool
	}{
		{issuer.Event{Name: issuer.EventLogin, Outcome: issuer.OutcomeThrottled}, true},
		{issuer.Event{Name: issuer.EventRefresh, Outcome: issuer.OutcomeRefused}, true},
		{issuer.Event{Name: issuer.EventLogin, Outcome: issuer.OutcomeRefused}, false},
		{issuer.Event{Name: issuer.EventReuse, Outcome: issuer.OutcomeRefused}, false},
		{issuer.Event{Name: issuer.EventRefresh, Outcome: issuer.OutcomeSuccess}, false},
	} {
		lines = nil
		for range 1000 {
			if err := r.Record(t.Context(), c.event); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(lines); c.bound && n != sparingBurst || !c.bound && n != 1000 {
			t.Errorf("%s %s: %d lines", c.event.Name, c.event.Outcome, n)
		}
		clock = clock.Add(time.Second)
		if !c.bound {
			continue
		}
		for range 100 {
			_ = r.Record(t.Context(), c.event)
		}
		if n := len(lines) - sparingBurst; n != sparingRate || lines[sparingBurst].Omitted != 1000-sparingBurst {
			t.Errorf("%s: a second later %d lines, the first of which tells of %d", c.event.Name, n, lines[sparingBurst].Omitted)
		}
	}
}

func TestWhoIsKnownAndMayNotIsInTheAuditLog(t *testing.T) {
	k, b := newAudited(t)
	raw := k.step(200, "POST", "/user/login", `{"username":"marco","password":"`+testPassword+`"}`).member(t, "token")
	k.step(403, "POST", "/user/logout_all", "", append(bearer(raw), "X-Auth-UserId", "root")...)
	list := b.find("denied", "refused", "ats")
	if len(list) != 1 || list[0].By != "marco" || list[0].Target != "POST /user/logout_all" || list[0].Source == "" || list[0].RequestID == "" {
		t.Errorf("%+v, want marco to have been denied", list)
	}
	k.step(401, "POST", "/user/logout_all", "", append(bearer("x"), "X-Auth-UserId", "root")...)
	if n := len(b.find("denied", "refused", "ats")); n != 1 {
		t.Errorf("%d events, want none of somebody who is not known", n-1)
	}
}

func TestARefreshThatIsRefusedIsInTheAuditLogAndIsNoRefresh(t *testing.T) {
	k, b := newAudited(t)
	a := k.step(200, "POST", "/user/login", `{"username":"marco","password":"`+testPassword+`","refresh":true}`)
	k.step(204, "POST", "/user/logout", "", bearer(a.member(t, "token"))...)
	k.step(401, "POST", "/user/refresh", `{"refresh_token":"`+a.member(t, "refresh_token")+`"}`)
	k.step(401, "POST", "/user/refresh", `{"refresh_token":"made up"}`)
	list := b.find("token.refresh", "refused", "ats")
	if len(list) != 1 || list[0].Reason != "revoked" || list[0].User != "marco" || list[0].By != "" || list[0].Login == "" {
		t.Errorf("%+v, want one of marco's login, by nobody who is known", list)
	}
	for _, d := range k.server.Stats().Doors {
		if d.Name == "ats" && d.Tokens["refreshed"] != 0 {
			t.Errorf("%d refreshes are counted", d.Tokens["refreshed"])
		}
	}
}

func TestTheFeedIsCountedByItself(t *testing.T) {
	k, _ := newAudited(t)
	app, secret, err := k.server.AddApplication(t.Context(), store.Application{
		Name: "Verifier", Grants: []string{"client_credentials"}, Scopes: []string{issuer.ScopeRevocations},
	})
	k.do(err)
	by := append(basicAuth(app.ID, secret.Reveal()), "Content-Type", "application/x-www-form-urlencoded")
	raw := k.step(200, "POST", "/oauth2/token", "grant_type=client_credentials&scope=revocations", by...).member(t, "access_token")
	count := func() map[string]uint64 {
		all := map[string]uint64{}
		for _, d := range k.server.Stats().Doors {
			for _, class := range d.Requests {
				all[d.Name] += class.Count
			}
		}
		return all
	}
	before := count()
	k.step(200, "GET", "/v1/revocations", "", bearer(raw)...)
	after := count()
	if after["feed"] != before["feed"]+1 || after["oauth2"] != before["oauth2"] {
		t.Errorf("before %v, after %v: want one more at the feed alone", before, after)
	}
	closed := newWorld(t, withDialects("ats"))
	for _, d := range closed.server.Stats().Doors {
		if d.Name == "feed" {
			t.Error("without the oauth2 door there is no feed")
		}
	}
}

func TestAServerThatStopsTellsHowManyEventsAreLost(t *testing.T) {
	var log bytes.Buffer
	k, b := newAudited(t, func(c *Config) { c.Log = slog.New(slog.NewJSONHandler(&log, nil)) })
	told := func() bool { return strings.Contains(log.String(), "events are missing in the audit log") }
	if k.server.Settle(); told() {
		t.Errorf("nothing is owed, and the log says %s", &log)
	}
	one := k.step(200, "POST", "/user/login", `{"username":"marco","password":"`+testPassword+`"}`).member(k, "token")
	b.setFull(true)
	k.step(503, "POST", "/user/logout", "", bearer(one)...)
	if k.server.Settle(); !told() || !strings.Contains(log.String(), `"level":"ERROR"`) || !strings.Contains(log.String(), `"events":1}`) {
		t.Errorf("the log says %s", &log)
	}
	log.Reset()
	b.setFull(false)
	if k.server.Settle(); told() || len(b.find("login.revoke", "success", "ats")) != 1 {
		t.Errorf("the log can be written, and says %s", &log)
	}
}
