package pages

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

var noon = time.Date(2026, 11, 21, 14, 3, 0, 0, time.UTC)

func newPages(t *testing.T, config Config) *Pages {
	t.Helper()
	config.Now = func() time.Time { return noon }
	p, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answer has a page answered as a handler does.
func answer(p *Pages, status int, v view) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	switch v := v.(type) {
	case Login:
		p.Login(w, status, v)
	case Consent:
		p.Consent(w, status, v)
	case Device:
		p.Device(w, status, v)
	case DeviceConfirm:
		p.DeviceConfirm(w, status, v)
	case Account:
		p.Account(w, status, v)
	case Message:
		p.Message(w, status, v)
	case Problem:
		p.Problem(w, status, v)
	}
	return w
}

// full are all pages with something in every field.
func full() map[string]view {
	f := Frame{User: "alice", CSRF: "c5rf"}
	scopes := []Scope{{"jobs:read", "Read your jobs"}, {Name: "jobs:write"}}
	logins := []AccountLogin{
		{ID: "id1", Name: "Browser", Door: "oauth2", Created: noon.Add(-time.Hour), LastUsed: noon, Expires: noon.Add(30*24*time.Hour - 1), Current: true},
		{ID: "id2", Name: "Deploy Tool", Door: "ats", Scope: "jobs:read jobs:write", Created: noon},
		{ID: "id3", Name: "Deploy Tool", Door: "ats", Created: noon},
	}
	return map[string]view{
		"login":   Login{Frame: f, Action: "/login", Next: "/authorize?x=1", Client: "Deploy Tool", Username: "alice", Problem: "Wrong."},
		"consent": Consent{f, "/consent", "Deploy Tool", "deploy-tool", "deploy.example", scopes, []string{"https://jobs.example"}},
		"device":  Device{f, "/device", "WDJB-MJHT", "No such code."},
		"confirm": DeviceConfirm{f, "/device", "Deploy Tool", "deploy-tool", "WDJB-MJHT", "192.0.2.1", noon.Add(-2 * time.Minute), scopes, []string{"https://jobs.example"}},
		"account": Account{f, "/account/end", "/account/end-all", "/logout", "Ended.", logins, true},
		"message": Message{f, "Device connected", "You can close this window.", true, "My logins", "/account"},
		"problem": Problem{f, "Bad request", "The link is wrong.", "req-1"},
	}
}

type page struct {
	*testing.T
	elements []*html.Node
}

func read(t *testing.T, w *httptest.ResponseRecorder) page {
	t.Helper()
	root, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := page{T: t}
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			p.elements = append(p.elements, n)
		}
	}
	return p
}

func (p page) all(names ...string) []*html.Node {
	var found []*html.Node
	for _, n := range p.elements {
		if slices.Contains(names, n.Data) {
			found = append(found, n)
		}
	}
	return found
}

func (p page) one(name string) *html.Node {
	p.Helper()
	found := p.all(name)
	if len(found) != 1 {
		p.Fatalf("%d elements %s, want 1", len(found), name)
	}
	return found[0]
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// shape is what a browser makes of a page, without what is written in it.
func (p page) shape() string {
	var b strings.Builder
	for _, n := range p.elements {
		b.WriteString(n.Data)
		for _, a := range n.Attr {
			b.WriteString(" " + a.Key)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// holds reports whether a value is read anywhere, as it was given.
func (p page) holds(value string) bool {
	for _, n := range p.elements {
		if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Val == value }) {
			return true
		}
	}
	return strings.Contains(text(p.one("html")), strings.Join(strings.Fields(value), " "))
}

func everyPage(t *testing.T, check func(t *testing.T, v view)) {
	t.Helper()
	for _, set := range []struct {
		name  string
		views map[string]view
	}{{"full", full()}, {"empty", views()}} {
		for name, v := range set.views {
			t.Run(name+"/"+set.name, func(t *testing.T) { check(t, v) })
		}
	}
}

func TestNothingNeedBeConfigured(t *testing.T) {
	p, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if got := text(read(t, answer(p, 200, Login{})).one("title")); got != "Log in · ats-auth" {
		t.Errorf("title %q", got)
	}
}

func TestABaseIsAPathWithoutAnEndingSlash(t *testing.T) {
	for base, want := range map[string]bool{
		"": true, "/auth": true, "/a/b": true, "/": false, "auth": false, "/auth/": false, "//host": false, "/a/../b": false,
		"https://host": false,
	} {
		p, err := New(Config{Base: base})
		if (err == nil) != want {
			t.Errorf("base %q: %v", base, err)
		}
		if err == nil && !strings.HasPrefix(p.StylePath(), base+"/assets/style-") {
			t.Errorf("base %q: style at %s", base, p.StylePath())
		}
	}
}

func TestAnAnswerHasItsStatusAndItsServiceName(t *testing.T) {
	p := newPages(t, Config{Service: "Example login"})
	for name, v := range full() {
		w := answer(p, http.StatusTeapot, v)
		if w.Code != http.StatusTeapot {
			t.Errorf("%s: status %d", name, w.Code)
		}
		if title := text(read(t, w).one("title")); !strings.HasSuffix(title, " · Example login") {
			t.Errorf("%s: title %q", name, title)
		}
	}
}

func TestAPageThatDoesNotRenderIsAPlainError(t *testing.T) {
	p := newPages(t, Config{})
	p.templates["login"] = template.Must(template.New("").Parse(`half a page {{.View.Nothing}}`))
	w := answer(p, 200, Login{})
	if w.Code != 500 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || strings.Contains(w.Body.String(), "half") {
		t.Errorf("%d %s %q", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
}

func TestAFormAsksForWhatItsViewSays(t *testing.T) {
	want := map[string][]string{
		"login":   {"/login csrf next username password"},
		"consent": {"/consent csrf decision=allow decision=deny"},
		"device":  {"/device csrf user_code"},
		"confirm": {"/device csrf user_code decision=allow decision=deny"},
		"account": {"/account/end csrf id", "/account/end csrf id", "/account/end csrf id", "/account/end-all csrf", "/logout csrf"},
		"message": nil, "problem": nil,
	}
	for name, v := range full() {
		p := read(t, answer(newPages(t, Config{}), 200, v))
		var got []string
		for _, form := range p.all("form") {
			line := attr(form, "action")
			for n := range form.Descendants() {
				if key := attr(n, "name"); key != "" && n.Data == "button" {
					line += " " + key + "=" + attr(n, "value")
				} else if key != "" {
					line += " " + key
				}
			}
			got = append(got, line)
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s: %q, want %q", name, got, want[name])
		}
	}
}

// Every value in every field, one at a time: a browser must read the same
// elements with the same attributes as with plain words, and the value as given.
func TestAHostileValueStaysAValue(t *testing.T) {
	p := newPages(t, Config{})
	for page, v := range full() {
		for i, f := range fields(copied(v)) {
			t.Run(page+"/"+f.name, func(t *testing.T) {
				for _, value := range hostile {
					tame, wild := read(t, answer(p, 200, with(v, i, plain(value)))), read(t, answer(p, 200, with(v, i, value)))
					if tame.shape() != wild.shape() {
						t.Errorf("%.50q changes the page", value)
					}
					// Addresses are written with escapes, the token only in forms.
					unseen := f.isAddress() || f.name == "CSRF" && len(wild.all("form")) == 0
					if !unseen && !wild.holds(value) {
						t.Errorf("%.50q is not on the page", value)
					}
					for _, n := range wild.elements {
						if isScheme(attr(n, "href")) || isScheme(attr(n, "action")) {
							t.Errorf("%s leads to %q", n.Data, value)
						}
					}
				}
			})
		}
	}
}

var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' autofocus onfocus='alert(1)`, `x" style="color:red`,
	`</title></main></form><form action=//evil.example>`, `{{.CSRF}}`, `<!--`, `]]>`, `&lt;b&gt;&amp;`, "\u202emoc.elpmaxe",
	`javascript:alert(1)`, `data:text/html,<script>1</script>`, `vbscript:x`, strings.Repeat("long", 5000),
}

func isScheme(s string) bool {
	return strings.HasPrefix(s, "javascript:") || strings.HasPrefix(s, "data:") || strings.HasPrefix(s, "vbscript:")
}

// plain has as many words as a value.
func plain(value string) string {
	return strings.Repeat("x ", len(strings.Fields(value)))
}

type field struct {
	name  string
	value reflect.Value
}

func (f field) isAddress() bool {
	return strings.HasSuffix(f.name, "Action") || strings.HasSuffix(f.name, "URL")
}

func copied(v view) reflect.Value {
	fresh := reflect.New(reflect.TypeOf(v)).Elem()
	fresh.Set(reflect.ValueOf(v))
	return fresh
}

// fields are the texts of a view, with those of its records.
func fields(v reflect.Value) []field {
	var found []field
	for i := range v.NumField() {
		f := field{v.Type().Field(i).Name, v.Field(i)}
		switch {
		case f.value.Kind() == reflect.String:
			found = append(found, f)
		case f.value.Kind() == reflect.Slice:
			found = append(found, items(f)...)
		case f.value.Type() == reflect.TypeFor[Frame]():
			found = append(found, fields(f.value)...)
		}
	}
	return found
}

// items are the texts of a list, of which it makes a copy.
func items(f field) []field {
	f.value.Set(reflect.AppendSlice(reflect.MakeSlice(f.value.Type(), 0, f.value.Len()), f.value))
	var found []field
	for i := range f.value.Len() {
		if item := f.value.Index(i); item.Kind() == reflect.String {
			found = append(found, field{f.name, item})
		} else {
			found = append(found, fields(item)...)
		}
	}
	return found
}

func with(v view, i int, value string) view {
	fresh := copied(v)
	fields(fresh)[i].value.SetString(value)
	return fresh.Interface().(view)
}
