package signing

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestASealedValueOpensForItsContextOnly(t *testing.T) {
	m := NewMaster()
	for _, plain := range []string{"", "a private key", strings.Repeat("long", 10_000)} {
		sealed, err := m.Seal([]byte(plain), "key 1")
		if err != nil {
			t.Fatal(err)
		}
		if plain != "" && bytes.Contains(sealed, []byte(plain)) {
			t.Error("the plain text stands in the sealed value")
		}
		got, err := m.Open(sealed, "key 1")
		if err != nil || string(got) != plain {
			t.Errorf("Open = %.20q, %v", got, err)
		}
		for _, context := range []string{"key 2", "", "key 1 "} {
			if _, err := m.Open(sealed, context); !errors.Is(err, ErrSealed) {
				t.Errorf("context %q: %v", context, err)
			}
		}
	}
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	m := NewMaster()
	a, _ := m.Seal([]byte("same"), "")
	b, _ := m.Seal([]byte("same"), "")
	if bytes.Equal(a, b) {
		t.Error("the nonce is not fresh")
	}
}

func TestAnotherMasterKeyIsSaidToBeAnother(t *testing.T) {
	sealed, err := NewMaster().Seal([]byte("x"), "key 1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewMaster().Open(sealed, "key 1")
	if !errors.Is(err, ErrMaster) || err.Error() != "sealed under another master key" {
		t.Errorf("got %v", err)
	}
}

func TestNoByteOfASealedValueCanBeChangedOrCutOff(t *testing.T) {
	m := NewMaster()
	sealed, err := m.Seal([]byte("a private key"), "key 1")
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := m.Open(changed, "key 1"); !errors.Is(err, ErrSealed) && !errors.Is(err, ErrMaster) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := m.Open(sealed[:i], "key 1"); !errors.Is(err, ErrSealed) {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}
}

func TestDerivedKeysDependOnLabelAndMasterAlone(t *testing.T) {
	text := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	m, err := ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseMaster(" " + text + "\n")
	if err != nil {
		t.Fatal(err)
	}
	a := m.Derive("token id", 32)
	if len(a) != 32 || !bytes.Equal(a, again.Derive("token id", 32)) {
		t.Error("the same label gives another key")
	}
	for name, other := range map[string][]byte{
		"another label":  m.Derive("token ie", 32),
		"another master": NewMaster().Derive("token id", 32),
		"the seal key":   m.derive("seal", 32),
	} {
		if bytes.Equal(a, other) {
			t.Errorf("%s gives the same key", name)
		}
	}
	if bytes.Equal(m.Derive("seal", 32), m.derive("seal", 32)) {
		t.Error("a label of a caller reaches the key that seals")
	}
	// What a store was sealed or marked with must stay: RFC 5869 by another hand.
	const want = "05e86fed523caa04b73252a9384edb8cb1f6b53367c06f207c07f79e95f6e619"
	if got := fmt.Sprintf("%x", a); got != want {
		t.Errorf("Derive gave %s, want %s", got, want)
	}
}

func TestAMasterKeyIsTheBase64Of32Bytes(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for name, text := range map[string]string{
		"nothing":       "",
		"words":         "correct horse battery staple",
		"31 bytes":      base64.StdEncoding.EncodeToString(make([]byte, 31)),
		"33 bytes":      base64.StdEncoding.EncodeToString(make([]byte, 33)),
		"twice":         good + good,
		"trailing bits": good[:42] + "B=",
		"hex":           strings.Repeat("ab", 32),
	} {
		_, err := ParseMaster(text)
		if err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNeitherMasterNorKeyNorRingPrintsItsSecret(t *testing.T) {
	m := NewMaster()
	k := Key{ID: "k1", Algorithm: "HS256", State: Active, Secret: token.NewSecret("hunter2hunter2hunter2hunter2hunter2")}
	r, err := NewRing(time.Now(), k, Key{ID: "k0", Algorithm: "HS256", State: Retiring, Secret: k.Secret})
	if err != nil {
		t.Fatal(err)
	}
	secrets := []string{"hunter2", fmt.Sprintf("%x", "hunter2"), "104 117 110", "68, 0x75", m.encode(), fmt.Sprintf("%x", m.secret[:]), strings.Trim(fmt.Sprint(m.secret[:]), "[]")}
	var out bytes.Buffer
	for _, v := range []any{m, k, &k, r, []Key{k}, struct{ K Key }{k}, struct{ m *Master }{m}, struct{ r *Ring }{r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Error(err)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is printed:\n%s", secret, out.String())
		}
	}
	if !strings.Contains(out.String(), "{k1 HS256 active 0 0 0 <redacted") {
		t.Errorf("a key does not print what is no secret:\n%s", out.String())
	}
}

func FuzzOpenNeverPanicsAndNeverOpensWhatWasNotSealed(f *testing.F) {
	m, err := ParseMaster(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)))
	if err != nil {
		f.Fatal(err)
	}
	head := m.head()
	f.Add([]byte{}, "")
	f.Add(head, "key 1")
	f.Add(append(head, make([]byte, 28)...), "key 1")
	f.Fuzz(func(t *testing.T, sealed []byte, context string) {
		if _, err := m.Open(sealed, context); !errors.Is(err, ErrSealed) && !errors.Is(err, ErrMaster) {
			t.Fatalf("Open(%x, %q): %v", sealed, context, err)
		}
		whole, err := m.Seal(sealed, context)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := m.Open(whole, context); err != nil || !bytes.Equal(plain, sealed) {
			t.Fatalf("Open(Seal(%x)) = %x, %v", sealed, plain, err)
		}
	})
}
