package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// weakKey is an RSA key as the documentation of Tapis has them made.
func weakKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// framings are the shapes in which a PEM comes.
func framings(plain string) map[string]string {
	oneLine := strings.ReplaceAll(plain, "\n", `\n`)
	return map[string]string{
		"as it is":                     plain,
		"no line end at the end":       strings.TrimSpace(plain),
		"more line ends":               "\n" + plain + "\n\n",
		"CR LF":                        strings.ReplaceAll(plain, "\n", "\r\n"),
		"leading blanks":               "  " + strings.ReplaceAll(plain, "\n", "\n  "),
		`\n`:                           oneLine,
		`\n, and a line end`:           oneLine + "\n",
		`\n, none at the end`:          strings.TrimSuffix(oneLine, `\n`),
		`\r\n`:                         strings.ReplaceAll(plain, "\n", `\r\n`),
		"a JSON string":                `"` + oneLine + `"`,
		"a value in single quotes":     "'" + oneLine + "'",
		"lines in quotes":              `"` + plain + `"`,
		"what echo makes of it":        strings.Join(strings.Fields(plain), " ") + "\n",
		"what echo makes of it, CR LF": strings.Join(strings.Fields(plain), " ") + "\r\n",
		"a byte order mark":            "\ufeff" + plain,
	}
}

func sameKey(t *testing.T, name string, got, want crypto.PublicKey, err error) {
	t.Helper()
	if err != nil || !want.(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
		t.Errorf("%s: %v, %v", name, got, err)
	}
}

func TestAKeyIsReadInEveryShapeThatPeopleHave(t *testing.T) {
	for kind, key := range map[string]crypto.Signer{
		"RSA-1024": weakKey(t), "RSA-3072": generate(t, "RS256"), "P-256": generate(t, "ES256"), "Ed25519": generate(t, "EdDSA"),
	} {
		pkcs8, err := MarshalPrivate(key)
		private := []string{pemOf("PRIVATE KEY", pkcs8, err)}
		spki, err := x509.MarshalPKIXPublicKey(key.Public())
		public := []string{pemOf("PUBLIC KEY", spki, err)}
		switch k := reveal(key).(type) {
		case *rsa.PrivateKey:
			private = append(private, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k), nil))
			public = append(public, pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.PublicKey), nil), pemOf("RSA PUBLIC KEY", spki, nil))
		case *ecdsa.PrivateKey:
			sec1, err := x509.MarshalECPrivateKey(k)
			private = append(private, pemOf("EC PARAMETERS", []byte{6, 0}, nil)+pemOf("EC PRIVATE KEY", sec1, err))
		}
		for _, plain := range private {
			for name, text := range framings(plain) {
				k, err := ParsePrivate([]byte(text))
				if err != nil {
					t.Errorf("%s, %s: %v", kind, name, err)
					continue
				}
				if der, err := MarshalPrivate(k); err != nil || !bytes.Equal(der, pkcs8) {
					t.Errorf("%s, %s: another key came back, %v", kind, name, err)
				}
			}
		}
		for _, plain := range public {
			for name, text := range framings(plain) {
				k, err := ParsePublic([]byte(text))
				sameKey(t, kind+", "+name, k, key.Public(), err)
			}
		}
		jwk := privateJWKOf(t, key)
		for _, quote := range []string{"'", "\n '", " "} {
			k, err := ParsePrivate([]byte(quote + string(jwk) + strings.TrimSpace(quote)))
			if err != nil {
				t.Fatal(err)
			}
			sameKey(t, kind+", JWK", k.Public(), key.Public(), nil)
		}
	}
}

func TestWhatIsWrongWithAPrivateKeysTextIsSaid(t *testing.T) {
	pkcs8, err := MarshalPrivate(generate(t, "ES256"))
	good := pemOf("PRIVATE KEY", pkcs8, err)
	spki, err := x509.MarshalPKIXPublicKey(generate(t, "ES256").Public())
	public := pemOf("PUBLIC KEY", spki, err)
	dsa, err := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}}, []byte{2, 1, 7}})
	modern := pemOf("PRIVATE KEY", dsa, err)
	tiny, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	tinyText := pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(tiny), nil)
	for name, c := range map[string]struct{ text, want string }{
		"quotes alone":        {`""`, "the text is empty"},
		"public, one line":    {OneLine(public), "a public key, where a private key"},
		"encrypted":           {pemOf("ENCRYPTED PRIVATE KEY", pkcs8, nil), "openssl pkey -in FILE -out PLAIN takes the passphrase off"},
		"no END":              {strings.TrimSuffix(good, "-----END PRIVATE KEY-----\n"), "END line is missing"},
		"END of another":      {strings.Replace(good, "END PRIVATE", "END RSA PRIVATE", 1), "END line is of another kind"},
		"broken":              {strings.Replace(good, "M", "?", 1), "base64 is broken at character 1 of "},
		"broken, one line":    {strings.Replace(OneLine(good), "M", "?", 1), "base64 is broken at character 1 of "},
		"several":             {good + good, "more than one private key: 2"},
		"one of each":         {good + public, "a public key, where"},
		"OpenSSH":             {pemOf("OPENSSH PRIVATE KEY", []byte{1}, nil), "ssh-keygen -p -m PKCS8 converts it"},
		"OpenSSH, public":     {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 me@here", "a public key in the form of OpenSSH"},
		"DSA of now":          {modern, "of a kind that signs no JWT here (DSA"},
		"parameters alone":    {pemOf("EC PARAMETERS", []byte{6, 0}, nil), "only the parameters"},
		"binary":              {string(pkcs8[:1]) + "\x82\x01\x02", "binary (DER), openssl pkey -inform DER"},
		"UTF-16":              {"\xff\xfe-\x00-\x00", "UTF-16"},
		"four dashes":         {good[1:], "five dashes"},
		"dashes gone":         {strings.Replace(good, "KEY-----\n", "KEY\n", 1), "BEGIN line is damaged"},
		"cut within the key":  {tinyText[:len(tinyText)/2] + "\n-----END RSA PRIVATE KEY-----", "base64 is broken"},
		"lines are missing":   {strings.Join(append(strings.SplitAfter(tinyText, "\n")[:3], strings.SplitAfter(tinyText, "\n")[5:]...), ""), "or a damaged one"},
		"not what it says":    {pemOf("PRIVATE KEY", spki, nil), "no private key of a kind"},
		"a public key inside": {pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PublicKey(&tiny.PublicKey), nil), "no private key of a kind"},
	} {
		k, err := ParsePrivate([]byte(c.text))
		if err == nil || k != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", name, k, err, c.want)
			continue
		}
		quotesNothing(t, err)
	}
}

func TestWhatIsNoPublicKeyIsRefusedByName(t *testing.T) {
	key := generate(t, "ES256")
	pkcs8, err := MarshalPrivate(key)
	private := pemOf("PRIVATE KEY", pkcs8, err)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	public := pemOf("PUBLIC KEY", spki, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, smallErr := x509.MarshalPKIXPublicKey(p224.Public())
	short, err := asn1RSA(bytes.Repeat([]byte{0xff}, 64))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":       {"", "no public key: the text is empty"},
		"private":       {private, "openssl pkey -pubout makes that of it"},
		"a certificate": {pemOf("CERTIFICATE", []byte{1}, nil), "a certificate, where a public key"},
		"a JWK":         {rfc8037, "a JWK, where a public key in PEM"},
		"two":           {public + public, "more than one public key: 2"},
		"words":         {"hunter2", "not a public key: neither PEM"},
		"junk":          {pemOf("PUBLIC KEY", []byte("hunter2"), nil), "no public key of a kind"},
		"a small curve": {pemOf("PUBLIC KEY", small, smallErr), "not one of P-256, P-384, P-521"},
		"512 bits":      {pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(short.(*rsa.PublicKey)), nil), "an RSA key of 512 bits, from 1024 to 8192"},
		"too long":      {strings.Repeat(" ", maxKeyText+1), "at most 65536 are read"},
	} {
		k, err := ParsePublic([]byte(c.text))
		if err == nil || k != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", name, k, err, c.want)
			continue
		}
		quotesNothing(t, err)
	}
}

func TestAKeyIsWrittenUnderTheHeaderOfItsForm(t *testing.T) {
	for kind, c := range map[string]struct {
		key     crypto.Signer
		private string
	}{
		"RSA-1024": {weakKey(t), "RSA PRIVATE KEY"}, "RSA-3072": {generate(t, "RS256"), "RSA PRIVATE KEY"},
		"P-384": {generate(t, "ES384"), "PRIVATE KEY"}, "Ed25519": {generate(t, "EdDSA"), "PRIVATE KEY"},
	} {
		private, err := PrivatePEM(c.key)
		if err != nil || !strings.HasPrefix(private, "-----BEGIN "+c.private+"-----\n") || !strings.HasSuffix(private, "-----END "+c.private+"-----\n") {
			t.Fatalf("%s: %v", kind, err)
		}
		public, err := PublicPEM(c.key.Public())
		if err != nil || !strings.HasPrefix(public, "-----BEGIN PUBLIC KEY-----\n") {
			t.Fatalf("%s: %s, %v", kind, public, err)
		}
		for _, form := range []func(string) string{func(s string) string { return s }, OneLine} {
			k, err := ParsePrivate([]byte(form(private)))
			if err != nil {
				t.Fatal(err)
			}
			sameKey(t, kind, k.Public(), c.key.Public(), nil)
			p, err := ParsePublic([]byte(form(public)))
			sameKey(t, kind, p, c.key.Public(), err)
		}
		pkcs1, err := PublicPKCS1PEM(c.key.Public())
		if (err == nil) != strings.HasPrefix(kind, "RSA") {
			t.Errorf("%s in PKCS #1: %v", kind, err)
		}
		if err == nil {
			p, err := ParsePublic([]byte(pkcs1))
			sameKey(t, kind, p, c.key.Public(), err)
			if !strings.HasPrefix(pkcs1, "-----BEGIN RSA PUBLIC KEY-----\n") {
				t.Errorf("%s: %s", kind, pkcs1)
			}
		}
	}
	if _, err := PrivatePEM(nil); err == nil {
		t.Error("no key was written")
	}
	if _, err := PublicPEM(weakKey(t)); err == nil {
		t.Error("a private key was written as a public one")
	}
	if got := OneLine("-----BEGIN X-----\r\nAAAA\n-----END X-----\n"); got != `-----BEGIN X-----\nAAAA\n-----END X-----\n` {
		t.Errorf("on one line: %s", got)
	}
}

func TestTheKeyThatTheSeedsShellLinesMakeIsRead(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := exec.Command("sh", "-euc", "private_key=`openssl genrsa 1024 2>/dev/null`\n"+`echo $private_key > private.key
echo "$private_key" | sed -e 's/^[ ]*//' | openssl rsa -pubout > key.pub 2>/dev/null
openssl rsa -traditional -in key.pem 2>/dev/null > pkcs1.pem || echo "$private_key" | openssl rsa -traditional > pkcs1.pem 2>/dev/null
openssl rsa -in pkcs1.pem -RSAPublicKey_out > pkcs1.pub 2>/dev/null`)
	script.Dir = dir
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%s%v", out, err)
	}
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if bytes.Count(read("private.key"), []byte("\n")) != 1 {
		t.Fatal("echo kept the line ends")
	}
	for _, private := range []string{"private.key", "pkcs1.pem"} {
		k, err := ParsePrivate(read(private))
		if err != nil {
			t.Fatalf("%s: %v", private, err)
		}
		for _, public := range []string{"key.pub", "pkcs1.pub"} {
			p, err := ParsePublic(read(public))
			sameKey(t, private+" and "+public, p, k.Public(), err)
		}
		if text, err := PrivatePEM(k); err != nil || text != string(read("pkcs1.pem")) {
			t.Errorf("%s is written in another way than openssl's, %v", private, err)
		}
		if text, err := PublicPEM(k.Public()); err != nil || text != string(read("key.pub")) {
			t.Errorf("%s: its public key is written in another way than openssl's, %v", private, err)
		}
	}
}

func TestAWeakKeySignsOnlyWhereTheKeySaysSo(t *testing.T) {
	weak, strong := weakKey(t), generate(t, "RS256")
	reason, is := WeakKey(weak.Public())
	if !is || !strings.Contains(reason, "1024 bits") {
		t.Errorf("%q, %v", reason, is)
	}
	if reason, is := WeakKey(strong.Public()); is || reason != "" {
		t.Errorf("3072 bits: %q", reason)
	}
	if reason, is := WeakKey(generate(t, "ES256").Public()); is || reason != "" {
		t.Errorf("P-256: %q", reason)
	}
	k := pair(t, "k", "RS256", weak)
	for _, state := range []string{Active, Retiring} {
		k.State = state
		_, err := NewRing(ringTime, k, pair(t, "strong", "RS256", strong))
		if err == nil || !strings.Contains(err.Error(), "key k: an RSA key of 1024 bits") || !strings.Contains(err.Error(), "[tokens] allow_weak_key = true, or --allow-weak-key of its tenant") {
			t.Errorf("%s: %v", state, err)
		}
	}
	k.State, k.AllowWeak = Active, true
	compact, err := newRing(t, k).Sign(Header{Type: "JWT"}, []byte(payload))
	if err != nil || strings.Count(compact, ".") != 2 {
		t.Errorf("%s, %v", compact, err)
	}
	if _, err := Compact(weak, "RS256", nil, []byte("{}")); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("an assertion: %v", err)
	}
	der, err := MarshalPrivate(weak)
	if err != nil {
		t.Fatal(err)
	}
	back, err := UnmarshalPrivate(der)
	if err != nil {
		t.Fatal(err)
	}
	sameKey(t, "kept", back.Public(), weak.Public(), nil)
}
