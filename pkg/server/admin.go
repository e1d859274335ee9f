package server

import (
	"context"
	"crypto"
	"fmt"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Key is a signing key as an administrator sees it.
type Key struct {
	Door      string // the dialect it signs for
	Tenant    string
	ID        string
	Algorithm string
	State     string           // store.KeyActive or store.KeyRetiring
	CreatedAt int64            // microseconds since 1970; 0: given by the configuration
	NotBefore int64            // when it begins to sign, or began; 0: with CreatedAt
	NotAfter  int64            // when the last token that it signs is over; 0: not known yet
	Secret    token.Secret     // what verifies its tokens, where that is shared; else zero
	Public    crypto.PublicKey // what verifies them where nothing is shared; else nil
}

// Rotation says what the next signing key of a door is. The zero value makes one
// of the door's usual kind.
type Rotation struct {
	// Secret is the key, for the ats door.
	Secret token.Secret
	// Private is the key, for the oauth2 door: of RSA, 2048 bits at least, ECDSA or
	// Ed25519.
	Private crypto.Signer
	// Algorithm of the key (RFC 7518 section 3.1). Default: the usual one of
	// Private, else of the door: HS256 at ats, ES256 at oauth2.
	Algorithm string
	// Now lets it sign at once, when the one before is known to others. Default: a
	// public key is published for 10 minutes before it signs, so that verifiers
	// which keep the JWK set do not refuse its tokens. A shared secret always signs
	// at once.
	Now bool
}

// AddUser makes a user: store.ErrExists when the name is taken. Of u, Tenant
// (default store.DefaultTenant), Name, Roles, ACL and Policies count.
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

// AddApplication makes an application, a client in the words of RFC 6749:
// store.ErrExists when its ID is taken, by a user too. Tenant defaults to
// store.DefaultTenant, and an empty ID is made up. The secret is returned this
// once; it is zero for an application without one: with the AuthMethod none or
// private_key_jwt. The error names the field that is wrong.
func (s *Server) AddApplication(ctx context.Context, a store.Application) (store.Application, token.Secret, error) {
	a.Tenant = tenantOf(a.Tenant)
	return s.issuer.AddApplication(ctx, a)
}

// UpdateApplication replaces an application, but for its secret and CreatedAt:
// store.ErrConflict when a.UpdatedAt is not the record's any more. What was
// issued stays good.
func (s *Server) UpdateApplication(ctx context.Context, a store.Application) (store.Application, error) {
	a.Tenant = tenantOf(a.Tenant)
	return s.issuer.UpdateApplication(ctx, a)
}

// SetApplicationSecret gives an application another secret; the old one is void
// at once. What was issued stays good.
func (s *Server) SetApplicationSecret(ctx context.Context, tenant, id string) (token.Secret, error) {
	return s.issuer.SetApplicationSecret(ctx, tenantOf(tenant), id)
}

// DeleteApplication removes an application; its tokens and logins are void then.
func (s *Server) DeleteApplication(ctx context.Context, tenant, id string) error {
	return s.issuer.DeleteApplication(ctx, tenantOf(tenant), id)
}

// Application returns one application: store.ErrNotFound when there is none.
func (s *Server) Application(ctx context.Context, tenant, id string) (store.Application, error) {
	return s.issuer.Application(ctx, tenantOf(tenant), id)
}

// ListApplications returns up to limit applications whose IDs come after
// `after`, by ID.
func (s *Server) ListApplications(ctx context.Context, tenant, after string, limit int) ([]store.Application, error) {
	return s.issuer.ListApplications(ctx, tenantOf(tenant), after, limit)
}

// ErrValue says that a property cannot have a value.
var ErrValue = issuer.ErrValue

// Properties returns the settings that are changed while the service runs, by
// name; those that are not set have no Value.
func (s *Server) Properties(ctx context.Context, tenant string) ([]store.Property, error) {
	return s.issuer.Properties(ctx, tenantOf(tenant))
}

// SetProperty sets a property, at every door and for every process that follows
// the store. The error wraps store.ErrNotFound for a name that is none, and
// ErrValue for a value that makes no sense.
func (s *Server) SetProperty(ctx context.Context, tenant, name, value string) error {
	return s.issuer.SetProperty(ctx, tenantOf(tenant), name, value)
}

// ResetProperty makes a property one that is not set; that it is not is no error.
func (s *Server) ResetProperty(ctx context.Context, tenant, name string) error {
	return s.issuer.ResetProperty(ctx, tenantOf(tenant), name)
}

// PropertyDescription says what a property is for; empty: there is none of that
// name.
func PropertyDescription(name string) string { return issuer.PropertyDescription(name) }

// CheckTenant says which field of a tenant could not be meant, whatever tenants
// there are; the error names it.
func CheckTenant(t store.Tenant) error { return issuer.CheckTenant(t) }

// TenantDefaults is what the tapis door uses of a tenant where nothing is set:
// Algorithm, AccessTTL, RefreshTTL and MaxRefreshTTL.
func (s *Server) TenantDefaults() store.Tenant {
	return store.Tenant{
		Algorithm: issuer.FormatTapis().Algorithm(), AccessTTL: tapisAccessTTL, RefreshTTL: tapisRefreshTTL,
		MaxRefreshTTL: s.config.MaxRefreshTTL,
	}
}

// Doors returns the names of the doors that are open.
func (s *Server) Doors() []string { return slices.Clone(s.config.Dialects) }

// Keys returns the keys of a tenant's door that are in force or will be, the
// signing one first. The error names a door that is not open, or a tenant that it
// does not serve: tapis serves all, oauth2 those with a base URL of their own
// besides store.DefaultTenant, the others that alone.
func (s *Server) Keys(ctx context.Context, door, tenant string) ([]Key, error) {
	d, err := s.door(door, tenant)
	if err != nil {
		return nil, err
	}
	rows, err := d.Keys(ctx)
	if err != nil {
		return nil, err
	}
	keys := make([]Key, len(rows))
	for i, k := range rows {
		keys[i] = Key{
			Door: door, Tenant: d.Tenant, ID: k.ID, Algorithm: k.Algorithm, State: k.State,
			CreatedAt: k.CreatedAt, NotBefore: k.NotBefore, NotAfter: k.NotAfter, Secret: k.Secret,
		}
		if k.Private != nil {
			keys[i].Public = k.Private.Public()
		}
	}
	return keys, nil
}

// PublicKeys returns the public keys of a door as the JWK set (RFC 7517 section
// 5) that it publishes; the ats door, whose keys are shared secrets, has none.
func (s *Server) PublicKeys(_ context.Context, door, tenant string) ([]byte, error) {
	d, err := s.door(door, tenant)
	if err != nil {
		return nil, err
	}
	return d.JWKS()
}

// RotateKey makes a new signing key for a door. The old ones verify until their
// last token is over. The error names a door that is not open, or what is wrong
// with the key: ErrPEM for a shared secret that is none. Nothing is stored then.
func (s *Server) RotateKey(ctx context.Context, door, tenant string, r Rotation) error {
	d, err := s.door(door, tenant)
	if err != nil {
		return err
	}
	return d.RotateKey(ctx, issuer.Rotation{Secret: r.Secret, Private: r.Private, Algorithm: r.Algorithm, Now: r.Now})
}

// ErrPEM says that a key in PEM was given where a shared secret is asked for.
var ErrPEM = issuer.ErrPEM

// ErrSigns says that a key cannot be removed, since no other could sign.
var ErrSigns = issuer.ErrSigns

// RemoveKey takes a key of a tenant's door away at once: the tokens that it signed
// are not honoured any more. The error wraps store.ErrNotFound for a key that there
// is not; it is ErrSigns for the only one that signs.
func (s *Server) RemoveKey(ctx context.Context, door, tenant, id string) error {
	d, err := s.door(door, tenant)
	if err != nil {
		return err
	}
	return d.RemoveKey(ctx, id)
}

// ParsePrivateKey reads a private key for Rotation: PEM (PKCS #1, PKCS #8 or
// SEC 1) or a JWK (RFC 7517). The error says what the text is instead, and never
// quotes it.
func ParsePrivateKey(text token.Secret) (crypto.Signer, error) {
	return signing.ParsePrivate([]byte(text.Reveal()))
}

// door is an open one.
func (s *Server) door(name, tenant string) (*issuer.Door, error) {
	tenant = tenantOf(tenant)
	if !slices.Contains(s.config.Dialects, name) {
		return nil, fmt.Errorf("the door %q is not open; open: %s", name, strings.Join(s.config.Dialects, ", "))
	}
	if keyless := []string{"awx", "wazo"}; slices.Contains(keyless, name) && tenant == store.DefaultTenant {
		return nil, fmt.Errorf("the %s door has no keys: its tokens are kept in the store", name)
	}
	if open := map[string]*issuer.Door{"ats": s.ats, "oauth2": s.oauth2, "ciphertrust": s.kylo}[name]; open != nil && open.Tenant == tenant {
		return open, nil
	}
	doors := map[string]*issuer.Doors{"tapis": s.tapis, "oauth2": s.tenants}[name]
	if doors != nil {
		if served, ok := doors.Of(tenant); ok {
			return served.Door, nil
		}
	}
	return nil, fmt.Errorf("the door %q does not serve a tenant %q", name, tenant)
}

func tenantOf(name string) string {
	if name == "" {
		return store.DefaultTenant
	}
	return name
}
