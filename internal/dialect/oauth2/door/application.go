package door

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// claim is who an application says it is, and how it proves it (RFC 6749 section
// 2.3).
type claim struct {
	id, method string
	secret     token.Secret
	assertion  string
}

// claimOf reads the one way in which an application proves itself.
func claimOf(r *http.Request, f form) (claim, error) {
	var ways []claim
	if len(r.Header.Values("Authorization")) > 0 {
		c, err := basicClaim(r)
		if err != nil {
			return c, err
		}
		ways = append(ways, c)
	}
	if f.get("client_secret") != "" {
		ways = append(ways, claim{id: f.get("client_id"), method: oauth2.AuthPost, secret: token.NewSecret(f.get("client_secret"))})
	}
	if f.get("client_assertion") != "" || f.get("client_assertion_type") != "" {
		c, err := assertionClaim(f)
		if err != nil {
			return c, err
		}
		ways = append(ways, c)
	}
	switch {
	case len(ways) > 1:
		return claim{}, refuse(oauth2.ErrorInvalidRequest, "the application proves itself in more than one way")
	case len(ways) == 0:
		return claim{id: f.get("client_id"), method: oauth2.AuthNone}, nil
	case f.get("client_id") != "" && f.get("client_id") != ways[0].id:
		return claim{}, refuse(oauth2.ErrorInvalidRequest, "client_id is not the application that proves itself")
	}
	return ways[0], nil
}

// basicClaim reads RFC 6749 section 2.3.1: both parts form-encoded.
func basicClaim(r *http.Request) (claim, error) {
	list := r.Header.Values("Authorization")
	scheme, encoded, _ := strings.Cut(list[0], " ")
	if len(list) > 1 {
		return claim{}, refuse(oauth2.ErrorInvalidRequest, "more than one Authorization header")
	}
	if !strings.EqualFold(scheme, "Basic") {
		return claim{}, errClient()
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, found := strings.Cut(string(text), ":")
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	if !found || errors.Join(err, idErr, secretErr) != nil {
		return claim{}, errClient()
	}
	return claim{id: id, method: oauth2.AuthBasic, secret: token.NewSecret(secret)}, nil
}

// assertionClaim reads RFC 7521 section 4.2: the application is who signed.
func assertionClaim(f form) (claim, error) {
	if f.get("client_assertion_type") != oauth2.AssertionType {
		return claim{}, refuse(oauth2.ErrorInvalidRequest, "client_assertion_type must be "+oauth2.AssertionType)
	}
	raw := f.get("client_assertion")
	t, err := token.Decode(raw)
	if err != nil {
		return claim{}, errClient()
	}
	return claim{id: t.Claims.Subject(), method: oauth2.AuthKey, assertion: raw}, nil
}

// application finds who asks, and has it proved. Whoever is unknown, proves
// itself wrongly, or in another way than it is registered for, is told the same.
func (h *Handler) application(r *http.Request, f form) (store.Application, error) {
	c, err := claimOf(r, f)
	if err != nil {
		return store.Application{}, err
	}
	return h.prove(r.Context(), c, h.Core.Application)
}

// recentApplication is application by what was so a second ago at most: for what is
// about tokens that were issued already.
func (h *Handler) recentApplication(r *http.Request, f form) (store.Application, error) {
	c, err := claimOf(r, f)
	if err != nil {
		return store.Application{}, err
	}
	app, err := h.prove(r.Context(), c, h.Core.RecentApplication)
	if errors.Is(err, errClient()) { // it may have got its secret just now
		return h.prove(r.Context(), c, h.Core.Application)
	}
	return app, err
}

// prove is application by what a look-up finds.
func (h *Handler) prove(
	ctx context.Context, c claim, find func(ctx context.Context, tenant, id string) (store.Application, error),
) (app store.Application, err error) {
	if c.id != "" && len(c.id) <= 255 {
		app, err = find(ctx, h.Door.Tenant, c.id)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return app, err
	}
	proved, err := h.proved(ctx, app, c)
	if err != nil {
		return app, err
	}
	if !proved || !proves(app, c.method) {
		return app, errClient()
	}
	return app, nil
}

// proves reports whether an application is registered for a method.
func proves(app store.Application, method string) bool {
	if app.AuthMethod == "" {
		return app.ID != "" && (method == oauth2.AuthBasic || method == oauth2.AuthPost)
	}
	return app.AuthMethod == method
}

func (h *Handler) proved(ctx context.Context, app store.Application, c claim) (bool, error) {
	switch c.method {
	case oauth2.AuthNone:
		return app.ID != "", nil
	case oauth2.AuthKey:
		return h.asserted(ctx, app, c)
	}
	return h.Core.CheckSecret(app, c.secret), nil
}

// maxAssertion is how long an assertion may live, in seconds.
const maxAssertion = 600

// asserted judges a client assertion (RFC 7523 section 3): it is spent with its
// first use.
func (h *Handler) asserted(ctx context.Context, app store.Application, c claim) (bool, error) {
	if app.JWKS == "" {
		return false, nil
	}
	keys, err := verifier.ParseKeys([]byte(app.JWKS))
	if err != nil {
		return false, err
	}
	v, err := verifier.New(verifier.Config{
		Keys: keys, Algorithms: algorithms(), Issuer: app.ID, AnyAudience: true, Required: []string{"sub", "aud", "jti"},
		Types: []string{"", "jwt", "client-authentication+jwt"}, MaxLifetime: maxAssertion, Leeway: 5 * time.Second, Now: h.Now,
	})
	if err != nil {
		return false, err
	}
	claims, err := v.Verify(ctx, c.assertion)
	if err != nil || claims.Subject() != app.ID || !h.isAddressed(claims) {
		return false, nil //nolint:nilerr // every bad assertion reads the same
	}
	exp, _, err := claims.NumericDate("exp")
	if err != nil {
		return false, err
	}
	err = h.Core.Once(ctx, "assertion:"+app.ID+"\x00"+claims.ID(), exp+5_000_000)
	if errors.Is(err, issuer.ErrReplayed) {
		return false, nil
	}
	return err == nil, err
}

// isAddressed reports whether an assertion is meant for this service and for
// nobody else, who could use it here: by its issuer, or as older clients have it
// by the endpoint.
func (h *Handler) isAddressed(claims *token.Claims) bool {
	audience, _ := claims.Strings("aud")
	return len(audience) == 1 && (audience[0] == h.URL || audience[0] == h.url("/oauth2/token"))
}

// isPublic reports whether an application has nothing to prove itself with (RFC
// 6749 section 2.1).
func isPublic(app store.Application) bool { return app.AuthMethod == oauth2.AuthNone }
