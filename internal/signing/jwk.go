package signing

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"

	"github.com/go-jose/go-jose/v4"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// JWK returns a public key as a JWK (RFC 7517) with the use "sig". An id or an
// algorithm that is empty is left out. The error names a kind of key that signs
// no JWT, private ones included.
func JWK(key crypto.PublicKey, id, algorithm string) ([]byte, error) {
	if _, err := AlgorithmOf(key); err != nil {
		return nil, err
	}
	return jose.JSONWebKey{Key: key, KeyID: id, Algorithm: algorithm, Use: "sig"}.MarshalJSON()
}

// Thumbprint returns the SHA-256 thumbprint of a public key (RFC 7638), in
// base64url: what the jkt of a bound token says (RFC 9449 section 6.1).
func Thumbprint(key crypto.PublicKey) (string, error) {
	if _, err := AlgorithmOf(key); err != nil {
		return "", err
	}
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Compact signs a payload as a compact JWS (RFC 7515 section 7.1) under that
// header, to which it adds alg: a client's assertion (RFC 7523) or proof of
// possession (RFC 9449). The error names a key that is weak (WeakKey) or does not
// fit the algorithm, or is ErrTooLong.
func Compact(key crypto.Signer, algorithm string, header map[string]any, payload []byte) (string, error) {
	sign, err := signerOf(key, algorithm)
	if err != nil {
		return "", err
	}
	if reason, weak := WeakKey(key.Public()); weak {
		return "", errors.New(reason)
	}
	whole := map[string]any{}
	maps.Copy(whole, header)
	whole["alg"] = algorithm
	head, err := json.Marshal(whole)
	if err != nil {
		return "", err
	}
	text := base64.RawURLEncoding.EncodeToString(head)
	if len(text) > token.MaxHeaderLength {
		return "", ErrTooLong
	}
	text += "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := sign(text)
	if err != nil {
		return "", err
	}
	if text += "." + base64.RawURLEncoding.EncodeToString(signature); len(text) > token.MaxLength {
		return "", ErrTooLong
	}
	return text, nil
}
