package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
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
	shutdownGrace time.Duration
	store         string
}

// load reads the configuration: environment over file over defaults.
func (a *app) load() (*config, error) {
	v := &values{given: make(map[string]value)}
	for _, s := range settings() {
		v.given[s.name()] = value{s.fallback, "default"}
	}
	if err := a.readFile(v); err != nil {
		return nil, err
	}
	if err := a.readEnvironment(v); err != nil {
		return nil, err
	}
	c := a.interpret(v)
	if v.err != nil {
		return nil, v.err
	}
	return c, a.readSecrets(c)
}

func (a *app) readFile(v *values) error {
	name := a.findConfig()
	if name == "" {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return refuse("configuration: %w", err)
	}
	file, err := inifile.Parse(name, data, schema())
	if err != nil {
		return err
	}
	secret := false
	for _, s := range settings() {
		if text, ok := file.Value(s.section, s.key); ok && text != "" {
			v.given[s.name()] = value{text, name}
			secret = secret || s.secret
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		return refuse("configuration: %w", err)
	}
	if secret {
		return inifile.CheckSecretFile(name, info)
	}
	return inifile.CheckFile(name, info)
}

// schema is what the configuration file may hold.
func schema() inifile.Schema {
	known := make(map[string][]inifile.Key)
	var sections []string
	for _, s := range settings() {
		if known[s.section] == nil {
			sections = append(sections, s.section)
		}
		known[s.section] = append(known[s.section], inifile.Key{Name: s.key, Secret: s.secret})
	}
	return inifile.Schema{Sections: sections, Keys: func(section string) ([]inifile.Key, error) { return known[section], nil }}
}

// readEnvironment takes ATS_AUTH_SERVER_SECTION_KEY. A name that begins with a
// section and is no key is refused; others are somebody else's (an orchestrator
// sets ATS_AUTH_SERVER_PORT for a service of this name).
func (a *app) readEnvironment(v *values) error {
	byName := make(map[string]setting)
	sections := make(map[string]bool)
	for _, s := range settings() {
		byName[s.variable()] = s
		sections[strings.ToUpper(s.section)] = true
	}
	for _, pair := range a.Environ {
		name, text, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, variablePrefix)
		if !ours || text == "" {
			continue
		}
		s, known := byName[name]
		section, _, _ := strings.Cut(rest, "_")
		switch {
		case known:
			v.given[s.name()] = value{text, name}
		case sections[section]:
			return refuse("%s in the environment names no key of [%s]", name, strings.ToLower(section))
		}
	}
	return nil
}

// interpret turns texts into a configuration; v.err says what is wrong.
func (a *app) interpret(v *values) *config {
	c := &config{
		values: v, listen: v.text("server", "listen"), adminListen: v.text("server", "admin_listen"),
		tls: v.text("server", "tls"), cert: v.text("server", "cert"), key: v.text("server", "key"),
		shutdownGrace: v.duration("server", "shutdown_grace"), store: v.text("store", "url"),
	}
	c.server = server.Config{
		Dialects: v.list("server", "dialects"), Issuer: v.text("tokens", "issuer"),
		AccessTTL: v.seconds("tokens", "access_ttl"), RefreshTTL: orNone(v.seconds("tokens", "refresh_ttl")),
		RefreshIdle: v.seconds("tokens", "refresh_idle"), MaxRefreshTTL: v.seconds("tokens", "max_refresh_ttl"),
		ReuseGrace: orNone(v.seconds("tokens", "reuse_grace")), MinPassword: v.number("tokens", "min_password"),
		Attempts: v.number("throttle", "attempts"), Window: v.duration("throttle", "window"), MaxHashing: v.number("throttle", "max_hashing"),
		StaleAfter: v.duration("store", "stale_after"), BehindProxy: v.flag("server", "behind_proxy"),
		TrustedGateways: v.networks("server", "trusted_gateways"),
		JWTSecret:       token.NewPassword(v.text("tokens", "jwt_secret")), MasterKey: token.NewSecret(v.text("tokens", "master_key")),
		MasterKeyFile: v.text("tokens", "master_key_file"),
	}
	if c.store == "" {
		c.store = "sqlite:" + filepath.Join(a.stateDir(), "store.db")
	}
	if name, onDisk := c.stateFile("master.key"); onDisk && c.server.MasterKeyFile == "" && c.server.MasterKey.IsZero() {
		c.server.MasterKeyFile = name
	}
	switch {
	case c.server.AccessTTL == 0:
		v.wrong("tokens", "access_ttl", "above 0")
	case c.tls != "off" && c.tls != "self-signed" && c.tls != "files":
		v.wrong("server", "tls", "off, self-signed or files")
	case c.tls == "files" && (c.cert == "" || c.key == ""):
		v.wrong("server", "tls", "possible without [server] cert and key")
	case c.tls == "off" && !c.server.BehindProxy && !loopback(c.listen):
		v.wrong("server", "listen", "a loopback address, which plain HTTP is for: set [server] tls, or behind_proxy = true")
	}
	return c
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
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// readSecrets reads the files that hold secrets.
func (a *app) readSecrets(c *config) error {
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
	return nil
}

// open opens the store and the service over it. The caller closes the store.
func (a *app) open(ctx context.Context, c *config, log *slog.Logger) (*server.Server, store.Store, error) {
	st, err := openStore(ctx, c.store)
	if err != nil {
		return nil, nil, err
	}
	c.server.Store, c.server.Log = st, log
	s, err := server.New(ctx, c.server)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return s, st, nil
}

func openStore(ctx context.Context, url string) (store.Store, error) {
	kind, rest, _ := strings.Cut(url, ":")
	switch kind {
	case "memory":
		return memory.New(), nil
	case "sqlite":
		if rest == "" {
			return nil, refuse("[store] url: sqlite: without a file")
		}
		st, err := sqlite.Open(ctx, sqlite.Config{Path: rest})
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		return st, nil
	}
	return nil, refuse("[store] url: %q is neither sqlite:FILE nor memory:", kind+":")
}

// with runs an administrator's command over the configured store.
func (a *app) with(ctx context.Context, use func(*server.Server) error) error {
	c, err := a.load()
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.store, "memory:") {
		return refuse("[store] url = memory: keeps nothing, so there is nothing to administer")
	}
	s, st, err := a.open(ctx, c, nil)
	if err != nil {
		return err
	}
	return errors.Join(use(s), st.Close())
}
