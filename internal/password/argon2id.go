package password

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What Hash makes.
const (
	saltBytes = 16
	keyBytes  = 32
)

// Bounds of a hash that is verified: a hostile one, imported say, must take
// neither the memory nor the processor for long. The work is about 1.5 s of a
// core at most.
const (
	maxMemory  = 256 << 10 // KiB
	maxWork    = 1 << 20   // KiB x passes
	maxThreads = 16
	maxKey     = 64 // bytes
)

func (p Params) check() error {
	switch {
	case p.Time < 1 || p.Threads < 1 || p.Threads > maxThreads:
	case p.Memory < 8*uint32(p.Threads) || p.Memory > maxMemory:
	case uint64(p.Memory)*uint64(p.Time) > maxWork:
	default:
		return nil
	}
	return fmt.Errorf("argon2id parameters m=%d,t=%d,p=%d out of bounds", p.Memory, p.Time, p.Threads)
}

// argon2idHash is a hash that Hash made, now or under other parameters.
type argon2idHash struct {
	params    Params
	salt, key []byte
}

// derive is argon2id.
func derive(o order) []byte {
	return argon2.IDKey(o.Password, o.Salt, o.Params.Time, o.Params.Memory, o.Params.Threads, uint32(o.Size))
}

func (a argon2idHash) order(password string, size int) order {
	return order{Password: []byte(password), Salt: a.salt, Params: a.params, Size: size}
}

func (a argon2idHash) matches(password string, derive func(order) []byte) bool {
	return subtle.ConstantTimeCompare(derive(a.order(password, len(a.key))), a.key) == 1
}

func (a argon2idHash) outdated(now Params, _ string) bool {
	return a.params != now || len(a.salt) < saltBytes || len(a.key) != keyBytes
}

func (a argon2idHash) work() uint64 { return uint64(a.params.Memory) * uint64(a.params.Time) }

// String gives the PHC string.
func (a argon2idHash) String() string {
	return fmt.Sprintf("%sv=%d$m=%d,t=%d,p=%d$%s$%s", argon2idPrefix, argon2.Version,
		a.params.Memory, a.params.Time, a.params.Threads,
		base64.RawStdEncoding.EncodeToString(a.salt), base64.RawStdEncoding.EncodeToString(a.key))
}

const argon2idPrefix = "$argon2id$"

// parseArgon2id reads what follows the prefix: v=19$m=M,t=T,p=P$salt$key, with
// the parameters in that order, as every implementation writes them.
func parseArgon2id(text string) (stored, error) {
	f := strings.Split(text, "$")
	if len(f) != 4 || f[0] != "v="+strconv.Itoa(argon2.Version) {
		return nil, ErrFormat
	}
	var a argon2idHash
	var err error
	if a.params, err = parseParams(f[1]); err != nil {
		return nil, err
	}
	strict := base64.RawStdEncoding.Strict()
	if a.salt, err = decode(strict, f[2], 8, 64); err != nil {
		return nil, err
	}
	// An empty key would be matched by every password, a short one by many.
	if a.key, err = decode(strict, f[3], 16, maxKey); err != nil {
		return nil, err
	}
	return a, nil
}

func parseParams(text string) (Params, error) {
	f := strings.Split(text, ",")
	if len(f) != 3 {
		return Params{}, ErrFormat
	}
	var n [3]uint64
	for i, name := range [...]string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(f[i], name)
		if !ok {
			return Params{}, ErrFormat
		}
		var err error
		if n[i], err = number(digits, []uint64{maxMemory, maxWork, maxThreads}[i]); err != nil {
			return Params{}, err
		}
	}
	p := Params{Memory: uint32(n[0]), Time: uint32(n[1]), Threads: uint8(n[2])}
	if err := p.check(); err != nil {
		return Params{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return p, nil
}
