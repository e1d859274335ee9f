package metrics

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"go.yaml.in/yaml/v3"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/measured"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const testPassword = "canary-of-a-password"

// newServer is a server with every door open, and its store.
func newServer(t *testing.T) (*server.Server, *measured.Store) {
	t.Helper()
	st := measured.New(memory.New())
	s, err := server.New(t.Context(), server.Config{
		Store: st, Dialects: server.Dialects(), PasswordCost: server.PasswordCost{KiB: 64, Passes: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.AddUser(t.Context(), store.User{Name: "marco"}, token.NewPassword(testPassword)); err != nil {
		t.Fatal(err)
	}
	return s, st
}

func login(s *server.Server, name, pass string) {
	body := strings.NewReader(`{"username":"` + name + `","password":"` + pass + `","refresh":true}`)
	s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/user/login", body))
}

func scrape(t *testing.T, s *server.Server, st *measured.Store) string {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(Config{Server: s.Stats, Store: st.Stats, Version: "1.2.3", Log: slog.New(slog.DiscardHandler)}).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestAScrapeTellsWhatWasDone(t *testing.T) {
	s, st := newServer(t)
	login(s, "marco", testPassword)
	login(s, "marco", "wrong")
	text := scrape(t, s, st)
	for _, want := range []string{
		`ats_auth_build_info{version="1.2.3"} 1`,
		`ats_auth_http_request_duration_seconds_count{door="ats",status="2xx"} 1`,
		`ats_auth_http_request_duration_seconds_count{door="ats",status="4xx"} 1`,
		`ats_auth_http_request_duration_seconds_bucket{door="ats",status="2xx",le="+Inf"} 1`,
		`ats_auth_logins_total{door="ats",outcome="success"} 1`,
		`ats_auth_logins_total{door="ats",outcome="refused"} 1`,
		`ats_auth_token_events_total{door="ats",event="issued"} 1`,
		`ats_auth_token_events_total{door="wazo",event="revoked"} 0`,
		`ats_auth_password_hashing_waiting 0`,
		`ats_auth_throttle_refused_total 0`,
		`ats_auth_revocations{kind="session"} 0`,
		`ats_auth_store_errors_total{operation="write"} 0`,
		`ats_auth_audit_errors_total 0`,
		`# TYPE go_goroutines gauge`,
		`# TYPE ats_auth_http_request_duration_seconds histogram`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%q is not there", want)
		}
	}
	if strings.Contains(text, "marco") || strings.Contains(text, testPassword) {
		t.Error("a user or a password is there")
	}
}

func TestMetricsHaveTheFormAndTheNamesThatPrometheusWants(t *testing.T) {
	s, st := newServer(t)
	problems, err := promlint.New(strings.NewReader(scrape(t, s, st))).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "ats_auth_") {
			continue // of the Go runtime, as client_golang has them
		}
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestWhatClientsSendMakesNoSeries sends paths, methods, users and headers of all
// kinds: afterwards there are the same series as before.
func TestWhatClientsSendMakesNoSeries(t *testing.T) {
	s, st := newServer(t)
	series := func() []string {
		var list []string
		for line := range strings.Lines(scrape(t, s, st)) {
			if strings.HasPrefix(line, "ats_auth_") {
				list = append(list, regexp.MustCompile(` [^ ]*$`).ReplaceAllString(line, ""))
			}
		}
		return list
	}
	before := series()
	for _, path := range []string{"/x/1", "/x/2", "/0.1/token/aaaa", "/api/v2/users/7/", "/v3/tenants/none", "/oauth2/token", "/.well-known/jwks.json"} {
		for _, method := range []string{"GET", "POST", "PURGE"} {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Authorization", "Bearer "+path)
			s.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	login(s, "somebody", "x")
	after := series()
	if !slices.Equal(before, after) || len(before) < 100 || len(before) > 1500 {
		t.Errorf("%d series before and %d after, want the same, and not many", len(before), len(after))
	}
}

// rules is a file of rules as Prometheus reads it.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func TestTheAlertsAreAboutMetricsThatThereAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy", "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var file rules
	if err := decoder.Decode(&file); err != nil {
		t.Fatal(err)
	}
	s, st := newServer(t)
	login(s, "marco", testPassword)
	shown := scrape(t, s, st)
	count := 0
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			count++
			if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
				t.Errorf("rule %q lacks something: %+v", r.Alert, r)
			}
			if strings.Count(r.Expr, "(") != strings.Count(r.Expr, ")") || strings.Count(r.Expr, "{") != strings.Count(r.Expr, "}") {
				t.Errorf("%s: brackets of %q", r.Alert, r.Expr)
			}
			for _, name := range regexp.MustCompile(`ats_auth_\w+`).FindAllString(r.Expr, -1) {
				if !strings.Contains(shown, "\n"+name+"{") && !strings.Contains(shown, "\n"+name+" ") {
					t.Errorf("%s: there is no %s", r.Alert, name)
				}
			}
		}
	}
	if count < 10 {
		t.Errorf("%d rules", count)
	}
}

func TestThePageNamesEveryMetric(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	s, st := newServer(t)
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (ats_auth_\w+) `).FindAllStringSubmatch(scrape(t, s, st), -1) {
		named := strings.Contains(string(page), "`"+m[1]+"`") || strings.HasSuffix(m[1], "_waiting") && strings.Contains(string(page), "`_waiting`")
		if !named {
			t.Errorf("docs/operations.md does not name %s", m[1])
		}
	}
}
