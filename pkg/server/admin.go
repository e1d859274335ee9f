package server

import (
	"context"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Key is a signing key as an administrator sees it.
type Key struct {
	ID        string
	Algorithm string
	State     string       // store.KeyActive or store.KeyRetiring
	CreatedAt int64        // microseconds since 1970; 0: given by the configuration
	NotAfter  int64        // of a retiring key: when its last token is over
	Secret    token.Secret // what verifies its tokens
}

// AddUser makes a user: store.ErrExists when the name is taken. Of u, Tenant
// (default store.DefaultTenant), Name and Roles count.
func (s *Server) AddUser(ctx context.Context, u store.User, password token.Secret) error {
	u.Tenant = tenantOf(u.Tenant)
	return s.issuer.AddUser(ctx, u, password)
}

// SetPassword gives a user another password. All the user's tokens and logins
// are void afterwards, unless keepTokens.
func (s *Server) SetPassword(ctx context.Context, tenant, name string, password token.Secret, keepTokens bool) error {
	return s.issuer.SetPassword(ctx, tenantOf(tenant), name, password, keepTokens)
}

// SetDisabled disables a user, whose tokens and logins are void then, or
// enables the user again.
func (s *Server) SetDisabled(ctx context.Context, tenant, name string, disabled bool) error {
	return s.issuer.SetDisabled(ctx, tenantOf(tenant), name, disabled)
}

// DeleteUser removes a user; the user's tokens and logins are void then.
func (s *Server) DeleteUser(ctx context.Context, tenant, name string) error {
	return s.issuer.DeleteUser(ctx, tenantOf(tenant), name)
}

// User returns one user: store.ErrNotFound when there is none.
func (s *Server) User(ctx context.Context, tenant, name string) (store.User, error) {
	return s.issuer.User(ctx, tenantOf(tenant), name)
}

// ListUsers returns up to limit users whose names come after `after`, by name.
func (s *Server) ListUsers(ctx context.Context, tenant, after string, limit int) ([]store.User, error) {
	return s.issuer.ListUsers(ctx, tenantOf(tenant), after, limit)
}

// RevokeUser voids all tokens and logins of a user.
func (s *Server) RevokeUser(ctx context.Context, tenant, name string) error {
	return s.issuer.RevokeUser(ctx, tenantOf(tenant), name)
}

// RevokeEverything voids all tokens and logins of everybody.
func (s *Server) RevokeEverything(ctx context.Context) error { return s.issuer.RevokeEverything(ctx) }

// Keys returns the keys of the ats door that are in force, the signing one
// first.
func (s *Server) Keys(ctx context.Context) ([]Key, error) {
	rows, err := s.ats.Keys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, len(rows))
	for i, k := range rows {
		keys[i] = Key{
			ID: k.ID, Algorithm: k.Algorithm, State: k.State, CreatedAt: k.CreatedAt, NotAfter: k.NotAfter,
			Secret: k.Secret,
		}
	}
	return keys, nil
}

// RotateKey makes a new signing key, from secret or, where that is empty, a
// random one. The old keys verify until their last token is over.
func (s *Server) RotateKey(ctx context.Context, secret token.Secret) error {
	return s.ats.RotateKey(ctx, secret)
}

func tenantOf(name string) string {
	if name == "" {
		return store.DefaultTenant
	}
	return name
}
