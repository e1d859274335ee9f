package store

import "context"

// Opaque is what a session has besides whose ID stands for an access token: one
// that is looked up and says nothing itself. Such a session is never rotated. The
// texts are UTF-8; the ACL is kept in the order given, none reads as nil.
type Opaque struct {
	UUID   string // of the subject, as of when it was made
	ACL    []string
	Source string // the address it was made from
	Mobile bool
}

// OpaqueQuery says which opaque sessions of a tenant are meant, of those that are
// neither revoked nor over at the instant At. An Offset below 0 is 0.
type OpaqueQuery struct {
	Subject       string // empty: of everybody
	At            int64
	Offset, Limit int
}

// Opaques reads opaque sessions.
type Opaques interface {
	// ListOpaque returns up to Limit of those sessions by accessor, without the first
	// Offset of them.
	ListOpaque(ctx context.Context, tenant string, q OpaqueQuery) ([]Session, error)
	// CountOpaque tells how many there are, whatever Offset and Limit are.
	CountOpaque(ctx context.Context, tenant string, q OpaqueQuery) (int64, error)
}
