package verifier

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// equal is what every public key of the standard library can do.
type equal interface{ Equal(crypto.PublicKey) bool }

func spki(t testing.TB, name string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pairs()[name].private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PUBLIC KEY", der)
}

func certificate(t testing.TB, name string) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Unix(0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pairs()[name].private.Public(), pairs()[name].private)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("CERTIFICATE", der)
}

func TestPEMIsReadInEveryFraming(t *testing.T) {
	rsaKey := pairs()["RSA-2048"].private.(*rsa.PrivateKey)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(pairs()["P-256"].private.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	ed8, err := x509.MarshalPKCS8PrivateKey(pairs()["Ed25519"].private)
	if err != nil {
		t.Fatal(err)
	}
	public := spki(t, "RSA-2048")
	for name, c := range map[string]struct {
		text, key string
		private   bool
	}{
		"SPKI":                          {public, "RSA-2048", false},
		"SPKI of P-384":                 {spki(t, "P-384"), "P-384", false},
		"SPKI of Ed25519":               {spki(t, "Ed25519"), "Ed25519", false},
		"PKCS #1":                       {pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey)), "RSA-2048", false},
		"SPKI under the label of PKCS1": {strings.ReplaceAll(public, "PUBLIC", "RSA PUBLIC"), "RSA-2048", false},
		"a certificate that is over":    {certificate(t, "P-256"), "P-256", false},
		"PKCS #8 private":               {pemOf("PRIVATE KEY", pkcs8), "RSA-2048", true},
		"PKCS #1 private":               {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), "RSA-2048", true},
		"SEC 1 private":                 {pemOf("EC PARAMETERS", []byte{6, 0}) + pemOf("EC PRIVATE KEY", sec1), "P-256", true},
		"PKCS #8 private Ed25519":       {pemOf("PRIVATE KEY", ed8), "Ed25519", true},
		`\n written out`:                {strings.ReplaceAll(public, "\n", `\n`), "RSA-2048", false},
		`\r\n written out`:              {strings.ReplaceAll(public, "\n", `\r\n`), "RSA-2048", false},
		`\n written out and quoted`:     {`"` + strings.ReplaceAll(public, "\n", `\n`) + `"`, "RSA-2048", false},
		"blanks for line ends":          {strings.ReplaceAll(public, "\n", " "), "RSA-2048", false},
		"no line ends":                  {strings.ReplaceAll(public, "\n", ""), "RSA-2048", false},
		"CR LF":                         {strings.ReplaceAll(public, "\n", "\r\n"), "RSA-2048", false},
		"blanks around and within":      {"\n\n  " + strings.ReplaceAll(public, "\n", "\n   ") + "\t\n", "RSA-2048", false},
		"text before it":                {"# the key of the service\n" + public, "RSA-2048", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseKeys([]byte(c.text))
			if err != nil || len(got) != 1 || !got[0].Public.(equal).Equal(pairs()[c.key].private.Public()) {
				t.Fatalf("%v, %v", got, err)
			}
			v := newVerifier(t, keys(got...))
			if w := v.Warnings(t.Context()); c.private != (len(w) == 1 && strings.Contains(w[0], "private key")) {
				t.Errorf("warnings %q", w)
			}
		})
	}
	if got, err := ParseKeys([]byte(public + spki(t, "P-256"))); err != nil || len(got) != 2 {
		t.Errorf("two keys in one file: %v, %v", got, err)
	}
}

func TestWhatIsNoKeyIsRefusedByName(t *testing.T) {
	public := spki(t, "P-256")
	for says, text := range map[string]string{
		"neither PEM nor":         "hello",
		"neither PEM nor a":       "",
		"does not end":            "-----BEGIN PUBLIC KEY-----\nAAAA",
		"broken at character 1 ":  "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----",
		`block "PUBLIC KEY"`:      pemOf("PUBLIC KEY", []byte("junk")),
		"no kind of key":          pemOf("CERTIFICATE REQUEST", []byte("junk")),
		"no private key of a":     pemOf("PRIVATE KEY", []byte("junk")),
		"encrypted":               "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----",
		"encrypted keys are not":  pemOf("ENCRYPTED PRIVATE KEY", []byte("junk")),
		"2 certificates":          certificate(t, "P-256") + certificate(t, "P-384"),
		"at most 262144":          public + strings.Repeat(" ", maxKeyText),
		"JWK: ":                   `{"kty":"RSA"`,
		"no key to verify":        `{"keys":[]}`,
		"no key to verify with":   `{}`,
		"duplicate key":           `{"keys":[],"keys":[]}`,
		"duplicate key 'n'":       `{"kty":"RSA","n":"AQ","n":"AQ","e":"AQAB"}`,
		"not on declared curve":   `{"kty":"EC","crv":"P-256","x":"` + b64(strings.Repeat("a", 32)) + `","y":"` + b64(strings.Repeat("b", 32)) + `"}`,
		"wrong length":            `{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}`,
		"unsupported elliptic":    `{"kty":"EC","crv":"secp256k1","x":"AQ","y":"AQ"}`,
		"unsupported key type":    `{"kty":"OKP","crv":"X25519","x":"` + b64(strings.Repeat("a", 32)) + `"}`,
		`"" is not one of HS256`:  `{"kty":"oct","k":"` + b64(strongSecret) + `"}`,
		"kid is not a string":     `{"kty":"oct","alg":"HS256","kid":7,"k":"` + b64(strongSecret) + `"}`,
		"exponent 4":              jwk(t, "RSA-2048", `"e":"AQAB"`, `"e":"BA"`),
		`its use is "enc"`:        jwk(t, "RSA-2048", `{`, `{"use":"enc",`),
		"among its key_ops":       jwk(t, "RSA-2048", `{`, `{"key_ops":["sign","encrypt"],`),
		"is not among its key_op": jwk(t, "RSA-2048", `{`, `{"key_ops":"verify!",`),
		`"RSA-OAEP" is not one`:   jwk(t, "RSA-2048", `{`, `{"alg":"RSA-OAEP",`),
		`"ES384" is not one`:      jwk(t, "P-256", `{`, `{"alg":"ES384",`),
		`"none" is not one`:       jwk(t, "P-256", `{`, `{"alg":"none",`),
		`key "a" stands twice`:    `{"keys":[` + jwk(t, "P-256", `{`, `{"kid":"a",`) + `,` + jwk(t, "P-384", `{`, `{"kid":"a",`) + `]}`,
		`"a" stands twice in`:     `{"keys":[` + jwk(t, "P-256", `{`, `{"kid":"a",`) + `,` + jwk(t, "P-384", `{`, `{"kid":"a","use":"enc",`) + `]}`,
		"key 2: its use":          `{"keys":[{"kty":"new"},` + jwk(t, "P-256", `{`, `{"use":"enc",`) + `]}`,
		"65 keys, at most 64":     `{"keys":[` + strings.Repeat(`{},`, 64) + `{}]}`,
	} {
		if got, err := ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, %v, want %q", got, err, says)
		}
	}
}

// jwk is the JWK of a key with one text in it replaced.
func jwk(t testing.TB, name, old, replacement string) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKey{Key: pairs()[name].private.Public()})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		t.Fatalf("no %s in %s", old, b)
	}
	return strings.Replace(string(b), old, replacement, 1)
}

func TestOfAJWKSetTheKeysThatVerifyAreTaken(t *testing.T) {
	private, err := json.Marshal(jose.JSONWebKey{Key: pairs()["P-384"].private, KeyID: "p"})
	if err != nil {
		t.Fatal(err)
	}
	set := `{"keys":[` + strings.Join([]string{
		jwk(t, "RSA-2048", `{`, `{"kid":"r","alg":"PS256","use":"sig","key_ops":["verify"],`),
		jwk(t, "RSA-3072", `{`, `{"kid":"enc","use":"enc",`),
		jwk(t, "P-256", `{`, `{"kid":"e",`),
		jwk(t, "Ed25519", `{`, `{"kid":"d","x-unknown":{"a":1},`),
		`{"kty":"AKP","kid":"new","alg":"ML-DSA-44","pub":"AAAA"}`, `{"kty":"lattice"}`,
		`{"kty":"oct","kid":"s","alg":"HS256","k":"` + base64.RawURLEncoding.EncodeToString([]byte(strongSecret)) + `"}`,
		string(private),
	}, ",") + `],"comment":"x"}`
	got, err := ParseKeys([]byte(set))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range got {
		ids = append(ids, k.ID)
	}
	if strings.Join(ids, " ") != "r e d s p" {
		t.Errorf("keys %q", ids)
	}
	v := newVerifier(t, keys(got...))
	for _, c := range []struct {
		key, algorithm, kid string
		ok                  bool
	}{
		{"RSA-2048", "PS256", "r", true},
		{"RSA-2048", "RS256", "r", false},
		{"RSA-3072", "RS256", "enc", false},
		{"P-256", "ES256", "e", true},
		{"Ed25519", "EdDSA", "d", true},
		{"P-384", "ES384", "p", true},
	} {
		if _, err := v.Verify(t.Context(), pairs()[c.key].sign(t, c.algorithm, c.kid, goodPayload)); (err == nil) != c.ok {
			t.Errorf("%s with kid %s: %v", c.algorithm, c.kid, err)
		}
	}
	if _, err := v.Verify(t.Context(), forged(`{"alg":"HS256","kid":"s"}`, goodPayload)); err != nil {
		t.Errorf("the secret of the set: %v", err)
	}
}
