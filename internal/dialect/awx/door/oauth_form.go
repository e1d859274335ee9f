package door

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect/oauth2"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	formType = "application/x-www-form-urlencoded"
	maxForm  = 16 << 10 // bytes
)

// oauthForm is the parameters of a request. One without a value counts as left out
// (RFC 6749 section 3.1).
type oauthForm map[string]string

// need returns a parameter that must be there; its absence is told in these words.
func (f oauthForm) need(name, missing string) (string, error) {
	if f[name] == "" {
		return "", oauthRefusal{code: oauth2.ErrorInvalidRequest, description: missing}
	}
	return f[name], nil
}

// readOAuthForm takes the parameters from the body alone: a URL stands in logs. A
// body that is no form has none.
func readOAuthForm(w http.ResponseWriter, r *http.Request) (oauthForm, error) {
	if r.URL.RawQuery != "" {
		return nil, badRequest("URL query parameters are not allowed")
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != formType {
		return oauthForm{}, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, oauthRefusal{status: http.StatusRequestEntityTooLarge, code: oauth2.ErrorInvalidRequest, description: "the body is larger than 16 KiB"}
	case err != nil:
		return nil, badRequest("the body broke off")
	}
	return parseOAuthForm(string(body))
}

// parseOAuthForm tells nothing of what it cannot take: it may be a secret.
func parseOAuthForm(text string) (oauthForm, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, badRequest("the body cannot be read as " + formType)
	}
	f := oauthForm{}
	for name, list := range values {
		value := list[0]
		switch {
		case len(list) > 1:
			return nil, badRequest("Duplicate parameter.")
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return nil, badRequest("a parameter is not UTF-8 text")
		case value != "":
			f[name] = value
		}
	}
	return f, nil
}

// oauthClient finds the application that asks: a confidential one proves itself by
// its secret, a public one names itself. Whoever is unknown and whoever proves
// itself wrongly is told the same; so is an application of no organisation, which is
// the standard door's.
func (h *Handler) oauthClient(r *http.Request, f oauthForm) (app store.Application, err error) {
	id, secret, byHeader, err := claimed(r, f)
	if err != nil {
		return app, err
	}
	if id != "" && len(id) <= 255 {
		app, err = h.Core.Application(r.Context(), h.Door.Tenant, id)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return app, err
	}
	proved := h.Core.CheckSecret(app, token.NewSecret(secret))
	if isPublic(app) {
		proved = secret == ""
	}
	if !proved || app.Organisation == 0 {
		return store.Application{}, errClient(byHeader)
	}
	return app, nil
}

// isPublic reports whether an application has no secret.
func isPublic(app store.Application) bool { return app.AuthMethod == oauth2.AuthNone }

// claimed is who an application says it is, by the header or in the body, never
// both (RFC 6749 section 2.3).
func claimed(r *http.Request, f oauthForm) (id, secret string, byHeader bool, err error) {
	id, secret, byHeader, err = basicOf(r)
	switch {
	case err != nil || !byHeader:
		return f["client_id"], f["client_secret"], byHeader, err
	case f["client_secret"] != "":
		return "", "", true, badRequest("the application proves itself in more than one way")
	case f["client_id"] != "" && f["client_id"] != id:
		return "", "", true, badRequest("client_id is not the application that proves itself")
	}
	return id, secret, true, nil
}

// basicOf reads RFC 6749 section 2.3.1: both parts form-encoded. Some clients send
// the header with two empty parts, which says nothing.
func basicOf(r *http.Request) (id, secret string, given bool, err error) {
	scheme, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false, nil
	}
	text, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	id, secret, found := strings.Cut(string(text), ":")
	id, idErr := url.QueryUnescape(id)
	secret, secretErr := url.QueryUnescape(secret)
	if !found || errors.Join(err, idErr, secretErr) != nil || !utf8.ValidString(id) {
		return "", "", true, errClient(true)
	}
	return id, secret, id+secret != "", nil
}
