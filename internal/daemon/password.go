package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// passwordFlags are the ways to give a new password, none of them an argument.
type passwordFlags struct {
	stdin    bool
	file     string
	generate bool
}

func (p *passwordFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&p.stdin, "password-stdin", false, "read the password from standard input")
	c.Flags().StringVar(&p.file, "password-file", "", "read the password from `FILE`")
	c.Flags().BoolVar(&p.generate, "generate", false, "make a password and print it on stdout")
}

// check refuses two ways at once.
func (p *passwordFlags) check() error {
	if p.stdin && p.file != "" || p.generate && (p.stdin || p.file != "") {
		return command.Usage("of --password-stdin, --password-file and --generate only one can be meant")
	}
	return nil
}

// readPassword returns the new password of "user marco", say, from the terminal
// where nothing else is said.
func (a *app) readPassword(ctx context.Context, p passwordFlags, whose string) (token.Secret, error) {
	var text string
	var err error
	switch {
	case p.generate:
		text = strings.ToLower(rand.Text())
	case p.stdin:
		text, err = a.secretFromStdin(ctx)
	case p.file != "":
		text, err = inifile.ReadSecretFile(p.file)
	default:
		text, err = a.askPassword(ctx, whose)
	}
	return token.NewPassword(text), err
}

// passwordOnce is readPassword for what is done twice.
func (a *app) passwordOnce(ctx context.Context, p passwordFlags, whose string) func() (token.Secret, error) {
	return sync.OnceValues(func() (token.Secret, error) { return a.readPassword(ctx, p, whose) })
}

// secretFromStdin reads all of standard input, less one newline, or until ctx
// ends: SIGINT does not interrupt a read by itself.
func (a *app) secretFromStdin(ctx context.Context) (string, error) {
	type result struct {
		text []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		text, err := inifile.ReadBounded(a.Stdin, "standard input", inifile.MaxSecret)
		read <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-read:
		secret := inifile.DropNewline(string(r.text))
		if r.err == nil && secret == "" {
			return "", command.Usage("nothing came on standard input")
		}
		return secret, r.err
	}
}

func (a *app) askPassword(ctx context.Context, whose string) (string, error) {
	first, err := a.ReadPassword(ctx, fmt.Sprintf("New password for %s: ", whose))
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", &command.UsageError{
			Problem: fmt.Sprintf("no password: give --password-stdin, --password-file or --generate (%v)", err),
		}
	}
	if first == "" {
		return "", errors.New("the password is empty; nothing was changed")
	}
	again, err := a.ReadPassword(ctx, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

// answerGenerated prints a password that was made, the only time.
func (a *app) answerGenerated(p passwordFlags, name string, password token.Secret) error {
	object := map[string]string{"name": name}
	table := ""
	if p.generate {
		a.say("the password is shown this once: keep it")
		object["password"] = password.Reveal()
		table = password.Reveal() + "\n"
	}
	return a.answer(object, table)
}
