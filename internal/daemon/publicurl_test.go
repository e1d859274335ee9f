package daemon

import (
	"net"
	"strings"
	"testing"
)

func TestAPublicURLIsOneThatCanBeTrusted(t *testing.T) {
	for text, want := range map[string]string{
		"https://id.example.org":         "https://id.example.org",
		"https://ID.Example.org/":        "https://id.example.org",
		"https://id.example.org:8443/a/": "https://id.example.org:8443/a",
		"http://localhost:8081":          "http://localhost:8081",
		"http://127.8.0.1":               "http://127.8.0.1",
		"http://[::1]:8081/":             "http://[::1]:8081",
		"HTTPS://id.example.org":         "https://id.example.org",
		"http://id.example.org":          "",
		"http://10.0.0.1:8081":           "",
		"http://localhost.example.org":   "",
		"https://id.example.org?":        "",
		"https://id.example.org/?a=b":    "",
		"https://id.example.org/#":       "",
		"https://marco@id.example.org":   "",
		"https://id.example.org:0":       "",
		"https://id.example.org:99999":   "",
		"https://":                       "",
		"https:id.example.org":           "",
		"id.example.org":                 "",
		"ftp://localhost":                "",
		"https://id example.org":         "",
		"":                               "",
	} {
		got, good := publicURL(text)
		if got != want || good != (want != "") {
			t.Errorf("%q: %q, %t, want %q", text, got, good, want)
		}
	}
}

func TestWithoutAPublicURLTheServiceIsCalledByItsAddress(t *testing.T) {
	for _, c := range []struct {
		settings []string
		want     string
		warned   bool
	}{
		{nil, "http://127.0.0.1:4711", false},
		{[]string{"LISTEN=localhost:0"}, "http://localhost:4711", false},
		{[]string{"LISTEN=[::1]:0"}, "http://[::1]:4711", false},
		{[]string{"TLS=self-signed"}, "https://127.0.0.1:4711", false},
		{[]string{"LISTEN=ID.example.org:0", "TLS=self-signed"}, "https://id.example.org:4711", false},
		{[]string{"LISTEN=0.0.0.0:0", "TLS=self-signed"}, "https://localhost:4711", true},
		{[]string{"LISTEN=:0", "TLS=self-signed"}, "https://localhost:4711", true},
		{[]string{"LISTEN=10.0.0.1:0", "BEHIND_PROXY=yes"}, "http://localhost:4711", true},
		{[]string{"BEHIND_PROXY=yes"}, "http://127.0.0.1:4711", true},
		{[]string{"BEHIND_PROXY=yes", "DIALECTS=ats"}, "http://127.0.0.1:4711", false},
		{[]string{"BEHIND_PROXY=yes", "PUBLIC_URL=https://id.example.org/"}, "https://id.example.org", false},
	} {
		a := &app{Env: Env{HomeDir: t.TempDir(), UID: 1000}}
		for _, s := range append([]string{"LISTEN=127.0.0.1:0"}, c.settings...) {
			a.Environ = append(a.Environ, "ATS_AUTH_SERVER_SERVER_"+s)
		}
		config, err := a.load()
		if err != nil {
			t.Errorf("%v: %v", c.settings, err)
			continue
		}
		config.nameFor(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711})
		warned := strings.Contains(strings.Join(config.warnings(), "\n"), "public_url")
		if config.server.PublicURL != c.want || warned != c.warned {
			t.Errorf("%v: %s, warned %t, want %s, %t", c.settings, config.server.PublicURL, warned, c.want, c.warned)
		}
		if again, good := publicURL(config.server.PublicURL); !good || again != config.server.PublicURL {
			t.Errorf("%v: %s could not be configured", c.settings, config.server.PublicURL)
		}
	}
}
