package daemon

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (a *app) keyImport() *cobra.Command {
	var f rotationFlags
	return f.add(a.formatFlag(&cobra.Command{
		Use: "import FILE|-", Short: "Sign with the key that a file holds", Args: cobra.ExactArgs(1),
		Long: `Sign with the key that a file holds: at the ats door a shared secret, less one
newline at its end; at the oauth2 and tapis doors a private key, PEM (PKCS #1,
PKCS #8 or SEC 1, also on one line, with blanks or \n where the line ends were) or
a JWK.` + rotationHelp,
		Example: "  ats-auth-server key import --tenant dev private.key",
		RunE: func(c *cobra.Command, args []string) error {
			place, err := a.rotation(f)
			if err != nil {
				return err
			}
			text, err := a.readKey(c.Context(), args[0])
			if err != nil {
				return err
			}
			r := server.Rotation{Algorithm: f.algorithm, Now: f.now}
			if place.door != shared {
				return a.importPrivate(c.Context(), place, r, args[0], token.NewSecret(text))
			}
			r.Secret = token.NewPassword(text)
			if reason, weak := weakSecret(r.Secret); weak {
				a.say("warning: the secret is weak: %s", reason)
			}
			return notPEM(args[0], a.rotate(c.Context(), place, r))
		},
	}))
}

// notPEM tells what a key pair was meant for where a secret is asked for.
func notPEM(file string, err error) error {
	if !errors.Is(err, server.ErrPEM) {
		return err
	}
	return &command.UsageError{Problem: inifile.ShowName(file) + ": " + err.Error(), Hint: "--tenant NAME, or --door oauth2"}
}

func (a *app) readKey(ctx context.Context, name string) (string, error) {
	if name == "-" {
		return a.secretFromStdin(ctx)
	}
	return inifile.ReadSecretFile(name)
}

func (a *app) importPrivate(ctx context.Context, place keyPlace, r server.Rotation, file string, text token.Secret) error {
	var err error
	if r.Private, err = server.ParsePrivateKey(text); err != nil {
		return fmt.Errorf("%s: %w", inifile.ShowName(file), err)
	}
	if err := a.judgeKey(ctx, place, r.Private.Public()); err != nil {
		return fmt.Errorf("%s: %w", inifile.ShowName(file), err)
	}
	return a.rotate(ctx, place, r)
}

// judgeKey refuses a weak key where nobody has allowed it, and warns of it where
// somebody has.
func (a *app) judgeKey(ctx context.Context, place keyPlace, public crypto.PublicKey) error {
	reason, weak := signing.WeakKey(public)
	if !weak {
		return nil
	}
	if place.door != tapis {
		return errors.New(reason)
	}
	config, err := a.load()
	if err != nil {
		return err
	}
	return a.with(ctx, func(s *server.Server) error {
		t, err := s.Tenant(ctx, place.tenant)
		if err != nil {
			return err
		}
		if !t.WeakKeys && !config.server.AllowWeakKeys {
			return fmt.Errorf("%s: ats-auth-server tenant set %s --allow-weak-key allows it, or [tokens] allow_weak_key = true", reason, place.tenant)
		}
		a.say("warning: %s: it can be broken", reason)
		return nil
	})
}

// exportFlags say what is written of the keys, and where.
type exportFlags struct {
	keyPlace
	form    string
	oneLine bool
	output  string
}

// check completes the flags and refuses those that cannot be meant together.
func (f exportFlags) check() (exportFlags, error) {
	if f.form == "" {
		f.form = "jwks"
		if f.door == tapis {
			f.form = "pem"
		}
	}
	switch {
	case f.form != "jwks" && f.form != "pem" && f.form != "pkcs1":
		return f, command.Usage("form %q is not one of pem, pkcs1, jwks", f.form)
	case f.form != "jwks" && f.door == shared:
		return f, command.Usage("the keys of the %s door are shared secrets: they have no form but jwks", f.door)
	case f.form == "jwks" && f.oneLine:
		return f, command.Usage("--one-line is for the forms pem and pkcs1")
	}
	return f, nil
}

func (a *app) keyExport() *cobra.Command {
	var f exportFlags
	c := f.add(a.formatFlag(&cobra.Command{
		Use: "export", Short: "Write what verifies tokens: public keys, or shared secrets",
		Long: `Write the keys in force as a JWK set (RFC 7517), for a verifier. Those of the
ats door are shared secrets: whoever has the file can make tokens that such a
verifier takes. All others are public keys.

With --form pem it is the key alone that signs, as "BEGIN PUBLIC KEY", which is
what the tapis door writes by default; with --form pkcs1 as "BEGIN RSA PUBLIC
KEY". --one-line is for configuration files: the two characters \n stand where the
lines end.`,
		Example: "  ats-auth-server key export --tenant dev --form pkcs1 --one-line",
		RunE: func(c *cobra.Command, _ []string) error {
			f := f
			var err error
			if f.keyPlace, err = a.place(f.keyPlace); err != nil {
				return err
			}
			if f, err = f.check(); err != nil {
				return err
			}
			if f.door == shared && f.output == "" && a.Interactive(a.Stdout) {
				return command.Usage("key export writes secrets: give --output FILE, or send stdout to where they belong")
			}
			return a.inTenant(c.Context(), f.tenant, func(s *server.Server) error { return a.export(c.Context(), s, f) })
		},
	}))
	c.Flags().StringVar(&f.form, "form", "", "write the `FORM` pem, pkcs1 or jwks; default: jwks, at the tapis door pem")
	c.Flags().BoolVar(&f.oneLine, "one-line", false, `write a PEM on one line, \n in the place of its line ends`)
	c.Flags().StringVarP(&f.output, "output", "o", "", "write to `FILE`, that of the ats door for its owner only")
	return c
}

func (a *app) export(ctx context.Context, s *server.Server, f exportFlags) error {
	text, err := a.exported(ctx, s, f)
	if err != nil {
		return err
	}
	if f.output == "" {
		_, err := io.WriteString(a.Stdout, text)
		return err
	}
	mode, done := os.FileMode(0o644), "%s written: public keys"
	switch {
	case f.door == shared:
		mode, done = 0o600, "%s written, for its owner only: it holds the secrets"
	case f.form != "jwks":
		done = "%s written: the public key"
	}
	file, err := os.OpenFile(f.output, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.WriteString(file, text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	a.say(done, f.output)
	return nil
}

// exported is what is written.
func (a *app) exported(ctx context.Context, s *server.Server, f exportFlags) (string, error) {
	keys, err := s.Keys(ctx, f.door, f.tenant)
	switch {
	case err != nil:
		return "", err
	case f.door == shared:
		return secretSet(keys)
	case f.form == "jwks":
		text, err := s.PublicKeys(ctx, f.door, f.tenant)
		return string(text) + "\n", err
	}
	return a.publicText(signer(keys, time.Now()), f)
}

// publicText is one public key as PEM, or with -f json as a member of an object.
func (a *app) publicText(k server.Key, f exportFlags) (string, error) {
	if k.Public == nil {
		return "", fmt.Errorf("the door %q has no public keys", f.door)
	}
	encode := signing.PublicPEM
	if f.form == "pkcs1" {
		encode = signing.PublicPKCS1PEM
	}
	text, err := encode(k.Public)
	if err != nil {
		return "", fmt.Errorf("key %s: %w", k.ID, err)
	}
	if f.oneLine {
		text = signing.OneLine(text)
	}
	if a.format == "json" {
		object, err := json.Marshal(map[string]string{"kid": k.ID, "alg": k.Algorithm, "public_key": text})
		return string(object) + "\n", err
	}
	if f.oneLine {
		text += "\n"
	}
	return text, nil
}

// jwk is a symmetric key (RFC 7518 section 6.4).
type jwk struct {
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	Key       string `json:"k"`
}

// secretSet is the JWK set of shared secrets.
func secretSet(keys []server.Key) (string, error) {
	set := map[string][]jwk{"keys": {}}
	for _, k := range keys {
		set["keys"] = append(set["keys"], jwk{"oct", k.ID, k.Algorithm, "sig", base64.RawURLEncoding.EncodeToString([]byte(k.Secret.Reveal()))})
	}
	text, err := json.Marshal(set)
	return string(text) + "\n", err
}
