// Package slapdtest runs a real directory for tests: Debian's slapd, in a directory
// of its own, as who runs the tests, on two ports of this machine.
//
// It is imported by tests alone, and never touches a slapd that runs already.
package slapdtest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// What every directory has from the start.
const (
	Base         = "dc=example,dc=org"
	People       = "ou=people," + Base
	Groups       = "ou=groups," + Base
	BindDN       = "cn=service," + Base // reads all but passwords; nobody else reads anything
	BindPassword = "a service's password"

	rootDN       = "cn=root," + Base
	rootPassword = "a root's password"
)

// Where Debian puts things.
const (
	program = "/usr/sbin/slapd"
	modules = "/usr/lib/ldap"
	schemas = "/etc/ldap/schema"
)

// startTries is how often other ports are tried when somebody took one meanwhile.
const startTries = 5

// Server is a directory that runs until the test is over.
type Server struct {
	t           testing.TB
	dir         string
	plain, tls  string // host:port
	ca          []byte
	running     *exec.Cmd
	ended       chan struct{} // closed when running has ended
	diagnostics *bytes.Buffer // what running said; to be read when it has ended
}

// New starts a directory with these entries, whose groups' members have a memberOf
// attribute. Without slapd the test is skipped.
func New(t testing.TB, entries ...Entry) *Server {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		t.Skipf("SKIPPED, NOTHING WAS TESTED: slapd is missing (Debian's package slapd): %v", err)
	}
	s := &Server{t: t, dir: t.TempDir()}
	s.configure()
	t.Cleanup(s.Stop)
	for try := 1; ; try++ {
		s.plain, s.tls = freePort(t), freePort(t)
		err := s.run()
		if err == nil {
			break
		}
		if try == startTries {
			t.Fatal(err)
		}
	}
	s.Add(
		Entry{DN: Base, Attributes: map[string][]string{"objectClass": {"dcObject", "organization"}, "dc": {"example"}, "o": {"Example"}}},
		Entry{DN: BindDN, Attributes: map[string][]string{"objectClass": {"organizationalRole", "simpleSecurityObject"}, "cn": {"service"}, "userPassword": {BindPassword}}},
		Entry{DN: People, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"people"}}},
		Entry{DN: Groups, Attributes: map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"groups"}}},
	)
	s.Add(entries...)
	return s
}

// freePort returns the address of a port that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// configure writes slapd.conf and what it names.
func (s *Server) configure() {
	s.t.Helper()
	ca, certificate, key, err := certificates()
	if err != nil {
		s.t.Fatal(err)
	}
	s.ca = ca
	s.write("ca.pem", ca)
	s.write("cert.pem", certificate)
	s.write("key.pem", key)
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	text := configuration
	for place, value := range map[string]string{
		"{dir}": s.dir, "{modules}": modules, "{schemas}": schemas, "{base}": Base,
		"{service}": BindDN, "{root}": rootDN, "{root password}": rootPassword,
	} {
		text = strings.ReplaceAll(text, place, value)
	}
	s.write("slapd.conf", []byte(text))
}

func (s *Server) write(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// Users are refused all reading, so that a connection that was left bound as one of
// them shows. dbnosync: a killed process loses nothing, only a machine would.
const configuration = `
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {schemas}/nis.schema
pidfile {dir}/pid
modulepath {modules}
moduleload back_mdb
moduleload memberof
TLSCACertificateFile {dir}/ca.pem
TLSCertificateFile {dir}/cert.pem
TLSCertificateKeyFile {dir}/key.pem
TLSVerifyClient never
database mdb
suffix "{base}"
directory {dir}/data
maxsize 67108864
dbnosync
rootdn "{root}"
rootpw "{root password}"
index objectClass,uid eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by * none
overlay memberof
`

// Start runs the directory again, on the ports it had, with what was added.
func (s *Server) Start() {
	s.t.Helper()
	err := s.run()
	// Somebody's outgoing connection may have been given one of the ports meanwhile.
	for try := 1; err != nil && try < startTries; try++ {
		time.Sleep(200 * time.Millisecond)
		err = s.run()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) run() error {
	if s.running != nil {
		return errors.New("slapd: runs already")
	}
	s.diagnostics = new(bytes.Buffer)
	// It makes tables as large as the limit, which may be a thousand million in a
	// container. -d keeps it from going into the background.
	cmd := exec.Command("/bin/sh", "-c", `ulimit -n 1024; exec "$0" "$@"`, program, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", s.URL()+" "+s.SecureURL())
	cmd.Stdout, cmd.Stderr = s.diagnostics, s.diagnostics
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("slapd: %w", err)
	}
	s.running, s.ended = cmd, make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = cmd.Wait()
	}()
	return s.await()
}

// await returns when the directory answers our root.
func (s *Server) await() error {
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(10 * time.Millisecond) {
		select {
		case <-s.ended:
			s.running = nil
			return fmt.Errorf("slapd: ended at once: %s", s.diagnostics)
		default:
		}
		if c, err := s.root(); err == nil {
			return c.Close()
		}
	}
	s.Stop()
	return fmt.Errorf("slapd: does not answer: %s", s.diagnostics)
}

// root connects as the one who may do all.
func (s *Server) root() (*ldap.Conn, error) {
	c, err := ldap.DialURL(s.URL())
	if err != nil {
		return nil, err
	}
	if err := c.Bind(rootDN, rootPassword); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Stop kills the directory, as kill -9 does: it says goodbye to nobody. One that does
// not run is left alone.
func (s *Server) Stop() {
	if s.running == nil {
		return
	}
	_ = s.running.Process.Kill()
	<-s.ended
	s.running = nil
}

// Add adds entries while the directory runs.
func (s *Server) Add(entries ...Entry) {
	s.t.Helper()
	s.asRoot(func(c *ldap.Conn) error {
		for _, e := range entries {
			request := ldap.NewAddRequest(e.DN, nil)
			for name, values := range e.Attributes {
				request.Attribute(name, values)
			}
			if err := c.Add(request); err != nil {
				return fmt.Errorf("add %s: %w", e.DN, err)
			}
		}
		return nil
	})
}

// Rename gives an entry another first part of its DN, as in "uid=carol".
func (s *Server) Rename(dn, rdn string) {
	s.t.Helper()
	s.asRoot(func(c *ldap.Conn) error { return c.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, "")) })
}

func (s *Server) asRoot(do func(*ldap.Conn) error) {
	s.t.Helper()
	c, err := s.root()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := errors.Join(do(c), c.Close()); err != nil {
		s.t.Fatal(err)
	}
}

// URL is where StartTLS is spoken, and clear text.
func (s *Server) URL() string { return "ldap://" + s.plain }

// SecureURL is where TLS is spoken from the start.
func (s *Server) SecureURL() string { return "ldaps://" + s.tls }

// CACert is the certificate of the authority that vouches for the directory, in PEM.
func (s *Server) CACert() []byte { return s.ca }
