// Package door is the service's end of OAuth 2.0: the endpoints of an
// authorization server over the token core, and the pages by which people log
// in, consent and see what they have allowed.
//
// A request for a token passes phases that no grant can forget (tokenEndpoint):
// the form is read, the application proves itself, its right to the grant is
// looked up, a proof of possession is judged; then the grant's own file says what
// is to be issued, and one writer answers.
//
// It decides nothing about tokens that the issuer has not decided, and never
// sends a browser to an address that was not registered.
package door

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/pages"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Config of a Handler.
type Config struct {
	// URL is the issuer: what the service is called from outside, without a slash
	// at its end. Required.
	URL string
	// Core and Door issue and judge. Required.
	Core *issuer.Issuer
	Door *issuer.Door
	// Beside is the authorization endpoint of another door of the tenant, which
	// shares the pages. Default: none.
	Beside *Beside
	// PagesAlone serves the pages and what is Beside, and nothing of the standard's.
	PagesAlone bool
	// Report logs an error that is no refusal, and returns the status to answer
	// with and what names it in the log. Required.
	Report func(r *http.Request, err error) (status int, requestID string)
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Handler answers at the endpoints of the door. It is safe for concurrent use.
type Handler struct {
	Config
	base      string // path of URL
	secure    bool   // whether URL is https
	endpoints map[string]endpoint
	entrances []*entrance
	metadata  map[string]any // but for what a rotation of keys changes
	grants    map[string]grantFunc
	proofs    *verifier.Proofs
	pages     *pages.Pages
	polls     polls
	pace      pace
}

// endpoint is one path. The metadata names it by its member, if it has one, so
// that what is advertised is what answers.
type endpoint struct {
	member  string // of the metadata
	methods []string
	serve   http.HandlerFunc
	// open lets scripts of other sites read the answer, which carries nothing by
	// cookie.
	open bool
}

// New makes a Handler.
func New(c Config) (*Handler, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" || u.Host == "" || strings.HasSuffix(c.URL, "/") {
		return nil, fmt.Errorf("issuer URL %q: want https://HOST[/PATH] without a slash at the end", c.URL)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Handler{Config: c, base: u.EscapedPath(), secure: u.Scheme == "https"}
	h.grants = h.grantFuncs()
	if h.pages, err = pages.New(pages.Config{Base: h.base, Now: c.Now}); err != nil {
		return nil, err
	}
	h.proofs, err = verifier.NewProofs(verifier.ProofConfig{
		Algorithms: algorithms(), Now: c.Now,
		Seen: func(ctx context.Context, id string, until time.Time) error {
			err := c.Core.Once(ctx, "proof:"+id, until.UnixMicro())
			if errors.Is(err, issuer.ErrReplayed) {
				return verifier.ErrReplayed
			}
			return err
		},
		Nonce: h.knowsNonce,
	})
	if err != nil {
		return nil, err
	}
	h.entrances = h.newEntrances()
	h.endpoints = h.routes()
	h.metadata = h.newMetadata()
	return h, nil
}

// routes is every path of the door, behind base.
func (h *Handler) routes() map[string]endpoint {
	all := h.pageRoutes()
	if h.PagesAlone {
		return all
	}
	get, post := []string{"GET", "HEAD"}, []string{"POST"}
	maps.Copy(all, map[string]endpoint{
		"/oauth2/token":                   {"token_endpoint", post, h.tokenEndpoint, true},
		"/oauth2/device_authorization":    {"device_authorization_endpoint", post, h.deviceAuthorization, true},
		"/oauth2/revoke":                  {"revocation_endpoint", post, h.revoke, true},
		"/oauth2/introspect":              {"introspection_endpoint", post, h.introspect, false},
		"/oauth2/userinfo":                {"userinfo_endpoint", []string{"GET", "HEAD", "POST"}, h.userinfo, true},
		"/oauth2/global-token-revocation": {"global_token_revocation_endpoint", post, h.globalRevocation, false},
		"/oauth2/logins":                  {"logins_endpoint", get, h.logins, false},
		verifier.FeedPath:                 {"revocations_endpoint", []string{"GET"}, h.revocations, false},
		"/.well-known/jwks.json":          {"jwks_uri", get, h.jwks, true},
		oauth2.PathMetadata:               {"", get, h.serveMetadata, true},
		oauth2.PathOpenID:                 {"", get, h.serveMetadata, true},
		"/device":                         {"", []string{"GET", "HEAD", "POST"}, h.page(h.device), false},
	})
	return all
}

// pageRoutes are those of the pages that every way in needs, and the ways in.
func (h *Handler) pageRoutes() map[string]endpoint {
	get, post := []string{"GET", "HEAD"}, []string{"POST"}
	all := map[string]endpoint{
		"/login":           {"", []string{"GET", "HEAD", "POST"}, h.page(h.login), false},
		"/logout":          {"", post, h.page(h.logout), false},
		"/account":         {"", get, h.page(h.account), false},
		"/account/end":     {"", post, h.page(h.endLogin), false},
		"/account/end-all": {"", post, h.page(h.endAll), false},
		strings.TrimPrefix(h.pages.StylePath(), h.base): {"", get, h.pages.Style, false},
	}
	for _, e := range h.entrances {
		all[e.path] = endpoint{e.member, []string{"GET", "POST"}, h.authorizationEndpoint(e), false}
	}
	return all
}

// find returns the endpoint of a request. The well-known paths of an issuer
// with a path stand in front of that path too (RFC 8414 section 3.1).
func (h *Handler) find(r *http.Request) (endpoint, bool) {
	path := r.URL.EscapedPath()
	if h.base != "" {
		path = strings.TrimPrefix(path, h.base)
		if rest, found := strings.CutSuffix(path, h.base); found && strings.HasPrefix(path, "/.well-known/") {
			path = rest
		}
	}
	e, found := h.endpoints[path]
	return e, found
}

// Serves reports whether a path is one of the door's.
func (h *Handler) Serves(r *http.Request) bool {
	_, found := h.find(r)
	return found
}

// ServeHTTP answers at the door's paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, found := h.find(r)
	if !found {
		http.NotFound(w, r)
		return
	}
	if e.open && h.crossOrigin(w, r, e) {
		return
	}
	for _, method := range e.methods {
		if r.Method == method {
			e.serve(w, r)
			return
		}
	}
	w.Header().Set("Allow", strings.Join(e.methods, ", "))
	h.writeError(w, refusal{status: http.StatusMethodNotAllowed, code: "invalid_request", description: "this endpoint takes " + strings.Join(e.methods, ", ")})
}

// crossOrigin lets applications that run in a browser use the endpoint (Fetch,
// CORS protocol). It reports whether it has answered: a preflight.
func (h *Handler) crossOrigin(w http.ResponseWriter, r *http.Request, e endpoint) bool {
	// Said to all, so that what a cache keeps is good for all.
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", "DPoP-Nonce, WWW-Authenticate, Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	w.Header().Set("Access-Control-Allow-Methods", strings.Join(e.methods, ", "))
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// url is the outside address of a path.
func (h *Handler) url(path string) string { return h.URL + path }
