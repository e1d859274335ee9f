package issuer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// PropertyMaxRefresh is the longest that any refresh token of the tenant lives,
// at every door, those that were issued already included.
const PropertyMaxRefresh = "MAXIMUM_REFRESH_TOKEN_LIFETIME"

// Lifetimes of what a door gives whose tokens are rows (FormatAWX), in seconds.
// Those that were given already keep theirs.
const (
	PropertyAccessExpire = "ACCESS_TOKEN_EXPIRE_SECONDS"
	PropertyCodeExpire   = "AUTHORIZATION_CODE_EXPIRE_SECONDS"
)

// ErrValue says that a property cannot have a value.
var ErrValue = errors.New("value not possible")

// property is one that there is. check refuses a value that makes no sense.
type property struct {
	name, description string
	check             func(value string) error
}

func properties() []property {
	return []property{{
		PropertyAccessExpire, "How many seconds an access token of the awx door lives, from 1. Not set: 31536000000.", checkSeconds,
	}, {
		PropertyCodeExpire, "How many seconds an authorization code of the awx door can be traded, from 1. Not set: 600.", checkSeconds,
	}, {
		PropertyMaxRefresh, "The longest that a refresh token lives, those issued already included: 24h, 30d, 90m or seconds. Not set: no limit.",
		func(value string) error { _, err := parseLifetime(value); return err },
	}}
}

func checkSeconds(value string) error {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || n == 0 || n > maxTTL {
		return fmt.Errorf("%w: %q is not a whole number of seconds from 1", ErrValue, shorten(value))
	}
	return nil
}

// findProperty returns one that there is. The error of another wraps
// store.ErrNotFound.
func findProperty(name string) (property, error) {
	all := properties()
	if i := slices.IndexFunc(all, func(p property) bool { return p.name == name }); i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.name
	}
	return property{}, fmt.Errorf("property %q: %w: there is %s", shorten(name), store.ErrNotFound, strings.Join(names, ", "))
}

// shorten keeps a name that was sent from filling an answer.
func shorten(name string) string {
	if len(name) > 64 {
		return name[:64] + "..."
	}
	return name
}

// PropertyDescription says what a property is for; empty: there is none of that
// name.
func PropertyDescription(name string) string {
	p, _ := findProperty(name)
	return p.description
}

// Properties returns all properties that there are, by name; those that are not
// set have no Value.
func (i *Issuer) Properties(ctx context.Context, tenant string) ([]store.Property, error) {
	var list []store.Property
	for _, known := range properties() {
		p, err := i.Property(ctx, tenant, known.name)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// Property returns one property, with no Value where it is not set. The error of
// a name that is none wraps store.ErrNotFound.
func (i *Issuer) Property(ctx context.Context, tenant, name string) (store.Property, error) {
	if _, err := findProperty(name); err != nil {
		return store.Property{}, err
	}
	p, err := i.Store.Property(ctx, tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.Property{Tenant: tenant, Name: name}, nil
	}
	return p, unavailable(err)
}

// SetProperty sets a property: ErrValue, and an error that wraps
// store.ErrNotFound for a name that is none. It holds at once, and in every other
// process as soon as that has followed.
func (i *Issuer) SetProperty(ctx context.Context, tenant, name, value string) error {
	p, err := findProperty(name)
	if err != nil {
		return err
	}
	if err := p.check(value); err != nil {
		return fmt.Errorf("property %s: %w", name, err)
	}
	at := i.clock.tick()
	return i.changeProperty(ctx, tenant, at, store.PutProperty{Property: store.Property{Tenant: tenant, Name: name, Value: value, UpdatedAt: at}})
}

// ResetProperty makes a property one that is not set. That it is not is no error.
func (i *Issuer) ResetProperty(ctx context.Context, tenant, name string) error {
	if _, err := findProperty(name); err != nil {
		return err
	}
	err := i.changeProperty(ctx, tenant, i.clock.tick(), store.DeleteProperty{Tenant: tenant, Name: name})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (i *Issuer) changeProperty(ctx context.Context, tenant string, at int64, change store.Command) error {
	err := i.alter(ctx, change, store.Revoke{Revocation: store.Revocation{Kind: store.ChangeProperties, Key: tenant, At: at}})
	if err != nil {
		return err
	}
	return i.sync(ctx)
}

// lifetime is what a property of seconds says, else the usual.
func (d *Door) lifetime(ctx context.Context, name string, usual int64) (int64, error) {
	p, err := d.issuer.Property(ctx, d.Tenant, name)
	if err != nil || p.Value == "" {
		return usual, err
	}
	seconds, err := parseLifetime(p.Value)
	if err != nil {
		return 0, fmt.Errorf("property %s: %w", name, err)
	}
	return seconds, nil
}

// loadLimit reads the maximum that an administrator has set. It never lengthens
// what the configuration allows.
func (d *Door) loadLimit(ctx context.Context) error {
	p, err := d.issuer.Property(ctx, d.Tenant, PropertyMaxRefresh)
	if err != nil {
		return err
	}
	limit := d.MaxRefreshTTL
	if p.Value != "" {
		most, err := parseLifetime(p.Value)
		if err != nil {
			return fmt.Errorf("property %s: %w", p.Name, err)
		}
		if limit == 0 || most < limit {
			limit = most
		}
	}
	d.LimitRefresh(limit)
	return nil
}

// parseLifetime reads seconds, or a number with s, m, h, d or w.
func parseLifetime(text string) (seconds int64, err error) {
	number, unit := text, int64(1)
	if n := len(text); n > 0 {
		if u, ok := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}[text[n-1]]; ok {
			unit, number = u, text[:n-1]
		}
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil || n == 0 || n > uint64(maxTTL/unit) {
		return 0, fmt.Errorf("%w: %q is not a lifetime: seconds from 1, or a number with s, m, h, d or w", ErrValue, shorten(text))
	}
	return int64(n) * unit, nil
}
