package issuer

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Doors are those of one dialect that serves many tenants, one for each.
type Doors struct {
	issuer *Issuer
	config func(store.Tenant) (c DoorConfig, serves bool)
	all    atomic.Pointer[[]Served]
	// started tells that the doors were opened once: what is wrong then is a fault
	// of the configuration.
	started bool
}

// Served is a tenant with its door.
type Served struct {
	Tenant store.Tenant
	Door   *Door
}

// Doors opens a door for each tenant that config says is served. A tenant that is
// made or changed has its door as soon as this process has followed. Not to be
// called once Run has been.
func (i *Issuer) Doors(ctx context.Context, config func(store.Tenant) (c DoorConfig, serves bool)) (*Doors, error) {
	d := &Doors{issuer: i, config: config}
	d.all.Store(new([]Served))
	if err := d.load(ctx); err != nil {
		return nil, err
	}
	d.started = true
	i.tenanted = append(i.tenanted, d)
	return d, nil
}

// load opens the doors of tenants that are new or have changed.
func (d *Doors) load(ctx context.Context) error {
	tenants, err := d.issuer.Store.Tenants(ctx)
	if err != nil {
		return unavailable(err)
	}
	keys, err := d.issuer.Store.Keys(ctx)
	if err != nil {
		return unavailable(err)
	}
	var list []Served
	for _, t := range tenants {
		if old, known := d.Of(t.Name); known && old.Tenant == t {
			list = append(list, old)
			continue
		}
		config, serves := d.config(t)
		if !serves {
			continue
		}
		door, err := d.issuer.open(ctx, config, keys)
		if err != nil {
			if err = d.trouble(t, err); err != nil {
				return err
			}
			continue
		}
		list = append(list, Served{t, door})
	}
	d.all.Store(&list)
	return nil
}

// trouble keeps what is wrong with one tenant from all others, but at the start.
func (d *Doors) trouble(t store.Tenant, err error) error {
	if err = fmt.Errorf("tenant %s: %w", t.Name, err); !d.started || errors.Is(err, token.ErrUnavailable) {
		return err
	}
	d.issuer.Log.Error("a tenant is not served", "error", err)
	return nil
}

// Of returns a tenant with its door, false when there is none.
func (d *Doors) Of(tenant string) (Served, bool) {
	for _, s := range d.All() {
		if s.Tenant.Name == tenant {
			return s, true
		}
	}
	return Served{}, false
}

// All returns all tenants with their doors, in the order in which they were made.
// The slice must not be changed.
func (d *Doors) All() []Served { return *d.all.Load() }

// allDoors gives every door.
func (i *Issuer) allDoors() iter.Seq[*Door] {
	return func(yield func(*Door) bool) {
		for _, d := range i.doors {
			if !yield(d) {
				return
			}
		}
		for _, all := range i.tenanted {
			for _, s := range all.All() {
				if !yield(s.Door) {
					return
				}
			}
		}
	}
}

// Tenants returns all tenants in the order in which they were made.
func (i *Issuer) Tenants(ctx context.Context) ([]store.Tenant, error) {
	list, err := i.Store.Tenants(ctx)
	return list, unavailable(err)
}

// Tenant returns one tenant. The error of a name that is none wraps
// store.ErrNotFound.
func (i *Issuer) Tenant(ctx context.Context, name string) (store.Tenant, error) {
	list, err := i.Tenants(ctx)
	if err != nil {
		return store.Tenant{}, err
	}
	if n := slices.IndexFunc(list, func(t store.Tenant) bool { return t.Name == name }); n >= 0 {
		return list[n], nil
	}
	return store.Tenant{}, fmt.Errorf("no tenant %q: %w", shorten(name), store.ErrNotFound)
}

// AddTenant makes a tenant, with its keys: store.ErrExists when the name is taken.
// The error names the field that is wrong.
func (i *Issuer) AddTenant(ctx context.Context, t store.Tenant) error {
	if err := i.checkTenant(ctx, t); err != nil {
		return err
	}
	t.CreatedAt = i.clock.tick()
	t.UpdatedAt = t.CreatedAt
	commands := []store.Command{store.CreateTenant{Tenant: t}}
	for _, all := range i.tenanted {
		config, serves := all.config(t)
		if !serves {
			continue
		}
		door, err := i.closed(config)
		if err != nil {
			return err
		}
		key, err := door.newKey(Rotation{Now: true}, i.clock.tick())
		if err != nil {
			return err
		}
		commands = append(commands, key...)
	}
	return i.changeTenant(ctx, t, commands...)
}

// ChangeTenant replaces a tenant: store.ErrNotFound, or store.ErrConflict when its
// record is not the one that was read, by UpdatedAt. With another Issuer the tokens
// of before are void.
func (i *Issuer) ChangeTenant(ctx context.Context, t store.Tenant) error {
	if err := i.checkTenant(ctx, t); err != nil {
		return err
	}
	read := t.UpdatedAt
	t.UpdatedAt = i.clock.tick()
	return i.changeTenant(ctx, t, store.UpdateTenant{Tenant: t, Read: read})
}

func (i *Issuer) changeTenant(ctx context.Context, t store.Tenant, commands ...store.Command) error {
	told := store.Revoke{Revocation: store.Revocation{Kind: store.ChangeTenants, Key: t.Name, At: t.UpdatedAt}}
	err := i.alter(ctx, append(commands, told)...)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no tenant %q: %w", t.Name, err)
	case err != nil:
		return fmt.Errorf("tenant %q: %w", t.Name, err)
	}
	return i.sync(ctx)
}

// checkTenant is CheckTenant, and refuses a second tenant in which a site is
// administered.
func (i *Issuer) checkTenant(ctx context.Context, t store.Tenant) error {
	if err := CheckTenant(t); err != nil {
		return err
	}
	return i.checkSiteAdmin(ctx, t)
}

// CheckTenant refuses what would make a door that cannot be opened, or tokens that
// nobody can read. The error names the field.
func CheckTenant(t store.Tenant) error {
	if err := errors.Join(checkLabel("name", t.Name), checkOptional("site", t.Site), checkOptional("API version", t.APIVersion)); err != nil {
		return err
	}
	if t.Name == "" {
		return errors.New("tenant name is empty")
	}
	for _, u := range []struct{ name, text string }{{"issuer", t.Issuer}, {"base URL", t.BaseURL}} {
		if !isServiceURL(u.text) {
			return fmt.Errorf("%s %q: want http://HOST[/PATH] or https://HOST[/PATH] without a slash at the end", u.name, shorten(u.text))
		}
	}
	if t.Algorithm != "" {
		if err := signing.CheckAlgorithm(t.Algorithm); err != nil {
			return err
		}
	}
	for _, l := range []struct {
		name  string
		value int64
	}{
		{"access tokens", t.AccessTTL},
		{"refresh tokens", t.RefreshTTL},
		{"access tokens at most", t.MaxAccessTTL},
		{"refresh tokens at most", t.MaxRefreshTTL},
	} {
		if l.value < 0 || l.value > maxTTL {
			return fmt.Errorf("lifetime of %s: %d s, from 0 to %d is possible", l.name, l.value, maxTTL)
		}
	}
	return nil
}

// checkSiteAdmin refuses a second tenant in which a site is administered.
func (i *Issuer) checkSiteAdmin(ctx context.Context, t store.Tenant) error {
	if !t.SiteAdmin {
		return nil
	}
	list, err := i.Tenants(ctx)
	if err != nil {
		return err
	}
	for _, other := range list {
		if other.SiteAdmin && other.Site == t.Site && other.Name != t.Name {
			return fmt.Errorf("site %q is administered in tenant %q already", t.Site, other.Name)
		}
	}
	return nil
}

// maxLabel is how long the name of a tenant or site is, in bytes.
const maxLabel = 64

// checkLabel takes what can stand in a path and in NAME@TENANT.
func checkLabel(what, text string) error {
	odd := func(c rune) bool {
		return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("-_.", c)
	}
	if len(text) > maxLabel || strings.ContainsFunc(text, odd) || strings.Trim(text, ".") == "" {
		return fmt.Errorf("tenant %s %q: want 1 to %d letters, digits and . - _", what, shorten(text), maxLabel)
	}
	return nil
}

func checkOptional(what, text string) error {
	if text == "" {
		return nil
	}
	return checkLabel(what, text)
}

// isServiceURL takes what a service can be called by, and nothing.
func isServiceURL(text string) bool {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return true
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		return false
	}
	return u.Hostname() != "" && u.User == nil && !strings.ContainsAny(text, "?#") && !strings.HasSuffix(text, "/")
}
