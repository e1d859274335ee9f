package door_test

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/awx/door"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

const benchTokens = 100_000

// fill makes so many tokens, a hundred of them rob's and all others those of users
// who are gone, every second one an application's.
func (w *world) fill(app store.Application) {
	w.Helper()
	const batch = 5000
	at := w.door.Tick()
	var commands []store.Command
	for n := range benchTokens {
		t := store.AccessToken{
			Tenant: store.DefaultTenant, Door: "awx", Subject: "user" + itoa(int64(n%1000)), Scope: "write", CreatedAt: at, UpdatedAt: at, ExpiresAt: at + 1_000_000_000_000,
		}
		if n%1000 == 0 {
			t.Subject = "rob"
		}
		if n%2 == 1 {
			t.Client = app.ID
		}
		if commands = append(commands, store.CreateAccessToken{AccessToken: t}); len(commands) == batch {
			w.do(w.store.Apply(w.Context(), commands...))
			commands = commands[:0:0]
		}
	}
	w.do(w.store.Apply(w.Context(), commands...))
}

// BenchmarkTokenPages compares, in turns, pages of a list of 100,000 tokens over
// SQLite: the first one, and one in the middle by the link of the page before it; the
// first one of a user's own hundred; and one in the middle of an application's.
func BenchmarkTokenPages(b *testing.B) {
	st, err := sqlite.Open(b.Context(), sqlite.Config{Path: filepath.Join(b.TempDir(), "store.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	w := newHouse(b, func(w *world, _ *door.Config) { w.store = st })
	app, _ := w.addApp(1, "shop")
	w.fill(app)
	next := func(user, path string) string {
		return w.want(w.as(user, "GET", path, ""), http.StatusOK, path).text(b, "next")
	}
	contenders := []struct{ name, user, path string }{
		{"first-ns", "root", awx.PathTokens},
		{"middle-ns", "root", next("root", awx.PathTokens+"?page=2000")},
		{"own-ns", "rob", awx.PathTokens},
		{"application-ns", "rita", next("rita", beneath(awx.PathApplications, app.Number, awx.ListTokens)+"?page=1000")},
	}
	credentials := map[string][]string{}
	for _, user := range []string{"root", "rob", "rita"} {
		credentials[user] = bearer(w.keep(user, "", "read").Access.Reveal())
	}
	took := make([][]float64, len(contenders))
	for b.Loop() {
		for i, c := range contenders {
			const times = 10
			began := time.Now()
			for range times {
				if a := w.send("GET", c.path, "", credentials[c.user]...); a.status != http.StatusOK || len(a.ids(b)) != awx.PageSize || a.number(b, "count") < 100 {
					b.Fatalf("%s: %d %s", c.name, a.status, a.body)
				}
			}
			took[i] = append(took[i], float64(time.Since(began).Nanoseconds())/times)
		}
	}
	for i, c := range contenders {
		slices.Sort(took[i])
		b.ReportMetric(took[i][len(took[i])/2], c.name)
	}
	b.ReportMetric(took[1][len(took[1])/2]/took[0][len(took[0])/2], "middle/first")
}
