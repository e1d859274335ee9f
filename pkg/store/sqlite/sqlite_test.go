package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/storetest"
)

func TestSQLiteKeepsThePromisesOfAStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openStore(t, t.TempDir()) })
}

func TestSQLiteAnswersAsTheModelDoes(t *testing.T) {
	storetest.RunModel(t,
		func(t *testing.T) store.Store { return openStore(t, t.TempDir()) },
		func(*testing.T) store.Store { return memory.New() })
}

func TestSQLiteKeepsWhatWasAppliedWhenItIsOpenedAgain(t *testing.T) {
	storetest.RunReopen(t, func(t *testing.T, dir string) store.Store { return openStore(t, dir) })
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
