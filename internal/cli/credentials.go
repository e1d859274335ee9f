package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/pflag"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/terminal"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// credentialFlags are the ways to say who is asking.
func (a *app) credentialFlags(f *pflag.FlagSet) {
	a.settingFlags(f, "username", "password", "password_file", "password_command", "backend")
	f.BoolVar(&a.flags.passwordStdin, "password-stdin", false, "read the password from standard input")
}

// username is who logs in; instead is who else it may be.
func (a *app) username(instead string) (string, error) {
	name := a.profile.Value("username").Reveal()
	if name == "" {
		name = instead
	}
	if name == "" {
		return "", &configError{
			problem: "username is mandatory: give --username, ATS_AUTH_USERNAME, OS_USERNAME, or user in the [session] of ats-auth-client.ini",
		}
	}
	return name, nil
}

// password finds the password: --password-stdin, --password-file, --password,
// the environment, password_command, then the terminal.
func (a *app) password(ctx context.Context, username string) (token.Secret, error) {
	text, err := a.givenPassword(ctx)
	if err == nil && text == "" {
		text, err = a.askPassword(ctx, username)
	}
	if err != nil {
		return token.Secret{}, err
	}
	return token.NewPassword(text), nil
}

// givenPassword is the password from where nobody need be asked; empty when
// there is none.
func (a *app) givenPassword(ctx context.Context) (string, error) {
	if a.flags.passwordStdin {
		return a.passwordFromStdin()
	}
	name := a.profile.Strongest("password_file", "password", "password_command")
	if name == "" {
		return "", nil
	}
	value := a.profile.Value(name)
	switch name {
	case "password_file":
		return inifile.ReadSecretFile(value.Reveal())
	case "password_command":
		return profile.RunPasswordCommand(ctx, value.Reveal(), a.Environ, a.Stderr)
	}
	if value.Origin() == profile.Flag {
		a.warn("--password can be seen by other users of this machine; --password-stdin and --password-file cannot")
	}
	return value.Reveal(), nil
}

// passwordFromStdin reads all of standard input, less one newline.
func (a *app) passwordFromStdin() (string, error) {
	if a.terminalStdin {
		return "", command.Usage("--password-stdin is for a pipe or a file; without it the password is asked for")
	}
	return a.secretFromStdin("--password-stdin", "password")
}

func (a *app) askPassword(ctx context.Context, username string) (string, error) {
	password, err := a.ReadPassword(ctx, "Password for user "+safe(username)+": ")
	if errors.Is(err, terminal.ErrNoTerminal) {
		return "", &configError{
			problem: "no password, and no terminal to ask on: give --password-stdin, --password-file, ATS_AUTH_PASSWORD, OS_PASSWORD or password_command",
			hint:    "ats-auth help environment", cause: err,
		}
	}
	if errors.Is(err, io.EOF) || err == nil && password == "" {
		return "", &configError{problem: "no password was given"}
	}
	return password, err
}
