package server

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/ats-auth/ats-auth/internal/openapi"
)

// pathOpenAPI is where the service describes itself.
const pathOpenAPI = "/openapi.yaml"

// describe puts the description of all open doors in front of them.
func (s *Server) describe(doors http.Handler) (http.Handler, error) {
	// Put together when somebody asks: most servers never are.
	document := sync.OnceValues(func() ([]byte, error) {
		return openapi.Document(s.config.PublicURL, cmp.Or(s.config.Version, "unknown"), s.config.Dialects...)
	})
	u, err := url.Parse(s.config.PublicURL)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path := r.URL.EscapedPath(); path != pathOpenAPI && path != strings.TrimSuffix(u.EscapedPath(), "/")+pathOpenAPI {
			doors.ServeHTTP(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "this path takes GET, HEAD")
			return
		}
		text, err := document()
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/yaml")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "max-age=300")
		_, _ = w.Write(text)
	}), nil
}
