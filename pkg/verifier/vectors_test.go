package verifier

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// seedToken is a token that the documentation of Tapis prints, with the key that
// signed it.
type seedToken struct {
	raw, bits, kind string
}

func seedTokens(t *testing.T) (list []seedToken) {
	t.Helper()
	text, err := os.ReadFile("../../testdata/tapis/seed-tokens.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if raw, note, ok := strings.Cut(strings.TrimSpace(line), " # "); ok {
			bits, kind, _ := strings.Cut(note, ", ")
			list = append(list, seedToken{raw, bits, kind})
		}
	}
	if len(list) != 8 {
		t.Fatalf("%d tokens", len(list))
	}
	return list
}

// seedKey reads a key as a file has it, and as configuration files do: on one
// line, \n written out.
func seedKey(t *testing.T, bits string) Key {
	t.Helper()
	text, err := os.ReadFile("../../testdata/tapis/tapis-seed-public-" + bits + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	var list []Key
	for _, form := range []string{string(text), strings.ReplaceAll(string(text), "\n", `\n`)} {
		keys, err := ParseKeys([]byte(form))
		if err != nil || len(keys) != 1 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		list = append(list, keys...)
	}
	if public := list[0].Public.(*rsa.PublicKey); !public.Equal(list[1].Public) || fmt.Sprint(public.N.BitLen()) != bits {
		t.Fatalf("%s bits: %v, %v", bits, list[0].Public, list[1].Public)
	}
	list[0].Algorithm = "RS256"
	return list[0]
}

func TestTheSeedTokensOfTapisVerifyUntilTheirSecondIsOver(t *testing.T) {
	keysOf := map[string]Key{"1024": seedKey(t, "1024"), "2048": seedKey(t, "2048")}
	other := map[string]string{"1024": "2048", "2048": "1024"}
	byBits := map[string]int{}
	for i, s := range seedTokens(t) {
		byBits[s.bits]++
		at := func(now time.Time, bits string) *Verifier {
			return newVerifier(t, func(c *Config) {
				c.Keys, c.AllowWeakKeys, c.Now = []Key{keysOf[bits]}, bits == "1024", func() time.Time { return now }
			})
		}
		decoded, err := token.Decode(s.raw)
		if err != nil {
			t.Fatal(err)
		}
		var registered token.Registered
		if err := decoded.Claims.Registered(&registered); err != nil || !registered.Expires.Present {
			t.Fatalf("token %d: exp %v, %v", i+1, registered.Expires, err)
		}
		over := time.UnixMicro(registered.Expires.Microseconds)
		before := over.Add(-time.Second)
		claims, err := at(before, s.bits).Verify(t.Context(), s.raw)
		if err != nil {
			t.Errorf("token %d: %v", i+1, err)
			continue
		}
		kind, _ := claims.String("tapis/token_type")
		if old, ok := claims.String("token_type"); ok {
			kind = old
		}
		if !strings.HasPrefix(claims.Issuer(), "https://dev.api.tapis.io/") || !strings.HasPrefix(s.kind, kind) || kind == "" {
			t.Errorf("token %d: %s", i+1, claims.JSON())
		}
		refuses(t, at(over, s.bits), s.raw, token.ErrExpired)
		refuses(t, at(time.Now(), s.bits), s.raw, token.ErrExpired)
		refuses(t, at(before, other[s.bits]), s.raw, token.ErrSignature)
		refuses(t, at(before, s.bits), tampered(s.raw), token.ErrSignature)
	}
	if byBits["1024"] != 7 || byBits["2048"] != 1 {
		t.Errorf("tokens by bits: %v", byBits)
	}
}

func TestTheSmallerSeedKeyOfTapisNeedsLeaveAndWarns(t *testing.T) {
	small, large := seedKey(t, "1024"), seedKey(t, "2048")
	if _, err := New(Config{Keys: []Key{small, large}}); err == nil {
		t.Error("the smaller key is taken without leave")
	}
	v := newVerifier(t, func(c *Config) { c.Keys, c.AllowWeakKeys = []Key{small, large}, true })
	if w := v.Warnings(t.Context()); len(w) != 1 || !strings.Contains(w[0], "1024 bits") {
		t.Errorf("warnings %q", w)
	}
}

// signs are examples whose payload is no claim set: only their signature is judged.
type signs struct{ name, key, raw string }

const (
	// RFC 7520 section 4: the payload of all its signatures.
	frodo = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IH" +
		"lvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBk" +
		"b24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcm" +
		"UgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4"
	// RFC 7520 section 3.3.
	bilboRSA = `{"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","n":"` +
		"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT" +
		"-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqV" +
		"wGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-" +
		"oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde" +
		"3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuC" +
		"LqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5g" +
		`HdrNP5zw","e":"AQAB"}`
	// RFC 7520 section 3.1.
	bilboEC = `{"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521","x":"` +
		"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9" +
		`A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt","y":"` +
		"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVy" +
		`SsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1"}`
	// RFC 7520 section 3.5.
	secret7520 = `{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","use":"sig","alg":"HS256",` +
		`"k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}`
	// RFC 8037 appendix A.2.
	edwards8037 = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
)

func TestTheSignaturesOfTheRFCsVerify(t *testing.T) {
	for _, s := range []signs{
		{"RFC 7520 section 4.1, RS256", bilboRSA, "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + frodo + "." +
			"MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmK" +
			"ZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4J" +
			"IwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8w" +
			"W1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluP" +
			"xUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_f" +
			"cIe8u9ipH84ogoree7vjbU5y18kDquDg"},
		{"RFC 7520 section 4.2, PS384", bilboRSA, "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + frodo + "." +
			"cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2I" +
			"pN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXU" +
			"vdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRX" +
			"e8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT" +
			"0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a" +
			"6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"},
		{"RFC 7520 section 4.3, ES512", bilboEC, "eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9." + frodo + "." +
			"AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvb" +
			"u9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kv" +
			"AD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2"},
		{"RFC 7520 section 4.4, HS256", secret7520, "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9." + frodo + "." +
			"s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"},
		{"RFC 8037 appendix A.4, EdDSA", edwards8037, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc." +
			"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
	} {
		t.Run(s.name, func(t *testing.T) {
			list, err := ParseKeys([]byte(s.key))
			if err != nil {
				t.Fatal(err)
			}
			v := newVerifier(t, keys(list...))
			// Past the signature the payload, which is no claim set, is refused.
			if _, err := v.Verify(t.Context(), s.raw); !errors.Is(err, token.ErrMalformed) || !strings.Contains(err.Error(), "not a JSON object") {
				t.Errorf("%v", err)
			}
			refuses(t, v, tampered(s.raw), token.ErrSignature)
			refuses(t, v, strings.Replace(s.raw, ".", ".A", 1), token.ErrSignature)
		})
	}
}

// TestWhatIsNoCompactTokenOfOneSignatureIsRefused has the rest of RFC 7520
// section 4: detached content, several signatures, unprotected headers.
func TestWhatIsNoCompactTokenOfOneSignatureIsRefused(t *testing.T) {
	list, err := ParseKeys([]byte(secret7520))
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, keys(list...))
	const protected, sig = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9", "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
	for _, raw := range []string{
		protected + ".." + sig,
		`{"protected":"` + protected + `","signature":"` + sig + `"}`,
		`{"payload":"` + frodo + `","signatures":[{"protected":"` + protected + `","signature":"` + sig + `"}]}`,
		`{"payload":"` + frodo + `","protected":"` + protected + `","signature":"` + sig + `"}`,
		`{"payload":"` + frodo + `","header":{"alg":"HS256"},"signature":"` + sig + `"}`,
	} {
		refuses(t, v, raw, token.ErrMalformed)
	}
}
