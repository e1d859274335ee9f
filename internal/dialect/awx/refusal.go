package awx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// expiredRefresh is what later originals say of a refresh token that has ended.
const expiredRefresh = "The refresh token has expired."

// errGrant marks the refusals of RFC 6749 that mean different things of a password
// and of a refresh token.
var errGrant = errors.New("invalid_grant")

// ask sends a message as its bearer, or as the actor where nobody else proves
// anything by it, and reads the answer of a success into answer, unless that is nil.
func (c *Client) ask(ctx context.Context, m dialect.Message, answer any) error {
	if m.Bearer.IsZero() && m.Form == nil {
		m.ID, m.Secret, m.Plain = c.Actor.Username, c.Actor.Password, true
	}
	m.Path = c.at(m.Path)
	r, err := c.Exchange(ctx, m)
	if err != nil {
		return err
	}
	if err := refusal(r, m); err != nil {
		return err
	}
	if answer != nil && json.Unmarshal(r.Body, answer) != nil {
		return dialect.Nonsense(r)
	}
	return nil
}

// refusal maps an answer to a refusal; nil for a success. What was sent does not
// come into its text.
func refusal(r dialect.Reply, m dialect.Message) error {
	text, code, known := said(r, secretsOf(m))
	switch {
	case r.Status == http.StatusOK || r.Status == http.StatusCreated || r.Status == http.StatusNoContent:
		return nil
	case r.Status == http.StatusTooManyRequests:
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "too many attempts: the server asks to wait", RetryAfter: retryAfter(r)}
	case r.Status >= 500:
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: "the server failed: " + text, RetryAfter: retryAfter(r)}
	case r.Status < 400:
		return dialect.Nonsense(r)
	case m.Form != nil:
		return grantRefusal(r, code, text)
	case r.Status == http.StatusUnauthorized && m.Bearer.IsZero():
		return token.ErrCredentials
	case r.Status == http.StatusUnauthorized:
		return token.Refuse(token.ErrUnknown, "the server does not honour the token: %s", text)
	case r.Status == http.StatusNotFound && known:
		return token.Refuse(token.ErrUnknown, "the server has no such thing: %s", text)
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	}
	return token.Refuse(token.ErrDenied, "the server refused: %s", text)
}

// grantRefusal is that of a form (RFC 6749 section 5.2). The statuses of originals
// differ by their age, the codes do not.
func grantRefusal(r dialect.Reply, code, text string) error {
	switch {
	case code == "invalid_grant":
		return &token.Refusal{Kind: errGrant, Reason: "the server refused: " + text}
	case code == "invalid_client":
		return token.Refuse(token.ErrDenied, "the server does not know an application by that client id and secret")
	case code == "unsupported_grant_type":
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	case code != "":
		return token.Refuse(token.ErrDenied, "the server refused: %s", text)
	case r.Status == http.StatusForbidden && strings.Contains(string(r.Body), expiredRefresh):
		return token.ErrExpired
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	}
	return token.Refuse(token.ErrDenied, "the server refused: %s", text)
}

// grantError settles what an invalid_grant means.
func grantError(err, kind error) error {
	var refused *token.Refusal
	switch {
	case !errors.Is(err, errGrant) || !errors.As(err, &refused):
		return err
	case errors.Is(kind, token.ErrCredentials):
		return kind
	}
	return token.Refuse(kind, "%s", refused.Reason)
}

// said is what the service says of a refusal, in one short line, and the error code
// of RFC 6749 if there is one. known tells that it is in words of the dialect.
func said(r dialect.Reply, sent []string) (text, code string, known bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(r.Body, &all) != nil {
		return status(r), "", false
	}
	one := func(name string) (s string) { _ = json.Unmarshal(all[name], &s); return s }
	code, detail := one("error"), one("detail")
	switch {
	case detail != "":
		text, known = detail, true
	case code != "":
		text, known = code, true
		if more := one("error_description"); more != "" {
			text += " (" + more + ")"
		}
	default:
		text = fieldsIn(all)
		known = text != ""
	}
	if text = short(text, sent); text == "" {
		text = status(r)
	}
	return text, code, known
}

// fieldsIn says what is wrong with each field.
func fieldsIn(all map[string]json.RawMessage) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var list []string
		var text string
		if json.Unmarshal(all[name], &list) == nil && len(list) > 0 {
			text = list[0]
		} else if json.Unmarshal(all[name], &text) != nil {
			continue
		}
		if name == "__all__" || name == "non_field_errors" {
			parts = append(parts, text)
		} else {
			parts = append(parts, name+": "+text)
		}
	}
	return strings.Join(parts[:min(len(parts), 3)], "; ")
}

// short is a text on one line without its full stop; empty for what is long, cannot
// be printed, or holds what was sent.
func short(text string, sent []string) string {
	text = strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
	odd := len(text) > 300 || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
	for _, s := range sent {
		odd = odd || s != "" && strings.Contains(text, s)
	}
	if odd {
		return ""
	}
	return text
}

func status(r dialect.Reply) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)))
}

// secretsOf is what is sent in a message and must not come back in an error.
func secretsOf(m dialect.Message) []string {
	return []string{
		m.Bearer.Reveal(), m.Secret.Reveal(), m.Form.Get("password"), m.Form.Get("refresh_token"), m.Form.Get("token"),
	}
}

func retryAfter(r dialect.Reply) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func senseless(what string) error {
	return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: %s", what)
}

// visible reports whether a text can stand in a header and on a line.
func visible(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// printable is a text of the service's on one line.
func printable(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }), " ")
}
