package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func organisationChecks() []check {
	return []check{
		{"an organisation is what was created", createdOrganisation},
		{"a name of an organisation is taken once in its tenant, byte for byte", takenOrganisation},
		{"an update replaces name, description and its instant", updatedOrganisation},
		{"an update to a name that is taken is refused, to its own is not", renamedOrganisation},
		{"of updates at once that stand on one instant a single one holds", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateOrganisation{Organisation: anOrganisation("o")})
			same(t, 1, winners(t, store.ErrConflict, func(i int) error {
				update := store.Organisation{Tenant: "t", Number: 1, Name: fmt.Sprint(i), UpdatedAt: int64(i + 9)}
				return s.Apply(context.Background(), store.UpdateOrganisation{Organisation: update, Read: 2})
			}))
		}},
		{"a deleted organisation is gone, and its memberships with it", deletedOrganisation},
		{"an organisation stays while an application belongs to it", ownedApplications},
		{"pages of organisations miss none and double none", organisationPages},
		{"memberships come by organisation and role, members by user and role", listedMemberships},
		{"a membership put again is there once", func(t *testing.T, s store.Store) {
			m := createMembers(t, s)
			apply(t, s, store.PutMembership{Membership: m}, store.PutMembership{Membership: m})
			apply(t, s, store.PutMembership{Membership: m})
			same(t, []store.Membership{m}, must(s.Memberships(t.Context(), "t", "alice"))(t))
			same(t, []store.Membership{m}, must(s.Members(t.Context(), "t", 1))(t))
		}},
		{"a membership needs its organisation and its user", needyMembership},
		{"a membership is deleted by all of it", deletedMembership},
		{"memberships go with their user", userMemberships},
	}
}

func createdOrganisation(t *testing.T, s store.Store) {
	for i, want := range []store.Organisation{
		anOrganisation("o"), {Tenant: "t"}, {Tenant: "t", Name: "extreme", CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64},
	} {
		var told int64
		apply(t, s, store.CreateOrganisation{Organisation: want, Number: &told})
		want.Number = int64(i + 1)
		same(t, want.Number, told)
		same(t, want, must(s.Organisation(t.Context(), "t", want.Number))(t))
	}
	for _, number := range []int64{0, 4, -1, math.MaxInt64} {
		noOrganisation(t, s, "t", number)
	}
	noOrganisation(t, s, "T", 1)
}

func noOrganisation(t *testing.T, s store.Store, tenant string, number int64) {
	t.Helper()
	if got, err := s.Organisation(t.Context(), tenant, number); !errors.Is(err, store.ErrNotFound) || got != (store.Organisation{}) {
		t.Errorf("an organisation that is not there: %+v, error %v", got, err)
	}
}

func takenOrganisation(t *testing.T, s store.Store) {
	exact := exactTexts()
	for _, name := range exact {
		apply(t, s, store.CreateOrganisation{Organisation: anOrganisation(name)})
		refused(t, s, store.ErrExists, store.CreateOrganisation{Organisation: store.Organisation{Tenant: "t", Name: name}})
		elsewhere := anOrganisation(name)
		elsewhere.Tenant = "T"
		apply(t, s, store.CreateOrganisation{Organisation: elsewhere})
	}
	for i, o := range must(s.ListOrganisations(t.Context(), "t", 0, 999))(t) {
		want := anOrganisation(exact[i])
		want.Number = int64(i + 1)
		same(t, want, o)
	}
	refused(t, s, store.ErrExists,
		store.CreateOrganisation{Organisation: anOrganisation("new")}, store.CreateOrganisation{Organisation: anOrganisation("new")})
	// Neither users nor applications share the names.
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateApplication{Application: anApplication("o'neil")},
		store.DeleteOrganisation{Tenant: "t", Number: 1}, store.CreateOrganisation{Organisation: anOrganisation(exact[0])})
	same(t, exact[0], must(s.Organisation(t.Context(), "t", int64(len(exact)+1)))(t).Name)
}

func updatedOrganisation(t *testing.T, s store.Store) {
	update := store.Organisation{Tenant: "t", Number: 1, Name: "new", Description: "other", CreatedAt: 99, UpdatedAt: 100}
	refused(t, s, store.ErrNotFound, store.UpdateOrganisation{Organisation: update, Read: 2})
	apply(t, s, store.CreateOrganisation{Organisation: anOrganisation("o")}, store.CreateOrganisation{Organisation: anOrganisation("p")})
	for _, stale := range []int64{0, 1, 3, 100} {
		refused(t, s, store.ErrConflict, store.UpdateOrganisation{Organisation: update, Read: stale})
	}
	elsewhere := update
	elsewhere.Tenant = "T"
	refused(t, s, store.ErrNotFound, store.UpdateOrganisation{Organisation: elsewhere, Read: 2})
	before := anOrganisation("o")
	before.Number = 1
	same(t, before, must(s.Organisation(t.Context(), "t", 1))(t))
	apply(t, s, store.UpdateOrganisation{Organisation: update, Read: 2})
	update.CreatedAt = before.CreatedAt
	same(t, update, must(s.Organisation(t.Context(), "t", 1))(t))
	beside := anOrganisation("p")
	beside.Number = 2
	same(t, beside, must(s.Organisation(t.Context(), "t", 2))(t))
}

func renamedOrganisation(t *testing.T, s store.Store) {
	elsewhere := anOrganisation("free")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateOrganisation{Organisation: anOrganisation("o")}, store.CreateOrganisation{Organisation: anOrganisation("p")},
		store.CreateOrganisation{Organisation: elsewhere})
	rename := func(name string) store.Command {
		return store.UpdateOrganisation{Organisation: store.Organisation{Tenant: "t", Number: 2, Name: name, UpdatedAt: 2}, Read: 2}
	}
	refused(t, s, store.ErrExists, rename("o"))
	for _, name := range []string{"p", "P", "free", "p"} {
		apply(t, s, rename(name))
		same(t, name, must(s.Organisation(t.Context(), "t", 2))(t).Name)
	}
	apply(t, s, rename("q"), store.CreateOrganisation{Organisation: anOrganisation("p")})
	refused(t, s, store.ErrExists, rename("p"))
	apply(t, s, store.DeleteOrganisation{Tenant: "t", Number: 1}, rename("o"))
}

func deletedOrganisation(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, store.DeleteOrganisation{Tenant: "t", Number: 1})
	refused(t, s, store.ErrNotFound, store.DeleteOrganisation{Tenant: "t"})
	one := createMembers(t, s)
	other := one
	other.Organisation = 2
	apply(t, s, store.CreateOrganisation{Organisation: anOrganisation("p")},
		store.PutMembership{Membership: one}, store.PutMembership{Membership: other})
	refused(t, s, store.ErrNotFound, store.DeleteOrganisation{Tenant: "T", Number: 1})
	apply(t, s, store.DeleteOrganisation{Tenant: "t", Number: 1})
	noOrganisation(t, s, "t", 1)
	same(t, []store.Membership{other}, must(s.Memberships(t.Context(), "t", "alice"))(t))
	same(t, 0, len(must(s.Members(t.Context(), "t", 1))(t)))
	same(t, []store.Membership{other}, must(s.Members(t.Context(), "t", 2))(t))
	refused(t, s, store.ErrNotFound, store.DeleteOrganisation{Tenant: "t", Number: 1})
	refused(t, s, store.ErrNotFound, store.PutMembership{Membership: one})
}

func ownedApplications(t *testing.T, s store.Store) {
	gone := store.DeleteOrganisation{Tenant: "t", Number: 1}
	m, app := createMembers(t, s), anApplication("app")
	app.Organisation = 1
	elsewhere := app
	elsewhere.Tenant, elsewhere.ID = "T", "elsewhere"
	apply(t, s, store.PutMembership{Membership: m}, store.CreateApplication{Application: app}, store.CreateApplication{Application: elsewhere})
	refused(t, s, store.ErrConflict, gone)
	same(t, []store.Membership{m}, must(s.Members(t.Context(), "t", 1))(t))
	app.Organisation = 0
	apply(t, s, store.UpdateApplication{Application: app, Read: 2})
	refused(t, s, store.ErrNotFound, gone, store.DeleteKey{ID: "none"})
	app.Organisation = 1
	apply(t, s, store.UpdateApplication{Application: app, Read: 2})
	refused(t, s, store.ErrConflict, gone)
	apply(t, s, store.DeleteApplication{Tenant: "t", ID: "app"}, gone)
	noOrganisation(t, s, "t", 1)
}

func organisationPages(t *testing.T, s store.Store) {
	var want []int64
	for i := range int64(23) {
		elsewhere := anOrganisation(fmt.Sprint(i))
		elsewhere.Tenant = "T"
		apply(t, s, store.CreateOrganisation{Organisation: anOrganisation(fmt.Sprint(99 - i))}, store.CreateOrganisation{Organisation: elsewhere})
		want = append(want, i+1)
	}
	for limit := 1; limit <= 24; limit++ {
		same(t, want, numberPages(t, limit, func(after int64) (page []int64) {
			for _, o := range must(s.ListOrganisations(t.Context(), "t", after, limit))(t) {
				same(t, fmt.Sprint(100-o.Number), o.Name)
				page = append(page, o.Number)
			}
			return page
		}))
	}
	for _, limit := range []int{0, -1} {
		same(t, 0, len(must(s.ListOrganisations(t.Context(), "t", 0, limit))(t)))
	}
}

// createMembers makes alice, bob and an organisation, and gives a membership that
// can be put.
func createMembers(t *testing.T, s store.Store) store.Membership {
	t.Helper()
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: aUser("bob")},
		store.CreateOrganisation{Organisation: anOrganisation("o")})
	return store.Membership{Tenant: "t", Organisation: 1, User: "alice", Role: store.OrganisationMember}
}

func listedMemberships(t *testing.T, s store.Store) {
	createMembers(t, s)
	for i := range 11 {
		apply(t, s, store.CreateOrganisation{Organisation: anOrganisation(fmt.Sprint(i))})
	}
	var ofBob, ofTwo []store.Membership
	for _, organisation := range []int64{2, 10, 12} { // not in the order of their digits
		for _, role := range []string{store.OrganisationAdmin, store.OrganisationAuditor, store.OrganisationMember} {
			ofBob = append(ofBob, store.Membership{Tenant: "t", Organisation: organisation, User: "bob", Role: role})
		}
	}
	for _, role := range []string{"", store.OrganisationMember} {
		ofTwo = append(ofTwo, store.Membership{Tenant: "t", Organisation: 2, User: "alice", Role: role})
	}
	ofTwo = append(ofTwo, ofBob[:3]...)
	for i := range ofBob {
		apply(t, s, store.PutMembership{Membership: ofBob[(i*4+5)%len(ofBob)]})
	}
	apply(t, s, store.PutMembership{Membership: ofTwo[1]}, store.PutMembership{Membership: ofTwo[0]})
	same(t, ofBob, must(s.Memberships(t.Context(), "t", "bob"))(t))
	same(t, ofTwo, must(s.Members(t.Context(), "t", 2))(t))
	same(t, 0, len(must(s.Memberships(t.Context(), "T", "bob"))(t))+len(must(s.Memberships(t.Context(), "t", "Bob"))(t)))
	same(t, 0, len(must(s.Members(t.Context(), "T", 2))(t))+len(must(s.Members(t.Context(), "t", 1))(t)))
}

func needyMembership(t *testing.T, s store.Store) {
	good := createMembers(t, s)
	for _, change := range []func(*store.Membership){
		func(m *store.Membership) { m.Tenant = "T" },
		func(m *store.Membership) { m.Organisation = 2 },
		func(m *store.Membership) { m.Organisation = 0 },
		func(m *store.Membership) { m.User = "Alice" },
		func(m *store.Membership) { m.User = "" },
	} {
		bad := good
		change(&bad)
		refused(t, s, store.ErrNotFound, store.PutMembership{Membership: bad})
	}
	same(t, 0, len(must(s.Members(t.Context(), "t", 1))(t)))
	apply(t, s, store.PutMembership{Membership: good})
	apply(t, s, store.CreateOrganisation{Organisation: anOrganisation("new")}, store.CreateUser{User: aUser("new")},
		store.PutMembership{Membership: store.Membership{Tenant: "t", Organisation: 2, User: "new"}})
}

func deletedMembership(t *testing.T, s store.Store) {
	m := createMembers(t, s)
	bob, admin := m, m
	bob.User, admin.Role = "bob", store.OrganisationAdmin
	refused(t, s, store.ErrNotFound, store.DeleteMembership{Membership: m})
	apply(t, s, store.PutMembership{Membership: bob}, store.PutMembership{Membership: admin})
	refused(t, s, store.ErrNotFound, store.DeleteMembership{Membership: m})
	apply(t, s, store.PutMembership{Membership: m}, store.DeleteMembership{Membership: m})
	refused(t, s, store.ErrNotFound, store.DeleteMembership{Membership: m})
	same(t, []store.Membership{admin, bob}, must(s.Members(t.Context(), "t", 1))(t))
}

func userMemberships(t *testing.T, s store.Store) {
	m := createMembers(t, s)
	bob := m
	bob.User = "bob"
	admin := m
	admin.Role = store.OrganisationAdmin
	apply(t, s, store.PutMembership{Membership: m}, store.PutMembership{Membership: bob}, store.PutMembership{Membership: admin})
	apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"})
	same(t, []store.Membership{bob}, must(s.Members(t.Context(), "t", 1))(t))
	apply(t, s, store.CreateUser{User: aUser("alice")})
	same(t, 0, len(must(s.Memberships(t.Context(), "t", "alice"))(t)))
	refused(t, s, store.ErrNotFound, store.DeleteMembership{Membership: m})
}

func anOrganisation(name string) store.Organisation {
	return store.Organisation{Tenant: "t", Name: name, Description: "it's \"mine\"", CreatedAt: 1, UpdatedAt: 2}
}
