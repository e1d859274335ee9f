package door_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (w *world) page(jwt, query string) ciphertrust.Page[ciphertrust.Login] {
	w.Helper()
	a := w.send("GET", ciphertrust.PathTokens+"/?"+query, "", bearer(jwt)...)
	w.want(a, 200, "", "list "+query)
	var page ciphertrust.Page[ciphertrust.Login]
	w.do(json.Unmarshal([]byte(a.body), &page))
	return page
}

// ids are the labels of the logins of a page, which name them in these tests.
func labels(page ciphertrust.Page[ciphertrust.Login]) string {
	var list []string
	for _, l := range page.Resources {
		list = append(list, l.Labels[0])
	}
	return strings.Join(list, " ")
}

func TestRefreshTokensAreListedWithoutTheirValues(t *testing.T) {
	w := newWorld(t)
	var last answer
	for i, more := range []string{
		`"labels":["one","red"]`, `"labels":["two","red"],"refresh_token_lifetime":1`, `"labels":["three"]`, `"labels":["four"]`,
	} {
		w.clock.move(time.Second)
		last = w.login("bob", ","+more)
		if i == 2 {
			w.want(w.send("DELETE", ciphertrust.PathTokens+"/"+last.text(t, "refresh_token_id"), "", bearer(last.text(t, "jwt"))...), 204, "", "delete")
		}
	}
	w.login("admin", `,"labels":["admin's"]`)
	w.clock.move(time.Minute)
	jwt := last.text(t, "jwt")
	for query, want := range map[string]string{
		"": "four one", "expired=true": "four two one", "revoked=true": "four three one", "expired=true&revoked=true": "four three two one",
		"labels=red": "one", "labels=red,one": "one", "labels=red,three&revoked=true": "", "labels=red&expired=true": "two one",
		"skip=1": "one", "limit=1": "four", "limit=0": "", "skip=9": "",
	} {
		if got := labels(w.page(jwt, query)); got != want {
			t.Errorf("%q lists %q, want %q", query, got, want)
		}
	}
	page := w.page(jwt, "limit=1")
	l := page.Resources[0]
	if page.Total != 2 || page.Limit != 1 || l.ID != last.text(t, "refresh_token_id") || l.ClientID != last.text(t, "client_id") || l.Username != "bob" {
		t.Errorf("page %+v", page)
	}
	if a := w.send("GET", ciphertrust.PathTokens, "", bearer(jwt)...); strings.Contains(a.body, last.text(t, "refresh_token")) {
		t.Errorf("the list tells a refresh token: %s", a.body)
	}
	for _, query := range []string{"skip=-1", "limit=x", "expired=1"} {
		w.want(w.send("GET", ciphertrust.PathTokens+"?"+query, "", bearer(jwt)...), 400, "", query)
	}
}

func TestOnlyAnAdminSeesTheTokensOfAnother(t *testing.T) {
	w := newWorld(t)
	bob, admin := w.login("bob", `,"labels":["bob's"]`), w.login("admin", `,"labels":["admin's"]`)
	uuid := w.page(bob.text(t, "jwt"), "").Resources[0].UserID
	other := w.page(admin.text(t, "jwt"), "").Resources[0].UserID
	if got := labels(w.page(admin.text(t, "jwt"), "user_id="+strings.TrimPrefix(uuid, "local|"))); got != "bob's" {
		t.Errorf("the admin sees %q", got)
	}
	if got := labels(w.page(bob.text(t, "jwt"), "user_id="+uuid)); got != "bob's" {
		t.Errorf("bob sees %q", got)
	}
	asked := func(jwt, query string) answer {
		return w.send("GET", ciphertrust.PathTokens+"?"+query, "", bearer(jwt)...)
	}
	w.want(asked(bob.text(t, "jwt"), "user_id="+other), 403, "", "bob asks for the admin's")
	w.want(asked(admin.text(t, "jwt"), "user_id=nobody"), 404, "", "the admin asks for nobody's")
	w.want(asked("junk", ""), 401, ciphertrust.MessageInvalid, "a bearer of junk")
	w.want(w.send("GET", ciphertrust.PathTokens, ""), 401, ciphertrust.MessageInvalid, "nobody")
}

func TestTenThousandRefreshTokensAreListedByPage(t *testing.T) {
	w := newWorld(t)
	const flood = 10_000
	at := w.clock.Now().UnixMicro()
	var rows []store.Command
	for i := range flood {
		s := store.Session{
			Accessor: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i), Tenant: store.DefaultTenant, Subject: "bob", Door: "ciphertrust",
			Labels: []string{"flood"}, CreatedAt: at - int64(i), LastUsedAt: at, AccessTTL: 300,
		}
		copy(s.ID[:], s.Accessor)
		rows = append(rows, store.CreateSession{Session: s})
	}
	w.do(w.store.Apply(t.Context(), rows...))
	jwt := w.login("bob", `,"issueRefreshToken":false`).text(t, "jwt")
	seen := map[string]bool{}
	for skip := 0; ; skip += 1000 {
		page := w.page(jwt, fmt.Sprintf("skip=%d&limit=5000", skip))
		if page.Total != flood || page.Limit != 1000 {
			t.Fatalf("total %d, limit %d", page.Total, page.Limit)
		}
		for _, l := range page.Resources {
			seen[l.ID] = true
		}
		if len(page.Resources) == 0 {
			break
		}
	}
	if len(seen) != flood {
		t.Errorf("%d of %d were listed", len(seen), flood)
	}
	list, total, err := w.client("").FindLogins(t.Context(), token.NewSecret(jwt), token.LoginQuery{})
	if err != nil || total != flood || len(list) != flood {
		t.Errorf("the client lists %d of %d: %v", len(list), total, err)
	}
	list, _, err = w.client("").FindLogins(t.Context(), token.NewSecret(jwt), token.LoginQuery{Skip: 9_990, Limit: 2500})
	if err != nil || len(list) != 10 {
		t.Errorf("the client lists %d at the end: %v", len(list), err)
	}
}

func TestARefreshTokenIsShownAndEndedByItsID(t *testing.T) {
	w := newWorld(t)
	a, other, admin := w.login("bob", ""), w.login("bob", ""), w.login("admin", "")
	path := ciphertrust.PathTokens + "/" + a.text(t, "refresh_token_id")
	as := func(method string, who answer) answer { return w.send(method, path, "", bearer(who.text(t, "jwt"))...) }
	shown := as("GET", other)
	w.want(shown, 200, "", "show")
	if shown.text(t, "client_id") != a.text(t, "client_id") || strings.Contains(shown.body, a.text(t, "refresh_token")) {
		t.Errorf("shown: %s", shown.body)
	}
	w.want(as("GET", admin), 200, "", "show to the admin")
	w.addUser("eve")
	w.want(as("GET", w.login("eve", "")), 404, ciphertrust.MessageNoRecord, "show to another")
	w.want(as("DELETE", w.login("eve", "")), 404, ciphertrust.MessageNoRecord, "ended by another")
	w.want(as("DELETE", other), 204, "", "ended")
	w.want(w.refresh(a.text(t, "refresh_token"), ""), 401, ciphertrust.MessageRevoked, "the refresh token")
	w.wantJWT(a.text(t, "jwt"), 401, "its JWT")
	w.want(w.refresh(other.text(t, "refresh_token"), ""), 200, "", "another of the same account")
	w.wantJWT(other.text(t, "jwt"), 200, "its JWT")
	w.want(as("DELETE", admin), 204, "", "ended twice")
	w.want(w.send("GET", ciphertrust.PathTokens+"/00000000-0000-4000-8000-000000000000", "", bearer(admin.text(t, "jwt"))...), 404, "", "an id that is none")
}

func TestARefreshTokenIsRevokedByClientIDOrPassword(t *testing.T) {
	w := newWorld(t)
	w.addUser("eve")
	a, b, c := w.login("bob", ""), w.login("bob", ""), w.login("bob", "")
	revoke := func(of answer, more string) answer {
		return w.send("POST", ciphertrust.PathRevoke, fmt.Sprintf(`{"token":%q%s}`, of.text(t, "refresh_token"), more))
	}
	w.want(revoke(a, `,"client_id":"`+b.text(t, "client_id")+`"`), 404, ciphertrust.MessageNoRecord, "another's client id")
	w.want(revoke(a, fmt.Sprintf(`,"username":"eve","password":%q`, testPassword)), 404, ciphertrust.MessageNoRecord, "another's password")
	w.want(revoke(a, `,"username":"bob","password":"x"`), 401, ciphertrust.MessageCredentials, "a wrong password")
	w.want(revoke(a, ``), 400, "username is missing", "nothing that proves it")
	w.want(w.send("POST", ciphertrust.PathRevoke, `{"client_id":"x"}`), 400, "token is missing", "no token")
	w.want(w.send("POST", ciphertrust.PathRevoke, `{"token":"junk","client_id":"x"}`), 404, ciphertrust.MessageNoRecord, "junk")
	w.want(w.refresh(a.text(t, "refresh_token"), ""), 200, "", "it, after all that")

	w.want(revoke(a, `,"client_id":"`+a.text(t, "client_id")+`"`), 204, "", "its client id")
	w.want(revoke(b, fmt.Sprintf(`,"username":"local_account|bob","password":%q`, testPassword)), 204, "", "its password")
	w.want(revoke(a, `,"client_id":"`+a.text(t, "client_id")+`"`), 204, "", "once more")
	for _, over := range []answer{a, b} {
		w.want(w.refresh(over.text(t, "refresh_token"), ""), 401, ciphertrust.MessageRevoked, "a revoked one")
		w.want(w.refresh(over.text(t, "refresh_token"), `,"renew_refresh_token":true`), 401, ciphertrust.MessageRevoked, "a revoked one, renewed")
		w.wantJWT(over.text(t, "jwt"), 401, "its JWT")
		if _, err := w.other.Live(t.Context(), over.text(t, "jwt")); err == nil {
			t.Error("its JWT is honoured at another door")
		}
	}
	w.want(w.refresh(c.text(t, "refresh_token"), ""), 200, "", "a third of the account")
	w.wantJWT(c.text(t, "jwt"), 200, "its JWT")
	if live, err := w.other.Live(t.Context(), c.text(t, "jwt")); err != nil || live.User != "bob" {
		t.Errorf("at another door: %v", err)
	}
}

func TestATokenOfAnotherDoorIsATokenHereToo(t *testing.T) {
	w := newWorld(t)
	set, err := w.other.Login(t.Context(), credentials("bob", testPassword), token.Request{})
	w.do(err)
	w.wantJWT(set.AccessToken.Reveal(), 200, "a token of the ats door")
	if page := w.page(set.AccessToken.Reveal(), ""); page.Total != 0 {
		t.Errorf("page %+v", page)
	}
}

func TestTheSigningKeyIsToldToNobody(t *testing.T) {
	w := newWorld(t)
	jwt := w.login("admin", "").text(t, "jwt")
	for method, path := range map[string]string{"GET": ciphertrust.PathKey, "POST": ciphertrust.PathRotate} {
		w.want(w.send(method, path, ""), 401, "", "nobody at "+path)
		a := w.send(method, path, "", bearer(jwt)...)
		w.want(a, 400, "", path)
		if !strings.Contains(a.text(t, "message"), "master key") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

func TestWhatIsNotThereIsSaidInTheDialectsWords(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/v1/auth", 404, ""},
		{"GET", "/api/v1/", 404, ""},
		{"GET", "/", 404, ""},
		{"GET", "/reset", 404, ""},
		{"GET", "/api/v1/auth/tokens//", 404, ""},
		{"POST", "/api/v1/auth/tokens//", 404, ""},
		{"GET", "/api/v1/auth/tokens/a/b", 404, ""},
		{"PUT", "/api/v1/auth/tokens", 405, "GET, POST"},
		{"POST", "/api/v1/auth/tokens/x", 405, "GET, DELETE"},
		{"GET", "/api/v1/auth/revoke", 405, "POST"},
		{"DELETE", "/api/v1/configs/properties/X", 405, "GET, PATCH"},
		{"OPTIONS", "/api/v1/auth/tokens", 405, "GET, POST"},
	} {
		a := w.send(c.method, c.path, "")
		w.want(a, c.status, "", c.method+" "+c.path)
		if a.header.Get("Allow") != c.allow || !slices.Contains(names(t, a.body), "codeDesc") {
			t.Errorf("%s %s: %v %s", c.method, c.path, a.header, a.body)
		}
	}
}
