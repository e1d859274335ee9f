package postgres

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
)

// filled is a SQLite store with a record of each kind at least, and gaps in its
// numbers.
func filled(t *testing.T) *sqlite.Store {
	t.Helper()
	return filledAt(t, filepath.Join(t.TempDir(), "store.db"))
}

func filledAt(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	opaque, over := session(2), session(3)
	opaque.Opaque, over.ExpiresAt = &store.Opaque{UUID: "u", ACL: []string{"a.#"}, Mobile: true}, 7
	commands := []store.Command{
		store.CreateTenant{Tenant: store.Tenant{Name: "t", Issuer: "https://t.example", AccessTTL: math.MaxInt64, WeakKeys: true}},
		store.UpdateTenant{Tenant: store.Tenant{Name: store.DefaultTenant, Site: "s", UpdatedAt: 9}},
		store.CreateApplication{Application: store.Application{Tenant: "t", ID: "a\x00\xff", SecretMAC: []byte{0, 255}, Implicit: true, Scopes: []string{"x"}}},
		store.CreateServiceAccount{ServiceAccount: store.ServiceAccount{Tenant: "t", Name: "files", MayMint: []string{"t"}}},
		store.CreateOrganisation{Organisation: store.Organisation{Tenant: "t", Name: "o"}},
		store.CreatePolicy{Policy: store.Policy{Tenant: "t", UUID: "u", Name: "p", Templates: []string{"b"}, CreatedAt: math.MinInt64}},
		store.CreateSession{Session: session(1)},
		store.CreateSession{Session: opaque},
		store.CreateSession{Session: over},
		store.RotateSession{ID: session(1).ID, From: 0, At: 5},
		store.RevokeSessions{ID: opaque.ID, At: 8},
		store.CreateTicket{Ticket: store.Ticket{ID: store.ID{1}, Kind: store.TicketDevice, UserCode: "CODE", KeepUntil: 3}},
		store.Once{Value: "\x00", Until: 4},
		store.Once{},
		store.PutProperty{Property: store.Property{Tenant: "t", Name: "n", Value: `back\slash`}},
		store.PutKey{Key: store.Key{ID: "kid", Tenant: "t", Sealed: []byte{1}, LongestTTL: 5}},
		store.PutKey{Key: store.Key{ID: "bare"}},
	}
	for i := range 500 {
		name := fmt.Sprint("user", i)
		commands = append(commands, store.CreateUser{User: store.User{Tenant: "t", Name: name, Roles: []string{store.RoleAdmin}, Disabled: i%2 == 0, CreatedAt: int64(i)}},
			store.CreateAccessToken{AccessToken: store.AccessToken{Tenant: "t", Subject: name, Client: []string{"", "app"}[i%2], KeepUntil: int64(i)}},
			store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: name, At: int64(i), Until: int64(i % 3)}})
	}
	commands = append(commands,
		store.CreateRefreshToken{RefreshToken: store.RefreshToken{Tenant: "t", Subject: "user1", Client: "phone", ID: store.ID{1}, Mobile: true}},
		store.PutMembership{Membership: store.Membership{Tenant: "t", User: "user1", Organisation: 1, Role: store.OrganisationAdmin}},
		store.DeleteUser{Tenant: "t", Name: "user499"}, store.Purge{Before: 3, Limit: 1000})
	if err := s.Apply(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
	return s
}

func imported(t *testing.T, c cluster) {
	s, source := c.open(t), filled(t)
	if _, err := s.Import(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tables(t, source), tables(t, s)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, f := range []store.AccessTokenFilter{{}, {Personal: true}, {Clients: []string{"app"}}, {Subjects: []string{"user8"}}} {
		want, err := source.CountAccessTokens(t.Context(), "t", f)
		got, err2 := s.CountAccessTokens(t.Context(), "t", f)
		if want != got || err != nil || err2 != nil {
			t.Errorf("%+v: %d access tokens, want %d, errors %v, %v", f, got, want, err, err2)
		}
	}
	goesOn(t, source, s)
}

// goesOn wants the next numbers of stores to be the same.
func goesOn(t *testing.T, stores ...store.Store) {
	t.Helper()
	for _, both := range stores {
		number := int64(0)
		err := both.Apply(t.Context(), store.CreateUser{User: store.User{Tenant: "t", Name: "new"}}, revoke("new"),
			store.CreateAccessToken{AccessToken: store.AccessToken{Tenant: "t"}, Number: &number})
		user, err2 := both.User(t.Context(), "t", "new")
		facts, err3 := both.Revocations(t.Context(), 500, 9)
		if err := errors.Join(err, err2, err3); err != nil || number != 501 || user.Number != 501 || len(facts) != 1 || facts[0].Seq != 501 {
			t.Errorf("access token %d, user %d, facts %v, error %v", number, user.Number, facts, err)
		}
	}
}

func notImportedInto(t *testing.T, c cluster) {
	source := filled(t)
	for name, command := range map[string]store.Command{
		"a user":                  store.CreateUser{User: store.User{Tenant: "t", Name: "alice"}},
		"a tenant":                store.CreateTenant{Tenant: store.Tenant{Name: "other"}},
		"a changed tenant":        store.UpdateTenant{Tenant: store.Tenant{Name: store.DefaultTenant, UpdatedAt: 1}},
		"a fact that was removed": revoke("k"),
	} {
		s := c.open(t)
		apply(t, s, command, store.Purge{Before: math.MaxInt64, Limit: 9})
		if _, err := s.Import(t.Context(), source); !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
		if sessions, err := s.Session(t.Context(), session(1).ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v is there, error %v", name, sessions, err)
		}
	}
}

// written writes rows one a text, in an order of its own, the columns by name.
func written(rows relational.Rows) (all []string, err error) {
	for {
		row, err := rows.Next()
		if err != nil || row == nil {
			slices.Sort(all)
			return all, err
		}
		fields := make([]string, len(row))
		for i, value := range row {
			fields[i] = fmt.Sprintf("%s %q", strings.Trim(rows.Columns[i], `"`), value)
		}
		slices.Sort(fields)
		all = append(all, strings.Join(fields, ", "))
	}
}
