package issuer_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// notes is a Recorder that keeps what it is told, or takes nothing.
type notes struct {
	mu     sync.Mutex
	events []issuer.Event
	full   error // of all that is told
	down   error // is known before it is told
	caller []string
}

func (n *notes) Ready(context.Context) error { return n.down }

func (n *notes) Record(_ context.Context, e issuer.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.full == nil {
		n.events = append(n.events, e)
	}
	return n.full
}

func (n *notes) Caller(_ context.Context, _, user string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.caller = append(n.caller, user)
}

// names are the names of the events since the last time, with those that failed
// marked by their reasons.
func (n *notes) names() (list []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range n.events {
		name := e.Name
		if e.Outcome != issuer.OutcomeSuccess {
			name += " " + e.Outcome
		}
		list = append(list, name)
	}
	n.events = nil
	return list
}

func newNotedWorld(t *testing.T) (*world, *notes) {
	n := &notes{}
	w := newWorld(t, func(c *issuer.Config, _ *issuer.DoorConfig) { c.Recorder = n })
	return w, n
}

func TestTheLifeOfALoginIsWrittenDownOnce(t *testing.T) {
	w, n := newNotedWorld(t)
	want := func(what string, names ...string) {
		t.Helper()
		if got := n.names(); !slices.Equal(got, names) {
			t.Errorf("%s: %q, want %q", what, got, names)
		}
	}
	want("the start", "key.add")
	w.addUser("marco")
	want("a user", "user.add")
	first := w.loginRefresh("marco")
	want("a login", "login", "token.issue")
	w.refresh(first)
	want("a refresh", "token.refresh")
	w.refresh(first)
	want("the same within the grace", "token.refresh")
	w.clock.move(31_000_000_000)
	w.wantRefresh(first, token.ErrRevoked, "a late use")
	want("reuse", "login.revoke", "token.reuse refused")
	second := w.loginRefresh("marco")
	n.names()
	w.do(w.door.Revoke(t.Context(), second.AccessToken.Reveal()))
	want("a logout", "login.revoke")
	w.do(w.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco"))
	want("revoke-all", "revoke.all")
	w.do(w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword("another one"), false))
	want("a password", "user.change", "revoke.all")
	_, err := w.door.Login(t.Context(), credentials("marco", pass), token.Request{})
	if !errors.Is(err, token.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	want("the old password", "login refused")
	w.do(w.door.RotateKey(t.Context(), issuer.Rotation{}))
	want("a rotation", "key.add", "key.retire")
	w.do(w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "marco"))
	want("the end", "user.delete", "revoke.all")
}

func TestTheEventsOfOneLoginHaveItsID(t *testing.T) {
	w, n := newNotedWorld(t)
	w.addUser("marco")
	set := w.refresh(w.loginRefresh("marco"))
	w.do(w.door.Revoke(t.Context(), set.AccessToken.Reveal()))
	var logins []string
	for _, e := range n.events {
		if e.Login != "" {
			logins = append(logins, e.Login)
		}
	}
	if len(logins) != 3 || len(slices.Compact(logins)) != 1 {
		t.Errorf("logins are %q, want one ID three times: issue, refresh, revoke", logins)
	}
}

func TestATypedNameThatIsNobodysIsNotWrittenDown(t *testing.T) {
	w, n := newNotedWorld(t)
	n.names()
	for range 2 {
		_, _ = w.door.Login(t.Context(), credentials("my-password-in-the-wrong-field", "x"), token.Request{})
	}
	_, _ = w.door.Login(t.Context(), credentials("another", "x"), token.Request{})
	if len(n.events) != 3 {
		t.Fatalf("%d events, want 3", len(n.events))
	}
	for _, e := range n.events {
		if e.User != "" || e.Sum == "" || e.Outcome != issuer.OutcomeRefused {
			t.Errorf("%+v: want a refusal with a sum in the place of the name", e)
		}
	}
	if n.events[0].Sum != n.events[1].Sum || n.events[0].Sum == n.events[2].Sum {
		t.Errorf("sums %q, %q and %q: want the first two equal alone", n.events[0].Sum, n.events[1].Sum, n.events[2].Sum)
	}
}

func TestWhatCannotBeWrittenDownIsNotAnswered(t *testing.T) {
	w, n := newNotedWorld(t)
	w.addUser("marco")
	good := w.loginRefresh("marco")
	n.full = errors.New("disk full")
	set, err := w.door.Login(t.Context(), credentials("marco", pass), token.Request{Refresh: true})
	if !errors.Is(err, token.ErrUnavailable) || !set.AccessToken.IsZero() || !set.RefreshToken.IsZero() {
		t.Errorf("a login: %v, want it unavailable and no token", err)
	}
	w.wantRefresh(good, token.ErrUnavailable, "a refresh")
	if err := w.door.Revoke(t.Context(), good.AccessToken.Reveal()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a revocation: %v, want it unavailable", err)
	}
	w.wantAccess(good, token.ErrRevoked, "the revocation was durable all the same")
	if err := w.issuer.RevokeUser(t.Context(), store.DefaultTenant, "marco"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("revoke-all: %v, want it unavailable", err)
	}
}

// TestEveryChangeIsWrittenDownOrMeantNotToBe reads the commands of the store by their
// source: one that comes to be there later is missed here too.
func TestEveryChangeIsWrittenDownOrMeantNotToBe(t *testing.T) {
	commands, handled := commandsOf(t), handledBy(t)
	if len(commands) < 40 {
		t.Fatalf("only %d commands were found", len(commands))
	}
	slices.Sort(handled)
	if diff := cmp.Diff(commands, handled); diff != "" {
		t.Errorf("commands of the store, and those that changeOf knows:\n%s", diff)
	}
}

// commandsOf are the types in pkg/store with a method command.
func commandsOf(t *testing.T) (list []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "pkg", "store", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(gotoken.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name == "command" && f.Recv != nil {
				list = append(list, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	slices.Sort(list)
	return list
}

// handledBy are the types that event_change.go has cases for.
func handledBy(t *testing.T) (list []string) {
	t.Helper()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "event_change.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, e := range c.List {
			if s, ok := e.(*ast.SelectorExpr); ok && !strings.HasPrefix(s.Sel.Name, "Revoke") || ok && (s.Sel.Name == "Revoke" || s.Sel.Name == "RevokeSessions") {
				list = append(list, s.Sel.Name)
			}
		}
		return true
	})
	return list
}
