package verifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	answerTime   = 10 * time.Second
	maxRedirects = 3
)

// allowed parses a URL that keys may come from: https, or http to this machine.
// What else can read or change them on the way could sign.
func allowed(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("not a URL: %q", clip(text))
	}
	switch {
	case u.Host == "" || u.User != nil || u.Fragment != "":
		return nil, fmt.Errorf("%q is not a URL of a host, without user and fragment", clip(u.Redacted()))
	case u.Scheme == "https", u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%q is neither https nor http to this machine", clip(text))
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// guarded is a client whose redirects lead only where keys may come from.
func guarded(c *http.Client) *http.Client {
	own := http.Client{Timeout: answerTime}
	if c != nil {
		own = *c
	}
	if own.Transport == nil {
		t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 2, IdleConnTimeout: answerTime}
		t.TLSHandshakeTimeout, t.MaxResponseHeaderBytes = answerTime, 64<<10
		own.Transport = t
	}
	own.Jar = nil
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return fmt.Errorf("more than %d redirects", maxRedirects)
		}
		_, err := allowed(r.URL.String())
		if err == nil && r.URL.Scheme == "http" && via[0].URL.Scheme != "http" {
			err = errors.New("a redirect from https to http")
		}
		return err
	}
	return &own
}

func (s *Source) readFile(context.Context) ([]byte, error) {
	f, err := os.Open(s.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readBounded(f, s.File)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxKeyText+1))
	if err == nil && len(text) > maxKeyText {
		err = fmt.Errorf("%s: more than %d bytes of keys", name, maxKeyText)
	}
	return text, err
}

func (s *Source) readURL(ctx context.Context) ([]byte, error) {
	text, _, err := s.get(ctx, s.URL)
	return text, err
}

// get also returns the status of an answer that is not 200, as an error.
func (s *Source) get(ctx context.Context, from string) ([]byte, int, error) {
	u, err := allowed(from)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json, */*;q=0.1")
	answer, err := s.Client.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, answer.StatusCode, fmt.Errorf("%s answers %s", from, answer.Status)
	}
	text, err := readBounded(answer.Body, from)
	return text, answer.StatusCode, err
}

// readIssuer reads the set that an issuer's metadata names.
func (s *Source) readIssuer(ctx context.Context) ([]byte, error) {
	text, status, err := s.get(ctx, strings.TrimSuffix(s.Issuer, "/")+"/.well-known/openid-configuration")
	if status == http.StatusNotFound {
		text, _, err = s.get(ctx, metadataURL(s.Issuer))
	}
	if err != nil {
		return nil, err
	}
	from, err := keysOf(s.Issuer, string(text))
	if err != nil {
		return nil, fmt.Errorf("metadata of %s: %w", s.Issuer, err)
	}
	text, _, err = s.get(ctx, from)
	return text, err
}

// metadataURL puts the well-known part between host and path (RFC 8414 section
// 3.1).
func metadataURL(issuer string) string {
	u, err := allowed(issuer)
	if err != nil {
		return ""
	}
	u.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	u.RawPath = ""
	return u.String()
}

// keysOf takes jwks_uri out of metadata that belongs to that issuer (RFC 8414
// section 3.3).
func keysOf(issuer, metadata string) (string, error) {
	o, err := token.ParseObject(metadata)
	if err != nil {
		return "", err
	}
	if named, _ := o.String("issuer"); named != issuer {
		return "", fmt.Errorf("it is about the issuer %q", clip(named))
	}
	from, ok := o.String("jwks_uri")
	if !ok {
		return "", errors.New("no jwks_uri")
	}
	if isHTTPS(issuer) && !isHTTPS(from) {
		return "", errors.New("its jwks_uri is not https, as the issuer is")
	}
	return from, nil
}

func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https"
}
