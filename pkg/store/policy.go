package store

import "context"

// Policy is a named list of templates of access strings. Key: Tenant and UUID; Name
// is unique in the tenant too. Templates are kept in the order given, none reads as
// nil.
type Policy struct {
	Tenant      string
	UUID        string // RFC 9562, in lower case
	Name        string
	Description string
	Templates   []string
	CreatedAt   int64
	UpdatedAt   int64
}

type (
	// CreatePolicy adds a policy: ErrExists when its UUID or its name is taken.
	CreatePolicy struct{ Policy Policy }
	// UpdatePolicy replaces a policy: ErrNotFound when there is none, ErrExists when
	// the name is another's, ErrConflict when its UpdatedAt is not Read. CreatedAt
	// stays as it is.
	UpdatePolicy struct {
		Policy Policy
		Read   int64
	}
	// DeletePolicy removes a policy: ErrNotFound when there is none, ErrConflict when
	// its UpdatedAt is not Read; 0: whatever it is.
	DeletePolicy struct {
		Tenant, UUID string
		Read         int64
	}
)

func (CreatePolicy) command() {}
func (UpdatePolicy) command() {}
func (DeletePolicy) command() {}

// Policies reads policies.
type Policies interface {
	// Policy returns one policy: ErrNotFound when there is none.
	Policy(ctx context.Context, tenant, uuid string) (Policy, error)
	// PolicyByName is Policy by its name.
	PolicyByName(ctx context.Context, tenant, name string) (Policy, error)
	// ListPolicies returns up to limit policies of a tenant whose names come after
	// `after`, by name.
	ListPolicies(ctx context.Context, tenant, after string, limit int) ([]Policy, error)
}
