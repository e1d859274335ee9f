package issuer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Live is a token that is honoured at this moment.
type Live struct {
	*token.Claims
	ID     token.ID // session and instant of issue
	Door   *Door    // that issued it
	JTI    string   // the id as it stands in the token
	User   string   // the subject by its name: a user's, an application's ID, or what ServiceSubject makes of a service's
	Client string   // client_id; empty: no application's
	Expiry int64    // exp in microseconds
	origin []origin // the tokens that were exchanged for it
	minted *minted  // what it says besides, where the door's tokens are minted
	// Row is what is kept of the token; nil: nothing is.
	Row *store.AccessToken
	// Pass is what an opaque token allows; nil: it is none.
	Pass *Pass
}

// Thumbprint is of the key that the token is bound to (RFC 9449 section 6.1);
// empty: it is a bearer token.
func (l *Live) Thumbprint() string {
	if l.minted != nil { // cnf there is whatever a service made of it
		return ""
	}
	if raw, ok := l.Raw("cnf"); ok {
		if cnf, err := token.ParseObject(string(raw)); err == nil {
			jkt, _ := cnf.String("jkt")
			return jkt
		}
	}
	return ""
}

// IsExchanged tells that the token was given for another one.
func (l *Live) IsExchanged() bool { return len(l.origin) > 0 }

// Inspect returns the claims of a token that is honoured at this moment,
// whatever door of the tenant it came in by.
func (d *Door) Inspect(ctx context.Context, raw string) (*token.Claims, error) {
	live, err := d.Live(ctx, raw)
	if err != nil {
		return nil, err
	}
	return live.Claims, nil
}

// Live is Inspect with what the service knows beyond the claims.
func (d *Door) Live(ctx context.Context, raw string) (*Live, error) {
	live, err := d.judge(ctx, raw)
	if err != nil {
		other := d.issuer.doorOf(d, raw)
		if other == nil {
			return nil, err
		}
		if live, err = other.judge(ctx, raw); err == nil {
			err = live.keepToItself()
		}
	}
	if err == nil {
		d.issuer.Recorder.Caller(ctx, d.Tenant, live.User)
	}
	return live, err
}

// doorOf returns the other door of the tenant that issued a token by its own
// word, nil when there is none. The door judges it all the same.
func (i *Issuer) doorOf(asked *Door, raw string) *Door {
	t, err := token.Decode(raw)
	for d := range i.allDoors() {
		switch {
		case d == asked || d.Tenant != asked.Tenant:
		case err != nil && d.Format.opaque && isUUID(raw):
			return d
		case err == nil && !d.keyless() && d.Issuer == t.Claims.Issuer():
			return d
		case err != nil && d.Format.kept:
			if _, _, ours := i.parseKept(d, keptAccess, raw); ours {
				return d
			}
		}
	}
	return nil
}

// judge is Live for the door's own tokens.
func (d *Door) judge(ctx context.Context, raw string) (*Live, error) {
	switch {
	case d.Format.minted:
		return d.judgeMinted(ctx, raw)
	case d.Format.kept:
		return d.judgeKept(ctx, raw)
	case d.Format.opaque:
		return d.judgeOpaque(ctx, raw)
	}
	claims, err := d.verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	id, ours := d.issuer.unseal(claims.Text(), d.Format.id)
	if !ours {
		return nil, token.Refuse(token.ErrUnknown, "token unknown: its id was not made here")
	}
	live := &Live{Claims: claims, ID: id, Door: d}
	live.JTI, _ = claims.String(d.Format.id)
	live.User, _ = claims.String(d.Format.user)
	live.Client, _ = claims.String(d.Format.client)
	if raw, exchanged := claims.Raw("origin"); exchanged {
		if err := json.Unmarshal(raw, &live.origin); err != nil {
			return nil, token.Refuse(token.ErrMalformed, "malformed token: origin cannot be read")
		}
	}
	if err := live.honoured(ctx); err != nil {
		return nil, err
	}
	return live, nil
}

// verify judges what a token says and who signed it, not whether it is void.
func (d *Door) verify(ctx context.Context, raw string) (*token.Claims, error) {
	keys, err := d.keysNow()
	if err != nil {
		return nil, err
	}
	claims, err := keys.verifier.Verify(ctx, raw)
	if errors.Is(err, token.ErrNotYetValid) && d.follows(raw) {
		claims, err = keys.verifier.Verify(ctx, raw)
	}
	return claims, err
}

// honoured tells why a genuine token is void, if it is.
func (l *Live) honoured(ctx context.Context) (err error) {
	if err := l.Door.issuer.Fresh(ctx); err != nil {
		return err
	}
	if l.Expiry, _, err = l.NumericDate("exp"); err != nil {
		return err
	}
	for _, q := range l.queries() {
		if l.Door.issuer.revocations.Revoked(q) {
			return token.ErrRevoked
		}
	}
	return nil
}

// Still tells why a token that was honoured is not any more, if it is not.
func (l *Live) Still(ctx context.Context) error {
	if l.Door.issuer.clock.read().UnixMicro() >= l.Expiry {
		return token.ErrExpired
	}
	return l.honoured(ctx)
}

// queries ask about the token, and about each that was exchanged for it: by its
// identity and by its application. Its login and its user are the same.
func (l *Live) queries() []verifier.Query {
	list := append(make([]verifier.Query, 0, 1+len(l.origin)), l.query(l.identity(), l.Client))
	for _, o := range l.origin {
		list = append(list, l.query(token.IdentityOf(cmp.Or(o.Issuer, l.Issuer()), o.JTI), o.Client))
	}
	return list
}

// identity names the token for revocation.
func (l *Live) identity() [16]byte {
	if l.minted != nil {
		return l.minted.identity
	}
	return token.IdentityOf(l.Issuer(), l.JTI)
}

func (l *Live) query(identity [16]byte, client string) verifier.Query {
	q := verifier.Query{
		Identity: identity, Session: l.ID.Session,
		Tenant: l.Door.Tenant, Subject: store.SubjectKey(l.Door.Tenant, l.User), IssuedAt: l.ID.IssuedAt,
	}
	if client != "" {
		q.Client = store.SubjectKey(l.Door.Tenant, client)
	}
	return q
}
