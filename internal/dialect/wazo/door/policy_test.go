package door_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestManagementNeedsTheAccessOfItsPath(t *testing.T) {
	w := newWorld(t)
	w.addUser("plain", "confd.#")
	plain, alice := w.login("plain"), w.uuid("alice")
	for n, c := range []struct{ method, path, access string }{
		{"GET", wazo.PathTokens, "auth.tokens.read"},
		{"GET", wazo.PathUsers + "/" + alice + "/tokens", "auth.users." + alice + ".tokens.read"},
		{"DELETE", wazo.PathUsers + "/" + alice + "/tokens/a.b", "auth.users." + alice + ".tokens.a_b.delete"},
		{"GET", wazo.PathSessions, "auth.sessions.read"},
		{"DELETE", wazo.PathSessions + "/x.y", "auth.sessions.x_y.delete"},
		{"GET", wazo.PathUsers + "/" + alice + "/sessions", "auth.users." + alice + ".sessions.read"},
		{"DELETE", wazo.PathUsers + "/" + alice + "/sessions/x", "auth.users." + alice + ".sessions.x.delete"},
		{"GET", wazo.PathPolicies, "auth.policies.read"},
		{"POST", wazo.PathPolicies, "auth.policies.create"},
		{"GET", wazo.PathPolicies + "/x", "auth.policies.x.read"},
		{"PUT", wazo.PathPolicies + "/x", "auth.policies.x.edit"},
		{"DELETE", wazo.PathPolicies + "/x", "auth.policies.x.delete"},
		{"PUT", wazo.PathPolicies + "/x/acl_templates/y", "auth.policies.x.edit"},
		{"DELETE", wazo.PathPolicies + "/x/acl_templates/y", "auth.policies.x.update"},
	} {
		what := c.method + " " + c.path
		for _, headers := range [][]string{
			nil,
			{wazo.HeaderToken, ""},
			{wazo.HeaderToken, "63f3dc3c-865d-419e-bec2-e18c4b118224"},
			{wazo.HeaderToken, plain},
			{wazo.HeaderToken, plain, wazo.HeaderToken, plain},
			{"Authorization", "Bearer " + plain},
			basic("root", testPassword),
		} {
			a := w.send(c.method, c.path, "{}", headers...)
			w.wantRefused(a, 401, "Unauthorized", what)
			if a.header.Get("WWW-Authenticate") != wazo.HeaderToken {
				t.Errorf("%s: WWW-Authenticate %q", what, a.header.Get("WWW-Authenticate"))
			}
		}
		name := fmt.Sprint("user", n)
		w.addUser(name, c.access)
		if a := w.as(w.login(name), c.method, c.path, "{}"); a.status == 401 || a.status >= 500 {
			t.Errorf("%s with %s: %d %s", what, c.access, a.status, a.body)
		}
		raw := w.login(name)
		w.wantRefused(w.send(c.method, c.path, "{}", wazo.HeaderToken, raw, wazo.HeaderToken, raw), 401, "Unauthorized", what+" twice")
		w.addUser(name+"denied", "#", "!"+c.access)
		w.wantRefused(w.as(w.login(name+"denied"), c.method, c.path, "{}"), 401, "Unauthorized", what+" denied")
	}
}

func TestMeIsWhoAsksInAPathAndInAList(t *testing.T) {
	w := newWorld(t)
	w.addUser("carol", "auth.users.me.tokens.read")
	w.addUser("dave", "auth.users.{{ uuid }}.tokens.read")
	for _, name := range []string{"carol", "dave"} {
		raw := w.login(name)
		for _, spelling := range []string{"me", w.uuid(name)} {
			w.want(w.as(raw, "GET", wazo.PathUsers+"/"+spelling+"/tokens", ""), 200, name+" as "+spelling)
		}
		w.wantRefused(w.as(raw, "GET", wazo.PathUsers+"/"+w.uuid("alice")+"/tokens", ""), 401, "Unauthorized", name+" as alice")
		w.wantRefused(w.as(raw, "GET", wazo.PathUsers+"/%7B%7D/tokens", ""), 401, "Unauthorized", name+" as {}")
	}
}

// policyWorld is a world with root's token.
type policyWorld struct {
	*world
	root string
}

func newPolicies(t testing.TB) *policyWorld {
	w := newWorld(t)
	return &policyWorld{w, w.login("root")}
}

func (w *policyWorld) add(name string, templates ...string) string {
	w.Helper()
	a := w.want(w.as(w.root, "POST", wazo.PathPolicies, w.body(name, templates...)), 200, "policy "+name)
	uuid, _ := a.object(w)["uuid"].(string)
	return uuid
}

func (w *policyWorld) body(name string, templates ...string) string {
	body, err := json.Marshal(map[string]any{"name": name, "acl_templates": append([]string{}, templates...)})
	w.do(err)
	return string(body)
}

func (w *policyWorld) templates(uuid string) string {
	w.Helper()
	return fmt.Sprint(w.want(w.as(w.root, "GET", wazo.PathPolicies+"/"+uuid, ""), 200, "GET").object(w)["acl_templates"])
}

func TestPoliciesAreMadeChangedAndDeleted(t *testing.T) {
	w := newPolicies(t)
	a := w.want(w.as(w.root, "POST", wazo.PathPolicies, `{"name":"people","description":"All of us","acl_templates":["confd.infos.read","confd.users.{{ uuid }}.#"],"else":1}`), 200, "POST")
	uuid, _ := a.object(t)["uuid"].(string)
	want := `{"uuid": "` + uuid + `", "name": "people", "description": "All of us", "acl_templates": ["confd.infos.read", "confd.users.{{ uuid }}.#"]}`
	if len(uuid) != 36 || a.body != want {
		t.Errorf("POST: %s, want %s", a.body, want)
	}
	path := wazo.PathPolicies + "/" + uuid
	if got := w.want(w.as(w.root, "GET", path, ""), 200, "GET").body; got != want {
		t.Errorf("GET: %s", got)
	}
	want = `{"uuid": "` + uuid + `", "name": "folk", "description": null, "acl_templates": []}`
	if got := w.want(w.as(w.root, "PUT", path, `{"name":"folk","description":null}`), 200, "PUT").body; got != want {
		t.Errorf("PUT: %s", got)
	}
	for _, method := range []string{"PUT", "PUT", "DELETE"} {
		w.want(w.as(w.root, method, path+"/acl_templates/confd.%7B%7B%20uuid%20%7D%7D.a%2Fb", ""), 204, method)
		if got, want := w.templates(uuid), map[string]string{"PUT": "[confd.{{ uuid }}.a/b]", "DELETE": "[]"}[method]; got != want {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
	}
	w.wantRefused(w.as(w.root, "DELETE", path+"/acl_templates/confd.x", ""), 404, "No such ACL template", "a template that there is not")
	w.want(w.as(w.root, "DELETE", path, ""), 204, "DELETE")
	for method, path := range map[string]string{"GET": path, "PUT": path, "DELETE": path} {
		w.wantRefused(w.as(w.root, method, path, `{"name":"x"}`), 404, "No such policy", method)
	}
	w.wantRefused(w.as(w.root, "PUT", path+"/acl_templates/confd.x", ""), 404, "No such policy", "PUT of a template")
	w.wantRefused(w.as(w.root, "GET", wazo.PathPolicies+"/%ff", ""), 404, "No such policy", "odd UUID")
}

func TestAPolicyThatCannotBeIsRefused(t *testing.T) {
	w := newPolicies(t)
	uuid := w.add("one")
	w.add("two")
	many := strings.TrimSuffix(strings.Repeat(`"confd.x",`, 1001), ",")
	for body, reason := range map[string]string{
		``: "name: want 1 to 80 characters", `{"name":""}`: "name: want 1 to 80 characters", `{"name":1}`: "name: want a string",
		`{"name":"` + strings.Repeat("é", 81) + `"}`: "policy name: want 1 to 80 printable characters", `{"name":"a\u0000"}`: "policy name: want 1 to 80 printable characters",
		`{"name":"x","description":["y"]}`: "description: want a string", `{"name":"x","acl_templates":"y"}`: "acl_templates: want a list of strings",
		`{"name":"x","acl_templates":[1]}`: "acl_templates: want a list of strings", `{"name":"x","acl_templates":[""]}`: `access string "": want 1 to 4096 bytes of UTF-8`,
		`{"name":"x","acl_templates":[` + many + `]}`: "access strings: there are 1001, at most 1000 are possible", `[]`: "body: want a JSON object",
	} {
		w.wantRefused(w.as(w.root, "POST", wazo.PathPolicies, body), 400, "Invalid "+reason, "POST "+body)
		w.wantRefused(w.as(w.root, "PUT", wazo.PathPolicies+"/"+uuid, body), 400, "Invalid "+reason, "PUT "+body)
	}
	w.wantRefused(w.as(w.root, "POST", wazo.PathPolicies, `{"name":"two"}`), 409, "The name is already used", "POST")
	w.wantRefused(w.as(w.root, "PUT", wazo.PathPolicies+"/"+uuid, `{"name":"two"}`), 409, "The name is already used", "PUT")
	w.wantRefused(w.as(w.root, "PUT", wazo.PathPolicies+"/"+uuid+"/acl_templates/confd.%01", ""), 400, `Invalid access string "confd.\x01": want 1 to 4096 bytes of UTF-8`, "template")
}

func TestPoliciesAreListed(t *testing.T) {
	w := newPolicies(t)
	w.add("beta", "confd.x")
	w.add("alpha")
	w.want(w.as(w.root, "POST", wazo.PathPolicies, `{"name":"gamma","description":"An alphabet"}`), 200, "gamma")
	for query, c := range map[string]struct{ names, counts string }{
		"": {"alpha beta gamma", "3 3"}, "?direction=DESC": {"gamma beta alpha", "3 3"}, "?order=description&direction=desc": {"gamma beta alpha", "3 3"},
		"?search=ALPHA": {"alpha gamma", "3 2"}, "?limit=1&offset=1": {"beta", "3 3"}, "?offset=7": {"", "3 3"}, "?limit=0": {"", "3 3"}, "?limit=2000000000": {"alpha beta gamma", "3 3"},
	} {
		a := w.want(w.as(w.root, "GET", wazo.PathPolicies+query, ""), 200, query)
		if a.column(t, "name") != c.names || a.counts(t) != c.counts {
			t.Errorf("%s: %s", query, a.body)
		}
	}
}

func TestAnAnswerHoldsAThousandRowsAtMost(t *testing.T) {
	w := newPolicies(t)
	for n := range 1001 {
		_, err := w.core.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: fmt.Sprintf("p%04d", n)})
		w.do(err)
	}
	for _, query := range []string{"", "?limit=1001", "?limit=2147483647"} {
		a := w.want(w.as(w.root, "GET", wazo.PathPolicies+query, ""), 200, query)
		if n := len(strings.Fields(a.column(t, "name"))); n != 1000 || a.counts(t) != "1001 1001" {
			t.Errorf("%q: %d of %s", query, n, a.counts(t))
		}
	}
	if got := w.as(w.root, "GET", wazo.PathPolicies+"?offset=1000", "").column(t, "name"); got != "p1000" {
		t.Errorf("the rest: %s", got)
	}
}

func TestAPolicySaysWhatItsUsersTokensAllowFromTheNextLoginOn(t *testing.T) {
	w := newPolicies(t)
	u := store.User{Tenant: store.DefaultTenant, Name: "eve", Policies: []string{"people"}}
	w.do(w.core.AddUser(t.Context(), u, token.NewPassword(testPassword)))
	p, err := w.core.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "people", Templates: []string{
		"confd.users.{{ uuid }}.read\nconfd.{{ voicemail }}.read", "confd.infos.read\n\n  confd.lines.read  ",
	}})
	w.do(err)
	before := w.login("eve")
	for access, status := range map[string]int{"confd.infos.read": 204, "confd.lines.read": 204, "confd.users." + w.uuid("eve") + ".read": 403} {
		w.want(w.send("HEAD", tokenPath(before)+"?scope="+access, ""), status, access)
	}
	w.want(w.as(w.root, "PUT", wazo.PathPolicies+"/"+p.UUID, w.body("people", "confd.users.{{ uuid }}.read")), 200, "PUT")
	after := w.login("eve")
	w.want(w.send("HEAD", tokenPath(after)+"?scope=confd.users."+w.uuid("eve")+".read", ""), 204, "after")
	w.want(w.send("HEAD", tokenPath(after)+"?scope=confd.infos.read", ""), 403, "after")
	w.want(w.send("HEAD", tokenPath(before)+"?scope=confd.infos.read", ""), 204, "the older token")
}

func TestNobodyGivesWhatTheyDoNotHave(t *testing.T) {
	w := newPolicies(t)
	w.addUser("clerk", "auth.policies.#", "confd.users.*.read", "confd.lines.#", "calls")
	clerk := w.login("clerk")
	for template, allowed := range map[string]bool{
		"confd.users.x.read": true, "confd.users.*.read": true, "confd.users.{{ uuid }}.read": true, "confd.users.#.read": false,
		"confd.users.x.edit": false, "#": false, "*": false, "": false, "confd.lines.a.b.*": true, "confd.lines.#": true, "confd.#": false,
		"!confd.#": true, "confd.lines.x\ncalls": true, "confd.lines.x\nagentd.read": false, "confd.lines.x\r\nagentd.read": false,
		"calls\n{{- uuid }}": false, "confd.lines.\n{{- uuid }}": true, "confd.lines.x{{ voicemail }}": false, "confd.lines.{% if a %}x{% endif %}": false,
		"confd.users.{{ .uuid }}.read": true, "confd.users.{{ uuid }}.{{ id }}": false,
	} {
		a := w.as(clerk, "POST", wazo.PathPolicies, w.body("p "+fmt.Sprint(len(template), allowed, template == ""), template))
		switch {
		case template == "": // no template at all
			w.want(a, 400, "empty")
		case allowed && a.status != 200 && a.status != 409, !allowed && a.status != 403:
			t.Errorf("%q: %d %s", template, a.status, a.body)
		case !allowed && refused(t, a) != "Unauthorized for "+template:
			t.Errorf("%q: %s", template, a.body)
		}
	}
	w.want(w.as(clerk, "POST", wazo.PathPolicies, w.body("many", strings.Repeat("\n", 999)+"calls")), 200, "as many lines as are given")
	w.want(w.as(clerk, "POST", wazo.PathPolicies, w.body("more", strings.Repeat("\n", 1000)+"calls")), 403, "one more")
	w.addUser("denied", "auth.policies.#", "confd.#", "!confd.secrets.#")
	denied := w.login("denied")
	w.wantRefused(w.as(denied, "POST", wazo.PathPolicies, w.body("d", "confd.*.read")), 403, "Unauthorized for confd.*.read", "over what is denied")
	w.want(w.as(denied, "POST", wazo.PathPolicies, w.body("d", "confd.users.read")), 200, "beside what is denied")
}

func TestAChangeOfAPolicyGivesNobodyMoreThanItsMakerHas(t *testing.T) {
	w := newPolicies(t)
	w.addUser("clerk", "auth.policies.#", "confd.lines.#")
	clerk := w.login("clerk")
	uuid := w.add("mixed", "confd.users.read", "confd.lines.read", "!confd.lines.delete", "!confd.users.delete")
	path := wazo.PathPolicies + "/" + uuid
	all := []string{"confd.users.read", "confd.lines.read", "!confd.lines.delete", "!confd.users.delete"}
	w.want(w.as(clerk, "PUT", path, w.body("mixed", all...)), 200, "no change")
	w.want(w.as(clerk, "PUT", path, w.body("mixed", all[1:]...)), 200, "taking away what one does not have")
	w.wantRefused(w.as(clerk, "PUT", path, w.body("mixed", all...)), 403, "Unauthorized for confd.users.read", "giving it back")
	w.wantRefused(w.as(clerk, "PUT", path, w.body("mixed", all[1:3]...)), 403, "Unauthorized for !confd.users.delete", "lifting what is denied")
	w.want(w.as(clerk, "DELETE", path+"/acl_templates/"+url.PathEscape("!confd.lines.delete"), ""), 204, "lifting what one has")
	w.wantRefused(w.as(clerk, "DELETE", path+"/acl_templates/"+url.PathEscape("!confd.users.delete"), ""), 403, "Unauthorized for !confd.users.delete", "lifting one")
	w.wantRefused(w.as(clerk, "PUT", path+"/acl_templates/confd.users.x", ""), 403, "Unauthorized for confd.users.x", "giving one")
	w.want(w.as(clerk, "PUT", path+"/acl_templates/confd.lines.x", ""), 204, "giving what one has")
	w.wantRefused(w.as(clerk, "DELETE", path, ""), 403, "Unauthorized for !confd.users.delete", "DELETE")
	if got := w.templates(uuid); got != "[confd.lines.read !confd.users.delete confd.lines.x]" {
		t.Errorf("templates %s", got)
	}
	other := w.add("rich", "confd.users.#")
	w.wantRefused(w.as(clerk, "PUT", wazo.PathPolicies+"/"+other, w.body("everyone", "confd.users.#")), 403, "Unauthorized for confd.users.#", "giving another name what one does not have")
	w.wantRefused(w.as(clerk, "PUT", path, w.body("gone", "!confd.users.delete")), 403, "Unauthorized for !confd.users.delete", "lifting by another name")
	w.want(w.as(clerk, "DELETE", wazo.PathPolicies+"/"+other, ""), 204, "DELETE of what denies nothing")
}

func TestAPolicyIsDeletedAsItIsAtThatMoment(t *testing.T) {
	w := newPolicies(t)
	w.addUser("clerk", "auth.policies.*.delete")
	clerk := w.login("clerk")
	uuid := w.add("busy", "confd.lines.read")
	path := wazo.PathPolicies + "/" + uuid
	w.store.meanwhile = func() {
		w.want(w.as(w.root, "PUT", path+"/acl_templates/!confd.users.delete", ""), 204, "a denial")
	}
	w.wantRefused(w.as(clerk, "DELETE", path, ""), 403, "Unauthorized for !confd.users.delete", "DELETE by who cannot lift it")
	w.store.meanwhile = func() {
		w.want(w.as(w.root, "PUT", path+"/acl_templates/confd.x", ""), 204, "another template")
	}
	w.want(w.as(w.root, "DELETE", path, ""), 204, "DELETE by who can")
	w.wantRefused(w.as(w.root, "GET", path, ""), 404, "No such policy", "GET")
}

func TestALineThatCouldNotStandInAListIsRefusedByName(t *testing.T) {
	w := newPolicies(t)
	w.addUser("clerk", "auth.policies.#")
	clerk := w.login("clerk")
	path := wazo.PathPolicies + "/" + w.add("one", "confd.a")
	for template, why := range map[string]string{
		"! x": "holds white space", "!a, !b": "holds white space", "!": "denies nothing",
		"!" + strings.Repeat("#", 33): "holds more than 32 wildcards",
	} {
		for _, by := range []string{w.root, clerk} {
			reason := fmt.Sprintf("Invalid access string %q %s", template, why)
			w.wantRefused(w.as(by, "POST", wazo.PathPolicies, w.body("two", "confd.b\n"+template)), 400, reason, "POST")
			w.wantRefused(w.as(by, "PUT", path, w.body("one", template)), 400, reason, "PUT")
			w.wantRefused(w.as(by, "PUT", path+"/acl_templates/"+url.PathEscape(template), ""), 400, reason, "PUT of a template")
		}
	}
}

func TestChangesOfOnePolicyAtOnceAllCount(t *testing.T) {
	w := newPolicies(t)
	uuid := w.add("busy")
	w.store.meanwhile = func() {
		w.want(w.as(w.root, "PUT", wazo.PathPolicies+"/"+uuid+"/acl_templates/confd.first", ""), 204, "the first")
	}
	w.want(w.as(w.root, "PUT", wazo.PathPolicies+"/"+uuid+"/acl_templates/confd.second", ""), 204, "the second")
	if got := w.templates(uuid); got != "[confd.first confd.second]" {
		t.Errorf("templates %s", got)
	}
	var wg sync.WaitGroup
	const parallel = 6
	for n := range parallel {
		wg.Go(func() {
			if a := w.as(w.root, "PUT", fmt.Sprintf("%s/%s/acl_templates/confd.n%d", wazo.PathPolicies, uuid, n), ""); a.status != 204 {
				t.Errorf("%d: %d %s", n, a.status, a.body)
			}
		})
	}
	wg.Wait()
	if got := w.templates(uuid); strings.Count(got, "confd.n") != parallel {
		t.Errorf("templates %s", got)
	}
}
