package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/internal/armour"
)

// maxKeyText bounds the text of one key, in bytes.
const maxKeyText = 64 << 10

// ParsePublic reads one public key that somebody hands in: PEM of SPKI (RFC
// 5280, "PUBLIC KEY") or PKCS #1 (RFC 8017, "RSA PUBLIC KEY"), in every framing
// that ParsePrivate reads. The error says what the text is instead, and never
// quotes it. An RSA key has 1024 to 8192 bits; of those under 2048 WeakKey tells.
func ParsePublic(text []byte) (crypto.PublicKey, error) {
	s, err := keyText(text, "public")
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(s, "{") {
		return nil, errors.New("a JWK, where a public key in PEM is needed")
	}
	b, err := oneBlock(s, "public")
	if err != nil {
		return nil, err
	}
	key, err := armour.Public(b.DER)
	if err != nil {
		return nil, err
	}
	if _, err := AlgorithmOf(key); err != nil {
		return nil, err
	}
	if k, ok := key.(*rsa.PublicKey); ok {
		err = checkBits(k)
	}
	if err != nil {
		return nil, err
	}
	return key, nil
}

// keyText takes off what may stand around a key, and refuses what is neither PEM
// nor a JWK. The kind is "private" or "public".
func keyText(text []byte, kind string) (string, error) {
	if len(text) > maxKeyText {
		return "", fmt.Errorf("%d bytes for a %s key, at most %d are read", len(text), kind, maxKeyText)
	}
	s := strings.Trim(strings.TrimPrefix(string(text), "\ufeff"), "\"' \t\r\n")
	switch {
	case strings.HasPrefix(s, "{"), strings.Contains(s, "-----BEGIN "):
		return s, nil
	case s == "":
		return "", fmt.Errorf("no %s key: the text is empty", kind)
	case strings.HasPrefix(s, "\xff\xfe"), strings.HasPrefix(s, "\xfe\xff"):
		return "", fmt.Errorf("not a %s key: the text is in UTF-16, which an older PowerShell writes; save it in UTF-8", kind)
	case strings.HasPrefix(s, "0\x81"), strings.HasPrefix(s, "0\x82"):
		return "", fmt.Errorf("not a %s key in PEM: it is binary (DER), openssl pkey -inform DER converts it", kind)
	case strings.HasPrefix(s, "ssh-"), strings.HasPrefix(s, "ecdsa-"):
		return "", fmt.Errorf("a public key in the form of OpenSSH, where a %s key in PEM is needed", kind)
	case strings.Contains(s, "BEGIN "):
		return "", fmt.Errorf("not a %s key: five dashes stand before and behind what its BEGIN line says", kind)
	}
	return "", fmt.Errorf("not a %s key: neither PEM nor a JWK", kind)
}

// oneBlock returns the one PEM block of a text, which is a key of that kind.
func oneBlock(text, kind string) (b armour.Block, err error) {
	blocks, err := armour.Blocks(text)
	if err != nil {
		return b, fmt.Errorf("not a %s key: %w", kind, err)
	}
	for _, b := range blocks {
		if err := checkLabel(b, kind); err != nil {
			return b, err
		}
	}
	switch len(blocks) {
	case 0:
		return b, fmt.Errorf("no %s key: only the parameters of one", kind)
	case 1:
		return blocks[0], nil
	}
	return b, fmt.Errorf("more than one %s key: %d", kind, len(blocks))
}

// checkLabel refuses a block that says it is something else.
func checkLabel(b armour.Block, kind string) error {
	is, hint := "a PEM block of another kind", ""
	switch b.Label {
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY":
		is, hint = "a private key", ": openssl pkey -pubout makes that of it"
	case "PUBLIC KEY", "RSA PUBLIC KEY":
		is = "a public key"
	case "CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
		is = "a certificate"
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		is = "a certificate request"
	case "OPENSSH PRIVATE KEY":
		is, hint = "a private key in the form of OpenSSH", ": ssh-keygen -p -m PKCS8 converts it"
	case "SSH2 PUBLIC KEY":
		is, hint = "a public key in the form of OpenSSH", ": ssh-keygen -i -m PKCS8 converts it"
	case "DSA PRIVATE KEY":
		is = "a DSA key, which signs no JWT"
	}
	switch {
	case is != "a "+kind+" key":
		return fmt.Errorf("%s, where a %s key in PEM is needed%s", is, kind, hint)
	case b.Encrypted:
		return fmt.Errorf("the %s key is encrypted: openssl pkey -in FILE -out PLAIN takes the passphrase off", kind)
	}
	return nil
}

// PublicPEM returns a public key as PEM of SPKI (RFC 5280 section 4.1.2.7), which
// begins with "-----BEGIN PUBLIC KEY-----". The error names a kind of key that
// signs no JWT, private ones included.
func PublicPEM(key crypto.PublicKey) (string, error) {
	if _, err := AlgorithmOf(key); err != nil {
		return "", err
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	return armoured("PUBLIC KEY", der), nil
}

// PublicPKCS1PEM returns a public RSA key as PEM of PKCS #1 (RFC 8017 appendix
// A.1.1), which begins with "-----BEGIN RSA PUBLIC KEY-----". Keys of other kinds
// have no such form.
func PublicPKCS1PEM(key crypto.PublicKey) (string, error) {
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return "", fmt.Errorf("%s, where PKCS #1 is for RSA keys alone", kindOf(key))
	}
	return armoured("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(k)), nil
}

// PrivatePEM returns a private key as PEM: PKCS #1 for RSA ("-----BEGIN RSA
// PRIVATE KEY-----"), PKCS #8 for any other ("-----BEGIN PRIVATE KEY-----"). The
// result is as secret as the key. The error names a key that is not kept here.
func PrivatePEM(key crypto.Signer) (string, error) {
	if k, ok := reveal(key).(*rsa.PrivateKey); ok {
		return armoured("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)), nil
	}
	der, err := MarshalPrivate(key)
	if err != nil {
		return "", err
	}
	return armoured("PRIVATE KEY", der), nil
}

// OneLine writes the two characters \n for every line end of a PEM, the last one
// too, as configuration files in JSON have it. ParsePrivate and ParsePublic read
// it back.
func OneLine(text string) string {
	return strings.NewReplacer("\r\n", `\n`, "\n", `\n`).Replace(text)
}

// kindOf is what a person calls a kind of public key.
func kindOf(key crypto.PublicKey) string {
	switch key.(type) {
	case *rsa.PublicKey:
		return "an RSA key"
	case *ecdsa.PublicKey:
		return "an ECDSA key"
	case ed25519.PublicKey:
		return "an Ed25519 key"
	}
	return fmt.Sprintf("a %T", key)
}

func armoured(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}
