// Package door is the service's end of CipherTrust Manager's tokens: logins,
// refresh tokens that stay the same until they are renewed, their list, their
// revocation, and the system properties that concern them.
//
// It decides nothing about tokens that the issuer has not decided, never
// redirects, and never answers a refresh token's value but to who logs in or
// refreshes.
package door

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/issuer"
)

// Config of a Handler.
type Config struct {
	// URL is what the service is called from outside, without a slash at its end:
	// cookies are for TLS alone where it is https, and pages of its origin are the
	// service's own. Required.
	URL string
	// Core and Door issue and judge. Required.
	Core *issuer.Issuer
	Door *issuer.Door
	// Report logs an error that is no refusal, and returns the status to answer
	// with and what names it in the log. Required.
	Report func(r *http.Request, err error) (status int, requestID string)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Handler answers at the door's paths. It is safe for concurrent use.
type Handler struct {
	Config
	base   string // path of URL
	origin string
	secure bool // whether URL is https
	paths  map[string]methods
}

// methods are what a path takes. id is what stands in the path's variable part.
type methods map[string]func(w http.ResponseWriter, r *http.Request, id string)

// New makes a Handler.
func New(c Config) (*Handler, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.HasSuffix(c.URL, "/") {
		return nil, fmt.Errorf("service URL %q: want https://HOST[/PATH] without a slash at the end", c.URL)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{Config: c, base: u.EscapedPath(), origin: u.Scheme + "://" + u.Host, secure: u.Scheme == "https"}
	h.paths = h.routes()
	return h, nil
}

// variable stands for one segment of a path.
const variable = "/*"

func (h *Handler) routes() map[string]methods {
	return map[string]methods{
		ciphertrust.PathTokens:            {"POST": h.trade, "GET": h.list},
		ciphertrust.PathTokens + variable: {"GET": h.show, "DELETE": h.remove},
		ciphertrust.PathRevoke:            {"POST": h.revoke},
		ciphertrust.PathDomains:           {"GET": h.domains},
		ciphertrust.PathKey:               {"GET": h.noKey},
		ciphertrust.PathRotate:            {"POST": h.noKey},

		ciphertrust.PathProperties:                       {"GET": h.properties},
		ciphertrust.PathProperties + variable:            {"GET": h.property, "PATCH": h.setProperty},
		ciphertrust.PathProperties + variable + "/reset": {"POST": h.resetProperty},
	}
}

// prefix is what all paths of the service begin with.
const prefix = "/api/v1/"

// path is a request's, as it was sent, behind the service's own. One slash at its
// end is nothing: a redirection would lose a password.
func (h *Handler) path(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.EscapedPath(), h.base)
	return strings.TrimSuffix(path, "/")
}

// Serves reports whether a path is one of the door's.
func (h *Handler) Serves(r *http.Request) bool { return strings.HasPrefix(h.path(r)+"/", prefix) }

// find returns what a path takes, and its variable part.
func (h *Handler) find(path string) (m methods, id string) {
	if m = h.paths[path]; m != nil {
		return m, ""
	}
	head, rest := path, ""
	if cut, found := strings.CutSuffix(path, "/reset"); found {
		head, rest = cut, "/reset"
	}
	slash := strings.LastIndexByte(head, '/')
	if slash < 0 {
		return nil, ""
	}
	id, err := url.PathUnescape(head[slash+1:])
	if err != nil || id == "" {
		return nil, ""
	}
	return h.paths[head[:slash]+variable+rest], id
}

// ServeHTTP answers at the door's paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	takes, id := h.find(h.path(r))
	if takes == nil {
		h.refuse(w, r, errNotFound("there is nothing at this path"))
		return
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	serve := takes[method]
	if serve == nil {
		w.Header().Set("Allow", takes.allow())
		h.refuse(w, r, refusal{status: http.StatusMethodNotAllowed, message: "this path takes " + takes.allow()})
		return
	}
	serve(w, r, id)
}

// allow is the methods as a header lists them.
func (m methods) allow() string {
	var list []string
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		if m[method] != nil {
			list = append(list, method)
		}
	}
	return strings.Join(list, ", ")
}
