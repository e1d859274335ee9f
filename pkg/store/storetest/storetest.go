// Package storetest is the one suite that every store must pass. Its checks are
// named after what the store promises.
//
// It never looks inside a store, and never measures time: what only one kind of
// store can do wrong is tested beside that store.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// check is one promise.
type check struct {
	name string
	run  func(t *testing.T, s store.Store)
}

// Run checks the promises of a store. open gives a new one each time, empty but
// for store.DefaultTenant, and sees to it that it is closed when the test is
// over; closing it a second time must do no harm.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	groups := map[string][]check{
		"apply": applyChecks(), "tenants": tenantChecks(), "users": userChecks(), "applications": applicationChecks(),
		"service accounts": serviceChecks(), "numbers": numberChecks(), "organisations": organisationChecks(),
		"opaque sessions": opaqueChecks(), "refresh tokens": refreshTokenChecks(), "policies": policyChecks(),
		"access tokens": accessTokenChecks(), "pages of access tokens": accessTokenPageChecks(),
		"tickets": ticketChecks(), "once": onceChecks(), "sessions": sessionChecks(),
		"uses of sessions": useChecks(), "properties": propertyChecks(),
		"revocations": revocationChecks(), "keys": keyChecks(),
		"retirement of keys": retireChecks(), "purge": purgeChecks(),
	}
	for group, checks := range groups {
		t.Run(group, func(t *testing.T) {
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
			}
		})
	}
}

// RunReopen checks that a durable store has after Close and another open what
// was applied before. open opens the store kept in dir, and makes it when there
// is none.
func RunReopen(t *testing.T, open func(t *testing.T, dir string) store.Store) {
	dir := t.TempDir()
	s := open(t, dir)
	if !s.Durable() {
		t.Fatal("the store says that it is not durable")
	}
	apply(t, s, everything()...)
	before := dump(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	same(t, before, dump(t, s))
	t.Run("numbers go on above those given before, even when all were purged", func(t *testing.T) {
		last := facts(t, s, 0)[len(facts(t, s, 0))-1].Seq
		apply(t, s, store.Purge{Before: math.MaxInt64, Limit: 100})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir)
		apply(t, s, revoke("after", 1, 5))
		if got := facts(t, s, last); len(got) != 1 || got[0].Key != "after" {
			t.Errorf("facts after %d: %v", last, got)
		}
	})
	t.Run("a number is never given again, not even when all records are gone", func(t *testing.T) {
		s := open(t, dir)
		apply(t, s, store.DeleteUser{Tenant: "t", Name: "alice"}, store.DeleteApplication{Tenant: "t", ID: "app"},
			store.DeleteOrganisation{Tenant: "t", Number: 1}, store.DeleteAccessTokens{Tenant: "t", At: math.MaxInt64})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		same(t, [4]int64{2, 2, 2, 4}, nextNumbers(t, open(t, dir)))
	})
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func applyChecks() []check {
	return []check{
		{"commands that are not all possible change nothing", allOrNothing},
		{"what a refused operation deleted is there again", func(t *testing.T, s store.Store) {
			apply(t, s, everything()...)
			before := dump(t, s)
			refused(t, s, store.ErrNotFound,
				store.DeleteUser{Tenant: "t", Name: "alice"}, store.DeleteApplication{Tenant: "t", ID: "app"}, store.DeleteKey{ID: "kid"},
				store.DeleteServiceAccount{Tenant: "t", Name: "files"}, store.DeletePolicy{Tenant: "t", UUID: "u"},
				store.DeleteProperty{Tenant: "t", Name: "setting"}, store.Purge{Before: math.MaxInt64, Limit: 100}, store.DeleteKey{ID: "kid"})
			same(t, before, dump(t, s))
		}},
		{"a refused operation leaves those beside it alone", refusedBeside},
		{"an operation without commands is possible", func(t *testing.T, s store.Store) {
			apply(t, s)
		}},
		{"a context that is over changes nothing", cancelled},
		{"a closed store is unavailable", closed},
		{"an open store answers a ping", func(t *testing.T, s store.Store) {
			if err := s.Ping(t.Context()); err != nil {
				t.Error(err)
			}
		}},
	}
}

func allOrNothing(t *testing.T, s store.Store) {
	apply(t, s, everything()...)
	before := dump(t, s)
	for _, last := range refusals() {
		changed, other, tenant, service := aUser("alice"), anApplication("app"), aTenant("t"), aService("files")
		changed.Disabled, other.Name, tenant.Issuer, service.MayMint[0] = true, "Other", "other", "other"
		refused(t, s, last.want, append(append(numberedChanges(), opaqueChanges()...),
			store.CreateTenant{Tenant: aTenant("new")}, store.UpdateTenant{Tenant: tenant, Read: tenant.UpdatedAt},
			store.UpdateTenant{Tenant: store.Tenant{Name: store.DefaultTenant, UpdatedAt: 5}},
			store.CreateServiceAccount{ServiceAccount: aService("new")},
			store.UpdateServiceAccount{ServiceAccount: service, Read: service.UpdatedAt},
			store.CreateUser{User: aUser("bob")}, store.UpdateUser{User: changed, Read: aUser("bob").UpdatedAt},
			store.CreateApplication{Application: anApplication("bare")},
			store.UpdateApplication{Application: other, Read: other.UpdatedAt},
			store.CreateTicket{Ticket: aTicket(2)}, approve(aTicket(2).ID, 5), use(aTicket(2).ID, 5),
			approve(aTicket(1).ID, 5), once("other", 9),
			revoke("one", 50, 70), revoke("two", 2, 0),
			store.CreateSession{Session: aSession(2)},
			store.RotateSession{ID: aSession(1).ID, From: 1, At: 6},
			store.UseSession{ID: aSession(1).ID, Counter: 2, At: 8},
			store.RevokeSessions{ID: aSession(2).ID, At: 4},
			store.PutProperty{Property: store.Property{Tenant: "t", Name: "setting", Value: "other"}}, put(aProperty("new")),
			store.StretchKey{ID: "kid", TTL: 99, At: 5},
			store.RetireKey{ID: "kid", State: store.KeyRetiring, LastSigned: 5, Least: 300},
			store.PutKey{Key: aKey("kid", 99)}, store.PutKey{Key: aKey("new", 9)}, store.StretchKey{ID: "new", TTL: 99, At: 5},
			store.Purge{Before: 9, Limit: 100},
			store.DeleteProperty{Tenant: "t", Name: "setting"},
			store.DeleteUser{Tenant: "t", Name: "bob"},
			store.DeleteApplication{Tenant: "t", ID: "bare"},
			store.DeleteServiceAccount{Tenant: "t", Name: "new"},
			store.CreateUser{User: aUser("bare")}, store.CreateApplication{Application: anApplication("bob")},
			last.command)...)
		same(t, before, dump(t, s))
	}
}

// refusal is a command that is refused over everything, and how.
type refusal struct {
	command store.Command
	want    error
}

func refusals() []refusal {
	return []refusal{
		{store.CreateTenant{Tenant: aTenant("t")}, store.ErrExists},
		{store.UpdateTenant{Tenant: aTenant("none")}, store.ErrNotFound},
		{store.UpdateTenant{Tenant: aTenant("t"), Read: 77}, store.ErrConflict},
		{store.CreateUser{User: aUser("alice")}, store.ErrExists},
		{store.UpdateUser{User: aUser("nobody")}, store.ErrNotFound},
		{store.CreateUser{User: aUser("app")}, store.ErrExists},
		{store.CreateApplication{Application: anApplication("app")}, store.ErrExists},
		{store.CreateApplication{Application: anApplication("alice")}, store.ErrExists},
		{store.UpdateApplication{Application: anApplication("none")}, store.ErrNotFound},
		{store.UpdateApplication{Application: anApplication("app"), Read: 77}, store.ErrConflict},
		{store.DeleteApplication{Tenant: "t", ID: "none"}, store.ErrNotFound},
		{store.CreateOrganisation{Organisation: anOrganisation("new")}, store.ErrExists},
		{store.UpdateOrganisation{Organisation: store.Organisation{Tenant: "t", Number: 9}}, store.ErrNotFound},
		{store.DeleteOrganisation{Tenant: "t", Number: 9}, store.ErrNotFound},
		{store.PutMembership{Membership: store.Membership{Tenant: "t", User: "alice", Organisation: 9}}, store.ErrNotFound},
		{store.DeleteMembership{Membership: store.Membership{Tenant: "t", User: "alice", Organisation: 9}}, store.ErrNotFound},
		{store.ReplaceAccessToken{Number: 1, AccessToken: anAccessToken("alice", "app")}, store.ErrNotFound},
		{store.UpdateAccessToken{Tenant: "t", Number: 1}, store.ErrNotFound},
		{store.CreateApplication{Application: store.Application{Tenant: "t", ID: "new", Owner: "nobody"}}, store.ErrNotFound},
		{store.CreateSession{Session: anOpaque(9), Most: 1}, store.ErrConflict},
		{store.CreateRefreshToken{RefreshToken: aRefreshToken(9, "alice", "phone")}, store.ErrExists},
		{store.CreateRefreshToken{RefreshToken: aRefreshToken(9, "nobody", "phone")}, store.ErrNotFound},
		{store.CreatePolicy{Policy: aPolicy("v", "other")}, store.ErrExists},
		{store.UpdatePolicy{Policy: aPolicy("w", "policy")}, store.ErrNotFound},
		{store.UpdatePolicy{Policy: aPolicy("u", "third"), Read: 77}, store.ErrConflict},
		{store.DeletePolicy{Tenant: "t", UUID: "w"}, store.ErrNotFound},
		{store.CreateServiceAccount{ServiceAccount: aService("files")}, store.ErrExists},
		{store.UpdateServiceAccount{ServiceAccount: aService("none")}, store.ErrNotFound},
		{store.UpdateServiceAccount{ServiceAccount: aService("files"), Read: 77}, store.ErrConflict},
		{store.DeleteServiceAccount{Tenant: "t", Name: "none"}, store.ErrNotFound},
		{store.CreateTicket{Ticket: aTicket(3)}, store.ErrExists},
		{store.DecideTicket{ID: aTicket(9).ID}, store.ErrNotFound},
		{approve(aTicket(3).ID, 5), store.ErrConflict},
		{use(aTicket(2).ID, 5), store.ErrConflict},
		{once("other", 5), store.ErrExists},
		{store.RotateSession{ID: aSession(1).ID, From: 7}, store.ErrConflict},
		{store.UseSession{ID: aSession(9).ID, At: 6}, store.ErrNotFound},
		{store.UseSession{ID: aSession(1).ID, Counter: 7, At: 6}, store.ErrConflict},
		{store.DeleteProperty{Tenant: "t", Name: "none"}, store.ErrNotFound},
		{store.RetireKey{ID: "none"}, store.ErrNotFound},
		{store.StretchKey{ID: "none"}, store.ErrNotFound},
		{store.DeleteKey{ID: "none"}, store.ErrNotFound},
	}
}

// numberedChanges change what everything left of organisations and access tokens.
func numberedChanges() []store.Command {
	return []store.Command{
		store.CreateUser{User: aUser("member")},
		store.CreateOrganisation{Organisation: anOrganisation("new")},
		store.UpdateOrganisation{Organisation: store.Organisation{Tenant: "t", Number: 1, Name: "other", UpdatedAt: 9}, Read: 2},
		store.PutMembership{Membership: store.Membership{Tenant: "t", User: "member", Organisation: 1}},
		store.DeleteMembership{Membership: aMembership()},
		store.DeleteOrganisation{Tenant: "t", Number: 1},
		store.CreateAccessToken{AccessToken: anAccessToken("member", "bare")},
		store.ReplaceAccessToken{Number: 3, Read: 2, AccessToken: anAccessToken("member", "bare")},
		store.UpdateAccessToken{Tenant: "t", Number: 2, Scope: "other", Read: 2},
		store.DeleteAccessTokens{Tenant: "t", Number: 2},
		store.DeleteAccessTokens{Tenant: "t", Subject: "alice", At: 9},
	}
}

func refusedBeside(t *testing.T, s store.Store) {
	apply(t, s, store.CreateUser{User: aUser("taken")})
	const callers = 100
	answers := make(chan error, callers)
	for i := range callers {
		go func() {
			name := "taken"
			if i%2 == 0 {
				name = fmt.Sprintf("user%03d", i)
			}
			answers <- s.Apply(context.Background(), store.CreateUser{User: aUser(name)}, revoke(fmt.Sprint(i), 1, 0))
		}()
	}
	refusals := 0
	for range callers {
		if err := <-answers; errors.Is(err, store.ErrExists) {
			refusals++
		} else if err != nil {
			t.Error(err)
		}
	}
	if refusals != callers/2 {
		t.Errorf("%d refusals, want %d", refusals, callers/2)
	}
	if got := len(facts(t, s, 0)); got != callers/2 {
		t.Errorf("%d facts, want those of the %d accepted", got, callers/2)
	}
}

func cancelled(t *testing.T, s store.Store) {
	apply(t, s, everything()...)
	before := dump(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range attempts(ctx, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want the context's error", name, err)
		}
	}
	same(t, before, dump(t, s))
}

func closed(t *testing.T, s store.Store) {
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, err := range attempts(t.Context(), s) {
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v, want %v", name, err, store.ErrUnavailable)
		}
	}
}

// attempts tries every method.
func attempts(ctx context.Context, s store.Store) map[string]error {
	errs := map[string]error{
		"Apply": s.Apply(ctx, store.CreateUser{User: aUser("late")}),
		"Ping":  s.Ping(ctx),
	}
	_, errs["Tenants"] = s.Tenants(ctx)
	_, errs["User"] = s.User(ctx, "t", "alice")
	_, errs["ListUsers"] = s.ListUsers(ctx, "t", "", 9)
	_, errs["Application"] = s.Application(ctx, "t", "app")
	_, errs["ListApplications"] = s.ListApplications(ctx, "t", "", 9)
	_, errs["ServiceAccount"] = s.ServiceAccount(ctx, "t", "files")
	_, errs["ListServiceAccounts"] = s.ListServiceAccounts(ctx, "t", "", 9)
	_, errs["Ticket"] = s.Ticket(ctx, aTicket(1).ID)
	_, errs["TicketByUserCode"] = s.TicketByUserCode(ctx, aTicket(1).UserCode)
	_, errs["Session"] = s.Session(ctx, aSession(1).ID)
	_, errs["SessionByAccessor"] = s.SessionByAccessor(ctx, aSession(1).Accessor)
	_, errs["ListSessions"] = s.ListSessions(ctx, "t", "alice", "", 9)
	_, errs["Property"] = s.Property(ctx, "t", "setting")
	_, errs["Properties"] = s.Properties(ctx, "t")
	_, errs["Revocations"] = s.Revocations(ctx, 0, 9)
	_, errs["Keys"] = s.Keys(ctx)
	_, errs["Organisation"] = s.Organisation(ctx, "t", 1)
	_, errs["ListOrganisations"] = s.ListOrganisations(ctx, "t", 0, 9)
	_, errs["Memberships"] = s.Memberships(ctx, "t", "alice")
	_, errs["Members"] = s.Members(ctx, "t", 1)
	_, errs["UserByNumber"] = s.UserByNumber(ctx, "t", 1)
	_, errs["ApplicationByNumber"] = s.ApplicationByNumber(ctx, "t", 1)
	_, errs["ListUsersByNumber"] = s.ListUsersByNumber(ctx, "t", 0, 9)
	_, errs["ListApplicationsByNumber"] = s.ListApplicationsByNumber(ctx, "t", 0, 9)
	_, errs["AccessToken"] = s.AccessToken(ctx, "t", 1)
	_, errs["AccessTokenOf"] = s.AccessTokenOf(ctx, "t", 1)
	_, errs["ListOpaque"] = s.ListOpaque(ctx, "t", store.OpaqueQuery{Limit: 9})
	_, errs["CountOpaque"] = s.CountOpaque(ctx, "t", store.OpaqueQuery{})
	_, errs["RefreshToken"] = s.RefreshToken(ctx, "t", "alice", "phone")
	_, errs["RefreshTokenByID"] = s.RefreshTokenByID(ctx, aRefreshToken(1, "", "").ID)
	_, errs["ListRefreshTokens"] = s.ListRefreshTokens(ctx, "t", store.RefreshTokenQuery{Limit: 9})
	_, errs["CountRefreshTokens"] = s.CountRefreshTokens(ctx, "t", store.RefreshTokenQuery{})
	_, errs["Policy"] = s.Policy(ctx, "t", "u")
	_, errs["PolicyByName"] = s.PolicyByName(ctx, "t", "policy")
	_, errs["ListPolicies"] = s.ListPolicies(ctx, "t", "", 9)
	for i, f := range shapes([]string{"alice"}, []string{"app"}) {
		_, errs[fmt.Sprint("ListAccessTokens ", i)] = s.ListAccessTokens(ctx, "t", f, 0, 9)
		_, errs[fmt.Sprint("CountAccessTokens ", i)] = s.CountAccessTokens(ctx, "t", f)
	}
	return errs
}

func apply(t testing.TB, s store.Store, commands ...store.Command) {
	t.Helper()
	if err := s.Apply(t.Context(), commands...); err != nil {
		t.Fatalf("apply %T: %v", commands, err)
	}
}

func refused(t testing.TB, s store.Store, want error, commands ...store.Command) {
	t.Helper()
	if err := s.Apply(t.Context(), commands...); !errors.Is(err, want) {
		t.Fatalf("apply %T: %v, want %v", commands, err, want)
	}
}

func same(t testing.TB, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("not the same (-want +got):\n%s", diff)
	}
}

// must is for reads that have to succeed.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
