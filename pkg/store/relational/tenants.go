package relational

import (
	"context"
	"database/sql"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const tenantColumns = `name, algorithm, issuer, base_url, site, site_admin, api_version,
	access_ttl, refresh_ttl, max_access_ttl, max_refresh_ttl, weak_keys, created_at, updated_at`

// Tenants is store.Tenants.
func (r *Reader) Tenants(ctx context.Context) ([]store.Tenant, error) {
	const query = "SELECT " + tenantColumns + " FROM tenants ORDER BY created_at, name"
	return list(ctx, r, scanTenant, query)
}

func scanTenant(row *sql.Rows) (t store.Tenant, err error) {
	err = row.Scan(&t.Name, &t.Algorithm, &t.Issuer, &t.BaseURL, &t.Site, &t.SiteAdmin, &t.APIVersion,
		&t.AccessTTL, &t.RefreshTTL, &t.MaxAccessTTL, &t.MaxRefreshTTL, &t.WeakKeys, &t.CreatedAt, &t.UpdatedAt)
	return t, err
}

func (w *Writer) createTenant(t *store.Tenant) error {
	const query = `INSERT INTO tenants (` + tenantColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	return w.must(store.ErrExists, "tenant", t.Name, query,
		t.Name, t.Algorithm, t.Issuer, t.BaseURL, t.Site, t.SiteAdmin, t.APIVersion,
		t.AccessTTL, t.RefreshTTL, t.MaxAccessTTL, t.MaxRefreshTTL, t.WeakKeys, t.CreatedAt, t.UpdatedAt)
}

func (w *Writer) updateTenant(c store.UpdateTenant) error {
	const query = `UPDATE tenants SET algorithm = ?, issuer = ?, base_url = ?, site = ?, site_admin = ?, api_version = ?,
		access_ttl = ?, refresh_ttl = ?, max_access_ttl = ?, max_refresh_ttl = ?, weak_keys = ?, updated_at = ?
		WHERE name = ? AND updated_at = ?`
	t := &c.Tenant
	rows, err := w.Exec(query, t.Algorithm, t.Issuer, t.BaseURL, t.Site, t.SiteAdmin, t.APIVersion,
		t.AccessTTL, t.RefreshTTL, t.MaxAccessTTL, t.MaxRefreshTTL, t.WeakKeys, t.UpdatedAt, t.Name, c.Read)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM tenants WHERE name = ?)", t.Name)
	return w.conflict("tenant "+t.Name, found, err)
}
