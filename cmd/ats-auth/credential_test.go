package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// repository is an http server with one git repository (the dumb protocol), for
// those only who show a token that the guard takes.
type repository struct {
	guard func(raw string) bool

	mu   sync.Mutex
	seen []string // passwords
}

const commit = "0123456789abcdef0123456789abcdef01234567"

func (r *repository) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	user, password, _ := request.BasicAuth()
	r.mu.Lock()
	if password != "" {
		r.seen = append(r.seen, password)
	}
	r.mu.Unlock()
	if user != "marco" || !r.guard(password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="git"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch request.URL.Path {
	case "/repo.git/info/refs":
		fmt.Fprintf(w, "%s\trefs/heads/main\n", commit)
	case "/repo.git/HEAD":
		fmt.Fprint(w, "ref: refs/heads/main\n")
	default:
		http.NotFound(w, request)
	}
}

// git is the real one, with nothing of the person's who runs the tests.
func git(env []string, args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Env = append(env, "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_ASKPASS=true")
	cmd.Dir = homeOf(env)
	return cmd
}

func TestCredentialGitOpensARepositoryToTheRealGit(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	var refused string
	repo := &repository{guard: func(raw string) bool {
		return raw != refused && client(env, "token", "check", raw).Run() == nil
	}}
	server := httptest.NewServer(repo)
	t.Cleanup(server.Close)
	for name, helper := range map[string]string{
		"by_a_command_line": "!ats-auth credential git --host " + server.URL,
		"by_its_name":       "ats-auth --host " + server.URL,
	} {
		t.Run(name, func(t *testing.T) {
			if name == "by_its_name" {
				link := filepath.Join(t.TempDir(), "git-credential-ats-auth")
				if err := os.Symlink(filepath.Join(programs, "ats-auth"), link); err != nil {
					t.Fatal(err)
				}
				env = append(env, "PATH="+filepath.Dir(link)+":"+programs+":"+os.Getenv("PATH"))
			}
			out, err := git(env, "-c", "credential.helper="+helper, "ls-remote", server.URL+"/repo.git").CombinedOutput()
			if err != nil || !strings.Contains(string(out), commit+"\trefs/heads/main\n") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	// A token that the host refuses is forgotten: the next try has another.
	fill := git(env, "-c", "credential.helper=!ats-auth credential git --host "+server.URL, "credential", "fill")
	fill.Stdin = strings.NewReader("url=" + server.URL + "/repo.git\n\n")
	out, err := fill.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(out), "\npassword=")
	refused, _, _ = strings.Cut(rest, "\n")
	if refused == "" || !strings.Contains(string(out), "\nusername=marco\n") {
		t.Fatalf("git credential fill says %q", out)
	}
	lsRemote := []string{"-c", "credential.helper=!ats-auth credential git --host " + server.URL, "ls-remote", server.URL + "/repo.git"}
	if out, err := git(env, lsRemote...).CombinedOutput(); err == nil {
		t.Errorf("a refused token opens the repository: %s", out)
	}
	if out, err := git(env, lsRemote...).CombinedOutput(); err != nil {
		t.Errorf("the token was not forgotten: %v\n%s", err, out)
	}
}

func TestCredentialGitKeepsTheTokenFromAnotherHost(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	repo := &repository{guard: func(string) bool { return true }}
	server := httptest.NewServer(repo)
	t.Cleanup(server.Close)
	out, err := git(env, "-c", "credential.helper=!ats-auth credential git", "ls-remote", server.URL+"/repo.git").CombinedOutput()
	if err == nil {
		t.Errorf("the repository opened: %s", out)
	}
	repo.mu.Lock()
	defer repo.mu.Unlock()
	for _, password := range repo.seen {
		if password != "" {
			t.Errorf("the host saw %q", password)
		}
	}
}

// kubectl reads an ExecCredential as client-go does: the version must be the one
// that it asked for, and the token is used until expirationTimestamp.
type kubectl struct {
	env     []string
	version string
	token   string
	expires time.Time
}

func (k *kubectl) refresh(interactive bool) error {
	info := fmt.Sprintf(`{"kind":"ExecCredential","apiVersion":%q,"spec":{"cluster":{"server":"https://api.example.org:6443","config":null},"interactive":%t}}`, k.version, interactive)
	cmd := client(append(k.env, "KUBERNETES_EXEC_INFO="+info), "credential", "k8s")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("exec: executable %s failed with exit code %d: %s", cmd.Path, cmd.ProcessState.ExitCode(), &stderr)
	}
	var answer struct {
		Kind, APIVersion string
		Spec             struct{ Interactive bool }
		Status           *struct {
			ExpirationTimestamp *time.Time
			Token               string
			ClientCertificateData,
			ClientKeyData string
		}
	}
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&answer); err != nil {
		return fmt.Errorf("decoding stdout: %w", err)
	}
	switch {
	case answer.Kind != "ExecCredential" || answer.APIVersion != k.version:
		return fmt.Errorf("exec plugin is configured to use API version %s, plugin returned version %s", k.version, answer.APIVersion)
	case answer.Status == nil:
		return fmt.Errorf("exec plugin didn't return a status field")
	case answer.Status.Token == "" && answer.Status.ClientCertificateData == "":
		return fmt.Errorf("exec plugin didn't return a token or cert/key pair")
	case decoder.More() || stderr.Len() > 0:
		return fmt.Errorf("more than an ExecCredential: %s", &stderr)
	}
	k.token = answer.Status.Token
	if answer.Status.ExpirationTimestamp != nil {
		k.expires = *answer.Status.ExpirationTimestamp
	}
	return nil
}

func TestCredentialK8sSatisfiesACallerLikeKubectl(t *testing.T) {
	t.Parallel()
	env := loggedIn(t, "ATS_AUTH_SERVER_TOKENS_ACCESS_TTL=4")
	for _, version := range []string{"client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"} {
		t.Run(filepath.Base(version), func(t *testing.T) {
			k := &kubectl{env: env, version: version}
			if err := k.refresh(false); err != nil {
				t.Fatal(err)
			}
			first := k.token
			if left := time.Until(k.expires); left <= 0 || left > 4*time.Second {
				t.Errorf("the token lives for %s", left)
			}
			if err := client(env, "token", "check", first).Run(); err != nil {
				t.Errorf("the token is not honoured: %v", err)
			}
			time.Sleep(time.Until(k.expires))
			if err := k.refresh(true); err != nil {
				t.Fatal(err)
			}
			if k.token == first || time.Until(k.expires) <= 0 {
				t.Error("the same token again, after its end")
			}
		})
	}
	k := &kubectl{env: env, version: "client.authentication.k8s.io/v2"}
	if err := k.refresh(false); err == nil || !strings.Contains(err.Error(), "exit code 2") {
		t.Errorf("%v", err)
	}
}

// TestCredentialDockerKeepsTheBytesOfItsProtocol asks as docker does: the URL on
// standard input, and what is not to be had in the very words that docker
// compares with.
func TestCredentialDockerKeepsTheBytesOfItsProtocol(t *testing.T) {
	t.Parallel()
	env := loggedIn(t)
	link := filepath.Join(t.TempDir(), "docker-credential-ats-auth")
	if err := os.Symlink(filepath.Join(programs, "ats-auth"), link); err != nil {
		t.Fatal(err)
	}
	ask := func(action, stdin string, more ...string) (string, int) {
		t.Helper()
		cmd := exec.Command(link, action)
		cmd.Env, cmd.Dir, cmd.Stdin = append(env, more...), homeOf(env), strings.NewReader(stdin)
		out, _ := cmd.Output()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := ask("get", "https://index.docker.io/v1/\n"); out != "credentials not found in native keychain\n" || code != 1 {
		t.Errorf("%q, exit code %d", out, code)
	}
	out, code := ask("get", "registry.example.org", "ATS_AUTH_CREDENTIAL_HOST=registry.example.org")
	var answer struct{ ServerURL, Username, Secret string }
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 {
		t.Fatalf("%q, exit code %d, %v", out, code, err)
	}
	if answer.ServerURL != "registry.example.org" || answer.Username != "marco" || client(env, "token", "check", answer.Secret).Run() != nil {
		t.Errorf("%q for %q", answer.Username, answer.ServerURL)
	}
	if out, code := ask("store", `{"ServerURL":"https://registry.example.org","Username":"u","Secret":"s"}`); out != "" || code != 0 {
		t.Errorf("store: %q, exit code %d", out, code)
	}
	if out, code := ask("erase", "registry.example.org"); out != "" || code != 0 {
		t.Errorf("erase: %q, exit code %d", out, code)
	}
	if out, code := ask("list", ""); code != 0 || json.Unmarshal([]byte(out), new(map[string]string)) != nil {
		t.Errorf("list: %q, exit code %d", out, code)
	}
}
