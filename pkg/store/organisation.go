package store

import "context"

// Numbers are what some clients call records by: whole numbers from 1, given by
// the store in the order of creation, one row of them for each kind of record and
// tenant, and never given again.

// Organisation is a body of users within a tenant, to which applications belong.
// Key: Tenant and Number; Name is unique in the tenant too.
type Organisation struct {
	Tenant      string
	Number      int64 // given by the store
	Name        string
	Description string
	CreatedAt   int64
	UpdatedAt   int64
}

// Roles of a Membership.
const (
	OrganisationMember  = "member"
	OrganisationAdmin   = "admin"
	OrganisationAuditor = "auditor"
)

// Membership is one role of a user in an organisation. All of it is its key.
type Membership struct {
	Tenant       string
	Organisation int64
	User         string
	Role         string
}

type (
	// CreateOrganisation adds an organisation: ErrExists when its name is taken.
	CreateOrganisation struct {
		Organisation Organisation
		// Number, unless nil, is told the number that it was given.
		Number *int64
	}
	// UpdateOrganisation replaces name and description: ErrNotFound when there is
	// none, ErrExists when the name is taken, ErrConflict when its UpdatedAt is not
	// Read.
	UpdateOrganisation struct {
		Organisation Organisation
		Read         int64
	}
	// DeleteOrganisation removes an organisation and its memberships: ErrNotFound
	// when there is none, ErrConflict while an application belongs to it.
	DeleteOrganisation struct {
		Tenant string
		Number int64
	}
	// PutMembership adds a membership; that it is there already is no error.
	// ErrNotFound when there is no such organisation or user.
	PutMembership struct{ Membership Membership }
	// DeleteMembership removes a membership: ErrNotFound when there is none.
	DeleteMembership struct{ Membership Membership }
)

func (CreateOrganisation) command() {}
func (UpdateOrganisation) command() {}
func (DeleteOrganisation) command() {}
func (PutMembership) command()      {}
func (DeleteMembership) command()   {}

// Organisations reads organisations and who belongs to them. With a user go the
// user's memberships.
type Organisations interface {
	// Organisation returns one organisation: ErrNotFound when there is none.
	Organisation(ctx context.Context, tenant string, number int64) (Organisation, error)
	// ListOrganisations returns up to limit organisations of a tenant whose numbers
	// come after `after`, by number.
	ListOrganisations(ctx context.Context, tenant string, after int64, limit int) ([]Organisation, error)
	// Memberships returns all memberships of a user, by organisation and role.
	Memberships(ctx context.Context, tenant, user string) ([]Membership, error)
	// Members returns all memberships of an organisation, by user and role.
	Members(ctx context.Context, tenant string, organisation int64) ([]Membership, error)
}

// Numbered finds records by their numbers.
type Numbered interface {
	// UserByNumber returns one user: ErrNotFound when there is none.
	UserByNumber(ctx context.Context, tenant string, number int64) (User, error)
	// ApplicationByNumber returns one application: ErrNotFound when there is none.
	ApplicationByNumber(ctx context.Context, tenant string, number int64) (Application, error)
	// ListUsersByNumber returns up to limit users of a tenant whose numbers come
	// after `after`, by number.
	ListUsersByNumber(ctx context.Context, tenant string, after int64, limit int) ([]User, error)
	// ListApplicationsByNumber is the same for applications.
	ListApplicationsByNumber(ctx context.Context, tenant string, after int64, limit int) ([]Application, error)
}
