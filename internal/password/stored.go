package password

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// stored is a hash read from its text.
type stored interface {
	// matches compares in constant time. derive is how argon2id is done.
	matches(password string, derive func(order) []byte) bool
	// outdated reports whether Hash(password) should take its place.
	outdated(now Params, password string) bool
	// work is what Stats counts.
	work() uint64
}

// maxText bounds the text of a hash; the longest that is written has 130 bytes.
const maxText = 512

// parse reads the text of a hash. It returns neither for an empty one.
func parse(text string) (stored, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxText {
		return nil, ErrFormat
	}
	for _, f := range formats() {
		if rest, ok := strings.CutPrefix(text, f.prefix); ok {
			return f.parse(text, rest)
		}
	}
	return nil, ErrFormat
}

// format is a way to write a hash, known by how it begins.
type format struct {
	prefix string
	parse  func(text, rest string) (stored, error)
}

func formats() []format {
	passlib := func(digest func() hash.Hash) func(text, rest string) (stored, error) {
		return func(_, rest string) (stored, error) { return parsePasslib(digest, rest) }
	}
	return []format{
		{argon2idPrefix, func(_, rest string) (stored, error) { return parseArgon2id(rest) }},
		{"$2a$", parseBcrypt},
		{"$2b$", parseBcrypt},
		{"$2y$", parseBcrypt},
		{"$pbkdf2-sha256$", passlib(sha256.New)},
		{"$pbkdf2-sha512$", passlib(sha512.New)},
		{"pbkdf2_sha256$", func(_, rest string) (stored, error) { return parseDjango(sha256.New, rest) }},
	}
}

// bcryptHash is the text of a bcrypt hash.
type bcryptHash string

const (
	bcryptLength  = 60
	bcryptInput   = 72 // bytes of a password that bcrypt reads
	maxBcryptCost = 15 // about 2 s of a core
)

func parseBcrypt(text, rest string) (stored, error) {
	if len(text) != bcryptLength || rest[2] != '$' {
		return nil, ErrFormat
	}
	if _, err := number(strings.TrimPrefix(rest[:2], "0"), maxBcryptCost); err != nil {
		return nil, err
	}
	for _, c := range []byte(rest[3:]) {
		if !alphanumeric(c) && c != '.' && c != '/' {
			return nil, ErrFormat
		}
	}
	if _, err := bcrypt.Cost([]byte(text)); err != nil {
		return nil, fmt.Errorf("%w: bcrypt cost", ErrFormat)
	}
	return bcryptHash(text), nil
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func (b bcryptHash) matches(password string, _ func(order) []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(b), []byte(password)) == nil
}

func (b bcryptHash) outdated(_ Params, password string) bool { return len(password) <= bcryptInput }
func (b bcryptHash) work() uint64                            { return 0 }

// pbkdf2Hash is a PBKDF2 hash (RFC 8018 section 5.2).
type pbkdf2Hash struct {
	digest    func() hash.Hash
	rounds    int
	salt, key []byte
}

const maxRounds = 5_000_000 // about 1 s of a core for SHA-256; Django 6 writes 1,200,000

// parsePasslib reads rounds$salt$key, where the base64 alphabet has . for +.
func parsePasslib(digest func() hash.Hash, text string) (stored, error) {
	rounds, salt, key, err := cutPBKDF2(text)
	if err != nil || strings.ContainsRune(text, '+') {
		return nil, ErrFormat
	}
	p := pbkdf2Hash{digest: digest, rounds: rounds}
	strict, size := base64.RawStdEncoding.Strict(), digest().Size()
	if p.salt, err = decode(strict, strings.ReplaceAll(salt, ".", "+"), 0, 256); err != nil {
		return nil, err
	}
	if p.key, err = decode(strict, strings.ReplaceAll(key, ".", "+"), size, size); err != nil {
		return nil, err
	}
	return p, nil
}

// parseDjango reads rounds$salt$key, where the salt stands for itself.
func parseDjango(digest func() hash.Hash, text string) (stored, error) {
	rounds, salt, key, err := cutPBKDF2(text)
	if err != nil {
		return nil, err
	}
	p := pbkdf2Hash{digest: digest, rounds: rounds, salt: []byte(salt)}
	size := digest().Size()
	if p.key, err = decode(base64.StdEncoding.Strict(), key, size, size); err != nil {
		return nil, err
	}
	return p, nil
}

func cutPBKDF2(text string) (rounds int, salt, key string, err error) {
	f := strings.Split(text, "$")
	if len(f) != 3 {
		return 0, "", "", ErrFormat
	}
	n, err := number(f[0], maxRounds)
	return int(n), f[1], f[2], err
}

// matches is false, too, where a FIPS 140 mode of the runtime refuses the hash.
func (p pbkdf2Hash) matches(password string, _ func(order) []byte) bool {
	key, err := pbkdf2.Key(p.digest, password, p.salt, p.rounds, len(p.key))
	return err == nil && subtle.ConstantTimeCompare(key, p.key) == 1
}

func (p pbkdf2Hash) outdated(Params, string) bool { return true }
func (p pbkdf2Hash) work() uint64                 { return 0 }

// number reads a decimal from 1 to limit, without sign or leading zero.
func number(digits string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n < 1 || n > limit || digits[0] == '0' {
		return 0, fmt.Errorf("%w: a number out of bounds", ErrFormat)
	}
	return n, nil
}

// decode decodes base64 of least to most bytes. Go's decoders skip CR and LF.
func decode(e *base64.Encoding, text string, least, most int) ([]byte, error) {
	b, err := e.DecodeString(text)
	if err != nil || len(b) < least || len(b) > most || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: salt or key", ErrFormat)
	}
	return b, nil
}
