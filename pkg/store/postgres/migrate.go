package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versions is the table of the migrations that were made. Other programs that migrate may
// have the database too.
const versions = "ats_auth_versions"

// lockAttempts are how many seconds a start waits for another one that migrates.
const lockAttempts = 300

// migrate brings the schema up to date, a step a transaction. Of several programs that
// start at once the first migrates, and the others wait, then find nothing to do.
func migrate(ctx context.Context, db *sql.DB) error {
	provider, known, err := migrator(db)
	if err != nil {
		return err
	}
	current, err := schemaVersion(ctx, db)
	switch {
	case err != nil || current == known:
		return err
	case current > known:
		return fmt.Errorf("schema version %d is newer than %d, the newest this program knows", current, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	return nil
}

// migrator makes the migrations, and tells the number of the last one. It changes nothing.
func migrator(db *sql.DB) (provider *goose.Provider, known int64, err error) {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, 0, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockAttempts))
	if err != nil {
		return nil, 0, err
	}
	provider, err = goose.NewProvider(goose.DialectPostgres, db, steps,
		goose.WithTableName(versions), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()), goose.WithSessionLocker(locker))
	if err != nil {
		return nil, 0, err
	}
	sources := provider.ListSources()
	return provider, sources[len(sources)-1].Version, nil
}

// Schema tells the version of the schema that a database has, 0 where it has none, and
// the one that this program knows, which Open would bring it up to. It changes nothing
// and refuses the servers that Open refuses; its errors are those of Open.
func Schema(ctx context.Context, config Config) (has, knows int64, err error) {
	parsed, _, err := parse(config)
	if err != nil {
		return 0, 0, relational.Unavailable("postgresql", err)
	}
	db := stdlib.OpenDB(*parsed)
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, knows, err = migrator(db); err == nil {
		has, err = schemaVersion(ctx, db)
	}
	if err != nil {
		return 0, 0, relational.Unavailable(nameOf(parsed), err)
	}
	return has, knows, nil
}

// schemaVersion is the number of the last migration, 0 in an empty database.
func schemaVersion(ctx context.Context, db *sql.DB) (version int64, err error) {
	var there bool
	const find = "SELECT to_regclass('" + versions + "') IS NOT NULL"
	if err := db.QueryRowContext(ctx, find).Scan(&there); err != nil || !there {
		return 0, err
	}
	const newest = "SELECT coalesce(max(version_id), 0) FROM " + versions
	err = db.QueryRowContext(ctx, newest).Scan(&version)
	return version, err
}
