package relational

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const refreshTokenColumns = "tenant, subject, client, id, seed, door, backend, mobile, created_at"

// RefreshToken is store.RefreshTokens.
func (r *Reader) RefreshToken(ctx context.Context, tenant, subject, client string) (store.RefreshToken, error) {
	const query = "SELECT " + refreshTokenColumns + " FROM refresh_tokens WHERE tenant = ? AND subject = ? AND client = ?"
	return one(ctx, r, scanRefreshToken, "refresh token of "+client, query, tenant, subject, client)
}

// RefreshTokenByID is store.RefreshTokens.
func (r *Reader) RefreshTokenByID(ctx context.Context, id store.ID) (store.RefreshToken, error) {
	const query = "SELECT " + refreshTokenColumns + " FROM refresh_tokens WHERE id = ?"
	return one(ctx, r, scanRefreshToken, "refresh token", query, id[:])
}

// ListRefreshTokens is store.RefreshTokens.
func (r *Reader) ListRefreshTokens(ctx context.Context, tenant string, q store.RefreshTokenQuery) ([]store.RefreshToken, error) {
	index, columns := refreshOrder(q)
	where, args := r.refreshTokens(tenant, q)
	query := "SELECT " + refreshTokenColumns + " FROM refresh_tokens" + index + where +
		" ORDER BY " + strings.Join(columns, ", ") + " LIMIT ? OFFSET ?"
	return list(ctx, r, scanRefreshToken, query, append(args, max(q.Limit, 0), max(q.Offset, 0))...)
}

// CountRefreshTokens is store.RefreshTokens.
func (r *Reader) CountRefreshTokens(ctx context.Context, tenant string, q store.RefreshTokenQuery) (int64, error) {
	index := " INDEXED BY refresh_tokens_by_client"
	if q.Subject != "" {
		index = ""
	}
	where, args := r.refreshTokens(tenant, q)
	return one(ctx, r, scanCount, "count", "SELECT count(*) FROM refresh_tokens"+index+where, args...)
}

// refreshTokens says which are meant.
func (r *Reader) refreshTokens(tenant string, q store.RefreshTokenQuery) (where string, args []any) {
	where, args = " WHERE tenant = ?", []any{tenant}
	if q.Subject != "" {
		where, args = where+" AND subject = ?", append(args, q.Subject)
	}
	if q.Search != "" {
		where += " AND " + r.dialect.Holds
		args = append(args, q.Search)
	}
	return where, args
}

// refreshOrder is the index that has the order, and what the order is by.
func refreshOrder(q store.RefreshTokenQuery) (index string, columns []string) {
	switch q.Order {
	case store.RefreshByClient:
		index, columns = "by_client", []string{"client", "subject"}
	case store.RefreshByMobile:
		index, columns = "by_mobile", []string{"mobile", "subject", "client"}
	default:
		index, columns = "by_creation", []string{"created_at", "subject", "client"}
	}
	if q.Descending {
		for i := range columns {
			columns[i] += " DESC"
		}
	}
	switch {
	case q.Subject == "":
		return " INDEXED BY refresh_tokens_" + index, columns
	case q.Order == store.RefreshByClient:
		return "", columns
	}
	return " INDEXED BY refresh_tokens_of_subject_" + index, columns
}

func scanRefreshToken(row *sql.Rows) (t store.RefreshToken, err error) {
	var id, seed sql.RawBytes
	err = row.Scan(&t.Tenant, &t.Subject, &t.Client, &id, &seed, &t.Door, &t.Backend, &t.Mobile, &t.CreatedAt)
	copy(t.ID[:], id)
	copy(t.Seed[:], seed)
	return t, err
}

// refreshTokenCommand carries out the commands of refresh tokens, and hands on the
// others.
func (w *Writer) refreshTokenCommand(command store.Command) error {
	switch c := command.(type) {
	case store.CreateRefreshToken:
		return w.createRefreshToken(&c.RefreshToken)
	case store.DeleteRefreshTokens:
		return w.deleteRefreshTokens(c)
	default:
		return w.policyCommand(command)
	}
}

func (w *Writer) createRefreshToken(t *store.RefreshToken) error {
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM users WHERE tenant = ? AND name = ?)", t.Tenant, t.Subject)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("user %s: %w", t.Subject, store.ErrNotFound)
	}
	const query = "INSERT INTO refresh_tokens (" + refreshTokenColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
	return w.must(store.ErrExists, "refresh token of", t.Client, query,
		t.Tenant, t.Subject, t.Client, t.ID[:], t.Seed[:], t.Door, t.Backend, t.Mobile, t.CreatedAt)
}

func (w *Writer) deleteRefreshTokens(c store.DeleteRefreshTokens) (err error) {
	const from = "DELETE FROM refresh_tokens "
	var rows int64
	switch {
	case c.Client != "":
		rows, err = w.Exec(from+"WHERE tenant = ? AND subject = ? AND client = ?", c.Tenant, c.Subject, c.Client)
	case c.Subject != "" && c.Mobile:
		rows, err = w.Exec(from+"WHERE tenant = ? AND subject = ? AND mobile = 1", c.Tenant, c.Subject)
	case c.Subject != "":
		rows, err = w.Exec(from+"WHERE tenant = ? AND subject = ? AND created_at <= ?", c.Tenant, c.Subject, c.At)
	default:
		rows, err = w.Exec(from+"WHERE tenant = ? AND created_at <= ?", c.Tenant, c.At)
	}
	tell(c.Removed, rows)
	return err
}
