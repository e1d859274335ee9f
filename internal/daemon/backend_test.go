package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
)

// corp is a directory that is well said.
const corp = "[backend corp]\ntype = ldap\nurl = ldap://127.0.0.1\nuser_base = dc=example,dc=org\n"

func TestBackendsAreAskedAsTheFileHasThemOrAsTheListSays(t *testing.T) {
	for _, c := range []struct {
		name, file string
		environ    []string
		want       string
	}{
		{"nothing", "", nil, "backends = local # default\n"},
		{"as in the file", "[backend zebra]\n[backend corp]\n[backend Ape]\n", nil, "backends = local, zebra, corp, Ape # default\n"},
		{"local first, wherever it stands", "[backend zebra]\n[backend local]\n", nil, "backends = local, zebra # default\n"},
		{
			"then those of the environment, sorted", "[backend zebra]\n",
			[]string{"BACKEND_FOX_TYPE=local", "BACKEND_FOX_A_TYPE=local", "BACKEND_CAT_ROLE=admin", "BACKEND_ZEBRA_ROLE=admin"},
			"backends = local, zebra, cat, fox, fox_a # default\n",
		},
		{"as it is said", "[server]\nbackends = zebra,local\n[backend zebra]\n", nil, "backends = zebra,local # FILE\n"},
		{"not all of them", "[server]\nbackends = zebra\n[backend zebra]\n[backend ape]\n", nil, "backends = zebra # FILE\n"},
	} {
		for i := range c.environ {
			c.environ[i] = variablePrefix + c.environ[i]
		}
		code, stdout, stderr := printed(t, c.file, c.environ...)
		if code != exitOK || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: %d %s\n%s, want %s", c.name, code, stderr, stdout, c.want)
		}
	}
}

func TestAKeyWithAnOpenEndIsWhatEveryPlaceSpells(t *testing.T) {
	code, stdout, stderr := printed(t, corp+"Policy_Operators = cn=ops\npolicy_readers=\n",
		variablePrefix+"BACKEND_CORP_POLICY_OPERATORS=cn=o,dc=x", variablePrefix+"BACKEND_CORP_POLICY_WRITERS=cn=w,dc=x; cn=v,dc=x",
		variablePrefix+"BACKEND_CORP_ROLE_ADMIN=cn=a,dc=x")
	if code != exitOK {
		t.Fatalf("%d %s", code, stderr)
	}
	_, section, _ := strings.Cut(stdout, "[backend corp]\n")
	for _, want := range []string{
		"policy_Operators = cn=o,dc=x # ATS_AUTH_SERVER_BACKEND_CORP_POLICY_OPERATORS\n",
		"policy_writers = cn=w,dc=x; cn=v,dc=x # ATS_AUTH_SERVER_BACKEND_CORP_POLICY_WRITERS\n",
		"role_admin = cn=a,dc=x # ATS_AUTH_SERVER_BACKEND_CORP_ROLE_ADMIN\n",
		"user_filter = (uid={name}) # default\n",
		"url = ldap://127.0.0.1 # FILE\n",
	} {
		if !strings.Contains(section, want) {
			t.Errorf("%q is not in\n%s", want, section)
		}
	}
	if strings.Contains(section, "policy_NAME") || strings.Contains(section, "policy_operators") {
		t.Errorf("a key that is not there:\n%s", section)
	}
}

func TestABackendThatCannotBeMeantIsRefusedByItsKey(t *testing.T) {
	ldap := func(more string) string { return corp + more + "\n" }
	for _, c := range []struct{ file, variable, want string }{
		{"[backend a/b]\n", "", "FILE:1: [backend NAME] takes a name of 1 to 64 letters, digits and . - _"},
		{"[server]\nbackends = crop\n" + corp, "", `[server] backends names "crop", and there is no [backend crop], did you mean "corp"`},
		{"[server]\nbackends = corp, local, corp\n" + corp, "", `[server] backends = "corp, local, corp" (from FILE) is not a list that has each once`},
		{"[backend corp]\ntype = ldpa\n", "", `[backend corp] type = "ldpa" (from FILE) is not local or ldap`},
		{"[backend local]\ntype = ldap\n", "", `[backend local] type = "ldap" (from FILE) is not possible for local, the users of the store`},
		{"[backend corp]\nrole = boss\n", "", `[backend corp] role = "boss" (from FILE) is not admin or auditor`},
		{"[backend corp]\nurl = ldap://u:canary@h\n", "", `[backend corp] url = "ldap://u:<redacted>@h" (from FILE) is not for a backend of type local`},
		{"[backend corp]\npolicy_x = cn=x\n", "", `[backend corp] policy_x = "cn=x" (from FILE) is not for a backend of type local`},
		{"[backend local]\n", "BACKEND_LOCAL_TIMEOUT=1s", `[backend local] timeout = "1s" (from ATS_AUTH_SERVER_BACKEND_LOCAL_TIMEOUT) is not for a backend of type local`},
		{"[backend corp]\ntype = ldap\nuser_base = dc=x\n", "", "[backend corp] url is missing, which type = ldap needs"},
		{"[backend corp]\ntype = ldap\nurl = ldap://h\n", "", "[backend corp] user_base is missing, which type = ldap needs"},
		{ldap("bind_dn = cn=x"), "", "[backend corp] bind_password_file is missing, which bind_dn needs"},
		{ldap("bind_password_file = x"), "", "[backend corp] bind_dn is missing, to which bind_password_file belongs"},
		{"[backend corp]\ntype = ldap\nurl = canary@127.0.0.1:389\nuser_base = dc=x\n", "", "[backend corp] url: ldap:// or ldaps:// is missing before an address"},
		{ldap("bind_password = canary"), "", `FILE:5: unknown key "bind_password" in [backend corp]` + "\nhint: it is called bind_password_file, and names a file that holds the password\n"},
		{ldap("timeout = 0"), "", `[backend corp] timeout = "0" (from FILE) is not above 0`},
		{ldap("timeout = soon"), "", `[backend corp] timeout = "soon" (from FILE) is not a lifetime`},
		{ldap("connections = 0"), "", `[backend corp] connections = "0" (from FILE) is not above 0`},
		{ldap("start_tls = maybe"), "", `[backend corp] start_tls = "maybe" (from FILE) is not true or false`},
		{ldap("unavailable = yes"), "", `[backend corp] unavailable = "yes" (from FILE) is not refuse or next`},
		{"[server]\nbackends = local\n" + ldap("connections = no"), "", `[backend corp] connections = "no"`}, // nobody asks it, and yet
		{ldap("polcy_readers = cn=x"), "", `FILE:5: unknown key "polcy_readers" in [backend corp], did you mean "policy_readers"`},
		{ldap("policy_a/b = cn=x"), "", `FILE:5: unknown key in [backend corp]`},
		{ldap("policy_ = cn=x"), "", `FILE:5: unknown key "policy_" in [backend corp], did you mean "policy"`},
		{ldap("policy_a = cn=x\nPOLICY_a = cn=y"), "", "FILE:6: policy_a is given again, it stands in line 5"},
		{"[server]\npolicy_a = x\n", "", `FILE:2: unknown key "policy_a" in [server], it belongs in [backend NAME]`},
		{corp, "BACKEND_CORP_POLCY_READERS=x", `ATS_AUTH_SERVER_BACKEND_CORP_POLCY_READERS in the environment names no setting, did you mean "ATS_AUTH_SERVER_BACKEND_CORP_POLICY_READERS"`},
		{corp, "BACKEND_CORP_USR_BASE=x", `ATS_AUTH_SERVER_BACKEND_CORP_USR_BASE in the environment names no setting, did you mean "ATS_AUTH_SERVER_BACKEND_CORP_USER_BASE"`},
	} {
		var environ []string
		if c.variable != "" {
			environ = []string{variablePrefix + c.variable}
		}
		code, stdout, stderr := printed(t, c.file, environ...)
		if code != exitConfig || stdout != "" || !strings.HasPrefix(stderr, "ats-auth-server: "+c.want) || strings.Contains(stderr, "canary") {
			t.Errorf("%q %s: %d %q %q, want %q", c.file, c.variable, code, stdout, stderr, c.want)
		}
	}
}

func TestDNsAreCutAtSemicolonsThatStandForNothingElse(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                   nil,
		" ; ;":                               nil,
		"cn=a,dc=x":                          {"cn=a,dc=x"},
		"cn=a,dc=x;cn=b,dc=x ; cn=c,dc=x;":   {"cn=a,dc=x", "cn=b,dc=x", "cn=c,dc=x"},
		`cn=a\;b,dc=x;cn=c\\;cn=d\\\;e,dc=x`: {`cn=a\;b,dc=x`, `cn=c\\`, `cn=d\\\;e,dc=x`},
	} {
		if got := splitDNs(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// configure writes a configuration, its store in dir.
func configure(t *testing.T, dir, text string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "server.ini")
	text = "[server]\nlisten = 127.0.0.1:0\nadmin_listen = off\n[store]\nurl = sqlite:" + filepath.Join(dir, "store.db") + "\n" + text
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func env(stdout, stderr io.Writer, args ...string) Env {
	return Env{
		Args: append([]string{"ats-auth-server"}, args...), Stdin: strings.NewReader("sesame"), Stdout: stdout, Stderr: stderr,
		HomeDir: "/nowhere", UID: 1000, Interactive: func(any) bool { return false },
	}
}

func configured(t *testing.T, file string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaints bytes.Buffer
	code = Run(t.Context(), env(&out, &complaints, append([]string{"-c", file}, args...)...))
	return code, out.String(), complaints.String()
}

func TestADirectoryThatCannotBeBuiltIsRefusedByItsSectionWhereItIsAsked(t *testing.T) {
	dir := t.TempDir()
	for more, want := range map[string]string{
		"user_filter = (uid={name}\n":                       `[backend corp] user_filter "(uid={name}"`,
		"role_admin = cn=a;nonsense\n":                      `[backend corp] role_admin: "nonsense"`,
		"policy_x = nonsense\n":                             `[backend corp] policy_x: "nonsense"`,
		"cacert = /nowhere/ca.pem\n":                        "[backend corp] cacert: open /nowhere/ca.pem: no such file",
		"bind_dn = cn=x\nbind_password_file = /nowhere/p\n": "[backend corp] bind_password_file: /nowhere/p: no such file or directory",
	} {
		file := configure(t, dir, corp+more)
		for _, args := range [][]string{{"check"}, {"serve"}} {
			if code, stdout, stderr := configured(t, file, args...); code != exitConfig || stdout != "" || !strings.HasPrefix(stderr, "ats-auth-server: "+want) {
				t.Errorf("%v %q: %d %q %q, want %q", args, more, code, stdout, stderr, want)
			}
		}
		// Who manages the local users needs neither the directory nor its secrets.
		if code, _, stderr := configured(t, file, "user", "list"); code != exitOK && !strings.Contains(stderr, "there is no store") {
			t.Errorf("user list with %q: %d %q", more, code, stderr)
		}
	}
}

// directoryIni is the section of a slapd.
func directoryIni(t *testing.T, s *slapdtest.Server, more string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"ca.pem": string(s.CACert()), "bind.txt": slapdtest.BindPassword + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "[backend corp]\ntype = ldap\nurl = " + s.URL() + "\nstart_tls = true\ncacert = " + dir + "/ca.pem\nuser_base = " + slapdtest.People +
		"\nbind_dn = " + slapdtest.BindDN + "\nbind_password_file = " + dir + "/bind.txt\n" + more
}

func TestCheckTellsWhetherADirectoryCanBeAsked(t *testing.T) {
	s := slapdtest.New(t)
	file := configure(t, t.TempDir(), directoryIni(t, s, "policy_operators = cn=x,dc=y\ntimeout = 2s\n")+"[backend idle]\n")
	if code, _, stderr := configured(t, file, "user", "add", "marco", "--password-stdin"); code != exitOK {
		t.Fatal(stderr)
	}
	code, stdout, stderr := configured(t, file, "check")
	for _, want := range []string{
		"backend corp can be asked\n",
		"warning: [backend corp] names the policy \"operators\", but there is none of that name in the tenant default: it allows nothing\n",
	} {
		if code != exitOK || !strings.Contains(stdout, want) {
			t.Errorf("%d %q %q, want %q", code, stdout, stderr, want)
		}
	}
	if _, stdout, _ := configured(t, file, "check", "-f", "json"); !strings.Contains(stdout, `"reached":["corp"]`) {
		t.Errorf("in JSON: %s", stdout)
	}
	s.Stop()
	if code, stdout, stderr := configured(t, file, "check"); code != exitError || stdout != "" || !strings.HasPrefix(stderr, "ats-auth-server: backend corp: ") {
		t.Errorf("a directory that is down: %d %q %q", code, stdout, stderr)
	}
	if code, _, stderr := configured(t, file, "user", "add", "nina", "--password-stdin"); code != exitOK {
		t.Errorf("without the directory: %d %q", code, stderr)
	}
}

func TestBackendsThatAreOfNoUseAreWarnedOf(t *testing.T) {
	file := configure(t, t.TempDir(), "[backend idle]\n[backend dev]\ntenant = dev\n[backend strict]\nrole = admin\npolicy = there, ghost\n")
	environ := []string{variablePrefix + "SERVER_BACKENDS=dev, strict"}
	for _, args := range [][]string{{"policy", "add", "there"}, {"user", "add", "marco", "--password-stdin"}} {
		if code, _, stderr := configured(t, file, args...); code != exitOK {
			t.Fatal(stderr)
		}
	}
	code, stdout, stderr := runWith(t, environ, "-c", file, "check", "-f", "json")
	var v struct{ Warnings []string }
	if err := json.Unmarshal([]byte(stdout), &v); code != exitOK || err != nil {
		t.Fatalf("%d %v %s", code, err, stderr)
	}
	if want := []string{
		"[backend idle] is not in [server] backends: nobody logs in by it",
		`[backend dev] is for the tenant "dev", but there is none of that name yet: ats-auth-server tenant add dev`,
		`[backend strict] names the policy "ghost", but there is none of that name in the tenant default: it allows nothing`,
	}; !slices.Equal(v.Warnings, want) {
		t.Errorf("the warnings are %q, want %q", v.Warnings, want)
	}
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// serving runs a server until the test is over, and returns its URL.
func serving(t *testing.T, file string) (url string, log *journal) {
	t.Helper()
	log = &journal{}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, env(io.Discard, log, "-c", file)) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != exitOK {
			t.Errorf("the server ended with %d:\n%s", code, log)
		}
	})
	for range 500 {
		if m := regexp.MustCompile(`"msg":"serving","url":"([^"]*)"`).FindStringSubmatch(log.String()); m != nil {
			return m[1], log
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it does not serve:\n%s", log)
	return "", nil
}

func login(t *testing.T, url, name, password string) int {
	t.Helper()
	body, err := json.Marshal(map[string]string{"username": name, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(url+"/user/login", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestAPersonOfADirectoryLogsInAndIsShownWithWhatItGives(t *testing.T) {
	s := slapdtest.New(t, slapdtest.User("olga", "0lga"), slapdtest.User("ann", "4nn"), slapdtest.Group("chiefs", "olga"))
	dir := t.TempDir()
	file := configure(t, dir, directoryIni(t, s, "timeout = 2s\nrole_admin = cn=x,dc=y; "+slapdtest.GroupDN("chiefs")+"\npolicy_Operators = "+slapdtest.GroupDN("chiefs")+"\n")+"[backend strict]\nrole = admin\n")
	for _, args := range [][]string{{"policy", "add", "Operators", "--acl", "a.#"}, {"user", "add", "marco", "--password-stdin"}} {
		if code, _, stderr := configured(t, file, args...); code != exitOK {
			t.Fatal(stderr)
		}
	}
	url, log := serving(t, file)
	for _, c := range []struct {
		name, password string
		want           int
	}{{"olga", "0lga", 200}, {"olga", "wrong", 401}, {"olga", "", 401}, {"ann", "4nn", 200}, {"marco", "sesame", 200}, {"ghost", "x", 401}} {
		if got := login(t, url, c.name, c.password); got != c.want {
			t.Errorf("%s with %q: %d, want %d\n%s", c.name, c.password, got, c.want, log)
		}
	}
	for name, want := range map[string]userView{
		"olga":  {Roles: []string{"admin"}, Backend: "corp", Policies: []string{"Operators"}, ACL: []string{}},
		"ann":   {Roles: []string{}, Backend: "corp", Policies: []string{}, ACL: []string{}},
		"marco": {Roles: []string{}, Backend: "local", Policies: []string{}, ACL: []string{}},
	} {
		_, stdout, stderr := configured(t, file, "user", "show", name, "-f", "json")
		var got userView
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%s %s", stdout, stderr)
		}
		if got = (userView{Roles: got.Roles, Backend: got.Backend, Policies: got.Policies, ACL: got.ACL}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", name, got, want)
		}
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"user", "passwd", "olga", "--password-stdin"}, `the password of user "olga" is that of the directory "corp"`},
		{[]string{"user", "set", "olga", "--policy", ""}, `the policies of user "olga" are those that the directory "corp" gives at each login`},
	} {
		if code, stdout, stderr := configured(t, file, c.args...); code != exitError || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d %q %q", c.args, code, stdout, stderr)
		}
	}
	if code, _, stderr := configured(t, file, "user", "set", "olga", "--acl", "b.#"); code != exitOK {
		t.Errorf("a right of olga's own: %d %q", code, stderr)
	}
	s.Stop()
	if got := login(t, url, "ann", "4nn"); got != 503 {
		t.Errorf("a directory that is down: %d, want 503", got)
	}
}
