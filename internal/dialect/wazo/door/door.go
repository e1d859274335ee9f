// Package door is the service's end of xivo-auth, later wazo-auth: opaque tokens by
// HTTP Basic against a named backend, what other services ask of them, refresh
// tokens, sessions, and the policies that say what tokens allow.
//
// It decides nothing about tokens that the issuer has not decided, writes nothing
// when a token is checked, and lets nobody give others what they do not have.
package door

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/issuer"
)

// Config of a Handler.
type Config struct {
	// URL is what the service is called from outside, without a slash at its end.
	// Default: its paths begin at the root.
	URL string
	// Core and Door issue and judge. Required.
	Core *issuer.Issuer
	Door *issuer.Door
	// Report logs an error that is no refusal, and returns the status to answer
	// with and what names it in the log. Required.
	Report func(r *http.Request, err error) (status int, requestID string)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Zone is that of issued_at and expires_at. Default: time.Local.
	Zone *time.Location
}

// Handler answers at the door's paths. It is safe for concurrent use.
type Handler struct {
	Config
	base   string // path of URL
	tenant string // UUID
	paths  map[string]endpoint
	// Values of headers that most answers have, shared by them all.
	html, json, noStore []string
}

// call is one request, and what is known of it so far.
type call struct {
	*http.Request
	w    http.ResponseWriter
	ids  []string     // what stands in the path's variable parts, in their order
	pass *issuer.Pass // of who asks, where the path needs an access
}

// method is what a path does for a method. access, unless empty, is what the bearer
// of X-Auth-Token must be allowed, with the path's variable parts in it.
type method struct {
	access string
	serve  func(c *call) error
}

// endpoint is what a path takes. GET's answers HEAD too, where that has none.
type endpoint map[string]method

// New makes a Handler.
func New(c Config) (*Handler, error) {
	u, err := url.Parse(c.URL)
	if err != nil || strings.HasSuffix(c.URL, "/") || c.URL != "" && (u.Scheme == "" || u.Host == "") {
		return nil, fmt.Errorf("service URL %q: want https://HOST[/PATH] without a slash at the end", c.URL)
	}
	if c.Core == nil || c.Door == nil || c.Report == nil {
		return nil, errors.New("no token core, no door or nobody to report to")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.Local
	}
	h := &Handler{
		Config: c, base: u.EscapedPath(), tenant: c.Door.TenantUUID(),
		html: []string{"text/html; charset=utf-8"}, json: []string{"application/json"}, noStore: []string{"no-store"},
	}
	h.paths = h.routes()
	return h, nil
}

const (
	// root is what all paths of the door begin with.
	root = "/0.1/"
	// variable stands for a part of a path that names something. No escaped path
	// holds it.
	variable = "{}"
	item     = "/" + variable
)

func (h *Handler) routes() map[string]endpoint {
	user := wazo.PathUsers + item
	return map[string]endpoint{
		wazo.PathToken: {"POST": {serve: h.create}},
		wazo.PathToken + item: {
			"HEAD": {serve: h.check}, "GET": {serve: h.show}, "DELETE": {serve: h.end},
		},
		wazo.PathToken + item + wazo.CheckScopes: {"POST": {serve: h.checkScopes}},
		wazo.PathBackends:                        {"GET": {serve: h.backends}},
		wazo.PathStatus:                          {"GET": {serve: h.status}, "HEAD": {serve: h.alive}},
		wazo.PathTokens:                          {"GET": {"auth.tokens.read", h.refreshTokens}},
		user + "/tokens":                         {"GET": {"auth.users.{}.tokens.read", h.refreshTokensOf}},
		user + "/tokens" + item:                  {"DELETE": {"auth.users.{}.tokens.{}.delete", h.deleteRefreshToken}},
		wazo.PathSessions:                        {"GET": {"auth.sessions.read", h.sessions}},
		wazo.PathSessions + item:                 {"DELETE": {"auth.sessions.{}.delete", h.endSession}},
		user + "/sessions":                       {"GET": {"auth.users.{}.sessions.read", h.sessionsOf}},
		user + "/sessions" + item:                {"DELETE": {"auth.users.{}.sessions.{}.delete", h.endSessionOf}},
		wazo.PathPolicies: {
			"GET": {"auth.policies.read", h.policies}, "POST": {"auth.policies.create", h.addPolicy},
		},
		wazo.PathPolicies + item: {
			"GET": {"auth.policies.{}.read", h.policy}, "PUT": {"auth.policies.{}.edit", h.changePolicy},
			"DELETE": {"auth.policies.{}.delete", h.deletePolicy},
		},
		wazo.PathPolicies + item + "/acl_templates" + item: {
			"PUT": {"auth.policies.{}.edit", h.addTemplate}, "DELETE": {"auth.policies.{}.edit", h.deleteTemplate},
		},
	}
}

// path is a request's, as it was sent, behind the service's own.
func (h *Handler) path(r *http.Request) string {
	return strings.TrimPrefix(r.URL.EscapedPath(), h.base)
}

// Serves reports whether a path is one of the door's.
func (h *Handler) Serves(r *http.Request) bool { return strings.HasPrefix(h.path(r), root) }

// find returns what a path takes, and what it names.
func (h *Handler) find(path string) (e endpoint, ids []string) {
	if e = h.paths[path]; e != nil {
		return e, nil
	}
	parts := strings.Split(path, "/") // "", "0.1", a list, an item, a list, an item
	for at := 3; at < min(len(parts), 6); at += 2 {
		id, err := url.PathUnescape(parts[at])
		if err != nil || id == "" {
			break
		}
		ids, parts[at] = append(ids, id), variable
		if e = h.paths[strings.Join(parts, "/")]; e != nil {
			return e, ids
		}
	}
	return nil, nil
}

// ServeHTTP answers at the door's paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := h.path(r)
	// Of all that is asked here, most is whether a token is good: no more is done for
	// that than must be.
	if raw, ok := strings.CutPrefix(path, wazo.PathToken+"/"); ok && r.Method == http.MethodHead && !strings.ContainsAny(raw, "/%") {
		if err := h.checkToken(w, r, raw); err != nil {
			h.refuse(&call{Request: r, w: w}, err)
		}
		return
	}
	e, ids := h.find(path)
	c := &call{Request: r, w: w, ids: ids}
	if err := h.serve(c, e); err != nil {
		h.refuse(c, err)
	}
}

func (h *Handler) serve(c *call, e endpoint) error {
	m, ok := e[c.Method]
	if !ok && c.Method == http.MethodHead {
		m, ok = e[http.MethodGet]
	}
	switch {
	case e == nil:
		return errNoPath
	case !ok:
		c.w.Header().Set("Allow", e.allow())
		return errMethod
	case m.access != "":
		if err := h.admit(c, m.access); err != nil {
			return err
		}
	}
	return m.serve(c)
}

// allow is the methods as a header lists them.
func (e endpoint) allow() string {
	return strings.Join(slices.DeleteFunc([]string{"GET", "HEAD", "POST", "PUT", "DELETE"}, func(name string) bool {
		_, head := e[http.MethodGet]
		_, ok := e[name]
		return !ok && (name != http.MethodHead || !head)
	}), ", ")
}

// backends names the places where passwords are checked.
func (h *Handler) backends(c *call) error {
	names := []string{}
	for _, b := range h.Door.Backends() {
		names = append(names, b.Name)
	}
	h.reply(c, http.StatusOK, wazo.Data[[]string]{Data: names})
	return nil
}

// status tells whether tokens can be issued and judged at this moment.
func (h *Handler) status(c *call) error {
	if err := h.Core.Ready(c.Context()); err != nil {
		return err
	}
	h.reply(c, http.StatusOK, map[string]any{"rest_api": map[string]string{"status": "ok"}})
	return nil
}

func (h *Handler) alive(c *call) error {
	if err := h.Core.Ready(c.Context()); err != nil {
		return err
	}
	h.done(c.w)
	return nil
}
