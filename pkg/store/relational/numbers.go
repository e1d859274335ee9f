package relational

import (
	"context"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Kinds of numbers.
const (
	userNumbers         = "user"
	applicationNumbers  = "application"
	organisationNumbers = "organisation"
	accessTokenNumbers  = "access token"
)

// nextNumber is the number that comes next: it asks for the tenant and the kind.
const nextNumber = "coalesce((SELECT last FROM numbers WHERE tenant = ? AND kind = ?), 0) + 1"

// number moves the numbers of a kind on, and gives the one that was next.
func (w *Writer) number(tenant, kind string) (given int64, err error) {
	const query = `INSERT INTO numbers (tenant, kind, last) VALUES (?, ?, 1)
		ON CONFLICT (tenant, kind) DO UPDATE SET last = numbers.last + 1 RETURNING last`
	_, err = w.Row(query, []any{tenant, kind}, &given)
	return given, err
}

// tell gives a number to whoever asked for it.
func tell(told *int64, number int64) {
	if told != nil {
		*told = number
	}
}

// UserByNumber is store.Numbered.
func (r *Reader) UserByNumber(ctx context.Context, tenant string, number int64) (store.User, error) {
	const query = "SELECT " + userColumns + " FROM users WHERE tenant = ? AND number = ?"
	return one(ctx, r, scanUser, "user", query, tenant, number)
}

// ApplicationByNumber is store.Numbered.
func (r *Reader) ApplicationByNumber(ctx context.Context, tenant string, number int64) (store.Application, error) {
	const query = "SELECT " + applicationColumns + " FROM applications WHERE tenant = ? AND number = ?"
	return one(ctx, r, scanApplication, "application", query, tenant, number)
}

// ListUsersByNumber is store.Numbered.
func (r *Reader) ListUsersByNumber(ctx context.Context, tenant string, after int64, limit int) ([]store.User, error) {
	const query = "SELECT " + userColumns + " FROM users WHERE tenant = ? AND number > ? ORDER BY number LIMIT ?"
	return list(ctx, r, scanUser, query, tenant, after, max(limit, 0))
}

// ListApplicationsByNumber is store.Numbered.
func (r *Reader) ListApplicationsByNumber(ctx context.Context, tenant string, after int64, limit int) ([]store.Application, error) {
	const query = "SELECT " + applicationColumns + " FROM applications WHERE tenant = ? AND number > ? ORDER BY number LIMIT ?"
	return list(ctx, r, scanApplication, query, tenant, after, max(limit, 0))
}
