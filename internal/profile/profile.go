// Package profile answers where every setting of a client comes from: a flag,
// the environment, an ini file, a saved login or a default, in that order. It owns the table
// of settings, the search for the ini file, the rules about who may own and
// read it, and the files and commands a setting may name.
//
// It never asks a person, never opens a connection, never reads OS_AUTH_URL or
// OS_CACERT (they are Keystone's), and never quotes a setting's value in an error.
package profile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// DefaultName is the profile in use when none is named.
const DefaultName = "default"

// Config is the world that Load reads. The zero Config finds nothing but the
// system's file and the defaults.
type Config struct {
	// Flags holds the settings given as flags, by Setting.Name, and only those
	// given: a flag that was given empty hides every weaker value. A name that
	// has no flag in the table is refused.
	Flags map[string]string

	// LookupEnv has the shape of os.LookupEnv. Nil means an empty environment.
	// A variable that is set but empty counts as unset.
	LookupEnv func(string) (string, bool)

	// WorkDir is the directory that relative names in flags and environment
	// start from, and the first to be searched. Empty means the process's own.
	WorkDir string

	// HomeDir stands for ~ in an ini file and holds .config when
	// XDG_CONFIG_HOME is unset. Empty means that there is no home.
	HomeDir string

	// Program is the name the program was called by (os.Args[0]). Called as
	// ksctl, the default dialect is ciphertrust.
	Program string

	// Profiles names profiles that exist although no ini file speaks of them,
	// such as those with a saved login, or the one that a login is to create.
	Profiles []string

	// Saved reads the config.yaml of that name: its settings by Setting.Name,
	// without a token. They rank below the ini file, and what belongs to one
	// service counts for that service only. Nil, like an answer of nil, means
	// that nothing is saved.
	Saved func(file string) map[string]string

	// NoLocal leaves the current directory out of the search for the ini file,
	// for a command that another program runs wherever it happens to be.
	NoLocal bool

	// systemFile replaces the machine's own ini file.
	systemFile string
}

// Profile is every setting with its source. It does not change.
type Profile struct {
	// Name is the profile in use, DefaultName unless another was named. It is
	// safe as the name of a directory.
	Name string

	// File is the ini file in use, spelled as it was given; a bare name for one
	// found in the current directory; empty when there is none.
	File string

	// LoginFile is the config.yaml in use, which need not exist; empty when
	// there is no directory for it.
	LoginFile string

	// StateDir is where tokens are cached; empty when there is no home.
	StateDir string

	values map[string][]Value
}

// Load reads the ini file, if there is one, and resolves every setting. What a
// person can mend is an *Error; any other error is a fault of the caller.
func Load(config Config) (*Profile, error) {
	if err := config.checkFlags(); err != nil {
		return nil, err
	}
	r := resolver{Config: config}
	file, err := r.openFile()
	if err != nil {
		return nil, err
	}
	r.file = file
	if err := r.chooseProfile(); err != nil {
		return nil, err
	}
	values, err := r.resolve()
	if err != nil {
		return nil, err
	}
	return &Profile{Name: r.profile, File: file.Name, LoginFile: r.loginFile, StateDir: config.stateDir(), values: values}, nil
}

// Value returns the value in force of the named setting; the zero Value when
// it is unset. A name that is not in the table panics.
//
// It is called in so many places that, written out in each, it would make the
// program larger by a hundredth.
//
//go:noinline
func (p *Profile) Value(name string) Value {
	if all := p.find(name); len(all) > 0 {
		return all[0]
	}
	return Value{}
}

// Candidates returns every value the named setting was given, the one in force
// first, then those that it hides. A name that is not in the table panics.
func (p *Profile) Candidates(name string) []Value { return slices.Clone(p.find(name)) }

func (p *Profile) find(name string) []Value {
	all, known := p.values[name]
	if !known {
		panic("profile: no setting is called " + name)
	}
	return all
}

// Strongest picks between settings that answer one question, such as
// jwt_secret_file and jwt_secret: it returns the name of the one whose value
// has the greatest Origin, the first named of equals, and "" when all are empty.
func (p *Profile) Strongest(names ...string) string {
	best, origin := "", Unset
	for _, name := range names {
		if v := p.Value(name); !v.IsZero() && v.Origin() > origin {
			best, origin = name, v.Origin()
		}
	}
	return best
}

// checkFlags finds a flag that the table does not allow.
func (c Config) checkFlags() error {
	for name := range c.Flags {
		s, ok := settingNamed(name)
		if !ok || s.Flag == "" {
			return fmt.Errorf("profile: no flag sets %q", name)
		}
	}
	return nil
}

// chooseProfile decides which profile is in use and that it exists.
func (r *resolver) chooseProfile() error {
	chosen, err := r.winner("profile")
	if err != nil {
		return err
	}
	r.profile = chosen.Reveal()
	known := append(r.file.profiles(), r.Profiles...)
	switch {
	case !isProfileName(r.profile):
		return &Error{Problem: chosen.Source() + ": " + profileNameRule}
	case r.profile == DefaultName || slices.Contains(known, r.profile) || r.hasLogin(r.profile):
		return nil
	}
	return unknownProfile(r.profile, append(known, DefaultName))
}

// profileNameRule is what isProfileName says no to.
const profileNameRule = "a profile's name is letters, digits, dots, dashes and underscores, begins with a letter or digit, and has at most 64"

// isProfileName keeps a profile from naming a directory elsewhere.
func isProfileName(name string) bool {
	return len(name) <= 64 && inifile.IsPlain(name) && !strings.Contains(name, " ")
}

// unknownProfile says what there is instead.
func unknownProfile(name string, known []string) error {
	slices.Sort(known)
	known = slices.Compact(known)
	return &Error{Problem: fmt.Sprintf("no profile is called %q, there is: %s%s", name, strings.Join(known, ", "), inifile.DidYouMean(name, known))}
}
