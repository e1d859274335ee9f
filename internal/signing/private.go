package signing

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxPrivateText bounds the text of one private key, in bytes.
const maxPrivateText = 64 << 10

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

// ParsePrivate reads one private key that somebody hands in: PEM of PKCS #1,
// PKCS #8 or SEC 1, or a private JWK (RFC 7517). The error says what the text is
// instead, an encrypted or a public key say, and never quotes it.
func ParsePrivate(text []byte) (crypto.Signer, error) {
	if len(text) > maxPrivateText {
		return nil, fmt.Errorf("%d bytes for a private key, at most %d are read", len(text), maxPrivateText)
	}
	s := strings.TrimSpace(string(text))
	switch {
	case s == "":
		return nil, errors.New("no private key: the text is empty")
	case strings.HasPrefix(s, "{"):
		return privateJWK(s)
	case strings.Contains(s, "-----BEGIN "):
		return privatePEM([]byte(s))
	}
	return nil, errors.New("not a private key: neither PEM nor a JWK")
}

func privatePEM(text []byte) (crypto.Signer, error) {
	var key crypto.Signer
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if text = rest; block.Type == "EC PARAMETERS" {
			continue
		}
		k, err := privateBlock(block)
		if err != nil {
			return nil, err
		}
		if key != nil {
			return nil, errors.New("more than one private key")
		}
		key = k
	}
	if key == nil || strings.Contains(string(text), "-----BEGIN ") {
		return nil, errors.New("a PEM block that does not end or is damaged")
	}
	return key, nil
}

func privateBlock(block *pem.Block) (crypto.Signer, error) {
	if strings.HasPrefix(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("the private key is encrypted: decrypt it before, with openssl pkcs8 say")
	}
	switch block.Type {
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY": // many a label does not fit its content
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		return nil, errors.New("a public key, where a private one is needed")
	case "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
		return nil, errors.New("a certificate, where a private key is needed")
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return nil, errors.New("a certificate request, where a private key is needed")
	case "OPENSSH PRIVATE KEY":
		return nil, errors.New("a private key in the form of OpenSSH, where PKCS #8 is read: ssh-keygen -p -m PKCS8 converts it")
	case "DSA PRIVATE KEY":
		return nil, errors.New("a DSA key, which signs no JWT")
	default:
		return nil, errors.New("a PEM block of another kind than a private key")
	}
	if k, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return usable(k)
	}
	if k, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return usable(k)
	}
	if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return usable(k)
	}
	return nil, errors.New("a PEM block that holds no private key, whatever its label says, or one of an unknown kind")
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
