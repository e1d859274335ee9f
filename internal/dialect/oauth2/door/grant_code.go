package door

import (
	"context"
	"crypto/subtle"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// codeGrant is RFC 6749 section 4.1.3 with RFC 7636.
func (h *Handler) codeGrant(ctx context.Context, r *request) (token.Set, error) {
	code, err := r.form.need("code")
	if err != nil {
		return token.Set{}, err
	}
	t, err := h.Door.Code(ctx, r.app.ID, token.NewSecret(code))
	if err != nil {
		return token.Set{}, err
	}
	// What is wrong with a code that has been used makes no difference: whoever
	// has it should not.
	if t.State == store.TicketUsed {
		return h.Door.Redeem(ctx, r.at, t, r.order())
	}
	if err := fits(t, r); err != nil {
		return token.Set{}, err
	}
	o, err := redeeming(t, r)
	if err != nil {
		return token.Set{}, err
	}
	return h.Door.Redeem(ctx, r.at, t, o)
}

// fits holds a request against what the code was given for.
func fits(t store.Ticket, r *request) error {
	switch {
	case r.form.get("redirect_uri") != t.RedirectURI:
		return refuse(oauth2.ErrorInvalidGrant, "redirect_uri is not the one of the authorization request")
	case !oauth2.Meets(t.Challenge, r.form.get("code_verifier")):
		return refuse(oauth2.ErrorInvalidGrant, "code_verifier is not the one that code_challenge was made from")
	case t.Bound != "" && t.Bound != r.thumbprint:
		return refuse(oauth2.ErrorInvalidGrant, "the code is bound to another key")
	}
	return nil
}

// equal compares what must not be guessed letter by letter.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// redeeming is what a ticket orders. The resources may be fewer than those it
// was allowed for (RFC 8707 section 2.2).
func redeeming(t store.Ticket, r *request) (issuer.Order, error) {
	o := r.order()
	o.Subject, o.AuthAt, o.Scope, o.Nonce = t.Subject, t.AuthAt, t.Scope, t.Nonce
	audience, err := issuer.Narrow(strings.Fields(t.Audience), r.form["resource"], issuer.ErrTarget)
	o.Audience = audience
	return o, err
}
