package storetest

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func tenantChecks() []check {
	return []check{
		{"the default tenant exists from the start, all else in it zero", defaultTenant},
		{"a tenant is what was created", createdTenant},
		{"a tenant can be created once", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateTenant{Tenant: aTenant("a")})
			refused(t, s, store.ErrExists, store.CreateTenant{Tenant: store.Tenant{Name: "a", CreatedAt: 99}})
			refused(t, s, store.ErrExists, store.CreateTenant{Tenant: aTenant("b")}, store.CreateTenant{Tenant: aTenant("b")})
			same(t, []store.Tenant{theDefault(), aTenant("a")}, must(s.Tenants(t.Context()))(t))
		}},
		{"an update replaces all but the creation", updatedTenant},
		{"of updates of a tenant at once that stand on one instant a single one holds", func(t *testing.T, s store.Store) {
			stood := winners(t, store.ErrConflict, func(i int) error {
				update := store.Tenant{Name: store.DefaultTenant, AccessTTL: int64(i), UpdatedAt: int64(i + 1)}
				return s.Apply(context.Background(), store.UpdateTenant{Tenant: update})
			})
			same(t, 1, stood)
			got := must(s.Tenants(t.Context()))(t)[0]
			same(t, got.UpdatedAt, got.AccessTTL+1)
		}},
		{"tenants come all, as they were made, those of one instant by name", listedTenants},
		{"names of tenants are compared byte for byte", exactTenants},
		{"what a caller does with the list stays with the caller", func(t *testing.T, s store.Store) {
			must(s.Tenants(t.Context()))(t)[0].Name = "intruder"
			same(t, []store.Tenant{theDefault()}, must(s.Tenants(t.Context()))(t))
		}},
	}
}

func defaultTenant(t *testing.T, s store.Store) {
	same(t, []store.Tenant{theDefault()}, must(s.Tenants(t.Context()))(t))
	refused(t, s, store.ErrExists, store.CreateTenant{Tenant: aTenant(store.DefaultTenant)})
	same(t, []store.Tenant{theDefault()}, must(s.Tenants(t.Context()))(t))
	update := aTenant(store.DefaultTenant)
	apply(t, s, store.UpdateTenant{Tenant: update})
	update.CreatedAt = 0
	same(t, []store.Tenant{update}, must(s.Tenants(t.Context()))(t))
}

func createdTenant(t *testing.T, s store.Store) {
	want := []store.Tenant{
		{Name: "earliest", WeakKeys: true, AccessTTL: math.MinInt64, CreatedAt: math.MinInt64, UpdatedAt: math.MaxInt64},
		{Name: "bare"},
		theDefault(),
		aTenant("full"),
		{
			Name: "latest", SiteAdmin: true, AccessTTL: math.MaxInt64, RefreshTTL: 3_153_600_000, MaxAccessTTL: 200_000_000_000,
			MaxRefreshTTL: math.MaxInt64 - 1, CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64,
		},
	}
	for _, i := range []int{3, 4, 1, 0} {
		apply(t, s, store.CreateTenant{Tenant: want[i]})
	}
	same(t, want, must(s.Tenants(t.Context()))(t))
}

func updatedTenant(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, store.UpdateTenant{Tenant: aTenant("a")})
	refused(t, s, store.ErrNotFound, store.UpdateTenant{Tenant: aTenant("a"), Read: aTenant("a").UpdatedAt})
	same(t, []store.Tenant{theDefault()}, must(s.Tenants(t.Context()))(t))
	apply(t, s, store.CreateTenant{Tenant: aTenant("a")}, store.CreateTenant{Tenant: aTenant("b")})
	update := store.Tenant{
		Name: "a", Algorithm: "RS512", Issuer: "new", BaseURL: "https://new.example", Site: "s", APIVersion: "v", AccessTTL: 11,
		RefreshTTL: 12, MaxAccessTTL: 13, MaxRefreshTTL: 14, WeakKeys: true, CreatedAt: 99, UpdatedAt: 100,
	}
	becomes := func(want store.Tenant) {
		t.Helper()
		want.CreatedAt = aTenant("a").CreatedAt
		same(t, []store.Tenant{theDefault(), want, aTenant("b")}, must(s.Tenants(t.Context()))(t))
	}
	read := aTenant("a").UpdatedAt
	for _, stale := range []int64{0, read - 1, read + 1, update.UpdatedAt} {
		refused(t, s, store.ErrConflict, store.UpdateTenant{Tenant: update, Read: stale})
	}
	becomes(aTenant("a"))
	apply(t, s, store.UpdateTenant{Tenant: update, Read: read})
	becomes(update)
	refused(t, s, store.ErrConflict, store.UpdateTenant{Tenant: update, Read: read})
	other := store.Tenant{Name: "a", SiteAdmin: true, UpdatedAt: 101}
	apply(t, s, store.UpdateTenant{Tenant: other, Read: 100})
	becomes(other)
	bare := store.Tenant{Name: "a"}
	apply(t, s, store.UpdateTenant{Tenant: bare, Read: 101})
	becomes(bare)
}

func listedTenants(t *testing.T, s store.Store) {
	var want []store.Tenant
	for _, tenant := range []struct {
		name    string
		created int64
	}{
		{"z", -5},
		{"", 0},
		{"a", 0},
		{store.DefaultTenant, 0},
		{"e", 0},
		{"y", 1},
		{"B", 2},
		{"a ", 2},
		{"b", 2},
		{"x", 1_800_000_000_000_000},
		{"d", 1_800_000_000_000_001},
	} {
		want = append(want, store.Tenant{Name: tenant.name, CreatedAt: tenant.created})
	}
	for i := range want {
		// In another order than the one they are to come in.
		if made := want[(i*7+3)%len(want)]; made.Name != store.DefaultTenant {
			apply(t, s, store.CreateTenant{Tenant: made})
		}
	}
	same(t, want, must(s.Tenants(t.Context()))(t))
	// What is changed later stays where it is.
	want[2].UpdatedAt = math.MaxInt64
	apply(t, s, store.UpdateTenant{Tenant: store.Tenant{Name: "a", CreatedAt: 7, UpdatedAt: math.MaxInt64}})
	same(t, want, must(s.Tenants(t.Context()))(t))
}

func exactTenants(t *testing.T, s store.Store) {
	want := []store.Tenant{theDefault()}
	for i, name := range append(exactTexts(), "Default", "default ") {
		apply(t, s, store.CreateTenant{Tenant: store.Tenant{Name: name}})
		changed := store.Tenant{Name: name, Issuer: name, AccessTTL: int64(i), UpdatedAt: int64(i)}
		apply(t, s, store.UpdateTenant{Tenant: changed})
		want = append(want, changed)
	}
	slices.SortFunc(want, func(a, b store.Tenant) int { return cmp.Compare(a.Name, b.Name) })
	same(t, want, must(s.Tenants(t.Context()))(t))
}

func theDefault() store.Tenant { return store.Tenant{Name: store.DefaultTenant} }

func aTenant(name string) store.Tenant {
	return store.Tenant{
		Name: name, Algorithm: "RS256", Issuer: "https://a.example/v3/tokens", BaseURL: "https://a.example", Site: "it's \"mine\"",
		SiteAdmin: true, APIVersion: "dev", AccessTTL: 300, RefreshTTL: 600, MaxAccessTTL: 200_000_000_000, MaxRefreshTTL: 3_153_600_000,
		CreatedAt: 1, UpdatedAt: 2,
	}
}
