package daemon

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/ats-auth/ats-auth/pkg/server"
)

// setting is one key of the configuration.
type setting struct {
	section, key string
	fallback     string // its value where nothing else gives one
	secret       bool
	help         string
}

func (s setting) name() string { return "[" + s.section + "] " + s.key }

// isStoreURL tells the one that may have a password in it.
func (s setting) isStoreURL() bool { return s.section == "store" && s.key == "url" }

// variable is its name in the environment.
func (s setting) variable() string {
	return variablePrefix + strings.ToUpper(strings.ReplaceAll(s.section, " ", "_")+"_"+s.key)
}

const variablePrefix = "ATS_AUTH_SERVER_"

// settings is the whole table.
func settings() []setting {
	return slices.Concat([]setting{
		{"server", "listen", "127.0.0.1:8081", false, "address and port of the doors"},
		{"server", "admin_listen", "127.0.0.1:8082", false, "address and port of /healthz, /readyz and /metrics; off for none"},
		{"server", "public_url", "", false, "what the service is called from outside, the issuer of the oauth2 door: https, or http on loopback (default: from listen and tls)"},
		{"server", "dialects", strings.Join(server.DefaultDialects(), ", "), false, "the doors that are open, of " + strings.Join(server.Dialects(), ", ")},
		{"server", "backends", "", false, "the backends, in the order in which they are asked for a password (default: local, then each [backend NAME])"},
		{"server", "recheck", "1h", false, "how often directories are asked again about their people: what those have who are gone is void then, and changed groups count; 0: never"},
		{"server", "tls", "off", false, "off, self-signed, or files (cert and key)"},
		{"server", "cert", "", false, "PEM file of the certificate chain, read again when it changes"},
		{"server", "key", "", false, "PEM file of its private key"},
		{"server", "behind_proxy", "false", false, "plain HTTP on any address, the client's address from X-Forwarded-For"},
		{"server", "trusted_gateways", "", false, "addresses or networks that may log out any user by X-Auth-UserId alone"},
		{"server", "max_connections", "4096", false, "connections at once, and requests; for one more the one is closed that has waited longest for a request"},
		{"server", "max_connections_per_address", "0", false, "how many of them one address has, an IPv6 address counted by its /64; 0: a quarter, or all with behind_proxy"},
		{"server", "shutdown_grace", "10s", false, "how long requests under way may take at the end"},
		{"store", "url", "", false, "sqlite:FILE, postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full or memory: (default: sqlite: in $XDG_STATE_HOME/ats-auth-server, /var/lib/ats-auth-server for root)"},
		{"server", "log_level", "info", false, "critical, error, warning, info or debug; read again at SIGHUP, and nothing where --log-level or --debug is given"},
		{"server", "audit_log", "off", false, "where each event is written as a line of JSON: a FILE, which SIGHUP opens again, stdout, stderr or off"},
		{"server", "audit_failure", "refuse", false, "when an event cannot be written: refuse what it is about, or ignore it"},
		{"store", "stale_after", "1s", false, "how old the view of revocations may be before the store is asked"},
		{"tokens", "issuer", "ats.auth", false, "iss of the ats door's tokens"},
		{"tokens", "jwt_secret", "", true, "shared secret that signs them (default: one is made and kept in the store)"},
		{"tokens", "jwt_secret_file", "", false, "file that holds jwt_secret"},
		{"tokens", "access_ttl", "3600", false, "lifetime of an access token, and the longest that can be asked for"},
		{"tokens", "refresh_ttl", "30d", false, "absolute lifetime of a refresh token; 0: without end"},
		{"tokens", "refresh_idle", "0", false, "how long a refresh token may lie unused; 0: no limit"},
		{"tokens", "max_refresh_ttl", "0", false, "the longest lifetime of a refresh token that can be asked for; 0: no limit"},
		{"tokens", "reuse_grace", "30s", false, "how long a used refresh token is given the same successor again"},
		{"tokens", "min_password", "0", false, "least number of characters of a new password"},
		{"tokens", "allow_weak_key", "false", false, "let RSA keys of 1024 to 2047 bits sign at the tapis door, in every tenant; they can be broken"},
		{"tokens", "master_key_file", "", false, "file of the key that seals keys in the store (default: master.key beside the store; made when absent and the store has no keys yet)"},
		{"tokens", "master_key", "", true, "that key itself: base64 of 32 bytes"},
		{"throttle", "attempts", "10", false, "wrong passwords for one user from one address within window"},
		{"throttle", "window", "5m", false, "how long they count"},
		{"throttle", "max_hashing", "0", false, "passwords hashed at once; 0: one a core"},
		{"tenant" + namePart, "open_minting", "false", false, "anybody on this machine mints tokens of the tenant NAME at the tapis door, without credentials: [server] listen must be a loopback address, without a proxy"},
	}, backendSettings())
}

// value is a setting's text and where it came from.
type value struct {
	text, source string
}

// values answers by section and key and gathers what is wrong.
type values struct {
	given    map[string]value    // by setting.name
	sections []string            // those with names, "tenant dev"; see names
	keys     map[string][]string // of a section, those that one in the table stands for
	err      error
}

func (v *values) text(section, key string) string {
	return v.given[setting{section: section, key: key}.name()].text
}

// imply tells the value that a default stands for.
func (v *values) imply(section, key, text string) {
	v.given[setting{section: section, key: key}.name()] = value{text, "default"}
}

func (v *values) wrong(section, key, want string) {
	name := setting{section: section, key: key}.name()
	v.refuse("%s = %q (from %s) is not %s", name, maskURL(v.given[name].text), v.given[name].source, want)
}

// refuse keeps the first of what is wrong.
func (v *values) refuse(format string, args ...any) {
	if v.err == nil {
		v.err = refuse(format, args...)
	}
}

func (v *values) flag(section, key string) bool {
	switch strings.ToLower(v.text(section, key)) {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0":
		return false
	}
	v.wrong(section, key, "true or false")
	return false
}

// choice reads one of some words.
func (v *values) choice(section, key string, words ...string) string {
	text := v.text(section, key)
	if !slices.Contains(words, text) {
		v.wrong(section, key, "one of "+strings.Join(words, ", "))
	}
	return text
}

func (v *values) number(section, key string) int {
	n, err := strconv.Atoi(v.text(section, key))
	if err != nil || n < 0 {
		v.wrong(section, key, "a number from 0")
	}
	return n
}

// seconds reads a lifetime.
func (v *values) seconds(section, key string) int64 {
	n, good := parseLifetime(v.text(section, key))
	if !good {
		v.wrong(section, key, lifetimeWanted)
	}
	return n
}

const lifetimeWanted = "a lifetime: seconds, or a number with s, m, h, d or w"

// parseLifetime reads plain seconds, or a number with s, m, h, d or w.
func parseLifetime(text string) (seconds int64, good bool) {
	unit := int64(1)
	if n := len(text); n > 0 {
		if u, ok := map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}[text[n-1]]; ok {
			unit, text = u, text[:n-1]
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxSeconds/unit {
		return 0, false
	}
	return n * unit, true
}

const maxSeconds = 200_000_000_000

// duration is seconds for what is short.
func (v *values) duration(section, key string) time.Duration {
	if d, err := time.ParseDuration(v.text(section, key)); err == nil && d >= 0 {
		return d
	}
	return time.Duration(min(v.seconds(section, key), 86400)) * time.Second
}

func (v *values) list(section, key string) []string {
	var list []string
	for item := range strings.SplitSeq(v.text(section, key), ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func (v *values) networks(section, key string) []netip.Prefix {
	var list []netip.Prefix
	for _, item := range v.list(section, key) {
		p, err := netip.ParsePrefix(item)
		if address, addressErr := netip.ParseAddr(item); addressErr == nil {
			p, err = address.Prefix(address.BitLen())
		}
		if err != nil {
			v.wrong(section, key, "a list of addresses or networks")
			return nil
		}
		// What a peer's address is compared in: an IPv4 address has one spelling.
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		list = append(list, p.Masked())
	}
	return list
}

// stateDir is where a server keeps its store by default.
func (a *app) stateDir() string {
	if a.UID == 0 {
		return "/var/lib/ats-auth-server"
	}
	if dir := a.getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "ats-auth-server")
	}
	return filepath.Join(a.HomeDir, ".local", "state", "ats-auth-server")
}

func (a *app) getenv(name string) string {
	for _, pair := range slices.Backward(a.Environ) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// findConfig is the configuration file: the one that was named, else the first
// there is. None is fine.
func (a *app) findConfig() string {
	if a.configFile != "" {
		return a.configFile
	}
	dir := a.getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.HomeDir, ".config")
	}
	for _, name := range []string{filepath.Join(dir, "ats-auth-server", "server.ini"), "/etc/ats-auth-server/server.ini"} {
		if _, err := os.Stat(name); err == nil {
			return name
		}
	}
	return ""
}

// report prints every key, its value and where it came from, secrets masked.
func (v *values) report() string {
	var b strings.Builder
	section := ""
	for _, s := range v.settings() {
		if s.section != section {
			if section != "" {
				b.WriteString("\n")
			}
			section = s.section
			fmt.Fprintf(&b, "[%s]\n", section)
		}
		given := v.given[s.name()]
		text := oneLine(maskURL(given.text))
		if s.isStoreURL() {
			text = oneLine(maskStore(given.text))
		}
		if s.secret && text != "" {
			text = redacted
		}
		fmt.Fprintf(&b, "%-50s # %s\n", strings.TrimRight(s.key+" = "+text, " "), oneLine(given.source))
	}
	return b.String()
}

// oneLine keeps a value from acting on the terminal, or looking like two.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}

// maskURL takes the password out of a URL, such as a database's.
func maskURL(text string) string {
	scheme, rest, isURL := strings.Cut(text, "://")
	if !isURL {
		return text
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if user, _, found := strings.Cut(rest[:at], ":"); found {
			rest = user + ":" + redacted + rest[at:]
		}
	}
	place, query, _ := strings.Cut(rest, "?")
	if query == "" {
		return scheme + "://" + place
	}
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		name, _, _ := strings.Cut(parameter, "=")
		if plain, err := url.QueryUnescape(name); err != nil || strings.HasSuffix(strings.ToLower(plain), "password") {
			parameters[i] = name + "=" + redacted
		}
	}
	return scheme + "://" + place + "?" + strings.Join(parameters, "&")
}
