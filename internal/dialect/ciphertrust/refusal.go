package ciphertrust

import (
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

// read reads a success into v; any other answer is an error. What was sent does
// not come into its text.
func read(r dialect.Reply, sent token.Secret, v any) error {
	if err := refusal(r, sent); err != nil {
		return err
	}
	if r.Status != http.StatusOK || json.Unmarshal(r.Body, v) != nil {
		return dialect.Nonsense(r)
	}
	return nil
}

// refusal maps an answer to a refusal; nil for a success. What was sent does not
// come into its text, even where the service says it back.
func refusal(r dialect.Reply, sent ...token.Secret) error {
	text, known := message(r, sent)
	switch {
	case r.Status == http.StatusOK || r.Status == http.StatusNoContent:
		return nil
	case r.Status == http.StatusTooManyRequests:
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "too many attempts: the server asks to wait", RetryAfter: retryAfter(r)}
	case r.Status >= 500:
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: "the server failed: " + text, RetryAfter: retryAfter(r)}
	case r.Status < 400:
		return dialect.Nonsense(r)
	case Kind(text) != nil:
		return Kind(text)
	case known && text == MessageNoRecord:
		return token.Refuse(token.ErrUnknown, "the server knows no such token, or not with that client id or user")
	case known && text == MessageClient:
		return token.Refuse(token.ErrUnknown, "the client id is not that of the refresh token")
	case r.Status == http.StatusNotFound && known:
		return token.Refuse(token.ErrUnknown, "the server has no such thing: %s", text)
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %s", text)
	}
	return token.Refuse(token.ErrDenied, "the server refused: %s", text)
}

// message is what the service says of a refusal, in one short line: not a page,
// and nothing that was sent. known tells that it is in the words of the dialect.
func message(r dialect.Reply, sent []token.Secret) (text string, known bool) {
	var wire Error
	known = json.Unmarshal(r.Body, &wire) == nil && wire.CodeDesc != ""
	text = strings.Join(strings.Fields(wire.Message), " ")
	odd := strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
	for _, s := range sent {
		odd = odd || !s.IsZero() && strings.Contains(text, s.Reveal())
	}
	if text == "" || len(text) > 300 || odd {
		return strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status))), known
	}
	return text, known
}

func retryAfter(r dialect.Reply) time.Duration {
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// isOver tells that a token has ended, by itself or otherwise.
func isOver(err error) bool {
	return errors.Is(err, token.ErrRevoked) || errors.Is(err, token.ErrExpired)
}
