package door

import (
	"context"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// clientCredentialsGrant is RFC 6749 section 4.4: the application acts for
// itself, and gets no refresh token (section 4.4.3).
func (h *Handler) clientCredentialsGrant(ctx context.Context, r *request) (token.Set, error) {
	o := r.order()
	o.Subject, o.Refresh = r.app.ID, false
	var err error
	if o.Scope, err = scope(r.app, r.form); err != nil {
		return token.Set{}, err
	}
	if o.Audience, err = h.audience(r.app, r.form, o.Scope); err != nil {
		return token.Set{}, err
	}
	return h.Door.Issue(ctx, r.at, o)
}
