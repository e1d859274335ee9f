package profile

import (
	"path/filepath"
	"testing"
)

// savedAs makes a world in which a login saved these settings in whatever file is
// asked for, and notes which that was.
func savedAs(t *testing.T, saved map[string]string) (w *world, file *string) {
	w, file = newWorld(t), new(string)
	w.config.Saved = func(name string) map[string]string {
		*file = name
		copied := make(map[string]string)
		for k, v := range saved {
			copied[k] = v
		}
		return copied
	}
	return w, file
}

func TestASavedLoginRanksBetweenTheIniFileAndTheDefault(t *testing.T) {
	w, file := savedAs(t, map[string]string{"url": "https://a", "username": "marco", "insecure": "true", "dialect": "oauth2"})
	p := w.load()
	for name, want := range map[string]string{"url": "https://a", "username": "marco", "insecure": "true", "dialect": "oauth2", "timeout": "30s"} {
		if got := p.Value(name).Reveal(); got != want {
			t.Errorf("%s is %q, not %q", name, got, want)
		}
	}
	if v := p.Value("username"); v.Origin() != Saved || v.Source() != p.LoginFile || *file != p.LoginFile {
		t.Errorf("%v %q, of %q, read from %q", v.Origin(), v.Source(), p.LoginFile, *file)
	}
	w.write("ats-auth-client.ini", "[session]\nuser = ini\n[client]\ndialect = ats\n")
	p = w.load()
	if got := p.Value("username").Reveal() + " " + p.Value("dialect").Reveal(); got != "ini ats" {
		t.Errorf("beside an ini file: %s", got)
	}
}

func TestWhereALoginIsSaved(t *testing.T) {
	for name, c := range map[string]struct {
		flags, env, saved map[string]string
		program           string
		want              string // below home
		dialect           string
	}{
		"the default":            {want: ".config/ats-auth/config.yaml", dialect: "ats"},
		"ciphertrust by a flag":  {flags: map[string]string{"dialect": "ciphertrust"}, want: ".ksctl/config.yaml", dialect: "ciphertrust"},
		"ciphertrust by env":     {env: map[string]string{"ATS_AUTH_DIALECT": "ciphertrust"}, want: ".ksctl/config.yaml", dialect: "ciphertrust"},
		"called as ksctl":        {program: "/usr/bin/ksctl", want: ".ksctl/config.yaml", dialect: "ciphertrust"},
		"ksctl's file elsewhere": {flags: map[string]string{"configfile": "/x/c.yaml"}, saved: map[string]string{"dialect": "ciphertrust"}, want: "/x/c.yaml", dialect: "ciphertrust"},
		"XDG":                    {env: map[string]string{"XDG_CONFIG_HOME": "/xdg"}, want: "/xdg/ats-auth/config.yaml", dialect: "ats"},
	} {
		t.Run(name, func(t *testing.T) {
			w, file := savedAs(t, c.saved)
			w.config.Flags, w.env = c.flags, c.env
			if c.program != "" {
				w.config.Program = c.program
			}
			p := w.load()
			want := c.want
			if !filepath.IsAbs(want) {
				want = filepath.Join(w.home, want)
			}
			if p.LoginFile != want || *file != want || p.Value("dialect").Reveal() != c.dialect {
				t.Errorf("%q, read %q, in %s; want %q in %s", p.LoginFile, *file, p.Value("dialect"), want, c.dialect)
			}
		})
	}
}

func TestAProfileWithALoginNeedsNoIniFile(t *testing.T) {
	w, file := savedAs(t, nil)
	w.config.Flags["profile"] = "work"
	w.refusal()
	w.config.Profiles = []string{"work"}
	if p := w.load(); p.Name != "work" {
		t.Errorf("profile %q", p.Name)
	}
	w.config.Profiles = nil
	want := w.write(filepath.Join(w.home, ".config/ats-auth/profiles/work/config.yaml"), "")
	if p := w.load(); p.LoginFile != want || *file != want {
		t.Errorf("%q, read %q, want %q", p.LoginFile, *file, want)
	}
}

func TestWhatIsSavedForOneServiceDoesNotCountForAnother(t *testing.T) {
	saved := map[string]string{"url": "https://a", "insecure": "true", "client_secret_file": "/s", "username": "marco", "dialect": "ciphertrust", "verbose": "true"}
	for url, same := range map[string]bool{"https://a": true, "https://a/": true, "https://b": false, "http://a": false, "https://a/x": false} {
		w, _ := savedAs(t, saved)
		w.config.Flags["url"] = url
		p := w.load()
		if got := p.Value("insecure").Bool(); got != same {
			t.Errorf("%s: insecure %v", url, got)
		}
		if got := !p.Value("client_secret_file").IsZero() && !p.Value("username").IsZero(); got != same {
			t.Errorf("%s: the application's secret or the user: %v", url, got)
		}
		if p.Value("dialect").Reveal() != "ciphertrust" || !p.Value("verbose").Bool() {
			t.Errorf("%s: %s, verbose %s", url, p.Value("dialect"), p.Value("verbose"))
		}
	}
	w, _ := savedAs(t, map[string]string{"url": "https://a", "issuer": "https://a", "client_id": "app", "dialect": "oauth2"})
	w.config.Flags["issuer"] = "https://b"
	if p := w.load(); !p.Value("client_id").IsZero() || !p.Value("url").IsZero() {
		t.Errorf("another issuer is given the application %s, at %s", p.Value("client_id"), p.Value("url"))
	}
}

func TestKsctlsVariablesCountWhereTheLoginIsKsctls(t *testing.T) {
	w, _ := savedAs(t, map[string]string{"dialect": "ciphertrust", "username": "saved"})
	w.env["KSCTL_USERNAME"] = "ksctl"
	if got := w.load().Value("username").Reveal(); got != "ksctl" {
		t.Errorf("user %q", got)
	}
	w, _ = savedAs(t, nil)
	w.env["KSCTL_USERNAME"] = "ksctl"
	if v := w.load().Value("username"); !v.IsZero() {
		t.Errorf("user %q in the ats dialect", v)
	}
}

func TestWhereALoginIsSavedAFileFoundHereSaysNothingOfWhomToTrust(t *testing.T) {
	const hostile = "[client]\ninsecure = true\ncacert = evil.pem\n"
	service := map[string]string{"url": "https://a"}
	nothing := func(*world) {}
	for what, c := range map[string]struct {
		saved    map[string]string
		file     string
		text     string
		change   func(*world)
		insecure bool
		cacert   string // below the working directory, or absolute
	}{
		"a login by URL":         {service, "ats-auth-client.ini", hostile, nothing, false, ""},
		"the other name":         {service, "auth-client.ini", hostile, nothing, false, ""},
		"a login by issuer":      {map[string]string{"issuer": "https://a"}, "ats-auth-client.ini", hostile, nothing, false, ""},
		"a profile's section":    {service, "ats-auth-client.ini", "[profile default]\ninsecure = true\ncacert = evil.pem\n", nothing, false, ""},
		"the service named here": {service, "ats-auth-client.ini", "[session]\nserver_url = https://a/\n" + hostile, nothing, false, ""},
		"the service by a flag":  {service, "ats-auth-client.ini", hostile, func(w *world) { w.config.Flags["url"] = "https://a" }, false, ""},
		"what the login says":    {map[string]string{"url": "https://a", "cacert": "/own.pem"}, "ats-auth-client.ini", hostile, nothing, false, "/own.pem"},
		"by --config":            {service, "x.ini", hostile, func(w *world) { w.config.Flags["config"] = "x.ini" }, true, "evil.pem"},
		"this file by --config":  {service, "ats-auth-client.ini", hostile, func(w *world) { w.config.Flags["config"] = "ats-auth-client.ini" }, true, "evil.pem"},
		"by ATS_AUTH_CONFIG":     {service, "x.ini", hostile, func(w *world) { w.env["ATS_AUTH_CONFIG"] = "x.ini" }, true, "evil.pem"},
		"from home":              {service, "../home/.config/ats-auth/client.ini", hostile, nothing, true, "../home/.config/ats-auth/evil.pem"},
		"by the environment": {service, "ats-auth-client.ini", hostile, func(w *world) {
			w.env["ATS_AUTH_INSECURE"], w.env["ATS_AUTH_CACERT"] = "true", "/env.pem"
		}, true, "/env.pem"},
		"by flags": {service, "ats-auth-client.ini", hostile, func(w *world) {
			w.config.Flags["insecure"], w.config.Flags["cacert"] = "true", "/flag.pem"
		}, true, "/flag.pem"},
		"no login":               {nil, "ats-auth-client.ini", hostile, nothing, true, "evil.pem"},
		"a login of no service":  {map[string]string{"username": "marco"}, "ats-auth-client.ini", hostile, nothing, true, "evil.pem"},
		"another service's here": {service, "ats-auth-client.ini", "[session]\nserver_url = https://b\n" + hostile, nothing, true, "evil.pem"},
	} {
		w, _ := savedAs(t, c.saved)
		w.write(c.file, c.text)
		c.change(w)
		p, cacert := w.load(), ""
		if c.cacert != "" {
			cacert = under(w.work, c.cacert)
		}
		if p.File == "" || p.Value("insecure").Bool() != c.insecure || p.Value("cacert").Reveal() != cacert {
			t.Errorf("%s: insecure %t, want %t; cacert %q, want %q", what,
				p.Value("insecure").Bool(), c.insecure, p.Value("cacert").Reveal(), cacert)
		}
	}
}

func TestWhatIsSavedOfAnotherApplicationOrAnotherTrustIsForgotten(t *testing.T) {
	saved := func() map[string]string {
		return map[string]string{
			"url": "https://a", "client_id": "app", "client_secret_file": "/app.secret", "auth_method": "client_secret_post",
			"insecure": "true", "username": "marco",
		}
	}
	for what, c := range map[string]struct {
		flags          map[string]string
		secret, method string
		insecure       bool
	}{
		"nothing is given":        {nil, "/app.secret", "client_secret_post", true},
		"the same application":    {map[string]string{"client_id": "app"}, "/app.secret", "client_secret_post", true},
		"another application":     {map[string]string{"client_id": "other"}, "", "", true},
		"whose word is to count":  {map[string]string{"cacert": "/ca.pem"}, "/app.secret", "client_secret_post", false},
		"that and no word at all": {map[string]string{"cacert": "/ca.pem", "insecure": "true"}, "/app.secret", "client_secret_post", true},
	} {
		w, _ := savedAs(t, saved())
		w.config.Flags = c.flags
		p := w.load()
		if got := p.Value("client_secret_file").Reveal(); got != c.secret {
			t.Errorf("%s: secret %q, want %q", what, got, c.secret)
		}
		if got := p.Value("auth_method").Reveal(); got != c.method {
			t.Errorf("%s: method %q, want %q", what, got, c.method)
		}
		if got := p.Value("insecure").Bool(); got != c.insecure {
			t.Errorf("%s: insecure %t", what, got)
		}
		if got := p.Value("username").Reveal(); got != "marco" {
			t.Errorf("%s: user %q", what, got)
		}
	}
}
