package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

func TestARecordIsNotReadAgainUntilSomebodyCommits(t *testing.T) {
	dir := t.TempDir()
	s, other := openStore(t, dir), openStore(t, dir)
	applied(t, s, store.CreateUser{User: store.User{Tenant: "t", Name: "u", Roles: []string{"admin"}}})
	kept := func() bool {
		as, ok := s.version.now()
		_, found := s.users.Find(as, relational.Name{Tenant: "t", ID: "u"})
		return ok && found
	}
	if kept() {
		t.Error("kept before it was read")
	}
	_ = readUser(t, s)
	if !kept() {
		t.Error("to be read again, though nothing was committed")
	}
	applied(t, s, revocation("own"))
	if kept() {
		t.Error("kept beyond a commit of this store")
	}
	_ = readUser(t, s)
	applied(t, other, revocation("another's"))
	if kept() {
		t.Error("kept beyond a commit of another one")
	}
	_ = readUser(t, s)
	applied(t, s, store.DeleteUser{Tenant: "t", Name: "u"})
	if _, err := s.User(t.Context(), "t", "u"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a user who was removed: %v", err)
	}
}

func TestARecordThatWasChangedAnywhereIsReadAsItIsFromTheAnswerOn(t *testing.T) {
	dir := t.TempDir()
	s, other := openStore(t, dir), openStore(t, dir)
	app := store.Application{Tenant: "t", ID: "app", UpdatedAt: 1}
	applied(t, s, store.CreateApplication{Application: app})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { // somebody else reads all the time, and keeps what he has read
		defer close(over)
		for ctx.Err() == nil {
			_, _ = s.Application(ctx, "t", "app")
			_, _ = other.Application(ctx, "t", "app")
		}
	}()
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	for i := range rounds {
		writer := []*Store{s, other}[i%2]
		if i%500 == 499 { // the log begins anew
			if _, err := s.readers.db.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
		}
		read := app.UpdatedAt
		app.UpdatedAt++
		app.Name = fmt.Sprint("name", i)
		applied(t, writer, store.UpdateApplication{Application: app, Read: read})
		for _, reader := range []*Store{s, other} {
			got, err := reader.Application(t.Context(), "t", "app")
			if err != nil || got.Name != app.Name {
				t.Fatalf("after change %d: %q, %v", i, got.Name, err)
			}
		}
	}
	stop()
	<-over
}

func TestWhoChangesARecordThatHeHasReadChangesNobodyElses(t *testing.T) {
	s := openStore(t, t.TempDir())
	applied(t, s, store.CreateUser{User: store.User{Tenant: "t", Name: "u", Roles: []string{"admin"}, ACL: []string{"a"}, Policies: []string{"p"}}})
	applied(t, s, store.CreateApplication{Application: store.Application{
		Tenant: "t", ID: "app", SecretMAC: []byte("mac"), Grants: []string{"g"}, RedirectURIs: []string{"r"}, Scopes: []string{"s"}, Audiences: []string{"a"},
	}})
	for range 2 {
		u := readUser(t, s)
		a, err := s.Application(t.Context(), "t", "app")
		if err != nil || string(a.SecretMAC) != "mac" {
			t.Fatalf("%q, %v", a.SecretMAC, err)
		}
		a.SecretMAC[0] = 'x'
		for i, list := range [][]string{u.Roles, u.ACL, u.Policies, a.Grants, a.RedirectURIs, a.Scopes, a.Audiences} {
			if want := []string{"admin", "a", "p", "g", "r", "s", "a"}[i]; !slices.Equal(list, []string{want}) {
				t.Errorf("list %d: %q", i, list)
			}
			list[0] = "changed"
		}
	}
}

func TestAClosedStoreGivesNothingThatItKept(t *testing.T) {
	s := openStore(t, t.TempDir())
	applied(t, s, store.CreateUser{User: store.User{Tenant: "t", Name: "u"}})
	_ = readUser(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.User(t.Context(), "t", "u"); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAStoreThatIsNamedByALinkHasTheVersionOfItsFile(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(s.path, link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(link+"-shm", make([]byte, 32<<10), 0o600); err != nil { // somebody's: nothing ever changes in it
		t.Fatal(err)
	}
	linked, err := Open(t.Context(), Config{Path: link})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = linked.Close() })
	if linked.version.index != s.version.index || s.version.index == nil {
		t.Errorf("%v and %v are not the same index", linked.version.index, s.version.index)
	}
}

func readUser(t *testing.T, s *Store) store.User {
	t.Helper()
	u, err := s.User(t.Context(), "t", "u")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func applied(t *testing.T, s *Store, commands ...store.Command) {
	t.Helper()
	if err := s.Apply(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
}
