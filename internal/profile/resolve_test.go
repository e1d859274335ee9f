package profile

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rung is one place that can give a setting a value.
type rung struct {
	origin Origin
	source string
	give   func(w *world, text string)
}

// ladder lists every place of a setting, strongest first.
func ladder(s Setting) []rung {
	var all []rung
	if s.Flag != "" {
		all = append(all, rung{Flag, "flag --" + s.Flag, func(w *world, text string) { w.config.Flags[s.Name] = text }})
	}
	for _, name := range s.Env {
		all = append(all, rung{Environment, name, func(w *world, text string) { w.env[name] = text }})
	}
	if s.Key == "" {
		return all
	}
	for _, section := range []string{"profile work", s.Section} {
		origin := File
		if section == "profile work" {
			origin = FileProfile
		}
		all = append(all, rung{origin, fmt.Sprintf("given.ini: [%s] %s", section, s.Key), func(w *world, text string) {
			given, err := os.ReadFile(filepath.Join(w.work, "given.ini"))
			if err != nil {
				w.t.Fatal(err)
			}
			w.write("given.ini", string(given)+fmt.Sprintf("[%s]\n%s = %s\n", section, s.Key, text))
		}})
	}
	return all
}

// sample is a text that fits the setting's kind and differs by number.
func sample(w *world, s Setting, number int) string {
	switch s.Kind {
	case Boolean:
		return []string{"true", "yes", "on", "1"}[number%4]
	case Duration:
		return fmt.Sprint(number + 1)
	case Port:
		return fmt.Sprint(number + 8400)
	case Path, PathOrURL:
		return filepath.Join(w.work, fmt.Sprintf("file%d", number))
	}
	return fmt.Sprintf("%s-%d", s.Name, number)
}

func TestEverySettingComesFromItsStrongestPlaceThatHasAValue(t *testing.T) {
	for _, s := range Settings() {
		if s.Name == "config" || s.Name == "profile" { // they choose the file and section themselves
			continue
		}
		rungs := ladder(s)
		for from := range rungs {
			t.Run(fmt.Sprintf("%s from %s", s.Name, rungs[from].source), func(t *testing.T) {
				w := newWorld(t)
				w.write("given.ini", "[profile work]\n")
				w.config.Flags["config"], w.config.Flags["profile"] = "given.ini", "work"
				if s.Name != "dialect" {
					w.config.Flags["dialect"] = cipherTrust
				}
				for i := from; i < len(rungs); i++ {
					rungs[i].give(w, sample(w, s, i))
				}
				v := w.load().Value(s.Name)
				if v.Reveal() != sample(w, s, from) || v.Source() != rungs[from].source || v.Origin() != rungs[from].origin {
					t.Fatalf("got %q from %q (%d)", v.Reveal(), v.Source(), v.Origin())
				}
				if all := w.load().Candidates(s.Name); len(all) < len(rungs)-from || all[0] != v && all[0].Source() != v.Source() {
					t.Fatalf("candidates %v miss some of %d places", all, len(rungs)-from)
				}
			})
		}
	}
}

func TestTheDefaultStandsWhereNothingElseDoes(t *testing.T) {
	p := newWorld(t).load()
	for _, s := range Settings() {
		v := p.Value(s.Name)
		if v.Reveal() != s.Default {
			t.Errorf("%s is %q, want %q", s.Name, v.Reveal(), s.Default)
		}
		if want := map[bool]string{true: "default"}[s.Default != ""]; v.Source() != want {
			t.Errorf("%s comes from %q, want %q", s.Name, v.Source(), want)
		}
	}
	if p.Name != "default" || p.File != "" || p.Value("timeout").Duration() != 30*time.Second {
		t.Fatalf("profile %q, file %q, timeout %v", p.Name, p.File, p.Value("timeout"))
	}
}

func TestTheTableIsConsistent(t *testing.T) {
	seen := map[string]string{}
	claim := func(kind, word, name string) {
		if other, taken := seen[kind+word]; taken && word != "" {
			t.Errorf("%s %q belongs to %s and %s", kind, word, other, name)
		}
		seen[kind+word] = name
	}
	for _, s := range Settings() {
		claim("name", s.Name, s.Name)
		claim("key", s.Key, s.Name)
		for _, flag := range append(s.Aliases, s.Flag) {
			claim("flag", flag, s.Name)
		}
		for _, env := range s.Env {
			claim("variable", env, s.Name)
		}
		if want := "ATS_AUTH_" + strings.ToUpper(s.Name); !slices.Contains(s.Env, want) || s.Env[0] != want {
			t.Errorf("%s: its first variable must be %s", s.Name, want)
		}
		if s.Flag != "" && s.Flag != strings.ReplaceAll(s.Name, "_", "-") {
			t.Errorf("%s: its flag is %s", s.Name, s.Flag)
		}
		if s.Help == "" || (s.Key == "") != (s.Section == "") {
			t.Errorf("%s: help %q, section %q, key %q", s.Name, s.Help, s.Section, s.Key)
		}
	}
}

func TestTheIniFileTakesTheKeysOfTheContractAndNoOthers(t *testing.T) {
	want := strings.Fields("server_url user jwt_secret jwt_secret_file jwks_url issuer audience dialect tenant client_id client_secret_file scope cacert cert key insecure timeout password_command backend" +
		" grant client_key client_key_id auth_method dpop_key resource redirect_port credential_helper credential_host feed")
	var got []string
	for key := range settingsOf("profile x") {
		got = append(got, key)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestKeystonesAddressIsNeverRead(t *testing.T) {
	w := newWorld(t)
	w.config.LookupEnv = func(name string) (string, bool) {
		if name == "OS_AUTH_URL" || name == "OS_CACERT" {
			t.Errorf("%s was looked up", name)
		}
		return "", false
	}
	if p := w.load(); !p.Value("url").IsZero() || !p.Value("cacert").IsZero() {
		t.Fatal("url or cacert set")
	}
}

func TestVariablesOfKsctlCountInItsDialectOnly(t *testing.T) {
	for dialect, want := range map[string]string{"ats": "openstack", cipherTrust: "ksctl"} {
		w := newWorld(t)
		w.env["OS_USERNAME"], w.env["KSCTL_USERNAME"] = "openstack", "ksctl"
		w.config.Flags["dialect"] = dialect
		if got := w.load().Value("username").Reveal(); got != want {
			t.Errorf("%s: user %q, want %q", dialect, got, want)
		}
	}
}

func TestTheDialectFromTheIniFileMakesKsctlVariablesCount(t *testing.T) {
	w := newWorld(t)
	w.write("auth-client.ini", "[client]\ndialect = ciphertrust\n")
	w.env["KSCTL_URL"] = "https://cm.example"
	if v := w.load().Value("url"); v.Reveal() != "https://cm.example" || v.Source() != "KSCTL_URL" {
		t.Fatalf("url %q from %q", v, v.Source())
	}
}

func TestTheDialectIsCipherTrustsWhenCalledAsKsctl(t *testing.T) {
	for program, want := range map[string]string{"ksctl": cipherTrust, "/opt/bin/ksctl": cipherTrust, "ksctl.exe": cipherTrust, "/ksctl/ats-auth": "ats", "": "ats"} {
		w := newWorld(t)
		w.config.Program = program
		if got := w.load().Value("dialect").Reveal(); got != want {
			t.Errorf("called as %q: %q, want %q", program, got, want)
		}
	}
	w := newWorld(t)
	w.config.Program = "ksctl"
	w.write("auth-client.ini", "[client]\ndialect = tapis\n")
	if got := w.load().Value("dialect").Reveal(); got != "tapis" {
		t.Errorf("the ini file must beat the program's name, got %q", got)
	}
}

func TestWhatIsEmptyCountsAsUnsetExceptAFlag(t *testing.T) {
	w := newWorld(t)
	w.write("auth-client.ini", "[session]\nuser = marco\n[client]\njwt_secret =\nissuer = ats.auth\n[profile work]\nuser =\n")
	w.env["ATS_AUTH_USERNAME"] = ""
	w.env["ATS_AUTH_PROFILE"] = "work"
	w.config.Flags["issuer"] = ""
	p := w.load()
	if got := p.Value("username").Reveal(); got != "marco" {
		t.Errorf("user %q", got)
	}
	if v := p.Value("jwt_secret"); v.Origin() != Unset || !v.IsZero() {
		t.Errorf("jwt_secret from %q", v.Source())
	}
	if v := p.Value("issuer"); !v.IsZero() || v.Origin() != Flag {
		t.Errorf("issuer %q from %q", v, v.Source())
	}
}

func TestFileNamesStartWhereTheyWereWritten(t *testing.T) {
	w := newWorld(t)
	ini := w.write("../elsewhere/my.ini", "[client]\ncacert = certs/ca.pem\ncert = ~/me.pem\nkey = /abs/key.pem\njwks_url = keys.json\nclient_secret_file = ~other/x\n")
	w.env["ATS_AUTH_CONFIG"] = "../elsewhere/my.ini"
	w.env["ATS_AUTH_JWT_SECRET_FILE"] = "secret"
	w.config.Flags["password_file"] = "~/literal"
	p := w.load()
	for name, want := range map[string]string{
		"cacert":             filepath.Join(filepath.Dir(ini), "certs/ca.pem"),
		"cert":               filepath.Join(w.home, "me.pem"),
		"key":                "/abs/key.pem",
		"jwks_url":           filepath.Join(filepath.Dir(ini), "keys.json"),
		"client_secret_file": filepath.Join(filepath.Dir(ini), "~other/x"),
		"jwt_secret_file":    filepath.Join(w.work, "secret"),
		"password_file":      filepath.Join(w.work, "~/literal"),
	} {
		if got := p.Value(name).Reveal(); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for _, text := range []string{"https://keys.example/jwks", `-----BEGIN PUBLIC KEY-----\nMCo=\n-----END PUBLIC KEY-----\n`} {
		w.config.Flags["jwks_url"] = text
		if got := w.load().Value("jwks_url").Reveal(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestATimeoutIsADurationOrSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"5": 5 * time.Second, "2.5": 2500 * time.Millisecond, "1m30s": 90 * time.Second, "24h": 24 * time.Hour,
		"0": 0, "-1": 0, "-1s": 0, "25h": 0, "1e30": 0, "NaN": 0, "Inf": 0, "soon": 0, "1m30": 0, "0x10": 0, "1_0": 0,
	} {
		w := newWorld(t)
		w.env["ATS_AUTH_TIMEOUT"] = text
		p, err := Load(w.config)
		switch {
		case want == 0 && err == nil:
			t.Errorf("%q was taken as %v", text, p.Value("timeout").Duration())
		case want == 0:
			if e := refusal(t, err); !strings.HasPrefix(e.Problem, "ATS_AUTH_TIMEOUT: ") {
				t.Errorf("%q: %s", text, e.Problem)
			}
		case err != nil || p.Value("timeout").Duration() != want:
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestABooleanIsSpelledAsInIniFilesAndKsctl(t *testing.T) {
	for text, want := range map[string]string{"true": "true", "True": "true", "YES": "true", "on": "true", "1": "true", "false": "false", "no": "false", "off": "false", "0": "false", "maybe": "error", "2": "error"} {
		w := newWorld(t)
		w.env["ATS_AUTH_INSECURE"] = text
		p, err := Load(w.config)
		got := "error"
		if err == nil {
			got = fmt.Sprint(p.Value("insecure").Bool())
		}
		if got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

func TestTheStrongestOfSettingsThatAnswerOneQuestionIsChosenBySource(t *testing.T) {
	passwords := []string{"password_file", "password", "password_command"}
	w := newWorld(t)
	if got := w.load().Strongest(passwords...); got != "" {
		t.Fatalf("none set, got %q", got)
	}
	w.write("my.ini", "[client]\npassword_command = pass show x\n")
	w.config.Flags["config"] = "my.ini"
	steps := []struct {
		do   func()
		want string
	}{
		{func() {}, "password_command"},
		{func() { w.env["OS_PASSWORD"] = "x" }, "password"},
		{func() { w.env["ATS_AUTH_PASSWORD_FILE"] = "x" }, "password_file"},
		{func() { w.config.Flags["password"] = "x" }, "password"},
		{func() { w.config.Flags["password_file"] = "x" }, "password_file"},
	}
	for _, step := range steps {
		step.do()
		if got := w.load().Strongest(passwords...); got != step.want {
			t.Fatalf("got %q, want %q", got, step.want)
		}
	}
}

func TestAFlagThatTheTableDoesNotHaveIsTheCallersFault(t *testing.T) {
	for _, name := range []string{"jwt_secret", "token", "no_such"} {
		_, err := Load(Config{Flags: map[string]string{name: "hunter2"}})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
		if _, ok := err.(*Error); ok {
			t.Errorf("%s: must not look like something the user can mend", name)
		}
	}
}
