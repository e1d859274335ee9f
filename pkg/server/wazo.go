package server

import (
	"context"

	wazo "github.com/ats-auth/ats-auth/internal/dialect/wazo/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// wazoAccessTTL is the lifetime of the wazo door's tokens where none is asked for, in
// seconds.
const wazoAccessTTL = 7200

// openWazo opens the wazo door.
func (s *Server) openWazo(ctx context.Context) (*wazo.Handler, error) {
	var err error
	s.wazo, err = s.issuer.Door(ctx, issuer.DoorConfig{
		Name: "wazo", Issuer: s.config.PublicURL, Format: issuer.FormatWazo(), AccessTTL: wazoAccessTTL,
	})
	if err != nil {
		return nil, err
	}
	return wazo.New(wazo.Config{URL: s.config.PublicURL, Core: s.issuer, Door: s.wazo, Report: s.report, Now: s.config.Now})
}

// Backend is a place where passwords are checked. Tenant says whose users they are
// (empty: every tenant's), Role what is demanded of who logs in by it, Policies what
// everybody has who does, Directory where to ask (nil: the users of the store), and
// Next that the next backend is asked where the directory cannot be.
type Backend = issuer.Backend

// LocalBackend is the name of the backend that there is where none is configured.
const LocalBackend = issuer.LocalBackend

// UserUUID is the same for a user for as long as there is one, and another for one who
// takes the name later: the auth_id of the wazo door, the sub of the ciphertrust door.
func (s *Server) UserUUID(u store.User) string { return s.issuer.UserUUID(u) }

// Rights are the access strings that an opaque token of a user would have who logs in
// by a backend. Of a user without CreatedAt, who has no UUID yet, "UUID" stands for it.
func (s *Server) Rights(ctx context.Context, u store.User, by Backend) ([]string, error) {
	u.Tenant = tenantOf(u.Tenant)
	return s.issuer.Rights(ctx, u, by)
}

// DroppedTemplates says of each template of access strings that gives nobody anything
// why it does not: it cannot be read, names a variable that there is not, or makes no
// access string.
func DroppedTemplates(list []string) []string { return issuer.DroppedTemplates(list) }

// SetRights replaces a user's own access strings and policies, which later opaque
// tokens stand on: store.ErrNotFound. A nil list leaves what there is.
func (s *Server) SetRights(ctx context.Context, tenant, name string, list, policies []string) error {
	return s.issuer.SetRights(ctx, tenantOf(tenant), name, list, policies)
}

// AddPolicy makes a policy: store.ErrExists when the name is taken. Of p, Tenant
// (default store.DefaultTenant), Name, Description and Templates count. The error
// names what is wrong.
func (s *Server) AddPolicy(ctx context.Context, p store.Policy) (store.Policy, error) {
	p.Tenant = tenantOf(p.Tenant)
	return s.issuer.AddPolicy(ctx, p)
}

// ChangePolicy replaces name, description and templates of a policy:
// store.ErrConflict when p.UpdatedAt is not the record's any more.
func (s *Server) ChangePolicy(ctx context.Context, p store.Policy) error {
	return s.issuer.ChangePolicy(ctx, p)
}

// DeletePolicy removes a policy by its name: store.ErrNotFound.
func (s *Server) DeletePolicy(ctx context.Context, tenant, name string) error {
	p, err := s.PolicyByName(ctx, tenant, name)
	if err != nil {
		return err
	}
	return s.issuer.DeletePolicy(ctx, p.Tenant, p.UUID, 0)
}

// PolicyByName returns one policy: store.ErrNotFound when there is none.
func (s *Server) PolicyByName(ctx context.Context, tenant, name string) (store.Policy, error) {
	return s.issuer.PolicyByName(ctx, tenantOf(tenant), name)
}

// Policies returns all policies of a tenant, by name.
func (s *Server) Policies(ctx context.Context, tenant string) ([]store.Policy, error) {
	return s.issuer.Policies(ctx, tenantOf(tenant))
}
