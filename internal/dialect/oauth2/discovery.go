package oauth2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// metadata is what a service says of itself (RFC 8414 section 2). An endpoint is
// empty and a list nil where it says nothing.
type metadata struct {
	authorization, token, device, revocation, introspection string
	// Not in any standard yet: a draft's, and one of our own.
	revokeAll, logins string

	authMethods, authAlgorithms, proofAlgorithms, challenges, scopes []string

	namesItself bool // its answers in a browser hold iss (RFC 9207)
	pushed      bool // it takes pushed authorization requests only (RFC 9126)
}

// metadata fetches what the service says of itself, once.
func (c *Client) metadata(ctx context.Context) (*metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil {
		return c.known, nil
	}
	m, err := c.discover(ctx)
	if err == nil {
		c.known = m
	}
	return m, err
}

// discover asks at the place of RFC 8414 and, where that knows nothing, at the
// one of OpenID Connect.
func (c *Client) discover(ctx context.Context) (*metadata, error) {
	var last error
	for _, place := range places(c.Issuer) {
		r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodGet, Path: place, Header: http.Header{"Accept": {"application/json"}}})
		if err != nil {
			return nil, err
		}
		last = refusal(r, nil)
		if last == nil {
			return c.readMetadata(r)
		}
		if r.Status < 400 || r.Status >= 500 || r.Status == http.StatusTooManyRequests {
			return nil, last
		}
	}
	var known *token.Refusal
	if errors.As(last, &known) {
		return nil, token.Refuse(known.Kind, "no OAuth 2.0 or OpenID metadata is at %s: %s", c.Issuer, known.Reason)
	}
	return nil, last
}

// places are where the metadata of an issuer may be.
func places(issuer string) [2]string {
	bare := strings.TrimRight(issuer, "/")
	scheme, rest, _ := strings.Cut(bare, "://")
	host, path, deep := strings.Cut(rest, "/")
	if deep {
		path = "/" + path
	}
	return [2]string{scheme + "://" + host + PathMetadata + path, bare + PathOpenID}
}

func (c *Client) readMetadata(r dialect.Reply) (*metadata, error) {
	o, err := r.Object()
	if err != nil {
		return nil, err
	}
	issuer, ok := o.String("issuer")
	if !ok {
		return nil, dialect.Nonsense(r)
	}
	if issuer != c.Issuer {
		return nil, token.Refuse(token.ErrUnavailable, "the server at %s says that it is the issuer %s: both must be the same, to the letter", c.Issuer, shown(issuer))
	}
	m := new(metadata)
	for name, to := range map[string]*string{
		"authorization_endpoint": &m.authorization, "token_endpoint": &m.token, "device_authorization_endpoint": &m.device,
		"revocation_endpoint": &m.revocation, "introspection_endpoint": &m.introspection,
		"global_token_revocation_endpoint": &m.revokeAll, "logins_endpoint": &m.logins,
	} {
		if *to, err = c.endpoint(o, name); err != nil {
			return nil, err
		}
	}
	for name, to := range map[string]*[]string{
		"token_endpoint_auth_methods_supported": &m.authMethods, "token_endpoint_auth_signing_alg_values_supported": &m.authAlgorithms,
		"dpop_signing_alg_values_supported": &m.proofAlgorithms, "code_challenge_methods_supported": &m.challenges, "scopes_supported": &m.scopes,
	} {
		*to, _ = o.Strings(name)
	}
	yes := func(name string) bool { text, _ := o.Member(name); return text == "true" }
	m.namesItself = yes("authorization_response_iss_parameter_supported")
	m.pushed = yes("require_pushed_authorization_requests")
	return m, nil
}

// endpoint reads a member that is an address to which secrets go.
func (c *Client) endpoint(o *token.Object, name string) (string, error) {
	if text, ok := o.Member(name); !ok || text == "null" {
		return "", nil
	}
	text, _ := o.String(name)
	u, err := safeURL(text)
	if err != nil || u.Scheme == "http" && !local(c.Issuer) {
		return "", token.Refuse(token.ErrUnavailable, "the server's metadata is refused: %s is not an https address: %s", name, shown(text))
	}
	return text, nil
}

// checkIssuer wants an issuer of RFC 8414 section 2, or one on this machine
// without TLS.
func checkIssuer(issuer string) error {
	if issuer == "" {
		return errors.New("no issuer")
	}
	u, err := safeURL(issuer)
	if err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("issuer: neither ? nor # belongs in it")
	}
	return nil
}

var errNoURL = errors.New("neither an https address nor an http address on this machine")

// safeURL reads an absolute address that is https, or http on this machine,
// without a user, a fragment, or anything that is not ASCII.
func safeURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, !visible(text), u.Opaque != "", u.User != nil, strings.Contains(text, "#"), u.Hostname() == "":
		return nil, errNoURL
	case u.Scheme == "https", u.Scheme == "http" && local(text):
		return u, nil
	}
	return nil, errNoURL
}

// local reports an address on this machine without TLS.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// need returns an endpoint, or says that the service has none.
func need(endpoint, what string) error {
	if endpoint == "" {
		return token.Refuse(token.ErrUnsupported, "this server cannot do that: its metadata names no %s", what)
	}
	return nil
}

// lists reports whether a list of what is supported lets a value be used: it
// does where the service gives none.
func lists(list []string, value string) bool { return list == nil || slices.Contains(list, value) }

// shown is a text of somebody else's in a message: short, and quoted where it is
// not plain.
func shown(text string) string {
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	if !visible(text) || text == "" {
		return fmt.Sprintf("%+q", text)
	}
	return text
}
