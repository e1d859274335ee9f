package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const applicationColumns = `tenant, id, name, secret_mac, auth_method, grants, redirect_uris, scopes, audiences,
	jwks, introspect, skip_consent, pkce_optional, created_at, updated_at`

// Application is store.Applications.
func (s *Store) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	const query = "SELECT " + applicationColumns + " FROM applications WHERE tenant = ? AND id = ?"
	return one(ctx, s, scanApplication, "application "+id, query, tenant, id)
}

// ListApplications is store.Applications.
func (s *Store) ListApplications(ctx context.Context, tenant, after string, limit int) ([]store.Application, error) {
	const query = "SELECT " + applicationColumns + " FROM applications WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?"
	return list(ctx, s, scanApplication, query, tenant, after, max(limit, 0))
}

func scanApplication(row *sql.Rows) (a store.Application, err error) {
	var grants, uris, scopes, audiences string
	err = row.Scan(&a.Tenant, &a.ID, &a.Name, &a.SecretMAC, &a.AuthMethod, &grants, &uris, &scopes, &audiences,
		&a.JWKS, &a.Introspect, &a.SkipConsent, &a.PKCEOptional, &a.CreatedAt, &a.UpdatedAt)
	if err != nil {
		return a, err
	}
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

func (w *writer) createApplication(a store.Application) error {
	const query = `INSERT INTO applications (` + applicationColumns + `)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
		WHERE NOT EXISTS (SELECT 1 FROM users WHERE tenant = ? AND name = ?) ON CONFLICT DO NOTHING`
	return w.must(store.ErrExists, "application", a.ID, query,
		a.Tenant, a.ID, a.Name, blob(a.SecretMAC), a.AuthMethod,
		encodeList(a.Grants), encodeList(a.RedirectURIs), encodeList(a.Scopes), encodeList(a.Audiences),
		a.JWKS, a.Introspect, a.SkipConsent, a.PKCEOptional, a.CreatedAt, a.UpdatedAt, a.Tenant, a.ID)
}

func (w *writer) updateApplication(c store.UpdateApplication) error {
	const query = `UPDATE applications SET name = ?, secret_mac = ?, auth_method = ?,
		grants = ?, redirect_uris = ?, scopes = ?, audiences = ?,
		jwks = ?, introspect = ?, skip_consent = ?, pkce_optional = ?, updated_at = ?
		WHERE tenant = ? AND id = ? AND updated_at = ?`
	a := c.Application
	rows, err := w.exec(query, a.Name, blob(a.SecretMAC), a.AuthMethod,
		encodeList(a.Grants), encodeList(a.RedirectURIs), encodeList(a.Scopes), encodeList(a.Audiences),
		a.JWKS, a.Introspect, a.SkipConsent, a.PKCEOptional, a.UpdatedAt, a.Tenant, a.ID, c.Read)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM applications WHERE tenant = ? AND id = ?)", a.Tenant, a.ID)
	return w.conflict("application "+a.ID, found, err)
}
