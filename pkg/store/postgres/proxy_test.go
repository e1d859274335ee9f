package postgres

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// lookFunc is shown what goes through a proxy, may change it, and says whether it goes
// on. If not, the connection is cut.
type lookFunc func(fromClient bool, text []byte) bool

// through is the URL of a database by way of a proxy.
func (c cluster) through(t *testing.T, database string, look func() lookFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", c.Address())
			if err != nil {
				_ = client.Close()
				continue
			}
			look := look()
			go carry(client, server, true, look)
			go carry(server, client, false, look)
		}
	}()
	return strings.Replace(c.URL(database), c.Address(), listener.Addr().String(), 1)
}

func carry(from, to net.Conn, fromClient bool, look lookFunc) {
	defer func() { _ = errors.Join(from.Close(), to.Close()) }()
	text := make([]byte, 1<<16)
	for {
		n, err := from.Read(text)
		if err != nil || !look(fromClient, text[:n]) {
			return
		}
		if _, err := to.Write(text[:n]); err != nil {
			return
		}
	}
}

// cutAt cuts one connection at a statement: before the server has it, or after it has
// answered and before the answer arrives.
func cutAt(statement string, answered bool, armed *atomic.Bool) func() lookFunc {
	return func() lookFunc {
		var silent atomic.Bool
		return func(fromClient bool, text []byte) bool {
			if !fromClient || !bytes.Contains(text, []byte(statement)) || !armed.CompareAndSwap(true, false) {
				return fromClient || !silent.Load()
			}
			silent.Store(answered)
			return answered
		}
	}
}

func commitWithoutAnswer(t *testing.T, c cluster) {
	for _, answered := range []bool{true, false} {
		var armed atomic.Bool
		s := open(t, c.through(t, c.emptied(t), cutAt("COMMIT\x00", answered, &armed)))
		user := store.CreateUser{User: store.User{Tenant: "t", Name: "alice"}}
		armed.Store(true)
		err := s.Apply(t.Context(), user)
		if unavailable(t, "commit", err); errors.Is(err, store.ErrExists) || armed.Load() {
			t.Errorf("the answer is %v", err)
		}
		_, err = s.User(t.Context(), "t", "alice")
		if there := err == nil; there != answered || err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the server had the commit: %v, the user is there: %v, error %v", answered, there, err)
		}
	}
	var armed atomic.Bool
	s := open(t, c.through(t, c.emptied(t), cutAt("BEGIN", true, &armed)))
	armed.Store(true)
	if err := s.Apply(t.Context(), store.CreateUser{User: store.User{Tenant: "t", Name: "alice"}}); err != nil || armed.Load() {
		t.Errorf("a connection was lost before the commit, and that is noticed: %v", err)
	}
}

// pooler gives connections numbers of its own, as PgBouncer does.
func pooler(t *testing.T, c cluster) {
	numbers := func() lookFunc {
		return func(fromClient bool, text []byte) bool {
			if at := bytes.Index(text, []byte("K\x00\x00\x00\x0c")); !fromClient && at >= 0 { // BackendKeyData
				text[at+8]++
			}
			return true
		}
	}
	_, err := Open(context.Background(), Config{URL: c.through(t, c.emptied(t), numbers)})
	if unavailable(t, "pooler", err); err == nil || !strings.Contains(err.Error(), "PgBouncer") {
		t.Errorf("the answer is %v", err)
	}
}
