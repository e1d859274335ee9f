package door_test

import (
	"context"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/awx/door"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// reading counts what is read of tokens and of users.
type reading struct {
	store.Store
	lists, rows, users int
}

func (s *reading) ListAccessTokens(ctx context.Context, tenant string, f store.AccessTokenFilter, after int64, limit int) ([]store.AccessToken, error) {
	rows, err := s.Store.ListAccessTokens(ctx, tenant, f, after, limit)
	s.lists++
	s.rows += len(rows)
	return rows, err
}

func (s *reading) User(ctx context.Context, tenant, name string) (store.User, error) {
	s.users++
	return s.Store.User(ctx, tenant, name)
}

// readHouse is newHouse with a count of what is read.
func readHouse(t *testing.T) (*world, *reading) {
	t.Helper()
	s := &reading{}
	w := newHouse(t, func(w *world, _ *door.Config) { s.Store, w.store = w.store, s })
	return w, s
}

// summaries are the counts and the lengths of the tokens in a page of applications.
func summaries(t *testing.T, a answer) (counts, lengths []int64) {
	t.Helper()
	results, _ := a.object(t)["results"].([]any)
	for _, r := range results {
		tokens := r.(map[string]any)["summary_fields"].(map[string]any)["tokens"].(map[string]any)
		counts = append(counts, int64(tokens["count"].(float64)))
		lengths = append(lengths, int64(len(tokens["results"].([]any))))
	}
	return counts, lengths
}

func TestAPageOfApplicationsCostsTheSameHoweverManyTokensThereAre(t *testing.T) {
	const apps, tokens = 40, 3000
	w, s := readHouse(t)
	var commands []store.Command
	at := w.door.Tick()
	for n := range apps {
		app, _ := w.addApp(1, "app"+itoa(int64(n)))
		for i := range tokens / apps {
			commands = append(commands, store.CreateAccessToken{AccessToken: store.AccessToken{
				Tenant: store.DefaultTenant, Door: "awx", Subject: []string{"rob", "ben"}[i%2], Client: app.ID, Scope: "write", CreatedAt: at, UpdatedAt: at,
			}})
		}
	}
	w.do(s.Apply(t.Context(), commands...))
	for user, c := range map[string]struct {
		lists, rows int
		sum         int64
	}{
		"rob":  {1, 1000, 1000},           // the first of his own 1520
		"rita": {apps, 10 * apps, tokens}, // ten of each application's
		"ada":  {apps, 10 * apps, tokens}, // the same
		"root": {apps, 10 * apps, tokens}, // the same
	} {
		s.lists, s.rows = 0, 0
		counts, lengths := summaries(t, w.want(w.as(user, "GET", awx.PathApplications+"?page_size=200", ""), 200, user))
		sum := int64(0)
		for i, n := range counts {
			if sum += n; lengths[i] != min(n, 10) {
				t.Errorf("%s: application %d has %d tokens, %d of them told", user, i, n, lengths[i])
			}
		}
		if len(counts) != apps || sum != c.sum || s.lists > c.lists || s.rows > c.rows {
			t.Errorf("%s: %d applications with %d tokens, after %d lists of %d rows", user, len(counts), sum, s.lists, s.rows)
		}
	}
}

func TestASummaryHoldsTheTokensThatTheCallerMaySee(t *testing.T) {
	w := newHouse(t)
	shop, _ := w.addApp(1, "shop", func(a *store.Application) { a.Owner = "bea" })
	desk, _ := w.addApp(2, "desk", func(a *store.Application) { a.Owner = "rita" })
	for _, app := range []store.Application{shop, desk} {
		for _, user := range []string{"rob", "rita", "ben", "nina"} {
			w.keep(user, app.ID, "write")
		}
	}
	w.keep("rob", "", "write")
	for _, c := range []struct {
		user string
		app  store.Application
		sees int64
	}{
		{"rob", shop, 1},
		{"rita", shop, 4},
		{"rita", desk, 2}, // hers and her member's, of an application of Blue's
		{"bea", shop, 1},  // Ben's, of an application of Red's
		{"bea", desk, 4},
		{"ada", shop, 4},
		{"root", desk, 4},
	} {
		a := w.want(w.as(c.user, "GET", awx.PathApplications+"?id="+itoa(c.app.Number), ""), 200, c.user)
		counts, lengths := summaries(t, a)
		list := w.want(w.as(c.user, "GET", beneath(awx.PathApplications, c.app.Number, awx.ListTokens), ""), 200, c.user)
		if len(counts) != 1 || counts[0] != c.sees || lengths[0] != c.sees || list.number(t, "count") != c.sees {
			t.Errorf("%s sees %v, %v of %s, and lists %s; want %d", c.user, counts, lengths, c.app.Name, list.body, c.sees)
		}
	}
}

func TestUsersWhoAreNotAskedForAreNotLookedUp(t *testing.T) {
	w, s := readHouse(t)
	for n := range 50 {
		w.addUser("m" + itoa(int64(n)))
		w.join(1, "m"+itoa(int64(n)), store.OrganisationMember)
	}
	for _, c := range []struct{ user, path, name string }{
		{"rob", awx.PathUsers, "m7"},
		{"root", awx.PathUsers, "m7"},
		{"rita", beneath(awx.PathOrganizations, 1, awx.ListUsers), "m7"},
		{"root", awx.PathUsers, "nobody"},
		{"root", awx.PathUsers, ""},
		{"rob", awx.PathUsers, "ben"}, // of whom he does not know
	} {
		s.users = 0
		a := w.want(w.as(c.user, "GET", c.path+"?username="+c.name, ""), 200, c.user)
		if want := int64(0); c.name == "m7" {
			if want = 1; a.number(t, "count") != want {
				t.Errorf("%+v: %s", c, a.body)
			}
		} else if a.number(t, "count") != want {
			t.Errorf("%+v: %s", c, a.body)
		}
		if s.users > 10 {
			t.Errorf("%+v: %d users were looked up", c, s.users)
		}
	}
}
