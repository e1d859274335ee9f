package daemon

import (
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// load reads the configuration: environment over file over defaults. It does so once:
// whom the program becomes may not be able to.
func (a *app) load() (*config, error) {
	if a.config != nil {
		return a.config, nil
	}
	p, err := a.person(a.userGiven)
	if err != nil {
		return nil, err
	}
	c, err := a.loadFor(p)
	if err == nil {
		a.config = c
	}
	return c, err
}

// loadFor is load for a program that is to become p.
func (a *app) loadFor(p *person) (*config, error) {
	c, err := a.read()
	if err != nil {
		return nil, err
	}
	c.person = p
	if err := a.refuseForeign(c, c.server.MasterKeyFile); err != nil {
		return nil, err
	}
	return c, c.readSecrets(p)
}

// read is load without the files that hold secrets.
func (a *app) read() (*config, error) {
	v := &values{given: make(map[string]value), keys: make(map[string][]string)}
	for _, s := range v.settings() {
		v.given[s.name()] = value{s.fallback, "default"}
	}
	if err := a.readFile(v); err != nil {
		return nil, err
	}
	if err := a.readEnvironment(v); err != nil {
		return nil, err
	}
	c := a.interpret(v)
	return c, v.err
}

func (a *app) readFile(v *values) error {
	name := a.findConfig()
	if name == "" {
		return nil
	}
	data, info, err := readConfig(name)
	if err != nil {
		return err
	}
	file, err := inifile.Parse(name, data, schema())
	if err != nil {
		return err
	}
	for _, section := range file.Order() {
		if kind, name := kindOf(section); name != "" && len(kindSettings(kind)) > 0 {
			v.open(section)
			for _, key := range file.Keys(section) {
				v.openKey(section, key)
			}
		}
	}
	secret := false
	for _, s := range v.settings() {
		if text, ok := file.Value(s.section, s.key); ok && text != "" {
			v.given[s.name()] = value{text, name}
			secret = secret || s.secret || s.isStoreURL() && maskStore(text) != text
		}
	}
	if secret {
		return inifile.CheckSecretFile(name, info)
	}
	return nil
}

// readConfig judges the open file, not its name, and returns what it holds.
func readConfig(name string) ([]byte, fs.FileInfo, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, inifile.FileError(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, inifile.FileError(name, err)
	}
	if err := inifile.CheckFile(name, info); err != nil {
		return nil, nil, err
	}
	const most = 1 << 20
	data, err := inifile.ReadBounded(f, name, most)
	return data, info, err
}

// readEnvironment takes ATS_AUTH_SERVER_SECTION_KEY and refuses what only looks
// like it.
func (a *app) readEnvironment(v *values) error {
	ofFile := len(v.sections)
	for _, pair := range a.Environ {
		name, text, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, variablePrefix)
		if !ours || text == "" || setByOrchestrator(rest) {
			continue
		}
		s, known := v.settingOf(name)
		if !known {
			return refuse("%s in the environment names no setting%s", name, inifile.DidYouMean(name, variables(name)))
		}
		if _, section := kindOf(s.section); section != "" {
			v.open(s.section)
			v.openKey(s.section, s.key)
		}
		v.given[s.name()] = value{text, name}
	}
	slices.Sort(v.sections[ofFile:])
	return nil
}

// setByOrchestrator knows the variables that Kubernetes and Docker set for a
// service called ats-auth-server; they begin with no section of ours.
func setByOrchestrator(rest string) bool {
	first, _, _ := strings.Cut(rest, "_")
	return slices.Contains([]string{"PORT", "SERVICE", "NAME", "ENV"}, first)
}
