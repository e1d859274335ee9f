package backend

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// conn is a connection to a server of a directory. One asks on it at a time.
type conn struct {
	ldap   *ldap.Conn
	raw    net.Conn // what lies below TLS
	keptAt time.Time
}

// dial connects, and changes to TLS where the server's URL asks for it.
func (l *LDAP) dial(ctx context.Context, s *server) (*conn, error) {
	raw, err := new(net.Dialer).DialContext(ctx, s.network, s.address)
	if err != nil {
		return nil, err
	}
	stream := raw
	if s.tls != nil && !s.startTLS {
		secured := tls.Client(raw, s.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, fmt.Errorf("tls: %w", err)
		}
		stream = secured
	}
	c := &conn{ldap: ldap.NewConn(stream, stream != raw), raw: raw}
	c.ldap.Start()
	if s.startTLS {
		if err := c.startTLS(ctx, s.tls); err != nil {
			c.abort()
			return nil, fmt.Errorf("starttls: %w", err)
		}
	}
	c.ldap.SetTimeout(l.timeout)
	return c, nil
}

// startTLS changes to TLS. The library swaps the stream without a lock, so that only
// what lies below may be closed meanwhile; and it stops reading at the first message,
// whatever that is, so that it needs a time limit of its own. That must come after
// ctx's: during the handshake, nobody in the library takes note of it.
func (c *conn) startTLS(ctx context.Context, config *tls.Config) error {
	if deadline, ok := ctx.Deadline(); ok {
		c.ldap.SetTimeout(max(0, time.Until(deadline)) + 100*time.Millisecond)
	}
	return during(ctx, func() { _ = c.raw.Close() }, func() error { return c.ldap.StartTLS(config) })
}

// during runs what waits for the server, and ends the connection when ctx ends.
func during(ctx context.Context, end func(), wait func() error) error {
	stop := context.AfterFunc(ctx, end)
	err := wait()
	if !stop() {
		return ctx.Err()
	}
	return err
}

func (c *conn) bind(ctx context.Context, dn string, password token.Secret) error {
	return during(ctx, c.abort, func() error { return c.ldap.Bind(dn, password.Reveal()) })
}

// search returns what came before an error too.
func (c *conn) search(ctx context.Context, request *ldap.SearchRequest) (found *ldap.SearchResult, err error) {
	err = during(ctx, c.abort, func() error {
		found, err = c.ldap.Search(request)
		return err
	})
	return found, err
}

// searchRequest asks for no longer than ctx lasts, and leaves aliases alone: one
// could lead out of the base.
func searchRequest(ctx context.Context, base string, scope int, filter string, attributes ...string) *ldap.SearchRequest {
	seconds := 1
	if deadline, ok := ctx.Deadline(); ok {
		seconds += int(time.Until(deadline) / time.Second)
	}
	return ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, max(1, seconds), false, filter, attributes, nil)
}

// leave says goodbye, which keeps the directory's log free of lost connections.
func (c *conn) leave() {
	_ = c.raw.SetDeadline(time.Now().Add(time.Second))
	_ = c.ldap.Unbind()
	c.abort()
}

// abort ends the connection at once. What is under way below must fail first, or
// closing what is above would wait for it.
func (c *conn) abort() {
	_ = c.raw.Close()
	_ = c.ldap.Close()
}
