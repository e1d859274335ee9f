package door

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// gone reports whether a row is of a token that has ended otherwise than by the
// time. Such rows are about to be removed.
func (h *Handler) gone(t store.AccessToken) bool {
	ended := h.Door.KeptEnded(t)
	return t.Door != h.Door.Name || ended != nil && !errors.Is(ended, token.ErrExpired)
}

// heldOf is a token as the rules look at one.
func (h *Handler) heldOf(v *visit, t store.AccessToken) (held, error) {
	owner, err := h.userNamed(v, t.Subject)
	if errors.Is(err, store.ErrNotFound) {
		owner, err = store.User{}, nil // an application's own
	}
	if err != nil {
		return held{}, err
	}
	rule := held{}
	if owner.Name != "" {
		if rule.owner, err = h.personOf(v, owner); err != nil {
			return held{}, err
		}
	}
	if t.Client != "" {
		app, err := h.appNamed(v, t.Client)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return held{}, err
		}
		rule.org = app.Organisation
	}
	return rule, nil
}

// token returns the token that the path names, and how the rules see it.
func (h *Handler) token(v *visit) (store.AccessToken, held, error) {
	number, err := v.number()
	if err != nil {
		return store.AccessToken{}, held{}, err
	}
	t, err := h.Core.Store.AccessToken(v.r.Context(), h.Door.Tenant, number)
	if err == nil && h.gone(t) {
		err = errNotFound
	}
	if err != nil {
		return t, held{}, unavailable(err)
	}
	rule, err := h.heldOf(v, t)
	if err == nil && !v.readsToken(rule) {
		err = errForbidden
	}
	return t, rule, err
}

func (h *Handler) showToken(v *visit) error {
	t, _, err := h.token(v)
	if err != nil {
		return err
	}
	return h.replyToken(v, t)
}

func (h *Handler) replyToken(v *visit, t store.AccessToken) error {
	object, err := h.wireToken(v, t)
	if err == nil {
		reply(v.w, http.StatusOK, object)
	}
	return err
}

// mayToken is what OPTIONS tells.
func (h *Handler) mayToken(v *visit, _ string) (bool, error) {
	_, rule, err := h.token(v)
	switch {
	case isNotFound(err):
		return v.caller.may(true), nil
	case errors.Is(err, errForbidden):
		return false, nil
	}
	return v.changesToken(rule), err
}

// changeableToken is token for who may change it.
func (h *Handler) changeableToken(v *visit) (store.AccessToken, held, error) {
	t, rule, err := h.token(v)
	if err == nil && !v.changesToken(rule) {
		err = errForbidden
	}
	return t, rule, err
}

// maxTries bounds how often a change starts anew, since another was faster.
const maxTries = 10

// changeToken sets scope and description; all else stays as it is. What another
// change set meanwhile is read anew: a new description does not bring back a scope.
func (h *Handler) changeToken(v *visit) error {
	t, rule, err := h.changeableToken(v)
	if err != nil {
		return err
	}
	b, err := readBody(v, false)
	if err != nil {
		return err
	}
	for range maxTries {
		if err = h.rewriteToken(v, b, t, rule); !errors.Is(err, store.ErrConflict) {
			break
		}
		var gone error
		if t, rule, gone = h.changeableToken(v); gone != nil {
			return gone
		}
	}
	if err != nil {
		return err
	}
	if t, err = h.Core.Store.AccessToken(v.r.Context(), h.Door.Tenant, t.Number); err != nil {
		return unavailable(err)
	}
	return h.replyToken(v, t)
}

// rewriteToken changes a token as a body says: store.ErrConflict when it is another
// by now.
func (h *Handler) rewriteToken(v *visit, b *body, t store.AccessToken, rule held) error {
	before := t.Scope
	b.scope(&t.Scope)
	b.text("description", &t.Description, false, awx.MaxDescription)
	if err := b.err(); err != nil {
		return err
	}
	if widens(before, t.Scope) {
		if err := h.checkGiving(v, rule.owner); err != nil {
			return err
		}
	}
	return h.Door.Describe(v.r.Context(), t)
}

// checkGiving refuses who may make no tokens of a user's.
func (h *Handler) checkGiving(v *visit, p person) error {
	to, err := h.recipientOf(v, p)
	if err == nil && !v.givesTokens(to) {
		err = errForbidden
	}
	return err
}

// recipientOf is a user with what is the user's own.
func (h *Handler) recipientOf(v *visit, p person) (recipient, error) {
	to := recipient{person: p}
	if !v.givesTokens(to) || v.superuser || v.name == p.name {
		return to, nil // what they own changes nothing
	}
	apps, err := h.allApplications(v)
	for _, app := range apps {
		if app.Owner == p.name {
			to.owned = append(to.owned, app.Organisation)
		}
	}
	return to, err
}

// widens reports whether a token may write that could not before.
func widens(before, after string) bool {
	return slices.Contains(strings.Fields(after), awx.ScopeWrite) && !slices.Contains(strings.Fields(before), awx.ScopeWrite)
}

func (h *Handler) deleteToken(v *visit) error {
	t, _, err := h.changeableToken(v)
	if err != nil {
		return err
	}
	if err := h.Door.EndFamily(v.r.Context(), t); err != nil {
		return err
	}
	done(v.w)
	return nil
}

// createToken makes a token of the caller's.
func (h *Handler) createToken(v *visit) error { return h.newToken(v, v.user, anyToken, nil) }

// Kinds of tokens that a list holds.
type tokenKind int

const (
	anyToken tokenKind = iota
	applicationToken
	personalToken
)

// newToken makes a token of a user's, of an application's where one is given or
// asked for.
func (h *Handler) newToken(v *visit, owner store.User, kind tokenKind, app *store.Application) error {
	rule, err := h.personOf(v, owner)
	if err != nil {
		return err
	}
	if err := h.checkGiving(v, rule); err != nil {
		return err
	}
	b, err := readBody(v, true)
	if err != nil {
		return err
	}
	t := store.AccessToken{Subject: owner.Name, Scope: awx.ScopeWrite}
	b.scope(&t.Scope)
	b.text("description", &t.Description, false, awx.MaxDescription)
	if app == nil && kind != personalToken {
		if app, err = h.askedApplication(v, b, kind == applicationToken); err != nil {
			return err
		}
	}
	if owner.Disabled {
		b.fail("user", awx.MessageInactive)
	}
	if err := b.err(); err != nil {
		return err
	}
	refreshes := false
	if app != nil {
		t.Client, refreshes = app.ID, slices.Contains(app.Grants, token.GrantRefreshToken)
	}
	return h.keepToken(v, t, refreshes)
}

// keepToken makes a token and tells its values, this once.
func (h *Handler) keepToken(v *visit, t store.AccessToken, refreshes bool) error {
	kept, err := h.Door.Keep(v.r.Context(), v.at, t, refreshes)
	if err != nil {
		return err
	}
	object, err := h.wireToken(v, kept.AccessToken)
	if err != nil {
		return err
	}
	object.Token = kept.Access.Reveal()
	object.RefreshToken = nil
	if refresh := kept.Refresh.Reveal(); refresh != "" {
		object.RefreshToken = &refresh
	}
	created(v, object.URL, object)
	return nil
}

// askedApplication is the one that a body names; nil: none.
func (h *Handler) askedApplication(v *visit, b *body, required bool) (*store.Application, error) {
	number := b.number("application", required)
	if number == 0 {
		return nil, nil
	}
	app, err := h.appNumbered(v, number)
	if errors.Is(err, store.ErrNotFound) {
		raw, _ := b.object.Member("application")
		b.unknown("application", raw)
		return nil, nil
	}
	if err == nil && !v.readsApplication(programOf(app)) {
		err = errForbidden
	}
	return &app, err
}

// tokenSource is the tokens of a filter, those that keep lets pass; nil: all.
func (h *Handler) tokenSource(v *visit, f store.AccessTokenFilter, keep func(store.AccessToken) (bool, error)) source[store.AccessToken] {
	s := source[store.AccessToken]{number: func(t store.AccessToken) int64 { return t.Number }}
	s.list = func(ctx context.Context, after int64, limit int) ([]store.AccessToken, error) {
		return h.tokensAfter(ctx, f, keep, after, limit)
	}
	s.count = func(ctx context.Context) (int64, error) {
		n, err := h.Core.Store.CountAccessTokens(ctx, h.Door.Tenant, f)
		return n, unavailable(err)
	}
	if keep != nil {
		s.count = func(ctx context.Context) (n int64, err error) {
			const page = 1000
			for after := int64(0); ; {
				rows, err := h.tokensAfter(ctx, f, keep, after, page)
				n += int64(len(rows))
				if err != nil || len(rows) < page {
					return n, err
				}
				after = rows[len(rows)-1].Number
			}
		}
	}
	return s
}

func (h *Handler) tokensAfter(ctx context.Context, f store.AccessTokenFilter, keep func(store.AccessToken) (bool, error), after int64, limit int) (found []store.AccessToken, err error) {
	for {
		rows, err := h.Core.Store.ListAccessTokens(ctx, h.Door.Tenant, f, after, limit)
		if err != nil {
			return nil, unavailable(err)
		}
		for _, t := range rows {
			after = t.Number
			ok := !h.gone(t)
			if ok && keep != nil {
				if ok, err = keep(t); err != nil {
					return nil, err
				}
			}
			if ok && len(found) < limit {
				found = append(found, t)
			}
		}
		if len(rows) < limit || len(found) >= limit {
			return found, nil
		}
	}
}

// unavailable turns a failure of the store into a refusal. Answers of the store
// that are no failures pass.
func unavailable(err error) error {
	var r refusal
	if err == nil || errors.As(err, &r) || errors.Is(err, store.ErrNotFound) {
		return err
	}
	return errors.Join(token.ErrUnavailable, err)
}
