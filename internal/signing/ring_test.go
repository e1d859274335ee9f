package signing

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/token"
)

const (
	seedSecret = "ASDFFGGHJGLKJWELROISUFLDKJFLS"
	atsHeader  = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9" // {"alg":"HS256","typ":"JWT"}
	payload    = `{"iss":"ats.auth","sub":"alice","iat":1446564493.414818,"exp":1446568093.414818,"jti":"AAECAwQFBgcICQoLDA0ODwAFI5YI0AAiAAECAwQFBgcICQoLDA0OD"}`
)

func hs256(id, state string, created int64) Key {
	return Key{ID: id, Algorithm: "HS256", State: state, CreatedAt: created, Secret: token.NewSecret("secret of " + id + " that is long enough by far")}
}

// ringTime is the instant that the rings of the tests are of.
var ringTime = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func newRing(t testing.TB, keys ...Key) *Ring {
	t.Helper()
	r, err := NewRing(ringTime, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheAtsDoorsHeaderIsTheOriginalsToTheByte(t *testing.T) {
	r := newRing(t, Key{ID: "k1", Algorithm: "HS256", State: Active, Secret: token.NewSecret(seedSecret)})
	compact, err := r.Sign(Header{Type: "JWT"}, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(compact, ".")
	if head != atsHeader {
		t.Errorf("header %s", head)
	}
	// Signed with openssl dgst -sha256 -hmac over the same text.
	const want = "ASmpEH5Dw-aQz741npnAODYfIgBPY-aqP-j2otZeG38"
	if _, signature, _ := strings.Cut(rest, "."); signature != want {
		t.Errorf("signature %s, want %s", signature, want)
	}
	decoded, err := token.Decode(compact)
	if err != nil || decoded.Claims.Text() != payload {
		t.Errorf("decoded %v, %v", decoded, err)
	}
}

func TestWhatARingSignsAnotherLibrarysParserVerifies(t *testing.T) {
	for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
		for _, h := range []Header{{}, {Type: "JWT"}, {Type: "JWT", KeyID: true}, {Type: "JWT", TypeFirst: true}, {Type: "at+jwt", KeyID: true}, {Type: `odd"<typ>`, KeyID: true}, {Type: `odd"<typ>`, TypeFirst: true}} {
			for _, text := range []string{`{}`, payload, `{"x":"` + strings.Repeat("x", 5000) + `"}`} {
				k := Key{ID: "k 1", Algorithm: algorithm, State: Active, Secret: token.NewSecret(strings.Repeat("0123456789", 7))}
				compact, err := newRing(t, k).Sign(h, []byte(text))
				if err != nil {
					t.Fatal(err)
				}
				parsed, err := jwt.Parse(compact, func(*jwt.Token) (any, error) { return []byte(k.Secret.Reveal()), nil },
					jwt.WithValidMethods([]string{algorithm}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
				if err != nil {
					t.Fatalf("%s %+v: %v", algorithm, h, err)
				}
				decoded, err := token.Decode(compact)
				if err != nil || decoded.Claims.Text() != text || decoded.Header.Type != h.Type {
					t.Errorf("%s %+v: %v", algorithm, h, err)
				}
				if kid, named := parsed.Header["kid"]; named != h.KeyID || named && kid != k.ID {
					t.Errorf("%s %+v: kid %v", algorithm, h, kid)
				}
			}
		}
	}
}

func TestTheNewestActiveKeySigns(t *testing.T) {
	r := newRing(t, hs256("older", Active, 1), hs256("newest but retiring", Retiring, 9), hs256("newer", Active, 2))
	if id := r.Signing().ID; id != "newer" {
		t.Errorf("%s signs", id)
	}
	compact, err := r.Sign(Header{Type: "at+jwt", KeyID: true}, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := token.Decode(compact)
	if err != nil || decoded.Header.KeyID != "newer" {
		t.Fatalf("kid %v, %v", decoded.Header, err)
	}
	if err := jwt.SigningMethodHS256.Verify(decoded.SigningInput, decoded.Signature, []byte(hs256("newer", Active, 2).Secret.Reveal())); err != nil {
		t.Error(err)
	}
}

func TestARetiringKeyVerifiesUntilItsLastTokenIsOver(t *testing.T) {
	now := ringTime.Add(time.Hour)
	retiring := hs256("retiring", Retiring, 1)
	retiring.NotAfter = now.UnixMicro()
	endless := hs256("endless", Retiring, 2)
	active := hs256("active", Active, 3)
	// One that still signs may have its end already: its successor is made.
	ending := hs256("ending", Active, 2)
	ending.NotAfter = now.UnixMicro()
	r := newRing(t, retiring, endless, active, ending)
	for at, want := range map[time.Time][]string{
		now.Add(-time.Microsecond): {"active", "ending", "endless", "retiring"},
		now:                        {"active", "endless"},
	} {
		var ids []string
		for _, k := range r.Verifying(at) {
			ids = append(ids, k.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("at %v: %v, want %v", at, ids, want)
		}
	}
}

func TestARingDoesNotChangeWithWhatItWasMadeOf(t *testing.T) {
	keys := []Key{hs256("k1", Active, 1), hs256("k0", Retiring, 0)}
	r := newRing(t, keys...)
	before, _ := r.Sign(Header{Type: "JWT", KeyID: true}, []byte(payload))
	keys[0], keys[1] = keys[1], keys[0]
	r.Verifying(time.Unix(0, 0))[0] = keys[0]
	after, _ := r.Sign(Header{Type: "JWT", KeyID: true}, []byte(payload))
	if before != after || r.Signing().ID != "k1" {
		t.Error("the ring changed")
	}
}

func TestNewRingRefusesWhatCannotSign(t *testing.T) {
	good := hs256("good", Active, 1)
	change := func(f func(*Key)) Key { k := hs256("bad", Active, 1); f(&k); return k }
	for name, keys := range map[string][]Key{
		"no key":        {},
		"none active":   {hs256("k", Retiring, 1)},
		"twice":         {good, good},
		"none":          {good, change(func(k *Key) { k.Algorithm = "none" })},
		"lower case":    {good, change(func(k *Key) { k.Algorithm = "hs256" })},
		"no algorithm":  {good, change(func(k *Key) { k.Algorithm = "" })},
		"no secret":     {good, change(func(k *Key) { k.Secret = token.Secret{} })},
		"no id":         {good, change(func(k *Key) { k.ID = "" })},
		"unknown state": {good, change(func(k *Key) { k.State = "gone" })},
	} {
		if r, err := NewRing(ringTime, keys...); err == nil {
			t.Errorf("%s: made %v", name, r)
		} else if strings.Contains(err.Error(), "secret of") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATokenThatNoVerifierReadsIsNotSigned(t *testing.T) {
	r := newRing(t, hs256("k", Active, 1))
	longest := 0
	for n := token.MaxLength*3/4 - 100; n < token.MaxLength; n++ {
		compact, err := r.Sign(Header{Type: "JWT"}, bytes.Repeat([]byte("x"), n))
		if err != nil {
			if !errors.Is(err, ErrTooLong) {
				t.Fatal(err)
			}
			break
		}
		longest = len(compact)
	}
	if longest > token.MaxLength || longest < token.MaxLength-2 {
		t.Errorf("the longest token has %d bytes, want %d", longest, token.MaxLength)
	}
	if _, err := r.Sign(Header{Type: strings.Repeat("x", token.MaxHeaderLength)}, nil); !errors.Is(err, ErrTooLong) {
		t.Errorf("long header: %v", err)
	}
}

func TestManySignAtOnce(t *testing.T) {
	r := newRing(t, hs256("k", Active, 1))
	want, _ := r.Sign(Header{Type: "JWT"}, []byte(payload))
	var wg sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for range 200 {
				if got, err := r.Sign(Header{Type: "JWT"}, []byte(payload)); got != want || err != nil {
					t.Errorf("got %s, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkSign interleaves a ring with the bare signature over a ready text
// and prints how much longer the ring takes.
func BenchmarkSign(b *testing.B) {
	r := newRing(b, hs256("k", Active, 1))
	compact, err := r.Sign(Header{Type: "JWT"}, []byte(payload))
	if err != nil {
		b.Fatal(err)
	}
	text, secret := compact[:strings.LastIndexByte(compact, '.')], any([]byte(r.Signing().Secret.Reveal()))
	const batch = 64
	var bare, ring time.Duration
	for b.Loop() {
		start := time.Now()
		for range batch {
			if _, err := jwt.SigningMethodHS256.Sign(text, secret); err != nil {
				b.Fatal(err)
			}
		}
		middle := time.Now()
		for range batch {
			if _, err := r.Sign(Header{Type: "JWT"}, []byte(payload)); err != nil {
				b.Fatal(err)
			}
		}
		bare += middle.Sub(start)
		ring += time.Since(middle)
	}
	b.ReportMetric(float64(ring)/float64(bare), "ring/bare")
	b.ReportMetric(float64(ring.Nanoseconds())/float64(b.N)/batch, "ns/sign")
	b.ReportMetric(testing.AllocsPerRun(100, func() { r.Sign(Header{Type: "JWT"}, []byte(payload)) }), "allocs/sign")
	b.ReportMetric(testing.AllocsPerRun(100, func() { jwt.SigningMethodHS256.Sign(text, secret) }), "allocs/bare")
}
