package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func applicationChecks() []check {
	return []check{
		{"an application is what was created", createdApplication},
		{"an application can be created once", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateApplication{Application: anApplication("app")})
			other := anApplication("app")
			other.Name = "Other"
			refused(t, s, store.ErrExists, store.CreateApplication{Application: other})
			same(t, applicationNumber(1, "app"), must(s.Application(t.Context(), "t", "app"))(t))
		}},
		{"a user and an application of a tenant never share a name", sharedNames},
		{"an update replaces all but the creation", updatedApplication},
		{"an application keeps its owner, who is a user, until that is deleted", ownerOfApplication},
		{"of a user who is deleted nothing comes to a user of the same name", disownedApplications},
		{"a deleted application is gone and can come back", deletedApplication},
		{"IDs are compared byte for byte, and in their tenant alone", exactIDs},
		{"pages of applications miss none and double none", applicationPages},
		{"what a caller does with slices stays with the caller", applicationSlices},
	}
}

func createdApplication(t *testing.T, s store.Store) {
	bare := store.Application{Tenant: "t", ID: "bare"}
	extreme := store.Application{Tenant: "t", ID: "extreme", Organisation: math.MaxInt64, Implicit: true, SkipConsent: true, PKCEOptional: true, CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64}
	for i, want := range []store.Application{anApplication("app"), bare, extreme} {
		apply(t, s, store.CreateApplication{Application: want})
		want.Number = int64(i + 1)
		same(t, want, must(s.Application(t.Context(), want.Tenant, want.ID))(t))
	}
	empty := store.Application{
		Tenant: "t", ID: "empty", SecretMAC: []byte{},
		Grants: []string{}, RedirectURIs: []string{}, Scopes: []string{}, Audiences: []string{},
	}
	apply(t, s, store.CreateApplication{Application: empty})
	same(t, store.Application{Tenant: "t", ID: "empty", Number: 4}, must(s.Application(t.Context(), "t", "empty"))(t))
	if _, err := s.Application(t.Context(), "t", "none"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an application that is not there: %v", err)
	}
}

func sharedNames(t *testing.T, s store.Store) {
	apply(t, s, store.CreateUser{User: aUser("user")}, store.CreateApplication{Application: anApplication("app")})
	refused(t, s, store.ErrExists, store.CreateUser{User: aUser("app")})
	refused(t, s, store.ErrExists, store.CreateApplication{Application: anApplication("user")})
	// Within one operation too.
	refused(t, s, store.ErrExists, store.CreateUser{User: aUser("new")}, store.CreateApplication{Application: anApplication("new")})
	refused(t, s, store.ErrExists, store.CreateApplication{Application: anApplication("new")}, store.CreateUser{User: aUser("new")})
	// Another tenant has other names, and so has another case.
	elsewhere, application := aUser("app"), anApplication("user")
	elsewhere.Tenant, application.Tenant = "T", "T"
	apply(t, s, store.CreateUser{User: elsewhere}, store.CreateApplication{Application: application},
		store.CreateUser{User: aUser("App")}, store.CreateApplication{Application: anApplication("User")})
	// A name that is free again is free for both.
	apply(t, s, store.DeleteUser{Tenant: "t", Name: "user"}, store.CreateApplication{Application: anApplication("user")},
		store.DeleteApplication{Tenant: "t", ID: "app"}, store.CreateUser{User: aUser("app")})
	same(t, userNumber(3, "app"), must(s.User(t.Context(), "t", "app"))(t))
	same(t, applicationNumber(3, "user"), must(s.Application(t.Context(), "t", "user"))(t))
}

func updatedApplication(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, store.UpdateApplication{Application: anApplication("app")})
	apply(t, s, store.CreateApplication{Application: anApplication("app")}, store.CreateApplication{Application: anApplication("other")})
	update := store.Application{
		Tenant: "t", ID: "app", Name: "new", SecretMAC: []byte("new"), AuthMethod: "private_key_jwt", Grants: []string{"z", "a"},
		RedirectURIs: []string{"u"}, Scopes: []string{"s"}, Audiences: []string{"v"}, JWKS: "{}", PKCEOptional: true,
		Organisation: 8, Description: "new", Implicit: true, CreatedAt: 99, UpdatedAt: 100,
	}
	read := anApplication("app").UpdatedAt
	refused(t, s, store.ErrConflict, store.UpdateApplication{Application: update, Read: read + 1})
	same(t, applicationNumber(1, "app"), must(s.Application(t.Context(), "t", "app"))(t))
	apply(t, s, store.UpdateApplication{Application: update, Read: read})
	update.CreatedAt, update.Number = anApplication("app").CreatedAt, 1
	same(t, update, must(s.Application(t.Context(), "t", "app"))(t))
	refused(t, s, store.ErrConflict, store.UpdateApplication{Application: update, Read: read})
	same(t, applicationNumber(2, "other"), must(s.Application(t.Context(), "t", "other"))(t))
	bare := store.Application{Tenant: "t", ID: "app"}
	apply(t, s, store.UpdateApplication{Application: bare, Read: 100})
	bare.CreatedAt, bare.Number = update.CreatedAt, 1
	same(t, bare, must(s.Application(t.Context(), "t", "app"))(t))
}

func ownerOfApplication(t *testing.T, s store.Store) {
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: aUser("bob")},
		store.CreateApplication{Application: anApplication("other")})
	app := anApplication("app")
	for _, nobody := range []string{"carol", "Alice", "alice ", "other", "app"} {
		app.Owner = nobody
		refused(t, s, store.ErrNotFound, store.CreateApplication{Application: app})
		refused(t, s, store.ErrNotFound, store.CreateApplication{Application: app}, store.CreateUser{User: aUser(nobody)})
	}
	app.Owner, app.Tenant = "alice", "T"
	refused(t, s, store.ErrNotFound, store.CreateApplication{Application: app})
	app.Tenant = "t"
	apply(t, s, store.CreateApplication{Application: app})
	app.Number = 2
	same(t, app, must(s.Application(t.Context(), "t", "app"))(t))
	same(t, app, must(s.ApplicationByNumber(t.Context(), "t", 2))(t))
	for _, owner := range []string{"bob", "", "carol"} {
		update := app
		update.Name, update.Owner = "by "+owner, owner
		apply(t, s, store.UpdateApplication{Application: update, Read: 2})
		update.Owner = "alice"
		same(t, update, must(s.Application(t.Context(), "t", "app"))(t))
		same(t, []store.Application{applicationNumber(1, "other"), update}, must(s.ListApplicationsByNumber(t.Context(), "t", 0, 9))(t))
	}
	// Within one operation too.
	second := anApplication("second")
	second.Owner = "new"
	apply(t, s, store.CreateUser{User: aUser("new")}, store.CreateApplication{Application: second})
	same(t, "new", must(s.Application(t.Context(), "t", "second"))(t).Owner)
}

func disownedApplications(t *testing.T, s store.Store) {
	elsewhere := aUser("alice")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: aUser("Alice")}, store.CreateUser{User: elsewhere})
	owners := map[string]string{}
	create := func(tenant, id, owner string) {
		app := anApplication(id)
		app.Tenant, app.Owner = tenant, owner
		apply(t, s, store.CreateApplication{Application: app})
		owners[tenant+id] = owner
	}
	create("t", "one", "alice")
	create("t", "two", "alice")
	create("t", "three", "Alice")
	create("t", "four", "")
	create("T", "one", "alice")
	holds := func() {
		t.Helper()
		for _, tenant := range []string{"t", "T"} {
			for _, app := range must(s.ListApplications(t.Context(), tenant, "", 9))(t) {
				want := anApplication(app.ID)
				want.Tenant, want.Number, want.Owner = tenant, app.Number, owners[tenant+app.ID]
				same(t, want, app)
			}
		}
	}
	gone := store.DeleteUser{Tenant: "t", Name: "alice"}
	refused(t, s, store.ErrNotFound, gone, store.DeleteKey{ID: "none"})
	refused(t, s, store.ErrNotFound, gone, gone)
	holds()
	read := must(s.Application(t.Context(), "t", "one"))(t)
	apply(t, s, gone)
	owners["tone"], owners["ttwo"] = "", ""
	holds()
	apply(t, s, store.CreateUser{User: aUser("alice")})
	// Who read it while it was alice's does not give it back.
	apply(t, s, store.UpdateApplication{Application: read, Read: read.UpdatedAt})
	holds()
	apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"}, store.CreateUser{User: aUser("alice")})
	holds()
}

func deletedApplication(t *testing.T, s store.Store) {
	gone := store.DeleteApplication{Tenant: "t", ID: "app"}
	refused(t, s, store.ErrNotFound, gone)
	apply(t, s, store.CreateApplication{Application: anApplication("app")}, store.CreateApplication{Application: anApplication("App")})
	apply(t, s, gone)
	if _, err := s.Application(t.Context(), "t", "app"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a deleted application: %v", err)
	}
	refused(t, s, store.ErrNotFound, gone)
	same(t, applicationNumber(2, "App"), must(s.Application(t.Context(), "t", "App"))(t))
	apply(t, s, store.CreateApplication{Application: anApplication("app")})
}

func exactIDs(t *testing.T, s store.Store) {
	exact := exactTexts()
	for i, id := range exact {
		apply(t, s,
			store.CreateApplication{Application: store.Application{Tenant: "t", ID: id, CreatedAt: int64(i)}},
			store.CreateApplication{Application: store.Application{Tenant: id, ID: "t", CreatedAt: int64(-i)}})
	}
	for i, id := range exact {
		if got := must(s.Application(t.Context(), "t", id))(t); got.ID != id || got.CreatedAt != int64(i) {
			t.Errorf("%q gives %q of instant %d, want %d", id, got.ID, got.CreatedAt, i)
		}
		same(t, 1, len(must(s.ListApplications(t.Context(), id, "", 9))(t)))
	}
	var listed []string
	for _, application := range must(s.ListApplications(t.Context(), "t", "", 1000))(t) {
		listed = append(listed, application.ID)
	}
	slices.Sort(exact)
	same(t, exact, listed)
}

func applicationPages(t *testing.T, s store.Store) {
	var want []store.Application
	for i := range 9 {
		want = append(want, anApplication(fmt.Sprint("app", i)))
		apply(t, s, store.CreateApplication{Application: want[i]})
		want[i].Number = int64(i + 1)
	}
	elsewhere := anApplication("app5a")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateApplication{Application: elsewhere})
	for limit := 1; limit <= 10; limit++ {
		var seen []store.Application
		for after := ""; ; after = seen[len(seen)-1].ID {
			page := must(s.ListApplications(t.Context(), "t", after, limit))(t)
			if len(page) > limit {
				t.Fatalf("a page of %d for limit %d", len(page), limit)
			}
			seen = append(seen, page...)
			if len(page) == 0 {
				break
			}
		}
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) { same(t, want, seen) })
	}
	for _, limit := range []int{0, -1} {
		same(t, 0, len(must(s.ListApplications(t.Context(), "t", "", limit))(t)))
	}
}

func applicationSlices(t *testing.T, s store.Store) {
	given := anApplication("app")
	apply(t, s, store.CreateApplication{Application: given})
	scribble(given)
	for range 2 {
		got := must(s.Application(t.Context(), "t", "app"))(t)
		same(t, applicationNumber(1, "app"), got)
		scribble(got)
		listed := must(s.ListApplications(t.Context(), "t", "", 1))(t)
		same(t, []store.Application{applicationNumber(1, "app")}, listed)
		scribble(listed[0])
	}
	update := anApplication("app")
	apply(t, s, store.UpdateApplication{Application: update, Read: update.UpdatedAt})
	scribble(update)
	same(t, applicationNumber(1, "app"), must(s.Application(t.Context(), "t", "app"))(t))
}

func scribble(a store.Application) {
	a.SecretMAC[0] = 0xee
	for _, list := range [][]string{a.Grants, a.RedirectURIs, a.Scopes, a.Audiences} {
		list[0] = "intruder"
	}
}
