package profile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// openLogin finds the saved login and settles the dialect: what is configured,
// else what the login says. A dialect decides in turn where the default
// profile's login is, and which variables count.
func (r *resolver) openLogin() error {
	configured, err := r.winner("dialect")
	if err != nil {
		return err
	}
	r.dialect = configured.Reveal()
	file, err := r.named("configfile")
	if err != nil {
		return err
	}
	if r.loginFile = file.Reveal(); r.loginFile == "" {
		r.loginFile = r.ownLogin(r.profile)
	}
	if r.Saved == nil || r.loginFile == "" {
		return nil
	}
	r.saved = r.Saved(r.loginFile)
	settled, err := r.winner("dialect")
	if err != nil {
		return err
	}
	r.dialect = settled.Reveal()
	r.forgetForeign()
	r.forgetOverruled()
	return nil
}

// forgetOverruled drops what is saved beside a value that is given anew: how
// another application proved itself, and that a certificate need not be verified
// where it is said by whose word it is to be.
func (r *resolver) forgetOverruled() {
	for name, besides := range map[string][]string{
		"client_id": {"client_secret_file", "client_key", "client_key_id", "auth_method"},
		"cacert":    {"insecure"},
	} {
		given, err := r.named(name)
		if err != nil || given.IsZero() || given.Origin() <= Saved || given.Reveal() == r.saved[name] {
			continue
		}
		for _, setting := range besides {
			delete(r.saved, setting)
		}
	}
}

// named is the value in force of a setting without a default.
func (r *resolver) named(name string) (Value, error) {
	s, _ := settingNamed(name)
	if all := r.candidates(s); len(all) > 0 {
		return all[0], s.check(all[0])
	}
	return Value{}, nil
}

// ownLogin is where a profile's login is saved; ksctl's own file for the default
// one in its dialect.
func (r *resolver) ownLogin(profile string) string {
	switch {
	case profile == DefaultName && r.dialect == cipherTrust:
		if r.HomeDir == "" {
			return ""
		}
		return filepath.Join(r.HomeDir, ".ksctl", loginName)
	case r.configHome() == "":
		return ""
	case profile == DefaultName:
		return filepath.Join(r.configHome(), "ats-auth", loginName)
	}
	return filepath.Join(r.configHome(), "ats-auth", "profiles", profile, loginName)
}

const loginName = "config.yaml"

// hasLogin reports whether somebody logged in by that profile.
func (r *resolver) hasLogin(profile string) bool {
	name := r.ownLogin(profile)
	if name == "" {
		return false
	}
	_, err := os.Stat(name)
	return err == nil
}

// stateDir is $XDG_STATE_HOME/ats-auth, or ~/.local/state/ats-auth.
func (c Config) stateDir() string {
	if c.LookupEnv != nil {
		if dir, _ := c.LookupEnv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, "ats-auth")
		}
	}
	if c.HomeDir == "" {
		return ""
	}
	return filepath.Join(c.HomeDir, ".local", "state", "ats-auth")
}

// forgetForeign drops what is saved about one service when another is meant: its
// certificate need not be verified, its application's secret goes there, say.
func (r *resolver) forgetForeign() {
	for _, name := range []string{"url", "issuer"} {
		s, _ := settingNamed(name)
		saved := r.saved[name]
		if all := r.candidates(s); saved == "" || len(all) == 0 || SameAddress(all[0].Reveal(), saved) {
			continue
		}
		for setting := range r.saved {
			if !slices.Contains([]string{"dialect", "verbose", "format"}, setting) {
				delete(r.saved, setting)
			}
		}
		return
	}
}

// SameAddress reports whether two URLs name one service: a slash at the end makes
// no difference.
func SameAddress(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }
