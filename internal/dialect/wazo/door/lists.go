package door

import (
	"errors"
	"net/http"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// instant is how lists write one.
func instant(at int64) string { return wazo.Instant(at, time.UTC) + "+00:00" }

// refreshTokens lists everybody's refresh tokens.
func (h *Handler) refreshTokens(c *call) error { return h.listRefreshTokens(c, "") }

// refreshTokensOf lists one user's.
func (h *Handler) refreshTokensOf(c *call) error {
	name, err := h.userOf(c)
	if err != nil {
		return err
	}
	return h.listRefreshTokens(c, name)
}

func (h *Handler) listRefreshTokens(c *call, user string) error {
	q, err := readQuery(c, store.RefreshByCreation, store.RefreshByClient, store.RefreshByMobile)
	if err != nil {
		return err
	}
	rows, total, filtered, err := h.Door.RefreshTokens(c.Context(), store.RefreshTokenQuery{
		Subject: user, Search: q.search, Order: q.order, Descending: q.descending, Offset: q.offset, Limit: q.limit,
	})
	if err != nil {
		return err
	}
	page := wazo.Page[wazo.RefreshToken]{Total: int(total), Filtered: int(filtered), Items: []wazo.RefreshToken{}}
	uuids := map[string]string{}
	for _, t := range rows {
		if _, known := uuids[t.Subject]; !known {
			if uuids[t.Subject], err = h.uuidOf(c, t.Subject); err != nil {
				return err
			}
		}
		uuid := uuids[t.Subject]
		page.Items = append(page.Items, wazo.RefreshToken{
			ClientID: t.Client, CreatedAt: instant(t.CreatedAt), Mobile: t.Mobile, UserUUID: uuid, TenantUUID: h.tenant,
			Metadata: map[string]any{"uuid": uuid, "tenant_uuid": h.tenant},
		})
	}
	h.reply(c, http.StatusOK, page)
	return nil
}

// uuidOf is a user's UUID; empty: the user has just gone.
func (h *Handler) uuidOf(c *call, name string) (string, error) {
	if name == c.pass.Subject() {
		return c.pass.UUID(), nil
	}
	u, err := h.Core.User(c.Context(), h.Door.Tenant, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	}
	return h.Core.UserUUID(u), nil
}

// deleteRefreshToken ends the refresh token of a user's client. The access tokens
// that it gave stay.
func (h *Handler) deleteRefreshToken(c *call) error {
	name, err := h.userOf(c)
	if err != nil {
		return err
	}
	err = h.Door.DeleteRefreshToken(c.Context(), name, c.ids[1])
	if errors.Is(err, token.ErrUnknown) {
		return errNoRefresh
	}
	if err == nil {
		h.done(c.w)
	}
	return err
}

// session is one in a list, with what a person knows it by.
type session struct {
	wazo.Session
	CreatedAt  string `json:"created_at"`
	ExpiresAt  string `json:"expires_at"`
	RemoteAddr string `json:"remote_addr"`
	UserAgent  string `json:"user_agent"`
}

// sessions lists everybody's.
func (h *Handler) sessions(c *call) error { return h.listSessions(c, "") }

// sessionsOf lists one user's.
func (h *Handler) sessionsOf(c *call) error {
	name, err := h.userOf(c)
	if err != nil {
		return err
	}
	return h.listSessions(c, name)
}

// listSessions lists them by UUID, and in no other order: there may be millions.
func (h *Handler) listSessions(c *call, user string) error {
	q, err := readQuery(c, "uuid")
	switch {
	case err != nil:
		return err
	case q.descending:
		return errInvalid("direction", "this list is in ascending order")
	case q.search != "":
		return errInvalid("search", "this list cannot be searched")
	}
	rows, total, err := h.Door.OpaqueSessions(c.Context(), user, q.offset, q.limit)
	if err != nil {
		return err
	}
	page := wazo.Page[session]{Total: int(total), Filtered: int(total), Items: []session{}}
	for _, s := range rows {
		page.Items = append(page.Items, session{
			wazo.Session{UUID: s.Accessor, Mobile: s.Opaque.Mobile, UserUUID: s.Opaque.UUID, TenantUUID: h.tenant},
			instant(s.CreatedAt), instant(s.ExpiresAt), s.Opaque.Source, s.Device,
		})
	}
	h.reply(c, http.StatusOK, page)
	return nil
}

// endSession ends a session, and its token with it.
func (h *Handler) endSession(c *call) error { return h.endOne(c, c.ids[0], "") }

// endSessionOf ends one of a user's.
func (h *Handler) endSessionOf(c *call) error { return h.endOne(c, c.ids[1], c.ids[0]) }

func (h *Handler) endOne(c *call, accessor, owner string) error {
	s, err := h.Door.LoginByID(c.Context(), accessor)
	if errors.Is(err, token.ErrUnknown) {
		return errNoSession
	}
	if err != nil {
		return err
	}
	if s.Opaque == nil || owner != "" && s.Opaque.UUID != owner || h.Door.Ended(s) != nil {
		return errNoSession
	}
	if err := h.Door.End(c.Context(), s); err != nil {
		return err
	}
	h.done(c.w)
	return nil
}
