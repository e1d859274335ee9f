package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/terminal"
)

// pbx is a small wazo-auth of somebody else's behind /api/auth, where alice lives:
// one of 2017, or of today.
type pbx struct {
	old bool

	mu      sync.Mutex
	count   int
	tokens  map[string]int64  // when they end, by the tokens that are honoured
	refresh map[string]string // by client id
	asked   []string
}

const alicesUUID = "63f3dc3c-865d-419e-bec2-e18c4b118224"

// tokenOf is the nth token that the pbx gives; sessionOf is its session.
func tokenOf(n int) string   { return fmt.Sprintf("1823c1ee-6c6a-4cdc-9869-%012d", n) }
func sessionOf(n int) string { return fmt.Sprintf("5e551011-0000-4000-8000-%012d", n) }

func (p *pbx) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, "/api/auth/0.1/")
	p.asked = append(p.asked, r.Method+" "+path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	parts := strings.Split(path, "/")
	switch {
	case path == "backends":
		p.answer(w, 200, map[string]any{"data": []string{"xivo_user", "ldap_user"}})
	case path == "token" && r.Method == http.MethodPost:
		p.create(w, r)
	case parts[0] == "token" && len(parts) == 2:
		p.token(w, r, parts[1])
	case parts[0] == "users" && len(parts) >= 3 && parts[1] == "me" && !p.old:
		p.mine(w, r, parts[2:])
	default:
		p.refuse(w, 404, "The requested URL was not found on the server.")
	}
}

func (p *pbx) answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *pbx) refuse(w http.ResponseWriter, status int, reason string) {
	if p.old {
		p.answer(w, status, map[string]any{"reason": []string{reason}, "timestamp": []float64{1.5}, "status_code": status})
		return
	}
	p.answer(w, status, map[string]any{"message": reason, "error_id": "x", "details": map[string]any{}, "timestamp": 1.5})
}

func (p *pbx) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Backend, RefreshToken, ClientID, AccessType string
		Expiration                                  *float64
	}
	var wire map[string]any
	if json.NewDecoder(r.Body).Decode(&wire) != nil {
		p.refuse(w, 400, "Bad Request")
		return
	}
	text := func(name string) string { s, _ := wire[name].(string); return s }
	body.Backend, body.RefreshToken, body.ClientID, body.AccessType = text("backend"), text("refresh_token"), text("client_id"), text("access_type")
	if n, is := wire["expiration"].(float64); is {
		body.Expiration = &n
	}
	name, password, _ := r.BasicAuth()
	good := name == "alice" && password == "s3cre7 %:é" && (body.Backend == "" || body.Backend == "xivo_user")
	if body.RefreshToken != "" {
		good = p.refresh[body.ClientID] == body.RefreshToken
	}
	switch {
	case p.old && body.Backend == "":
		p.refuse(w, 400, "Missing data for required field.")
	case !good:
		p.refuse(w, 401, "Authentication Failed")
	default:
		life := int64(7200)
		if body.Expiration != nil {
			life = int64(*body.Expiration)
		}
		p.count++
		p.tokens[tokenOf(p.count)] = time.Now().Unix() + life
		data := p.data(p.count)
		if body.AccessType == "offline" && !p.old {
			if p.refresh[body.ClientID] == "" {
				p.refresh[body.ClientID] = fmt.Sprintf("4ef4e500-0000-4000-8000-%012d", p.count)
			}
			data["refresh_token"] = p.refresh[body.ClientID]
		}
		p.answer(w, 200, map[string]any{"data": data})
	}
}

func (p *pbx) data(n int) map[string]any {
	ends := time.Unix(p.tokens[tokenOf(n)], 557553000)
	const layout = "2006-01-02T15:04:05.999999"
	local := time.FixedZone("", -5*3600)
	now := time.Now()
	return map[string]any{
		"token": tokenOf(n), "auth_id": alicesUUID, "xivo_user_uuid": alicesUUID, "session_uuid": sessionOf(n), "xivo_uuid": nil,
		"issued_at": now.In(local).Format(layout), "utc_issued_at": now.UTC().Format(layout),
		"expires_at": ends.In(local).Format(layout), "utc_expires_at": ends.UTC().Format(layout),
		"acl": []string{"confd.users.me.read", "auth.users.me.#"}, "metadata": map[string]any{"uuid": alicesUUID, "purpose": "user"},
		"odd; name": "x",
	}
}

func (p *pbx) token(w http.ResponseWriter, r *http.Request, raw string) {
	n := 1
	for ; n <= p.count && tokenOf(n) != raw; n++ { //nolint:revive // the loop is the search
	}
	_, honoured := p.tokens[raw]
	scope := r.URL.Query().Get("scope")
	switch {
	case r.Method == http.MethodDelete:
		delete(p.tokens, raw)
		p.answer(w, 200, map[string]any{"data": map[string]string{"message": "success"}})
	case !honoured:
		p.refuse(w, 404, "No such token")
	case scope != "" && scope != "confd.users.me.read":
		p.refuse(w, 403, "Unauthorized for "+scope)
	case r.Method == http.MethodHead:
		w.WriteHeader(204)
	default:
		p.answer(w, 200, map[string]any{"data": p.data(n)})
	}
}

func (p *pbx) mine(w http.ResponseWriter, r *http.Request, parts []string) {
	if _, honoured := p.tokens[r.Header.Get("X-Auth-Token")]; !honoured {
		p.refuse(w, 401, "Unauthorized")
		return
	}
	items := []map[string]any{}
	switch list := parts[0]; {
	case r.Method == http.MethodDelete && list == "tokens" && p.refresh[parts[1]] != "":
		delete(p.refresh, parts[1])
		w.WriteHeader(204)
		return
	case r.Method == http.MethodDelete:
		for n := range p.count + 1 {
			if _, lives := p.tokens[tokenOf(n)]; lives && sessionOf(n) == parts[1] {
				delete(p.tokens, tokenOf(n))
				w.WriteHeader(204)
				return
			}
		}
		p.refuse(w, 404, "No such thing")
		return
	case list == "tokens":
		for id := range p.refresh {
			items = append(items, map[string]any{"client_id": id, "created_at": "2026-01-05T15:16:58.557553+00:00", "mobile": false, "user_uuid": alicesUUID})
		}
	default:
		for n := range p.count + 1 {
			if _, lives := p.tokens[tokenOf(n)]; lives {
				items = append(items, map[string]any{"uuid": sessionOf(n), "mobile": n == 2, "user_uuid": alicesUUID, "remote_addr": fmt.Sprintf("192.0.2.%d", n), "user_agent": "phone/1.0 (x)"})
			}
		}
	}
	p.answer(w, 200, map[string]any{"total": len(items), "filtered": len(items), "items": items})
}

// caller is a person at a command line whose service is a pbx.
type caller struct {
	t      *testing.T
	pbx    *pbx
	env    words
	home   string
	stdout string
	stderr string
}

func newCaller(t *testing.T, old bool) *caller {
	p := &pbx{old: old, tokens: map[string]int64{}, refresh: map[string]string{}}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return &caller{t: t, pbx: p, home: t.TempDir(), env: words{
		"ATS_AUTH_URL": s.URL + "/api/auth/", "ATS_AUTH_DIALECT": "wazo", "ATS_AUTH_PASSWORD": "s3cre7 %:é", "ATS_AUTH_USERNAME": "alice",
	}}
}

// run runs a command line, which must end so.
func (c *caller) run(want int, args ...string) {
	c.t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(context.Background(), Env{
		Args: append([]string{"ats-auth"}, args...), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		LookupEnv: func(name string) (string, bool) { text, ok := c.env[name]; return text, ok },
		WorkDir:   c.home, HomeDir: c.home, Now: time.Now, Interactive: func(any) bool { return false },
		ReadPassword: func(context.Context, string) (string, error) { return "", terminal.ErrNoTerminal },
	})
	c.stdout, c.stderr = stdout.String(), stderr.String()
	if code != want {
		c.t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, c.stdout, c.stderr)
	}
	if strings.Contains(c.stderr, "s3cre7") || strings.Contains(c.stderr, "1823c1ee") || strings.Contains(c.stderr, "4ef4e500") {
		c.t.Errorf("%v: stderr shows a secret:\n%s", args, c.stderr)
	}
}

func (c *caller) says(stdout, stderr string) {
	c.t.Helper()
	if c.stdout != stdout || !strings.Contains(c.stderr, stderr) {
		c.t.Errorf("stdout %q, want %q\nstderr %q, want %q in it", c.stdout, stdout, c.stderr, stderr)
	}
}

func TestAWazoTokenIsCreatedCheckedShownAndRevoked(t *testing.T) {
	for _, old := range []bool{true, false} {
		c := newCaller(t, old)
		c.run(0, "token", "create", "--backend", "xivo_user", "--expiration", "10m")
		c.says(tokenOf(1)+"\n", "")
		if left := c.pbx.tokens[tokenOf(1)] - time.Now().Unix(); left < 590 || left > 600 {
			t.Errorf("it lives for %d seconds", left)
		}
		c.run(0, "token", "create", "--backend", "xivo_user", "--expiration", "600", "-v")
		c.says(tokenOf(2)+"\n", "opaque token\ntoken data: {")
		if !strings.Contains(c.stderr, `"acl":["confd.users.me.read","auth.users.me.#"]`) || !strings.Contains(c.stderr, `"auth_id":"`+alicesUUID+`"`) {
			t.Error(c.stderr)
		}
		c.run(0, "--debug", "token", "create", "--backend", "xivo_user", "-f", "header")
		c.says("X-Auth-Token: "+tokenOf(3)+"\n", "")
		c.run(0, "token", "create", "--backend", "xivo_user", "-f", "json", "-c", "access_token", "-c", "expires_in", "--ttl", "60")
		if !strings.HasPrefix(c.stdout, `{"access_token":"`+tokenOf(4)+`","expires_in":`) {
			t.Error(c.stdout)
		}
		c.pbx.asked = nil
		c.run(0, "--debug", "token", "check", tokenOf(1))
		c.run(0, "token", "check", "--scope", "confd.users.me.read", tokenOf(1))
		c.run(4, "token", "check", "--scope", "confd.users.me.read", "--scope", "confd.lines.read", tokenOf(1))
		c.says("", `the token gives no access to "confd.lines.read"`)
		if want := "HEAD token/" + tokenOf(1); !slices.Equal(c.pbx.asked[:4], []string{want, want, want, want}) {
			t.Error(c.pbx.asked)
		}
		c.run(0, "token", "check", "--min-ttl", "1m", tokenOf(1))
		c.run(8, "token", "check", "--min-ttl", "1h", tokenOf(1))
		c.run(0, "token", "check", "-f", "json", tokenOf(1))
		if !strings.Contains(c.stdout, `"session_uuid":"`+sessionOf(1)+`"`) {
			t.Error(c.stdout)
		}
		c.run(0, "token", "show", tokenOf(1))
		if strings.Count(c.stdout, alicesUUID) != 1 || strings.Contains(c.stdout, "\nexpires_at") || strings.Contains(c.stdout, "null") ||
			!strings.Contains(c.stdout, "acl: confd.users.me.read\nacl: auth.users.me.#\n") || !strings.Contains(c.stdout, "\nmetadata.purpose: user\n") {
			t.Errorf("what is double is shown: %s", c.stdout)
		}
		if !strings.Contains(c.stdout, "auth_id: "+alicesUUID+"\n") || !strings.Contains(c.stdout, "validity: valid, expires in ") || strings.Contains(c.stdout, tokenOf(1)) {
			t.Error(c.stdout)
		}
		c.run(0, "token", "show", "-c", "session_uuid", tokenOf(1))
		c.says(sessionOf(1)+"\n", "")
		c.run(0, "token", "show", "-f", "export", tokenOf(1))
		if !strings.HasPrefix(c.stdout, "export ATS_AUTH_TOKEN='"+tokenOf(1)+"'\n") || strings.Contains(c.stdout, "odd") || strings.Contains(c.stdout, "ODD") {
			t.Error(c.stdout)
		}
		c.run(0, "--debug", "token", "revoke", tokenOf(1))
		c.says("", "Token revoked.")
		for _, verb := range []string{"check", "show", "revoke"} {
			c.run(9, "--debug", "token", verb, tokenOf(1))
		}
		c.run(4, "token", "create", "--backend", "none")
		c.says("", `wrong user name or password, or no backend "none"`)
		c.run(4, "token", "create", "--scope", "x")
		c.says("", "cannot ask for a scope")
	}
}

func TestATokenThatIsMadeForACommandAloneEndsWithIt(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "token", "create")
	c.run(0, "session", "list")
	c.run(0, "token", "list")
	c.run(9, "session", "revoke", "no-such")
	if _, lives := c.pbx.tokens[tokenOf(1)]; c.pbx.count != 4 || len(c.pbx.tokens) != 1 || !lives {
		t.Errorf("%d were made, left: %v", c.pbx.count, c.pbx.tokens)
	}
	c.env["ATS_AUTH_TOKEN"] = tokenOf(1)
	c.run(0, "session", "list")
	if len(c.pbx.tokens) != 1 {
		t.Error("a token that was there before has ended")
	}
}

func TestAWazoServerOf2017WantsABackendAndHasNoRefreshTokens(t *testing.T) {
	c := newCaller(t, true)
	c.run(4, "token", "create")
	c.says("", "no backend is named, which some servers want")
	c.env["ATS_AUTH_BACKEND"] = "xivo_user"
	c.run(0, "token", "create")
	c.run(4, "login")
	c.says("", "this server gave no refresh token")
	c.run(4, "session", "list")
	c.says("", "this server cannot do that: 404 Not Found")
}

func TestAWazoLoginLastsUntilItsLogout(t *testing.T) {
	c := newCaller(t, false)
	c.run(4, "login", "--days", "3")
	c.says("", "cannot ask for the end of a login")
	c.run(0, "login", "--backend", "xivo_user")
	c.says("", "logged in; this login has no end")
	c.run(0, "login", "--client-id", "laptop") // the former one ends, of another client id
	if _, there := c.pbx.refresh["ats-auth"]; there || c.pbx.refresh["laptop"] == "" {
		t.Errorf("%v", c.pbx.refresh)
	}
	delete(c.env, "ATS_AUTH_PASSWORD")
	delete(c.env, "ATS_AUTH_DIALECT")
	c.run(0, "status", "-c", "backend", "-c", "dialect")
	c.says("xivo_user\nwazo\n", "")
	c.run(0, "token", "get")
	first := c.stdout
	c.run(0, "token", "get")
	c.says(first, "")
	c.env["ATS_AUTH_CLIENT_ID"] = "another" // is not that of the login
	c.run(0, "token", "refresh")
	if c.stdout == first || c.pbx.tokens[strings.TrimSpace(c.stdout)] == 0 {
		t.Errorf("%q after %q", c.stdout, first)
	}
	acting := strings.TrimSpace(c.stdout)
	delete(c.env, "ATS_AUTH_CLIENT_ID")
	c.run(0, "token", "list", "-c", "id", "-f", "value")
	c.says("laptop\n", "")
	c.run(0, "token", "show", "--id", "laptop", "-c", "created_at", "-f", "value")
	c.says("2026-01-05T15:16:58Z\n", "")
	c.run(0, "--debug", "session", "list", "-f", "json")
	if !strings.Contains(c.stdout, `{"id":"`+sessionOf(2)+`","user":"`+alicesUUID+`","mobile":true,"created_at":"","expires_at":"","current":false,"remote_addr":"192.0.2.2","user_agent":"phone/1.0 (x)"}`) || strings.Count(c.stdout, `"current":true`) != 1 {
		t.Error(c.stdout)
	}
	c.run(0, "session", "list")
	for _, want := range []string{"ID                                    CURRENT  AGE  LEFT  FROM       BY\n", "-        -    -     192.0.2.2  phone (mobile)\n", "*        -    -     192.0.2.4  phone\n"} {
		if !strings.Contains(c.stdout, want) {
			t.Errorf("no %q in %s", want, c.stdout)
		}
	}
	c.run(9, "session", "revoke", "no-such", sessionOf(2))
	if !strings.Contains(c.stderr, "ats-auth: session no-such: ") {
		t.Error(c.stderr)
	}
	if _, lives := c.pbx.tokens[tokenOf(2)]; lives || !strings.Contains(c.stderr, "Session "+sessionOf(2)+" revoked.") {
		t.Error(c.stderr)
	}
	c.run(0, "logout")
	c.says("", "login revoked")
	if _, lives := c.pbx.tokens[acting]; lives || len(c.pbx.refresh) != 0 {
		t.Errorf("left: %v, %v", c.pbx.tokens, c.pbx.refresh)
	}
	c.run(3, "token", "get")
}

func TestAWazoRefreshTokenIsTradedAndRevoked(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "token", "create", "--issue-rt", "--client-id", "app", "-c", "refresh_token")
	refresh := strings.TrimSpace(c.stdout)
	c.env["ATS_AUTH_REFRESH_TOKEN"], c.env["ATS_AUTH_CLIENT_ID"] = refresh, "app"
	c.run(0, "token", "refresh", "-f", "json", "-c", "refresh_token")
	c.says(`{"refresh_token":"`+refresh+"\"}\n", "")
	c.run(9, "token", "revoke", refresh) // as if it were an access token
	c.says("", "ends by its client id")
	c.run(9, "token", "refresh", "--client-id", "another")
	c.run(0, "token", "revoke", "--refresh-token", refresh)
	if len(c.pbx.refresh) != 0 {
		t.Errorf("left: %v", c.pbx.refresh)
	}
	c.run(9, "token", "refresh")
	delete(c.env, "ATS_AUTH_REFRESH_TOKEN")
	c.run(0, "token", "create", "--issue-rt")
	c.run(0, "token", "delete", "--id", "app")
	c.run(9, "token", "delete", "--id", "app")
}

func TestAWazoLoginThatTheServerHasEndedIsSaidToBe(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "login")
	clear(c.pbx.refresh)
	c.run(9, "token", "refresh")
	c.says("", "is not honoured any more")
	c.run(3, "status", "-c", "login")
	c.run(0, "logout")
	c.says("", "the login was gone already")
}

func TestADoctorKnowsTheBackendsOfAWazoServer(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "doctor")
	if !strings.Contains(c.stdout, "xivo_user, ldap_user") {
		t.Error(c.stdout)
	}
	c.env["ATS_AUTH_BACKEND"] = "ldpa"
	c.run(3, "doctor")
	if !strings.Contains(c.stdout, "ldpa, from ATS_AUTH_BACKEND, is none of the server's: xivo_user, ldap_user") {
		t.Error(c.stdout)
	}
}

func TestADoctorFindsAServerThatDoesNotSpeakTheDialect(t *testing.T) {
	for _, dialect := range []string{"wazo", "ats", "awx"} {
		c := newCaller(t, false)
		c.env["ATS_AUTH_DIALECT"] = dialect
		c.env["ATS_AUTH_URL"] = strings.Replace(c.env["ATS_AUTH_URL"], "/api/auth", "/elsewhere", 1)
		c.run(4, "doctor")
		if !strings.Contains(c.stdout, "fail  dialect") || !strings.Contains(c.stdout, dialect+" is not what it speaks there: ") || strings.Contains(c.stdout, "ok    backends") {
			t.Error(c.stdout)
		}
	}
}

// What is typed says who asks: a token that is at hand may be another's.
func TestWhoIsTypedGoesBeforeATokenThatIsAtHand(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "token", "create")
	c.env["ATS_AUTH_TOKEN"] = tokenOf(1)
	c.run(0, "session", "list", "-f", "value", "-c", "id", "-c", "current")
	c.says(sessionOf(1)+"\ttrue\n", "")
	for _, list := range []string{"session", "token"} {
		c.run(4, list, "list", "--username", "olga")
		c.says("", "wrong user name or password")
	}
	c.run(0, "session", "list", "--username", "alice", "-f", "value", "-c", "current")
	c.says("false\ntrue\n", "")
}

func TestATokenThatIsMadeNamesItsSessionAndNoTypeThatItHasNot(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "token", "create", "-f", "json")
	if strings.Contains(c.stdout, "token_type") || !strings.Contains(c.stdout, `"session_uuid":"`+sessionOf(1)+`"`) {
		t.Error(c.stdout)
	}
	c.run(0, "token", "create", "-c", "refresh_token")
	c.says("", "no refresh token was given: token create --issue-rt asks for one")
	c.run(0, "token", "create", "--issue-rt", "-c", "refresh_token")
	if c.stderr != "" || c.stdout == "" {
		t.Error(c.stdout, c.stderr)
	}
}

func TestAnOpaqueTokenIsNotVerifiedButChecked(t *testing.T) {
	c := newCaller(t, false)
	for _, dialect := range []string{"wazo", "ats"} {
		c.env["ATS_AUTH_DIALECT"] = dialect
		c.run(3, "token", "verify", tokenOf(1))
		c.says("", "hint: ats-auth token check asks the server")
	}
	c.run(3, "token", "verify", "a.b.c")
	if strings.Contains(c.stderr, "hint") {
		t.Error(c.stderr)
	}
}

func TestAServerThatNamesATimeNeedsNoOtherURL(t *testing.T) {
	for wait, want := range map[string]string{"60": "try again in 1 minute", "": "hint: check the URL"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", wait)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		c := newCaller(t, false)
		c.env["ATS_AUTH_URL"] = s.URL
		c.run(6, "token", "create")
		if c.says("", want); strings.Contains(c.stderr, "hint") != (wait == "") {
			t.Error(c.stderr)
		}
		s.Close()
	}
}

func TestTheHelpFitsATerminal(t *testing.T) {
	c := newCaller(t, false)
	for _, args := range [][]string{{"environment"}, {"dialects"}, {"exit-codes"}, {"formats"}, {"token", "create"}, {"application", "create"}, {"session", "list"}} {
		c.run(0, append([]string{"help"}, args...)...)
		for _, line := range strings.Split(c.stdout, "\n") {
			if utf8.RuneCountInString(line) > 80 && !strings.HasPrefix(line, "  ats-auth ") {
				t.Errorf("%v: %q", args, line)
			}
		}
	}
}

func TestDialectsAreCompletedAndBackendsAreNoFiles(t *testing.T) {
	c := newCaller(t, false)
	c.run(0, "__complete", "token", "create", "--dialect", "")
	c.says("ats\nawx\nciphertrust\noauth2\ntapis\nwazo\n:4\n", "")
	c.run(0, "__complete", "token", "create", "--backend", "")
	c.says(":4\n", "")
}

func TestWhatIsWazosIsOfNoOtherDialect(t *testing.T) {
	for _, dialect := range []string{"ats", "awx", "ciphertrust", "tapis"} {
		c := newCaller(t, false)
		c.env["ATS_AUTH_DIALECT"] = dialect
		verbs := [][]string{{"token", "create", "--backend", "x"}, {"login", "--backend", "x"}, {"session", "list"}, {"session", "revoke", "x"}}
		if dialect == "tapis" {
			verbs = slices.Delete(verbs, 1, 2) // which wants a client first
		}
		for _, args := range verbs {
			c.run(4, args...)
			c.says("", "hint: --dialect wazo")
		}
		if len(c.pbx.asked) > 0 {
			t.Errorf("%s: asked %v", dialect, c.pbx.asked)
		}
	}
}
