// Package pages renders what people see of the service in a browser: the login,
// the consent, the device code, their logins, messages and problems. The pages
// have no script, nothing inline and nothing from elsewhere; their one stylesheet
// is served here.
//
// It never reads a form, routes a request, or knows of tokens and stores: a
// handler fills a view and names the status.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"
)

// Config of the pages.
type Config struct {
	// Base is the path that the service is mounted at, such as "/auth". Default:
	// the root.
	Base string
	// Service is what the service is called on the pages. Default: "ats-auth".
	Service string
	// Now is the clock, for words such as "in 29 days". Default: time.Now.
	Now func() time.Time
}

//go:embed templates style.css
var files embed.FS

// Pages renders the views. It is safe for concurrent use.
type Pages struct {
	config    Config
	style     []byte
	stylePath string
	templates map[string]*template.Template
}

// New reads the templates and tries each once. The error is of a Base that is
// no path, or of a page that does not render.
func New(config Config) (*Pages, error) {
	if b := config.Base; b != "" && (b[0] != '/' || path.Clean(b) != b || b == "/" || strings.HasPrefix(b, "//")) {
		return nil, fmt.Errorf("base path %q: want none, or one that begins with a slash and ends without", b)
	}
	if config.Service == "" {
		config.Service = "ats-auth"
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(style)
	p := &Pages{
		config: config, style: style, templates: map[string]*template.Template{},
		stylePath: config.Base + "/assets/style-" + base64.RawURLEncoding.EncodeToString(sum[:9]) + ".css",
	}
	return p, p.parse()
}

// views are all pages, by the file of their template.
func views() map[string]view {
	return map[string]view{
		"login": Login{}, "consent": Consent{}, "device": Device{}, "confirm": DeviceConfirm{},
		"account": Account{Logins: []AccountLogin{{}}}, "message": Message{}, "problem": Problem{},
	}
}

func (p *Pages) parse() error {
	common, err := template.New("frame.html").Funcs(p.words()).ParseFS(files, "templates/frame.html", "templates/parts.html")
	if err != nil {
		return err
	}
	for name, empty := range views() {
		t, err := common.Clone()
		if err != nil {
			return err
		}
		if t, err = t.ParseFS(files, "templates/"+name+".html"); err != nil {
			return err
		}
		p.templates[name] = t
		if err := p.write(&bytes.Buffer{}, name, empty); err != nil {
			return err
		}
	}
	return nil
}

// view is any of the exported ones.
type view interface{ frame() Frame }

func (p *Pages) write(b *bytes.Buffer, name string, v view) error {
	return p.templates[name].Execute(b, struct {
		Frame
		Service, Style string
		View           view
	}{v.frame(), p.config.Service, p.stylePath, v})
}

// show renders before anything is answered: half a page is never sent.
func (p *Pages) show(w http.ResponseWriter, status int, name string, v view) {
	var b bytes.Buffer
	if err := p.write(&b, name, v); err != nil {
		http.Error(w, "internal error: the page cannot be shown", http.StatusInternalServerError)
		return
	}
	setHeaders(w.Header(), v.frame().FormTargets)
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// Login answers with the login page.
func (p *Pages) Login(w http.ResponseWriter, status int, v Login) { p.show(w, status, "login", v) }

// Consent answers with the question whether an application may act for the user.
func (p *Pages) Consent(w http.ResponseWriter, status int, v Consent) {
	p.show(w, status, "consent", v)
}

// Device answers with the page that takes a device's code.
func (p *Pages) Device(w http.ResponseWriter, status int, v Device) { p.show(w, status, "device", v) }

// DeviceConfirm answers with the question whether a device may act for the user.
func (p *Pages) DeviceConfirm(w http.ResponseWriter, status int, v DeviceConfirm) {
	p.show(w, status, "confirm", v)
}

// Account answers with the user's logins.
func (p *Pages) Account(w http.ResponseWriter, status int, v Account) {
	p.show(w, status, "account", v)
}

// Message answers that something is done.
func (p *Pages) Message(w http.ResponseWriter, status int, v Message) {
	p.show(w, status, "message", v)
}

// Problem answers that something could not be done.
func (p *Pages) Problem(w http.ResponseWriter, status int, v Problem) {
	p.show(w, status, "problem", v)
}

// StylePath is the path of the stylesheet. It changes with the content.
func (p *Pages) StylePath() string { return p.stylePath }

// Style answers GET and HEAD of StylePath, and may be mounted on all of the
// directory: an outdated name is not found, lest it be cached with the new style.
func (p *Pages) Style(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if path.Base(r.URL.Path) != path.Base(p.stylePath) {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/css; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p.style))
}
