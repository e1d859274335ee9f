package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const serviceColumns = "tenant, name, password_hash, may_mint, disabled, created_at, updated_at"

// ServiceAccount is store.ServiceAccounts.
func (r *Reader) ServiceAccount(ctx context.Context, tenant, name string) (store.ServiceAccount, error) {
	const query = "SELECT " + serviceColumns + " FROM service_accounts WHERE tenant = ? AND name = ?"
	return one(ctx, r, scanService, "service account "+name, query, tenant, name)
}

// ListServiceAccounts is store.ServiceAccounts.
func (r *Reader) ListServiceAccounts(ctx context.Context, tenant, after string, limit int) ([]store.ServiceAccount, error) {
	const query = "SELECT " + serviceColumns + " FROM service_accounts WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?"
	return list(ctx, r, scanService, query, tenant, after, max(limit, 0))
}

func scanService(row *sql.Rows) (a store.ServiceAccount, err error) {
	var mayMint string
	err = row.Scan(&a.Tenant, &a.Name, &a.PasswordHash, &mayMint, &a.Disabled, &a.CreatedAt, &a.UpdatedAt)
	if err != nil {
		return a, err
	}
	if a.MayMint, err = decodeList(mayMint); err != nil {
		return a, fmt.Errorf("tenants of service account %s: %w", a.Name, err)
	}
	return a, nil
}

func (w *Writer) createService(a store.ServiceAccount) error {
	const query = "INSERT INTO service_accounts (" + serviceColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
	return w.must(store.ErrExists, "service account", a.Name, query,
		a.Tenant, a.Name, a.PasswordHash, encodeList(a.MayMint), a.Disabled, a.CreatedAt, a.UpdatedAt)
}

func (w *Writer) updateService(c store.UpdateServiceAccount) error {
	const query = `UPDATE service_accounts SET password_hash = ?, may_mint = ?, disabled = ?, updated_at = ?
		WHERE tenant = ? AND name = ? AND updated_at = ?`
	a := c.ServiceAccount
	rows, err := w.Exec(query, a.PasswordHash, encodeList(a.MayMint), a.Disabled, a.UpdatedAt, a.Tenant, a.Name, c.Read)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM service_accounts WHERE tenant = ? AND name = ?)", a.Tenant, a.Name)
	return w.conflict("service account "+a.Name, found, err)
}

func (w *Writer) deleteService(c store.DeleteServiceAccount) error {
	return w.must(store.ErrNotFound, "service account", c.Name,
		"DELETE FROM service_accounts WHERE tenant = ? AND name = ?", c.Tenant, c.Name)
}
