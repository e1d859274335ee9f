package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// The exit codes of a command that could not be run, as shells have them.
const (
	exitCannotRun = 126
	exitNoCommand = 127
)

type execFlags struct {
	minTTL time.Duration
	revoke bool
}

func (a *app) execCommand() *cobra.Command {
	var flags execFlags
	c := &cobra.Command{
		Use: "exec [flags] -- COMMAND [ARGUMENT...]", Short: "Run a command with a token that stays fresh", Args: cobra.MinimumNArgs(1),
		DisableFlagsInUseLine: true,
		Long: `Run a command with an access token of the saved login. It finds the token in
ATS_AUTH_TOKEN, which is as old as the command, and in the file that
BEARER_TOKEN_FILE names, which is renewed in good time for as long as the command
runs. Nobody else can read the file, and it is gone afterwards. It is gone at once
when the login ends meanwhile, or its token expires and cannot be renewed; a line
on stderr says so, and the command goes on.

Standard input, output and error are the command's own. Signals are passed on,
and the exit code is the command's: 128 and the signal's number for one that was
killed, 126 for one that cannot be run, 127 for one that is not found. Other
codes of ats-auth come before the command has begun.

In the awx dialect the command also finds the token in CONTROLLER_OAUTH_TOKEN and the
server in CONTROLLER_HOST, as the awx command has them.

--revoke-on-exit revokes what the command was given. Some services end the login
with its token, this project's own among them: what is saved is worth nothing
then.`,
		Example: `  ats-auth exec -- sh -c 'curl -H "Authorization: Bearer $(cat "$BEARER_TOKEN_FILE")" https://api.example.org/'
  ats-auth exec --min-ttl 10m -- ansible-playbook site.yml`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkMinTTL(c, flags.minTTL); err != nil {
				return err
			}
			return a.runExec(c.Context(), flags, args)
		},
	}
	// What stands behind the command's name is the command's.
	c.Flags().SetInterspersed(false)
	c.Flags().DurationVar(&flags.minTTL, "min-ttl", 0, "renew the token when it has less life left than that, 5m say")
	c.Flags().BoolVar(&flags.revoke, "revoke-on-exit", false, "revoke the token when the command has ended")
	return c
}

// checkMinTTL refuses a --min-ttl that demands nothing.
func checkMinTTL(c *cobra.Command, least time.Duration) error {
	if c.Flags().Changed("min-ttl") && least <= 0 {
		return command.Usage("--min-ttl is a time above 0, 5m say")
	}
	return nil
}

// runExec finds the command before it asks for a token.
func (a *app) runExec(ctx context.Context, flags execFlags, args []string) error {
	program, err := lookUp(args[0])
	if err != nil {
		return a.cannotRun(args[0], err)
	}
	if err := a.load(); err != nil {
		return err
	}
	k, err := a.newKeeper(ctx, flags.minTTL)
	if err != nil {
		return err
	}
	// From here on signals are the child's: we stay as long as it does, and then
	// clear up.
	caught := catchSignals()
	defer caught.stop()
	if err := a.openTokenFile(k); err != nil {
		return err
	}
	defer k.file.Close()
	child := &exec.Cmd{
		Path: program, Args: args, Env: a.childEnvironment(k),
		Stdin: a.ownStdin(), Stdout: a.Stdout, Stderr: a.Stderr,
	}
	err = a.attend(ctx, child, caught, k)
	if flags.revoke {
		a.revokeGiven(k)
	}
	return err
}

// lookUp finds a program as a shell does: by PATH, the current directory too
// where PATH has it.
func lookUp(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, exec.ErrNotFound) && filepath.Base(name) == name && forbidden(name):
		return "", fs.ErrPermission
	}
	return path, err
}

// forbidden reports whether a directory of PATH has a file of that name, which
// then cannot be run.
func forbidden(name string) bool {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}

// cannotRun is the end of a command that has not begun.
func (a *app) cannotRun(name string, err error) error {
	code, reason := exitCannotRun, err
	var path *fs.PathError
	var of *exec.Error
	switch {
	case errors.As(err, &path):
		reason = path.Err
	case errors.As(err, &of):
		reason = of.Err
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNoCommand
		if filepath.Base(name) == name {
			reason = errors.New("command not found")
		}
	}
	a.say(levelError, "ats-auth: %s: %v", safe(name), reason)
	return &reported{code}
}

// childEnvironment is ours with the token in it.
func (a *app) childEnvironment(k *keeper) []string {
	ours := map[string]string{"ATS_AUTH_TOKEN": k.set.AccessToken.Reveal(), "BEARER_TOKEN_FILE": k.file.Path()}
	if a.dialect() == "ciphertrust" {
		ours["KSCTL_JWT"] = k.set.AccessToken.Reveal()
	}
	if a.dialect() == "awx" {
		ours["CONTROLLER_OAUTH_TOKEN"], ours["CONTROLLER_HOST"] = k.set.AccessToken.Reveal(), a.controllerHost()
	}
	var env []string
	for _, pair := range a.Environ {
		name, _, _ := strings.Cut(pair, "=")
		if _, own := ours[name]; !own {
			env = append(env, pair)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		env = append(env, name+"="+ours[name])
	}
	return env
}

// ownStdin is standard input as we were given it, so that the child can have
// the descriptor itself.
func (a *app) ownStdin() io.Reader {
	if wrapped, ok := a.Stdin.(*interruptible); ok {
		return wrapped.from
	}
	return a.Stdin
}

// attend runs the child and keeps its token fresh until it ends.
func (a *app) attend(ctx context.Context, child *exec.Cmd, caught signals, k *keeper) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.attends.Store(true)
	if err := child.Start(); err != nil {
		return a.cannotRun(child.Args[0], err)
	}
	keeping, end := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		k.keep(keeping)
	}()
	go caught.pass(keeping, child.Process)
	err := child.Wait()
	end()
	<-kept
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return err
	}
	if code := endOf(child.ProcessState); code != 0 {
		return &reported{code}
	}
	return nil
}

// revokeGiven revokes what the child was given and what still lives of it. Its
// exit code stays the child's.
func (a *app) revokeGiven(k *keeper) {
	ctx, cancel := context.WithTimeout(context.Background(), a.profile.Value("timeout").Duration())
	defer cancel()
	service, err := a.newClient()
	if err == nil {
		err = k.revoke(ctx, func(ctx context.Context, raw token.Secret) error { return a.revokeToken(ctx, service, raw) })
	}
	if err == nil {
		err = a.forgetToken()
	}
	if err != nil {
		a.say(levelError, "ats-auth: the token is not revoked: %s", safe(err.Error()))
		return
	}
	a.tell(levelInfo, "Token revoked.")
}

// newKeeper fetches the first token.
func (a *app) newKeeper(ctx context.Context, least time.Duration) (*keeper, error) {
	k := &keeper{
		least: least, now: a.Now, poll: keeperPoll, fresh: a.freshToken, login: a.loginIdentity,
		tell: func(format string, args ...any) { a.say(levelError, "ats-auth: "+format, args...) },
	}
	var err error
	if k.set, err = a.freshToken(ctx, least); err == nil {
		k.whose, err = a.loginIdentity()
	}
	return k, err
}

// openTokenFile puts the token into a file, in memory where there is a place
// for that.
func (a *app) openTokenFile(k *keeper) error {
	runtime, _ := a.LookupEnv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(runtime) { // the specification has a relative one ignored
		runtime = ""
	}
	var err error
	if k.file, err = session.NewTokenFile(runtime); err != nil {
		return err
	}
	if err := k.give(); err != nil {
		return errors.Join(err, k.file.Close())
	}
	return nil
}

// loginIdentity is whose the saved login is, as it stands on the disk: ErrNoLogin
// where there is none any more, token.ErrExpired where it is over.
func (a *app) loginIdentity() (string, error) {
	login, err := a.loginNow()
	if err != nil {
		return "", err
	}
	if end := login.ExpiresAt; !end.IsZero() && !end.After(a.Now()) {
		return "", token.Refuse(token.ErrExpired, "it has expired")
	}
	return strings.Join([]string{login.Dialect, login.URL, login.Issuer, login.Username}, "\n"), nil
}

// loginNow reads the saved login anew.
func (a *app) loginNow() (session.Login, error) {
	return a.sessionFile(a.profile.LoginFile).Read()
}

// forgetToken drops the saved login's token from the cache.
func (a *app) forgetToken() error {
	login, err := a.loginNow()
	if errors.Is(err, session.ErrNoLogin) {
		return nil
	}
	if err == nil {
		a.forget(login)
	}
	return err
}
