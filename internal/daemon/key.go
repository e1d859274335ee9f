package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Manage the keys that sign tokens"}
	c.AddCommand(a.keyList(), a.keyRotate(), a.keyExport(), a.keyImport(), a.keyRemove(), a.keyShowSecret())
	return c
}

// shared is the door whose keys are shared secrets.
const shared = "ats"

// keyPlace is whose keys a command is about.
type keyPlace struct{ door, tenant string }

func (p *keyPlace) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&p.tenant, "tenant", store.DefaultTenant, "the `TENANT` that the key signs for")
	c.Flags().StringVar(&p.door, "door", "", "the `DOOR` whose tokens the key signs: ats, oauth2 or tapis; default: the only one that is open, else ats, of a tenant that is not default tapis")
	return c
}

// flags are what leads a command to the place.
func (p keyPlace) flags() string {
	switch {
	case p.tenant == store.DefaultTenant:
		return "--door " + p.door
	case p.door == tapis:
		return "--tenant " + p.tenant
	}
	return "--tenant " + p.tenant + " --door " + p.door
}

// keys are those of the place, where a door or tenant that is not given stands for
// every one that there is.
func (p keyPlace) keys(ctx context.Context, s *server.Server, now time.Time) ([]keyView, error) {
	tenants, err := tenantNames(ctx, s, p.tenant)
	if err != nil {
		return nil, err
	}
	doors := s.Doors()
	if p.door != "" {
		doors = []string{p.door}
	}
	var views []keyView
	for _, door := range doors {
		for _, tenant := range tenants {
			keys, err := s.Keys(ctx, door, tenant)
			// Most doors do not serve every tenant, which matters where both are given.
			implied := p.door == "" || p.tenant == "" && tenant != store.DefaultTenant
			if implied && err != nil && !errors.Is(err, token.ErrUnavailable) {
				continue
			}
			if err != nil {
				return nil, err
			}
			views = append(views, viewKeys(keys, now)...)
		}
	}
	if len(views) == 0 {
		return nil, fmt.Errorf("no door that is open serves the tenant %q; open: %s", p.tenant, strings.Join(doors, ", "))
	}
	return views, nil
}

// tenantNames is one name that there is, or all.
func tenantNames(ctx context.Context, s *server.Server, one string) ([]string, error) {
	if one != "" {
		_, err := s.Tenant(ctx, one)
		return []string{one}, err
	}
	tenants, err := s.Tenants(ctx)
	names := make([]string, len(tenants))
	for i, t := range tenants {
		names[i] = t.Name
	}
	return names, err
}

type keyView struct {
	Door      string `json:"door"`
	Tenant    string `json:"tenant"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	State     string `json:"state"` // next, active or retiring
	Created   string `json:"created_at,omitempty"`
	NotBefore string `json:"not_before,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`
}

// signer is the key that signs of those of one place: the newest whose time has
// come.
func signer(keys []server.Key, now time.Time) server.Key {
	rank := func(k server.Key) int {
		if k.State != store.KeyActive || k.NotBefore > now.UnixMicro() {
			return 0
		}
		return 1
	}
	return slices.MaxFunc(keys, func(a, b server.Key) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.NotBefore, b.NotBefore), cmp.Compare(a.CreatedAt, b.CreatedAt))
	})
}

// viewKeys shows the keys of one place: one that is published and does not sign
// yet as next, one that another has taken over from as retiring.
func viewKeys(keys []server.Key, now time.Time) []keyView {
	var views []keyView
	signs := signer(keys, now).ID
	for _, k := range keys {
		switch {
		case k.State == store.KeyActive && k.NotBefore > now.UnixMicro():
			k.State = "next"
		case k.ID != signs:
			k.State = store.KeyRetiring
		}
		views = append(views, keyView{k.Door, k.Tenant, k.ID, k.Algorithm, k.State, stamp(k.CreatedAt), stamp(k.NotBefore), stamp(k.NotAfter)})
	}
	return views
}

// keyTable has a column for the tenant where there is more than the usual one.
func keyTable(views []keyView) string {
	many := slices.ContainsFunc(views, func(v keyView) bool { return v.Tenant != store.DefaultTenant })
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(tenant string, cells ...string) {
		if many {
			cells = slices.Insert(cells, 1, tenant)
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	line("TENANT", "DOOR", "KID", "ALG", "STATE", "CREATED", "SIGNS FROM", "VERIFIES UNTIL")
	for _, v := range views {
		line(v.Tenant, v.Door, v.ID, v.Algorithm, v.State, orDash(v.Created), orDash(v.NotBefore), orDash(v.NotAfter))
	}
	w.Flush()
	return b.String()
}

func (a *app) keyList() *cobra.Command {
	var p keyPlace
	c := a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the keys in force or to come, the signing ones first",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				views, err := p.keys(c.Context(), s, time.Now())
				if err != nil {
					return err
				}
				return a.answer(views, keyTable(views))
			})
		},
	})
	c.Flags().StringVar(&p.door, "door", "", "the `DOOR` whose tokens the key signs: ats, oauth2 or tapis; default: all that are open")
	c.Flags().StringVar(&p.tenant, "tenant", "", "the `TENANT` that the key signs for; default: all")
	return c
}

// rotationFlags say how a new key comes into force.
type rotationFlags struct {
	keyPlace
	algorithm string
	now       bool
}

func (f *rotationFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.algorithm, "alg", "", "`ALGORITHM` of the key: ES256, ES384, ES512, EdDSA, RS256 to RS512, PS256 to PS512; HS256 at ats")
	c.Flags().BoolVar(&f.now, "now", false, "sign with it at once, without having published it before: when the old key is known to others")
	return f.keyPlace.add(c)
}

const rotationHelp = `

The old keys verify until their last token is over. A public key of the oauth2
door is published for 10 minutes before it signs, since verifiers keep the JWK
set for a while; with --now it signs at once. All others always do.`

func (a *app) keyRotate() *cobra.Command {
	var f rotationFlags
	return f.add(a.formatFlag(&cobra.Command{
		Use: "rotate", Short: "Make a new signing key; old tokens stay good until they are over",
		Long: "Make a new signing key." + rotationHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			place, err := a.rotation(f)
			if err != nil {
				return err
			}
			r := server.Rotation{Algorithm: f.algorithm, Now: f.now}
			if err := a.rotate(c.Context(), place, r); err != nil {
				return err
			}
			if place.door == shared {
				a.say("clients that verify need the new jwt_secret: ats-auth-server key show-secret")
			}
			return nil
		},
	}))
}

func (a *app) rotate(ctx context.Context, place keyPlace, r server.Rotation) error {
	return a.changeKeys(ctx, place, func(s *server.Server) error {
		if err := s.RotateKey(ctx, place.door, place.tenant, r); err != nil {
			return err
		}
		keys, err := s.Keys(ctx, place.door, place.tenant)
		if err != nil {
			return err
		}
		made := slices.MaxFunc(keys, func(a, b server.Key) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
		answer := place.answer(made.ID)
		if delay(made) > 0 {
			answer["not_before"] = stamp(made.NotBefore)
		}
		a.say("%s: %s", place, rotated(made, keys))
		return a.answer(answer, "")
	})
}

// delay is how long a key is published before it signs.
func delay(k server.Key) time.Duration {
	d := time.Duration(k.NotBefore-k.CreatedAt) * time.Microsecond
	if d <= time.Second {
		return 0
	}
	return d
}

// rotated tells of a key that was made, and of those that there were before.
func rotated(made server.Key, keys []server.Key) string {
	text := fmt.Sprintf("key %s signs", made.ID)
	if d := delay(made); d > 0 {
		text = fmt.Sprintf("key %s is published; it signs from %s on, in %s", made.ID, stamp(made.NotBefore), minutes(d))
	}
	for _, k := range keys {
		if k.ID == made.ID {
			continue
		}
		text += fmt.Sprintf("; %s verifies", k.ID)
		if k.NotAfter != 0 {
			text += " until " + stamp(k.NotAfter)
		}
	}
	return text
}

// changeKeys is with for what changes the keys of a place: the configuration must
// not give them.
func (a *app) changeKeys(ctx context.Context, place keyPlace, change func(*server.Server) error) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	if place.door == shared && !config.server.JWTSecret.IsZero() {
		return refuse("the secret is given by [tokens] jwt_secret or jwt_secret_file: change it there, or take it out and let the store keep the keys")
	}
	return a.inTenant(ctx, place.tenant, change)
}

func minutes(d time.Duration) string {
	return fmt.Sprintf("%d minutes", int(d.Round(time.Minute).Minutes()))
}

func (a *app) keyRemove() *cobra.Command {
	var p keyPlace
	return p.add(a.formatFlag(&cobra.Command{
		Use: "remove KID", Short: "Take a key away; what it signed is void within a second", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			place, err := a.place(p)
			if err != nil {
				return err
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			return a.changeKeys(c.Context(), place, func(s *server.Server) error {
				err := s.RemoveKey(c.Context(), place.door, place.tenant, args[0])
				switch {
				case errors.Is(err, store.ErrNotFound):
					return fmt.Errorf("there is no key %q at the door %s of the tenant %s", args[0], place.door, place.tenant)
				case errors.Is(err, server.ErrSigns):
					return fmt.Errorf("key %s signs now: rotate first (ats-auth-server key rotate %s)", args[0], place.flags())
				case err != nil:
					return err
				}
				a.say("%s: key %s removed; the tokens that it signed are void within %s", place, args[0], config.server.StaleAfter)
				return a.answer(place.answer(args[0]), "")
			})
		},
	}))
}

func (a *app) keyShowSecret() *cobra.Command {
	var p keyPlace
	return p.add(a.formatFlag(&cobra.Command{
		Use: "show-secret", Short: "Print the secret that verifies tokens, the jwt_secret of clients",
		RunE: func(c *cobra.Command, _ []string) error {
			place, err := a.place(p)
			if err != nil {
				return err
			}
			if place.door != shared {
				return command.Usage("the %s door has no shared secret: key export %s writes its public keys", place.door, place.flags())
			}
			return a.with(c.Context(), func(s *server.Server) error {
				keys, err := s.Keys(c.Context(), place.door, place.tenant)
				if err != nil {
					return err
				}
				secret := keys[0].Secret.Reveal()
				return a.answer(map[string]string{"jwt_secret": secret}, secret+"\n")
			})
		},
	}))
}
