package relational

import (
	"context"
	"encoding/json"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// The indexes are named, since SQLite, which knows nothing of how few opaque
// sessions there are, may take one that has the ordinary ones too.
const (
	opaqueOfTenant  = "sessions INDEXED BY opaque_sessions WHERE is_opaque = 1 AND revoked_at = 0 AND tenant = ?"
	opaqueOfSubject = "sessions INDEXED BY opaque_sessions_of_subject WHERE is_opaque = 1 AND revoked_at = 0 AND tenant = ? AND subject = ?"
	notOver         = " AND (expires_at = 0 OR expires_at > ?)"
)

// ListOpaque is store.Opaques. Only those that are in the page are looked at, the
// index knows the others well enough.
func (r *Reader) ListOpaque(ctx context.Context, tenant string, q store.OpaqueQuery) ([]store.Session, error) {
	from, args := opaqueSessions(tenant, q)
	query := "SELECT " + sessionColumns + " FROM sessions WHERE accessor IN (SELECT accessor FROM " + from +
		" ORDER BY accessor LIMIT ? OFFSET ?) ORDER BY accessor"
	return list(ctx, r, scanSession, query, append(args, max(q.Limit, 0), max(q.Offset, 0))...)
}

// CountOpaque is store.Opaques.
func (r *Reader) CountOpaque(ctx context.Context, tenant string, q store.OpaqueQuery) (int64, error) {
	from, args := opaqueSessions(tenant, q)
	return one(ctx, r, scanCount, "count", "SELECT count(*) FROM "+from, args...)
}

// opaqueSessions is where to find those that are meant, by accessor.
func opaqueSessions(tenant string, q store.OpaqueQuery) (from string, args []any) {
	if q.Subject == "" {
		return opaqueOfTenant + notOver, []any{tenant, q.At}
	}
	return opaqueOfSubject + notOver, []any{tenant, q.Subject, q.At}
}

// isFull tells whether a subject of a tenant has, at an instant, more opaque sessions
// than that. It walks no further than to the first of those.
const isFull = "EXISTS (SELECT 1 FROM " + opaqueOfSubject + notOver + " LIMIT 1 OFFSET ?)"

// opaque is how store.Opaque is kept: a JSON object.
type opaque struct {
	UUID   string   `json:"uuid"`
	ACL    []string `json:"acl"`
	Source string   `json:"source"`
	Mobile bool     `json:"mobile"`
}

func encodeOpaque(o *store.Opaque) string {
	if o == nil {
		return ""
	}
	text, _ := json.Marshal(opaque(*o)) // texts and lists of them cannot fail
	return string(text)
}

func decodeOpaque(text string) (*store.Opaque, error) {
	if text == "" {
		return nil, nil
	}
	var kept opaque
	if err := json.Unmarshal([]byte(text), &kept); err != nil {
		return nil, err
	}
	if len(kept.ACL) == 0 {
		kept.ACL = nil
	}
	read := store.Opaque(kept)
	return &read, nil
}
