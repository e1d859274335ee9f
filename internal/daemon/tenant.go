package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// tapis is the door that serves every tenant with keys of its own.
const tapis = "tapis"

func (a *app) tenantCommand() *cobra.Command {
	c := &cobra.Command{Use: "tenant", Short: "Manage the tenants, which have users and keys of their own"}
	c.AddCommand(a.tenantAdd(), a.tenantList(), a.tenantShow(), a.tenantSet())
	return c
}

// tenantFlags are what a tenant is made from, as the changes that were asked for.
type tenantFlags struct{ edits []func(*store.Tenant) }

// apply makes the changes.
func (f *tenantFlags) apply(t *store.Tenant) {
	for _, edit := range f.edits {
		edit(t)
	}
}

// check refuses what no tenant can be.
func (f *tenantFlags) check(name string) error {
	if err := checkTenantName(name); err != nil {
		return err
	}
	wanted := store.Tenant{Name: name}
	f.apply(&wanted)
	if err := server.CheckTenant(wanted); err != nil {
		return &command.UsageError{Problem: err.Error()}
	}
	return nil
}

func (f *tenantFlags) add(c *cobra.Command) *cobra.Command {
	f.text(c, "alg", "`ALGORITHM` of the keys that are made for it: RS256 (the default), RS384, RS512, PS256 to PS512, ES256, ES384, ES512, EdDSA",
		func(t *store.Tenant) *string { return &t.Algorithm })
	f.text(c, "issuer", "iss of its tokens, a `URL`; default: BASE_URL/v3/tokens", func(t *store.Tenant) *string { return &t.Issuer })
	f.text(c, "base-url", "where its services are called, a `URL` without a slash at the end; default: [server] public_url",
		func(t *store.Tenant) *string { return &t.BaseURL })
	f.text(c, "site", "the `SITE`, an installation, that it belongs to", func(t *store.Tenant) *string { return &t.Site })
	f.flag(c, "site-admin", "its site is administered in it", func(t *store.Tenant) *bool { return &t.SiteAdmin })
	f.text(c, "api-version", "the `VERSION` that answers name", func(t *store.Tenant) *string { return &t.APIVersion })
	f.lifetime(c, "access-ttl", "lifetime of an access token, a `DURATION`: 300, 5m, 30d; default, and with 0: 300", func(t *store.Tenant) *int64 { return &t.AccessTTL })
	f.lifetime(c, "refresh-ttl", "lifetime of a refresh token, a `DURATION`; default, and with 0: 600", func(t *store.Tenant) *int64 { return &t.RefreshTTL })
	f.lifetime(c, "max-access-ttl", "the longest lifetime of an access token that can be asked for, a `DURATION`; 0: no limit", func(t *store.Tenant) *int64 { return &t.MaxAccessTTL })
	f.lifetime(c, "max-refresh-ttl", "the same of refresh tokens, a `DURATION`", func(t *store.Tenant) *int64 { return &t.MaxRefreshTTL })
	f.flag(c, "allow-weak-key", "let RSA keys of 1024 to 2047 bits sign for it; they can be broken", func(t *store.Tenant) *bool { return &t.WeakKeys })
	return c
}

func (f *tenantFlags) text(c *cobra.Command, name, usage string, field func(*store.Tenant) *string) {
	c.Flags().Func(name, usage, func(text string) error {
		f.edits = append(f.edits, func(t *store.Tenant) { *field(t) = text })
		return nil
	})
}

func (f *tenantFlags) flag(c *cobra.Command, name, usage string, field func(*store.Tenant) *bool) {
	c.Flags().BoolFunc(name, usage, func(text string) error {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("neither true nor false")
		}
		f.edits = append(f.edits, func(t *store.Tenant) { *field(t) = on })
		return nil
	})
}

func (f *tenantFlags) lifetime(c *cobra.Command, name, usage string, field func(*store.Tenant) *int64) {
	c.Flags().Func(name, usage, func(text string) error {
		seconds, good := parseLifetime(text)
		if !good {
			return fmt.Errorf("not %s, %d s at most", lifetimeWanted, int64(maxSeconds))
		}
		f.edits = append(f.edits, func(t *store.Tenant) { *field(t) = seconds })
		return nil
	})
}

const algorithmHelp = `

Tapis's own clients take RS256 alone. Where all who verify take others, ES256 and
EdDSA sign in about a tenth of the time, and their tokens are shorter.`

func (a *app) tenantAdd() *cobra.Command {
	var f tenantFlags
	var idempotent bool
	c := f.add(a.formatFlag(&cobra.Command{
		Use: "add NAME", Short: "Add a tenant, with a key of its own at the tapis door", Args: cobra.ExactArgs(1),
		Long:    "Add a tenant, with a key of its own at the tapis door." + algorithmHelp,
		Example: "  ats-auth-server tenant add dev --issuer https://dev.api.tapis.io/v3/tokens --access-ttl 4h",
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(args[0]); err != nil {
				return err
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			return a.withStore(c.Context(), config, func(s *server.Server) error {
				return a.addTenant(c.Context(), s, args[0], &f, idempotent)
			})
		},
	}))
	c.Flags().BoolVar(&idempotent, "if-not-exists", false, "leave a tenant that is there already as it is, and succeed")
	return c
}

// checkTenantName refuses the empty name, which elsewhere stands for the default
// tenant.
func checkTenantName(name string) error {
	if name == "" {
		return command.Usage("the tenant name is empty")
	}
	return nil
}

func (a *app) addTenant(ctx context.Context, s *server.Server, name string, f *tenantFlags, idempotent bool) error {
	made := store.Tenant{Name: name}
	f.apply(&made)
	_, err := s.Tenant(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		err = s.AddTenant(ctx, made)
	} else if err == nil {
		err = store.ErrExists
	}
	switch {
	case errors.Is(err, store.ErrExists) && idempotent:
		a.say("there is a tenant %s already; nothing was changed", name)
		return a.answer(map[string]string{"name": name}, "")
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("there is a tenant %q already", name)
	case err != nil:
		return err
	}
	a.say("tenant %s added", name)
	a.hintClosed(s)
	return a.answer(map[string]string{"name": name}, "")
}

// hintClosed says that what was made is for a door that is not open.
func (a *app) hintClosed(s *server.Server) {
	if !slices.Contains(s.Doors(), tapis) {
		a.say("hint: the tapis door is closed: [server] dialects does not name it")
	}
}

func (a *app) tenantSet() *cobra.Command {
	var f tenantFlags
	return f.add(a.formatFlag(&cobra.Command{
		Use: "set NAME", Short: "Change a tenant; a running server follows at once", Args: cobra.ExactArgs(1),
		Long: `Change of a tenant what flags name; a running server follows at once. With
another issuer the tokens of before are void. An algorithm is that of keys that
are made from then on: key rotate makes one.` + algorithmHelp,
		Example: "  ats-auth-server tenant set dev --site-admin=false --max-access-ttl 30d",
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(args[0]); err != nil {
				return err
			}
			if len(f.edits) == 0 {
				return command.Usage("tenant set: which change? --access-ttl 1h, say")
			}
			return a.with(c.Context(), func(s *server.Server) error {
				if err := changeTenant(c.Context(), s, args[0], f.apply); err != nil {
					return err
				}
				a.say("tenant %s changed", args[0])
				return a.answer(map[string]string{"name": args[0]}, "")
			})
		},
	}))
}

// changeTenant changes a tenant, again where another process was faster.
func changeTenant(ctx context.Context, s *server.Server, name string, edit func(*store.Tenant)) error {
	for {
		t, err := s.Tenant(ctx, name)
		if err != nil {
			return err
		}
		weak := t.WeakKeys
		edit(&t)
		if weak && !t.WeakKeys {
			if err := noWeakKey(ctx, s, name); err != nil {
				return err
			}
		}
		if err := s.ChangeTenant(ctx, t); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// noWeakKey refuses a tenant with keys that would not be allowed any more: its
// door could not be opened.
func noWeakKey(ctx context.Context, s *server.Server, tenant string) error {
	if !slices.Contains(s.Doors(), tapis) {
		return nil
	}
	keys, err := s.Keys(ctx, tapis, tenant)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if reason, weak := signing.WeakKey(k.Public); weak {
			return fmt.Errorf("tenant %s has %s: ats-auth-server key rotate --tenant %s, then key remove %s --tenant %s", tenant, reason, tenant, k.ID, tenant)
		}
	}
	return nil
}

// tenantView is what is shown of a tenant. Lifetimes are seconds; 0: the door's
// own, and no limit.
type tenantView struct {
	Name          string `json:"name"`
	Algorithm     string `json:"alg"`
	Issuer        string `json:"issuer"`
	BaseURL       string `json:"base_url"`
	Site          string `json:"site"`
	SiteAdmin     bool   `json:"site_admin"`
	APIVersion    string `json:"api_version"`
	AccessTTL     int64  `json:"access_ttl"`
	RefreshTTL    int64  `json:"refresh_ttl"`
	MaxAccessTTL  int64  `json:"max_access_ttl"`
	MaxRefreshTTL int64  `json:"max_refresh_ttl"`
	WeakKeys      bool   `json:"allow_weak_key"`
	OpenMinting   bool   `json:"open_minting"`
	Keys          *int   `json:"keys,omitempty"` // at the tapis door; nil: it is not open
	Created       string `json:"created_at"`
	Updated       string `json:"updated_at"`

	defaults store.Tenant // what the door uses where nothing is set
}

// viewTenant counts the keys too, where there is a door for them.
func viewTenant(ctx context.Context, s *server.Server, c *config, t store.Tenant) (tenantView, error) {
	base := cmp.Or(t.BaseURL, c.server.PublicURL)
	v := tenantView{
		Name: t.Name, Algorithm: t.Algorithm, Issuer: cmp.Or(t.Issuer, base+"/v3/tokens"), BaseURL: base,
		Site: t.Site, SiteAdmin: t.SiteAdmin, APIVersion: t.APIVersion,
		AccessTTL: t.AccessTTL, RefreshTTL: t.RefreshTTL, MaxAccessTTL: t.MaxAccessTTL, MaxRefreshTTL: t.MaxRefreshTTL,
		WeakKeys: t.WeakKeys || c.server.AllowWeakKeys, OpenMinting: slices.Contains(c.server.OpenMinting, t.Name),
		Created: stamp(t.CreatedAt), Updated: stamp(t.UpdatedAt), defaults: s.TenantDefaults(),
	}
	if !slices.Contains(s.Doors(), tapis) {
		return v, nil
	}
	keys, err := s.Keys(ctx, tapis, t.Name)
	v.Keys = new(len(keys))
	return v, err
}
