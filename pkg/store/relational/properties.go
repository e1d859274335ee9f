package relational

import (
	"context"
	"database/sql"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const propertyColumns = "tenant, name, value, updated_at"

// Property is store.Properties.
func (r *Reader) Property(ctx context.Context, tenant, name string) (store.Property, error) {
	const query = "SELECT " + propertyColumns + " FROM properties WHERE tenant = ? AND name = ?"
	return one(ctx, r, scanProperty, "property "+name, query, tenant, name)
}

// Properties is store.Properties.
func (r *Reader) Properties(ctx context.Context, tenant string) ([]store.Property, error) {
	const query = "SELECT " + propertyColumns + " FROM properties WHERE tenant = ? ORDER BY name"
	return list(ctx, r, scanProperty, query, tenant)
}

func scanProperty(row *sql.Rows) (p store.Property, err error) {
	err = row.Scan(&p.Tenant, &p.Name, &p.Value, &p.UpdatedAt)
	return p, err
}

func (w *Writer) putProperty(p store.Property) error {
	const query = `INSERT INTO properties (` + propertyColumns + `) VALUES (?, ?, ?, ?)
		ON CONFLICT (tenant, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`
	_, err := w.Exec(query, p.Tenant, p.Name, p.Value, p.UpdatedAt)
	return err
}

func (w *Writer) deleteProperty(c store.DeleteProperty) error {
	return w.must(store.ErrNotFound, "property", c.Name,
		"DELETE FROM properties WHERE tenant = ? AND name = ?", c.Tenant, c.Name)
}
