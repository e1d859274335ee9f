package door

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/pages"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// device lets a device in (RFC 8628 section 3.3): the code is typed, then shown
// again with who asks, and only then allowed.
func (h *Handler) device(v *visit) {
	typed := v.form.get("user_code")
	if v.session == nil {
		next := h.base + "/device"
		if typed != "" {
			next += "?user_code=" + url.QueryEscape(typed)
		}
		h.toLogin(v, next)
		return
	}
	view := pages.Device{Frame: h.frame(v), Action: h.base + "/device", UserCode: typed}
	if typed == "" {
		if v.r.Method == http.MethodPost {
			view.Problem = "Type the code that the device shows."
		}
		h.pages.Device(v.w, http.StatusOK, view)
		return
	}
	// A link of another site fills in the form, and spends none of the guesses.
	if v.r.Method != http.MethodPost && v.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		h.pages.Device(v.w, http.StatusOK, view)
		return
	}
	t, err := h.findDevice(v, typed)
	switch {
	case errors.Is(err, token.ErrThrottled):
		retryAfter(v.w, err)
		view.Problem = "Too many codes that are not good. Wait a little, then try again."
		h.pages.Device(v.w, http.StatusTooManyRequests, view)
	case errors.Is(err, token.ErrUnknown):
		view.Problem = "This code is not good, or not any more. Compare it with the one on the device."
		h.pages.Device(v.w, http.StatusNotFound, view)
	case err != nil:
		h.problem(v, err)
	case v.form.get("decision") != "" && v.r.Method == http.MethodPost:
		h.decideDevice(v, t, v.form.get("decision") == "allow")
	default:
		h.confirmDevice(v, t)
	}
}

// findDevice slows down who guesses codes (RFC 8628 section 5.1).
func (h *Handler) findDevice(v *visit, typed string) (store.Ticket, error) {
	ctx := v.r.Context()
	guesser, source := "device code\x00"+v.session.Subject, dialect.Source(ctx)
	if wait, ok := h.Core.Throttle.Wait(ctx, guesser, source); !ok {
		return store.Ticket{}, &token.Refusal{Kind: token.ErrThrottled, RetryAfter: wait}
	}
	t, err := h.Door.DeviceByUserCode(ctx, typed)
	switch {
	case errors.Is(err, token.ErrUnknown):
		h.Core.Throttle.Failure(guesser, source)
	default: // a good code forgives nothing: anybody can have one made
		h.Core.Throttle.Release(guesser, source)
	}
	return t, err
}

func (h *Handler) confirmDevice(v *visit, t store.Ticket) {
	app, err := h.Core.Application(v.r.Context(), t.Tenant, t.Client)
	if err != nil {
		h.problem(v, err)
		return
	}
	rights, err := h.meanings(v, t.Scope)
	if err != nil {
		h.problem(v, err)
		return
	}
	h.pages.DeviceConfirm(v.w, http.StatusOK, pages.DeviceConfirm{
		Frame: h.frame(v), Action: h.base + "/device", Client: app.Name, ClientID: app.ID,
		UserCode: issuer.ShowUserCode(t.UserCode), Asked: time.UnixMicro(t.CreatedAt),
		Scopes: rights, Resources: h.others(strings.Fields(t.Audience)),
	})
}

func (h *Handler) decideDevice(v *visit, t store.Ticket, approve bool) {
	err := h.Door.Decide(v.r.Context(), t, approve, v.session.Subject, t.Scope, v.session.AuthAt)
	if err != nil {
		h.problem(v, err)
		return
	}
	m := pages.Message{Frame: h.frame(v), Title: "The device is logged in", Text: "You can close this window and go on at the device.", Good: true}
	if !approve {
		m.Title, m.Text, m.Good = "Nothing was allowed", "The device has been told that you do not let it in.", false
	}
	h.pages.Message(v.w, http.StatusOK, m)
}

// account shows a person's own logins.
func (h *Handler) account(v *visit) {
	if v.session == nil {
		h.toLogin(v, h.base+"/account")
		return
	}
	h.showAccount(v, "")
}

func (h *Handler) showAccount(v *visit, notice string) {
	list, more, err := h.Door.Logins(v.r.Context(), v.session.Subject, v.session.ID, issuer.MaxLogins)
	if err != nil {
		h.problem(v, err)
		return
	}
	view := pages.Account{
		Frame: h.frame(v), EndAction: h.base + "/account/end", EndAllAction: h.base + "/account/end-all", LogoutAction: h.base + "/logout",
		Notice: notice, More: more,
	}
	for _, l := range list {
		login := pages.AccountLogin{
			ID: l.ID, Name: l.Name, Door: l.Door, Scope: l.Scope, Created: l.CreatedAt, Expires: l.ExpiresAt, Current: l.Current,
		}
		if l.Door == issuer.DoorBrowser { // the name says it
			login.Door = ""
		}
		if l.LastUsedAt.After(l.CreatedAt) {
			login.LastUsed = l.LastUsedAt
		}
		view.Logins = append(view.Logins, login)
	}
	h.pages.Account(v.w, http.StatusOK, view)
}

// endLogin ends one login of the person's own.
func (h *Handler) endLogin(v *visit) {
	h.ending(v, func(ctx context.Context) error {
		return h.Door.EndLogin(ctx, v.session.Subject, v.form.get("id"))
	}, func() {
		if v.form.get("id") == v.session.Accessor {
			h.forget(v)
			h.toLogin(v, h.base+"/account")
			return
		}
		h.showAccount(v, "The login has ended, and its tokens are void.")
	})
}

// endAll voids all that the person was issued.
func (h *Handler) endAll(v *visit) {
	h.ending(v, func(ctx context.Context) error {
		return h.Door.RevokeAllOf(ctx, v.session.Subject)
	}, func() {
		h.forget(v)
		h.pages.Message(v.w, http.StatusOK, pages.Message{
			Frame: h.frame(v), Title: "All your logins have ended", Text: "All your tokens are void, here and at every application.", Good: true,
			LinkText: "Log in again", LinkURL: h.base + "/login",
		})
	})
}

// ending does what needs a login, and shows what comes of it.
func (h *Handler) ending(v *visit, end func(context.Context) error, show func()) {
	if v.session == nil {
		h.toLogin(v, h.base+"/account")
		return
	}
	err := end(v.r.Context())
	switch {
	case errors.Is(err, token.ErrUnknown):
		h.showAccount(v, "That login has ended already.")
	case err != nil:
		h.problem(v, err)
	default:
		show()
	}
}
