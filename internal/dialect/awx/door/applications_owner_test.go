package door_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/awx/door"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// codeApp is the application of the seed that a user has.
func (w *world) codeApp(user string) string {
	return quoted(`{"name":"AuthCodeApp","user":%d,"client_type":"confidential","redirect_uris":"http://awx.example/api/v2","authorization_grant_type":"authorization-code","skip_authorization":false}`, w.number(user))
}

func TestAnApplicationOfAUserIsTheUsersAndTheUsersOrganisations(t *testing.T) {
	w := newHouse(t)
	green := w.addOrg("Green") // of which Rene is a member; of Red the auditor, who looks in from outside
	w.join(green, "rene", store.OrganisationMember)
	for _, c := range []struct {
		by, user     string
		status       int
		organization int64
	}{
		{"root", "ben", 201, 2},
		{"rita", "rob", 201, 1},
		{"rita", "rita", 201, 1},
		{"root", "rene", 201, green},
		{"rita", "rene", 400, 0},
		{"rob", "rob", 403, 0},
		{"nina", "nina", 403, 0},
		{"ada", "ada", 403, 0},
	} {
		a := w.want(w.as(c.by, "POST", awx.PathApplications, w.codeApp(c.user)), c.status, c.by+" for "+c.user)
		if a.number(t, "organization") != c.organization {
			t.Errorf("%+v: %s", c, a.body)
		}
		if c.status != 201 {
			continue
		}
		summary, _ := a.object(t)["summary_fields"].(map[string]any)["user"].(map[string]any)
		related := a.object(t)["related"].(map[string]any)["user"]
		if a.number(t, "user") != w.number(c.user) || summary["username"] != c.user || related != item(awx.PathUsers, w.number(c.user)) {
			t.Errorf("%+v: %s", c, a.body)
		}
		app, err := w.core.Application(t.Context(), store.DefaultTenant, a.text(t, "client_id"))
		if w.do(err); app.Owner != c.user {
			t.Errorf("%+v: kept as %q's", c, app.Owner)
		}
	}
	w.wantField(w.as("rita", "POST", awx.PathApplications, w.codeApp("nina")), "user", "", "a user that she does not see")
	w.wantField(w.as("root", "POST", awx.PathApplications, strings.Replace(w.codeApp("rob"), `"user":`, `"user":99,"x":`, 1)), "user", `Invalid pk "99" - object does not exist.`, "nobody")
	// The user of the path holds, and an organisation that is named.
	both := strings.Replace(w.codeApp("rob"), `{`, `{"organization":2,`, 1)
	a := w.want(w.as("root", "POST", "/api/v2/users/nina/applications/", both), 201, "beneath the user")
	if a.number(t, "user") != w.number("nina") || a.number(t, "organization") != 2 {
		t.Errorf("made %s", a.body)
	}
	a = w.want(w.as("rita", "POST", beneath(awx.PathOrganizations, 1, awx.ListApplications), both), 201, "beneath the organisation")
	if a.number(t, "user") != w.number("rob") || a.number(t, "organization") != 1 {
		t.Errorf("made %s", a.body)
	}
	w.wantDetail(w.as("rita", "POST", "/api/v2/users/rob/applications/", strings.Replace(both, `"organization":2`, `"organization":3`, 1)), 400, "", "another's organisation")
}

func TestTheApplicationOfAUserOfNoOrganisationIsInTheCommonOne(t *testing.T) {
	w := newHouse(t)
	orgs := func() (names []string) {
		list, err := w.core.Organisations(t.Context(), store.DefaultTenant)
		w.do(err)
		for _, o := range list {
			names = append(names, o.Name)
		}
		return names
	}
	// It is not made for what cannot be, nor for who makes no organisations.
	w.wantField(w.as("root", "POST", awx.PathApplications, strings.Replace(w.codeApp("nina"), `"name"`, `"x"`, 1)), "name", awx.MessageRequired, "without a name")
	w.wantField(w.as("root", "POST", awx.PathApplications, newAppWithout("organization")), "organization", awx.MessageRequired, "nobody's")
	w.join(2, "rita", store.OrganisationMember)
	w.wantField(w.as("rita", "POST", awx.PathApplications, w.codeApp("ben")), "organization", awx.MessageRequired, "of an organisation that is not hers")
	if got := orgs(); !slices.Equal(got, []string{"Red", "Blue"}) {
		t.Fatalf("organisations %v", got)
	}
	for range 2 {
		for _, user := range []string{"nina", "root", "ada"} {
			if a := w.want(w.as("root", "POST", awx.PathApplications, w.codeApp(user)), 201, user); a.number(t, "organization") != 3 {
				t.Errorf("%s: %s", user, a.body)
			}
		}
	}
	if got := orgs(); !slices.Equal(got, []string{"Red", "Blue", awx.DefaultOrganization}) {
		t.Errorf("organisations %v", got)
	}
}

func newAppWithout(name string) string { return strings.Replace(newApp, `"`+name+`":`, `"was":`, 1) }

func TestAnOwnerSeesChangesAndDeletesTheApplication(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop", func(a *store.Application) { a.Owner = "nina" })
	url := item(awx.PathApplications, app.Number)
	own, robs := w.keep("nina", app.ID, "write"), w.keep("rob", app.ID, "write")
	read := bearer(w.keep("nina", "", "read").Access.Reveal())
	for _, list := range []string{awx.PathApplications, beneath(awx.PathUsers, w.number("nina"), awx.ListApplications)} {
		if got := w.want(w.send("GET", list, "", read...), 200, list).ids(t); !slices.Equal(got, []int64{app.Number}) {
			t.Errorf("%s holds %v", list, got)
		}
	}
	if got := w.as("root", "GET", beneath(awx.PathUsers, w.number("bea"), awx.ListApplications), "").ids(t); len(got) != 0 {
		t.Errorf("bea's applications %v", got)
	}
	a := w.want(w.as("nina", "GET", url+awx.ListTokens+"/", ""), 200, "its tokens")
	if got := a.ids(t); !slices.Equal(got, []int64{own.Number}) {
		t.Errorf("its tokens %v: hers is %d, %d is another's", got, own.Number, robs.Number)
	}
	w.wantDetail(w.as("nina", "GET", item(awx.PathTokens, robs.Number), ""), 403, awx.MessageForbidden, "another's token")
	if a = w.want(w.as("nina", "OPTIONS", url, ""), 200, "OPTIONS"); !strings.Contains(a.header.Get("Allow"), "DELETE") {
		t.Errorf("she may %q", a.header.Get("Allow"))
	}
	if a = w.want(w.send("OPTIONS", url, "", read...), 200, "OPTIONS"); a.header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("a read token may %q", a.header.Get("Allow"))
	}
	if a = w.send("GET", url, "", read...); !strings.Contains(a.body, `"user_capabilities":{"edit":false,"delete":false}`) {
		t.Errorf("with a read token: %s", a.body)
	}
	a = w.want(w.as("nina", "PATCH", url, quoted(`{"description":"Mine","user":%d}`, w.number("rob"))), 200, "a change")
	if a.text(t, "description") != "Mine" || a.number(t, "user") != w.number("nina") {
		t.Errorf("changed %s", a.body)
	}
	w.want(w.as("rita", "PATCH", url, `{"description":"Ours"}`), 200, "by the organisation's admin")
	for _, method := range []string{"PATCH", "PUT", "DELETE"} {
		w.wantDetail(w.send(method, url, `{"description":"x"}`, read...), 403, awx.MessageForbidden, method+" by a read token")
		w.wantDetail(w.as("rob", method, url, `{"description":"x"}`), 403, awx.MessageForbidden, method+" by a member")
	}
	w.want(w.as("nina", "POST", awx.PathTokens, quoted(`{"application":%d}`, app.Number)), 201, "a token for it")
	w.want(w.as("nina", "DELETE", url, ""), 204, "delete")
	w.wantDetail(w.as("nina", "GET", url, ""), 404, awx.MessageNotFound, "it")
}

func TestAnOwnerAloneHasNobodysAnswersGoElsewhereUnasked(t *testing.T) {
	w := newHouse(t)
	w.join(2, "rob", store.OrganisationAdmin)
	app, _ := w.addApp(1, "shop", func(a *store.Application) {
		a.Owner, a.RedirectURIs = "rob", []string{"https://shop.example/"}
	})
	url := item(awx.PathApplications, app.Number)
	w.want(w.as("rob", "PATCH", url, `{"redirect_uris":"https://rob.example/"}`), 200, "elsewhere, asked")
	w.wantDetail(w.as("rob", "PATCH", url, `{"skip_authorization":true}`), 403, awx.MessageForbidden, "unasked")
	w.wantDetail(w.as("rob", "PATCH", url, `{"organization":2}`), 403, awx.MessageForbidden, "out of the organisation")
	w.want(w.as("rita", "PATCH", url, `{"skip_authorization":true}`), 200, "unasked, by an admin")
	w.want(w.as("rob", "PATCH", url, `{"description":"x","redirect_uris":"https://rob.example/"}`), 200, "as it is")
	w.wantDetail(w.as("rob", "PATCH", url, `{"redirect_uris":"https://other.example/"}`), 403, awx.MessageForbidden, "elsewhere, unasked")
	w.want(w.as("rob", "PATCH", url, `{"redirect_uris":"https://other.example/","skip_authorization":false}`), 200, "elsewhere, asked again")
	now, err := w.core.Application(t.Context(), app.Tenant, app.ID)
	if w.do(err); now.Organisation != 1 || now.SkipConsent || now.Owner != "rob" {
		t.Errorf("it is %+v", now)
	}
}

func TestAnApplicationOutlivesItsOwnerAndIsNoNamesakes(t *testing.T) {
	w := newHouse(t)
	app, _ := w.addApp(1, "shop", func(a *store.Application) { a.Owner = "nina" })
	url := item(awx.PathApplications, app.Number)
	w.do(w.core.DeleteUser(t.Context(), store.DefaultTenant, "nina"))
	a := w.want(w.as("rita", "GET", url, ""), 200, "it")
	if _, there := a.object(t)["user"]; there || strings.Contains(a.body, "nina") {
		t.Errorf("it is %s", a.body)
	}
	w.addUser("nina")
	for _, method := range []string{"GET", "PATCH", "DELETE"} {
		w.wantDetail(w.as("nina", method, url, `{}`), 403, awx.MessageForbidden, method+" by her namesake")
	}
}

// hasty does something before each command of a kind that is carried out, so often.
type hasty struct {
	store.Store
	times  int
	before func(store.Store)
}

func (s *hasty) Apply(ctx context.Context, commands ...store.Command) error {
	if _, ok := commands[0].(store.UpdateAccessToken); ok && s.times > 0 {
		s.times--
		s.before(s.Store)
	}
	return s.Store.Apply(ctx, commands...)
}

// narrowed is a house where a token is changed to read before each of so many
// changes is carried out.
func narrowed(t *testing.T, times int) (*world, int64) {
	t.Helper()
	h := &hasty{times: times}
	w := newHouse(t, func(w *world, _ *door.Config) { h.Store, w.store = w.store, h })
	k := w.keep("rob", "", "write")
	h.before = func(s store.Store) {
		row, err := s.AccessToken(t.Context(), store.DefaultTenant, k.Number)
		w.do(err)
		w.do(s.Apply(t.Context(), store.UpdateAccessToken{
			Tenant: row.Tenant, Number: row.Number, Scope: "read", UpdatedAt: w.door.Tick(), Read: row.UpdatedAt,
		}))
	}
	return w, k.Number
}

func TestANewDescriptionDoesNotBringBackAScope(t *testing.T) {
	for _, method := range []string{"PATCH", "PUT"} {
		for _, times := range []int{1, 3} {
			w, number := narrowed(t, times)
			a := w.want(w.as("rob", method, item(awx.PathTokens, number), `{"description":"new"}`), 200, method)
			if a.text(t, "scope") != "read" || a.text(t, "description") != "new" {
				t.Errorf("%s: %s", method, a.body)
			}
		}
	}
}

func TestAScopeThatWasNarrowedMeanwhileIsWidenedByWhoMayAlone(t *testing.T) {
	w, number := narrowed(t, 1)
	w.join(2, "rob", store.OrganisationMember) // now Rita does not administer him altogether
	w.wantDetail(w.as("rita", "PATCH", item(awx.PathTokens, number), `{"scope":"write"}`), 403, awx.MessageForbidden, "what was no widening when she began")
	row, err := w.store.AccessToken(t.Context(), store.DefaultTenant, number)
	if w.do(err); row.Scope != "read" {
		t.Errorf("scope %q", row.Scope)
	}
	w, number = narrowed(t, 1)
	if a := w.want(w.as("rob", "PATCH", item(awx.PathTokens, number), `{"scope":"read write"}`), 200, "by its owner"); a.text(t, "scope") != "read write" {
		t.Errorf("by its owner: %s", a.body)
	}
}

func TestAChangeThatIsAlwaysTooLateIsRefused(t *testing.T) {
	w, number := narrowed(t, 1000)
	w.want(w.as("rob", "PATCH", item(awx.PathTokens, number), `{"description":"new"}`), http.StatusConflict, "a change")
	if len(w.failed) > 0 {
		t.Error(w.failed)
	}
}
