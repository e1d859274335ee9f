package daemon

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/measured"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/postgres"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// config is the whole configuration, read.
type config struct {
	values        *values
	server        server.Config
	listen        string
	adminListen   string
	tls           string
	cert, key     string
	connections   server.ConnectionLimits
	shutdownGrace time.Duration
	store         string
	logLevel      string
	auditLog      string // a file's name, stdout, stderr or off
	nameless      bool   // public_url is not given
	places        []place
	idle          []string        // the backends that are never asked
	exposed       []string        // hosts of the database that need not be asked by TLS
	certificates  *certificates   // once they are read
	person        *person         // whom the program is to become; nil: nobody else
	measured      *measured.Store // once it serves
}

// interpret turns texts into a configuration; v.err says what is wrong.
func (a *app) interpret(v *values) *config {
	c := &config{
		values: v, listen: v.text("server", "listen"), adminListen: v.text("server", "admin_listen"),
		tls: v.text("server", "tls"), cert: v.text("server", "cert"), key: v.text("server", "key"),
		shutdownGrace: v.duration("server", "shutdown_grace"), store: v.text("store", "url"),
		connections: v.connections(),
		logLevel:    v.text("server", "log_level"), auditLog: v.text("server", "audit_log"),
	}
	c.server = server.Config{
		Dialects: v.list("server", "dialects"), Issuer: v.text("tokens", "issuer"),
		AccessTTL: v.seconds("tokens", "access_ttl"), RefreshTTL: orNone(v.seconds("tokens", "refresh_ttl")),
		RefreshIdle: v.seconds("tokens", "refresh_idle"), MaxRefreshTTL: v.seconds("tokens", "max_refresh_ttl"),
		ReuseGrace: orNone(v.seconds("tokens", "reuse_grace")), MinPassword: v.number("tokens", "min_password"),
		Attempts: v.number("throttle", "attempts"), Window: v.duration("throttle", "window"), MaxHashing: v.number("throttle", "max_hashing"),
		Recheck: v.duration("server", "recheck"), StaleAfter: v.duration("store", "stale_after"), BehindProxy: v.flag("server", "behind_proxy"),
		TrustedGateways: v.networks("server", "trusted_gateways"),
		MaxRequests:     v.number("server", "max_connections"),
		OpenMinting:     v.openMinting(), AllowWeakKeys: v.flag("tokens", "allow_weak_key"),
		JWTSecret: token.NewPassword(v.text("tokens", "jwt_secret")), MasterKey: token.NewSecret(v.text("tokens", "master_key")),
		AuditOptional: v.choice("server", "audit_failure", "refuse", "ignore") == "ignore",
		MasterKeyFile: v.text("tokens", "master_key_file"), PublicURL: v.text("server", "public_url"),
	}
	v.choice("server", "log_level", "critical", "error", "warning", "info", "debug")
	if c.store == "" {
		c.store = "sqlite:" + filepath.Join(a.stateDir(), "store.db")
		v.imply("store", "url", c.store)
	}
	if name, onDisk := c.stateFile("master.key"); onDisk && c.server.MasterKeyFile == "" && c.server.MasterKey.IsZero() {
		c.server.MasterKeyFile = name
		v.imply("tokens", "master_key_file", name)
	}
	c.places, c.idle = v.places()
	c.exposed = a.exposed(c.store)
	c.check(v)
	c.checkMinting(v)
	c.name(v)
	return c
}

// name finds what the service is called from outside.
func (c *config) name(v *values) {
	if _, port, err := net.SplitHostPort(c.listen); c.server.PublicURL == "" && err == nil {
		c.nameless = true
		c.server.PublicURL = c.ownURL(port)
		v.imply("server", "public_url", c.server.PublicURL)
		return
	}
	url, good := publicURL(c.server.PublicURL)
	if !good {
		v.wrong("server", "public_url", "an https URL, or http of localhost or a loopback address, without user, query and fragment")
	}
	c.server.PublicURL = url
}

// check finds what cannot be meant, each by itself or together.
func (c *config) check(v *values) {
	for _, d := range c.server.Dialects {
		if !slices.Contains(server.Dialects(), d) {
			v.wrong("server", "dialects", "a list of known dialects ("+strings.Join(server.Dialects(), ", ")+")")
		}
	}
	switch {
	case !address(c.listen):
		v.wrong("server", "listen", "an address and a port, 127.0.0.1:8081 say")
	case c.auditLog != "off" && c.auditLog != "stdout" && c.auditLog != "stderr" && !filepath.IsAbs(c.auditLog):
		v.wrong("server", "audit_log", "the whole path of a file, stdout, stderr or off")
	case c.adminListen != "off" && !address(c.adminListen):
		v.wrong("server", "admin_listen", "an address and a port, 127.0.0.1:8082 say, or off")
	case c.server.AccessTTL == 0:
		v.wrong("tokens", "access_ttl", "above 0")
	case c.server.StaleAfter == 0:
		v.wrong("store", "stale_after", "above 0")
	case c.server.Attempts == 0:
		v.wrong("throttle", "attempts", "above 0")
	case c.server.Window == 0:
		v.wrong("throttle", "window", "above 0")
	case c.tls != "off" && c.tls != "self-signed" && c.tls != "files":
		v.wrong("server", "tls", "off, self-signed or files")
	case c.tls == "files" && (c.cert == "" || c.key == ""):
		v.wrong("server", "tls", "possible without [server] cert and key")
	case c.tls == "off" && !c.server.BehindProxy && !loopback(c.listen):
		v.wrong("server", "listen", "a loopback address, which plain HTTP is for: set [server] tls, or behind_proxy = true")
	}
}

// address reports whether a text is [HOST]:PORT.
func address(text string) bool {
	_, port, err := net.SplitHostPort(text)
	number, numberErr := strconv.ParseUint(port, 10, 16)
	return err == nil && numberErr == nil && number <= 65535
}

// connections are the limits of the doors' port. All clients of a proxy have its address.
func (v *values) connections() server.ConnectionLimits {
	l := server.ConnectionLimits{Most: v.number("server", "max_connections"), MostOfOne: v.number("server", "max_connections_per_address")}
	if l.Most == 0 {
		v.wrong("server", "max_connections", "above 0")
	}
	if l.MostOfOne == 0 && v.flag("server", "behind_proxy") {
		l.MostOfOne = -1
	}
	return l
}

// orNone is what a Config calls none, where its 0 is the default.
func orNone(seconds int64) int64 {
	if seconds == 0 {
		return -1
	}
	return seconds
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopbackHost(host)
}

// readSecrets reads the files that hold secrets, before the server becomes p.
func (c *config) readSecrets(p *person) error {
	if name := c.values.text("tokens", "jwt_secret_file"); name != "" {
		if !c.server.JWTSecret.IsZero() {
			return refuse("[tokens] jwt_secret and jwt_secret_file exclude each other")
		}
		secret, err := inifile.ReadSecretFile(name)
		if err != nil {
			return err
		}
		c.server.JWTSecret = token.NewPassword(secret)
	}
	return c.checkMaster(p)
}

// checkMaster judges the master key before the store is touched. A file that is
// not there will be made. One that is p's or lies beside the store, where p could put
// anything in its place, is left for p; of any other what it holds is kept, since p may
// not read it.
func (c *config) checkMaster(p *person) error {
	where, text := "[tokens] master_key", c.server.MasterKey.Reveal()
	name := c.server.MasterKeyFile
	if name != "" {
		if text != "" {
			return refuse("[tokens] master_key and master_key_file exclude each other")
		}
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && p.owns(info) || p != nil && c.besideStore(name) {
			return nil
		}
		if text, err = inifile.ReadRegularSecretFile(name); err != nil {
			return err
		}
		where = "master key file " + inifile.ShowName(name)
	}
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if text != "" && (err != nil || len(key) != masterBytes) {
		return refuse("%s is not the base64 of %d bytes", where, masterBytes)
	}
	if p != nil && name != "" {
		c.server.MasterKey, c.server.MasterKeyFile = token.NewSecret(text), ""
	}
	return nil
}

const masterBytes = 32

// open opens the store and the service over it. The caller closes the store.
func (a *app) open(ctx context.Context, c *config, log *slog.Logger) (*server.Server, store.Store, error) {
	if err := c.checkStoreURL(); err != nil {
		return nil, nil, err
	}
	st, err := openStore(ctx, c.store)
	if err != nil {
		return nil, nil, err
	}
	if shared, ok := st.(*postgres.Store); ok {
		c.server.Now, c.server.Machine = shared.Now, time.Now // one clock for all that use it
	}
	if log != nil { // it serves
		c.measured = measured.New(st)
		st = c.measured
	}
	if err := c.keepMaster(ctx, st); err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	c.server.Version = a.Version
	c.server.Store, c.server.Log = st, log
	s, err := server.New(ctx, c.server)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return s, st, nil
}

// keepMaster refuses to make a master key for a store that has keys under one. The file
// is looked for after them: whoever made the first keys had made it before.
func (c *config) keepMaster(ctx context.Context, st store.Store) error {
	keys, err := st.Keys(ctx)
	if err != nil {
		return err
	}
	sealed := slices.ContainsFunc(keys, func(k store.Key) bool { return len(k.Sealed) > 0 })
	if name := c.server.MasterKeyFile; sealed && name != "" && absent(os.Stat, name) {
		return refuse("there is no master key at %s, and the store has keys under one: put it back there, or set [tokens] master_key_file", inifile.ShowName(name))
	}
	return nil
}

func openStore(ctx context.Context, url string) (st store.Store, err error) {
	if err := checkForm(url); err != nil {
		return nil, err
	}
	switch {
	case url == "memory:":
		return memory.New(), nil
	case isPostgres(url):
		st, err = postgres.Open(ctx, postgres.Config{URL: url})
	default:
		st, err = sqlite.Open(ctx, sqlite.Config{Path: strings.TrimPrefix(url, "sqlite:")})
	}
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return st, nil
}

func isPostgres(url string) bool {
	scheme, _, _ := strings.Cut(url, "://")
	return scheme == "postgres" || scheme == "postgresql"
}

func (c *config) onPostgres() bool { return isPostgres(c.store) }

// with runs an administrator's command over the configured store, which must be
// there: a mistyped name must not make another.
func (a *app) with(ctx context.Context, use func(*server.Server) error) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	if err := c.haveStore(); err != nil {
		return err
	}
	return a.withStore(ctx, c, use)
}

// haveStore refuses a store on disk that is not there yet.
func (c *config) haveStore() error {
	name, onDisk := strings.CutPrefix(c.store, "sqlite:")
	if _, err := os.Stat(name); onDisk && name != "" && errors.Is(err, fs.ErrNotExist) {
		return refuse("there is no store at %s: ats-auth-server serve, or user add, makes one", name)
	}
	return nil
}

// withStore is with for a command that may be the first to use the store.
func (a *app) withStore(ctx context.Context, c *config, use func(*server.Server) error) error {
	if c.store == "memory:" {
		return refuse("[store] url = memory: keeps nothing, so there is nothing to administer")
	}
	if err := a.comeToStore(c); err != nil {
		return err
	}
	l, err := a.auditCommand(c)
	if err != nil {
		return err
	}
	return errors.Join(a.over(ctx, c, use), l.close())
}

// empty is the configuration over a store in memory that has nothing.
func (c *config) empty() *config {
	e := *c
	e.store, e.server.MasterKeyFile = "memory:", ""
	return &e
}

// over opens a store and closes it.
func (a *app) over(ctx context.Context, c *config, use func(*server.Server) error) error {
	s, st, err := a.open(ctx, c, nil)
	if err != nil {
		return err
	}
	return errors.Join(use(s), st.Close())
}

// withNew is withStore for a command that asks for something before it adds, and then
// tells. Where there is no store yet, it adds to one in memory first: what is refused
// leaves none behind.
func (a *app) withNew(ctx context.Context, c *config, add, tell func(*server.Server) error) error {
	if err := a.comeToStore(c); err != nil {
		return err
	}
	if c.haveStore() != nil {
		if err := a.over(ctx, c.empty(), add); err != nil {
			return err
		}
	}
	return a.withStore(ctx, c, func(s *server.Server) error {
		if err := add(s); err != nil {
			return err
		}
		return tell(s)
	})
}
