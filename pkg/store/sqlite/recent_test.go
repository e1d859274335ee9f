package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

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

func TestAStoreHasTheVersionOfItsOwnFileWhereverLinksAndDotsLead(t *testing.T) {
	root := t.TempDir()
	s := openStore(t, root)
	for _, dir := range []string{"elsewhere", "elsewhere/beneath", "here"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// What these names have beside them is somebody's, and nothing ever changes in it.
	for _, other := range []string{"link.db-shm", "elsewhere/store.db-shm"} {
		if err := os.WriteFile(filepath.Join(root, other), make([]byte, 32<<10), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link.db": s.path, "here/link": filepath.Join(root, "elsewhere", "beneath")} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{root + "/link.db", root + "/here/link/../store.db"} {
		linked, err := Open(t.Context(), Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = linked.Close() }()
		before, ok := linked.version.now()
		applied(t, linked, revocation("k"))
		if after, _ := linked.version.now(); !ok || after == before {
			t.Errorf("%s: the version is %x, and %x after a commit", path, before, after)
		}
	}
}

func TestTwoWhoCloseAStoreAtOnceWaitForNobodyButItsReads(t *testing.T) {
	s := openStore(t, t.TempDir())
	began, goOn := make(chan struct{}, mostReaders), make(chan struct{})
	var wait sync.WaitGroup
	for range mostReaders {
		wait.Go(func() {
			_ = s.readers.query(context.Background(), func(*sql.Rows) error {
				began <- struct{}{}
				<-goOn
				return nil
			}, "SELECT 1")
		})
	}
	for range mostReaders {
		<-began
	}
	for range 2 {
		wait.Go(func() { _ = s.Close() })
	}
	close(goOn)
	wait.Wait() // else the test hangs
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

func TestAReadWaitsForItsTurnNoLongerThanItsContextLasts(t *testing.T) {
	s := openStore(t, t.TempDir())
	for range mostReaders {
		s.readers.turns <- struct{}{}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := s.Tenants(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("all turns taken: %v", err)
	}
	<-s.readers.turns
	if _, err := s.Tenants(t.Context()); err != nil {
		t.Errorf("one turn free: %v", err)
	}
	if len(s.readers.turns) != mostReaders-1 {
		t.Errorf("%d turns are taken, want %d", len(s.readers.turns), mostReaders-1)
	}
	for range mostReaders - 1 {
		<-s.readers.turns
	}
}
