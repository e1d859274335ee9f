package backend

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// NewLDAP checks a configuration and returns the directory it describes. It does not
// connect: a directory may start after us. The error names what is wrong as files of
// configuration do: user_base.
func NewLDAP(c LDAPConfig) (*LDAP, error) {
	c.setDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	servers, err := c.parseServers()
	if err != nil {
		return nil, err
	}
	roles, err := parseGrants("role_", c.Roles)
	if err != nil {
		return nil, err
	}
	policies, err := parseGrants("policy_", c.Policies)
	if err != nil {
		return nil, err
	}
	return &LDAP{
		LDAPConfig: c, timeout: time.Duration(c.Timeout) * time.Second,
		servers: servers, roles: roles, policies: policies,
		slots: make(chan struct{}, c.Connections), closed: make(chan struct{}),
	}, nil
}

func (c *LDAPConfig) setDefaults() {
	c.UserFilter = cmp.Or(c.UserFilter, defaultUserFilter)
	c.NameAttribute = cmp.Or(c.NameAttribute, defaultNameAttribute)
	c.IDAttribute = cmp.Or(c.IDAttribute, defaultIDAttribute)
	c.GroupFilter = cmp.Or(c.GroupFilter, defaultGroupFilter)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Connections = cmp.Or(c.Connections, defaultConnections)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

// check looks at all but the servers and the groups.
func (c *LDAPConfig) check() error {
	switch {
	case c.Timeout < 1 || c.Timeout > 3600:
		return fmt.Errorf("timeout %d: not from 1 to 3600 seconds", c.Timeout)
	case c.Connections < 1 || c.Connections > 1000:
		return fmt.Errorf("connections %d: not from 1 to 1000", c.Connections)
	case c.UserBase == "":
		return errors.New("user_base is missing")
	case c.BindDN == "" && !c.BindPassword.IsZero():
		return errors.New("bind_password without bind_dn")
	case c.BindDN != "" && c.BindPassword.IsZero():
		// It would be taken for nobody's, and succeed.
		return errors.New("bind_dn without bind_password")
	}
	return cmp.Or(
		checkDN("bind_dn", c.BindDN), checkDN("user_base", c.UserBase), checkDN("group_base", c.GroupBase),
		checkAttribute("name_attribute", c.NameAttribute), checkAttribute("id_attribute", c.IDAttribute),
		checkFilter("user_filter", c.UserFilter, "{name}"), checkFilter("group_filter", c.GroupFilter, "{dn}", "{name}"),
	)
}

func checkDN(what, text string) error {
	if _, err := ldap.ParseDN(text); err != nil {
		return fmt.Errorf("%s %q: %w", what, text, err)
	}
	return nil
}

// attributes are the names and numbers of attributes: RFC 4512 section 1.4.
var attributes = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*|[0-9]+(\.[0-9]+)+)$`)

func checkAttribute(what, text string) error {
	if !attributes.MatchString(text) {
		return fmt.Errorf("%s %q: no attribute is called so", what, text)
	}
	return nil
}

// checkFilter wants one of the places at least: a filter without any is met by
// everybody alike.
func checkFilter(what, filter string, places ...string) error {
	sample, found := filter, false
	for _, p := range places {
		found = found || strings.Contains(filter, p)
		sample = strings.ReplaceAll(sample, p, "sample")
	}
	if !found {
		return fmt.Errorf("%s %q: it has no %s", what, filter, strings.Join(places, " and no "))
	}
	if _, err := ldap.CompileFilter(sample); err != nil {
		return fmt.Errorf("%s %q: %w", what, filter, err)
	}
	return nil
}

func parseGrants(kind string, groups map[string][]string) ([]grant, error) {
	var grants []grant
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		for _, text := range groups[name] {
			dn, err := ldap.ParseDN(text)
			if err != nil || len(dn.RDNs) == 0 {
				return nil, fmt.Errorf("%s%s: %q is no dn of a group", kind, name, text)
			}
			grants = append(grants, grant{name: name, group: dn})
		}
	}
	return grants, nil
}

func (c *LDAPConfig) parseServers() ([]*server, error) {
	roots, err := parseCACert(c.CACert)
	if err != nil {
		return nil, err
	}
	var servers []*server
	for _, text := range strings.Fields(c.URL) {
		s, err := parseServer(text, c.StartTLS, roots)
		if err != nil {
			return nil, fmt.Errorf("url: %w", err)
		}
		servers = append(servers, s)
	}
	if len(servers) == 0 {
		return nil, errors.New("url is missing")
	}
	return servers, nil
}

// parseCACert returns nil, which stands for the system's authorities, for nothing.
func parseCACert(pem []byte) (*x509.CertPool, error) {
	if pem == nil {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("cacert: no certificate in it")
	}
	return roots, nil
}

func parseServer(text string, startTLS bool, roots *x509.CertPool) (*server, error) {
	if socket, ok := strings.CutPrefix(text, "ldapi://"); ok {
		return parseSocket(text, socket, startTLS)
	}
	u, err := url.Parse(text)
	if err != nil {
		// Its text stays out: it may hold a password, where none belongs.
		return nil, errors.New("it is not readable as one")
	}
	switch {
	case u.User != nil:
		return nil, errors.New("a user name or a password in it: they are bind_dn and bind_password")
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return nil, fmt.Errorf("%s: neither ldap:// nor ldaps:// nor ldapi://", text)
	case u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%s: not a scheme, a host and a port alone", text)
	case u.Scheme == "ldaps" && startTLS:
		return nil, fmt.Errorf("%s: is TLS from the start, start_tls does not go with it", text)
	case u.Scheme == "ldap" && !startTLS && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%s: passwords would travel in clear: it needs start_tls, or ldaps://", text)
	}
	port := cmp.Or(u.Port(), map[string]string{"ldap": ldap.DefaultLdapPort, "ldaps": ldap.DefaultLdapsPort}[u.Scheme])
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return nil, fmt.Errorf("%s: %s is no port", text, port)
	}
	s := &server{url: text, network: "tcp", address: net.JoinHostPort(u.Hostname(), port), startTLS: startTLS}
	if startTLS || u.Scheme == "ldaps" {
		s.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname(), RootCAs: roots}
	}
	return s, nil
}

// parseSocket reads the rest of an ldapi:// URL: the path of a socket of this machine,
// escaped.
func parseSocket(text, escaped string, startTLS bool) (*server, error) {
	name, err := url.PathUnescape(strings.TrimSuffix(escaped, "/"))
	switch {
	case err != nil || !path.IsAbs(name):
		return nil, fmt.Errorf("%s: not the escaped path of a socket, as in ldapi://%%2Frun%%2Fslapd%%2Fldapi", text)
	case startTLS:
		return nil, fmt.Errorf("%s: does not leave this machine, start_tls does not go with it", text)
	}
	return &server{url: text, network: "unix", address: name}, nil
}

// loopback reports whether a host is this machine, so that nobody listens between.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
