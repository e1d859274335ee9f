// Package door is the service's end of AWX: applications, access tokens and their
// owners under /api/v2/, logins of browsers, and the grants under /api/o/.
//
// It decides nothing about tokens that the issuer has not decided, never tells a
// value again that was told at its creation, and lets a token without the scope
// "write" change nothing, whoever owns it.
package door

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/pages"
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
	// Authorize answers at awx.PathAuthorize with the pages that people log in at.
	// Default: there is no such path.
	Authorize http.Handler
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
	pages  *pages.Pages
	paths  map[string]endpoint
}

// endpoint is what a path takes, by method. GET's answers HEAD too. What it does
// not take is answered by its "", where it has one.
type endpoint map[string]http.HandlerFunc

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
	if h.pages, err = pages.New(pages.Config{Base: h.base + root, Now: c.Now}); err != nil {
		return nil, err
	}
	h.paths = h.routes()
	maps.Copy(h.paths, h.oauthRoutes())
	return h, nil
}

// root is what all paths of the door begin with.
const root = "/api"

// variable stands for the one segment of a path that names an object: handlers
// read it as r.PathValue("id").
const variable = "*"

// routes is every path of the door but those of oauthRoutes, behind base.
func (h *Handler) routes() map[string]endpoint {
	paths := map[string]endpoint{
		awx.PathLogin:  {"GET": h.loginPage, "POST": h.login},
		awx.PathLogout: {"POST": h.logout},
		strings.TrimPrefix(h.pages.StylePath(), h.base): {"GET": h.pages.Style},
	}
	for path, v := range h.views() {
		paths[path] = h.endpoint(v)
	}
	return paths
}

// Serves reports whether a path is one of the door's. /api/v1/ is another's.
func (h *Handler) Serves(r *http.Request) bool {
	path := h.path(r) + "/"
	return strings.HasPrefix(path, root+"/") && !strings.HasPrefix(path, root+"/v1/")
}

// path is a request's, as it was sent, behind the service's own.
func (h *Handler) path(r *http.Request) string {
	return strings.TrimPrefix(r.URL.EscapedPath(), h.base)
}

// find returns what a path takes, and what it names.
func (h *Handler) find(path string) (e endpoint, id string) {
	if e = h.paths[path]; e != nil {
		return e, ""
	}
	rest, found := strings.CutPrefix(path, awx.PathV2)
	parts := strings.Split(rest, "/")
	if !found || len(parts) < 3 || parts[1] == "" || parts[1] == variable {
		return nil, ""
	}
	id, err := url.PathUnescape(parts[1])
	if err != nil {
		return nil, ""
	}
	parts[1] = variable
	return h.paths[awx.PathV2+strings.Join(parts, "/")], id
}

// ServeHTTP answers at the door's paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := h.path(r)
	e, id := h.find(path)
	if e == nil && !strings.HasSuffix(path, "/") {
		if e, id = h.find(path + "/"); e != nil && isGet(r) {
			redirect(w, r)
			return
		}
	}
	if e == nil {
		h.refuse(w, r, errNotFound)
		return
	}
	r.SetPathValue("id", id)
	e.serve(h, w, r)
}

func isGet(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// redirect sends to the path with its last slash.
func redirect(w http.ResponseWriter, r *http.Request) {
	u := url.URL{Path: r.URL.Path + "/", RawQuery: r.URL.RawQuery}
	if r.URL.RawPath != "" {
		u.RawPath = r.URL.RawPath + "/"
	}
	w.Header().Set("Location", u.RequestURI())
	w.WriteHeader(http.StatusMovedPermanently)
}

func (e endpoint) serve(h *Handler, w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch {
	case e[method] != nil && method != "":
		e[method](w, r)
	case e[""] != nil:
		e[""](w, r)
	default:
		w.Header().Set("Allow", e.allow())
		h.refuse(w, r, errMethod(r.Method))
	}
}

// allow is the methods as a header lists them.
func (e endpoint) allow() string {
	return strings.Join(allowed(func(method string) bool { return e[method] != nil }), ", ")
}

func allowed(takes func(method string) bool) []string {
	return slices.DeleteFunc([]string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}, func(method string) bool {
		return method == "HEAD" && !takes("GET") || method != "HEAD" && !takes(method)
	})
}
