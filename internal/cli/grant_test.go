package cli

import (
	"bytes"
	"crypto/ecdsa"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// desk is a command line that has been read, in a world of its own.
type desk struct {
	*app
	stderr bytes.Buffer
}

func newDesk(t *testing.T, env map[string]string, flags map[string]string) *desk {
	t.Helper()
	dir := t.TempDir()
	d := &desk{}
	d.app = &app{set: flags, Env: Env{
		Args: []string{"ats-auth"}, Stdin: strings.NewReader(""), Stderr: &d.stderr, WorkDir: dir, HomeDir: dir,
		LookupEnv: func(name string) (string, bool) { text, ok := env[name]; return text, ok },
		Now:       func() time.Time { return time.Unix(1700000000, 0) }, Interactive: func(any) bool { return false },
	}}
	return d
}

type words = map[string]string

func TestTheGrantIsTheNamedOneElseWhatThereIsToShowElseWhatAPersonCanDo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the displays are Linux's; TestADisplay… tells the others")
	}
	const device, web, exchange = token.GrantDeviceCode, token.GrantAuthorizationCode, token.GrantTokenExchange
	app := words{"ATS_AUTH_DIALECT": "oauth2", "ATS_AUTH_CLIENT_ID": "app"}
	secret, marco := words{"ATS_AUTH_CLIENT_SECRET": "s"}, words{"ATS_AUTH_USERNAME": "marco"}
	screen, ssh := words{"DISPLAY": ":0"}, words{"DISPLAY": ":0", "SSH_CONNECTION": "x"}
	for name, c := range map[string]struct {
		env    []words
		set    words
		flags  flags
		want   string
		refuse int
	}{
		"nothing at all":                  {env: []words{app}, want: device},
		"a display":                       {env: []words{app, screen}, want: web},
		"a display of Wayland":            {env: []words{app, {"WAYLAND_DISPLAY": "wayland-0"}}, want: web},
		"over ssh":                        {env: []words{app, ssh}, want: device},
		"over ssh with a terminal":        {env: []words{app, screen, {"SSH_TTY": "/dev/pts/0"}}, want: device},
		"a secret":                        {env: []words{app, screen, secret}, want: token.GrantClientCredentials},
		"a file of a secret":              {env: []words{app}, set: words{"client_secret_file": "f"}, want: token.GrantClientCredentials},
		"a key":                           {env: []words{app}, set: words{"client_key": "f"}, want: token.GrantClientCredentials},
		"a user":                          {env: []words{app, screen, secret, marco}, want: token.GrantPassword},
		"a user by a flag":                {env: []words{app}, set: words{"username": "marco"}, want: token.GrantPassword},
		"OpenStack's user":                {env: []words{app, {"OS_USERNAME": "marco"}}, want: token.GrantPassword},
		"a user without an application":   {env: []words{{"ATS_AUTH_DIALECT": "oauth2"}, marco}, want: token.GrantPassword},
		"--device beside a user":          {env: []words{app, screen, marco}, flags: flags{device: true}, want: device},
		"--web over ssh":                  {env: []words{app, ssh, secret}, flags: flags{web: true}, want: web},
		"a flag beats the environment":    {env: []words{app, {"ATS_AUTH_GRANT": "device"}}, flags: flags{web: true}, want: web},
		"--grant beats the environment":   {env: []words{app, {"ATS_AUTH_GRANT": "web"}}, set: words{"grant": "device"}, want: device},
		"the environment":                 {env: []words{app, marco, {"ATS_AUTH_GRANT": "web"}}, want: web},
		"the server's name":               {env: []words{app}, set: words{"grant": "device_code"}, want: device},
		"a registered name":               {env: []words{app}, set: words{"grant": "urn:ietf:params:oauth:grant-type:device_code"}, want: device},
		"another registered name":         {env: []words{app}, set: words{"grant": "authorization_code"}, want: web},
		"the same said twice":             {env: []words{app}, set: words{"grant": "device"}, flags: flags{device: true}, want: device},
		"a token to exchange":             {env: []words{app, marco}, flags: flags{subject: tokenFlag{value: "x"}}, want: exchange},
		"an actor":                        {env: []words{app}, flags: flags{actor: tokenFlag{file: "x"}}, want: exchange},
		"two ways":                        {env: []words{app}, flags: flags{device: true, web: true}, refuse: exitUsage},
		"two ways, one by name":           {env: []words{app}, set: words{"grant": "web"}, flags: flags{device: true}, refuse: exitUsage},
		"an exchange in a browser":        {env: []words{app}, flags: flags{web: true, subject: tokenFlag{value: "x"}}, refuse: exitUsage},
		"no such way":                     {env: []words{app}, set: words{"grant": "magic"}, refuse: exitUsage},
		"no such way in the environment":  {env: []words{app, {"ATS_AUTH_GRANT": "magic"}}, refuse: exitConfig},
		"refresh is a verb of its own":    {env: []words{app}, set: words{"grant": "refresh_token"}, refuse: exitUsage},
		"a user for another way":          {env: []words{app}, set: words{"username": "marco"}, flags: flags{web: true}, refuse: exitUsage},
		"a password for another way":      {env: []words{app, secret}, flags: flags{passwordStdin: true}, refuse: exitUsage},
		"both tokens from standard input": {env: []words{app}, flags: flags{subject: tokenFlag{value: "-"}, actor: tokenFlag{value: "-"}}, refuse: exitUsage},
		"no application":                  {env: []words{{"ATS_AUTH_DIALECT": "oauth2"}}, refuse: exitConfig},
		"no secret":                       {env: []words{app}, set: words{"grant": "client-credentials"}, refuse: exitConfig},
		"a certificate instead":           {env: []words{app}, set: words{"grant": "client-credentials", "cert": "c.pem"}, want: token.GrantClientCredentials},
		"ats":                             {env: []words{screen, secret}, want: token.GrantPassword},
		"ats by name":                     {set: words{"grant": "password"}, want: token.GrantPassword},
		"ats has no other":                {flags: flags{device: true}, refuse: exitRefused},
		"ats has no exchange":             {flags: flags{subject: tokenFlag{value: "x"}}, refuse: exitRefused},
		"ats has no resources":            {set: words{"resource": "https://api.example.org"}, refuse: exitRefused},
	} {
		env := words{}
		for _, some := range c.env {
			for name, value := range some {
				env[name] = value
			}
		}
		if c.set == nil {
			c.set = words{}
		}
		d := newDesk(t, env, c.set)
		d.app.flags = c.flags
		if err := d.load(); err != nil {
			t.Fatal(err)
		}
		got, err := d.chooseGrant()
		if exitCode(err) != c.refuse || err == nil && got != c.want {
			t.Errorf("%s: %q, %v (%d), want %q (%d)", name, got, err, exitCode(err), c.want, c.refuse)
		}
	}
}

func TestADisplayIsThisMachinesOwn(t *testing.T) {
	for _, c := range []struct {
		system string
		env    words
		want   bool
	}{
		{"linux", words{}, false},
		{"linux", words{"DISPLAY": ""}, false},
		{"linux", words{"DISPLAY": ":0"}, true},
		{"freebsd", words{"WAYLAND_DISPLAY": "wayland-0"}, true},
		{"linux", words{"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, false},
		{"darwin", words{}, true},
		{"darwin", words{"SSH_TTY": "/dev/ttys000"}, false},
		{"windows", words{}, true},
		{"windows", words{"SSH_CONNECTION": "x"}, false},
	} {
		lookup := func(name string) (string, bool) { text, ok := c.env[name]; return text, ok }
		if got := hasDisplay(c.system, lookup); got != c.want {
			t.Errorf("%s %v: %v", c.system, c.env, got)
		}
	}
}

func TestTheBrowserIsThePersonsElseTheSystems(t *testing.T) {
	for _, c := range []struct {
		system, browser, display, want string
	}{
		{"linux", "", "", ""},
		{"linux", "", ":0", "xdg-open U|x-www-browser U"},
		{"linux", "lynx", "", "lynx U"},
		{"linux", "firefox --new-tab %s:w3m", ":0", "firefox --new-tab U|w3m U"},
		{"darwin", "", "", "open U"},
		{"windows", "", "", "rundll32 url.dll,FileProtocolHandler U"},
		{"windows", `C:\firefox.exe`, "", `C:\firefox.exe U`},
	} {
		d := newDesk(t, words{"BROWSER": c.browser, "DISPLAY": c.display}, nil)
		var got []string
		for _, b := range d.browsers(c.system) {
			got = append(got, strings.Join(withAddress(b, "U"), " "))
		}
		if strings.Join(got, "|") != c.want {
			t.Errorf("%s with %q: %q", c.system, c.browser, got)
		}
	}
}

func TestOnlyAWebAddressIsOpened(t *testing.T) {
	dir := t.TempDir()
	opened := filepath.Join(dir, "opened")
	browser := filepath.Join(dir, "browser")
	if err := os.WriteFile(browser, []byte("#!/bin/sh\necho noise; echo noise >&2; echo \"$1\" >>"+opened+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		address string
		opens   bool
	}{
		{"file:///etc/passwd", false},
		{"javascript:alert(1)", false},
		{"--help", false},
		{"", false},
		{"http://[::1", false},
		{"https://id.example.org/authorize?a=b&c=d", true},
	} {
		d := newDesk(t, words{"BROWSER": "/nowhere/at/all:" + browser}, nil)
		d.app.flags.quiet = true // an address is a prompt, not a part of the story
		d.openBrowser(c.address)
		if !strings.Contains(d.stderr.String(), c.address) || strings.Contains(d.stderr.String(), "noise") {
			t.Errorf("%q: told %q", c.address, d.stderr.String())
		}
		for range 100 {
			if text, _ := os.ReadFile(opened); strings.Contains(string(text), "\n") || !c.opens {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		text, _ := os.ReadFile(opened)
		if want := map[bool]string{true: c.address + "\n"}[c.opens]; string(text) != want {
			t.Errorf("%q: opened %q", c.address, text)
		}
	}
}

func TestTheCodeOfADeviceIsToldWhateverIsToBeTold(t *testing.T) {
	code := token.DeviceCode{URL: "https://id.example.org/device", UserCode: "WDJB-\x1bMJHT", Complete: "https://id.example.org/device?user_code=WDJB-MJHT", Expires: time.Unix(1700000600, 0)}
	const prompt = "Open https://id.example.org/device in a browser and type the code WDJB-?MJHT\nor open https://id.example.org/device?user_code=WDJB-MJHT\n"
	d := newDesk(t, nil, nil)
	d.showDevice(code)
	if got := d.stderr.String(); got != prompt+"waiting; the code is good for 10 minutes\n" {
		t.Errorf("%q", got)
	}
	d = newDesk(t, nil, nil)
	d.app.flags.quiet = true
	d.showDevice(code)
	if got := d.stderr.String(); got != prompt {
		t.Errorf("quiet: %q", got)
	}
}

func TestAKeyIsMadeOnceForItsOwnerOnly(t *testing.T) {
	d := newDesk(t, nil, nil)
	name := filepath.Join(t.TempDir(), "dpop.pem")
	first, err := d.proofKey(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.stderr.String(), "A new key is in "+name+": tokens bound to it are worth nothing without it.\n"; got != want {
		t.Errorf("told %q", got)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(name), ".ats-auth-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	second, err := d.proofKey(name)
	if err != nil {
		t.Fatal(err)
	}
	if !first.Public().(*ecdsa.PublicKey).Equal(second.Public()) {
		t.Error("the key is another one")
	}
	if err := makeKey(name); !os.IsExist(err) {
		t.Errorf("a key took another's place: %v", err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := d.proofKey(name); exitCode(err) != exitConfig {
		t.Errorf("a key that others may read: %v", err)
	}
	if _, err := d.proofKey(filepath.Join(filepath.Dir(name), "nowhere", "dpop.pem")); exitCode(err) != exitConfig {
		t.Errorf("no directory: %v", err)
	}
}
