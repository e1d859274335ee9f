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

func numberChecks() []check {
	return []check{
		{"numbers go from 1 in the order of creation, one row of them for each kind and tenant", givenNumbers},
		{"a number handed in is ignored, at creation and at an update", ignoredNumbers},
		{"a number is never given again, not even when its record is gone", goneNumbers},
		{"a refused creation takes no number", refusedNumbers},
		{"of 64 creations at once each has a number of its own", numbersAtOnce},
		{"users and applications are found by their numbers, in their tenant alone", foundByNumber},
		{"pages by number miss none and double none, whatever is deleted meanwhile", numberedPages},
		{"what a caller does with slices of what a number finds stays with the caller", numberedSlices},
	}
}

// givenNumbers makes records of all kinds in turn, in an order that is not that of
// their names.
func givenNumbers(t *testing.T, s store.Store) {
	for i := int64(1); i <= 3; i++ {
		for _, tenant := range []string{"t", "T"} {
			user, app, name := aUser(fmt.Sprint("user", 9-i)), anApplication(fmt.Sprint("app", 9-i)), fmt.Sprint("organisation", 9-i)
			user.Tenant, app.Tenant = tenant, tenant
			var organisation, token int64
			apply(t, s, store.CreateUser{User: user}, store.CreateApplication{Application: app},
				store.CreateOrganisation{Organisation: store.Organisation{Tenant: tenant, Name: name}, Number: &organisation},
				store.CreateAccessToken{AccessToken: store.AccessToken{Tenant: tenant}, Number: &token})
			user.Number, app.Number = i, i
			same(t, user, must(s.UserByNumber(t.Context(), tenant, i))(t))
			same(t, app, must(s.ApplicationByNumber(t.Context(), tenant, i))(t))
			same(t, [2]int64{i, i}, [2]int64{organisation, token})
			same(t, name, must(s.Organisation(t.Context(), tenant, i))(t).Name)
			same(t, i, must(s.AccessToken(t.Context(), tenant, i))(t).Number)
		}
	}
}

func ignoredNumbers(t *testing.T, s store.Store) {
	user, app, token := userNumber(77, "alice"), applicationNumber(77, "app"), anAccessToken("alice", "app")
	body := anOrganisation("o")
	token.Number, body.Number = 77, 77
	apply(t, s, store.CreateUser{User: user}, store.CreateApplication{Application: app},
		store.CreateOrganisation{Organisation: body}, store.CreateAccessToken{AccessToken: token})
	apply(t, s, store.UpdateUser{User: user, Read: user.UpdatedAt}, store.UpdateApplication{Application: app, Read: app.UpdatedAt})
	same(t, userNumber(1, "alice"), must(s.UserByNumber(t.Context(), "t", 1))(t))
	same(t, applicationNumber(1, "app"), must(s.ApplicationByNumber(t.Context(), "t", 1))(t))
	same(t, "o", must(s.Organisation(t.Context(), "t", 1))(t).Name)
	same(t, "alice", must(s.AccessToken(t.Context(), "t", 1))(t).Subject)
	user.Number, app.Number = 0, -5
	apply(t, s, store.UpdateUser{User: user, Read: user.UpdatedAt}, store.UpdateApplication{Application: app, Read: app.UpdatedAt})
	same(t, userNumber(1, "alice"), must(s.User(t.Context(), "t", "alice"))(t))
	same(t, applicationNumber(1, "app"), must(s.Application(t.Context(), "t", "app"))(t))
}

// goneNumbers leaves none of the records before it makes the next ones.
func goneNumbers(t *testing.T, s store.Store) {
	for i := int64(1); i <= 4; i++ {
		same(t, [4]int64{i, i, i, i}, nextNumbers(t, s))
		last := [4]store.Command{
			store.DeleteUser{Tenant: "t", Name: "alice"},
			store.DeleteApplication{Tenant: "t", ID: "app"},
			store.DeleteOrganisation{Tenant: "t", Number: i},
			store.DeleteAccessTokens{Tenant: "t", Number: i},
		}
		apply(t, s, last[:]...)
	}
}

// nextNumbers makes a record of each kind and tells their numbers.
func nextNumbers(t *testing.T, s store.Store) (n [4]int64) {
	t.Helper()
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateApplication{Application: anApplication("app")},
		store.CreateOrganisation{Organisation: anOrganisation("o"), Number: &n[2]},
		store.CreateAccessToken{AccessToken: anAccessToken("alice", ""), Number: &n[3]})
	n[0] = must(s.User(t.Context(), "t", "alice"))(t).Number
	n[1] = must(s.Application(t.Context(), "t", "app"))(t).Number
	return n
}

func refusedNumbers(t *testing.T, s store.Store) {
	nextNumbers(t, s)
	for _, command := range []store.Command{
		store.CreateUser{User: aUser("alice")},
		store.CreateApplication{Application: anApplication("app")},
		store.CreateUser{User: aUser("app")},
		store.CreateApplication{Application: anApplication("alice")},
		store.CreateOrganisation{Organisation: anOrganisation("o")},
	} {
		refused(t, s, store.ErrExists, command)
	}
	refused(t, s, store.ErrNotFound,
		store.CreateUser{User: aUser("bob")}, store.CreateApplication{Application: anApplication("bare")},
		store.CreateOrganisation{Organisation: anOrganisation("other")},
		store.CreateAccessToken{AccessToken: anAccessToken("alice", "")}, store.DeleteKey{ID: "none"})
	refused(t, s, store.ErrNotFound, store.ReplaceAccessToken{Number: 9, AccessToken: anAccessToken("alice", "")})
	apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"}, store.DeleteApplication{Tenant: "t", ID: "app"},
		store.DeleteOrganisation{Tenant: "t", Number: 1})
	same(t, [4]int64{2, 2, 2, 2}, nextNumbers(t, s))
}

func numbersAtOnce(t *testing.T, s store.Store) {
	var organisations, tokens [64]int64
	winners(t, store.ErrExists, func(i int) error {
		return s.Apply(context.Background(), store.CreateUser{User: aUser(fmt.Sprint("user", i))},
			store.CreateApplication{Application: anApplication(fmt.Sprint("app", i))},
			store.CreateOrganisation{Organisation: anOrganisation(fmt.Sprint("o", i)), Number: &organisations[i]},
			store.CreateAccessToken{AccessToken: anAccessToken("user", fmt.Sprint("app", i)), Number: &tokens[i]})
	})
	var want, users, apps []int64
	for i := range int64(64) {
		want = append(want, i+1)
	}
	for _, user := range must(s.ListUsersByNumber(t.Context(), "t", 0, 99))(t) {
		users = append(users, user.Number)
	}
	for _, app := range must(s.ListApplicationsByNumber(t.Context(), "t", 0, 99))(t) {
		apps = append(apps, app.Number)
	}
	same(t, want, users)
	same(t, want, apps)
	for i := range 64 {
		same(t, fmt.Sprint("o", i), must(s.Organisation(t.Context(), "t", organisations[i]))(t).Name)
		same(t, fmt.Sprint("app", i), must(s.AccessToken(t.Context(), "t", tokens[i]))(t).Client)
	}
	same(t, want, slices.Sorted(slices.Values(organisations[:])))
	same(t, want, slices.Sorted(slices.Values(tokens[:])))
}

func foundByNumber(t *testing.T, s store.Store) {
	elsewhere, other := aUser("zoe"), anApplication("zap")
	elsewhere.Tenant, other.Tenant = "T", "T"
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateUser{User: aUser("bob")},
		store.CreateApplication{Application: anApplication("app")}, store.CreateApplication{Application: anApplication("bare")},
		store.CreateUser{User: elsewhere}, store.CreateApplication{Application: other})
	elsewhere.Number, other.Number = 1, 1
	same(t, userNumber(2, "bob"), must(s.UserByNumber(t.Context(), "t", 2))(t))
	same(t, applicationNumber(2, "bare"), must(s.ApplicationByNumber(t.Context(), "t", 2))(t))
	same(t, elsewhere, must(s.UserByNumber(t.Context(), "T", 1))(t))
	same(t, other, must(s.ApplicationByNumber(t.Context(), "T", 1))(t))
	apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"}, store.DeleteApplication{Tenant: "t", ID: "app"})
	for tenant, numbers := range map[string][]int64{"t": {1, 0, -1, 3, math.MaxInt64, math.MinInt64}, "T": {2}, "": {1}} {
		for _, number := range numbers {
			if u, err := s.UserByNumber(t.Context(), tenant, number); !errors.Is(err, store.ErrNotFound) || u.Name != "" {
				t.Errorf("user %d of %q: %q, error %v", number, tenant, u.Name, err)
			}
			if a, err := s.ApplicationByNumber(t.Context(), tenant, number); !errors.Is(err, store.ErrNotFound) || a.ID != "" {
				t.Errorf("application %d of %q: %q, error %v", number, tenant, a.ID, err)
			}
		}
	}
}

// numberedPages takes every third record away once its page was seen.
func numberedPages(t *testing.T, s store.Store) {
	for i := range 60 {
		user, app := aUser(fmt.Sprint("user", 99-i)), anApplication(fmt.Sprint("app", 99-i))
		apply(t, s, store.CreateUser{User: user}, store.CreateApplication{Application: app})
	}
	all := make([]int64, 60)
	for i := range all {
		all[i] = int64(i + 1)
	}
	users := numberPages(t, 7, func(after int64) (page []int64) {
		for _, user := range must(s.ListUsersByNumber(t.Context(), "t", after, 7))(t) {
			page = append(page, user.Number)
			if user.Number%3 == 0 {
				apply(t, s, store.DeleteUser{Tenant: "t", Name: user.Name})
			}
		}
		return page
	})
	apps := numberPages(t, 7, func(after int64) (page []int64) {
		for _, app := range must(s.ListApplicationsByNumber(t.Context(), "t", after, 7))(t) {
			page = append(page, app.Number)
			if app.Number%3 == 0 {
				apply(t, s, store.DeleteApplication{Tenant: "t", ID: app.ID})
			}
		}
		return page
	})
	same(t, all, users)
	same(t, all, apps)
	for _, limit := range []int{0, -1} {
		same(t, 0, len(must(s.ListUsersByNumber(t.Context(), "t", 0, limit))(t)))
		same(t, 0, len(must(s.ListApplicationsByNumber(t.Context(), "t", 0, limit))(t)))
	}
	same(t, 40, len(must(s.ListUsersByNumber(t.Context(), "t", 0, 99))(t)))
	same(t, 40, len(must(s.ListApplicationsByNumber(t.Context(), "t", 0, 99))(t)))
}

// numberPages walks through pages until one is empty; all but the last two must be full.
func numberPages(t *testing.T, limit int, read func(after int64) []int64) (seen []int64) {
	t.Helper()
	for after, short := int64(0), 0; ; after = seen[len(seen)-1] {
		page := read(after)
		if len(page) == 0 {
			return seen
		}
		if len(page) < limit {
			short++
		}
		if len(page) > limit || short > 1 {
			t.Fatalf("a page of %d for limit %d, %d short ones", len(page), limit, short)
		}
		seen = append(seen, page...)
	}
}

func numberedSlices(t *testing.T, s store.Store) {
	apply(t, s, store.CreateUser{User: aUser("alice")}, store.CreateApplication{Application: anApplication("app")})
	for range 2 {
		user, app := must(s.UserByNumber(t.Context(), "t", 1))(t), must(s.ApplicationByNumber(t.Context(), "t", 1))(t)
		same(t, userNumber(1, "alice"), user)
		same(t, applicationNumber(1, "app"), app)
		user.Roles[0] = "intruder"
		scribble(app)
		must(s.ListUsersByNumber(t.Context(), "t", 0, 1))(t)[0].Roles[0] = "intruder"
		scribble(must(s.ListApplicationsByNumber(t.Context(), "t", 0, 1))(t)[0])
	}
}
