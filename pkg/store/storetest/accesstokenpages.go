package storetest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func accessTokenPageChecks() []check {
	return []check{
		{"a filter means those of any of its users or applications, each once", filteredAccessTokens},
		{"names in a filter are compared byte for byte", exactFilters},
		{"pages of 25 over 1,000 access tokens miss none and double none", accessTokenPages},
		{"pages go on where they were, whatever is deleted meanwhile", pagesWithDeletions},
		{"lists and counts hold after a long history", accessTokenHistory},
	}
}

// shapes are all shapes of a filter that has those names: one user or application,
// several, both, with one that has no tokens among them, and both sorts of each.
func shapes(subjects, clients []string) (all []store.AccessTokenFilter) {
	lists := func(names []string) [][]string {
		lists := [][]string{nil, append(slices.Clone(names), "nobody", names[0])}
		for _, name := range names {
			lists = append(lists, []string{name})
		}
		return lists
	}
	for _, sort := range []store.AccessTokenFilter{{}, {Personal: true}, {Application: true}, {Personal: true, Application: true}} {
		for _, sort.Subjects = range lists(subjects) {
			for _, sort.Clients = range lists(clients) {
				all = append(all, sort)
			}
		}
	}
	return all
}

// meant is what a filter means, word for word.
func meant(f store.AccessTokenFilter, all []store.AccessToken) (some []store.AccessToken) {
	for _, token := range all {
		personal := token.Client == ""
		everybody := len(f.Subjects)+len(f.Clients) == 0
		named := slices.Contains(f.Subjects, token.Subject) || !personal && slices.Contains(f.Clients, token.Client)
		if (everybody || named) && (personal || !f.Personal) && (!personal || !f.Application) {
			some = append(some, token)
		}
	}
	return some
}

// countsHold compares lists and counts of all shapes with what they should give.
func countsHold(t testing.TB, s store.Store, tenant string, want []store.AccessToken) {
	t.Helper()
	for _, f := range shapes([]string{"alice", "bob", ""}, []string{"app", "other", ""}) {
		some := meant(f, want)
		same(t, int64(len(some)), must(s.CountAccessTokens(t.Context(), tenant, f))(t))
		same(t, some, orNil(must(s.ListAccessTokens(t.Context(), tenant, f, 0, math.MaxInt))(t)))
		if t.Failed() {
			t.Fatalf("filter %+v of tenant %s", f, tenant)
		}
	}
}

// orNil makes an empty page one that was not made.
func orNil(page []store.AccessToken) []store.AccessToken {
	return append([]store.AccessToken(nil), page...)
}

func filteredAccessTokens(t *testing.T, s store.Store) {
	countsHold(t, s, "t", nil)
	var all pairs
	var keep []int
	for _, subject := range []string{"bob", "alice", "", "carol"} {
		for _, client := range []string{"other", "", "app", "third"} {
			all = append(all, [2]string{subject, client})
			keep = append(keep, len(all))
		}
	}
	kept := createTokens(t, s, all, keep...)
	elsewhere := anAccessToken("alice", "app")
	elsewhere.Tenant = "T"
	apply(t, s, store.CreateAccessToken{AccessToken: elsewhere})
	elsewhere.Number, elsewhere.Family = 1, 1
	countsHold(t, s, "t", kept)
	countsHold(t, s, "T", []store.AccessToken{elsewhere})
	countsHold(t, s, "", nil)
}

func exactFilters(t *testing.T, s store.Store) {
	exact := append(exactTexts(), "a\x00b", "a", "\x00", "\xff", "\xfe", "<&>", "[]", "null")
	var all pairs
	for _, name := range exact {
		all = append(all, [2]string{name, ""}, [2]string{"", name})
	}
	createTokens(t, s, all)
	for _, name := range exact {
		one := []string{name}
		for f, want := range map[*store.AccessTokenFilter]int{
			{Subjects: one}: 1, {Clients: one}: 1, {Subjects: one, Personal: true}: 1, {Clients: one, Application: true}: 1,
			{Subjects: one, Clients: one}: 2, {Subjects: append(one, "nobody")}: 1, {Clients: append(one, "nobody")}: 1,
		} {
			page := must(s.ListAccessTokens(t.Context(), "t", *f, 0, 9))(t)
			same(t, want, len(page))
			same(t, int64(want), must(s.CountAccessTokens(t.Context(), "t", *f))(t))
			for _, token := range page {
				same(t, name, token.Subject+token.Client)
			}
		}
	}
	same(t, int64(len(all)), must(s.CountAccessTokens(t.Context(), "t", store.AccessTokenFilter{Subjects: exact, Clients: exact}))(t))
	same(t, len(all), len(must(s.ListAccessTokens(t.Context(), "t", store.AccessTokenFilter{Subjects: exact, Clients: exact}, 0, 999))(t)))
}

// aThousand makes tokens of users and applications of which some have many and
// some few, and gives them as the store should.
func aThousand(t *testing.T, s store.Store) (all []store.AccessToken) {
	t.Helper()
	var commands []store.Command
	for i := range int64(1000) {
		token := anAccessToken([]string{"alice", "alice", "bob", "carol"}[i%4], []string{"", "app", "", "other", "app"}[i*7%5])
		token.CreatedAt = i
		commands = append(commands, store.CreateAccessToken{AccessToken: token})
		token.Number, token.Family = i+1, i+1
		all = append(all, token)
	}
	apply(t, s, commands...)
	return all
}

func accessTokenPages(t *testing.T, s store.Store) {
	all := aThousand(t, s)
	for _, f := range shapes([]string{"alice", "bob"}, []string{"app", "other"}) {
		same(t, numbersOf(meant(f, all)), numberPages(t, 25, func(after int64) []int64 {
			return numbersOf(must(s.ListAccessTokens(t.Context(), "t", f, after, 25))(t))
		}))
		for _, limit := range []int{0, -1, math.MinInt} {
			same(t, 0, len(must(s.ListAccessTokens(t.Context(), "t", f, 0, limit))(t)))
		}
		same(t, 0, len(must(s.ListAccessTokens(t.Context(), "t", f, math.MaxInt64, 25))(t)))
		same(t, numbersOf(meant(f, all)), numbersOf(must(s.ListAccessTokens(t.Context(), "t", f, -5, 1000))(t)))
	}
}

func numbersOf(all []store.AccessToken) (numbers []int64) {
	for _, token := range all {
		numbers = append(numbers, token.Number)
	}
	return numbers
}

// pagesWithDeletions takes one seen and one to come away after each page.
func pagesWithDeletions(t *testing.T, s store.Store) {
	all := aThousand(t, s)
	for _, f := range []store.AccessTokenFilter{
		{}, {Personal: true}, {Subjects: []string{"alice"}}, {Subjects: []string{"alice", "bob"}, Clients: []string{"app"}},
	} {
		to := meant(f, all)
		var seen, want []int64
		for after := int64(0); ; {
			page := numbersOf(must(s.ListAccessTokens(t.Context(), "t", f, after, 25))(t))
			want = append(want, numbersOf(to[:min(25, len(to))])...)
			seen = append(seen, page...)
			to = to[min(25, len(to)):]
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1]
			gone := []int64{page[len(page)/2], after}
			if len(to) > 3 {
				gone = append(gone, to[0].Number, to[3].Number)
				to = append(slices.Clone(to[1:3]), to[4:]...)
			}
			for _, number := range gone {
				apply(t, s, store.DeleteAccessTokens{Tenant: "t", Number: number})
				all = slices.DeleteFunc(all, func(token store.AccessToken) bool { return token.Number == number })
			}
		}
		same(t, want, seen)
	}
	holds(t, s, all)
}

// accessTokenHistory does what it likes, part of it within operations that are
// refused, and looks again and again whether all shapes of lists and counts agree
// with the list of all.
func accessTokenHistory(t *testing.T, s store.Store) {
	random := rand.New(rand.NewPCG(1, 2))
	apply(t, s, store.CreateApplication{Application: anApplication("app")}, store.CreateUser{User: aUser("bob")})
	for round := range 400 {
		commands := []store.Command{randomAccessTokenCommand(random), randomAccessTokenCommand(random)}
		undone := round%5 == 4
		if undone {
			commands = append(commands, store.DeleteKey{ID: "none"})
		}
		err := s.Apply(t.Context(), commands...)
		if refused := errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists); !refused && (err != nil || undone) {
			t.Fatal(err)
		}
		if round%20 == 19 {
			for _, tenant := range []string{"t", "T"} {
				all := orNil(must(s.ListAccessTokens(t.Context(), tenant, store.AccessTokenFilter{}, 0, 1000))(t))
				countsHold(t, s, tenant, all)
				for _, token := range all {
					same(t, token, must(s.AccessTokenOf(t.Context(), tenant, token.Family))(t))
				}
			}
		}
	}
	if all := must(s.ListAccessTokens(t.Context(), "t", store.AccessTokenFilter{}, 0, 1000))(t); len(all) < 5 {
		t.Errorf("the history left %d access tokens, which tell nothing", len(all))
	}
}

func randomAccessTokenCommand(random *rand.Rand) store.Command {
	pick := func(all ...string) string { return all[random.IntN(len(all))] }
	number := 1 + random.Int64N(500)
	token := anAccessToken(pick("alice", "bob", "carol", ""), pick("", "", "app", "other", "third"))
	token.Tenant, token.CreatedAt = pick("t", "t", "T"), random.Int64N(10)
	token.ExpiresAt, token.KeepUntil = random.Int64N(50), []int64{0, 0, random.Int64N(50)}[random.IntN(3)]
	switch random.IntN(24) {
	case 0:
		return store.DeleteAccessTokens{Tenant: token.Tenant, Subject: token.Subject, Client: pick("app", "other", "third"), At: random.Int64N(9)}
	case 1:
		return store.DeleteAccessTokens{Tenant: token.Tenant, Client: pick("app", "other", "third"), At: random.Int64N(9)}
	case 2:
		return store.DeleteAccessTokens{Tenant: token.Tenant, Family: number}
	case 3:
		return store.DeleteAccessTokens{Tenant: token.Tenant, At: random.Int64N(3)}
	case 4:
		return store.Purge{Before: random.Int64N(50), Limit: random.IntN(4)}
	case 5:
		return store.UpdateAccessToken{Tenant: token.Tenant, Number: number, Scope: fmt.Sprint(number), UpdatedAt: 2, Read: 2}
	case 6:
		return []store.Command{
			store.DeleteUser{Tenant: "t", Name: "bob"},
			store.CreateUser{User: aUser("bob")},
			store.DeleteApplication{Tenant: "t", ID: "app"},
			store.CreateApplication{Application: anApplication("app")},
		}[random.IntN(4)]
	case 7, 8:
		return store.DeleteAccessTokens{Tenant: token.Tenant, Number: number}
	case 9, 10, 11:
		return store.ReplaceAccessToken{Number: number, Read: 2, AccessToken: token}
	}
	return store.CreateAccessToken{AccessToken: token}
}
