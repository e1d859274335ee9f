// Package server is the token service as an http.Handler: the doors of the
// configured dialects over one token core, and what an administrator does to
// users, keys and tokens. Another program can mount it.
//
// It opens no port, reads no configuration file and no environment; the
// ats-auth-server command does. It closes nothing that it was given.
//
//	s, err := server.New(ctx, server.Config{Store: st, MasterKey: key})
//	...
//	go s.Run(ctx)
//	http.ListenAndServe("127.0.0.1:8081", s)
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Config of a Server. Lifetimes are whole seconds.
type Config struct {
	// Store keeps users, keys and revocations. Required; the caller closes it.
	Store store.Store
	// MasterKey is base64 of 32 bytes under which keys are sealed. Default: a
	// random one, for stores that keep nothing. Danger: with another key, what
	// the store holds sealed cannot be opened.
	MasterKey token.Secret
	// MasterKeyFile holds MasterKey, and is made when there is none. Default:
	// MasterKey counts.
	MasterKeyFile string
	// Dialects are the doors that are open, of those that Dialects names. Default:
	// ats, oauth2.
	Dialects []string
	// PublicURL is what the service is called from outside, without a slash at the
	// end; the issuer of the oauth2 door. Default "http://127.0.0.1:8081".
	PublicURL string
	// Issuer is the iss of the ats door's tokens. Default "ats.auth".
	Issuer string
	// JWTSecret signs the ats door's tokens, its bytes as they are. Default: one
	// is made and kept in the store.
	JWTSecret token.Secret
	// AccessTTL is the lifetime of an access token and the longest that can be
	// asked for. Default 3600.
	AccessTTL int64
	// RefreshTTL is the absolute lifetime of a refresh token. Default 30 days;
	// below 0: without end.
	RefreshTTL int64
	// RefreshIdle is how long a refresh token may lie unused. Default 0: no limit.
	RefreshIdle int64
	// MaxRefreshTTL clamps RefreshTTL and what is asked for. Default 0: no limit.
	MaxRefreshTTL int64
	// ReuseGrace is how long a used refresh token is given the same successor
	// again. Default 30; below 0: not at all.
	ReuseGrace int64
	// OpenMinting names tenants in which anybody on this machine mints tokens at the
	// tapis door, without credentials. Default none. Danger: whoever gets at the
	// loopback address is anybody in these tenants.
	OpenMinting []string
	// AllowWeakKeys lets RSA keys of 1024 to 2047 bits sign. Default: in no tenant
	// that does not say so. Danger: they can be broken.
	AllowWeakKeys bool
	// Backends are where passwords are checked, in the order in which they are asked;
	// the wazo door names one of them. Default: LocalBackend alone.
	Backends []Backend
	// Recheck is how often directories are asked again about their people: what those
	// have who are gone is void then, and groups that have changed count. Default: never.
	Recheck time.Duration
	// MinPassword is the least number of characters of a new password. Default 0.
	MinPassword int
	// Attempts is how many wrong passwords for one user from one address are
	// taken within Window. Default 10 within 5 minutes.
	Attempts int
	Window   time.Duration
	// MaxHashing is how many passwords are hashed at once. Default: one a core.
	MaxHashing int
	// MaxRequests is how many requests are served at once; one more is told to come back,
	// with 503. Default 4096.
	MaxRequests int
	// HashingCommand is a program and its arguments that calls HashPasswords. Passwords are
	// hashed in processes of it, at a low priority, started while they are needed. Default:
	// in this process. Danger: there a flood of logins slows all else that is asked.
	HashingCommand []string
	// PasswordCost of new hashes. Danger: a lower one makes a stolen store
	// cheaper to guess; for tests.
	PasswordCost PasswordCost
	// StaleAfter is how old the view of revocations may be before the store is
	// asked in its place. Default 1 s.
	StaleAfter time.Duration
	// BehindProxy believes the last X-Forwarded-For address. Danger: without a
	// proxy that sets it, anybody can pose as any address.
	BehindProxy bool
	// TrustedGateways may log out any user by X-Auth-UserId alone. Default none.
	TrustedGateways []netip.Prefix
	// Version is what the service calls itself in its description. Default "unknown".
	Version string
	// Audit is told of each event, before what happened is answered: with an error the
	// answer is that the service is unavailable, though it happened. It is called by
	// many at once. Default: nobody is told.
	Audit func(AuditEvent) error
	// AuditOptional lets the answer be what it would be where Audit has an error, which
	// is logged and counted. Danger: what happens then leaves no trace.
	AuditOptional bool
	Now           func() time.Time // default time.Now; one clock for all servers over a store
	// Machine is the clock by which ages are told, where Now follows another machine's
	// and so may leap. Default Now.
	Machine func() time.Time
	Log     *slog.Logger // default: nothing is logged
}

// PasswordCost is argon2id's cost. The zero value is 19 MiB and two passes.
type PasswordCost struct {
	KiB    uint32
	Passes uint32
}

// DefaultDialects are open when none are configured.
func DefaultDialects() []string { return []string{"ats", "oauth2"} }

// Dialects are all doors that there are.
func Dialects() []string { return []string{"ats", "oauth2", "tapis", "ciphertrust", "awx", "wazo"} }

// Server is the service. It is safe for concurrent use.
type Server struct {
	config  Config
	counts  *counts
	told    *recorder
	issuer  *issuer.Issuer
	ats     *issuer.Door
	oauth2  *issuer.Door // nil where it is not open; so are those below
	kylo    *issuer.Door
	awx     *issuer.Door
	wazo    *issuer.Door
	tapis   *issuer.Doors
	tenants *issuer.Doors // oauth2, of tenants with an address of their own
	handler http.Handler
	serving atomic.Int64 // requests
}

// New makes a Server: it reads the keys (or makes the first) and the
// revocations. Errors name what is wrong.
func New(ctx context.Context, c Config) (*Server, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	counts := newCounts()
	told := &recorder{config: c, counts: counts}
	core, err := newIssuer(ctx, c, told)
	if err != nil {
		return nil, err
	}
	s := &Server{config: c, counts: counts, told: told, issuer: core}
	s.ats, err = core.Door(ctx, issuer.DoorConfig{
		Name: "ats", Issuer: c.Issuer, Secret: c.JWTSecret,
		AccessTTL: c.AccessTTL, RefreshTTL: max(c.RefreshTTL, 0), RefreshIdle: c.RefreshIdle,
		MaxRefreshTTL: c.MaxRefreshTTL, ReuseGrace: max(c.ReuseGrace, 0),
	})
	if err != nil {
		return nil, err
	}
	doors, err := s.openDoors(ctx)
	if err != nil {
		return nil, err
	}
	if doors, err = s.describe(doors); err != nil {
		return nil, err
	}
	s.handler = s.around(s.within(doors))
	return s, nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Store == nil {
		return c, errors.New("no store")
	}
	if len(c.Dialects) == 0 {
		c.Dialects = DefaultDialects()
	}
	for _, d := range c.Dialects {
		if !slices.Contains(Dialects(), d) {
			return c, fmt.Errorf("dialect %q is not one of %s", d, strings.Join(Dialects(), ", "))
		}
	}
	c.MaxRequests = cmp.Or(c.MaxRequests, 4096)
	if c.Issuer == "" {
		c.Issuer = "ats.auth"
	}
	if c.PublicURL == "" {
		c.PublicURL = "http://127.0.0.1:8081"
	}
	for _, f := range []struct {
		value   *int64
		instead int64
	}{{&c.AccessTTL, 3600}, {&c.RefreshTTL, 30 * 24 * 3600}, {&c.ReuseGrace, 30}} {
		if *f.value == 0 {
			*f.value = f.instead
		}
	}
	if len(c.OpenMinting) > 0 && c.BehindProxy {
		return c, errors.New("open minting is for this machine alone: it cannot be had behind a proxy")
	}
	if c.AccessTTL < 0 || c.AccessTTL > maxTTL {
		return c, fmt.Errorf("access token lifetime of %d s: from 1 to %d is possible", c.AccessTTL, maxTTL)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// maxTTL keeps exp within the year 9999.
const maxTTL = 200_000_000_000

func (c Config) master() (*signing.Master, error) {
	switch {
	case c.MasterKeyFile != "" && !c.MasterKey.IsZero():
		return nil, errors.New("MasterKey and MasterKeyFile exclude each other")
	case c.MasterKeyFile != "":
		return signing.LoadMaster(c.MasterKeyFile)
	case !c.MasterKey.IsZero():
		return signing.ParseMaster(c.MasterKey.Reveal())
	}
	return signing.NewMaster(), nil
}

func newIssuer(ctx context.Context, c Config, told issuer.Recorder) (*issuer.Issuer, error) {
	master, err := c.master()
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	hasher, err := password.New(password.Config{
		Params:        password.Params{Memory: c.PasswordCost.KiB, Time: c.PasswordCost.Passes},
		MaxConcurrent: c.MaxHashing, Worker: c.HashingCommand,
		Problem: func(err error) { c.Log.Warn("passwords are hashed in this process for a while", "error", err) },
	})
	if err != nil {
		return nil, err
	}
	brake, err := throttle.New(throttle.Config{Attempts: c.Attempts, Window: c.Window, Now: c.Now})
	if err != nil {
		return nil, err
	}
	return issuer.New(ctx, issuer.Config{
		Store: c.Store, Master: master, Hasher: hasher, Throttle: brake,
		Backends: c.Backends, Recheck: c.Recheck, StaleAfter: c.StaleAfter, MinPassword: c.MinPassword, Now: c.Now, Machine: c.Machine, Log: c.Log, Recorder: told,
	})
}

// HashPasswords hashes for a server in another process; see Config.HashingCommand. It
// returns when in ends.
func HashPasswords(in io.Reader, out io.Writer) error { return password.Work(in, out) }

// Run follows what other processes write to the store, until ctx ends.
func (s *Server) Run(ctx context.Context) { s.issuer.Run(ctx) }

// Drain lets requests end that wait for revocations. Call it when the server begins to
// stop: http.Server.RegisterOnShutdown(s.Drain).
func (s *Server) Drain() { s.issuer.Drain() }

// ServeHTTP answers at the doors that are open.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Ready answers whether tokens can be issued and judged at this moment.
func (s *Server) Ready(ctx context.Context) error { return s.issuer.Ready(ctx) }

// Health is the handler of the administrative port: /healthz answers while the
// process runs, /readyz while it can do its work (503 else, within 2 s).
func (s *Server) Health() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		if err := s.Ready(ctx); err != nil {
			s.config.Log.Warn("not ready", "error", err)
			plain(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		plain(w, http.StatusOK, "ready")
	})
	return mux
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
