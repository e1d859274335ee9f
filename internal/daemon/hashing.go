package daemon

import (
	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/pkg/server"
)

const hashPasswords = "hash"

// hashing is the command in whose processes a server hashes passwords: none, where the
// program does not know its own file.
func (a *app) hashing() []string {
	if a.Program == "" {
		return nil
	}
	return []string{a.Program, hashPasswords}
}

// hashCommand is for serve, and not for people.
func (a *app) hashCommand() *cobra.Command {
	return &cobra.Command{
		Use: hashPasswords, Short: "Hash passwords for a server that runs", Hidden: true,
		RunE: func(*cobra.Command, []string) error { return server.HashPasswords(a.Stdin, a.Stdout) },
	}
}
