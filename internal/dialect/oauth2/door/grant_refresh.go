package door

import (
	"context"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// refreshGrant is RFC 6749 section 6, with rotation (RFC 9700 section 4.14.2).
func (h *Handler) refreshGrant(ctx context.Context, r *request) (token.Set, error) {
	refresh, err := r.form.need("refresh_token")
	if err != nil {
		return token.Set{}, err
	}
	if !isScope(r.form.get("scope")) {
		return token.Set{}, refuse(oauth2.ErrorInvalidScope, "the scope is not a list of words separated by single spaces")
	}
	return h.Door.Renew(ctx, token.NewSecret(refresh), issuer.Renewal{
		Client: r.app.ID, Thumbprint: r.thumbprint, Scope: strings.Join(strings.Fields(r.form.get("scope")), " "), Audience: r.form["resource"],
	})
}
