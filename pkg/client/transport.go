package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// NewHTTPClient makes an HTTP client that goes by the configuration's CACert,
// Cert, Key, Insecure and Timeout, for what belongs to no dialect: published
// keys, say. URL and Dialect do not count.
func NewHTTPClient(c Config) (*http.Client, error) {
	t, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: t, Timeout: c.Timeout}, nil
}

func newTransport(c Config) (*http.Transport, error) {
	t, err := newTLS(c)
	if err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dial,
		TLSClientConfig:        t,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswer,
	}, nil
}

func newTLS(c Config) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure} //nolint:gosec // the user's own word
	if c.CACert != "" {
		pem, err := os.ReadFile(c.CACert)
		if err != nil {
			return nil, fmt.Errorf("cacert: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("cacert: %s holds no certificate in PEM", c.CACert)
		}
	}
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("cert and key go together")
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("cert: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

func dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patient{Conn: conn, spoken: make(chan struct{})}, nil
}

// patient is a connection that listens only after it has spoken. net/http takes
// what a server says unasked, as an SSH server does, for a fault of its own, and
// tells it on the process's stderr.
type patient struct {
	net.Conn
	once   sync.Once
	spoken chan struct{}
}

func (p *patient) speak() { p.once.Do(func() { close(p.spoken) }) }

func (p *patient) Read(b []byte) (int, error) {
	<-p.spoken
	return p.Conn.Read(b)
}

func (p *patient) Write(b []byte) (int, error) {
	p.speak()
	return p.Conn.Write(b)
}

func (p *patient) Close() error {
	p.speak()
	return p.Conn.Close()
}
