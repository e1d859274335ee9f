package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	// keeperPoll is how often a keeper looks at the clock on the wall and at the
	// saved login: a timer for the whole time would stand still while the machine
	// sleeps.
	keeperPoll = 2 * time.Second
	// keeperLead is how long before its end a token is renewed, unless it was told
	// otherwise.
	keeperLead = time.Minute
	// keeperPatience bounds the pause between two tries to renew.
	keeperPatience = 30 * time.Second
)

// keeper keeps the token file of a child fresh.
type keeper struct {
	file  *session.TokenFile
	least time.Duration // that the token in the file is to live; 0: not said
	set   token.Set     // what the file holds
	given []token.Set   // what it has held
	whose string        // the login that all of it belongs to

	fresh func(ctx context.Context, least time.Duration) (token.Set, error)
	login func() (whose string, err error) // without asking the service
	now   func() time.Time
	poll  time.Duration
	tell  func(format string, args ...any)

	due   time.Time // when to renew; zero: never
	tries int       // in vain, since the last token
	gone  bool      // the file is away, for now
}

// errOtherLogin says that somebody else has logged in meanwhile.
var errOtherLogin = token.Refuse(token.ErrRevoked, "another login has been saved in its place")

// keep renews until ctx or the login ends.
func (k *keeper) keep(ctx context.Context) {
	tick := time.NewTicker(k.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := k.look(ctx)
		if ctx.Err() != nil {
			return
		}
		if ended(err) {
			_ = k.file.Remove()
			k.tell("the login has ended: %s; %s is removed", safe(err.Error()), k.file.Path())
			return
		}
		k.bear(err)
	}
}

// look renews the token when that is due.
func (k *keeper) look(ctx context.Context) error {
	// A file that cannot be read for once proves nothing.
	if whose, err := k.login(); errors.Is(err, session.ErrNoLogin) || errors.Is(err, token.ErrExpired) {
		return err
	} else if err == nil && whose != k.whose {
		return errOtherLogin
	}
	if k.due.IsZero() || k.wall().Before(k.due) {
		return nil
	}
	set, err := k.fresh(ctx, k.least)
	if err != nil {
		return err
	}
	if whose, err := k.login(); err == nil && whose != k.whose {
		return errOtherLogin
	}
	if set.AccessToken.Reveal() == k.set.AccessToken.Reveal() && !k.gone {
		return nil // on the very edge; the next look gets another
	}
	k.set = set
	return k.give()
}

// give puts the token into the file.
func (k *keeper) give() error {
	if err := k.file.Write(k.set.AccessToken); err != nil {
		return err
	}
	if k.gone {
		k.tell("%s is back", k.file.Path())
	}
	k.given = append(k.given, k.set)
	k.tries, k.gone, k.due = 0, false, time.Time{}
	if end := k.set.ExpiresAt.Round(0); !end.IsZero() {
		k.due = end.Add(-k.lead(end.Sub(k.wall())))
	}
	return nil
}

// lead is how long before its end a token with that much life left is renewed.
func (k *keeper) lead(left time.Duration) time.Duration {
	if k.least > 0 {
		return k.least
	}
	return min(keeperLead, left/2)
}

// bear waits longer after each failure, and takes a token away that is of no use
// any more.
func (k *keeper) bear(err error) {
	if err == nil {
		return
	}
	k.tries++
	k.due = k.wall().Add(min(time.Second<<min(k.tries, 10), keeperPatience))
	if end := k.set.ExpiresAt.Round(0); !k.gone && !end.IsZero() && !end.After(k.wall()) {
		k.gone = true
		_ = k.file.Remove()
		k.tell("the token has expired and cannot be renewed (%s): %s is removed until it can", safe(err.Error()), k.file.Path())
	}
}

// wall is the time without the monotonic clock, which stands still while the
// machine sleeps.
func (k *keeper) wall() time.Time { return k.now().Round(0) }

// revoke voids, the newest first, every token that was given and has not
// expired.
func (k *keeper) revoke(ctx context.Context, void func(context.Context, token.Secret) error) error {
	var all error
	for i := len(k.given) - 1; i >= 0; i-- {
		set := k.given[i]
		if !set.ExpiresAt.IsZero() && !set.ExpiresAt.After(k.now()) {
			continue
		}
		if err := void(ctx, set.AccessToken); err != nil && !ended(err) {
			all = errors.Join(all, fmt.Errorf("revoke: %w", err))
		}
	}
	return all
}

// ended reports whether an error says that a login is over for good.
func ended(err error) bool {
	for _, kind := range []error{
		session.ErrNoLogin, token.ErrRevoked, token.ErrUnknown, token.ErrExpired, token.ErrCredentials, token.ErrDenied,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
