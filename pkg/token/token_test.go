package token

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const (
	headerText  = `{"alg":"HS256","typ":"JWT"}`
	payloadText = `{"sub":"marco"}`
)

func TestATokenHasOneSpelling(t *testing.T) {
	h, p, s := b64(headerText), b64(payloadText), b64("0123456789abcdef0123456789abcde") // 31 bytes: unused bits at the end
	good := h + "." + p + "." + s
	if _, err := Decode(good); err != nil {
		t.Fatal(err)
	}
	bent := s[:len(s)-1] + string(s[len(s)-1]+1)
	for name, c := range map[string]struct{ raw, says string }{
		"a newline in the signature":        {h + "." + p + "." + s[:10] + "\n" + s[10:], `byte 0x0a at offset 68`},
		"a newline behind it":               {good + "\n", "is not base64url"},
		"CR LF behind it":                   {good + "\r\n", "is not base64url"},
		"a newline in the header":           {h[:4] + "\n" + h[4:] + "." + p + "." + s, "is not base64url"},
		"a blank before it":                 {" " + good, "is not base64url"},
		"padding":                           {good + "=", "is not base64url"},
		"the other base64 alphabet":         {h + "." + p + "." + "+/" + s[2:], "is not base64url"},
		"a byte above ASCII":                {h + "." + p + "." + "\xc3\xa4" + s[2:], "is not base64url"},
		"NUL":                               {good + "\x00", "is not base64url"},
		"unused bits set at the end":        {h + "." + p + "." + bent, "not base64url without padding"},
		"a segment of an impossible length": {h + "." + p + "." + s + "AAA", "not base64url without padding"},
		"two segments":                      {h + "." + p, "2 segments"},
		"one segment":                       {h, "1 segments"},
		"four segments":                     {good + ".", "4 segments"},
		"five segments":                     {good + ".a.b", "JWE"},
		"nothing":                           {"", "1 segments"},
		"an empty header":                   {"." + p + "." + s, "an empty segment"},
		"an empty payload":                  {h + ".." + s, "an empty segment"},
		"only dots":                         {"..", "an empty segment"},
		"JSON serialization":                {`{"payload":"` + p + `","signatures":[{"protected":"` + h + `","signature":"` + s + `"}]}`, "segments"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(c.raw)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Decode: %v, want a malformed token with %q", err, c.says)
			}
		})
	}
}

func TestSizesAreCheckedBeforeAnythingIsDecoded(t *testing.T) {
	s := "." + b64("sig")
	fits := b64(headerText) + "." + b64(`{"a":"`+strings.Repeat("x", (MaxLength-60)*3/4)+`"}`) + s
	if len(fits) > MaxLength || len(fits) < MaxLength-40 {
		t.Fatalf("the test's token has %d bytes", len(fits))
	}
	if _, err := Decode(fits); err != nil {
		t.Errorf("a token of %d bytes: %v", len(fits), err)
	}
	for name, c := range map[string]struct{ raw, says string }{
		"a token of 16 KiB and a byte":  {fits + strings.Repeat("A", MaxLength+1-len(fits)), "16385 bytes long, at most 16384"},
		"a token of 2 MB":               {strings.Repeat("A", 2_000_000), "2000000 bytes long"},
		"a header of 4 KiB and a byte":  {strings.Repeat("!", MaxHeaderLength+1) + "." + b64(payloadText) + s, "is not base64url"},
		"a header over 4 KiB, encoded":  {b64(`{"alg":"HS256","x":"`+strings.Repeat("x", MaxHeaderLength)+`"}`) + "." + b64(payloadText) + s, "header of 5"},
		"a kid of 1 MB":                 {b64(`{"alg":"HS256","kid":"`+strings.Repeat("k", 1<<20)+`"}`) + "." + b64(payloadText) + s, "bytes long"},
		"a kid of 129 characters":       {b64(`{"alg":"HS256","kid":"`+strings.Repeat("k", 129)+`"}`) + "." + b64(payloadText) + s, "kid"},
		"a kid with NUL":                {b64(`{"alg":"HS256","kid":"a\u0000"}`) + "." + b64(payloadText) + s, "kid"},
		"a kid that is a number":        {b64(`{"alg":"HS256","kid":7}`) + "." + b64(payloadText) + s, "kid is not a string"},
		"a typ that is null":            {b64(`{"alg":"HS256","typ":null}`) + "." + b64(payloadText) + s, "typ is not a string"},
		"no alg":                        {b64(`{"typ":"JWT"}`) + "." + b64(payloadText) + s, "no alg"},
		"an empty alg":                  {b64(`{"alg":""}`) + "." + b64(payloadText) + s, "no alg"},
		"alg in capitals only":          {b64(`{"Alg":"HS256"}`) + "." + b64(payloadText) + s, "no alg"},
		"an alg that is a list":         {b64(`{"alg":["HS256"]}`) + "." + b64(payloadText) + s, "alg is not a string"},
		"a header that is no object":    {b64(`["alg"]`) + "." + b64(payloadText) + s, "not a JSON object"},
		"a header with a member twice":  {b64(`{"alg":"none","alg":"HS256"}`) + "." + b64(payloadText) + s, `"alg" stands twice`},
		"a header twice, escaped":       {b64(`{"alg":"none","\u0061lg":"HS256"}`) + "." + b64(payloadText) + s, `"alg" stands twice`},
		"a payload that is no object":   {b64(headerText) + "." + b64(`"sub"`) + s, "not a JSON object"},
		"a payload that is a JWT again": {b64(headerText) + "." + b64(b64(headerText)) + s, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Decode(c.raw)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Decode: %v, want a malformed token with %q", err, c.says)
			}
		})
	}
}

func TestADecodedTokenGivesBackWhatWasWritten(t *testing.T) {
	raw := b64(`{"typ":"at+jwt","alg":"ES256","kid":"k1"}`) + "." + b64(payloadText) + "." + b64("sig")
	d, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if d.Header.Algorithm != "ES256" || d.Header.Type != "at+jwt" || d.Header.KeyID != "k1" || !d.Header.Has("kid") || d.Header.Has("KID") {
		t.Errorf("header %+v", d.Header)
	}
	if string(d.Signature) != "sig" || d.SigningInput != raw[:strings.LastIndex(raw, ".")] || d.Claims.Subject() != "marco" {
		t.Errorf("token %+v", d)
	}
	if got := d.Header.JSON(); got != `{"alg":"ES256","kid":"k1","typ":"at+jwt"}` {
		t.Errorf("header as JSON: %s", got)
	}
}

func TestAnIdentityDoesNotDependOnTheSignature(t *testing.T) {
	id := func(header, payload, sig string) [16]byte {
		t.Helper()
		d, err := Decode(b64(header) + "." + b64(payload) + "." + b64(sig))
		if err != nil {
			t.Fatal(err)
		}
		return d.Identity()
	}
	if id(headerText, payloadText, "one") != id(headerText, payloadText, "two") {
		t.Error("two signatures, two identities")
	}
	if id(headerText, payloadText, "s") == id(headerText, `{"sub":"polo"}`, "s") {
		t.Error("two payloads without jti, one identity")
	}
	with := id(headerText, `{"iss":"a","jti":"b"}`, "s")
	if with != id(`{"alg":"ES256"}`, `{"jti":"b","iss":"a","x":1}`, "s") || with != IdentityOf("a", "b") {
		t.Error("one issuer and jti, two identities")
	}
	if IdentityOf("ab", "c") == IdentityOf("a", "bc") {
		t.Error("issuer and jti run into each other")
	}
}

func TestASegmentIsDecodedAsTheStandardDecoderDoesButForLineEnds(t *testing.T) {
	strict := base64.RawURLEncoding.Strict()
	check := func(t *rapid.T, segment string) {
		want, wantErr := strict.DecodeString(segment)
		if strings.ContainsAny(segment, "\r\n") {
			wantErr = ErrMalformed
		}
		got, err := AppendSegment([]byte("x"), segment)
		if (err == nil) != (wantErr == nil) || err == nil && string(got) != "x"+string(want) {
			t.Fatalf("%q: %x, %v, want %x, %v", segment, got, err, want, wantErr)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("%q: %v", segment, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		segment := []byte(base64.RawURLEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "bytes")))
		check(t, string(segment))
		if len(segment) > 0 {
			segment[rapid.IntRange(0, len(segment)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
			check(t, string(segment))
			check(t, string(segment[:len(segment)-1]))
		}
	})
}
