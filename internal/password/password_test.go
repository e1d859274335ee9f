package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// cheap makes a hash cost microseconds.
func cheap() Params { return Params{Memory: 64, Time: 1, Threads: 1} }

func newHasher(t testing.TB, c Config) *Hasher {
	t.Helper()
	if c.Params == (Params{}) {
		c.Params = cheap()
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestAHashVerifiesItsPasswordAndNoOther(t *testing.T) {
	h := newHasher(t, Config{})
	for _, password := range []string{"correct horse", "", "pässwörd\x00\xff", strings.Repeat("x", MaxLength)} {
		phc, err := h.Hash(t.Context(), password)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(phc, "$argon2id$v=19$m=64,t=1,p=1$") || strings.Contains(phc, "horse") {
			t.Errorf("Hash gave %q", phc)
		}
		for candidate, want := range map[string]bool{password: true, password + "x": false, "x" + password: false} {
			if len(candidate) > MaxLength {
				continue
			}
			ok, rehash, err := h.Verify(t.Context(), phc, candidate)
			if ok != want || rehash || err != nil {
				t.Errorf("Verify(%.20q) = %v, %v, %v", candidate, ok, rehash, err)
			}
		}
	}
}

func TestTheSamePasswordHashesDifferentlyEachTime(t *testing.T) {
	h := newHasher(t, Config{})
	first, _ := h.Hash(t.Context(), "same")
	second, _ := h.Hash(t.Context(), "same")
	if first == second {
		t.Error("two hashes have one salt")
	}
}

func TestTheDefaultsAreTheFloorThatOWASPAdvises(t *testing.T) {
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Params{Memory: 19456, Time: 2, Threads: 1}); h.params != want {
		t.Errorf("parameters %+v, want %+v", h.params, want)
	}
}

// Hashes of "correct horse", made by argon2(1), passlib, Python's bcrypt and
// Django.
const (
	ofArgon2Tool   = "$argon2id$v=19$m=64,t=3,p=2$c2FsdHNhbHRzYWx0c2FsdA$wNF9w3bUJXunTrhoLnrI2nnm64T+96xE"
	ofArgon2Floor  = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AdweBLwcflnNX2HVW8i1Mtu7frrn4Ki7h/rYSGuU7Is"
	ofPasslib      = "$pbkdf2-sha256$1000$.//.c2FsdHNhbHQ$QV8ZHTemWnva2cvrqdLEWPDyXxeqg9YnfJ1w8GAPs8g"
	ofPasslib512   = "$pbkdf2-sha512$1000$c2FsdHNhbHRzYWx0$oSKce4SGrSKsJabCWZfpe2MmVOPtl4paOjoD1njLdjo3le9sMBwq0q7ivJFcrXSTMQ0HjlOn/J48J9WZe4uR0g"
	ofDjango       = "pbkdf2_sha256$1000$seasalt$mQnueSakb748zqBAC1tmWVZsZbi2zPGZarEzTGdfmso="
	ofBcrypt2a     = "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
	ofBcrypt2b     = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
	ofBcrypt2y     = "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
	ofBcrypt72     = "$2b$04$abcdefghijklmnopqrstuum2G75IXDN/xsgbNa/hCiPSKyIHQd70S"
	seventyTwo     = "012345678901234567890123456789012345678901234567890123456789012345678901"
	passwordOfThem = "correct horse"
)

func TestHashesOfOtherProgramsVerifyAndAreToBeRehashed(t *testing.T) {
	h := newHasher(t, Config{})
	for _, phc := range []string{ofArgon2Tool, ofArgon2Floor, ofPasslib, ofPasslib512, ofDjango, ofBcrypt2a, ofBcrypt2b, ofBcrypt2y} {
		ok, rehash, err := h.Verify(t.Context(), phc, passwordOfThem)
		if !ok || !rehash || err != nil {
			t.Errorf("%s: right password: %v, %v, %v", phc, ok, rehash, err)
		}
		ok, rehash, err = h.Verify(t.Context(), phc, "Correct horse")
		if ok || rehash || err != nil {
			t.Errorf("%s: wrong password: %v, %v, %v", phc, ok, rehash, err)
		}
	}
}

func TestAHashOfTodaysParametersStaysAsItIs(t *testing.T) {
	h := newHasher(t, Config{Params: Params{Memory: 19456, Time: 2, Threads: 1}})
	ok, rehash, err := h.Verify(t.Context(), ofArgon2Floor, passwordOfThem)
	if !ok || rehash || err != nil {
		t.Errorf("got %v, %v, %v", ok, rehash, err)
	}
}

func TestBcryptReads72BytesAndALongerPasswordIsNotRehashed(t *testing.T) {
	h := newHasher(t, Config{})
	for password, want := range map[string][2]bool{
		seventyTwo:            {true, true},
		seventyTwo + "mistyp": {true, false},
		seventyTwo[:71]:       {false, false},
	} {
		ok, rehash, err := h.Verify(t.Context(), ofBcrypt72, password)
		if (ok != want[0]) || (rehash != want[1]) || err != nil {
			t.Errorf("%d bytes: %v, %v, %v", len(password), ok, rehash, err)
		}
	}
}

func TestHostileAndBrokenHashesAreRefused(t *testing.T) {
	salt, key := "c2FsdHNhbHRzYWx0c2FsdA", "AdweBLwcflnNX2HVW8i1Mtu7frrn4Ki7h/rYSGuU7Is"
	argon := func(version, params string) string {
		return "$argon2id$" + version + "$" + params + "$" + salt + "$" + key
	}
	h := newHasher(t, Config{})
	for name, phc := range map[string]string{
		"plain text":          "secret",
		"unusable in Django":  "!",
		"memory of 4 TiB":     argon("v=19", "m=4294967295,t=1,p=1"),
		"memory overflows":    argon("v=19", "m=4294967360,t=1,p=1"),
		"memory above bound":  argon("v=19", "m=262145,t=1,p=1"),
		"memory of nothing":   argon("v=19", "m=7,t=1,p=1"),
		"time of ages":        argon("v=19", "m=64,t=4294967295,p=1"),
		"work above bound":    argon("v=19", "m=262144,t=5,p=1"),
		"no pass":             argon("v=19", "m=64,t=0,p=1"),
		"no lane":             argon("v=19", "m=64,t=1,p=0"),
		"lanes overflow":      argon("v=19", "m=64,t=1,p=257"),
		"too many lanes":      argon("v=19", "m=262144,t=1,p=17"),
		"old version":         argon("v=16", "m=64,t=1,p=1"),
		"signed":              argon("v=19", "m=+64,t=1,p=1"),
		"leading zero":        argon("v=19", "m=064,t=1,p=1"),
		"other order":         argon("v=19", "t=1,m=64,p=1"),
		"key id":              argon("v=19", "m=64,t=1,p=1,keyid=AA"),
		"argon2i":             strings.Replace(argon("v=19", "m=64,t=1,p=1"), "2id", "2i", 1),
		"empty key":           "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"short key":           "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AdweBA",
		"line feed in key":    "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key[:9] + "\n" + key[9:],
		"no salt":             "$argon2id$v=19$m=64,t=1,p=1$$" + key,
		"another field":       argon("v=19", "m=64,t=1,p=1") + "$x",
		"passlib without key": "$pbkdf2-sha256$1000$c2FsdHNhbHQ$",
		"passlib for ages":    strings.Replace(ofPasslib, "1000", "4000000000", 1),
		"passlib no rounds":   strings.Replace(ofPasslib, "1000", "0", 1),
		"passlib with plus":   strings.Replace(ofPasslib, ".", "+", 1),
		"django without key":  "pbkdf2_sha256$1000$seasalt$",
		"django short key":    "pbkdf2_sha256$1000$seasalt$mQnueQ==",
		"bcrypt for a day":    strings.Replace(ofBcrypt2b, "$04$", "$31$", 1),
		"bcrypt cost of 3":    strings.Replace(ofBcrypt2b, "$04$", "$03$", 1),
		"bcrypt 2x":           strings.Replace(ofBcrypt2b, "2b", "2x", 1),
		"bcrypt cut":          ofBcrypt2b[:59],
		"bcrypt longer":       ofBcrypt2b + "x",
		"bcrypt bad salt":     strings.Replace(ofBcrypt2b, "abc", "a!c", 1),
		"long":                ofPasslib + strings.Repeat("A", maxText),
	} {
		before := h.Stats()
		ok, rehash, err := h.Verify(t.Context(), phc, passwordOfThem)
		if ok || rehash || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, %v, %v", name, ok, rehash, err)
		}
		after := h.Stats()
		if after.Hashes != before.Hashes+1 || after.Work != before.Work+64 {
			t.Errorf("%s: cost %+v after %+v, want one hash of 64", name, after, before)
		}
	}
}

func TestUnknownUserAndWrongPasswordCostOneHashOfEqualCost(t *testing.T) {
	h := newHasher(t, Config{Params: Params{Memory: 128, Time: 3, Threads: 1}})
	phc, err := h.Hash(t.Context(), "right")
	if err != nil {
		t.Fatal(err)
	}
	cost := func(try func() error) [2]uint64 {
		before := h.Stats()
		if err := try(); err != nil {
			t.Fatal(err)
		}
		after := h.Stats()
		return [2]uint64{after.Hashes - before.Hashes, after.Work - before.Work}
	}
	want := [2]uint64{1, 3 * 128}
	for name, try := range map[string]func() error{
		"right":        func() error { _, _, err := h.Verify(t.Context(), phc, "right"); return err },
		"wrong":        func() error { _, _, err := h.Verify(t.Context(), phc, "wrong"); return err },
		"no password":  func() error { _, _, err := h.Verify(t.Context(), "", "wrong"); return err },
		"unknown user": func() error { return h.Equalise(t.Context(), "wrong") },
	} {
		if got := cost(try); got != want {
			t.Errorf("%s: %d hashes of cost %d, want %v", name, got[0], got[1], want)
		}
	}
}

func TestAnEmptyHashNeverVerifies(t *testing.T) {
	h := newHasher(t, Config{})
	var err error
	if h.dummy, err = parse(ofArgon2Tool); err != nil { // as if somebody had hit upon the dummy's password
		t.Fatal(err)
	}
	for _, password := range []string{"", "x", passwordOfThem} {
		if ok, rehash, err := h.Verify(t.Context(), "", password); ok || rehash || err != nil {
			t.Errorf("%q: %v, %v, %v", password, ok, rehash, err)
		}
	}
}

func TestTheDummyIsMadeOfTodaysParameters(t *testing.T) {
	h := newHasher(t, Config{Params: Params{Memory: 256, Time: 2, Threads: 2}})
	if d := h.dummy.(argon2idHash); d.params != h.params || len(d.key) != keyBytes || len(d.salt) != saltBytes {
		t.Errorf("dummy %+v", d.params)
	}
}

func TestALongPasswordIsRefusedWithoutAHash(t *testing.T) {
	h := newHasher(t, Config{})
	long := strings.Repeat("x", MaxLength+1)
	_, hashErr := h.Hash(t.Context(), long)
	_, _, verifyErr := h.Verify(t.Context(), ofBcrypt2a, long)
	for _, err := range []error{hashErr, verifyErr, h.Equalise(t.Context(), long)} {
		if !errors.Is(err, ErrTooLong) {
			t.Errorf("got %v", err)
		}
	}
	if n := h.Stats().Hashes; n != 0 {
		t.Errorf("%d hashes were made", n)
	}
}

func TestNoErrorQuotesThePasswordOrTheHash(t *testing.T) {
	h := newHasher(t, Config{})
	for _, phc := range []string{"hunter2hash", "$argon2id$hunter2hash", "$2b$hunter2hash", "pbkdf2_sha256$hunter2hash$x$y"} {
		_, _, err := h.Verify(t.Context(), phc, "hunter2")
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, c := range map[string]Config{
		"memory":      {Params: Params{Memory: 1 << 30}},
		"lanes":       {Params: Params{Memory: 64, Threads: 16}},
		"work":        {Params: Params{Memory: 256 << 10, Time: 100}},
		"concurrency": {MaxConcurrent: -1},
		"queue":       {MaxQueue: -1},
		"wait":        {MaxWait: -1},
		"randomness":  {Rand: strings.NewReader("short")},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzVerifyNeverTakesAForeignHashForTheOwn(f *testing.F) {
	for _, phc := range []string{ofArgon2Tool, ofPasslib, ofPasslib512, ofDjango, ofBcrypt2a, "", "$argon2id$v=19$m=8,t=1,p=1$$"} {
		f.Add(phc)
	}
	f.Fuzz(func(t *testing.T, phc string) {
		s, err := parse(phc)
		if (s == nil) != (err != nil || phc == "") {
			t.Fatalf("parse(%q) = %v, %v", phc, s, err)
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("parse(%q): %v", phc, err)
		}
		if a, ok := s.(argon2idHash); ok {
			if err := a.params.check(); err != nil || len(a.key) < 16 {
				t.Fatalf("parse(%q) let %v pass, key of %d bytes", phc, err, len(a.key))
			}
			if a.String() != phc {
				t.Fatalf("%q has another spelling: %q", phc, a.String())
			}
		}
		if s == nil || costly(s) {
			return
		}
		if s.matches("no hash in the corpus is of this \x00\xff", derive) {
			t.Fatalf("%q matched", phc)
		}
	})
}

func costly(s stored) bool {
	switch s := s.(type) {
	case argon2idHash:
		return s.work() > 1024
	case pbkdf2Hash:
		return s.rounds > 10_000
	case bcryptHash:
		return s[4:6] > "06"
	}
	return false
}

func BenchmarkHash(b *testing.B) {
	for _, p := range []Params{{}, {Memory: 46 << 10, Time: 1, Threads: 1}} {
		h, err := New(Config{Params: p})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("m=%d,t=%d,p=%d", h.params.Memory, h.params.Time, h.params.Threads), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Hash(context.Background(), passwordOfThem); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
