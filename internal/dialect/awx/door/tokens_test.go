package door_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestATokenIsToldOnceAndLooksAsAWXWritesIt(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	rob := w.number("rob")
	a := w.want(w.as("rob", "POST", awx.PathTokens, quoted(`{"description":"My Access Token","application":%d,"scope":"write"}`, app.Number)), 201, "create")
	value, refresh := a.text(t, "token"), a.text(t, "refresh_token")
	if len(value) != 30 || len(refresh) != 30 || a.header.Get("Location") != a.text(t, "url") {
		t.Fatalf("created: %v %s", a.header, a.body)
	}
	shown := w.want(w.as("rob", "GET", a.text(t, "url"), ""), 200, "detail")
	want := quoted(`{"id":1,"type":"o_auth2_access_token","url":"/api/v2/tokens/1/","related":{"application":"/api/v2/applications/%d/","user":"/api/v2/users/%d/"},`+
		`"summary_fields":{"user":{"id":%[2]d,"username":"rob","first_name":"","last_name":""},"application":{"id":%[1]d,"name":"shop"},"user_capabilities":{"edit":true,"delete":true}},`+
		`"created":"2017-12-06T03:24:25.%[3]s","modified":"2017-12-06T03:24:25.%[3]s","description":"My Access Token","user":%[2]d,"token":"*************","refresh_token":"*************","application":%[1]d,"expires":"3017-04-08T03:24:25.%[3]s","scope":"write"}`,
		app.Number, rob, shown.text(t, "created")[len("2017-12-06T03:24:25."):])
	if strings.TrimSpace(shown.body) != want {
		t.Errorf("shown:\n%swant:\n%s", shown.body, want)
	}
	for _, path := range []string{awx.PathTokens, item(awx.PathTokens, 1), beneath(awx.PathUsers, rob, awx.ListTokens), item(awx.PathApplications, app.Number), awx.PathApplications} {
		for _, user := range []string{"rob", "rita", "ada", "root"} {
			seen := w.want(w.as(user, "GET", path, ""), 200, user+" "+path)
			if strings.Contains(seen.body, value) || strings.Contains(seen.body, refresh) || !strings.Contains(seen.body, awx.Mask) {
				t.Errorf("%s at %s: %s", user, path, seen.body)
			}
		}
	}
	w.want(w.send("GET", awx.PathUsers, "", bearer(value)...), 200, "its use")
	w.wantDetail(w.send("GET", awx.PathUsers, "", bearer(refresh)...), 401, awx.MessageNoCredentials, "the refresh token as a token")
}

func TestAPersonalTokenHasNoRefreshTokenAndBelongsToWhomItIsCreatedFor(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	for _, c := range []struct{ by, path, owner string }{
		{"rob", "/api/v2/users/rob/personal_tokens/", "rob"},
		{"rob", beneath(awx.PathUsers, w.number("rob"), awx.ListPersonalTokens), "rob"},
		{"root", beneath(awx.PathUsers, w.number("rob"), awx.ListPersonalTokens), "rob"},
		{"rita", beneath(awx.PathUsers, w.number("rob"), awx.ListPersonalTokens), "rob"},
		{"rob", awx.PathTokens, "rob"},
		{"nina", beneath(awx.PathUsers, w.number("nina"), awx.ListTokens), "nina"},
	} {
		// A personal list takes no application, whatever is sent.
		extra := quoted(`,"application":%d`, app.Number)
		if !strings.Contains(c.path, awx.ListPersonalTokens) {
			extra = `,"application":null`
		}
		a := w.want(w.as(c.by, "POST", c.path, `{"description":"Tower CLI","scope":"write","user":999`+extra+`}`), 201, c.by+" "+c.path)
		o := a.object(t)
		if o["refresh_token"] != nil || o["application"] != nil || a.number(t, "user") != w.number(c.owner) {
			t.Errorf("%+v: %s", c, a.body)
		}
		w.want(w.send("GET", awx.PathMe, "", bearer(a.text(t, "token"))...), 200, "use")
	}
	a := w.as("rob", "POST", beneath(awx.PathUsers, w.number("rob"), awx.ListAuthorizedTokens), `{}`)
	w.wantField(a, "application", awx.MessageRequired, "an authorized token of no application")
}

func TestATokenOfAnApplicationNeedsAScopeAlone(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	a := w.want(w.as("rob", "POST", beneath(awx.PathApplications, app.Number, awx.ListTokens), `{"scope":"read"}`), 201, "create")
	if a.number(t, "application") != app.Number || a.number(t, "user") != w.number("rob") || a.text(t, "scope") != "read" || a.text(t, "description") != "" {
		t.Errorf("created %s", a.body)
	}
	if a = w.want(w.as("rob", "POST", beneath(awx.PathApplications, app.Number, awx.ListTokens), ""), 201, "without a body"); a.text(t, "scope") != "write" {
		t.Errorf("created %s", a.body)
	}
}

func TestAReadTokenChangesNothingWhoeverOwnsIt(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	raw := w.keep("root", "", "read").Access.Reveal()
	other := w.keep("rob", "", "write")
	for _, c := range [][2]string{
		{"POST", awx.PathTokens},
		{"POST", awx.PathApplications},
		{"POST", awx.PathOrganizations},
		{"PATCH", item(awx.PathTokens, other.Number)},
		{"PUT", item(awx.PathTokens, other.Number)},
		{"DELETE", item(awx.PathTokens, other.Number)},
		{"PATCH", item(awx.PathApplications, app.Number)},
		{"DELETE", item(awx.PathApplications, app.Number)},
		{"DELETE", item(awx.PathOrganizations, 1)},
		{"POST", beneath(awx.PathUsers, 1, awx.ListPersonalTokens)},
		{"POST", beneath(awx.PathOrganizations, 1, awx.ListUsers)},
		{"DELETE", item(awx.PathTokens, 12345)},
		{"POST", awx.PathMe},
	} {
		w.wantDetail(w.send(c[0], c[1], `{"name":"x"}`, bearer(raw)...), 403, awx.MessageForbidden, c[0]+" "+c[1])
	}
	for _, path := range []string{awx.PathTokens, awx.PathMe, awx.PathCredentials, item(awx.PathApplications, app.Number)} {
		if a := w.want(w.send("GET", path, "", bearer(raw)...), 200, path); strings.Contains(a.body, `"edit":true`) {
			t.Errorf("%s tells that it may be changed: %s", path, a.body)
		}
	}
}

func TestATokenDeletesItself(t *testing.T) {
	w := newHouse(t)
	k := w.keep("rob", "", "write")
	a := w.want(w.send("DELETE", item(awx.PathTokens, k.Number), "", bearer(k.Access.Reveal())...), 204, "delete")
	if a.body != "" {
		t.Errorf("body %q", a.body)
	}
	a = w.send("GET", awx.PathMe, "", bearer(k.Access.Reveal())...)
	w.wantDetail(a, 401, awx.MessageNoCredentials, "its use")
	if got := a.header.Get("WWW-Authenticate"); got != `Bearer realm="api", error="invalid_token"` {
		t.Errorf("challenge %s", got)
	}
	w.wantDetail(w.as("rob", "GET", item(awx.PathTokens, k.Number), ""), 404, awx.MessageNotFound, "its page")
}

func TestOfATokenOnlyScopeAndDescriptionChange(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	k := w.keep("rob", "", "write")
	before := w.want(w.as("rob", "GET", item(awx.PathTokens, k.Number), ""), 200, "before")
	for _, method := range []string{"PATCH", "PUT"} {
		a := w.want(w.as("rob", method, item(awx.PathTokens, k.Number), quoted(
			`{"scope":" read  write ","description":" %s ","application":%d,"user":1,"token":"x","refresh_token":"y","expires":"2030-01-01T00:00:00Z","id":77,"nonsense":[]}`, method, app.Number)), 200, method)
		if a.text(t, "scope") != "read write" || a.text(t, "description") != method || a.text(t, "token") != awx.Mask {
			t.Errorf("%s: %s", method, a.body)
		}
		for _, name := range []string{"id", "user", "application", "expires", "created"} {
			if a.object(t)[name] != before.object(t)[name] {
				t.Errorf("%s changed %s: %s", method, name, a.body)
			}
		}
	}
	w.want(w.send("GET", awx.PathMe, "", bearer(k.Access.Reveal())...), 200, "the value stays")
	w.want(w.as("rob", "PATCH", item(awx.PathTokens, k.Number), `{"scope":"read"}`), 200, "narrow")
	w.wantDetail(w.send("DELETE", item(awx.PathTokens, k.Number), "", bearer(k.Access.Reveal())...), 403, awx.MessageForbidden, "at once")
	w.wantDetail(w.send("PATCH", item(awx.PathTokens, k.Number), `{"scope":"write"}`, bearer(k.Access.Reveal())...), 403, awx.MessageForbidden, "it does not widen itself")
}

func TestNobodyWidensATokenWhoMayNotMakeOne(t *testing.T) {
	w := newHouse(t)
	w.join(1, "root", store.OrganisationMember)
	w.join(1, "ben", store.OrganisationMember) // who is Blue's too
	for _, owner := range []string{"root", "ben"} {
		k := w.keep(owner, "", "read")
		w.wantDetail(w.as("rita", "PATCH", item(awx.PathTokens, k.Number), `{"scope":"write"}`), 403, awx.MessageForbidden, "widen "+owner)
		w.wantDetail(w.as("rita", "POST", beneath(awx.PathUsers, w.number(owner), awx.ListPersonalTokens), `{}`), 403, awx.MessageForbidden, "make one of "+owner)
		w.want(w.as("rita", "PATCH", item(awx.PathTokens, k.Number), `{"description":"seen"}`), 200, "describe "+owner)
		w.want(w.as("rita", "DELETE", item(awx.PathTokens, k.Number), ""), 204, "delete "+owner)
	}
	k := w.keep("rob", "", "read")
	w.want(w.as("rita", "PATCH", item(awx.PathTokens, k.Number), `{"scope":"write"}`), 200, "a member of hers alone")
}

func TestWrongFieldsOfATokenAreNamed(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	blue, _ := w.addApp(2, "blue")
	for _, c := range []struct{ body, field, message string }{
		{`{"scope":""}`, "scope", awx.MessageScope},
		{`{"scope":"read read"}`, "scope", awx.MessageScope},
		{`{"scope":"read admin"}`, "scope", awx.MessageScope},
		{`{"scope":["read"]}`, "scope", awx.MessageScope},
		{`{"scope":null}`, "scope", awx.MessageScope},
		{`{"scope":7}`, "scope", awx.MessageScope},
		{`{"description":7}`, "description", "Not a valid string."},
		{`{"description":null}`, "description", awx.MessageNull},
		{`{"description":"` + strings.Repeat("ü", 201) + `"}`, "description", "Ensure this field has no more than 200 characters."},
		{`{"application":"one"}`, "application", "Incorrect type. Expected pk value."},
		{`{"application":1.5}`, "application", "Incorrect type. Expected pk value."},
		{`{"application":true}`, "application", "Incorrect type. Expected pk value."},
		{`{"application":{}}`, "application", "Incorrect type. Expected pk value."},
		{`{"application":999}`, "application", `Invalid pk "999" - object does not exist.`},
		{`{"application":-1}`, "application", `Invalid pk "-1" - object does not exist.`},
		{`{"application":99999999999999999999999}`, "application", `Invalid pk "99999999999999999999999" - object does not exist.`},
	} {
		w.wantField(w.as("rob", "POST", awx.PathTokens, c.body), c.field, c.message, c.body)
	}
	w.want(w.as("rob", "POST", awx.PathTokens, `{"description":"`+strings.Repeat("ü", 200)+`"}`), 201, "200 characters")
	w.wantDetail(w.as("rob", "POST", awx.PathTokens, quoted(`{"application":%d}`, blue.Number)), 403, awx.MessageForbidden, "another organisation's application")
	w.want(w.as("ada", "POST", awx.PathTokens, quoted(`{"application":%d}`, app.Number)), 201, "an application that the auditor sees")
	for _, body := range []string{`[]`, `{`, `{"scope":"read","scope":"write"}`, `{} {}`, "{\"description\":\"\xff\"}"} {
		w.wantDetail(w.as("rob", "POST", awx.PathTokens, body, "Content-Type", "application/json"), 400, "JSON parse error - not a JSON object", body)
	}
	w.want(w.as("rob", "POST", awx.PathTokens, `scope=read`, "Content-Type", "application/x-www-form-urlencoded"), 415, "a form")
	w.want(w.as("rob", "POST", awx.PathTokens, `{"description":"`+strings.Repeat("x", 70_000)+`"}`), 413, "a large body")
}

func TestListsShowWhatMayBeSeen(t *testing.T) {
	w := newHouse(t)
	red, _ := w.addApp(1, "red")
	blue, _ := w.addApp(2, "blue")
	names := map[int64]string{}
	for _, user := range []string{"root", "ada", "rita", "rob", "rene", "bea", "ben", "nina"} {
		names[w.keep(user, "", "write").Number] = user
	}
	names[w.keep("nina", red.ID, "write").Number] = "nina@red"
	names[w.keep("rob", blue.ID, "write").Number] = "rob@blue"
	all := "root ada rita rob rene bea ben nina nina@red rob@blue"
	see := func(user, path string) string {
		var list []string
		for _, id := range w.want(w.as(user, "GET", path, ""), 200, user+" "+path).ids(t) {
			list = append(list, names[id])
		}
		return strings.Join(list, " ")
	}
	for _, c := range [][3]string{
		{"root", awx.PathTokens, all},
		{"ada", awx.PathTokens, all},
		{"rita", awx.PathTokens, "rita rob nina@red rob@blue"},
		{"rene", awx.PathTokens, "rita rob rene nina@red rob@blue"},
		{"rob", awx.PathTokens, "rob rob@blue"},
		{"bea", awx.PathTokens, "bea ben rob@blue"},
		{"nina", awx.PathTokens, "nina nina@red"},
		{"rita", "/api/v2/users/rob/tokens/", "rob rob@blue"},
		{"rita", "/api/v2/users/rob/personal_tokens/", "rob"},
		{"rita", "/api/v2/users/rob/authorized_tokens/", "rob@blue"},
		{"rob", "/api/v2/users/rita/tokens/", ""}, // he sees her, not her tokens
		{"rob", beneath(awx.PathApplications, red.Number, awx.ListTokens), ""},
		{"rita", beneath(awx.PathApplications, red.Number, awx.ListTokens), "nina@red"},
		{"ben", beneath(awx.PathApplications, blue.Number, awx.ListTokens), ""},
		{"bea", beneath(awx.PathApplications, blue.Number, awx.ListTokens), "rob@blue"},
	} {
		if got := see(c[0], c[1]); got != c[2] {
			t.Errorf("%s at %s sees %q, want %q", c[0], c[1], got, c[2])
		}
	}
	for _, c := range [][2]string{
		{"nina", "/api/v2/users/rob/tokens/"},
		{"nina", beneath(awx.PathApplications, red.Number, awx.ListTokens)},
		{"rob", beneath(awx.PathOrganizations, 2, awx.ListApplications)},
		{"bea", "/api/v2/users/nina/tokens/"},
	} {
		w.wantDetail(w.as(c[0], "GET", c[1], ""), 403, awx.MessageForbidden, c[0]+" "+c[1])
	}
	w.wantDetail(w.as("rob", "GET", "/api/v2/users/nobody/tokens/", ""), 404, awx.MessageNotFound, "nobody's")
}

func TestTokensThatHaveEndedAreNotShownUnlessByTheTime(t *testing.T) {
	w := newHouse(t)
	k := w.keep("rob", "", "write")
	w.do(w.core.SetProperty(t.Context(), store.DefaultTenant, "ACCESS_TOKEN_EXPIRE_SECONDS", "60"))
	old := w.keep("rob", "", "write")
	w.clock.move(time.Hour)
	if got := w.as("root", "GET", awx.PathTokens, "").ids(t); !slices.Equal(got, []int64{k.Number, old.Number}) {
		t.Errorf("after an hour: %v", got)
	}
	w.wantDetail(w.send("GET", awx.PathMe, "", bearer(old.Access.Reveal())...), 401, awx.MessageNoCredentials, "one that is over")
	w.do(w.core.SetPassword(t.Context(), store.DefaultTenant, "rob", token.NewPassword("x-another"), false))
	a := w.want(w.as("root", "GET", awx.PathTokens, ""), http.StatusOK, "list")
	if len(a.ids(t)) != 0 {
		t.Errorf("after all of rob's were voided: %s", a.body)
	}
	w.wantDetail(w.as("root", "GET", item(awx.PathTokens, k.Number), ""), 404, awx.MessageNotFound, "one of them")
}
