package oauth2

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// visit is a browser that goes to an address, with that Host unless empty.
func visit(t *testing.T, method, address, host string) (status int, header http.Header, page string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		r.Host = host
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Errorf("%s: %v", address, err)
		return 0, nil, ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Error(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// comeBack is a browser in which somebody has decided: it brings these
// parameters, where STATE stands for the one of the question.
func comeBack(t *testing.T, query string) func(url.Values) {
	return func(question url.Values) {
		state := url.QueryEscape(question.Get("state"))
		visit(t, "GET", question.Get("redirect_uri")+"?"+strings.ReplaceAll(query, "STATE", state), "")
	}
}

// byBrowser logs in while the browser does what it is told with the question.
func byBrowser(t *testing.T, c *Client, want token.Request, browser func(question url.Values)) (token.Set, error) {
	t.Helper()
	gone := make(chan struct{})
	open := func(address string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
		}
		go func() { defer close(gone); browser(u.Query()) }()
	}
	set, err := c.Grant(t.Context(), token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: open}, want)
	<-gone
	return set, err
}

func TestALoginInABrowserGivesAToken(t *testing.T) {
	p := newProvider(t, "")
	p.metadata["authorization_response_iss_parameter_supported"] = true
	var asked url.Values
	p.answers["/token"] = func(s sent) reply {
		sum := sha256.Sum256([]byte(s.form.Get("code_verifier"))) // RFC 7636 section 4.6
		if len(s.form.Get("code_verifier")) < 43 || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			t.Errorf("verifier %q for the challenge %q", s.form.Get("code_verifier"), asked.Get("code_challenge"))
		}
		wantForm(t, s.form, url.Values{
			"grant_type": {"authorization_code"}, "code": {"the+code/1"}, "redirect_uri": {asked.Get("redirect_uri")},
			"code_verifier": {s.form.Get("code_verifier")}, "resource": {"urn:a", "urn:b"},
		})
		claims := map[string]any{"iss": p.issuer, "sub": "marco", "aud": appID, "exp": today.Unix() + 60, "iat": today.Unix(), "nonce": asked.Get("nonce")}
		return reply{200, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": jwtOf(`{"alg":"ES256"}`, claims)}, nil}
	}
	set, err := byBrowser(t, p.client(nil), token.Request{Scope: "openid read", Resources: []string{"urn:a", "urn:b"}}, func(question url.Values) {
		asked = question
		status, header, page := visit(t, "GET", question.Get("redirect_uri")+"?code=the%2Bcode%2F1&iss="+url.QueryEscape(p.issuer)+"&state="+url.QueryEscape(question.Get("state")), "")
		if status != 200 || !strings.Contains(page, "can be closed") || header.Get("Cache-Control") != "no-store" || header.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") || header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%d %v %s", status, header, page)
		}
		for _, secret := range []string{"the+code", question.Get("state"), question.Get("code_challenge")} {
			if strings.Contains(page, secret) {
				t.Errorf("the page shows %s", secret)
			}
		}
	})
	if err != nil || set.AccessToken.Reveal() != "at" || set.Scope != "openid read" || set.IDToken.IsZero() {
		t.Fatalf("%+v, %v", set, err)
	}
	redirect, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil || redirect.Hostname() != "127.0.0.1" || redirect.Port() == "0" || redirect.Path != "/callback" || redirect.Scheme != "http" {
		t.Errorf("redirect_uri %v, %v", redirect, err)
	}
	if conn, err := net.DialTimeout("tcp", redirect.Host, time.Second); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
	wantForm(t, asked, url.Values{ // what the endpoint's address held is kept (RFC 6749 section 3.1)
		"tenant": {"a b"}, "response_type": {"code"}, "client_id": {appID}, "redirect_uri": {redirect.String()}, "scope": {"openid read"},
		"state": {asked.Get("state")}, "nonce": {asked.Get("nonce")}, "code_challenge": {asked.Get("code_challenge")}, "code_challenge_method": {"S256"},
		"resource": {"urn:a", "urn:b"},
	})
}

func TestNoTwoLoginsInABrowserShareAnything(t *testing.T) {
	p := newProvider(t, "")
	seen := map[string]bool{}
	for range 3 {
		_, err := byBrowser(t, p.client(nil), token.Request{Scope: "openid"}, func(question url.Values) {
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				value := question.Get(name)
				if len(value) < 22 || seen[value] {
					t.Errorf("%s %q", name, value)
				}
				seen[value] = true
			}
			comeBack(t, "code=c&state=STATE")(question)
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestStrangersAtTheLoopbackGetNothingAndEndNothing(t *testing.T) {
	p := newProvider(t, "")
	set, err := byBrowser(t, p.client(nil), token.Request{}, func(question url.Values) {
		redirect, state := question.Get("redirect_uri"), url.QueryEscape(question.Get("state"))
		root := strings.TrimSuffix(redirect, "/callback")
		good := redirect + "?code=good&state=" + state
		for _, c := range []struct{ method, address, host string }{
			{"GET", root + "/", ""},
			{"GET", root + "/favicon.ico", ""},
			{"GET", redirect, ""},
			{"GET", redirect + "?code=evil", ""},
			{"GET", redirect + "?code=evil&state=", ""},
			{"GET", redirect + "?code=evil&state=guess", ""},
			{"GET", redirect + "?error=access_denied", ""},
			{"GET", redirect + "?code=evil&state=" + state + "x", ""},
			{"POST", good, ""},
			{"HEAD", good, ""},
			{"GET", good, "rebound.example.org"},
			{"GET", good, "localhost"},
			{"GET", root + "/callback/?code=evil&state=" + state, ""},
			{"GET", good + "&x=%zz", ""},
			{"GET", good + ";x", ""},
		} {
			if status, _, page := visit(t, c.method, c.address, c.host); status != 404 || strings.Contains(page, "<") {
				t.Errorf("%s %s at %q: %d %s", c.method, c.address, c.host, status, page)
			}
		}
		if status, _, _ := visit(t, "GET", good, ""); status != 200 {
			t.Errorf("the right one: %d", status)
		}
	})
	if err != nil || set.AccessToken.Reveal() != "at" || p.last("/token").form.Get("code") != "good" || len(p.asked("/token")) != 1 {
		t.Errorf("%+v, %v", set, err)
	}
}

func TestAConnectionThatSaysNothingHoldsNothingUp(t *testing.T) {
	p := newProvider(t, "")
	began := time.Now()
	_, err := byBrowser(t, p.client(nil), token.Request{}, func(question url.Values) {
		for _, text := range []string{"", "GET / HT", "\x16\x03\x01 hello\r\n\r\n", "GET /" + strings.Repeat("x", 70<<10)} {
			conn, err := net.Dial("tcp", strings.Split(question.Get("redirect_uri"), "/")[2])
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { conn.Close() })
			_, _ = io.WriteString(conn, text)
		}
		comeBack(t, "code=c&state=STATE")(question)
	})
	if err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestOneAnswerIsTakenOfABrowser(t *testing.T) {
	b, err := listen(t.Context(), 0, "state")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	for i, want := range []int{200, 404, 404} {
		if status, _, _ := visit(t, "GET", fmt.Sprintf("%s?state=state&code=%d", b.address(), i), ""); status != want {
			t.Errorf("visit %d: %d, want %d", i, status, want)
		}
	}
	if answer, err := b.await(t.Context(), time.Second); err != nil || answer.Get("code") != "0" {
		t.Errorf("%v, %v", answer, err)
	}
}

func TestWhatABrowserBringsIsJudged(t *testing.T) {
	for _, c := range []struct {
		name, query string
		advertised  bool
		kind        error
		text        string
	}{
		{"denied (RFC 6749 section 4.1.2.1)", "error=access_denied&state=STATE", false, token.ErrDenied, "the login was denied"},
		{"denied, with words", "error=access_denied&error_description=not+you&state=STATE", false, token.ErrDenied, "the server refused: access_denied (not you)"},
		{"a scope", "error=invalid_scope&state=STATE", false, token.ErrDenied, "the server refused: invalid_scope"},
		{"no code flow", "error=unsupported_response_type&state=STATE", false, token.ErrUnsupported, "the server refused: unsupported_response_type"},
		{"a failure", "error=server_error&state=STATE", false, token.ErrUnavailable, "the server refused: server_error"},
		{"an error of control characters", "error=%1b%5b31m&state=STATE", false, token.ErrDenied, "the server refused, in words that are not shown"},
		{"an error beside a code", "error=server_error&code=c&state=STATE", false, token.ErrUnavailable, "the server refused: server_error"},
		{"no code", "state=STATE", false, token.ErrUnavailable, "the server's answer makes no sense: the browser brought no code"},
		{"a code of two lines", "code=a%0ab&state=STATE", false, token.ErrUnavailable, "the server's answer makes no sense: the browser brought no code"},
		{"two codes (section 3.1)", "code=a&code=b&state=STATE", false, token.ErrUnavailable, "the server's answer makes no sense: the browser brought a parameter twice"},
		{"two states", "code=a&state=STATE&state=x", false, token.ErrUnavailable, "the server's answer makes no sense: the browser brought a parameter twice"},
		{"another issuer (RFC 9207 section 2.4)", "code=c&state=STATE&iss=https://evil.example.org", false, token.ErrDenied, "the browser brought an answer of the issuer https://evil.example.org instead of ISSUER"},
		{"another issuer's refusal", "error=access_denied&state=STATE&iss=https://evil.example.org", true, token.ErrDenied, "the browser brought an answer of the issuer https://evil.example.org instead of ISSUER"},
		{"an issuer almost the same", "code=c&state=STATE&iss=ISSUER/", true, token.ErrDenied, "the browser brought an answer of the issuer ISSUER/ instead of ISSUER"},
		{"an empty issuer", "code=c&state=STATE&iss=", false, token.ErrDenied, `the browser brought an answer of the issuer "" instead of ISSUER`},
		{"no issuer where one is promised", "code=c&state=STATE", true, token.ErrDenied, "the browser brought an answer that does not say by its iss that ISSUER gave it"},
	} {
		p := newProvider(t, "")
		p.metadata["authorization_response_iss_parameter_supported"] = c.advertised
		_, err := byBrowser(t, p.client(nil), token.Request{}, comeBack(t, strings.ReplaceAll(c.query, "ISSUER", p.issuer)))
		if want := strings.ReplaceAll(c.text, "ISSUER", p.issuer); !errors.Is(err, c.kind) || err.Error() != want {
			t.Errorf("%s: %v, want %s", c.name, err, want)
		}
		if len(p.asked("/token")) != 0 {
			t.Errorf("%s: a code was traded", c.name)
		}
	}
}

func TestAnIDTokenOfAnotherLoginIsRefused(t *testing.T) {
	for _, nonce := range []any{"another", "", nil, 1} {
		p := newProvider(t, "")
		claims := map[string]any{"iss": p.issuer, "sub": "marco", "aud": appID, "exp": today.Unix() + 60, "iat": today.Unix(), "nonce": nonce}
		p.say("/token", 200, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": jwtOf(`{"alg":"ES256"}`, claims)})
		set, err := byBrowser(t, p.client(nil), token.Request{Scope: "openid"}, comeBack(t, "code=c&state=STATE"))
		if !errors.Is(err, token.ErrClaims) || set != (token.Set{}) {
			t.Errorf("%v: %v", nonce, err)
		}
	}
}

func TestAServiceWithoutWhatABrowserNeedsIsUnsupported(t *testing.T) {
	for name, value := range map[string]any{"require_pushed_authorization_requests": true, "code_challenge_methods_supported": []string{"plain"}} {
		p := newProvider(t, "")
		p.metadata[name] = value
		open := func(string) { t.Error("a browser was opened") }
		_, err := p.client(nil).Grant(t.Context(), token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: open}, token.Request{})
		if !errors.Is(err, token.ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWaitingForABrowserEnds(t *testing.T) {
	p := newProvider(t, "")
	client := p.client(nil)
	client.patience = 30 * time.Millisecond
	var redirect string
	open := func(address string) {
		u, err := url.Parse(address)
		if err != nil {
			t.Error(err)
		}
		redirect = u.Query().Get("redirect_uri")
	}
	_, err := client.Grant(t.Context(), token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: open}, token.Request{})
	if !errors.Is(err, token.ErrExpired) || err.Error() != "nobody logged in in the browser within 30ms" {
		t.Error(err)
	}
	client.patience = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	_, err = client.Grant(ctx, token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: func(a string) { open(a); cancel() }}, token.Request{})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if conn, err := net.DialTimeout("tcp", strings.Split(redirect, "/")[2], time.Second); err == nil {
		conn.Close()
		t.Error("the port is still open")
	}
}

func TestAPortThatIsTakenIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := newProvider(t, "")
	client := p.client(func(c *Config) { c.RedirectPort = l.Addr().(*net.TCPAddr).Port })
	_, err = client.Grant(t.Context(), token.Grant{Type: token.GrantAuthorizationCode, OpenBrowser: func(string) {}}, token.Request{})
	if err == nil || !strings.HasPrefix(err.Error(), "wait for the browser: ") {
		t.Error(err)
	}
}
