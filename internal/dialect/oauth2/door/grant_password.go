package door

import (
	"context"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// passwordGrant is RFC 6749 section 4.3. RFC 9700 section 2.4 forbids it for
// applications of others: only those created for it get here.
func (h *Handler) passwordGrant(ctx context.Context, r *request) (token.Set, error) {
	name, err := r.form.need("username")
	if err != nil {
		return token.Set{}, err
	}
	password, err := r.form.need("password")
	if err != nil {
		return token.Set{}, err
	}
	o := r.order()
	if o.Scope, err = scope(r.app, r.form); err != nil {
		return token.Set{}, err
	}
	if o.Audience, err = h.audience(r.app, r.form, o.Scope); err != nil {
		return token.Set{}, err
	}
	at, user, err := h.Door.Authenticate(ctx, token.Credentials{Username: name, Password: token.NewPassword(password)}, r.source)
	if err != nil {
		return token.Set{}, err
	}
	o.Subject, o.AuthAt = user.Name, at
	return h.Door.Issue(ctx, min(at, r.at), o)
}
