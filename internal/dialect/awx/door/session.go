package door

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/pages"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// browser is who a request's cookies say is there.
type browser struct {
	session *store.Session // nil: nobody is logged in
	cookie  string         // of the session; empty: none
}

// browser finds who is logged in. A login that is over is none.
func (h *Handler) browser(r *http.Request) (browser, error) {
	c, err := r.Cookie(awx.CookieSession)
	if err != nil || c.Value == "" {
		return browser{}, nil
	}
	s, err := h.Door.Browser(r.Context(), token.NewSecret(c.Value))
	if err == nil {
		return browser{&s, c.Value}, nil
	}
	if _, known := asRefusal(err); known {
		err = nil
	}
	return browser{}, err
}

func (h *Handler) setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	path := h.base + "/"
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: maxAge, HttpOnly: name == awx.CookieSession, Secure: h.secure, SameSite: http.SameSiteLaxMode,
	})
}

// csrfToken is what a form or a header must carry so that it is known to come from
// a page that reads our cookies. It makes sure that the browser has it in the
// cookie. That of a login belongs to it; nobody's is random.
func (h *Handler) csrfToken(w http.ResponseWriter, r *http.Request, b browser) string {
	want := h.csrfWanted(r, b)
	if want == "" {
		want = rand.Text()
	}
	if c, err := r.Cookie(awx.CookieCSRF); err != nil || c.Value != want {
		h.setCookie(w, awx.CookieCSRF, want, issuer.BrowserTTL)
	}
	return want
}

func (h *Handler) csrfWanted(r *http.Request, b browser) string {
	if b.session != nil {
		return h.Core.FormToken(b.cookie)
	}
	if c, err := r.Cookie(awx.CookieCSRF); err == nil && len(c.Value) <= 128 {
		return c.Value
	}
	return ""
}

// errCSRF is a request that a page of another site may have sent.
func errCSRF(reason string) refusal {
	return refusal{status: http.StatusForbidden, detail: "CSRF Failed: " + reason}
}

// checkCSRF refuses what the page of another site makes a browser send. sent is
// what a form carries; empty: the header counts.
func (h *Handler) checkCSRF(r *http.Request, b browser, sent string) error {
	origin := r.Header.Get("Origin")
	// A browser that does not say where a form comes from calls the origin null,
	// since our pages tell no referrer. The token says it then.
	if r.Header.Get("Sec-Fetch-Site") != "" || origin != "null" {
		if h.isForeign(r) {
			return errForeign
		}
	}
	if !h.ownReferer(r) {
		return errCSRF("Referer checking failed.")
	}
	if sent == "" {
		sent = r.Header.Get(awx.HeaderCSRF)
	}
	want := h.csrfWanted(r, b)
	if want == "" || subtle.ConstantTimeCompare([]byte(sent), []byte(want)) != 1 {
		return errCSRF("CSRF token missing or incorrect.")
	}
	return nil
}

// errForeign is a request that a browser says another site's page sent.
var errForeign = errCSRF("Origin checking failed.")

// isForeign reports whether a browser says that another site's page wants a change.
func (h *Handler) isForeign(r *http.Request) bool {
	return r.Header.Get("Origin") != h.origin && http.NewCrossOriginProtection().Check(r) != nil
}

// ownReferer reports whether a Referer, where there is one, is a page of ours.
func (h *Handler) ownReferer(r *http.Request) bool {
	referer := r.Header.Get("Referer")
	if referer == "" {
		return true
	}
	u, err := url.Parse(referer)
	return err == nil && (u.Scheme+"://"+u.Host == h.origin || u.Host == r.Host && (u.Scheme == "https" || !h.secure))
}

// own makes sure that an address is one of this door's that a login may lead to;
// any other becomes the root.
func (h *Handler) own(address string) string {
	u, err := url.Parse(address)
	clean := err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && u.Opaque == "" && !strings.ContainsAny(address, "\\\r\n\t")
	if clean && strings.HasPrefix(u.Path, h.base+root+"/") && !strings.Contains(u.Path, "//") && !strings.Contains(u.Path, "/.") {
		return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).RequestURI()
	}
	return h.base + awx.PathAPI
}

// loginPage asks for a name and a password, for one's own browser and for programs
// that want the cookie alone.
func (h *Handler) loginPage(w http.ResponseWriter, r *http.Request) {
	b, err := h.browser(r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.pages.Login(w, http.StatusOK, h.loginView(w, r, b, r.URL.Query().Get("next"), ""))
}

func (h *Handler) loginView(w http.ResponseWriter, r *http.Request, b browser, next, name string) pages.Login {
	return pages.Login{
		Frame:  pages.Frame{CSRF: h.csrfToken(w, r, b)},
		Action: h.base + awx.PathLogin, Next: h.own(next), Username: name,
	}
}

// login logs a browser in: a form of username, password and next.
func (h *Handler) login(w http.ResponseWriter, r *http.Request) {
	b, form, err := h.ownForm(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	name := form.Get("username")
	status, problem, err := h.logIn(w, r, b, token.Credentials{Username: name, Password: token.NewPassword(form.Get("password"))})
	switch {
	case err != nil:
		h.refuse(w, r, err)
	case problem != "":
		view := h.loginView(w, r, b, form.Get("next"), name)
		view.Problem = problem
		h.pages.Login(w, status, view)
	default:
		seeOther(w, h.own(form.Get("next")))
	}
}

// ownForm reads a form that comes from a page, or a program, that reads our cookies.
func (h *Handler) ownForm(w http.ResponseWriter, r *http.Request) (browser, url.Values, error) {
	b, err := h.browser(r)
	if err != nil {
		return b, nil, err
	}
	raw, err := readRaw(w, r)
	if err != nil {
		return b, nil, err
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return b, nil, errBad("The body cannot be read as application/x-www-form-urlencoded.")
	}
	sent := form.Get("csrf")
	if sent == "" {
		sent = form.Get("csrfmiddlewaretoken")
	}
	return b, form, h.checkCSRF(r, b, sent)
}

// logIn checks what was typed and sets the cookies. A problem goes with the status
// to tell it by.
func (h *Handler) logIn(w http.ResponseWriter, r *http.Request, b browser, who token.Credentials) (status int, problem string, err error) {
	if who.Username == "" || who.Password.IsZero() {
		return http.StatusUnauthorized, "Type your user name and your password.", nil
	}
	at, user, err := h.Door.Authenticate(r.Context(), who, dialect.Source(r.Context()))
	switch {
	case errors.Is(err, token.ErrThrottled):
		return 0, "", err
	case errors.Is(err, token.ErrCredentials):
		return http.StatusUnauthorized, "Wrong user name or password.", nil
	case err != nil:
		return 0, "", err
	}
	if err := h.endLogin(r, b); err != nil {
		return 0, "", err
	}
	cookie, err := h.Door.NewBrowser(r.Context(), at, user, deviceName(r))
	if err != nil {
		return 0, "", err
	}
	h.setCookie(w, awx.CookieSession, cookie.Reveal(), issuer.BrowserTTL)
	h.setCookie(w, awx.CookieCSRF, h.Core.FormToken(cookie.Reveal()), issuer.BrowserTTL)
	w.Header().Set(awx.HeaderCookie, awx.CookieSession)
	return http.StatusOK, "", nil
}

// endLogin ends the login that a browser has: it would be left behind where nobody
// sees it.
func (h *Handler) endLogin(r *http.Request, b browser) error {
	if b.session == nil {
		return nil
	}
	err := h.Door.EndLogin(r.Context(), b.session.Subject, b.session.Accessor)
	if errors.Is(err, token.ErrUnknown) {
		return nil
	}
	return err
}

// deviceName is what a browser calls itself, cut short.
func deviceName(r *http.Request) string {
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	return name[:min(len(name), 200)]
}

// logout ends the browser's login.
func (h *Handler) logout(w http.ResponseWriter, r *http.Request) {
	b, _, err := h.ownForm(w, r)
	if err == nil {
		err = h.endLogin(r, b)
	}
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	h.setCookie(w, awx.CookieSession, "", -1)
	h.setCookie(w, awx.CookieCSRF, "", -1)
	seeOther(w, h.base+awx.PathAPI)
}

// seeOther sends a browser on after a form. 303 makes it forget the form, and the
// password in it (RFC 9700 section 4.12).
func seeOther(w http.ResponseWriter, address string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}
