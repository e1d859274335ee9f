package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// AddOrganisation makes an organisation: store.ErrExists when the name is taken.
// Of o, Tenant, Name and Description count.
func (i *Issuer) AddOrganisation(ctx context.Context, o store.Organisation) (store.Organisation, error) {
	if err := checkOrganisation(o); err != nil {
		return o, err
	}
	if _, err := i.Tenant(ctx, o.Tenant); err != nil {
		return o, err
	}
	o.CreatedAt = i.clock.tick()
	o.UpdatedAt = o.CreatedAt
	err := i.alter(ctx, store.CreateOrganisation{Organisation: o, Number: &o.Number})
	return o, namedOrganisation(o.Name, err)
}

// maxDescription bounds what people say of a record, in bytes.
const maxDescription = 1024

func checkOrganisation(o store.Organisation) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case o.Name == "":
		return errors.New("organisation name is empty")
	case len(o.Name) > 255 || !utf8.ValidString(o.Name) || slices.ContainsFunc([]rune(o.Name), odd):
		return errors.New("organisation name: want up to 255 bytes of printable UTF-8")
	}
	return checkDescription(o.Description)
}

func checkDescription(text string) error {
	if len(text) > maxDescription || !utf8.ValidString(text) {
		return fmt.Errorf("description: want up to %d bytes of UTF-8", maxDescription)
	}
	return nil
}

// UpdateOrganisation changes name and description: store.ErrNotFound,
// store.ErrExists, or store.ErrConflict when o.UpdatedAt is not the record's.
func (i *Issuer) UpdateOrganisation(ctx context.Context, o store.Organisation) error {
	if err := checkOrganisation(o); err != nil {
		return err
	}
	read := o.UpdatedAt
	o.UpdatedAt = i.clock.tick()
	return namedOrganisation(o.Name, i.alter(ctx, store.UpdateOrganisation{Organisation: o, Read: read}))
}

// DeleteOrganisation removes an organisation: store.ErrConflict while an
// application belongs to it.
func (i *Issuer) DeleteOrganisation(ctx context.Context, tenant string, number int64) error {
	return namedOrganisation(fmt.Sprint(number), i.alter(ctx, store.DeleteOrganisation{Tenant: tenant, Number: number}))
}

// SetMember gives a user a role in an organisation, or takes it: store.ErrNotFound
// when there is no such organisation or user, or nothing to take.
func (i *Issuer) SetMember(ctx context.Context, m store.Membership, member bool) error {
	roles := []string{store.OrganisationMember, store.OrganisationAdmin, store.OrganisationAuditor}
	if !slices.Contains(roles, m.Role) {
		return fmt.Errorf("role %q is not one of %v", shorten(m.Role), roles)
	}
	var change store.Command = store.DeleteMembership{Membership: m}
	if member {
		change = store.PutMembership{Membership: m}
	}
	return i.alter(ctx, change)
}

// Organisation returns one organisation: store.ErrNotFound when there is none.
func (i *Issuer) Organisation(ctx context.Context, tenant string, number int64) (store.Organisation, error) {
	o, err := i.Store.Organisation(ctx, tenant, number)
	return o, namedOrganisation(fmt.Sprint(number), unavailable(err))
}

// Organisations returns all organisations of a tenant, by number.
func (i *Issuer) Organisations(ctx context.Context, tenant string) (all []store.Organisation, err error) {
	const page = 500
	for after := int64(0); ; after = all[len(all)-1].Number {
		list, err := i.Store.ListOrganisations(ctx, tenant, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, list...)
		if len(list) < page {
			return all, nil
		}
	}
}

// Members returns who belongs to an organisation, by user and role.
func (i *Issuer) Members(ctx context.Context, tenant string, number int64) ([]store.Membership, error) {
	list, err := i.Store.Members(ctx, tenant, number)
	return list, unavailable(err)
}

// Memberships returns the organisations that a user belongs to, and how.
func (i *Issuer) Memberships(ctx context.Context, tenant, user string) ([]store.Membership, error) {
	list, err := i.Store.Memberships(ctx, tenant, user)
	return list, unavailable(err)
}

func namedOrganisation(name string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no organisation %q: %w", name, err)
	case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrConflict):
		return fmt.Errorf("organisation %q: %w", name, err)
	}
	return err
}
