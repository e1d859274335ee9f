package door_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const newApp = `{"name":"Admin Internal Application","description":"For use by secure services & clients. ","client_type":"confidential","redirect_uris":"","authorization_grant_type":"password","skip_authorization":false,"organization":1}`

func TestAnApplicationLooksAsAWXWritesItAndTellsItsSecretOnce(t *testing.T) {
	w := newHouse(t)
	a := w.want(w.as("rita", "POST", awx.PathApplications, newApp), 201, "create")
	secret, id := a.text(t, "client_secret"), a.text(t, "client_id")
	letters := strings.Trim(id+secret, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	if len(secret) != 128 || len(id) != 40 || letters != "" || a.header.Get("Location") != a.text(t, "url") {
		t.Fatalf("created %s", a.body)
	}
	app, err := w.core.Application(t.Context(), store.DefaultTenant, id)
	w.do(err)
	if !w.core.CheckSecret(app, token.NewSecret(secret)) || !slices.Equal(app.Grants, []string{"password", "refresh_token"}) || !slices.Equal(app.Scopes, []string{"read", "write"}) {
		t.Errorf("kept %+v", app)
	}
	k := w.keep("rob", id, "read")
	shown := w.want(w.as("rob", "GET", a.text(t, "url"), ""), 200, "a member's view")
	at := shown.text(t, "created")
	want := quoted(`{"id":1,"type":"o_auth2_application","url":"/api/v2/applications/1/","related":{"organization":"/api/v2/organizations/1/","tokens":"/api/v2/applications/1/tokens/"},`+
		`"summary_fields":{"organization":{"id":1,"name":"Red"},"user_capabilities":{"edit":false,"delete":false},"tokens":{"count":1,"results":[{"id":%d,"token":"*************","scope":"read"}]}},`+
		`"created":%q,"modified":%[2]q,"name":"Admin Internal Application","description":"For use by secure services & clients.","client_id":%[3]q,"client_secret":"*************",`+
		`"client_type":"confidential","redirect_uris":"","authorization_grant_type":"password","skip_authorization":false,"organization":1}`, k.Number, at, id)
	if strings.TrimSpace(shown.body) != want {
		t.Errorf("shown:\n%swant:\n%s", shown.body, want)
	}
}

func TestAnApplicationChangesInWhatMayChange(t *testing.T) {
	w := newHouse(t)
	a := w.want(w.as("rita", "POST", awx.PathApplications, newApp), 201, "create")
	url, id, secret := a.text(t, "url"), a.text(t, "client_id"), a.text(t, "client_secret")
	a = w.want(w.as("rita", "PATCH", url, `{"name":"other","redirect_uris":"http://a.example/x https://b.example/","skip_authorization":true,"client_id":"x","client_secret":"y","authorization_grant_type":"implicit","user":1}`), 200, "patch")
	if a.text(t, "name") != "other" || a.text(t, "client_id") != id || a.text(t, "authorization_grant_type") != "password" || a.text(t, "client_secret") != awx.Mask ||
		a.text(t, "redirect_uris") != "http://a.example/x https://b.example/" || a.object(t)["skip_authorization"] != true {
		t.Errorf("patched %s", a.body)
	}
	app, err := w.core.Application(t.Context(), store.DefaultTenant, id)
	w.do(err)
	if !w.core.CheckSecret(app, token.NewSecret(secret)) {
		t.Error("the secret has changed")
	}
	a = w.want(w.as("rita", "PATCH", url, `{"client_type":"public","redirect_uris":"","skip_authorization":false}`), 200, "to public")
	if _, there := a.object(t)["client_secret"]; there || a.text(t, "client_type") != "public" {
		t.Errorf("public: %s", a.body)
	}
	a = w.want(w.as("rita", "PATCH", url, `{"client_type":"confidential"}`), 200, "back")
	if len(a.text(t, "client_secret")) != 128 || a.text(t, "client_secret") == secret {
		t.Errorf("confidential again: %s", a.body)
	}
	w.wantField(w.as("rita", "PUT", url, `{"name":"x"}`), "client_type", awx.MessageRequired, "a PUT of the name alone")
	w.wantDetail(w.as("rita", "PATCH", url, `{"organization":2}`), 400, "", "into an organisation that she does not see")
	w.join(2, "rita", store.OrganisationMember)
	w.wantDetail(w.as("rita", "PATCH", url, `{"organization":2}`), 403, awx.MessageForbidden, "into another's organisation")
	w.want(w.as("root", "PATCH", url, `{"organization":2}`), 200, "by a system admin")
	w.wantDetail(w.as("rita", "DELETE", url, ""), 403, awx.MessageForbidden, "it is not hers any more")
}

func TestAnApplicationThatIsDeletedLeavesNoTokenInTheLists(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	k, other := w.keep("rob", app.ID, "write"), w.keep("rob", "", "write")
	w.want(w.as("rita", "DELETE", item(awx.PathApplications, app.Number), ""), 204, "delete")
	w.wantDetail(w.send("GET", awx.PathMe, "", bearer(k.Access.Reveal())...), 401, awx.MessageNoCredentials, "its token")
	w.want(w.send("GET", awx.PathMe, "", bearer(other.Access.Reveal())...), 200, "another one")
	w.wantDetail(w.as("rob", "GET", item(awx.PathTokens, k.Number), ""), 404, awx.MessageNotFound, "its token's page")
	w.wantDetail(w.as("rita", "GET", item(awx.PathApplications, app.Number), ""), 404, awx.MessageNotFound, "its page")
}

func TestWrongFieldsOfAnApplicationAreNamed(t *testing.T) {
	w := newHouse(t)
	a := w.as("root", "POST", awx.PathApplications, `{}`)
	for _, name := range []string{"name", "client_type", "authorization_grant_type", "organization"} {
		w.wantField(a, name, awx.MessageRequired, "nothing")
	}
	without := func(name, change string) string {
		return strings.Replace(newApp, `"`+name+`":`, change+`,"was":`, 1)
	}
	for _, c := range []struct{ name, change, field string }{
		{"name", `"name":""`, "name"},
		{"name", `"name":7`, "name"},
		{"name", `"name":null`, "name"},
		{"name", `"name":"` + strings.Repeat("x", 256) + `"`, "name"},
		{"name", `"name":"a\u0000b"`, "name"},
		{"name", `"name":"a\u0007b"`, "name"},
		{"client_type", `"client_type":"secret"`, "client_type"},
		{"client_type", `"client_type":[]`, "client_type"},
		{"authorization_grant_type", `"authorization_grant_type":"magic"`, "authorization_grant_type"},
		{"authorization_grant_type", `"authorization_grant_type":"implicit"`, "redirect_uris"},
		{"authorization_grant_type", `"authorization_grant_type":"authorization-code"`, "redirect_uris"},
		{"redirect_uris", `"redirect_uris":["http://a.example"]`, "redirect_uris"},
		{"redirect_uris", `"redirect_uris":"not-a-uri"`, "redirect_uris"},
		{"skip_authorization", `"skip_authorization":"yes"`, "skip_authorization"},
		{"description", `"description":{}`, "description"},
		{"organization", `"organization":99`, "organization"},
		{"organization", `"organization":"Red"`, "organization"},
	} {
		w.wantField(w.as("root", "POST", awx.PathApplications, without(c.name, c.change)), c.field, "", c.change)
	}
	w.wantField(w.as("root", "POST", awx.PathApplications, `{"name":"n","client_type":"public","authorization_grant_type":"client-credentials","organization":1}`), "authorization_grant_type", "", "a public one on its own")
	w.wantField(w.as("rita", "POST", awx.PathApplications, strings.Replace(newApp, `"organization":1`, `"organization":2`, 1)), "organization", `Invalid pk "2" - object does not exist.`, "an organisation that one does not see")
}

func TestOrganisationsAreMadeBySystemAdmins(t *testing.T) {
	w := newHouse(t)
	a := w.want(w.as("root", "POST", awx.PathOrganizations, `{"name":"Green","description":"New","max_hosts":0}`), 201, "create")
	url := a.text(t, "url")
	if a.header.Get("Location") != url || a.number(t, "id") != 3 || a.text(t, "type") != "organization" {
		t.Errorf("created %s", a.body)
	}
	w.wantField(w.as("root", "POST", awx.PathOrganizations, `{"name":"Green"}`), "name", "Organization with this Name already exists.", "twice")
	w.wantField(w.as("root", "POST", awx.PathOrganizations, `{}`), "name", awx.MessageRequired, "without a name")
	w.want(w.as("root", "POST", url+"admins/", quoted(`{"id":%d}`, w.number("nina"))), 204, "an admin")
	w.want(w.as("root", "POST", url+"users/", quoted(`{"id":%d}`, w.number("ben"))), 204, "a member")
	w.wantField(w.as("root", "POST", url+"users/", `{"id":99}`), "id", `Invalid pk "99" - object does not exist.`, "nobody")
	w.wantDetail(w.as("nina", "POST", url+"users/", quoted(`{"id":%d}`, w.number("root"))), 403, awx.MessageForbidden, "by its admin")
	if a = w.want(w.as("nina", "PATCH", url, `{"description":"Mine"}`), 200, "by its admin"); a.text(t, "description") != "Mine" || a.text(t, "name") != "Green" {
		t.Errorf("changed %s", a.body)
	}
	if got := w.as("ben", "GET", url+"users/", "").ids(t); !slices.Equal(got, []int64{w.number("ben")}) {
		t.Errorf("members %v", got)
	}
	if got := w.as("ben", "GET", url+"admins/", "").ids(t); !slices.Equal(got, []int64{w.number("nina")}) {
		t.Errorf("admins %v", got)
	}
	w.want(w.as("root", "POST", url+"users/", quoted(`{"id":%d,"disassociate":true}`, w.number("ben"))), 204, "take out")
	w.wantDetail(w.as("ben", "GET", url, ""), 403, awx.MessageForbidden, "who has been taken out")
	app, _ := w.addApp(3, "green")
	w.want(w.as("root", "DELETE", url, ""), 409, "one with an application")
	w.want(w.as("root", "DELETE", item(awx.PathApplications, app.Number), ""), 204, "the application")
	w.want(w.as("root", "DELETE", url, ""), 204, "delete")
	w.wantDetail(w.as("root", "GET", url, ""), 404, awx.MessageNotFound, "its page")
}

func TestUsersAreFoundByNumberAndByName(t *testing.T) {
	w := newHouse(t)
	for _, path := range []string{item(awx.PathUsers, w.number("rob")), "/api/v2/users/rob/", "/api/v2/users/r%6Fb/"} {
		if a := w.want(w.as("rita", "GET", path, ""), 200, path); a.text(t, "username") != "rob" || a.number(t, "id") != w.number("rob") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	a := w.want(w.as("rob", "GET", awx.PathMe, ""), 200, "me")
	if a.number(t, "count") != 1 || !slices.Equal(a.ids(t), []int64{w.number("rob")}) {
		t.Errorf("me: %s", a.body)
	}
	if got := w.as("rob", "GET", awx.PathUsers, "").ids(t); !slices.Equal(got, []int64{w.number("rita"), w.number("rob"), w.number("rene")}) {
		t.Errorf("rob sees %v", got)
	}
	if got := w.as("ada", "GET", awx.PathUsers+"?username=ben", "").ids(t); !slices.Equal(got, []int64{w.number("ben")}) {
		t.Errorf("by name: %v", got)
	}
	// A user whose name is a number is not taken for another of that number.
	w.addUser("1")
	if a := w.want(w.as("ada", "GET", "/api/v2/users/1/", ""), 200, "1"); a.text(t, "username") != "root" {
		t.Errorf("user 1: %s", a.body)
	}
	w.wantDetail(w.as("root", "POST", awx.PathUsers, `{}`), 405, `Method "POST" not allowed.`, "a new user")
}

func TestTheRootTellsWhatThereIs(t *testing.T) {
	w := newHouse(t)
	a := w.want(w.send("GET", awx.PathAPI, ""), 200, "root")
	if a.text(t, "current_version") != awx.PathV2 || a.text(t, "oauth2") != awx.PathOAuth || a.object(t)["available_versions"].(map[string]any)["v2"] != awx.PathV2 {
		t.Errorf("root %s", a.body)
	}
	for name, path := range w.want(w.send("GET", awx.PathV2, ""), 200, "map").object(t) {
		w.want(w.as("root", "GET", path.(string), ""), 200, name)
		w.wantDetail(w.send("GET", path.(string), ""), 401, awx.MessageNoCredentials, name+" for nobody")
	}
	if a = w.want(w.as("rob", "GET", awx.PathCredentials, ""), 200, "credentials"); strings.TrimSpace(a.body) != `{"count":0,"next":null,"previous":null,"results":[]}` {
		t.Errorf("credentials %s", a.body)
	}
	w.wantDetail(w.send("POST", awx.PathGateway, `{}`), 404, awx.MessageNotFound, "what clients try first")
}

func TestWhatIsRelatedIsThere(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop")
	w.keep("rob", app.ID, "write")
	seen := map[string]bool{}
	var walk func(path string)
	walk = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		a := w.want(w.as("root", "GET", path, ""), 200, path)
		objects, listed := a.object(t)["results"].([]any)
		if !listed {
			objects = []any{a.object(t)}
		}
		for _, o := range objects {
			object := o.(map[string]any)
			walk(object["url"].(string))
			for _, related := range object["related"].(map[string]any) {
				walk(related.(string))
			}
		}
	}
	for _, path := range []string{awx.PathTokens, awx.PathUsers, awx.PathApplications, awx.PathOrganizations} {
		walk(path)
	}
	if len(seen) < 20 {
		t.Errorf("only %d paths", len(seen))
	}
}

func TestAPathWithoutItsLastSlashIsRedirectedOrServed(t *testing.T) {
	w := newHouse(t)
	for path, want := range map[string]string{
		"/api": "/api/", "/api/v2/tokens?page=1&x=%2F": "/api/v2/tokens/?page=1&x=%2F", "/api/v2/users/a%2Fb/tokens": "/api/v2/users/a%2Fb/tokens/", "/api/v2/tokens/77": "/api/v2/tokens/77/",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if a := w.want(w.send(method, path, ""), http.StatusMovedPermanently, path); a.header.Get("Location") != want {
				t.Errorf("%s leads to %s, want %s", path, a.header.Get("Location"), want)
			}
		}
	}
	a := w.want(w.as("rob", "POST", strings.TrimSuffix(awx.PathTokens, "/"), `{}`), 201, "a POST")
	w.want(w.as("rob", "DELETE", strings.TrimSuffix(a.text(t, "url"), "/"), ""), 204, "a DELETE")
	for _, path := range []string{"/api/v2/nothing", "/api/v2/nothing/", "/api/v2/tokens//", "/api/v2//", "/api/v2/users/*/tokens/", "/api/v3/"} {
		w.wantDetail(w.as("rob", "GET", path, ""), 404, awx.MessageNotFound, path)
	}
	for _, path := range []string{"0", "-1", "+1", "01", "1.0", "x", "99999999999999999999", "%00", "1%2F"} {
		w.wantDetail(w.as("root", "GET", awx.PathTokens+path+"/", ""), 404, awx.MessageNotFound, path)
	}
}
