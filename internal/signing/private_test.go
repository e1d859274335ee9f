package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// asn1RSA makes the public key of a modulus and the usual exponent.
func asn1RSA(modulus []byte) (crypto.PublicKey, error) {
	der := x509.MarshalPKCS1PublicKey(&rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537})
	return x509.ParsePKCS1PublicKey(der)
}

func privateJWKOf(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	text, err := jose.JSONWebKey{Key: reveal(key)}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pemOf(label string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func TestPrivateKeysAreKeptAndReadInEveryUsualForm(t *testing.T) {
	block := func(label string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
	}
	for _, algorithm := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"} {
		key := generate(t, algorithm)
		if got, err := AlgorithmOf(key.Public()); got != algorithm || err != nil {
			t.Errorf("%s: algorithm %s, %v", algorithm, got, err)
		}
		pkcs8, err := MarshalPrivate(key)
		if err != nil {
			t.Fatal(err)
		}
		forms := map[string][]byte{"PKCS #8": block("PRIVATE KEY", pkcs8), "with text around": append([]byte("my key\n"), block("PRIVATE KEY", pkcs8)...)}
		switch k := reveal(key).(type) {
		case *rsa.PrivateKey:
			forms["PKCS #1"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k))
		case *ecdsa.PrivateKey:
			sec1, err := x509.MarshalECPrivateKey(k)
			if err != nil {
				t.Fatal(err)
			}
			forms["SEC 1"] = block("EC PRIVATE KEY", sec1)
			forms["SEC 1 behind parameters"] = append(block("EC PARAMETERS", []byte{6, 0}), forms["SEC 1"]...)
		}
		forms["JWK"] = privateJWKOf(t, key)
		for name, text := range forms {
			back, err := ParsePrivate(text)
			if err != nil {
				t.Errorf("%s in %s: %v", algorithm, name, err)
				continue
			}
			again, err := MarshalPrivate(back)
			if err != nil || !bytes.Equal(again, pkcs8) {
				t.Errorf("%s in %s: another key came back, %v", algorithm, name, err)
			}
		}
		if back, err := UnmarshalPrivate(pkcs8); err != nil || !back.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("%s: %v", algorithm, err)
		}
		if _, err := UnmarshalPrivate(pkcs8[:len(pkcs8)-1]); err == nil {
			t.Errorf("%s: a damaged key was read", algorithm)
		}
	}
}

func TestWhatIsNoPrivateKeyIsRefusedByNameAndNeverQuoted(t *testing.T) {
	key := reveal(generate(t, "ES256")).(*ecdsa.PrivateKey)
	other := generate(t, "ES256")
	pkcs8, _ := x509.MarshalPKCS8PrivateKey(key)
	spki, spkiErr := x509.MarshalPKIXPublicKey(key.Public())
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "hunter2"}, NotAfter: time.Now().Add(time.Hour)}
	certificate, certificateErr := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, x25519Err := x509.MarshalPKCS8PrivateKey(agreement)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, smallErr := x509.MarshalECPrivateKey(p224)
	good := pemOf("PRIVATE KEY", pkcs8, nil)
	mine, theirs := string(privateJWKOf(t, hide(key))), string(privateJWKOf(t, other))
	cut := strings.Index(theirs, `"d":`)
	mixed := mine[:strings.Index(mine, `"d":`)] + theirs[cut:]
	for name, c := range map[string]struct{ text, want string }{
		"nothing":          {" \n", "empty"},
		"words":            {"hunter2", "neither PEM nor a JWK"},
		"a public key":     {pemOf("PUBLIC KEY", spki, spkiErr), "a public key, where"},
		"a certificate":    {pemOf("CERTIFICATE", certificate, certificateErr), "a certificate, where"},
		"a request":        {pemOf("CERTIFICATE REQUEST", []byte{1}, nil), "a certificate request"},
		"encrypted":        {pemOf("ENCRYPTED PRIVATE KEY", pkcs8, nil), "is encrypted"},
		"encrypted, old":   {"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AA\n\nAAAA\n-----END EC PRIVATE KEY-----\n", "is encrypted"},
		"OpenSSH":          {pemOf("OPENSSH PRIVATE KEY", []byte{1}, nil), "OpenSSH"},
		"DSA":              {pemOf("DSA PRIVATE KEY", []byte{1}, nil), "DSA"},
		"another label":    {pemOf("HUNTER2", []byte{1}, nil), "another kind"},
		"a false label":    {pemOf("PRIVATE KEY", []byte("hunter2"), nil), "no private key of a kind"},
		"two":              {good + good, "more than one"},
		"key and cert":     {good + pemOf("CERTIFICATE", certificate, certificateErr), "a certificate, where"},
		"no end":           {good[:len(good)-10], "does not end"},
		"a second, no end": {good + good[:len(good)-10], "does not end"},
		"a small curve":    {pemOf("EC PRIVATE KEY", small, smallErr), "not one of P-256, P-384, P-521"},
		"X25519":           {pemOf("PRIVATE KEY", x25519, x25519Err), "signs no JWT"},
		"too long":         {strings.Repeat("x", maxKeyText+1), "at most"},
		"a public JWK":     {`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, "a public key, where"},
		"a shared secret":  {`{"kty":"oct","k":"aHVudGVyMg"}`, "a shared secret"},
		"a set":            {`{"keys":[` + rfc8037 + `]}`, "a JWK set"},
		"for encryption":   {strings.Replace(rfc8037, "{", `{"use":"enc",`, 1), "use is not sig"},
		"no kty":           {`{"d":"hunter2"}`, "no kty"},
		"another kty":      {`{"kty":"hunter2","d":"hunter2"}`, "unknown kind"},
		"no JSON":          {`{"d":"hunter2"`, "not one JSON object"},
		"twice d":          {strings.Replace(rfc8037, "{", `{"d":"hunter2",`, 1), "not one JSON object"},
		"of two keys":      {mixed, "do not belong together"},
		"X25519 JWK":       {strings.Replace(rfc8037, "Ed25519", "X25519", 1), "JWK: "},
	} {
		k, err := ParsePrivate([]byte(c.text))
		if err == nil || k != nil {
			t.Errorf("%s: was read", name)
			continue
		}
		quotesNothing(t, err)
		if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "HUNTER2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStrangersKeyIsNotKept(t *testing.T) {
	if _, err := MarshalPrivate(nil); err == nil {
		t.Error("nothing was kept")
	}
	if _, err := MarshalPrivate(stranger{generate(t, "ES256")}); err == nil {
		t.Error("a key that is elsewhere was kept")
	}
	if _, err := AlgorithmOf(nil); err == nil {
		t.Error("nothing has an algorithm")
	}
}

// stranger is a signer whose key is elsewhere.
type stranger struct{ crypto.Signer }

func FuzzParsePrivateNeverPanicsOrQuotesAndWhatItReadsSigns(f *testing.F) {
	ec, err := Generate("ES256")
	if err != nil {
		f.Fatal(err)
	}
	der, err := MarshalPrivate(ec)
	plain := pemOf("PRIVATE KEY", der, err)
	f.Add([]byte(rfc8037))
	f.Add(privateJWKOf(f, ec))
	for _, text := range []string{plain, OneLine(plain), strings.ReplaceAll(plain, "\n", " "), "'" + plain + "'", plain[:80], plain + plain, strings.Replace(plain, "\nM", "\n!M", 1)} {
		f.Add([]byte(text))
		f.Add([]byte(strings.ReplaceAll(text, "PRIVATE", "PUBLIC")))
		f.Add([]byte(strings.ReplaceAll(text, "PRIVATE KEY-----\n", "PRIVATE KEY\n")))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := ParsePublic(text)
		quotesNothing(t, err)
		key, err := ParsePrivate(text)
		quotesNothing(t, err)
		if err != nil {
			return
		}
		algorithm, err := AlgorithmOf(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if _, weak := WeakKey(key.Public()); weak {
			return
		}
		if _, err := Compact(key, algorithm, nil, []byte("{}")); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
		der, err := MarshalPrivate(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := UnmarshalPrivate(der); err != nil {
			t.Error(err)
		}
	})
}

// quotesNothing looks in an error for what could be of a key: eight characters
// of base64 in a row, other than the words that errors of ours are made of.
func quotesNothing(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	const words = " character certificate encrypted passphrase parameters different together PowerShell " +
		"PrivateKey PublicKey ssh-keygen whatever converts possible distinct "
	for _, run := range regexp.MustCompile(`[A-Za-z0-9+/_=-]{8,}`).FindAllString(err.Error(), -1) {
		if !strings.Contains(words, " "+run+" ") {
			t.Errorf("%q could be of the key: %v", run, err)
		}
	}
}
