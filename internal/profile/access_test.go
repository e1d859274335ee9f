//go:build unix

package profile

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// nobody is a user who is neither root nor, in any likelihood, running tests.
const nobody = 65534

func descriptorName(f *os.File) string { return "/dev/fd/" + strconv.Itoa(int(f.Fd())) }

func TestAConfigThatOthersMayChangeIsRefused(t *testing.T) {
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o644: false, 0o660: true, 0o620: true, 0o602: true, 0o666: true} {
		w := newWorld(t)
		w.chmod(w.write("ats-auth-client.ini", "[session]\nuser = marco\n"), mode)
		p, err := Load(w.config)
		if !refused {
			if err != nil || p.Value("username").Reveal() != "marco" {
				t.Errorf("%04o: %v", mode, err)
			}
			continue
		}
		want := Error{
			Problem: fmt.Sprintf("ats-auth-client.ini may be changed by other users (mode %04o)", mode),
			Hint:    "chmod 600 ats-auth-client.ini",
		}
		if e := refusal(t, err); e.Problem != want.Problem || e.Hint != want.Hint {
			t.Errorf("%04o: %s (%s)", mode, e.Problem, e.Hint)
		}
	}
}

func TestAConfigWithASecretThatOthersMayReadIsRefused(t *testing.T) {
	for text, secret := range map[string]bool{
		"[client]\njwt_secret = hunter2\n":                       true,
		"[profile other]\njwt_secret = hunter2\n":                true,
		"[client]\njwt_secret =\n":                               false,
		"[client]\npassword_command = pass show x\nissuer = y\n": false,
		"[client]\njwt_secret_file = secret\n":                   false,
	} {
		for mode, open := range map[os.FileMode]bool{0o600: false, 0o640: true, 0o604: true, 0o644: true} {
			w := newWorld(t)
			w.chmod(w.write("my conf's.ini", text), mode)
			w.config.Flags["config"] = "my conf's.ini"
			_, err := Load(w.config)
			if (err != nil) != (secret && open) {
				t.Errorf("%q %04o: %v", text, mode, err)
				continue
			}
			if err == nil {
				continue
			}
			e := refusal(t, err)
			if !strings.HasPrefix(e.Problem, "my conf's.ini holds a secret") || e.Hint != `chmod 600 'my conf'\''s.ini'` || strings.Contains(e.Problem, "hunter2") {
				t.Errorf("%q %04o: %s (%s)", text, mode, e.Problem, e.Hint)
			}
		}
	}
}

// chownToNobody gives a file away, or tells that only root can; the caller then
// proves the rule from the other side.
func chownToNobody(t *testing.T, path string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("NOT ROOT: no file can be given to another user; the rule is tried with another user in place of this one instead")
		return false
	}
	if err := os.Lchown(path, nobody, -1); err != nil {
		t.Fatal(err)
	}
	return true
}

func TestAForeignConfigIsRefused(t *testing.T) {
	for _, named := range []bool{false, true} {
		w := newWorld(t)
		path := w.write("ats-auth-client.ini", "[session]\nserver_url = https://evil\n")
		if named {
			w.config.Flags["config"] = "ats-auth-client.ini"
		}
		var e *Error
		if chownToNobody(t, path) {
			e = w.refusal()
		} else {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			e = refusal(t, inifile.CheckOwner("ats-auth-client.ini", info, os.Geteuid()+1))
		}
		if !strings.HasPrefix(e.Problem, "ats-auth-client.ini belongs to another user (uid ") || !strings.HasPrefix(e.Hint, "sudo chown ") {
			t.Fatalf("%s (%s)", e.Problem, e.Hint)
		}
	}
}

func TestAForeignLinkInTheCurrentDirectoryIsRefused(t *testing.T) {
	w := newWorld(t)
	w.write("mine.ini", "[session]\nuser = marco\n")
	link := filepath.Join(w.work, "ats-auth-client.ini")
	if err := os.Symlink("mine.ini", link); err != nil {
		t.Fatal(err)
	}
	if got := w.load().Value("username").Reveal(); got != "marco" {
		t.Fatalf("my own link: user %q", got)
	}
	if !chownToNobody(t, link) {
		return // checkLink is inifile.CheckOwner, which TestAForeignConfigIsRefused tries without root
	}
	if e := w.refusal(); !strings.Contains(e.Problem, "belongs to another user") {
		t.Fatal(e.Problem)
	}
}

func TestWhatNamesACommandOrAKeyIsRefusedFromTheCurrentDirectory(t *testing.T) {
	for _, key := range []string{"password_command", "client_secret_file", "client_key", "dpop_key"} {
		// That the server stands in the same file makes it worse, not better.
		for _, text := range []string{
			"[client]\n" + key + " = owned\n", "[profile other]\n" + key + " = owned\n",
			"[session]\nserver_url = https://auth.example.org\n[client]\n" + key + " = owned\n",
		} {
			for _, name := range []string{"ats-auth-client.ini", "auth-client.ini"} {
				w := newWorld(t)
				w.write(name, text)
				e := w.refusal()
				if !strings.HasPrefix(e.Problem, name+": "+key+" is refused") || strings.Contains(e.Problem, "owned") {
					t.Errorf("%s: %s", name, e.Problem)
				}
				w.env["ATS_AUTH_CONFIG"] = name
				w.load()
			}
			w := newWorld(t)
			w.write(filepath.Join(w.home, ".config/ats-auth/client.ini"), text)
			w.load()
			w = newWorld(t)
			w.write(w.config.systemFile, text)
			w.load()
		}
	}
}

func TestAPipeInTheCurrentDirectoryIsRefused(t *testing.T) {
	w := newWorld(t)
	if err := syscall.Mkfifo(filepath.Join(w.work, "ats-auth-client.ini"), 0o600); err != nil {
		t.Fatal(err)
	}
	if e := w.refusal(); e.Problem != "ats-auth-client.ini is not a regular file" {
		t.Fatal(e.Problem)
	}
}

func TestAConfigMayComeFromADescriptor(t *testing.T) {
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := wr.WriteString("[client]\njwt_secret = s3cret\n"); err != nil {
		t.Fatal(err)
	}
	wr.Close()
	w := newWorld(t)
	w.config.Flags["config"] = descriptorName(r)
	if got := w.load().Value("jwt_secret").Reveal(); got != "s3cret" {
		t.Fatalf("secret %q", got)
	}
}
