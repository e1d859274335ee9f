// Package door is the service's end of Tapis v3: tokens that services mint for
// users and for themselves, logins of users, refresh, revocation, and what
// clients ask of tenants, sites and keys before they do anything else.
//
// It decides nothing about tokens that the issuer has not decided, never
// redirects, and answers everything in one envelope.
package door

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/issuer"
)

// Config of a Handler.
type Config struct {
	// URL is what the service is called from outside, without a slash at its end.
	// Required.
	URL string
	// Core and Doors issue and judge. Required.
	Core  *issuer.Issuer
	Doors *issuer.Doors
	// OpenMinting says in which tenants anybody on this machine mints, without
	// credentials. Default: in none. Danger: whoever gets at the loopback address
	// has any token of such a tenant.
	OpenMinting func(tenant string) bool
	// Report logs an error that is no refusal, and returns the status to answer
	// with and what names it in the log. Required.
	Report func(r *http.Request, err error) (status int, requestID string)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Handler answers at the door's paths. It is safe for concurrent use.
type Handler struct {
	Config
	base  string // path of URL
	paths map[string]methods
	polls polls
}

// call is one request, and what is known of it so far.
type call struct {
	*http.Request
	w      http.ResponseWriter
	id     string        // what stands in the path's variable part
	tenant issuer.Served // whom it is about; zero: nobody knows
}

// answer is what a call is told that went well. A result of nil is the empty text.
type answer struct {
	message string
	result  any
}

// methods are what a path takes.
type methods map[string]func(c *call) (answer, error)

// New makes a Handler.
func New(c Config) (*Handler, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.HasSuffix(c.URL, "/") {
		return nil, fmt.Errorf("service URL %q: want https://HOST[/PATH] without a slash at the end", c.URL)
	}
	if c.Core == nil || c.Doors == nil || c.Report == nil {
		return nil, errors.New("no token core, no tenants' doors or nobody to report to")
	}
	if c.OpenMinting == nil {
		c.OpenMinting = func(string) bool { return false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{Config: c, base: u.EscapedPath()}
	h.paths = h.routes()
	return h, nil
}

// variable stands for the last segment of a path.
const variable = "/*"

func (h *Handler) routes() map[string]methods {
	return map[string]methods{
		tapis.PathTokens:             {"POST": h.mint, "PUT": h.refresh},
		tapis.PathRevoke:             {"POST": h.revoke},
		tapis.PathKeys:               {"PUT": h.rotate},
		tapis.PathHello:              {"GET": h.hello},
		tapis.PathReady:              {"GET": h.ready},
		tapis.PathOAuth2:             {"POST": h.login},
		tapis.PathOAuth2Revoke:       {"POST": h.revoke},
		tapis.PathTenants:            {"GET": h.tenants},
		tapis.PathTenants + variable: {"GET": h.tenantByID},
		tapis.PathSites:              {"GET": h.sites},
		tapis.PathSites + variable:   {"GET": h.siteByID},
		tapis.PathCheck:              {"GET": h.check},
		tapis.PathSiteRevoke:         {"POST": h.siteRevoke},
	}
}

// path is a request's, as it was sent, behind the service's own. One slash at its
// end is nothing: a redirection would lose a password.
func (h *Handler) path(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), h.base)
	return strings.TrimSuffix(path, "/")
}

// Serves reports whether a path is one of the door's.
func (h *Handler) Serves(r *http.Request) bool {
	path := h.path(r) + "/"
	for _, root := range []string{tapis.PathTokens, tapis.PathOAuth2, tapis.PathTenants, tapis.PathSites, tapis.PathSiteRouter} {
		if strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}

// find returns what a path takes, and its variable part.
func (h *Handler) find(path string) (m methods, id string) {
	if m = h.paths[path]; m != nil {
		return m, ""
	}
	slash := strings.LastIndexByte(path, '/')
	if slash < 0 {
		return nil, ""
	}
	id, err := url.PathUnescape(path[slash+1:])
	if err != nil || id == "" {
		return nil, ""
	}
	return h.paths[path[:slash]+variable], id
}

// ServeHTTP answers at the door's paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	takes, id := h.find(h.path(r))
	c := &call{Request: r, w: w, id: id}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve := takes[method]
	if serve == nil {
		if takes != nil {
			w.Header().Set("Allow", takes.allow())
		}
		h.refuse(c, refusal{status: http.StatusMethodNotAllowed, message: tapis.MessageNoEndpoint})
		return
	}
	a, err := serve(c)
	if err != nil {
		h.refuse(c, err)
		return
	}
	h.accept(c, a)
}

// allow is the methods as a header lists them.
func (m methods) allow() string {
	var list []string
	for _, method := range []string{"GET", "POST", "PUT"} {
		if m[method] != nil {
			list = append(list, method)
		}
	}
	return strings.Join(list, ", ")
}

func (h *Handler) hello(*call) (answer, error) { return answer{message: tapis.MessageHello}, nil }

func (h *Handler) ready(c *call) (answer, error) {
	return answer{message: tapis.MessageReady}, h.Core.Ready(c.Context())
}
