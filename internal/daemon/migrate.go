package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

func (a *app) migrateCommand() *cobra.Command {
	var from string
	var keep bool
	c := a.formatFlag(&cobra.Command{
		Use: "migrate", Short: "Bring the schema up to date, or copy a store into another", Args: cobra.NoArgs,
		Long: `Bring the store's schema up to date; serve does that too when it starts.

With --from, move all records of a SQLite store into the configured PostgreSQL
store, which must be empty: all or none. A server may still be running on the
SQLite store: from the first record on it can write nothing, and in the end the
file is marked as left, so that no server uses it any more. What that one has
answered is in the copy. If the command fails after that, it says so: run it
again. The master key goes along: configure the one that the SQLite store was
used with.

With --keep the SQLite store is a backup: it stays as it is.`,
		RunE: func(c *cobra.Command, _ []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			if from != "" {
				return a.migrateFrom(c.Context(), config, from, keep)
			}
			if keep {
				return refuse("--keep is for --from")
			}
			if err := a.migrate(c.Context(), config); err != nil {
				return err
			}
			return a.answer(map[string]string{"store": maskStore(config.store), "from": ""}, "")
		},
	})
	c.Flags().StringVar(&from, "from", "", "copy the store `sqlite:FILE`")
	c.Flags().BoolVar(&keep, "keep", false, "leave that one as it is, since it is a backup and no server uses it")
	return c
}

func (a *app) migrate(ctx context.Context, c *config) error {
	if err := c.haveStore(); err != nil {
		return err
	}
	if err := a.comeToStore(c); err != nil {
		return err
	}
	st, err := openStore(ctx, c.store)
	if err != nil {
		return err
	}
	a.say("%s is up to date", maskStore(c.store))
	return st.Close()
}

// origin is a store that is copied.
type origin interface {
	postgres.Source
	Keys(ctx context.Context) ([]store.Key, error)
	Close() error
}

func (a *app) migrateFrom(ctx context.Context, c *config, from string, keep bool) error {
	name, isFile := strings.CutPrefix(from, "sqlite:")
	switch {
	case !isFile || name == "":
		return refuse("--from %s is not sqlite:FILE", shownOrigin(from))
	case !c.onPostgres():
		return refuse("[store] url = %s is not PostgreSQL, the only one that can be copied into", maskStore(c.store))
	}
	if absent(os.Stat, name) {
		return refuse("--from: there is no store at %s", inifile.ShowName(name))
	}
	if err := errors.Join(a.comeToStore(c), a.refuseForeign(c, name)); err != nil {
		return err
	}
	master, err := c.master()
	if err != nil {
		return err
	}
	counts, err := copyStore(ctx, c, name, keep, master)
	if err != nil {
		return err
	}
	return a.answerCopy(c, from, keep, counts)
}

func (a *app) answerCopy(c *config, from string, keep bool, counts map[string]int64) error {
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&table, "%-16s %d\n", name, counts[name])
	}
	became := "is marked as left: no server uses it any more"
	if keep {
		became = "stays as it is"
	}
	a.say("%s has all records of %s, which %s", maskStore(c.store), from, became)
	return a.answer(map[string]any{"store": maskStore(c.store), "from": from, "records": counts}, table.String())
}

// master is the master key that is configured. None is made: it is that of the store
// that is copied.
func (c *config) master() (*signing.Master, error) {
	name, text := c.server.MasterKeyFile, c.server.MasterKey
	switch {
	case name == "" && text.IsZero():
		return nil, refuse("set [tokens] master_key_file (or master_key) to the one that the store to be copied was used with")
	case name == "":
		return signing.ParseMaster(text.Reveal())
	}
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		return nil, refuse("[tokens] master_key_file = %s is not there: it is to be the one that the store to be copied was used with", inifile.ShowName(name))
	}
	return signing.LoadMaster(name)
}

func copyStore(ctx context.Context, c *config, name string, keep bool, master *signing.Master) (counts map[string]int64, err error) {
	into, err := postgres.Open(ctx, postgres.Config{URL: c.store})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	from, err := openOrigin(ctx, name, keep, into.Name())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := opens(ctx, master, from, name); err != nil {
		return nil, err
	}
	counts, err = into.Import(ctx, from)
	leaving, ok := from.(*sqlite.Leaving)
	left := ok && leaving.Left()
	switch {
	case errors.Is(err, store.ErrExists):
		err = whyNotEmpty(ctx, from, into, name, left, err)
	case err != nil && left:
		err = fmt.Errorf("%s is marked as left already: run this again: %w", name, err)
	}
	return counts, err
}

// whyNotEmpty says more of a store that is not copied into. The IDs of keys are random:
// one that both have has come with all records of the other.
func whyNotEmpty(ctx context.Context, from origin, into *postgres.Store, name string, left bool, refused error) error {
	there, err := into.Keys(ctx)
	theirs, theirsErr := from.Keys(ctx)
	users, usersErr := anybody(ctx, into)
	if err := errors.Join(err, theirsErr, usersErr); err != nil {
		return errors.Join(refused, err)
	}
	moved := slices.ContainsFunc(theirs, func(k store.Key) bool {
		return slices.ContainsFunc(there, func(other store.Key) bool { return other.ID == k.ID })
	})
	switch {
	case moved && left:
		return fmt.Errorf("%s has been moved to %s already, with all records: there is nothing left to do", name, into.Name())
	case moved:
		return fmt.Errorf("%s has been copied to %s already: %w", name, into.Name(), refused)
	case !users:
		return fmt.Errorf("%w; it has no users: a server or a command that was started on it has made its first keys. Copy into a new database", refused)
	}
	return refused
}

// anybody reports whether any tenant has a user or a service account.
func anybody(ctx context.Context, st store.Store) (bool, error) {
	tenants, err := st.Tenants(ctx)
	if err != nil {
		return false, err
	}
	for _, t := range tenants {
		users, usersErr := st.ListUsers(ctx, t.Name, "", 1)
		services, servicesErr := st.ListServiceAccounts(ctx, t.Name, "", 1)
		if err := errors.Join(usersErr, servicesErr); err != nil || len(users)+len(services) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// shownOrigin is --from, where it is plainly a path or a URL whose password can be told.
func shownOrigin(from string) string {
	if from != "" && !strings.ContainsAny(from, ":@=? ") {
		return inifile.ShowName(from)
	}
	return maskStore(from)
}

func openOrigin(ctx context.Context, name string, keep bool, to string) (origin, error) {
	if keep {
		return sqlite.Open(ctx, sqlite.Config{Path: name})
	}
	return sqlite.Leave(ctx, sqlite.Config{Path: name}, to)
}

// opens refuses a master key under which nothing that is copied could be used.
func opens(ctx context.Context, master *signing.Master, from origin, name string) error {
	keys, err := from.Keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if len(k.Sealed) == 0 {
			continue
		}
		if _, err := master.Open(k.Sealed, "key "+k.ID); err != nil {
			return refuse("[tokens] master_key_file (or master_key) is not the one of %s: key %s: %w", name, k.ID, err)
		}
	}
	return nil
}
