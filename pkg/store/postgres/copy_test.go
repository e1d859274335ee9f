package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

// tables are all rows of a store, as texts.
func tables(t *testing.T, source relational.Source) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := source.Export(t.Context(), func(rows relational.Rows) (err error) {
		all[rows.Table], err = written(rows)
		if len(all[rows.Table]) == 0 {
			t.Errorf("table %s is empty: nothing is tested", rows.Table)
		}
		return err
	})
	if err != nil || len(all) != len(relational.Tables()) {
		t.Fatalf("%d tables, error %v", len(all), err)
	}
	return all
}

// copiedToFile imports a store, copies it to a file while others write, and imports
// that: nothing is another.
func copiedToFile(t *testing.T, c cluster) {
	source, s := filled(t), c.open(t)
	counts, err := s.Import(t.Context(), source)
	if err != nil {
		t.Fatal(err)
	}
	want, name := tables(t, s), filepath.Join(t.TempDir(), "dir", "copy.db")
	writing := writeDuring{s, func() { apply(t, s, revoke("meanwhile"), store.PutKey{Key: store.Key{ID: "meanwhile"}}) }}
	again, err := sqlite.Create(t.Context(), sqlite.Config{Path: name}, writing)
	if diff := cmp.Diff(counts, again); err != nil || diff != "" {
		t.Fatalf("error %v, counts (-imported +copied):\n%s", err, diff)
	}
	if _, err := sqlite.Create(t.Context(), sqlite.Config{Path: name}, s); !errors.Is(err, store.ErrExists) {
		t.Errorf("onto a file: %v", err)
	}
	copied, err := sqlite.Open(t.Context(), sqlite.Config{Path: name})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = copied.Close() }()
	back := c.open(t)
	if _, err := back.Import(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]relational.Source{"copied": copied, "imported again": back} {
		if diff := cmp.Diff(want, tables(t, got)); diff != "" {
			t.Errorf("-there +%s:\n%s", what, diff)
		}
	}
	goesOn(t, copied, back)
}

// writeDuring is a source into which somebody writes once a table was taken.
type writeDuring struct {
	relational.Source
	write func()
}

func (w writeDuring) Export(ctx context.Context, take func(relational.Rows) error) error {
	return w.Source.Export(ctx, func(rows relational.Rows) error {
		if rows.Table == "users" {
			w.write()
		}
		return take(rows)
	})
}

// importCutShort ends imports by the loss of the connection, by an error of the source,
// and by the end of the context.
func importCutShort(t *testing.T, c cluster) {
	s, source := c.open(t), filled(t)
	before := rowsThere(t, s)
	wrong := errors.New("wrong")
	ctx, cancel := context.WithCancel(t.Context())
	for what, at := range map[string]func(context.Context) error{
		"the connection is lost": func(context.Context) error {
			c.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'")
			return nil
		},
		"the source fails": func(context.Context) error { return wrong },
		"it is called off": func(context.Context) error { cancel(); return nil },
	} {
		end := failing{source, func() error { return at(ctx) }}
		if _, err := s.Import(ctx, end); err == nil {
			t.Errorf("%s: no error", what)
		}
		ctx, cancel = context.WithCancel(t.Context())
		if diff := cmp.Diff(before, rowsThere(t, s)); diff != "" {
			t.Errorf("%s, and something is left (-want +got):\n%s", what, diff)
		}
		name := filepath.Join(t.TempDir(), "copy.db")
		if _, err := sqlite.Create(t.Context(), sqlite.Config{Path: name}, failing{source, func() error { return wrong }}); !errors.Is(err, wrong) {
			t.Errorf("a copy to a file: %v", err)
		}
		if left, _ := filepath.Glob(name + "*"); len(left) > 0 {
			t.Errorf("left of a copy that failed: %v", left)
		}
	}
	cancel()
	if _, err := s.Import(t.Context(), source); err != nil {
		t.Error(err)
	}
}

// failing is a source with which something happens before the last table.
type failing struct {
	relational.Source
	at func() error
}

func (f failing) Export(ctx context.Context, take func(relational.Rows) error) error {
	return f.Source.Export(ctx, func(rows relational.Rows) error {
		if rows.Table == relational.Head {
			if err := f.at(); err != nil {
				return err
			}
		}
		return take(rows)
	})
}

func rowsThere(t *testing.T, s *Store) map[string]int64 {
	t.Helper()
	all := map[string]int64{}
	for _, table := range relational.Tables() {
		var n int64
		if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		all[table] = n
	}
	return all
}

func TestAStoreThatIsLeftTakesNothingMoreAndSaysForWhich(t *testing.T) {
	path, to := filepath.Join(t.TempDir(), "store.db"), `postgresql "o'host"/d`
	source := filledAt(t, path) // a server that still has it open
	want := tables(t, source)
	leaving, err := sqlite.Leave(t.Context(), sqlite.Config{Path: path}, to)
	if err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	if err := leaving.Export(t.Context(), func(relational.Rows) error { return wrong }); !errors.Is(err, wrong) || leaving.Left() {
		t.Errorf("a copy that failed: %v, left %v", err, leaving.Left())
	}
	answered := make(chan error, 1)
	first := true
	got := map[string][]string{}
	err = leaving.Export(t.Context(), func(rows relational.Rows) (err error) {
		if first { // what is written from now on is not in the copy, and is not answered
			first = false
			go func() { answered <- source.Apply(context.Background(), revoke("late")) }()
		}
		got[rows.Table], err = written(rows)
		return err
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" || !leaving.Left() {
		t.Errorf("error %v, left %v (-want +got):\n%s", err, leaving.Left(), diff)
	}
	_, read := source.Revocations(t.Context(), 0, 1)
	for what, err := range map[string]error{
		"a fact that was under way": <-answered, "a fact": source.Apply(t.Context(), revoke("k")), "ping": source.Ping(t.Context()), "facts": read,
		"a rotation": source.Apply(t.Context(), store.RotateSession{ID: session(1).ID, From: 1, At: 6}),
		"a user":     source.Apply(t.Context(), store.CreateUser{User: store.User{Tenant: "t", Name: "late"}}),
		"a deletion": source.Apply(t.Context(), store.DeleteKey{ID: "kid"}), "openings": openings(t, path),
	} {
		if unavailable(t, what, err); err == nil || !strings.Contains(err.Error(), "this store was left for "+to) && !strings.Contains(err.Error(), "view") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := errors.Join(leaving.Close(), source.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Leave(t.Context(), sqlite.Config{Path: path}, "elsewhere"); !errors.Is(err, store.ErrExists) {
		t.Errorf("left for another one: %v", err)
	}
	again, err := sqlite.Leave(t.Context(), sqlite.Config{Path: path}, to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if diff := cmp.Diff(want, tables(t, again)); diff != "" {
		t.Errorf("copied once more (-want +got):\n%s", diff)
	}
}

// openings are another program's.
func openings(t *testing.T, path string) error {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.Open(context.Background(), sqlite.Config{Path: path})
	return err
}
