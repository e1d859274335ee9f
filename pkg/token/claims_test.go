package token

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestANumericDateKeepsItsMicroseconds(t *testing.T) {
	for _, c := range []struct {
		number string
		want   int64
	}{
		{"0", 0},
		{"-0", 0},
		{"1", 1_000_000},
		{"1.5", 1_500_000},
		{"1446564641.016732", 1446564641016732},
		{"1446568595.9806926", 1446568595980692},
		{"1446568595.9999999", 1446568595999999},
		{"-1.5", -1_500_000},
		{"-0.0000001", -1},
		{"0.0000009", 0},
		{"-1.0000000", -1_000_000},
		{"1.446564641016732e9", 1446564641016732},
		{"1446564641016732E-6", 1446564641016732},
		{"1e3", 1_000_000_000},
		{"1e+3", 1_000_000_000},
		{"1e-6", 1},
		{"1e-7", 0},
		{"0e60", 0},
		{"253402300799", 253402300799_000_000},
		{"253402300799.999999", 253402300799_999_999},
		{"253402300799.9999999", 253402300799_999_999},
		{"-253402300799", -253402300799_000_000},
		{"0.00000000000000000000000000000000000000000000000000001", 0},
	} {
		claims, err := ParseClaims(`{"exp":` + c.number + `}`)
		if err != nil {
			t.Fatal(err)
		}
		got, present, err := claims.NumericDate("exp")
		if got != c.want || !present || err != nil {
			t.Errorf("%s: %d, %v, %v, want %d", c.number, got, present, err, c.want)
		}
		if raw, _ := claims.Raw("exp"); string(raw) != c.number {
			t.Errorf("%s became %s", c.number, raw)
		}
	}
}

func TestWhatIsNoTimeIsMalformed(t *testing.T) {
	for _, value := range []string{
		"253402300800", "-253402300800", "1e308", "9223372036854775808", "1e64", "1e99999999999", "1e-65",
		`"1446564641"`, "true", "false", "null", "[]", "[1446564641]", "{}", `""`,
		"1446564641.00000000000000000000000000000000000000000000000000000000",
	} {
		claims, err := ParseClaims(`{"exp":` + value + `}`)
		if err != nil {
			t.Fatal(err)
		}
		_, present, err := claims.NumericDate("exp")
		var ce *ClaimError
		if !present || !errors.Is(err, ErrMalformed) || !errors.As(err, &ce) || ce.Claim != "exp" {
			t.Errorf("%s: %v, %v, want a malformed exp", value, present, err)
		}
	}
	claims, err := ParseClaims(`{"Exp":1}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, present, err := claims.NumericDate("exp"); present || err != nil {
		t.Errorf("Exp is taken for exp: %v, %v", present, err)
	}
}

func TestAnIDReadsBackAndKnowsItsKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 1, 64).Draw(t, "key")
		session := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "session"))
		at := rapid.Int64Range(0, 1<<62).Draw(t, "at")
		id := NewID(session, at, newMAC(key))
		back, ok := ParseID(id.String())
		if !ok || back != id || !back.Verify(newMAC(key)) {
			t.Fatalf("%+v became %+v, %v", id, back, ok)
		}
		if back.Verify(newMAC(append(key, 1))) {
			t.Fatal("another key verifies it")
		}
		back.IssuedAt++
		if back.Verify(newMAC(key)) {
			t.Fatal("another instant verifies")
		}
	})
	for _, s := range []string{"", "abc", "a1b2c3", string(make([]byte, 54)), NewID([16]byte{}, -1, newMAC(nil)).String()} {
		if _, ok := ParseID(s); ok {
			t.Errorf("%q is taken for an ID", s)
		}
	}
}
