package backend

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// secure has a directory use TLS from the start.
func secure(s *slapdtest.Server) func(*LDAPConfig) {
	return func(c *LDAPConfig) { c.URL, c.StartTLS = s.SecureURL(), false }
}

func TestPasswordsTravelUnderTLSThatOurAuthorityVouchesFor(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	stranger := slapdtest.New(t) // its authority is another
	byName := func(c *LDAPConfig) { c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1) }
	strange := func(c *LDAPConfig) { c.CACert = stranger.CACert() }
	systems := func(c *LDAPConfig) { c.CACert = nil }
	both := func(c *LDAPConfig) { c.CACert = append(bytes.Clone(stranger.CACert()), s.CACert()...) }
	none := func(*LDAPConfig) {}
	for name, change := range map[string]func(*LDAPConfig){"StartTLS": none, "LDAPS": secure(s)} {
		for _, right := range []func(*LDAPConfig){none, byName, both} {
			if p, err := login(t, directory(t, s, change, right), "alice", "a"); err != nil {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		}
		for _, wrong := range []func(*LDAPConfig){strange, systems} {
			_, err := directory(t, s, change, wrong).Find(t.Context(), "alice")
			if unknown := new(tls.CertificateVerificationError); !errors.Is(err, token.ErrUnavailable) ||
				!errors.As(err, &unknown) && !strings.Contains(err.Error(), "certificate signed by unknown authority") {
				t.Errorf("%s with a wrong authority: %v", name, err)
			}
		}
	}
	clear := directory(t, s, func(c *LDAPConfig) { c.StartTLS = false }) // this machine alone
	if _, err := login(t, clear, "alice", "a"); err != nil {
		t.Errorf("in clear: %v", err)
	}
}

func TestAKilledDirectoryIsUnavailableAndARestartRefusesNobody(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	for name, change := range map[string]func(*LDAPConfig){"StartTLS": func(*LDAPConfig) {}, "LDAPS": secure(s)} {
		l := directory(t, s, change)
		p, err := login(t, l, "alice", "a")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s.Stop()
			start := time.Now()
			if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnavailable) {
				t.Errorf("%s: find while it is killed: %v", name, err)
			}
			if _, err := l.Verify(t.Context(), p, token.NewPassword("a")); !errors.Is(err, token.ErrUnavailable) {
				t.Errorf("%s: verify while it is killed: %v", name, err)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("%s: that took %v", name, took)
			}
			s.Start()
			if _, err := login(t, l, "alice", "a"); err != nil {
				t.Errorf("%s: after a restart: %v", name, err)
			}
			s.Stop()
			s.Start()
			if _, err := login(t, l, "alice", "a"); err != nil {
				t.Errorf("%s: after a restart that nobody saw: %v", name, err)
			}
		}
	}
}

func TestAConnectionThatEndsWhileItIsTakenCostsNobodyARefusal(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	l := directory(t, s)
	for range 20 {
		if _, err := l.Find(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		l.mu.Lock()
		if len(l.kept) != 1 {
			t.Fatalf("%d connections are kept", len(l.kept))
		}
		_ = l.kept[0].raw.(*net.TCPConn).CloseWrite() // the library does not know yet
		l.mu.Unlock()
	}
}

// silent listens and says nothing: to anybody at all, or to those who greet it.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var accepted []net.Conn
		for {
			c, err := listener.Accept()
			if err != nil {
				break
			}
			accepted = append(accepted, c)
		}
		for _, c := range accepted {
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	return listener.Addr().String()
}

func TestADirectoryThatSaysNothingHangsNobody(t *testing.T) {
	address := silent(t)
	// Its first answer is that TLS may start; then it says nothing.
	halfway := fake(t, func(_ int, r request) []byte {
		if r.op == opExtended {
			return r.done(respExtended, 0)
		}
		return nil
	})
	for name, c := range map[string]LDAPConfig{
		"ldaps":            {URL: "ldaps://" + address},
		"starttls":         {URL: "ldap://" + address, StartTLS: true},
		"halfway starttls": {URL: "ldap://" + halfway.address, StartTLS: true},
		"clear":            {URL: "ldap://" + address},
		"several":          {URL: "ldap://" + address + " ldaps://" + address},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.UserBase, c.Timeout = slapdtest.People, 1
			l, err := NewLDAP(c)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			p := Person{DN: slapdtest.UserDN("alice"), Name: "alice"}
			for _, ask := range []func(ctx context.Context) error{
				func(ctx context.Context) error { _, err := l.Find(ctx, "alice"); return err },
				func(ctx context.Context) error {
					_, err := l.Verify(ctx, p, token.NewPassword("a"))
					return err
				},
			} {
				start := time.Now()
				err := ask(t.Context())
				if took := time.Since(start); !errors.Is(err, token.ErrUnavailable) || took < 900*time.Millisecond || took > 2*time.Second {
					t.Errorf("after %v: %v", took, err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(50*time.Millisecond, cancel)
				start = time.Now()
				err = ask(ctx)
				if took := time.Since(start); !errors.Is(err, token.ErrUnavailable) || !errors.Is(err, context.Canceled) || took > 500*time.Millisecond {
					t.Errorf("cancelled, after %v: %v", took, err)
				}
			}
		})
	}
}

func TestTheNextServerAnswersForOneThatDoesNot(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	j, log := logged()
	mute := "ldap://" + silent(t)
	dead := "ldap://127.0.0.1:1"
	clock := time.Now()
	l := directory(t, s, log, func(c *LDAPConfig) {
		c.URL, c.Timeout, c.Now = mute+"  "+dead+" "+s.URL(), 2, func() time.Time { return clock }
	})
	start := time.Now()
	if _, err := l.Find(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 1500*time.Millisecond {
		t.Errorf("the first answer took %v", took)
	}
	start = time.Now()
	if _, err := login(t, l, "alice", "a"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 300*time.Millisecond {
		t.Errorf("a silent server was asked first again: %v", took)
	}
	if _, err := login(t, l, "alice", "b"); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("wrong password: %v", err)
	}
	if text := j.String(); !strings.Contains(text, mute) || !strings.Contains(text, dead) {
		t.Errorf("the log does not name who does not answer: %s", text)
	}
	if order := l.inOrder(); order[0].url != s.URL() {
		t.Errorf("first is %s", order[0].url)
	}
	clock = clock.Add(restFor)
	if order := l.inOrder(); order[0].url != mute {
		t.Errorf("after its rest, first is %s", order[0].url)
	}
}

func TestAWrongServicePasswordIsAnOutageThatTheLogTells(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	j, log := logged()
	l := directory(t, s, log, func(c *LDAPConfig) { c.BindPassword = token.NewPassword("swordfish") })
	_, err := l.Find(t.Context(), "alice")
	if !errors.Is(err, token.ErrUnavailable) || errors.Is(err, token.ErrCredentials) || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("%v", err)
	}
	text := j.String()
	if !strings.Contains(text, slog.LevelError.String()) || !strings.Contains(text, s.URL()) || !strings.Contains(text, slapdtest.BindDN) || strings.Contains(text, "swordfish") {
		t.Errorf("the log: %s", text)
	}
	nobody := directory(t, s, func(c *LDAPConfig) { c.UserBase = "ou=nowhere," + slapdtest.Base })
	if _, err := nobody.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a base that is not there: %v", err)
	}
}

func TestAClosedDirectoryIsUnavailable(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("alice", "a"))
	l := directory(t, s)
	p, err := login(t, l, "alice", "a")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("find: %v", err)
	}
	if _, err := l.Verify(t.Context(), p, token.NewPassword("a")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("verify: %v", err)
	}
}
