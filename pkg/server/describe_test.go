package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
)

func (w *world) description() *openapi3.T {
	w.Helper()
	a := w.send(http.MethodGet, pathOpenAPI, "")
	w.want(a, http.StatusOK, pathOpenAPI)
	if got := a.header.Get("Content-Type"); got != "application/yaml" {
		w.Errorf("Content-Type %q", got)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(a.body))
	w.do(err)
	w.do(doc.Validate(context.Background()))
	return doc
}

func TestTheServiceDescribesTheDoorsThatAreOpen(t *testing.T) {
	few := newWorld(t, func(c *Config) { c.PublicURL, c.Version = "https://auth.example.org/at", `1.2"3` }).description()
	if few.Paths.Value("/user/login") == nil || few.Paths.Value("/oauth2/token") == nil || few.Paths.Value("/0.1/token") != nil {
		t.Error("by default ats and oauth2 are described, and wazo is not")
	}
	if few.Servers[0].URL != "https://auth.example.org/at" || few.Info.Version != `1.2"3` {
		t.Errorf("server %q, version %q", few.Servers[0].URL, few.Info.Version)
	}
	w := newWorld(t, withDialects(Dialects()...))
	all := w.description()
	for _, path := range []string{"/user/login", "/oauth2/token", "/v3/tokens", "/api/v1/auth/tokens", "/api/v2/tokens/", "/0.1/token", pathOpenAPI} {
		if all.Paths.Value(path) == nil {
			t.Errorf("%s is not described", path)
		}
	}
	w.want(w.post(pathOpenAPI, ""), http.StatusMethodNotAllowed, "POST")
	if a := w.send(http.MethodHead, pathOpenAPI, ""); a.status != http.StatusOK || a.body != "" {
		t.Errorf("HEAD: %d %q", a.status, a.body)
	}
}

// TestEveryAnswerOfAWalkIsDescribed goes by every door of one server: what a door
// alone answers is judged in its own room.
func TestEveryAnswerOfAWalkIsDescribed(t *testing.T) {
	k := newWalker(newWorld(t, withDialects(Dialects()...)))
	judged := 0
	k.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		k.server.ServeHTTP(rec, r)
		if strings.Trim(r.URL.Path, "/") != "" {
			judged++
			openapitest.Judge(t, "ats", "", r, rec)
		}
		for name, values := range rec.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
	k.all()
	if judged < 40 {
		t.Errorf("%d answers were judged", judged)
	}
}
