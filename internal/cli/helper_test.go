//go:build unix

package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// keyring is the program of a helper that keeps secrets in a directory.
const keyring = `#!/bin/sh
name="$RING/$ATS_AUTH_HELPER_PROFILE-$ATS_AUTH_HELPER_USER"
echo "$1 $ATS_AUTH_HELPER_SERVER" >>"$RING/log"
case $1 in
get) [ ! -e "$name" ] || cat "$name" ;;
store) cat >"$name" ;;
erase) rm -f "$name" ;;
*) exit 64 ;;
esac
`

// withHelper is an app whose refresh tokens a helper keeps.
func withHelper(t *testing.T, line string, env ...string) (*app, *bytes.Buffer) {
	t.Helper()
	lookUp := func(name string) (string, bool) {
		for _, pair := range append(env, "ATS_AUTH_CREDENTIAL_HELPER="+line) {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	p, err := profile.Load(profile.Config{LookupEnv: lookUp, WorkDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(bytes.Buffer)
	return &app{Env: Env{LookupEnv: lookUp, Environ: append(os.Environ(), env...), Stderr: stderr}, profile: p}, stderr
}

func TestAHelperKeepsTheRefreshTokenOfALogin(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "ring helper")
	if err := os.WriteFile(program, []byte(keyring), 0o700); err != nil {
		t.Fatal(err)
	}
	a, _ := withHelper(t, "'"+program+"'", "RING="+dir)
	login := session.Login{URL: "https://auth.example.org", Username: "marco"}
	r, err := a.refreshSecret(login)
	if err != nil || r == nil {
		t.Fatalf("%v, %v", r, err)
	}
	if got, err := r.get(t.Context()); err != nil || !got.IsZero() {
		t.Errorf("before anything was stored: %v, %v", got, err)
	}
	for _, text := range []string{"ats_rt_one", "ats_rt_two"} {
		if err := r.store(t.Context(), token.NewSecret(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := r.get(t.Context()); err != nil || got.Reveal() != text {
			t.Errorf("%v, %v", got, err)
		}
	}
	if err := r.erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := r.get(t.Context()); err != nil || !got.IsZero() {
		t.Errorf("after it was erased: %v, %v", got, err)
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	server := " https://auth.example.org\n"
	if want := "get" + server + "store" + server + "get" + server + "store" + server + "get" + server + "erase" + server + "get" + server; string(log) != want {
		t.Errorf("%q", log)
	}
}

func TestAHelperThatFailsIsNoLogoutAndSaysNothingOfTheSecret(t *testing.T) {
	for name, line := range map[string]string{
		"exit code":  "echo s3cret-rt; exit 7 #",
		"not there":  "/nowhere/at/all",
		"two lines":  "printf 'one\\ntwo\\n' #",
		"too much":   "head -c 100000 /dev/zero | tr '\\0' a #",
		"unreadable": "printf 's3cret rt' #",
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := withHelper(t, line)
			r, err := a.refreshSecret(session.Login{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.get(t.Context())
			if exitCode(err) != exitState || !got.IsZero() || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestAHelperThatCallsUsIsFoundOut(t *testing.T) {
	a, _ := withHelper(t, "ats-auth token get", helperMark+"=1")
	if r, err := a.refreshSecret(session.Login{}); r != nil || exitCode(err) != exitConfig {
		t.Errorf("%v, %v", r, err)
	}
	a, stderr := withHelper(t, `test "$`+helperMark+`" = 1 || echo unmarked >&2; true`)
	r, err := a.refreshSecret(session.Login{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.get(t.Context()); err != nil || stderr.Len() > 0 {
		t.Errorf("%v, %s", err, stderr)
	}
}

func TestAHelperIsRefusedInAFileOfTheCurrentDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"credential_helper", "credential_host"} {
		if err := os.WriteFile(filepath.Join(dir, "ats-auth-client.ini"), []byte("[client]\n"+key+" = x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := profile.Load(profile.Config{WorkDir: dir})
		var refused *profile.Error
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), key+" is refused in a file found in the current directory") {
			t.Errorf("%v", err)
		}
	}
}

func TestWithoutAHelperThereIsNone(t *testing.T) {
	a, _ := withHelper(t, "")
	if r, err := a.refreshSecret(session.Login{}); r != nil || err != nil {
		t.Errorf("%v, %v", r, err)
	}
}
