package relational

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"

	"github.com/ats-auth/ats-auth/pkg/store"
)

const accessTokenColumns = `tenant, number, door, family, generation, subject, client, scope, description,
	created_at, updated_at, expires_at, keep_until`

// AccessToken is store.AccessTokens.
func (r *Reader) AccessToken(ctx context.Context, tenant string, number int64) (store.AccessToken, error) {
	const query = "SELECT " + accessTokenColumns + " FROM access_tokens WHERE tenant = ? AND number = ?"
	return one(ctx, r, scanAccessToken, accessToken(number), query, tenant, number)
}

// AccessTokenOf is store.AccessTokens.
func (r *Reader) AccessTokenOf(ctx context.Context, tenant string, family int64) (store.AccessToken, error) {
	const query = "SELECT " + accessTokenColumns + " FROM access_tokens WHERE tenant = ? AND family = ?"
	return one(ctx, r, scanAccessToken, fmt.Sprint("access token of family ", family), query, tenant, family)
}

func scanAccessToken(row *sql.Rows) (t store.AccessToken, err error) {
	err = row.Scan(&t.Tenant, &t.Number, &t.Door, &t.Family, &t.Generation, &t.Subject, &t.Client, &t.Scope, &t.Description,
		&t.CreatedAt, &t.UpdatedAt, &t.ExpiresAt, &t.KeepUntil)
	return t, err
}

// accessToken is what one is called in answers.
func accessToken(number int64) string { return fmt.Sprint("access token ", number) }

// accessTokenCommand carries out the commands of access tokens, and hands on the
// others.
func (w *Writer) accessTokenCommand(command store.Command) error {
	switch c := command.(type) {
	case store.CreateAccessToken:
		return w.createAccessToken(c)
	case store.ReplaceAccessToken:
		return w.replaceAccessToken(c)
	case store.UpdateAccessToken:
		return w.updateAccessToken(c)
	case store.DeleteAccessTokens:
		return w.deleteAccessTokens(c)
	default:
		return w.refreshTokenCommand(command)
	}
}

func (w *Writer) createAccessToken(c store.CreateAccessToken) error {
	c.AccessToken.Family, c.AccessToken.Generation = 0, 0
	return w.addAccessToken(&c.AccessToken, c.Number)
}

func (w *Writer) replaceAccessToken(c store.ReplaceAccessToken) error {
	const query = `DELETE FROM access_tokens WHERE tenant = ? AND number = ? AND updated_at = ?
		RETURNING family, generation + 1`
	t := &c.AccessToken
	replaced, err := w.Row(query, []any{t.Tenant, c.Number, c.Read}, &t.Family, &t.Generation)
	if err != nil {
		return err
	}
	if !replaced {
		found, err := w.exists("SELECT EXISTS (SELECT 1 FROM access_tokens WHERE tenant = ? AND number = ?)", t.Tenant, c.Number)
		return w.conflict(accessToken(c.Number), found, err)
	}
	return w.addAccessToken(t, c.Given)
}

// addAccessToken gives it a number, and a family of its own where it has none.
func (w *Writer) addAccessToken(t *store.AccessToken, told *int64) error {
	const query = "INSERT INTO access_tokens (" + accessTokenColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	number, err := w.number(t.Tenant, accessTokenNumbers)
	if err != nil {
		return err
	}
	tell(told, number)
	_, err = w.Exec(query, t.Tenant, number, t.Door, cmp.Or(t.Family, number), t.Generation, t.Subject, t.Client,
		t.Scope, t.Description, t.CreatedAt, t.UpdatedAt, t.ExpiresAt, t.KeepUntil)
	return err
}

func (w *Writer) updateAccessToken(c store.UpdateAccessToken) error {
	const query = `UPDATE access_tokens SET scope = ?, description = ?, updated_at = ?
		WHERE tenant = ? AND number = ? AND updated_at = ?`
	rows, err := w.Exec(query, c.Scope, c.Description, c.UpdatedAt, c.Tenant, c.Number, c.Read)
	if err != nil || rows > 0 {
		return err
	}
	found, err := w.exists("SELECT EXISTS (SELECT 1 FROM access_tokens WHERE tenant = ? AND number = ?)", c.Tenant, c.Number)
	return w.conflict(accessToken(c.Number), found, err)
}

func (w *Writer) deleteAccessTokens(c store.DeleteAccessTokens) (err error) {
	const from = "DELETE FROM "
	var rows int64
	switch {
	case c.Number != 0:
		rows, err = w.Exec(from+ofTenant+" AND number = ?", c.Tenant, c.Number)
	case c.Family != 0:
		rows, err = w.Exec(from+ofTenant+" AND family = ?", c.Tenant, c.Family)
	case c.Subject != "":
		rows, err = w.Exec(from+ofSubject+" AND subject = ? AND created_at <= ?", c.Tenant, c.Subject, c.At)
	case c.Client != "":
		rows, err = w.Exec(from+ofClient+" AND client = ? AND created_at <= ?", c.Tenant, c.Client, c.At)
	default:
		rows, err = w.Exec(from+ofTenant+" AND created_at <= ?", c.Tenant, c.At)
	}
	tell(c.Removed, rows)
	return err
}
