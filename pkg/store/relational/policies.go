package relational

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const policyColumns = "tenant, uuid, name, description, templates, created_at, updated_at"

// Policy is store.Policies.
func (r *Reader) Policy(ctx context.Context, tenant, uuid string) (store.Policy, error) {
	const query = "SELECT " + policyColumns + " FROM policies WHERE tenant = ? AND uuid = ?"
	return one(ctx, r, scanPolicy, "policy "+uuid, query, tenant, uuid)
}

// PolicyByName is store.Policies.
func (r *Reader) PolicyByName(ctx context.Context, tenant, name string) (store.Policy, error) {
	const query = "SELECT " + policyColumns + " FROM policies WHERE tenant = ? AND name = ?"
	return one(ctx, r, scanPolicy, "policy "+name, query, tenant, name)
}

// ListPolicies is store.Policies.
func (r *Reader) ListPolicies(ctx context.Context, tenant, after string, limit int) ([]store.Policy, error) {
	const query = "SELECT " + policyColumns + " FROM policies WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?"
	return list(ctx, r, scanPolicy, query, tenant, after, max(limit, 0))
}

func scanPolicy(row *sql.Rows) (p store.Policy, err error) {
	var templates string
	err = row.Scan(&p.Tenant, &p.UUID, &p.Name, &p.Description, &templates, &p.CreatedAt, &p.UpdatedAt)
	if err != nil {
		return p, err
	}
	if p.Templates, err = decodeList(templates); err != nil {
		return p, fmt.Errorf("templates of policy %s: %w", p.Name, err)
	}
	return p, nil
}

// policyCommand carries out the commands of policies, the last there are.
func (w *Writer) policyCommand(command store.Command) error {
	switch c := command.(type) {
	case store.CreatePolicy:
		return w.createPolicy(c.Policy)
	case store.UpdatePolicy:
		return w.updatePolicy(c)
	case store.DeletePolicy:
		return w.deletePolicy(c)
	default:
		return fmt.Errorf("command %T: not known", command)
	}
}

func (w *Writer) createPolicy(p store.Policy) error {
	const query = "INSERT INTO policies (" + policyColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
	return w.must(store.ErrExists, "policy", p.Name, query,
		p.Tenant, p.UUID, p.Name, p.Description, encodeList(p.Templates), p.CreatedAt, p.UpdatedAt)
}

func (w *Writer) updatePolicy(c store.UpdatePolicy) error {
	const query = `UPDATE policies SET name = ?, description = ?, templates = ?, updated_at = ?
		WHERE tenant = ? AND uuid = ? AND updated_at = ?`
	p := c.Policy
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM policies WHERE tenant = ? AND uuid = ?)", p.Tenant, p.UUID)
	if err != nil || !found {
		return w.conflict("policy "+p.UUID, found, err)
	}
	taken, err := w.exists("SELECT EXISTS (SELECT 1 FROM policies WHERE tenant = ? AND name = ? AND uuid <> ?)", p.Tenant, p.Name, p.UUID)
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("policy %s: %w", p.Name, store.ErrExists)
	}
	return w.must(store.ErrConflict, "policy", p.Name, query,
		p.Name, p.Description, encodeList(p.Templates), p.UpdatedAt, p.Tenant, p.UUID, c.Read)
}

func (w *Writer) deletePolicy(c store.DeletePolicy) error {
	query, args := "DELETE FROM policies WHERE tenant = ? AND uuid = ?", []any{c.Tenant, c.UUID}
	if c.Read != 0 {
		query, args = query+" AND updated_at = ?", append(args, c.Read)
	}
	rows, err := w.Exec(query, args...)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM policies WHERE tenant = ? AND uuid = ?)", c.Tenant, c.UUID)
	return w.conflict("policy "+c.UUID, found, err)
}
