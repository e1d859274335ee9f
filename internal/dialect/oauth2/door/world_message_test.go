package door_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/openapi/openapitest"
)

// message is a request before it is sent.
type message struct {
	method, target string
	form           url.Values
	body           string // in place of form, if hasBody
	hasBody        bool
	header         http.Header
}

// option changes a message.
type option func(*message)

func withHeader(name, value string) option {
	return func(m *message) { m.header.Add(name, value) }
}

func withBody(kind, body string) option {
	return func(m *message) { m.body, m.hasBody = body, true; m.header.Set("Content-Type", kind) }
}

func withBasic(id, secret string) option {
	pair := url.QueryEscape(id) + ":" + url.QueryEscape(secret)
	return withHeader("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
}

func withBearer(raw string) option { return withHeader("Authorization", "Bearer "+raw) }

func withField(name string, values ...string) option {
	return func(m *message) { m.form[name] = values }
}

func without(names ...string) option {
	return func(m *message) {
		for _, name := range names {
			m.form.Del(name)
		}
	}
}

// as proves an application in the way that it is registered for.
func (w *world) as(id string) option {
	switch {
	case id == signer:
		return func(m *message) {
			m.form.Set("client_assertion_type", oauth2.AssertionType)
			m.form.Set("client_assertion", w.assertion())
		}
	case w.secrets[id] == "":
		return withField("client_id", id)
	case id == posting:
		return func(m *message) { m.form.Set("client_id", id); m.form.Set("client_secret", w.secrets[id]) }
	}
	return withBasic(id, w.secrets[id])
}

// fields makes a form of names and values in turn.
func fields(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// member is one of a JSON answer's members; nil: there is none.
func (a answer) member(name string) any {
	var m map[string]any
	if json.Unmarshal([]byte(a.body), &m) != nil {
		return nil
	}
	return m[name]
}

// text is a member that is a string.
func (a answer) text(name string) string {
	s, _ := a.member(name).(string)
	return s
}

// failure is the error code of an answer.
func (a answer) failure() string { return a.text("error") }

func (a answer) location() string { return a.header.Get("Location") }

// query is the parameters that a redirection carries.
func (a answer) query() url.Values {
	u, err := url.Parse(a.location())
	if err != nil {
		return nil
	}
	return u.Query()
}

// send sends a message to a path of the service, which may hold a query. An
// answer of 500 is never right.
func (w *world) send(method, target string, form url.Values, options ...option) answer {
	w.Helper()
	m := &message{method: method, target: target, form: url.Values{}, header: http.Header{}}
	for name, list := range form {
		m.form[name] = append([]string(nil), list...)
	}
	if form != nil {
		m.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, o := range options {
		o(m)
	}
	body := m.body
	if !m.hasBody {
		body = m.form.Encode()
	}
	r := httptest.NewRequest(m.method, w.url+m.target, strings.NewReader(body))
	r.Header = m.header
	return w.serve(r)
}

// basePath is that of the service's URL.
func (w *world) basePath() string {
	u, err := url.Parse(w.url)
	if err != nil {
		w.Fatal(err)
	}
	return u.EscapedPath()
}

func (w *world) serve(r *http.Request) answer {
	w.Helper()
	r = r.WithContext(dialect.WithSource(r.Context(), "192.0.2.1"))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	if w.handler.Serves(r) {
		openapitest.Judge(w, "oauth2", w.basePath(), r, rec)
	}
	a := answer{rec.Code, rec.Header(), rec.Body.String()}
	if a.status == http.StatusInternalServerError {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.Errorf("%s %s: 500 %s, reported %v", r.Method, r.URL.Path, a.body, w.reported)
	}
	return a
}

func (w *world) post(path string, form url.Values, options ...option) answer {
	w.Helper()
	return w.send(http.MethodPost, path, form, options...)
}

func (w *world) get(target string, options ...option) answer {
	w.Helper()
	return w.send(http.MethodGet, target, nil, options...)
}

// token asks for one, as an application, and wants it given.
func (w *world) token(app string, form url.Values, options ...option) answer {
	w.Helper()
	a := w.post("/oauth2/token", form, append([]option{w.as(app)}, options...)...)
	if a.status != http.StatusOK || a.text("access_token") == "" {
		w.Fatalf("no token for %s: %d %s", app, a.status, a.body)
	}
	return a
}

// refused asks for a token and wants it refused with a status and an error code.
func (w *world) refused(status int, code string, form url.Values, options ...option) answer {
	w.Helper()
	a := w.post("/oauth2/token", form, options...)
	w.wantError(a, status, code)
	return a
}

func (w *world) wantError(a answer, status int, code string) {
	w.Helper()
	if a.status != status || a.failure() != code || strings.Contains(a.body, "access_token\"") {
		w.Errorf("answered %d %s, want %d %s", a.status, a.body, status, code)
	}
}
