package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestDoctorSeesTheCertificateAndTheClock looks at a server whose certificate
// nobody knows and whose clock is set by the test.
func TestDoctorSeesTheCertificateAndTheClock(t *testing.T) {
	t.Parallel()
	var ahead time.Duration
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"sub":"marco"}`))
	}))
	t.Cleanup(server.Close)
	env := append(bare(t), "ATS_AUTH_URL="+server.URL)
	dir := homeOf(env)
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "marco", "iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix()}).
		SignedString([]byte("qV7mZ2xK9wLr4TnB8cYd3HsJ6gFp1AuE5iOoX0zQ"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		args  []string
		ahead time.Duration
		code  int
		says  []string
	}{
		{"unknown", nil, 0, 5, []string{"\nfail  server", "x509: ", "hint: --cacert FILE, or --nosslverify for a test server\n", "O=Acme Co, issued by O=Acme Co, until "}},
		{"insecure", []string{"--nosslverify"}, 0, 0, []string{"\nwarn  tls", "the certificate is not verified: flag --insecure"}},
		{"trusted", []string{"--cacert", ca}, 0, 0, []string{"TLS 1.3, the certificate is verified\n", "it agrees with the server's\n"}},
		{"fast", []string{"--cacert", ca}, -30 * time.Second, 0, []string{"\nwarn  clock", " seconds ahead of the server's"}},
		{"slow", []string{"--cacert", ca}, 10 * time.Minute, 8, []string{"\nfail  clock", " behind the server's", "\nfail  token times", "has expired by the server's clock, not by this machine's"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			ahead = row.ahead
			cmd := client(append(env, "ATS_AUTH_TOKEN="+raw), append([]string{"doctor"}, row.args...)...)
			out, _ := cmd.Output()
			if got := cmd.ProcessState.ExitCode(); got != row.code {
				t.Errorf("exit code %d", got)
			}
			for _, text := range row.says {
				if !strings.Contains(string(out), text) {
					t.Errorf("it does not say %q", text)
				}
			}
			if strings.Contains(string(out), raw) {
				t.Error("it shows the token")
			}
			if t.Failed() {
				t.Logf("%s", out)
			}
		})
	}
}
