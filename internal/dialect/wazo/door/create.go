package door

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// request is what a token is asked for with.
type request struct {
	backend, clientID    string
	tenantID, domainName string
	refresh              token.Secret // zero: by name and password
	offline, mobile      bool
	ttl                  int64 // seconds; 0: the door's own
}

// maxText is how many characters a text may have that nothing else bounds.
const maxText = 1024

func readRequest(c *call) (request, error) {
	b, err := readBody(c)
	if err != nil {
		return request{}, err
	}
	q := request{
		backend: b.text("backend", maxText), clientID: b.text("client_id", wazo.MaxClientID),
		tenantID: b.text("tenant_id", maxText), domainName: b.text("domain_name", maxText),
		refresh: token.NewSecret(b.text("refresh_token", maxText)), ttl: b.expiration(),
	}
	switch access := b.text("access_type", maxText); access {
	case "", wazo.AccessOnline:
	case wazo.AccessOffline:
		q.offline = true
	default:
		b.fail("access_type", "want online or offline")
	}
	switch kind := c.Header.Get(wazo.HeaderSession); {
	case strings.EqualFold(kind, wazo.SessionMobile):
		q.mobile = true
	case kind != "" && !strings.EqualFold(kind, wazo.SessionDesktop):
		b.fail(wazo.HeaderSession, "want mobile or desktop")
	}
	b.agree(q)
	return q, b.wrong
}

// agree looks at what cannot go together.
func (b *body) agree(q request) {
	switch {
	case b.has("client_id") && q.clientID == "":
		b.fail("client_id", "it is empty")
	case b.has("refresh_token") && q.refresh.IsZero():
		b.fail("refresh_token", "it is empty")
	case q.offline && !q.refresh.IsZero():
		b.fail("access_type", "offline and refresh_token exclude each other")
	case (q.offline || !q.refresh.IsZero()) && q.clientID == "":
		b.fail("client_id", "offline and refresh_token need one")
	case q.tenantID != "" && q.domainName != "":
		b.fail("tenant_id", "it and domain_name exclude each other")
	}
}

// expiration is a lifetime in seconds, as a number or its digits in a string, which
// is how the original's own command line sends it; 0: none was sent.
func (b *body) expiration() int64 {
	raw, ok := b.object.Member("expiration")
	if !ok {
		return 0
	}
	if text, isText := b.object.String("expiration"); isText {
		raw = text
	}
	n, err := strconv.ParseUint(raw, 10, 63)
	if err != nil || n < 1 || n > wazo.MaxExpiration {
		b.fail("expiration", "")
	}
	return int64(n)
}

// create makes a token, for a name and a password or for a refresh token.
func (h *Handler) create(c *call) error {
	q, err := readRequest(c)
	if err != nil {
		return err
	}
	if q.tenantID != "" && q.tenantID != h.tenant || q.domainName != "" && q.domainName != h.Door.Tenant {
		return token.ErrCredentials // as for any other place that knows no such user
	}
	order := issuer.OpaqueOrder{TTL: q.ttl, Source: dialect.Source(c.Context()), Agent: agent(c.Request), Mobile: q.mobile}
	var made issuer.Opaque
	if q.refresh.IsZero() {
		made, err = h.login(c, q, order)
	} else {
		made, err = h.Door.IssueOpaqueFor(c.Context(), q.refresh, q.clientID, order)
	}
	if err != nil {
		return err
	}
	data := h.data(made.Session, made.Access.Reveal())
	data.RefreshToken = made.Refresh.Reveal()
	h.reply(c, http.StatusOK, wazo.Data[tokenData]{Data: data})
	return nil
}

func (h *Handler) login(c *call, q request, order issuer.OpaqueOrder) (issuer.Opaque, error) {
	who, ok := credentials(c.Request)
	if !ok {
		return issuer.Opaque{}, token.ErrCredentials
	}
	at, user, by, err := h.Door.AuthenticateBy(c.Context(), q.backend, who, dialect.Source(c.Context()))
	if err != nil {
		return issuer.Opaque{}, err
	}
	order.User, order.Backend = user, by
	if q.offline {
		order.Offline = q.clientID
	}
	return h.Door.IssueOpaque(c.Context(), at, order)
}

// agent is what a program calls itself, cut short.
func agent(r *http.Request) string {
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	return name[:min(len(name), 200)]
}
