package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// port is an http.Server within limits whose clients have the addresses that they say.
type port struct {
	testing.TB
	connections *Connections
	dialled     chan net.Conn
	closed      chan struct{}
	once        sync.Once
	release     chan struct{} // lets requests to /wait end
	waiting     chan struct{} // is told of each
	tls         *tls.Config
}

func newPort(t *testing.T, limits ConnectionLimits, overTLS bool) *port {
	t.Helper()
	p := &port{
		TB: t, connections: NewConnections(limits), dialled: make(chan net.Conn), closed: make(chan struct{}),
		release: make(chan struct{}), waiting: make(chan struct{}, 100),
	}
	h := http.Server{ConnState: p.connections.State, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			p.waiting <- struct{}{}
			<-p.release
		}
		fmt.Fprint(w, "served")
	})}
	l := p.connections.Listener(p)
	if overTLS {
		certified := httptest.NewUnstartedServer(nil)
		certified.StartTLS()
		p.tls = certified.TLS
		certified.Close()
		l = tls.NewListener(l, p.tls)
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	t.Cleanup(func() {
		_ = h.Close()
		<-served
	})
	return p
}

func (p *port) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *port) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *port) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// from is a connection of an address.
type from struct {
	net.Conn
	address net.Addr
}

func (f from) RemoteAddr() net.Addr { return f.address }

// dial connects from an address. What is answered is read by hears.
func (p *port) dial(address string) net.Conn {
	p.Helper()
	client, server := net.Pipe()
	p.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(20 * time.Second))
	p.dialled <- from{server, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address))}
	return client
}

func (p *port) ask(c net.Conn, path string) {
	p.Helper()
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		p.Fatal(err)
	}
}

// hears reads one answer.
func (p *port) hears(c net.Conn, status int) *http.Response {
	p.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		p.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != status {
		p.Fatalf("%d %v, want %d", response.StatusCode, err, status)
	}
	return response
}

// isServed asks and is answered.
func (p *port) isServed(c net.Conn) {
	p.Helper()
	p.ask(c, "/")
	p.hears(c, http.StatusOK)
}

// isClosed waits for the end.
func (p *port) isClosed(c net.Conn) {
	p.Helper()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		p.Errorf("%v, want the end of the connection", err)
	}
}

// until waits for a state of the counts, which follow an answer.
func (p *port) until(what string, fits func(ConnectionStats) bool) {
	p.Helper()
	for deadline := time.Now().Add(20 * time.Second); !fits(p.connections.Stats()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("%+v, want %s", p.connections.Stats(), what)
		}
	}
}

func TestANewConnectionTakesThePlaceOfTheOneThatWaitedLongest(t *testing.T) {
	p := newPort(t, ConnectionLimits{Most: 3, MostOfOne: -1}, false)
	silent, idle, other := p.dial("192.0.2.1:1"), p.dial("192.0.2.2:1"), p.dial("192.0.2.3:1")
	p.until("all to be there", func(s ConnectionStats) bool { return s.Open == 3 })
	p.isServed(idle) // and waits from then on
	p.until("all to wait", func(s ConnectionStats) bool { return s.Waiting == 3 })
	fourth := p.dial("192.0.2.4:1")
	p.isClosed(silent)
	p.isServed(fourth)
	p.until("all to wait", func(s ConnectionStats) bool { return s.Waiting == 3 })
	fifth := p.dial("192.0.2.5:1")
	p.isClosed(other)
	p.isServed(fifth)
	p.isServed(idle)
	p.isServed(fourth)
	if s := p.connections.Stats(); s.Open != 3 || s.Closed != 2 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhoIsBeingAnsweredIsNotCutOffByNewConnections(t *testing.T) {
	p := newPort(t, ConnectionLimits{Most: 2, MostOfOne: -1}, false)
	first, second := p.dial("192.0.2.1:1"), p.dial("192.0.2.2:1")
	for _, c := range []net.Conn{first, second} {
		p.ask(c, "/wait")
		<-p.waiting
	}
	third := p.dial("192.0.2.3:1")
	if r := p.hears(third, http.StatusServiceUnavailable); r.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", r.Header.Get("Retry-After"))
	}
	p.isClosed(third)
	close(p.release)
	p.hears(first, http.StatusOK)
	p.hears(second, http.StatusOK)
	p.until("both to wait", func(s ConnectionStats) bool { return s.Waiting == 2 })
	p.isServed(p.dial("192.0.2.3:1"))
	if s := p.connections.Stats(); s.Refused != 1 || s.Open != 2 {
		t.Errorf("%+v", s)
	}
}

func TestOneAddressHasNoMoreConnectionsThanItsShare(t *testing.T) {
	p := newPort(t, ConnectionLimits{Most: 8}, false) // two of one
	calm := p.dial("192.0.2.1:1")
	silent := p.dial("[2001:db8::1]:1")
	p.until("two to wait", func(s ConnectionStats) bool { return s.Waiting == 2 })
	busy := p.dial("[2001:db8::2]:1") // the same subscriber
	p.ask(busy, "/wait")
	<-p.waiting
	next := p.dial("[2001:db8::3]:1")
	p.isClosed(silent)
	p.ask(next, "/wait")
	<-p.waiting
	p.hears(p.dial("[2001:db8::4]:1"), http.StatusServiceUnavailable)
	p.isServed(p.dial("[2001:db8:0:1::1]:1"))
	p.isServed(calm)
	close(p.release)
	p.hears(busy, http.StatusOK)
	if s := p.connections.Stats(); s.Closed != 1 || s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPlacesAreGivenBackHoweverAConnectionEnds(t *testing.T) {
	p := newPort(t, ConnectionLimits{Most: 50}, false)
	for n := range 300 {
		c := p.dial(fmt.Sprintf("192.0.2.%d:1", n%7))
		switch n % 3 {
		case 0:
			p.isServed(c)
		case 1:
			_, _ = io.WriteString(c, "no request\r\n\r\n")
		}
		_ = c.Close()
	}
	p.until("none", func(s ConnectionStats) bool { return s.Open == 0 && s.Waiting == 0 })
	p.connections.mu.Lock()
	defer p.connections.mu.Unlock()
	if n := len(p.connections.of); n != 0 {
		t.Errorf("%d addresses are remembered", n)
	}
}

func TestAHandshakeThatIsNotFinishedGivesWay(t *testing.T) {
	p := newPort(t, ConnectionLimits{Most: 1}, true)
	silent := p.dial("192.0.2.1:1")
	p.until("one to wait", func(s ConnectionStats) bool { return s.Waiting == 1 })
	raw := p.dial("192.0.2.2:1")
	p.isClosed(silent)
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
	p.ask(c, "/wait")
	<-p.waiting
	p.until("none to wait", func(s ConnectionStats) bool { return s.Waiting == 0 && s.Open == 1 })
	close(p.release)
	p.hears(c, http.StatusOK)
}

// endless is a body that never ends.
type endless struct{ ctx context.Context }

func (e endless) Read([]byte) (int, error) {
	<-e.ctx.Done()
	return 0, e.ctx.Err()
}

func TestMoreRequestsThanMayBeServedAtOnceAreToldToComeBack(t *testing.T) {
	const most = 3
	w := newWorld(t, func(c *Config) { c.MaxRequests = most })
	ctx, stop := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	for range most {
		slow.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.http.URL+"/user/login", endless{ctx})
			if err != nil {
				t.Error(err)
				return
			}
			if response, err := http.DefaultClient.Do(r); err == nil {
				response.Body.Close()
			}
		})
	}
	busy := func() bool { return w.server.serving.Load() >= most }
	for deadline := time.Now().Add(20 * time.Second); !busy() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	a := w.post("/user/check", "")
	if w.want(a, http.StatusServiceUnavailable, "one more"); a.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After is %q", a.header.Get("Retry-After"))
	}
	stop()
	slow.Wait()
	for deadline := time.Now().Add(20 * time.Second); w.server.serving.Load() > 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	w.want(w.post("/user/check", ""), http.StatusUnauthorized, "afterwards")
}

func TestABodyThatIsTooLargeIsRefusedWithoutBeingRead(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Dialects = Dialects() })
	for path, status := range map[string]int{
		"/user/login": 413, "/oauth2/token": 413, "/0.1/token": 413, "/api/v1/auth/tokens": 413, "/v3/tokens": 400, // as the door has it
	} {
		conn, err := net.Dial("tcp", w.http.Listener.Addr().String())
		w.do(err)
		defer conn.Close()
		w.do(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		const headers = "Host: localhost\r\nContent-Type: application/%s\r\nContent-Length: %d\r\n\r\n"
		kind := "json"
		if path == "/oauth2/token" {
			kind = "x-www-form-urlencoded"
		}
		_, err = fmt.Fprintf(conn, "POST "+path+" HTTP/1.1\r\n"+headers, kind, 64<<10+1) // and nothing of it
		w.do(err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != status || !response.Close {
			t.Errorf("%s: %d, and closes: %v", path, response.StatusCode, response.Close)
		}
	}
}

func TestLoginsThatWaitAreBoundedAndTheRestIsToldWhen(t *testing.T) {
	const more, most = 40, 1000 + 1 // one is hashed, a thousand wait
	w := newWorld(t, func(c *Config) {
		c.MaxHashing, c.PasswordCost, c.BehindProxy = 1, PasswordCost{KiB: 64 << 10, Passes: 16}, true
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	client := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: most}}
	defer client.CloseIdleConnections()
	waits := make(chan string, most+more)
	var all sync.WaitGroup
	for n := range most + more {
		all.Go(func() {
			body := strings.NewReader(`{"username":"nobody","password":"wrong"}`)
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.http.URL+"/user/login", body)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.%d.%d", n/250, n%250))
			response, err := client.Do(r)
			if err != nil {
				return // given up
			}
			response.Body.Close()
			if response.StatusCode == http.StatusTooManyRequests {
				waits <- response.Header.Get("Retry-After")
			}
		})
	}
	for range more - 5 { // of those who wait a few may have had their turn by now
		select {
		case wait := <-waits:
			if wait != "5" {
				t.Errorf("Retry-After is %q", wait)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nobody else is told to come back")
		}
		if s := w.server.Stats().Core.Hashing; s.Waiting > 1000 || s.Running > 1 {
			t.Fatalf("%+v", s)
		}
	}
	stop()
	all.Wait()
	for deadline := time.Now().Add(20 * time.Second); w.server.Stats().Core.Hashing.Waiting > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("who has gone waits on")
		}
	}
}
