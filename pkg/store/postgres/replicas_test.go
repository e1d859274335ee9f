package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// replicas are stores over one database.
type replicas []*Store

func (c cluster) replicas(t testing.TB, n int) (all replicas) {
	t.Helper()
	url := c.SocketURL(c.database(t))
	for range n {
		all = append(all, open(t, url))
	}
	return all
}

// race lets callers apply at once, spread over the replicas, and counts the answers:
// nil, the refusals of the store, and nothing else.
func (r replicas) race(t *testing.T, callers int, commands func(i int) []store.Command) (won []int, refusals map[error]int) {
	t.Helper()
	answers, start := make([]error, callers), make(chan struct{})
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			<-start
			answers[i] = r[i%len(r)].Apply(context.Background(), commands(i)...)
		})
	}
	close(start)
	group.Wait()
	refusals = map[error]int{}
	for i, err := range answers {
		switch {
		case err == nil:
			won = append(won, i)
		case errors.Is(err, store.ErrExists):
			refusals[store.ErrExists]++
		case errors.Is(err, store.ErrConflict):
			refusals[store.ErrConflict]++
		case errors.Is(err, store.ErrNotFound):
			refusals[store.ErrNotFound]++
		default:
			t.Fatal(err)
		}
	}
	return won, refusals
}

func spanned(t *testing.T, c cluster) {
	for name, check := range map[string]func(t *testing.T, r replicas){
		"a name is that of a user or of an application":                      sharedNames,
		"each number is given once, and none is left out":                    numbersOnce,
		"a subject has no more opaque sessions than there is room for":       roomForSessions,
		"nobody belongs to an organisation that is gone, or is gone himself": memberships,
		"no refresh token is left of a user who is gone":                     refreshTokens,
		"no application is owned by a user who is gone":                      owners,
		"two organisations do not come to have one name":                     renames,
		"two policies do not come to have one name":                          renamedPolicies,
		"a refresh token has one successor":                                  oneSuccessor,
		"a ticket is used once, and a value remembered once":                 usedOnce,
		"of equal facts the strongest holds":                                 strongestFact,
		"several may remove what is over":                                    purgeTogether,
		"access tokens are counted right":                                    countedTokens,
	} {
		t.Run(name, func(t *testing.T) { check(t, c.replicas(t, 3)) })
	}
}

func sharedNames(t *testing.T, r replicas) {
	for round := range 20 {
		name := fmt.Sprint("name", round)
		won, refusals := r.race(t, 6, func(i int) []store.Command {
			if i < 3 {
				return one(store.CreateUser{User: store.User{Tenant: "t", Name: name}})
			}
			return one(store.CreateApplication{Application: store.Application{Tenant: "t", ID: name}})
		})
		if len(won) != 1 || refusals[store.ErrExists] != 5 {
			t.Fatalf("%s: %v won, refusals %v", name, won, refusals)
		}
	}
}

func numbersOnce(t *testing.T, r replicas) {
	var tokens, organisations [60]int64
	r.race(t, 60, func(i int) []store.Command {
		return []store.Command{
			store.CreateUser{User: store.User{Tenant: "t", Name: fmt.Sprint("user", i)}},
			store.CreateOrganisation{Organisation: store.Organisation{Tenant: "t", Name: fmt.Sprint("o", i)}, Number: &organisations[i]},
			store.CreateAccessToken{AccessToken: store.AccessToken{Tenant: "t", Subject: "alice"}, Number: &tokens[i]},
		}
	})
	users, err := r[0].ListUsersByNumber(t.Context(), "t", 0, 99)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int64
	for _, user := range users {
		numbers = append(numbers, user.Number)
	}
	for _, given := range [][]int64{numbers, slices.Sorted(slices.Values(tokens[:])), slices.Sorted(slices.Values(organisations[:]))} {
		for i, number := range given {
			if number != int64(i+1) || len(given) != 60 {
				t.Fatalf("numbers %v", given)
			}
		}
	}
}

func roomForSessions(t *testing.T, r replicas) {
	won, refusals := r.race(t, 60, func(i int) []store.Command {
		opaque := session(i)
		opaque.Opaque = &store.Opaque{}
		return one(store.CreateSession{Session: opaque, Most: 5})
	})
	count, err := r[0].CountOpaque(t.Context(), "t", store.OpaqueQuery{})
	if len(won) != 5 || refusals[store.ErrConflict] != 55 || count != 5 || err != nil {
		t.Errorf("%d were made, %v refused, %d there, error %v", len(won), refusals, count, err)
	}
}

func memberships(t *testing.T, r replicas) {
	for round := range 20 {
		user, number := fmt.Sprint("user", round), int64(0)
		apply(t, r[0], store.CreateUser{User: store.User{Tenant: "t", Name: user}},
			store.CreateOrganisation{Organisation: store.Organisation{Tenant: "t", Name: user}, Number: &number})
		r.race(t, 9, func(i int) []store.Command {
			switch i % 4 {
			case 0:
				return one(store.DeleteUser{Tenant: "t", Name: user})
			case 1:
				return one(store.DeleteOrganisation{Tenant: "t", Number: number})
			}
			return one(store.PutMembership{Membership: store.Membership{Tenant: "t", User: user, Organisation: number, Role: fmt.Sprint(i)}})
		})
		of, err := r[1].Memberships(t.Context(), "t", user)
		in, err2 := r[2].Members(t.Context(), "t", number)
		if len(of)+len(in) > 0 || err != nil || err2 != nil {
			t.Fatalf("memberships %v and %v, errors %v, %v", of, in, err, err2)
		}
	}
}

func refreshTokens(t *testing.T, r replicas) {
	for round := range 20 {
		user := fmt.Sprint("user", round)
		apply(t, r[0], store.CreateUser{User: store.User{Tenant: "t", Name: user}})
		r.race(t, 9, func(i int) []store.Command {
			if i == round%9 {
				return one(store.DeleteUser{Tenant: "t", Name: user})
			}
			return one(store.CreateRefreshToken{RefreshToken: store.RefreshToken{
				Tenant: "t", Subject: user, Client: fmt.Sprint(i), ID: store.ID{byte(round), byte(i)},
			}})
		})
		if left, err := r[1].CountRefreshTokens(t.Context(), "t", store.RefreshTokenQuery{}); left != 0 || err != nil {
			t.Fatalf("%d are left, error %v", left, err)
		}
	}
}

func owners(t *testing.T, r replicas) {
	for round := range 20 {
		user := fmt.Sprint("user", round)
		apply(t, r[0], store.CreateUser{User: store.User{Tenant: "t", Name: user}})
		r.race(t, 9, func(i int) []store.Command {
			if i == round%9 {
				return one(store.DeleteUser{Tenant: "t", Name: user})
			}
			return one(store.CreateApplication{Application: store.Application{Tenant: "t", ID: fmt.Sprint(round, "-", i), Owner: user}})
		})
	}
	all, err := r[1].ListApplications(t.Context(), "t", "", 999)
	if err != nil || len(all) == 0 {
		t.Fatal(len(all), err)
	}
	for _, application := range all {
		if application.Owner != "" {
			t.Errorf("%s belongs to %s", application.ID, application.Owner)
		}
	}
}

func renames(t *testing.T, r replicas) {
	for i := range 9 {
		apply(t, r[0], store.CreateOrganisation{Organisation: store.Organisation{Tenant: "t", Name: fmt.Sprint(i)}})
	}
	won, refusals := r.race(t, 9, func(i int) []store.Command {
		return one(store.UpdateOrganisation{Organisation: store.Organisation{Tenant: "t", Number: int64(i + 1), Name: "the name"}})
	})
	if len(won) != 1 || refusals[store.ErrExists] != 8 {
		t.Errorf("%v won, refusals %v", won, refusals)
	}
}

func renamedPolicies(t *testing.T, r replicas) {
	for i := range 9 {
		apply(t, r[0], store.CreatePolicy{Policy: store.Policy{Tenant: "t", UUID: fmt.Sprint(i), Name: fmt.Sprint(i)}})
	}
	won, refusals := r.race(t, 9, func(i int) []store.Command {
		return one(store.UpdatePolicy{Policy: store.Policy{Tenant: "t", UUID: fmt.Sprint(i), Name: "the name"}})
	})
	if len(won) != 1 || refusals[store.ErrExists] != 8 {
		t.Errorf("%v won, refusals %v", won, refusals)
	}
}
