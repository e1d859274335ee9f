package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// shortSecret is the least length of a secret for HS256, in bytes (RFC 7518
// section 3.2).
const shortSecret = 32

// soon is how long before the end of something a doctor speaks of it.
const soon = 3 * 24 * time.Hour

// iniFile says which ini file is in use, and which it hides.
func (d *doctor) iniFile() {
	if d.profile.File == "" {
		d.ok("ini file", "none")
		return
	}
	text := inifile.ShowName(d.profile.File)
	if v := d.profile.Value("config"); !v.IsZero() {
		text += ", from " + v.Source()
	}
	var hidden []string
	for _, name := range d.world().Search() {
		if _, err := os.Stat(name); err == nil && !d.sameFile(name, d.profile.File) {
			hidden = append(hidden, inifile.ShowName(name))
		}
	}
	if len(hidden) == 0 {
		d.ok("ini file", "%s", text)
		return
	}
	d.warnOf("ini file", "", "%s, which hides %s: no setting comes from there", text, strings.Join(hidden, " and "))
}

func (d *doctor) world() profile.Config {
	return profile.Config{LookupEnv: d.LookupEnv, WorkDir: d.WorkDir, HomeDir: d.HomeDir}
}

func (d *doctor) sameFile(a, b string) bool {
	first, errA := os.Stat(under(d.WorkDir, a))
	second, errB := os.Stat(under(d.WorkDir, b))
	return errA == nil && errB == nil && os.SameFile(first, second)
}

// variables finds those that look like ours and are not.
func (d *doctor) variables() {
	known := []string{"ATS_AUTH_TRACE_SECRETS", helperMark, "ATS_AUTH_HELPER_PROFILE", "ATS_AUTH_HELPER_SERVER", "ATS_AUTH_HELPER_USER"}
	for _, s := range profile.Settings() {
		known = append(known, s.Env...)
	}
	for _, column := range setColumns { // what -f export gives
		known = append(known, "ATS_AUTH_"+strings.ToUpper(column))
	}
	for _, pair := range d.Environ {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "ATS_AUTH_") && value != "" && !strings.HasPrefix(name, "ATS_AUTH_SERVER_") && !slices.Contains(known, name) {
			d.warnOf("environment", "", "%s is no setting%s", name, inifile.DidYouMean(name, known))
		}
	}
}

// settings says where each value comes from, and what it hides.
func (d *doctor) settings() {
	for _, s := range profile.Settings() {
		all := d.profile.Candidates(s.Name)
		all = slices.DeleteFunc(all, func(v profile.Value) bool { return v.Origin() == profile.Default })
		if len(all) == 0 || s.Name == "config" {
			continue
		}
		text := "from " + all[0].Source()
		if shown := showSetting(s, all[0]); shown != "" {
			text = shown + " " + text
		}
		var hidden []string
		for _, v := range all[1:] {
			if v.Reveal() != all[0].Reveal() {
				hidden = append(hidden, v.Source())
			}
		}
		if len(hidden) > 0 {
			text += ", which hides " + strings.Join(hidden, " and ")
		}
		d.ok("setting "+s.Name, "%s", text)
	}
	for _, rivals := range [][]string{
		{"jwt_secret_file", "jwt_secret", "jwks_url"},
		{"password_file", "password", "password_command"},
		{"client_secret_file", "client_secret", "client_key"},
		{"refresh_token_file", "refresh_token"},
	} {
		d.rivals(rivals)
	}
}

// rivals says which of several settings that answer one question counts.
func (d *doctor) rivals(names []string) {
	counts := d.profile.Strongest(names...)
	for _, name := range names {
		if v := d.profile.Value(name); name != counts && !v.IsZero() {
			d.warnOf("setting "+name, "", "it does not count beside %s, from %s", counts, d.profile.Value(counts).Source())
		}
	}
}

// showSetting is a value that may be seen: not one that a password may stand in.
func showSetting(s profile.Setting, v profile.Value) string {
	switch s.Name {
	case "url", "issuer", "jwks_url":
		return shownAddress(v.Reveal())
	case "password_command", "credential_helper":
		return ""
	}
	if s.Secret {
		return ""
	}
	return v.Reveal()
}

// shownAddress is a URL for a person, unless a password may stand in it.
func shownAddress(text string) string {
	if strings.Contains(text, pemBegin) {
		return "(a key in PEM)"
	}
	if strings.ContainsAny(text, "@?#") {
		return "(an address that may hold a password)"
	}
	return safe(text)
}

// files judges the files that settings name.
func (d *doctor) files() {
	secret := []string{"password_file", "client_secret_file", "client_key", "dpop_key", "jwt_secret_file", "refresh_token_file", "key"}
	for _, s := range profile.Settings() {
		v := d.profile.Value(s.Name)
		if !s.IsFile(v.Reveal()) || v.IsZero() || s.Name == "config" || s.Name == "configfile" {
			continue
		}
		check := "file of " + s.Name
		err := judgeFile(v.Reveal(), slices.Contains(secret, s.Name))
		switch {
		case s.Name == "dpop_key" && errors.Is(err, fs.ErrNotExist):
			d.ok(check, "%s will be made", inifile.ShowName(v.Reveal()))
		case err != nil:
			d.fail(check, err)
		default:
			d.ok(check, "%s", inifile.ShowName(v.Reveal()))
		}
	}
	d.sharedSecret()
}

// judgeFile opens a file and applies the rules that its readers do.
func judgeFile(name string, secret bool) error {
	if info, err := os.Stat(name); err != nil {
		return inifile.FileError(name, err)
	} else if !info.Mode().IsRegular() { // opening a pipe would wait
		return inifile.CheckFile(name, info)
	}
	f, err := os.Open(name)
	if err != nil {
		return inifile.FileError(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return inifile.FileError(name, err)
	case secret:
		return inifile.CheckSecretFile(name, info)
	}
	return inifile.CheckFile(name, info)
}

// sharedSecret weighs the secret that tokens are verified with.
func (d *doctor) sharedSecret() {
	name := d.profile.Strongest("jwt_secret_file", "jwt_secret", "jwks_url")
	if name != "jwt_secret_file" && name != "jwt_secret" {
		return
	}
	text := d.profile.Value(name).Reveal()
	if name == "jwt_secret_file" {
		if judgeFile(text, true) != nil {
			return // told
		}
		text, _ = inifile.ReadSecretFile(text)
	}
	if text != "" && len(text) < shortSecret {
		d.warnOf("setting "+name, "", "it has %d bytes, HS256 wants %d at least: whoever has a token can guess it", len(text), shortSecret)
	}
}

// login judges the saved login and the directories of what is kept.
func (d *doctor) login() {
	name := d.profile.LoginFile
	if name == "" {
		d.warnOf("saved login", "", "there is no home directory to keep one in")
		return
	}
	login, err := d.saved.login, d.saved.err
	switch {
	case errors.Is(err, session.ErrNoLogin):
		d.ok("saved login", "none in %s", inifile.ShowName(name))
	case err != nil:
		d.fail("saved login", err)
	default:
		d.loginIn(login)
	}
	aside, _ := filepath.Glob(globQuote(name) + ".bad-*")
	for _, old := range aside {
		d.warnOf("saved login", "", "%s could not be read once and was set aside", inifile.ShowName(old))
	}
	d.directory(filepath.Dir(name))
	if d.profile.StateDir != "" {
		d.directory(d.profile.StateDir)
	}
}

func (d *doctor) loginIn(login session.Login) {
	if err := d.bound(login); err != nil {
		d.fail("saved login", err)
		return
	}
	text := inifile.ShowName(d.profile.LoginFile)
	left := secondsUntil(login.ExpiresAt, d.Now())
	switch {
	case d.endless(login):
		d.ok("saved login", "%s, %s", text, noEnd)
	case login.ExpiresAt.IsZero():
		d.ok("saved login", "%s, end not known", text)
	case left <= 0:
		d.fail("saved login", &hinted{token.Refuse(token.ErrExpired, "the login in %s has expired", text), "ats-auth login"})
	case left < int64(soon/time.Second):
		d.warnOf("saved login", "ats-auth login", "%s ends in %s", text, spanOf(left))
	default:
		d.ok("saved login", "%s ends in %s", text, spanOf(left))
	}
}

// globQuote keeps a name from being a pattern.
func globQuote(name string) string {
	if runtime.GOOS == "windows" {
		return name
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// directory judges one that holds files of ours; that it is not there is fine.
func (d *doctor) directory(name string) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) || runtime.GOOS == "windows" {
		return
	}
	if err == nil {
		err = inifile.CheckOwner(name, info, os.Geteuid())
	}
	if err != nil {
		d.fail("directory", directoryError(name, err))
		return
	}
	shown, hint := inifile.ShowName(name), "chmod 700 "+inifile.ShellQuote(name)
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		d.fail("directory", &stateError{problem: fmt.Sprintf("%s: others may exchange the files in it (mode %04o)", shown, mode), hint: hint})
	case mode&0o077 != 0:
		d.warnOf("directory", hint, "%s: others may look into it (mode %04o)", shown, mode)
	default:
		d.ok("directory", "%s", shown)
	}
}

func directoryError(name string, err error) error {
	var told *inifile.Error
	if errors.As(err, &told) {
		return told
	}
	return inifile.FileError(name, err)
}
