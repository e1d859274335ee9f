package door

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// oauthRequest is one request for a token of an application that has proved itself
// and may use the grant.
type oauthRequest struct {
	form   oauthForm
	app    store.Application
	source string // where it came from, for the throttle
	at     int64  // an instant from before anything was read
}

// oauthGrants are the grants by grant_type.
func (h *Handler) oauthGrants() map[string]func(context.Context, oauthRequest) (issuer.Kept, error) {
	return map[string]func(context.Context, oauthRequest) (issuer.Kept, error){
		token.GrantPassword:          h.passwordGrant,
		token.GrantRefreshToken:      h.refreshGrant,
		token.GrantAuthorizationCode: h.codeGrant,
		token.GrantClientCredentials: h.clientCredentialsGrant,
	}
}

// oauthToken is RFC 6749 section 3.2.
func (h *Handler) oauthToken(w http.ResponseWriter, r *http.Request) {
	k, err := h.grant(w, r)
	if err != nil {
		h.oauthRefuse(w, r, err)
		return
	}
	oauthReply(w, http.StatusOK, awx.Set{
		AccessToken: k.Access.Reveal(), TokenType: "Bearer", ExpiresIn: (k.ExpiresAt - k.CreatedAt) / 1_000_000,
		RefreshToken: k.Refresh.Reveal(), Scope: k.Scope,
	})
}

func (h *Handler) grant(w http.ResponseWriter, r *http.Request) (issuer.Kept, error) {
	req := oauthRequest{at: h.Door.Tick(), source: dialect.Source(r.Context())}
	var err error
	if req.form, err = readOAuthForm(w, r); err != nil {
		return issuer.Kept{}, err
	}
	name := req.form["grant_type"]
	run, known := h.oauthGrants()[name]
	if !known {
		return issuer.Kept{}, oauthRefusal{code: oauth2.ErrorUnsupportedGrantType}
	}
	if req.app, err = h.oauthClient(r, req.form); err != nil {
		return issuer.Kept{}, err
	}
	if !slices.Contains(req.app.Grants, name) {
		return issuer.Kept{}, oauthRefusal{code: oauth2.ErrorUnauthorizedClient}
	}
	return run(r.Context(), req)
}

// lasts reports whether the application's tokens come with a refresh token.
func (r oauthRequest) lasts() bool { return slices.Contains(r.app.Grants, token.GrantRefreshToken) }

// scope is what is asked for of what the application may have: all of that where it
// does not say.
func (r oauthRequest) scope() (string, error) {
	words, err := issuer.Narrow(r.app.Scopes, strings.Fields(r.form["scope"]), issuer.ErrScope)
	words = slices.Clone(words)
	slices.Sort(words)
	return strings.Join(slices.Compact(words), " "), err
}

// passwordGrant is RFC 6749 section 4.3.
func (h *Handler) passwordGrant(ctx context.Context, r oauthRequest) (issuer.Kept, error) {
	name, err := r.form.need("username", "Request is missing username parameter.")
	if err != nil {
		return issuer.Kept{}, err
	}
	password, err := r.form.need("password", "Request is missing password parameter.")
	if err != nil {
		return issuer.Kept{}, err
	}
	t := store.AccessToken{Client: r.app.ID}
	if t.Scope, err = r.scope(); err != nil {
		return issuer.Kept{}, err
	}
	_, user, err := h.Door.Authenticate(ctx, token.Credentials{Username: name, Password: token.NewPassword(password)}, r.source)
	if err != nil {
		return issuer.Kept{}, err
	}
	t.Subject = user.Name
	return h.Door.Keep(ctx, r.at, t, r.lasts())
}

// refreshGrant is RFC 6749 section 6: the old pair is void.
func (h *Handler) refreshGrant(ctx context.Context, r oauthRequest) (issuer.Kept, error) {
	refresh, err := r.form.need("refresh_token", "Missing refresh token parameter.")
	if err != nil {
		return issuer.Kept{}, err
	}
	return h.Door.KeepAgain(ctx, token.NewSecret(refresh), r.app.ID, r.form["scope"])
}

// codeGrant is RFC 6749 section 4.1.3 with RFC 7636.
func (h *Handler) codeGrant(ctx context.Context, r oauthRequest) (issuer.Kept, error) {
	code, err := r.form.need("code", "Missing code parameter.")
	if err != nil {
		return issuer.Kept{}, err
	}
	t, err := h.Door.Code(ctx, r.app.ID, token.NewSecret(code))
	if err != nil {
		return issuer.Kept{}, err
	}
	fits := r.form["redirect_uri"] == t.RedirectURI && oauth2.Meets(t.Challenge, r.form["code_verifier"])
	// What is wrong with a code that has been used makes no difference: whoever has
	// it should not.
	if !fits && t.State != store.TicketUsed {
		return issuer.Kept{}, oauthRefusal{code: oauth2.ErrorInvalidGrant}
	}
	return h.Door.KeepFor(ctx, r.at, t, r.lasts())
}

// clientCredentialsGrant is RFC 6749 section 4.4: the token is of the application
// itself and of no user, and has no refresh token.
func (h *Handler) clientCredentialsGrant(ctx context.Context, r oauthRequest) (issuer.Kept, error) {
	scope, err := r.scope()
	if err != nil {
		return issuer.Kept{}, err
	}
	return h.Door.Keep(ctx, r.at, store.AccessToken{Subject: r.app.ID, Client: r.app.ID, Scope: scope}, false)
}
