package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date, all steps or none. db must be limited
// to one connection.
//
// The whole run is one transaction begun by hand on that one connection, which
// goose is then lent (IsolateDDL: it begins none itself): of several processes
// that start at once the first migrates, and the others wait, then find nothing
// to do.
func migrate(ctx context.Context, db *sql.DB) error {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, steps,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()), goose.WithIsolateDDL(true))
	if err != nil {
		return err
	}
	sources := provider.ListSources()
	known := sources[len(sources)-1].Version
	// The usual start has nothing to migrate, and need not wait for writers.
	if current, err := schemaVersion(ctx, db); err != nil || current == known {
		return err
	}
	if _, err := db.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := migrateWithin(ctx, db, provider, known); err != nil {
		_, undo := db.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		return errors.Join(err, undo)
	}
	_, err = db.ExecContext(ctx, "COMMIT")
	return err
}

func migrateWithin(ctx context.Context, db *sql.DB, provider *goose.Provider, known int64) error {
	current, err := schemaVersion(ctx, db)
	if err != nil {
		return err
	}
	if current > known {
		return fmt.Errorf("schema version %d is newer than %d, the newest this program knows", current, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return nil
}

// schemaVersion is the number of the last migration, 0 in an empty database.
func schemaVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	var tables int
	const find = "SELECT count(*) FROM sqlite_schema WHERE name = '" + goose.DefaultTablename + "'"
	if err := db.QueryRowContext(ctx, find).Scan(&tables); err != nil || tables == 0 {
		return 0, err
	}
	const newest = "SELECT coalesce(max(version_id), 0) FROM " + goose.DefaultTablename
	err = db.QueryRowContext(ctx, newest).Scan(&version)
	return version, err
}
