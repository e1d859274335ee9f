package verifier

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// benchTokens makes distinct tokens of 243 bytes, as those of ats.auth with an
// id, good for an hour from testNow.
func benchTokens(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = claimed(benchPayload(i))
	}
	return list
}

func benchPayload(i int) string {
	const layout = `{"iat":1700000000.500000,"sub":"marco","iss":"ats.auth","exp":1700003600.500000,"jti":"%032d"}`
	return fmt.Sprintf(layout, i)
}

// contender is one way to do the same work; run judges tokens i to i+n.
type contender struct {
	name string
	run  func(n int)
}

// race lets contenders alternate in short turns and reports the median cost of
// each in nanoseconds, and its ratio to the first one's.
func race(b *testing.B, turn int, list ...contender) {
	b.Helper()
	rounds := max(21, min(b.N/turn, 400))
	costs := make([][]float64, len(list))
	for _, c := range list {
		c.run(turn)
	}
	for range rounds {
		for i, c := range list {
			start := time.Now()
			c.run(turn)
			costs[i] = append(costs[i], float64(time.Since(start).Nanoseconds())/float64(turn))
		}
	}
	first := median(costs[0])
	for i, c := range list {
		m := median(costs[i])
		b.ReportMetric(m, c.name+"-ns")
		if i > 0 {
			ratios := make([]float64, rounds)
			for r := range ratios {
				ratios[r] = costs[i][r] / costs[0][r]
			}
			b.ReportMetric(median(ratios), c.name+"/"+list[0].name)
		}
	}
	b.ReportMetric(first, "ns/op")
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	return s[len(s)/2]
}

// over judges tokens in turn, from where it stopped.
func over(b *testing.B, raws []string, judge func(string) error) func(int) {
	at := 0
	return func(n int) {
		for range n {
			if err := judge(raws[at]); err != nil {
				b.Fatal(err)
			}
			if at++; at == len(raws) {
				at = 0
			}
		}
	}
}

// stock is golang-jwt as its documentation shows it.
func stock(method string, key any) func(string) error {
	return func(raw string) error {
		_, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return key, nil },
			jwt.WithValidMethods([]string{method}), jwt.WithIssuer("ats.auth"), jwt.WithTimeFunc(clock), jwt.WithExpirationRequired())
		return err
	}
}

func verifying(v *Verifier) func(string) error {
	return func(raw string) error {
		_, err := v.Verify(context.Background(), raw)
		return err
	}
}

// BenchmarkRatios compares, in one run, this package with the floor: a minimum
// written by hand for HS256, the bare signature check for the others.
func BenchmarkRatios(b *testing.B) {
	b.Run("HS256", func(b *testing.B) {
		raws := benchTokens(4096)
		f := newFloor(strongSecret, b64(jwtHeader), "ats.auth")
		mac := hmac.New(sha256.New, []byte(strongSecret))
		v := newVerifier(b, issuer("ats.auth"))
		race(
			b, 500,
			contender{"floor", over(b, raws, func(raw string) error { _, err := f.verify(raw); return err })},
			contender{"ours", over(b, raws, verifying(v))},
			contender{"golang-jwt", over(b, raws, stock("HS256", []byte(strongSecret)))},
			contender{"crypto", over(b, raws, func(raw string) error {
				var sum [32]byte
				mac.Reset()
				mac.Write([]byte(raw[:strings.LastIndexByte(raw, '.')]))
				mac.Sum(sum[:0])
				return nil
			})},
		)
	})
	for _, c := range []struct{ algorithm, key string }{{"RS256", "RSA-2048"}, {"PS256", "RSA-2048"}, {"ES256", "P-256"}, {"EdDSA", "Ed25519"}} {
		b.Run(c.algorithm, func(b *testing.B) {
			p := pairs()[c.key]
			var raws []string
			for i := range 64 {
				raws = append(raws, p.sign(b, c.algorithm, "", benchPayload(i)))
			}
			k := p.key()
			k.Algorithm = c.algorithm
			v := newVerifier(b, func(c *Config) { c.Keys, c.Issuer = []Key{k}, "ats.auth" })
			race(
				b, 50,
				contender{"crypto", bare(b, raws, c.algorithm, p.private.Public())},
				contender{"ours", over(b, raws, verifying(v))},
				contender{"golang-jwt", over(b, raws, stock(c.algorithm, p.private.Public()))},
			)
		})
	}
}

// bare checks signatures that were decoded before, and nothing else.
func bare(b *testing.B, raws []string, algorithm string, public crypto.PublicKey) func(int) {
	signatures := make(map[string][]byte, len(raws))
	for _, raw := range raws {
		sig, err := base64.RawURLEncoding.DecodeString(raw[strings.LastIndexByte(raw, '.')+1:])
		if err != nil {
			b.Fatal(err)
		}
		signatures[raw] = sig
	}
	return over(b, raws, func(raw string) error {
		input, sig := []byte(raw[:strings.LastIndexByte(raw, '.')]), signatures[raw]
		sum := sha256.Sum256(input)
		switch k := public.(type) {
		case *rsa.PublicKey:
			if algorithm == "RS256" {
				return rsa.VerifyPKCS1v15(k, crypto.SHA256, sum[:], sig)
			}
			return rsa.VerifyPSS(k, crypto.SHA256, sum[:], sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		case *ecdsa.PublicKey:
			if ecdsa.Verify(k, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
				return nil
			}
		case ed25519.PublicKey:
			if ed25519.Verify(k, input, sig) {
				return nil
			}
		}
		return errFloor
	})
}

func BenchmarkVerifyHS256(b *testing.B) {
	raws := benchTokens(4096)
	v := newVerifier(b, issuer("ats.auth"))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := v.Verify(b.Context(), raws[i&4095]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
