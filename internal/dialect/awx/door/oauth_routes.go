package door

import (
	"net/http"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
)

// oauthRoutes is every path of the grants, behind base. They are for applications'
// tokens alone.
func (h *Handler) oauthRoutes() map[string]endpoint {
	paths := map[string]endpoint{
		awx.PathOAuth:     {"GET": h.oauthRoot, "OPTIONS": h.oauthOptions},
		awx.PathToken:     {"POST": h.oauthToken, "OPTIONS": noOptions},
		awx.PathRevoke:    {"POST": h.oauthRevoke, "OPTIONS": noOptions},
		awx.PathRevokeToo: {"POST": h.oauthRevoke, "OPTIONS": noOptions},
	}
	if h.Authorize != nil {
		paths[awx.PathAuthorize] = endpoint{"": h.oauthAuthorize}
	}
	return paths
}

// oauthMap is where the grants are.
type oauthMap struct {
	Authorize string `json:"authorize,omitempty"`
	Token     string `json:"token"`
	Revoke    string `json:"revoke_token"`
}

// oauthRoot tells where the grants are: programs as a map, people in words.
func (h *Handler) oauthRoot(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.oauthGuide(w)
		return
	}
	m := oauthMap{Token: h.base + awx.PathToken, Revoke: h.base + awx.PathRevoke}
	if h.Authorize != nil {
		m.Authorize = h.base + awx.PathAuthorize
	}
	reply(w, http.StatusOK, m)
}

// oauthOptions describes the usual calls to programs.
func (h *Handler) oauthOptions(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "GET, HEAD, OPTIONS")
	reply(w, http.StatusOK, map[string]any{
		"name": "Token Handling using OAuth2", "description": h.oauthCalls(),
		"renders": []string{"application/json", "text/html"}, "parses": []string{formType},
	})
}

// noOptions says which methods there are.
func noOptions(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Allow", "POST, OPTIONS")
	w.WriteHeader(http.StatusOK)
}

// oauthAuthorize hands on to the pages, which know the path with its last slash.
func (h *Handler) oauthAuthorize(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/") {
		r = r.Clone(r.Context())
		r.URL.Path += "/"
	}
	h.Authorize.ServeHTTP(w, r)
}
