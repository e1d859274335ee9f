package daemon

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// must runs a command line that succeeds, and returns what it answers.
func must(t *testing.T, dir string, args ...string) (stdout string) {
	t.Helper()
	code, stdout, stderr := run(t, dir, args...)
	if code != exitOK {
		t.Fatalf("%v: %d %q", args, code, stderr)
	}
	return stdout
}

// shown is the JSON answer of a command line.
func shown[T any](t *testing.T, dir string, args ...string) (v T) {
	t.Helper()
	stdout := must(t, dir, append(args, "-f", "json")...)
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		t.Fatalf("%v: %q %v", args, stdout, err)
	}
	return v
}

func TestTheRoleOfAMembershipIsWhatStandsBehindTheLastColon(t *testing.T) {
	for text, want := range map[string][2]string{
		"Default":         {"Default", "member"},
		"Default:admin":   {"Default", "admin"},
		"Default:auditor": {"Default", "auditor"},
		"Default:member":  {"Default", "member"},
		"Default:boss":    {"Default:boss", "member"},
		"Default:Admin":   {"Default:Admin", "member"},
		"Default:":        {"Default:", "member"},
		"a:admin:member":  {"a:admin", "member"},
		"a:b:auditor":     {"a:b", "auditor"},
		"admin":           {"admin", "member"},
		":admin":          {"", "admin"},
		"":                {"", "member"},
	} {
		if name, role := splitMembership(text); [2]string{name, role} != want {
			t.Errorf("%q: %q %q, want %q", text, name, role, want)
		}
	}
}

func TestAUserIsMadeOnlyWhereEveryOrganisationIsThere(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "organisation", "add", "Default")
	for _, args := range [][]string{{"--organisation", "Defoult"}, {"--organisation", "Default:admin", "--organisation", "Ops"}} {
		// Nobody is asked: there is no way to give a password here.
		code, stdout, stderr := run(t, dir, append([]string{"user", "add", "marco"}, args...)...)
		if code != exitError || stdout != "" || !strings.HasPrefix(stderr, "ats-auth-server: there is no organisation ") {
			t.Errorf("%q: %d %q %q", args, code, stdout, stderr)
		}
	}
	if code, _, stderr := run(t, dir, "user", "add", "marco", "--generate", "--organisation", ":admin"); code != exitUsage || !strings.Contains(stderr, "the name of the organisation is empty") {
		t.Errorf("an empty name: %d %q", code, stderr)
	}
	if list := must(t, dir, "user", "list", "-f", "json"); list != "[]\n" {
		t.Errorf("the users are %s", list)
	}
	if v := shown[organisationView](t, dir, "organisation", "show", "Default"); len(v.Admins)+len(v.Members) != 0 {
		t.Errorf("the organisation has %+v", v)
	}
}

func TestAUsersRolesAreGivenShownAndTaken(t *testing.T) {
	dir := t.TempDir()
	roles := func() (all []string) {
		t.Helper()
		for _, m := range shown[userView](t, dir, "user", "show", "marco").Organisations {
			all = append(all, m.Name+":"+m.Role)
		}
		slices.Sort(all)
		return all
	}
	want := func(want ...string) {
		t.Helper()
		if got := roles(); !slices.Equal(got, want) {
			t.Errorf("the roles are %q, want %q", got, want)
		}
	}
	must(t, dir, "organisation", "add", "Default")
	must(t, dir, "organisation", "add", "Ops:admin")
	must(t, dir, "user", "add", "marco", "--generate", "--organisation", "Default", "--organisation", "Ops:admin:auditor", "--organisation", "Default:admin")
	want("Default:admin", "Default:member", "Ops:admin:auditor")
	must(t, dir, "organisation", "add-member", "Default", "marco", "--role", "auditor", "--role", "admin")
	want("Default:admin", "Default:auditor", "Default:member", "Ops:admin:auditor")
	must(t, dir, "organisation", "remove-member", "Default", "marco", "--role", "admin")
	want("Default:auditor", "Default:member", "Ops:admin:auditor")
	if code, _, stderr := run(t, dir, "organisation", "remove-member", "Default", "marco", "--role", "member", "--role", "admin"); code != exitError || !strings.Contains(stderr, `user "marco" is no admin of`) {
		t.Errorf("a role that the user has not: %d %q", code, stderr)
	}
	want("Default:auditor", "Default:member", "Ops:admin:auditor")
	if answer := must(t, dir, "organisation", "remove-member", "Default", "marco", "-f", "json"); answer != `{"organisation":"Default","user":"marco","roles":["auditor","member"]}`+"\n" {
		t.Errorf("taken: %s", answer)
	}
	if code, _, stderr := run(t, dir, "organisation", "remove-member", "Default", "marco"); code != exitError || !strings.Contains(stderr, "no role") {
		t.Errorf("with no role left: %d %q", code, stderr)
	}
	want("Ops:admin:auditor")
	must(t, dir, "organisation", "add-member", "Default", "marco")
	want("Default:member", "Ops:admin:auditor")
	v := shown[organisationView](t, dir, "organisation", "show", "Default")
	if !slices.Equal(v.Members, []string{"marco"}) || len(v.Admins)+len(v.Auditors) != 0 {
		t.Errorf("the organisation has %+v", v)
	}
	must(t, dir, "organisation", "delete", "Default")
	want("Ops:admin:auditor")
}

func TestAnOrganisationsApplicationIsOneOfTheAWXDoor(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "organisation", "add", "Default", "--description", "people")
	made := shown[map[string]string](t, dir, "application", "add", "Deploy", "--organisation", "Default", "--description", "rolls out", "--grant", "password", "--grant", "refresh_token")
	if !regexp.MustCompile(`^[0-9A-Za-z]{40}$`).MatchString(made["client_id"]) || !regexp.MustCompile(`^[0-9A-Za-z]{128}$`).MatchString(made["client_secret"]) {
		t.Errorf("made %+v", made)
	}
	v := shown[applicationView](t, dir, "application", "show", "Deploy")
	if v.Organisation != "Default" || v.Description != "rolls out" || v.Number != 1 || v.Implicit || !slices.Equal(v.Scopes, []string{"read", "write"}) {
		t.Errorf("shown %+v", v)
	}
	must(t, dir, "application", "add", "Web", "--organisation", "Default", "--client-id", "web", "--scope", "read", "--public", "--implicit", "--redirect-uri", "http://awx.example.org/cb")
	v = shown[applicationView](t, dir, "application", "show", "web")
	if v.Organisation != "Default" || v.Number != 2 || !v.Implicit || len(v.Grants) != 0 || !slices.Equal(v.Scopes, []string{"read"}) {
		t.Errorf("shown %+v", v)
	}
	must(t, dir, "application", "add", "Else", "--grant", "client_credentials", "--client-id", "else")
	if v := shown[applicationView](t, dir, "application", "show", "else"); v.Organisation != "" || len(v.Scopes) != 0 {
		t.Errorf("an application of nobody's: %+v", v)
	}
	code, _, stderr := run(t, dir, "organisation", "delete", "Default")
	if code != exitError || !strings.Contains(stderr, made["client_id"]) || !strings.Contains(stderr, "web") || strings.Contains(stderr, "else") {
		t.Errorf("with applications: %d %q", code, stderr)
	}
	must(t, dir, "application", "delete", "Deploy")
	must(t, dir, "application", "delete", "web")
	must(t, dir, "organisation", "delete", "Default")
}

// late is a store whose Memberships are those of before.
type late struct {
	store.Store
	before []store.Membership
}

func (l late) Memberships(context.Context, string, string) ([]store.Membership, error) {
	return l.before, nil
}

func TestAnApplicationIsShownWithItsOwner(t *testing.T) {
	v := viewApplication(store.Application{Name: "Shop", Owner: "marco"}, nil)
	if v.Owner != "marco" || !regexp.MustCompile(`(?m)^owner +marco$`).MatchString(v.text()) {
		t.Errorf("shown %+v\n%s", v, v.text())
	}
	if v = viewApplication(store.Application{Name: "Shop"}, nil); v.Owner != "" || strings.Contains(v.text(), "owner") {
		t.Errorf("nobody's is shown as %s", v.text())
	}
}

func TestARoleThatAnotherHasTakenMeanwhileIsTakenAllTheSame(t *testing.T) {
	before := []store.Membership{
		{Tenant: "default", Organisation: 1, User: "marco", Role: "admin"},
		{Tenant: "default", Organisation: 1, User: "marco", Role: "member"},
	}
	s, err := server.New(t.Context(), server.Config{Store: late{memory.New(), before}})
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.AddOrganisation(t.Context(), store.Organisation{Name: "Default"})
	if err != nil || o.Number != 1 {
		t.Fatal(o, err)
	}
	if err := s.AddUser(t.Context(), store.User{Name: "marco"}, token.NewPassword("sesame")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetMember(t.Context(), before[1], true); err != nil {
		t.Fatal(err)
	}
	taken, err := removeMember(t.Context(), s, o, "marco", nil)
	left, _ := s.Members(t.Context(), "", 1)
	if err != nil || !slices.Equal(taken, []string{"admin", "member"}) || len(left) != 0 {
		t.Errorf("taken %q, left %+v: %v", taken, left, err)
	}
}
