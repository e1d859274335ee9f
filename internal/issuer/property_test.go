package issuer_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Lifetimes of the model's door, in seconds.
const (
	modelAccess  = 100
	modelRefresh = 400
	modelIdle    = 120
	modelGrace   = 10
)

// modelLogin is what the model knows of a login: in what order things happened,
// not at what instants.
type modelLogin struct {
	user     string
	dead     bool
	created  time.Time
	used     time.Time
	rotated  time.Time
	counter  int
	pairs    []token.Set // of each counter; the last is the current one
	accesses []modelToken
}

type modelToken struct {
	set     token.Set
	end     time.Time
	revoked bool
}

type modelUser struct {
	exists, disabled bool
	password         string
}

// machine runs the issuer and the model side by side. The model knows no
// watermarks and no ids: a revocation strikes what has been issued, in a list.
type machine struct {
	w      *world
	users  map[string]*modelUser
	logins []*modelLogin
}

func newMachine(t *rapid.T, tb testing.TB) *machine {
	w := &world{TB: tb, clock: newClock(), hook: &hooked{Store: memory.New()}, master: signing.NewMaster(), hasher: newHasher(tb)}
	m := &machine{w: w, users: map[string]*modelUser{}}
	m.open(t)
	for _, name := range []string{"anna", "marco"} {
		m.users[name] = &modelUser{}
	}
	return m
}

func (m *machine) open(t *rapid.T) {
	m.no(t, m.w.open(doorWith(func(d *issuer.DoorConfig) {
		d.AccessTTL, d.RefreshTTL, d.RefreshIdle, d.ReuseGrace = modelAccess, modelRefresh, modelIdle, modelGrace
	})))
}

func (m *machine) no(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) user(t *rapid.T) (string, *modelUser) {
	name := rapid.SampledFrom([]string{"anna", "marco"}).Draw(t, "user")
	return name, m.users[name]
}

func (m *machine) now() time.Time { return m.w.clock.Now() }

func (m *machine) strike(name string) {
	for _, l := range m.logins {
		if name == "" || l.user == name {
			l.kill()
		}
	}
}

func (l *modelLogin) kill() {
	l.dead = true
	for i := range l.accesses {
		l.accesses[i].revoked = true
	}
}

func (m *machine) addUser(t *rapid.T) {
	name, u := m.user(t)
	err := m.w.issuer.AddUser(m.w.Context(), store.User{Tenant: store.DefaultTenant, Name: name}, token.NewPassword("a"))
	if u.exists != errors.Is(err, store.ErrExists) || !u.exists && err != nil {
		t.Fatalf("add %s (there: %v): %v", name, u.exists, err)
	}
	if !u.exists {
		*u = modelUser{exists: true, password: "a"}
	}
}

func (m *machine) change(t *rapid.T, u *modelUser, err error) bool {
	if !u.exists != errors.Is(err, store.ErrNotFound) || u.exists && err != nil {
		t.Fatalf("user there: %v, answer %v", u.exists, err)
	}
	return u.exists
}

func (m *machine) passwd(t *rapid.T) {
	name, u := m.user(t)
	next, keep := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "password"), rapid.Bool().Draw(t, "keep")
	if m.change(t, u, m.w.issuer.SetPassword(m.w.Context(), store.DefaultTenant, name, token.NewPassword(next), keep)) {
		u.password = next
		if !keep {
			m.strike(name)
		}
	}
}

func (m *machine) disable(t *rapid.T) {
	name, u := m.user(t)
	off := rapid.Bool().Draw(t, "disabled")
	if m.change(t, u, m.w.issuer.SetDisabled(m.w.Context(), store.DefaultTenant, name, off)) {
		u.disabled = off
		if off {
			m.strike(name)
		}
	}
}

func (m *machine) deleteUser(t *rapid.T) {
	name, u := m.user(t)
	if m.change(t, u, m.w.issuer.DeleteUser(m.w.Context(), store.DefaultTenant, name)) {
		*u = modelUser{}
		m.strike(name)
	}
}

func (m *machine) revokeUser(t *rapid.T) {
	name, _ := m.user(t)
	m.no(t, m.w.door.RevokeAllOf(m.w.Context(), name))
	m.strike(name)
}

func (m *machine) revokeEverything(t *rapid.T) {
	m.no(t, m.w.issuer.RevokeEverything(m.w.Context()))
	m.strike("")
}

func (m *machine) login(t *rapid.T) {
	name, u := m.user(t)
	typed := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "password")
	refresh := rapid.Bool().Draw(t, "refresh")
	set, err := m.w.door.Login(m.w.Context(), credentials(name, typed), token.Request{Refresh: refresh})
	right := u.exists && !u.disabled && u.password == typed
	if right != (err == nil) || !right && !errors.Is(err, token.ErrCredentials) {
		t.Fatalf("login of %s with %s, model %+v: %v", name, typed, *u, err)
	}
	if !right {
		return
	}
	now := m.now()
	l := &modelLogin{user: name, created: now, used: now, accesses: []modelToken{{set: set, end: now.Add(modelAccess * time.Second)}}}
	if refresh {
		l.pairs = []token.Set{set}
	}
	m.logins = append(m.logins, l)
}

func (m *machine) anyLogin(t *rapid.T, refreshing bool) *modelLogin {
	var some []*modelLogin
	for _, l := range m.logins {
		if !refreshing || len(l.pairs) > 0 {
			some = append(some, l)
		}
	}
	if len(some) == 0 {
		t.Skip("no login")
	}
	return rapid.SampledFrom(some).Draw(t, "login")
}

func (m *machine) refresh(t *rapid.T) {
	l := m.anyLogin(t, true)
	which := rapid.IntRange(0, l.counter).Draw(t, "counter")
	set, err := m.w.door.Refresh(m.w.Context(), l.pairs[which].RefreshToken, token.Request{})
	now := m.now()
	over := now.Sub(l.created) >= modelRefresh*time.Second || now.Sub(l.used) >= modelIdle*time.Second
	switch {
	case l.dead || over:
		// What is over may be gone from the store: then nobody knows it.
		if !errors.Is(err, token.ErrRevoked) && !errors.Is(err, token.ErrExpired) && !errors.Is(err, token.ErrUnknown) {
			t.Fatalf("refresh of a login that is over (dead %v): %v", l.dead, err)
		}
	case which == l.counter:
		m.no(t, err)
		end := now.Add(modelAccess * time.Second)
		if last := l.created.Add(modelRefresh * time.Second); last.Before(end) {
			end = last
		}
		l.counter, l.rotated, l.used = l.counter+1, now, now
		l.pairs = append(l.pairs, set)
		l.accesses = append(l.accesses, modelToken{set: set, end: end})
	case which == l.counter-1 && now.Sub(l.rotated) <= modelGrace*time.Second:
		m.no(t, err)
		// Of one id, iat and exp; the key may have been rotated meanwhile.
		current := l.pairs[l.counter]
		if set.RefreshToken.Reveal() != current.RefreshToken.Reveal() || payloadOf(m.w, set) != payloadOf(m.w, current) {
			t.Fatal("another successor within the grace")
		}
	default:
		if !errors.Is(err, token.ErrRevoked) {
			t.Fatalf("reuse: %v", err)
		}
		l.kill()
	}
}

func (m *machine) revoke(t *rapid.T) {
	l := m.anyLogin(t, false)
	i := rapid.IntRange(0, len(l.accesses)-1).Draw(t, "access token")
	a := &l.accesses[i]
	err := m.w.door.Revoke(m.w.Context(), a.set.AccessToken.Reveal())
	good := !a.revoked && m.now().Before(a.end)
	if good != (err == nil) {
		t.Fatalf("revoke, honoured by the model %v: %v", good, err)
	}
	if good {
		l.kill()
	}
}

// check compares every token there has ever been.
func (m *machine) check(t *rapid.T) {
	for _, l := range m.logins {
		for _, a := range l.accesses {
			err := m.w.inspect(a.set)
			good := !a.revoked && m.now().Before(a.end)
			if good != (err == nil) {
				t.Fatalf("a token of %s, honoured by the model %v: %v", l.user, good, err)
			}
		}
	}
}

// The clock moves in steps far larger than the instants that a busy clock is
// ahead, so that the model need not know these.
func (m *machine) wait(t *rapid.T) {
	m.w.clock.move(time.Duration(rapid.SampledFrom([]int{3, 7, 50, 97}).Draw(t, "seconds"))*time.Second + 500*time.Millisecond)
}

func TestWhateverIsDoneTheIssuerAgreesWithALittleModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newMachine(r, t)
		m.addUser(r)
		r.Repeat(map[string]func(*rapid.T){
			"add":        m.addUser,
			"passwd":     m.passwd,
			"disable":    m.disable,
			"delete":     m.deleteUser,
			"revokeUser": m.revokeUser,
			"everything": m.revokeEverything,
			"login":      m.login,
			"loginMore":  m.login,
			"refresh":    m.refresh,
			"refresh2":   m.refresh,
			"revoke":     m.revoke,
			"wait":       m.wait,
			"purge":      func(*rapid.T) { m.w.issuer.Purge(m.w.Context()) },
			"rotate":     func(t *rapid.T) { m.no(t, m.w.door.RotateKey(m.w.Context(), issuer.Rotation{})) },
			"restart":    m.open,
			"":           m.check,
		})
	})
}
