package profile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

// profilePrefix begins the sections that override the others.
const profilePrefix = "profile "

// Error is a configuration that is missing, unreadable or refused: exit code 3.
type Error = inifile.Error

// document is the client's ini file. The zero document is no file.
type document struct {
	inifile.File
	dir   string // that relative names in it start from
	local bool   // found in the current directory
}

func parseDocument(name string, data []byte) (document, error) {
	f, err := inifile.Parse(name, data, inifile.Schema{
		Keys: keysOf, Sections: []string{"session", "client", profilePrefix + "NAME"}, Called: called,
	})
	return document{File: f}, err
}

// keysOf is what a section takes.
func keysOf(section string) ([]inifile.Key, error) {
	if p, ok := strings.CutPrefix(section, profilePrefix); ok && !isProfileName(p) {
		return nil, errors.New(profileNameRule)
	}
	rows := settingsOf(section)
	var keys []inifile.Key
	for _, name := range slices.Sorted(maps.Keys(rows)) { // to sort keys themselves is 9 KB more
		keys = append(keys, inifile.Key{Name: name, Secret: rows[name].Secret})
	}
	return keys, nil
}

// called is where a setting stands that somebody calls as its flag.
func called(section, key string) string {
	flag := strings.ReplaceAll(key, "_", "-")
	for _, s := range table() {
		if s.Key == "" || flag != s.Flag && !slices.Contains(s.Aliases, flag) {
			continue
		}
		if _, here := settingsOf(section)[s.Key]; !here {
			section = s.Section
		}
		return fmt.Sprintf("%s in [%s]", s.Key, section)
	}
	return ""
}

// profiles lists the names that have a section.
func (d document) profiles() []string {
	var names []string
	for _, section := range d.Sections() {
		if name, ok := strings.CutPrefix(section, profilePrefix); ok {
			names = append(names, name)
		}
	}
	return names
}

// holdsSecret reports whether any section gives a secret a value.
func (d document) holdsSecret() bool {
	return slices.ContainsFunc(table(), func(s Setting) bool { return s.Secret && d.Holds(s.Key) })
}

// named is the first key of a Named setting that any section gives a value.
func (d document) named() string {
	for _, s := range table() {
		if s.Named && d.Holds(s.Key) {
			return s.Key
		}
	}
	return ""
}
