package door

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Bounds of a page.
const (
	pageLimit = 10
	pageMost  = 1000
)

// query is what a list is asked for.
type query struct {
	skip, limit      int
	labels           []string
	expired, revoked bool
	user             string
}

func readQuery(values url.Values) (q query, err error) {
	number := func(name string, instead int) int {
		if !values.Has(name) {
			return instead
		}
		n, parseErr := strconv.ParseUint(values.Get(name), 10, 31)
		if parseErr != nil {
			err = refusal{message: name + ": want a whole number from 0"}
		}
		return int(n)
	}
	flag := func(name string) bool {
		text := values.Get(name)
		if text != "" && text != "true" && text != "false" {
			err = refusal{message: name + ": want true or false"}
		}
		return text == "true"
	}
	q = query{
		skip: number("skip", 0), limit: min(number("limit", pageLimit), pageMost), labels: splitLabels(values.Get("labels")),
		expired: flag("expired"), revoked: flag("revoked"), user: strings.TrimPrefix(values.Get("user_id"), "local|"),
	}
	return q, err
}

// list tells of the refresh tokens of a user, the newest first, and never their
// values.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, _ string) {
	h.withCaller(w, r, func(c caller) error {
		q, err := readQuery(r.URL.Query())
		if err != nil {
			return err
		}
		user, err := h.listed(r, c, q.user)
		if err != nil {
			return err
		}
		all, err := h.Door.AllLogins(r.Context(), user.Name)
		if err != nil {
			return err
		}
		found := h.matching(all, q)
		page := ciphertrust.Page[ciphertrust.Login]{Skip: q.skip, Limit: q.limit, Total: len(found), Resources: []ciphertrust.Login{}}
		for _, s := range found[min(q.skip, len(found)):min(q.skip+q.limit, len(found))] {
			page.Resources = append(page.Resources, h.wireLogin(s, user))
		}
		reply(w, http.StatusOK, page)
		return nil
	})
}

// listed is the user whose tokens are asked for: another one's for admins only.
func (h *Handler) listed(r *http.Request, c caller, uuid string) (store.User, error) {
	switch {
	case uuid == "" || uuid == h.Core.UserUUID(c.user):
		return c.user, nil
	case !c.isAdmin():
		return store.User{}, token.Refuse(token.ErrDenied, "only an admin sees the tokens of another user")
	}
	user, err := h.Door.UserByUUID(r.Context(), uuid)
	if errors.Is(err, token.ErrUnknown) {
		return user, errNotFound("user_id: there is no such user")
	}
	return user, err
}

func (h *Handler) matching(all []store.Session, q query) []store.Session {
	found := slices.DeleteFunc(all, func(s store.Session) bool {
		ended := h.Door.Ended(s)
		lacks := func(label string) bool { return !slices.Contains(s.Labels, label) }
		return errors.Is(ended, token.ErrExpired) && !q.expired || errors.Is(ended, token.ErrRevoked) && !q.revoked ||
			slices.ContainsFunc(q.labels, lacks)
	})
	slices.SortStableFunc(found, func(a, b store.Session) int { return cmp.Compare(b.CreatedAt, a.CreatedAt) })
	return found
}

func (h *Handler) wireLogin(s store.Session, user store.User) ciphertrust.Login {
	ended := h.Door.Ended(s)
	return ciphertrust.Login{
		ID: s.Accessor, ClientID: h.Core.ClientUUID(s), UserID: "local|" + h.Core.UserUUID(user), Username: user.Name,
		Labels:    append([]string{}, s.Labels...),
		CreatedAt: instant(s.CreatedAt), LastUsedAt: instant(s.LastUsedAt), ExpiresAt: instant(h.Door.EndsAt(s)),
		UnusedIn: ciphertrust.Minutes(s.IdleTTL),
		Expired:  errors.Is(ended, token.ErrExpired), Revoked: errors.Is(ended, token.ErrRevoked),
	}
}

func instant(microseconds int64) string {
	if microseconds == 0 {
		return ""
	}
	return time.UnixMicro(microseconds).UTC().Format(time.RFC3339Nano)
}

// one returns a refresh token by its id: the caller's own, or anybody's for an
// admin. There being none reads the same as its being another's.
func (h *Handler) one(r *http.Request, c caller, id string) (store.Session, store.User, error) {
	s, err := h.Door.LoginByID(r.Context(), id)
	if errors.Is(err, token.ErrUnknown) || err == nil && s.Subject != c.user.Name && !c.isAdmin() {
		return s, c.user, errNotFound(ciphertrust.MessageNoRecord)
	}
	if err != nil || s.Subject == c.user.Name {
		return s, c.user, err
	}
	user, err := h.Core.User(r.Context(), s.Tenant, s.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return s, store.User{Tenant: s.Tenant, Name: s.Subject}, nil
	}
	return s, user, err
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, id string) {
	h.withCaller(w, r, func(c caller) error {
		s, user, err := h.one(r, c, id)
		if err != nil {
			return err
		}
		reply(w, http.StatusOK, h.wireLogin(s, user))
		return nil
	})
}

// remove revokes a refresh token by its id, and its JWTs with it. It stays in the
// list of the revoked.
func (h *Handler) remove(w http.ResponseWriter, r *http.Request, id string) {
	h.withCaller(w, r, func(c caller) error {
		s, _, err := h.one(r, c, id)
		if err != nil {
			return err
		}
		if err := h.Door.End(r.Context(), s); err != nil {
			return err
		}
		if c.cookie && s.ID == store.ID(c.ID.Session) {
			h.dropCookies(w)
		}
		done(w)
		return nil
	})
}
