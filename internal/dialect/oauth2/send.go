package oauth2

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	maxWaits  = 2               // after answers that name a short time
	maxMoment = 5 * time.Second // a longer Retry-After is not waited for
)

// post sends a form to an endpoint where the application proves itself; proven
// says that tokens come from it, and may be bound. The error is a refusal where
// the answer is one.
func (c *Client) post(ctx context.Context, m *metadata, endpoint string, form url.Values, proven bool) (dialect.Reply, error) {
	return c.send(ctx, proven, func() (dialect.Message, error) {
		message := dialect.Message{Method: http.MethodPost, Path: endpoint, Header: http.Header{}, Form: maps.Clone(form)}
		return message, c.authenticate(m, &message)
	})
}

// bear sends a request of the bearer of a token.
func (c *Client) bear(ctx context.Context, method, endpoint string, bearer token.Secret, body any) (dialect.Reply, error) {
	return c.send(ctx, true, func() (dialect.Message, error) {
		return dialect.Message{Method: method, Path: endpoint, Header: http.Header{}, Bearer: bearer, JSON: body}, nil
	})
}

// send sends what build makes, and once more when the service wants its nonce in
// the proof (RFC 9449 sections 8 and 9). A message that counts once the exchange
// does not send again when the service asks to wait for a moment: that is made
// anew here.
func (c *Client) send(ctx context.Context, proven bool, build func() (dialect.Message, error)) (dialect.Reply, error) {
	asked, waits := false, 0
	for {
		m, err := c.finish(build, proven)
		if err != nil {
			return dialect.Reply{}, err
		}
		r, err := c.Exchange(ctx, m)
		if err != nil {
			return dialect.Reply{}, err
		}
		err = refusal(r, secretsOf(m))
		fresh := c.remember(m.Path, r.Header.Get("DPoP-Nonce"))
		pause := moment(err)
		switch {
		case fresh && !asked && codeOf(err) == ErrorUseNonce && m.Header.Get("DPoP") != "":
			asked = true
		case m.Once && pause > 0 && waits < maxWaits:
			waits++
			if err := c.wait(ctx, pause); err != nil {
				return dialect.Reply{}, err
			}
		default:
			return r, err
		}
	}
}

// finish makes a message, with a proof where tokens are bound.
func (c *Client) finish(build func() (dialect.Message, error), proven bool) (dialect.Message, error) {
	m, err := build()
	if err != nil {
		return m, err
	}
	m.Header.Set("Accept", "application/json")
	if proven && c.ProofKey != nil {
		err = c.prove(&m)
	}
	return m, err
}

// moment is how long the service asks to wait, if that is short, else 0.
func moment(err error) time.Duration {
	var refusal *token.Refusal
	busy := errors.Is(err, token.ErrThrottled) || errors.Is(err, token.ErrUnavailable)
	if !busy || !errors.As(err, &refusal) || refusal.RetryAfter > maxMoment {
		return 0
	}
	return refusal.RetryAfter
}

// secretsOf is what is sent in a message and must not come back in an error.
func secretsOf(m dialect.Message) []string {
	var sent []string
	add := func(secret string) {
		if secret != "" {
			sent = append(sent, secret)
		}
	}
	add(m.Bearer.Reveal())
	add(m.Secret.Reveal())
	add(m.Header.Get("DPoP"))
	for _, name := range secretFields() {
		add(m.Form.Get(name))
	}
	return sent
}
