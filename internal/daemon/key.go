package daemon

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) keyCommand() *cobra.Command {
	c := &cobra.Command{Use: "key", Short: "Manage the keys that sign tokens"}
	c.AddCommand(a.keyList(), a.keyRotate(), a.keyExport(), a.keyImport(), a.keyShowSecret())
	return c
}

type keyView struct {
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	State     string `json:"state"`
	Created   string `json:"created_at,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`
}

func (a *app) keyList() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the keys in force, the signing one first",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				keys, err := s.Keys(c.Context())
				if err != nil {
					return err
				}
				views := make([]keyView, len(keys))
				var b strings.Builder
				w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "KID\tALG\tSTATE\tCREATED\tVERIFIES UNTIL")
				for i, k := range keys {
					views[i] = keyView{k.ID, k.Algorithm, k.State, stamp(k.CreatedAt), stamp(k.NotAfter)}
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.ID, k.Algorithm, k.State, orDash(views[i].Created), orDash(views[i].NotAfter))
				}
				w.Flush()
				return a.answer(views, b.String())
			})
		},
	})
}

func (a *app) keyRotate() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "rotate", Short: "Make a new signing key; old tokens stay good until they are over",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.rotate(c, token.Secret{}, "a new key signs; the old ones verify until their last token is over\nclients that verify need the new jwt_secret: ats-auth-server key show-secret")
		},
	})
}

func (a *app) rotate(c *cobra.Command, secret token.Secret, done string) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	if !config.server.JWTSecret.IsZero() {
		return refuse("the secret is given by [tokens] jwt_secret or jwt_secret_file: change it there, or take it out and let the store keep the keys")
	}
	return a.with(c.Context(), func(s *server.Server) error {
		if err := s.RotateKey(c.Context(), secret); err != nil {
			return err
		}
		a.say("%s", done)
		keys, err := s.Keys(c.Context())
		if err != nil {
			return err
		}
		return a.answer(map[string]string{"kid": keys[0].ID}, "")
	})
}

func (a *app) keyImport() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "import FILE|-", Short: "Sign with the shared secret that a file holds", Args: cobra.ExactArgs(1),
		Long: `Sign with the shared secret that a file holds, less one newline at its end. The
old keys verify until their last token is over.`,
		RunE: func(c *cobra.Command, args []string) error {
			var secret string
			var err error
			if args[0] == "-" {
				secret, err = a.secretFromStdin(c.Context())
			} else {
				secret, err = inifile.ReadSecretFile(args[0])
			}
			if err != nil {
				return err
			}
			if reason, weak := weakSecret(token.NewPassword(secret)); weak {
				a.say("warning: the secret is weak: %s", reason)
			}
			return a.rotate(c, token.NewPassword(secret), "the imported key signs; the old ones verify until their last token is over")
		},
	})
}

// jwk is a symmetric key (RFC 7518 section 6.4).
type jwk struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	Key       string `json:"k"`
}

func (a *app) keyExport() *cobra.Command {
	var output string
	c := a.formatFlag(&cobra.Command{
		Use: "export", Short: "Write the keys in force as a JWK set, secrets included",
		Long: `Write the keys in force as a JWK set (RFC 7517), for a verifier. The keys are
shared secrets: whoever has the file can make tokens that such a verifier takes.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if output == "" && a.Interactive(a.Stdout) {
				return command.Usage("key export writes secrets: give --output FILE, or send stdout to where they belong")
			}
			return a.with(c.Context(), func(s *server.Server) error { return a.export(c, s, output) })
		},
	})
	c.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, for its owner only")
	return c
}

func (a *app) export(c *cobra.Command, s *server.Server, output string) error {
	keys, err := s.Keys(c.Context())
	if err != nil {
		return err
	}
	set := map[string][]jwk{"keys": {}}
	for _, k := range keys {
		set["keys"] = append(set["keys"], jwk{"oct", k.ID, k.Algorithm, "sig", base64.RawURLEncoding.EncodeToString([]byte(k.Secret.Reveal()))})
	}
	if output == "" {
		return json.NewEncoder(a.Stdout).Encode(set)
	}
	f, err := os.OpenFile(output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(json.NewEncoder(f).Encode(set), f.Sync(), f.Close()); err != nil {
		return err
	}
	a.say("%s written, for its owner only: it holds the secrets", output)
	return nil
}

func (a *app) keyShowSecret() *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show-secret", Short: "Print the shared secret that verifies tokens, the jwt_secret of clients",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				keys, err := s.Keys(c.Context())
				if err != nil {
					return err
				}
				secret := keys[0].Secret.Reveal()
				return a.answer(map[string]string{"jwt_secret": secret}, secret+"\n")
			})
		},
	})
}
