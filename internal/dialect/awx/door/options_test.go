package door_test

import (
	"net/http"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
)

func TestOPTIONSTellsWhatTheCallerMayDo(t *testing.T) {
	w := newHouse(t)
	red, _ := w.addApp(1, "red")
	k := w.keep("rob", "", "write")
	read, all := "GET, HEAD, OPTIONS", "GET, PUT, PATCH, DELETE, HEAD, OPTIONS"
	for _, c := range []struct{ who, path, allow string }{
		{"rob", awx.PathTokens, "GET, POST, HEAD, OPTIONS"},
		{"rob", item(awx.PathTokens, k.Number), all},
		{"rita", item(awx.PathTokens, k.Number), all},
		{"ada", item(awx.PathTokens, k.Number), read},
		{"nina", item(awx.PathTokens, k.Number), read},
		{"nina", item(awx.PathTokens, 999), all}, // it may be hers one day
		{"rob", awx.PathApplications, read},
		{"rita", awx.PathApplications, "GET, POST, HEAD, OPTIONS"},
		{"rita", item(awx.PathApplications, red.Number), all},
		{"rob", item(awx.PathApplications, red.Number), read},
		{"rob", item(awx.PathApplications, 999), read},
		{"rita", item(awx.PathApplications, 999), all},
		{"bea", item(awx.PathApplications, red.Number), read},
		{"rita", item(awx.PathOrganizations, 1), "GET, PUT, PATCH, HEAD, OPTIONS"},
		{"root", item(awx.PathOrganizations, 1), all},
		{"root", item(awx.PathOrganizations, 999), all},
		{"rita", awx.PathOrganizations, read},
		{"rita", beneath(awx.PathOrganizations, 1, awx.ListApplications), "GET, POST, HEAD, OPTIONS"},
		{"rita", beneath(awx.PathOrganizations, 2, awx.ListApplications), read},
		{"rita", beneath(awx.PathUsers, w.number("rob"), awx.ListPersonalTokens), "GET, POST, HEAD, OPTIONS"},
		{"rob", beneath(awx.PathUsers, w.number("rita"), awx.ListPersonalTokens), read},
		{"rob", "/api/v2/users/nobody/tokens/", read},
		{"root", awx.PathUsers, read},
		{"root", awx.PathMe, read},
	} {
		a := w.want(w.as(c.who, "OPTIONS", c.path, ""), 200, c.who+" "+c.path)
		if got := a.header.Get("Allow"); got != c.allow {
			t.Errorf("%s at %s may %q, want %q", c.who, c.path, got, c.allow)
		}
	}
	raw := w.keep("root", "", "read").Access.Reveal()
	if a := w.want(w.send("OPTIONS", item(awx.PathTokens, k.Number), "", bearer(raw)...), 200, "a read token"); a.header.Get("Allow") != read {
		t.Errorf("a read token may %q", a.header.Get("Allow"))
	}
	w.wantDetail(w.send("OPTIONS", awx.PathTokens, ""), 401, awx.MessageNoCredentials, "nobody")
	w.want(w.send("OPTIONS", awx.PathAPI, ""), 200, "the root for nobody")
}

func TestOPTIONSDescribesFields(t *testing.T) {
	w := newHouse(t)
	for _, path := range []string{awx.PathTokens, awx.PathApplications, awx.PathOrganizations} {
		o := w.want(w.as("root", "OPTIONS", path, ""), 200, path).object(t)
		actions := o["actions"].(map[string]any)
		if o["name"] == "" || o["description"] == "" || len(o["renders"].([]any)) == 0 || len(o["parses"].([]any)) == 0 || len(actions) != 2 {
			t.Errorf("%s: %v", path, o)
		}
		for method, fields := range actions {
			for name, described := range fields.(map[string]any) {
				f := described.(map[string]any)
				if f["type"] == "" || f["label"] == "" || method == "POST" && (f["required"] == nil || f["read_only"] == true) {
					t.Errorf("%s %s %s: %v", path, method, name, f)
				}
			}
		}
	}
	post := w.as("root", "OPTIONS", awx.PathApplications, "").object(t)["actions"].(map[string]any)["POST"].(map[string]any)
	for _, name := range []string{"name", "client_type", "authorization_grant_type", "organization"} {
		if post[name].(map[string]any)["required"] != true {
			t.Errorf("%s is not required: %v", name, post[name])
		}
	}
	if len(post["client_type"].(map[string]any)["choices"].([]any)) != 2 || post["client_secret"] != nil {
		t.Errorf("POST %v", post)
	}
	get := w.as("rob", "OPTIONS", awx.PathApplications, "").object(t)["actions"].(map[string]any)
	if get["POST"] != nil || get["GET"] == nil {
		t.Errorf("for a member: %v", get)
	}
	a := w.as("rob", "PUT", awx.PathTokens, `{}`)
	w.wantDetail(a, http.StatusMethodNotAllowed, `Method "PUT" not allowed.`, "PUT of a list")
	if a.header.Get("Allow") != "GET, POST, HEAD, OPTIONS" {
		t.Errorf("Allow %q", a.header.Get("Allow"))
	}
}
