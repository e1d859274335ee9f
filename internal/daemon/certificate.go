package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"sync"
	"time"
)

// certificates holds the server's certificate and reads it again when its file
// changes.
type certificates struct {
	cert, key string // files; empty: only in memory
	mu        sync.RWMutex
	pair      *tls.Certificate
	changed   time.Time // of the file that was read
	looked    time.Time
}

// lookEvery is how often the file is looked at.
const lookEvery = 5 * time.Second

// certificates returns what [server] tls asks for; nil is plain HTTP.
func (a *app) certificates(c *config) (*certificates, error) {
	switch {
	case c.certificates != nil || c.tls == "off":
		return c.certificates, nil
	case c.tls == "self-signed":
		return selfSigned(c)
	}
	held := &certificates{cert: c.cert, key: c.key}
	if err := held.reload(); err != nil {
		return nil, refuse("[server] cert: %w", err)
	}
	return held, nil
}

func (h *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: h.get}
}

func (h *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	h.mu.RLock()
	pair, look := h.pair, h.cert != "" && time.Since(h.looked) > lookEvery
	h.mu.RUnlock()
	if look {
		// A file that is half written keeps the old certificate in force.
		if err := h.follow(); err == nil {
			h.mu.RLock()
			defer h.mu.RUnlock()
			return h.pair, nil
		}
	}
	return pair, nil
}

// reload reads the files.
func (h *certificates) reload() error {
	h.mu.Lock()
	h.changed = time.Time{}
	h.mu.Unlock()
	return h.follow()
}

// follow reads the files when they have changed.
func (h *certificates) follow() error {
	if h.cert == "" {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.looked = time.Now()
	info, err := os.Stat(h.cert)
	if err != nil {
		return err
	}
	if h.pair != nil && info.ModTime().Equal(h.changed) {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(h.cert, h.key)
	if err != nil {
		return err
	}
	h.pair, h.changed = &pair, info.ModTime()
	return nil
}

// selfSigned makes a certificate for this machine, kept beside the store so
// that a client can go on trusting it.
func selfSigned(c *config) (*certificates, error) {
	cert, onDisk := c.stateFile("self-signed.crt")
	key, _ := c.stateFile("self-signed.key")
	if onDisk {
		held := &certificates{cert: cert, key: key}
		err := held.reload()
		if err == nil && held.lasts() && held.names(c.listen) {
			return held, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, refuse("self-signed certificate: %w", err)
		}
	}
	certPEM, keyPEM, err := makeCertificate(c.listen)
	if err != nil {
		return nil, fmt.Errorf("self-signed certificate: %w", err)
	}
	if !onDisk {
		pair, err := tls.X509KeyPair(certPEM, keyPEM)
		return &certificates{pair: &pair}, err
	}
	if err := errors.Join(os.WriteFile(key, keyPEM, 0o600), os.WriteFile(cert, certPEM, 0o644)); err != nil {
		return nil, refuse("self-signed certificate: %w", err)
	}
	held := &certificates{cert: cert, key: key}
	return held, held.reload()
}

// lasts reports whether the certificate is good for another week.
func (h *certificates) lasts() bool {
	return h.pair.Leaf != nil && time.Until(h.pair.Leaf.NotAfter) > 7*24*time.Hour
}

// names reports whether a client that was given the address would take the
// certificate.
func (h *certificates) names(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	ip := net.ParseIP(host)
	return err != nil || ip == nil || ip.IsUnspecified() || h.pair.Leaf.VerifyHostname(host) == nil
}

func makeCertificate(listen string) (certPEM, keyPEM []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "ats-auth-server"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if name, err := os.Hostname(); err == nil {
		t.DNSNames = append(t.DNSNames, name)
	}
	if host, _, err := net.SplitHostPort(listen); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			t.IPAddresses = append(t.IPAddresses, ip)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}
