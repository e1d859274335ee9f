package oauth2

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestACheckAsksTheServiceInTheNameOfTheApplication(t *testing.T) {
	p := newProvider(t, "")
	p.say("/introspect", 200, `{"sub":"<mar\"co> & 馬","active":true,"exp":1446568241.016732,"big":12345678901234567890123,"a\"b":[1.50,{"active":null}]}`)
	got, err := p.client(nil).Check(t.Context(), token.NewSecret("raw.jwt.x"))
	if err != nil || got.JSON() != `{"a\"b":[1.50,{"active":null}],"big":12345678901234567890123,"exp":1446568241.016732,"sub":"<mar\"co> & 馬"}` {
		t.Errorf("%v, %v", got, err)
	}
	s := p.last("/introspect")
	wantForm(t, s.form, url.Values{"token": {"raw.jwt.x"}})
	if s.header.Get("Authorization") != basic {
		t.Errorf("%v", s.header)
	}
	_, err = p.client(func(c *Config) { c.ClientID, c.ClientSecret = "", token.Secret{} }).Check(t.Context(), token.NewSecret("raw"))
	if !errors.Is(err, token.ErrUnsupported) || len(p.asked("/introspect")) != 1 {
		t.Errorf("without an application: %v", err)
	}
}

func TestACheckTakesNothingForAYesButAYes(t *testing.T) {
	for body, want := range map[string]error{
		`{"active":false}`: token.ErrUnknown, `{"active":false,"sub":"marco"}`: token.ErrUnknown, `{"active":"true"}`: token.ErrUnavailable,
		`{"active":1}`: token.ErrUnavailable, `{"active":null}`: token.ErrUnavailable, `{"sub":"marco"}`: token.ErrUnavailable, `{}`: token.ErrUnavailable,
		`{"active":true,"active":false}`: token.ErrUnavailable, `[true]`: token.ErrUnavailable, `<html>`: token.ErrUnavailable, ``: token.ErrUnavailable,
		`{"Active":true}`: token.ErrUnavailable,
	} {
		p := newProvider(t, "")
		p.say("/introspect", 200, body)
		got, err := p.client(nil).Check(t.Context(), token.NewSecret("raw"))
		if !errors.Is(err, want) || got != nil || want == token.ErrUnknown && err.Error() != "token not active" { //nolint:errorlint // the very kind
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

func TestARevocationIsDoneWhenTheServiceSaysSo(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{200, "", nil},
		{200, "{}", nil},
		{200, `{"anything":1}`, nil},
		{200, "<html>Sign in to the Wi-Fi", token.ErrUnavailable},
		{204, "", token.ErrUnavailable},
		{202, "", token.ErrUnavailable},
		{400, `{"error":"unsupported_token_type"}`, token.ErrUnsupported},
		{401, `{"error":"invalid_client"}`, token.ErrDenied},
		{503, "", token.ErrUnavailable},
	} {
		p := newProvider(t, "")
		p.say("/revoke", c.status, c.body)
		if err := p.client(nil).Revoke(t.Context(), token.NewSecret("ats_rt_1")); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%d %q: %v", c.status, c.body, err)
		}
		wantForm(t, p.last("/revoke").form, url.Values{"token": {"ats_rt_1"}})
	}
}

func TestRevokeAllNamesTheUserAsASubjectOfTheIssuer(t *testing.T) {
	p := newProvider(t, "")
	p.say("/revoke-all", 204, "")
	own := jwtOf(`{"alg":"ES256"}`, map[string]any{"iss": p.issuer, "sub": "marco"})
	foreign := jwtOf(`{"alg":"ES256"}`, map[string]any{"iss": "https://elsewhere.example.org", "sub": "marco"})
	subject := `{"sub_id":{"format":"iss_sub","iss":"` + p.issuer + `","sub":"%s"}}`
	for _, c := range []struct{ bearer, user, want string }{
		{"opaque", "anna", fmt.Sprintf(subject, "anna")},
		{own, "anna", fmt.Sprintf(subject, "anna")},
		{own, "", fmt.Sprintf(subject, "marco")},
		{foreign, "", "{}"},
		{"opaque", "", "{}"},
	} {
		if err := p.client(nil).RevokeAll(t.Context(), token.NewSecret(c.bearer), c.user); err != nil {
			t.Error(err)
		}
		s := p.last("/revoke-all")
		if s.method != "POST" || s.body != c.want || s.header.Get("Authorization") != "Bearer "+c.bearer || s.header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v: %s %s with %v", c, s.method, s.body, s.header)
		}
	}
	for _, c := range []struct {
		status int
		body   string
		want   error
	}{
		{404, "", token.ErrUnknown},
		{403, `{"error":"insufficient_scope"}`, token.ErrDenied},
		{401, `{"error":"invalid_token","error_description":"token expired"}`, token.ErrExpired},
		{200, "<html>", token.ErrUnavailable},
		{202, "", token.ErrUnavailable},
	} {
		p.say("/revoke-all", c.status, c.body)
		if err := p.client(nil).RevokeAll(t.Context(), token.NewSecret("raw"), "anna"); !errors.Is(err, c.want) {
			t.Errorf("%d %s: %v", c.status, c.body, err)
		}
	}
	if err := p.client(nil).RevokeAll(t.Context(), token.NewSecret("raw"), "marc\xf4"); !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("a name that is no text: %v", err)
	}
}

func TestAListTellsEachLogin(t *testing.T) {
	p := newProvider(t, "")
	p.say("/logins", 200, `{"logins":[{"id":"a","client_id":"app","name":"Laptop","dialect":"oauth2","scope":"read","created_at":1700000000,
		"last_used_at":1700000060,"expires_at":1800000000,"current":true,"of_tomorrow":1},{"id":"b","created_at":1}]}`)
	got, err := p.client(nil).List(t.Context(), token.NewSecret("raw"))
	want := []token.Login{
		{
			ID: "a", Client: "app", Name: "Laptop", Door: "oauth2", Scope: "read", CreatedAt: time.Unix(1700000000, 0).UTC(),
			LastUsedAt: time.Unix(1700000060, 0).UTC(), ExpiresAt: time.Unix(1800000000, 0).UTC(), Current: true,
		},
		{ID: "b", CreatedAt: time.Unix(1, 0).UTC()},
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, %v", got, err)
	}
	if s := p.last("/logins"); s.method != "GET" || s.header.Get("Authorization") != "Bearer raw" || s.body != "" {
		t.Errorf("%+v", s)
	}
	many := `{"logins":[` + strings.Repeat(`{"id":"x","created_at":1},`, 4999) + `{"id":"x"}]}`
	p.say("/logins", 200, many)
	if got, err := p.client(nil).List(t.Context(), token.NewSecret("raw")); err != nil || len(got) != 5000 {
		t.Errorf("%d logins, %v", len(got), err)
	}
	for _, body := range []string{"", "<html>", "[]", "{}", `{"logins":null}`, `{"logins":{}}`, `{"logins":[{}]}`, `{"logins":[{"id":""}]}`, `{"logins":[{"id":1}]}`, `{"logins":[{"id":"a","created_at":"x"}]}`} {
		p.say("/logins", 200, body)
		if got, err := p.client(nil).List(t.Context(), token.NewSecret("raw")); !errors.Is(err, token.ErrUnavailable) || got != nil {
			t.Errorf("%s: %v, %v", body, got, err)
		}
	}
}

func FuzzDeviceAndLogins(f *testing.F) {
	f.Add(fmt.Sprintf(deviceAnswer, 600, `,"interval":5`))
	f.Add(`{"logins":[{"id":"a","created_at":1e3}]}`)
	f.Add(`{"active":true,"\u0061ctive":1,"\"":2}`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := NewClient(Config{Issuer: "https://auth.example.org", Now: func() time.Time { return today }})
		if err != nil {
			t.Fatal(err)
		}
		r := dialect.Reply{Status: 200, Body: []byte(body)}
		if d, err := c.readDevice(r); err == nil && (!strings.HasPrefix(strings.ToLower(d.shown.URL), "https://") || d.code == "" || d.interval < 1 || d.shown.Expires.Before(today)) {
			t.Errorf("%q: %+v", body, d)
		}
		if logins, err := dialect.ReadLogins(r); (err == nil) != (logins != nil) {
			t.Errorf("%q: %v, %v", body, logins, err)
		}
		if o, err := token.ParseObject(body); err == nil {
			less, err := without(o, "active")
			if err != nil || less.Has("active") {
				t.Errorf("%q: %v, %v", body, less, err)
			}
		}
	})
}
