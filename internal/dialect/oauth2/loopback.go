package oauth2

import (
	"bufio"
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// PathCallback is where a browser comes back on 127.0.0.1.
const PathCallback = "/callback"

const (
	maxVisit = 10 * time.Second // from a connection to its answer
	maxQuery = 64 << 10         // bytes of a request
)

// loopback waits on 127.0.0.1 for the one request of a browser that brings the
// answer to this program's question. It has no http.Server, which is a third
// of a megabyte for one page.
type loopback struct {
	listener net.Listener
	state    string
	taken    atomic.Bool
	answer   chan url.Values
	failed   chan error
	over     context.Context // ends the visits that are left
	end      context.CancelFunc
	visits   sync.WaitGroup
}

// listen opens the port; 0 is any that is free.
func listen(ctx context.Context, port int, state string) (*loopback, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	b := &loopback{listener: l, state: state, answer: make(chan url.Values, 1), failed: make(chan error, 1)}
	b.over, b.end = context.WithCancel(context.Background())
	b.visits.Go(b.serve)
	return b, nil
}

// address is the redirect_uri.
func (b *loopback) address() string { return "http://" + b.listener.Addr().String() + PathCallback }

// serve takes connections until the listener is closed. A browser may open some
// that it does not use.
func (b *loopback) serve() {
	for {
		conn, err := b.listener.Accept()
		if err != nil {
			b.failed <- err
			return
		}
		b.visits.Go(func() { b.visit(conn) })
	}
}

// visit answers the one request of a connection.
func (b *loopback) visit(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(b.over, func() { conn.Close() })
	defer stop()
	if conn.SetDeadline(time.Now().Add(maxVisit)) != nil {
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(conn, maxQuery)))
	if err != nil {
		return
	}
	brought := b.judge(r)
	answer := page(brought)
	answer.Request = r
	_ = answer.Write(conn) // whoever did not stay to read it has done their part
	if brought != nil {
		b.answer <- brought
	}
}

// judge takes one request: to the right name, lest another name that leads here
// is used, and with the state that only the question had. Of others it is nil.
func (b *loopback) judge(r *http.Request) url.Values {
	query, err := url.ParseQuery(r.URL.RawQuery)
	known := subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(b.state)) == 1
	ours := r.Method == http.MethodGet && r.URL.Path == PathCallback && r.Host == b.listener.Addr().String()
	if err != nil || !known || !ours || !b.taken.CompareAndSwap(false, true) {
		return nil
	}
	return query
}

// page is what a browser shows. Nothing of what it brought stands there.
func page(brought url.Values) *http.Response {
	status, kind, text := http.StatusOK, "text/html; charset=utf-8", pageDone
	switch {
	case brought == nil:
		status, kind, text = http.StatusNotFound, "text/plain; charset=utf-8", "404: Not Found\n"
	case brought.Has("error") || !brought.Has("code"):
		text = pageRefused
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{
			"Content-Type":            {kind},
			"Content-Security-Policy": {"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
			"Cache-Control":           {"no-store"},
			"Referrer-Policy":         {"no-referrer"},
			"X-Content-Type-Options":  {"nosniff"},
		},
		ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)),
	}
}

// await returns the parameters of that request. The error is the context's, or an
// ErrExpired when nobody came in time.
func (b *loopback) await(ctx context.Context, patience time.Duration) (url.Values, error) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case answer := <-b.answer:
		return answer, nil
	case err := <-b.failed:
		return nil, fmt.Errorf("wait for the browser: %w", err)
	case <-timer.C:
		return nil, token.Refuse(token.ErrExpired, "nobody logged in in the browser within %v", patience)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// close ends it. The page has been sent by then.
func (b *loopback) close() {
	b.listener.Close()
	b.end()
	b.visits.Wait()
}

const (
	pageHead = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>
body { font: 1.125rem/1.6 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto 0; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.3; }
</style>
`
	pageDone = pageHead + `<title>Back to the terminal</title>
<h1>That was all here.</h1>
<p>The terminal has the answer and goes on. This window can be closed.</p>
</html>
`
	pageRefused = pageHead + `<title>Not logged in</title>
<h1>You were not logged in.</h1>
<p>The terminal says why. This window can be closed.</p>
</html>
`
)
