package issuer

import (
	"context"
	"errors"
	"hash"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// FormatWazo is that of wazo-auth: an access token is a UUID, which says nothing
// itself. Its session is found by a MAC of it, so that nobody who reads the store
// can use one.
func FormatWazo() Format {
	return Format{opaque: true, id: "jti", user: "sub", client: "client_id", claims: opaqueClaims}
}

// opaqueClaims is what others are told of such a token.
func opaqueClaims(d *Door, g grant) []byte {
	b := appendString([]byte(`{"iss":`), d.Issuer)
	b = appendString(append(b, `,"sub":`...), g.Subject)
	if g.Opaque != nil && len(g.Opaque.ACL) > 0 { // no scope: a denial in it would read as a permission
		b = appendJSON(append(b, `,"acl":`...), g.Opaque.ACL)
	}
	return append(appendTimes(b, g), '}')
}

// MaxOpaque is how many opaque tokens a user has at a time, at most, and for how many
// clients refresh tokens.
const MaxOpaque = 100

// ErrTooMany says that a user has MaxOpaque tokens.
var ErrTooMany = errors.New("too many sessions")

// TooManyError is ErrTooMany of the user of that UUID.
type TooManyError struct{ UUID string }

func (e *TooManyError) Error() string { return "user " + e.UUID + ": " + ErrTooMany.Error() }

// Unwrap returns ErrTooMany.
func (*TooManyError) Unwrap() error { return ErrTooMany }

// OpaqueOrder says what opaque token is to be made, once it is clear that it may be.
type OpaqueOrder struct {
	User    store.User
	Backend Backend // by which the user proved who it is
	TTL     int64   // seconds; 0: the door's own
	Source  string  // the address that asks
	Agent   string  // what its program calls itself
	Mobile  bool
	// Offline, unless empty, asks for a refresh token of the client that calls itself
	// so.
	Offline string
}

// Opaque is an opaque token with its session.
type Opaque struct {
	store.Session
	Access  token.Secret
	Refresh token.Secret // zero: there is none
}

// IssueOpaque makes an opaque token as of an instant: ErrTooMany. What it allows is
// what the policies and the user's own list say at this moment.
func (d *Door) IssueOpaque(ctx context.Context, at int64, o OpaqueOrder) (Opaque, error) {
	refresh, changes, err := d.offline(ctx, at, o)
	if err != nil {
		return Opaque{}, err
	}
	made, err := d.issueOpaque(ctx, at, o, changes...)
	if errors.Is(err, store.ErrExists) { // the same client has got its refresh token meanwhile
		if refresh, changes, err = d.offline(ctx, at, o); err == nil {
			made, err = d.issueOpaque(ctx, at, o, changes...)
		}
	}
	if err != nil {
		return Opaque{}, err
	}
	made.Refresh = refresh
	return d.opaqueRecorded(ctx, EventIssue, made)
}

func (d *Door) issueOpaque(ctx context.Context, at int64, o OpaqueOrder, changes ...store.Command) (Opaque, error) {
	list, err := d.issuer.rights(ctx, o.User, o.Backend)
	if err != nil {
		return Opaque{}, err
	}
	ttl := o.TTL
	if ttl == 0 {
		ttl = d.AccessTTL
	}
	made := Opaque{Access: token.NewSecret(randomUUID())}
	made.Session = store.Session{
		Accessor: timeUUID(at), Tenant: d.Tenant, Subject: o.User.Name, Door: d.Name, Device: o.Agent,
		CreatedAt: at, LastUsedAt: at, AccessTTL: ttl, ExpiresAt: at + min(ttl, maxTTL)*1_000_000,
		Opaque: &store.Opaque{UUID: d.issuer.UserUUID(o.User), ACL: list, Source: o.Source, Mobile: o.Mobile},
	}
	made.ID, _ = d.opaqueID(made.Access.Reveal())
	err = d.issuer.alter(ctx, append(changes, store.CreateSession{Session: made.Session, Most: MaxOpaque})...)
	switch {
	case errors.Is(err, store.ErrConflict):
		return Opaque{}, &TooManyError{made.Opaque.UUID}
	case errors.Is(err, store.ErrNotFound): // the user has just gone
		return Opaque{}, token.ErrCredentials
	case err != nil:
		return Opaque{}, err
	}
	if d.issuer.voided(made.Session) { // before it was made: it is not to count among the user's
		err = d.endSession(context.WithoutCancel(ctx), made.Session)
	}
	return made, err
}

// opaqueID is the ID of the session of a token; false for what cannot be one.
func (d *Door) opaqueID(raw string) (id store.ID, ok bool) {
	if !isUUID(raw) {
		return id, false
	}
	return d.found("opaque access", raw), true
}

// found is what a record is found by whose value is not kept.
func (d *Door) found(kind, value string) (id store.ID) {
	d.issuer.refreshMAC.with(func(mac hash.Hash) {
		mac.Reset()
		mac.Write([]byte(kind + "\x00" + d.Name + "\x00" + d.Tenant + "\x00" + value))
		copy(id[:], mac.Sum(nil))
	})
	return id
}

// judgeOpaque is Live for opaque tokens.
func (d *Door) judgeOpaque(ctx context.Context, raw string) (*Live, error) {
	pass, err := d.Check(ctx, raw)
	if err != nil {
		return nil, err
	}
	s, err := d.OpaqueSession(ctx, pass)
	if err != nil {
		return nil, err
	}
	claims, err := token.ParseClaims(string(opaqueClaims(d, grant{Session: s, at: s.CreatedAt, end: s.ExpiresAt})))
	if err != nil {
		return nil, err
	}
	return &Live{
		Claims: claims, Door: d, User: s.Subject, Expiry: s.ExpiresAt, Pass: pass,
		ID: token.ID{Session: s.ID, IssuedAt: s.CreatedAt},
	}, nil
}

// OpaqueSession returns the session of a token that was checked just now:
// ErrUnknown when it is gone since.
func (d *Door) OpaqueSession(ctx context.Context, p *Pass) (store.Session, error) {
	s, err := d.issuer.Store.Session(ctx, p.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Opaque == nil {
		return s, errUnknownToken()
	}
	return s, unavailable(err)
}

func errUnknownToken() error { return token.Refuse(token.ErrUnknown, "token unknown") }

// EndOpaque ends a token with its session. That it is not honoured is no error, and
// nothing is written then.
func (d *Door) EndOpaque(ctx context.Context, raw string) error {
	pass, err := d.Check(ctx, raw)
	switch {
	case errors.Is(err, token.ErrUnavailable):
		return err
	case err != nil:
		return nil
	}
	s, err := d.OpaqueSession(ctx, pass)
	switch {
	case errors.Is(err, token.ErrUnknown):
		return nil
	case err != nil:
		return err
	}
	return d.endSession(ctx, s)
}

// OpaqueSessions returns the sessions that there are at this moment, of a user or,
// where that is empty, of everybody, by accessor, and how many there are.
func (d *Door) OpaqueSessions(ctx context.Context, user string, offset, limit int) (list []store.Session, total int64, err error) {
	q := store.OpaqueQuery{Subject: user, At: d.issuer.clock.read().UnixMicro(), Offset: offset, Limit: limit}
	if list, err = d.issuer.Store.ListOpaque(ctx, d.Tenant, q); err != nil {
		return nil, 0, unavailable(err)
	}
	total, err = d.issuer.Store.CountOpaque(ctx, d.Tenant, q)
	return list, total, unavailable(err)
}

// followOpaque makes the next watermark later than the opaque tokens of a user that
// there are, though the clock was set back since, or another process is ahead.
func (i *Issuer) followOpaque(ctx context.Context, tenant, user string) error {
	q := store.OpaqueQuery{Subject: user, At: i.clock.read().UnixMicro(), Limit: MaxOpaque}
	list, err := i.Store.ListOpaque(ctx, tenant, q)
	for _, s := range list {
		i.clock.follow(s.CreatedAt)
	}
	return unavailable(err)
}

// endAllOpaque marks all opaque sessions of a tenant that a watermark has voided, so
// that they do not count among their users' any more, a batch at a time.
func (i *Issuer) endAllOpaque(ctx context.Context, tenant string) error {
	for {
		at := i.clock.tick()
		list, err := i.Store.ListOpaque(ctx, tenant, store.OpaqueQuery{At: at, Limit: purgeBatch})
		if err != nil || len(list) == 0 {
			return unavailable(err)
		}
		rows := make([]store.Command, len(list))
		for n, s := range list {
			i.clock.follow(s.CreatedAt)
			rows[n] = store.RevokeSessions{ID: s.ID, At: at}
		}
		if err := i.apply(ctx, rows...); err != nil {
			return err
		}
	}
}

// TenantUUID is what clients that know tenants by UUIDs call the door's.
func (d *Door) TenantUUID() string { return d.issuer.uuid("tenant", d.Tenant) }
