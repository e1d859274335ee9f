package issuer

import (
	"context"
	"errors"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// codePrefix is of the door's authorization codes. Those of a door whose tokens are
// rows are no good at any other, where they would be traded for something else than
// was allowed.
func (d *Door) codePrefix() string {
	if d.Format.kept {
		return keptPrefix
	}
	return codePrefix
}

// codeTTL is how long an authorization code can be traded, in seconds.
func (d *Door) codeTTL(ctx context.Context) (int64, error) {
	if !d.Format.kept {
		return CodeTTL, nil
	}
	return d.lifetime(ctx, PropertyCodeExpire, keptCodeTTL)
}

// keptCodeTTL is that of a door whose tokens are rows, unless PropertyCodeExpire says
// otherwise.
const keptCodeTTL = 600

// KeepFor trades a code for an access token that is a row, once, and for a refresh
// token where one is asked for. at is an instant from before the code was read. A
// second use ends what the first one gave (RFC 6749 section 4.1.2).
func (d *Door) KeepFor(ctx context.Context, at int64, t store.Ticket, refresh bool) (Kept, error) {
	if t.State == store.TicketUsed {
		return Kept{}, d.usedTwice(ctx, t)
	}
	k, err := d.keepAllowed(ctx, at, t, refresh, store.UseTicket{ID: t.ID, At: d.issuer.clock.tick()})
	if errors.Is(err, store.ErrConflict) {
		return Kept{}, d.tooLate(ctx, t)
	}
	return k, err
}

// KeepAllowed makes an access token that is a row of what a user has just allowed in
// a browser, without a code in between (RFC 6749 section 4.2). Of t, Client, Scope,
// Subject and AuthAt count; at is an instant from before any of it was read.
func (d *Door) KeepAllowed(ctx context.Context, at int64, t store.Ticket) (Kept, error) {
	t.Tenant, t.CreatedAt = d.Tenant, at
	return d.keepAllowed(ctx, at, t, false)
}

func (d *Door) keepAllowed(ctx context.Context, at int64, t store.Ticket, refresh bool, changes ...store.Command) (Kept, error) {
	if err := d.stillAllowed(ctx, t); err != nil {
		return Kept{}, err
	}
	return d.Keep(ctx, at, store.AccessToken{Subject: t.Subject, Client: t.Client, Scope: t.Scope}, refresh, changes...)
}

// endAllowed voids what a code may have given. The rows do not say of which code they
// came: it is what the user has got at the application since the code was made.
func (d *Door) endAllowed(ctx context.Context, t store.Ticket) error {
	const page = 200
	f := store.AccessTokenFilter{Subjects: []string{t.Subject}, Application: true}
	for after := int64(0); ; {
		rows, err := d.issuer.Store.ListAccessTokens(ctx, d.Tenant, f, after, page)
		if err != nil {
			return unavailable(err)
		}
		for _, row := range rows {
			after = row.Number
			// The clock of the process that made the row may be behind.
			if row.Client != t.Client || row.Door != d.Name || row.CreatedAt < t.CreatedAt-maxAhead {
				continue
			}
			if err := d.EndFamily(ctx, row); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
	}
}

// EndFamily voids an access token that is a row with all that comes of it, though
// it is refreshed meanwhile. That it is gone is no error.
func (d *Door) EndFamily(ctx context.Context, t store.AccessToken) error {
	return d.issuer.apply(ctx, store.DeleteAccessTokens{Tenant: d.Tenant, Family: t.Family})
}
