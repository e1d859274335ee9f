package issuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// published is the kids of the JWK set, sorted. Nothing private may be in it.
func (w *world) published() []string {
	w.Helper()
	text, err := w.door.JWKS()
	w.do(err)
	var set struct{ Keys []map[string]any }
	w.do(json.Unmarshal(text, &set))
	var kids []string
	for _, k := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, has := k[private]; has {
				w.Errorf("the member %s is published", private)
			}
		}
		kids = append(kids, k["kid"].(string))
	}
	slices.Sort(kids)
	return kids
}

func (w *world) wantPublished(what string, want ...string) {
	w.Helper()
	slices.Sort(want)
	if got := w.published(); !slices.Equal(got, want) {
		w.Errorf("%s: published %v, want %v", what, got, want)
	}
}

// signedBy issues a token and returns it and its kid.
func (w *world) signedBy() (token.Set, string) {
	w.Helper()
	set := w.issue(issuer.Order{Subject: "marco", Client: "billing"})
	kid, _ := part(w, set.AccessToken, 0)["kid"].(string)
	return set, kid
}

// added is the ID of the key that a rotation adds.
func (w *world) rotated(r issuer.Rotation) string {
	w.Helper()
	before := w.published()
	w.do(w.door.RotateKey(w.Context(), r))
	for _, kid := range w.published() {
		if !slices.Contains(before, kid) {
			return kid
		}
	}
	w.Fatal("no key was added")
	return ""
}

// The JWK sets that others hold may be JWKSMaxAge old, and one more where a cache
// stands between.
func TestAKeyIsPublishedThenSignsThenVerifiesThenIsGone(t *testing.T) {
	_, w := newDoors(t)
	first := w.published()[0]
	w.clock.move(time.Hour)
	rotated := w.clock.Now()
	second := w.rotated(issuer.Rotation{})
	var signs, gone time.Duration // when it was first seen
	last := map[string]token.Set{}
	for step := time.Duration(0); step <= 30*time.Minute; step += 500 * time.Millisecond {
		set, kid := w.signedBy()
		last[kid] = set
		switch {
		case kid == second && signs == 0:
			signs = step
		case kid != second && signs != 0:
			t.Fatalf("at %s the old key signs again", step)
		}
		kids := w.published()
		if !slices.Contains(kids, second) {
			t.Fatalf("at %s the new key is not published", step)
		}
		if !slices.Contains(kids, first) && gone == 0 {
			gone = step
		}
		if old, ok := last[first]; ok {
			err := w.inspect(old)
			if over := !w.clock.Now().Before(time.Unix(old.ExpiresAt.Unix(), 0)); (err != nil) != over {
				t.Fatalf("at %s the last token of the old key, which is over at %s: %v", step, old.ExpiresAt.Sub(rotated), err)
			}
		}
		w.wantGood(set, "a new token")
		w.clock.move(500 * time.Millisecond)
	}
	if least := 2 * issuer.JWKSMaxAge * time.Second; signs < least || signs > least+time.Second {
		t.Errorf("it signs %s after it was published, want %s", signs, least)
	}
	if want := signs + 10*time.Minute; gone < want || gone > want+3*time.Second {
		t.Errorf("the old one was gone after %s, want when its last token was over: %s", gone, want)
	}
	w.wantPublished("at the end", second)
	if keys := w.keys(); len(keys) != 1 || keys[0].ID != second {
		t.Errorf("keys at the end: %v", keys)
	}
}

func TestTheScheduleIsKeptOverARestart(t *testing.T) {
	ats, w := newDoors(t)
	first := w.published()[0]
	second := w.rotated(issuer.Rotation{})
	restart := func() {
		t.Helper()
		w = ats.twin().standard()
	}
	for _, c := range []struct {
		after time.Duration
		signs string
		kids  []string
	}{
		{0, first, []string{first, second}},
		{9*time.Minute + 59*time.Second, first, []string{first, second}},
		{2 * time.Second, second, []string{first, second}},
		{9 * time.Minute, second, []string{first, second}},
		{2 * time.Minute, second, []string{second}},
	} {
		w.clock.move(c.after)
		before, _ := w.signedBy()
		restart()
		set, kid := w.signedBy()
		if kid != c.signs {
			t.Errorf("%s later %s signs, want %s", c.after, kid, c.signs)
		}
		w.wantPublished(c.after.String()+" later", c.kids...)
		w.wantGood(before, "a token from before the restart")
		w.wantGood(set, "one from after it")
	}
}

func TestTwoRotationsInARowHandOverTwice(t *testing.T) {
	_, w := newDoors(t)
	first := w.published()[0]
	second := w.rotated(issuer.Rotation{})
	w.clock.move(time.Minute)
	third := w.rotated(issuer.Rotation{Algorithm: "EdDSA"})
	w.wantPublished("at first", first, second, third)
	var order []string
	var tokens []token.Set
	for range 40 * 60 {
		set, kid := w.signedBy()
		if len(order) == 0 || order[len(order)-1] != kid {
			order = append(order, kid)
			tokens = append(tokens, set)
		}
		tokens[len(tokens)-1] = set // the last of each
		for i, old := range tokens {
			if w.clock.Now().Unix() < old.ExpiresAt.Unix() && w.inspect(old) != nil {
				t.Fatalf("a token of key %d that is not over: %v", i+1, w.inspect(old))
			}
		}
		w.clock.move(time.Second)
	}
	if !slices.Equal(order, []string{first, second, third}) {
		t.Errorf("signed in the order %v, want %v", order, []string{first, second, third})
	}
	w.wantPublished("at the end", third)
	if algorithm := w.door.Algorithm(); algorithm != "EdDSA" {
		t.Errorf("it signs with %s", algorithm)
	}
}

func TestARotationAtOnceOvertakesOneThatIsUnderWay(t *testing.T) {
	_, w := newDoors(t)
	first := w.published()[0]
	old, _ := w.signedBy()
	waiting := w.rotated(issuer.Rotation{})
	w.clock.move(time.Minute)
	now := w.rotated(issuer.Rotation{Now: true})
	for range 30 * 60 {
		if _, kid := w.signedBy(); kid != now {
			t.Fatalf("%s signs, want %s", kid, now)
		}
		if w.clock.Now().Unix() < old.ExpiresAt.Unix() {
			w.wantGood(old, "a token of the first key")
			w.wantPublished("while it is good", first, waiting, now)
		}
		w.clock.move(time.Second)
	}
	w.wantPublished("at the end", now)
}

func TestARotationOfAnotherProcessIsFollowedOnTheSameSchedule(t *testing.T) {
	path, master, clock := sqlitePath(t), signing.NewMaster(), newClock()
	here := newWorldOver(t, openSQLite(t, path), master, clock).standard()
	there := newWorldOver(t, openSQLite(t, path), master, clock).standard()
	follow := func() { here.do(here.issuer.Follow(t.Context())); there.do(there.issuer.Follow(t.Context())) }
	follow()
	first := here.published()[0]
	there.wantPublished("by the other process", first)
	second := there.rotated(issuer.Rotation{})
	follow()
	for range 25 * 60 {
		mine, myKid := here.signedBy()
		theirs, theirKid := there.signedBy()
		if myKid != theirKid {
			t.Fatalf("one signs with %s, the other with %s", myKid, theirKid)
		}
		here.wantGood(theirs, "a token of the other process")
		there.wantGood(mine, "a token of this one")
		clock.move(time.Second)
		if t.Failed() {
			return
		}
	}
	here.wantPublished("here at the end", second)
	there.wantPublished("there at the end", second)
	third := here.rotated(issuer.Rotation{Now: true})
	set, _ := here.signedBy()
	follow()
	there.wantGood(set, "a token of a key that signed at once")
	if _, kid := there.signedBy(); kid != third {
		t.Errorf("the other process signs with %s, want %s", kid, third)
	}
}

// A process that has not heard yet signs with the old key for a while: what it
// signs must verify as long as it lasts.
func TestWhatASlowProcessSignsVerifiesUntilItIsOver(t *testing.T) {
	path, master, clock := sqlitePath(t), signing.NewMaster(), newClock()
	here := newWorldOver(t, openSQLite(t, path), master, clock).standard()
	there := newWorldOver(t, openSQLite(t, path), master, clock).standard()
	there.do(there.door.RotateKey(t.Context(), issuer.Rotation{Now: true}))
	clock.move(time.Second) // StaleAfter
	set, _ := here.signedBy()
	clock.move(10*time.Minute - 2*time.Second)
	there.wantGood(set, "two seconds before its end")
}

func TestADoorTakesKeysOfItsOwnKindAlone(t *testing.T) {
	ats, w := newDoors(t)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	w.do(err)
	p256 := elliptic256(t)
	for what, c := range map[string]struct {
		door *world
		r    issuer.Rotation
	}{
		"a secret where private keys sign":   {w, issuer.Rotation{Secret: token.NewSecret(seedSecret)}},
		"HS256 where private keys sign":      {w, issuer.Rotation{Algorithm: "HS256"}},
		"a private key where a secret signs": {ats, issuer.Rotation{Private: p256}},
		"ES256 where a secret signs":         {ats, issuer.Rotation{Algorithm: "ES256"}},
		"an unknown algorithm":               {w, issuer.Rotation{Algorithm: "none"}},
		"another curve's algorithm":          {w, issuer.Rotation{Private: p256, Algorithm: "ES384"}},
		"another family's algorithm":         {w, issuer.Rotation{Private: p256, Algorithm: "RS256"}},
		"a weak key":                         {w, issuer.Rotation{Private: weak}},
		"a curve that nobody signs on":       {w, issuer.Rotation{Private: p224(t)}},
	} {
		before := len(c.door.keys())
		if err := c.door.door.RotateKey(t.Context(), c.r); err == nil || errors.Is(err, token.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
		if now := len(c.door.keys()); now != before {
			t.Errorf("%s: there are %d keys, there were %d", what, now, before)
		}
	}
	_, signs := w.signedBy()
	w.wantPublished("in the end", signs)
	w.do(w.door.RotateKey(t.Context(), issuer.Rotation{Private: p256, Now: true}))
	if key := w.keys()[0]; !p256.PublicKey.Equal(key.Private.Public()) || key.Algorithm != "ES256" {
		t.Errorf("a good one was brought along, %s signs", key.ID)
	}
	again := w.door.RotateKey(t.Context(), issuer.Rotation{Private: p256, Algorithm: "ES256"})
	if want := "that key is in force already: " + w.keys()[0].ID; again == nil || again.Error() != want {
		t.Errorf("the same one again: %v, want %s", again, want)
	}
}

func p224(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestASecretIsNeverPublished(t *testing.T) {
	ats, _ := newDoors(t)
	ats.wantPublished("by the ats door")
}

func TestPrivateKeysLieSealedInTheStore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	s := openSQLite(t, path)
	w := newWorldOver(t, s, signing.NewMaster(), newClock()).standard()
	w.rotated(issuer.Rotation{})
	for _, algorithm := range []string{"EdDSA", "RS256"} {
		w.rotated(issuer.Rotation{Algorithm: algorithm, Now: true})
	}
	var bytes []byte
	files, err := os.ReadDir(dir)
	w.do(err)
	for _, f := range files { // the journal too
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		w.do(err)
		bytes = append(bytes, b...)
	}
	text := string(bytes)
	keys := w.keys()
	if len(keys) != 4 {
		t.Fatalf("%d keys", len(keys))
	}
	for _, k := range keys {
		if !strings.Contains(text, k.ID) {
			t.Fatalf("the store does not even hold the name of the key %s: the test looks in the wrong place", k.ID)
		}
		for what, secret := range privateParts(t, k) {
			if strings.Contains(text, secret) || strings.Contains(text, base64.RawURLEncoding.EncodeToString([]byte(secret))) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(secret))) {
				t.Errorf("the %s of the %s key lies open in the store", what, k.Algorithm)
			}
		}
	}
	rows, err := s.Keys(t.Context())
	w.do(err)
	for _, row := range rows {
		if _, err := x509.ParsePKCS8PrivateKey(row.Sealed); err == nil || len(row.Sealed) < 64 {
			t.Errorf("the key %s is not sealed", row.ID)
		}
	}
}

// privateParts are the bytes of a key that nobody may see.
func privateParts(t *testing.T, k signing.Key) map[string]string {
	t.Helper()
	der, err := signing.MarshalPrivate(k.Private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{"PKCS #8 form": string(der)}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		d, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		parts["scalar"] = string(d)
	case *rsa.PrivateKey:
		parts["exponent"], parts["prime"] = string(key.D.Bytes()), string(key.Primes[0].Bytes())
	case interface{ Seed() []byte }:
		parts["seed"] = string(key.Seed())
	default:
		t.Fatalf("a key of the kind %T", key)
	}
	return parts
}

func TestASealedKeyCannotBePutInThePlaceOfAnother(t *testing.T) {
	ats, w := newDoors(t)
	rows, err := w.hook.Keys(t.Context())
	w.do(err)
	i := slices.IndexFunc(rows, func(k store.Key) bool { return k.Door == "oauth2" })
	moved := rows[i]
	moved.ID = "another"
	w.do(w.hook.Apply(t.Context(), store.PutKey{Key: moved}))
	if _, err := ats.twin().issuer.Door(t.Context(), w.door.DoorConfig); err == nil || !strings.Contains(err.Error(), "key another: ") {
		t.Errorf("a key under another's name: %v, want that it does not open", err)
	}
}

func TestTheClockMayBeSetBackOverARestart(t *testing.T) {
	ats, w := newDoors(t)
	w.clock.move(-time.Hour)
	after := ats.twin().standard()
	set, _ := after.signedBy()
	after.wantGood(set, "a token of then")
	after.do(after.door.RotateKey(t.Context(), issuer.Rotation{Now: true}))
	w.clock.move(-time.Hour)
	later := ats.twin().standard()
	set, _ = later.signedBy()
	later.wantGood(set, "a token of even before")
}
