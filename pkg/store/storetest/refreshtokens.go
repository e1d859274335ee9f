package storetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func refreshTokenChecks() []check {
	return []check{
		{"a refresh token is what was created, by its key and by its ID", createdRefreshToken},
		{"neither a key nor an ID of a refresh token is taken twice", takenRefreshToken},
		{"a refresh token is of a user of its tenant", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateApplication{Application: anApplication("app")})
			for i, subject := range []string{"Alice", "app", ""} {
				refused(t, s, store.ErrNotFound, store.CreateRefreshToken{RefreshToken: aRefreshToken(byte(i), subject, "c")})
			}
			elsewhere := aRefreshToken(1, "alice", "c")
			elsewhere.Tenant = "T"
			refused(t, s, store.ErrNotFound, store.CreateRefreshToken{RefreshToken: elsewhere})
			apply(t, s, store.CreateRefreshToken{RefreshToken: aRefreshToken(1, "alice", "c")})
			// Nobody's is not there, whatever else is taken.
			refused(t, s, store.ErrNotFound, store.CreateRefreshToken{RefreshToken: elsewhere})
		}},
		{"of 64 refresh tokens of one key made at once exactly one stands", func(t *testing.T, s store.Store) {
			apply(t, s, store.CreateUser{User: aUser("alice")})
			same(t, 1, winners(t, store.ErrExists, func(i int) error {
				return s.Apply(context.Background(), store.CreateRefreshToken{RefreshToken: aRefreshToken(byte(i), "alice", "c")})
			}))
		}},
		{"refresh tokens come in the order asked for, there and back", orderedRefreshTokens},
		{"pages of refresh tokens miss none and double none, in each order and search", pagedRefreshTokens},
		{"a search finds what a client holds, whatever the case of ASCII letters", searchedRefreshTokens},
		{"names of refresh tokens are compared byte for byte", exactRefreshTokens},
		{"the narrowest of what a deletion names holds", deletedRefreshTokens},
		{"refresh tokens go with their user", func(t *testing.T, s store.Store) {
			all := createRefreshTokens(t, s)
			refused(t, s, store.ErrNotFound, store.DeleteUser{Tenant: "t", Name: "alice"}, store.DeleteKey{ID: "none"})
			refreshTokensHold(t, s, all)
			apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"})
			left := slices.DeleteFunc(slices.Clone(all), func(t store.RefreshToken) bool { return t.Tenant == "t" && t.Subject == "alice" })
			same(t, 8, len(left))
			refreshTokensHold(t, s, left)
			apply(t, s, store.CreateUser{User: aUser("alice")})
			refreshTokensHold(t, s, left)
			for _, token := range all {
				if token.Tenant == "t" && token.Subject == "alice" {
					apply(t, s, store.CreateRefreshToken{RefreshToken: token})
				}
			}
			refreshTokensHold(t, s, all)
		}},
		{"no purge removes a refresh token", func(t *testing.T, s store.Store) {
			all := createRefreshTokens(t, s)
			removed := int64(-1)
			apply(t, s, store.Purge{Before: math.MaxInt64, Limit: 99, Removed: &removed})
			same(t, int64(0), removed)
			refreshTokensHold(t, s, all)
		}},
	}
}

func aRefreshToken(n byte, subject, client string) store.RefreshToken {
	return store.RefreshToken{
		Tenant: "t", Subject: subject, Client: client, ID: store.ID{n, 15: n}, Seed: store.ID{0xff, n, 15: 1},
		Door: "wazo", Backend: "ldap", Mobile: true, CreatedAt: 1,
	}
}

func createdRefreshToken(t *testing.T, s store.Store) {
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: aUser("o'neil")})
	for _, want := range []store.RefreshToken{
		aRefreshToken(1, "alice", "c"),
		{Tenant: "t", Subject: "alice"},
		{Tenant: "t", Subject: "o'neil", Client: "it's \"mine\" <&>", ID: store.ID{0, 0xff}, Seed: store.ID{15: 0xff}, CreatedAt: math.MaxInt64},
		{Tenant: "t", Subject: "o'neil", Client: "c", ID: store.ID{2}, CreatedAt: math.MinInt64},
	} {
		apply(t, s, store.CreateRefreshToken{RefreshToken: want})
		same(t, want, must(s.RefreshToken(t.Context(), "t", want.Subject, want.Client))(t))
		same(t, want, must(s.RefreshTokenByID(t.Context(), want.ID))(t))
	}
	for _, key := range [][3]string{{"T", "alice", "c"}, {"t", "Alice", "c"}, {"t", "alice", "C"}, {"t", "c", "alice"}, {}} {
		noRefreshToken(t)(s.RefreshToken(t.Context(), key[0], key[1], key[2]))
	}
	noRefreshToken(t)(s.RefreshTokenByID(t.Context(), store.ID{9}))
}

func noRefreshToken(t *testing.T) func(store.RefreshToken, error) {
	t.Helper()
	return func(got store.RefreshToken, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrNotFound) || got != (store.RefreshToken{}) {
			t.Errorf("a refresh token that is not there: %+v, error %v", got, err)
		}
	}
}

func takenRefreshToken(t *testing.T, s store.Store) {
	first := aRefreshToken(1, "alice", "c")
	elsewhere := aUser("alice")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: elsewhere}, store.CreateRefreshToken{RefreshToken: first})
	sameID := first
	sameID.Tenant, sameID.Client = "T", "d"
	refused(t, s, store.ErrExists, store.CreateRefreshToken{RefreshToken: sameID})
	refused(t, s, store.ErrExists, store.CreateRefreshToken{RefreshToken: aRefreshToken(2, "alice", "c")})
	noRefreshToken(t)(s.RefreshTokenByID(t.Context(), aRefreshToken(2, "", "").ID))
	same(t, first, must(s.RefreshToken(t.Context(), "t", "alice", "c"))(t))
	// What was removed can come again, in one operation too.
	again := aRefreshToken(2, "alice", "c")
	apply(t, s, store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", Client: "c"}, store.CreateRefreshToken{RefreshToken: again})
	same(t, again, must(s.RefreshToken(t.Context(), "t", "alice", "c"))(t))
	noRefreshToken(t)(s.RefreshTokenByID(t.Context(), first.ID))
	apply(t, s, store.CreateRefreshToken{RefreshToken: sameID})
}

// createRefreshTokens makes some of two users in two tenants, of which many are equal
// in what they are sorted by.
func createRefreshTokens(t *testing.T, s store.Store) (all []store.RefreshToken) {
	t.Helper()
	clients := []string{"Phone", "desk", "phone", "a%b_c", "web"}
	for i, tenant := range []string{"t", "T"} {
		for j, subject := range []string{"bob", "alice"} {
			user := aUser(subject)
			user.Tenant = tenant
			apply(t, s, store.CreateUser{User: user})
			for k, client := range clients[:5-3*i] {
				token := aRefreshToken(byte(100*i+10*j+k), subject, client)
				token.Tenant, token.Mobile, token.CreatedAt = tenant, k%2 == j, []int64{1000, 1002, 1001}[(j+k)%3]
				apply(t, s, store.CreateRefreshToken{RefreshToken: token})
				all = append(all, token)
			}
		}
	}
	return slices.DeleteFunc(all, func(token store.RefreshToken) bool {
		gone := token.Tenant == "T" && token.Subject == "bob" && token.Client == "desk"
		if gone {
			apply(t, s, store.DeleteRefreshTokens{Tenant: "T", Subject: "bob", Client: "desk"})
			noRefreshToken(t)(s.RefreshTokenByID(t.Context(), token.ID))
		}
		return gone
	})
}

// refreshTokensHold tells that there are just these, in one order.
func refreshTokensHold(t *testing.T, s store.Store, want []store.RefreshToken) {
	t.Helper()
	for _, token := range want {
		same(t, token, must(s.RefreshToken(t.Context(), token.Tenant, token.Subject, token.Client))(t))
		same(t, token, must(s.RefreshTokenByID(t.Context(), token.ID))(t))
	}
	for _, tenant := range []string{"t", "T", ""} {
		for _, subject := range []string{"", "alice", "bob", "nobody"} {
			q := store.RefreshTokenQuery{Subject: subject, Limit: 99}
			some := askedFor(tenant, q, want)
			same(t, int64(len(some)), must(s.CountRefreshTokens(t.Context(), tenant, q))(t))
			same(t, some, append([]store.RefreshToken(nil), must(s.ListRefreshTokens(t.Context(), tenant, q))(t)...))
			if t.Failed() {
				t.Fatalf("subject %q of tenant %s", subject, tenant)
			}
		}
	}
}

// refreshQueries are all shapes of one.
func refreshQueries() (all []store.RefreshTokenQuery) {
	for _, subject := range []string{"", "alice", "bob", "nobody"} {
		for _, order := range []string{"", store.RefreshByCreation, store.RefreshByClient, store.RefreshByMobile, "other"} {
			for _, search := range []string{"", "PHONE", "%", "e"} {
				q := store.RefreshTokenQuery{Subject: subject, Order: order, Search: search}
				all = append(all, q)
				q.Descending = true
				all = append(all, q)
			}
		}
	}
	return all
}

// askedFor is what a query means, word for word.
func askedFor(tenant string, q store.RefreshTokenQuery, all []store.RefreshToken) (some []store.RefreshToken) {
	for _, token := range all {
		found := strings.Contains(strings.ToLower(token.Client), strings.ToLower(q.Search)) // of ASCII alone
		if token.Tenant == tenant && (q.Subject == "" || q.Subject == token.Subject) && found {
			some = append(some, token)
		}
	}
	key := func(token store.RefreshToken) string {
		switch q.Order {
		case store.RefreshByClient:
			return token.Client
		case store.RefreshByMobile:
			return fmt.Sprint(token.Mobile) // false comes before true
		}
		return fmt.Sprintf("%020d", token.CreatedAt)
	}
	slices.SortFunc(some, func(a, b store.RefreshToken) int {
		return cmp.Or(strings.Compare(key(a), key(b)), strings.Compare(a.Subject, b.Subject), strings.Compare(a.Client, b.Client))
	})
	if q.Descending {
		slices.Reverse(some)
	}
	return some
}

func orderedRefreshTokens(t *testing.T, s store.Store) {
	refreshTokensHold(t, s, nil)
	refreshTokensHold(t, s, createRefreshTokens(t, s))
	for _, c := range []struct {
		query store.RefreshTokenQuery
		want  string
	}{
		{store.RefreshTokenQuery{}, "alice:phone bob:Phone bob:a%b_c alice:desk alice:web bob:phone alice:Phone alice:a%b_c bob:desk bob:web"},
		{store.RefreshTokenQuery{Order: store.RefreshByClient, Search: "ph", Descending: true}, "bob:phone alice:phone bob:Phone alice:Phone"},
		{store.RefreshTokenQuery{Order: store.RefreshByMobile, Subject: "bob"}, "bob:a%b_c bob:desk bob:Phone bob:phone bob:web"},
		{store.RefreshTokenQuery{Order: store.RefreshByMobile, Subject: "bob", Descending: true}, "bob:web bob:phone bob:Phone bob:desk bob:a%b_c"},
	} {
		c.query.Limit = 99
		var got []string
		for _, token := range must(s.ListRefreshTokens(t.Context(), "t", c.query))(t) {
			got = append(got, token.Subject+":"+token.Client)
		}
		same(t, c.want, strings.Join(got, " "))
	}
}

func pagedRefreshTokens(t *testing.T, s store.Store) {
	all := createRefreshTokens(t, s)
	for _, q := range refreshQueries() {
		some := askedFor("t", q, all)
		for _, w := range windows(len(some)) {
			q.Offset, q.Limit = w.offset, w.limit
			got := must(s.ListRefreshTokens(t.Context(), "t", q))(t)
			if !slices.Equal(some[w.from:w.to], got) {
				t.Fatalf("query %+v gives %+v, want %+v", q, got, some[w.from:w.to])
			}
		}
		same(t, int64(len(some)), must(s.CountRefreshTokens(t.Context(), "t", q))(t))
	}
}

func searchedRefreshTokens(t *testing.T, s store.Store) {
	apply(t, s, store.CreateUser{User: aUser("alice")})
	for i, client := range []string{"Phone", "PHONE 2", "a%b_c", "axbxc", "É", "é", "K\u212a", "a\x00b", "\xff\xc3", "[x]*?", "'"} {
		apply(t, s, store.CreateRefreshToken{RefreshToken: aRefreshToken(byte(i), "alice", client)})
	}
	for search, want := range map[string][]string{
		"phone": {"PHONE 2", "Phone"}, "pHoNe 2": {"PHONE 2"}, "phone%": nil, "p_one": nil, "%": {"a%b_c"}, "_": {"a%b_c"}, "A%B": {"a%b_c"},
		"é": {"é"}, "É": {"É"}, "k": {"K\u212a"}, "\u212a": {"K\u212a"}, "\x00B": {"a\x00b"}, "\xff": {"\xff\xc3"}, "\xc3": {"É", "é", "\xff\xc3"},
		"\xa9": {"é"}, "[x]": {"[x]*?"}, "*?": {"[x]*?"}, "'": {"'"}, " ": {"PHONE 2"}, "nothing": nil, `\`: nil,
	} {
		for _, subject := range []string{"", "alice"} {
			q := store.RefreshTokenQuery{Search: search, Subject: subject, Order: store.RefreshByClient, Limit: 99}
			var got []string
			for _, token := range must(s.ListRefreshTokens(t.Context(), "t", q))(t) {
				got = append(got, token.Client)
			}
			if !slices.Equal(want, got) {
				t.Errorf("search for %q: %q, want %q", search, got, want)
			}
			same(t, int64(len(want)), must(s.CountRefreshTokens(t.Context(), "t", q))(t))
		}
	}
}

func exactRefreshTokens(t *testing.T, s store.Store) {
	exact := exactTexts()
	for i, name := range exact {
		apply(t, s, store.CreateUser{User: aUser(name)})
		apply(t, s, store.CreateRefreshToken{RefreshToken: aRefreshToken(byte(i), name, "c")})
	}
	for i, name := range exact {
		apply(t, s, store.CreateRefreshToken{RefreshToken: aRefreshToken(byte(100+i), "alice", name)})
	}
	for i, name := range exact {
		same(t, aRefreshToken(byte(i), name, "c"), must(s.RefreshToken(t.Context(), "t", name, "c"))(t))
		same(t, aRefreshToken(byte(100+i), "alice", name), must(s.RefreshToken(t.Context(), "t", "alice", name))(t))
		want := int64(1)
		if name == "alice" {
			want += int64(len(exact))
		}
		same(t, want, must(s.CountRefreshTokens(t.Context(), "t", store.RefreshTokenQuery{Subject: name}))(t))
	}
}

func deletedRefreshTokens(t *testing.T, s store.Store) {
	all := createRefreshTokens(t, s)
	for _, c := range []struct {
		by   store.DeleteRefreshTokens
		gone func(store.RefreshToken) bool
	}{
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", Client: "Phone", Mobile: true}, func(r store.RefreshToken) bool { return r.Subject == "alice" && r.Client == "Phone" }},
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", Client: "phone"}, func(r store.RefreshToken) bool { return r.Subject == "alice" && r.Client == "phone" }},
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", Client: "PHONE", At: 5000}, nil},
		{store.DeleteRefreshTokens{Tenant: "t", Client: "phone", At: 5000}, nil},
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", Mobile: true}, func(r store.RefreshToken) bool { return r.Subject == "alice" && r.Mobile }},
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", At: 999}, nil},
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "alice", At: 1001}, func(r store.RefreshToken) bool { return r.Subject == "alice" && r.CreatedAt <= 1001 }},
		{store.DeleteRefreshTokens{Tenant: "t", Subject: "Alice", At: 5000}, nil},
		{store.DeleteRefreshTokens{Tenant: "t", Mobile: true, At: 1000}, func(r store.RefreshToken) bool { return r.CreatedAt <= 1000 }},
		{store.DeleteRefreshTokens{Tenant: "t", At: 999}, nil},
		{store.DeleteRefreshTokens{Tenant: "t", At: math.MaxInt64}, func(store.RefreshToken) bool { return true }},
		{store.DeleteRefreshTokens{At: math.MaxInt64}, nil},
	} {
		left, removed := all, int64(-1)
		if c.gone != nil {
			left = slices.DeleteFunc(slices.Clone(all), func(r store.RefreshToken) bool { return r.Tenant == "t" && c.gone(r) })
		}
		c.by.Removed = &removed
		refused(t, s, store.ErrNotFound, c.by, store.DeleteKey{ID: "none"})
		refreshTokensHold(t, s, all)
		apply(t, s, c.by)
		same(t, int64(len(all)-len(left)), removed)
		refreshTokensHold(t, s, left)
		apply(t, s, c.by)
		same(t, int64(0), removed)
		apply(t, s, store.DeleteRefreshTokens{Tenant: c.by.Tenant, Subject: "nobody", Client: "none"}) // without Removed
		all = left
	}
	same(t, 3, len(all))
}
