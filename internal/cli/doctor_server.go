package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	// certificateSoon is how long before its end a certificate is spoken of.
	certificateSoon = 14 * 24 * time.Hour
	// maxMetadata bounds a document of a server's, in bytes.
	maxMetadata = 1 << 20
)

// probe is what a server said to one request.
type probe struct {
	status     int
	header     http.Header
	body       []byte
	state      *tls.ConnectionState // nil: not encrypted
	sent, came time.Time
}

// server asks the configured service, without a password.
func (d *doctor) server(ctx context.Context) {
	address := d.profile.Value(d.address()).Reveal()
	if address == "" {
		d.fail("server", d.noAddress())
		return
	}
	service, err := d.newClient()
	if err != nil {
		d.fail("server", err)
		return
	}
	carrier, err := d.carrier()
	if err != nil {
		d.fail("server", &configError{problem: err.Error(), cause: err})
		return
	}
	u, err := url.Parse(service.URL())
	if err != nil {
		d.fail("server", errors.New("the server's URL cannot be read"))
		return
	}
	if !d.way(ctx, carrier, u) {
		return
	}
	first, err := d.ask(ctx, carrier, u.String()+"/")
	d.certificate(first, u, err)
	if err != nil {
		d.fail("server", err)
		return
	}
	if first.status >= 500 {
		d.fail("server", token.Refuse(token.ErrUnavailable, "it answers with status %d", first.status))
	} else {
		d.ok("server", "it answers (%d ms)", first.came.Sub(first.sent).Milliseconds())
	}
	switch d.dialect() {
	case "oauth2":
		d.metadata(ctx, carrier, service.Issuer())
	case "wazo":
		d.backends(ctx, service)
	default:
		d.speaks(ctx, service)
	}
	d.token(ctx, service)
	d.clocks(first)
}

// carrier is an HTTP client that goes where commands go, and no further.
func (d *doctor) carrier() (*http.Client, error) {
	value := func(name string) string { return d.profile.Value(name).Reveal() }
	c, err := client.NewHTTPClient(client.Config{
		CACert: value("cacert"), Cert: value("cert"), Key: value("key"),
		Insecure: d.profile.Value("insecure").Bool(), Timeout: d.profile.Value("timeout").Duration(),
	})
	if err != nil {
		return nil, err
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// way finds the proxy or the name; false when there is no way.
func (d *doctor) way(ctx context.Context, carrier *http.Client, u *url.URL) bool {
	transport, ok := carrier.Transport.(*http.Transport)
	if ok && transport.Proxy != nil {
		proxy, err := transport.Proxy(&http.Request{URL: u})
		switch {
		case err != nil:
			d.fail("proxy", &configError{problem: "the proxy that the environment names cannot be understood"})
			return false
		case proxy != nil:
			d.ok("proxy", "%s://%s", proxy.Scheme, proxy.Host)
			return true
		}
	}
	d.ok("proxy", "none")
	if net.ParseIP(u.Hostname()) != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, d.profile.Value("timeout").Duration())
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil {
		var reason *net.DNSError
		if errors.As(err, &reason) {
			err = errors.New(reason.Err)
		}
		d.fail("name", fmt.Errorf("%w: the name %s: %w", client.ErrUnreachable, u.Hostname(), err))
		return false
	}
	d.ok("name", "%s is %s", u.Hostname(), strings.Join(found, ", "))
	return true
}

// ask sends one GET that carries nothing.
func (d *doctor) ask(ctx context.Context, carrier *http.Client, address string) (probe, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return probe{}, errors.New("the server's URL cannot be used")
	}
	request.Header.Set("User-Agent", "ats-auth/"+d.Version)
	a := probe{sent: d.Now()}
	response, err := carrier.Do(request)
	if err != nil {
		return a, unreached(err)
	}
	defer response.Body.Close()
	a.came, a.status, a.header, a.state = d.Now(), response.StatusCode, response.Header, response.TLS
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxMetadata))
	if err != nil {
		return a, unreached(err)
	}
	return a, nil
}

// unreached is why no answer came, without the URL.
func unreached(err error) error {
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return &client.CertificateError{Reason: untrusted}
	}
	return fmt.Errorf("%w: %w", client.ErrUnreachable, err)
}

// certificate judges the chain that the server has shown.
func (d *doctor) certificate(a probe, u *url.URL, err error) {
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &untrusted):
		d.chain(untrusted.UnverifiedCertificates)
		return
	case err != nil:
		return
	case a.state == nil:
		if !isLoopback(u.Hostname()) {
			d.warnOf("tls", "", "%s is not encrypted: what is sent can be read on the way", u.Scheme+"://"+u.Host)
		} else {
			d.ok("tls", "not needed on this machine")
		}
		return
	}
	d.chain(a.state.PeerCertificates)
	if v := d.profile.Value("insecure"); v.Bool() {
		d.warnOf("tls", "", "%s, and the certificate is not verified: %s", tls.VersionName(a.state.Version), v.Source())
		return
	}
	d.ok("tls", "%s, the certificate is verified", tls.VersionName(a.state.Version))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// chain shows the certificates, the server's own first.
func (d *doctor) chain(list []*x509.Certificate) {
	for _, c := range list {
		text := fmt.Sprintf("%s, issued by %s, until %s", nameOfCertificate(c.Subject.String(), c), nameOfCertificate(c.Issuer.String(), nil), c.NotAfter.UTC().Format(time.DateOnly))
		switch left := c.NotAfter.Sub(d.Now()); {
		case left <= 0:
			d.fail("certificate", &client.CertificateError{Reason: errors.New(text + ": expired")})
		case d.Now().Before(c.NotBefore):
			d.fail("certificate", &client.CertificateError{Reason: errors.New(text + ": not valid before " + c.NotBefore.UTC().Format(time.RFC3339))})
		case left < certificateSoon:
			d.warnOf("certificate", "", "%s: %s left", text, span(left))
		default:
			d.ok("certificate", "%s", text)
		}
	}
}

// nameOfCertificate is a subject, or what stands in its place.
func nameOfCertificate(subject string, c *x509.Certificate) string {
	if subject == "" && c != nil && len(c.DNSNames) > 0 {
		return strings.Join(c.DNSNames, " ")
	}
	if subject == "" {
		return "a certificate without a name"
	}
	return subject
}

// metadata reads what an issuer says of itself (RFC 8414 section 3, OpenID
// Connect Discovery section 4).
func (d *doctor) metadata(ctx context.Context, carrier *http.Client, issuer string) {
	u, err := url.Parse(issuer)
	if err != nil {
		return // told before
	}
	path := strings.TrimRight(u.Path, "/")
	origin := u.Scheme + "://" + u.Host
	for _, address := range []string{origin + "/.well-known/oauth-authorization-server" + path, origin + path + "/.well-known/openid-configuration"} {
		a, err := d.ask(ctx, carrier, address)
		if err != nil {
			d.fail("metadata", err)
			return
		}
		if a.status == http.StatusOK {
			d.described(issuer, a.body)
			return
		}
	}
	d.fail("metadata", token.Refuse(token.ErrUnavailable, "%s publishes none: neither oauth-authorization-server nor openid-configuration", issuer))
}

// described compares an issuer's own words with what is configured.
func (d *doctor) described(issuer string, body []byte) {
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		d.fail("metadata", token.Refuse(token.ErrUnavailable, "it is not JSON"))
		return
	}
	if named, _ := m["issuer"].(string); named != issuer {
		d.fail("metadata", token.Refuse(token.ErrUnavailable, "it calls itself %q, not %q: give --issuer to the letter", named, issuer))
	}
	var names []string
	for name, v := range m {
		address, isText := v.(string)
		if !strings.HasSuffix(name, "_endpoint") || !isText {
			continue
		}
		names = append(names, strings.TrimSuffix(name, "_endpoint"))
		if u, err := url.Parse(address); err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
			d.warnOf("endpoints", "", "%s is not an https address", name)
		}
	}
	slices.Sort(names)
	if m["token_endpoint"] == nil {
		d.fail("endpoints", token.Refuse(token.ErrUnsupported, "there is no token_endpoint"))
	} else {
		d.ok("endpoints", "%s", strings.Join(names, ", "))
	}
	d.grants(texts(m["grant_types_supported"]))
}

// grants compares the ways to a token that are offered with the one configured.
func (d *doctor) grants(offered []string) {
	if offered == nil { // RFC 8414 section 2
		offered = []string{token.GrantAuthorizationCode, "implicit"}
	}
	configured := d.profile.Value("grant")
	grant := grantNamed(configured.Reveal())
	switch {
	case configured.IsZero() || slices.Contains(offered, grant):
		d.ok("grants", "%s", strings.Join(offered, ", "))
	case grant == "":
		d.fail("grants", &configError{problem: fmt.Sprintf("%s: no grant is called that, there is: %s", configured.Source(), strings.Join(grantNames(), ", "))})
	default:
		d.fail("grants", token.Refuse(token.ErrUnsupported, "%s, from %s, is not offered: %s", configured.Reveal(), configured.Source(), strings.Join(offered, ", ")))
	}
}

// texts are the strings of a JSON array; nil when it is none.
func texts(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// held is a token that is at hand without asking: ATS_AUTH_TOKEN, else the cached
// one.
func (d *doctor) held() (set token.Set, from string) {
	if v := d.profile.Value("token"); !v.IsZero() {
		return token.Set{AccessToken: token.NewSecret(v.Reveal())}, v.Source()
	}
	if d.profile.LoginFile == "" || d.saved.err != nil || d.bound(d.saved.login) != nil {
		return token.Set{}, ""
	}
	set, _, ok := d.peek(d.saved.login)
	if !ok {
		return token.Set{}, ""
	}
	return set, "the cache"
}

// speaks asks about what can be no token, which a server of the dialect has words for;
// false: this one has none.
func (d *doctor) speaks(ctx context.Context, service *client.Client) bool {
	_, err := service.Check(ctx, token.NewSecret("00000000-0000-4000-8000-000000000000"))
	if err == nil || !strings.Contains(err.Error(), "404") && !isForeign(err) && !errors.Is(err, token.ErrUnavailable) && !errors.Is(err, client.ErrUnreachable) {
		return true
	}
	d.fail("dialect", &hinted{fmt.Errorf("%s is not what it speaks there: %w", d.dialect(), err), "another --dialect, or another path in --url"})
	return false
}

// token asks whether a token that is at hand is honoured, where the service
// answers that to its bearer.
func (d *doctor) token(ctx context.Context, service *client.Client) {
	set, from := d.held()
	if set.AccessToken.IsZero() {
		return
	}
	if d.dialect() == "oauth2" && d.proof() == "" {
		return // it answers known applications only
	}
	_, err := service.Check(ctx, set.AccessToken)
	switch {
	case err == nil:
		d.ok("token", "the one from %s is honoured", from)
	case errors.Is(err, token.ErrUnsupported):
		d.ok("token", "the one from %s: the service does not say whether it honours it", from)
	case from == "the cache":
		d.warnOf("token", "ats-auth token refresh", "the one from the cache is not honoured: %s", err)
	default:
		d.fail("token", fmt.Errorf("the one from %s: %w", from, err))
	}
}
