package storetest

import (
	"pgregory.net/rapid"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// opaqueCommand draws commands of opaque sessions, refresh tokens and policies.
func opaqueCommand() *rapid.Generator[store.Command] {
	return rapid.OneOf(
		some(drawCreateOpaque), some(drawCreateOpaque),
		some(drawCreateRefreshToken), some(drawCreateRefreshToken), some(drawCreateRefreshToken),
		some(func(r *rapid.T) store.DeleteRefreshTokens {
			return store.DeleteRefreshTokens{
				Tenant: tenant().Draw(r, "tenant"), Subject: orNone(name()).Draw(r, "subject"), Client: orNone(client()).Draw(r, "client"),
				Mobile: rapid.Bool().Draw(r, "mobile"), At: instant().Draw(r, "at"),
			}
		}),
		some(func(r *rapid.T) store.CreatePolicy { return store.CreatePolicy{Policy: policy().Draw(r, "policy")} }),
		some(func(r *rapid.T) store.UpdatePolicy {
			return store.UpdatePolicy{Policy: policy().Draw(r, "policy"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
		}),
		some(func(r *rapid.T) store.DeletePolicy {
			return store.DeletePolicy{
				Tenant: tenant().Draw(r, "tenant"), UUID: policyUUID().Draw(r, "uuid"), Read: rapid.Int64Range(0, 2).Draw(r, "read"),
			}
		}),
	)
}

// client gives names some of which a search takes for one another.
func client() *rapid.Generator[string] { return rapid.SampledFrom([]string{"a%", "A", "_b", "B\xff"}) }

func policyUUID() *rapid.Generator[string] { return rapid.SampledFrom([]string{"u", "U", "v"}) }

func opaque() *rapid.Generator[*store.Opaque] {
	return rapid.Custom(func(r *rapid.T) *store.Opaque {
		o := &store.Opaque{
			UUID: name().Draw(r, "uuid"), Source: rapid.StringN(0, 3, 9).Draw(r, "source"), Mobile: rapid.Bool().Draw(r, "mobile"),
		}
		o.ACL = append(o.ACL, rapid.SliceOfN(name(), 0, 2).Draw(r, "acl")...)
		return o
	})
}

// drawCreateOpaque draws from fewer subjects, so that they run out of room.
func drawCreateOpaque(r *rapid.T) store.CreateSession {
	s := session().Draw(r, "session")
	s.Tenant, s.Subject, s.Opaque = tenants()[0], rapid.SampledFrom(names()[:2]).Draw(r, "of"), opaque().Draw(r, "opaque")
	s.CreatedAt = instant().Draw(r, "created")
	return store.CreateSession{Session: s, Most: rapid.IntRange(-1, 2).Draw(r, "most")}
}

func drawCreateRefreshToken(r *rapid.T) store.CreateRefreshToken {
	return store.CreateRefreshToken{RefreshToken: store.RefreshToken{
		Tenant: tenant().Draw(r, "tenant"), Subject: name().Draw(r, "subject"), Client: client().Draw(r, "client"),
		ID: store.ID{rapid.ByteRange(0, 9).Draw(r, "id")}, Seed: id().Draw(r, "seed"), Door: name().Draw(r, "door"),
		Backend: name().Draw(r, "backend"), Mobile: rapid.Bool().Draw(r, "mobile"), CreatedAt: instant().Draw(r, "created"),
	}}
}

func policy() *rapid.Generator[store.Policy] {
	return rapid.Custom(func(r *rapid.T) store.Policy {
		p := store.Policy{
			Tenant: tenant().Draw(r, "tenant"), UUID: policyUUID().Draw(r, "uuid"), Name: name().Draw(r, "name"),
			Description: rapid.StringN(0, 3, 9).Draw(r, "description"),
			CreatedAt:   instant().Draw(r, "created"), UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
		}
		p.Templates = append(p.Templates, rapid.SliceOfN(name(), 0, 2).Draw(r, "templates")...)
		return p
	})
}
