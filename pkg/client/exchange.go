package client

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	maxAnswer  = 1 << 20         // bytes
	maxRetries = 2               // after a 429 or 503 that names a short time
	maxWait    = 5 * time.Second // a longer Retry-After is not waited for
	maxTry     = 2 * time.Second // after a refusal that took longer there is no other try
)

// courier carries messages to one service. It is all that knows resty.
type courier struct {
	client *resty.Client
	tracer tracer
	wait   func(ctx context.Context, d time.Duration) error
	maxTry time.Duration
}

func newCourier(c Config, u *url.URL) (*courier, error) {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.UserAgent == "" {
		c.UserAgent = "ats-auth"
	}
	transport, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	bare := &http.Client{
		Transport: transport,
		Timeout:   c.Timeout,
		// A password is never sent on to where an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r := resty.NewWithClient(bare).
		SetBaseURL(u.String()).
		SetHeader("User-Agent", c.UserAgent).
		SetResponseBodyLimit(maxAnswer).
		SetDisableWarn(true).
		SetLogger(silent{})
	return &courier{client: r, tracer: newTracer(c), wait: wait, maxTry: maxTry}, nil
}

// carry sends a message, and sends it again when the service asks at once to wait for
// a moment. One that took its time to refuse, for a directory that hangs say, would
// take it again.
func (c *courier) carry(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
	if err := sendable(m); err != nil {
		return dialect.Reply{}, err
	}
	tracer := c.tracer.of(m)
	for try := 0; ; try++ {
		began := time.Now()
		reply, err := c.once(ctx, m, tracer)
		pause := retryAfter(reply)
		if err != nil || pause == 0 || try == maxRetries || m.Once || time.Since(began) > c.maxTry {
			return reply, err
		}
		if err := c.wait(ctx, pause); err != nil {
			return dialect.Reply{}, problem(err, false)
		}
	}
}

func (c *courier) once(ctx context.Context, m dialect.Message, tracer tracer) (dialect.Reply, error) {
	r := c.client.R().SetContext(ctx)
	for name, values := range m.Header {
		r.Header[name] = values
	}
	if authorization := m.Authorization(); authorization != "" {
		r.SetHeader("Authorization", authorization)
	}
	kind, body, err := m.Body()
	if err != nil {
		return dialect.Reply{}, fmt.Errorf("%s: %w", m.Path, err)
	}
	if kind != "" {
		r.SetHeader("Content-Type", kind).SetBody(body)
	}
	tracer.request(m, c.client.BaseURL)
	started := time.Now()
	response, err := r.Execute(m.Method, m.URL(c.client.BaseURL))
	if err != nil {
		err = problem(err, response != nil && response.RawResponse != nil)
		tracer.failure(err)
		return dialect.Reply{}, err
	}
	reply := dialect.Reply{Status: response.StatusCode(), Header: response.Header(), Body: response.Body()}
	tracer.reply(reply, time.Since(started))
	if reply.Status == http.StatusBadRequest && wantsTLS(reply.Body) {
		return reply, fmt.Errorf("%w: it speaks https, not http", ErrUnreachable)
	}
	if reply.Status >= 300 && reply.Status < 400 {
		return reply, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: it redirects to another address (status %d)", reply.Status)
	}
	return reply, nil
}

// wantsTLS recognises the refusals of Go, nginx and Apache to speak in clear where they
// speak TLS.
func wantsTLS(body []byte) bool {
	for _, words := range []string{"HTTP request to an HTTPS server", "HTTP request was sent to HTTPS port", "plain HTTP to an SSL-enabled"} {
		if bytes.Contains(body, []byte(words)) {
			return true
		}
	}
	return false
}

// sendable refuses what no header can carry, before net/http does so in words
// that show it.
func sendable(m dialect.Message) error {
	if hasControl(m.Bearer.Reveal()) {
		return token.Refuse(token.ErrMalformed, "malformed token: it holds control characters")
	}
	for name, values := range m.Header {
		for _, v := range values {
			if hasControl(v) {
				return token.Refuse(token.ErrUnsupported, "the header %s cannot carry control characters", name)
			}
		}
	}
	return nil
}

// hasControl reports what RFC 9110 section 5.5 forbids in a header's value.
func hasControl(value string) bool {
	return strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// retryAfter is how long to wait before another try: what a short Retry-After
// says; 0 is not at all.
func retryAfter(r dialect.Reply) time.Duration {
	if r.Status != http.StatusTooManyRequests && r.Status != http.StatusServiceUnavailable {
		return 0
	}
	seconds, err := strconv.ParseUint(r.Header.Get("Retry-After"), 10, 16)
	if d := time.Duration(seconds) * time.Second; err == nil && d <= maxWait {
		return d
	}
	return 0
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait: %w", ctx.Err())
	}
}

// silent keeps resty from writing to the process's stderr.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}
