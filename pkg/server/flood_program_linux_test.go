package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildProgram builds the server as it is shipped.
func buildProgram(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "ats-auth-server")
	build := exec.Command("go", "build", "-o", binary, "../../cmd/ats-auth-server")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, text)
	}
	return binary
}

// besieged is a server in a process of its own, with a store on the disk and a log in
// a file, as one that is installed.
type besieged struct {
	binary, dir    string
	env            []string
	pid            int
	address, admin string
	tls            *tls.Config // nil: plain HTTP
	application    string      // basic credentials of one that may ask with passwords
}

// besiege starts a server with a user calm and an application.
func besiege(b *testing.B, binary string, overTLS bool) *besieged {
	b.Helper()
	dir, err := os.MkdirTemp(b.TempDir(), "") // a benchmark that is run again has the same
	if err != nil {
		b.Fatal(err)
	}
	s := &besieged{binary: binary, dir: dir, env: []string{
		"HOME=" + dir, "ATS_AUTH_SERVER_STORE_URL=sqlite:" + filepath.Join(dir, "store.db"),
		"ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0", "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=127.0.0.1:0",
		"ATS_AUTH_SERVER_SERVER_DIALECTS=ats, oauth2, wazo", "ATS_AUTH_SERVER_SERVER_PUBLIC_URL=http://127.0.0.1:8081",
	}}
	if overTLS {
		s.env = append(s.env, "ATS_AUTH_SERVER_SERVER_TLS=self-signed")
		s.tls = &tls.Config{InsecureSkipVerify: true} // it has made its certificate a moment ago
	}
	s.command(b, testPassword, "user", "add", "calm", "--password-stdin")
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	out := s.command(b, "", "application", "add", "Portal", "--grant", "password", "-f", "json")
	if err := json.Unmarshal(out, &made); err != nil {
		b.Fatalf("%s: %v", out, err)
	}
	s.application = basic(made.ID, made.Secret)
	s.start(b)
	return s
}

func (s *besieged) command(b *testing.B, stdin string, args ...string) []byte {
	b.Helper()
	c := exec.Command(s.binary, args...)
	c.Env, c.Stdin = s.env, bytes.NewReader([]byte(stdin))
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		b.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return out
}

var portsInLog = regexp.MustCompile(`(?s)http://(\S+)/readyz.*"msg":"serving","url":"https?://([^"]+)"`)

func (s *besieged) start(b *testing.B) {
	b.Helper()
	name := filepath.Join(s.dir, "log")
	log, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	c := exec.Command(s.binary)
	c.Env, c.Stdout, c.Stderr = s.env, log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	s.pid = c.Process.Pid
	b.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	for range 500 {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if found := portsInLog.FindSubmatch(text); found != nil {
			s.admin, s.address = string(found[1]), string(found[2])
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	text, _ := os.ReadFile(name)
	b.Fatalf("the server does not serve:\n%s", text)
}

// hashes is how many passwords the server has hashed.
func (s *besieged) hashes(b *testing.B) float64 {
	b.Helper()
	response, err := http.Get("http://" + s.admin + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.Fatal(err)
	}
	return number(b, text, `ats_auth_password_hashes_total (\S+)`)
}

// peak is the most memory that the server has had resident, in MB, and with it each of
// the processes that it has started and that still run.
func (s *besieged) peak(b *testing.B) (all float64) {
	b.Helper()
	pids := []string{strconv.Itoa(s.pid)}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.pid))
	if err != nil || len(tasks) == 0 {
		b.Fatal(tasks, err)
	}
	for _, name := range tasks {
		if text, err := os.ReadFile(name); err == nil { // else the thread is gone
			pids = append(pids, strings.Fields(string(text))...)
		}
	}
	for _, pid := range pids {
		if text, err := os.ReadFile("/proc/" + pid + "/status"); err == nil {
			all += number(b, text, `VmHWM:\s+(\d+) kB`) / 1024
		}
	}
	return all
}

// number is what a line of a text says.
func number(b *testing.B, text []byte, line string) float64 {
	b.Helper()
	found := regexp.MustCompile(`(?m)^` + line + `$`).FindSubmatch(text)
	if found == nil {
		b.Fatalf("no %s in\n%s", line, text)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// caller asks over one connection, at the least cost.
type caller struct {
	conn net.Conn
	read *bufio.Reader
}

// call connects from an address of this machine, which has a whole network of them.
func (s *besieged) call(ctx context.Context, from net.IP) (*caller, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
	conn, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	return &caller{conn, bufio.NewReader(conn)}, nil
}

// secure is what a well-behaved client does where there is TLS.
func (s *besieged) secure(c *caller) *caller {
	if s.tls == nil {
		return c
	}
	conn := tls.Client(c.conn, s.tls)
	return &caller{conn, bufio.NewReader(conn)}
}

func (c *caller) close() { _ = c.conn.Close() }

func (c *caller) ask(request string) (status int, body []byte, err error) {
	if _, err := io.WriteString(c.conn, request); err != nil {
		return 0, nil, err
	}
	response, err := http.ReadResponse(c.read, nil)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// message is a request as it is sent; headers end in CRLF.
func message(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}
