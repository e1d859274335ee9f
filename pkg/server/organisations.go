package server

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// AddOrganisation makes an organisation, to which applications of the awx door
// belong, and returns it with its number: store.ErrExists when the name is taken.
func (s *Server) AddOrganisation(ctx context.Context, o store.Organisation) (store.Organisation, error) {
	o.Tenant = tenantOf(o.Tenant)
	return s.issuer.AddOrganisation(ctx, o)
}

// DeleteOrganisation removes an organisation and its memberships:
// store.ErrConflict while an application belongs to it.
func (s *Server) DeleteOrganisation(ctx context.Context, tenant string, number int64) error {
	return s.issuer.DeleteOrganisation(ctx, tenantOf(tenant), number)
}

// Organisation returns an organisation by its name. The error of a name that is
// none wraps store.ErrNotFound.
func (s *Server) Organisation(ctx context.Context, tenant, name string) (store.Organisation, error) {
	all, err := s.Organisations(ctx, tenant)
	if err != nil {
		return store.Organisation{}, err
	}
	for _, o := range all {
		if o.Name == name {
			return o, nil
		}
	}
	return store.Organisation{}, fmt.Errorf("no organisation %q: %w", name, store.ErrNotFound)
}

// Organisations returns all organisations of a tenant, in the order in which they
// were made.
func (s *Server) Organisations(ctx context.Context, tenant string) ([]store.Organisation, error) {
	return s.issuer.Organisations(ctx, tenantOf(tenant))
}

// SetMember gives a user a role in an organisation (store.OrganisationMember,
// OrganisationAdmin, OrganisationAuditor), or takes it: store.ErrNotFound when
// there is no such organisation or user, or nothing to take.
func (s *Server) SetMember(ctx context.Context, m store.Membership, member bool) error {
	m.Tenant = tenantOf(m.Tenant)
	return s.issuer.SetMember(ctx, m, member)
}

// Members returns who belongs to an organisation, by user and role.
func (s *Server) Members(ctx context.Context, tenant string, number int64) ([]store.Membership, error) {
	return s.issuer.Members(ctx, tenantOf(tenant), number)
}

// Memberships returns the organisations that a user belongs to, and how.
func (s *Server) Memberships(ctx context.Context, tenant, user string) ([]store.Membership, error) {
	return s.issuer.Memberships(ctx, tenantOf(tenant), user)
}

// CreatePersonalToken makes an access token of the awx door that is a user's own,
// with a scope of read, write or both, and what people are to read of it, 200
// characters at most. Its value is returned this once. The error wraps
// store.ErrNotFound for a user that is none, and ErrValue for a scope or a
// description that is not possible; it names the door where that is not open, and a
// tenant that it does not serve.
func (s *Server) CreatePersonalToken(ctx context.Context, tenant, user, scope, description string) (token.Secret, error) {
	d := s.awx
	if d == nil || d.Tenant != tenantOf(tenant) {
		_, err := s.door("awx", tenant)
		return token.Secret{}, err
	}
	switch {
	case !awx.IsScope(scope):
		return token.Secret{}, fmt.Errorf("scope %q: %w: read, write or both are", scope, ErrValue)
	case !utf8.ValidString(description) || utf8.RuneCountInString(description) > awx.MaxDescription:
		return token.Secret{}, fmt.Errorf("description: %w: up to %d characters of UTF-8 are", ErrValue, awx.MaxDescription)
	}
	at := d.Tick() // before the user is read: who is disabled meanwhile gets nothing
	u, err := s.issuer.User(ctx, d.Tenant, user)
	if err != nil {
		return token.Secret{}, err
	}
	if u.Disabled {
		return token.Secret{}, fmt.Errorf("user %q is disabled", u.Name)
	}
	kept, err := d.Keep(ctx, at, store.AccessToken{Subject: u.Name, Scope: scope, Description: description}, false)
	return kept.Access, err
}
