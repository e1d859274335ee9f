package daemon

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

func (a *app) backupCommand() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "backup FILE", Short: "Copy the store while it is in use", Args: cobra.ExactArgs(1),
		Long: `Copy the store, as it is at one instant, while it is in use. The copy is a
SQLite store, of a PostgreSQL database too: migrate --keep --from sqlite:FILE
reads it back into an empty one. The master key is not in the copy: keep
master.key too, elsewhere.`,
		RunE: func(c *cobra.Command, args []string) error {
			config, err := a.load()
			if err != nil {
				return err
			}
			if err := config.haveStore(); err != nil {
				return err
			}
			if err := a.comeToStore(config); err != nil {
				return err
			}
			if err := backup(c.Context(), config.store, args[0]); err != nil {
				return err
			}
			a.say("%s written; the master key is not in it: keep a copy of that too, elsewhere", args[0])
			return a.answer(map[string]string{"file": args[0]}, "")
		},
	})
}

func backup(ctx context.Context, url, name string) (err error) {
	st, err := openStore(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	switch st := st.(type) {
	case *sqlite.Store:
		return st.Backup(ctx, name)
	case *postgres.Store:
		_, err := sqlite.Create(ctx, sqlite.Config{Path: name}, st)
		return err
	}
	return refuse("[store] url = %s keeps nothing that could be copied", url)
}
