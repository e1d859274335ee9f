package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func serviceChecks() []check {
	return []check{
		{"a service account is what was created", createdService},
		{"a service account can be created once", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateServiceAccount{ServiceAccount: aService("files")})
			refused(t, s, store.ErrExists, store.CreateServiceAccount{ServiceAccount: store.ServiceAccount{Tenant: "t", Name: "files"}})
			same(t, aService("files"), must(s.ServiceAccount(t.Context(), "t", "files"))(t))
		}},
		{"a service account shares no names with users and applications", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateUser{User: aUser("user")}, store.CreateApplication{Application: anApplication("app")},
				store.CreateServiceAccount{ServiceAccount: aService("user")}, store.CreateServiceAccount{ServiceAccount: aService("app")},
				store.CreateServiceAccount{ServiceAccount: aService("a")}, store.CreateServiceAccount{ServiceAccount: aService("b")},
				store.CreateUser{User: aUser("a")}, store.CreateApplication{Application: anApplication("b")},
				store.DeleteUser{Tenant: "t", Name: "a"}, store.DeleteApplication{Tenant: "t", ID: "b"})
			for _, name := range []string{"user", "app", "a", "b"} {
				same(t, aService(name), must(s.ServiceAccount(t.Context(), "t", name))(t))
			}
		}},
		{"an update replaces all but the creation", updatedService},
		{"of updates of a service account at once that stand on one instant a single one holds", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateServiceAccount{ServiceAccount: aService("files")})
			stood := winners(t, store.ErrConflict, func(i int) error {
				update := aService("files")
				update.UpdatedAt = int64(100 + i)
				return s.Apply(context.Background(), store.UpdateServiceAccount{ServiceAccount: update, Read: aService("files").UpdatedAt})
			})
			same(t, 1, stood)
		}},
		{"a deleted service account is gone and can come back", deletedService},
		{"names of service accounts are compared byte for byte, and in their tenant alone", exactServices},
		{"pages of service accounts miss none and double none", servicePages},
		{"what a caller does with slices stays with the caller", serviceSlices},
	}
}

func createdService(t *testing.T, s store.Store) {
	for _, want := range []store.ServiceAccount{
		aService("files"),
		{Tenant: "t", Name: "bare"},
		{Tenant: "t", Name: "latest", Disabled: true, CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64},
		{Tenant: "t", Name: "many", MayMint: exactTexts()},
		{Tenant: "t", Name: "one", MayMint: []string{""}},
	} {
		apply(t, s, store.CreateServiceAccount{ServiceAccount: want})
		same(t, want, must(s.ServiceAccount(t.Context(), "t", want.Name))(t))
	}
	apply(t, s, store.CreateServiceAccount{ServiceAccount: store.ServiceAccount{Tenant: "u", Name: "empty", MayMint: []string{}}})
	none := store.ServiceAccount{Tenant: "u", Name: "empty"}
	same(t, none, must(s.ServiceAccount(t.Context(), "u", "empty"))(t))
	same(t, []store.ServiceAccount{none}, must(s.ListServiceAccounts(t.Context(), "u", "", 9))(t))
	noService(t, s, "t", "none")
	noService(t, s, "no tenant", "files")
	same(t, 0, len(must(s.ListServiceAccounts(t.Context(), "no tenant", "", 9))(t)))
}

func updatedService(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, store.UpdateServiceAccount{ServiceAccount: aService("files")})
	noService(t, s, "t", "files")
	elsewhere := aService("files")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateServiceAccount{ServiceAccount: aService("files")}, store.CreateServiceAccount{ServiceAccount: elsewhere})
	update := store.ServiceAccount{
		Tenant: "t", Name: "files", PasswordHash: "new", MayMint: []string{"z", "a", "z"}, Disabled: true, CreatedAt: 99, UpdatedAt: 100,
	}
	read := aService("files").UpdatedAt
	for _, stale := range []int64{0, read - 1, read + 1, update.UpdatedAt} {
		refused(t, s, store.ErrConflict, store.UpdateServiceAccount{ServiceAccount: update, Read: stale})
	}
	same(t, aService("files"), must(s.ServiceAccount(t.Context(), "t", "files"))(t))
	apply(t, s, store.UpdateServiceAccount{ServiceAccount: update, Read: read})
	update.CreatedAt = aService("files").CreatedAt
	same(t, update, must(s.ServiceAccount(t.Context(), "t", "files"))(t))
	refused(t, s, store.ErrConflict, store.UpdateServiceAccount{ServiceAccount: update, Read: read})
	bare := store.ServiceAccount{Tenant: "t", Name: "files"}
	apply(t, s, store.UpdateServiceAccount{ServiceAccount: bare, Read: 100})
	bare.CreatedAt = update.CreatedAt
	same(t, bare, must(s.ServiceAccount(t.Context(), "t", "files"))(t))
	same(t, elsewhere, must(s.ServiceAccount(t.Context(), "T", "files"))(t))
}

func deletedService(t *testing.T, s store.Store) {
	gone := store.DeleteServiceAccount{Tenant: "t", Name: "files"}
	refused(t, s, store.ErrNotFound, gone)
	elsewhere := aService("files")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateServiceAccount{ServiceAccount: aService("files")}, store.CreateServiceAccount{ServiceAccount: aService("Files")},
		store.CreateServiceAccount{ServiceAccount: elsewhere}, store.CreateUser{User: aUser("files")})
	apply(t, s, gone)
	noService(t, s, "t", "files")
	refused(t, s, store.ErrNotFound, gone)
	same(t, []store.ServiceAccount{aService("Files")}, must(s.ListServiceAccounts(t.Context(), "t", "", 9))(t))
	same(t, elsewhere, must(s.ServiceAccount(t.Context(), "T", "files"))(t))
	same(t, userNumber(1, "files"), must(s.User(t.Context(), "t", "files"))(t))
	apply(t, s, store.CreateServiceAccount{ServiceAccount: aService("files")})
	same(t, aService("files"), must(s.ServiceAccount(t.Context(), "t", "files"))(t))
}

func exactServices(t *testing.T, s store.Store) {
	exact := exactTexts()
	for i, name := range exact {
		apply(t, s,
			store.CreateServiceAccount{ServiceAccount: store.ServiceAccount{Tenant: "t", Name: name, CreatedAt: int64(i)}},
			store.CreateServiceAccount{ServiceAccount: store.ServiceAccount{Tenant: name, Name: "t", CreatedAt: int64(-i)}})
	}
	for i, name := range exact {
		want := store.ServiceAccount{Tenant: "t", Name: name, CreatedAt: int64(i)}
		same(t, want, must(s.ServiceAccount(t.Context(), "t", name))(t))
		other := store.ServiceAccount{Tenant: name, Name: "t", CreatedAt: int64(-i)}
		same(t, []store.ServiceAccount{other}, must(s.ListServiceAccounts(t.Context(), name, "", 9))(t))
	}
	var listed []string
	for _, account := range must(s.ListServiceAccounts(t.Context(), "t", "", 1000))(t) {
		listed = append(listed, account.Name)
	}
	slices.Sort(exact)
	same(t, exact, listed)
}

func servicePages(t *testing.T, s store.Store) {
	var want []store.ServiceAccount
	for i := range 9 {
		want = append(want, aService(fmt.Sprint("service", i)))
		// Made in another order than that of the names.
		apply(t, s, store.CreateServiceAccount{ServiceAccount: aService(fmt.Sprint("service", i*7%9))})
	}
	elsewhere := aService("service5a")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateServiceAccount{ServiceAccount: elsewhere})
	for limit := 1; limit <= 10; limit++ {
		var seen []store.ServiceAccount
		for after := ""; ; after = seen[len(seen)-1].Name {
			page := must(s.ListServiceAccounts(t.Context(), "t", after, limit))(t)
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
	same(t, want[6:], must(s.ListServiceAccounts(t.Context(), "t", "service5b", 9))(t))
	for _, limit := range []int{0, -1} {
		same(t, 0, len(must(s.ListServiceAccounts(t.Context(), "t", "", limit))(t)))
	}
}

func serviceSlices(t *testing.T, s store.Store) {
	given := aService("files")
	apply(t, s, store.CreateServiceAccount{ServiceAccount: given})
	given.MayMint[0] = "intruder"
	for range 2 {
		got := must(s.ServiceAccount(t.Context(), "t", "files"))(t)
		same(t, aService("files"), got)
		listed := must(s.ListServiceAccounts(t.Context(), "t", "", 1))(t)
		same(t, []store.ServiceAccount{aService("files")}, listed)
		got.MayMint[0], listed[0].MayMint[0] = "intruder", "intruder"
	}
	update := aService("files")
	apply(t, s, store.UpdateServiceAccount{ServiceAccount: update, Read: update.UpdatedAt})
	update.MayMint[0] = "intruder"
	same(t, aService("files"), must(s.ServiceAccount(t.Context(), "t", "files"))(t))
}

func noService(t *testing.T, s store.Store, tenant, name string) {
	t.Helper()
	got, err := s.ServiceAccount(t.Context(), tenant, name)
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a service account that is not there: %v", err)
	}
	same(t, store.ServiceAccount{}, got)
}

func aService(name string) store.ServiceAccount {
	return store.ServiceAccount{
		Tenant: "t", Name: name, PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
		MayMint: []string{"z", "a \"b\"", "z"}, CreatedAt: 1, UpdatedAt: 2,
	}
}
