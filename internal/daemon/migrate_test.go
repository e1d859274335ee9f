package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

// runOn runs a command line over a store, with the master key that is in dir, or with
// none where dir is empty.
func runOn(t *testing.T, url, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	environ := []string{"ATS_AUTH_SERVER_STORE_URL=" + url}
	if dir != "" {
		environ = append(environ, "ATS_AUTH_SERVER_TOKENS_MASTER_KEY_FILE="+filepath.Join(dir, "master.key"))
	}
	code = Run(t.Context(), Env{
		Args: append([]string{"ats-auth-server"}, args...), Stdin: strings.NewReader("sesame"), Stdout: &out, Stderr: &complaints,
		Environ: environ, HomeDir: t.TempDir(), UID: 1000, Interactive: func(any) bool { return false },
	})
	return code, out.String(), complaints.String()
}

// serviceOver is a service over a store, with the master key that is in dir, as serve has it.
func serviceOver(t *testing.T, url, dir string) *server.Server {
	t.Helper()
	st, err := openStore(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.New(t.Context(), server.Config{Store: st, MasterKeyFile: filepath.Join(dir, "master.key"), Dialects: []string{"ats"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go s.Run(ctx)
	t.Cleanup(func() {
		cancel()
		_ = st.Close()
	})
	return s
}

// ask posts a body, and gives the status and the answer.
func ask(t *testing.T, s http.Handler, path, body string) (status int, answer map[string]any) {
	t.Helper()
	r, w := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)), httptest.NewRecorder()
	r.Header.Set("Content-Type", "application/json")
	s.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil && w.Code == http.StatusOK {
		t.Errorf("%s: %d %q: %v", path, w.Code, w.Body, err)
	}
	return w.Code, answer
}

// askAs posts with a token, and gives the status.
func askAs(s http.Handler, path, token string) int {
	r, w := httptest.NewRequest(http.MethodPost, path, nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+token)
	s.ServeHTTP(w, r)
	return w.Code
}

// loginAt gives an access token and a refresh token.
func loginAt(t *testing.T, s http.Handler) (access, refresh string) {
	t.Helper()
	status, answer := ask(t, s, "/user/login", `{"username":"marco","password":"sesame","refresh":true}`)
	access, _ = answer["token"].(string)
	if refresh, _ = answer["refresh_token"].(string); status != http.StatusOK || access == "" || refresh == "" {
		t.Fatalf("login: %d %v", status, answer)
	}
	return access, refresh
}

func refreshBody(token string) string { return `{"refresh_token":"` + token + `"}` }

// lists are what administrators see of a store.
func lists(t *testing.T, url, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, list := range []string{"user list -f json", "key list -f json", "key show-secret", "policy list -f json", "tenant list -f json", "property list -f json"} {
		code, stdout, stderr := runOn(t, url, dir, strings.Fields(list)...)
		if code != exitOK {
			t.Fatalf("%s: %d %q", list, code, stderr)
		}
		all[list] = stdout
	}
	return all
}

// people makes a store of a few records in a file.
func people(t *testing.T, dir string) (from string) {
	t.Helper()
	must(t, dir, "user", "add", "marco", "--password-stdin", "--role", "admin")
	must(t, dir, "key", "rotate")
	must(t, dir, "policy", "add", "operators", "--acl", "a.#")
	must(t, dir, "tenant", "add", "dev")
	must(t, dir, "property", "set", "MAXIMUM_REFRESH_TOKEN_LIFETIME", "86400")
	return "sqlite:" + filepath.Join(dir, "store.db")
}

func TestAStoreOnPostgreSQLTakesOverFromOneInAFile(t *testing.T) {
	pg := pgtest.StartInMemory(t)
	url, dir, strange := pg.URL(pg.Database(t, "")), t.TempDir(), t.TempDir()
	from, keyed := people(t, dir), pg.URL(pg.Database(t, ""))
	must(t, strange, "user", "add", "other", "--password-stdin") // with a master key of its own
	want := lists(t, from, dir)
	for _, step := range []struct {
		url, dir, line string
		code           int
		says           string
	}{
		{url, "", "check", exitConfig, "set [tokens] master_key_file (or master_key), the same for all that do"},
		{"postgres://u:canary@" + pg.Address() + "/none?sslmode=disable", dir, "check", exitError, "does not exist"},
		{keyed, dir, "user list", exitOK, ""},
		{keyed, dir, "migrate --from " + from, exitError, "it has no users: a server or a command that was started on it has made its first keys"},
		{url, dir, "migrate", exitOK, "is up to date"},
		{url, dir, "migrate --keep", exitConfig, "--keep is for --from"},
		{url, dir, "migrate --from sqlite:" + dir + "/none.db", exitConfig, "--from: there is no store at " + dir + "/none.db\n"},
		{url, dir, "migrate --from backup/pg.db", exitConfig, "--from backup/pg.db is not sqlite:FILE"},
		{url, dir, "migrate --from postgres://u:canary@h/d", exitConfig, "--from postgres://u:<redacted>@h/d is not sqlite:FILE"},
		{from, dir, "migrate --from " + from, exitConfig, "is not PostgreSQL"},
		{url, "", "migrate --from " + from, exitConfig, "set [tokens] master_key_file"},
		{url, strange + "/none", "migrate --from " + from, exitConfig, "master.key is not there"},
		{url, strange, "migrate --from " + from, exitConfig, "is not the one of " + dir + "/store.db: key "},
		{url, dir, "migrate --from " + from, exitOK, "which is marked as left: no server uses it any more"},
		{url, dir, "migrate --from " + from, exitError, dir + "/store.db has been moved to postgresql " + pg.Address()},
		{keyed, dir, "migrate --from " + from, exitError, "it was left for postgresql " + pg.Address()},
		{from, dir, "user list", exitError, "this store was left for postgresql " + pg.Address()},
		{url, dir, "check", exitOK, ""},
	} {
		code, stdout, stderr := runOn(t, step.url, step.dir, strings.Fields(step.line)...)
		if code != step.code || !strings.Contains(stderr, step.says) || strings.Contains(stdout+stderr, "canary") {
			t.Errorf("%s: %d %q, want %d %q", step.line, code, stderr, step.code, step.says)
		}
	}
	if diff := cmp.Diff(want, lists(t, url, dir)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestAStoreIsLeftWhileAServerRunsOnItAndNothingItAnsweredIsLost(t *testing.T) {
	pg := pgtest.StartInMemory(t)
	url, dir := pg.URL(pg.Database(t, "")), t.TempDir()
	from := people(t, dir)
	old := serviceOver(t, from, dir)
	good, refresh := loginAt(t, old)
	voided, voidedRefresh := loginAt(t, old)
	if status := askAs(old, "/user/logout", voided); status != http.StatusNoContent {
		t.Fatalf("logout: %d", status)
	}
	var counted struct{ Records map[string]int64 }
	code, stdout, stderr := runOn(t, url, dir, "migrate", "--from", from, "-f", "json")
	if err := json.Unmarshal([]byte(stdout), &counted); err != nil || code != exitOK ||
		counted.Records["users"] != 1 || counted.Records["sessions"] != 2 || counted.Records["tenants"] != 2 || counted.Records["revocations"] == 0 {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	if status, answer := ask(t, old, "/user/refresh", refreshBody(refresh)); status != http.StatusServiceUnavailable {
		t.Errorf("a refresh at the server that was left: %d %v", status, answer)
	}
	if err := old.Ready(t.Context()); err == nil {
		t.Error("the server that was left says that it is ready")
	}
	next := serviceOver(t, url, dir)
	for token, want := range map[string]int{good: http.StatusOK, voided: http.StatusUnauthorized} {
		if status := askAs(next, "/user/check", token); status != want {
			t.Errorf("check: %d, want %d", status, want)
		}
	}
	if status, answer := ask(t, next, "/user/refresh", refreshBody(voidedRefresh)); status == http.StatusOK {
		t.Errorf("a refresh of a login that was ended: %d %v", status, answer)
	}
	if status, answer := ask(t, next, "/user/refresh", refreshBody(refresh)); status != http.StatusOK {
		t.Errorf("refresh: %d %v", status, answer)
	}
}

func TestABackupOfAStoreOnPostgreSQLIsServedAndReadBack(t *testing.T) {
	pg := pgtest.StartInMemory(t)
	first, second, dir := pg.URL(pg.Database(t, "")), pg.URL(pg.Database(t, "")), t.TempDir()
	if code, _, stderr := runOn(t, first, dir, "migrate", "--from", people(t, dir)); code != exitOK {
		t.Fatal(stderr)
	}
	want := lists(t, first, dir)
	_, refresh := loginAt(t, serviceOver(t, first, dir))
	name := filepath.Join(dir, "copy.db")
	for _, step := range []struct {
		url, line string
		code      int
		says      string
	}{
		{first, "backup " + name, exitOK, name + " written; the master key is not in it"},
		{first, "backup " + name, exitError, "exists already"},
		{"memory:", "backup " + name + "2", exitConfig, "keeps nothing that could be copied"},
		{second, "migrate --keep --from sqlite:" + name, exitOK, "which stays as it is"},
		{second, "migrate --keep --from sqlite:" + name, exitError, name + " has been copied to postgresql "},
	} {
		code, _, stderr := runOn(t, step.url, dir, strings.Fields(step.line)...)
		if code != step.code || !strings.Contains(stderr, step.says) {
			t.Errorf("%s: %d %q, want %d %q", step.line, code, stderr, step.code, step.says)
		}
	}
	for _, url := range []string{"sqlite:" + name, second} {
		if diff := cmp.Diff(want, lists(t, url, dir)); diff != "" {
			t.Errorf("%s: -before +after:\n%s", maskURL(url), diff)
		}
		if status, answer := ask(t, serviceOver(t, url, dir), "/user/refresh", refreshBody(refresh)); status != http.StatusOK {
			t.Errorf("%s: refresh: %d %v", maskURL(url), status, answer)
		}
	}
}
