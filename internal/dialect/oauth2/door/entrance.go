package door

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Beside is the authorization endpoint of a door whose tokens are rows
// (issuer.FormatAWX). It is for organisations' applications alone, compares
// redirect URIs byte for byte and takes them over plain http too, asks public
// applications alone for PKCE, and gives a token in the place of a code (RFC 6749
// section 4.2) to an application that was made for that.
type Beside struct {
	Path string // behind the service's own, "/api/o/authorize/"
	Door *issuer.Door
}

// entrance is one authorization endpoint: the standard one, or the one beside it.
// What people see is the same.
type entrance struct {
	path     string // behind the service's own
	member   string // of the metadata; empty: they do not tell of it
	implicit bool   // takes response_type=token (RFC 6749 section 4.2)
	// admits tells whether application and redirect URI are good there.
	admits func(a authorization) error
	// reads takes in the rest of a request.
	reads func(a *authorization) error
	// gives makes what the application is given.
	gives func(ctx context.Context, v *visit, a authorization) (url.Values, error)
}

func (h *Handler) newEntrances() []*entrance {
	var list []*entrance
	if !h.PagesAlone {
		list = append(list, &entrance{"/oauth2/authorize", "authorization_endpoint", false, admitStandard, h.understand, h.giveCode})
	}
	if b := h.Beside; b != nil {
		list = append(list, &entrance{b.Path, "", true, admitBeside, understandBeside, b.give})
	}
	return list
}

// address is where a request comes in once more.
func (h *Handler) address(e *entrance, f form) string {
	return h.base + e.path + "?" + url.Values(f).Encode()
}

// entranceAt finds the endpoint of an address of ours; nil: it is none.
func (h *Handler) entranceAt(path string) *entrance {
	for _, e := range h.entrances {
		if path == h.base+e.path {
			return e
		}
	}
	return nil
}

// admitStandard takes an application's redirect URI as it was registered, but for
// the port of a loopback address (RFC 9700 section 2.1, RFC 8252 section 7.3). An
// organisation's application is for the endpoint beside alone, where its logins are
// seen, and where plain http is allowed.
func admitStandard(a authorization) error {
	if a.app.Organisation != 0 {
		return errUnregistered()
	}
	if !slices.ContainsFunc(a.app.RedirectURIs, func(r string) bool { return isRedirect(r, a.redirect) }) {
		return errRedirect()
	}
	return nil
}

func admitBeside(a authorization) error {
	switch {
	case a.app.Organisation == 0:
		return errUnregistered()
	case !slices.Contains(a.app.RedirectURIs, a.redirect):
		return errRedirect()
	}
	return nil
}

// typeToken is the response_type of RFC 6749 section 4.2.1.
const typeToken = "token"

// understandBeside leaves aside what AWX does not know: resources, proofs.
func understandBeside(a *authorization) error {
	f := a.form
	switch kind := f.get("response_type"); {
	case kind == "":
		return refuse(oauth2.ErrorInvalidRequest, "the parameter response_type is missing")
	case kind != "code" && kind != typeToken:
		return refuse(oauth2.ErrorUnsupportedResponseType, "response_type must be code or token")
	case kind == "code" && !slices.Contains(a.app.Grants, token.GrantAuthorizationCode), kind == typeToken && !a.app.Implicit:
		return refuse(oauth2.ErrorUnauthorizedClient, "the application was not made for that response_type")
	case kind == "code":
		if err := checkChallenge(*a, isPublic(a.app)); err != nil {
			return err
		}
	}
	if err := readPrompt(a); err != nil {
		return err
	}
	var err error
	a.scope, err = scope(a.app, f)
	return err
}

// give makes a code, or the token itself.
func (b *Beside) give(ctx context.Context, v *visit, a authorization) (url.Values, error) {
	t := ticket(v, a)
	if !a.isImplicit() {
		code, err := b.Door.NewCode(ctx, t)
		return url.Values{"code": {code.Reveal()}}, err
	}
	k, err := b.Door.KeepAllowed(ctx, v.at, t)
	if err != nil {
		return nil, err
	}
	return url.Values{
		"access_token": {k.Access.Reveal()}, "token_type": {"Bearer"}, "scope": {k.Scope},
		"expires_in": {strconv.FormatInt((k.ExpiresAt-k.CreatedAt)/1_000_000, 10)},
	}, nil
}

// giveCode makes a code of the standard door.
func (h *Handler) giveCode(ctx context.Context, v *visit, a authorization) (url.Values, error) {
	t := ticket(v, a)
	t.Audience, t.Nonce, t.Bound = strings.Join(a.audience, " "), a.form.get("nonce"), a.form.get("dpop_jkt")
	code, err := h.Door.NewCode(ctx, t)
	return url.Values{"code": {code.Reveal()}}, err
}

// ticket is what the person has allowed.
func ticket(v *visit, a authorization) store.Ticket {
	return store.Ticket{
		Client: a.app.ID, Scope: a.scope, RedirectURI: a.form.get("redirect_uri"), Challenge: a.form.get("code_challenge"),
		Subject: v.session.Subject, AuthAt: v.session.AuthAt,
	}
}

// isImplicit reports whether the answer stands in the fragment, which no server
// gets to see (RFC 6749 section 4.2.2).
func (a authorization) isImplicit() bool {
	return a.by.implicit && a.form.get("response_type") == typeToken
}
