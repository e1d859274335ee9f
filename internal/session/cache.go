package session

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxCached bounds a file of the cache, in bytes.
const maxCached = 128 << 10

// lost is how old a file is that a killed process left half written.
const lost = time.Hour

// Key is everything that makes one access token differ from another.
type Key struct {
	Profile string
	Login   Login // but for Verbosity, Resp and ExpiresAt, which change no token
	// ProofKey is the thumbprint of the key that the token is bound to (RFC 9449
	// section 6.1); empty: none.
	ProofKey string
}

// name is a hash of the key: it tells nothing of the refresh token.
func (k Key) name() string {
	k.Login.Verbosity, k.Login.Resp, k.Login.ExpiresAt = false, "", time.Time{}
	text := []string{"ats-auth access token 1", k.Profile, k.ProofKey}
	for _, f := range fields() {
		text = append(text, f.get(&k.Login))
	}
	var data []byte
	for _, s := range text {
		data = append(binary.AppendUvarint(data, uint64(len(s))), s...)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Token is an access token of the cache.
type Token struct {
	AccessToken token.Secret
	Type        string    // "Bearer" or "DPoP"
	Scope       string    // empty when the service did not say
	ExpiresAt   time.Time // zero: not known
	IssuedAt    time.Time // when the answer came
}

// cached is a file of the cache. Instants are microseconds since 1970, 0 for
// not known.
type cached struct {
	AccessToken string `json:"access_token"`
	Type        string `json:"token_type"`
	Scope       string `json:"scope,omitempty"`
	ExpiresAt   int64  `json:"expires_at"`
	IssuedAt    int64  `json:"issued_at"`
	// Refused stands for a token: the login gives none any more.
	Refused bool `json:"refused,omitempty"`
}

// Cache keeps access tokens, one a file. It is safe for concurrent use, by
// processes too: a file is exchanged by a rename.
type Cache struct{ c CacheConfig }

// CacheConfig says where a cache is.
type CacheConfig struct {
	// Dir is its directory, which need not exist. Required.
	Dir string
	// Check judges an open file, as that of Config does. Required.
	Check func(name string, info fs.FileInfo) error
	// Now is the clock. Default time.Now.
	Now func() time.Time

	step step
}

// OpenCache makes a Cache; it touches no disk.
func OpenCache(c CacheConfig) *Cache {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Cache{c}
}

// Get returns the token of a key; false when there is none. A file that is
// damaged, or that Check refuses, is none. Whether the token is still good is
// the caller's to judge.
func (c *Cache) Get(k Key) (Token, bool) {
	entry, err := c.read(c.path(k))
	if err != nil || entry.Refused {
		return Token{}, false
	}
	return Token{
		AccessToken: token.NewSecret(entry.AccessToken), Type: entry.Type, Scope: entry.Scope,
		ExpiresAt: instant(entry.ExpiresAt), IssuedAt: instant(entry.IssuedAt),
	}, true
}

// Put keeps a token, and drops those that have expired.
func (c *Cache) Put(k Key, t Token) error {
	return c.write(k, cached{
		AccessToken: t.AccessToken.Reveal(), Type: t.Type, Scope: t.Scope,
		ExpiresAt: micro(t.ExpiresAt), IssuedAt: micro(t.IssuedAt),
	})
}

// Refuse drops the token of a key, and notes that its login gives none any more.
// The note stands until Put or Remove; a new login is another key.
func (c *Cache) Refuse(k Key) error {
	if err := c.Remove(k); err != nil { // a disk that is full must not keep it
		return err
	}
	return c.write(k, cached{Refused: true})
}

// Refused reports whether that is noted.
func (c *Cache) Refused(k Key) bool {
	entry, err := c.read(c.path(k))
	return err == nil && entry.Refused
}

func (c *Cache) write(k Key, entry cached) error {
	if err := makeDir(c.c.Dir, c.c.step); err != nil {
		return fault(c.c.Dir, err)
	}
	c.prune()
	data, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	path := c.path(k)
	temp := fmt.Sprintf("%s.%s.new", path, hex.EncodeToString(filler(8)))
	draft, err := newDraft(path, temp, len(data), c.c.step)
	if err != nil {
		return fault(path, err)
	}
	defer draft.discard()
	if err := draft.commit(data); err != nil {
		return fault(path, err)
	}
	return nil
}

// Remove forgets the token of a key. That there was none is no error.
func (c *Cache) Remove(k Key) error {
	path := c.path(k)
	if err := gone(os.Remove(path)); err != nil {
		return fault(path, err)
	}
	return nil
}

func (c *Cache) path(k Key) string { return filepath.Join(c.c.Dir, k.name()+".json") }

// read opens, judges and reads one file.
func (c *Cache) read(path string) (cached, error) {
	var entry cached
	f, err := os.Open(path)
	if err != nil {
		return entry, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return entry, err
	case !info.Mode().IsRegular() || info.Size() > maxCached:
		return entry, ErrDamaged
	case c.c.Check == nil:
		return entry, errNoCheck
	}
	if err := c.c.Check(path, info); err != nil {
		return entry, err
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return entry, err
	}
	if err := json.Unmarshal(data, &entry); err != nil {
		return entry, err
	}
	if entry.AccessToken == "" && !entry.Refused || entry.ExpiresAt < 0 || entry.IssuedAt < 0 {
		return entry, ErrDamaged
	}
	return entry, nil
}

// prune drops what has expired, is damaged, or was left half written. It does
// what it can: nothing hangs on it.
func (c *Cache) prune() {
	files, err := os.ReadDir(c.c.Dir)
	if err != nil {
		return
	}
	now := c.c.Now()
	for _, file := range files {
		path := filepath.Join(c.c.Dir, file.Name())
		switch filepath.Ext(path) {
		case ".json":
			entry, err := c.read(path)
			dead := err == nil && entry.ExpiresAt != 0 && entry.ExpiresAt <= now.UnixMicro()
			if dead || err != nil && !errors.Is(err, fs.ErrNotExist) {
				os.Remove(path)
			}
		case ".new":
			info, err := file.Info()
			if err == nil && strings.Contains(file.Name(), ".json.") && now.Sub(info.ModTime()) > lost {
				os.Remove(path)
			}
		}
	}
}

func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
