package door

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// How long the refresh tokens of browsers may lie unused, in seconds, where they
// do not ask for another limit.
const (
	consoleIdle    = 30 * 60 // of a page that keeps them in cookies
	playgroundIdle = 60 * 60 // of a page of ours that keeps them itself
)

// traded is what a password or a refresh token was traded for.
type traded struct {
	set     token.Set
	session store.Session // zero: no refresh token
	cookies bool          // the values go into cookies
}

// trade gives a JWT for a password or a refresh token. An Authorization header is
// not looked at: some clients send one with nothing in it.
func (h *Handler) trade(w http.ResponseWriter, r *http.Request, _ string) {
	b, err := readBody(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	t, err := h.tradeFor(r, b)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	set := h.wireSet(t)
	if t.cookies {
		h.replyCookies(w, set, t.session)
		return
	}
	reply(w, http.StatusOK, set)
}

func (h *Handler) tradeFor(r *http.Request, b *body) (traded, error) {
	grant := b.text("grant_type")
	if b.err != nil {
		return traded{}, b.err
	}
	switch grant {
	case "", ciphertrust.GrantPassword:
		return h.login(r, b)
	case ciphertrust.GrantRefresh:
		return h.refresh(r, b)
	case "client_credential", "client_credentials", "user_certificate":
		return traded{}, refusal{message: "grant_type " + grant + ": this service knows neither registered clients nor certificates of users; use a password or a refresh token"}
	}
	return traded{}, refusal{message: "grant_type: want " + ciphertrust.GrantPassword + " or " + ciphertrust.GrantRefresh}
}

// login is the password grant.
func (h *Handler) login(r *http.Request, b *body) (traded, error) {
	who, client := credentials(b), b.text("client_id")
	cookies, _ := b.flag("cookies")
	o := issuer.Order{
		Refresh: true, Labels: b.labels(),
		RefreshTTL: b.minutes("refresh_token_lifetime"), IdleTTL: b.minutes("refresh_token_revoke_unused_in"),
	}
	if wanted, given := b.flag("issueRefreshToken"); given {
		o.Refresh = wanted
	}
	foreign := isForeign(b, "domain") || isForeign(b, "auth_domain")
	if o.IdleTTL == 0 {
		o.IdleTTL = h.idleOf(r, cookies)
	}
	switch {
	case b.err != nil:
		return traded{}, b.err
	case foreign:
		return traded{}, errUnauthorized(ciphertrust.MessageDomain)
	case client != "": // nobody is registered, so nobody is called that
		return traded{}, errUnauthorized(ciphertrust.MessageClient)
	}
	if cookies {
		if err := h.ownPage(r); err != nil {
			return traded{}, err
		}
	}
	at, user, err := h.Door.Authenticate(r.Context(), who, dialect.Source(r.Context()))
	if err != nil {
		return traded{}, err
	}
	o.Subject = user.Name
	t := traded{cookies: cookies}
	if t.set, err = h.Door.Issue(r.Context(), at, o); err == nil && o.Refresh {
		t.session, err = h.Door.Kept(r.Context(), t.set.RefreshToken)
	}
	return t, err
}

// idleOf is how long a refresh token may lie unused by the kind of caller; 0: no
// limit.
func (h *Handler) idleOf(r *http.Request, cookies bool) int64 {
	switch {
	case cookies:
		return consoleIdle
	case h.isPlayground(r):
		return playgroundIdle
	}
	return 0
}

// credentials are a user's name and password. A user of the one connection that
// there is may be called by it: connection|user. At any other there is nobody.
func credentials(b *body) token.Credentials {
	user, password := b.need("username"), b.need("password")
	if connection := b.text("connection"); connection != "" && connection != ciphertrust.LocalConnection {
		b.wrong("connection", ciphertrust.LocalConnection+", which is all there is")
	}
	return token.Credentials{
		Username: strings.TrimPrefix(user, ciphertrust.LocalConnection+"|"), Password: token.NewPassword(password),
	}
}

// isForeign reports whether another domain than the one there is is named.
func isForeign(b *body, name string) bool {
	domain := b.text(name)
	return domain != "" && domain != ciphertrust.RootDomain
}

// refresh is the refresh_token grant: the refresh token stays what it is, unless
// it is to be renewed.
func (h *Handler) refresh(r *http.Request, b *body) (traded, error) {
	ctx := r.Context()
	cookies, _ := b.flag("cookies")
	raw, byCookie, err := h.refreshToken(r, b, "refresh_token")
	renew, _ := b.flag("renew_refresh_token")
	wanted, given := b.flag("issueRefreshToken")
	client, foreign, foreignAuth := b.text("client_id"), isForeign(b, "domain"), isForeign(b, "auth_domain")
	if err := errors.Join(b.err, err); err != nil {
		return traded{}, err
	}
	s, err := h.Door.Kept(ctx, raw)
	switch {
	case err != nil:
		return traded{}, err
	case foreign: // a domain that it is not of has it in hand: it is no secret any more
		if err := h.Door.End(ctx, s); err != nil {
			return traded{}, err
		}
		return traded{}, errUnauthorized(ciphertrust.MessageRevoked)
	case foreignAuth:
		return traded{}, errUnauthorized(ciphertrust.MessageDomain)
	case client != "" && client != h.Core.ClientUUID(s):
		return traded{}, errUnauthorized(ciphertrust.MessageClient)
	}
	t := traded{session: s, cookies: cookies || byCookie}
	if renew || wanted {
		t.set, err = h.Door.Renew(ctx, raw, issuer.Renewal{})
		return t, err
	}
	if t.set, _, err = h.Door.Use(ctx, raw); given { // and false: no refresh token goes back
		t.set = withoutRefresh(t.set)
	}
	return t, err
}

func withoutRefresh(set token.Set) token.Set {
	set.RefreshToken = token.Secret{}
	return set
}

// refreshToken is the one in the body, else the browser's own.
func (h *Handler) refreshToken(r *http.Request, b *body, member string) (raw token.Secret, byCookie bool, err error) {
	if text := b.text(member); text != "" || b.err != nil {
		return token.NewSecret(text), false, nil
	}
	if value := h.cookieOf(r, refreshCookie); value != "" {
		return token.NewSecret(value), true, h.ownPage(r)
	}
	return token.Secret{}, false, refusal{message: member + " is missing"}
}

// wireSet writes what is answered. What belongs to a refresh token is there where
// that is.
func (h *Handler) wireSet(t traded) ciphertrust.Set {
	set := ciphertrust.Set{JWT: t.set.AccessToken.Reveal(), Duration: t.set.ExpiresIn, TokenType: t.set.TokenType}
	if t.set.RefreshToken.IsZero() {
		return set
	}
	set.Refresh, set.RefreshID = t.set.RefreshToken.Reveal(), t.session.Accessor
	set.ClientID = h.Core.ClientUUID(t.session)
	if end := h.Door.EndsAt(t.session); end != 0 {
		set.ExpiresIn = max(1, (end-h.Now().UnixMicro()+500_000)/1_000_000) // the nearest
	}
	return set
}
