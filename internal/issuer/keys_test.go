package issuer_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func (w *world) keys() []signing.Key {
	w.Helper()
	keys, err := w.door.Keys(w.Context())
	w.do(err)
	return keys
}

func TestTheFirstStartMakesOneKeyAndTheNextOneUsesIt(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	set := w.login("marco")
	keys := w.keys()
	if len(keys) != 1 || len(keys[0].Secret.Reveal()) != 43 {
		t.Fatalf("%d keys", len(keys))
	}
	w.do(w.open())
	if again := w.keys(); len(again) != 1 || again[0].ID != keys[0].ID {
		t.Errorf("another start has %d keys", len(again))
	}
	w.wantGood(set, "the token from before the start")
	rows, err := w.hook.Keys(t.Context())
	w.do(err)
	for _, row := range rows {
		if strings.Contains(string(row.Sealed), keys[0].Secret.Reveal()) {
			t.Error("the secret lies open in the store")
		}
	}
}

func TestTwoProcessesThatStartAtOnceVerifyEachOthersTokens(t *testing.T) {
	for range 5 {
		path, master := sqlitePath(t), signing.NewMaster()
		var worlds [2]*world
		for i := range worlds {
			worlds[i] = &world{TB: t, clock: newClock(), hook: openSQLite(t, path), master: master, hasher: newHasher(t)}
		}
		var group sync.WaitGroup
		for _, w := range worlds {
			group.Go(func() {
				if err := w.open(func(c *issuer.Config, _ *issuer.DoorConfig) { c.Now = nil }); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if t.Failed() {
			return
		}
		worlds[0].addUser("marco")
		for _, w := range worlds {
			w.do(w.issuer.Follow(t.Context()))
		}
		worlds[1].wantGood(worlds[0].login("marco"), "the first one's token at the second")
		worlds[0].wantGood(worlds[1].login("marco"), "the second one's token at the first")
	}
}

func TestAfterARotationOldTokensVerifyUntilTheyAreOverAndNotAfter(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.clock.move(time.Second)
	old := w.login("marco")
	before := w.keys()[0]
	w.do(w.door.RotateKey(t.Context(), issuer.Rotation{}))
	after := w.keys()
	if len(after) != 2 || after[0].ID == before.ID || after[0].State != store.KeyActive || after[1].ID != before.ID || after[1].State != store.KeyRetiring {
		t.Fatalf("keys after the rotation: %+v", after)
	}
	fresh := w.login("marco")
	if _, err := jwt.Parse(fresh.AccessToken.Reveal(), keyFunc(after[0].Secret), jwt.WithTimeFunc(w.clock.Now)); err != nil {
		t.Errorf("the new key does not verify the new token: %v", err)
	}
	w.clock.move(time.Hour - time.Second)
	w.wantGood(old, "a second before its end")
	outsider := sign(t, before.Secret.Reveal(), payloadOf(t, fresh))
	w.wantGood(token.Set{AccessToken: token.NewSecret(outsider)}, "a token of the old key, until then")
	w.clock.move(3 * time.Second)
	for what, set := range map[string]token.Set{"the old token": old, "a token of the old key": {AccessToken: token.NewSecret(outsider)}} {
		w.wantAccess(set, token.ErrSignature, what)
	}
	w.wantGood(w.login("marco"), "a new one")
	if left := w.keys(); len(left) != 1 || left[0].ID != after[0].ID {
		t.Errorf("keys when the old one is over: %+v", left)
	}
}

func keyFunc(secret token.Secret) jwt.Keyfunc {
	return func(*jwt.Token) (any, error) { return []byte(secret.Reveal()), nil }
}

func TestAKeyCanBeBroughtAlong(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	w.do(w.door.RotateKey(t.Context(), issuer.Rotation{Secret: token.NewSecret(seedSecret)}))
	if got := w.keys()[0].Secret.Reveal(); got != seedSecret {
		t.Error("another secret signs")
	}
	set := w.login("marco")
	if sign(t, seedSecret, payloadOf(t, set)) != set.AccessToken.Reveal() {
		t.Error("the token is not signed with it")
	}
}

func TestAConfiguredSecretSignsAndCannotBeRotated(t *testing.T) {
	w := newWorld(t, withSecret)
	w.addUser("marco")
	if err := w.door.RotateKey(t.Context(), issuer.Rotation{}); !errors.Is(err, issuer.ErrConfigured) {
		t.Errorf("%v, want ErrConfigured", err)
	}
	if keys, err := w.door.Keys(t.Context()); err != nil || len(keys) != 1 || keys[0].ID != "configured" {
		t.Errorf("keys %v, %v", keys, err)
	}
	raw := w.login("marco").AccessToken.Reveal()
	parsed, err := jwt.Parse(raw, keyFunc(token.NewSecret(seedSecret)), jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(w.clock.Now), jwt.WithIssuer("ats.auth"))
	if err != nil || !parsed.Valid || parsed.Header["typ"] != "JWT" || len(parsed.Header) != 2 {
		t.Errorf("golang-jwt: %v, header %v", err, parsed.Header)
	}
	if _, err := jwt.Parse(raw, keyFunc(token.NewSecret(seedSecret+"x")), jwt.WithTimeFunc(w.clock.Now)); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Errorf("with another secret: %v", err)
	}
}

func TestTheRotationOfAnotherProcessIsFollowed(t *testing.T) {
	path, master := sqlitePath(t), signing.NewMaster()
	realTime := func(c *issuer.Config, _ *issuer.DoorConfig) { c.Now = nil; c.StaleAfter = time.Minute }
	w := newWorldOver(t, openSQLite(t, path), master, newClock(), realTime)
	other := newWorldOver(t, openSQLite(t, path), master, newClock(), realTime)
	w.addUser("marco")
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); w.issuer.Run(ctx) }()
	defer func() { stop(); <-over }()
	old := w.login("marco")
	other.do(other.door.RotateKey(t.Context(), issuer.Rotation{}))
	fresh := other.login("marco")
	for began := time.Now(); w.inspect(fresh) != nil; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Second {
			t.Fatalf("after a second: %v", w.inspect(fresh))
		}
	}
	w.wantGood(old, "the token of the old key")
	mine := w.login("marco")
	if _, err := jwt.Parse(mine.AccessToken.Reveal(), keyFunc(other.keys()[0].Secret)); err != nil {
		t.Errorf("it does not sign with the new key: %v", err)
	}
}

func TestAnotherMasterKeyIsAClearError(t *testing.T) {
	w := newWorld(t)
	w.master = signing.NewMaster()
	err := w.open()
	if !errors.Is(err, signing.ErrMaster) || !strings.Contains(err.Error(), "door ats: key ") {
		t.Errorf("%v", err)
	}
}

func TestAnotherMasterKeyIsAnErrorThoughTheSecretIsConfigured(t *testing.T) {
	w := newWorld(t, withSecret)
	w.addUser("marco")
	set := w.login("marco")
	own := w.master
	w.master = signing.NewMaster()
	if err := w.open(withSecret); !errors.Is(err, signing.ErrMaster) {
		t.Errorf("%v, want ErrMaster: all that was issued would be void without a word", err)
	}
	w.master = own
	w.do(w.open(withSecret))
	w.wantGood(set, "under its own master key")
}

func TestATokenOfAnotherIssuerNameIsNotHonoured(t *testing.T) {
	w := newWorld(t, withSecret)
	w.addUser("marco")
	set := w.login("marco")
	w.do(w.open(withSecret, doorWith(func(d *issuer.DoorConfig) { d.Issuer = "elsewhere" })))
	w.wantAccess(set, token.ErrClaims, "a token of the old name")
}

func TestASecretThatNobodyCouldVerifyByIsNotStored(t *testing.T) {
	w := newWorld(t)
	before := w.keys()
	const pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n"
	for name, c := range map[string]struct {
		r   issuer.Rotation
		pem bool
	}{
		"a public key":                 {issuer.Rotation{Secret: token.NewSecret(pem)}, true},
		"a private key":                {issuer.Rotation{Secret: token.NewSecret(strings.ReplaceAll(pem, "PUBLIC", "PRIVATE"))}, true},
		"one on one line":              {issuer.Rotation{Secret: token.NewSecret(strings.ReplaceAll(pem, "\n", `\n`))}, true},
		"an algorithm that is unknown": {issuer.Rotation{Algorithm: "HS999"}, false},
	} {
		err := w.door.RotateKey(t.Context(), c.r)
		if err == nil || errors.Is(err, issuer.ErrPEM) != c.pem {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.do(w.open())
	if after := w.keys(); len(after) != 1 || after[0].ID != before[0].ID {
		t.Errorf("%d keys afterwards", len(after))
	}
}
