package issuer

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Event is something that happened and that somebody may ask about later. No field
// ever holds a password, a token or a secret.
type Event struct {
	Name    string // one of the Event names
	Outcome string // one of the Outcomes
	Reason  string // why it was refused; a word
	Door    string // through which; empty: none
	Tenant  string
	User    string // whom it is about: a name, or what ServiceSubject makes of a service account's
	Client  string // the application; empty: none
	Login   string // ID of the login in hex, the same in all that comes of it
	Token   string // identity of the token in hex, or its number
	Target  string // what was changed, where that is neither user nor application
	Backend string // that checked the password
	// Sum is what the name that was typed comes to under a key, where there is no user
	// of that name: people type passwords there.
	Sum string
	// Done: it is in the store, or what it was done for is used up. That it cannot be
	// written down undoes nothing.
	Done bool
}

// Names of events. Those of changes that an administrator makes are in changeOf.
const (
	EventLogin   = "login"         // a password was checked
	EventIssue   = "token.issue"   // an access token, with or without a refresh token
	EventRefresh = "token.refresh" // an access token was given for a refresh token
	EventReuse   = "token.reuse"   // a refresh token or a code was used twice: its login is ended
	EventRevoke  = "token.revoke"  // one token, with what comes of it
	EventLogout  = "login.revoke"  // a login with all its tokens
	EventVoid    = "revoke.all"    // all that somebody was issued until then
	EventDenied  = "denied"        // somebody who is known may not do that; Target is what
)

// Outcomes of an Event.
const (
	OutcomeSuccess     = "success"
	OutcomeRefused     = "refused"
	OutcomeThrottled   = "throttled"   // nothing was looked at
	OutcomeUnavailable = "unavailable" // it could not be decided
)

// Recorder is told what happens.
type Recorder interface {
	// Record writes an event down, of which the context may know more. It is called
	// when what happened is durable, and before it is answered: with an error nobody
	// is told that it was done. ErrUnwritten: it is kept, and written down later.
	Record(ctx context.Context, e Event) error
	// Ready tells why no event can be written down at this moment. It is asked before
	// anything is changed, so it must be quick while all is well.
	Ready(ctx context.Context) error
	// Caller is told who has proved to be the one who asks. It must be quick.
	Caller(ctx context.Context, tenant, user string)
}

// ErrUnwritten says of what was done that it could not be written down.
var ErrUnwritten = errors.New("it was done, but could not be written down")

// silent is the Recorder of an issuer without one.
type silent struct{}

func (silent) Record(context.Context, Event) error    { return nil }
func (silent) Ready(context.Context) error            { return nil }
func (silent) Caller(context.Context, string, string) {}

// recordable refuses what could not be written down, before anything is changed by it.
func (i *Issuer) recordable(ctx context.Context) error {
	if err := i.Recorder.Ready(ctx); err != nil {
		return fmt.Errorf("%w: %w", token.ErrUnavailable, err)
	}
	return nil
}

func (i *Issuer) record(ctx context.Context, e Event) error {
	if e.Outcome == "" {
		e.Outcome = OutcomeSuccess
	}
	err := i.Recorder.Record(ctx, e)
	switch {
	case errors.Is(err, ErrUnwritten):
		return &unwritten{err}
	case err != nil:
		return fmt.Errorf("%w: %w", token.ErrUnavailable, err)
	}
	return nil
}

// unwritten is ErrUnavailable to whoever asked, and says in the log what it is.
type unwritten struct{ err error }

func (u *unwritten) Error() string   { return u.err.Error() }
func (u *unwritten) Unwrap() []error { return []error{token.ErrUnavailable, u.err} }

// recorded is what was issued, once that is written down.
func (d *Door) recorded(ctx context.Context, name string, g grant, set token.Set, err error) (token.Set, error) {
	if err != nil {
		return set, err
	}
	subject := g.Subject
	if g.mint != nil && g.mint.Service {
		subject = ServiceSubject(subject)
	}
	e := Event{Name: name, Door: d.Name, Tenant: d.Tenant, User: subject, Client: g.Client, Login: loginID(g.ID), Done: g.spent}
	if err := d.gave(ctx, e); err != nil {
		return token.Set{}, err
	}
	return set, nil
}

// gave writes down that a token was given. Who has a refresh token has proved who it
// is. What was used up for a token is gone: it is given though the event is written
// down later. recordable was asked before, so that this is of the one moment in which
// that ceased to work.
func (d *Door) gave(ctx context.Context, e Event) error {
	if e.Name == EventRefresh {
		d.issuer.Recorder.Caller(ctx, e.Tenant, e.User)
		e.Done = true
	}
	err := d.issuer.record(ctx, e)
	if errors.Is(err, ErrUnwritten) {
		return nil
	}
	return err
}

// refusedRefresh writes down that a refresh token was refused which this service has
// made once. Anybody can make up others: of those nothing is written.
func (d *Door) refusedRefresh(ctx context.Context, e Event, err error) error {
	switch {
	case errors.Is(err, token.ErrRevoked):
		e.Reason = "revoked"
	case errors.Is(err, token.ErrExpired):
		e.Reason = "expired"
	case errors.Is(err, token.ErrUnknown):
		e.Reason = "unknown"
	default:
		return err
	}
	e.Name, e.Outcome, e.Door, e.Tenant = EventRefresh, OutcomeRefused, d.Name, d.Tenant
	_ = d.issuer.record(ctx, e) // it is refused in any case
	return err
}

// identityOf is a token's identity in hex; empty where it is none.
func identityOf(raw string) string {
	t, err := token.Decode(raw)
	if err != nil {
		return ""
	}
	identity := t.Identity()
	return hex.EncodeToString(identity[:])
}

func loginID(id store.ID) string {
	if id == (store.ID{}) {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// recordLogin writes down how a password was judged. known is the user's name, or
// empty where there is none of that name or nobody has looked.
func (i *Issuer) recordLogin(ctx context.Context, e Event, typed string, err error) error {
	e.Name = EventLogin
	switch {
	case err == nil:
		i.Recorder.Caller(ctx, e.Tenant, e.User)
	case errors.Is(err, token.ErrCredentials):
		e.Outcome, e.Reason = OutcomeRefused, "credentials"
	case errors.Is(err, token.ErrThrottled):
		e.Outcome, e.Reason = OutcomeThrottled, "throttled"
	case errors.Is(err, token.ErrUnavailable):
		e.Outcome, e.Reason = OutcomeUnavailable, "unavailable"
	default:
		e.Outcome, e.Reason = OutcomeUnavailable, "error"
	}
	if e.User == "" {
		e.Sum = i.mark("typed:", e.Tenant+"\x00"+typed)[:16]
	}
	if written := i.record(ctx, e); err == nil {
		err = written
	}
	return err
}

// reused writes down that something was used twice.
func (d *Door) reused(ctx context.Context, user, client, login, row string) error {
	return d.issuer.record(ctx, Event{
		Name: EventReuse, Outcome: OutcomeRefused, Reason: "used twice",
		Door: d.Name, Tenant: d.Tenant, User: user, Client: client, Login: login, Token: row,
	})
}

// keptRecorded is a row's values, once that is written down.
func (d *Door) keptRecorded(ctx context.Context, name string, k Kept, spent bool) (Kept, error) {
	e := Event{Name: name, Door: d.Name, Tenant: d.Tenant, User: k.Subject, Client: k.Client, Token: strconv.FormatInt(k.Family, 10), Done: spent}
	if err := d.gave(ctx, e); err != nil {
		return Kept{}, err
	}
	return k, nil
}

// opaqueRecorded is an opaque token, once that is written down.
func (d *Door) opaqueRecorded(ctx context.Context, name string, o Opaque) (Opaque, error) {
	e := Event{Name: name, Door: d.Name, Tenant: d.Tenant, User: o.Subject, Login: loginID(o.ID)}
	if err := d.gave(ctx, e); err != nil {
		return Opaque{}, err
	}
	return o, nil
}
