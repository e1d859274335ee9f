package daemon

import (
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// backendSettings are those of the places where passwords are checked.
func backendSettings() []setting {
	const section = "backend" + namePart
	return []setting{
		{section, "type", "local", false, "local: the users of the store; ldap: a directory, which the keys from url on are about"},
		{section, "tenant", "", false, "the tenant whose users they are (default: every tenant)"},
		{section, "role", "", false, "what who logs in by it must be: admin or auditor (default: anybody)"},
		{section, "policy", "", false, "names of policies that everybody has who logs in by it"},
		{section, "url", "", false, "ldap://HOST:PORT, ldaps://HOST:PORT or ldapi://%2Fpath%2Fof%2Fsocket; of several the next is asked when one does not answer"},
		{section, "bind_dn", "", false, "what the server itself logs in as, to look for people (default: it does not log in)"},
		{section, "bind_password_file", "", false, "file that holds its password"},
		{section, "user_base", "", false, "DN below which people are"},
		{section, "user_filter", "(uid={name})", false, "how a person is found by the name that was typed"},
		{section, "name_attribute", "uid", false, "what holds a person's name"},
		{section, "id_attribute", "entryUUID", false, "what holds a person's ID, which is never another's"},
		{section, "group_base", "", false, "DN below which groups are (default: memberOf alone tells them)"},
		{section, "group_filter", "(|(member={dn})(uniqueMember={dn})(memberUid={name}))", false, "how a person's groups are found"},
		{section, "start_tls", "false", false, "change to TLS on an ldap:// connection, which is refused without it save to this machine"},
		{section, "cacert", "", false, "PEM file of the authorities that vouch for the directory (default: those of the system)"},
		{section, "timeout", "5s", false, "how long a question to it may take"},
		{section, "connections", "4", false, "how many connections to it are kept"},
		{section, "unavailable", "refuse", false, "when it cannot be asked: refuse answers 503, next asks the next backend first"},
		{section, "role_admin", "", false, "DNs of the groups whose members are admin, with ; between them"},
		{section, "role_auditor", "", false, "DNs of the groups whose members are auditor"},
		{section, "policy_NAME", "", false, "DNs of the groups whose members have the policy NAME"},
	}
}

// place is a backend as it is configured.
type place struct {
	server.Backend
	ldap   *backend.LDAPConfig // nil: local
	secret string              // file of its password
	cacert string
}

func (p place) section() string { return "backend " + p.Name }

// places are the backends in the order in which they are asked, and those sections
// that never are.
func (v *values) places() (asked []place, idle []string) {
	known := []string{server.LocalBackend}
	for _, name := range v.names("backend") {
		if name != server.LocalBackend {
			known = append(known, name)
		}
	}
	order := v.order(known)
	found := make(map[string]place)
	for _, name := range known { // also what is not asked must be well said
		found[name] = v.place(name)
		if !slices.Contains(order, name) && slices.Contains(v.sections, found[name].section()) {
			idle = append(idle, name)
		}
	}
	for _, name := range order {
		asked = append(asked, found[name])
	}
	return asked, idle
}

// order is that of [server] backends.
func (v *values) order(known []string) []string {
	list := v.list("server", "backends")
	if len(list) == 0 {
		v.imply("server", "backends", strings.Join(known, ", "))
		return known
	}
	for i, name := range list {
		switch {
		case !slices.Contains(known, name):
			v.refuse("[server] backends names %q, and there is no [backend %s]%s", name, oneLine(name), inifile.DidYouMean(name, known))
		case slices.Contains(list[:i], name):
			v.wrong("server", "backends", "a list that has each once")
		}
	}
	return list
}

// place reads a section, which local need not have.
func (v *values) place(name string) place {
	p := place{Backend: server.Backend{Name: name}}
	section := p.section()
	if !slices.Contains(v.sections, section) {
		return p
	}
	p.Tenant, p.Role, p.Policies = v.text(section, "tenant"), v.text(section, "role"), v.list(section, "policy")
	if !slices.Contains([]string{"", store.RoleAdmin, store.RoleAuditor}, p.Role) {
		v.wrong(section, "role", "admin or auditor")
	}
	switch kind := v.text(section, "type"); {
	case kind == "local":
		v.checkLocal(section)
	case kind != "ldap":
		v.wrong(section, "type", "local or ldap")
	case name == server.LocalBackend:
		v.wrong(section, "type", "possible for local, the users of the store")
	default:
		v.readLDAP(&p)
	}
	return p
}

// checkLocal refuses what only a directory has.
func (v *values) checkLocal(section string) {
	for _, s := range v.settings() {
		both := slices.Contains([]string{"type", "tenant", "role", "policy"}, s.key)
		if s.section == section && !both && v.given[s.name()].source != "default" {
			v.wrong(section, s.key, "for a backend of type local")
		}
	}
}

func (v *values) readLDAP(p *place) {
	section := p.section()
	text := func(key string) string { return v.text(section, key) }
	p.secret, p.cacert = text("bind_password_file"), text("cacert")
	p.Next = text("unavailable") == "next"
	p.ldap = &backend.LDAPConfig{
		URL: strings.ReplaceAll(text("url"), ",", " "), StartTLS: v.flag(section, "start_tls"), BindDN: text("bind_dn"),
		UserBase: text("user_base"), UserFilter: text("user_filter"), NameAttribute: text("name_attribute"), IDAttribute: text("id_attribute"),
		GroupBase: text("group_base"), GroupFilter: text("group_filter"),
		Timeout: v.seconds(section, "timeout"), Connections: v.number(section, "connections"),
		Roles: make(map[string][]string), Policies: make(map[string][]string),
	}
	v.readGroups(p)
	switch {
	case text("url") == "":
		v.refuse("[%s] url is missing, which type = ldap needs", section)
	case slices.ContainsFunc(strings.Fields(p.ldap.URL), func(u string) bool { return !strings.Contains(u, "://") }):
		v.refuse("[%s] url: ldap:// or ldaps:// is missing before an address", section) // which may hold a password
	case text("user_base") == "":
		v.refuse("[%s] user_base is missing, which type = ldap needs", section)
	case p.ldap.BindDN == "" && p.secret != "":
		v.refuse("[%s] bind_dn is missing, to which bind_password_file belongs", section)
	case p.ldap.BindDN != "" && p.secret == "":
		v.refuse("[%s] bind_password_file is missing, which bind_dn needs", section)
	case p.ldap.Timeout == 0:
		v.wrong(section, "timeout", "above 0")
	case p.ldap.Connections == 0:
		v.wrong(section, "connections", "above 0")
	case !p.Next && text("unavailable") != "refuse":
		v.wrong(section, "unavailable", "refuse or next")
	}
}

// readGroups reads what groups give.
func (v *values) readGroups(p *place) {
	for _, s := range v.settings() {
		if s.section != p.section() {
			continue
		}
		groups := splitDNs(v.given[s.name()].text)
		if role, is := strings.CutPrefix(s.key, "role_"); is && len(groups) > 0 {
			p.ldap.Roles[role] = groups
		}
		if policy, is := strings.CutPrefix(s.key, "policy_"); is && len(groups) > 0 {
			p.ldap.Policies[policy] = groups
		}
	}
}

// splitDNs takes DNs apart at each ; that stands for no other (RFC 4514 section 2.4).
func splitDNs(text string) []string {
	var list []string
	escaped, start := false, 0
	add := func(end int) {
		if dn := strings.TrimSpace(text[start:end]); dn != "" {
			list = append(list, dn)
		}
		start = end + 1
	}
	for i := range len(text) {
		if text[i] == ';' && !escaped {
			add(i)
		}
		escaped = text[i] == '\\' && !escaped
	}
	add(len(text))
	return list
}

// openBackends makes ready to ask the backends, which need not be there yet. close
// ends all connections to them.
func (c *config) openBackends(log *slog.Logger) (closeAll func() error, err error) {
	closeAll = func() error {
		var all []error
		for _, b := range c.server.Backends {
			if b.Directory != nil {
				all = append(all, b.Directory.Close())
			}
		}
		return errors.Join(all...)
	}
	for _, p := range c.places {
		if p.ldap != nil {
			directory, err := p.open(log)
			if err != nil {
				return nil, errors.Join(err, closeAll())
			}
			p.Directory = directory
		}
		c.server.Backends = append(c.server.Backends, p.Backend)
	}
	return closeAll, nil
}

// open reads the files of a directory's section.
func (p place) open(log *slog.Logger) (*backend.LDAP, error) {
	config := *p.ldap
	config.Log = log
	if p.secret != "" {
		secret, err := inifile.ReadSecretFile(p.secret)
		if err != nil {
			return nil, p.secretError(err)
		}
		config.BindPassword = token.NewPassword(secret)
	}
	if p.cacert != "" {
		var err error
		if config.CACert, err = os.ReadFile(p.cacert); err != nil {
			return nil, refuse("[%s] cacert: %w", p.section(), err)
		}
	}
	directory, err := backend.NewLDAP(config)
	if err != nil {
		return nil, refuse("[%s] %w", p.section(), err)
	}
	return directory, nil
}

// secretError names the key whose file cannot be read.
func (p place) secretError(err error) error {
	var file *inifile.Error
	if !errors.As(err, &file) {
		return err
	}
	return &inifile.Error{Problem: "[" + p.section() + "] bind_password_file: " + file.Problem, Hint: file.Hint, Cause: file.Cause}
}
