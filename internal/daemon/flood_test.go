package daemon

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ats-auth/ats-auth/pkg/server"
)

// one is a listener with one connection, which is to stay in the bubble's time.
type one struct {
	conn  chan net.Conn
	ended chan struct{}
}

func (o *one) Accept() (net.Conn, error) {
	select {
	case c := <-o.conn:
		return c, nil
	case <-o.ended:
		return nil, net.ErrClosed
	}
}

func (o *one) Close() error   { close(o.ended); return nil }
func (o *one) Addr() net.Addr { return &net.TCPAddr{} }

// lasts is how long a server that reads bodies and answers at length bears with a client.
func lasts(t *testing.T, client func(net.Conn)) (took time.Duration) {
	t.Helper()
	h := newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, strings.Repeat("a", 1<<20))
	}), slog.New(slog.DiscardHandler))
	connections := server.NewConnections(server.ConnectionLimits{})
	h.ConnState = connections.State
	l := &one{make(chan net.Conn), make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- h.Serve(connections.Listener(l)) }()
	near, far := net.Pipe()
	gone := make(chan struct{})
	began := time.Now()
	l.conn <- far
	go func() {
		client(near)
		close(gone)
	}()
	for connections.Stats().Open == 0 { // it is being accepted
		time.Sleep(time.Millisecond)
	}
	for connections.Stats().Open > 0 && time.Since(began) < time.Hour {
		time.Sleep(time.Millisecond)
	}
	took = time.Since(began)
	_ = near.Close()
	<-gone
	if err := errors.Join(h.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	return took
}

// trickles sends a byte a second, and reads nothing.
func trickles(begin string) func(net.Conn) {
	return func(c net.Conn) {
		_, err := io.WriteString(c, begin)
		for err == nil {
			time.Sleep(time.Second)
			_, err = io.WriteString(c, "a")
		}
	}
}

// sends is a client that says something once, and reads what is answered or does not.
func sends(text string, reads bool) func(net.Conn) {
	return func(c net.Conn) {
		if reads {
			go io.Copy(io.Discard, c)
		}
		_, _ = io.WriteString(c, text)
	}
}

func TestAClientThatTakesItsTimeIsHungUpOn(t *testing.T) {
	const post = "POST / HTTP/1.1\r\nHost: localhost\r\n"
	for what, c := range map[string]struct {
		client func(net.Conn)
		bears  time.Duration
	}{
		"sends nothing":             {sends("", true), 5 * time.Second},
		"sends a header slowly":     {trickles(post + "X-Slow: "), 5 * time.Second},
		"sends a body slowly":       {trickles(post + "Content-Length: 1000\r\n\r\n"), 30 * time.Second},
		"sends half a body":         {sends(post+"Content-Length: 9\r\n\r\na", true), 15 * time.Second},
		"does not read the answer":  {sends(post+"\r\n", false), 30 * time.Second},
		"sends a header of 64 KiB":  {sends(post+strings.Repeat("a", 64<<10), true), time.Second},
		"asks once and never again": {sends(post+"\r\n", true), 2 * time.Minute},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				took := lasts(t, c.client)
				if took < c.bears-time.Second || took > c.bears+time.Second {
					t.Errorf("it is borne with for %s, want %s", took, c.bears)
				}
			})
		})
	}
}
