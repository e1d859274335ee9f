package verifier

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxSaid bounds what a service says of a token, in bytes.
const maxSaid = 256 << 10

// Introspection makes a Checker that asks an OAuth 2.0 introspection endpoint
// (RFC 7662), as the application of that id and secret. client may be nil.
func Introspection(endpoint, clientID string, secret token.Secret, client *http.Client) (Checker, error) {
	ask, err := newAsker(endpoint, client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, raw string) (*token.Claims, error) {
		form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, ask.base, strings.NewReader(form.Encode()))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		// RFC 6749 section 2.3.1: both are form-encoded before they are joined.
		r.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(secret.Reveal()))
		claims, status, err := ask.do(r)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK || !claims.Has("active") {
			return nil, ask.nonsense(status)
		}
		if active, _ := claims.Raw("active"); string(active) != "true" {
			return nil, token.ErrUnknown
		}
		return claims, nil
	}, nil
}

// ATSCheck makes a Checker that asks an ats-auth-server, by POST /user/check,
// whether it honours a token. client may be nil.
func ATSCheck(server string, client *http.Client) (Checker, error) {
	ask, err := newAsker(server, client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, raw string) (*token.Claims, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, ask.base+"/user/check", http.NoBody)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+raw)
		claims, status, err := ask.do(r)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusOK:
			return claims, nil
		case status != http.StatusUnauthorized:
			return nil, ask.nonsense(status)
		}
		switch reason, _ := claims.String("error"); reason {
		case token.ErrRevoked.Error():
			return nil, token.ErrRevoked
		case token.ErrExpired.Error():
			return nil, token.ErrExpired
		}
		return nil, token.ErrUnknown
	}, nil
}

// WazoToken makes a Checker that reads a token from a wazo-auth, by GET
// /0.1/token/TOKEN: the claims are sub (its auth_id), exp and acl. A scope that
// is not empty is demanded of the token. client may be nil.
func WazoToken(server, scope string, client *http.Client) (Checker, error) {
	return wazo(server, scope, client, http.MethodGet)
}

// WazoHead is WazoToken by HEAD, which only tells whether the token is good: the
// claims are empty.
func WazoHead(server, scope string, client *http.Client) (Checker, error) {
	return wazo(server, scope, client, http.MethodHead)
}

func wazo(server, scope string, client *http.Client, method string) (Checker, error) {
	ask, err := newAsker(server, client)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, raw string) (*token.Claims, error) {
		address := ask.base + "/0.1/token/" + url.PathEscape(raw)
		if scope != "" {
			address += "?" + url.Values{"scope": {scope}}.Encode()
		}
		r, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
		if err != nil {
			return nil, token.ErrUnknown // no token of theirs has such bytes
		}
		said, status, err := ask.do(r)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusNotFound:
			return nil, token.ErrUnknown
		case status == http.StatusForbidden:
			return nil, token.Refuse(token.ErrDenied, "the token has not the scope %q", scope)
		case status == http.StatusNoContent && method == http.MethodHead:
			return token.ParseClaims("{}")
		case status == http.StatusOK && method == http.MethodGet:
			return wazoClaims(said)
		}
		return nil, ask.nonsense(status)
	}, nil
}

// wazoClaims translates what wazo-auth says into registered claims.
func wazoClaims(said *token.Claims) (*token.Claims, error) {
	data, _ := said.Raw("data")
	var d struct {
		AuthID  string   `json:"auth_id"`
		Expires string   `json:"utc_expires_at"`
		ACL     []string `json:"acl"`
	}
	if err := json.Unmarshal(data, &d); err != nil || d.AuthID == "" {
		return nil, token.Refuse(token.ErrUnavailable, "the answer about a token makes no sense")
	}
	end, err := time.Parse("2006-01-02T15:04:05", d.Expires)
	if err != nil {
		return nil, token.Refuse(token.ErrUnavailable, "the answer about a token makes no sense: utc_expires_at")
	}
	us := end.UnixMicro()
	claims, err := json.Marshal(map[string]any{
		"sub": d.AuthID, "exp": json.Number(fmt.Sprintf("%d.%06d", us/1_000_000, us%1_000_000)), "acl": append([]string{}, d.ACL...),
	})
	if err != nil {
		return nil, err
	}
	return token.ParseClaims(string(claims))
}

// asker asks one service about tokens.
type asker struct {
	base   string
	client *http.Client
}

// newAsker takes https, or http to this machine: tokens are sent there.
func newAsker(text string, client *http.Client) (*asker, error) {
	u, err := allowed(text)
	if err != nil {
		return nil, err
	}
	c := guarded(client)
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &asker{strings.TrimRight(u.String(), "/"), c}, nil
}

// do returns the status, and what was said where that is a JSON object.
func (a *asker) do(r *http.Request) (*token.Claims, int, error) {
	r.Header.Set("Accept", "application/json")
	answer, err := a.client.Do(r)
	if err != nil {
		if ctx := r.Context().Err(); ctx != nil {
			return nil, 0, ctx
		}
		return nil, 0, token.Refuse(token.ErrUnavailable, "%s cannot be asked about tokens", r.URL.Host)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSaid+1))
	if err != nil || len(body) > maxSaid {
		return nil, 0, a.nonsense(answer.StatusCode)
	}
	claims, err := token.ParseClaims(string(body))
	if err != nil {
		if answer.StatusCode == http.StatusOK && r.Method != http.MethodHead {
			return nil, 0, a.nonsense(answer.StatusCode)
		}
		claims, err = token.ParseClaims("{}")
	}
	return claims, answer.StatusCode, err
}

func (a *asker) nonsense(status int) error {
	return token.Refuse(token.ErrUnavailable, "the answer about a token makes no sense: status %d", status)
}
