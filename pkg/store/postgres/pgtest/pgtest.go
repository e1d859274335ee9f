// Package pgtest starts PostgreSQL servers for tests: each in a temporary directory,
// with a port of its own, as an unprivileged user, gone when the test is over.
//
// It never touches a server that it did not start. Where PostgreSQL is not installed
// the test is skipped, and says so.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql knows it as pgx
)

// Server is a PostgreSQL server.
type Server struct {
	bin, dir   string
	port       int
	settings   []string
	credential *syscall.Credential
	process    *exec.Cmd
	ended      chan struct{}
	made       atomic.Int64
}

// owner is the user of the databases. Whoever reaches the server is trusted.
const owner = "ats"

// Start makes and starts a server, with settings NAME=VALUE besides those that a test
// needs. It ends with the test.
func Start(t testing.TB, settings ...string) *Server { return start(t, os.TempDir(), settings) }

// StartInMemory is Start for a test that asks nothing of a disk: the files are in
// memory, where the system has a directory that is, so that a flush costs nothing.
// They outlive the server, as those in the memory of a disk do, but no power cut.
func StartInMemory(t testing.TB, settings ...string) *Server {
	const memory = "/dev/shm"
	if info, err := os.Stat(memory); err != nil || !info.IsDir() {
		return Start(t, settings...)
	}
	return start(t, memory, settings)
}

func start(t testing.TB, parent string, settings []string) *Server {
	t.Helper()
	s := newServer(t, parent, settings)
	s.must(t, "initdb", "-D", s.data(), "-U", owner, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.Start(t)
	return s
}

// Standby makes and starts one that follows this server, which calls it NAME.
func (s *Server) Standby(t testing.TB, name string, settings ...string) *Server {
	t.Helper()
	standby := newServer(t, filepath.Dir(s.dir), settings)
	standby.must(t, "pg_basebackup", "-D", standby.data(), "-R", "-c", "fast", "--no-sync",
		"-d", fmt.Sprintf("host=127.0.0.1 port=%d user=%s application_name=%s", s.port, owner, name))
	standby.Start(t)
	return standby
}

func newServer(t testing.TB, parent string, settings []string) *Server {
	t.Helper()
	s := &Server{bin: binaries(t), port: freePort(t), settings: settings, credential: unprivileged(t)}
	// The name is short, since that of a socket must be.
	dir, err := os.MkdirTemp(parent, "pg")
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	t.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(dir)
	})
	if id := s.credential; id != nil {
		if err := os.Chown(dir, int(id.Uid), int(id.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// freePort is one that nobody listens on at this moment.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Address is HOST:PORT.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// URL is that of a database, over TCP. Parameters are NAME=VALUE.
func (s *Server) URL(database string, parameters ...string) string {
	return "postgres://" + owner + "@" + s.Address() + "/" + database + "?" + strings.Join(append(parameters, "sslmode=disable"), "&")
}

// SocketURL is URL over the socket of the server.
func (s *Server) SocketURL(database string, parameters ...string) string {
	place := url.Values{"host": {s.dir}, "port": {strconv.Itoa(s.port)}}.Encode()
	return "postgres://" + owner + "@/" + database + "?" + strings.Join(append(parameters, place), "&")
}

// Database makes a database, a copy of template unless that is empty, and gives its
// name. Nobody may be connected to the template.
func (s *Server) Database(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprint("test", s.made.Add(1))
	if template == "" {
		template = "template1"
	}
	s.Exec(t, "postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, template))
	return name
}

// Exec runs a statement in a database.
func (s *Server) Exec(t testing.TB, database, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", s.SocketURL(database))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// answers tells whether a query finds a row.
func (s *Server) answers(query string) (bool, error) {
	db, err := sql.Open("pgx", s.SocketURL("postgres"))
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err = db.QueryRowContext(ctx, query).Scan(new(int))
	return err == nil, err
}
