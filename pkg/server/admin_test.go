package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newTimedWorld has both doors open and a clock of its own.
func newTimedWorld(t *testing.T) (*world, *fakeClock) {
	t.Helper()
	clock := &fakeClock{at: time.Unix(1_800_000_000, 0)}
	w := newWorld(t, func(c *Config) {
		c.Now, c.Dialects, c.JWTSecret = clock.Now, []string{"ats", "oauth2"}, token.Secret{}
		c.PublicURL = "https://id.example.org"
	})
	return w, clock
}

func (w *world) keys(door string) []Key {
	w.Helper()
	keys, err := w.server.Keys(w.Context(), door, "")
	w.do(err)
	return keys
}

// published are the kids of a door's JWK set, as a verifier reads it.
func (w *world) published(door string) map[string]bool {
	w.Helper()
	text, err := w.server.PublicKeys(w.Context(), door, "")
	w.do(err)
	keys, err := verifier.ParseKeys(text)
	w.do(err)
	kids := map[string]bool{}
	for _, k := range keys {
		kids[k.ID] = k.Public != nil
	}
	return kids
}

func TestAPublicKeyIsPublishedBeforeItSigns(t *testing.T) {
	w, clock := newTimedWorld(t)
	old := w.keys("oauth2")[0]
	w.do(w.server.RotateKey(t.Context(), "oauth2", "", Rotation{}))
	keys := w.keys("oauth2")
	if len(keys) != 2 || keys[0].ID != old.ID || keys[0].NotAfter == 0 {
		t.Fatalf("keys %+v, want the old one first, with an end", keys)
	}
	next := keys[1]
	if wait := time.Duration(next.NotBefore-next.CreatedAt) * time.Microsecond; wait < 10*time.Minute-time.Millisecond || wait > 10*time.Minute {
		t.Errorf("it signs after %s, want 10 minutes", wait)
	}
	if kids := w.published("oauth2"); !kids[old.ID] || !kids[next.ID] {
		t.Errorf("published %v", kids)
	}
	clock.move(10*time.Minute + time.Second)
	if keys := w.keys("oauth2"); keys[0].ID != next.ID || len(keys) != 2 {
		t.Errorf("after 10 minutes %+v, want the new one first", keys)
	}
	clock.move(time.Hour)
	if kids := w.published("oauth2"); kids[old.ID] || !kids[next.ID] {
		t.Errorf("when its last token is over the old key is still published: %v", kids)
	}
}

func TestAKeyThatIsNeededNowSignsNow(t *testing.T) {
	w, _ := newTimedWorld(t)
	old := w.keys("oauth2")[0]
	w.do(w.server.RotateKey(t.Context(), "oauth2", "", Rotation{Algorithm: "EdDSA", Now: true}))
	keys := w.keys("oauth2")
	if len(keys) != 2 || keys[0].ID == old.ID || keys[0].Algorithm != "EdDSA" || keys[1].State != store.KeyRetiring || keys[1].NotAfter == 0 {
		t.Errorf("keys %+v", keys)
	}
}

func TestADoorTakesOnlyItsKindOfKey(t *testing.T) {
	w, _ := newTimedWorld(t)
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	w.do(err)
	secret := token.NewSecret(strings.Repeat("s3cre7", 8))
	for _, c := range []struct {
		door string
		r    Rotation
	}{
		{"ats", Rotation{Private: private}},
		{"ats", Rotation{Algorithm: "ES256"}},
		{"oauth2", Rotation{Secret: secret}},
		{"oauth2", Rotation{Algorithm: "HS256"}},
		{"oauth2", Rotation{Private: private, Algorithm: "ES256"}},
		{"tapis", Rotation{}},
		{"", Rotation{}},
	} {
		before := len(w.keys("ats")) + len(w.keys("oauth2"))
		err := w.server.RotateKey(t.Context(), c.door, "", c.r)
		if err == nil || strings.Contains(err.Error(), "s3cre7") || len(w.keys("ats"))+len(w.keys("oauth2")) != before {
			t.Errorf("%s, %+v: %v", c.door, c.r, err)
		}
	}
	w.do(w.server.RotateKey(t.Context(), "oauth2", "", Rotation{Private: private, Now: true}))
	k := w.keys("oauth2")[0]
	if k.Door != "oauth2" || k.Algorithm != "ES384" || !private.PublicKey.Equal(k.Public) || !k.Secret.IsZero() {
		t.Errorf("the key that was given: %+v", k)
	}
	w.do(w.server.RotateKey(t.Context(), "ats", "", Rotation{Secret: secret}))
	if k := w.keys("ats")[0]; k.Secret.Reveal() != secret.Reveal() || k.Public != nil || k.Door != "ats" {
		t.Errorf("the secret that was given: %+v", k)
	}
}

func TestADoorThatIsClosedHasNoKeys(t *testing.T) {
	for closed, open := range map[string]string{"oauth2": "ats", "ats": "tapis"} {
		w := newWorld(t, func(c *Config) { c.Dialects = []string{open} })
		_, keysErr := w.server.Keys(t.Context(), closed, "")
		_, publicErr := w.server.PublicKeys(t.Context(), closed, "")
		rotateErr := w.server.RotateKey(t.Context(), closed, "", Rotation{})
		removeErr := w.server.RemoveKey(t.Context(), closed, "", "KID")
		want := fmt.Sprintf("the door %q is not open; open: %s", closed, open)
		for _, err := range []error{keysErr, publicErr, rotateErr, removeErr} {
			if err == nil || err.Error() != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if doors := w.server.Doors(); len(doors) != 1 || doors[0] != open {
			t.Errorf("doors %v", doors)
		}
	}
}

func TestAPrivateKeyIsReadWithoutBeingQuoted(t *testing.T) {
	_, err := ParsePrivateKey(token.NewSecret("-----BEGIN PRIVATE KEY-----\nczNjcmU3\n-----END PRIVATE KEY-----\n"))
	if err == nil || strings.Contains(err.Error(), "czNjcmU3") {
		t.Errorf("%v", err)
	}
}

func TestAnAdministratorManagesApplications(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	made, secret, err := w.server.AddApplication(ctx, store.Application{Name: "Billing", Grants: []string{token.GrantClientCredentials}})
	w.do(err)
	if made.Tenant != store.DefaultTenant || made.ID == "" || secret.IsZero() {
		t.Errorf("%+v", made)
	}
	again, err := w.server.SetApplicationSecret(ctx, "", made.ID)
	w.do(err)
	if again.Reveal() == secret.Reveal() {
		t.Error("the new secret is the old one")
	}
	now, err := w.server.Application(ctx, "", made.ID)
	w.do(err)
	now.Tenant, now.Name = "", "Invoices"
	_, err = w.server.UpdateApplication(ctx, now)
	w.do(err)
	list, err := w.server.ListApplications(ctx, "", "", 10)
	if err != nil || len(list) != 1 || list[0].Name != "Invoices" {
		t.Errorf("%+v, %v", list, err)
	}
	w.do(w.server.DeleteApplication(ctx, "", made.ID))
	if _, err := w.server.Application(ctx, "", made.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the deleted one: %v", err)
	}
}
