package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
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
)

// newExchange is the only place that knows resty.
func newExchange(c Config, u *url.URL) (dialect.Exchange, error) {
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.UserAgent == "" {
		c.UserAgent = "ats-auth"
	}
	tlsConfig, err := newTLS(c)
	if err != nil {
		return nil, err
	}
	r := resty.New().
		SetBaseURL(u.String()).
		SetTimeout(c.Timeout).
		SetTLSClientConfig(tlsConfig).
		SetHeader("User-Agent", c.UserAgent).
		SetResponseBodyLimit(maxAnswer).
		SetDisableWarn(true).
		SetLogger(silent{}).
		// A password is never sent on to where an answer points.
		SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse })).
		SetRetryCount(maxRetries).
		SetRetryMaxWaitTime(maxWait).
		AddRetryCondition(worthRetrying).
		SetRetryAfter(func(_ *resty.Client, r *resty.Response) (time.Duration, error) { return retryAfter(r), nil })
	return func(ctx context.Context, m dialect.Message) (dialect.Reply, error) { return exchange(ctx, r, c, m) }, nil
}

func exchange(ctx context.Context, client *resty.Client, c Config, m dialect.Message) (dialect.Reply, error) {
	r := client.R().SetContext(ctx)
	for name, values := range m.Header {
		r.Header[name] = values
	}
	if !m.Bearer.IsZero() {
		r.SetAuthToken(m.Bearer.Reveal())
	}
	if m.JSON != nil {
		r.SetHeader("Content-Type", "application/json").SetBody(m.JSON)
	}
	tracer := newTracer(c)
	tracer.request(m, client.BaseURL)
	started := time.Now()
	response, err := r.Execute(m.Method, m.Path)
	if err != nil {
		err = unreachable(err)
		tracer.failure(err)
		return dialect.Reply{}, err
	}
	reply := dialect.Reply{Status: response.StatusCode(), Header: response.Header(), Body: response.Body()}
	tracer.reply(reply, time.Since(started))
	if reply.Status >= 300 && reply.Status < 400 {
		return reply, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: it redirects to another address (status %d)", reply.Status)
	}
	return reply, nil
}

func worthRetrying(r *resty.Response, err error) bool {
	if err != nil || r == nil {
		return false
	}
	status := r.StatusCode()
	return (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && retryAfter(r) > 0
}

// retryAfter is what a short Retry-After says; 0 is none, or too long.
func retryAfter(r *resty.Response) time.Duration {
	seconds, err := strconv.Atoi(r.Header().Get("Retry-After"))
	if err != nil || seconds < 1 || time.Duration(seconds)*time.Second > maxWait {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// unreachable says in one sentence why no answer came. The URL is known to who
// reads it.
func unreachable(err error) error {
	if errors.Is(err, resty.ErrResponseBodyTooLarge) {
		return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: more than %d bytes", maxAnswer)
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Errorf("%w: no answer in time", ErrUnreachable)
	}
	var e *url.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	if notHTTP(err) {
		return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: it is not HTTP")
	}
	var tlsAlert tls.AlertError
	if isCertificate(err) || errors.As(err, &tlsAlert) {
		return &CertificateError{err}
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// CertificateError is an ErrUnreachable because of TLS: the certificate of the
// server, or of the client, was not accepted.
type CertificateError struct{ Reason error }

func (e *CertificateError) Error() string { return ErrUnreachable.Error() + ": " + e.Reason.Error() }

// Unwrap returns ErrUnreachable and the reason.
func (e *CertificateError) Unwrap() []error { return []error{ErrUnreachable, e.Reason} }

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

func newTLS(c Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure} //nolint:gosec // the user's own word
	if c.CACert != "" {
		pem, err := os.ReadFile(c.CACert)
		if err != nil {
			return nil, fmt.Errorf("cacert: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cacert: %s holds no certificate in PEM", c.CACert)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("cert and key go together")
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// silent keeps resty from writing to the process's stderr.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// notHTTP recognises net/http's words for an answer that is no HTTP, for which
// it has no type.
func notHTTP(err error) bool { return strings.Contains(err.Error(), "malformed HTTP") }
