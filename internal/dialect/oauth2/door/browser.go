package door

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/pages"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// visit is one request of a browser for a page.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	session *store.Session // who is logged in; nil: nobody
	cookie  string         // what form tokens belong to
	at      int64          // an instant from before anything was read
	form    form           // of a POST, whose form token has been checked; else of the URL
}

// page is the phases that all pages share: who is there, what was sent, and that
// a form comes from a page of ours.
func (h *Handler) page(serve func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r, at: h.Door.Tick()}
		if err := h.recognise(v); err != nil {
			h.problem(v, err)
			return
		}
		if err := h.readVisit(v); err != nil {
			h.problem(v, err)
			return
		}
		serve(v)
	}
}

// Cookies of the pages. With __Host- a browser takes them from this host over
// TLS alone (RFC 6265bis section 4.1.3).
const (
	sessionCookie = "ats_session"
	visitorCookie = "ats_visitor" // of somebody who is not logged in: form tokens belong to it
)

func (h *Handler) cookieName(name string) string {
	if h.secure {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: h.cookieName(name), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: h.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (h *Handler) cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(h.cookieName(name))
	if err != nil {
		return ""
	}
	return c.Value
}

// recognise finds who is logged in. A login that is over is none.
func (h *Handler) recognise(v *visit) error {
	if value := h.cookieOf(v.r, sessionCookie); value != "" {
		s, err := h.Door.Browser(v.r.Context(), token.NewSecret(value))
		if err == nil {
			v.session, v.cookie = &s, value
			return nil
		}
		if _, ok := asRefusal(err); !ok {
			return err
		}
	}
	if v.cookie = h.cookieOf(v.r, visitorCookie); v.cookie == "" {
		v.cookie = rand.Text()
		h.setCookie(v.w, visitorCookie, v.cookie, 0)
	}
	return nil
}

// errForeign is a form that does not come from a page of ours, or from one that
// was open while somebody logged in or out.
var errForeign = errors.New("foreign form")

func (h *Handler) readVisit(v *visit) (err error) {
	if v.r.Method != http.MethodPost {
		v.form, err = parseForm(v.r.URL.RawQuery)
		return err
	}
	// A browser that does not say where a form comes from calls the origin null,
	// since our pages tell no referrer. The form token says it then.
	if v.r.Header.Get("Sec-Fetch-Site") != "" || v.r.Header.Get("Origin") != "null" {
		if err := http.NewCrossOriginProtection().Check(v.r); err != nil {
			return errForeign
		}
	}
	if v.form, err = readBody(v.w, v.r); err != nil {
		return err
	}
	if !equal(v.form.get("csrf"), h.Core.FormToken(v.cookie)) {
		return errForeign
	}
	return nil
}

// frame is what every page has.
func (h *Handler) frame(v *visit, targets ...string) pages.Frame {
	f := pages.Frame{CSRF: h.Core.FormToken(v.cookie), FormTargets: targets}
	if v.session != nil {
		f.User = v.session.Subject
	}
	return f
}

// problem tells a person what went wrong. It never sends anybody away.
func (h *Handler) problem(v *visit, err error) {
	p := pages.Problem{Frame: h.frame(v), Title: "This cannot be done"}
	status := http.StatusBadRequest
	known, ok := asRefusal(err)
	switch {
	case errors.Is(err, errForeign):
		status, p.Title = http.StatusForbidden, "This form is no longer good"
		p.Text = "It was not sent from a page of this service, or somebody has logged in or out since it was opened. Go back, load the page anew, and try again."
	case ok:
		if known.status != 0 {
			status = known.status
		}
		p.Text = sentence(known.description)
	default:
		status, p.RequestID = h.Report(v.r, err)
		p.Title, p.Text = "Something went wrong here", "This is the service's own fault. Please try again in a moment."
	}
	h.pages.Problem(v.w, status, p)
}

// sentence makes one of an error's words.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// seeOther sends a browser on after a form. 303 makes it forget the form, and the
// password in it (RFC 9700 section 4.12).
func seeOther(w http.ResponseWriter, address string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

// own makes sure that an address is a page of ours that a login may lead to; any
// other becomes the account's. Nothing of it but path and query is kept.
func (h *Handler) own(address string) *url.URL {
	u, err := url.Parse(address)
	if err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Opaque == "" {
		if h.entranceAt(u.Path) != nil || slices.Contains([]string{h.base + "/device", h.base + "/account"}, u.Path) {
			return &url.URL{Path: u.Path, RawQuery: u.RawQuery}
		}
	}
	return &url.URL{Path: h.base + "/account"}
}

// toLogin sends a browser to the login page, and from there to where it wanted.
func (h *Handler) toLogin(v *visit, next string) {
	seeOther(v.w, h.base+"/login?next="+url.QueryEscape(next))
}

// login asks for a name and a password, and logs the browser in.
func (h *Handler) login(v *visit) {
	next := h.own(v.form.get("next"))
	view := pages.Login{
		Frame: h.frame(v), Action: h.base + "/login", Next: next.RequestURI(), Username: v.form.get("username"),
	}
	if ar, err := h.wanted(v.r, next); err == nil {
		view.Client, view.FormTargets = ar.app.Name, []string{ar.target()}
		if view.Username == "" {
			view.Username = ar.form.get("login_hint")
		}
	}
	if v.r.Method != http.MethodPost {
		h.pages.Login(v.w, http.StatusOK, view)
		return
	}
	status, problem, err := h.logIn(v)
	if err != nil {
		h.problem(v, err)
		return
	}
	if status != http.StatusOK {
		view.Problem = problem
		h.pages.Login(v.w, status, view)
		return
	}
	seeOther(v.w, next.RequestURI())
}

// logIn checks what was typed. A status other than 200 goes with what to tell.
func (h *Handler) logIn(v *visit) (status int, problem string, err error) {
	who := token.Credentials{Username: v.form.get("username"), Password: token.NewPassword(v.form.get("password"))}
	if who.Username == "" || who.Password.IsZero() {
		return http.StatusBadRequest, "Type your user name and your password.", nil
	}
	at, user, err := h.Door.Authenticate(v.r.Context(), who, dialect.Source(v.r.Context()))
	switch {
	case errors.Is(err, token.ErrThrottled):
		retryAfter(v.w, err)
		return http.StatusTooManyRequests, "Too many attempts. Wait a little, then try again.", nil
	case errors.Is(err, token.ErrCredentials):
		return http.StatusUnauthorized, "Wrong user name or password.", nil
	case err != nil:
		return 0, "", err
	}
	// A browser has one login: the old one would be left behind where nobody sees it.
	if v.session != nil {
		if err := h.Door.EndLogin(v.r.Context(), v.session.Subject, v.session.Accessor); err != nil && !errors.Is(err, token.ErrUnknown) {
			return 0, "", err
		}
	}
	cookie, err := h.Door.NewBrowser(v.r.Context(), at, user, deviceName(v.r))
	if err != nil {
		return 0, "", err
	}
	h.setCookie(v.w, sessionCookie, cookie.Reveal(), issuer.BrowserTTL)
	return http.StatusOK, "", nil
}

// deviceName is what a browser calls itself, cut short.
func deviceName(r *http.Request) string {
	name := printable(r.UserAgent())
	return name[:min(len(name), 200)]
}

// logout ends the browser's login.
func (h *Handler) logout(v *visit) {
	if v.session != nil {
		if err := h.Door.EndLogin(v.r.Context(), v.session.Subject, v.session.Accessor); err != nil && !errors.Is(err, token.ErrUnknown) {
			h.problem(v, err)
			return
		}
	}
	h.forget(v)
	h.pages.Message(v.w, http.StatusOK, pages.Message{
		Frame: h.frame(v), Title: "You are logged out", Text: "This browser's login has ended. Applications that you let in stay as they are.", Good: true,
		LinkText: "Log in again", LinkURL: h.base + "/login",
	})
}

// forget takes the login out of the browser and of the visit.
func (h *Handler) forget(v *visit) {
	h.setCookie(v.w, sessionCookie, "", -1)
	v.session = nil
	v.cookie = rand.Text()
	h.setCookie(v.w, visitorCookie, v.cookie, 0)
}
