package profile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheIniFileIsTheFirstThatExists(t *testing.T) {
	w := newWorld(t)
	xdg := filepath.Join(w.home, "xdg")
	steps := []struct{ name, path, file string }{ // weakest first
		{"the machine's", w.config.systemFile, w.config.systemFile},
		{"~/.config", filepath.Join(w.home, ".config/ats-auth/client.ini"), filepath.Join(w.home, ".config/ats-auth/client.ini")},
		{"XDG_CONFIG_HOME", filepath.Join(xdg, "ats-auth/client.ini"), filepath.Join(xdg, "ats-auth/client.ini")},
		{"auth-client.ini", "auth-client.ini", "auth-client.ini"},
		{"ats-auth-client.ini", "ats-auth-client.ini", "ats-auth-client.ini"},
		{"ATS_AUTH_CONFIG", "by-env.ini", "./by-env.ini"},
		{"--config", "by-flag.ini", "by-flag.ini"},
	}
	for _, step := range steps {
		w.write(step.path, "[session]\nuser = "+filepath.Base(filepath.Dir(step.path))+"\n")
		switch step.name {
		case "XDG_CONFIG_HOME":
			w.env["XDG_CONFIG_HOME"] = xdg
		case "ATS_AUTH_CONFIG":
			w.env["ATS_AUTH_CONFIG"] = "./by-env.ini"
		case "--config":
			w.config.Flags["config"] = "by-flag.ini"
		}
		p := w.load()
		if p.File != step.file {
			t.Errorf("%s: file %q, want %q", step.name, p.File, step.file)
		}
		if v := p.Value("username"); v.Source() != step.file+": [session] user" {
			t.Errorf("%s: user from %q", step.name, v.Source())
		}
	}
}

func TestARelativeXDGConfigHomeIsIgnored(t *testing.T) {
	w := newWorld(t)
	w.write("xdg/ats-auth/client.ini", "[session]\nuser = nobody\n")
	w.env["XDG_CONFIG_HOME"] = "xdg"
	if p := w.load(); p.File != "" {
		t.Fatalf("read %s", p.File)
	}
}

func TestANamedFileThatDoesNotExistIsAnErrorWhoeverNamedIt(t *testing.T) {
	for _, by := range []string{"flag --config", "ATS_AUTH_CONFIG"} {
		w := newWorld(t)
		w.write("ats-auth-client.ini", "[session]\nuser = marco\n")
		if by == "ATS_AUTH_CONFIG" {
			w.env["ATS_AUTH_CONFIG"] = "missing.ini"
		} else {
			w.config.Flags["config"] = "missing.ini"
		}
		e := w.refusal()
		if e.Problem != "missing.ini, named by "+by+", does not exist" || !errors.Is(e, fs.ErrNotExist) {
			t.Errorf("%s: %s", by, e.Problem)
		}
	}
	w := newWorld(t)
	w.config.Flags["config"] = ""
	if e := w.refusal(); e.Problem != "flag --config names no file" {
		t.Errorf("empty: %s", e.Problem)
	}
}

func TestADirectoryInTheWayIsRefused(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.work, "ats-auth-client.ini")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if e := w.refusal(); e.Problem != "ats-auth-client.ini is not a regular file" {
		t.Errorf("directory: %s", e.Problem)
	}
	w.config.Flags["config"] = "ats-auth-client.ini"
	if e := w.refusal(); e.Problem != "ats-auth-client.ini is a directory" {
		t.Errorf("named directory: %s", e.Problem)
	}
}

func TestAFileInPlaceOfAConfigDirectoryIsNoFile(t *testing.T) {
	w := newWorld(t)
	w.write(filepath.Join(w.home, ".config"), "not a directory")
	if p := w.load(); p.File != "" {
		t.Fatalf("read %s", p.File)
	}
}

func TestAFileThatIsTooLongIsRefused(t *testing.T) {
	w := newWorld(t)
	w.write("auth-client.ini", strings.Repeat("# filler\n", maxFile/9+1))
	if e := w.refusal(); !strings.Contains(e.Problem, "longer than 1048576 bytes") {
		t.Fatal(e.Problem)
	}
}
