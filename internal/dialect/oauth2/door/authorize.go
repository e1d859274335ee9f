package door

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// authorization is an authorization request (RFC 6749 section 4.1.1) whose
// application and redirect URI are known to be good.
type authorization struct {
	by       *entrance
	form     form
	app      store.Application
	redirect string // where the answer goes
	scope    string
	audience []string
	prompt   []string
	maxAge   int64 // seconds; -1: not given
}

// target is where a form may end up, for the policy of a page.
func (a authorization) target() string {
	u, err := url.Parse(a.redirect)
	if err != nil {
		return ""
	}
	if u.Host == "" {
		return u.Scheme + ":"
	}
	return u.Scheme + "://" + u.Host
}

// host is what a person is told of where the browser goes next.
func (a authorization) host() string {
	u, err := url.Parse(a.redirect)
	if err != nil || u.Host == "" {
		return strings.SplitAfter(a.redirect, ":")[0]
	}
	return u.Host
}

// authorizationEndpoint takes a request that an application posts as one that it
// puts into the address (OpenID Connect Core section 3.1.2.1). What a page of ours
// posts has the request in its address already.
func (h *Handler) authorizationEndpoint(e *entrance) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.RawQuery != "" {
			h.page(func(v *visit) { h.authorize(v, e) })(w, r)
			return
		}
		f, err := readBody(w, r)
		if err != nil {
			h.problem(&visit{w: w, r: r}, err)
			return
		}
		seeOther(w, h.address(e, f))
	}
}

// authorize answers an authorization request: by a page while application or
// redirect URI are not good, else by sending the browser back (RFC 6749 section
// 4.1.2.1).
func (h *Handler) authorize(v *visit, e *entrance) {
	query, err := parseForm(v.r.URL.RawQuery)
	if err != nil {
		h.problem(v, err)
		return
	}
	a, err := h.known(v.r.Context(), e, query)
	if err != nil {
		h.problem(v, err)
		return
	}
	if err := e.reads(&a); err != nil {
		h.sendError(v, a, err)
		return
	}
	if v.session == nil || h.mustProve(a, *v.session) {
		h.askLogin(v, a)
		return
	}
	h.decide(v, a)
}

// wanted is the authorization request in the address of a page of ours.
func (h *Handler) wanted(r *http.Request, next *url.URL) (authorization, error) {
	e := h.entranceAt(next.Path)
	if e == nil {
		return authorization{}, errForeign
	}
	f, err := parseForm(next.RawQuery)
	if err != nil {
		return authorization{}, err
	}
	return h.known(r.Context(), e, f)
}

// known finds the application, and whether the redirect URI is one of its own.
func (h *Handler) known(ctx context.Context, e *entrance, f form) (authorization, error) {
	a := authorization{by: e, form: f, maxAge: -1, redirect: f.get("redirect_uri")}
	id, err := f.need("client_id")
	if err != nil {
		return a, err
	}
	a.app, err = h.Core.Application(ctx, h.Door.Tenant, id)
	if errors.Is(err, store.ErrNotFound) {
		return a, errUnregistered()
	} else if err != nil {
		return a, err
	}
	if a.redirect == "" {
		if len(a.app.RedirectURIs) != 1 {
			return a, refuse(oauth2.ErrorInvalidRequest, "the parameter redirect_uri is missing")
		}
		a.redirect = a.app.RedirectURIs[0]
	}
	return a, e.admits(a)
}

func errUnregistered() error {
	return refuse(oauth2.ErrorInvalidRequest, "no application with this client_id is registered")
}

func errRedirect() error {
	return refuse(oauth2.ErrorInvalidRequest, "the redirect_uri is not one that is registered for this application")
}

func isRedirect(registered, asked string) bool {
	if registered == asked {
		return true
	}
	r, err := url.Parse(registered)
	if err != nil || r.Scheme != "http" || !isLoopback(r.Hostname()) {
		return false
	}
	u, err := url.Parse(asked)
	if err != nil || u.Hostname() != r.Hostname() {
		return false
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return false
	}
	return withoutPort(asked, u) == withoutPort(registered, r)
}

// isLoopback knows the addresses; localhost may be somebody else's name (RFC 8252
// section 8.3).
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func withoutPort(text string, u *url.URL) string {
	return strings.Replace(text, u.Host, strings.TrimSuffix(u.Host, ":"+u.Port()), 1)
}

// challengeForm is a SHA-256 in base64url (RFC 7636 section 4.2).
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// understand reads the rest of a request. What is wrong is told to the
// application.
func (h *Handler) understand(a *authorization) error {
	f := a.form
	switch {
	case f.get("request") != "":
		return refuse("request_not_supported", "request objects are not taken")
	case f.get("request_uri") != "":
		return refuse("request_uri_not_supported", "request objects are not taken")
	case f.get("response_type") == "":
		return refuse(oauth2.ErrorInvalidRequest, "the parameter response_type is missing")
	case f.get("response_type") != "code":
		return refuse(oauth2.ErrorUnsupportedResponseType, "response_type must be code")
	case f.get("response_mode") != "" && f.get("response_mode") != "query":
		return refuse(oauth2.ErrorInvalidRequest, "response_mode must be query")
	case !slices.Contains(a.app.Grants, token.GrantAuthorizationCode):
		return refuse(oauth2.ErrorUnauthorizedClient, "the application is not registered for authorization codes")
	}
	if err := checkChallenge(*a, !a.app.PKCEOptional || isPublic(a.app)); err != nil {
		return err
	}
	if err := readPrompt(a); err != nil {
		return err
	}
	var err error
	if a.scope, err = scope(a.app, f); err != nil {
		return err
	}
	a.audience, err = h.audience(a.app, f, a.scope)
	return err
}

// checkChallenge is RFC 7636 section 4.4.1, with S256 alone (RFC 9700 section
// 2.1.1).
func checkChallenge(a authorization, required bool) error {
	challenge, method := a.form.get("code_challenge"), a.form.get("code_challenge_method")
	switch {
	case challenge == "" && method == "" && !required:
		return nil
	case challenge == "":
		return refuse(oauth2.ErrorInvalidRequest, "the parameter code_challenge is missing: PKCE is required")
	case method != "S256":
		return refuse(oauth2.ErrorInvalidRequest, "code_challenge_method must be S256")
	case !challengeForm.MatchString(challenge):
		return refuse(oauth2.ErrorInvalidRequest, "code_challenge is not the base64url of a SHA-256")
	}
	return nil
}

// readPrompt is OpenID Connect Core section 3.1.2.1.
func readPrompt(a *authorization) error {
	a.prompt = strings.Fields(a.form.get("prompt"))
	for _, p := range a.prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return refuse(oauth2.ErrorInvalidRequest, "prompt holds a word that is not known")
		}
	}
	if slices.Contains(a.prompt, "none") && len(a.prompt) > 1 {
		return refuse(oauth2.ErrorInvalidRequest, "prompt none goes with no other")
	}
	if text := a.form.get("max_age"); text != "" {
		age, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return refuse(oauth2.ErrorInvalidRequest, "max_age is not a number of seconds")
		}
		a.maxAge = int64(age)
	}
	return nil
}

// mustProve reports whether the person has to log in again.
func (h *Handler) mustProve(a authorization, s store.Session) bool {
	if slices.Contains(a.prompt, "login") || slices.Contains(a.prompt, "select_account") {
		return true
	}
	return a.maxAge >= 0 && h.Now().UnixMicro()-s.AuthAt > a.maxAge*1_000_000
}

// askLogin leads to the login page and back here. What has asked for the login
// has been done then, and is left out of the way back.
func (h *Handler) askLogin(v *visit, a authorization) {
	if slices.Contains(a.prompt, "none") {
		h.sendError(v, a, refuse("login_required", "nobody is logged in"))
		return
	}
	back := url.Values(maps.Clone(a.form))
	rest := slices.DeleteFunc(slices.Clone(a.prompt), func(p string) bool { return p == "login" || p == "select_account" })
	back.Del("prompt")
	if len(rest) > 0 {
		back.Set("prompt", strings.Join(rest, " "))
	}
	if a.maxAge == 0 {
		back.Del("max_age")
	}
	h.toLogin(v, h.address(a.by, form(back)))
}

// allow gives the application what it asked for.
func (h *Handler) allow(v *visit, a authorization) {
	answer, err := a.by.gives(v.r.Context(), v, a)
	if err != nil {
		h.sendError(v, a, err)
		return
	}
	h.send(v, a, answer)
}

// sendError tells the application what went wrong (RFC 6749 section 4.1.2.1).
func (h *Handler) sendError(v *visit, a authorization, err error) {
	known, ok := asRefusal(err)
	if !ok {
		status, id := h.Report(v.r, err)
		known = refusal{code: oauth2.ErrorServerError, description: "internal error, request id " + id}
		if status == http.StatusServiceUnavailable {
			known = refusal{code: oauth2.ErrorTemporarilyUnavailable, description: "the service cannot answer at the moment"}
		}
	}
	h.send(v, a, url.Values{"error": {known.code}, "error_description": {printable(known.description)}})
}

// send takes the browser back to the application, with state as it came and who
// answers (RFC 9207 section 2).
func (h *Handler) send(v *visit, a authorization, answer url.Values) {
	if state := a.form.get("state"); state != "" {
		answer.Set("state", state)
	}
	answer.Set("iss", h.URL)
	separator := "?"
	switch {
	case a.isImplicit():
		separator = "#"
	case strings.Contains(a.redirect, "?"):
		separator = "&"
	}
	seeOther(v.w, a.redirect+separator+answer.Encode())
}
