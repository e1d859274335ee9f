package issuer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// recheckEvery asks the directories again about their people, until ctx ends.
func (i *Issuer) recheckEvery(ctx context.Context) {
	if i.Recheck <= 0 || !slices.ContainsFunc(i.Config.Backends, func(b Backend) bool { return b.Directory != nil }) {
		return
	}
	every := time.NewTicker(i.Recheck)
	defer every.Stop()
	gone := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			i.recheck(ctx, gone)
		}
	}
}

// recheck brings the roles and policies of directories' people up to date, and voids
// what those have who are not there any more. Their records stay: a mistake in the
// configuration must not take numbers and memberships. gone are those who were
// missing before.
func (i *Issuer) recheck(ctx context.Context, gone map[string]bool) {
	tenants, err := i.Tenants(ctx)
	if err != nil {
		i.Log.Warn("the people of directories cannot be looked at", "error", err)
		return
	}
	for _, t := range tenants {
		byName := map[string]Backend{}
		for _, b := range i.backends(t.Name) {
			if b.Directory != nil {
				byName[b.Name] = b
			}
		}
		if err := i.recheckTenant(ctx, t.Name, byName, gone); err != nil {
			i.Log.Warn("the people of directories cannot be looked at: the next time", "tenant", t.Name, "error", err)
		}
	}
}

func (i *Issuer) recheckTenant(ctx context.Context, tenant string, byName map[string]Backend, gone map[string]bool) error {
	const page = 500
	for after := ""; ; {
		list, err := i.Store.ListUsers(ctx, tenant, after, page)
		if err != nil {
			return unavailable(err)
		}
		for _, u := range list {
			after = u.Name
			b, ok := byName[u.Backend]
			if !ok || u.Disabled {
				continue
			}
			if err := i.recheckUser(ctx, u, b, gone); err != nil {
				i.Log.Warn("a directory cannot be asked about its people: the next time", "backend", b.Name, "tenant", tenant, "error", err)
				delete(byName, b.Name)
			}
		}
		if len(list) < page {
			return nil
		}
	}
}

// recheckUser is recheck for one. An error means that the directory cannot be asked.
func (i *Issuer) recheckUser(ctx context.Context, u store.User, b Backend, gone map[string]bool) error {
	key := store.SubjectKey(u.Tenant, u.Name)
	p, err := b.Directory.Find(ctx, u.Name)
	if err == nil && (p.Name != u.Name || isAnother(u, p)) {
		err = token.ErrUnknown
	}
	if err == nil {
		p, err = b.Directory.Groups(ctx, p)
	}
	switch {
	case errors.Is(err, token.ErrUnknown):
		if gone[key] {
			return nil
		}
		i.Log.Warn("a person is not in the directory any more: what was issued is void", "user", u.Name, "backend", b.Name)
		if err := i.RevokeUser(ctx, u.Tenant, u.Name); err != nil {
			return err
		}
		gone[key] = true
		return nil
	case err != nil:
		return err
	}
	delete(gone, key)
	return i.takeOver(ctx, u, b, p)
}

// takeOver makes the record say what a person's groups say. Whoever has lost a role
// loses what was issued by it.
func (i *Issuer) takeOver(ctx context.Context, u store.User, b Backend, p backend.Person) error {
	changes := i.changesOf(u.Tenant, u, b, p)
	if len(changes) == 0 {
		return nil
	}
	lost := slices.ContainsFunc(slices.Concat(u.Roles, u.Policies), func(had string) bool {
		return !slices.Contains(slices.Concat(p.Roles, p.Policies), had)
	})
	i.Log.Info("a person's groups have changed in the directory", "user", u.Name, "backend", b.Name, "void", lost)
	var err error
	if lost {
		err = i.voidUser(ctx, u.Tenant, u.Name, changes...)
	} else {
		err = i.alter(ctx, changes...)
	}
	if isRace(err) { // a login or an administrator was faster: the next time
		return nil
	}
	return err
}
