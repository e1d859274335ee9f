package door_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
)

// dataShape is the seed's answer, and behind it what later services tell.
const dataShape = `^{"data": {"issued_at": "2015-06-05T10:16:58\.5575\d\d", "utc_issued_at": "2015-06-05T15:16:58\.5575\d\d", ` +
	`"token": "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", "auth_id": "([0-9a-f-]{36})", "xivo_user_uuid": "([0-9a-f-]{36})", ` +
	`"expires_at": "2015-06-05T10:26:58\.5575\d\d", "utc_expires_at": "2015-06-05T15:26:58\.5575\d\d", "xivo_uuid": null, ` +
	`"acl": \[[^]]*\], "metadata": {[^}]*}, "session_uuid": "[0-9a-f-]{36}", "remote_addr": "192\.0\.2\.7", "user_agent": "curl/7\.26\.0", "acls": \[[^]]*\]}}$`

func TestTheSeedsLinesWork(t *testing.T) {
	w := newWorld(t)
	kind := []string{"Content-Type", "application/json", "User-Agent", "curl/7.26.0"}
	a := w.want(w.post("alice", `{"backend": "xivo_user", "expiration": 600}`, kind...), 200, "POST")
	match := regexp.MustCompile(dataShape).FindStringSubmatch(a.body)
	if match == nil || match[1] != w.uuid("alice") || match[2] != match[1] {
		t.Fatalf("POST: %s", a.body)
	}
	raw := a.text(t, "token")
	head := w.want(w.send("HEAD", tokenPath(raw), "", kind...), 204, "HEAD")
	if head.body != "" || head.header.Get("Content-Type") != "text/html; charset=utf-8" || head.header.Get("Cache-Control") != "no-store" {
		t.Errorf("HEAD: %v %q", head.header, head.body)
	}
	if got := w.want(w.send("GET", tokenPath(raw), "", kind...), 200, "GET"); got.body != a.body {
		t.Errorf("GET: %s\nwant what POST said: %s", got.body, a.body)
	}
	for range 2 {
		if got := w.want(w.send("DELETE", tokenPath(raw), "", kind...), 200, "DELETE"); got.body != `{"data": {"message": "success"}}` {
			t.Errorf("DELETE: %s", got.body)
		}
		w.want(w.send("HEAD", tokenPath(raw), ""), 404, "HEAD of an ended token")
		w.wantRefused(w.send("GET", tokenPath(raw), ""), 404, "No such token", "GET of an ended token")
	}
}

func TestATokenTellsWhatItAllowsAndWhoseItIs(t *testing.T) {
	w := newWorld(t)
	data := w.post("alice", "", "User-Agent", "wazo \x01café").data(t)
	for _, name := range []string{"acl", "acls"} {
		if got := fmt.Sprint(data[name]); got != "[confd.users.me.# auth.users.me.tokens.# auth.users.me.sessions.#]" {
			t.Errorf("%s: %s", name, got)
		}
	}
	uuid := w.uuid("alice")
	want := fmt.Sprint(map[string]any{
		"uuid": uuid, "tenant_uuid": w.door.TenantUUID(), "auth_id": uuid, "pbx_user_uuid": uuid, "xivo_uuid": nil, "purpose": "user",
	})
	if got := fmt.Sprint(data["metadata"]); got != want {
		t.Errorf("metadata %s, want %s", got, want)
	}
	if data["user_agent"] != "wazo caf" || data["refresh_token"] != nil {
		t.Errorf("data %v", data)
	}
	w.addUser("nobody")
	if got := w.post("nobody", "").body; !strings.Contains(got, `"acl": []`) || !strings.Contains(got, `"acls": []`) {
		t.Errorf("without any right: %s", got)
	}
}

func TestALifetimeIsGrantedToTheMicrosecond(t *testing.T) {
	for body, seconds := range map[string]int{
		``: 7200, `{}`: 7200, `{"expiration":1}`: 1, `{"expiration":"600"}`: 600, `{"expiration":315360000}`: 315360000, ` {"expiration":"0001"} `: 1,
	} {
		w := newWorld(t)
		a := w.want(w.post("alice", body), 200, body)
		issued, _ := wazo.ParseInstant(a.text(t, "utc_issued_at"))
		ends, _ := wazo.ParseInstant(a.text(t, "utc_expires_at"))
		here, _ := time.ParseInLocation("2006-01-02T15:04:05.000000", a.text(t, "expires_at"), zone())
		if ends.Sub(issued) != time.Duration(seconds)*time.Second || !here.Equal(ends) {
			t.Errorf("%s: from %s to %s, here %s", body, issued, ends, here)
		}
		w.clock.move(ends.Sub(w.clock.Now()) - time.Microsecond)
		raw := a.text(t, "token")
		w.want(w.send("HEAD", tokenPath(raw), ""), 204, "in the last microsecond of "+body)
		w.want(w.send("GET", tokenPath(raw), ""), 200, "in the last microsecond of "+body)
		w.clock.move(time.Microsecond)
		w.want(w.send("HEAD", tokenPath(raw), ""), 404, "at the end of "+body)
		w.wantRefused(w.send("GET", tokenPath(raw), ""), 404, "No such token", "at the end of "+body)
		w.wantRefused(w.send("POST", tokenPath(raw)+"/scopes/check", `{"scopes":[]}`), 404, "No such token", "at the end of "+body)
		w.wantRefused(w.as(raw, "GET", wazo.PathMySessions, ""), 401, "Unauthorized", "at the end of "+body)
		w.want(w.send("DELETE", tokenPath(raw), ""), 200, "DELETE at the end of "+body)
	}
}

func TestARequestForATokenThatCannotBeMeantIsRefused(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("x", 1025)
	for _, c := range []struct {
		body, reason string
	}{
		{`[]`, "Invalid body: want a JSON object"},
		{`null`, "Invalid body: want a JSON object"},
		{`{"backend":`, "Invalid body: want a JSON object"},
		{`{"backend":"a","backend":"b"}`, "Invalid body: want a JSON object"},
		{`{"expiration":0}`, "Invalid expiration"},
		{`{"expiration":-1}`, "Invalid expiration"},
		{`{"expiration":600.0}`, "Invalid expiration"},
		{`{"expiration":6e2}`, "Invalid expiration"},
		{`{"expiration":315360001}`, "Invalid expiration"},
		{`{"expiration":99999999999999999999}`, "Invalid expiration"},
		{`{"expiration":""}`, "Invalid expiration"},
		{`{"expiration":"ten"}`, "Invalid expiration"},
		{`{"expiration":" 600"}`, "Invalid expiration"},
		{`{"expiration":null}`, "Invalid expiration"},
		{`{"expiration":true}`, "Invalid expiration"},
		{`{"backend":1}`, "Invalid backend: want a string"},
		{`{"access_type":"sometimes"}`, "Invalid access_type: want online or offline"},
		{`{"access_type":"offline"}`, "Invalid client_id: offline and refresh_token need one"},
		{`{"access_type":"offline","client_id":""}`, "Invalid client_id: it is empty"},
		{`{"client_id":"` + long + `"}`, "Invalid client_id: it is too long"},
		{`{"refresh_token":"x"}`, "Invalid client_id: offline and refresh_token need one"},
		{`{"refresh_token":"","client_id":"app"}`, "Invalid refresh_token: it is empty"},
		{`{"refresh_token":"x","client_id":"app","access_type":"offline"}`, "Invalid access_type: offline and refresh_token exclude each other"},
		{`{"tenant_id":"x","domain_name":"y"}`, "Invalid tenant_id: it and domain_name exclude each other"},
	} {
		w.wantRefused(w.post("alice", c.body), 400, c.reason, c.body)
	}
	w.wantRefused(w.post("alice", "", wazo.HeaderSession, "tablet"), 400, "Invalid Wazo-Session-Type: want mobile or desktop", "session type")
	w.wantRefused(w.post("alice", strings.Repeat(" ", 64<<10)+"{}"), 413, "The body is larger than 64 KiB", "large body")
}

func TestARequestForATokenIsReadAsItsSendersMeanIt(t *testing.T) {
	w := newWorld(t)
	tenant := w.door.TenantUUID()
	for _, body := range []string{
		`{"backend":null,"client_id":null,"tenant_id":null}`, `{"backend":"xivo_user","else":[1]}`, `{"access_type":"online","client_id":"app"}`,
		`{"tenant_id":"` + tenant + `"}`, `{"domain_name":"default"}`, `{"client_id":"` + strings.Repeat("é", 1024) + `"}`,
	} {
		w.want(w.post("alice", body), 200, body)
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "nonsense;;"} {
		w.want(w.post("alice", `{"expiration":60}`, "Content-Type", kind), 200, kind)
	}
	for _, kind := range []string{"mobile", "Desktop"} {
		w.want(w.post("alice", "", wazo.HeaderSession, kind), 200, kind)
	}
}

func TestALoginNeedsTheRightPasswordAtTheRightBackend(t *testing.T) {
	w := newWorld(t)
	w.addUser("boss")
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"no credentials":          {"", nil},
		"another scheme":          {"", []string{"Authorization", "Bearer YWxpY2U6czNjcmU3"}},
		"no base64":               {"", []string{"Authorization", "Basic alice:s3cre7"}},
		"no colon":                {"", []string{"Authorization", "Basic YWxpY2U="}},
		"two headers":             {"", append(basic("alice", testPassword), basic("alice", testPassword)...)},
		"empty name and password": {"", []string{"Authorization", "Basic Og=="}},
		"empty password":          {"", basic("alice", "")},
		"empty name":              {"", basic("", testPassword)},
		"wrong password":          {"", basic("alice", "wrong")},
		"unknown user":            {"", basic("mallory", testPassword)},
		"unknown backend":         {`{"backend":"mock"}`, basic("alice", testPassword)},
		"a backend of admins":     {`{"backend":"xivo_admin"}`, basic("boss", testPassword)},
		"unknown tenant":          {`{"tenant_id":"63f3dc3c-865d-419e-bec2-e18c4b118224"}`, basic("alice", testPassword)},
		"unknown domain":          {`{"domain_name":"example.com"}`, basic("alice", testPassword)},
	} {
		a := w.send("POST", wazo.PathToken, c.body, c.headers...)
		w.wantRefused(a, 401, "Authentication Failed", name)
		if got := a.header.Get("WWW-Authenticate"); got != `Basic realm="wazo", charset="UTF-8"` {
			t.Errorf("%s: WWW-Authenticate %q", name, got)
		}
	}
	for _, name := range []string{"Sec-Fetch-Site", "Origin"} {
		a := w.send("POST", wazo.PathToken, "", append(basic("mallory", "wrong"), name, "same-origin")...)
		if w.want(a, 401, "a browser's login"); a.header.Get("WWW-Authenticate") != "" {
			t.Errorf("a browser that sends %s is made to ask for a password", name)
		}
	}
}

func TestBasicIsReadAsUTF8AndElseAsLatin1(t *testing.T) {
	w := newWorld(t)
	w.addUser("renée")
	for _, pair := range []string{"renée:" + testPassword, "ren\xe9e:" + testPassword} {
		a := w.send("POST", wazo.PathToken, "", "Authorization", "basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
		if w.want(a, 200, fmt.Sprintf("%q", pair)); a.text(t, "auth_id") != w.uuid("renée") {
			t.Errorf("%q: %s", pair, a.body)
		}
	}
}

func TestADirectoryIsABackendLikeAnother(t *testing.T) {
	w := newWorld(t)
	root := w.login("root")
	w.want(w.as(root, "POST", wazo.PathPolicies, `{"name":"people","acl_templates":["confd.users.{{ uuid }}.read"]}`), 200, "policy")
	body := `{"backend":"ldap_user"}`
	if got := w.want(w.post("zoe", body), 200, "zoe").text(t, "auth_id"); got != w.uuid("zoe") {
		t.Errorf("auth_id %s", got)
	}
	if got, want := fmt.Sprint(w.post("zoe", body).data(t)["acl"]), "[confd.users."+w.uuid("zoe")+".read]"; got != want {
		t.Errorf("acl %s, want %s", got, want)
	}
	w.wantRefused(w.send("POST", wazo.PathToken, body, basic("zoe", "wrong")...), 401, "Authentication Failed", "wrong password")
	w.wantRefused(w.send("POST", wazo.PathToken, body, basic("zoe", "")...), 401, "Authentication Failed", "empty password")
	w.directory.down = true
	a := w.post("zoe", body)
	w.wantRefused(a, 503, "The service cannot answer at the moment", "directory down")
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	w.want(w.post("alice", ""), 200, "alice while the directory is down")
}

func TestGuessingIsSlowed(t *testing.T) {
	w := newWorld(t)
	var a answer
	for range 6 {
		a = w.send("POST", wazo.PathToken, "", basic("alice", "wrong")...)
	}
	w.wantRefused(a, 429, "Too many attempts", "the sixth attempt")
	if a.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

func TestBackendsAndStatusAreToldToAnybody(t *testing.T) {
	w := newWorld(t)
	if got := w.want(w.send("GET", wazo.PathBackends, ""), 200, "backends").body; got != `{"data": ["xivo_user", "xivo_admin", "ldap_user"]}` {
		t.Errorf("backends %s", got)
	}
	if got := w.want(w.send("GET", wazo.PathStatus, ""), 200, "status").body; got != `{"rest_api": {"status": "ok"}}` {
		t.Errorf("status %s", got)
	}
	if a := w.want(w.send("HEAD", wazo.PathStatus, ""), http.StatusNoContent, "status"); a.body != "" {
		t.Errorf("status %q", a.body)
	}
}
