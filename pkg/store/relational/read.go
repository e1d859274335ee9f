package relational

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
func (r *Reader) User(ctx context.Context, tenant, name string) (store.User, error) {
	const query = "SELECT " + userColumns + " FROM users WHERE tenant = ? AND name = ?"
	return one(ctx, r, scanUser, "user "+name, query, tenant, name)
}

// ListUsers is store.Users.
func (r *Reader) ListUsers(ctx context.Context, tenant, after string, limit int) ([]store.User, error) {
	const query = "SELECT " + userColumns + " FROM users WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?"
	return list(ctx, r, scanUser, query, tenant, after, max(limit, 0))
}

// Session is store.Sessions.
func (r *Reader) Session(ctx context.Context, id store.ID) (store.Session, error) {
	const query = "SELECT " + sessionColumns + " FROM sessions WHERE id = ?"
	return one(ctx, r, scanSession, "session", query, id[:])
}

// SessionByAccessor is store.Sessions.
func (r *Reader) SessionByAccessor(ctx context.Context, accessor string) (store.Session, error) {
	const query = "SELECT " + sessionColumns + " FROM sessions WHERE accessor = ?"
	return one(ctx, r, scanSession, "session "+accessor, query, accessor)
}

// ListSessions is store.Sessions.
func (r *Reader) ListSessions(ctx context.Context, tenant, subject, after string, limit int) ([]store.Session, error) {
	const query = "SELECT " + sessionColumns + ` FROM sessions
		WHERE tenant = ? AND subject = ? AND accessor > ? ORDER BY accessor LIMIT ?`
	return list(ctx, r, scanSession, query, tenant, subject, after, max(limit, 0))
}

// Revocations is store.Revocations.
func (r *Reader) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	// SQLite reads a statement anew for each LIMIT that is an argument alone, which takes
	// as long as carrying it out.
	const query = "SELECT seq, kind, key, at, until FROM revocations WHERE seq > ? ORDER BY seq LIMIT ? + 0"
	return list(ctx, r, revocationScanner(), query, after, max(limit, 0))
}

// Head is store.Revocations.
func (r *Reader) Head(ctx context.Context) (store.Head, error) {
	return one(ctx, r, scanHead, "history", r.dialect.Head)
}

func scanHead(row *sql.Rows) (h store.Head, err error) {
	err = row.Scan(&h.Epoch, &h.Seq)
	return h, err
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

// revocationScanner makes a scan that needs no memory but for the key: a process that
// begins reads millions of rows.
func revocationScanner() func(row *sql.Rows) (store.Revocation, error) {
	var r store.Revocation
	var kind, key sql.RawBytes // an empty key reads as NULL
	into := []any{&r.Seq, &kind, &key, &r.At, &r.Until}
	return func(row *sql.Rows) (store.Revocation, error) {
		err := row.Scan(into...)
		if r.Kind != string(kind) { // mostly as in the row before
			r.Kind = string(kind)
		}
		r.Key = string(key)
		return r, err
	}
}
