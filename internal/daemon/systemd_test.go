package daemon

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deployed is a file of docs/deploy.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unitSays are the values of the unit's keys, by "[Section] Key".
func unitSays(t *testing.T) map[string][]string {
	t.Helper()
	says, section := map[string][]string{}, ""
	for line := range strings.Lines(deployed(t, "ats-auth-server.service")) {
		line = strings.TrimSpace(line)
		key, text, pair := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = line
		case !pair || section == "":
			t.Fatalf("%q is no line of a unit", line)
		default:
			says[section+" "+key] = append(says[section+" "+key], text)
		}
	}
	return says
}

// options are the flags that Debian's file gives.
func options(t *testing.T) []string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^OPTIONS="(.*)"$`).FindStringSubmatch(deployed(t, "ats-auth-server.default"))
	if m == nil {
		t.Fatal("there is no OPTIONS")
	}
	return strings.Fields(m[1])
}

func TestTheUnitStartsAServerThatTakesItsFlags(t *testing.T) {
	says := unitSays(t)
	if got := says["[Service] Type"]; !slices.Equal(got, []string{"simple"}) {
		t.Errorf("Type is %v: the server does not notify", got)
	}
	words := strings.Fields(says["[Service] ExecStart"][0])
	at := slices.Index(words, "-c")
	if len(says["[Service] ExecStart"]) != 1 || words[0] != "/usr/bin/ats-auth-server" || words[len(words)-1] != "$OPTIONS" || words[at+1] != "/etc/ats-auth-server/server.ini" {
		t.Fatalf("ExecStart is %v", says["[Service] ExecStart"])
	}
	words[at+1] = filepath.Join(t.TempDir(), "server.ini")
	if err := os.WriteFile(words[at+1], []byte(deployed(t, "wazo.ini")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := slices.Concat(words[1:len(words)-1], options(t), []string{"--print-config"})
	code, stdout, stderr := runWith(t, says["[Service] Environment"], args...)
	if code != exitOK || stderr != "" {
		t.Fatalf("%v: %d %q", args, code, stderr)
	}
	store := filepath.Join("/var/lib", says["[Service] StateDirectory"][0], "store.db")
	for _, want := range []string{`url = sqlite:` + store + ` +# default`, `listen = 0\.0\.0\.0:9497 +# /`, `tls = self-signed +# /`} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(stdout) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
}

func runWith(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints strings.Builder
	e := env(&out, &complaints, args...)
	e.Environ = environ
	code = Run(t.Context(), e)
	return code, out.String(), complaints.String()
}

func TestTheServerKnowsEveryVariableOfDebiansFile(t *testing.T) {
	offered := regexp.MustCompile(`(?m)^#(ATS_AUTH_SERVER_\w+=\S+)$`).FindAllStringSubmatch(deployed(t, "ats-auth-server.default"), -1)
	if len(offered) < 4 {
		t.Fatalf("only %d variables are offered", len(offered))
	}
	var environ []string
	for _, m := range offered {
		environ = append(environ, m[1])
	}
	code, stdout, stderr := runWith(t, append(environ, `OPTIONS="-l info"`), "--print-config")
	if code != exitOK {
		t.Fatal(stderr)
	}
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); !strings.Contains(stdout, "# "+name+"\n") {
			t.Errorf("%s sets nothing:\n%s", name, stdout)
		}
	}
}

// TestSystemdTakesTheUnit asks systemd itself where it is there; what it would run
// is not, so that its place is taken by a program that is.
func TestSystemdTakesTheUnit(t *testing.T) {
	says := unitSays(t)
	for _, key := range []string{"[Unit] Description", "[Service] User", "[Service] EnvironmentFile", "[Service] NoNewPrivileges", "[Service] ProtectSystem", "[Install] WantedBy"} {
		if len(says[key]) != 1 {
			t.Errorf("%s is %v", key, says[key])
		}
	}
	if got := says["[Service] EnvironmentFile"]; !slices.Equal(got, []string{"-/etc/default/ats-auth-server"}) {
		t.Errorf("EnvironmentFile is %v, without which the server must start too", got)
	}
	systemd, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Logf("NOT ASKED: systemd is not here: %v", err)
		return
	}
	unit := filepath.Join(t.TempDir(), "ats-auth-server.service")
	text := strings.Replace(deployed(t, "ats-auth-server.service"), "/usr/bin/ats-auth-server", "/bin/true", 1)
	if err := os.WriteFile(unit, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(systemd, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "ats-auth-server.service") {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestTheConfigurationForClientsOfWazoServesThem(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "server.ini")
	text := regexp.MustCompile(`(?m)^listen = .*$`).ReplaceAllString(deployed(t, "wazo.ini"), "listen = 127.0.0.1:0\nadmin_listen = off")
	if err := os.WriteFile(file, []byte(text+"[store]\nurl = sqlite:"+filepath.Join(dir, "store.db")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"policy", "add", "user", "--acl", "confd.users.me.#"}, {"user", "add", "alice", "--password-stdin"}} {
		if code, _, stderr := configured(t, file, args...); code != exitOK {
			t.Fatal(stderr)
		}
	}
	url, log := serving(t, file)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	ask := func(method, path, body string) (int, string) {
		r, err := http.NewRequest(method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("alice", "sesame")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		read, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(read)
	}
	code, body := ask("POST", "/0.1/token", `{"backend": "xivo_user", "expiration": 600}`)
	m := regexp.MustCompile(`"token": ?"([0-9a-f-]{36})"`).FindStringSubmatch(body)
	if code != 200 || m == nil {
		t.Fatalf("%d %s\n%s", code, body, log)
	}
	for scope, want := range map[string]int{"confd.users.me.read": 204, "confd.users.read": 403} {
		if got, _ := ask("HEAD", "/0.1/token/"+m[1]+"?scope="+scope, ""); got != want {
			t.Errorf("%s: %d, want %d", scope, got, want)
		}
	}
	if code, body := ask("GET", "/0.1/backends", ""); code != 200 || !strings.Contains(body, `["xivo_user"]`) {
		t.Errorf("the backends are %d %s", code, body)
	}
}

// TestTheServerTakesWhatOperationsSays has every configuration of the page read.
func TestTheServerTakesWhatOperationsSays(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```ini\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 3 {
		t.Fatalf("only %d configurations were found", len(blocks))
	}
	for _, b := range blocks {
		if code, _, stderr := printed(t, b[1]); code != exitOK {
			t.Errorf("%s\n%s", stderr, b[1])
		}
	}
}

// TestTheConfigurationForClientsOfWazoIsWarnedOfUntilItsPolicyIsMade follows the
// comments of the file.
func TestTheConfigurationForClientsOfWazoIsWarnedOfUntilItsPolicyIsMade(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "server.ini")
	text := deployed(t, "wazo.ini")
	if err := os.WriteFile(file, []byte(text+"[store]\nurl = sqlite:"+filepath.Join(dir, "store.db")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const want = `warning: [backend xivo_user] names the policy "user"`
	if before := mustConfigured(t, file, "check"); !strings.Contains(before, want) {
		t.Errorf("before the first start:\n%s", before)
	}
	steps := regexp.MustCompile(`(?m)^#   ats-auth-server -u ats-auth -c FILE (.*)$`).FindAllStringSubmatch(text, -1)
	if len(steps) != 2 {
		t.Fatalf("the steps are %v", steps)
	}
	for _, m := range steps {
		words := strings.Fields(strings.ReplaceAll(m[1], "'", ""))
		if words[0] == "user" {
			words = append(words, "--password-stdin")
		}
		mustConfigured(t, file, words...)
	}
	if after := mustConfigured(t, file, "check"); strings.Contains(after, "warning:") {
		t.Errorf("after the steps:\n%s", after)
	}
}
