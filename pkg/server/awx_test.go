package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
)

func TestPeopleLogInForTheAWXDoorWhetherTheStandardIsOpenOrNot(t *testing.T) {
	for name, c := range map[string]struct {
		dialects []string
		standard bool
	}{
		"alone":             {[]string{"awx"}, false},
		"with the standard": {[]string{"oauth2", "awx"}, true},
		"with all":          {server.Dialects(), true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := server.New(t.Context(), server.Config{Store: memory.New(), Dialects: c.dialects})
			if err != nil {
				t.Fatal(err)
			}
			get := func(path string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081"+path, nil))
				return w
			}
			if w := get("/api/o/"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"authorize":"/api/o/authorize/"`) {
				t.Errorf("/api/o/: %d %s", w.Code, w.Body)
			}
			if w := get("/api/o/authorize/?client_id=nobody"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "No application with this client_id") {
				t.Errorf("/api/o/authorize/: %d %s", w.Code, w.Body)
			}
			if w := get("/login"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `name="password"`) {
				t.Errorf("/login: %d %s", w.Code, w.Body)
			}
			for _, path := range []string{"/oauth2/authorize", "/.well-known/jwks.json"} {
				if w := get(path); (w.Code != http.StatusNotFound) != c.standard {
					t.Errorf("%s: %d", path, w.Code)
				}
			}
		})
	}
	s, err := server.New(t.Context(), server.Config{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8081/api/o/authorize/?client_id=nobody", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("not open: %d", w.Code)
	}
}
