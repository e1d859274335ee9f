package daemon

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// checkStoreURL refuses what can be seen of [store] url without opening it.
func (c *config) checkStoreURL() error {
	if c.onPostgres() && c.server.MasterKeyFile == "" && c.server.MasterKey.IsZero() {
		return refuse("[store] url is a database that others may share: set [tokens] master_key_file (or master_key), the same for all that do")
	}
	return checkForm(c.store)
}

// checkForm refuses a URL of a store that is of no known form.
func checkForm(url string) error {
	kind, rest, _ := strings.Cut(url, ":")
	switch {
	case url == "memory:", kind == "sqlite" && rest != "", isPostgres(url):
		return nil
	case kind == "sqlite":
		return refuse("[store] url = sqlite: names no file")
	}
	return refuse("[store] url is none of sqlite:FILE, postgres://USER@HOST/DATABASE and memory:")
}

// redacted stands in the place of a secret.
const redacted = "<redacted>"

// maskStore is [store] url without its password. Of what is of no known form nothing is
// shown: it may be libpq's host=… password=…, or have a slip before the password.
func maskStore(text string) string {
	switch {
	case text == "" || text == "memory:" || strings.HasPrefix(text, "sqlite:"):
		return text
	case !isPostgres(text):
		return redacted
	}
	if _, good := databaseHosts(text); !good {
		scheme, _, _ := strings.Cut(text, "://")
		return scheme + "://" + redacted
	}
	return maskURL(text)
}

// databaseHosts are those that a postgres URL names, without ports; none: it names
// none. false: something that is no port stands where one would, a password say.
func databaseHosts(text string) (hosts []string, good bool) {
	_, rest, _ := strings.Cut(text, "://")
	authority := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		authority = rest[:end]
	}
	authority = authority[strings.LastIndexByte(authority, '@')+1:]
	for host := range strings.SplitSeq(authority, ",") {
		if name, port, err := net.SplitHostPort(host); err == nil {
			if _, err := strconv.ParseUint(port, 10, 16); err != nil && port != "" {
				return nil, false
			}
			host = name
		} else if strings.Count(host, ":") > 0 && !strings.HasPrefix(host, "[") {
			return nil, false
		}
		if host = strings.Trim(host, "[]"); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts, true
}

// exposed are the hosts of a postgres URL on the way to which its password and all
// else could be read: those that are neither this machine nor told to speak TLS.
func (a *app) exposed(text string) []string {
	if !isPostgres(text) {
		return nil
	}
	hosts, _ := databaseHosts(text)
	_, query, _ := strings.Cut(text, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil // opening it tells
	}
	mode := parameters.Get("sslmode")
	if mode == "" {
		mode = a.getenv("PGSSLMODE")
	}
	if slices.Contains([]string{"require", "verify-ca", "verify-full"}, mode) {
		return nil
	}
	for _, others := range []string{parameters.Get("host"), a.getenv("PGHOST")} {
		if len(hosts) == 0 && others != "" {
			hosts = strings.Split(others, ",")
		}
	}
	return slices.DeleteFunc(hosts, func(host string) bool {
		name, err := url.PathUnescape(host)
		return err != nil || name == "" || name[0] == '/' || name[0] == '@' || loopbackHost(name)
	})
}
