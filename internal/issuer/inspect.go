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
	User   string   // the subject by its name: a user's, or an application's ID
	Client string   // client_id; empty: no application's
	Expiry int64    // exp in microseconds
	origin []origin // the tokens that were exchanged for it
}

// Thumbprint is of the key that the token is bound to (RFC 9449 section 6.1);
// empty: it is a bearer token.
func (l *Live) Thumbprint() string {
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
	if err == nil {
		return live, nil
	}
	if other := d.issuer.doorOf(d, raw); other != nil {
		return other.judge(ctx, raw)
	}
	return nil, err
}

// doorOf returns the other door of the tenant that issued a token by its own
// word, nil when there is none. The door judges it all the same.
func (i *Issuer) doorOf(asked *Door, raw string) *Door {
	if len(i.doors) < 2 {
		return nil
	}
	t, err := token.Decode(raw)
	if err != nil {
		return nil
	}
	for _, d := range i.doors {
		if d != asked && d.Tenant == asked.Tenant && d.Issuer == t.Claims.Issuer() {
			return d
		}
	}
	return nil
}

// judge is Live for the door's own tokens.
func (d *Door) judge(ctx context.Context, raw string) (*Live, error) {
	keys, err := d.keysNow()
	if err != nil {
		return nil, err
	}
	claims, err := keys.verifier.Verify(ctx, raw)
	if errors.Is(err, token.ErrNotYetValid) && d.follows(raw) {
		claims, err = keys.verifier.Verify(ctx, raw)
	}
	if err != nil {
		return nil, err
	}
	id, ours := d.issuer.unseal(claims.Text(), d.Format.id)
	if !ours {
		return nil, token.Refuse(token.ErrUnknown, "token unknown: its id was not made here")
	}
	if err := d.issuer.Fresh(ctx); err != nil {
		return nil, err
	}
	live := &Live{Claims: claims, ID: id, Door: d}
	live.JTI, _ = claims.String(d.Format.id)
	live.User, _ = claims.String(d.Format.user)
	live.Client, _ = claims.String("client_id")
	if live.Expiry, _, err = claims.NumericDate("exp"); err != nil {
		return nil, err
	}
	if raw, exchanged := claims.Raw("origin"); exchanged {
		if err := json.Unmarshal(raw, &live.origin); err != nil {
			return nil, token.Refuse(token.ErrMalformed, "malformed token: origin cannot be read")
		}
	}
	for _, q := range live.queries() {
		if d.issuer.revocations.Revoked(q) {
			return nil, token.ErrRevoked
		}
	}
	return live, nil
}

// queries ask about the token, and about each that was exchanged for it: by its
// identity and by its application. Its login and its user are the same.
func (l *Live) queries() []verifier.Query {
	list := append(make([]verifier.Query, 0, 1+len(l.origin)), l.query(l.JTI, l.Issuer(), l.Client))
	for _, o := range l.origin {
		list = append(list, l.query(o.JTI, cmp.Or(o.Issuer, l.Issuer()), o.Client))
	}
	return list
}

func (l *Live) query(jti, issuer, client string) verifier.Query {
	q := verifier.Query{
		Identity: token.IdentityOf(issuer, jti), Session: l.ID.Session,
		Tenant: l.Door.Tenant, Subject: store.SubjectKey(l.Door.Tenant, l.User), IssuedAt: l.ID.IssuedAt,
	}
	if client != "" {
		q.Client = store.SubjectKey(l.Door.Tenant, client)
	}
	return q
}
