package storetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// content is all that a store of these tests holds.
type content struct {
	Tenants              []store.Tenant
	Users                []store.User
	Applications         []store.Application
	Services             []store.ServiceAccount
	Tickets              []store.Ticket
	UserCodes            []store.Ticket // the tickets, by what a person typed
	Once                 []string
	Sessions             []store.Session
	Properties           []store.Property
	ByName               []store.Property // the properties, one by one
	Organisations        []store.Organisation
	Memberships          []store.Membership  // by user, of some
	Members              []store.Membership  // by organisation
	UsersByNumber        []store.User        // the second and the third
	ApplicationsByNumber []store.Application // the same
	AccessTokens         []store.AccessToken
	Union                []store.AccessToken // a page of some of them
	Counts               []int64             // of access tokens, by some filters
	Opaque               []store.Session
	OpaqueCounts         []int64              // of one user
	RefreshTokens        []store.RefreshToken // all, and pages of some of them
	Policies             []store.Policy
	Facts                []store.Revocation
	Keys                 []store.Key
}

func dump(t testing.TB, s store.Store) (c content) {
	t.Helper()
	c.Tenants = must(s.Tenants(t.Context()))(t)
	for _, tenant := range tenants() {
		c.Users = append(c.Users, must(s.ListUsers(t.Context(), tenant, "", 1000))(t)...)
		c.Applications = append(c.Applications, must(s.ListApplications(t.Context(), tenant, "", 1000))(t)...)
		c.Services = append(c.Services, must(s.ListServiceAccounts(t.Context(), tenant, "", 1000))(t)...)
		c.Properties = append(c.Properties, must(s.Properties(t.Context(), tenant))(t)...)
		for _, name := range propertyNames() {
			c.ByName = append(c.ByName, found(s.Property(t.Context(), tenant, name))(t)...)
		}
		for _, subject := range names() {
			c.Sessions = append(c.Sessions, must(s.ListSessions(t.Context(), tenant, subject, "", 1000))(t)...)
		}
		for _, user := range names()[:2] {
			c.Memberships = append(c.Memberships, must(s.Memberships(t.Context(), tenant, user))(t)...)
		}
		c.numbered(t, s, tenant)
		c.accessTokens(t, s, tenant)
		c.opaque(t, s, tenant)
	}
	for _, id := range ticketIDs() {
		c.Tickets = append(c.Tickets, found(s.Ticket(t.Context(), id))(t)...)
	}
	for _, code := range userCodes() {
		c.UserCodes = append(c.UserCodes, found(s.TicketByUserCode(t.Context(), code))(t)...)
	}
	for _, value := range values() {
		if remembered(t, s, value) {
			c.Once = append(c.Once, value)
		}
	}
	c.Facts = facts(t, s, 0)
	c.Keys = must(s.Keys(t.Context()))(t)
	return c
}

// numbered, accessTokens and opaque leave the reads of one record to tests of their
// own: the model runs these often.
func (c *content) numbered(t testing.TB, s store.Store, tenant string) {
	t.Helper()
	c.UsersByNumber = append(c.UsersByNumber, must(s.ListUsersByNumber(t.Context(), tenant, 1, 2))(t)...)
	c.ApplicationsByNumber = append(c.ApplicationsByNumber, must(s.ListApplicationsByNumber(t.Context(), tenant, 1, 2))(t)...)
	for _, o := range must(s.ListOrganisations(t.Context(), tenant, 0, 1000))(t) {
		c.Organisations = append(c.Organisations, o)
		c.Members = append(c.Members, must(s.Members(t.Context(), tenant, o.Number))(t)...)
	}
}

func (c *content) accessTokens(t testing.TB, s store.Store, tenant string) {
	t.Helper()
	c.AccessTokens = append(c.AccessTokens, must(s.ListAccessTokens(t.Context(), tenant, store.AccessTokenFilter{}, 0, 1000))(t)...)
	union := store.AccessTokenFilter{Subjects: names()[:2], Clients: names()[1:]}
	c.Union = append(c.Union, must(s.ListAccessTokens(t.Context(), tenant, union, 1, 3))(t)...)
	for _, f := range []store.AccessTokenFilter{union, {}, {Subjects: names()[:1], Personal: true}, {Clients: names()[:1]}} {
		c.Counts = append(c.Counts, must(s.CountAccessTokens(t.Context(), tenant, f))(t))
	}
}

func (c *content) opaque(t testing.TB, s store.Store, tenant string) {
	t.Helper()
	some := store.OpaqueQuery{Subject: names()[0], At: 3, Offset: 1, Limit: 1}
	c.Opaque = append(c.Opaque, must(s.ListOpaque(t.Context(), tenant, store.OpaqueQuery{Limit: 1000}))(t)...)
	c.OpaqueCounts = append(c.OpaqueCounts, must(s.CountOpaque(t.Context(), tenant, some))(t))
	for _, q := range []store.RefreshTokenQuery{
		{Limit: 1000}, {Search: "A", Order: store.RefreshByMobile, Offset: 1, Limit: 2}, {Subject: names()[0], Descending: true, Limit: 2},
	} {
		c.RefreshTokens = append(c.RefreshTokens, must(s.ListRefreshTokens(t.Context(), tenant, q))(t)...)
	}
	c.Policies = append(c.Policies, must(s.ListPolicies(t.Context(), tenant, "", 1000))(t)...)
}

// found is for reads of what need not be there.
func found[T any](record T, err error) func(testing.TB) []T {
	if errors.Is(err, store.ErrNotFound) {
		return func(testing.TB) []T { return nil }
	}
	return func(t testing.TB) []T {
		t.Helper()
		return []T{must(record, err)(t)}
	}
}

// remembered asks a store for a value of Once. No read tells, so it tries to
// have it remembered, together with a command that is refused.
func remembered(t testing.TB, s store.Store, value string) bool {
	t.Helper()
	err := s.Apply(t.Context(), once(value, 1), store.DeleteKey{ID: "a key that no test makes"})
	if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	return errors.Is(err, store.ErrExists)
}

func facts(t testing.TB, s store.Store, after int64) []store.Revocation {
	t.Helper()
	return must(s.Revocations(t.Context(), after, 1<<30))(t)
}

// everything leaves at least one record of each kind.
func everything() []store.Command {
	session, first, code := aSession(1), aTicket(1), aTicket(3)
	session.ExpiresAt, first.KeepUntil = 9, 8
	ending := anAccessToken("alice", "")
	ending.ExpiresAt, ending.KeepUntil = 7, 8
	code.Kind, code.UserCode = store.TicketCode, ""
	return []store.Command{
		store.CreateTenant{Tenant: aTenant("t")},
		store.CreateUser{User: aUser("alice")},
		store.CreateApplication{Application: anApplication("app")},
		store.CreateServiceAccount{ServiceAccount: aService("files")},
		store.CreateOrganisation{Organisation: anOrganisation("o")},
		store.PutMembership{Membership: aMembership()},
		store.CreateAccessToken{AccessToken: anAccessToken("alice", "app")},
		store.CreateAccessToken{AccessToken: ending},
		store.ReplaceAccessToken{Number: 1, Read: 2, AccessToken: anAccessToken("alice", "app")},
		store.CreateTicket{Ticket: first},
		store.CreateTicket{Ticket: code},
		approve(code.ID, 5),
		once("value", 7),
		store.CreateSession{Session: session},
		store.RotateSession{ID: session.ID, From: 0, At: 5},
		store.UseSession{ID: session.ID, Counter: 1, At: 6},
		store.CreateSession{Session: anOpaque(7), Most: 1},
		store.CreateRefreshToken{RefreshToken: aRefreshToken(1, "alice", "phone")},
		store.CreatePolicy{Policy: aPolicy("u", "policy")},
		put(aProperty("setting")),
		revoke("one", 1, 7),
		store.Revoke{Revocation: store.Revocation{Kind: store.RevokeAll, At: 3, Until: 8}},
		store.PutKey{Key: aKey("kid", 1)},
	}
}

// tenants and names are what the records of these tests are called. Users and
// applications share the names.
func tenants() []string { return []string{"t", "T", store.DefaultTenant} }
func names() []string   { return []string{"alice", "Alice", "bob", "o'neil"} }

// ticketIDs, userCodes and values are those that dump looks for.
func ticketIDs() []store.ID {
	return []store.ID{{}, {1}, {2}, aTicket(1).ID, aTicket(2).ID, aTicket(3).ID}
}

func userCodes() []string {
	return []string{"", "A", "a", "B", aTicket(1).UserCode, aTicket(2).UserCode, aTicket(3).UserCode}
}
func values() []string { return []string{"", "\x00", "a", "\xff", "value", "other"} }

// propertyNames are those that dump looks for one by one.
func propertyNames() []string { return []string{"", "setting", "Setting", "other"} }

func aUser(name string) store.User {
	return store.User{
		Tenant: "t", Name: name, PasswordHash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
		Roles: []string{store.RoleAdmin, store.RoleAuditor}, Backend: "ldap", BackendID: "it's \"1\"",
		ACL: []string{"b.#", "a.*", "b.#"}, Policies: []string{"z", "a"}, CreatedAt: 1, UpdatedAt: 2,
	}
}

func aMembership() store.Membership {
	return store.Membership{Tenant: "t", Organisation: 1, User: "alice", Role: store.OrganisationAdmin}
}

// userNumber is aUser as it is kept.
func userNumber(number int64, name string) store.User {
	u := aUser(name)
	u.Number = number
	return u
}

func anApplication(id string) store.Application {
	return store.Application{
		Tenant: "t", ID: id, Name: "An \"application\"", SecretMAC: []byte{0, 1, 0xff, 0}, AuthMethod: "client_secret_basic",
		Grants: []string{"refresh_token", "authorization_code"}, RedirectURIs: []string{"https://a.example/cb?x=<1>&y"},
		Scopes: []string{"b", "a"}, Audiences: []string{"https://api.example/", "x"}, JWKS: `{"keys":[]}`,
		Introspect: true, Organisation: 7, Description: "it's \"mine\"", Implicit: true, CreatedAt: 1, UpdatedAt: 2,
	}
}

// applicationNumber is anApplication as it is kept.
func applicationNumber(number int64, id string) store.Application {
	a := anApplication(id)
	a.Number = number
	return a
}

// aTicket is pending, until the instant 1000.
func aTicket(n byte) store.Ticket {
	return store.Ticket{
		ID: store.ID{n, 15: n}, Kind: store.TicketDevice, Tenant: "t", Client: "app", UserCode: fmt.Sprintf("CODE-%d", n),
		Scope: "a b", Audience: "x", State: store.TicketPending, Session: store.ID{15: n},
		CreatedAt: 1, ExpiresAt: 1000, KeepUntil: 2000,
	}
}

func approve(id store.ID, at int64) store.DecideTicket {
	return store.DecideTicket{ID: id, State: store.TicketApproved, Subject: "alice", Scope: "a", AuthAt: 3, At: at}
}

func use(id store.ID, at int64) store.Command { return store.UseTicket{ID: id, At: at} }

func once(value string, until int64) store.Command { return store.Once{Value: value, Until: until} }

func aSession(n byte) store.Session {
	return store.Session{
		ID: store.ID{n, 15: n}, Accessor: fmt.Sprintf("accessor%d", n), Tenant: "t", Subject: "alice",
		Client: "client", Door: "ats", Scope: "a b", Device: "laptop", Labels: []string{"nightly", "a \"b\""},
		Grant: "password", Audience: "x y", Bound: "thumbprint",
		AuthAt: 1, CreatedAt: 1, LastUsedAt: 1, AccessTTL: 300,
	}
}

func aKey(id string, created int64) store.Key {
	return store.Key{
		ID: id, Tenant: "t", Door: "ats", Algorithm: "HS256", State: store.KeyActive,
		CreatedAt: created, NotBefore: 66, NotAfter: 77, LongestTTL: 88, Sealed: []byte{0, 1, 0xff, 0},
	}
}

func revoke(key string, at, until int64) store.Command {
	return store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: key, At: at, Until: until}}
}
