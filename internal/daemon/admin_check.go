package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store/postgres"
)

// checkStore looks at the store and what is in it. Where a server would have to make
// the schema or the first keys, it only tells so.
func (a *app) checkStore(ctx context.Context, c *config) (warnings []string, err error) {
	toMake, err := c.toMake(ctx)
	if err != nil {
		return nil, err
	}
	if toMake != "" {
		return append(c.strangersToNothing(), toMake), nil
	}
	err = a.over(ctx, c, func(s *server.Server) error {
		warnings, err = c.checkContents(ctx, s)
		return err
	})
	return warnings, err
}

// toMake tells what the next start makes before it can look into the store; empty: nothing.
func (c *config) toMake(ctx context.Context) (string, error) {
	if err := c.checkStoreURL(); err != nil || c.store == "memory:" {
		return "", err
	}
	if c.onPostgres() {
		has, knows, err := postgres.Schema(ctx, postgres.Config{URL: c.store})
		if err != nil {
			return "", fmt.Errorf("store: %w", err)
		}
		if text := schemaToMake(has, knows); text != "" {
			return text, nil
		}
	}
	return c.keysToMake(ctx)
}

// schemaToMake is toMake for the schema of a database.
func schemaToMake(has, knows int64) string {
	switch {
	case has == 0:
		return "the database is empty: ats-auth-server migrate, or the first server that starts, makes the schema"
	case has < knows:
		return fmt.Sprintf("the schema has version %d: ats-auth-server migrate, or the next server that starts, brings it up to %d; what is in the store was not looked at", has, knows)
	}
	return ""
}

// keysToMake is toMake for a store whose schema is there.
func (c *config) keysToMake(ctx context.Context) (text string, err error) {
	st, err := openStore(ctx, c.store)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	keys, err := st.Keys(ctx)
	if err != nil || len(keys) > 0 {
		return "", err
	}
	return "the store has no keys yet: the first server that starts makes them", st.Ping(ctx)
}

// checkContents looks at what is in the store.
func (c *config) checkContents(ctx context.Context, s *server.Server) (warnings []string, err error) {
	if err := s.Ready(ctx); err != nil {
		return nil, err
	}
	strangers, strangersErr := c.strangers(ctx, s)
	rights, rightsErr := idleRights(ctx, s)
	empty, emptyErr := nobody(ctx, s)
	if err := errors.Join(strangersErr, rightsErr, emptyErr); err != nil {
		return nil, err
	}
	warnings = slices.Concat(strangers, rights)
	if empty {
		warnings = append(warnings, "there is no user yet: ats-auth-server user add NAME")
	}
	return warnings, nil
}
