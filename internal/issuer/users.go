package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// AddUser makes a user: store.ErrExists when the name is taken.
func (i *Issuer) AddUser(ctx context.Context, u store.User, pass token.Secret) error {
	if err := checkName("user", u.Name); err != nil {
		return err
	}
	if _, err := i.Tenant(ctx, u.Tenant); err != nil {
		return err
	}
	hashed, err := i.newHash(ctx, pass)
	if err != nil {
		return err
	}
	for _, role := range u.Roles {
		if role != store.RoleAdmin && role != store.RoleAuditor {
			return fmt.Errorf("role %q is neither %s nor %s", role, store.RoleAdmin, store.RoleAuditor)
		}
	}
	if err := checkRights(u); err != nil {
		return err
	}
	u.Roles, u.ACL, u.Policies = slices.Clone(u.Roles), slices.Clone(u.ACL), slices.Clone(u.Policies)
	slices.Sort(u.Roles)
	u.Roles = slices.Compact(u.Roles)
	u.PasswordHash, u.CreatedAt = hashed, i.clock.tick()
	u.UpdatedAt = u.CreatedAt
	return i.named(u.Name, i.alter(ctx, store.CreateUser{User: u}))
}

func (i *Issuer) newHash(ctx context.Context, pass token.Secret) (string, error) {
	text := pass.Reveal()
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		return "", errors.New("the password is empty")
	case n < i.MinPassword:
		return "", fmt.Errorf("the password has %d characters, at least %d are demanded", n, i.MinPassword)
	}
	return i.Hasher.Hash(ctx, text)
}

// SetPassword gives a user another password and voids all the user's tokens,
// unless they are to be kept.
func (i *Issuer) SetPassword(ctx context.Context, tenant, name string, pass token.Secret, keepTokens bool) error {
	hashed, err := i.newHash(ctx, pass)
	if err != nil {
		return err
	}
	u, err := i.User(ctx, tenant, name)
	if err == nil && u.Backend != "" {
		err = fmt.Errorf("the password of user %q is that of the directory %q", name, u.Backend)
	}
	if err != nil {
		return err
	}
	return i.change(ctx, tenant, name, !keepTokens, func(u *store.User) { u.PasswordHash = hashed })
}

// SetDisabled disables a user and voids all the user's tokens, or enables the
// user again.
func (i *Issuer) SetDisabled(ctx context.Context, tenant, name string, disabled bool) error {
	return i.change(ctx, tenant, name, disabled, func(u *store.User) { u.Disabled = disabled })
}

// change edits a user's record, again if another process was faster.
func (i *Issuer) change(ctx context.Context, tenant, name string, void bool, edit func(*store.User)) error {
	for {
		u, err := i.User(ctx, tenant, name)
		if err != nil {
			return err
		}
		read := u.UpdatedAt
		edit(&u)
		u.UpdatedAt = i.clock.tick()
		update := store.UpdateUser{User: u, Read: read}
		if void {
			err = i.voidUser(ctx, tenant, name, update)
		} else {
			err = i.alter(ctx, update)
		}
		if !errors.Is(err, store.ErrConflict) {
			return i.named(name, err)
		}
	}
}

// DeleteUser removes a user and voids all the user's tokens.
func (i *Issuer) DeleteUser(ctx context.Context, tenant, name string) error {
	return i.named(name, i.voidUser(ctx, tenant, name, store.DeleteUser{Tenant: tenant, Name: name}))
}

// User returns one user: store.ErrNotFound when there is none.
func (i *Issuer) User(ctx context.Context, tenant, name string) (store.User, error) {
	u, err := i.Store.User(ctx, tenant, name)
	return u, i.named(name, unavailable(err))
}

// ListUsers returns up to limit users whose names come after `after`.
func (i *Issuer) ListUsers(ctx context.Context, tenant, after string, limit int) ([]store.User, error) {
	list, err := i.Store.ListUsers(ctx, tenant, after, limit)
	return list, unavailable(err)
}

func (i *Issuer) named(user string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no user %q: %w", user, err)
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("user %q: %w", user, err)
	}
	return err
}
