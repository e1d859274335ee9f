package sqlite

import (
	"context"
	"database/sql"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const keyColumns = "id, tenant, door, algorithm, state, created_at, not_before, not_after, longest_ttl, sealed"

// Keys is store.Keys.
func (s *Store) Keys(ctx context.Context) ([]store.Key, error) {
	const query = "SELECT " + keyColumns + " FROM keys ORDER BY created_at DESC, id"
	return list(ctx, s, scanKey, query)
}

func scanKey(row *sql.Rows) (k store.Key, err error) {
	err = row.Scan(&k.ID, &k.Tenant, &k.Door, &k.Algorithm, &k.State,
		&k.CreatedAt, &k.NotBefore, &k.NotAfter, &k.LongestTTL, &k.Sealed)
	return k, err
}

func (w *writer) putKey(k store.Key) error {
	const query = `INSERT OR REPLACE INTO keys (` + keyColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := w.exec(query, k.ID, k.Tenant, k.Door, k.Algorithm, k.State,
		k.CreatedAt, k.NotBefore, k.NotAfter, k.LongestTTL, blob(k.Sealed))
	return err
}

// lastInstant is the end of what would last beyond it: SQLite makes a REAL of a
// sum that overflows, and that is the greater one.
const lastInstant = "9223372036854775807"

func (w *writer) retireKey(c store.RetireKey) error {
	const query = `UPDATE keys SET state = ?, not_after = min(
		coalesce(nullif(not_after, 0), ` + lastInstant + `), ? + 1000000 * max(?, longest_ttl)) WHERE id = ?`
	return w.must(store.ErrNotFound, "key", c.ID, query, c.State, c.LastSigned, c.Least, c.ID)
}

func (w *writer) stretchKey(c store.StretchKey) error {
	const query = `UPDATE keys SET longest_ttl = max(longest_ttl, ?), not_after = CASE not_after WHEN 0 THEN 0
		ELSE max(not_after, min(` + lastInstant + `, ? + 1000000 * ?)) END WHERE id = ?`
	return w.must(store.ErrNotFound, "key", c.ID, query, c.TTL, c.At, c.TTL, c.ID)
}
