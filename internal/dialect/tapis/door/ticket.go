package door

import (
	"sync"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// byCode trades an authorization code (RFC 6749 section 4.1.3, RFC 7636).
func (h *Handler) byCode(l *login) (token.Set, error) {
	const field = "code"
	code, uri, verifier := l.body.need(field), l.body.text("redirect_uri"), l.body.text("code_verifier")
	if l.body.err != nil {
		return token.Set{}, l.body.err
	}
	t, err := l.tenant.Door.Code(l.Context(), l.app.ID, token.NewSecret(code))
	switch {
	case err != nil:
		return token.Set{}, of(field, err)
	case t.State == store.TicketUsed: // whoever has it should not, whatever else is wrong
	case uri != t.RedirectURI:
		return token.Set{}, bad("redirect_uri: want the one of the authorization request")
	case !oauth2.Meets(t.Challenge, verifier):
		return token.Set{}, bad("code_verifier: want the one that code_challenge was made from")
	case t.Bound != "":
		return token.Set{}, bad("code: it is bound to a key, which this endpoint has no proof of")
	}
	return l.redeem(field, t)
}

// redeem trades a ticket that is in order, or ends what came of one that was used.
func (l *login) redeem(field string, t store.Ticket) (token.Set, error) {
	o := l.order(t.Subject)
	o.Mint.RedirectURI = t.RedirectURI
	set, err := l.tenant.Door.Redeem(l.Context(), l.at, t, o)
	if err != nil {
		return set, of(field, err)
	}
	return set, nil
}

// byDevice is a device's poll (RFC 8628 section 3.4).
func (h *Handler) byDevice(l *login) (token.Set, error) {
	const field = "device_code"
	code := l.body.need(field)
	if l.body.err != nil {
		return token.Set{}, l.body.err
	}
	t, err := l.tenant.Door.Device(l.Context(), l.app.ID, token.NewSecret(code))
	if err != nil {
		return token.Set{}, of(field, err)
	}
	now := h.Now().UnixMicro()
	switch {
	case t.State == store.TicketDenied:
		return token.Set{}, bad("device_code: access_denied: the user has denied it")
	case t.ExpiresAt <= now && t.State != store.TicketUsed:
		return token.Set{}, bad("device_code: expired_token: it has expired")
	case t.Bound != "":
		return token.Set{}, bad("device_code: it is bound to a key, which this endpoint has no proof of")
	case t.State == store.TicketPending && h.polls.tooSoon(t, now):
		return token.Set{}, bad("device_code: slow_down: polled too soon")
	case t.State == store.TicketPending:
		return token.Set{}, bad("device_code: authorization_pending: nobody has decided yet")
	}
	return l.redeem(field, t)
}

// polls remembers when devices polled, to slow them down (RFC 8628 section 3.5).
// What it forgets costs nothing but that. Its zero value is ready.
type polls struct {
	mu   sync.Mutex
	last map[store.ID]int64 // microseconds
}

const (
	pollEvery = 4_000_000 // microseconds; devices are told 5 s, and clocks are not exact
	maxPolls  = 10_000
)

// tooSoon tells whether a device polls more often than it was told.
func (p *polls) tooSoon(t store.Ticket, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil || len(p.last) >= maxPolls {
		p.last = map[store.ID]int64{}
	}
	before, known := p.last[t.ID]
	p.last[t.ID] = now
	return known && now-before < pollEvery
}
