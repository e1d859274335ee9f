package daemon

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// publicURL is what [server] public_url is, as it is compared: no slash at its
// end. good is false for what nobody could be told to trust.
func publicURL(text string) (fixed string, good bool) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, "?#") || strings.Contains(u.Host, "%") {
		return "", false
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return "", false
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopbackHost(u.Hostname())) {
		return "", false
	}
	u.Host = strings.ToLower(u.Host)
	return strings.TrimRight(u.String(), "/"), true
}

// ownURL is what the service calls itself where nobody says it: its address,
// with the port it got in place of 0. Plain HTTP is good on this machine alone,
// and an address that stands for all is no name.
func (c *config) ownURL(port string) string {
	host, _, _ := net.SplitHostPort(c.listen)
	scheme := "https"
	if c.tls == "off" {
		scheme = "http"
	}
	if unspecified(host) || c.tls == "off" && !loopbackHost(host) {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(host), port)
}

func unspecified(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && ip.IsUnspecified()
}

func loopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// nameFor sets the public URL, where it is not configured, to that of a port.
func (c *config) nameFor(address net.Addr) {
	if _, port, err := net.SplitHostPort(address.String()); err == nil && c.nameless {
		c.server.PublicURL = c.ownURL(port)
	}
}

// namelessWarning tells when what the service calls itself is a guess that
// others cannot follow.
func (c *config) namelessWarning() string {
	host, _, _ := net.SplitHostPort(c.listen)
	guess := c.nameless && (c.server.BehindProxy || unspecified(host))
	if !guess || !slices.Contains(c.server.Dialects, "oauth2") {
		return ""
	}
	return "[server] public_url is not set: the oauth2 door calls itself " + c.server.PublicURL + ", where others may not find it"
}
