package cli

import (
	"crypto"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// applicationFlags say which program is asking.
func (a *app) applicationFlags(c *cobra.Command) {
	if c.Flags().Lookup("issuer") == nil {
		a.settingFlags(c.Flags(), "issuer")
	}
	a.settingFlags(c.Flags(), "tenant", "client_id", "client_secret_file", "client_key", "client_key_id", "auth_method", "dpop_key")
	_ = c.RegisterFlagCompletionFunc("auth-method", cobra.FixedCompletions(
		[]string{"client_secret_basic", "client_secret_post", "private_key_jwt", "none"}, cobra.ShellCompDirectiveNoFileComp))
}

// dialect is asked for in many places: inlined it would be much of the binary.
//
//go:noinline
func (a *app) dialect() string { return a.profile.Value("dialect").Reveal() }

// address is what leads to the service: the issuer in the oauth2 dialect, else
// the URL.
func (a *app) address() string {
	if a.dialect() == "oauth2" && !a.profile.Value("issuer").IsZero() {
		return "issuer"
	}
	return "url"
}

// proof is the setting by which the application proves itself; "" when there is
// none.
// Inlined in the many places that call it, it would be much of the client.
//
//go:noinline
func (a *app) proof() string {
	return a.profile.Strongest("client_secret_file", "client_secret", "client_key")
}

// needClientID refuses to go on without a name of the application.
func (a *app) needClientID() error {
	if a.profile.Value("client_id").IsZero() {
		return &configError{problem: "no client id: give --client-id, ATS_AUTH_CLIENT_ID, or client_id in the [client] of ats-auth-client.ini"}
	}
	return nil
}

// needProof refuses to ask what a service answers to known applications only.
func (a *app) needProof() error {
	if a.proof() == "" && a.profile.Value("cert").IsZero() {
		return &configError{
			problem: "an oauth2 server says what a token is worth to known applications only: give --client-id with --client-secret-file or --client-key",
			hint:    "ats-auth help dialects",
		}
	}
	return a.needClientID()
}

// identify puts into a client's configuration who is asking.
func (a *app) identify(c *client.Config) error {
	value := func(name string) string { return a.profile.Value(name).Reveal() }
	switch _, typed := a.set["tenant"]; {
	case typed && c.Dialect == "wazo":
		return token.Refuse(token.ErrUnsupported, "in the wazo dialect a user's tenant is not asked for: --tenant")
	case typed && c.Dialect != "tapis":
		return of("tapis", "the %s dialect has no tenants: --tenant", safe(c.Dialect))
	}
	if _, typed := a.set["backend"]; typed && c.Dialect != "wazo" {
		return of("wazo", "the %s dialect has no backends: --backend", safe(c.Dialect))
	}
	switch c.Dialect {
	case "wazo":
		c.Backend, c.ClientID = value("backend"), value("client_id")
		return nil
	case "tapis":
		return a.identifyTapis(c)
	case "awx":
		return a.identifyAWX(c)
	}
	if c.Dialect != "oauth2" {
		// ksctl's is that of one refresh token: a saved one says nothing of others.
		if v := a.profile.Value("client_id"); c.Dialect == "ciphertrust" && v.Origin() >= profile.Environment {
			c.ClientID = v.Reveal()
		}
		return nil
	}
	return a.identifyOAuth2(c)
}

// identifyOAuth2 is identify for an oauth2 service.
func (a *app) identifyOAuth2(c *client.Config) error {
	value := func(name string) string { return a.profile.Value(name).Reveal() }
	c.Issuer, c.ClientID = value("issuer"), value("client_id")
	c.ClientKeyID, c.AuthMethod = value("client_key_id"), value("auth_method")
	c.RedirectPort = a.profile.Value("redirect_port").Port()
	var err error
	if c.ClientSecret, err = a.clientSecret(); err == nil && a.proof() == "client_key" {
		c.ClientKey, err = readKey(value("client_key"))
	}
	if err == nil && value("dpop_key") != "" {
		c.ProofKey, err = a.proofKey(value("dpop_key"))
	}
	return err
}

// clientSecret is the application's; the zero Secret when it proves itself in
// another way.
func (a *app) clientSecret() (token.Secret, error) {
	switch name := a.proof(); name {
	case "client_secret_file":
		text, err := inifile.ReadSecretFile(a.profile.Value(name).Reveal())
		return token.NewPassword(text), err
	case "client_secret":
		return token.NewPassword(a.profile.Value(name).Reveal()), nil
	}
	return token.Secret{}, nil
}

// readKey reads a private key, which only its owner may.
func readKey(name string) (crypto.Signer, error) {
	text, err := inifile.ReadSecretFile(name)
	if err != nil {
		return nil, err
	}
	key, err := signing.ParsePrivate([]byte(text))
	if err != nil {
		return nil, &configError{problem: fmt.Sprintf("%s: %v", inifile.ShowName(name), err), cause: err}
	}
	if reason, weak := signing.WeakKey(key.Public()); weak {
		return nil, &configError{problem: fmt.Sprintf("%s: %s", inifile.ShowName(name), reason)}
	}
	return key, nil
}

// proofKey reads the key that tokens are bound to, and makes it where there is
// none.
func (a *app) proofKey(name string) (crypto.Signer, error) {
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		switch err := makeKey(name); {
		case err == nil:
			a.say(levelInfo, "A new key is in %s: tokens bound to it are worth nothing without it.", inifile.ShowName(name))
		case !errors.Is(err, fs.ErrExist): // another process was faster
			return nil, inifile.FileError(name, err)
		}
	}
	return readKey(name)
}

// makeKey makes a file with a new private key on P-256, whole or not at all.
func makeKey(name string) error {
	key, err := signing.Generate("ES256")
	if err != nil {
		return err
	}
	der, err := signing.MarshalPrivate(key)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".ats-auth-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der}), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	// A link, unlike a rename, takes no other's place.
	if err := os.Link(f.Name(), name); err != nil {
		return err
	}
	return session.SyncDir(filepath.Dir(name))
}

// tokenFlag is a token handed in by a flag: itself, - for standard input, or a
// file that holds it.
type tokenFlag struct{ value, file string }

// readToken reads what a tokenFlag names; the zero Secret when it names nothing.
func (a *app) readToken(name string, t tokenFlag) (token.Secret, error) {
	text := t.value
	var err error
	switch {
	case t.value != "" && t.file != "":
		return token.Secret{}, command.Usage("--%s and --%s-file exclude each other", name, name)
	case t.file != "":
		text, err = readTokenFile(under(a.WorkDir, t.file))
	case t.value == "-":
		text, err = a.secretFromStdin("--"+name+" -", "token")
	case t.value != "":
		a.warn("--%s can be seen by other users of this machine; --%s-file and --%s - cannot", name, name, name)
	}
	if text = bare(text); err != nil || text == "" {
		return token.Secret{}, err
	}
	return token.NewSecret(text), nil
}

// readTokenFile reads a token that somebody put there: others must not be able to
// change it. That they can read it is normal for those that are mounted.
func readTokenFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", inifile.FileError(name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", inifile.FileError(name, err)
	}
	if err := inifile.CheckFile(name, info); err != nil {
		return "", err
	}
	text, err := inifile.ReadBounded(f, name, inifile.MaxSecret)
	if err == nil && bare(string(text)) == "" {
		err = &configError{problem: inifile.ShowName(name) + " is empty"}
	}
	return string(text), err
}

// secretFromStdin reads all of standard input, less one newline.
func (a *app) secretFromStdin(flag, what string) (string, error) {
	if a.terminalStdin { // which would show it
		return "", command.Usage("%s is for a pipe or a file", flag)
	}
	text, err := io.ReadAll(io.LimitReader(a.Stdin, inifile.MaxSecret+1))
	if err != nil {
		return "", err
	}
	if len(text) > inifile.MaxSecret {
		return "", &configError{problem: fmt.Sprintf("%s: more than %d bytes", flag, inifile.MaxSecret)}
	}
	secret := inifile.DropNewline(string(text))
	if secret == "" {
		return "", &configError{problem: fmt.Sprintf("%s: no %s on standard input", flag, what)}
	}
	return secret, nil
}

// under completes a file's name given by a flag.
func under(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
