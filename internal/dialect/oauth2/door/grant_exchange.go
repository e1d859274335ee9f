package door

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// exchangeGrant is RFC 8693: a live token of the tenant for another one about the
// same subject, with no more scope, for those the application is registered for,
// and over no later.
func (h *Handler) exchangeGrant(ctx context.Context, r *request) (token.Set, error) {
	if want := r.form.get("requested_token_type"); want != "" && want != oauth2.TypeAccessToken && want != oauth2.TypeJWT {
		return token.Set{}, refuse(oauth2.ErrorInvalidRequest, "only access tokens are given: requested_token_type is another")
	}
	subject, err := h.exchanged(ctx, r, "subject_token")
	if err != nil {
		return token.Set{}, err
	}
	if subject == nil {
		return token.Set{}, refuse(oauth2.ErrorInvalidRequest, "the parameter subject_token is missing")
	}
	actor, err := h.exchanged(ctx, r, "actor_token")
	if err != nil {
		return token.Set{}, err
	}
	o := r.order()
	o.Subject, o.Refresh, o.Origin, o.Actor = subject.User, false, subject, actorOf(subject, actor)
	if !isReadable(o.Actor) {
		return token.Set{}, refuse(oauth2.ErrorInvalidRequest, "too many have acted one for another")
	}
	o.AuthAt = authTime(subject)
	if o.Scope, err = exchangeScope(subject, r); err != nil {
		return token.Set{}, err
	}
	if o.Audience, err = h.audience(r.app, r.form, o.Scope); err != nil {
		return token.Set{}, err
	}
	return h.Door.Issue(ctx, r.at, o)
}

// exchanged reads a token of a request and its type; nil when there is none.
func (h *Handler) exchanged(ctx context.Context, r *request, name string) (*issuer.Live, error) {
	raw, kind := r.form.get(name), r.form.get(name+"_type")
	switch {
	case raw == "" && kind == "":
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	case raw == "":
		return nil, refuse(oauth2.ErrorInvalidRequest, "the parameter "+name+" is missing")
	case kind == "":
		return nil, refuse(oauth2.ErrorInvalidRequest, "the parameter "+name+"_type is missing")
	case kind != oauth2.TypeAccessToken && kind != oauth2.TypeJWT:
		return nil, refuse(oauth2.ErrorInvalidRequest, "only access tokens are exchanged: "+name+"_type is another")
	}
	live, err := h.Door.Live(ctx, raw)
	if err == nil && (live.IsService() || !live.IsSealed() || live.Row != nil || live.Pass != nil) {
		err = token.Refuse(token.ErrDenied, "it is a service account's, was not issued here, or stays where it was issued")
	}
	if err == nil || errors.Is(err, token.ErrUnavailable) {
		return live, err
	}
	if known, ok := asRefusal(err); ok { // RFC 8693 section 2.2.2
		return nil, refuse(oauth2.ErrorInvalidRequest, name+": "+known.description)
	}
	return nil, err
}

// actorOf says who acts: the bearer of the actor token, and within it those who
// acted before (RFC 8693 section 4.1).
func actorOf(subject, actor *issuer.Live) json.RawMessage {
	before, _ := subject.Raw("act")
	if actor == nil {
		return before
	}
	act := struct {
		Subject string          `json:"sub"`
		Client  string          `json:"client_id,omitempty"`
		Before  json.RawMessage `json:"act,omitempty"`
	}{actor.User, actor.Client, before}
	return encode(act)
}

// isReadable reports whether a chain of actors is no deeper than claims may be: a
// token with a deeper one would be honoured by nobody.
func isReadable(actor json.RawMessage) bool {
	if len(actor) == 0 {
		return true
	}
	_, err := token.ParseObject(`{"act":` + string(actor) + `}`)
	return err == nil
}

// exchangeScope is what both the subject token and the application may have. A
// user's own login has no scope, and may do all.
func exchangeScope(subject *issuer.Live, r *request) (string, error) {
	asked, err := scope(r.app, r.form)
	if err != nil || subject.Client == "" {
		return asked, err
	}
	had, _ := subject.String("scope")
	if r.form.get("scope") != "" {
		_, err := issuer.Narrow(strings.Fields(had), strings.Fields(asked), issuer.ErrScope)
		return asked, err
	}
	kept := slices.DeleteFunc(strings.Fields(asked), func(s string) bool { return !slices.Contains(strings.Fields(had), s) })
	return strings.Join(kept, " "), nil
}

func authTime(subject *issuer.Live) int64 {
	at, _, _ := subject.NumericDate("auth_time")
	return at
}
