package door_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// The oracle says who may do what, sentence by sentence, over names of newHouse. It
// shares nothing with the rules.

// trial is one question: may who, with a credential of that scope, do that to it?
type trial struct {
	who   string
	scope string // of the token; empty: a password
	verb  string
	kind  string // what it is done to
	owner string // of a token: whose; of an application or an organisation: which one
	app   string // of a token: the organisation of its application, or of one that its owner has; empty: none
	user  string // of an application, a token's too: whose it is; empty: nobody's
}

func (c trial) changes() bool { return c.verb != "show" && c.verb != "find" }

// oracle holds the sentences, the first that speaks of the case decides.
func oracle(c trial) bool {
	adminOf := map[string]string{"rita": "Red", "bea": "Blue"}
	// Who belongs to an organisation: its members, its admins with them.
	belongs := map[string]string{"rita": "Red", "rob": "Red", "bea": "Blue", "ben": "Blue"}
	auditorOf := map[string]string{"rene": "Red"}
	insider := func(name, org string) bool { return belongs[name] == org || auditorOf[name] == org }

	// "A read-only token can never change anything, whoever owns it."
	if c.changes() && c.scope == "read" {
		return false
	}
	// "System admin is able to see and manipulate every token in the system."
	if c.who == "root" {
		return true
	}
	switch c.kind {
	case "token":
		// "Other normal users will only be able to see and manipulate their own tokens."
		if c.who == c.owner {
			return true
		}
		// "System Auditors can see all tokens and applications", and "change nothing".
		if c.who == "ada" {
			return !c.changes()
		}
		// "Organization admins will be able to see and manipulate all tokens belonging to
		// Organization members", and those of the organisation's applications.
		if org := adminOf[c.who]; org != "" && (belongs[c.owner] == org || c.app == org) {
			return true
		}
		// An organisation's auditor sees what its admins see.
		if org := auditorOf[c.who]; org != "" && (belongs[c.owner] == org || c.app == org) {
			return !c.changes()
		}
		return false
	case "new token", "wider token":
		// "A token belongs to the user it is created for": one's own; and a member's, by
		// an admin of the organisation, unless the member is more than that elsewhere, or
		// has an application elsewhere: the token would change that too.
		if c.who == c.owner {
			return true
		}
		elsewhere := c.app != "" && c.app != adminOf[c.who]
		return c.owner != "root" && c.owner != "ada" && adminOf[c.who] != "" && adminOf[c.who] == belongs[c.owner] && !elsewhere
	case "application":
		// "Other users can see, update and delete their own applications."
		if c.who == c.user {
			return true
		}
		if c.who == "ada" {
			return !c.changes()
		}
		if c.changes() {
			return adminOf[c.who] == c.owner
		}
		// Those of the organisation see it.
		return insider(c.who, c.owner)
	case "new application":
		return adminOf[c.who] == c.owner
	case "user's new application":
		// It is made in an organisation of the user's, by who administers that.
		return adminOf[c.who] != "" && adminOf[c.who] == belongs[c.user]
	case "application's token", "application's tokens":
		// "Token creation for an application needs read on it", and so does the list.
		return c.who == "ada" || c.who == c.user || insider(c.who, c.owner)
	case "organization":
		if c.who == "ada" {
			return !c.changes()
		}
		switch c.verb {
		case "delete":
			return false // system admins alone
		case "change":
			return adminOf[c.who] == c.owner
		}
		return insider(c.who, c.owner)
	case "new organization":
		return false
	case "user":
		if c.who == "ada" || c.who == c.owner {
			return true
		}
		org := belongs[c.owner] + auditorOf[c.owner]
		return org != "" && insider(c.who, org)
	}
	panic("the oracle is not asked about " + c.kind)
}

// trials are all cases.
func trials() (list []trial) {
	people := []string{"root", "ada", "rita", "rob", "rene", "bea", "ben", "nina"}
	add := func(c trial, verbs ...string) {
		for _, who := range people {
			for _, scope := range []string{"", "write", "read", "read write"} {
				for _, verb := range verbs {
					c.who, c.scope, c.verb = who, scope, verb
					list = append(list, c)
				}
			}
		}
	}
	for _, owner := range people {
		add(trial{kind: "token", owner: owner}, "show", "find", "change", "delete")
		add(trial{kind: "token", owner: owner, app: "Red"}, "show", "find", "change", "delete")
		for _, org := range []string{"", "Red", "Blue"} {
			add(trial{kind: "new token", owner: owner, app: org, user: owner}, "create")
			add(trial{kind: "wider token", owner: owner, app: org, user: owner}, "change")
		}
		add(trial{kind: "user's new application", user: owner}, "create")
		add(trial{kind: "user", owner: owner}, "show", "find")
	}
	// Whose an application is tells nothing of the tokens that others have of it.
	add(trial{kind: "token", owner: "rob", app: "Red", user: "nina"}, "show", "find", "change", "delete")
	for _, org := range []string{"Red", "Blue"} {
		// Nobody's, a member's, an auditor's, another organisation's, nobody else's.
		for _, user := range []string{"", "rob", "ada", "ben", "nina"} {
			add(trial{kind: "application", owner: org, user: user}, "show", "find", "change", "delete")
			add(trial{kind: "application's token", owner: org, user: user}, "create")
			add(trial{kind: "application's tokens", owner: org, user: user}, "show")
		}
		add(trial{kind: "new application", owner: org}, "create")
		add(trial{kind: "organization", owner: org}, "show", "find", "change")
	}
	add(trial{kind: "organization", owner: "Green"}, "delete")
	add(trial{kind: "new organization"}, "create")
	return list
}

func TestTheRulesAreThoseOfTheSeed(t *testing.T) {
	w := newHouse(t)
	list := trials()
	if len(list) < 200 {
		t.Fatalf("only %d cases", len(list))
	}
	credential := map[string][]string{}
	for _, c := range list {
		key := c.who + " " + c.scope
		if credential[key] == nil {
			if credential[key] = basic(c.who, testPassword); c.scope != "" {
				credential[key] = bearer(w.keep(c.who, "", c.scope).Access.Reveal())
			}
		}
	}
	allowed := 0
	for n, c := range list {
		may := oracle(c)
		if may {
			allowed++
		}
		if got := w.try(n, c, credential[c.who+" "+c.scope]); got != may {
			t.Errorf("%+v: %v, want %v", c, got, may)
		}
	}
	t.Logf("%d cases, %d of them allowed", len(list), allowed)
}

var houseOrgs = []string{"Red", "Blue"}

// try does what a trial asks about, to an object of its own, and reports whether it
// was allowed.
func (w *world) try(n int, c trial, credential []string) bool {
	w.Helper()
	org := int64(slices.Index(houseOrgs, c.owner) + 1)
	app := store.Application{Tenant: store.DefaultTenant}
	create := func(org int64) {
		app, _ = w.addApp(org, "t"+itoa(int64(n)), func(a *store.Application) { a.Owner = c.user })
	}
	// What is left of so many makes the lists long.
	defer func() { _ = w.store.Apply(w.Context(), store.DeleteApplication{Tenant: app.Tenant, ID: app.ID}) }()
	var list, path, body string
	var id int64
	switch c.kind {
	case "token":
		if c.app != "" {
			create(1)
		}
		list, id, body = awx.PathTokens, w.keep(c.owner, app.ID, "write").Number, `{"description":"x"}`
	case "new token", "wider token":
		if c.app != "" {
			create(int64(slices.Index(houseOrgs, c.app) + 1))
		}
		if body = `{"scope":"read"}`; c.kind == "wider token" {
			path, body = item(awx.PathTokens, w.keep(c.owner, "", "read").Number), `{"scope":"write"}`
			break
		}
		path, body = beneath(awx.PathUsers, w.number(c.owner), awx.ListPersonalTokens), `{"scope":"read"}`
	case "user":
		list, id = awx.PathUsers, w.number(c.owner)
	case "application":
		create(org)
		list, id, body = awx.PathApplications, app.Number, `{"description":"x"}`
	case "new application":
		path = awx.PathApplications
		body = quoted(`{"name":"n","client_type":"confidential","authorization_grant_type":"password","organization":%d}`, org)
		if n%2 == 0 {
			path = beneath(awx.PathOrganizations, org, awx.ListApplications)
		}
	case "user's new application":
		path = awx.PathApplications
		body = quoted(`{"name":"n","client_type":"confidential","authorization_grant_type":"password","user":%d}`, w.number(c.user))
		if n%2 == 0 {
			path = beneath(awx.PathUsers, w.number(c.user), awx.ListApplications)
		}
	case "application's token", "application's tokens":
		create(org)
		path, body = beneath(awx.PathApplications, app.Number, awx.ListTokens), `{"scope":"read"}`
	case "organization":
		if list, id, body = awx.PathOrganizations, org, `{"description":"x"}`; c.verb == "delete" {
			id = w.addOrg("Green" + itoa(int64(n)))
		}
	case "new organization":
		path, body = awx.PathOrganizations, quoted(`{"name":"O%d"}`, n)
	}
	return w.tried(c, list, path, id, body, credential)
}

func (w *world) tried(c trial, list, path string, id int64, body string, credential []string) bool {
	w.Helper()
	method := map[string]string{"show": "GET", "change": "PATCH", "delete": "DELETE", "create": "POST"}[c.verb]
	good := map[string]int{"show": 200, "change": 200, "delete": 204, "create": 201}[c.verb]
	if c.verb == "find" {
		return w.finds(list, id, credential)
	}
	if path == "" {
		path = item(list, id)
	}
	a := w.send(method, path, body, credential...)
	// An organisation or a user that one may not see is none to make an application of,
	// nor is there an organisation for a user of none.
	hidden := strings.HasSuffix(c.kind, "new application") && a.status == 400
	if a.status != good && a.status != 403 && !hidden {
		w.Fatalf("%+v: %d %s", c, a.status, a.body)
	}
	return a.status == good
}

// finds reports whether a list holds an object, wherever.
func (w *world) finds(list string, id int64, credential []string) bool {
	w.Helper()
	// Numbers grow: what has just been made is on the page behind the one before it.
	a := w.want(w.send("GET", list+"?page_size=200&after="+itoa(id-1), "", credential...), 200, "list "+list)
	return slices.Contains(a.ids(w), id)
}
