package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// book is an audit log in memory.
type book struct {
	mu     sync.Mutex
	events []AuditEvent
	full   bool
}

func (b *book) take(e AuditEvent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return errors.New("no space left on device")
	}
	b.events = append(b.events, e)
	return nil
}

func (b *book) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

// find returns the events of a name and an outcome at a door.
func (b *book) find(name, outcome, door string) (list []AuditEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.events {
		if e.Event == name && e.Outcome == outcome && e.Door == door {
			list = append(list, e)
		}
	}
	return list
}

func newAudited(t testing.TB, options ...func(*Config)) (*walker, *book) {
	b := &book{}
	w := newWorld(t, append([]func(*Config){withDialects(Dialects()...), func(c *Config) { c.Audit = b.take }}, options...)...)
	return newWalker(w), b
}

func TestEveryDoorsEventsAreInTheAuditLog(t *testing.T) {
	k, b := newAudited(t)
	k.all()
	for door, names := range map[string][]string{
		"ats":         {"login", "token.issue", "token.refresh", "login.revoke", "revoke.all"},
		"oauth2":      {"login", "token.issue", "token.refresh", "login.revoke"},
		"tapis":       {"login", "token.issue", "token.refresh", "token.revoke"},
		"ciphertrust": {"login", "token.issue", "token.refresh", "login.revoke"},
		"awx":         {"login", "token.issue", "token.revoke"},
		"wazo":        {"login", "token.issue", "token.refresh", "login.revoke"},
	} {
		for _, name := range names {
			list := b.find(name, "success", door)
			if len(list) == 0 {
				t.Errorf("%s: no %s", door, name)
				continue
			}
			if e := list[0]; e.Source != "127.0.0.1" || e.RequestID == "" || e.By+e.ByService == "" && e.Client == "" {
				t.Errorf("%s: %s by %q%q from %q, request %q", door, name, e.By, e.ByService, e.Source, e.RequestID)
			}
		}
		refused := b.find("login", "refused", door)
		if len(refused) == 0 || refused[0].By != "" || refused[0].User+refused[0].Service == "" {
			t.Errorf("%s: refused logins %+v, want one of a user that nobody has proved to be", door, refused)
		}
	}
}

func TestTheAuditLogHoldsNoSecret(t *testing.T) {
	k, b := newAudited(t)
	k.all()
	text, err := json.Marshal(b.events)
	if err != nil {
		t.Fatal(err)
	}
	if len(k.secrets) < 20 || len(b.events) < 40 {
		t.Fatalf("%d secrets and %d events: the walk was too short", len(k.secrets), len(b.events))
	}
	for secret, what := range k.secrets {
		for _, where := range []struct{ name, text string }{{"the audit log", string(text)}, {"the log", k.log.String()}} {
			if strings.Contains(where.text, secret) {
				t.Errorf("%s holds %s: %q", where.name, what, secret)
			}
		}
	}
}

func TestWhoDoesItIsWhoProvedItFirst(t *testing.T) {
	k, b := newAudited(t)
	raw := k.step(200, "POST", "/user/login", `{"username":"root","password":"`+testPassword+`"}`).member(t, "token")
	k.step(204, "POST", "/user/logout_all", "", append(bearer(raw), "X-Auth-UserId", "marco", "X-Request-Id", "mine", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")...)
	list := b.find("revoke.all", "success", "ats")
	if len(list) != 1 {
		t.Fatalf("%+v, want one event", list)
	}
	if e := list[0]; e.By != "root" || e.User != "marco" || e.RequestID != "mine" || !strings.HasPrefix(e.Traceparent, "00-0af7") {
		t.Errorf("%+v, want root to have voided marco's tokens in the request mine", e)
	}
}

func TestAFullAuditLogRefusesUnlessItIsOptional(t *testing.T) {
	for _, c := range []struct {
		optional      bool
		login, logout int
	}{{false, http.StatusServiceUnavailable, http.StatusServiceUnavailable}, {true, http.StatusOK, http.StatusNoContent}} {
		k, b := newAudited(t, func(config *Config) { config.AuditOptional = c.optional })
		login := `{"username":"marco","password":"` + testPassword + `"}`
		raw := k.step(200, "POST", "/user/login", login).member(t, "token")
		b.setFull(true)
		a := k.step(c.login, "POST", "/user/login", login)
		if got := strings.Contains(a.body, "eyJ"); got != c.optional {
			t.Errorf("optional %t: a token is told: %t", c.optional, got)
		}
		k.step(c.logout, "POST", "/user/logout", "", bearer(raw)...)
		k.wantCheck(raw, http.StatusUnauthorized, "the token afterwards")
		b.setFull(false)
		k.step(200, "POST", "/user/login", login)
		if n := k.server.Stats().AuditErrors; n == 0 {
			t.Error("no audit error is counted")
		}
		broken, again := k.log.lines(t, "the audit log cannot be written"), k.log.lines(t, "the audit log is written again")
		if len(broken) != 1 || len(again) != 1 {
			t.Errorf("optional %t: the log tells %d times that it broke and %d times that it works, want once each", c.optional, len(broken), len(again))
		}
	}
}

func TestCountsAreByDoorAndClass(t *testing.T) {
	k, _ := newAudited(t)
	k.all()
	doors := map[string]DoorStats{}
	for _, d := range k.server.Stats().Doors {
		doors[d.Name] = d
	}
	for _, name := range Dialects() {
		d := doors[name]
		if d.Requests[0].Count == 0 || d.Requests[2].Count == 0 || d.Requests[3].Count != 0 {
			t.Errorf("%s: %d good requests, %d refused, %d failed", name, d.Requests[0].Count, d.Requests[2].Count, d.Requests[3].Count)
		}
		if d.Logins["success"] == 0 || d.Logins["refused"] == 0 || d.Tokens["issued"] == 0 {
			t.Errorf("%s: logins %v, tokens %v", name, d.Logins, d.Tokens)
		}
	}
	if got := doors["ats"].Logins; got["success"] != 2 || got["refused"] != 2 {
		t.Errorf("logins at the ats door %v, want 2 right and 2 wrong", got)
	}
	core := k.server.Stats().Core
	if core.Hashing.Hashes == 0 || core.Revocations["session"] == 0 || core.ViewAge < 0 {
		t.Errorf("the core: %+v", core)
	}
}
