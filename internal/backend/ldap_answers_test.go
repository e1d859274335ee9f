package backend

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Tags of messages: RFC 4511 section 4.
const (
	respBind                 = 0x61
	opUnbind                 = 0x42
	respSearchDone           = 0x65
	respSearchReference      = 0x73
	opExtended, respExtended = 0x77, 0x78
)

// request is what a fake is asked.
type request struct {
	id []byte // the message's number, encoded
	op byte
}

// message encodes an answer whose parts are shorter than 128 bytes.
func (r request) message(op byte, body ...byte) []byte {
	m := append(append([]byte{}, r.id...), op, byte(len(body)))
	m = append(m, body...)
	return append([]byte{0x30, byte(len(m))}, m...)
}

// done encodes a result with a code and no text.
func (r request) done(op byte, code uint16) []byte {
	return r.message(op, 0x0a, 1, byte(code), 4, 0, 4, 0)
}

// faked is a directory that answers what slapd does not on demand.
type faked struct {
	address   string
	connected atomic.Int32
}

// fake answers each request as answer says, which is told the connection's number,
// from 1: nothing at all for nil; what is empty ends the connection.
func fake(t *testing.T, answer func(connection int, r request) []byte) *faked {
	t.Helper()
	return fakeOn(t, "tcp", "127.0.0.1:0", answer)
}

func fakeOn(t *testing.T, network, address string, answer func(connection int, r request) []byte) *faked {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	f := &faked{address: listener.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			number := int(f.connected.Add(1))
			running.Go(func() { converse(c, number, answer) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); running.Wait() })
	return f
}

func converse(c net.Conn, number int, answer func(int, request) []byte) {
	defer c.Close()
	for in := bufio.NewReader(c); ; {
		r, err := readRequest(in)
		if err != nil || r.op == opUnbind {
			return
		}
		b := answer(number, r)
		if b != nil && len(b) == 0 {
			return
		}
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

func readRequest(in *bufio.Reader) (request, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(in, head); err != nil {
		return request{}, err
	}
	if head[0] != 0x30 { // a handshake's first message: it is listened to, no more
		_, err := io.Copy(io.Discard, in)
		return request{}, errors.Join(io.EOF, err)
	}
	length := int(head[1])
	if length > 0x80 {
		long := make([]byte, length-0x80)
		if _, err := io.ReadFull(in, long); err != nil {
			return request{}, err
		}
		length = 0
		for _, b := range long {
			length = length<<8 | int(b)
		}
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(in, body); err != nil {
		return request{}, err
	}
	end := 2 + int(body[1])
	return request{id: body[:end], op: body[end]}, nil
}

// faking is a directory that is read by anybody.
func faking(t *testing.T, f *faked, change ...func(*LDAPConfig)) *LDAP {
	t.Helper()
	c := LDAPConfig{URL: "ldap://" + f.address, UserBase: slapdtest.People, Timeout: 2}
	for _, change := range change {
		change(&c)
	}
	l, err := NewLDAP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestOnlyAClearNoIsANo(t *testing.T) {
	for code := range uint16(128) {
		f := fake(t, func(_ int, r request) []byte { return r.done(respBind, code) })
		j, log := logged()
		l := faking(t, f, log)
		p := Person{Name: "alice", DN: slapdtest.UserDN("alice")}
		_, err := l.Verify(t.Context(), p, token.NewPassword("swordfish"))
		want, said := token.ErrUnavailable, false
		switch code {
		case ldap.LDAPResultSuccess:
			want = nil
		case ldap.LDAPResultInvalidCredentials, ldap.LDAPResultNoSuchObject:
			want = token.ErrCredentials
		case ldap.LDAPResultConstraintViolation, ldap.LDAPResultInappropriateAuthentication,
			ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultUnwillingToPerform:
			want, said = token.ErrCredentials, true
		}
		if !errors.Is(err, want) || want == token.ErrUnavailable && errors.Is(err, token.ErrCredentials) {
			t.Errorf("code %d: %v, want %v", code, err, want)
		}
		if got := strings.Contains(j.String(), p.DN); got != said || strings.Contains(j.String(), "swordfish") {
			t.Errorf("code %d: the log: %s", code, j)
		}
	}
}

func TestOnlyASearchThatEndedWellFindsNobody(t *testing.T) {
	for code := range uint16(128) {
		f := fake(t, func(_ int, r request) []byte { return r.done(respSearchDone, code) })
		_, err := faking(t, f).Find(t.Context(), "alice")
		want := token.ErrUnavailable
		if code == ldap.LDAPResultSuccess {
			want = token.ErrUnknown
		}
		if !errors.Is(err, want) {
			t.Errorf("code %d: %v, want %v", code, err, want)
		}
	}
}

func TestReferralsAreNotFollowed(t *testing.T) {
	other := fake(t, func(_ int, r request) []byte { return r.done(respSearchDone, 0) })
	to := []byte("ldap://" + other.address + "/dc=org")
	f := fake(t, func(_ int, r request) []byte {
		reference := r.message(respSearchReference, append([]byte{4, byte(len(to))}, to...)...)
		return append(reference, r.done(respSearchDone, 0)...)
	})
	if _, err := faking(t, f).Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("%v", err)
	}
	if n := other.connected.Load(); n != 0 {
		t.Errorf("it was followed %d times", n)
	}
}

func TestADirectoryMayListenOnASocketOfThisMachine(t *testing.T) {
	dir, err := os.MkdirTemp("", "ldapi") // a socket's path has to be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := fakeOn(t, "unix", filepath.Join(dir, "a socket"), func(_ int, r request) []byte { return r.done(respSearchDone, 0) })
	l := faking(t, f, func(c *LDAPConfig) { c.URL = "ldapi://" + url.PathEscape(f.address) })
	if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) || f.connected.Load() != 1 {
		t.Errorf("%v", err)
	}
}

func TestAKeptConnectionThatDiedIsReplaced(t *testing.T) {
	for name, dies := range map[string][]byte{"ends": {}, "is forgotten": nil} {
		var asked [10]int
		f := fake(t, func(connection int, r request) []byte {
			if asked[connection]++; connection == 1 && asked[1] > 1 {
				return dies
			}
			return r.done(respSearchDone, 0)
		})
		l := faking(t, f)
		for range 3 {
			if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := f.connected.Load(); n != 2 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

func TestAConnectionThatWasNotUsedForLongIsNotTrusted(t *testing.T) {
	var offset atomic.Int64
	start := time.Now()
	f := fake(t, func(_ int, r request) []byte { return r.done(respSearchDone, 0) })
	l := faking(t, f, func(c *LDAPConfig) {
		c.Now = func() time.Time { return start.Add(time.Duration(offset.Load())) }
	})
	for _, step := range []struct {
		idle time.Duration
		want int32
	}{{0, 1}, {keptFor - 1, 1}, {keptFor - 1, 1}, {keptFor, 2}} {
		offset.Add(int64(step.idle))
		if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnknown) {
			t.Fatal(err)
		}
		if n := f.connected.Load(); n != step.want {
			t.Errorf("unused for %v: %d connections, want %d", step.idle, n, step.want)
		}
	}
}

func TestARefusedStartTLSSendsNothingInClear(t *testing.T) {
	var asked atomic.Int32
	f := fake(t, func(_ int, r request) []byte {
		if r.op != opExtended {
			asked.Add(1)
		}
		return r.done(respExtended, ldap.LDAPResultProtocolError)
	})
	l := faking(t, f, func(c *LDAPConfig) {
		c.StartTLS, c.BindDN, c.BindPassword = true, slapdtest.BindDN, token.NewPassword("swordfish")
	})
	if _, err := l.Find(t.Context(), "alice"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("find: %v", err)
	}
	if _, err := l.Verify(t.Context(), Person{DN: "uid=alice"}, token.NewPassword("a")); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("verify: %v", err)
	}
	if asked.Load() != 0 {
		t.Error("something was said in clear")
	}
}
