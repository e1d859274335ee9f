package profile

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// cipherTrust is the one dialect that variables of its own belong to.
const cipherTrust = "ciphertrust"

// maxDuration bounds Duration settings; a timeout of days is a slip.
const maxDuration = 24 * time.Hour

// resolver looks a setting up in every place, strongest first.
type resolver struct {
	Config
	file      document
	profile   string
	dialect   string
	loginFile string
	saved     map[string]string
}

// resolve looks up the whole table, the dialect first, since it decides which
// variables count.
func (r *resolver) resolve() (map[string][]Value, error) {
	if err := r.openLogin(); err != nil {
		return nil, err
	}
	values := make(map[string][]Value)
	for _, s := range table() {
		all := r.candidates(s)
		if len(all) > 0 {
			if err := s.check(all[0]); err != nil {
				return nil, err
			}
		}
		values[s.Name] = all
	}
	return values, nil
}

// winner looks up one setting that has a default.
func (r *resolver) winner(name string) (Value, error) {
	s, ok := settingNamed(name)
	if !ok {
		return Value{}, fmt.Errorf("profile: no setting is called %q", name)
	}
	return r.candidates(s)[0], nil
}

// candidates returns every value a setting is given, strongest first.
func (r *resolver) candidates(s Setting) []Value {
	var all []Value
	add := func(text string, origin Origin, source string) {
		all = append(all, Value{text: &text, secret: s.Secret, origin: origin, source: source})
	}
	if text, given := r.Flags[s.Name]; given {
		add(r.locate(s, text), Flag, "flag --"+s.Flag)
	}
	for _, name := range s.Env {
		if text := r.variable(name); text != "" {
			add(r.locate(s, text), Environment, name)
		}
	}
	for _, place := range []struct {
		section string
		origin  Origin
	}{{profilePrefix + r.profile, FileProfile}, {s.Section, File}} {
		if text, _ := r.file.Value(place.section, s.Key); text != "" && !r.distrusts(s) {
			add(r.locateInFile(s, text), place.origin, fmt.Sprintf("%s: [%s] %s", inifile.ShowName(r.file.Name), place.section, s.Key))
		}
	}
	if text := r.saved[s.Name]; text != "" {
		add(text, Saved, inifile.ShowName(r.loginFile))
	}
	if text, source := r.fallback(s); text != "" {
		add(text, Default, source)
	}
	return all
}

// distrusts tells that the ini file has no say in a setting: it may have come with
// somebody else's repository, and a login's token would go to whom it trusts.
func (r *resolver) distrusts(s Setting) bool {
	return s.Trust && r.file.local && (r.saved["url"] != "" || r.saved["issuer"] != "")
}

// variable reads the environment; KSCTL_ names only in their dialect.
func (r *resolver) variable(name string) string {
	if r.LookupEnv == nil || (strings.HasPrefix(name, "KSCTL_") && r.dialect != cipherTrust) {
		return ""
	}
	text, _ := r.LookupEnv(name)
	return text
}

// fallback returns a setting's default and its source.
func (r *resolver) fallback(s Setting) (text, source string) {
	program := strings.TrimSuffix(filepath.Base(r.Program), ".exe")
	if s.Name == "dialect" && program == "ksctl" {
		return cipherTrust, "called as ksctl"
	}
	return s.Default, "default"
}

// locate completes a file's name given by flag or environment.
func (c Config) locate(s Setting, text string) string {
	if !s.IsFile(text) {
		return text
	}
	return under(c.WorkDir, text)
}

// locateInFile completes a file's name given in an ini file.
func (r *resolver) locateInFile(s Setting, text string) string {
	if !s.IsFile(text) {
		return text
	}
	if rest, ok := strings.CutPrefix(text, "~/"); ok && r.HomeDir != "" {
		return filepath.Join(r.HomeDir, rest)
	}
	return under(r.file.dir, text)
}

// under joins a relative name to a directory.
func under(dir, name string) string {
	if filepath.IsAbs(name) || name == "" {
		return name
	}
	return filepath.Join(dir, name)
}

// IsFile reports whether this text of the setting names a file: a PathOrURL may
// be a URL instead, or a key in PEM, on one line say.
func (s Setting) IsFile(text string) bool {
	return s.Kind == Path || s.Kind == PathOrURL && !strings.Contains(text, "://") && !strings.Contains(text, "-----BEGIN ")
}

// check refuses a text that is not of the setting's kind.
func (s Setting) check(v Value) error {
	var err error
	switch s.Kind {
	case Boolean:
		_, err = parseBool(v.Reveal())
	case Duration:
		_, err = parseDuration(v.Reveal())
	case Port:
		_, err = parsePort(v.Reveal())
	}
	if err != nil {
		return &Error{Problem: fmt.Sprintf("%s: not %v", v.Source(), err)}
	}
	return nil
}

// parseBool takes the spellings of ini files and of ksctl.
func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "true", "yes", "on":
		return true, nil
	case "0", "false", "no", "off", "":
		return false, nil
	}
	return false, errors.New("true or false")
}

// parseDuration takes a Go duration or plain seconds.
func parseDuration(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > maxDuration {
		return 0, errors.New("a time above 0 and at most 24h, in seconds or as 1m30s")
	}
	return d, nil
}

// parsePort takes a decimal number.
func parsePort(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errors.New("a port from 0 to 65535")
	}
	return int(n), nil
}
