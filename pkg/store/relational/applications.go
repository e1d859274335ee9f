package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const applicationColumns = `tenant, id, name, secret_mac, auth_method, grants, redirect_uris, scopes, audiences,
	jwks, introspect, skip_consent, pkce_optional,
	number, organisation, owner, description, implicit, created_at, updated_at`

// Application is store.Applications.
func (r *Reader) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	const query = "SELECT " + applicationColumns + " FROM applications WHERE tenant = ? AND id = ?"
	return one(ctx, r, scanApplication, "application "+id, query, tenant, id)
}

// ListApplications is store.Applications.
func (r *Reader) ListApplications(ctx context.Context, tenant, after string, limit int) ([]store.Application, error) {
	const query = "SELECT " + applicationColumns + " FROM applications WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?"
	return list(ctx, r, scanApplication, query, tenant, after, max(limit, 0))
}

func scanApplication(row *sql.Rows) (a store.Application, err error) {
	var grants, uris, scopes, audiences string
	err = row.Scan(&a.Tenant, &a.ID, &a.Name, &a.SecretMAC, &a.AuthMethod, &grants, &uris, &scopes, &audiences,
		&a.JWKS, &a.Introspect, &a.SkipConsent, &a.PKCEOptional,
		&a.Number, &a.Organisation, &a.Owner, &a.Description, &a.Implicit, &a.CreatedAt, &a.UpdatedAt)
	if err != nil {
		return a, err
	}
	a.SecretMAC = orNone(a.SecretMAC)
	for _, column := range []struct {
		text string
		list *[]string
	}{{grants, &a.Grants}, {uris, &a.RedirectURIs}, {scopes, &a.Scopes}, {audiences, &a.Audiences}} {
		if *column.list, err = decodeList(column.text); err != nil {
			return a, fmt.Errorf("lists of application %s: %w", a.ID, err)
		}
	}
	return a, nil
}

func (w *Writer) createApplication(a store.Application) error {
	if err := w.owns(a.Tenant, a.Owner); err != nil {
		return err
	}
	const query = `INSERT INTO applications (` + applicationColumns + `)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ` + nextNumber + `, ?, ?, ?, ?, ?, ?
		WHERE NOT EXISTS (SELECT 1 FROM users WHERE tenant = ? AND name = ?) ON CONFLICT DO NOTHING`
	err := w.must(store.ErrExists, "application", a.ID, query,
		a.Tenant, a.ID, a.Name, blob(a.SecretMAC), a.AuthMethod,
		encodeList(a.Grants), encodeList(a.RedirectURIs), encodeList(a.Scopes), encodeList(a.Audiences),
		a.JWKS, a.Introspect, a.SkipConsent, a.PKCEOptional, a.Tenant, applicationNumbers,
		a.Organisation, a.Owner, a.Description, a.Implicit, a.CreatedAt, a.UpdatedAt, a.Tenant, a.ID)
	if err == nil {
		_, err = w.number(a.Tenant, applicationNumbers)
	}
	return err
}

// owns is for who an application is to be of: a user, or nobody.
func (w *Writer) owns(tenant, name string) error {
	if name == "" {
		return nil
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM users WHERE tenant = ? AND name = ?)", tenant, name)
	if err == nil && !found {
		err = fmt.Errorf("user %s: %w", name, store.ErrNotFound)
	}
	return err
}

// disown leaves the applications of a user to nobody.
func (w *Writer) disown(tenant, name string) error {
	const query = "UPDATE applications INDEXED BY applications_of_owner SET owner = '' WHERE tenant = ? AND owner = ? AND owner <> ''"
	_, err := w.Exec(query, tenant, name)
	return err
}

// deleteApplication leaves the access tokens that were made without an application:
// they are not of that without an ID.
func (w *Writer) deleteApplication(c store.DeleteApplication) error {
	err := w.must(store.ErrNotFound, "application", c.ID, "DELETE FROM applications WHERE tenant = ? AND id = ?", c.Tenant, c.ID)
	if err == nil {
		_, err = w.Exec("DELETE FROM "+ofClient+" AND client = ?", c.Tenant, c.ID)
	}
	return err
}

func (w *Writer) updateApplication(c store.UpdateApplication) error {
	const query = `UPDATE applications SET name = ?, secret_mac = ?, auth_method = ?,
		grants = ?, redirect_uris = ?, scopes = ?, audiences = ?,
		jwks = ?, introspect = ?, skip_consent = ?, pkce_optional = ?,
		organisation = ?, description = ?, implicit = ?, updated_at = ?
		WHERE tenant = ? AND id = ? AND updated_at = ?`
	a := c.Application
	rows, err := w.Exec(query, a.Name, blob(a.SecretMAC), a.AuthMethod,
		encodeList(a.Grants), encodeList(a.RedirectURIs), encodeList(a.Scopes), encodeList(a.Audiences),
		a.JWKS, a.Introspect, a.SkipConsent, a.PKCEOptional,
		a.Organisation, a.Description, a.Implicit, a.UpdatedAt, a.Tenant, a.ID, c.Read)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM applications WHERE tenant = ? AND id = ?)", a.Tenant, a.ID)
	return w.conflict("application "+a.ID, found, err)
}
