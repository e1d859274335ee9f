package backend

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/ats-auth/ats-auth/internal/backend/slapdtest"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// oddNames are names that people have, and that some part of LDAP has a use for.
var oddNames = []string{
	"John Smith", "Smith, John", "a+b", `say "hi"`, `back\slash`, "(paren)", "star*", "a=b", "a;b", "<tag>", "#hash",
	"Jürgen Größe", "Łukasz", "山田太郎", "😀", "o'hara", "{name}", "{dn}", "a&b|c!d", "a/b", "name@example.org",
	"%00", `\2a`, "(uid=*)", "a\tb", "-dash", "e\u0301", "\u202eevil",
}

func TestOddNamesLogInWithOddPasswords(t *testing.T) {
	var entries []slapdtest.Entry
	for _, name := range oddNames {
		entries = append(entries, slapdtest.User(name, "pass "+name))
	}
	l := directory(t, slapdtest.New(t, entries...))
	for _, name := range oddNames {
		p, err := login(t, l, name, "pass "+name)
		if err != nil || p.Name != name {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
		if _, err := login(t, l, name, "pass "+name+"?"); !errors.Is(err, token.ErrCredentials) {
			t.Errorf("%q with a wrong password: %v", name, err)
		}
	}
}

func TestNamesThatAreFiltersFindNobody(t *testing.T) {
	l := directory(t, slapdtest.New(t, slapdtest.User("alice", "a"), slapdtest.User("bob", "b")))
	for _, name := range []string{
		"*", "a*", "alice*", "*)(|(uid=*", "alice)(uid=*", "alice)(&", "alice))(|(uid=*", "*)(uid=*))(|(uid=*",
		`alice\00`, `alice\2a`, `\2a`, `\61lice`, "alice)", "(alice", "(uid=alice)", "alice\x00", "\x00", "alice\x00*",
		"alice\xff", "\xc0\xaa", strings.Repeat("a", 256), "{name}", "uid=alice", "alice,ou=people", "a{name}b",
	} {
		if p, err := l.Find(t.Context(), name); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
}

func TestANameThatNobodyCanHaveIsNotAskedFor(t *testing.T) {
	l, err := NewLDAP(LDAPConfig{URL: "ldap://127.0.0.1:1", UserBase: slapdtest.People})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "\x00", "a\x00b", "\xff", strings.Repeat("a", 256)} {
		if _, err := l.Find(t.Context(), name); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	if _, err := l.Find(t.Context(), strings.Repeat("a", 255)); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("a name somebody could have: %v", err)
	}
	for _, password := range []string{"", "\x00", "a\x00"} {
		if _, err := l.Verify(t.Context(), Person{DN: "uid=a"}, token.NewPassword(password)); !errors.Is(err, token.ErrCredentials) {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, err := l.Verify(t.Context(), Person{}, token.NewPassword("a")); !errors.Is(err, token.ErrCredentials) {
		t.Errorf("nobody: %v", err)
	}
}

func FuzzANameInAFilterStandsForItselfAlone(f *testing.F) {
	for _, name := range oddNames {
		f.Add(name)
	}
	f.Add("*)(|(uid=*")
	f.Add("alice\\00")
	f.Add("\uFFFD")
	l, err := NewLDAP(LDAPConfig{
		URL: "ldap://127.0.0.1:1", UserBase: slapdtest.People, GroupFilter: "(&(member={dn})(memberUid={name}))",
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !usableName(name) {
			return
		}
		filter, err := ldap.CompileFilter(l.userFilter(name))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if filter.Tag != ldap.FilterEqualityMatch || len(filter.Children) != 2 ||
			filter.Children[0].Data.String() != "uid" || filter.Children[1].Data.String() != name {
			t.Fatalf("%q became %s", name, l.userFilter(name))
		}
		group, err := ldap.CompileFilter(l.groupFilter(Person{Name: name, DN: "uid={name}" + name}))
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		if group.Tag != ldap.FilterAnd || len(group.Children) != 2 ||
			group.Children[0].Children[1].Data.String() != "uid={name}"+name || group.Children[1].Children[1].Data.String() != name {
			t.Fatalf("%q became %s", name, l.groupFilter(Person{Name: name, DN: "uid={name}" + name}))
		}
	})
}
