package daemon

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

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

// shared is the door whose keys are shared secrets.
const shared = "ats"

// doorFlag is the door whose keys a command is about.
func doorFlag(c *cobra.Command, door *string, fallback string) *cobra.Command {
	usage := "the `DOOR` whose tokens the key signs: ats or oauth2"
	if fallback == "" {
		usage += "; default: all that are open"
	}
	c.Flags().StringVar(door, "door", fallback, usage)
	return c
}

type keyView struct {
	Door      string `json:"door"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	State     string `json:"state"`
	Created   string `json:"created_at,omitempty"`
	NotBefore string `json:"not_before,omitempty"`
	NotAfter  string `json:"not_after,omitempty"`
}

func viewKey(k server.Key) keyView {
	return keyView{k.Door, k.ID, k.Algorithm, k.State, stamp(k.CreatedAt), stamp(k.NotBefore), stamp(k.NotAfter)}
}

func keyTable(views []keyView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DOOR\tKID\tALG\tSTATE\tCREATED\tSIGNS FROM\tVERIFIES UNTIL")
	for _, v := range views {
		fmt.Fprintln(w, strings.Join([]string{v.Door, v.ID, v.Algorithm, v.State, orDash(v.Created), orDash(v.NotBefore), orDash(v.NotAfter)}, "\t"))
	}
	w.Flush()
	return b.String()
}

func (a *app) keyList() *cobra.Command {
	var door string
	return doorFlag(a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the keys in force or to come, of each door the signing one first",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				doors := s.Doors()
				if door != "" {
					doors = []string{door}
				}
				views := []keyView{}
				for _, d := range doors {
					keys, err := s.Keys(c.Context(), d)
					if err != nil {
						return err
					}
					for _, k := range keys {
						views = append(views, viewKey(k))
					}
				}
				return a.answer(views, keyTable(views))
			})
		},
	}), &door, "")
}

// rotationFlags say how a new key comes into force.
type rotationFlags struct {
	door      string
	algorithm string
	now       bool
}

func (f *rotationFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.algorithm, "alg", "", "`ALGORITHM` of the key: ES256, ES384, ES512, EdDSA, RS256 to RS512, PS256 to PS512; HS256 at ats")
	c.Flags().BoolVar(&f.now, "now", false, "sign with it at once, without having published it before: when the old key is known to others")
	return doorFlag(c, &f.door, shared)
}

const rotationHelp = ` The old
keys verify until their last token is over. A public key is published for 10
minutes before it signs, since verifiers keep the JWK set for a while; with
--now it signs at once. A shared secret always does.`

func (a *app) keyRotate() *cobra.Command {
	var f rotationFlags
	return f.add(a.formatFlag(&cobra.Command{
		Use: "rotate", Short: "Make a new signing key; old tokens stay good until they are over",
		Long: "Make a new signing key." + rotationHelp,
		RunE: func(c *cobra.Command, _ []string) error {
			r := server.Rotation{Algorithm: f.algorithm, Now: f.now}
			if err := a.rotate(c.Context(), f.door, r, "a new key"); err != nil {
				return err
			}
			if f.door == shared {
				a.say("clients that verify need the new jwt_secret: ats-auth-server key show-secret")
			}
			return nil
		},
	}))
}

func (a *app) rotate(ctx context.Context, door string, r server.Rotation, what string) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	if door == shared && !config.server.JWTSecret.IsZero() {
		return refuse("the secret is given by [tokens] jwt_secret or jwt_secret_file: change it there, or take it out and let the store keep the keys")
	}
	return a.with(ctx, func(s *server.Server) error {
		if err := s.RotateKey(ctx, door, r); err != nil {
			return err
		}
		keys, err := s.Keys(ctx, door)
		if err != nil {
			return err
		}
		made := slices.MaxFunc(keys, func(a, b server.Key) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
		answer := map[string]string{"kid": made.ID}
		if delay := time.Duration(made.NotBefore-made.CreatedAt) * time.Microsecond; delay > time.Second {
			answer["not_before"] = stamp(made.NotBefore)
			a.say("%s is published; it signs from %s on, in %s", what, stamp(made.NotBefore), minutes(delay))
		} else {
			a.say("%s signs; the old ones verify until their last token is over", what)
		}
		return a.answer(answer, "")
	})
}

func minutes(d time.Duration) string {
	return fmt.Sprintf("%d minutes", int(d.Round(time.Minute).Minutes()))
}

func (a *app) keyImport() *cobra.Command {
	var f rotationFlags
	return f.add(a.formatFlag(&cobra.Command{
		Use: "import FILE|-", Short: "Sign with the key that a file holds", Args: cobra.ExactArgs(1),
		Long: `Sign with the key that a file holds: at the ats door a shared secret, less one
newline at its end; at the oauth2 door a private key, PEM or a JWK.` + rotationHelp,
		RunE: func(c *cobra.Command, args []string) error {
			text, err := a.readKey(c.Context(), args[0])
			if err != nil {
				return err
			}
			r := server.Rotation{Algorithm: f.algorithm, Now: f.now}
			if f.door != shared {
				if r.Private, err = server.ParsePrivateKey(token.NewSecret(text)); err != nil {
					return fmt.Errorf("%s: %w", inifile.ShowName(args[0]), err)
				}
				return a.rotate(c.Context(), f.door, r, "the imported key")
			}
			r.Secret = token.NewPassword(text)
			if reason, weak := weakSecret(r.Secret); weak {
				a.say("warning: the secret is weak: %s", reason)
			}
			return a.rotate(c.Context(), f.door, r, "the imported key")
		},
	}))
}

func (a *app) readKey(ctx context.Context, name string) (string, error) {
	if name == "-" {
		return a.secretFromStdin(ctx)
	}
	return inifile.ReadSecretFile(name)
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
	var output, door string
	c := doorFlag(a.formatFlag(&cobra.Command{
		Use: "export", Short: "Write the keys in force as a JWK set, those of the ats door with their secrets",
		Long: `Write the keys in force as a JWK set (RFC 7517), for a verifier. Those of the
ats door are shared secrets: whoever has the file can make tokens that such a
verifier takes. Those of the oauth2 door are public keys.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if door == shared && output == "" && a.Interactive(a.Stdout) {
				return command.Usage("key export writes secrets: give --output FILE, or send stdout to where they belong")
			}
			return a.with(c.Context(), func(s *server.Server) error { return a.export(c.Context(), s, door, output) })
		},
	}), &door, shared)
	c.Flags().StringVarP(&output, "output", "o", "", "write to `FILE`, that of the ats door for its owner only")
	return c
}

func (a *app) export(ctx context.Context, s *server.Server, door, output string) error {
	set, mode, done := publicSet, os.FileMode(0o644), "%s written: public keys"
	if door == shared {
		set, mode, done = secretSet, 0o600, "%s written, for its owner only: it holds the secrets"
	}
	text, err := set(ctx, s, door)
	if err != nil {
		return err
	}
	if output == "" {
		_, err := a.Stdout.Write(text)
		return err
	}
	f, err := os.OpenFile(output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	a.say(done, output)
	return nil
}

func publicSet(ctx context.Context, s *server.Server, door string) ([]byte, error) {
	text, err := s.PublicKeys(ctx, door)
	return append(text, '\n'), err
}

// secretSet is the JWK set of shared secrets.
func secretSet(ctx context.Context, s *server.Server, door string) ([]byte, error) {
	keys, err := s.Keys(ctx, door)
	if err != nil {
		return nil, err
	}
	set := map[string][]jwk{"keys": {}}
	for _, k := range keys {
		set["keys"] = append(set["keys"], jwk{"oct", k.ID, k.Algorithm, "sig", base64.RawURLEncoding.EncodeToString([]byte(k.Secret.Reveal()))})
	}
	text, err := json.Marshal(set)
	return append(text, '\n'), err
}

func (a *app) keyShowSecret() *cobra.Command {
	var door string
	return doorFlag(a.formatFlag(&cobra.Command{
		Use: "show-secret", Short: "Print the shared secret that verifies tokens, the jwt_secret of clients",
		RunE: func(c *cobra.Command, _ []string) error {
			if door != shared {
				return command.Usage("the %s door has no shared secret: key export --door %s writes its public keys", door, door)
			}
			return a.with(c.Context(), func(s *server.Server) error {
				keys, err := s.Keys(c.Context(), door)
				if err != nil {
					return err
				}
				secret := keys[0].Secret.Reveal()
				return a.answer(map[string]string{"jwt_secret": secret}, secret+"\n")
			})
		},
	}), &door, shared)
}
