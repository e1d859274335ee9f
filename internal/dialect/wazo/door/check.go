package door

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxAccess is how many bytes an access may have that a token gives.
const maxAccess = 1024

func allows(p *issuer.Pass, access string) bool { return len(access) <= maxAccess && p.Allows(access) }

// passOf is what a token allows. One that is not honoured is refused as one that never
// was.
func (h *Handler) passOf(r *http.Request, raw string) (*issuer.Pass, error) {
	p, err := h.Door.Check(r.Context(), raw)
	if err != nil && !errors.Is(err, token.ErrUnavailable) {
		err = errNoToken
	}
	return p, err
}

// judge tells whether a token is good for what the query asks: first whether it is
// honoured, then its access, then its tenant. A scope that is empty is asked for, a
// tenant that is empty is not.
func (h *Handler) judge(r *http.Request, raw string) (*issuer.Pass, error) {
	p, err := h.passOf(r, raw)
	if err != nil {
		return nil, err
	}
	if r.URL.RawQuery == "" {
		return p, nil
	}
	scope, asked, err := firstOf(r.URL.RawQuery, "scope")
	if err != nil {
		return nil, err
	}
	if asked && !allows(p, scope) {
		return nil, errDenied(scope)
	}
	tenant, _, err := firstOf(r.URL.RawQuery, "tenant")
	if err != nil {
		return nil, err
	}
	return p, h.checkTenant(tenant)
}

func (h *Handler) checkTenant(tenant string) error {
	if tenant != "" && tenant != h.tenant {
		return errDenied("tenant " + tenant)
	}
	return nil
}

// firstOf returns the first value of a name in a query, and whether there is one. It
// makes nothing that it does not return.
func firstOf(query, name string) (value string, ok bool, err error) {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, text, _ := strings.Cut(pair, "=")
		if key, err = unescaped(key); err != nil {
			return "", false, err
		}
		if key == name && pair != "" {
			value, err = unescaped(text)
			return value, true, err
		}
	}
	return "", false, nil
}

func unescaped(text string) (string, error) {
	if !strings.ContainsAny(text, "%+") {
		return text, nil
	}
	text, err := url.QueryUnescape(text)
	if err != nil {
		return "", errInvalid("query", "it cannot be read")
	}
	return text, nil
}

// checkToken answers whether a token is good, in no words.
func (h *Handler) checkToken(w http.ResponseWriter, r *http.Request, raw string) error {
	if _, err := h.judge(r, raw); err != nil {
		return err
	}
	h.done(w)
	return nil
}

func (h *Handler) check(c *call) error { return h.checkToken(c.w, c.Request, c.ids[0]) }

// show tells what is known of a token.
func (h *Handler) show(c *call) error {
	p, err := h.judge(c.Request, c.ids[0])
	if err != nil {
		return err
	}
	s, err := h.Door.OpaqueSession(c.Context(), p)
	if errors.Is(err, token.ErrUnknown) {
		return errNoToken
	}
	if err != nil {
		return err
	}
	h.reply(c, http.StatusOK, wazo.Data[tokenData]{Data: h.data(s, c.ids[0])})
	return nil
}

// end ends a token. Of one that there is not, it is as true that it has ended.
func (h *Handler) end(c *call) error {
	if err := h.Door.EndOpaque(c.Context(), c.ids[0]); err != nil {
		return err
	}
	h.reply(c, http.StatusOK, wazo.Data[wazo.Message]{Data: wazo.Message{Message: wazo.MessageSuccess}})
	return nil
}

const (
	// maxScopes is how many accesses can be asked for at once.
	maxScopes = 1000
	// maxWork is what judging them may cost, as the issuer counts: some tenths of a
	// second.
	maxWork = 1 << 26
)

// checkScopes tells of many accesses whether a token gives each.
func (h *Handler) checkScopes(c *call) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	scopes, tenant := b.texts("scopes"), b.text("tenant_uuid", maxText)
	switch {
	case scopes == nil:
		b.fail("scopes", "want a list of strings")
	case len(scopes) > maxScopes:
		b.fail("scopes", "there are too many")
	}
	if b.wrong != nil {
		return b.wrong
	}
	p, err := h.passOf(c.Request, c.ids[0])
	if err != nil {
		return err
	}
	if err := h.checkTenant(tenant); err != nil {
		return err
	}
	given, err := judgeAll(c.Context(), p, scopes)
	if err != nil {
		return err
	}
	h.reply(c, http.StatusOK, map[string]any{"scopes": given})
	return nil
}

// judgeAll tells of each access whether a token gives it, unless nobody waits for the
// answer any more or it takes too much.
func judgeAll(ctx context.Context, p *issuer.Pass, scopes []string) (map[string]bool, error) {
	given := make(map[string]bool, len(scopes))
	work := 0
	for _, access := range scopes {
		if _, judged := given[access]; judged {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("%w: %w", token.ErrUnavailable, err)
		}
		if work > maxWork {
			return nil, errInvalid("scopes", "there are too many for the token's list")
		}
		given[access] = false
		if len(access) <= maxAccess {
			allowed, more := p.Weigh(access)
			given[access], work = allowed, work+more
		}
	}
	return given, nil
}

// tokenData is what is told of a token. Services of 2017 called its access list acls.
type tokenData struct {
	wazo.Token
	ACLs []string `json:"acls"`
}

func (h *Handler) data(s store.Session, raw string) tokenData {
	list := append([]string{}, s.Opaque.ACL...)
	uuid := s.Opaque.UUID
	return tokenData{Token: wazo.Token{
		IssuedAt: wazo.Instant(s.CreatedAt, h.Zone), UTCIssuedAt: wazo.Instant(s.CreatedAt, time.UTC),
		Token: raw, AuthID: uuid, XivoUserUUID: &uuid,
		ExpiresAt: wazo.Instant(s.ExpiresAt, h.Zone), UTCExpiresAt: wazo.Instant(s.ExpiresAt, time.UTC),
		ACL:         list,
		Metadata:    wazo.Metadata{UUID: uuid, TenantUUID: h.tenant, AuthID: uuid, PBXUserUUID: &uuid, Purpose: "user"},
		SessionUUID: s.Accessor, RemoteAddr: s.Opaque.Source, UserAgent: s.Device,
	}, ACLs: list}
}
