package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is the user that these tests become, by number and in Debian's list.
const nobody = 65534

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root can become another user")
	}
}

// openDir is a directory that everybody may enter, which t.TempDir is not in.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ats-auth-privileges")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, mode os.FileMode, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return name
}

// running is a server that was started.
type running struct {
	*exec.Cmd
	log string
}

func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	r := &running{exec.Command(program, args...), filepath.Join(dir, "server.log")}
	log, err := os.Create(r.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r.Env, r.Stderr = []string{"HOME=" + dir}, log
	// Groups as a login of root may have them, all of which are to go.
	r.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4, 27}}}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.end)
	return r
}

func (r *running) end() {
	if r.ProcessState == nil {
		_ = r.Process.Signal(syscall.SIGTERM)
		_ = r.Wait()
	}
}

// says waits for a text in the log.
func (r *running) says(t *testing.T, text string) string {
	t.Helper()
	var log []byte
	for range 500 {
		var err error
		if log, err = os.ReadFile(r.log); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(log, []byte(text)) {
			return string(log)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the server does not say %q:\n%s", text, log)
	return ""
}

// refused runs a server that does not start.
func refused(t *testing.T, c *exec.Cmd) (code int, complaint string) {
	t.Helper()
	var stderr bytes.Buffer
	c.Stderr = &stderr
	done := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	defer done.Stop()
	if err := c.Run(); err == nil {
		t.Fatal("the server started, and ended well")
	}
	return c.ProcessState.ExitCode(), stderr.String()
}

// lowPort is a port that only root may open.
func lowPort(t *testing.T) string {
	t.Helper()
	for port := 1023; port > 512; port-- {
		address := "127.0.0.1:" + strconv.Itoa(port)
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
	t.Fatal("no port below 1024 is free")
	return ""
}

// threads returns a line of /proc/PID/status of each thread, by its blanks.
func threads(t *testing.T, pid int, line string) [][]string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) < 2 {
		t.Fatalf("threads of %d: %v %v", pid, files, err)
	}
	var all [][]string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^` + line + `:(.*)$`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no %s", file, line)
		}
		all = append(all, strings.Fields(string(found[1])))
	}
	return all
}

// pair makes a certificate that only root may read.
func pair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, 0o644, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), dir, "server.crt")
	write(t, 0o600, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), dir, "server.key")
}

// configured writes a configuration all of whose secrets are root's alone.
func configured(t *testing.T, dir, listen string) (file string) {
	t.Helper()
	pair(t, dir)
	write(t, 0o600, "s3cre7-s3cre7-s3cre7-s3cre7-s3cre7\n", dir, "jwt.txt")
	write(t, 0o600, "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LTEyMzQ=\n", dir, "master.txt")
	write(t, 0o600, "b1nd\n", dir, "bind.txt")
	return write(t, 0o600, strings.ReplaceAll(`[server]
listen = `+listen+`
admin_listen = off
tls = files
cert = DIR/server.crt
key = DIR/server.key
[store]
url = sqlite:DIR/new/state/store.db
[tokens]
jwt_secret_file = DIR/jwt.txt
master_key_file = DIR/master.txt
[backend corp]
type = ldap
url = ldap://127.0.0.1:1
user_base = dc=example,dc=org
bind_dn = cn=ats-auth,dc=example,dc=org
bind_password_file = DIR/bind.txt
`, "DIR", dir), dir, "server.ini")
}

func get(t *testing.T, address string) int {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	answer, err := client.Get("https://" + address + "/user/check")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestAServerOfRootBecomesTheUserThatItIsTold(t *testing.T) {
	needRoot(t)
	dir, address := openDir(t), lowPort(t)
	file := configured(t, dir, address)
	for _, again := range []string{"nobody", "65534:65534", "65534"} { // the first makes the store, the others find it
		r := start(t, dir, "-c", file, "-u", again)
		log := r.says(t, `"msg":"serving"`)
		if !strings.Contains(log, `"msg":"privileges dropped","user":"`+again+`","uid":65534,"gid":65534,"groups":[]}`) {
			t.Errorf("the log does not tell it:\n%s", log)
		}
		id := strconv.Itoa(nobody)
		for line, want := range map[string][]string{
			"Uid": {id, id, id, id}, "Gid": {id, id, id, id}, "Groups": nil, "CapEff": {strings.Repeat("0", 16)}, "CapPrm": {strings.Repeat("0", 16)},
		} {
			for _, got := range threads(t, r.Process.Pid, line) {
				if !slices.Equal(got, want) {
					t.Errorf("%s of a thread is %v, want %v", line, got, want)
				}
			}
		}
		if got := get(t, address); got != http.StatusMethodNotAllowed && got != http.StatusUnauthorized {
			t.Errorf("%s is answered %d", address, got)
		}
		r.end()
	}
	for name, mode := range map[string]os.FileMode{"new": 0o700, "new/state": 0o700, "new/state/store.db": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if owner := info.Sys().(*syscall.Stat_t); owner.Uid != nobody || owner.Gid != nobody || info.Mode().Perm() != mode {
			t.Errorf("%s is of %d:%d, %v", name, owner.Uid, owner.Gid, info.Mode())
		}
	}
}

func TestWhatIsRootsAloneIsNotReadAgain(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	r := start(t, dir, "serve", "-c", configured(t, dir, "127.0.0.1:0"), "--user", "nobody")
	r.says(t, `"msg":"serving"`)
	pair(t, dir)
	if err := r.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if log := r.says(t, "the certificate stays as it was"); !strings.Contains(log, "server.key: permission denied") {
		t.Errorf("not for want of permission:\n%s", log)
	}
}

func TestFilesOfRootInTheStoreAreRefusedWithTheCommandThatMendsIt(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	file := write(t, 0o600, "[server]\nlisten = 127.0.0.1:0\nadmin_listen = off\n[store]\nurl = sqlite:"+dir+"/state/store.db\n", dir, "server.ini")
	r := start(t, dir, "-c", file) // as root
	r.says(t, `"msg":"serving"`)
	r.end()
	code, complaint := refused(t, exec.Command(program, "-c", file, "-u", "nobody"))
	said := regexp.MustCompile(`^ats-auth-server: (.*)\nhint: (chown -h .* \S*/state)\n$`).FindStringSubmatch(complaint)
	if code != 3 || said == nil || said[1] != dir+"/state/store.db does not belong to nobody, whom --user names" {
		t.Fatalf("%d %q", code, complaint)
	}
	if out, err := exec.Command("sh", "-c", said[2]).CombinedOutput(); err != nil {
		t.Fatalf("%s: %s", said[2], out)
	}
	start(t, dir, "-c", file, "-u", "nobody").says(t, `"msg":"serving"`)
}

func TestADirectoryOfOthersIsNotGivenAway(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	code, complaint := refused(t, &exec.Cmd{
		Path: program, Args: []string{"ats-auth-server", "-u", "nobody"},
		Env: []string{"ATS_AUTH_SERVER_STORE_URL=sqlite:" + dir + "/store.db", "ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0", "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=off"},
	})
	if want := "[store] url: nobody cannot use the directory " + dir; code != 3 || !strings.Contains(complaint, want) || strings.Contains(complaint, "chown") {
		t.Errorf("%d %q", code, complaint)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("it holds %v, %v", files, err)
	}
}

func TestOnlyRootBecomesSomebodyElse(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	state := filepath.Join(dir, "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(state, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	// The program lies where root alone may enter.
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	copied := write(t, 0o755, string(text), dir, "ats-auth-server")
	asNobody := func(args ...string) *exec.Cmd {
		c := exec.Command(copied, args...)
		c.Dir, c.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		c.Env = []string{"ATS_AUTH_SERVER_STORE_URL=sqlite:" + state + "/store.db", "ATS_AUTH_SERVER_SERVER_LISTEN=127.0.0.1:0", "ATS_AUTH_SERVER_SERVER_ADMIN_LISTEN=off"}
		return c
	}
	for _, user := range []string{"root", "0", "1:1", "65534:0"} {
		code, complaint := refused(t, asNobody("-u", user))
		if want := "ats-auth-server: --user " + user + ": only root can become another user\n"; code != 3 || complaint != want {
			t.Errorf("%s: %d %q, want %q", user, code, complaint, want)
		}
	}
	for _, user := range []string{"nobody", "65534:65534"} { // who it is already
		r := &running{asNobody("-u", user), filepath.Join(dir, "server.log")}
		log, err := os.Create(r.log)
		if err != nil {
			t.Fatal(err)
		}
		r.Stderr = log
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.end)
		if text := r.says(t, `"msg":"serving"`); strings.Contains(text, "dropped") {
			t.Errorf("something was dropped:\n%s", text)
		}
		r.end()
		log.Close()
	}
}

// administer runs a command to its end.
func administer(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	c := exec.Command(program, args...)
	c.Env, c.Stdout, c.Stderr = []string{"HOME=/nowhere"}, &out, &complaints
	done := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	defer done.Stop()
	if err := c.Run(); err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), complaints.String()
}

func TestRootIsToldToManageTheStoreOfAUserAsThatUser(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	file := configured(t, dir, "127.0.0.1:0")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// The master key is made beside the store, or given by root.
	for _, own := range []string{"master_key_file = " + dir + "/new/state/master.key", "master_key_file = " + dir + "/master.txt"} {
		if err := os.RemoveAll(filepath.Join(dir, "new")); err != nil {
			t.Fatal(err)
		}
		write(t, 0o600, regexp.MustCompile(`(?m)^master_key_file = .*$`).ReplaceAllString(string(text), own), file)
		r := start(t, dir, "-c", file, "-u", "nobody")
		r.says(t, `"msg":"serving"`)
		for _, args := range [][]string{{"user", "add", "bad name'", "--generate"}, {"user", "list"}, {"backup", dir + "/copy.db"}, {"revoke", "--all"}} {
			code, stdout, stderr := administer(t, append([]string{"-c", file}, args...)...)
			said := regexp.MustCompile(`^ats-auth-server: (.*) belongs to the user nobody: .*\nhint: (.*)\n$`).FindStringSubmatch(stderr)
			if code != 3 || stdout != "" || said == nil || !strings.HasPrefix(said[1], dir+"/new/state/") || strings.Contains(stderr, "chown") {
				t.Fatalf("%v: %d %q %q", args, code, stdout, stderr)
			}
			if args[0] == "backup" {
				continue // where nobody may write
			}
			if out, err := exec.Command("sh", "-c", said[2]).CombinedOutput(); err != nil {
				t.Errorf("%s: %v %s", said[2], err, out)
			}
		}
		if _, stdout, stderr := administer(t, "-c", file, "-u", "65534:65534", "user", "list"); !strings.Contains(stdout, "bad name'") {
			t.Errorf("the hint was not followed: %q %q", stdout, stderr)
		}
		if code, _, stderr := administer(t, "-c", file, "revoke", "-u", "nobody", "--user", "bad name'"); code != 0 {
			t.Errorf("-u beside another --user: %d %s", code, stderr)
		}
		files, err := filepath.Glob(filepath.Join(dir, "new", "state", "*"))
		if err != nil || len(files) < 2 {
			t.Fatalf("%v %v", files, err)
		}
		for _, name := range files {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			if owner := info.Sys().(*syscall.Stat_t); owner.Uid != nobody {
				t.Errorf("%s is of %d", name, owner.Uid)
			}
		}
		r.end()
	}
}

func TestACommandOfRootMakesTheStoreAsTheUserThatItIsTold(t *testing.T) {
	needRoot(t)
	dir := openDir(t)
	file := configured(t, dir, "127.0.0.1:0")
	if code, _, stderr := administer(t, "-c", file, "-u", "nobody", "policy", "add", "desk"); code != 0 {
		t.Fatalf("%d %s", code, stderr)
	}
	start(t, dir, "-c", file, "-u", "nobody").says(t, `"msg":"serving"`)
	if code, stdout, stderr := administer(t, "-c", file, "-u", "nobody", "policy", "list"); code != 0 || !strings.Contains(stdout, "\ndesk ") {
		t.Errorf("%d %q %q", code, stdout, stderr)
	}
	// A key is imported over several readings of the configuration, which only root may.
	if code, _, stderr := administer(t, "-c", file, "-u", "nobody", "key", "import", "--door", "oauth2", dir+"/server.key"); code != 0 {
		t.Errorf("%d %s", code, stderr)
	}
}
