package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// LDAPConfig says where an LDAP directory is and how it is asked.
type LDAPConfig struct {
	// URL is required: ldap://host:port, ldaps://host:port or ldapi://%2Fpath%2Fto%2Fsocket;
	// of several, with spaces between them, the next is asked when one does not answer.
	// ldap:// needs StartTLS, save to this machine itself (localhost, 127.0.0.0/8, ::1):
	// passwords would travel in clear.
	URL string
	// StartTLS makes ldap:// connections change to TLS before anything else is said
	// (RFC 4511 section 4.14). It does not go with ldaps:// and ldapi://.
	StartTLS bool
	// CACert holds the certificates, in PEM, of the authorities that vouch for the
	// directory. Default: those of the system. The directory's certificate is always
	// checked, against the URL's host.
	CACert []byte

	// BindDN and BindPassword are the service's own login, by which it looks for people
	// and groups. Default: none, the directory is read by anybody.
	BindDN       string
	BindPassword token.Secret

	// UserBase is required: the DN of the subtree where people are.
	UserBase string
	// UserFilter finds a person (RFC 4515); every {name} is replaced by the name that
	// was typed, escaped. Default "(uid={name})".
	UserFilter string
	// NameAttribute holds the canonical name. Default "uid". Of several values that in
	// the entry's own DN counts, else the first in alphabetical order: whoever has
	// several names is one person.
	NameAttribute string
	// IDAttribute holds what never changes; an entry without it is a fault of the
	// configuration, and token.ErrUnavailable. Default "entryUUID". The 16 bytes of an
	// objectGUID are read in Microsoft's order of bytes. "dn" is the DN itself, for
	// directories that have nothing better.
	IDAttribute string

	// GroupBase is the DN of the subtree where groups are searched for, besides those
	// that the person's memberOf attribute names. Default: memberOf alone counts.
	GroupBase string
	// GroupFilter finds somebody's groups: {dn} is replaced by the person's DN and {name}
	// by the canonical name, both escaped.
	// Default "(|(member={dn})(uniqueMember={dn})(memberUid={name}))".
	GroupFilter string
	// Roles and Policies tell what membership gives: by the name of a role or a policy,
	// the DNs of groups. With neither, groups are not asked for.
	Roles, Policies map[string][]string

	// Timeout bounds the whole of one Find or Verify, in seconds: waiting for a free
	// connection, connecting, TLS and every answer. With several URLs each has its share
	// of what is left. Default 5, at most 3600.
	Timeout int64
	// Connections is how many people are asked for at a time; others wait. As many
	// connections are kept, bound as BindDN. Default 4, at most 1000.
	Connections int

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default: nothing is logged
}

// Defaults of LDAPConfig.
const (
	defaultUserFilter    = "(uid={name})"
	defaultNameAttribute = "uid"
	defaultIDAttribute   = "entryUUID"
	defaultGroupFilter   = "(|(member={dn})(uniqueMember={dn})(memberUid={name}))"
	defaultTimeout       = 5
	defaultConnections   = 4
)

// maxName is the length of the longest name that is asked for, in bytes.
const maxName = 255

// LDAP is a Directory that is asked by LDAP, version 3 (RFC 4511).
type LDAP struct {
	LDAPConfig
	timeout         time.Duration
	servers         []*server
	roles, policies []grant

	slots  chan struct{} // one is held while somebody is asked for
	closed chan struct{}
	close  sync.Once

	mu   sync.Mutex
	kept []*conn // bound as BindDN, the one used last at the end; under mu
}

// Find looks up who has that name by one search under UserBase.
func (l *LDAP) Find(ctx context.Context, name string) (Person, error) {
	if !usableName(name) {
		return Person{}, token.ErrUnknown
	}
	var entries []*ldap.Entry
	err := l.within(ctx, func(ctx context.Context) error {
		return l.asService(ctx, func(ctx context.Context, c *conn) (err error) {
			entries, err = l.searchUsers(ctx, c, name)
			return err
		})
	})
	switch {
	case err != nil:
		return Person{}, err
	case len(entries) == 0:
		return Person{}, token.ErrUnknown
	case len(entries) > 1:
		l.Log.Warn("more than one entry of the directory has a name: nobody can log in by it",
			"name", name, "dn", entries[0].DN, "other_dn", entries[1].DN)
		return Person{}, token.ErrUnknown
	}
	return l.person(entries[0])
}

// usableName reports whether anybody can have that name.
func usableName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.Contains(name, "\x00")
}

// searchUsers returns at most two entries that have the name: none and one are what
// is wanted, two are too many.
func (l *LDAP) searchUsers(ctx context.Context, c *conn, name string) ([]*ldap.Entry, error) {
	request := searchRequest(ctx, l.UserBase, ldap.ScopeWholeSubtree, l.userFilter(name), l.NameAttribute, l.IDAttribute)
	request.SizeLimit, request.EnforceSizeLimit = 2, true
	found, err := c.search(ctx, request)
	limited := errors.Is(err, ldap.ErrSizeLimitExceeded) || ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded)
	if limited && found != nil && len(found.Entries) == 2 {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("search under %s: %w", l.UserBase, err)
	}
	return found.Entries, nil
}

func (l *LDAP) userFilter(name string) string {
	return strings.ReplaceAll(l.UserFilter, "{name}", ldap.EscapeFilter(name))
}

// person is who an entry is about.
func (l *LDAP) person(e *ldap.Entry) (Person, error) {
	name := canonical(l.NameAttribute, e)
	if e.DN == "" || !usableName(name) {
		l.Log.Warn("an entry of the directory has no usable name: nobody can log in by it",
			"dn", e.DN, "attribute", l.NameAttribute)
		return Person{}, token.ErrUnknown
	}
	id := entryID(l.IDAttribute, e)
	if id == "" {
		l.Log.Error("an entry of the directory does not have what nobody else ever has: nobody can log in",
			"dn", e.DN, "id_attribute", l.IDAttribute)
		return Person{}, unavailable(fmt.Errorf("%s has no %s", e.DN, l.IDAttribute))
	}
	return Person{Name: name, ID: l.IDAttribute + "=" + id, DN: e.DN}, nil
}

// canonical is the one name of an entry, by whichever it was found.
func canonical(attribute string, e *ldap.Entry) string {
	values := e.GetEqualFoldAttributeValues(attribute)
	if dn, err := ldap.ParseDN(e.DN); err == nil && len(dn.RDNs) > 0 {
		for _, own := range dn.RDNs[0].Attributes {
			if strings.EqualFold(own.Type, attribute) && slices.Contains(values, own.Value) {
				return own.Value
			}
		}
	}
	slices.Sort(values)
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// entryID writes what an entry is called for good as text; empty: it does not say.
func entryID(attribute string, e *ldap.Entry) string {
	if strings.EqualFold(attribute, "dn") {
		return e.DN
	}
	b := e.GetEqualFoldRawAttributeValue(attribute)
	switch {
	case strings.EqualFold(attribute, "objectGUID") && len(b) == 16:
		// The first three fields are little-endian: [MS-DTYP] section 2.3.4.2.
		return fmt.Sprintf("%x-%x-%x-%x-%x", []byte{b[3], b[2], b[1], b[0]}, []byte{b[5], b[4]}, []byte{b[7], b[6]}, b[8:10], b[10:])
	case !utf8.Valid(b):
		return fmt.Sprintf("%x", b)
	}
	return string(b)
}

// Groups asks for the groups as the service.
func (l *LDAP) Groups(ctx context.Context, p Person) (Person, error) {
	err := l.within(ctx, func(ctx context.Context) error { return l.addGroups(ctx, &p) })
	if err != nil {
		return Person{}, err
	}
	return p, nil
}

func (l *LDAP) addGroups(ctx context.Context, p *Person) error {
	groups, err := l.groups(ctx, *p)
	p.Roles, p.Policies = given(l.roles, groups), given(l.policies, groups)
	return err
}

// Verify binds as the person on a connection made for that alone, then asks for the
// groups as the service. A password that is empty or holds a NUL is not sent:
// directories take it for nobody's, and say yes (RFC 4513 section 5.1.2).
func (l *LDAP) Verify(ctx context.Context, p Person, password token.Secret) (Person, error) {
	if p.DN == "" || password.IsZero() || strings.Contains(password.Reveal(), "\x00") {
		return Person{}, token.ErrCredentials
	}
	err := l.within(ctx, func(ctx context.Context) error {
		if err := l.bindAs(ctx, p, password); err != nil {
			return err
		}
		return l.addGroups(ctx, &p)
	})
	if err != nil {
		return Person{}, err
	}
	return p, nil
}

// bindAs returns nil when the password is the person's.
func (l *LDAP) bindAs(ctx context.Context, p Person, password token.Secret) error {
	var refused bool
	err := l.inTurn(ctx, func(ctx context.Context, s *server) error {
		c, err := l.dial(ctx, s)
		if err != nil {
			return err
		}
		err = c.bind(ctx, p.DN, password)
		if refused = l.refused(p, err); err == nil || refused {
			c.leave()
			return nil
		}
		c.abort()
		return fmt.Errorf("bind as a user: %w", err)
	})
	if err == nil && refused {
		return token.ErrCredentials
	}
	return err
}

// refused reports whether the answer to somebody's bind is a clear no.
func (l *LDAP) refused(p Person, err error) bool {
	var answer *ldap.Error
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.ResultCode {
	case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject:
		return true
	case ldap.LDAPResultUnwillingToPerform, ldap.LDAPResultConstraintViolation,
		ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultInappropriateAuthentication:
		// What directories say of accounts that are locked, expired or without a password.
		l.Log.Warn("the directory does not let somebody log in", "dn", p.DN, "error", err)
		return true
	}
	return false
}

// within runs what asks the directory: in one of the slots, within the timeout.
// What it returns is nil, token.ErrCredentials or token.ErrUnavailable.
func (l *LDAP) within(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
		defer func() { <-l.slots }()
	case <-l.closed:
		return unavailable(errors.New("it was closed"))
	case <-ctx.Done():
		return unavailable(fmt.Errorf("wait for a free connection: %w", ctx.Err()))
	}
	return unavailable(ask(ctx))
}

// unavailable is the refusal for all that is neither a yes nor a clear no.
func unavailable(err error) error {
	if err == nil || errors.Is(err, token.ErrCredentials) {
		return err
	}
	return fmt.Errorf("%w: directory: %w", token.ErrUnavailable, err)
}

// Close waits for what is being asked, no longer than the timeout lasts, and ends all
// connections.
func (l *LDAP) Close() error {
	l.close.Do(func() {
		close(l.closed)
		for range cap(l.slots) {
			l.slots <- struct{}{}
		}
		for c := l.take(); c != nil; c = l.take() {
			c.leave()
		}
	})
	return nil
}
