package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// judge is a verifier with what must be let go afterwards.
type judge struct {
	*strict
	source  *verifier.Source // nil: the keys stand in memory
	tenants *tenantKeys      // in the place of the Verifier, where each tenant has its own
}

// Verify judges a token.
func (j *judge) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	if j.tenants != nil {
		return j.tenants.verify(ctx, raw)
	}
	return j.strict.Verify(ctx, raw)
}

// strict is a verifier that says so when a key has signed a token that is too weak
// to be believed, and not that the token is forged.
type strict struct {
	*verifier.Verifier
	loose *verifier.Verifier // that believes weak keys
}

const allowWeak = "--allow-weak-key takes it"

func newStrict(config verifier.Config) (*strict, error) {
	v, err := verifier.New(config)
	config.AllowWeakKeys = true
	loose, other := verifier.New(config)
	switch {
	case err != nil && other == nil:
		return nil, &configError{problem: err.Error(), hint: allowWeak, cause: err}
	case err != nil:
		return nil, &configError{problem: err.Error(), cause: err}
	}
	return &strict{v, loose}, nil
}

// Verify judges a token.
func (s *strict) Verify(ctx context.Context, raw string) (*token.Claims, error) {
	claims, err := s.Verifier.Verify(ctx, raw)
	weakness := ""
	if errors.Is(err, token.ErrSignature) {
		weakness = s.weakness(ctx)
	}
	if weakness == "" {
		return claims, err
	}
	if _, other := s.loose.Verify(ctx, raw); errors.Is(other, token.ErrSignature) || errors.Is(other, token.ErrUnavailable) {
		return nil, err
	}
	return nil, &hinted{token.Refuse(token.ErrSignature, "the key that may have signed it is weak: %s", weakness), allowWeak}
}

// weakness is what is weak about the first weak key; empty where all are strong.
func (s *strict) weakness(ctx context.Context) string {
	for _, w := range s.Warnings(ctx) {
		// Of a secret it is said too, which is believed all the same.
		if key, reason, weak := strings.Cut(w, " is weak: "); weak && !strings.HasSuffix(key, ": the secret") {
			return reason
		}
	}
	return ""
}

func (j *judge) close() {
	if j != nil && j.source != nil {
		j.source.Close()
	}
}

// pemBegin stands in every PEM, and in no name of a file.
const pemBegin = "-----BEGIN "

// keyFlags say which keys verify.
func (a *app) keyFlags(f *pflag.FlagSet) {
	a.settingFlags(f, "jwt_secret_file", "jwks_url", "issuer", "audience")
	f.StringVar(&a.flags.algorithm, "alg", "", "accept this `ALGORITHM` only (default: HS256 for a secret, else what the key is for)")
	f.BoolVar(&a.flags.allowWeakKey, "allow-weak-key", false, "accept RSA keys of less than 2048 bits")
}

// newJudge makes the verifier of the configured keys; nil when there is none.
// Where none are configured they are those that publisher, an issuer, publishes,
// if it is named.
func (a *app) newJudge(publisher string, adjust func(*verifier.Config)) (*judge, error) {
	config := a.verifierConfig()
	source, err := a.keys(&config, publisher)
	if err != nil || source == nil && config.Keys == nil {
		return nil, err
	}
	adjust(&config)
	v, err := newStrict(config)
	if err != nil {
		return nil, err
	}
	return &judge{strict: v, source: source}, nil
}

// verifierConfig is what is demanded of tokens, whatever the keys.
func (a *app) verifierConfig() verifier.Config {
	config := verifier.Config{
		Issuer: a.profile.Value("issuer").Reveal(), Audience: a.profile.Value("audience").Reveal(), Now: a.Now,
		AllowWeakKeys: a.flags.allowWeakKey,
	}
	if a.flags.algorithm != "" {
		config.Algorithms = []string{a.flags.algorithm}
	}
	return config
}

// keys puts the configured keys into a verifier's configuration.
func (a *app) keys(config *verifier.Config, publisher string) (*verifier.Source, error) {
	name := a.profile.Strongest("jwt_secret_file", "jwt_secret", "jwks_url")
	if name == "" {
		if publisher != "" {
			config.Issuer = publisher
			return a.keySource(config, verifier.SourceConfig{Issuer: publisher})
		}
		return nil, nil
	}
	text := a.profile.Value(name).Reveal()
	switch {
	case name == "jwks_url" && strings.Contains(text, pemBegin):
		return nil, parseKeys(config, []byte(text), a.profile.Value(name).Source())
	case name == "jwks_url" && strings.Contains(text, "://"):
		return a.keySource(config, verifier.SourceConfig{URL: text})
	case name == "jwks_url":
		return nil, readKeys(config, text)
	case name == "jwt_secret_file":
		secret, err := inifile.ReadSecretFile(text)
		if err != nil {
			return nil, err
		}
		text = secret
	}
	if strings.Contains(text, pemBegin) && !strings.Contains(text, "PRIVATE KEY") { // the verifier refuses it
		return nil, &configError{
			problem: a.profile.Value(name).Source() + ": a public key is no shared secret",
			hint:    "--public-key FILE, or jwks_url in [client], takes it",
		}
	}
	algorithm := a.flags.algorithm
	if algorithm == "" {
		algorithm = "HS256"
	}
	config.Keys = []verifier.Key{{Algorithm: algorithm, Secret: token.NewPassword(text)}}
	return nil, nil
}

// readKeys reads a file of public keys.
func readKeys(config *verifier.Config, name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return inifile.FileError(name, err)
	}
	return parseKeys(config, text, inifile.ShowName(name))
}

func parseKeys(config *verifier.Config, text []byte, source string) (err error) {
	if config.Keys, err = verifier.ParseKeys(text); err != nil {
		return &configError{problem: fmt.Sprintf("%s: %v", source, err), cause: err}
	}
	return nil
}

// keySource fetches keys the way the server would be reached.
func (a *app) keySource(config *verifier.Config, from verifier.SourceConfig) (*verifier.Source, error) {
	http, err := client.NewHTTPClient(a.clientConfig())
	if err != nil {
		return nil, &configError{problem: err.Error(), cause: err}
	}
	from.Client = http
	source, err := verifier.NewSource(from)
	if err != nil {
		return nil, &configError{problem: err.Error(), cause: err}
	}
	config.Source = source
	return source, nil
}

// warnOfKeys tells what is dangerous about the keys in force.
func (a *app) warnOfKeys(ctx context.Context, j *judge) {
	var warnings []string
	if j.tenants != nil {
		warnings = j.tenants.warnings(ctx)
	} else {
		warnings = j.Warnings(ctx)
	}
	for _, w := range warnings {
		a.warn("%s", w)
	}
}
