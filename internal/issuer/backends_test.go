package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// people is a directory in memory, which takes upper case for lower.
type people struct {
	mu    sync.Mutex
	byUID map[string]backend.Person
	down  bool
	finds int
}

func newPeople(list ...backend.Person) *people {
	d := &people{byUID: map[string]backend.Person{}}
	for _, p := range list {
		d.put(p)
	}
	return d
}

func (d *people) put(p backend.Person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byUID[strings.ToLower(p.Name)] = p
}

func (d *people) set(down bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = down
}

func (d *people) Find(_ context.Context, name string) (backend.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.finds++
	p, ok := d.byUID[strings.ToLower(name)]
	switch {
	case d.down:
		return p, fmt.Errorf("%w: the directory is away", token.ErrUnavailable)
	case !ok:
		return p, token.ErrUnknown
	}
	return backend.Person{Name: p.Name, ID: p.ID, DN: p.DN}, nil
}

func (d *people) Verify(_ context.Context, p backend.Person, given token.Secret) (backend.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return p, fmt.Errorf("%w: the directory is away", token.ErrUnavailable)
	}
	if given.Reveal() != pass {
		return p, token.ErrCredentials
	}
	return d.byUID[strings.ToLower(p.Name)], nil
}

func (d *people) Groups(_ context.Context, p backend.Person) (backend.Person, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down {
		return p, fmt.Errorf("%w: the directory is away", token.ErrUnavailable)
	}
	return d.byUID[strings.ToLower(p.Name)], nil
}

func (d *people) remove(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.byUID, name)
}

func (d *people) Close() error { return nil }

// backendWorld asks these backends; the user marco is the store's own.
func backendWorld(t *testing.T, list ...issuer.Backend) *world {
	t.Helper()
	w := newWorld(t, func(c *issuer.Config, _ *issuer.DoorConfig) { c.Backends = list })
	w.addUser("marco")
	return w
}

func local() issuer.Backend { return issuer.Backend{Name: issuer.LocalBackend} }

func (w *world) wantLogin(name, given string, kind error) {
	w.Helper()
	_, err := w.door.Login(w.Context(), credentials(name, given), token.Request{})
	if !errors.Is(err, kind) {
		w.Errorf("login of %q: %v, want %v", name, err, kind)
	}
}

func (w *world) user(name string) store.User {
	w.Helper()
	u, err := w.issuer.User(w.Context(), store.DefaultTenant, name)
	w.do(err)
	return u
}

func TestAPersonOfADirectoryIsAUserFromTheFirstLoginOn(t *testing.T) {
	alice := backend.Person{Name: "alice", ID: "uid=1", Roles: []string{store.RoleAdmin}, Policies: []string{"ops"}}
	d := newPeople(alice)
	w := backendWorld(t, local(), issuer.Backend{Name: "corp", Directory: d})
	w.wantLogin("alice", "wrong", token.ErrCredentials)
	w.wantLogin("nobody", pass, token.ErrCredentials)
	if list, err := w.issuer.ListUsers(t.Context(), store.DefaultTenant, "", 10); err != nil || len(list) != 1 {
		t.Fatalf("a refused login left a record: %v, %v", list, err)
	}
	w.wantLogin("ALICE", pass, nil)
	u := w.user("alice")
	if u.Backend != "corp" || u.BackendID != "uid=1" || u.PasswordHash != "" || !slices.Equal(u.Roles, alice.Roles) || !slices.Equal(u.Policies, alice.Policies) {
		t.Errorf("%+v", u)
	}
	alice.Roles, alice.Policies = nil, []string{"other"}
	d.put(alice)
	w.wantLogin("alice", pass, nil)
	if got := w.user("alice"); got.Roles != nil || !slices.Equal(got.Policies, alice.Policies) || got.CreatedAt != u.CreatedAt {
		t.Errorf("%+v", got)
	}
	w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "alice", true))
	w.wantLogin("alice", pass, token.ErrCredentials)
	if err := w.issuer.SetPassword(t.Context(), store.DefaultTenant, "alice", token.NewPassword("x"), false); err == nil {
		t.Error("a directory's user was given a password here")
	}
}

func TestNobodyBecomesAUserOfTheStoreThroughADirectory(t *testing.T) {
	d := newPeople(backend.Person{Name: "marco", ID: "uid=9"}, backend.Person{Name: "Marco2", ID: "uid=8"})
	d2 := newPeople(backend.Person{Name: "Marco2", ID: "uid=8"})
	w := backendWorld(t, issuer.Backend{Name: "corp", Directory: d}, local(), issuer.Backend{Name: "second", Directory: d2})
	w.do(w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("ours"), false))
	w.wantLogin("marco", pass, token.ErrCredentials)
	w.wantLogin("MARCO", pass, token.ErrCredentials)
	w.wantLogin("marco", "ours", nil)
	w.wantLogin("Marco2", pass, nil)
	if _, _, _, err := w.door.AuthenticateBy(t.Context(), "second", credentials("Marco2", pass), ""); !errors.Is(err, token.ErrCredentials) {
		t.Error("another directory's person of the same name:", err)
	}
	if _, _, _, err := w.door.AuthenticateBy(t.Context(), "corp", credentials("marco", "ours"), ""); !errors.Is(err, token.ErrCredentials) {
		t.Error("a user of the store at a directory:", err)
	}
}

func TestANameThatIsAnotherPersonsByNowInheritsNothing(t *testing.T) {
	d := newPeople(backend.Person{Name: "alice", ID: "uid=1"})
	w := backendWorld(t, local(), issuer.Backend{Name: "corp", Directory: d})
	before := w.loginRefresh("alice")
	uuid, number := w.issuer.UserUUID(w.user("alice")), w.user("alice").Number
	d.put(backend.Person{Name: "alice", ID: "uid=2"})
	w.clock.move(time.Second)
	after := w.login("alice")
	w.wantGood(after, "the new person's token")
	w.wantAccess(before, token.ErrRevoked, "the former person's token")
	w.wantRefresh(before, token.ErrRevoked, "the former person's refresh token")
	if u := w.user("alice"); w.issuer.UserUUID(u) == uuid || u.Number == number || u.BackendID != "uid=2" {
		t.Errorf("%+v", u)
	}
}

func TestWhoIsDisabledStaysSoWhateverTheDirectorySays(t *testing.T) {
	d := newPeople(backend.Person{Name: "olga", ID: "uid=1"})
	w := backendWorld(t, local(), issuer.Backend{Name: "corp", Directory: d})
	w.wantLogin("olga", pass, nil)
	w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "olga", true))
	for _, id := range []string{"uid=1", "uid=2", "entryUUID=2", "uid=1"} {
		d.put(backend.Person{Name: "olga", ID: id, Roles: []string{store.RoleAdmin}})
		w.wantLogin("olga", pass, token.ErrCredentials)
	}
}

func TestADirectoryThatIsDownNeverMakesANo(t *testing.T) {
	d := newPeople(backend.Person{Name: "alice", ID: "uid=1"})
	for next, answer := range map[bool]error{false: token.ErrUnavailable, true: nil} {
		other := newPeople(backend.Person{Name: "carol", ID: "uid=3"})
		w := backendWorld(t, issuer.Backend{Name: "corp", Directory: d, Next: next}, local(), issuer.Backend{Name: "second", Directory: other})
		w.wantLogin("alice", pass, nil)
		d.set(true)
		w.wantLogin("marco", pass, nil)
		w.wantLogin("marco", "wrong", token.ErrCredentials)
		w.wantLogin("alice", pass, token.ErrUnavailable)
		w.wantLogin("nobody", pass, token.ErrUnavailable)
		w.wantLogin("carol", pass, answer)
		d.set(false)
		w.wantLogin("alice", pass, nil)
		w.wantLogin("nobody", pass, token.ErrCredentials)
		w.wantLogin("carol", pass, nil)
	}
}

func TestABackendIsForItsTenantAndItsRoleAlone(t *testing.T) {
	d := newPeople(backend.Person{Name: "alice", ID: "uid=1"}, backend.Person{Name: "root", ID: "uid=2", Roles: []string{store.RoleAdmin}})
	w := backendWorld(
		t, issuer.Backend{Name: "people"}, issuer.Backend{Name: "admins", Role: store.RoleAdmin},
		issuer.Backend{Name: "corp", Directory: d, Role: store.RoleAdmin}, issuer.Backend{Name: "elsewhere", Tenant: "dev"},
	)
	w.addUser("boss", store.RoleAdmin)
	by := func(backend, name string, kind error, used string) {
		t.Helper()
		_, user, b, err := w.door.AuthenticateBy(t.Context(), backend, credentials(name, pass), "")
		if !errors.Is(err, kind) || err == nil && (user.Name != name || b.Name != used) {
			t.Errorf("%s at %q: %q by %q, %v", name, backend, user.Name, b.Name, err)
		}
	}
	by("", "marco", nil, "people")
	by("people", "marco", nil, "people")
	by("admins", "marco", token.ErrCredentials, "")
	by("admins", "boss", nil, "admins")
	by("corp", "alice", token.ErrCredentials, "")
	by("corp", "root", nil, "corp")
	by("elsewhere", "marco", token.ErrCredentials, "")
	by("unknown", "marco", token.ErrCredentials, "")
	var names []string
	for _, b := range w.door.Backends() {
		names = append(names, b.Name)
	}
	if !slices.Equal(names, []string{"people", "admins", "corp"}) {
		t.Errorf("%v", names)
	}
}

func TestANameIsGuessedAsOftenHoweverItIsWritten(t *testing.T) {
	d := newPeople(backend.Person{Name: "alice", ID: "uid=1"})
	w := newWorld(t, func(c *issuer.Config, _ *issuer.DoorConfig) {
		c.Backends = []issuer.Backend{{Name: "corp", Directory: d}}
		brake, err := throttle.New(throttle.Config{Attempts: 5, Window: time.Minute, Now: c.Now})
		if err != nil {
			t.Fatal(err)
		}
		c.Throttle = brake
	})
	refused := 0
	for n := range 32 { // 32 ways to write it
		name := []byte("alice")
		for bit := range name {
			if n>>bit&1 == 1 {
				name[bit] -= 'a' - 'A'
			}
		}
		_, err := w.door.Login(t.Context(), credentials(string(name), "wrong"), token.Request{Source: "192.0.2.1"})
		if errors.Is(err, token.ErrThrottled) {
			refused++
		}
	}
	if refused < 26 {
		t.Errorf("%d of 32 guesses were held back", refused)
	}
}

func TestParallelFirstLoginsMakeOneRecord(t *testing.T) {
	d := newPeople(backend.Person{Name: "alice", ID: "uid=1"})
	w := newWorldOver(t, openSQLite(t, sqlitePath(t)), newWorld(t).master, newClock(), func(c *issuer.Config, _ *issuer.DoorConfig) {
		c.Backends = []issuer.Backend{{Name: "corp", Directory: d}}
	})
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() { w.wantLogin("alice", pass, nil) })
	}
	wait.Wait()
}

func TestAnApplicationKeepsItsNameBeforeADirectorysPerson(t *testing.T) {
	d := newPeople(backend.Person{Name: "tool", ID: "uid=1"})
	w := backendWorld(t, local(), issuer.Backend{Name: "corp", Directory: d})
	_, _, err := w.issuer.AddApplication(t.Context(), store.Application{Tenant: store.DefaultTenant, ID: "tool", Name: "Tool", Grants: []string{"client_credentials"}})
	w.do(err)
	w.wantLogin("tool", pass, token.ErrCredentials)
}

func TestWhatSomebodyHasWhoLeftTheDirectoryIsVoidAtTheNextLook(t *testing.T) {
	alice := backend.Person{Name: "alice", ID: "uid=1", Roles: []string{store.RoleAdmin}}
	d := newPeople(alice, backend.Person{Name: "bob", ID: "uid=2"})
	w := backendWorld(t, local(), issuer.Backend{Name: "corp", Directory: d})
	gone := map[string]bool{}
	look := func() {
		w.clock.move(time.Second)
		w.issuer.Look(t.Context(), gone)
		w.clock.move(time.Second)
	}
	kept, bobs, ours := w.loginRefresh("alice"), w.loginRefresh("bob"), w.loginRefresh("marco")
	look()
	w.wantGood(kept, "who is there still")

	d.set(true)
	d.remove("alice")
	look()
	w.wantGood(kept, "while the directory cannot be asked")
	d.set(false)
	look()
	w.wantAccess(kept, token.ErrRevoked, "who has left")
	w.wantRefresh(kept, token.ErrRevoked, "who has left")
	w.wantGood(bobs, "another person")
	w.wantGood(ours, "a user of the store")
	w.wantLogin("alice", pass, token.ErrCredentials)

	d.put(alice)
	look()
	back := w.login("alice")
	if w.user("alice").Number == 0 {
		t.Error("the record did not stay")
	}
	alice.Policies = []string{"more"}
	d.put(alice)
	look()
	w.wantGood(back, "who was given more")
	if u := w.user("alice"); !slices.Equal(u.Policies, alice.Policies) {
		t.Errorf("policies %q", u.Policies)
	}
	alice.Roles = nil
	d.put(alice)
	look()
	w.wantAccess(back, token.ErrRevoked, "who has lost a role")
	if u := w.user("alice"); u.Roles != nil {
		t.Errorf("roles %q", u.Roles)
	}
	again := w.login("alice")
	alice.ID = "uid=7"
	d.put(alice)
	look()
	w.wantAccess(again, token.ErrRevoked, "whose name is another's")
}

func TestAnotherAttributeForTheIDTakesNothing(t *testing.T) {
	d := newPeople(backend.Person{Name: "alice", ID: "entryUUID=1"})
	w := backendWorld(t, local(), issuer.Backend{Name: "corp", Directory: d})
	set, number := w.login("alice"), w.user("alice").Number
	d.put(backend.Person{Name: "alice", ID: "dn=uid=alice"})
	w.wantLogin("alice", pass, nil)
	w.wantGood(set, "a token of before")
	if u := w.user("alice"); u.Number != number || u.BackendID != "dn=uid=alice" {
		t.Errorf("%+v", u)
	}
}

func TestARefusedLoginIsToldToTheLogWithItsReasonAndWithoutItsPassword(t *testing.T) {
	var text strings.Builder
	d := newPeople(backend.Person{Name: "alice", ID: "uid=1"})
	w := newWorld(t, func(c *issuer.Config, _ *issuer.DoorConfig) {
		c.Backends = []issuer.Backend{local(), {Name: "corp", Directory: d, Role: store.RoleAdmin}}
		c.Log = slog.New(slog.NewTextHandler(&text, nil))
	})
	w.addUser("marco")
	w.addUser("off")
	w.do(w.issuer.SetDisabled(t.Context(), store.DefaultTenant, "off", true))
	for _, c := range []struct{ name, given, shown, reason string }{
		{"marco", "s3cre7-wrong", "user=marco", "wrong password"},
		{"off", pass, "user=off", "disabled"},
		{"s3cre7-typed-as-name", "s3cre7-wrong", `user="" `, "nobody has that name"},
		{"alice", "s3cre7-wrong", `user="" `, "wrong password"},
		{"alice", pass, "user=alice", "lacks the role"},
		{"alice", "s3cre7-wrong", "user=alice", "wrong password"},
	} {
		text.Reset()
		w.wantLogin(c.name, c.given, token.ErrCredentials)
		if got := text.String(); !strings.Contains(got, "login refused") || !strings.Contains(got, c.reason) || !strings.Contains(got, c.shown) || strings.Contains(got, c.given) || strings.Contains(got, "s3cre7") {
			t.Errorf("%s: %s", c.name, got)
		}
	}
	if _, err := w.door.Login(t.Context(), credentials("marco", "x"), token.Request{}); err == nil || err.Error() != token.ErrCredentials.Error() {
		t.Error("the client is told more:", err)
	}
}

func TestADirectoryThatIsDownKeepsNobodyFromBeingMissedInAnother(t *testing.T) {
	down, up := newPeople(backend.Person{Name: "alice", ID: "uid=1"}), newPeople(backend.Person{Name: "bob", ID: "uid=2"})
	w := backendWorld(t, issuer.Backend{Name: "first", Directory: down}, issuer.Backend{Name: "second", Directory: up}, local())
	alices, bobs := w.loginRefresh("alice"), w.loginRefresh("bob")
	down.set(true)
	up.remove("bob")
	w.clock.move(time.Second)
	w.issuer.Look(t.Context(), map[string]bool{})
	w.wantAccess(bobs, token.ErrRevoked, "who has left")
	w.wantGood(alices, "whose directory cannot be asked")
}
