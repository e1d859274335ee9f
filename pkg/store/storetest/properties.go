package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func propertyChecks() []check {
	return []check{
		{"a property is what was put", putProperty},
		{"a property put again is replaced, whatever its instant", func(t *testing.T, s store.Store) {
			apply(t, s, put(aProperty("a")), put(aProperty("b")))
			for _, at := range []int64{99, 2, 0} {
				again := store.Property{Tenant: "t", Name: "a", Value: fmt.Sprint(at), UpdatedAt: at}
				apply(t, s, put(again))
				same(t, again, must(s.Property(t.Context(), "t", "a"))(t))
				same(t, []store.Property{again, aProperty("b")}, must(s.Properties(t.Context(), "t"))(t))
			}
		}},
		{"a deleted property is gone and can come back", deletedProperty},
		{"names of properties are compared byte for byte, and in their tenant alone", exactPropertyNames},
		{"the properties of a tenant come all, by name", listedProperties},
	}
}

func putProperty(t *testing.T, s store.Store) {
	for _, want := range []store.Property{
		aProperty("a"),
		{Tenant: "t", Name: "bare"},
		{Tenant: "t", Name: "latest", Value: strings.Repeat("x", 5000), UpdatedAt: math.MaxInt64},
		{Tenant: "t", Name: "earliest", Value: "null", UpdatedAt: math.MinInt64},
		{Value: "0012.0"},
	} {
		apply(t, s, put(want))
		same(t, want, must(s.Property(t.Context(), want.Tenant, want.Name))(t))
	}
	noProperty(t, s, "t", "none")
}

func deletedProperty(t *testing.T, s store.Store) {
	gone := store.DeleteProperty{Tenant: "t", Name: "a"}
	refused(t, s, store.ErrNotFound, gone)
	elsewhere := aProperty("a")
	elsewhere.Tenant = "T"
	apply(t, s, put(aProperty("a")), put(aProperty("A")), put(elsewhere), gone)
	noProperty(t, s, "t", "a")
	refused(t, s, store.ErrNotFound, gone)
	same(t, []store.Property{aProperty("A")}, must(s.Properties(t.Context(), "t"))(t))
	same(t, []store.Property{elsewhere}, must(s.Properties(t.Context(), "T"))(t))
	apply(t, s, put(aProperty("a")))
	same(t, aProperty("a"), must(s.Property(t.Context(), "t", "a"))(t))
}

func exactPropertyNames(t *testing.T, s store.Store) {
	exact := exactTexts()
	for i, name := range exact {
		apply(t, s,
			put(store.Property{Tenant: "t", Name: name, Value: name, UpdatedAt: int64(i)}),
			put(store.Property{Tenant: name, Name: "t", Value: name, UpdatedAt: int64(-i)}))
	}
	for i, name := range exact {
		want := store.Property{Tenant: "t", Name: name, Value: name, UpdatedAt: int64(i)}
		same(t, want, must(s.Property(t.Context(), "t", name))(t))
		other := store.Property{Tenant: name, Name: "t", Value: name, UpdatedAt: int64(-i)}
		same(t, []store.Property{other}, must(s.Properties(t.Context(), name))(t))
	}
	var listed []string
	for _, property := range must(s.Properties(t.Context(), "t"))(t) {
		listed = append(listed, property.Name)
	}
	slices.Sort(exact)
	same(t, exact, listed)
}

func listedProperties(t *testing.T, s store.Store) {
	same(t, 0, len(must(s.Properties(t.Context(), "t"))(t)))
	const properties = 300
	var want []store.Property
	for i := range properties {
		want = append(want, aProperty(fmt.Sprintf("name%03d", i)))
		elsewhere := want[i]
		elsewhere.Tenant = "T"
		// Put in another order than that of the names.
		apply(t, s, put(aProperty(fmt.Sprintf("name%03d", i*7%properties))), put(elsewhere))
	}
	same(t, want, must(s.Properties(t.Context(), "t"))(t))
}

func noProperty(t *testing.T, s store.Store, tenant, name string) {
	t.Helper()
	if got, err := s.Property(t.Context(), tenant, name); !errors.Is(err, store.ErrNotFound) || got != (store.Property{}) {
		t.Errorf("a property that is not there: %+v, error %v", got, err)
	}
}

func put(p store.Property) store.Command { return store.PutProperty{Property: p} }

func aProperty(name string) store.Property {
	return store.Property{Tenant: "t", Name: name, Value: "it's \"mine\"\n\x00<&> é", UpdatedAt: 2}
}
