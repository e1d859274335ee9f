package wazo

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

// ask sends a message and reads the answer of a success into answer, unless that is
// nil.
func (c *Client) ask(ctx context.Context, m dialect.Message, answer any) error {
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

// askAs asks in the name of a token, whose ACL must hold what is needed. The service
// has one word for a token that is void and for one that may not: whether it is
// honoured tells them apart.
func (c *Client) askAs(ctx context.Context, bearer token.Secret, m dialect.Message, needs string, answer any) error {
	if err := checkToken(bearer); err != nil {
		return err
	}
	m.Header, m.Token = http.Header{HeaderToken: {bearer.Reveal()}}, bearer
	err := c.ask(ctx, m, answer)
	if !errors.Is(err, token.ErrCredentials) {
		return err
	}
	if err := c.CheckAccess(ctx, bearer, ""); err != nil {
		return err
	}
	return token.Refuse(token.ErrDenied, "the token may not do that: its ACL does not hold %s", needs)
}

// refusal maps an answer to a refusal; nil for a success. What was sent does not
// come into its text.
func refusal(r dialect.Reply, m dialect.Message) error {
	text, known := said(r, m)
	switch {
	case r.Status == http.StatusOK || r.Status == http.StatusNoContent:
		return nil
	case r.Status == http.StatusTooManyRequests && strings.HasSuffix(text, MessageSessions):
		return token.Refuse(token.ErrThrottled, "the server refused: %s", text) // to wait is of no use
	case r.Status == http.StatusTooManyRequests:
		return &token.Refusal{Kind: token.ErrThrottled, Reason: "the server asks to wait: " + text, RetryAfter: retryAfter(r)}
	case r.Status >= 500:
		return &token.Refusal{Kind: token.ErrUnavailable, Reason: "the server failed: " + text, RetryAfter: retryAfter(r)}
	case r.Status < 400:
		return dialect.Nonsense(r)
	case r.Status == http.StatusUnauthorized:
		return token.Refuse(token.ErrCredentials, "the server refused: %s", text)
	case r.Status == http.StatusNotFound && known:
		return token.Refuse(token.ErrUnknown, "the server has no such thing: %s", text)
	case r.Status == http.StatusNotFound, r.Status == http.StatusMethodNotAllowed:
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: %d %s", r.Status, http.StatusText(r.Status))
	}
	return token.Refuse(token.ErrDenied, "the server refused: %s", text)
}

// said is what the service says of a refusal, in one short line, and whether that is
// in words of the dialect: of 2017, reason, or of later ones, message. A path that
// there is not is refused in the words of the framework beneath.
func said(r dialect.Reply, m dialect.Message) (text string, known bool) {
	var all map[string]json.RawMessage
	if json.Unmarshal(r.Body, &all) == nil {
		text = first(all["reason"])
		if text == "" {
			text = first(all["message"])
		}
	}
	known = text != "" && !strings.HasPrefix(text, "The requested URL")
	if text = short(text, m.Token.Reveal(), m.Secret.Reveal()); text == "" {
		text = strings.TrimSpace(fmt.Sprintf("%d %s", r.Status, http.StatusText(r.Status)))
	}
	return text, known
}

// first is a text, or the first one of a list.
func first(value json.RawMessage) string {
	var list []string
	var text string
	if json.Unmarshal(value, &list) == nil && len(list) > 0 {
		return list[0]
	}
	_ = json.Unmarshal(value, &text)
	return text
}

// short is a text on one line without its full stop; empty for what is long, cannot
// be printed, or holds what was sent.
func short(text string, sent ...string) string {
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

// maxToken is longer than any token, in bytes: it stands in a URL.
const maxToken = 1024

// checkToken refuses what cannot be a token: it could not stand in a header, or
// would be another path.
func checkToken(raw token.Secret) error {
	text := raw.Reveal()
	if !visible(text) || len(text) > maxToken || text == "." || text == ".." {
		return token.Refuse(token.ErrMalformed, "malformed token: it is no text of 1 to %d visible characters", maxToken)
	}
	return nil
}

// visible reports whether a text can stand in a header and on a line.
func visible(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}
