package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/metrics"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

func (a *app) serveCommand() *cobra.Command {
	c := &cobra.Command{Use: "serve", Short: "Serve, until SIGTERM or SIGINT", RunE: a.serve}
	a.serveFlags(c)
	return c
}

func (a *app) serve(c *cobra.Command, _ []string) (err error) {
	config, err := a.load()
	if err != nil {
		return err
	}
	if a.printConfig {
		_, err := io.WriteString(a.Stdout, config.values.report())
		return err
	}
	if err := config.checkStoreURL(); err != nil {
		return err
	}
	ports, err := openPorts(config)
	if err != nil {
		return err
	}
	defer ports.close()
	config.nameFor(ports.doors.Addr())
	a.leveled = c.Flags().Changed("log-level")
	logger, level := a.newLog(config)
	closeBackends, err := a.openFiles(config, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBackends()) }()
	if err := a.become(config, logger); err != nil {
		return err
	}
	l, err := a.auditServing(config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAudit(l)) }()
	return a.serveStore(c.Context(), ports, config, &reloads{app: a, level: level, audit: l, logger: logger})
}

// openFiles reads what only root may be able to read.
func (a *app) openFiles(c *config, logger *slog.Logger) (closeBackends func() error, err error) {
	if c.tls == "files" {
		if c.certificates, err = a.certificates(c); err != nil {
			return nil, err
		}
	}
	return c.openBackends(logger)
}

// serveStore opens the store and serves from it.
func (a *app) serveStore(ctx context.Context, ports ports, config *config, again *reloads) error {
	logger := again.logger
	config.server.HashingCommand = a.hashing()
	s, st, err := a.open(ctx, config, logger)
	if err != nil {
		return err
	}
	strangers, err := config.strangers(ctx, s)
	if err != nil {
		return errors.Join(err, st.Close())
	}
	for _, w := range append(config.warnings(), strangers...) {
		logger.Warn(w)
	}
	err = a.serveOn(ctx, ports, config, s, again)
	return errors.Join(err, st.Close())
}

// ports are open before all else, so that the service knows what it is called.
type ports struct {
	doors net.Listener
	admin net.Listener // nil: off
}

func openPorts(c *config) (p ports, err error) {
	if p.doors, err = listen("listen", c.listen); err != nil || c.adminListen == "off" {
		return p, err
	}
	if p.admin, err = listen("admin_listen", c.adminListen); err != nil {
		p.close()
	}
	return p, err
}

// close closes what is not closed yet.
func (p ports) close() {
	for _, l := range []net.Listener{p.doors, p.admin} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// serveOn serves until ctx ends, then lets requests under way come to their end.
func (a *app) serveOn(ctx context.Context, p ports, c *config, s *server.Server, again *reloads) error {
	certificates, err := a.certificates(c)
	if err != nil {
		return err
	}
	logger := again.logger
	again.certificates = certificates
	connections := server.NewConnections(c.connections)
	doors, scheme := connections.Listener(p.doors), "http"
	if certificates != nil {
		doors = tls.NewListener(doors, certificates.config())
		scheme = "https"
		logger.Info("certificate", "file", certificates.cert)
	}
	public := newHTTPServer(s, logger)
	public.ConnState = connections.State
	public.RegisterOnShutdown(s.Drain)
	servers := map[*http.Server]net.Listener{public: doors}
	if p.admin != nil {
		servers[newHTTPServer(a.administrative(c, s, logger), logger)] = p.admin
		logger.Info("health and readiness", "url", "http://"+spokenOf(c.adminListen, p.admin.Addr())+"/readyz")
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go s.Run(background)
	failed := make(chan error, len(servers))
	for server, listener := range servers {
		go func() { failed <- server.Serve(listener) }()
	}
	logger.Info(
		"serving", "url", scheme+"://"+spokenOf(c.listen, doors.Addr()), "public_url", c.server.PublicURL,
		"dialects", strings.Join(c.server.Dialects, ", "), "store", maskStore(c.store), "version", a.Version,
	)
	err = a.wait(ctx, failed, again)
	err = errors.Join(err, shutdown(servers, c.shutdownGrace, logger))
	s.Settle()
	return err
}

// administrative is the handler of the administrative port.
func (a *app) administrative(c *config, s *server.Server, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.Health())
	mux.Handle("GET /metrics", metrics.Handler(metrics.Config{Server: s.Stats, Store: c.measured.Stats, Version: a.Version, Log: logger}))
	return mux
}

// spokenOf is an address as it was configured, with the port that it has got.
func spokenOf(configured string, got net.Addr) string {
	host, _, err := net.SplitHostPort(configured)
	_, port, portErr := net.SplitHostPort(got.String())
	if host == "" || errors.Join(err, portErr) != nil {
		return got.String()
	}
	return net.JoinHostPort(host, port)
}

// listen opens a port and says in one sentence why it cannot.
func listen(key, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	var refused *net.OpError
	if errors.As(err, &refused) {
		err = refused.Err
	}
	if err != nil {
		return nil, fmt.Errorf("[server] %s = %s: %w", key, address, err)
	}
	return l, nil
}

// wait returns when ctx ends or a port fails; until then it reloads when asked.
func (a *app) wait(ctx context.Context, failed <-chan error, again *reloads) error {
	for {
		select {
		case <-ctx.Done():
			again.logger.Info("stopping")
			return nil
		case err := <-failed:
			return fmt.Errorf("serve: %w", err)
		case <-a.Reload:
			again.reload()
		}
	}
}

func shutdown(servers map[*http.Server]net.Listener, grace time.Duration, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var all error
	for server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("requests were still under way after %s: %w", grace, err), server.Close())
		}
	}
	logger.Info("stopped")
	return all
}

// newHTTPServer bounds what a client may cost: a slow header, a slow body, an
// idle connection.
func newHTTPServer(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          log.New(lineLog{logger}, "", 0),
	}
}

// lineLog passes net/http's own lines on.
type lineLog struct{ logger *slog.Logger }

func (l lineLog) Write(line []byte) (int, error) {
	l.logger.Debug("http", "line", strings.TrimSpace(string(line)))
	return len(line), nil
}

// warnings tell of what is dangerous and allowed.
func (c *config) warnings() []string {
	var list []string
	if reason, weak := weakSecret(c.server.JWTSecret); weak {
		list = append(list, "[tokens] jwt_secret is weak: "+reason)
	}
	if c.store == "memory:" {
		list = append(list, "[store] url = memory: everything is lost when the server stops")
	}
	if len(c.exposed) > 0 {
		list = append(list, "[store] url: without sslmode=verify-full (or require, verify-ca) what goes to "+strings.Join(c.exposed, ", ")+" may be read on the way")
	}
	if len(c.server.TrustedGateways) > 0 {
		list = append(list, "[server] trusted_gateways may log out any user without a token")
	}
	if c.server.AllowWeakKeys {
		list = append(list, "[tokens] allow_weak_key: RSA keys under 2048 bits may sign, and they can be broken")
	}
	if w := c.namelessWarning(); w != "" {
		list = append(list, w)
	}
	for _, name := range c.idle {
		list = append(list, fmt.Sprintf("[backend %s] is not in [server] backends: nobody logs in by it", name))
	}
	for _, p := range c.places {
		list = append(list, p.doubts()...)
	}
	return append(list, c.mintingWarnings()...)
}

// weakSecret judges a secret that was given; none is no weak one.
func weakSecret(secret token.Secret) (string, bool) {
	if secret.IsZero() {
		return "", false
	}
	return verifier.WeakSecret([]byte(secret.Reveal()), "HS256")
}

// stateFile names a file beside the store; false when nothing is kept.
func (c *config) stateFile(name string) (string, bool) {
	path, onDisk := strings.CutPrefix(c.store, "sqlite:")
	return filepath.Join(filepath.Dir(path), name), onDisk && path != ""
}
