package storetest

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func accessTokenChecks() []check {
	return []check{
		{"an access token is what was created, the first of its family", createdAccessToken},
		{"a replacement has the family and the next generation, and the old one is gone", replacedAccessToken},
		{"of 64 replacements of one access token exactly one wins", replacedAtOnce},
		{"an update sets scope, description and its instant, and nothing else", updatedAccessToken},
		{"of 64 updates of an access token that read the same exactly one wins", updatedAtOnce},
		{"the narrowest of what a deletion names holds", deletedAccessTokens},
		{"a deletion by number or family asks for no instant, any other spares what came later", sparedAccessTokens},
		{"access tokens go with their user", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: aUser("Alice")})
			kept := createTokens(t, s, pairs{{"alice", ""}, {"Alice", ""}, {"alice", "app"}, {"bob", "app"}, {"bob", "alice"}}, 2, 4, 5)
			refused(t, s, store.ErrNotFound, store.DeleteUser{Tenant: "t", Name: "bob"})
			apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"})
			holds(t, s, kept)
			apply(t, s, store.CreateUser{User: aUser("alice")})
			holds(t, s, kept)
		}},
		{"access tokens go with their application", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateApplication{Application: anApplication("app")}, store.CreateApplication{Application: anApplication("")})
			kept := createTokens(t, s, pairs{{"alice", "app"}, {"alice", "App"}, {"app", ""}, {"bob", "app"}}, 2, 3)
			apply(t, s, store.DeleteApplication{Tenant: "t", ID: "app"})
			holds(t, s, kept)
			// What was made without an application is not of that without an ID.
			apply(t, s, store.DeleteApplication{Tenant: "t"})
			holds(t, s, kept)
		}},
		{"a purge removes access tokens that need not be kept, ended or not, the first first", purgedAccessTokens},
	}
}

func createdAccessToken(t *testing.T, s store.Store) {
	for i, want := range []store.AccessToken{
		anAccessToken("alice", "app"),
		{Tenant: "t"},
		anAccessToken("o'neil", ""),
		{Tenant: "t", CreatedAt: math.MaxInt64, UpdatedAt: math.MinInt64, ExpiresAt: math.MaxInt64, KeepUntil: 3},
		{Tenant: "t", ExpiresAt: 3, KeepUntil: math.MaxInt64},
	} {
		want.Number = int64(i + 1)
		given := want
		given.Number, given.Family, given.Generation = 77, 1, 5 // are the store's to give
		var told int64
		apply(t, s, store.CreateAccessToken{AccessToken: given, Number: &told})
		want.Family = want.Number
		same(t, want.Number, told)
		same(t, want, must(s.AccessToken(t.Context(), "t", told))(t))
		same(t, want, must(s.AccessTokenOf(t.Context(), "t", told))(t))
	}
	for _, number := range []int64{0, 6, 77, -1} {
		noAccessToken(t, s, "t", number)
	}
	noAccessToken(t, s, "T", 1)
}

// noAccessToken tells that there is none of the number, and none of the family.
func noAccessToken(t *testing.T, s store.Store, tenant string, number int64) {
	t.Helper()
	if got, err := s.AccessToken(t.Context(), tenant, number); !errors.Is(err, store.ErrNotFound) || got != (store.AccessToken{}) {
		t.Errorf("an access token that is not there: %+v, error %v", got, err)
	}
	if got, err := s.AccessTokenOf(t.Context(), tenant, number); !errors.Is(err, store.ErrNotFound) || got != (store.AccessToken{}) {
		t.Errorf("a family that is not there: %+v, error %v", got, err)
	}
}

func replacedAccessToken(t *testing.T, s store.Store) {
	kept := createTokens(t, s, pairs{{"alice", "app"}, {"bob", "app"}}, 1, 2)
	for generation := int64(1); generation <= 3; generation++ {
		next := store.AccessToken{
			Tenant: "t", Number: 77, Door: "awx", Family: 2, Generation: 50, Subject: "alice", Client: "app",
			Scope: "read", Description: "again", CreatedAt: 10 * generation, UpdatedAt: 11, ExpiresAt: 12,
			KeepUntil: 13 * generation,
		}
		var told int64
		old := kept[0].Number
		read := kept[0].UpdatedAt
		refused(t, s, store.ErrNotFound, store.ReplaceAccessToken{Number: old, Read: read, AccessToken: next}, store.DeleteKey{ID: "none"})
		refused(t, s, store.ErrConflict, store.ReplaceAccessToken{Number: old, Read: read + 1, AccessToken: next})
		same(t, kept[0], must(s.AccessTokenOf(t.Context(), "t", 1))(t))
		apply(t, s, store.ReplaceAccessToken{Number: old, Read: read, AccessToken: next, Given: &told})
		next.Number, next.Family, next.Generation = 2+generation, 1, generation
		same(t, next.Number, told)
		same(t, next, must(s.AccessToken(t.Context(), "t", told))(t))
		same(t, next, must(s.AccessTokenOf(t.Context(), "t", 1))(t))
		if _, err := s.AccessToken(t.Context(), "t", old); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what was replaced: %v", err)
		}
		refused(t, s, store.ErrNotFound, store.ReplaceAccessToken{Number: old, AccessToken: next})
		kept[0] = next
		holds(t, s, []store.AccessToken{kept[1], kept[0]})
	}
	elsewhere := kept[0]
	elsewhere.Tenant = "T"
	refused(t, s, store.ErrNotFound, store.ReplaceAccessToken{Number: elsewhere.Number, AccessToken: elsewhere})
	refused(t, s, store.ErrNotFound, store.ReplaceAccessToken{AccessToken: kept[0]})
	apply(t, s, store.DeleteAccessTokens{Tenant: "t", Family: 1})
	refused(t, s, store.ErrNotFound, store.ReplaceAccessToken{Number: kept[0].Number, AccessToken: kept[0]})
	holds(t, s, kept[1:])
}

func replacedAtOnce(t *testing.T, s store.Store) {
	apply(t, s, store.CreateAccessToken{AccessToken: anAccessToken("alice", "app")})
	for generation := range int64(10) {
		old := must(s.AccessTokenOf(t.Context(), "t", 1))(t)
		same(t, generation, old.Generation)
		same(t, 1, winners(t, store.ErrNotFound, func(int) error {
			return s.Apply(context.Background(), store.ReplaceAccessToken{Number: old.Number, Read: 2, AccessToken: anAccessToken("alice", "app")})
		}))
		same(t, int64(1), must(s.CountAccessTokens(t.Context(), "t", store.AccessTokenFilter{}))(t))
	}
}

func updatedAccessToken(t *testing.T, s store.Store) {
	refused(t, s, store.ErrNotFound, store.UpdateAccessToken{Tenant: "t", Number: 1})
	kept := createTokens(t, s, pairs{{"alice", "app"}, {"alice", ""}}, 1, 2)
	for i, scope := range []string{"read", "", "read write"} {
		update := store.UpdateAccessToken{Tenant: "t", Number: 2, Scope: scope, Description: "new" + scope, UpdatedAt: int64(90 - i), Read: kept[1].UpdatedAt}
		for _, read := range []int64{0, update.Read - 1, update.Read + 1, update.UpdatedAt} {
			other := update
			other.Read = read
			refused(t, s, store.ErrConflict, other)
		}
		refused(t, s, store.ErrConflict, update, update)
		holds(t, s, kept)
		apply(t, s, update)
		kept[1].Scope, kept[1].Description, kept[1].UpdatedAt = scope, "new"+scope, int64(90-i)
		holds(t, s, kept)
	}
	refused(t, s, store.ErrNotFound, store.UpdateAccessToken{Tenant: "T", Number: 2})
	refused(t, s, store.ErrNotFound, store.UpdateAccessToken{Tenant: "t", Number: 3})
	holds(t, s, kept)
}

func updatedAtOnce(t *testing.T, s store.Store) {
	kept := createTokens(t, s, pairs{{"alice", "app"}}, 1)
	for round := range int64(10) {
		same(t, 1, winners(t, store.ErrConflict, func(i int) error {
			return s.Apply(context.Background(), store.UpdateAccessToken{
				Tenant: "t", Number: 1, Scope: "read", UpdatedAt: 100*(round+1) + int64(i), Read: kept[0].UpdatedAt,
			})
		}))
		kept[0] = must(s.AccessToken(t.Context(), "t", 1))(t)
		same(t, round+1, kept[0].UpdatedAt/100)
	}
}

func deletedAccessTokens(t *testing.T, s store.Store) {
	all := pairs{{"alice", "app"}, {"bob", "app"}, {"alice", ""}, {"bob", "other"}}
	kept := createTokens(t, s, all, 1, 2, 3, 4)
	elsewhere := kept[0]
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateAccessToken{AccessToken: elsewhere})
	apply(t, s, store.ReplaceAccessToken{Number: 1, Read: 2, AccessToken: kept[0]})
	kept[0].Number, kept[0].Generation = 5, 1
	deletes := func(c store.DeleteAccessTokens, want ...store.AccessToken) {
		t.Helper()
		removed := int64(-1)
		c.Tenant, c.Removed = "t", &removed
		before := must(s.CountAccessTokens(t.Context(), "t", store.AccessTokenFilter{}))(t)
		apply(t, s, c)
		same(t, before-int64(len(want)), removed)
		holds(t, s, want)
	}
	inOrder := []store.AccessToken{kept[1], kept[2], kept[3], kept[0]}
	for _, none := range []store.DeleteAccessTokens{
		{Number: 1, Family: 1, Subject: "alice", Client: "app", At: 9},
		{Family: 5, Subject: "alice", Client: "app", At: 9},
		{Subject: "Alice", Client: "app", At: 9},
		{Client: "App", At: 9},
		{Number: -1},
	} {
		deletes(none, inOrder...)
	}
	deletes(store.DeleteAccessTokens{Number: 2, Family: 1, Subject: "alice", Client: "app"}, kept[2], kept[3], kept[0])
	deletes(store.DeleteAccessTokens{Family: 1, Subject: "bob", Client: "other"}, kept[2], kept[3])
	deletes(store.DeleteAccessTokens{Subject: "alice", Client: "other", At: 9}, kept[3])
	deletes(store.DeleteAccessTokens{Client: "other", At: 9})
	createTokens(t, s, all, 1, 2, 3, 4)
	deletes(store.DeleteAccessTokens{At: 9})
	same(t, 1, len(must(s.ListAccessTokens(t.Context(), "T", store.AccessTokenFilter{}, 0, 9))(t)))
}

func sparedAccessTokens(t *testing.T, s store.Store) {
	for _, by := range []store.DeleteAccessTokens{{Subject: "alice"}, {Client: "app"}, {}} {
		for i, c := range []struct {
			at   int64
			left int
		}{{0, 3}, {999, 3}, {1000, 2}, {1001, 1}, {math.MaxInt64, 0}} {
			apply(t, s, store.DeleteAccessTokens{Tenant: "t", At: math.MaxInt64})
			for _, created := range []int64{1000, 1001, 1002} {
				token := anAccessToken("alice", "app")
				token.CreatedAt = created
				apply(t, s, store.CreateAccessToken{AccessToken: token})
			}
			by.Tenant, by.At = "t", c.at
			apply(t, s, by)
			left := must(s.ListAccessTokens(t.Context(), "t", store.AccessTokenFilter{}, 0, 9))(t)
			if len(left) != c.left {
				t.Errorf("case %d of %+v leaves %d, want %d", i, by, len(left), c.left)
			}
			for _, token := range left {
				if token.CreatedAt <= c.at {
					t.Errorf("case %d of %+v leaves one of %d", i, by, token.CreatedAt)
				}
			}
		}
	}
	late := anAccessToken("alice", "app")
	late.CreatedAt = 1000
	var first, second int64
	apply(t, s, store.CreateAccessToken{AccessToken: late, Number: &first}, store.CreateAccessToken{AccessToken: late, Number: &second})
	apply(t, s, store.DeleteAccessTokens{Tenant: "t", Number: first}, store.DeleteAccessTokens{Tenant: "t", Family: second})
	holds(t, s, nil)
}

func purgedAccessTokens(t *testing.T, s store.Store) {
	create := func(tenant string, ends ...int64) {
		for i, end := range ends {
			token := anAccessToken("alice", "app")
			// When it ends counts for nothing, be it long ago, to come or never.
			token.Tenant, token.ExpiresAt, token.KeepUntil = tenant, []int64{50, 1, 0}[i%3], end
			apply(t, s, store.CreateAccessToken{AccessToken: token})
		}
	}
	left := func(tenant string) (ends []int64) {
		for _, token := range must(s.ListAccessTokens(t.Context(), tenant, store.AccessTokenFilter{}, 0, 99))(t) {
			ends = append(ends, token.KeepUntil)
		}
		same(t, int64(len(ends)), must(s.CountAccessTokens(t.Context(), tenant, store.AccessTokenFilter{Subjects: []string{"alice"}}))(t))
		return ends
	}
	create("t", 9, 0, 7, 10, 11, math.MaxInt64)
	create("T", 8, 6)
	for _, step := range []struct {
		limit   int
		removed int64
		t, T    []int64
	}{
		{0, 0, []int64{9, 0, 7, 10, 11, math.MaxInt64}, []int64{8, 6}},
		{-1, 0, []int64{9, 0, 7, 10, 11, math.MaxInt64}, []int64{8, 6}},
		{2, 2, []int64{9, 0, 10, 11, math.MaxInt64}, []int64{8}},
		{1, 1, []int64{9, 0, 10, 11, math.MaxInt64}, nil},
		{100, 1, []int64{0, 10, 11, math.MaxInt64}, nil},
		{100, 0, []int64{0, 10, 11, math.MaxInt64}, nil},
	} {
		removed := int64(-1)
		apply(t, s, store.Purge{Before: 10, Limit: step.limit, Removed: &removed})
		same(t, step.removed, removed)
		same(t, step.t, left("t"))
		same(t, step.T, left("T"))
	}
}

// pairs are subjects and clients.
type pairs [][2]string

// createTokens makes an access token of each pair, and gives those of the pairs
// that are to be kept, counted from 1, as the store should.
func createTokens(t *testing.T, s store.Store, of pairs, keep ...int) (kept []store.AccessToken) {
	t.Helper()
	all := make([]store.AccessToken, len(of))
	for i, pair := range of {
		all[i] = anAccessToken(pair[0], pair[1])
		apply(t, s, store.CreateAccessToken{AccessToken: all[i], Number: &all[i].Number})
		all[i].Family = all[i].Number
	}
	for _, n := range keep {
		kept = append(kept, all[n-1])
	}
	return kept
}

// holds tells that the tenant has just these access tokens, by every way to them.
func holds(t *testing.T, s store.Store, want []store.AccessToken) {
	t.Helper()
	got := must(s.ListAccessTokens(t.Context(), "t", store.AccessTokenFilter{}, 0, 1000))(t)
	same(t, append([]store.AccessToken(nil), want...), append([]store.AccessToken(nil), got...))
	for _, token := range want {
		same(t, token, must(s.AccessToken(t.Context(), "t", token.Number))(t))
		same(t, token, must(s.AccessTokenOf(t.Context(), "t", token.Family))(t))
	}
	countsHold(t, s, "t", want)
}

func anAccessToken(subject, client string) store.AccessToken {
	return store.AccessToken{
		Tenant: "t", Door: "awx", Subject: subject, Client: client, Scope: "read write", Description: "it's \"mine\"\n",
		CreatedAt: 1, UpdatedAt: 2,
	}
}
