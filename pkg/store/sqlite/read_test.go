package sqlite

import (
	"maps"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestEveryQueryUsesAnIndex(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, kept := range []*statements{recordQueries(t, s), s.writer.kept} {
		for query := range kept.kept {
			if strings.Contains(query, "FROM keys ORDER") || strings.Contains(query, "FROM tenants ORDER") || !strings.Contains(query, "WHERE") {
				continue // all the keys or the tenants, which are few; or no look-up
			}
			all := strings.Contains(query, "FROM properties WHERE tenant = ? ORDER") || query == "DELETE FROM access_tokens WHERE tenant = ? AND created_at <= ?" ||
				walksTenant(query)
			for _, step := range plan(t, s, query) {
				// What a query was given, or makes itself, is no table.
				own := step == "SCAN CONSTANT ROW" || step == "SCAN walk" || strings.HasPrefix(step, "SCAN json_each ")
				scan := strings.HasPrefix(step, "SCAN") && !own
				// A tenant is no index: it may hold all the rows there are. Only
				// of its properties all are asked for, of its access tokens all are
				// removed, and what has pages by offset is walked from its first on.
				tenant := strings.HasSuffix(step, "(tenant=?)") && !all
				if scan || tenant || strings.Contains(step, "TEMP B-TREE FOR ORDER") {
					t.Errorf("%s\n%s", step, query)
				}
			}
		}
	}
}

// recordQueries has every read and command prepare its statements.
func recordQueries(t *testing.T, s *Store) *statements {
	t.Helper()
	ctx := t.Context()
	_, _ = s.Tenants(ctx)
	_, _ = s.User(ctx, "", "")
	_, _ = s.ListUsers(ctx, "", "", 1)
	_, _ = s.Application(ctx, "", "")
	_, _ = s.ListApplications(ctx, "", "", 1)
	_, _ = s.ServiceAccount(ctx, "", "")
	_, _ = s.ListServiceAccounts(ctx, "", "", 1)
	_, _ = s.Ticket(ctx, store.ID{})
	_, _ = s.TicketByUserCode(ctx, "")
	_, _ = s.Session(ctx, store.ID{})
	_, _ = s.SessionByAccessor(ctx, "")
	_, _ = s.ListSessions(ctx, "", "", "", 1)
	_, _ = s.Property(ctx, "", "")
	_, _ = s.Properties(ctx, "")
	_, _ = s.Revocations(ctx, 0, 1)
	recordNumbered(t, s)
	recordOpaque(t, s)
	for _, command := range []store.Command{
		store.CreateTenant{},
		store.UpdateTenant{Read: 1},
		store.CreateUser{},
		store.UpdateUser{},
		store.DeleteUser{},
		store.CreateApplication{Application: store.Application{ID: "a"}},
		store.CreateApplication{Application: store.Application{ID: "b", Owner: "u"}},
		store.UpdateApplication{},
		store.DeleteApplication{ID: "a"},
		store.CreateServiceAccount{},
		store.UpdateServiceAccount{Read: 1},
		store.DeleteServiceAccount{},
		store.CreateTicket{},
		store.DecideTicket{ID: store.ID{1}},
		store.UseTicket{ID: store.ID{1}},
		store.Once{},
		revocation("k"), revocation("k"),
		store.CreateSession{},
		store.RotateSession{ID: store.ID{1}},
		store.UseSession{ID: store.ID{1}},
		store.PutProperty{},
		store.DeleteProperty{},
		store.RevokeSessions{},
		store.RevokeSessions{Subject: "s"},
		store.RevokeSessions{ID: store.ID{1}},
		store.PutKey{},
		store.RetireKey{},
		store.StretchKey{},
		store.DeleteKey{},
		store.Purge{},
	} {
		_ = s.Apply(ctx, command)
	}
	return s.readers.idle[0].kept
}

// recordNumbered is the part of recordQueries that has to do with numbers.
func recordNumbered(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	_, _ = s.UserByNumber(ctx, "", 1)
	_, _ = s.ListUsersByNumber(ctx, "", 0, 1)
	_, _ = s.ApplicationByNumber(ctx, "", 1)
	_, _ = s.ListApplicationsByNumber(ctx, "", 0, 1)
	_, _ = s.Organisation(ctx, "", 1)
	_, _ = s.ListOrganisations(ctx, "", 0, 1)
	_, _ = s.Memberships(ctx, "", "")
	_, _ = s.Members(ctx, "", 1)
	_, _ = s.AccessToken(ctx, "", 1)
	_, _ = s.AccessTokenOf(ctx, "", 1)
	for _, f := range filters("a", "b") {
		_, _ = s.ListAccessTokens(ctx, "", f, 0, 1)
		_, _ = s.CountAccessTokens(ctx, "", f)
	}
	for _, command := range []store.Command{
		store.CreateUser{},
		store.CreateOrganisation{},
		store.CreateOrganisation{Organisation: store.Organisation{Name: "o"}},
		store.UpdateOrganisation{},
		store.UpdateOrganisation{Organisation: store.Organisation{Number: 1, Name: "o"}},
		store.UpdateOrganisation{Organisation: store.Organisation{Number: 1}},
		store.PutMembership{Membership: store.Membership{Organisation: 1}},
		store.PutMembership{Membership: store.Membership{Organisation: 1}},
		store.DeleteMembership{},
		store.DeleteOrganisation{Number: 9},
		store.DeleteOrganisation{Number: 1},
		store.CreateAccessToken{},
		store.ReplaceAccessToken{Number: 1},
		store.UpdateAccessToken{},
		store.DeleteAccessTokens{Number: 1},
		store.DeleteAccessTokens{Family: 1},
		store.DeleteAccessTokens{Subject: "s"},
		store.DeleteAccessTokens{Client: "c"},
		store.DeleteAccessTokens{},
		store.DeleteUser{},
	} {
		_ = s.Apply(ctx, command)
	}
}

// recordOpaque is the part of recordQueries that has to do with opaque tokens.
func recordOpaque(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	for _, subject := range []string{"", "s"} {
		_, _ = s.ListOpaque(ctx, "", store.OpaqueQuery{Subject: subject})
		_, _ = s.CountOpaque(ctx, "", store.OpaqueQuery{Subject: subject})
		for _, q := range refreshQueries(subject) {
			_, _ = s.ListRefreshTokens(ctx, "", q)
			_, _ = s.CountRefreshTokens(ctx, "", q)
		}
	}
	_, _ = s.RefreshToken(ctx, "", "", "")
	_, _ = s.RefreshTokenByID(ctx, store.ID{})
	_, _ = s.Policy(ctx, "", "")
	_, _ = s.PolicyByName(ctx, "", "")
	_, _ = s.ListPolicies(ctx, "", "", 1)
	for _, command := range []store.Command{
		store.CreateSession{Most: 1},
		store.CreateUser{},
		store.CreateRefreshToken{},
		store.DeleteRefreshTokens{Client: "c"},
		store.DeleteRefreshTokens{Subject: "s"},
		store.DeleteRefreshTokens{Subject: "s", Mobile: true},
		store.DeleteRefreshTokens{},
		store.CreatePolicy{},
		store.UpdatePolicy{Read: 1},
		store.DeletePolicy{},
		store.DeleteUser{},
	} {
		_ = s.Apply(ctx, command)
	}
}

// refreshQueries are all shapes of one.
func refreshQueries(subject string) (all []store.RefreshTokenQuery) {
	for _, order := range []string{store.RefreshByCreation, store.RefreshByClient, store.RefreshByMobile} {
		for _, descending := range []bool{false, true} {
			for _, search := range []string{"", "s"} {
				all = append(all, store.RefreshTokenQuery{Subject: subject, Search: search, Order: order, Descending: descending})
			}
		}
	}
	return all
}

// walksTenant tells whether a query is for a page or a count of all that a tenant
// has of opaque sessions or refresh tokens. It names the index to walk along.
func walksTenant(query string) bool {
	walk := strings.Contains(query, "FROM sessions INDEXED BY opaque_sessions WHERE") || strings.Contains(query, "FROM refresh_tokens INDEXED BY refresh_tokens_by_")
	return walk && (strings.Contains(query, "LIMIT ? OFFSET ?") || strings.HasPrefix(query, "SELECT count(*) FROM"))
}

func TestOpaqueSessionsAreFoundInTheirIndexAlone(t *testing.T) {
	s := openStore(t, t.TempDir())
	kept := recordQueries(t, s).kept
	maps.Copy(kept, s.writer.kept.kept)
	found := 0
	for query := range kept {
		index := "opaque_sessions"
		switch {
		case strings.Contains(query, "INDEXED BY opaque_sessions_of_subject"):
			index = "opaque_sessions_of_subject"
		case !strings.Contains(query, "INDEXED BY opaque_sessions WHERE"):
			continue
		}
		found++
		if steps := strings.Join(plan(t, s, query), "\n"); !strings.Contains(steps, "USING COVERING INDEX "+index+" (tenant=?") {
			t.Errorf("%s\n%s", steps, query)
		}
	}
	if found != 5 { // a page and a count of a subject and of all, and the room that a subject has
		t.Errorf("%d queries for opaque sessions", found)
	}
}

func plan(t *testing.T, s *Store, query string) (steps []string) {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := s.readers.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, detail)
	}
	return steps
}

// filters are all shapes of one: nobody's, one or two subjects, one or two clients,
// and both sorts of each.
func filters(a, b string) (all []store.AccessTokenFilter) {
	for _, sort := range []store.AccessTokenFilter{{}, {Personal: true}, {Application: true}, {Personal: true, Application: true}} {
		for _, subjects := range [][]string{nil, {a}, {a, b}} {
			for _, clients := range [][]string{nil, {a}, {a, b}} {
				sort.Subjects, sort.Clients = subjects, clients
				all = append(all, sort)
			}
		}
	}
	return all
}
