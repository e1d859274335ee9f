package sqlite

import (
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
			all := strings.Contains(query, "FROM properties WHERE tenant = ? ORDER")
			for _, step := range plan(t, s, query) {
				scan := strings.HasPrefix(step, "SCAN") && step != "SCAN CONSTANT ROW"
				// A tenant is no index: it may hold all the rows there are. Only
				// of its properties all are asked for.
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
	for _, command := range []store.Command{
		store.CreateTenant{},
		store.UpdateTenant{Read: 1},
		store.CreateUser{},
		store.UpdateUser{},
		store.DeleteUser{},
		store.CreateApplication{Application: store.Application{ID: "a"}},
		store.UpdateApplication{},
		store.DeleteApplication{},
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
	return s.queries
}

func plan(t *testing.T, s *Store, query string) (steps []string) {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	rows, err := s.readers.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
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
