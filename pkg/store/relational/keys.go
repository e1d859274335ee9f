package relational

import (
	"context"
	"database/sql"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const keyColumns = "id, tenant, door, algorithm, state, created_at, not_before, not_after, longest_ttl, sealed"

// Keys is store.Keys.
func (r *Reader) Keys(ctx context.Context) ([]store.Key, error) {
	const query = "SELECT " + keyColumns + " FROM keys ORDER BY created_at DESC, id"
	return list(ctx, r, scanKey, query)
}

func scanKey(row *sql.Rows) (k store.Key, err error) {
	err = row.Scan(&k.ID, &k.Tenant, &k.Door, &k.Algorithm, &k.State,
		&k.CreatedAt, &k.NotBefore, &k.NotAfter, &k.LongestTTL, &k.Sealed)
	k.Sealed = orNone(k.Sealed)
	return k, err
}

func (w *Writer) putKey(k store.Key) error {
	const query = `INSERT INTO keys (` + keyColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET tenant = excluded.tenant, door = excluded.door, algorithm = excluded.algorithm,
		state = excluded.state, created_at = excluded.created_at, not_before = excluded.not_before,
		not_after = excluded.not_after, longest_ttl = excluded.longest_ttl, sealed = excluded.sealed`
	_, err := w.Exec(query, k.ID, k.Tenant, k.Door, k.Algorithm, k.State,
		k.CreatedAt, k.NotBefore, k.NotAfter, k.LongestTTL, blob(k.Sealed))
	return err
}

func (w *Writer) retireKey(c store.RetireKey) error {
	return w.must(store.ErrNotFound, "key", c.ID, w.Dialect.RetireKey, c.State, c.LastSigned, c.Least, c.ID)
}

func (w *Writer) stretchKey(c store.StretchKey) error {
	return w.must(store.ErrNotFound, "key", c.ID, w.Dialect.StretchKey, c.TTL, c.At, c.TTL, c.ID)
}
