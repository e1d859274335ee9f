package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/storetest"
)

func TestSQLiteKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, copies(t))
}

func TestSQLiteAnswersAsTheModelDoes(t *testing.T) {
	storetest.RunModel(t, copies(t), func(*testing.T) store.Store { return memory.New() })
}

func TestSQLiteKeepsWhatWasAppliedWhenItIsOpenedAgain(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T, dir string) store.Store { return openStore(t, dir) })
}

// copies opens copies of an empty store: making its schema takes longer than most tests.
func copies(t *testing.T) func(*testing.T) store.Store {
	t.Helper()
	empty := filepath.Join(t.TempDir(), "store.db")
	if err := openStore(t, filepath.Dir(empty)).Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(empty)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) store.Store {
		t.Helper()
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "store.db"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		return openStore(t, dir)
	}
}

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{Path: filepath.Join(dir, "store.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
