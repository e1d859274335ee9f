package storetest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// command draws from few names and instants, so that commands meet.
func command() *rapid.Generator[store.Command] {
	return rapid.OneOf(
		some(drawCreateTenant), some(drawUpdateTenant), some(drawUpdateTenant),
		some(func(r *rapid.T) store.CreateUser { return store.CreateUser{User: user().Draw(r, "user")} }),
		some(func(r *rapid.T) store.UpdateUser {
			return store.UpdateUser{User: user().Draw(r, "user"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
		}),
		some(func(r *rapid.T) store.DeleteUser {
			return store.DeleteUser{Tenant: tenant().Draw(r, "tenant"), Name: name().Draw(r, "name")}
		}),
		some(func(r *rapid.T) store.CreateApplication {
			return store.CreateApplication{Application: application().Draw(r, "application")}
		}),
		some(func(r *rapid.T) store.UpdateApplication {
			return store.UpdateApplication{Application: application().Draw(r, "application"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
		}),
		some(func(r *rapid.T) store.DeleteApplication {
			return store.DeleteApplication{Tenant: tenant().Draw(r, "tenant"), ID: name().Draw(r, "id")}
		}),
		some(drawCreateService), some(drawUpdateService),
		numberedCommand(), numberedCommand(), numberedCommand(), numberedCommand(),
		opaqueCommand(), opaqueCommand(), opaqueCommand(),
		some(func(r *rapid.T) store.DeleteServiceAccount {
			return store.DeleteServiceAccount{Tenant: tenant().Draw(r, "tenant"), Name: name().Draw(r, "name")}
		}),
		some(func(r *rapid.T) store.CreateTicket { return store.CreateTicket{Ticket: ticket().Draw(r, "ticket")} }),
		some(drawDecideTicket), some(drawDecideTicket),
		some(func(r *rapid.T) store.UseTicket {
			return store.UseTicket{ID: id().Draw(r, "id"), At: instant().Draw(r, "at")}
		}),
		some(func(r *rapid.T) store.Once {
			return store.Once{Value: rapid.SampledFrom(values()).Draw(r, "value"), Until: instant().Draw(r, "until")}
		}),
		some(drawRevoke), some(drawRevoke),
		some(drawCreateSession), some(drawCreateSession),
		some(drawRotateSession), some(drawRotateSession), some(drawRotateSession),
		some(drawUseSession), some(drawUseSession),
		some(func(r *rapid.T) store.RevokeSessions {
			return store.RevokeSessions{
				ID: id().Draw(r, "id"), Tenant: tenant().Draw(r, "tenant"),
				Subject: orNone(name()).Draw(r, "subject"), Client: orNone(name()).Draw(r, "client"), At: instant().Draw(r, "at"),
			}
		}),
		some(drawPutProperty), some(drawPutProperty),
		some(func(r *rapid.T) store.DeleteProperty {
			return store.DeleteProperty{Tenant: tenant().Draw(r, "tenant"), Name: rapid.SampledFrom(propertyNames()).Draw(r, "name")}
		}),
		some(func(r *rapid.T) store.PutKey { return store.PutKey{Key: key().Draw(r, "key")} }),
		some(drawRetireKey), some(drawStretchKey), some(drawStretchKey),
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

// orNone is mostly the empty text.
func orNone(text *rapid.Generator[string]) *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just(""), rapid.Just(""), text)
}

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
		u.Backend, u.BackendID = orNone(name()).Draw(r, "backend"), rapid.StringN(0, 3, 9).Draw(r, "backend id")
		for _, list := range []*[]string{&u.Roles, &u.ACL, &u.Policies} {
			*list = append(*list, rapid.SliceOfN(name(), 0, 2).Draw(r, "list")...)
		}
		return u
	})
}

func application() *rapid.Generator[store.Application] {
	return rapid.Custom(func(r *rapid.T) store.Application {
		a := store.Application{
			Tenant: tenant().Draw(r, "tenant"), ID: name().Draw(r, "id"), Name: rapid.StringN(0, 3, 9).Draw(r, "name"),
			Introspect: rapid.Bool().Draw(r, "introspect"), SkipConsent: rapid.Bool().Draw(r, "skip"), PKCEOptional: rapid.Bool().Draw(r, "pkce"),
			Organisation: number().Draw(r, "organisation"), Description: rapid.StringN(0, 3, 9).Draw(r, "description"),
			Owner:  orNone(name()).Draw(r, "owner"),
			Number: number().Draw(r, "number"), Implicit: rapid.Bool().Draw(r, "implicit"),
			CreatedAt: instant().Draw(r, "created"), UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
		}
		a.SecretMAC = append(a.SecretMAC, rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(r, "mac")...)
		for _, list := range []*[]string{&a.Grants, &a.RedirectURIs, &a.Scopes, &a.Audiences} {
			*list = append(*list, rapid.SliceOfN(name(), 0, 2).Draw(r, "list")...)
		}
		return a
	})
}

func ticket() *rapid.Generator[store.Ticket] {
	return rapid.Custom(func(r *rapid.T) store.Ticket {
		return store.Ticket{
			ID: id().Draw(r, "id"), UserCode: rapid.SampledFrom([]string{"", "A", "a", "B"}).Draw(r, "user code"),
			Tenant: tenant().Draw(r, "tenant"), Client: name().Draw(r, "client"), Session: id().Draw(r, "session"),
			State:     rapid.SampledFrom([]string{store.TicketPending, store.TicketPending, store.TicketApproved, store.TicketDenied}).Draw(r, "state"),
			ExpiresAt: end().Draw(r, "expires"), KeepUntil: end().Draw(r, "keep"),
		}
	})
}

func drawDecideTicket(r *rapid.T) store.DecideTicket {
	return store.DecideTicket{
		ID: id().Draw(r, "id"), State: rapid.SampledFrom([]string{store.TicketApproved, store.TicketDenied}).Draw(r, "state"),
		Subject: name().Draw(r, "subject"), Scope: name().Draw(r, "scope"), AuthAt: instant().Draw(r, "proved"),
		KeepUntil: end().Draw(r, "keep"), At: instant().Draw(r, "at"),
	}
}

func session() *rapid.Generator[store.Session] {
	return rapid.Custom(func(r *rapid.T) store.Session {
		s := store.Session{
			ID: id().Draw(r, "id"), Accessor: fmt.Sprint(rapid.IntRange(0, 5).Draw(r, "accessor")),
			Tenant: tenant().Draw(r, "tenant"), Subject: name().Draw(r, "subject"), Counter: counter().Draw(r, "counter"),
			Client: orNone(name()).Draw(r, "client"), AuthAt: instant().Draw(r, "proved"),
			LastUsedAt: instant().Draw(r, "used"), IdleTTL: lifetime().Draw(r, "idle"), AccessTTL: lifetime().Draw(r, "access"),
			ExpiresAt: end().Draw(r, "expires"), RevokedAt: rapid.SampledFrom([]int64{0, 0, 0, 3}).Draw(r, "revoked"),
		}
		s.Labels = append(s.Labels, rapid.SliceOfN(name(), 0, 2).Draw(r, "labels")...)
		return s
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

func drawUseSession(r *rapid.T) store.UseSession {
	return store.UseSession{ID: id().Draw(r, "id"), Counter: counter().Draw(r, "counter"), At: instant().Draw(r, "at")}
}

func drawPutProperty(r *rapid.T) store.PutProperty {
	return store.PutProperty{Property: store.Property{
		Tenant: tenant().Draw(r, "tenant"), Name: rapid.SampledFrom(propertyNames()).Draw(r, "name"),
		Value: rapid.StringN(0, 3, 9).Draw(r, "value"), UpdatedAt: instant().Draw(r, "updated"),
	}}
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
		k.NotBefore = instant().Draw(r, "begins")
		k.NotAfter, k.LongestTTL = end().Draw(r, "over"), lifetime().Draw(r, "longest")
		k.State = keyState().Draw(r, "state")
		return k
	})
}

func keyState() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{store.KeyActive, store.KeyRetiring})
}

func drawRetireKey(r *rapid.T) store.RetireKey {
	return store.RetireKey{
		ID: name().Draw(r, "id"), State: keyState().Draw(r, "state"),
		LastSigned: instant().Draw(r, "signed"), Least: lifetime().Draw(r, "least"),
	}
}

func drawStretchKey(r *rapid.T) store.StretchKey {
	return store.StretchKey{ID: name().Draw(r, "id"), TTL: lifetime().Draw(r, "ttl"), At: instant().Draw(r, "at")}
}

func drawCreateTenant(r *rapid.T) store.CreateTenant {
	return store.CreateTenant{Tenant: tenantRecord().Draw(r, "tenant")}
}

func drawUpdateTenant(r *rapid.T) store.UpdateTenant {
	return store.UpdateTenant{Tenant: tenantRecord().Draw(r, "tenant"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
}

func tenantRecord() *rapid.Generator[store.Tenant] {
	text := rapid.StringN(0, 3, 9)
	return rapid.Custom(func(r *rapid.T) store.Tenant {
		return store.Tenant{
			Name: rapid.OneOf(tenant(), name()).Draw(r, "name"), Algorithm: text.Draw(r, "algorithm"), Issuer: text.Draw(r, "issuer"),
			BaseURL: text.Draw(r, "url"), Site: text.Draw(r, "site"), SiteAdmin: rapid.Bool().Draw(r, "admin"), APIVersion: text.Draw(r, "version"),
			AccessTTL: lifetime().Draw(r, "access"), RefreshTTL: lifetime().Draw(r, "refresh"),
			MaxAccessTTL: lifetime().Draw(r, "most access"), MaxRefreshTTL: lifetime().Draw(r, "most refresh"),
			WeakKeys: rapid.Bool().Draw(r, "weak"), CreatedAt: instant().Draw(r, "created"), UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
		}
	})
}

func drawCreateService(r *rapid.T) store.CreateServiceAccount {
	return store.CreateServiceAccount{ServiceAccount: service().Draw(r, "service")}
}

func drawUpdateService(r *rapid.T) store.UpdateServiceAccount {
	return store.UpdateServiceAccount{ServiceAccount: service().Draw(r, "service"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
}

func service() *rapid.Generator[store.ServiceAccount] {
	return rapid.Custom(func(r *rapid.T) store.ServiceAccount {
		a := store.ServiceAccount{
			Tenant: tenant().Draw(r, "tenant"), Name: name().Draw(r, "name"), PasswordHash: rapid.StringN(0, 3, 9).Draw(r, "hash"),
			Disabled: rapid.Bool().Draw(r, "disabled"), CreatedAt: instant().Draw(r, "created"), UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
		}
		a.MayMint = append(a.MayMint, rapid.SliceOfN(tenant(), 0, 3).Draw(r, "tenants")...)
		return a
	})
}
