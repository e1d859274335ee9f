package cli

import (
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestATokenGoesToThePlacesThatAreNamedOnly(t *testing.T) {
	for _, row := range []struct {
		place, asked string
		may          bool
	}{
		{"https://a.example", "https://a.example", true},
		{"https://a.example/auth", "https://a.example/repo.git", true},
		{"https://a.example", "https://A.Example:443", true},
		{"https://a.example.", "https://a.example", true},
		{"https://a.example", "a.example", true},
		{"https://a.example", "a.example:443", true},
		{"http://localhost:5000", "localhost:5000", true},
		{"https://[::1]:8443", "https://[::1]:8443", true},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "http://a.example:443", false},
		{"https://a.example", "https://a.example:8443", false},
		{"https://a.example", "https://b.a.example", false},
		{"https://a.example", "https://a.example.b", false},
		{"https://a.example", "https://a.example@b", false},
		{"https://a.example", "https://u@a.example", false},
		{"https://a.example", "https://b/a.example", false},
		{"https://a.example", "https://b\\a.example", false},
		{"https://a.example", "ssh://a.example", false},
		{"https://a.example", "https://", false},
		{"https://a.example", "", false},
		{"https://a.example", "https://a%2eexample", false},
		{"https://a.example", "https://a.example\n", false},
	} {
		p, ok := placeOf(row.place, "")
		if !ok {
			t.Fatalf("%q is no place", row.place)
		}
		if got := mayHave([]place{p}, row.asked); got != row.may {
			t.Errorf("a token for %q may go to %q: %t", row.place, row.asked, got)
		}
	}
	if mayHave(nil, "https://a.example") {
		t.Error("a token for nobody goes somewhere")
	}
}

func TestWhatIsNoHostIsNoPlace(t *testing.T) {
	for _, text := range []string{"", "*", "*.example.org", "u@a.example", "u:p@a.example", "ftp://a.example", "/a", "?", "a b", "http://"} {
		if p, ok := placeOf(text, "https"); ok {
			t.Errorf("%q is %v", text, p)
		}
	}
}

func TestAProgramsNameStandsForTheCommand(t *testing.T) {
	for name, want := range map[string]string{
		"ats-auth": "get", "/usr/bin/git-credential-ats-auth": "credential git get",
		"docker-credential-ats-auth.exe": "credential docker get", "git-credential-other": "get",
	} {
		if got := strings.Join(arguments([]string{name, "get"}), " "); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestGitsAttributesEndAtTheFirstEmptyLine(t *testing.T) {
	got, err := readAttributes(strings.NewReader("protocol=https\r\nhost=a=b\nx[]=1\nx[]=2\ny[]=1\ny[]=\ny[]=3\nhost=c\n\nhost=d\n"))
	if err != nil || got.one("protocol") != "https" || got.one("host") != "c" || len(got["x[]"]) != 2 || len(got["y[]"]) != 1 || got.one("z") != "" {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"hello\n", "a=" + strings.Repeat("b", maxQuestion) + "\n"} {
		if got, err := readAttributes(strings.NewReader(text)); err == nil {
			t.Errorf("%.20q: %d", text, len(got))
		}
	}
}

func TestATokenThatIsBoundToAKeyIsForNoOtherProgram(t *testing.T) {
	if err := bearerOnly(token.Set{TokenType: "DPoP"}); exitCode(err) != exitRefused {
		t.Error(err)
	}
	for _, kind := range []string{"", "Bearer", "bearer"} {
		if err := bearerOnly(token.Set{TokenType: kind}); err != nil {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

func TestWhoeverHasNoUserNameIsCalledSomething(t *testing.T) {
	opaque := token.NewSecret("opaque")
	for want, login := range map[string]session.Login{
		"marco": {Username: "marco", ClientID: "app"}, "app": {ClientID: "app"}, "token": {},
	} {
		if got := toolUser(login, opaque); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
