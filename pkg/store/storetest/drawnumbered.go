package storetest

import (
	"pgregory.net/rapid"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// numberedCommand draws commands of organisations and access tokens.
func numberedCommand() *rapid.Generator[store.Command] {
	return rapid.OneOf(
		some(func(r *rapid.T) store.CreateOrganisation {
			return store.CreateOrganisation{Organisation: organisation().Draw(r, "organisation")}
		}),
		some(func(r *rapid.T) store.UpdateOrganisation {
			return store.UpdateOrganisation{Organisation: organisation().Draw(r, "organisation"), Read: rapid.Int64Range(0, 2).Draw(r, "read")}
		}),
		some(func(r *rapid.T) store.DeleteOrganisation {
			return store.DeleteOrganisation{Tenant: tenant().Draw(r, "tenant"), Number: number().Draw(r, "number")}
		}),
		some(func(r *rapid.T) store.PutMembership {
			return store.PutMembership{Membership: membership().Draw(r, "membership")}
		}),
		some(func(r *rapid.T) store.DeleteMembership {
			return store.DeleteMembership{Membership: membership().Draw(r, "membership")}
		}),
		some(drawCreateAccessToken), some(drawCreateAccessToken), some(drawCreateAccessToken),
		some(func(r *rapid.T) store.ReplaceAccessToken {
			return store.ReplaceAccessToken{Number: number().Draw(r, "old"), Read: rapid.Int64Range(0, 2).Draw(r, "read"), AccessToken: accessToken().Draw(r, "token")}
		}),
		some(func(r *rapid.T) store.UpdateAccessToken {
			return store.UpdateAccessToken{
				Tenant: tenant().Draw(r, "tenant"), Number: number().Draw(r, "number"), Scope: name().Draw(r, "scope"),
				Description: rapid.StringN(0, 3, 9).Draw(r, "description"),
				UpdatedAt:   rapid.Int64Range(0, 2).Draw(r, "updated"), Read: rapid.Int64Range(0, 2).Draw(r, "read"),
			}
		}),
		some(func(r *rapid.T) store.DeleteAccessTokens {
			return store.DeleteAccessTokens{
				Tenant: tenant().Draw(r, "tenant"), Number: orZero().Draw(r, "number"), Family: orZero().Draw(r, "family"),
				Subject: orNone(name()).Draw(r, "subject"), Client: orNone(name()).Draw(r, "client"), At: instant().Draw(r, "at"),
			}
		}),
	)
}

func number() *rapid.Generator[int64] { return rapid.Int64Range(0, 3) }

// orZero is mostly no number.
func orZero() *rapid.Generator[int64] {
	return rapid.OneOf(rapid.Just[int64](0), rapid.Just[int64](0), rapid.Int64Range(1, 9))
}

func organisation() *rapid.Generator[store.Organisation] {
	return rapid.Custom(func(r *rapid.T) store.Organisation {
		return store.Organisation{
			Tenant: tenant().Draw(r, "tenant"), Number: number().Draw(r, "number"), Name: name().Draw(r, "name"),
			Description: rapid.StringN(0, 3, 9).Draw(r, "description"),
			CreatedAt:   instant().Draw(r, "created"), UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
		}
	})
}

func membership() *rapid.Generator[store.Membership] {
	return rapid.Custom(func(r *rapid.T) store.Membership {
		return store.Membership{
			Tenant: tenant().Draw(r, "tenant"), Organisation: number().Draw(r, "organisation"), User: name().Draw(r, "user"),
			Role: rapid.SampledFrom([]string{store.OrganisationMember, store.OrganisationAdmin}).Draw(r, "role"),
		}
	})
}

func drawCreateAccessToken(r *rapid.T) store.CreateAccessToken {
	return store.CreateAccessToken{AccessToken: accessToken().Draw(r, "token")}
}

func accessToken() *rapid.Generator[store.AccessToken] {
	return rapid.Custom(func(r *rapid.T) store.AccessToken {
		return store.AccessToken{
			Tenant: tenant().Draw(r, "tenant"), Number: number().Draw(r, "number"), Family: number().Draw(r, "family"),
			Generation: number().Draw(r, "generation"), Subject: orNone(name()).Draw(r, "subject"), Client: orNone(name()).Draw(r, "client"),
			Scope: name().Draw(r, "scope"), CreatedAt: instant().Draw(r, "created"),
			UpdatedAt: rapid.Int64Range(0, 2).Draw(r, "updated"),
			ExpiresAt: end().Draw(r, "expires"), KeepUntil: end().Draw(r, "keep"),
		}
	})
}
