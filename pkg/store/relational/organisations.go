package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const (
	organisationColumns = "tenant, number, name, description, created_at, updated_at"
	membershipColumns   = `tenant, organisation, "user", role`
)

// Organisation is store.Organisations.
func (r *Reader) Organisation(ctx context.Context, tenant string, number int64) (store.Organisation, error) {
	const query = "SELECT " + organisationColumns + " FROM organisations WHERE tenant = ? AND number = ?"
	return one(ctx, r, scanOrganisation, organisation(number), query, tenant, number)
}

// ListOrganisations is store.Organisations.
func (r *Reader) ListOrganisations(ctx context.Context, tenant string, after int64, limit int) ([]store.Organisation, error) {
	const query = "SELECT " + organisationColumns + " FROM organisations WHERE tenant = ? AND number > ? ORDER BY number LIMIT ?"
	return list(ctx, r, scanOrganisation, query, tenant, after, max(limit, 0))
}

// Memberships is store.Organisations.
func (r *Reader) Memberships(ctx context.Context, tenant, user string) ([]store.Membership, error) {
	const query = "SELECT " + membershipColumns + ` FROM memberships WHERE tenant = ? AND "user" = ? ORDER BY organisation, role`
	return list(ctx, r, scanMembership, query, tenant, user)
}

// Members is store.Organisations.
func (r *Reader) Members(ctx context.Context, tenant string, organisation int64) ([]store.Membership, error) {
	const query = "SELECT " + membershipColumns + ` FROM memberships WHERE tenant = ? AND organisation = ? ORDER BY "user", role`
	return list(ctx, r, scanMembership, query, tenant, organisation)
}

func scanOrganisation(row *sql.Rows) (o store.Organisation, err error) {
	err = row.Scan(&o.Tenant, &o.Number, &o.Name, &o.Description, &o.CreatedAt, &o.UpdatedAt)
	return o, err
}

func scanMembership(row *sql.Rows) (m store.Membership, err error) {
	err = row.Scan(&m.Tenant, &m.Organisation, &m.User, &m.Role)
	return m, err
}

// organisation is what one is called in answers.
func organisation(number int64) string { return fmt.Sprint("organisation ", number) }

// organisationCommand carries out the commands of organisations, and hands on the
// others.
func (w *Writer) organisationCommand(command store.Command) error {
	switch c := command.(type) {
	case store.CreateOrganisation:
		return w.createOrganisation(c)
	case store.UpdateOrganisation:
		return w.updateOrganisation(c)
	case store.DeleteOrganisation:
		return w.deleteOrganisation(c)
	case store.PutMembership:
		return w.putMembership(c.Membership)
	case store.DeleteMembership:
		m := c.Membership
		return w.must(store.ErrNotFound, "membership of", m.User,
			`DELETE FROM memberships WHERE tenant = ? AND "user" = ? AND organisation = ? AND role = ?`,
			m.Tenant, m.User, m.Organisation, m.Role)
	default:
		return w.accessTokenCommand(command)
	}
}

func (w *Writer) createOrganisation(c store.CreateOrganisation) error {
	const query = `INSERT INTO organisations (` + organisationColumns + `)
		VALUES (?, ` + nextNumber + `, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	o := c.Organisation
	err := w.must(store.ErrExists, "organisation", o.Name, query,
		o.Tenant, o.Tenant, organisationNumbers, o.Name, o.Description, o.CreatedAt, o.UpdatedAt)
	if err != nil {
		return err
	}
	number, err := w.number(o.Tenant, organisationNumbers)
	tell(c.Number, number)
	return err
}

func (w *Writer) updateOrganisation(c store.UpdateOrganisation) error {
	const query = `UPDATE organisations SET name = ?, description = ?, updated_at = ?
		WHERE tenant = ? AND number = ? AND updated_at = ?`
	o := c.Organisation
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM organisations WHERE tenant = ? AND number = ?)", o.Tenant, o.Number)
	if err != nil || !found {
		return w.conflict(organisation(o.Number), found, err)
	}
	taken, err := w.exists("SELECT EXISTS (SELECT 1 FROM organisations WHERE tenant = ? AND name = ? AND number <> ?)",
		o.Tenant, o.Name, o.Number)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("organisation %s: %w", o.Name, store.ErrExists)
	}
	return w.must(store.ErrConflict, "organisation", o.Name, query,
		o.Name, o.Description, o.UpdatedAt, o.Tenant, o.Number, c.Read)
}

func (w *Writer) deleteOrganisation(c store.DeleteOrganisation) error {
	const query = `DELETE FROM organisations WHERE tenant = ? AND number = ? AND NOT EXISTS
		(SELECT 1 FROM applications WHERE tenant = ? AND organisation = ? AND organisation <> 0)`
	rows, err := w.Exec(query, c.Tenant, c.Number, c.Tenant, c.Number)
	if err == nil && rows == 0 {
		found, err := w.exists("SELECT EXISTS (SELECT 1 FROM organisations WHERE tenant = ? AND number = ?)", c.Tenant, c.Number)
		return w.conflict(organisation(c.Number), found, err)
	}
	if err == nil {
		_, err = w.Exec("DELETE FROM memberships WHERE tenant = ? AND organisation = ?", c.Tenant, c.Number)
	}
	return err
}

// putMembership takes one that is there for one whose organisation and user are:
// it goes with both.
func (w *Writer) putMembership(m store.Membership) error {
	const query = `INSERT INTO memberships (` + membershipColumns + `) SELECT ?, ?, ?, ?
		WHERE EXISTS (SELECT 1 FROM organisations WHERE tenant = ? AND number = ?)
		AND EXISTS (SELECT 1 FROM users WHERE tenant = ? AND name = ?) ON CONFLICT DO NOTHING`
	rows, err := w.Exec(query, m.Tenant, m.Organisation, m.User, m.Role, m.Tenant, m.Organisation, m.Tenant, m.User)
	if err != nil || rows > 0 {
		return err
	}
	const there = `SELECT EXISTS (SELECT 1 FROM memberships WHERE tenant = ? AND "user" = ? AND organisation = ? AND role = ?)`
	found, err := w.exists(there, m.Tenant, m.User, m.Organisation, m.Role)
	if err != nil || found {
		return err
	}
	return fmt.Errorf("user %s or %s: %w", m.User, organisation(m.Organisation), store.ErrNotFound)
}
