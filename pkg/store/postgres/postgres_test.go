package postgres

import (
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/storetest"
)

// TestOverOneServer is for all that leaves the server as it is.
func TestOverOneServer(t *testing.T) {
	c := startCluster(t)
	for name, check := range map[string]func(t *testing.T, c cluster){
		"PostgreSQL keeps the promises of a store":                     promises,
		"PostgreSQL answers as the model does":                         likeTheModel,
		"what was applied is there when the store is opened again":     openedAgain,
		"of several that start at once one migrates":                   oneMigrates,
		"replicas keep what spans rows":                                spanned,
		"a follower misses no fact of any writer":                      noFactMissed,
		"a deadlock is nobody's error":                                 deadlock,
		"a program that stands still is not waited for long":           standsStill,
		"a pool of one connection serves 32 clients":                   poolOfOne,
		"a statement that fails is no error of others":                 failsAlone,
		"a database that is read-only is read and not written":         readOnly,
		"a database that does not wait for the flush is refused":       notFlushed,
		"a pooler is refused":                                          pooler,
		"a commit without an answer is unavailable":                    commitWithoutAnswer,
		"commits are watched with their sizes":                         watchedCommits,
		"all programs have the clock of the server":                    oneClock,
		"an imported store has every record and goes on with numbers":  imported,
		"a store with a record is not imported into":                   notImportedInto,
		"an import that ends before its time leaves nothing":           importCutShort,
		"a copy in a file has every record, and can be imported again": copiedToFile,
	} {
		t.Run(name, func(t *testing.T) { check(t, c) })
	}
}

func promises(t *testing.T, c cluster) {
	t.Parallel()
	made := queries{}
	storetest.Run(t, func(t *testing.T) store.Store {
		s := c.open(t)
		t.Cleanup(func() { made.of(s) })
		return s
	})
	t.Run("every statement uses an index", func(t *testing.T) { made.useIndexes(t, c) })
}

// unclosed is a store that is used again.
type unclosed struct{ *Store }

func (unclosed) Close() error { return nil }

func likeTheModel(t *testing.T, c cluster) {
	t.Parallel()
	database := c.database(t)
	s := open(t, c.SocketURL(database))
	storetest.RunModel(t, func(t *testing.T) store.Store {
		c.empty(t, database)
		return unclosed{s}
	}, func(*testing.T) store.Store { return memory.New() })
}

func openedAgain(t *testing.T, c cluster) {
	database := c.database(t)
	storetest.RunReopen(t, func(t *testing.T, _ string) store.Store { return open(t, c.SocketURL(database)) })
}
