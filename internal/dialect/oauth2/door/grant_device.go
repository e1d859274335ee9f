package door

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// pollInterval is how long a device waits between two polls, in seconds (RFC 8628
// section 3.2).
const pollInterval = 5

// deviceAuthorization begins the login of a device (RFC 8628 section 3.1).
func (h *Handler) deviceAuthorization(w http.ResponseWriter, r *http.Request) {
	answer, err := h.startDevice(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (h *Handler) startDevice(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	f, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	app, err := h.application(r, f)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(app.Grants, token.GrantDeviceCode) {
		return nil, refuse(oauth2.ErrorUnauthorizedClient, "the application is not registered for the device code grant")
	}
	if err := h.pace.allow(dialect.Source(r.Context()), h.Now()); err != nil {
		return nil, err
	}
	t := store.Ticket{Client: app.ID}
	if t.Scope, err = scope(app, f); err != nil {
		return nil, err
	}
	audience, err := h.audience(app, f, t.Scope)
	if err != nil {
		return nil, err
	}
	t.Audience = strings.Join(audience, " ")
	code, t, err := h.Door.NewDevice(r.Context(), t)
	if err != nil {
		return nil, err
	}
	shown := issuer.ShowUserCode(t.UserCode)
	return map[string]any{
		"device_code": code.Reveal(), "user_code": shown, "verification_uri": h.url("/device"),
		"verification_uri_complete": h.url("/device") + "?user_code=" + url.QueryEscape(shown),
		"expires_in":                issuer.DeviceTTL, "interval": pollInterval,
	}, nil
}

// deviceGrant is a poll (RFC 8628 section 3.4).
func (h *Handler) deviceGrant(ctx context.Context, r *request) (token.Set, error) {
	code, err := r.form.need("device_code")
	if err != nil {
		return token.Set{}, err
	}
	t, err := h.Door.Device(ctx, r.app.ID, token.NewSecret(code))
	if err != nil {
		return token.Set{}, err
	}
	now := h.Now().UnixMicro()
	switch {
	case t.State == store.TicketDenied:
		return token.Set{}, refuse(oauth2.ErrorAccessDenied, "the person has denied it")
	case t.ExpiresAt <= now && t.State != store.TicketUsed:
		return token.Set{}, refuse(oauth2.ErrorExpiredToken, "the device code has expired")
	case t.State == store.TicketPending && h.polls.tooSoon(t, now):
		return token.Set{}, refuse(oauth2.ErrorSlowDown, "polled too soon; wait five seconds longer each time")
	case t.State == store.TicketPending:
		return token.Set{}, refuse(oauth2.ErrorAuthorizationPending, "nobody has decided yet")
	}
	o, err := redeeming(t, r)
	if err != nil {
		return token.Set{}, err
	}
	return h.Door.Redeem(ctx, r.at, t, o)
}

// polls remembers when devices polled, to slow them down (RFC 8628 section 3.5).
// What it forgets costs nothing but that.
type polls struct {
	mu   sync.Mutex
	last map[store.ID]poll
}

type poll struct{ at, wait, until int64 } // microseconds

// maxPolls bounds the memory.
const maxPolls = 10_000

// tooSoon reports whether a device polls more often than it was told. Each time
// it does, it has to wait for longer.
func (p *polls) tooSoon(t store.Ticket, now int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.last) >= maxPolls || p.last == nil {
		p.forget(now)
	}
	before, known := p.last[t.ID]
	next := poll{at: now, wait: pollInterval * 1_000_000, until: t.ExpiresAt}
	// A second less than was asked for: clocks and networks are not exact.
	soon := known && now-before.at < before.wait-1_000_000
	if known {
		next.wait = before.wait
	}
	if soon {
		next.wait += pollInterval * 1_000_000
	}
	p.last[t.ID] = next
	return soon
}

func (p *polls) forget(now int64) {
	kept := map[store.ID]poll{}
	for id, one := range p.last {
		if one.until > now && len(kept) < maxPolls/2 {
			kept[id] = one
		}
	}
	p.last = kept
}
