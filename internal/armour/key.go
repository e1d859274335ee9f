package armour

import (
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
)

// Public reads a public key: PKCS #1 (RFC 8017 appendix A.1.1) or SPKI (RFC 5280
// section 4.1.2.7). Many a label does not fit its content, so it asks for none.
func Public(der []byte) (crypto.PublicKey, error) {
	if k, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return k, nil
	}
	k, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("no public key of a kind that is known here, whatever its label says, or a damaged one")
	}
	return k, nil
}

// Private reads a private key: PKCS #1 (RFC 8017 appendix A.1.2), SEC 1 (RFC
// 5915) or PKCS #8 (RFC 5958), whatever its label says. The error tells a key of
// a kind that is not known, DSA say, from what is no key at all.
func Private(der []byte) (crypto.Signer, error) {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k, nil
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k, nil
	}
	// No error of x509 is told: it could quote the key.
	k, err := x509.ParsePKCS8PrivateKey(der)
	if s, ok := k.(crypto.Signer); ok && err == nil {
		return s, nil
	}
	if isPKCS8(der) {
		return nil, errors.New("a private key of a kind that signs no JWT here (DSA, say, or on another curve than P-256, P-384, P-521), or a damaged one")
	}
	return nil, errors.New("no private key of a kind that is known here, whatever its label says, or a damaged one")
}

// isPKCS8 reports whether it is a private key of some algorithm.
func isPKCS8(der []byte) bool {
	var outer struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}
	_, err := asn1.Unmarshal(der, &outer)
	return err == nil
}
