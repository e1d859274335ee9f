package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxQuestion bounds what another program may say on standard input, in bytes.
const maxQuestion = 64 << 10

// arguments are those of the command line, with those that the program's name stands for: git
// and docker find a helper by its name alone.
func arguments(args []string) []string {
	tool := map[string]string{"git-credential-ats-auth": "git", "docker-credential-ats-auth": "docker"}
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if tool[name] == "" {
		return args[1:]
	}
	return append([]string{"credential", tool[name]}, args[1:]...)
}

func (a *app) credentialCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "credential", Short: "Give kubectl, git and docker the saved login's token",
		Long: `Give kubectl, git and docker the saved login's token, in their own protocols.

They run where you happen to be, which may be somebody else's repository: ini
files of the current directory are not looked at.`,
	}
	c.AddCommand(a.credentialK8s(), a.credentialGit(), a.credentialDocker())
	return c
}

// loadForTool reads the profile for a command that another program runs.
func (a *app) loadForTool() error {
	a.noLocal = true
	a.flags.format = "value" // the protocol's own
	return a.load()
}

// bearerOnly refuses a token that is worth nothing in another program's hands.
func bearerOnly(set token.Set) error {
	if set.TokenType != "" && !strings.EqualFold(set.TokenType, "Bearer") {
		return token.Refuse(token.ErrUnsupported, "the saved login's tokens are bound to a key (%s): other programs cannot use them", safe(set.TokenType))
	}
	return nil
}

// place is a host to which a token may go, and how.
type place struct {
	scheme string // http or https
	host   string // in lower case, with its port
}

// places are the saved login's own service, and those that a person has named. A
// token goes nowhere else.
func (a *app) places(login session.Login) ([]place, error) {
	var all []place
	for _, address := range []string{login.URL, login.Issuer} {
		if p, ok := placeOf(address, ""); ok {
			all = append(all, p)
		}
	}
	value := a.profile.Value("credential_host")
	for _, name := range value.List() {
		p, ok := placeOf(name, "https")
		if !ok {
			return nil, &configError{problem: fmt.Sprintf("%s: %q is not a host, a host and a port, or a URL of these", value.Source(), safe(name))}
		}
		all = append(all, p)
	}
	return all, nil
}

// placeOf reads a URL or, where scheme says what it then is, a bare host with or
// without a port. A name with a wildcard, or with a user before it, is none.
func placeOf(text, scheme string) (place, bool) {
	if !strings.Contains(text, "://") {
		if scheme == "" {
			return place{}, false
		}
		text = scheme + "://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Hostname() == "" || strings.ContainsAny(u.Host, "*?%\\ ") {
		return place{}, false
	}
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return place{}, false
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	return place{u.Scheme, net.JoinHostPort(strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")), port)}, true
}

// String is the place as a URL, without the port that goes without saying.
func (p place) String() string {
	implied := map[string]string{"http": ":80", "https": ":443"}
	return p.scheme + "://" + strings.TrimSuffix(p.host, implied[p.scheme])
}

// mayHave reports whether a token may go to an address. One that does not say
// by which scheme it is asked goes by that of the place.
func mayHave(places []place, address string) bool {
	for _, p := range places {
		if asked, ok := placeOf(address, p.scheme); ok && asked == p {
			return true
		}
	}
	return false
}

// toolLogin is the login as a tool's question finds it, and where its token may
// go. No login at all is no error: nothing is to be had from us then.
func (a *app) toolLogin() (session.Login, []place, error) {
	login := a.saved.login
	if err := a.saved.err; err != nil && !errors.Is(err, session.ErrNoLogin) {
		return login, nil, err
	}
	places, err := a.places(login)
	return login, places, err
}

// toolUser is the name that goes with a token where a protocol wants one.
func toolUser(login session.Login, access token.Secret) string {
	if login.Username != "" {
		return login.Username
	}
	if t, err := token.Decode(access.Reveal()); err == nil && t.Claims.Subject() != "" {
		return t.Claims.Subject()
	}
	if login.ClientID != "" {
		return login.ClientID
	}
	return "token"
}

// question reads all that a tool says.
func (a *app) question() (string, error) {
	text, err := io.ReadAll(io.LimitReader(a.Stdin, maxQuestion+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxQuestion {
		return "", command.Usage("more than %d bytes on standard input", maxQuestion)
	}
	return string(text), nil
}

// forgetIf drops the cached token when it is the one that was refused; an empty
// text says that it is.
func (a *app) forgetIf(login session.Login, refused string) {
	set, _, ok := a.peek(login)
	if ok && (refused == "" || refused == set.AccessToken.Reveal()) {
		a.forget(login)
	}
}

// attributes are the lines of git's protocol, up to the first empty one. Names
// that end in [] may come again; an empty value drops those before it.
type attributes map[string][]string

// readAttributes reads KEY=VALUE lines.
func readAttributes(r io.Reader) (attributes, error) {
	all := attributes{}
	lines := bufio.NewScanner(io.LimitReader(r, maxQuestion))
	lines.Buffer(nil, maxQuestion)
	for lines.Scan() {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, "=")
		switch {
		case !ok:
			return nil, command.Usage("a line of git's protocol is KEY=VALUE")
		case !strings.HasSuffix(name, "[]"):
			all[name] = []string{value}
		case value == "":
			delete(all, name)
		default:
			all[name] = append(all[name], value)
		}
	}
	return all, lines.Err()
}

// one is the value of a name that has one; "" where it is absent.
func (a attributes) one(name string) string {
	if len(a[name]) == 0 {
		return ""
	}
	return a[name][0]
}
