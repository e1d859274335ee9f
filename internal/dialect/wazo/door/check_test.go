package door_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/dialect/wazo/door"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// both sends a question to HEAD and to GET, which must agree.
func (w *world) both(raw, query string) answer {
	w.Helper()
	head, get := w.send("HEAD", tokenPath(raw)+query, ""), w.send("GET", tokenPath(raw)+query, "")
	if status := get.status; head.status != status && !(head.status == 204 && status == 200) {
		w.Errorf("%s: HEAD %d, GET %d", query, head.status, status)
	}
	return get
}

func TestACheckGoesInOrder(t *testing.T) {
	w := newWorld(t)
	w.addUser("carol", "confd.*.read", "!confd.secrets.read", "calls.me", "auth.my_session.#")
	raw := w.login("carol")
	session := w.send("GET", tokenPath(raw), "").text(t, "session_uuid")
	tenant := w.door.TenantUUID()
	for _, c := range []struct {
		query  string
		status int
		reason string
	}{
		{"", 200, ""},
		{"?", 200, ""},
		{"?scope=confd.users.read", 200, ""},
		{"?scope=confd.secrets.read", 403, "Unauthorized for confd.secrets.read"},
		{"?scope=confd.users.lines.read", 403, "Unauthorized for confd.users.lines.read"},
		{"?scope=Confd.users.read", 403, "Unauthorized for Confd.users.read"},
		{"?scope=calls." + w.uuid("carol"), 200, ""},
		{"?scope=calls." + w.uuid("alice"), 403, "Unauthorized for calls." + w.uuid("alice")},
		{"?scope=auth." + session + ".x", 200, ""},
		{"?scope=confd.u%73ers%2Eread", 200, ""},
		{"?sc%6Fpe=nothing", 403, "Unauthorized for nothing"},
		{"?scope=", 403, "Unauthorized for "},
		{"?scope", 403, "Unauthorized for "},
		{"?scope=confd.users.read&scope=nothing", 200, ""},
		{"?scope=nothing&scope=confd.users.read", 403, "Unauthorized for nothing"},
		{"?a=1&&b&scope=nothing", 403, "Unauthorized for nothing"},
		{"?tenant=" + tenant, 200, ""},
		{"?tenant=", 200, ""},
		{"?tenant=other", 403, "Unauthorized for tenant other"},
		{"?tenant=other&scope=nothing", 403, "Unauthorized for nothing"},
		{"?tenant=other&scope=confd.users.read", 403, "Unauthorized for tenant other"},
		{"?scope=confd.%zz.read", 400, "Invalid query: it cannot be read"},
		{"?scope=" + strings.Repeat("x", 2000), 403, "Unauthorized for " + strings.Repeat("x", 1024) + "..."},
	} {
		a := w.both(raw, c.query)
		if w.want(a, c.status, c.query); c.status != 200 && refused(t, a) != c.reason {
			t.Errorf("%s: %s, want %q", c.query, a.body, c.reason)
		}
	}
	for _, unknown := range []string{
		"63f3dc3c-865d-419e-bec2-e18c4b118224", strings.ToUpper(raw), raw + "%20", "x", "%00", "%ff", raw[:35],
	} {
		w.wantRefused(w.both(unknown, "?scope=nothing&tenant=other"), 404, "No such token", unknown)
	}
	escaped := "%" + fmt.Sprintf("%02x", raw[0]) + raw[1:]
	w.want(w.both(escaped, "?scope=confd.users.read"), 200, "a token with an escape in it")
}

func TestAnEmptyScopeIsAskedForAndOneWithoutEndIsNot(t *testing.T) {
	w := newWorld(t)
	w.addUser("all", "#")
	all := w.login("all")
	w.want(w.both(all, "?scope="), 200, "#")
	w.want(w.both(all, "?scope="+strings.Repeat("x", 1024)), 200, "a long one")
	w.want(w.both(all, "?scope="+strings.Repeat("x", 1025)), 403, "one that is too long")
	w.want(w.both(w.login("alice"), "?scope="), 403, "others")
}

func TestACheckReadsAndWritesNothingAgain(t *testing.T) {
	w := newWorld(t)
	raw := w.login("alice")
	w.want(w.send("HEAD", tokenPath(raw), ""), 204, "the first check")
	before := w.store.reads
	for range 100 {
		w.want(w.send("HEAD", tokenPath(raw)+"?scope=confd.users.me.x", ""), 204, "check")
	}
	if w.store.reads != before {
		t.Errorf("100 checks asked the store %d times", w.store.reads-before)
	}
}

func TestACheckMakesLittle(t *testing.T) {
	w := newWorld(t)
	raw := w.login("alice")
	h, r, rw := w.bare("HEAD", tokenPath(raw)+"?scope=confd.users.me.x")
	if n := testing.AllocsPerRun(200, func() { h.ServeHTTP(rw, r) }); n > 6 { // the race detector makes some of its own
		t.Errorf("%v allocations a check", n)
	}
}

func TestScopesAreCheckedTogether(t *testing.T) {
	w := newWorld(t)
	raw := w.login("alice")
	path := tokenPath(raw) + "/scopes/check"
	tenant := w.door.TenantUUID()
	a := w.want(w.send("POST", path, `{"scopes":["confd.users.me.read","nothing","","nothing"],"tenant_uuid":"`+tenant+`"}`), 200, "scopes")
	if a.body != `{"scopes": {"": false, "confd.users.me.read": true, "nothing": false}}` {
		t.Errorf("scopes %s", a.body)
	}
	if got := w.want(w.send("POST", path, `{"scopes":[],"tenant_uuid":null}`), 200, "none").body; got != `{"scopes": {}}` {
		t.Errorf("no scopes: %s", got)
	}
	many := strings.TrimSuffix(strings.Repeat(`"x",`, 1001), ",")
	for body, reason := range map[string]string{
		``: "scopes: want a list of strings", `{"scopes":null}`: "scopes: want a list of strings", `{"scopes":"a"}`: "scopes: want a list of strings",
		`{"scopes":["a",1]}`: "scopes: want a list of strings", `{"scopes":[],"tenant_uuid":1}`: "tenant_uuid: want a string", `[]`: "body: want a JSON object",
		`{"scopes":[` + many + `]}`: "scopes: there are too many",
	} {
		w.wantRefused(w.send("POST", path, body), 400, "Invalid "+reason, body)
	}
	w.wantRefused(w.send("POST", path, `{"scopes":[],"tenant_uuid":"other"}`), 403, "Unauthorized for tenant other", "another tenant")
	w.wantRefused(w.send("POST", tokenPath("63f3dc3c-865d-419e-bec2-e18c4b118224")+"/scopes/check", `{"scopes":[]}`), 404, "No such token", "unknown token")
}

func TestARevocationIsExact(t *testing.T) {
	w := newWorld(t)
	first, second := w.login("alice"), w.login("alice")
	w.want(w.send("HEAD", tokenPath(first), ""), 204, "before")
	w.want(w.send("DELETE", tokenPath(first), ""), 200, "DELETE")
	w.want(w.send("HEAD", tokenPath(first), ""), 404, "the revoked one")
	w.want(w.send("HEAD", tokenPath(second), ""), 204, "its neighbour")
	other := w.login("root")
	w.do(w.core.SetDisabled(t.Context(), store.DefaultTenant, "alice", true))
	w.want(w.send("HEAD", tokenPath(second), ""), 404, "a disabled user's")
	w.want(w.send("HEAD", tokenPath(other), ""), 204, "another user's")
	w.wantRefused(w.post("alice", ""), 401, "Authentication Failed", "a disabled user")
	w.do(w.core.SetDisabled(t.Context(), store.DefaultTenant, "alice", false))
	w.want(w.send("HEAD", tokenPath(second), ""), 404, "an enabled user's old one")
	w.want(w.send("HEAD", tokenPath(w.login("alice")), ""), 204, "an enabled user's new one")
}

func TestAStoreThatIsGoneIsNoNo(t *testing.T) {
	w := newWorld(t)
	known, fresh, root := w.login("alice"), w.login("alice"), w.login("root")
	w.want(w.send("HEAD", tokenPath(known), ""), 204, "before")
	w.want(w.as(root, "GET", wazo.PathPolicies, ""), 200, "before")
	w.store.setDown(true)
	w.want(w.send("HEAD", tokenPath(known), ""), 204, "what is known")
	for what, a := range map[string]answer{
		"GET":      w.send("GET", tokenPath(fresh), ""),
		"DELETE":   w.send("DELETE", tokenPath(known), ""),
		"POST":     w.post("alice", ""),
		"scopes":   w.send("POST", tokenPath(fresh)+"/scopes/check", `{"scopes":[]}`),
		"policies": w.as(root, "GET", wazo.PathPolicies, ""),
		"bearer":   w.as(fresh, "GET", wazo.PathPolicies, ""),
	} {
		w.wantRefused(a, 503, "The service cannot answer at the moment", what)
		if a.header.Get("Retry-After") == "" || strings.Contains(a.body, errDown.Error()) {
			t.Errorf("%s: %v %s", what, a.header, a.body)
		}
	}
	w.want(w.send("HEAD", tokenPath(fresh), ""), 503, "HEAD")
	w.store.setDown(false)
	w.want(w.send("HEAD", tokenPath(known), ""), 204, "what could not be ended")
	w.want(w.send("HEAD", tokenPath(fresh), ""), 204, "after")
}

func TestPathsAndMethodsThatThereAreNotAreRefusedInTheSameShape(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{
		"/0.1/", "/0.1/token/", "/0.1/tokens/x", "/0.1/backends/", "/0.1/users", "/0.1/users/me", "/0.1/users//tokens", "/0.1/token/x/scopes", "/0.1/token/x/y/z/a/b",
		"/0.1/policies/x/acl_templates", "/0.1/policies/x/acl_templates/", "/0.1/token/{}/x", "/0.1/users/{}/tokens/{}/x",
	} {
		w.wantRefused(w.send("GET", path, ""), 404, "The requested URL was not found on the server.", path)
	}
	for path, allow := range map[string]string{
		wazo.PathToken: "POST", tokenPath("x"): "GET, HEAD, DELETE", tokenPath("x") + "/scopes/check": "POST", wazo.PathBackends: "GET, HEAD",
		wazo.PathStatus: "GET, HEAD", wazo.PathTokens: "GET, HEAD", wazo.PathMyTokens: "GET, HEAD", wazo.PathMyTokens + "/x": "DELETE",
		wazo.PathSessions: "GET, HEAD", wazo.PathSessions + "/x": "DELETE", wazo.PathPolicies: "GET, HEAD, POST", wazo.PathPolicies + "/x": "GET, HEAD, PUT, DELETE",
		wazo.PathPolicies + "/x/acl_templates/y": "PUT, DELETE",
	} {
		a := w.send("PATCH", path, "")
		w.wantRefused(a, 405, "The method is not allowed for the requested URL.", path)
		if a.header.Get("Allow") != allow {
			t.Errorf("%s: Allow %q, want %q", path, a.header.Get("Allow"), allow)
		}
	}
}

func TestARefusalTellsTheTime(t *testing.T) {
	w := newWorld(t)
	if got := w.send("GET", tokenPath("x"), "").body; got != `{"reason": ["No such token"], "timestamp": [1433517418.557553], "status_code": 404}` {
		t.Errorf("refusal %s", got)
	}
}

func TestTheDoorStandsBehindAPathOfTheService(t *testing.T) {
	w := newWorld(t, func(c *door.Config) { c.URL = "https://pbx.example.org/api/auth" })
	raw := w.want(w.send("POST", "/api/auth/0.1/token", "", basic("alice", testPassword)...), 200, "POST").text(t, "token")
	w.want(w.send("HEAD", "/api/auth"+tokenPath(raw), ""), 204, "HEAD")
	for path, want := range map[string]bool{"/api/auth/0.1/token": true, "/0.1/token": true, "/api/auth/0.2/": false, "/0.1": false, "/": false} {
		_, r, _ := w.bare("GET", path)
		if got := w.handler.Serves(r); got != want {
			t.Errorf("%s: served %v", path, got)
		}
	}
	for _, bad := range []string{"/api/auth", "https://pbx.example.org/", "https://", ":"} {
		if _, err := door.New(door.Config{URL: bad, Core: w.core, Door: w.door, Report: w.report}); err == nil {
			t.Errorf("%q is taken for a URL", bad)
		}
	}
	if _, err := door.New(door.Config{Core: w.core, Door: w.door}); err == nil {
		t.Error("a door without anybody to report to")
	}
}

func TestTimesAreTheServersWhereNoZoneIsGiven(t *testing.T) {
	w := newWorld(t, func(c *door.Config) { c.Zone = nil })
	a := w.post("alice", "")
	at, _ := wazo.ParseInstant(a.text(t, "utc_issued_at"))
	if got := a.text(t, "issued_at"); got != wazo.Instant(at.UnixMicro(), time.Local) {
		t.Errorf("issued_at %s", got)
	}
}

func TestAnAccessIsEchoedAsText(t *testing.T) {
	w := newWorld(t)
	odd := "\"}<b>\\\n\u2028\x00\xff"
	a := w.want(w.both(w.login("alice"), "?scope="+url.QueryEscape(odd)), 403, "odd scope")
	if got := refused(t, a); got != "Unauthorized for \"}<b>\\\n\u2028\x00\ufffd" {
		t.Errorf("reason %q", got)
	}
}

// impatient is a context that ends when it has been asked so often whether it has.
type impatient struct {
	context.Context
	left *atomic.Int64
}

func (i impatient) Err() error {
	if i.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func TestManyAccessesAreJudgedForAsLongAsSomebodyWaits(t *testing.T) {
	w := newWorld(t)
	raw := w.login("alice")
	var scopes []string
	for n := range 100 {
		scopes = append(scopes, fmt.Sprintf("%q", fmt.Sprint("confd.n", n)))
	}
	body := `{"scopes":[` + strings.Join(scopes, ",") + `]}`
	w.want(w.send("POST", tokenPath(raw)+"/scopes/check", body), 200, "who waits")
	for asked := range 50 {
		var left atomic.Int64
		left.Store(int64(asked))
		r := httptest.NewRequest("POST", tokenPath(raw)+"/scopes/check", strings.NewReader(body))
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, r.WithContext(impatient{r.Context(), &left}))
		if recorder.Code != 503 {
			t.Errorf("who has gone after %d: %d %s", asked, recorder.Code, recorder.Body)
		}
	}
	if len(w.failed) == 0 || !errors.Is(w.failed[0], context.Canceled) {
		t.Errorf("reported: %v", w.failed)
	}
}

func TestTheWorkOfManyAccessesIsBounded(t *testing.T) {
	w := newWorld(t)
	dear := []string{"#"}
	for n := range 62 {
		dear = append(dear, "!"+strings.Repeat("#"+strings.Repeat("a", 30), 31)+"#b"+fmt.Sprint(n))
	}
	w.addUser("carol", dear...)
	raw := w.login("carol")
	ask := func(n int) answer {
		var scopes []string
		for i := range n {
			scopes = append(scopes, fmt.Sprintf("%q", strings.Repeat("a", 1000)+fmt.Sprint(i)))
		}
		return w.send("POST", tokenPath(raw)+"/scopes/check", `{"scopes":[`+strings.Join(scopes, ",")+`]}`)
	}
	w.want(ask(1), 200, "one")
	w.wantRefused(ask(60), 400, "Invalid scopes: there are too many for the token's list", "sixty")
	cheap := `{"scopes":["` + strings.Repeat(strings.Repeat("b", 1025)+`","`, 60) + `x"]}`
	w.want(w.send("POST", tokenPath(raw)+"/scopes/check", cheap), 200, "those that no list gives")
	var plain, accesses []string
	for n := range 1000 {
		plain = append(plain, fmt.Sprintf("confd.users.me.things%d.*.read", n))
		accesses = append(accesses, fmt.Sprintf(`"confd.users.me.things%d.x.edit"`, n))
	}
	w.addUser("dora", plain[:900]...)
	w.want(w.send("POST", tokenPath(w.login("dora"))+"/scopes/check", `{"scopes":[`+strings.Join(accesses, ",")+`]}`), 200, "a thousand of a long plain list")
}
