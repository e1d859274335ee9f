package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// RunModel lets random operations loose on a store and on a model of it, and
// checks that both give the same answers and hold the same records. open and
// model give new, empty stores; RunModel closes them.
func RunModel(t *testing.T, open, model func(t *testing.T) store.Store) {
	rapid.Check(t, func(r *rapid.T) {
		pair := pair{t: t, r: r, tested: open(t), model: model(t)}
		defer pair.close()
		r.Repeat(map[string]func(*rapid.T){
			"apply": func(r *rapid.T) { pair.apply(rapid.SliceOfN(command(), 1, 4).Draw(r, "commands")) },
			"":      func(r *rapid.T) { pair.compare() },
		})
	})
}

type pair struct {
	t             *testing.T
	r             *rapid.T
	tested, model store.Store
}

func (p pair) close() {
	if err := errors.Join(p.tested.Close(), p.model.Close()); err != nil {
		p.r.Error(err)
	}
}

func (p pair) apply(commands []store.Command) {
	got, want := p.tested.Apply(context.Background(), commands...), p.model.Apply(context.Background(), commands...)
	if kind(got) != kind(want) {
		p.r.Fatalf("answer %v, the model's %v", got, want)
	}
}

// kind is the store's answer in an error, or the error when it is none of them.
func kind(err error) error {
	for _, answer := range []error{store.ErrNotFound, store.ErrExists, store.ErrConflict, store.ErrUnavailable} {
		if errors.Is(err, answer) {
			return answer
		}
	}
	return err
}

// compare leaves the numbers of facts aside: a store may leave some out.
func (p pair) compare() {
	want, got := dump(p.t, p.model), dump(p.t, p.tested)
	want.Facts, got.Facts = unnumbered(p.t, want.Facts), unnumbered(p.t, got.Facts)
	same(p.t, want, got)
	if p.t.Failed() {
		p.r.FailNow()
	}
}

// command draws from few names and instants, so that commands meet.
func command() *rapid.Generator[store.Command] {
	return rapid.OneOf(
		some(func(r *rapid.T) store.CreateUser { return store.CreateUser{User: user().Draw(r, "user")} }),
		some(func(r *rapid.T) store.UpdateUser {
			return store.UpdateUser{User: user().Draw(r, "user"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
		}),
		some(func(r *rapid.T) store.DeleteUser {
			return store.DeleteUser{Tenant: tenant().Draw(r, "tenant"), Name: name().Draw(r, "name")}
		}),
		some(drawRevoke), some(drawRevoke),
		some(drawCreateSession), some(drawCreateSession),
		some(drawRotateSession), some(drawRotateSession), some(drawRotateSession),
		some(func(r *rapid.T) store.RevokeSessions {
			return store.RevokeSessions{
				ID: id().Draw(r, "id"), Tenant: tenant().Draw(r, "tenant"),
				Subject: name().Draw(r, "subject"), At: instant().Draw(r, "at"),
			}
		}),
		some(func(r *rapid.T) store.PutKey { return store.PutKey{Key: key().Draw(r, "key")} }),
		some(func(r *rapid.T) store.DeleteKey { return store.DeleteKey{ID: name().Draw(r, "id")} }),
		some(func(r *rapid.T) store.Purge {
			return store.Purge{Before: instant().Draw(r, "before"), Limit: rapid.IntRange(-1, 3).Draw(r, "limit")}
		}),
	)
}

func some[C store.Command](draw func(*rapid.T) C) *rapid.Generator[store.Command] {
	return rapid.Custom(func(r *rapid.T) store.Command { return draw(r) })
}

func tenant() *rapid.Generator[string] { return rapid.SampledFrom(tenants()) }
func name() *rapid.Generator[string]   { return rapid.SampledFrom(names()) }
func counter() *rapid.Generator[int64] { return rapid.Int64Range(0, 1) }

// instant is never negative: those are no instants of a store's callers.
func instant() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Int64Range(0, 6), rapid.Int64Range(0, 4_000_000), rapid.SampledFrom([]int64{1<<63 - 1, 1 << 62}))
}

func lifetime() *rapid.Generator[int64] {
	return rapid.SampledFrom([]int64{0, 0, 1, 2, 31_536_000_000, 1<<63 - 1})
}

// id gives the zero ID too.
func id() *rapid.Generator[store.ID] {
	return rapid.Custom(func(r *rapid.T) store.ID { return store.ID{rapid.ByteRange(0, 2).Draw(r, "byte")} })
}

func user() *rapid.Generator[store.User] {
	return rapid.Custom(func(r *rapid.T) store.User {
		u := store.User{
			Tenant: tenant().Draw(r, "tenant"), Name: name().Draw(r, "name"), PasswordHash: rapid.StringN(0, 3, 9).Draw(r, "hash"),
			Disabled: rapid.Bool().Draw(r, "disabled"), CreatedAt: instant().Draw(r, "created"), UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
		}
		u.Roles = append(u.Roles, rapid.SliceOfN(name(), 0, 2).Draw(r, "roles")...)
		return u
	})
}

func session() *rapid.Generator[store.Session] {
	return rapid.Custom(func(r *rapid.T) store.Session {
		return store.Session{
			ID: id().Draw(r, "id"), Accessor: fmt.Sprint(rapid.IntRange(0, 5).Draw(r, "accessor")),
			Tenant: tenant().Draw(r, "tenant"), Subject: name().Draw(r, "subject"), Counter: counter().Draw(r, "counter"),
			LastUsedAt: instant().Draw(r, "used"), IdleTTL: lifetime().Draw(r, "idle"), AccessTTL: lifetime().Draw(r, "access"),
			ExpiresAt: end().Draw(r, "expires"), RevokedAt: rapid.SampledFrom([]int64{0, 0, 0, 3}).Draw(r, "revoked"),
		}
	})
}

// end is mostly none, so that sessions live to be rotated.
func end() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just[int64](0), rapid.Just[int64](0), instant())
}

func drawCreateSession(r *rapid.T) store.CreateSession {
	return store.CreateSession{Session: session().Draw(r, "session")}
}

func drawRotateSession(r *rapid.T) store.RotateSession {
	return store.RotateSession{ID: id().Draw(r, "id"), From: counter().Draw(r, "from"), At: instant().Draw(r, "at")}
}

func drawRevoke(r *rapid.T) store.Revoke {
	return store.Revoke{Revocation: store.Revocation{
		Kind: rapid.SampledFrom([]string{store.RevokeToken, store.RevokeAll}).Draw(r, "kind"),
		Key:  rapid.SampledFrom([]string{"", "\x00", "a", "b"}).Draw(r, "key"),
		At:   instant().Draw(r, "at"), Until: instant().Draw(r, "until"),
	}}
}

func key() *rapid.Generator[store.Key] {
	return rapid.Custom(func(r *rapid.T) store.Key {
		k := aKey(name().Draw(r, "id"), instant().Draw(r, "created"))
		k.State = rapid.SampledFrom([]string{store.KeyActive, store.KeyRetiring}).Draw(r, "state")
		return k
	})
}
