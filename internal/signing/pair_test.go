package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// pairs are the algorithms of key pairs, one of RSA's each.
func pairs() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// generate makes a key; those of RSA are shared, since they take long.
func generate(t testing.TB, algorithm string) crypto.Signer {
	t.Helper()
	k, err := Generate(algorithm)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pair(t testing.TB, id, algorithm string, private crypto.Signer) Key {
	t.Helper()
	if private == nil {
		private = generate(t, algorithm)
	}
	return Key{ID: id, Algorithm: algorithm, State: Active, Private: private}
}

func TestEveryAlgorithmSignsWhatAnotherLibraryVerifies(t *testing.T) {
	shared := generate(t, "RS256")
	for _, algorithm := range pairs() {
		key := shared
		if !strings.Contains(algorithm, "S2") && !strings.HasPrefix(algorithm, "RS") && !strings.HasPrefix(algorithm, "PS") || algorithm == "ES256" {
			key = generate(t, algorithm)
		}
		r := newRing(t, pair(t, "k", algorithm, key))
		compact, err := r.Sign(Header{Type: "at+jwt", KeyID: true}, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		proof, err := Compact(key, algorithm, map[string]any{"typ": "dpop+jwt", "alg": "none"}, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{compact, proof} {
			parser := jwt.NewParser(jwt.WithValidMethods([]string{algorithm}), jwt.WithoutClaimsValidation())
			if _, err := parser.Parse(text, func(*jwt.Token) (any, error) { return key.Public(), nil }); err != nil {
				t.Errorf("%s: %v", algorithm, err)
			}
		}
		if d, err := token.Decode(compact); err != nil || d.Header.KeyID != "k" || d.Header.Type != "at+jwt" || d.Claims.Text() != payload {
			t.Errorf("%s: %v, %v", algorithm, d, err)
		}
		if got, want := r.room-1, len(compact)-strings.LastIndexByte(compact, '.')-1; got != want {
			t.Errorf("%s: room for %d characters, the signature has %d", algorithm, got, want)
		}
	}
}

func TestAKeyThatDoesNotFitItsAlgorithmIsRefusedByName(t *testing.T) {
	p256, p384, ed := generate(t, "ES256"), generate(t, "ES384"), generate(t, "EdDSA")
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	secret := token.NewSecret(seedSecret)
	for name, c := range map[string]struct {
		algorithm string
		private   crypto.Signer
		secret    token.Secret
		want      string
	}{
		"another curve":   {"ES384", p256, token.Secret{}, "key k: a key on P-256 does not fit ES384"},
		"EC for RSA":      {"RS256", p384, token.Secret{}, "key k: a key on P-384 does not fit RS256"},
		"Ed25519 for EC":  {"ES256", ed, token.Secret{}, "key k: an Ed25519 key does not fit ES256"},
		"EC for EdDSA":    {"EdDSA", p256, token.Secret{}, "key k: a key on P-256 does not fit EdDSA"},
		"short RSA":       {"PS256", short, token.Secret{}, "key k: an RSA key of 1024 bits, 2048 are asked for (RFC 7518 section 3.3): [tokens] allow_weak_key = true, or --allow-weak-key of its tenant, allows it"},
		"a curve of none": {"ES256", p224, token.Secret{}, "key k: a key on P-224 does not fit ES256"},
		"no key":          {"ES256", nil, token.Secret{}, "key k: no private key"},
		"a secret":        {"ES256", nil, secret, `key k: a shared secret does not fit algorithm "ES256"`},
		"both":            {"ES256", p256, secret, `key k: a shared secret does not fit algorithm "ES256"`},
		"both for HMAC":   {"HS256", p256, secret, "key k: a private key does not fit HS256"},
		"pair for HMAC":   {"HS256", p256, token.Secret{}, "key k: no secret"},
		"none":            {"none", p256, token.Secret{}, `key k: algorithm "none" is not signed with here`},
		"another":         {"ES256K", p256, token.Secret{}, `key k: algorithm "ES256K" is not signed with here`},
	} {
		_, err := NewRing(ringTime, Key{ID: "k", Algorithm: c.algorithm, State: Active, Private: c.private, Secret: c.secret})
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := Compact(p256, "ES384", nil, nil); err == nil {
		t.Error("a compact JWS was made with a key of another curve")
	}
	if _, err := Compact(p256, "HS256", nil, nil); err == nil {
		t.Error("a compact JWS was made with HMAC")
	}
	if _, err := Generate("HS256"); err == nil {
		t.Error("a key pair for HMAC")
	}
}

func TestTheNewestKeyWhoseTimeHasComeSigns(t *testing.T) {
	at := func(d time.Duration) int64 { return ringTime.Add(d).UnixMicro() }
	made := func(id, state string, created int64, from, over time.Duration) Key {
		k := hs256(id, state, created)
		if from != 0 {
			k.NotBefore = at(from)
		}
		if over != 0 {
			k.NotAfter = at(over)
		}
		return k
	}
	for name, c := range map[string]struct {
		keys    []Key
		all     []string // the signing one first
		changes int64
	}{
		"one for ever":                  {[]Key{made("a", Active, 1, 0, 0)}, []string{"a"}, 0},
		"a future one waits":            {[]Key{made("a", Active, 1, 0, 0), made("b", Active, 2, time.Hour, 0)}, []string{"a", "b"}, at(time.Hour)},
		"the nearest change counts":     {[]Key{made("a", Active, 1, 0, 0), made("b", Active, 2, time.Hour, 0), made("c", Active, 2, time.Minute, 0), made("d", Retiring, 0, 0, 2*time.Minute)}, []string{"a", "b", "c", "d"}, at(time.Minute)},
		"the instant itself is enough":  {[]Key{made("a", Active, 9, 0, 0), {ID: "b", Algorithm: "HS256", State: Active, CreatedAt: 1, NotBefore: at(0), Secret: token.NewSecret(seedSecret)}}, []string{"b", "a"}, 0},
		"the later start wins":          {[]Key{made("a", Active, 9, -time.Hour, 0), made("b", Active, 1, -time.Minute, 0)}, []string{"b", "a"}, 0},
		"what is over is dropped":       {[]Key{made("a", Active, 1, 0, 0), {ID: "b", Algorithm: "HS256", State: Retiring, NotAfter: at(0), Secret: token.NewSecret(seedSecret)}, made("c", Retiring, 1, 0, time.Microsecond)}, []string{"a", "c"}, at(time.Microsecond)},
		"a retiring key starts nothing": {[]Key{made("a", Active, 1, 0, 0), made("b", Retiring, 2, time.Hour, 2*time.Hour)}, []string{"a", "b"}, at(2 * time.Hour)},
		"one that signs has an end too": {[]Key{made("a", Active, 1, 0, -time.Hour), made("b", Active, 2, 0, 0), made("c", Active, 1, 0, time.Hour)}, []string{"b", "c"}, at(time.Hour)},
	} {
		r, err := NewRing(ringTime, c.keys...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var ids []string
		for _, k := range r.Verifying(ringTime) {
			ids = append(ids, k.ID)
		}
		if !slices.Equal(ids, c.all) || r.Signing().ID != c.all[0] || r.Changes() != c.changes {
			t.Errorf("%s: %v, %s signs, changes at %d; want %v, %d", name, ids, r.Signing().ID, r.Changes(), c.all, c.changes)
		}
		if r.Changes() == 0 {
			continue
		}
		next, err := NewRing(time.UnixMicro(r.Changes()), c.keys...)
		if err != nil || next.Changes() == r.Changes() {
			t.Errorf("%s: the ring of that instant changes at it again, %v", name, err)
		}
	}
	if _, err := NewRing(ringTime, made("a", Active, 1, time.Microsecond, 0)); err == nil {
		t.Error("a key whose time has not come signs")
	}
}

func TestAJWKSetHoldsThePublicKeysAndNothingElse(t *testing.T) {
	ec, ed := pair(t, "ec", "ES256", nil), pair(t, "ed", "EdDSA", nil)
	ed.State, ec.NotBefore = Retiring, ringTime.Add(time.Hour).UnixMicro()
	text, err := newRing(t, hs256("shared", Active, 1), ec, ed).JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%s, %v", text, err)
	}
	for i, want := range []string{"ec ES256 sig EC P-256", "ed EdDSA sig OKP Ed25519"} {
		k := set.Keys[i]
		if got := strings.Join([]string{k["kid"], k["alg"], k["use"], k["kty"], k["crv"]}, " "); got != want {
			t.Errorf("key %d: %s, want %s", i, got, want)
		}
		if k["d"] != "" || k["k"] != "" {
			t.Errorf("key %d holds what is secret", i)
		}
	}
	if text, err := newRing(t, hs256("shared", Active, 1)).JWKS(); string(text) != `{"keys":[]}` || err != nil {
		t.Errorf("without public keys: %s, %v", text, err)
	}
	if text, err := JWK(ed.Private.Public(), "", ""); err != nil || strings.Contains(string(text), `"kid"`) || strings.Contains(string(text), `"alg"`) {
		t.Errorf("nameless: %s, %v", text, err)
	}
	for _, bad := range []any{nil, []byte("secret"), reveal(ed.Private), reveal(ec.Private), ec.Private} {
		if text, err := JWK(bad, "", ""); err == nil {
			t.Errorf("%T: %s", bad, text)
		}
	}
}

// publicOf reads a public JWK of a vector.
func publicOf(t testing.TB, text string) crypto.PublicKey {
	t.Helper()
	var k struct{ Kty, N, X string }
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		t.Fatal(err)
	}
	b, err := base64.RawURLEncoding.DecodeString(k.N + k.X)
	if err != nil {
		t.Fatal(err)
	}
	if k.Kty == "OKP" {
		return ed25519.PublicKey(b)
	}
	der, err := asn1RSA(b)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestThumbprintsAreThoseOfTheRFCs(t *testing.T) {
	for want, text := range map[string]string{
		// RFC 7638 section 3.1
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}`,
		// RFC 8037 section A.3
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		if got, err := Thumbprint(publicOf(t, text)); got != want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	if _, err := Thumbprint([]byte("secret")); err == nil {
		t.Error("the thumbprint of a secret")
	}
}

// rfc8037 is the private key of RFC 8037 section A.1.
const rfc8037 = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`

func TestACompactJWSIsThatOfRFC8037(t *testing.T) {
	key, err := ParsePrivate([]byte(rfc8037))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Compact(key, "EdDSA", nil, []byte("Example of Ed25519 signing"))
	const want = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	if got != want || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	for name, big := range map[string]string{"header": strings.Repeat("x", token.MaxHeaderLength), "payload": strings.Repeat("x", token.MaxLength)} {
		header := map[string]any{"kid": big}
		if name == "payload" {
			header = nil
		}
		if _, err := Compact(key, "EdDSA", header, []byte(big)); !errors.Is(err, ErrTooLong) {
			t.Errorf("long %s: %v", name, err)
		}
	}
}

func TestNoPrivateKeyIsPrinted(t *testing.T) {
	type outer struct{ inner Key } // fmt asks no methods in here
	for _, algorithm := range []string{"EdDSA", "ES256", "RS256"} {
		private := generate(t, algorithm)
		plain := pair(t, "k1", algorithm, reveal(private))
		guarded := pair(t, "k1", algorithm, private)
		r := newRing(t, plain)
		var out bytes.Buffer
		for _, v := range []any{private, plain, &plain, []Key{plain}, map[string]Key{"a": plain}, struct{ K Key }{plain}, outer{guarded}, &outer{guarded}, r, *r, r.Signing(), struct{ r *Ring }{r}, struct{ r Ring }{*r}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%b"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			if err := json.NewEncoder(&out).Encode(v); err != nil {
				t.Error(err)
			}
		}
		for _, secret := range privateBytes(t, private) {
			for _, form := range []string{
				fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), strings.Trim(fmt.Sprint(secret), "[]"), string(secret),
				base64.StdEncoding.EncodeToString(secret)[:20], strings.Trim(fmt.Sprintf("%#v", secret), "[]byte{}"),
			} {
				if strings.Contains(out.String(), form) {
					t.Errorf("%s: %q is printed:\n%.3000s", algorithm, form, out.String())
				}
			}
		}
	}
}

// privateBytes are parts of a key that nobody may see.
func privateBytes(t testing.TB, key crypto.Signer) [][]byte {
	t.Helper()
	switch k := reveal(key).(type) {
	case ed25519.PrivateKey:
		return [][]byte{k.Seed()}
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{d, []byte(new(big.Int).SetBytes(d).String())}
	case *rsa.PrivateKey:
		return [][]byte{k.D.Bytes(), k.Primes[0].Bytes(), []byte(k.Primes[0].String()), []byte(k.Primes[1].String())}
	}
	t.Fatalf("a %T", key)
	return nil
}
