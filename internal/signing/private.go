package signing

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/ats-auth/ats-auth/internal/armour"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// hidden is a private key that does not print: not by its methods, and not where
// fmt asks none, since it follows no pointer to an interface.
type hidden struct{ key *crypto.Signer }

func hide(key crypto.Signer) crypto.Signer {
	if _, done := key.(hidden); done {
		return key
	}
	return hidden{&key}
}

// reveal returns the key itself.
func reveal(key crypto.Signer) crypto.Signer {
	if h, ok := key.(hidden); ok {
		return *h.key
	}
	return key
}

// Public has the contract of crypto.Signer.
func (h hidden) Public() crypto.PublicKey { return (*h.key).Public() }

// Sign has the contract of crypto.Signer.
func (h hidden) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return (*h.key).Sign(rand, digest, opts)
}

// Format prints the redacted form for every verb.
func (h hidden) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue gives log/slog the redacted form.
func (h hidden) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText gives encoders the redacted form.
func (h hidden) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalPrivate returns a private key as PKCS #8 DER (RFC 5958), which is what
// is kept, sealed. The result is as secret as the key.
func MarshalPrivate(key crypto.Signer) ([]byte, error) {
	if key == nil {
		return nil, errors.New("no private key")
	}
	der, err := x509.MarshalPKCS8PrivateKey(reveal(key))
	if err != nil {
		return nil, errors.New("not a private key that is kept here")
	}
	return der, nil
}

// UnmarshalPrivate reads what MarshalPrivate wrote. The error never quotes it.
func UnmarshalPrivate(der []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("not a private key in PKCS #8")
	}
	return usable(key)
}

// usable refuses a key of a kind or size that signs nothing here.
func usable(key any) (crypto.Signer, error) {
	s, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T signs no JWT here", key)
	}
	algorithm, err := AlgorithmOf(s.Public())
	if err == nil {
		err = fits(s, algorithm)
	}
	if err != nil {
		return nil, err
	}
	return hide(s), nil
}

// ParsePrivate reads one private key that somebody hands in: PEM of PKCS #1 (RFC
// 8017), PKCS #8 (RFC 5958) or SEC 1 (RFC 5915), also on one line with `\n` or
// blanks where its line ends were, or a private JWK (RFC 7517). Quotes around it
// are no matter. The error says what the text is instead, an encrypted or a
// public key say, or what is wrong with it, and never quotes it. An RSA key has
// 1024 to 8192 bits; of those under 2048 WeakKey tells.
func ParsePrivate(text []byte) (crypto.Signer, error) {
	s, err := keyText(text, "private")
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(s, "{") {
		return privateJWK(s)
	}
	b, err := oneBlock(s, "private")
	if err != nil {
		return nil, err
	}
	k, err := armour.Private(b.DER)
	if err != nil {
		return nil, err
	}
	return usable(k)
}

func privateJWK(text string) (crypto.Signer, error) {
	o, err := token.ParseObject(text)
	if err != nil {
		return nil, errors.New("JWK: not one JSON object of distinct members")
	}
	kind, _ := o.String("kty")
	use, named := o.String("use")
	switch {
	case o.Has("keys"):
		return nil, errors.New("a JWK set, where one private JWK is needed")
	case kind == "oct":
		return nil, errors.New("JWK: a shared secret, where a private key is needed")
	case kind == "":
		return nil, errors.New("JWK: no kty")
	case !o.Has("d"):
		return nil, errors.New("JWK: a public key, where a private one is needed")
	case o.Has("use") && (!named || use != "sig"):
		return nil, errors.New("JWK: its use is not sig")
	}
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON([]byte(text)); err != nil { // the error could quote it
		return nil, errors.New("JWK: of an unknown kind, or a member is missing or wrong")
	}
	return consistent(j.Key)
}

// consistent refuses a key whose public part is not that of its private part:
// what it signed would never verify.
func consistent(key any) (crypto.Signer, error) {
	stated, err := usable(key)
	if err != nil {
		return nil, fmt.Errorf("JWK: %w", err)
	}
	der, err := MarshalPrivate(stated)
	if err != nil {
		return nil, fmt.Errorf("JWK: %w", err)
	}
	k, err := UnmarshalPrivate(der)
	if err != nil {
		return nil, fmt.Errorf("JWK: %w", err)
	}
	public, ok := stated.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(k.Public()) {
		return nil, errors.New("JWK: its private and its public part do not belong together")
	}
	return k, nil
}
