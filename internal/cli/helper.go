package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// helperMark is set for a helper, so that one that calls ats-auth is found out.
const helperMark = "ATS_AUTH_HELPER_ACTIVE"

// helperGrace is how long a helper's output may stay open after its end.
const helperGrace = 3 * time.Second

// refreshSecret is the refresh token of one saved login in the care of another
// program, a keyring's say. The program is called by the shell with one of the
// words get, store and erase behind what is configured; it learns whose token
// it is from ATS_AUTH_HELPER_PROFILE, _SERVER and _USER. get prints the token, or
// nothing where there is none; store reads it from standard input; each line
// ends with a newline. Any exit code but 0 is a failure.
type refreshSecret struct {
	command string
	env     []string
	stderr  io.Writer
}

// refreshSecret is where a login's refresh token is kept; nil when that is the
// login's own file.
func (a *app) refreshSecret(login session.Login) (*refreshSecret, error) {
	line := a.profile.Value("credential_helper").Reveal()
	if line == "" {
		return nil, nil
	}
	if mark, _ := a.LookupEnv(helperMark); mark != "" {
		return nil, &configError{
			problem: "credential_helper called ats-auth, which would call it again",
			hint:    "env -u ATS_AUTH_CREDENTIAL_HELPER ats-auth …, or a --config without credential_helper",
		}
	}
	server := login.URL
	if server == "" {
		server = login.Issuer
	}
	env := append(a.Environ[:len(a.Environ):len(a.Environ)], helperMark+"=1",
		"ATS_AUTH_HELPER_PROFILE="+a.profile.Name, "ATS_AUTH_HELPER_SERVER="+server, "ATS_AUTH_HELPER_USER="+login.Username)
	return &refreshSecret{command: line, env: env, stderr: a.Stderr}, nil
}

// get returns the refresh token, the zero Secret when there is none.
func (r *refreshSecret) get(ctx context.Context) (token.Secret, error) {
	text, err := r.run(ctx, "get", "")
	text = inifile.DropNewline(text)
	if err != nil || text == "" {
		return token.Secret{}, err
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return token.Secret{}, &stateError{problem: "credential_helper get: printed something that is no refresh token"}
	}
	return token.NewSecret(text), nil
}

// store keeps a refresh token in the place of the last.
func (r *refreshSecret) store(ctx context.Context, refresh token.Secret) error {
	_, err := r.run(ctx, "store", refresh.Reveal()+"\n")
	return err
}

// erase forgets it.
func (r *refreshSecret) erase(ctx context.Context) error {
	_, err := r.run(ctx, "erase", "")
	return err
}

// run calls the program. No error quotes what it printed.
func (r *refreshSecret) run(ctx context.Context, action, stdin string) (string, error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	out := helperOutput{stop: stop}
	child := helperShell(running, r.command, action)
	child.Env, child.Stdout, child.Stderr, child.WaitDelay = r.env, &out, r.stderr, helperGrace
	child.Stdin = strings.NewReader(stdin)
	err := child.Run()
	switch {
	case out.full:
		return "", helperFailure(action, fmt.Errorf("printed more than %d bytes", inifile.MaxSecret))
	case ctx.Err() != nil:
		return "", fmt.Errorf("credential_helper %s: %w", action, ctx.Err())
	case err != nil:
		return "", helperFailure(action, err)
	}
	return out.held.String(), nil
}

// helperOutput takes as much as a secret may hold, and then stops the helper.
type helperOutput struct {
	// Not embedded: io.Copy would find its ReadFrom and pass Write by.
	held bytes.Buffer
	stop func()
	full bool
}

// Write fails when there is no room any more.
func (o *helperOutput) Write(p []byte) (int, error) {
	if o.held.Len()+len(p) > inifile.MaxSecret {
		o.full = true
		o.stop()
		return 0, errors.New("too much output")
	}
	return o.held.Write(p)
}

// helperFailure is exit code 10: the helper keeps what a server gave.
func helperFailure(action string, err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &stateError{problem: fmt.Sprintf("credential_helper %s: ended with %s", action, exit), cause: err}
	}
	return &stateError{problem: fmt.Sprintf("credential_helper %s: %v", action, err), cause: err}
}
