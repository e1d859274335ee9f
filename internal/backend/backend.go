// Package backend asks places outside our store whether a name and a password
// belong together, and what groups somebody is in: directories that speak LDAP.
//
// It never writes to a directory, never sends a password in clear over a network,
// never keeps one, and never says no when it could not ask.
package backend

import (
	"context"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Person is somebody a directory knows.
type Person struct {
	// Name is the canonical name, as the directory spells it, which need not be how
	// it was typed: directories take Alice, ALICE and alice for one.
	Name string
	// ID is what the directory calls the person for good, also under a new name: the
	// attribute that says so, "=", and its value.
	ID string
	DN string // the entry's distinguished name (RFC 4514), as the directory spells it
	// Roles and Policies are what the person's groups give. They are known after
	// Verify and Groups, sorted, each once.
	Roles, Policies []string
}

// Directory is a place where people and their passwords are known. It is safe for
// concurrent use.
type Directory interface {
	// Find looks up who has that name. token.ErrUnknown when nobody has it, or more
	// than one; token.ErrUnavailable when that could not be learnt.
	Find(ctx context.Context, name string) (Person, error)
	// Verify checks the password of somebody that Find found, and returns them with
	// their Roles and Policies. token.ErrCredentials when it is not theirs, or they may
	// not log in; token.ErrUnavailable when that could not be learnt.
	Verify(ctx context.Context, p Person, password token.Secret) (Person, error)
	// Groups returns somebody that Find found with their Roles and Policies, without a
	// password: token.ErrUnavailable when these could not be learnt.
	Groups(ctx context.Context, p Person) (Person, error)
	// Close waits for what is being asked and ends all connections. What is asked
	// later is token.ErrUnavailable.
	Close() error
}
