package verifier

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// attack is a token that must be refused, under the name of the rule that
// refuses it.
type attack struct {
	rule string
	raw  string
	kind error
}

func withHeader(members string) string { return forged(`{"alg":"HS256",`+members+`}`, goodPayload) }

func structureAttacks() []attack {
	good := claimed(goodPayload)
	h, rest, _ := strings.Cut(good, ".")
	p, s, _ := strings.Cut(rest, ".")
	flipped := s[:len(s)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", s[len(s)-1])^1])
	return []attack{
		{"one spelling: a newline inside the signature", h + "." + p + "." + s[:9] + "\n" + s[9:], token.ErrMalformed},
		{"one spelling: CR LF behind the token", good + "\r\n", token.ErrMalformed},
		{"one spelling: a blank before the token", " " + good, token.ErrMalformed},
		{"one spelling: padding", good + "=", token.ErrMalformed},
		{"one spelling: unused trailing bits", h + "." + p + "." + flipped, token.ErrMalformed},
		{"one spelling: the standard alphabet", h + "." + p + ".+" + s[1:], token.ErrMalformed},
		{"exactly three segments: two", h + "." + p, token.ErrMalformed},
		{"exactly three segments: four", good + "." + s, token.ErrMalformed},
		{"exactly three segments: JWE", good + "." + s + "." + s, token.ErrMalformed},
		{"exactly three segments: JSON serialization", `{"payload":"` + p + `","protected":"` + h + `","signature":"` + s + `"}`, token.ErrMalformed},
		{"a token longer than 16 KiB", claimed(`{"exp":1700000060,"x":"` + strings.Repeat("x", token.MaxLength) + `"}`), token.ErrMalformed},
		{"a header longer than 4 KiB", withHeader(`"x":"` + strings.Repeat("x", token.MaxHeaderLength) + `"`), token.ErrMalformed},
		{"a signature cut short", good[:len(good)-4], token.ErrSignature},
		{"no signature", h + "." + p + ".", token.ErrSignature},
		{"a payload exchanged", h + "." + b64(`{"sub":"root","exp":1700000060}`) + "." + s, token.ErrSignature},
		{"a header exchanged", b64(`{"alg":"HS256"}`) + "." + p + "." + s, token.ErrSignature},
	}
}

func algorithmAttacks() []attack {
	var list []attack
	_, payload, _ := strings.Cut(claimed(goodPayload), ".")
	payload, sig, _ := strings.Cut(payload, ".")
	for _, alg := range []string{"none", "None", "nOnE", "NONE", "none ", "hs256", "HS384", "HS512", "RS256", "ES256", "EdDSA", "PS256", "HS256\\u0000", "dir", "A256GCMKW"} {
		header := `{"typ":"JWT","alg":"` + alg + `"}`
		list = append(
			list,
			attack{"key and algorithm: " + alg + " without signature", b64(header) + "." + payload + ".", token.ErrSignature},
			attack{"key and algorithm: " + alg + " with the old signature", b64(header) + "." + payload + "." + sig, token.ErrSignature},
			attack{"key and algorithm: " + alg + " signed with HS256", forged(header, goodPayload), token.ErrSignature},
		)
	}
	empty := b64(jwtHeader) + "." + payload
	zeros := string(make([]byte, 32))
	return append(
		list,
		attack{"alg: empty", forged(`{"alg":""}`, goodPayload), token.ErrMalformed},
		attack{"alg: absent", forged(`{"typ":"JWT"}`, goodPayload), token.ErrMalformed},
		attack{"alg: a list", forged(`{"alg":["none","HS256"]}`, goodPayload), token.ErrMalformed},
		attack{"alg: twice", forged(`{"alg":"none","alg":"HS256"}`, goodPayload), token.ErrMalformed},
		attack{"alg: in another case", forged(`{"Alg":"HS256"}`, goodPayload), token.ErrMalformed},
		attack{"blank secret", empty + "." + b64(hs256(empty, "")), token.ErrSignature},
		attack{"null signature", empty + "." + b64(zeros), token.ErrSignature},
		attack{"a secret of zeros", empty + "." + b64(hs256(empty, zeros)), token.ErrSignature},
		attack{"an ES256 signature of zeros", b64(`{"alg":"ES256"}`) + "." + payload + "." + b64(zeros+zeros), token.ErrSignature},
	)
}

func headerAttacks() []attack {
	list := []attack{
		{"crit: unknown", withHeader(`"crit":["x-must"],"x-must":1`), token.ErrClaims},
		{"crit: empty", withHeader(`"crit":[]`), token.ErrClaims},
		{"crit: a registered name", withHeader(`"crit":["alg"]`), token.ErrClaims},
		{"crit: an absent header", withHeader(`"crit":["exp"]`), token.ErrClaims},
		{"crit: null", withHeader(`"crit":null`), token.ErrClaims},
		{"b64: false", withHeader(`"b64":false,"crit":["b64"]`), token.ErrClaims},
		{"b64: true", withHeader(`"b64":true`), token.ErrClaims},
		{"zip", withHeader(`"zip":"DEF"`), token.ErrClaims},
		{"nested: cty JWT", withHeader(`"cty":"JWT"`), token.ErrClaims},
		{"kid: a number", withHeader(`"kid":1`), token.ErrMalformed},
		{"kid: 129 characters", withHeader(`"kid":"` + strings.Repeat("k", 129) + `"`), token.ErrMalformed},
		{"kid: NUL", withHeader(`"kid":"\u0000"`), token.ErrMalformed},
		{"kid: a newline", withHeader(`"kid":"a\nb"`), token.ErrMalformed},
		{"typ: a number", withHeader(`"typ":1`), token.ErrMalformed},
	}
	for _, typ := range []string{"logout+jwt", "dpop+jwt", "rt+jwt", "secevent+jwt", "JOSE", "", "application/", "jwt ", "application/application/jwt"} {
		list = append(list, attack{"typ: " + typ, withHeader(`"typ":"` + typ + `"`), token.ErrClaims})
	}
	return list
}

func claimAttacks() []attack {
	list := []attack{
		{"exp: absent", claimed(`{"sub":"a"}`), token.ErrClaims},
		{"exp: in another case", claimed(`{"sub":"a","Exp":1700000060}`), token.ErrClaims},
		{"exp: past, a later Exp beside it", claimed(`{"exp":1600000000,"Exp":1700000060}`), token.ErrExpired},
		{"exp: twice", claimed(`{"exp":1600000000,"exp":1700000060}`), token.ErrMalformed},
		{"exp: zero", claimed(`{"exp":0}`), token.ErrExpired},
		{"exp: negative", claimed(`{"exp":-1}`), token.ErrExpired},
		{"nbf: in the future", claimed(`{"exp":1700000060,"nbf":1700000001}`), token.ErrNotYetValid},
		{"iat: in the future", claimed(`{"exp":1700000060,"iat":1700000001}`), token.ErrNotYetValid},
		{"aud: none is configured here", claimed(`{"exp":1700000060,"aud":"other"}`), token.ErrClaims},
		{"aud: an empty list", claimed(`{"exp":1700000060,"aud":[]}`), token.ErrMalformed},
		{"aud: a number in it", claimed(`{"exp":1700000060,"aud":["a",1]}`), token.ErrMalformed},
		{"aud: null", claimed(`{"exp":1700000060,"aud":null}`), token.ErrMalformed},
		{"sub: twice", claimed(`{"exp":1700000060,"sub":"marco","sub":"root"}`), token.ErrMalformed},
		{"sub: empty", claimed(`{"exp":1700000060,"sub":""}`), token.ErrMalformed},
		{"sub: a number", claimed(`{"exp":1700000060,"sub":0}`), token.ErrMalformed},
		{"sub: null", claimed(`{"exp":1700000060,"sub":null}`), token.ErrMalformed},
		{"iss: a list", claimed(`{"exp":1700000060,"iss":["ats.auth"]}`), token.ErrMalformed},
		{"jti: a number", claimed(`{"exp":1700000060,"jti":1}`), token.ErrMalformed},
		{"JSON: a second object", claimed(goodPayload + `{"sub":"root"}`), token.ErrMalformed},
		{"JSON: invalid UTF-8", claimed("{\"exp\":1700000060,\"sub\":\"\xff\"}"), token.ErrMalformed},
		{"JSON: a lone surrogate", claimed(`{"exp":1700000060,"sub":"\ud800"}`), token.ErrMalformed},
		{"JSON: deeper than 16", claimed(`{"exp":1700000060,"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`), token.ErrMalformed},
		{"JSON: more than 256 members", claimed(`{"exp":1700000060,"a":{` + manyMembers(256) + `}}`), token.ErrMalformed},
		{"JSON: no object", claimed(`["exp"]`), token.ErrMalformed},
		{"nested: a token as payload", claimed(claimed(goodPayload)), token.ErrMalformed},
	}
	for _, value := range []string{"1e308", "9223372036854775808", "253402300800", `"1700000060"`, "true", "null", "[1700000060]", "{}", "NaN", "Infinity", "-Infinity", "01700000060", "+1700000060", "0x6553F13C"} {
		for _, name := range []string{"exp", "nbf", "iat"} {
			list = append(list, attack{name + ": no time: " + value, claimed(`{"exp":1700000060`[:1] + exceptExp(name) + `"` + name + `":` + value + `}`), token.ErrMalformed})
		}
	}
	return list
}

func exceptExp(name string) string {
	if name == "exp" {
		return ""
	}
	return `"exp":1700000060,`
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `%s"m%d":0`, strings.Repeat(",", min(i, 1)), i)
	}
	return b.String()
}

func TestEveryAttackIsRefusedByItsRule(t *testing.T) {
	v := newVerifier(t, nil)
	if _, err := v.Verify(t.Context(), claimed(goodPayload)); err != nil {
		t.Fatalf("the token that the attacks are made of: %v", err)
	}
	for _, list := range [][]attack{structureAttacks(), algorithmAttacks(), headerAttacks(), claimAttacks()} {
		for _, a := range list {
			t.Run(a.rule, func(t *testing.T) {
				for range 2 { // the second time nothing remembered may let it through
					claims, err := v.Verify(t.Context(), a.raw)
					if claims != nil || !errors.Is(err, a.kind) {
						t.Errorf("Verify = %v, %v, want %v", claims, err, a.kind)
					}
				}
			})
		}
	}
}

func TestAKeyNamedInsideATokenIsNeverUsed(t *testing.T) {
	const mine = "the attacker's own secret, of a good length"
	jwk := `{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString([]byte(mine)) + `"}`
	for _, member := range []string{
		`"jwk":` + jwk, `"jku":"http://127.0.0.1:1/keys"`, `"x5u":"http://127.0.0.1:1/cert"`, `"x5c":["AAAA"]`, `"x5t":"AAAA"`, `"x5t#S256":"AAAA"`,
		`"kid":"../../dev/null"`, `"kid":"' or 1=1--"`, `"kid":"|sleep 5"`, `"kid":"http://127.0.0.1:1/"`,
	} {
		header := `{"alg":"HS256",` + member + `}`
		input := b64(header) + "." + b64(goodPayload)
		for _, secret := range []string{mine, "", "\x00"} {
			_, err := newVerifier(t, nil).Verify(t.Context(), input+"."+b64(hs256(input, secret)))
			if !errors.Is(err, token.ErrSignature) {
				t.Errorf("%s: %v, want a signature that fails", member, err)
			}
		}
	}
}
