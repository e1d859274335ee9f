package tapis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// answer is an envelope as originals of any age write it.
type answer struct {
	Message string          `json:"message"`
	Result  json.RawMessage `json:"result"`
	Status  string          `json:"status"`
}

// ask sends a message, reads the result of a success into result, unless that is
// nil, and returns the envelope's message. A refusal that says nothing better is
// otherwise; what was sent does not come into its text.
func (c *Client) ask(ctx context.Context, m dialect.Message, result any, otherwise error, sent ...token.Secret) (string, error) {
	r, err := c.Exchange(ctx, m)
	if err != nil {
		return "", err
	}
	var a answer
	enveloped := json.Unmarshal(r.Body, &a) == nil && a.Status != ""
	switch {
	case r.Status >= 400:
		return "", refusal(r, a.Message, enveloped, otherwise, sent)
	case r.Status != http.StatusOK && r.Status != http.StatusCreated, !enveloped, a.Status != StatusSuccess:
		return "", dialect.Nonsense(r)
	case result != nil && json.Unmarshal(a.Result, result) != nil:
		return "", dialect.Nonsense(r)
	}
	return a.Message, nil
}

// refusal maps an answer to a refusal. Nearly all are status 400, so that what
// they mean stands in their words alone.
func refusal(r dialect.Reply, message string, enveloped bool, otherwise error, sent []token.Secret) error {
	if !enveloped { // a text of another service's explains nothing
		message = ""
	}
	text := shown(r, message, sent)
	switch {
	case r.Status == http.StatusTooManyRequests:
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "too many attempts: the server asks to wait", RetryAfter: retryAfter(r)}
	case r.Status >= 500:
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: "the server failed: " + text, RetryAfter: retryAfter(r)}
	case r.Status == http.StatusMethodNotAllowed, r.Status == http.StatusNotFound && !enveloped:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	case !enveloped:
		return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: status %d without the words of the dialect", r.Status)
	case isOver(kind(message)):
		return kind(message)
	case kind(message) != nil:
		return token.Refuse(kind(message), "the server refused: %s", text)
	case r.Status == http.StatusUnauthorized:
		return token.Refuse(token.ErrCredentials, "the server refused: %s", text)
	case r.Status == http.StatusForbidden:
		return token.Refuse(token.ErrDenied, "the server refused: %s", text)
	}
	return token.Refuse(otherwise, "the server refused: %s", text)
}

// kind is the refusal that a message of the service stands for; nil when it does
// not say.
func kind(message string) error {
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(strings.ToLower(message), w) {
				return true
			}
		}
		return false
	}
	switch {
	case message == MessageService, message == MessageNoToken,
		has("username/password", "username and password", "invalid username", "invalid client", "client credentials"):
		return token.ErrCredentials
	case message == MessageRevoked, has("has been revoked", "is revoked", "was revoked", "token revoked", "already revoked"):
		return token.ErrRevoked
	case message == MessageNotFound:
		return token.ErrUnknown
	case has("expired") && has("token", "signature"):
		return token.ErrExpired
	case message == MessageInvalidToken, strings.HasPrefix(message, MessageJudge):
		return token.ErrUnknown
	case message == MessageMismatch, has("not authorized"):
		return token.ErrDenied
	}
	return nil
}

// advised is a refusal with what may help, which the words of the service do not
// say.
type advised struct {
	error
	hint string
}

func (a *advised) Unwrap() error { return a.error }

// Hint is what may help, for a person at the command line.
func (a *advised) Hint() string { return a.hint }

// advise completes what a service says to who mints: it does not tell a wrong
// password from an account of another tenant.
func advise(err error) error {
	says := func(message string) bool { return strings.Contains(err.Error(), strings.TrimRight(message, ".")) }
	switch {
	case err == nil:
		return nil
	case says(MessageService):
		return &advised{err, "--tenant is where the service account is; whom for goes in --as-user USER@TENANT"}
	case says(MessageMismatch), says(MessageMayNotMint):
		return &advised{err, "the service account may not mint for others there: ats-auth-server service set NAME --may-mint TENANT"}
	}
	return err
}

// shown is what the service says, in one short line: not a page, and nothing that
// was sent.
func shown(r dialect.Reply, message string, sent []token.Secret) string {
	text := strings.TrimSuffix(strings.Join(strings.Fields(message), " "), ".")
	odd := strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
	for _, s := range sent {
		odd = odd || !s.IsZero() && strings.Contains(text, s.Reveal())
	}
	if text == "" || len(text) > 300 || odd {
		return strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)))
	}
	return text
}

func retryAfter(r dialect.Reply) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// orExpired says of a token that is not taken that it is over, where it says so
// itself: the service's words are the same for all that is wrong with one.
func (c *Client) orExpired(err error, raw token.Secret) error {
	if errors.Is(err, token.ErrUnknown) && c.over(raw) {
		return token.ErrExpired
	}
	return err
}

// over reports a token whose exp has passed.
func (c *Client) over(raw token.Secret) bool {
	t, err := token.Decode(raw.Reveal())
	if err != nil {
		return false
	}
	exp, known, err := t.Claims.NumericDate("exp")
	return known && err == nil && exp <= c.Now().UnixMicro()
}

// isOver tells that a token has ended, by itself or otherwise.
func isOver(err error) bool {
	return errors.Is(err, token.ErrRevoked) || errors.Is(err, token.ErrExpired)
}
