package verifier

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// floor is the least that judging an HS256 token can cost: it splits, looks the
// header up, decodes base64 strictly into scratch memory, compares an HMAC whose
// keyed state is kept, and scans a flat claim set once. It knows no duplicates,
// no escapes, no nesting, no fractions beyond microseconds and no message.
type floor struct {
	headers map[string]bool
	pool    sync.Pool
	issuer  string
}

type floorScratch struct {
	mac    hash.Hash
	text   []byte
	bytes  []byte
	sum    []byte
	strict *base64.Encoding
}

type floorClaims struct {
	iss, sub, jti string
	exp, iat      int64
}

var errFloor = errors.New("refused")

func newFloor(secret, header, issuer string) *floor {
	f := &floor{headers: map[string]bool{header: true}, issuer: issuer}
	f.pool.New = func() any {
		return &floorScratch{
			mac: hmac.New(sha256.New, []byte(secret)), bytes: make([]byte, token.MaxLength), strict: base64.RawURLEncoding.Strict(),
		}
	}
	return f
}

func (f *floor) verify(raw string) (*floorClaims, error) {
	first, last := strings.IndexByte(raw, '.'), strings.LastIndexByte(raw, '.')
	if len(raw) > token.MaxLength || first < 0 || last <= first || !f.headers[raw[:first]] || strings.ContainsAny(raw, "\r\n") {
		return nil, errFloor
	}
	s := f.pool.Get().(*floorScratch)
	defer f.pool.Put(s)
	s.text = append(s.text[:0], raw...)
	n, err := s.strict.Decode(s.bytes, s.text[last+1:])
	if err != nil {
		return nil, errFloor
	}
	s.mac.Reset()
	s.mac.Write(s.text[:last])
	if s.sum = s.mac.Sum(s.sum[:0]); !hmac.Equal(s.sum, s.bytes[:n]) {
		return nil, errFloor
	}
	if n, err = s.strict.Decode(s.bytes, s.text[first+1:last]); err != nil {
		return nil, errFloor
	}
	c := &floorClaims{}
	if !c.scan(string(s.bytes[:n])) || c.iss != f.issuer || testNow.UnixMicro() >= c.exp || c.iat > testNow.UnixMicro() {
		return nil, errFloor
	}
	return c, nil
}

func (c *floorClaims) scan(s string) bool {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return false
	}
	for s = s[1:]; len(s) > 1; {
		if s[0] != '"' {
			return false
		}
		end := strings.IndexByte(s[1:], '"') + 1
		if end < 1 || end+2 >= len(s) || s[end+1] != ':' {
			return false
		}
		name := s[1:end]
		s = s[end+2:]
		if s[0] == '"' {
			end = strings.IndexByte(s[1:], '"') + 1
			if end < 1 {
				return false
			}
			switch name {
			case "iss":
				c.iss = s[1:end]
			case "sub":
				c.sub = s[1:end]
			case "jti":
				c.jti = s[1:end]
			}
			s = s[end+1:]
		} else {
			var us int64
			digits, fraction := 0, false
			for ; digits < len(s) && (s[digits] == '.' || s[digits] >= '0' && s[digits] <= '9'); digits++ {
				if s[digits] == '.' {
					fraction = true
					continue
				}
				us = us*10 + int64(s[digits]-'0')
			}
			if digits == 0 {
				return false
			}
			if !fraction {
				us *= 1_000_000
			}
			switch name {
			case "exp":
				c.exp = us
			case "iat":
				c.iat = us
			}
			s = s[digits:]
		}
		s = s[1:] // the comma, or the brace
	}
	return true
}

func TestTheFloorJudgesTheTokensOfTheBenchmark(t *testing.T) {
	f := newFloor(strongSecret, b64(jwtHeader), "ats.auth")
	raw := benchTokens(1)[0]
	c, err := f.verify(raw)
	if err != nil || c.sub != "marco" || c.exp != testNow.Add(time.Hour).UnixMicro() || len(raw) != 243 {
		t.Errorf("%+v, %v, %d bytes", c, err, len(raw))
	}
	for _, bad := range []string{tampered(raw), claimed(`{"iss":"ats.auth","exp":1600000000.000000}`), claimed(`{"iss":"x","exp":1800000000.000000}`)} {
		if _, err := f.verify(bad); err == nil {
			t.Errorf("it lets %s through", bad)
		}
	}
}
