package backend

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

const (
	// keptFor is how long an unused connection is trusted: firewalls forget them, and
	// tell neither end.
	keptFor = time.Minute
	// restFor is how long a server that did not answer is asked after the others.
	restFor = 10 * time.Second
)

// server is one of a directory's servers.
type server struct {
	url              string
	network, address string
	tls              *tls.Config // nil: none
	startTLS         bool
	failedAt         atomic.Int64 // UnixMicro; 0 when it answered last
}

// asService asks on a connection that is bound as BindDN. A kept one may have ended
// meanwhile, with its server say; then it is asked again on a new one.
func (l *LDAP) asService(ctx context.Context, ask func(context.Context, *conn) error) error {
	if c := l.take(); c != nil {
		half, cancel := share(ctx, 2)
		defer cancel()
		err := l.use(half, c, ask)
		if err == nil || ctx.Err() != nil {
			return err
		}
		l.Log.Debug("a kept connection to the directory failed: a new one is made", "error", err)
	}
	return l.inTurn(ctx, func(ctx context.Context, s *server) error {
		c, err := l.open(ctx, s)
		if err != nil {
			return err
		}
		return l.use(ctx, c, ask)
	})
}

// use asks on a connection and keeps it for later, unless that failed.
func (l *LDAP) use(ctx context.Context, c *conn, ask func(context.Context, *conn) error) error {
	if err := ask(ctx, c); err != nil {
		c.abort()
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c.keptAt = l.Now()
	l.kept = append(l.kept, c)
	return nil
}

// take returns the kept connection that was used last, nil when there is none.
func (l *LDAP) take() *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.kept) > 0 {
		c := l.kept[len(l.kept)-1]
		l.kept = l.kept[:len(l.kept)-1]
		if idle := l.Now().Sub(c.keptAt); !c.ldap.IsClosing() && idle < keptFor {
			return c
		}
		c.abort()
	}
	return nil
}

// open makes a connection that is bound as BindDN.
func (l *LDAP) open(ctx context.Context, s *server) (*conn, error) {
	c, err := l.dial(ctx, s)
	if err != nil || l.BindDN == "" {
		return c, err
	}
	if err := c.bind(ctx, l.BindDN, l.BindPassword); err != nil {
		c.abort()
		var answer *ldap.Error
		if errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork {
			l.Log.Error("the directory refuses the service's own login", "url", s.url, "bind_dn", l.BindDN, "error", err)
		}
		return nil, fmt.Errorf("bind as %s: %w", l.BindDN, err)
	}
	return c, nil
}

// inTurn tries one server after the other until one answers. Each has its share of
// the time, so that one that is silent leaves some for the next.
func (l *LDAP) inTurn(ctx context.Context, try func(context.Context, *server) error) error {
	var last error
	for n, s := range l.inOrder() {
		err := l.tryOne(ctx, len(l.servers)-n, s, try)
		if err == nil {
			return nil
		}
		last = fmt.Errorf("%s: %w", s.url, err)
		if ctx.Err() != nil {
			break
		}
		if len(l.servers) > 1 {
			l.Log.Warn("a server of the directory does not answer", "url", s.url, "error", err)
		}
	}
	return last
}

func (l *LDAP) tryOne(ctx context.Context, parts int, s *server, try func(context.Context, *server) error) error {
	part, cancel := share(ctx, parts)
	defer cancel()
	err := try(part, s)
	switch {
	case err == nil:
		s.failedAt.Store(0)
	case !errors.Is(ctx.Err(), context.Canceled): // who asked lost patience, not the server
		s.failedAt.Store(l.Now().UnixMicro())
	}
	return err
}

// inOrder lists the servers as the URL does, those that failed a moment ago last.
func (l *LDAP) inOrder() []*server {
	now := l.Now().UnixMicro()
	resting := func(s *server) int {
		if at := s.failedAt.Load(); at != 0 && now-at < restFor.Microseconds() {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(l.servers), func(a, b *server) int {
		return cmp.Compare(resting(a), resting(b))
	})
}

// share bounds ctx to one of so many equal parts of the time it has left.
func share(ctx context.Context, parts int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || parts < 2 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
}
