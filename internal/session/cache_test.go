//go:build unix

package session

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
)

func openCache(dir string) *Cache {
	return OpenCache(CacheConfig{Dir: dir, Check: inifile.CheckSecretFile, Now: func() time.Time { return time.Unix(1800000000, 0) }})
}

// good is a token that lives on.
func good(value string) Token {
	return Token{
		AccessToken: secret(value), Type: "DPoP", Scope: "a b",
		ExpiresAt: time.UnixMicro(1800000300_123456).UTC(), IssuedAt: time.UnixMicro(1800000000_654321).UTC(),
	}
}

func TestACachedTokenComesBackAsItWasAndIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "tokens")
	cache, key := openCache(dir), Key{Login: admins()}
	if _, ok := cache.Get(key); ok {
		t.Error("there was one before")
	}
	if err := cache.Put(key, good("abc")); err != nil {
		t.Fatal(err)
	}
	got, ok := cache.Get(key)
	if want := good("abc"); !ok || got.AccessToken.Reveal() != "abc" || got.Type != want.Type || got.Scope != want.Scope || got.ExpiresAt != want.ExpiresAt || got.IssuedAt != want.IssuedAt {
		t.Errorf("%+v, %v", got, ok)
	}
	for name, want := range map[string]fs.FileMode{filepath.Dir(dir): 0o700, dir: 0o700, cache.path(key): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for range 2 {
		if err := cache.Remove(key); err != nil {
			t.Fatal(err)
		}
		if _, ok := cache.Get(key); ok {
			t.Error("it is still there")
		}
	}
}

func TestEverythingThatChangesATokenChangesItsPlace(t *testing.T) {
	seen := map[string]string{Key{Login: admins()}.name(): "nothing"}
	differs := func(what string, k Key) {
		if other, again := seen[k.name()]; again {
			t.Errorf("%s has the place of %s", what, other)
		}
		seen[k.name()] = what
	}
	differs("profile", Key{Profile: "x", Login: admins()})
	differs("proof key", Key{ProofKey: "x", Login: admins()})
	changing := 0
	for _, f := range fields() {
		l := admins()
		value := "other"
		if f.flag {
			value = "false"
		}
		if f.name == "VERBOSITY" || f.name == "RESP" || f.name == "EXPIRES" {
			continue
		}
		if err := f.set(&l, value); err != nil {
			t.Fatal(err)
		}
		changing++
		differs(f.name, Key{Login: l})
	}
	if changing < 15 {
		t.Errorf("only %d fields were tried", changing)
	}
	l := admins()
	l.Username, l.RefreshToken = l.Username+"x", secret(strings.TrimPrefix(l.RefreshToken.Reveal(), "x"))
	differs("a shifted border", Key{Login: l})
	l = admins()
	l.Verbosity, l.Resp, l.ExpiresAt = true, "yaml", time.Unix(1, 0)
	if (Key{Login: l}).name() != (Key{Login: admins()}).name() {
		t.Error("what changes no token changes its place")
	}
}

func TestARefusedLoginHasNoTokenUntilItGivesOneAgain(t *testing.T) {
	cache, key := openCache(t.TempDir()), Key{Login: admins()}
	next := Key{Login: admins()}
	next.Login.RefreshToken = secret("the next login's")
	for _, k := range []Key{key, next} {
		if err := cache.Put(k, good("abc")); err != nil {
			t.Fatal(err)
		}
	}
	if cache.Refused(key) {
		t.Error("refused before anybody said so")
	}
	if err := cache.Refuse(key); err != nil {
		t.Fatal(err)
	}
	if err := cache.Put(Key{Profile: "other"}, good("c")); err != nil { // which drops what is dead
		t.Fatal(err)
	}
	if _, ok := cache.Get(key); ok || !cache.Refused(key) {
		t.Errorf("a token: %v, refused: %v", ok, cache.Refused(key))
	}
	if _, ok := cache.Get(next); !ok || cache.Refused(next) {
		t.Errorf("the next login has a token: %v, is refused: %v", ok, cache.Refused(next))
	}
	for name, undo := range map[string]func() error{
		"a new token": func() error { return cache.Put(key, good("d")) }, "no token": func() error { return cache.Remove(key) },
	} {
		if err := errors.Join(cache.Refuse(key), undo()); err != nil || cache.Refused(key) {
			t.Errorf("%s: %v, refused: %v", name, err, cache.Refused(key))
		}
	}
	if err := cache.Put(key, good("e")); err != nil {
		t.Fatal(err)
	}
	full := OpenCache(CacheConfig{Dir: cache.c.Dir, Check: inifile.CheckSecretFile, step: func(string) error { return errors.New("disk full") }})
	if err := full.Refuse(key); err == nil {
		t.Error("the disk was not full")
	}
	if _, ok := cache.Get(key); ok {
		t.Error("where no note has room the token stays")
	}
}

func TestADamagedOrForeignCacheFileIsIgnoredAndReplaced(t *testing.T) {
	cache, key := openCache(t.TempDir()), Key{Login: admins()}
	for _, text := range []string{"", "\x00\x00", "{", "[]", "null", `{"access_token":""}`, `{"access_token":1}`, `{"access_token":"x","expires_at":-1}`, `{"access_token":"x","expires_at":1e30}`, `{"access_token":"x"}` + strings.Repeat(" ", maxCached)} {
		put(t, cache.path(key), text)
		if _, ok := cache.Get(key); ok {
			t.Errorf("%.20q was believed", text)
		}
		if err := cache.Put(key, good("abc")); err != nil {
			t.Fatal(err)
		}
		if _, ok := cache.Get(key); !ok {
			t.Errorf("%.20q was not replaced", text)
		}
	}
	if err := os.Chmod(cache.path(key), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := cache.Get(key); ok {
		t.Error("a file that others may read was believed")
	}
	if _, err := OpenCache(CacheConfig{Dir: cache.c.Dir}).read(cache.path(key)); !errors.Is(err, errNoCheck) {
		t.Errorf("without a check: %v", err)
	}
}

func TestTheCacheDropsWhatHasExpiredAndWhatWasLeftHalfWritten(t *testing.T) {
	dir := t.TempDir()
	cache := openCache(dir)
	expired := good("old")
	expired.ExpiresAt = time.Unix(1800000000, 0)
	for profile, token := range map[string]Token{"live": good("a"), "endless": {AccessToken: secret("b")}, "old": expired} {
		if err := cache.Put(Key{Profile: profile}, token); err != nil {
			t.Fatal(err)
		}
	}
	half, young, other := cache.path(Key{})+".00.new", cache.path(Key{})+".01.new", filepath.Join(dir, "notes.txt")
	for name, at := range map[string]int64{half: 1799990000, young: 1799999999, other: 0} {
		put(t, name, "x")
		if err := os.Chtimes(name, time.Unix(at, 0), time.Unix(at, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := cache.Put(Key{Profile: "next"}, good("c")); err != nil {
		t.Fatal(err)
	}
	for profile, want := range map[string]bool{"live": true, "endless": true, "next": true, "old": false} {
		if _, ok := cache.Get(Key{Profile: profile}); ok != want {
			t.Errorf("%s: %v", profile, ok)
		}
	}
	for name, want := range map[string]bool{half: false, young: true, other: true} {
		if _, there := content(t, name); there != want {
			t.Errorf("%s: %v", name, there)
		}
	}
}

func TestManyWritersOfACacheLeaveOneWholeToken(t *testing.T) {
	dir := t.TempDir()
	cache, key := OpenCache(CacheConfig{Dir: dir, Check: inifile.CheckSecretFile}), Key{Login: admins()}
	var group sync.WaitGroup
	for range 32 {
		group.Go(func() {
			if err := cache.Put(key, Token{AccessToken: secret(strings.Repeat("t", 2000))}); err != nil {
				t.Error(err)
			}
			if got, ok := cache.Get(key); !ok || len(got.AccessToken.Reveal()) != 2000 {
				t.Errorf("%v", ok)
			}
		})
	}
	group.Wait()
	if all := names(t, dir); len(all) != 1 {
		t.Errorf("%v", all)
	}
}

func TestATokenFileIsPrivateWholeAndGoneAtTheEnd(t *testing.T) {
	dir := t.TempDir()
	file, err := NewTokenFile("", filepath.Join(dir, "missing"), dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, there := content(t, file.Path()); there {
		t.Error("it is there before a token is")
	}
	tokens := map[string]bool{}
	var group sync.WaitGroup
	for i := range 8 {
		value := strings.Repeat(string(rune('a'+i)), 1000*(i+1))
		tokens[value] = true
		group.Go(func() {
			if err := file.Write(secret(value)); err != nil {
				t.Error(err)
			}
			if text, there := content(t, file.Path()); !there || strings.Trim(text, text[:1]) != "" || len(text)%1000 != 0 {
				t.Errorf("half a token of %d bytes", len(text))
			}
		})
	}
	group.Wait()
	if text, _ := content(t, file.Path()); !tokens[text] {
		t.Errorf("%d bytes", len(text))
	}
	for name, want := range map[string]fs.FileMode{filepath.Dir(file.Path()): 0o700, file.Path(): 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if all := names(t, filepath.Dir(file.Path())); len(all) != 1 {
		t.Errorf("left behind: %v", all)
	}
	if err := file.Remove(); err != nil {
		t.Error(err)
	}
	if _, there := content(t, file.Path()); there {
		t.Error("it was not taken away")
	}
	for range 2 {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := file.Write(secret("late")); !errors.Is(err, fs.ErrClosed) || len(names(t, dir)) != 0 {
		t.Errorf("after its end: %v", err)
	}
}

func BenchmarkGetFromCache(b *testing.B) {
	dir := b.TempDir()
	cache, file := openCache(dir), open(filepath.Join(dir, "config.yaml"))
	if err := file.Update(b.Context(), func(Login) (Login, error) { return admins(), nil }); err != nil {
		b.Fatal(err)
	}
	if err := cache.Put(Key{Login: admins()}, good(strings.Repeat("t", 1000))); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := file.Read()
		if err != nil {
			b.Fatal(err)
		}
		if _, ok := cache.Get(Key{Login: l}); !ok {
			b.Fatal("it is not there")
		}
	}
}
