package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAURLIsCheckedAndNoPasswordInItIsSaidBack(t *testing.T) {
	const name = "does not begin with http:// or https:// and a name"
	const user = "server URL: a user or password does not belong in it"
	const query = "server URL: neither ? nor # belongs in it"
	for _, c := range []struct{ url, want string }{
		{"", "no server URL"},
		{"auth.example.org", `server URL "auth.example.org" ` + name},
		{"//auth.example.org", name},
		{"auth.example.org:8081", name},
		{"127.0.0.1:9498", `server URL "127.0.0.1:9498" ` + name},
		{"127.0.0.1:9498/api", name},
		{"localhost:8081/x", name},
		{"ftp://auth.example.org", name},
		{"file:///etc/passwd", name},
		{"javascript:alert(1)", name},
		{"https:auth.example.org", name},
		{"https://", name},
		{"https://:8081", name},
		{"https:///user/login", name},
		{"https://marco:hunter2@auth.example.org", user},
		{"https://marco@auth.example.org", user},
		{"marco:hunter2@auth.example.org", user},
		{"ftp://marco:hunter2@auth.example.org", user},
		{"https://marco:hunter2%zz@auth.example.org", user},
		{"https://marco:hunt er2@auth.example.org:port", user},
		{"https://auth.example.org/?token=hunter2", query},
		{"https://auth.example.org?", query},
		{"https://auth.example.org/#hunter2", query},
		{"https://auth.example.org#", query},
		{"https://auth.example.org:port", `server URL: invalid port ":port" after host`},
		{"https://auth.example.org\n", "server URL: net/url: invalid control character in URL"},
		{"https://[::1", "server URL: missing ']' in host"},
	} {
		_, err := New(Config{URL: c.url})
		if err == nil || !strings.HasSuffix(err.Error(), c.want) || strings.Contains(err.Error(), "hunt") {
			t.Errorf("%q: %v, want %s", c.url, err, c.want)
		}
	}
}

func TestAURLIsTakenWithOrWithoutASlash(t *testing.T) {
	for _, c := range []struct {
		url, want string
		exposed   bool
	}{
		{"https://auth.example.org", "https://auth.example.org", false},
		{"https://auth.example.org/", "https://auth.example.org", false},
		{"https://auth.example.org/a/b//", "https://auth.example.org/a/b", false},
		{"https://auth.example.org/a%2Fb/", "https://auth.example.org/a%2Fb", false},
		{"HTTP://auth.example.org:8081", "http://auth.example.org:8081", true},
		{"http://localhost:8081", "http://localhost:8081", false},
		{"http://127.0.0.1:8081", "http://127.0.0.1:8081", false},
		{"http://127.8.9.10", "http://127.8.9.10", false},
		{"http://[::1]:8081/", "http://[::1]:8081", false},
		{"http://192.0.2.1", "http://192.0.2.1", true},
		{"http://localhost.example.org", "http://localhost.example.org", true},
	} {
		client, err := New(Config{URL: c.url})
		if err != nil {
			t.Errorf("%q: %v", c.url, err)
			continue
		}
		if client.URL() != c.want || client.Exposed() != c.exposed {
			t.Errorf("%q: %q, exposed %v; want %q, %v", c.url, client.URL(), client.Exposed(), c.want, c.exposed)
		}
	}
}

func TestAnUnknownDialectIsNamed(t *testing.T) {
	_, err := New(Config{URL: "https://auth.example.org", Dialect: "klingon"})
	if err == nil || err.Error() != `dialect "klingon" is not one of `+strings.Join(Dialects(), ", ") {
		t.Error(err)
	}
}

func TestKeysAreNotTakenWhereAnybodyOnTheWayCouldPutInOthers(t *testing.T) {
	for url, dialect := range map[string]string{"http://auth.example.org": "tapis", "https://auth.example.org": "ats"} {
		c := newClient(t, Config{URL: url, Dialect: dialect})
		if _, _, err := c.Keys(t.Context(), "dev"); !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s, %s: %v", url, dialect, err)
		}
	}
}
