package ats

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Config of a handler.
type Config struct {
	// TrustedGateways may name any user in X-Auth-UserId without a bearer, as
	// the gateway before an original service does. Default: none. Danger: who
	// can send from such an address can log out everybody.
	TrustedGateways []netip.Prefix
	// Fail answers an error that is no refusal: it logs it and writes the
	// status. Required.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

type handler struct {
	Config
	authority dialect.Authority
	routes    map[string]http.HandlerFunc
}

// NewHandler makes the service's end of the wire.
func NewHandler(authority dialect.Authority, config Config) http.Handler {
	h := &handler{Config: config, authority: authority}
	h.routes = map[string]http.HandlerFunc{
		pathLogin: h.login, pathLogout: h.logout, pathLogoutAll: h.logoutAll, pathCheck: h.check, pathRefresh: h.refresh, pathTokens: h.tokens,
	}
	return h
}

// ServeHTTP takes a path by its letters as they were sent: a gateway that keeps
// /user/logout_all to itself may not know it as /user%2Flogout_all. An
// http.ServeMux would redirect one with a double slash, and a password with it.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve, found := h.routes[r.URL.EscapedPath()]
	switch {
	case !found:
		text(w, http.StatusNotFound)
	case ambiguous(r):
		malformed(w, errSeveral)
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		text(w, http.StatusMethodNotAllowed)
	default:
		serve(w, r)
	}
}

var errSeveral = errors.New("more than one header says who asks")

// ambiguous reports whether a header that is believed stands there twice. Who
// is in front of this service may have judged the other one.
func ambiguous(r *http.Request) bool {
	return len(r.Header.Values("Authorization")) > 1 || len(r.Header.Values(userHeader)) > 1
}

func (h *handler) login(w http.ResponseWriter, r *http.Request) {
	body, ok := h.body(w, r, "username", "password")
	if !ok {
		return
	}
	who := token.Credentials{Username: body.text("username"), Password: token.NewPassword(body.text("password"))}
	want := token.Request{
		Refresh: body.flag("refresh"), TTL: body.seconds("ttl"), RefreshTTL: body.seconds("refresh_ttl"),
		Scope: body.text("scope"), Source: dialect.Source(r.Context()),
	}
	if body.err != nil {
		malformed(w, body.err)
		return
	}
	set, err := h.authority.Login(r.Context(), who, want)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, newAnswer(set, body.isGrown()))
}

func (h *handler) refresh(w http.ResponseWriter, r *http.Request) {
	body, ok := h.body(w, r, "refresh_token")
	if !ok {
		return
	}
	want := token.Request{Source: dialect.Source(r.Context())}
	old := token.NewSecret(body.text("refresh_token"))
	if body.err != nil {
		malformed(w, body.err)
		return
	}
	set, err := h.authority.Refresh(r.Context(), old, want)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, newAnswer(set, true))
}

func (h *handler) check(w http.ResponseWriter, r *http.Request) {
	raw, ok := bearer(w, r)
	if !ok {
		return
	}
	claims, err := h.authority.Inspect(r.Context(), raw)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, claims)
}

// tokens lists the logins of the bearer.
func (h *handler) tokens(w http.ResponseWriter, r *http.Request) {
	raw, ok := bearer(w, r)
	if !ok {
		return
	}
	list, more, err := h.authority.List(r.Context(), raw)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	reply(w, http.StatusOK, dialect.NewLogins(list, more))
}

// logout answers 204 also for a token that is void already, as the original.
func (h *handler) logout(w http.ResponseWriter, r *http.Request) {
	raw, ok := bearer(w, r)
	if !ok {
		return
	}
	err := h.authority.Revoke(r.Context(), raw)
	if err != nil && !isVoid(err) {
		h.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func isVoid(err error) bool {
	for _, reason := range reasons {
		if errors.Is(err, reason.kind) {
			return true
		}
	}
	return false
}

func (h *handler) logoutAll(w http.ResponseWriter, r *http.Request) {
	user := headerText(r.Header.Get(userHeader))
	if r.Header.Get("Authorization") == "" && user != "" && h.trusts(r) {
		h.answer(w, r, h.authority.RevokeAllOf(r.Context(), user))
		return
	}
	raw, ok := bearer(w, r)
	if !ok {
		return
	}
	body, ok := h.body(w, r)
	if !ok {
		return
	}
	named := body.text("user")
	if body.err != nil {
		malformed(w, body.err)
		return
	}
	// A gateway writes the bearer's own name into the header: what the caller
	// wrote comes first.
	if named == "" {
		named = user
	}
	h.answer(w, r, h.authority.RevokeAll(r.Context(), raw, named))
}

// headerText reads the header as UTF-8, else as Latin-1, in which the original
// client sends it.
func headerText(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	letters := make([]rune, len(value))
	for i := range len(value) {
		letters[i] = rune(value[i])
	}
	return string(letters)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// trusts looks at the connection itself: no header can lend this trust.
func (h *handler) trusts(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range h.TrustedGateways {
		if p.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// bearer returns the token of the Authorization header, or answers 401.
func bearer(w http.ResponseWriter, r *http.Request) (string, bool) {
	scheme, raw := r.Header.Get("Authorization"), ""
	if i := strings.IndexAny(scheme, " \t"); i >= 0 {
		scheme, raw = scheme[:i], strings.TrimSpace(scheme[i:])
	}
	if !strings.EqualFold(scheme, "Bearer") || raw == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
		reply(w, http.StatusUnauthorized, wireError{"Missing authentication header"})
		return "", false
	}
	return raw, true
}

// refuse maps a refusal to the wire.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var refusal *token.Refusal
	if errors.As(err, &refusal) && refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(refusal.RetryAfter.Seconds())), 10))
	}
	switch {
	case errors.Is(err, token.ErrCredentials):
		text(w, http.StatusUnauthorized)
	case errors.Is(err, token.ErrThrottled):
		text(w, http.StatusTooManyRequests)
	case errors.Is(err, token.ErrDenied):
		reply(w, http.StatusForbidden, wireError{denial(err)})
	case isVoid(err):
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		reply(w, http.StatusUnauthorized, wireError{reasonOf(err)})
	default:
		h.Fail(w, r, err)
	}
}

// denial is what a refusal says of itself, without what was wrapped around it.
func denial(err error) string {
	var refusal *token.Refusal
	if errors.As(err, &refusal) && errors.Is(refusal, token.ErrDenied) {
		return refusal.Error()
	}
	return token.ErrDenied.Error()
}

func reasonOf(err error) string {
	for _, reason := range reasons {
		if errors.Is(err, reason.kind) {
			return reason.word
		}
	}
	return "invalid token"
}

type wireError struct {
	Error string `json:"error"`
}

// text answers as the original's framework does: "401: Unauthorized".
func text(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%d: %s", status, http.StatusText(status))
}

func malformed(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	if errors.Is(err, errNotJSON) {
		fmt.Fprint(w, err)
		return
	}
	fmt.Fprintf(w, "Malformed request: %s", err)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(encode(v))
}
