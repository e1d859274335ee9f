package oauth2

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

const deviceAnswer = `{"device_code":"dc-1","user_code":"WDJB-MJHT","verification_uri":"https://auth.example.org/device",` +
	`"verification_uri_complete":"https://auth.example.org/device?user_code=WDJB-MJHT","expires_in":%d%s}`

// byDevice logs in while the token endpoint gives these answers in turn, the last
// one over and over, and returns what was waited for. The clock goes on by the
// waits alone.
func byDevice(t *testing.T, p *provider, device string, answers ...string) (set token.Set, shown []token.DeviceCode, waits []time.Duration, err error) {
	t.Helper()
	p.say("/device", 200, device)
	asked := 0
	p.answers["/token"] = func(sent) reply {
		text := answers[min(asked, len(answers)-1)]
		asked++
		switch {
		case strings.HasPrefix(text, "{"):
			return reply{200, text, nil}
		case strings.HasPrefix(text, "5"):
			return reply{503, "", nil}
		}
		return reply{400, map[string]string{"error": text}, nil}
	}
	now := today
	client := p.client(func(c *Config) { c.Now = func() time.Time { return now } })
	client.wait = func(ctx context.Context, d time.Duration) error {
		waits, now = append(waits, d), now.Add(d)
		return ctx.Err()
	}
	show := func(d token.DeviceCode) { shown = append(shown, d) }
	set, err = client.Grant(t.Context(), token.Grant{Type: token.GrantDeviceCode, ShowDevice: show}, token.Request{Scope: "read", Resources: []string{"urn:a"}})
	return set, shown, waits, err
}

func TestADeviceWaitsUntilSomebodyHasTypedItsCode(t *testing.T) {
	const good = `{"access_token":"at","token_type":"Bearer"}`
	for _, c := range []struct {
		name, more string
		answers    []string
		waits      string
	}{
		{"every 5 s unless said otherwise (RFC 8628 section 3.2)", "", []string{"authorization_pending", "authorization_pending", good}, "[5s 5s 5s]"},
		{"as often as told", `,"interval":2`, []string{"authorization_pending", good}, "[2s 2s]"},
		{"5 s more for good when told to slow down (section 3.5)", `,"interval":1`, []string{"slow_down", "authorization_pending", "slow_down", good}, "[1s 6s 6s 11s]"},
		{"a service that is busy", "", []string{"503", "503", "authorization_pending", "503", good}, "[5s 10s 15s 15s 20s]"},
		{"no more than ten minutes", `,"interval":9999999999`, []string{good}, "[10m0s]"},
	} {
		p := newProvider(t, "")
		set, shown, waits, err := byDevice(t, p, fmt.Sprintf(deviceAnswer, 600, c.more), c.answers...)
		if err != nil || set.AccessToken.Reveal() != "at" || set.Scope != "read" || fmt.Sprint(waits) != c.waits {
			t.Errorf("%s: %+v after %v, %v; want %s", c.name, set, waits, err, c.waits)
		}
		want := token.DeviceCode{
			URL: "https://auth.example.org/device", Complete: "https://auth.example.org/device?user_code=WDJB-MJHT",
			UserCode: "WDJB-MJHT", Expires: today.Add(600 * time.Second),
		}
		if len(shown) != 1 || shown[0] != want {
			t.Errorf("%s: shown %+v", c.name, shown)
		}
		if got := p.last("/device"); got.header.Get("Authorization") != basic {
			t.Errorf("%s: %v", c.name, got.header)
		}
		wantForm(t, p.last("/device").form, url.Values{"scope": {"read"}, "resource": {"urn:a"}})
		for _, s := range p.asked("/token") {
			wantForm(t, s.form, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {"dc-1"}, "resource": {"urn:a"}})
		}
	}
}

func TestADeviceThatIsNotLetInSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		seconds      int
		kind         error
		text         string
		tries        int
	}{
		{"denied", "access_denied", 600, token.ErrDenied, "the login was denied", 1},
		{"expired", "expired_token", 600, token.ErrExpired, "the code expired before anybody typed it", 1},
		{"expired by the clock", "authorization_pending", 12, token.ErrExpired, "the code expired before anybody typed it", 3},
		{"unknown", "invalid_grant", 600, token.ErrUnknown, "the server refused: invalid_grant", 1},
		{"not for this application", "unauthorized_client", 600, token.ErrDenied, "the server refused: unauthorized_client", 1},
		{"busy for good", "503", 600, token.ErrUnavailable, "the server failed: 503 Service Unavailable", 3},
		{"no token", "{}", 600, token.ErrUnavailable, "the server's answer makes no sense: no token in it", 1},
	} {
		p := newProvider(t, "")
		set, _, _, err := byDevice(t, p, fmt.Sprintf(deviceAnswer, c.seconds, ""), c.answer)
		if !errors.Is(err, c.kind) || err.Error() != c.text || set != (token.Set{}) || len(p.asked("/token")) != c.tries {
			t.Errorf("%s: %v after %d tries, want %s after %d", c.name, err, len(p.asked("/token")), c.text, c.tries)
		}
	}
}

func TestADeviceCodeThatMakesNoSenseIsNotShown(t *testing.T) {
	good := fmt.Sprintf(deviceAnswer, 600, "")
	for _, c := range []struct{ from, to string }{
		{good, "<html>"},
		{good, "{}"},
		{`"dc-1"`, `""`},
		{`"dc-1"`, `1`},
		{`"WDJB-MJHT","v`, `"","v`},
		{`"WDJB-MJHT","v`, `"\u001b[2J","v`},
		{`"WDJB-MJHT","v`, `"` + strings.Repeat("A", 65) + `","v`},
		{`:"https://auth.example.org/device",`, `:"http://auth.example.org/device",`},
		{`:"https://auth.example.org/device",`, `:"",`},
		{`:"https://auth.example.org/device",`, `:"javascript:alert(1)",`},
		{`"https://auth.example.org/device?`, `"file:///etc/passwd?`},
		{`"expires_in":600`, `"expires_in":0`},
		{`"expires_in":600`, `"expires_in":-1`},
		{`"expires_in":600`, `"x":1`},
		{`"expires_in":600`, `"expires_in":600,"interval":"soon"`},
	} {
		body := strings.Replace(good, c.from, c.to, 1)
		if body == good {
			t.Fatalf("%s is not in the answer", c.from)
		}
		p := newProvider(t, "")
		_, shown, _, err := byDevice(t, p, body, "authorization_pending")
		if !errors.Is(err, token.ErrUnavailable) || len(shown) != 0 || len(p.asked("/token")) != 0 {
			t.Errorf("%s: %v, shown %v", body, err, shown)
		}
	}
}

func TestWaitingForADeviceEndsWithItsContext(t *testing.T) {
	p := newProvider(t, "")
	p.say("/device", 200, fmt.Sprintf(deviceAnswer, 600, ""))
	client := p.client(nil)
	client.wait = wait
	ctx, cancel := context.WithCancel(t.Context())
	began := time.Now()
	_, err := client.Grant(ctx, token.Grant{Type: token.GrantDeviceCode, ShowDevice: func(token.DeviceCode) { cancel() }}, token.Request{})
	if !errors.Is(err, context.Canceled) || time.Since(began) > 3*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestADeviceCodeWithoutEndIsReadWithoutOverflow(t *testing.T) {
	p := newProvider(t, "")
	_, shown, waits, err := byDevice(t, p, fmt.Sprintf(deviceAnswer, 9223372036854775807, ""), "access_denied")
	if !errors.Is(err, token.ErrDenied) || len(shown) != 1 || !shown[0].Expires.After(today.AddDate(100, 0, 0)) || len(waits) != 1 {
		t.Errorf("%v, %v, %v", err, shown, waits)
	}
}

func TestADeviceOutlivesABrokenWayForAMoment(t *testing.T) {
	for broken, good := range map[int]bool{1: true, 2: true, 3: false} {
		p := newProvider(t, "")
		p.say("/device", 200, fmt.Sprintf(deviceAnswer, 600, ""))
		gone := errors.New("the way is broken")
		left := broken
		client := p.client(func(c *Config) {
			c.Exchange = func(ctx context.Context, m dialect.Message) (dialect.Reply, error) {
				if strings.HasSuffix(m.Path, "/token") && left > 0 {
					left--
					return dialect.Reply{}, gone
				}
				return carry(ctx, m)
			}
		})
		_, err := client.Grant(t.Context(), token.Grant{Type: token.GrantDeviceCode, ShowDevice: func(token.DeviceCode) {}}, token.Request{})
		if good != (err == nil) || !good && !errors.Is(err, gone) {
			t.Errorf("broken %d times: %v", broken, err)
		}
	}
}
