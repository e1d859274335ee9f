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

func policyChecks() []check {
	return []check{
		{"a policy is what was created, by its UUID and by its name", createdPolicy},
		{"neither a UUID nor a name of a policy is taken twice in a tenant", takenPolicy},
		{"an update replaces all but the creation", updatedPolicy},
		{"an update to a name that is taken is refused, to its own is not", renamedPolicy},
		{"of updates of a policy at once that stand on one instant a single one holds", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreatePolicy{Policy: aPolicy("u", "p")})
			same(t, 1, winners(t, store.ErrConflict, func(i int) error {
				update := aPolicy("u", fmt.Sprint(i))
				update.UpdatedAt = int64(100 + i)
				return s.Apply(context.Background(), store.UpdatePolicy{Policy: update, Read: 2})
			}))
		}},
		{"a deleted policy is gone and can come back", deletedPolicy},
		{"a policy that has changed since it was read is not deleted", deletedAsRead},
		{"names of policies are compared byte for byte, and in their tenant alone", exactPolicies},
		{"pages of policies miss none and double none", policyPages},
		{"what a caller does with slices stays with the caller", policySlices},
	}
}

func aPolicy(uuid, name string) store.Policy {
	return store.Policy{
		Tenant: "t", UUID: uuid, Name: name, Description: "it's \"mine\"\n",
		Templates: []string{"confd.users.{{.UUID}}.#", "!a <&>", "confd.users.{{.UUID}}.#"}, CreatedAt: 1, UpdatedAt: 2,
	}
}

func createdPolicy(t *testing.T, s store.Store) {
	for _, want := range []store.Policy{
		aPolicy("u", "p"),
		{Tenant: "t", UUID: "bare"},
		{Tenant: "t", UUID: "latest", Name: "q", CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64},
		{Tenant: "t", UUID: "many", Name: "r", Templates: exactTexts()},
		{Tenant: "t", UUID: "one", Name: "s", Templates: []string{""}},
	} {
		apply(t, s, store.CreatePolicy{Policy: want})
		same(t, want, must(s.Policy(t.Context(), "t", want.UUID))(t))
		same(t, want, must(s.PolicyByName(t.Context(), "t", want.Name))(t))
	}
	apply(t, s, store.CreatePolicy{Policy: store.Policy{Tenant: "T", UUID: "empty", Templates: []string{}}})
	none := store.Policy{Tenant: "T", UUID: "empty"}
	same(t, none, must(s.Policy(t.Context(), "T", "empty"))(t))
	same(t, none, must(s.PolicyByName(t.Context(), "T", ""))(t))
	noPolicy(t)(s.Policy(t.Context(), "t", "p"))
	noPolicy(t)(s.Policy(t.Context(), "T", "u"))
	noPolicy(t)(s.PolicyByName(t.Context(), "t", "u"))
	noPolicy(t)(s.PolicyByName(t.Context(), "T", "p"))
}

func noPolicy(t *testing.T) func(store.Policy, error) {
	t.Helper()
	return func(got store.Policy, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a policy that is not there: %v", err)
		}
		same(t, store.Policy{}, got)
	}
}

func takenPolicy(t *testing.T, s store.Store) {
	elsewhere := aPolicy("u", "p")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreatePolicy{Policy: aPolicy("u", "p")}, store.CreatePolicy{Policy: elsewhere})
	refused(t, s, store.ErrExists, store.CreatePolicy{Policy: aPolicy("u", "q")})
	refused(t, s, store.ErrExists, store.CreatePolicy{Policy: aPolicy("v", "p")})
	apply(t, s, store.CreatePolicy{Policy: aPolicy("v", "P")}, store.CreatePolicy{Policy: aPolicy("p", "u")})
	same(t, []store.Policy{aPolicy("v", "P"), aPolicy("u", "p"), aPolicy("p", "u")}, must(s.ListPolicies(t.Context(), "t", "", 9))(t))
}

func updatedPolicy(t *testing.T, s store.Store) {
	update := store.Policy{Tenant: "t", UUID: "u", Name: "new", Description: "other", Templates: []string{"z", "a"}, CreatedAt: 99, UpdatedAt: 100}
	refused(t, s, store.ErrNotFound, store.UpdatePolicy{Policy: update, Read: 2})
	elsewhere := aPolicy("u", "p")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreatePolicy{Policy: aPolicy("u", "p")}, store.CreatePolicy{Policy: aPolicy("v", "q")}, store.CreatePolicy{Policy: elsewhere})
	for _, stale := range []int64{0, 1, 3, 100} {
		refused(t, s, store.ErrConflict, store.UpdatePolicy{Policy: update, Read: stale})
	}
	same(t, aPolicy("u", "p"), must(s.Policy(t.Context(), "t", "u"))(t))
	apply(t, s, store.UpdatePolicy{Policy: update, Read: 2})
	update.CreatedAt = 1
	same(t, update, must(s.Policy(t.Context(), "t", "u"))(t))
	same(t, update, must(s.PolicyByName(t.Context(), "t", "new"))(t))
	noPolicy(t)(s.PolicyByName(t.Context(), "t", "p"))
	bare := store.Policy{Tenant: "t", UUID: "u"}
	apply(t, s, store.UpdatePolicy{Policy: bare, Read: 100})
	bare.CreatedAt = 1
	same(t, []store.Policy{aPolicy("v", "q")}, must(s.ListPolicies(t.Context(), "t", "", 9))(t)) // no name comes after none
	same(t, bare, must(s.Policy(t.Context(), "t", "u"))(t))
	same(t, elsewhere, must(s.Policy(t.Context(), "T", "u"))(t))
}

func renamedPolicy(t *testing.T, s store.Store) {
	elsewhere := aPolicy("w", "free")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreatePolicy{Policy: aPolicy("u", "p")}, store.CreatePolicy{Policy: aPolicy("v", "q")}, store.CreatePolicy{Policy: elsewhere})
	rename := func(name string) store.UpdatePolicy { return store.UpdatePolicy{Policy: aPolicy("v", name), Read: 2} }
	refused(t, s, store.ErrExists, rename("p"))
	stale := rename("p")
	stale.Read = 77
	refused(t, s, store.ErrExists, stale)
	for _, name := range []string{"q", "Q", "free", "q", "r"} {
		apply(t, s, rename(name))
		same(t, aPolicy("v", name), must(s.PolicyByName(t.Context(), "t", name))(t))
	}
	apply(t, s, store.CreatePolicy{Policy: aPolicy("x", "q")})
	refused(t, s, store.ErrExists, rename("q"))
	apply(t, s, store.DeletePolicy{Tenant: "t", UUID: "u"}, rename("p"))
}

func deletedPolicy(t *testing.T, s store.Store) {
	gone := store.DeletePolicy{Tenant: "t", UUID: "u"}
	elsewhere := aPolicy("u", "p")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreatePolicy{Policy: elsewhere}, store.CreatePolicy{Policy: aPolicy("v", "q")})
	refused(t, s, store.ErrNotFound, gone)
	for range 2 {
		apply(t, s, store.CreatePolicy{Policy: aPolicy("u", "p")})
		apply(t, s, gone)
		noPolicy(t)(s.Policy(t.Context(), "t", "u"))
		noPolicy(t)(s.PolicyByName(t.Context(), "t", "p"))
		refused(t, s, store.ErrNotFound, gone)
	}
	same(t, []store.Policy{aPolicy("v", "q")}, must(s.ListPolicies(t.Context(), "t", "", 9))(t))
	same(t, elsewhere, must(s.Policy(t.Context(), "T", "u"))(t))
}

func deletedAsRead(t *testing.T, s store.Store) {
	read := func(at int64) store.DeletePolicy { return store.DeletePolicy{Tenant: "t", UUID: "u", Read: at} }
	refused(t, s, store.ErrNotFound, read(2))
	apply(t, s, store.CreatePolicy{Policy: aPolicy("u", "p")}, store.CreatePolicy{Policy: aPolicy("v", "q")})
	for _, stale := range []int64{-2, 1, 3, math.MaxInt64} {
		refused(t, s, store.ErrConflict, read(stale))
	}
	same(t, aPolicy("u", "p"), must(s.Policy(t.Context(), "t", "u"))(t))
	update := aPolicy("u", "p")
	update.UpdatedAt = 3
	apply(t, s, store.UpdatePolicy{Policy: update, Read: 2})
	refused(t, s, store.ErrConflict, read(2))
	apply(t, s, read(3))
	noPolicy(t)(s.Policy(t.Context(), "t", "u"))
	same(t, []store.Policy{aPolicy("v", "q")}, must(s.ListPolicies(t.Context(), "t", "", 9))(t))
}

func exactPolicies(t *testing.T, s store.Store) {
	exact := exactTexts()
	for i, name := range exact {
		elsewhere := aPolicy("u", "p")
		elsewhere.Tenant = name
		apply(t, s, store.CreatePolicy{Policy: aPolicy(fmt.Sprint(i), name)}, store.CreatePolicy{Policy: elsewhere})
	}
	for i, name := range exact {
		same(t, fmt.Sprint(i), must(s.PolicyByName(t.Context(), "t", name))(t).UUID)
		same(t, 1, len(must(s.ListPolicies(t.Context(), name, "", 9))(t)))
	}
	var listed []string
	for _, policy := range must(s.ListPolicies(t.Context(), "t", "", 999))(t) {
		listed = append(listed, policy.Name)
	}
	slices.Sort(exact)
	same(t, exact, listed)
}

func policyPages(t *testing.T, s store.Store) {
	var want []store.Policy
	for i := range 23 {
		want = append(want, aPolicy(fmt.Sprint(99-i), fmt.Sprintf("policy%02d", i)))
	}
	for i := range want {
		elsewhere := want[i]
		elsewhere.Tenant, elsewhere.Name = "T", elsewhere.Name+"x"
		apply(t, s, store.CreatePolicy{Policy: want[i*7%23]}, store.CreatePolicy{Policy: elsewhere})
	}
	for limit := 1; limit <= 24; limit++ {
		var seen []store.Policy
		for after := ""; ; after = seen[len(seen)-1].Name {
			page := must(s.ListPolicies(t.Context(), "t", after, limit))(t)
			if len(page) > limit {
				t.Fatalf("a page of %d for limit %d", len(page), limit)
			}
			if len(page) == 0 {
				break
			}
			seen = append(seen, page...)
		}
		same(t, want, seen)
	}
	for _, limit := range []int{0, -1} {
		same(t, 0, len(must(s.ListPolicies(t.Context(), "t", "", limit))(t)))
	}
}

func policySlices(t *testing.T, s store.Store) {
	given := aPolicy("u", "p")
	apply(t, s, store.CreatePolicy{Policy: given})
	given.Templates[0] = "intruder"
	for range 2 {
		for _, got := range []store.Policy{
			must(s.Policy(t.Context(), "t", "u"))(t), must(s.PolicyByName(t.Context(), "t", "p"))(t), must(s.ListPolicies(t.Context(), "t", "", 1))(t)[0],
		} {
			same(t, aPolicy("u", "p"), got)
			got.Templates[0] = "intruder"
		}
	}
	update := aPolicy("u", "p")
	apply(t, s, store.UpdatePolicy{Policy: update, Read: 2})
	update.Templates[0] = "intruder"
	same(t, aPolicy("u", "p"), must(s.Policy(t.Context(), "t", "u"))(t))
}
