package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The canaries: secrets that are easy to find again.
const (
	canaryPassword = "c4nary-password-Kx7"
	canaryNew      = "c4nary-new-password-Lw8"
	canaryWrong    = "c4nary-wrong-password-Mz9"
	canarySecret   = "c4nary-jwt-secret-Qv5-qV7mZ2xK9wLr4TnB8cYd3HsJ6gFp1AuE5iOoX0zQ"
	canaryInURL    = "c4nary-in-a-url-Jt3"
	canaryCommand  = "c4nary-of-a-command-Hs2"
)

// aviary is a server, its users, and the secrets that must not be seen.
type aviary struct {
	t       *testing.T
	dir     string
	env     []string
	secrets map[string]string // what it is by its text
	runs    int
	watched atomic.Int64 // processes of this test that the process list held
}

// TestNoSecretIsSeenWhateverIsDone runs every command of both programs, at
// every level of telling, where they succeed and where they fail, and looks for
// the secrets in all that can be read afterwards: stdout (but for the result),
// stderr, the story's file, the server's log, and what ps shows meanwhile.
func TestNoSecretIsSeenWhateverIsDone(t *testing.T) {
	t.Parallel()
	master := base64.StdEncoding.EncodeToString([]byte("c4nary-master-key-of-32-bytes-!!"))
	a := &aviary{t: t, dir: t.TempDir(), secrets: map[string]string{
		canaryPassword: "the password", canaryNew: "the new password", canaryWrong: "a wrong password", canarySecret: "jwt_secret",
		master: "the master key", canaryInURL: "a password in a URL", canaryCommand: "what password_command printed",
	}}
	a.env = []string{
		"PATH=" + programs + ":" + os.Getenv("PATH"), "HOME=" + a.dir, "XDG_CONFIG_HOME=" + a.dir, "XDG_STATE_HOME=" + a.dir,
		"ATS_AUTH_SERVER_CONFIG=", "ATS_AUTH_SERVER_TOKENS_MASTER_KEY=" + master, "ATS_AUTH_SERVER_STORE_URL=sqlite:" + a.dir + "/store.db",
		"ATS_AUTH_SERVER_SERVER_AUDIT_LOG=" + a.dir + "/audit.log",
	}
	a.file("password.txt", canaryPassword+"\n")
	a.file("new.txt", canaryNew+"\n")
	a.file("wrong.txt", canaryWrong+"\n")
	a.file("secret.txt", canarySecret+"\n")
	a.file("server.ini", "[tokens]\njwt_secret = "+canarySecret+"\n")
	a.file("client.ini", "[client]\njwt_secret = "+canarySecret+"\npassword_command = cat password.txt\n")
	a.file("command.txt", canaryCommand+"\n")
	a.file("command.ini", "[client]\npassword_command = cat command.txt; exit 3\n")
	a.file("broken.ini", "[client]\njwt_secret = "+canarySecret[:20]+"\n"+canarySecret[20:]+"\n")
	a.file("url.ini", "[session]\nserver_url = http://marco:"+canaryInURL+"@127.0.0.1:1/\n")
	a.run("", "ats-auth-server -c server.ini user add marco --password-file password.txt")
	a.run("", "ats-auth-server -c server.ini user add root --role admin --password-file password.txt")
	server, err := startServer(append(slices.Clone(a.env), "ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0", "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=off"),
		filepath.Join(a.dir, "server.log"), "--debug", "--config="+filepath.Join(a.dir, "server.ini"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end(server.cmd) })
	a.env = append(a.env, "ATS_AUTH_URL="+server.url, "ATS_AUTH_USERNAME=marco", "ATS_AUTH_PASSWORD_FILE="+filepath.Join(a.dir, "password.txt"))
	stop, seen := make(chan struct{}), make(chan string)
	go func() { seen <- a.watch(stop) }()
	a.client()
	a.server()
	close(stop)
	a.look("the process list", <-seen)
	if a.watched.Load() == 0 {
		t.Error("the process list was not seen")
	}
	a.look("the story", a.read("story.log"))
	a.look("the server's log", a.read("server.log"))
	if log := a.read("server.log"); !strings.Contains(log, `"path":"/user/login"`) {
		t.Errorf("the server's log tells nothing: %s", log)
	}
	a.look("the audit log", a.read("audit.log"))
	for _, event := range []string{"login", "token.issue", "login.revoke", "revoke.all", "user.add", "user.change", "key.add"} {
		if !strings.Contains(a.read("audit.log"), `"event":"`+event+`"`) {
			t.Errorf("the audit log does not tell of %s", event)
		}
	}
	if story := a.read("story.log"); !strings.Contains(story, "Requesting new token...") {
		t.Errorf("the story tells nothing: %s", story)
	}
	if a.runs < 150 {
		t.Errorf("%d commands only", a.runs)
	}
}

// client runs the client's commands, quiet and loud.
func (a *aviary) client() {
	token := a.token()
	for _, loud := range []string{"-q", "", "-v", "-vv", "--debug", "--log-file story.log", "-v --debug --log-file story.log"} {
		for _, line := range []string{
			"token create", "token create -f json", "token create --issue-rt -f json", "token create --config client.ini",
			"token create --secret-file secret.txt", "token create --secret-file wrong.txt",
			"token create --password-file wrong.txt", "token create --password-file wrong.txt -f json",
			"token create --username nobody", "token create --config command.ini", "token create --config broken.ini",
			"token create --config url.ini", "token create --url http://127.0.0.1:1", "token create -f xml",
			"token show TOKEN", "token show -f json TOKEN", "token show --secret-file wrong.txt TOKEN",
			"token verify --secret-file secret.txt TOKEN", "token verify --secret-file wrong.txt TOKEN", "token verify --secret-file secret.txt garbage",
			"token check TOKEN", "token check -f json TOKEN", "token check garbage", "token check --scope x TOKEN",
			"token revoke garbage", "token revoke-all --as-user root", "version", "help environment",
		} {
			result := ""
			if strings.HasPrefix(line, "token create") {
				result = "result"
			}
			a.run(result, strings.TrimSpace("ats-auth "+loud+" "+strings.ReplaceAll(line, "TOKEN", token)))
		}
		fresh := a.token()
		a.run("", "ats-auth "+loud+" token revoke "+fresh)
		a.run("", "ats-auth "+loud+" token check "+fresh)
		a.run("", "ats-auth "+loud+" token revoke-all")
		token = a.token()
	}
}

// server runs the administrator's commands.
func (a *aviary) server() {
	for i, level := range []string{"", "-d", "-l error", "-l debug"} {
		name := fmt.Sprintf("user%d", i)
		for _, line := range []string{
			"user add NAME --password-file password.txt", "user add NAME --password-file password.txt", "user passwd NAME --password-file new.txt -f json",
			"user list -f json", "user show NAME -f json", "user disable NAME", "user enable NAME", "user delete NAME", "user passwd nobody --password-file new.txt",
			"user add other --password-file broken.ini --role nobody", "key list -f json", "key rotate", "key import secret.txt",
			"key import nowhere.txt", "revoke --user marco", "revoke --all", "check", "check -f json", "--print-config", "backup backup" + name + ".db",
			"serve --print-config",
		} {
			a.run("", strings.TrimSpace("ats-auth-server "+level+" -c server.ini "+strings.ReplaceAll(line, "NAME", name)))
		}
		a.run("", "ats-auth-server "+level+" -c broken.ini check")
		a.run("result", "ats-auth-server "+level+" -c server.ini key show-secret")
		a.run("result", "ats-auth-server "+level+" -c server.ini key export")
	}
	a.env = append(a.env, "ATS_AUTH_SERVER_STORE_URL=postgres://ats:"+canaryInURL+"@127.0.0.1/ats")
	a.run("", "ats-auth-server check")
	a.run("", "ats-auth-server --print-config")
	a.env = append(a.env, "ATS_AUTH_SERVER_STORE_URL=sqlite:"+a.dir+"/store.db", "ATS_AUTH_SERVER_TOKENS_MASTER_KEY="+canarySecret)
	a.run("", "ats-auth-server check")
}

// token obtains a token whose signature nobody is to see, and a refresh token.
func (a *aviary) token() string {
	a.t.Helper()
	out := a.run("result", "ats-auth -q token create --issue-rt -c access_token -c refresh_token")
	words := strings.Fields(out)
	if len(words) != 2 {
		a.t.Fatalf("no token and refresh token: %q", out)
	}
	a.secrets[words[0][strings.LastIndexByte(words[0], '.')+1:]] = "a token's signature"
	a.secrets[words[1]] = "a refresh token"
	return words[0]
}

// run runs a command line and looks at what it says; a result on stdout may be
// a secret.
func (a *aviary) run(result, line string) string {
	a.t.Helper()
	a.runs++
	words := strings.Fields(line)
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(programs, words[0]), words[1:]...)
	cmd.Dir, cmd.Env = a.dir, a.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // many are to fail
	if ctx.Err() != nil {
		a.t.Fatalf("%s: does not end", words)
	}
	what := strings.Join(words[:min(len(words), 5)], " ") + "…"
	a.look("stderr of "+what, stderr.String())
	if result == "" {
		a.look("stdout of "+what, stdout.String())
	}
	return stdout.String()
}

// watch looks at the process list until it is told to stop. Tokens stand in
// arguments because this test puts them there.
func (a *aviary) watch(stop <-chan struct{}) (seen string) {
	for {
		select {
		case <-stop:
			return seen
		case <-time.After(2 * time.Millisecond):
		}
		lists, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, list := range lists {
			text, _ := os.ReadFile(list) // a process may have ended
			if bytes.Contains(text, []byte("c4nary-")) {
				seen += string(bytes.ReplaceAll(text, []byte{0}, []byte(" ")))
			}
			if bytes.Contains(text, []byte(a.dir)) {
				a.watched.Add(1)
			}
		}
	}
}

// look finds canaries.
func (a *aviary) look(where, text string) {
	a.t.Helper()
	for secret, what := range a.secrets {
		for _, spelling := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), fmt.Sprintf("%x", secret)} {
			if strings.Contains(text, spelling) {
				a.t.Errorf("%s shows %s: %s", where, what, text)
			}
		}
	}
	if strings.Contains(text, canarySecret[20:]) || strings.Contains(text, canarySecret[:20]) {
		a.t.Errorf("%s shows a half of jwt_secret: %s", where, text)
	}
}

func (a *aviary) file(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *aviary) read(name string) string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.t.Error(err)
	}
	return string(text)
}
