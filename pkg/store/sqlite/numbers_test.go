package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestUsersAndApplicationsOfAnOlderSchemaAreNumberedAsTheyWereMade(t *testing.T) {
	dir := olderDatabase(t, 4) // with alice and app in t
	onFile(t, filepath.Join(dir, "store.db"), `
		INSERT INTO users SELECT column1, column2, '', '[]', 0, column3, 9 FROM (VALUES
			('t', 'zoe', -5), ('t', 'bob', 7), ('t', 'Bob', 7), ('t', 'ann', 1800000000000000), ('T', 'bob', 9), ('T', 'carl', 8));
		INSERT INTO applications SELECT column1, column2, column3, x'', '', '[]', '[]', '[]', '[]', '', 0, 0, 0, column4, 9 FROM (VALUES
			('t', 'z', 'a', 0), ('t', 'y', 'b', 7), ('t', 'x', 'c', 7), ('T', 'only', '', 99))`)
	s := openStore(t, dir)
	equal(t, []string{"zoe", "alice", "Bob", "bob", "ann"})(usersByNumber(t, s, "t"))
	equal(t, []string{"carl", "bob"})(usersByNumber(t, s, "T"))
	equal(t, []string{"z", "app", "x", "y"})(applicationsByNumber(t, s, "t"))
	equal(t, []string{"only"})(applicationsByNumber(t, s, "T"))
	err := s.Apply(t.Context(),
		store.DeleteUser{Tenant: "t", Name: "ann"}, store.CreateUser{User: store.User{Tenant: "t", Name: "next"}},
		store.DeleteApplication{Tenant: "t", ID: "y"}, store.CreateApplication{Application: store.Application{Tenant: "t", ID: "new"}})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, store.User{Tenant: "t", Name: "next", Number: 6})(s.UserByNumber(t.Context(), "t", 6))
	equal(t, store.Application{Tenant: "t", ID: "new", Number: 5})(s.ApplicationByNumber(t.Context(), "t", 5))
}

// usersByNumber gives the names of users whose numbers go from 1 on.
func usersByNumber(t *testing.T, s *Store, tenant string) (names []string, err error) {
	t.Helper()
	all, err := s.ListUsersByNumber(t.Context(), tenant, 0, 99)
	for i, user := range all {
		equal(t, int64(i+1))(user.Number, err)
		names = append(names, user.Name)
	}
	return names, err
}

func applicationsByNumber(t *testing.T, s *Store, tenant string) (ids []string, err error) {
	t.Helper()
	all, err := s.ListApplicationsByNumber(t.Context(), tenant, 0, 99)
	for i, application := range all {
		equal(t, int64(i+1))(application.Number, err)
		ids = append(ids, application.ID)
	}
	return ids, err
}
