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

func userChecks() []check {
	return []check{
		{"a user is what was created", createdUser},
		{"a user can be created once", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateUser{User: aUser("alice")})
			other := aUser("alice")
			other.PasswordHash = "other"
			refused(t, s, store.ErrExists, store.CreateUser{User: other})
			same(t, userNumber(1, "alice"), must(s.User(t.Context(), "t", "alice"))(t))
		}},
		{"an update replaces all but the creation", updatedUser},
		{"a deleted user is gone and can come back", deletedUser},
		{"names are compared byte for byte", exactNames},
		{"pages of users miss none and double none", userPages},
		{"what a caller does with slices stays with the caller", noAliasing},
	}
}

func createdUser(t *testing.T, s store.Store) {
	bare := store.User{Tenant: "t", Name: "bare"}
	extreme := store.User{Tenant: "t", Name: "extreme", Disabled: true, CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64}
	for i, user := range []store.User{aUser("alice"), bare, extreme} {
		apply(t, s, store.CreateUser{User: user})
		user.Number = int64(i + 1)
		same(t, user, must(s.User(t.Context(), user.Tenant, user.Name))(t))
	}
	apply(t, s, store.CreateUser{User: store.User{Tenant: "T", Name: "empty", Roles: []string{}, ACL: []string{}, Policies: []string{}}})
	same(t, store.User{Tenant: "T", Name: "empty", Number: 1}, must(s.User(t.Context(), "T", "empty"))(t))
	if _, err := s.User(t.Context(), "t", "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a user that is not there: %v", err)
	}
}

func updatedUser(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, store.UpdateUser{User: aUser("alice")})
	apply(t, s, store.CreateUser{User: aUser("alice")})
	update := store.User{Tenant: "t", Name: "alice", PasswordHash: "new", Roles: []string{"b", "a"}, Disabled: true, CreatedAt: 99, UpdatedAt: 100}
	update.Backend, update.BackendID, update.ACL, update.Policies = "other", "7", []string{"x", ""}, []string{"p"}
	read := aUser("alice").UpdatedAt
	refused(t, s, store.ErrConflict, store.UpdateUser{User: update, Read: read + 1})
	same(t, userNumber(1, "alice"), must(s.User(t.Context(), "t", "alice"))(t))
	apply(t, s, store.UpdateUser{User: update, Read: read})
	update.CreatedAt, update.Number = aUser("alice").CreatedAt, 1
	same(t, update, must(s.User(t.Context(), "t", "alice"))(t))
	refused(t, s, store.ErrConflict, store.UpdateUser{User: update, Read: read})
}

func deletedUser(t *testing.T, s store.Store) {
	gone := store.DeleteUser{Tenant: "t", Name: "alice"}
	refused(t, s, store.ErrNotFound, gone)
	apply(t, s, store.CreateUser{User: aUser("alice")})
	apply(t, s, gone)
	if _, err := s.User(t.Context(), "t", "alice"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a deleted user: %v", err)
	}
	refused(t, s, store.ErrNotFound, gone)
	apply(t, s, store.CreateUser{User: aUser("alice")})
}

// exactTexts are names that a careless store takes for one another, or for
// something else.
func exactTexts() []string {
	return []string{
		"alice", "Alice", "ALICE", "alice ", " alice", "al%ce", "al_ce", "o'neil", `o"neil`, "`", `back\slash`,
		"1", "01", "1.0", "1e3", "NULL", "é", "e\u0301", "straße", "strasse", "İ", "i", "日本", "😀", "a\nb", "a\tb",
		"; DROP TABLE users; --", "?", "$1", ":name", strings.Repeat("x", 300),
	}
}

func exactNames(t *testing.T, s store.Store) {
	exact := exactTexts()
	for i, name := range exact {
		user := store.User{Tenant: "t", Name: name, CreatedAt: int64(i)}
		other := store.User{Tenant: name, Name: "t", CreatedAt: int64(-i)}
		apply(t, s, store.CreateUser{User: user}, store.CreateUser{User: other})
	}
	for i, name := range exact {
		if got := must(s.User(t.Context(), "t", name))(t); got.Name != name || got.CreatedAt != int64(i) {
			t.Errorf("%q gives %q of instant %d, want %d", name, got.Name, got.CreatedAt, i)
		}
		same(t, 1, len(must(s.ListUsers(t.Context(), name, "", 9))(t)))
	}
	var listed []string
	for _, user := range must(s.ListUsers(t.Context(), "t", "", 1000))(t) {
		listed = append(listed, user.Name)
	}
	slices.Sort(exact)
	same(t, exact, listed)
}

func userPages(t *testing.T, s store.Store) {
	const users = 23
	for i := range users {
		apply(t, s, store.CreateUser{User: aUser(fmt.Sprintf("user%02d", i))})
	}
	elsewhere := aUser("user05a")
	elsewhere.Tenant = "other"
	apply(t, s, store.CreateUser{User: elsewhere})
	for limit := 1; limit <= users+1; limit++ {
		var seen []string
		for after := ""; ; after = seen[len(seen)-1] {
			page := must(s.ListUsers(t.Context(), "t", after, limit))(t)
			if len(page) > limit {
				t.Fatalf("a page of %d for limit %d", len(page), limit)
			}
			for _, user := range page {
				seen = append(seen, user.Name)
			}
			if len(page) == 0 {
				break
			}
		}
		if len(seen) != users || !slices.IsSorted(seen) {
			t.Errorf("limit %d: %d users, in order: %v", limit, len(seen), slices.IsSorted(seen))
		}
	}
	for _, limit := range []int{0, -1} {
		same(t, 0, len(must(s.ListUsers(t.Context(), "t", "", limit))(t)))
	}
}

func noAliasing(t *testing.T, s store.Store) {
	user, key := aUser("alice"), aKey("kid", 1)
	apply(t, s, store.CreateUser{User: user}, store.PutKey{Key: key})
	user.Roles[0], user.ACL[0], user.Policies[0], key.Sealed[0] = "intruder", "intruder", "intruder", 0xee
	for range 2 {
		got := must(s.User(t.Context(), "t", "alice"))(t)
		same(t, userNumber(1, "alice"), got)
		got.Roles[0], got.ACL[0], got.Policies[0] = "intruder", "intruder", "intruder"
		listed := must(s.ListUsers(t.Context(), "t", "", 1))(t)
		same(t, []store.User{userNumber(1, "alice")}, listed)
		listed[0].Roles[0], listed[0].ACL[0], listed[0].Policies[0] = "intruder", "intruder", "intruder"
		keys := must(s.Keys(t.Context()))(t)
		same(t, []store.Key{aKey("kid", 1)}, keys)
		keys[0].Sealed[0] = 0xee
	}
	update := aUser("alice")
	apply(t, s, store.UpdateUser{User: update, Read: aUser("alice").UpdatedAt})
	update.Roles[0], update.ACL[0], update.Policies[0] = "intruder", "intruder", "intruder"
	same(t, userNumber(1, "alice"), must(s.User(t.Context(), "t", "alice"))(t))
}
