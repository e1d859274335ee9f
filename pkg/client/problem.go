package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"

	"github.com/go-resty/resty/v2"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// CertificateError is an ErrUnreachable because of TLS: the certificate of the
// server, or of the client, was not accepted.
type CertificateError struct{ Reason error }

func (e *CertificateError) Error() string { return ErrUnreachable.Error() + ": " + e.Reason.Error() }

// Unwrap returns ErrUnreachable and the reason.
func (e *CertificateError) Unwrap() []error { return []error{ErrUnreachable, e.Reason} }

// problem says in one sentence why there is no answer; begun tells that one had
// begun. The URL is known to who reads it.
func problem(err error, begun bool) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var late net.Error
	var broken *net.OpError
	isBroken := errors.As(err, &broken)
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("%w: no answer in time", ErrUnreachable)
	case errors.Is(err, resty.ErrResponseBodyTooLarge):
		return senseless("more than %d bytes", maxAnswer)
	case isCertificate(err):
		return &CertificateError{err}
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("%w: it speaks http, not https", ErrUnreachable)
	case isBroken:
		return fmt.Errorf("%w: %w", ErrUnreachable, &cause{broken})
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the connection broke in the middle of the answer", ErrUnreachable)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the connection was closed without an answer", ErrUnreachable)
	case begun:
		return senseless("its body cannot be read")
	case notHTTP(err):
		return senseless("it is not HTTP")
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

func senseless(format string, args ...any) error {
	return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: "+format, args...)
}

// isCertificate tells faults of certificates from other faults of TLS. Of the
// other side's refusal crypto/tls shows no type, but the operation's name.
func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var alert *net.OpError
	return errors.As(err, &verification) || errors.As(err, &alert) && alert.Op == "remote error" && strings.Contains(alert.Error(), "certificate")
}

// notHTTP recognises net/http's words for an answer that is no HTTP, for most of
// which it has no type.
func notHTTP(err error) bool {
	var protocol textproto.ProtocolError
	if errors.As(err, &protocol) {
		return true
	}
	for _, words := range []string{"malformed HTTP", "transport connection broken", "transfer encoding", "Content-Length"} {
		if strings.Contains(err.Error(), words) {
			return true
		}
	}
	return false
}

// cause says why there is no connection without naming the system's calls, and
// the host, which is known.
type cause struct{ *net.OpError }

func (c *cause) Error() string {
	var unresolved *net.DNSError
	var call *os.SyscallError
	switch {
	case errors.As(c.Err, &unresolved) && unresolved.IsNotFound:
		return "no such host: " + unresolved.Name
	case errors.As(c.Err, &call) && c.Addr != nil:
		return c.Addr.String() + ": " + call.Err.Error()
	}
	return c.OpError.Error()
}

// Unwrap returns the operation's error.
func (c *cause) Unwrap() error { return c.OpError }
