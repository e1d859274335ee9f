package server

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// AddTenant makes a tenant, with keys at every door that serves all tenants:
// store.ErrExists when the name is taken. The error names the field that is wrong.
func (s *Server) AddTenant(ctx context.Context, t store.Tenant) error {
	return s.issuer.AddTenant(ctx, t)
}

// ChangeTenant replaces a tenant: store.ErrConflict when t.UpdatedAt is not the
// record's any more. Tokens of before are void where its issuer is another.
func (s *Server) ChangeTenant(ctx context.Context, t store.Tenant) error {
	return s.issuer.ChangeTenant(ctx, t)
}

// Tenant returns one tenant: store.ErrNotFound when there is none.
func (s *Server) Tenant(ctx context.Context, name string) (store.Tenant, error) {
	return s.issuer.Tenant(ctx, tenantOf(name))
}

// Tenants returns all tenants in the order in which they were made.
func (s *Server) Tenants(ctx context.Context) ([]store.Tenant, error) { return s.issuer.Tenants(ctx) }

// AddServiceAccount makes a service account: store.ErrExists when the name is
// taken. Of a, Tenant (default store.DefaultTenant), Name and MayMint count.
func (s *Server) AddServiceAccount(ctx context.Context, a store.ServiceAccount, password token.Secret) error {
	a.Tenant = tenantOf(a.Tenant)
	return s.issuer.AddServiceAccount(ctx, a, password)
}

// SetServicePassword gives a service account another password. All its tokens are
// void afterwards, unless keepTokens; what it minted for others stays good.
func (s *Server) SetServicePassword(ctx context.Context, tenant, name string, password token.Secret, keepTokens bool) error {
	return s.issuer.SetServicePassword(ctx, tenantOf(tenant), name, password, keepTokens)
}

// SetServiceDisabled disables a service account, whose tokens are void then, or
// enables it again.
func (s *Server) SetServiceDisabled(ctx context.Context, tenant, name string, disabled bool) error {
	return s.issuer.SetServiceDisabled(ctx, tenantOf(tenant), name, disabled)
}

// SetMayMint changes the tenants in which a service account mints for anybody.
func (s *Server) SetMayMint(ctx context.Context, tenant, name string, tenants []string) error {
	return s.issuer.SetMayMint(ctx, tenantOf(tenant), name, tenants)
}

// DeleteServiceAccount removes a service account; its tokens are void then.
func (s *Server) DeleteServiceAccount(ctx context.Context, tenant, name string) error {
	return s.issuer.DeleteServiceAccount(ctx, tenantOf(tenant), name)
}

// ServiceAccount returns one service account: store.ErrNotFound when there is none.
func (s *Server) ServiceAccount(ctx context.Context, tenant, name string) (store.ServiceAccount, error) {
	return s.issuer.ServiceAccount(ctx, tenantOf(tenant), name)
}

// ListServiceAccounts returns up to limit service accounts whose names come after
// `after`, by name.
func (s *Server) ListServiceAccounts(ctx context.Context, tenant, after string, limit int) ([]store.ServiceAccount, error) {
	return s.issuer.ListServiceAccounts(ctx, tenantOf(tenant), after, limit)
}

// byHost is the oauth2 doors of tenants that have an address of their own: a
// request is for the one whose base URL has its Host.
type byHost struct {
	server   *Server
	mu       sync.Mutex
	handlers map[string]hostHandler // by tenant
}

type hostHandler struct {
	of      *issuer.Door // a tenant that changes has another one
	handler *door.Handler
}

// openTenants opens the oauth2 doors of tenants with an address of their own.
func (s *Server) openTenants(ctx context.Context) (*byHost, error) {
	var err error
	s.tenants, err = s.issuer.Doors(ctx, func(t store.Tenant) (issuer.DoorConfig, bool) {
		own := t.Name != store.DefaultTenant && t.BaseURL != "" && hostOf(t.BaseURL) != hostOf(s.config.PublicURL)
		return s.standard(t.Name, t.BaseURL), own
	})
	return &byHost{server: s, handlers: make(map[string]hostHandler)}, err
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// Serves reports whether a request is for a tenant's own address, and for a path
// of the door there.
func (b *byHost) Serves(r *http.Request) bool {
	h := b.handler(r)
	return h != nil && h.Serves(r)
}

func (b *byHost) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.handler(r).ServeHTTP(w, r) }

// handler is that of the first tenant made that has the Host; nil: none has.
func (b *byHost) handler(r *http.Request) *door.Handler {
	for _, served := range b.server.tenants.All() {
		if strings.EqualFold(hostOf(served.Tenant.BaseURL), r.Host) {
			return b.of(served)
		}
	}
	return nil
}

func (b *byHost) of(served issuer.Served) *door.Handler {
	b.mu.Lock()
	defer b.mu.Unlock()
	known := b.handlers[served.Tenant.Name]
	if known.of == served.Door {
		return known.handler
	}
	h, err := b.server.standardHandler(served.Door, nil)
	if err != nil { // the issuer has checked the address
		b.server.config.Log.Error("a tenant's door cannot be opened", "tenant", served.Tenant.Name, "error", err)
	}
	b.handlers[served.Tenant.Name] = hostHandler{served.Door, h}
	return h
}
