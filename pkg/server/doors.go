package server

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/ats"
	kylo "github.com/ats-auth/ats-auth/internal/dialect/ciphertrust/door"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2/door"
	tapis "github.com/ats-auth/ats-auth/internal/dialect/tapis/door"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// openDoors makes the handler of all doors that are open. Each path is one
// door's; what is nobody's gets the last one's "not found".
func (s *Server) openDoors(ctx context.Context) (http.Handler, error) {
	var doors http.Handler = http.NotFoundHandler()
	if slices.Contains(s.config.Dialects, "ats") {
		doors = through(doorATS, ats.NewHandler(s.ats, ats.Config{TrustedGateways: s.config.TrustedGateways, Fail: s.fail}))
	}
	beside, err := s.openBeside(ctx)
	if err != nil {
		return nil, err
	}
	var standard *door.Handler
	if slices.Contains(s.config.Dialects, "oauth2") {
		if standard, err = s.openStandard(ctx, beside); err != nil {
			return nil, err
		}
		tenants, err := s.openTenants(ctx)
		if err != nil {
			return nil, err
		}
		doors = before(doorOAuth2, tenants, before(doorOAuth2, standard, doors))
	}
	if beside != nil {
		if doors, err = s.openAWX(beside, standard, doors); err != nil {
			return nil, err
		}
	}
	if slices.Contains(s.config.Dialects, "tapis") {
		h, err := s.openTapis(ctx)
		if err != nil {
			return nil, err
		}
		doors = before(doorTapis, h, doors)
	}
	if slices.Contains(s.config.Dialects, "ciphertrust") {
		h, err := s.openKylo(ctx)
		if err != nil {
			return nil, err
		}
		doors = before(doorKylo, h, doors)
	}
	if slices.Contains(s.config.Dialects, "wazo") {
		h, err := s.openWazo(ctx)
		if err != nil {
			return nil, err
		}
		doors = before(doorWazo, h, doors)
	}
	return doors, nil
}

// pathDoor is a door that knows its paths.
type pathDoor interface {
	http.Handler
	Serves(r *http.Request) bool
}

// Indexes of doorNames. A request that is nobody's is doorNone's, or the ats door's
// where that is open.
const (
	doorNone = iota
	doorATS
	doorOAuth2
	doorTapis
	doorKylo
	doorAWX
	doorWazo
	doorFeed // of the oauth2 door, and counted by itself: its requests wait
	doorCount
)

func doorNames() [doorCount]string {
	return [doorCount]string{"none", "ats", "oauth2", "tapis", "ciphertrust", "awx", "wazo", "feed"}
}

// through notes by which door a request goes.
func through(door int, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { enter(door, h, w, r) })
}

// enter serves a request at a door.
func enter(door int, h http.Handler, w http.ResponseWriter, r *http.Request) {
	v, ok := r.Context().(*visit)
	if !ok {
		h.ServeHTTP(w, r)
		return
	}
	if v.door = door; door == doorOAuth2 && strings.HasSuffix(r.URL.Path, verifier.FeedPath) {
		v.door = doorFeed
	}
	h.ServeHTTP(w, r)
	v.denied()
}

// dialect is the door whose dialect is spoken.
func (v *visit) dialect() int {
	if v.door == doorFeed {
		return doorOAuth2
	}
	return v.door
}

// before puts a door in front of others.
func before(index int, door pathDoor, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if door.Serves(r) {
			enter(index, door, w, r)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// Lifetimes of the oauth2 door, in seconds.
const (
	oauth2AccessTTL  = 600
	oauth2RefreshTTL = 30 * 24 * 3600
)

// openStandard opens the oauth2 door. Its pages are those of what is beside too.
func (s *Server) openStandard(ctx context.Context, beside *door.Beside) (*door.Handler, error) {
	var err error
	s.oauth2, err = s.issuer.Door(ctx, s.standard(store.DefaultTenant, s.config.PublicURL))
	if err != nil {
		return nil, err
	}
	return s.standardHandler(s.oauth2, beside)
}

// standard is the oauth2 door of a tenant at an address, which is its issuer.
func (s *Server) standard(tenant, address string) issuer.DoorConfig {
	return issuer.DoorConfig{
		Name: "oauth2", Tenant: tenant, Issuer: address, Format: issuer.FormatRFC9068(),
		AccessTTL: oauth2AccessTTL, RefreshTTL: oauth2RefreshTTL, RefreshIdle: s.config.RefreshIdle,
		MaxRefreshTTL: s.config.MaxRefreshTTL, ReuseGrace: max(s.config.ReuseGrace, 0),
	}
}

func (s *Server) standardHandler(d *issuer.Door, beside *door.Beside) (*door.Handler, error) {
	return door.New(door.Config{URL: d.Issuer, Core: s.issuer, Door: d, Beside: beside, Report: s.report, Now: s.config.Now})
}

// kyloAccessTTL is the lifetime of the ciphertrust door's JWTs, in seconds.
const kyloAccessTTL = 300

// openKylo opens the ciphertrust door. Its JWTs are signed with a secret of its
// own, which goes with the master key.
func (s *Server) openKylo(ctx context.Context) (*kylo.Handler, error) {
	secret := base64.RawURLEncoding.EncodeToString(s.issuer.Master.Derive("ciphertrust jwt", 32))
	var err error
	s.kylo, err = s.issuer.Door(ctx, issuer.DoorConfig{
		Name: "ciphertrust", Issuer: "kylo", Format: issuer.FormatKylo(), Secret: token.NewSecret(secret),
		AccessTTL: kyloAccessTTL, MaxRefreshTTL: s.config.MaxRefreshTTL,
	})
	if err != nil {
		return nil, err
	}
	return kylo.New(kylo.Config{URL: s.config.PublicURL, Core: s.issuer, Door: s.kylo, Report: s.report, Now: s.config.Now})
}

// Lifetimes of the tapis door where the tenant has none, in seconds.
const (
	tapisAccessTTL  = 300
	tapisRefreshTTL = 600
)

// openTapis opens the tapis door of every tenant.
func (s *Server) openTapis(ctx context.Context) (*tapis.Handler, error) {
	var err error
	s.tapis, err = s.issuer.Doors(ctx, func(t store.Tenant) (issuer.DoorConfig, bool) {
		base := cmp.Or(t.BaseURL, s.config.PublicURL)
		return issuer.DoorConfig{
			Name: "tapis", Tenant: t.Name, Issuer: cmp.Or(t.Issuer, base+"/v3/tokens"), Format: issuer.FormatTapis(),
			KeyAlgorithm: t.Algorithm, AllowWeakKeys: t.WeakKeys || s.config.AllowWeakKeys,
			AccessTTL: cmp.Or(t.AccessTTL, tapisAccessTTL), MaxAccessTTL: t.MaxAccessTTL,
			RefreshTTL: cmp.Or(t.RefreshTTL, tapisRefreshTTL), MaxRefreshTTL: cmp.Or(t.MaxRefreshTTL, s.config.MaxRefreshTTL),
		}, true
	})
	if err != nil {
		return nil, err
	}
	open := func(tenant string) bool { return slices.Contains(s.config.OpenMinting, tenant) }
	return tapis.New(tapis.Config{URL: s.config.PublicURL, Core: s.issuer, Doors: s.tapis, OpenMinting: open, Report: s.report, Now: s.config.Now})
}
