package client

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
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates; file holds its own.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	self := &x509.Certificate{
		Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	pair := a.issue(self)
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	a.file = writePEM(t, "CERTIFICATE", a.cert.Raw)
	return a
}

// issue completes a certificate: it lasts an hour unless it says otherwise.
func (a *authority) issue(c *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber, c.NotBefore = big.NewInt(time.Now().UnixNano()), time.Now().Add(-24*time.Hour)
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) server(names []string, ips []net.IP, end time.Time) tls.Certificate {
	return a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "server"}, DNSNames: names, IPAddresses: ips, NotAfter: end})
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// serveTLS is a service that gives a token to everybody who gets through.
func serveTLS(t *testing.T, c *tls.Config) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"token":%q}`, jwt) }))
	s.TLS = c
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestACertificateThatCannotBeVerifiedIsTold(t *testing.T) {
	trusted, other := newAuthority(t), newAuthority(t)
	local := []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, c := range []struct {
		name   string
		cert   tls.Certificate
		cacert string
		want   string
	}{
		{"good", trusted.server(nil, local, time.Time{}), trusted.file, ""},
		{"not known to the system", trusted.server(nil, local, time.Time{}), "", "certificate signed by unknown authority"},
		{"of another authority", trusted.server(nil, local, time.Time{}), other.file, "certificate signed by unknown authority"},
		{"of another name", trusted.server([]string{"auth.example.org"}, []net.IP{net.IPv4(192, 0, 2, 1)}, time.Time{}), trusted.file, "not 127.0.0.1"},
		{"expired", trusted.server(nil, local, time.Now().Add(-time.Minute)), trusted.file, "certificate has expired"},
	} {
		url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{c.cert}})
		err := login(t, Config{URL: url, CACert: c.cacert})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var certificate *CertificateError
		if !errors.As(err, &certificate) || !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
			continue
		}
		var reason *tls.CertificateVerificationError
		if !errors.As(err, &reason) || certificate.Reason == nil {
			t.Errorf("%s: the reason is lost: %v", c.name, certificate.Reason)
		}
		if err := login(t, Config{URL: url, CACert: c.cacert, Insecure: true}); err != nil {
			t.Errorf("%s, taken all the same: %v", c.name, err)
		}
	}
}

func TestAClientShowsItsCertificate(t *testing.T) {
	a := newAuthority(t)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	url := serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{a.server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, time.Time{})},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool,
	})
	cert, key := a.client(t)
	if err := login(t, Config{URL: url, CACert: a.file, Cert: cert, Key: key}); err != nil {
		t.Error(err)
	}
	strangerCert, strangerKey := newAuthority(t).client(t)
	for name, c := range map[string]Config{
		"none": {URL: url, CACert: a.file}, "of another authority": {URL: url, CACert: a.file, Cert: strangerCert, Key: strangerKey},
	} {
		err := login(t, c)
		var certificate *CertificateError
		if !errors.As(err, &certificate) || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %T %v, want a CertificateError", name, err, err)
		}
	}
}

func (a *authority) client(t *testing.T) (cert, key string) {
	t.Helper()
	pair := a.issue(&x509.Certificate{Subject: pkix.Name{CommonName: "client"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "CERTIFICATE", pair.Certificate[0]), writePEM(t, "PRIVATE KEY", der)
}

func TestAnOldTLSIsRefused(t *testing.T) {
	a := newAuthority(t)
	url := serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{a.server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, time.Time{})}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10,
	})
	err := login(t, Config{URL: url, CACert: a.file})
	var certificate *CertificateError
	if !errors.Is(err, ErrUnreachable) || errors.As(err, &certificate) {
		t.Errorf("%T %v, want an ErrUnreachable that is no CertificateError", err, err)
	}
}

func TestOtherServersSayThatTheySpeakTLSToo(t *testing.T) {
	for body, told := range map[string]bool{
		"<h1>400 Bad Request</h1>\n<center>The plain HTTP request was sent to HTTPS port</center>": true,
		"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />":                  true,
		"a json body is expected": false,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, body)
		}))
		if err := login(t, Config{URL: s.URL}); errors.Is(err, ErrUnreachable) != told {
			t.Errorf("%s: %v", body, err)
		}
		s.Close()
	}
}

func TestHTTPToATLSServerIsTold(t *testing.T) {
	a := newAuthority(t)
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{a.server(nil, []net.IP{net.IPv4(127, 0, 0, 1)}, time.Time{})}})
	err := login(t, Config{URL: strings.Replace(url, "https", "http", 1)})
	if !errors.Is(err, ErrUnreachable) || !strings.HasSuffix(err.Error(), "it speaks https, not http") {
		t.Error(err)
	}
}

func TestUnusableCertificateFilesAreNamed(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.client(t)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{CACert: "/nowhere/ca.pem"}, "cacert: open /nowhere/ca.pem: no such file or directory"},
		{Config{CACert: empty}, "cacert: " + empty + " holds no certificate in PEM"},
		{Config{Cert: cert}, "cert and key go together"},
		{Config{Key: key}, "cert and key go together"},
		{Config{Cert: "/nowhere/cert.pem", Key: key}, "cert: open /nowhere/cert.pem: no such file or directory"},
		{Config{Cert: empty, Key: key}, "cert: "},
	} {
		c.config.URL = "https://auth.example.org"
		if _, err := New(c.config); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.config, err, c.want)
		}
	}
}
