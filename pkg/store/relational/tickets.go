package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const ticketColumns = `id, kind, tenant, client, user_code, scope, audience, redirect_uri, challenge, nonce,
	bound, state, subject, auth_at, session, created_at, expires_at, keep_until`

// Ticket is store.Tickets.
func (r *Reader) Ticket(ctx context.Context, id store.ID) (store.Ticket, error) {
	const query = "SELECT " + ticketColumns + " FROM tickets WHERE id = ?"
	return one(ctx, r, scanTicket, "ticket", query, id[:])
}

// TicketByUserCode is store.Tickets.
func (r *Reader) TicketByUserCode(ctx context.Context, userCode string) (store.Ticket, error) {
	const query = "SELECT " + ticketColumns + " FROM tickets WHERE user_code = ? AND user_code <> ''"
	return one(ctx, r, scanTicket, "ticket", query, userCode)
}

func scanTicket(row *sql.Rows) (t store.Ticket, err error) {
	var id, session sql.RawBytes
	err = row.Scan(&id, &t.Kind, &t.Tenant, &t.Client, &t.UserCode, &t.Scope, &t.Audience, &t.RedirectURI, &t.Challenge, &t.Nonce,
		&t.Bound, &t.State, &t.Subject, &t.AuthAt, &session, &t.CreatedAt, &t.ExpiresAt, &t.KeepUntil)
	copy(t.ID[:], id)
	copy(t.Session[:], session)
	return t, err
}

func (w *Writer) createTicket(t *store.Ticket) error {
	const query = `INSERT INTO tickets (` + ticketColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	rows, err := w.Exec(query,
		t.ID[:], t.Kind, t.Tenant, t.Client, t.UserCode, t.Scope, t.Audience, t.RedirectURI, t.Challenge, t.Nonce,
		t.Bound, t.State, t.Subject, t.AuthAt, t.Session[:], t.CreatedAt, t.ExpiresAt, t.KeepUntil)
	if err != nil || rows > 0 {
		return err
	}
	return fmt.Errorf("ticket: %w", store.ErrExists)
}

func (w *Writer) decideTicket(c store.DecideTicket) error {
	const query = `UPDATE tickets SET state = ?, subject = ?, scope = ?, auth_at = ?, keep_until = ?
		WHERE id = ? AND state = '` + store.TicketPending + `' AND (expires_at = 0 OR expires_at > ?)`
	return w.moveTicket(c.ID, query, c.State, c.Subject, c.Scope, c.AuthAt, c.KeepUntil, c.ID[:], c.At)
}

func (w *Writer) useTicket(c store.UseTicket) error {
	const query = `UPDATE tickets SET state = '` + store.TicketUsed + `'
		WHERE id = ? AND state = '` + store.TicketApproved + `' AND (expires_at = 0 OR expires_at > ?)`
	return w.moveTicket(c.ID, query, c.ID[:], c.At)
}

func (w *Writer) moveTicket(id store.ID, query string, args ...any) error {
	rows, err := w.Exec(query, args...)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM tickets WHERE id = ?)", id[:])
	return w.conflict("ticket", found, err)
}

func (w *Writer) once(c store.Once) error {
	const query = "INSERT INTO once (value, until) VALUES (?, ?) ON CONFLICT DO NOTHING"
	rows, err := w.Exec(query, []byte(c.Value), c.Until)
	if err != nil || rows > 0 {
		return err
	}
	return fmt.Errorf("value: %w", store.ErrExists)
}
