package cli

import (
	"path/filepath"
	"time"

	"github.com/ats-auth/ats-auth/internal/inifile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// tokenCache is where access tokens are kept; nil where there is no home.
func (a *app) tokenCache() *session.Cache {
	if a.profile.StateDir == "" {
		return nil
	}
	return session.OpenCache(session.CacheConfig{Dir: filepath.Join(a.profile.StateDir, "tokens"), Check: inifile.CheckSecretFile, Now: a.Now})
}

// cacheKey is what a login's token is kept under; false where the key that it is
// bound to cannot be read.
func (a *app) cacheKey(login session.Login) (session.Key, bool) {
	key := session.Key{Profile: a.profile.Name, Login: login}
	if name := a.profile.Value("dpop_key").Reveal(); name != "" {
		proof, err := readKey(name)
		if err != nil {
			return key, false
		}
		if key.ProofKey, err = signing.Thumbprint(proof.Public()); err != nil {
			return key, false
		}
	}
	return key, true
}

// cached is the token of a login that lives for minTTL at least, if there is one.
func (a *app) cached(login session.Login, minTTL time.Duration) (token.Set, bool) {
	set, issued, ok := a.peek(login)
	return set, ok && a.livesLong(set, issued, minTTL)
}

// peek is the token in the cache, good or not, and when it was issued.
func (a *app) peek(login session.Login) (token.Set, time.Time, bool) {
	key, ok := a.cacheKey(login)
	store := a.tokenCache()
	if !ok || store == nil {
		return token.Set{}, time.Time{}, false
	}
	t, ok := store.Get(key)
	set := token.Set{AccessToken: t.AccessToken, TokenType: t.Type, Scope: t.Scope, ExpiresAt: t.ExpiresAt}
	if !t.ExpiresAt.IsZero() {
		set.ExpiresIn = max(0, secondsUntil(t.ExpiresAt, a.Now()))
	}
	return set, t.IssuedAt, ok
}

// cache keeps a token. That it cannot is no reason not to give it out.
func (a *app) cache(login session.Login, set token.Set) {
	key, ok := a.cacheKey(login)
	store := a.tokenCache()
	if !ok || store == nil {
		return
	}
	err := store.Put(key, session.Token{
		AccessToken: set.AccessToken, Type: set.TokenType, Scope: set.Scope, ExpiresAt: set.ExpiresAt, IssuedAt: a.Now(),
	})
	if err != nil {
		a.warn("the token is not kept for the next call: %v", err)
	}
}

// refuse drops the token of a login that the server has refused, for status to
// tell. Under the lock of the login: nobody keeps another meanwhile.
func (a *app) refuse(login session.Login) {
	if key, ok := a.cacheKey(login); ok && a.tokenCache() != nil {
		if err := a.tokenCache().Refuse(key); err != nil {
			a.warn("%v", err)
		}
	}
}

// refused reports whether the server has refused a login.
func (a *app) refused(login session.Login) bool {
	key, ok := a.cacheKey(login)
	return ok && a.tokenCache() != nil && a.tokenCache().Refused(key)
}

// forget drops the token of a login from the cache.
func (a *app) forget(login session.Login) {
	if key, ok := a.cacheKey(login); ok && a.tokenCache() != nil {
		if err := a.tokenCache().Remove(key); err != nil {
			a.warn("%v", err)
		}
	}
}
