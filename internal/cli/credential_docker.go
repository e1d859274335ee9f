package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
)

// notInKeychain is what docker takes for "ask somebody else", to the letter.
const notInKeychain = "credentials not found in native keychain"

func (a *app) credentialDocker() *cobra.Command {
	c := &cobra.Command{
		Use: "docker get|store|erase|list", Short: "Speak docker's credential helper protocol", Args: cobra.ExactArgs(1),
		Long: `Speak docker's credential helper protocol. The login's user name, with the token
as secret, is given to the registry at the host of the saved login's own service
and to those that credential_host or --host names, and to no other: for any
other the answer is that there is nothing, and exit code 1.

store does nothing; erase forgets the cached access token, not the login. Errors
stand on stdout too, where docker looks for them.`,
		Example:   `  "credHelpers": {"registry.example.org": "ats-auth"}    in ~/.docker/config.json, with docker-credential-ats-auth in PATH`,
		ValidArgs: []string{"get", "store", "erase", "list"},
		RunE:      func(c *cobra.Command, args []string) error { return a.runCredentialDocker(c.Context(), args[0]) },
	}
	a.later(c, func() { a.settingFlags(c.Flags(), "credential_host") })
	return c
}

// errNotInKeychain is told on stdout only.
var errNotInKeychain = errors.New(notInKeychain)

func (a *app) runCredentialDocker(ctx context.Context, action string) error {
	answer, err := a.docker(ctx, action)
	var usage *command.UsageError
	switch {
	case errors.As(err, &usage):
		return err
	case errors.Is(err, errNotInKeychain):
		fmt.Fprintln(a.Stdout, notInKeychain)
		return &reported{exitError}
	case err != nil:
		fmt.Fprintln(a.Stdout, safe(err.Error()))
		return err
	case answer == nil:
		return nil
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.Stdout, string(text))
	return err
}

// dockerAnswer is what get prints.
type dockerAnswer struct {
	ServerURL string
	Username  string
	Secret    string
}

// docker answers one action; nil is no answer.
func (a *app) docker(ctx context.Context, action string) (any, error) {
	if !slices.Contains([]string{"get", "store", "erase", "list"}, action) {
		return nil, command.Usage("%q is not one of get, store, erase, list", safe(action))
	}
	var server string
	if action != "list" {
		text, err := a.question()
		if err != nil || action == "store" {
			return nil, err
		}
		server = strings.TrimSpace(text)
	}
	if err := a.loadForTool(); err != nil {
		return nil, err
	}
	switch action {
	case "get":
		return a.dockerGet(ctx, server)
	case "erase":
		return nil, a.dockerErase(server)
	}
	return a.dockerList()
}

func (a *app) dockerGet(ctx context.Context, server string) (any, error) {
	if server == "" {
		return nil, errors.New("no credentials server URL")
	}
	login, places, err := a.toolLogin()
	switch {
	case err != nil:
		return nil, err
	case !mayHave(places, server):
		return nil, errNotInKeychain
	}
	set, err := a.freshToken(ctx, 0)
	if err == nil {
		err = bearerOnly(set)
	}
	if err != nil {
		return nil, err
	}
	return dockerAnswer{server, toolUser(login, set.AccessToken), set.AccessToken.Reveal()}, nil
}

func (a *app) dockerErase(server string) error {
	if server == "" {
		return errors.New("no credentials server URL")
	}
	login, places, err := a.toolLogin()
	if err == nil && mayHave(places, server) {
		a.forgetIf(login, "")
	}
	return err
}

// dockerList is the user name by registry, without asking anybody.
func (a *app) dockerList() (any, error) {
	login, places, err := a.toolLogin()
	if err != nil {
		return nil, err
	}
	list := map[string]string{}
	if a.saved.err == nil {
		set, _, _ := a.peek(login)
		for _, p := range places {
			list[p.String()] = toolUser(login, set.AccessToken)
		}
	}
	return list, nil
}
