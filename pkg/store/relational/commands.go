package relational

import (
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Command carries out one command. An error that is not store.ErrUnavailable
// means that it was refused and changed nothing.
func (w *Writer) Command(command store.Command) error {
	switch c := command.(type) {
	case store.CreateTenant:
		return w.createTenant(&c.Tenant)
	case store.UpdateTenant:
		return w.updateTenant(c)
	case store.CreateUser:
		return w.createUser(c.User)
	case store.UpdateUser:
		return w.updateUser(c)
	case store.DeleteUser:
		return w.deleteUser(c)
	case store.CreateApplication:
		return w.createApplication(c.Application)
	case store.UpdateApplication:
		return w.updateApplication(c)
	case store.DeleteApplication:
		return w.deleteApplication(c)
	case store.CreateServiceAccount:
		return w.createService(c.ServiceAccount)
	case store.UpdateServiceAccount:
		return w.updateService(c)
	case store.DeleteServiceAccount:
		return w.deleteService(c)
	case store.CreateTicket:
		return w.createTicket(&c.Ticket)
	case store.DecideTicket:
		return w.decideTicket(c)
	case store.UseTicket:
		return w.useTicket(c)
	case store.Once:
		return w.once(c)
	case store.Revoke:
		return w.Revoke(c)
	case store.CreateSession:
		return w.createSession(&c)
	case store.RotateSession:
		return w.rotateSession(c)
	case store.UseSession:
		return w.useSession(c)
	case store.RevokeSessions:
		return w.revokeSessions(c)
	case store.PutProperty:
		return w.putProperty(c.Property)
	case store.DeleteProperty:
		return w.deleteProperty(c)
	case store.PutKey:
		return w.putKey(c.Key)
	case store.RetireKey:
		return w.retireKey(c)
	case store.StretchKey:
		return w.stretchKey(c)
	case store.DeleteKey:
		return w.must(store.ErrNotFound, "key", c.ID, "DELETE FROM keys WHERE id = ?", c.ID)
	case store.Purge:
		return w.purge(c)
	default:
		return w.organisationCommand(command)
	}
}

func (w *Writer) createUser(u store.User) error {
	const query = `INSERT INTO users (` + userColumns + `) SELECT ?, ?, ?, ?, ?, ` + nextNumber + `, ?, ?, ?, ?, ?, ?
		WHERE NOT EXISTS (SELECT 1 FROM applications WHERE tenant = ? AND id = ?) ON CONFLICT DO NOTHING`
	err := w.must(store.ErrExists, "user", u.Name, query,
		u.Tenant, u.Name, u.PasswordHash, encodeList(u.Roles), u.Disabled, u.Tenant, userNumbers,
		u.Backend, u.BackendID, encodeList(u.ACL), encodeList(u.Policies), u.CreatedAt, u.UpdatedAt, u.Tenant, u.Name)
	if err == nil {
		_, err = w.number(u.Tenant, userNumbers)
	}
	return err
}

func (w *Writer) deleteUser(c store.DeleteUser) error {
	err := w.must(store.ErrNotFound, "user", c.Name, "DELETE FROM users WHERE tenant = ? AND name = ?", c.Tenant, c.Name)
	if err == nil {
		err = w.disown(c.Tenant, c.Name)
	}
	if err == nil {
		_, err = w.Exec(`DELETE FROM memberships WHERE tenant = ? AND "user" = ?`, c.Tenant, c.Name)
	}
	if err == nil {
		_, err = w.Exec("DELETE FROM "+ofSubject+" AND subject = ?", c.Tenant, c.Name)
	}
	if err == nil {
		_, err = w.Exec("DELETE FROM refresh_tokens WHERE tenant = ? AND subject = ?", c.Tenant, c.Name)
	}
	return err
}

func (w *Writer) updateUser(c store.UpdateUser) error {
	const query = `UPDATE users SET password_hash = ?, roles = ?, disabled = ?,
		backend = ?, backend_id = ?, acl = ?, policies = ?, updated_at = ?
		WHERE tenant = ? AND name = ? AND updated_at = ?`
	u := c.User
	rows, err := w.Exec(query, u.PasswordHash, encodeList(u.Roles), u.Disabled,
		u.Backend, u.BackendID, encodeList(u.ACL), encodeList(u.Policies), u.UpdatedAt, u.Tenant, u.Name, c.Read)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM users WHERE tenant = ? AND name = ?)", u.Tenant, u.Name)
	return w.conflict("user "+u.Name, found, err)
}

func (w *Writer) createSession(c *store.CreateSession) error {
	const (
		insert    = `INSERT INTO sessions (` + sessionColumns + `, is_opaque) `
		values    = `?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?`
		unlimited = insert + "VALUES (" + values + ") ON CONFLICT DO NOTHING"
		limited   = insert + "SELECT " + values + " WHERE NOT " + isFull + " ON CONFLICT DO NOTHING"
	)
	s := &c.Session
	args := []any{
		s.ID[:], s.Accessor, s.Tenant, s.Subject, s.Client, s.Door, s.Scope, s.Device, encodeList(s.Labels), s.Counter,
		s.Grant, s.Audience, s.Bound, s.AuthAt, encodeOpaque(s.Opaque),
		s.CreatedAt, s.RotatedAt, s.LastUsedAt, s.IdleTTL, s.AccessTTL, s.ExpiresAt, s.RevokedAt, s.Opaque != nil,
	}
	if c.Most <= 0 {
		return w.must(store.ErrExists, "session", s.Accessor, unlimited, args...)
	}
	limit := []any{s.Tenant, s.Subject, s.CreatedAt, c.Most - 1}
	rows, err := w.Exec(limited, append(args, limit...)...)
	if err != nil || rows > 0 {
		return err
	}
	full, err := w.exists("SELECT "+isFull, limit...)
	if err == nil && full {
		err = store.ErrConflict
	} else if err == nil {
		err = store.ErrExists
	}
	return fmt.Errorf("session %s: %w", s.Accessor, err)
}

// goodSession asks for a session by its ID, a counter and, twice, the instant at
// which it is to be used. The quotient cannot overflow, as idle_ttl in
// microseconds could.
const goodSession = `id = ? AND counter = ? AND revoked_at = 0
	AND (expires_at = 0 OR expires_at > ?)
	AND (idle_ttl = 0 OR (? - last_used_at) / 1000000 < idle_ttl)`

func (w *Writer) rotateSession(c store.RotateSession) error {
	// The last number has no successor.
	const query = `UPDATE sessions SET counter = counter + 1, rotated_at = ?, last_used_at = ?
		WHERE ` + goodSession + ` AND counter < 9223372036854775807`
	return w.moveSession(c.ID, query, c.At, c.At, c.ID[:], c.From, c.At, c.At)
}

func (w *Writer) useSession(c store.UseSession) error {
	const query = "UPDATE sessions SET last_used_at = CASE WHEN last_used_at > ? THEN last_used_at ELSE ? END WHERE " + goodSession
	return w.moveSession(c.ID, query, c.At, c.At, c.ID[:], c.Counter, c.At, c.At)
}

func (w *Writer) moveSession(id store.ID, query string, args ...any) error {
	rows, err := w.Exec(query, args...)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM sessions WHERE id = ?)", id[:])
	return w.conflict("session", found, err)
}

func (w *Writer) revokeSessions(c store.RevokeSessions) (err error) {
	const set = "UPDATE sessions SET revoked_at = ? WHERE revoked_at = 0 AND "
	switch {
	case c.ID != store.ID{}:
		_, err = w.Exec(set+"id = ?", c.At, c.ID[:])
	case c.Subject != "":
		_, err = w.Exec(set+"tenant = ? AND subject = ?", c.At, c.Tenant, c.Subject)
	default:
		// A session made without an application is of none, not of that without
		// a name.
		_, err = w.Exec(set+"tenant = ? AND client = ? AND client <> ''", c.At, c.Tenant, c.Client)
	}
	return err
}

// purge looks for each kind of record by its end.
func (w *Writer) purge(c store.Purge) error {
	removed := int64(0)
	for _, ended := range []struct{ table, key, end string }{
		{"revocations", "seq", "until"},
		{"sessions", "id", "ended_at"},
		{"tickets", "id", "keep_until"},
		{"once", "value", "until"},
		{"access_tokens", "tenant, number", "keep_until"},
	} {
		rows, err := w.Exec(w.Dialect.Purge(ended.table, ended.key, ended.end), c.Before, max(c.Limit, 0))
		if err != nil {
			return err
		}
		removed += rows
	}
	tell(c.Removed, removed)
	return nil
}
