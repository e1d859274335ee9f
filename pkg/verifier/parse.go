package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	josejson "github.com/go-jose/go-jose/v4/json"

	"github.com/ats-auth/ats-auth/internal/armour"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxKeyText bounds a key file or an answer that holds keys, in bytes.
const maxKeyText = 256 << 10

// ParseKeys reads public keys: PEM (SPKI, PKCS #1 or one certificate, whose
// dates are not looked at; also on one line, with `\n` written out or blanks in
// place of line ends), a JWK or a JWK set (RFC 7517). Of a private key the
// public part is taken, and Verifier.Warnings says so. Keys of a JWK set that
// are not for verifying or of an unknown kind are left out, as RFC 7517 section
// 5 has it; an error says why when none remains.
func ParseKeys(text []byte) ([]Key, error) {
	if len(text) > maxKeyText {
		return nil, fmt.Errorf("%d bytes of keys, at most %d are read", len(text), maxKeyText)
	}
	s := strings.TrimSpace(string(text))
	switch {
	case strings.HasPrefix(s, "{"):
		return parseJWKs(s)
	case strings.Contains(s, "-----BEGIN "):
		return parsePEM(s)
	}
	return nil, errors.New("neither PEM nor a JWK nor a JWK set")
}

func parsePEM(s string) ([]Key, error) {
	blocks, err := armour.Blocks(s)
	if err != nil {
		return nil, err
	}
	var keys []Key
	certificates := 0
	for _, b := range blocks {
		if b.Label == "CERTIFICATE" {
			certificates++
		}
		k, err := parseBlock(b)
		if err != nil {
			return nil, fmt.Errorf("PEM block %q: %w", b.Label, err)
		}
		keys = append(keys, k)
	}
	// The key of an issuer's certificate signs certificates, not tokens.
	if certificates > 1 {
		return nil, fmt.Errorf("%d certificates: give only the one whose key signs tokens", certificates)
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

func parseBlock(b armour.Block) (Key, error) {
	if b.Encrypted {
		return Key{}, errors.New("encrypted keys are not read")
	}
	switch b.Label {
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		pub, err := armour.Public(b.DER)
		return Key{Public: pub}, err
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(b.DER)
		if err != nil {
			return Key{}, err
		}
		return Key{Public: c.PublicKey}, nil
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
		k, err := armour.Private(b.DER)
		if err != nil {
			return Key{}, err
		}
		return Key{Public: k.Public(), private: true}, nil
	}
	return Key{}, errors.New("no kind of key known here")
}

// parseJWKs reads one JWK or a set.
func parseJWKs(s string) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
		Type json.RawMessage   `json:"kty"`
	}
	if err := josejson.Unmarshal([]byte(s), &set); err != nil {
		return nil, fmt.Errorf("JWK: %w", err)
	}
	if set.Type != nil {
		k, _, err := parseJWK(s)
		if err != nil {
			return nil, fmt.Errorf("JWK: %w", err)
		}
		return []Key{k}, nil
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, at most %d are used", len(set.Keys), maxKeys)
	}
	var keys []Key
	var ids []string
	reason := errNoKeys
	for i, text := range set.Keys {
		k, id, err := parseJWK(string(text))
		if id != "" && slices.Contains(ids, id) {
			return nil, fmt.Errorf("key %q stands twice in the set", clip(id))
		}
		ids = append(ids, id)
		if err != nil {
			reason = fmt.Errorf("no key of the set can be used: key %d: %w", i+1, err)
			continue
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, reason
	}
	return keys, nil
}

// parseJWK also returns the kid of a key that cannot be used.
func parseJWK(text string) (Key, string, error) {
	o, err := token.ParseObject(text)
	if err != nil {
		return Key{}, "", err
	}
	id, _ := o.String("kid")
	if err := verifies(o); err != nil {
		return Key{}, id, err
	}
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON([]byte(text)); err != nil {
		return Key{}, id, err
	}
	k := Key{ID: id, Algorithm: j.Algorithm}
	switch material := j.Key.(type) {
	case []byte:
		k.Secret = token.NewSecret(string(material))
	case crypto.Signer:
		k.Public, k.private = material.Public(), true
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		k.Public = material
	default:
		return Key{}, id, fmt.Errorf("a %T verifies no JWT", material)
	}
	_, err = NewKeySet(k)
	return k, id, err
}

// verifies refuses a JWK that says it is for something else (RFC 7517 sections
// 4.2 and 4.3), and members of a wrong kind.
func verifies(o *token.Object) error {
	for _, name := range []string{"kid", "alg", "use"} {
		if s, ok := o.String(name); o.Has(name) && (!ok || s == "") {
			return fmt.Errorf("%s is not a string with something in it", name)
		}
	}
	if use, ok := o.String("use"); ok && use != "sig" {
		return fmt.Errorf("its use is %q, not sig", clip(use))
	}
	if ops, ok := o.Strings("key_ops"); o.Has("key_ops") && (!ok || !slices.Contains(ops, "verify")) {
		return errors.New("verify is not among its key_ops")
	}
	return nil
}
