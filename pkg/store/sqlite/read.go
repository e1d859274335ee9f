package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const (
	userColumns    = "tenant, name, password_hash, roles, disabled, number, backend, backend_id, acl, policies, created_at, updated_at"
	sessionColumns = `id, accessor, tenant, subject, client, door, scope, device, labels, counter,
		grant_type, audience, bound, auth_at, opaque,
		created_at, rotated_at, last_used_at, idle_ttl, access_ttl, expires_at, revoked_at`
)

// User is store.Users.
func (s *Store) User(ctx context.Context, tenant, name string) (store.User, error) {
	const query = "SELECT " + userColumns + " FROM users WHERE tenant = ? AND name = ?"
	return one(ctx, s, scanUser, "user "+name, query, tenant, name)
}

// ListUsers is store.Users.
func (s *Store) ListUsers(ctx context.Context, tenant, after string, limit int) ([]store.User, error) {
	const query = "SELECT " + userColumns + " FROM users WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?"
	return list(ctx, s, scanUser, query, tenant, after, max(limit, 0))
}

// Session is store.Sessions.
func (s *Store) Session(ctx context.Context, id store.ID) (store.Session, error) {
	const query = "SELECT " + sessionColumns + " FROM sessions WHERE id = ?"
	return one(ctx, s, scanSession, "session", query, id[:])
}

// SessionByAccessor is store.Sessions.
func (s *Store) SessionByAccessor(ctx context.Context, accessor string) (store.Session, error) {
	const query = "SELECT " + sessionColumns + " FROM sessions WHERE accessor = ?"
	return one(ctx, s, scanSession, "session "+accessor, query, accessor)
}

// ListSessions is store.Sessions.
func (s *Store) ListSessions(ctx context.Context, tenant, subject, after string, limit int) ([]store.Session, error) {
	const query = "SELECT " + sessionColumns + ` FROM sessions
		WHERE tenant = ? AND subject = ? AND accessor > ? ORDER BY accessor LIMIT ?`
	return list(ctx, s, scanSession, query, tenant, subject, after, max(limit, 0))
}

// Revocations is store.Revocations.
func (s *Store) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	const query = "SELECT seq, kind, key, at, until FROM revocations WHERE seq > ? ORDER BY seq LIMIT ?"
	return list(ctx, s, scanRevocation, query, after, max(limit, 0))
}

// one reads a single record, called what in the answer when there is none.
func one[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), what, query string, args ...any) (T, error) {
	all, err := list(ctx, s, scan, query, args...)
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("%s: %w", what, store.ErrNotFound)
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

func list[T any](ctx context.Context, s *Store, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	all, err := collect(ctx, s.queries, scan, query, args...)
	switch {
	case err == nil:
		return all, nil
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return nil, fmt.Errorf("%s: %w", s.path, err)
	default:
		return nil, s.unavailable(err)
	}
}

func collect[T any](ctx context.Context, queries *statements, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	statement, err := queries.get(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	var all []T
	for rows.Next() {
		record, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, record)
	}
	return all, errors.Join(rows.Err(), rows.Close())
}

func scanUser(row *sql.Rows) (u store.User, err error) {
	var roles, acl, policies string
	err = row.Scan(&u.Tenant, &u.Name, &u.PasswordHash, &roles, &u.Disabled, &u.Number, &u.Backend, &u.BackendID, &acl, &policies,
		&u.CreatedAt, &u.UpdatedAt)
	if err != nil {
		return u, err
	}
	var errs [3]error
	u.Roles, errs[0] = decodeList(roles)
	u.ACL, errs[1] = decodeList(acl)
	u.Policies, errs[2] = decodeList(policies)
	if err := errors.Join(errs[:]...); err != nil {
		return u, fmt.Errorf("lists of user %s: %w", u.Name, err)
	}
	return u, nil
}

func scanSession(row *sql.Rows) (s store.Session, err error) {
	var id sql.RawBytes
	var labels, opaque string
	err = row.Scan(&id, &s.Accessor, &s.Tenant, &s.Subject, &s.Client, &s.Door, &s.Scope, &s.Device, &labels, &s.Counter,
		&s.Grant, &s.Audience, &s.Bound, &s.AuthAt, &opaque,
		&s.CreatedAt, &s.RotatedAt, &s.LastUsedAt, &s.IdleTTL, &s.AccessTTL, &s.ExpiresAt, &s.RevokedAt)
	if err != nil {
		return s, err
	}
	copy(s.ID[:], id)
	if s.Labels, err = decodeList(labels); err != nil {
		return s, fmt.Errorf("labels of session %s: %w", s.Accessor, err)
	}
	if s.Opaque, err = decodeOpaque(opaque); err != nil {
		return s, fmt.Errorf("opaque of session %s: %w", s.Accessor, err)
	}
	return s, nil
}

func scanRevocation(row *sql.Rows) (r store.Revocation, err error) {
	var key sql.RawBytes // an empty one reads as NULL
	err = row.Scan(&r.Seq, &r.Kind, &key, &r.At, &r.Until)
	r.Key = string(key)
	return r, err
}
