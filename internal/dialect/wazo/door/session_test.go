package door_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
)

const tooMany = " has exceeded the maximum number of active sessions"

func TestAUserHasAHundredSessionsAtMost(t *testing.T) {
	w := newWorld(t)
	var raw string
	for range 99 {
		raw = w.login("alice")
	}
	last := w.want(w.post("alice", `{"expiration":60}`), 200, "the hundredth").text(t, "token")
	w.wantRefused(w.post("alice", ""), 429, "User "+w.uuid("alice")+tooMany, "one more")
	w.wantRefused(w.post("alice", `{"access_type":"offline","client_id":"app"}`), 429, "User "+w.uuid("alice")+tooMany, "an offline one")
	if got := w.as(raw, "GET", wazo.PathMyTokens, "").counts(t); got != "0 0" {
		t.Errorf("a refused login left refresh tokens: %s", got)
	}
	w.want(w.post("root", ""), 200, "another user")
	w.want(w.send("DELETE", tokenPath(raw), ""), 200, "DELETE")
	w.want(w.post("alice", ""), 200, "after one has ended")
	w.wantRefused(w.post("alice", ""), 429, "User "+w.uuid("alice")+tooMany, "one more again")
	w.clock.move(time.Minute + time.Second) // the logins took instants of their own
	w.want(w.send("HEAD", tokenPath(last), ""), 404, "the short one")
	w.want(w.post("alice", ""), 200, "after one is over")
}

func TestOfManyAtOnceNoMoreThanTheLastPlaceIsTaken(t *testing.T) {
	w := newWorld(t)
	for range 99 {
		w.login("alice")
	}
	const parallel = 64
	var wg sync.WaitGroup
	answers := make([]answer, parallel)
	for i := range answers {
		wg.Go(func() { answers[i] = w.post("alice", "") })
	}
	wg.Wait()
	won := 0
	for _, a := range answers {
		switch {
		case a.status == 200:
			won++
		case a.status != 429:
			t.Errorf("answer %d %s", a.status, a.body)
		}
	}
	// The gate of the hasher may turn some away, never all.
	if won != 1 {
		t.Errorf("%d won", won)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	w := newWorld(t)
	root, alice, second := w.login("root"), w.login("alice"), w.want(w.post("alice", "", wazo.HeaderSession, "mobile", "User-Agent", "phone"), 200, "mobile").text(t, "token")
	own := w.send("GET", tokenPath(second), "").text(t, "session_uuid")
	uuid := w.uuid("alice")
	for _, user := range []string{"me", uuid} {
		a := w.want(w.as(alice, "GET", wazo.PathUsers+"/"+user+"/sessions", ""), 200, user)
		if a.counts(t) != "2 2" || a.column(t, "user_uuid") != uuid+" "+uuid || !strings.Contains(a.column(t, "uuid"), own) {
			t.Errorf("%s: %s", user, a.body)
		}
		for _, want := range []string{
			`"uuid": "` + own + `", "mobile": true, "user_uuid": "` + uuid + `", "tenant_uuid": "` + w.door.TenantUUID() + `", "created_at": "2015-06-05T15:16:58.`,
			`+00:00", "remote_addr": "192.0.2.7", "user_agent": "phone"}`,
		} {
			if !strings.Contains(a.body, want) {
				t.Errorf("no %s in %s", want, a.body)
			}
		}
	}
	all := w.want(w.as(root, "GET", wazo.PathSessions, ""), 200, "all")
	if all.counts(t) != "3 3" {
		t.Errorf("all: %s", all.body)
	}
	sorted := strings.Fields(all.column(t, "uuid"))
	for i, want := range sorted {
		a := w.want(w.as(root, "GET", wazo.PathSessions+"?limit=1&order=uuid&direction=asc&recurse=True&offset="+string(rune('0'+i)), ""), 200, "page")
		if a.column(t, "uuid") != want || a.counts(t) != "3 3" {
			t.Errorf("page %d: %s, want %s", i, a.body, want)
		}
	}
	w.wantRefused(w.as(root, "GET", wazo.PathSessions+"?direction=desc", ""), 400, "Invalid direction: this list is in ascending order", "direction")
	w.wantRefused(w.as(root, "GET", wazo.PathSessions+"?search=x", ""), 400, "Invalid search: this list cannot be searched", "search")

	w.wantRefused(w.as(root, "DELETE", wazo.PathUsers+"/"+w.uuid("root")+"/sessions/"+own, ""), 404, "No such session", "another user's")
	w.want(w.as(root, "DELETE", wazo.PathUsers+"/"+uuid+"/sessions/"+own, ""), 204, "by an admin")
	w.want(w.send("HEAD", tokenPath(second), ""), 404, "its token")
	w.wantRefused(w.as(root, "DELETE", wazo.PathSessions+"/"+own, ""), 404, "No such session", "again")
	mine := w.send("GET", tokenPath(alice), "").text(t, "session_uuid")
	w.want(w.as(alice, "DELETE", wazo.PathMySessions+"/"+mine, ""), 204, "one's own")
	w.wantRefused(w.as(alice, "GET", wazo.PathMySessions, ""), 401, "Unauthorized", "with the ended token")
	other := w.send("GET", tokenPath(w.login("alice")), "").text(t, "session_uuid")
	w.want(w.as(root, "DELETE", wazo.PathSessions+"/"+other, ""), 204, "any")
	w.clock.move(7201 * time.Second)
	fresh := w.login("root")
	if got := w.as(fresh, "GET", wazo.PathSessions, "").counts(t); got != "1 1" {
		t.Errorf("sessions that are over are counted: %s", got)
	}
	w.wantRefused(w.as(fresh, "DELETE", wazo.PathSessions+"/"+sorted[0], ""), 404, "No such session", "one that is over")
}

// offline is a refresh token of a user's client, with an access token.
func (w *world) offline(user, client string, headers ...string) (refresh, access string) {
	w.Helper()
	a := w.want(w.post(user, `{"access_type":"offline","client_id":"`+client+`"}`, headers...), 200, "offline login")
	refresh, access = a.text(w, "refresh_token"), a.text(w, "token")
	if len(refresh) != 36 {
		w.Fatalf("no refresh token: %s", a.body)
	}
	return refresh, access
}

func (w *world) refresh(refresh, client string, headers ...string) answer {
	w.Helper()
	return w.send("POST", wazo.PathToken, `{"refresh_token":"`+refresh+`","client_id":"`+client+`","expiration":"60"}`, headers...)
}

func TestARefreshTokenStaysAndIsItsClientsAlone(t *testing.T) {
	w := newWorld(t)
	refresh, access := w.offline("alice", "app")
	if again, _ := w.offline("alice", "app"); again != refresh {
		t.Errorf("the same client has %s and %s", refresh, again)
	}
	if other, _ := w.offline("alice", "other"); other == refresh {
		t.Error("another client has the same")
	}
	if foreign, _ := w.offline("root", "app"); foreign == refresh {
		t.Error("another user has the same")
	}
	for what, headers := range map[string][]string{"no Basic": nil, "the client's empty Basic": {"Authorization", "Basic Og=="}, "a wrong Basic": basic("mallory", "x")} {
		a := w.want(w.refresh(refresh, "app", headers...), 200, what)
		if a.text(t, "auth_id") != w.uuid("alice") || a.data(t)["refresh_token"] != nil {
			t.Errorf("%s: %s", what, a.body)
		}
		w.want(w.send("HEAD", tokenPath(a.text(t, "token"))+"?scope=confd.users.me.x", ""), 204, what)
	}
	w.wantRefused(w.refresh(refresh, "other"), 401, "Authentication Failed", "another client")
	w.wantRefused(w.refresh(strings.ToUpper(refresh), "app"), 401, "Authentication Failed", "another spelling")
	w.wantRefused(w.refresh("63f3dc3c-865d-419e-bec2-e18c4b118224", "app"), 401, "Authentication Failed", "an unknown one")
	w.wantRefused(w.refresh(access, "app"), 401, "Authentication Failed", "an access token")
	w.want(w.send("GET", tokenPath(refresh), ""), 404, "a refresh token as an access token")

	w.want(w.send("DELETE", tokenPath(access), ""), 200, "DELETE")
	w.want(w.refresh(refresh, "app"), 200, "after its access token has ended")
	w.clock.move(20 * 365 * 24 * time.Hour)
	a := w.want(w.refresh(refresh, "app"), 200, "after twenty years")

	w.want(w.as(w.login("alice"), "DELETE", wazo.PathMyTokens+"/app", ""), 204, "delete")
	w.wantRefused(w.refresh(refresh, "app"), 401, "Authentication Failed", "a deleted one")
	w.want(w.send("HEAD", tokenPath(a.text(t, "token")), ""), 204, "its access token")
}

func TestAUserHasOneMobileClient(t *testing.T) {
	w := newWorld(t)
	mobile := []string{wazo.HeaderSession, wazo.SessionMobile}
	first, _ := w.offline("alice", "phone", mobile...)
	second, access := w.offline("alice", "phone", mobile...)
	if first == second {
		t.Error("a mobile client is given the same again")
	}
	w.wantRefused(w.refresh(first, "phone"), 401, "Authentication Failed", "the former")
	third, _ := w.offline("alice", "tablet", mobile...)
	w.wantRefused(w.refresh(second, "phone"), 401, "Authentication Failed", "the other mobile client")
	w.want(w.refresh(third, "tablet"), 200, "the latest")
	list := w.as(access, "GET", wazo.PathMyTokens, "")
	if list.column(t, "client_id") != "tablet" || list.column(t, "mobile") != "true" {
		t.Errorf("list %s", list.body)
	}
}

func TestRefreshTokensAreListedWithoutTheirValues(t *testing.T) {
	w := newWorld(t)
	var secrets []string
	for _, client := range []string{"b.app", "A.app", "web"} {
		refresh, _ := w.offline("alice", client)
		secrets = append(secrets, refresh)
		w.clock.move(time.Second)
	}
	phone, _ := w.offline("root", "phone", wazo.HeaderSession, wazo.SessionMobile)
	secrets = append(secrets, phone)
	root, alice := w.login("root"), w.login("alice")
	for query, c := range map[string]struct{ clients, counts string }{
		"":                                     {"b.app A.app web phone", "4 4"},
		"?direction=desc":                      {"phone web A.app b.app", "4 4"},
		"?order=client_id":                     {"A.app b.app phone web", "4 4"},
		"?order=mobile&direction=desc&limit=1": {"phone", "4 4"},
		"?search=APP":                          {"b.app A.app", "4 2"},
		"?search=app&limit=1&offset=1":         {"A.app", "4 2"},
		"?limit=0":                             {"", "4 4"},
		"?offset=9&recurse=False":              {"", "4 4"},
		"?limit=2&limit=1&else=x":              {"b.app A.app", "4 4"},
	} {
		a := w.want(w.as(root, "GET", wazo.PathTokens+query, ""), 200, query)
		if a.column(t, "client_id") != c.clients || a.counts(t) != c.counts {
			t.Errorf("%s: %s", query, a.body)
		}
		for _, secret := range secrets {
			if strings.Contains(a.body, secret) {
				t.Errorf("%s tells a refresh token", query)
			}
		}
	}
	mine := w.want(w.as(alice, "GET", wazo.PathMyTokens+"?order=client_id&limit=1", ""), 200, "mine")
	uuid := w.uuid("alice")
	want := `{"total": 3, "filtered": 3, "items": [{"client_id": "A.app", "created_at": "2015-06-05T15:16:59.`
	if !strings.HasPrefix(mine.body, want) || mine.column(t, "user_uuid") != uuid || mine.column(t, "tenant_uuid") != w.door.TenantUUID() {
		t.Errorf("mine: %s", mine.body)
	}
	if got := w.want(w.as(root, "GET", wazo.PathUsers+"/"+uuid+"/tokens", ""), 200, "alice's").counts(t); got != "3 3" {
		t.Errorf("alice's: %s", got)
	}
	w.wantRefused(w.as(root, "GET", wazo.PathUsers+"/nobody/tokens", ""), 404, "No such user", "unknown user")
	w.wantRefused(w.as(root, "DELETE", wazo.PathUsers+"/nobody/tokens/app", ""), 404, "No such user", "unknown user")
	w.wantRefused(w.as(alice, "DELETE", wazo.PathMyTokens+"/none", ""), 404, "No such refresh token", "unknown client")
	w.want(w.as(root, "DELETE", wazo.PathUsers+"/"+uuid+"/tokens/A%2Eapp", ""), 204, "by an admin")
	if got := w.as(alice, "GET", wazo.PathMyTokens, "").column(t, "client_id"); got != "b.app web" {
		t.Errorf("left: %s", got)
	}
}

func TestAClientOfAnyNameCanBeDeleted(t *testing.T) {
	w := newWorld(t)
	alice := w.login("alice")
	for _, c := range [][2]string{{"a/b", "a%2Fb"}, {"ä ?#%", "%C3%A4%20%3F%23%25"}, {"*", "*"}, {"{}", "%7B%7D"}, {"me", "me"}} {
		w.offline("alice", c[0])
		w.want(w.as(alice, "DELETE", wazo.PathMyTokens+"/"+c[1], ""), 204, c[0])
	}
}

func TestAQueryThatCannotBeMeantIsRefusedByItsName(t *testing.T) {
	w := newWorld(t)
	root := w.login("root")
	for query, name := range map[string]string{
		"limit=-1": "limit", "limit=x": "limit", "limit=": "limit", "limit=1.5": "limit", "limit=99999999999": "limit",
		"offset=-1": "offset", "offset=x": "offset", "offset=2147483648": "offset",
		"order=token": "order", "order=": "order", "direction=up": "direction", "direction=": "direction", "recurse=maybe": "recurse",
		"limit=%zz": "query: it cannot be read", "a;b": "query: it cannot be read",
	} {
		for _, path := range []string{wazo.PathTokens, wazo.PathSessions, wazo.PathPolicies, wazo.PathMyTokens, wazo.PathMySessions} {
			w.wantRefused(w.as(root, "GET", path+"?"+query, ""), 400, "Invalid "+name, path+"?"+query)
		}
	}
}
