package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// crowd is how many attack at once.
const crowd = 1000

// attack is what one attacker does with one connection, until that is closed. He comes
// again then.
type attack func(a *attacker)

type attacker struct {
	*caller
	ctx    context.Context
	server *besieged
	number int
}

// assault is a way to attack.
type assault struct {
	name     string
	together bool // from one address
	tls      bool
	do       attack
}

func assaults() []assault {
	return []assault{
		{"wrong-passwords/ats-many-names", false, false, atATS(ofMany, "wrong")},
		{"wrong-passwords/ats-one-name", false, false, atATS(ofOne, "wrong")},
		{"wrong-passwords/ats-one-address", true, false, atATS(ofMany, "wrong")},
		{"wrong-passwords/oauth2-many-names", false, false, atOAuth2(ofMany)},
		{"wrong-passwords/oauth2-one-name", false, false, atOAuth2(ofOne)},
		{"wrong-passwords/wazo-many-names", false, false, atWazo(ofMany)},
		{"wrong-passwords/wazo-one-name", false, false, atWazo(ofOne)},
		{"slow-headers", false, false, slowHeaders},
		{"slow-bodies", false, false, slowBodies},
		{"oversize-headers", false, false, oversize(hugeHeaders)},
		{"oversize-bodies", false, false, oversize(hugeBodies)},
		{"silent", false, false, silent},
		{"deaf", false, false, deaf},
		{"half-a-handshake", false, true, greets},
	}
}

// logins are of right passwords.
func logins() assault { return assault{"logins", false, false, atATS(ofOne, testPassword)} }

// attacking is the variable by which a process of this binary attacks: it names the
// assault, the server's address and the application.
const attacking = "ATS_AUTH_TEST_ATTACK"

func TestMain(m *testing.M) {
	if orders := strings.Fields(os.Getenv(attacking)); len(orders) > 0 {
		lead(orders)
		return
	}
	os.Exit(m.Run())
}

// lead leads an attack until nobody holds the other end of its stdin.
func lead(orders []string) {
	list := append(assaults(), logins())
	how := list[slices.IndexFunc(list, func(a assault) bool { return a.name == orders[0] })]
	s := &besieged{address: orders[1], application: "Authorization: Basic " + orders[2] + "\r\n", tls: &tls.Config{InsecureSkipVerify: true}}
	ctx, stop := context.WithCancel(context.Background())
	s.assail(ctx, how)
	fmt.Println("there")
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
}

// siege has a crowd attack until the function that it returns is called. They are in a
// process of their own that goes after all others: elsewhere they would have processors
// of their own, and would not take the server's.
func (s *besieged) siege(b *testing.B, how assault) (end func()) {
	b.Helper()
	c := exec.Command(os.Args[0])
	application := strings.TrimSuffix(strings.TrimPrefix(s.application, "Authorization: Basic "), "\r\n")
	c.Env = append(os.Environ(), attacking+"="+how.name+" "+s.address+" "+application)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	if err := syscall.Setpriority(syscall.PRIO_PGRP, c.Process.Pid, 10); err != nil {
		b.Fatal(err)
	}
	if text, err := bufio.NewReader(stdout).ReadString('\n'); text != "there\n" {
		b.Fatalf("attackers: %q %v", text, err)
	}
	return func() {
		_ = stdin.Close()
		if err := c.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// assail has a crowd come in the course of a second, and returns when all are there.
// Each attacker has an address of his own, unless all have one.
func (s *besieged) assail(ctx context.Context, how assault) {
	var connected sync.WaitGroup
	for n := range crowd {
		from := net.IPv4(127, 1, byte(n/250), byte(n%250+1))
		if how.together {
			from = net.IPv4(127, 1, 0, 1)
		}
		connected.Go(func() {
			rest(ctx, time.Duration(n)*time.Millisecond)
			c, err := s.call(ctx, from)
			go func() {
				for ; ctx.Err() == nil; c, err = s.call(ctx, from) {
					if err == nil {
						how.do(&attacker{caller: c, ctx: ctx, server: s, number: n})
						c.close()
					}
					rest(ctx, 100*time.Millisecond)
				}
			}()
		})
	}
	connected.Wait()
}

// rest waits, unless ctx ends.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// guesses tries passwords, one after the other, whatever he is told. Who is refused at
// once comes again after a second: a thousand that do not even that are a flood of
// requests, which takes the processor of the smaller machine by itself.
func guesses(request func(a *attacker) string) attack {
	return func(a *attacker) {
		for text := request(a); ; {
			status, _, err := a.ask(text)
			if err != nil {
				return
			}
			if status == http.StatusTooManyRequests {
				rest(a.ctx, time.Second)
			}
		}
	}
}

// name is the user whose password is guessed.
type name func(a *attacker) string

func ofMany(a *attacker) string { return fmt.Sprint("user", a.number) }

func ofOne(*attacker) string { return "calm" }

func atATS(of name, password string) attack {
	return guesses(func(a *attacker) string {
		return message("/user/login", "Content-Type: application/json\r\n", `{"username":"`+of(a)+`","password":"`+password+`"}`)
	})
}

func atOAuth2(of name) attack {
	return guesses(func(a *attacker) string {
		headers := "Content-Type: application/x-www-form-urlencoded\r\n" + a.server.application
		return message("/oauth2/token", headers, "grant_type=password&password=wrong&username="+of(a))
	})
}

func atWazo(of name) attack {
	return guesses(func(a *attacker) string {
		return message("/0.1/token", "Content-Type: application/json\r\n"+basic(of(a), "wrong"), "{}")
	})
}

func basic(name, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password)) + "\r\n"
}

// silent sends nothing.
func silent(a *attacker) { a.waits() }

// waits until the server has closed.
func (a *attacker) waits() { _, _ = io.Copy(io.Discard, a.conn) }

// slowly sends a byte a second.
func (a *attacker) slowly(begin string) {
	_, err := io.WriteString(a.conn, begin)
	for err == nil {
		rest(a.ctx, time.Second)
		_, err = io.WriteString(a.conn, "a")
	}
}

func slowHeaders(a *attacker) { a.slowly("POST /user/login HTTP/1.1\r\nHost: localhost\r\nX-Slow: ") }

func slowBodies(a *attacker) {
	a.slowly("POST /user/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n")
}

// deaf asks for what is long, again and again, and reads nothing of it.
func deaf(a *attacker) {
	_ = a.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	for {
		if _, err := io.WriteString(a.conn, "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return
		}
	}
}

// oversize sends so much that it is refused, and comes again.
func oversize(text string) attack {
	return func(a *attacker) {
		_, _, _ = a.ask(text)
		rest(a.ctx, time.Second)
	}
}

var (
	hugeHeaders = "POST /user/login HTTP/1.1\r\nHost: localhost\r\nX-Huge: " + strings.Repeat("a", 64<<10) + "\r\n\r\n"
	hugeBodies  = message("/user/login", "Content-Type: application/json\r\n", strings.Repeat("a", 128<<10))
)

// greets begins a TLS handshake and never goes on.
func greets(a *attacker) {
	_ = tls.Client(mute{a.conn}, a.server.tls).HandshakeContext(a.ctx)
}

// mute gives its reader nothing of what comes.
type mute struct{ net.Conn }

func (m mute) Read([]byte) (int, error) {
	_, err := io.Copy(io.Discard, m.Conn)
	if err == nil {
		err = io.EOF
	}
	return 0, err
}
