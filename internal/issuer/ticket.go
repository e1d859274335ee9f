package issuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Lifetimes of tickets, in seconds.
const (
	// CodeTTL is how long an authorization code can be traded (RFC 9700 and RFC
	// 6749 section 4.1.2 ask for a short one).
	CodeTTL = 60
	// DeviceTTL is how long a device code can be decided about and traded (RFC 8628
	// section 3.2).
	DeviceTTL = 600
	// ticketKeep is how much longer a ticket that was allowed is remembered, so that
	// a second use is known for one.
	ticketKeep = 86400
)

// NewCode allows a login through an authorization code. Of t, Client, Scope,
// Audience, RedirectURI, Challenge, Nonce, Bound, Subject and AuthAt count.
func (d *Door) NewCode(ctx context.Context, t store.Ticket) (token.Secret, error) {
	ttl, err := d.codeTTL(ctx)
	if err != nil {
		return token.Secret{}, err
	}
	t.Kind, t.State, t.UserCode = store.TicketCode, store.TicketApproved, ""
	t, err = d.newTicket(ctx, t, ttl)
	return d.issuer.handle(d.codePrefix(), t.ID), err
}

// NewDevice begins the login of a device. Of t, Client, Scope, Audience and Bound
// count.
func (d *Door) NewDevice(ctx context.Context, t store.Ticket) (token.Secret, store.Ticket, error) {
	t.Kind, t.State = store.TicketDevice, store.TicketPending
	for {
		t.UserCode = newUserCode()
		made, err := d.newTicket(ctx, t, DeviceTTL)
		if !errors.Is(err, store.ErrExists) { // somebody else has that code to type
			return d.issuer.handle(devicePrefix, made.ID), made, err
		}
	}
}

func (d *Door) newTicket(ctx context.Context, t store.Ticket, ttl int64) (store.Ticket, error) {
	at := d.issuer.clock.tick()
	t.ID, t.Session, t.Tenant = newSessionID(), newSessionID(), d.Tenant
	t.CreatedAt, t.ExpiresAt = at, at+ttl*1_000_000
	t.KeepUntil = t.ExpiresAt
	if t.State == store.TicketApproved { // else there is nothing to use twice, and anybody can have one made
		t.KeepUntil += ticketKeep * 1_000_000
	}
	return t, d.issuer.apply(ctx, store.CreateTicket{Ticket: t})
}

// userLetters are those of a code that a person types: no vowels, so that no
// words come about, and none that look alike (RFC 8628 section 6.1). 20 letters
// and 8 places are 34 bits.
const userLetters = "BCDFGHJKLMNPQRSTVWXZ"

func newUserCode() string {
	var code []byte
	var b [32]byte
	for {
		rand.Read(b[:]) // never fails: it ends the program instead
		for _, c := range b {
			if int(c) < 256/len(userLetters)*len(userLetters) { // else some were likelier
				code = append(code, userLetters[int(c)%len(userLetters)])
			}
			if len(code) == 8 {
				return string(code)
			}
		}
	}
}

// ShowUserCode writes a user code as it is read: WDJB-MJHT.
func ShowUserCode(code string) string {
	if len(code) != 8 {
		return code
	}
	return code[:4] + "-" + code[4:]
}

// ParseUserCode takes a user code as a person types it: in any case, with or
// without what separates (RFC 8628 section 6.1).
func ParseUserCode(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(userLetters, r) {
			return r
		}
		return -1
	}, strings.ToUpper(text))
}

// Code returns the ticket of an authorization code of an application: ErrUnknown
// when there is none.
func (d *Door) Code(ctx context.Context, client string, code token.Secret) (store.Ticket, error) {
	return d.ticket(ctx, d.codePrefix(), client, code)
}

// Device returns the ticket of a device code of an application: ErrUnknown when
// there is none.
func (d *Door) Device(ctx context.Context, client string, code token.Secret) (store.Ticket, error) {
	return d.ticket(ctx, devicePrefix, client, code)
}

func (d *Door) ticket(ctx context.Context, prefix, client string, code token.Secret) (store.Ticket, error) {
	id, ok := d.issuer.parseHandle(prefix, code)
	if !ok {
		return store.Ticket{}, errUnknownCode()
	}
	t, err := d.issuer.Store.Ticket(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && (t.Client != client || t.Tenant != d.Tenant) {
		return t, errUnknownCode()
	}
	return t, unavailable(err)
}

func errUnknownCode() error { return token.Refuse(token.ErrUnknown, "code unknown") }

// DeviceByUserCode returns the ticket that a person has typed the code of, while
// it can be decided about: else ErrUnknown.
func (d *Door) DeviceByUserCode(ctx context.Context, typed string) (store.Ticket, error) {
	t, err := d.issuer.Store.TicketByUserCode(ctx, ParseUserCode(typed))
	gone := t.Tenant != d.Tenant || t.State != store.TicketPending || t.ExpiresAt <= d.issuer.clock.read().UnixMicro()
	if errors.Is(err, store.ErrNotFound) || err == nil && gone {
		return t, errUnknownCode()
	}
	return t, unavailable(err)
}

// Decide allows or denies the login of a device, in the name of a user:
// ErrUnknown when somebody has decided already, or it is too late.
func (d *Door) Decide(ctx context.Context, t store.Ticket, approve bool, subject, scope string, authAt int64) error {
	state, keep := store.TicketDenied, t.ExpiresAt
	if approve {
		state, keep = store.TicketApproved, t.ExpiresAt+ticketKeep*1_000_000
	}
	err := d.issuer.alter(ctx, store.DecideTicket{
		ID: t.ID, State: state, Subject: subject, Scope: scope, AuthAt: authAt, KeepUntil: keep, At: d.issuer.clock.tick(),
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return errUnknownCode()
	}
	return err
}

// Redeem trades a ticket for a login, once. at is an instant from before the
// ticket was read. A second use ends the login that the first one gave (RFC 6749
// section 4.1.2, RFC 9700 section 4.5).
func (d *Door) Redeem(ctx context.Context, at int64, t store.Ticket, o Order) (token.Set, error) {
	if t.State == store.TicketUsed {
		return token.Set{}, d.usedTwice(ctx, t)
	}
	// What voided the user's tokens after the decision voids what was decided.
	if err := d.stillAllowed(ctx, t); err != nil {
		return token.Set{}, err
	}
	o.Session = t.Session
	set, err := d.Issue(ctx, at, o, store.UseTicket{ID: t.ID, At: d.issuer.clock.tick()})
	if errors.Is(err, store.ErrConflict) {
		return token.Set{}, d.tooLate(ctx, t)
	}
	return set, err
}

// tooLate tells why a ticket could not be used: another use was faster, or its time
// is up.
func (d *Door) tooLate(ctx context.Context, t store.Ticket) error {
	now, err := d.issuer.Store.Ticket(ctx, t.ID)
	switch {
	case err != nil:
		return unavailable(err)
	case now.State == store.TicketUsed:
		return d.usedTwice(ctx, t)
	}
	return token.Refuse(token.ErrExpired, "code expired")
}

// stillAllowed refuses a ticket whose user, application or tenant was voided
// after it had been allowed. What the user allowed stands on the login in which it
// was done: a page that was under way while that was voided allowed nothing.
func (d *Door) stillAllowed(ctx context.Context, t store.Ticket) error {
	if err := d.issuer.sync(ctx); err != nil {
		return err
	}
	user := store.Session{ID: t.Session, Tenant: t.Tenant, Subject: t.Subject, CreatedAt: cmp.Or(t.AuthAt, t.CreatedAt)}
	app := store.Session{ID: t.Session, Tenant: t.Tenant, Client: t.Client, CreatedAt: t.CreatedAt}
	if d.issuer.voided(user) || d.issuer.voided(app) {
		return token.Refuse(token.ErrRevoked, "code revoked")
	}
	return nil
}

func (d *Door) usedTwice(ctx context.Context, t store.Ticket) error {
	d.issuer.Log.Warn("a code was used twice: the login is ended", "user", t.Subject, "application", t.Client)
	if err := errors.Join(d.endTraded(ctx, t), d.reused(ctx, t.Subject, t.Client, loginID(t.Session), "")); err != nil {
		return err
	}
	return token.Refuse(token.ErrRevoked, "code used twice: the login has been ended")
}

// endTraded voids what a ticket was traded for.
func (d *Door) endTraded(ctx context.Context, t store.Ticket) error {
	if d.Format.kept {
		return d.endAllowed(ctx, t)
	}
	s := store.Session{ID: t.Session, AccessTTL: d.AccessTTL}
	if d.Format.minted { // its refresh tokens are no row that could be revoked
		s.AccessTTL = max(d.AccessTTL, d.RefreshTTL, d.spans.longest())
	}
	return d.endSession(ctx, s)
}

// Once remembers a value until an instant: ErrReplayed when it is remembered
// already. It may be as long as it likes, begins with what kind it is of, and a colon,
// and is not to be one of sha256.
func (i *Issuer) Once(ctx context.Context, value string, until int64) error {
	if len(value) > longestOnce {
		value = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(value)))
	}
	// Another process, whose clock is ahead, may purge it by that.
	err := i.apply(ctx, store.Once{Value: value, Until: until + maxAhead})
	if errors.Is(err, store.ErrExists) {
		return ErrReplayed
	}
	return err
}

// longestOnce is the longest value that is remembered as it is, in bytes: a store's
// index has a longest entry.
const longestOnce = 255

// ErrReplayed says that what may be used once has been used before.
var ErrReplayed = errors.New("used before")
