package store

import "context"

// Tenant is a body of users, applications and service accounts with keys of its
// own. Key: Name. DefaultTenant exists from the start, all else in it zero.
// Lifetimes are seconds.
type Tenant struct {
	Name          string
	Algorithm     string // of the keys that are made for it, a JWA name; empty: the door's usual one
	Issuer        string // iss of its tokens; empty: what the door makes of BaseURL
	BaseURL       string // where its services are called, without a slash at the end; empty: where this service is
	Site          string // the installation that it belongs to; empty: the only one
	SiteAdmin     bool   // it is the one in which its site is administered
	APIVersion    string // as answers name it; empty: the door's own
	AccessTTL     int64  // of an access token; 0: the door's own
	RefreshTTL    int64  // of a refresh token; 0: the door's own
	MaxAccessTTL  int64  // the longest that can be asked for; 0: no limit
	MaxRefreshTTL int64  // the same of refresh tokens
	WeakKeys      bool   // RSA keys under 2048 bits may sign
	CreatedAt     int64
	UpdatedAt     int64
}

// ServiceAccount is a program that mints tokens for others. Key: Tenant and
// Name; it does not share the names of users and applications. MayMint is kept in
// the order given, none reads as nil.
type ServiceAccount struct {
	Tenant       string
	Name         string
	PasswordHash string   // PHC string
	MayMint      []string // the tenants in which it may mint for anybody
	Disabled     bool
	CreatedAt    int64
	UpdatedAt    int64
}

type (
	// CreateTenant adds a tenant: ErrExists when there is one.
	CreateTenant struct{ Tenant Tenant }
	// UpdateTenant replaces a tenant: ErrNotFound when there is none, ErrConflict
	// when its UpdatedAt is not Read. CreatedAt stays as it is.
	UpdateTenant struct {
		Tenant Tenant
		Read   int64
	}
	// CreateServiceAccount adds a service account: ErrExists when there is one.
	CreateServiceAccount struct{ ServiceAccount ServiceAccount }
	// UpdateServiceAccount replaces a service account: ErrNotFound when there is
	// none, ErrConflict when its UpdatedAt is not Read. CreatedAt stays as it is.
	UpdateServiceAccount struct {
		ServiceAccount ServiceAccount
		Read           int64
	}
	// DeleteServiceAccount removes a service account: ErrNotFound when there is none.
	DeleteServiceAccount struct{ Tenant, Name string }
	// RetireKey sets State on a key and NotAfter to LastSigned and the longer of
	// Least and its LongestTTL, both seconds, unless NotAfter is set and earlier:
	// ErrNotFound when there is no such key.
	RetireKey struct {
		ID         string
		State      string
		LastSigned int64
		Least      int64
	}
	// StretchKey says that a key has signed a token at At that lives for TTL seconds:
	// LongestTTL becomes TTL where it is less, and NotAfter, where it is set, At and
	// TTL where it is earlier. ErrNotFound when there is no such key.
	StretchKey struct {
		ID  string
		TTL int64
		At  int64
	}
)

func (CreateTenant) command()         {}
func (UpdateTenant) command()         {}
func (CreateServiceAccount) command() {}
func (UpdateServiceAccount) command() {}
func (DeleteServiceAccount) command() {}
func (RetireKey) command()            {}
func (StretchKey) command()           {}

// Tenants reads tenants.
type Tenants interface {
	// Tenants returns all tenants in the order in which they were made, those of one
	// instant by name.
	Tenants(ctx context.Context) ([]Tenant, error)
}

// ServiceAccounts reads service accounts.
type ServiceAccounts interface {
	// ServiceAccount returns one service account: ErrNotFound when there is none.
	ServiceAccount(ctx context.Context, tenant, name string) (ServiceAccount, error)
	// ListServiceAccounts returns up to limit service accounts of a tenant whose
	// names come after `after`, by name.
	ListServiceAccounts(ctx context.Context, tenant, after string, limit int) ([]ServiceAccount, error)
}
