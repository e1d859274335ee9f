package server

import (
	"cmp"
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// ConnectionLimits bound the connections of a server.
type ConnectionLimits struct {
	// Most is how many there are at once. Default 4096.
	Most int
	// MostOfOne is how many of them one address has, an IPv6 address counted by its /64.
	// Default a quarter of Most; below 0: as many as all. Danger: all clients of a proxy
	// have its address.
	MostOfOne int
}

// Connections bounds the connections of an http.Server. When there are as many as may
// be, a new one takes the place of that which has waited longest for a request, be it
// its first or another. Who is being answered is never cut off: where all are, the new
// one is told to come back.
//
//	c := server.NewConnections(server.ConnectionLimits{})
//	h := http.Server{Handler: s, ConnState: c.State}
//	h.Serve(c.Listener(l)) // below TLS: tls.NewListener(c.Listener(l), config)
type Connections struct {
	limits ConnectionLimits

	mu      sync.Mutex
	waiting list.List // of *connection: no request of theirs is served
	count   int
	of      map[netip.Addr]*peer
	stats   ConnectionStats
}

// ConnectionStats are counts since NewConnections, and how many there are now.
type ConnectionStats struct {
	Open    int    // now
	Waiting int    // of these, without a request that is being served
	Closed  uint64 // while they waited, in favour of new ones
	Refused uint64
}

// peer is an address with connections.
type peer struct {
	waiting list.List
	count   int
}

// NewConnections makes a Connections.
func NewConnections(l ConnectionLimits) *Connections {
	l.Most = cmp.Or(l.Most, 4096)
	if l.MostOfOne = cmp.Or(l.MostOfOne, max(l.Most/4, 1)); l.MostOfOne < 0 {
		l.MostOfOne = l.Most
	}
	return &Connections{limits: l, of: make(map[netip.Addr]*peer)}
}

// Listener accepts connections of l within the limits.
func (c *Connections) Listener(l net.Listener) net.Listener { return &limited{l, c} }

// Stats returns the counts.
func (c *Connections) Stats() ConnectionStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Open, s.Waiting = c.count, c.waiting.Len()
	return s
}

// State is http.Server.ConnState.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok { // *tls.Conn
		conn = t.NetConn()
	}
	k, ok := conn.(*counted)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateActive:
		k.works()
	case http.StateIdle:
		k.waits()
	}
}

type limited struct {
	net.Listener
	connections *Connections
}

// Accept is net.Listener's.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if k := l.connections.admit(conn); k != nil {
			return k, nil
		}
		turnAway(conn)
	}
}

// turnAway tells that there is no room. Who speaks TLS hears noise, and the end.
func turnAway(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	_ = conn.Close()
}

// admit returns nil where there is no room and none to be made.
func (c *Connections) admit(conn net.Conn) *counted {
	address := addressOf(conn)
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.of[address]
	if p != nil && p.count >= c.limits.MostOfOne && !c.makeRoom(&p.waiting) ||
		c.count >= c.limits.Most && !c.makeRoom(&c.waiting) {
		c.stats.Refused++
		return nil
	}
	if p = c.of[address]; p == nil { // the room may have been its last
		p = &peer{}
		c.of[address] = p
	}
	k := &counted{Conn: conn, all: c, peer: p, address: address}
	c.count++
	p.count++
	k.waits()
	return k
}

// makeRoom closes the first of those who wait, if there is one.
func (c *Connections) makeRoom(waiting *list.List) bool {
	first := waiting.Front()
	if first == nil {
		return false
	}
	k := first.Value.(*counted)
	k.leave()
	c.stats.Closed++
	_ = k.Conn.Close()
	return true
}

// addressOf is what connections are counted by.
func addressOf(conn net.Conn) netip.Addr {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	address := remote.AddrPort().Addr().Unmap().WithZone("")
	if !address.Is6() {
		return address
	}
	prefix, _ := address.Prefix(64)
	return prefix.Addr()
}

// counted is a connection within the limits. Its fields are under the lock of all.
type counted struct {
	net.Conn
	all              *Connections
	peer             *peer
	address          netip.Addr
	among, amongOwns *list.Element // of those who wait; nil: it does not
	left             bool
}

// Close is net.Conn's.
func (k *counted) Close() error {
	k.all.mu.Lock()
	k.leave()
	k.all.mu.Unlock()
	return k.Conn.Close()
}

// leave gives the place up, once.
func (k *counted) leave() {
	if k.left {
		return
	}
	k.works()
	k.left = true
	k.all.count--
	if k.peer.count--; k.peer.count == 0 {
		delete(k.all.of, k.address)
	}
}

func (k *counted) waits() {
	if k.among == nil && !k.left {
		k.among, k.amongOwns = k.all.waiting.PushBack(k), k.peer.waiting.PushBack(k)
	}
}

func (k *counted) works() {
	if k.among != nil {
		k.all.waiting.Remove(k.among)
		k.peer.waiting.Remove(k.amongOwns)
		k.among, k.amongOwns = nil, nil
	}
}
