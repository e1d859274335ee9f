package issuer_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ways are what the bearer of a token may do with a user's logins at a door.
func ways(w *world) map[string]func(bearer string) error {
	return map[string]func(string) error{
		"revoke-all": func(bearer string) error { return w.door.RevokeAll(w.Context(), bearer, "") },
		"revoke-all of another": func(bearer string) error {
			return w.door.RevokeAll(w.Context(), bearer, "marco")
		},
		"list": func(bearer string) error { _, _, err := w.door.List(w.Context(), bearer); return err },
	}
}

func TestATokenForAnotherResourceRulesNothingAtAnyDoor(t *testing.T) {
	ats, w := newDoors(t)
	w.addUser("ada", store.RoleAdmin)
	doors := map[string]*world{
		"ats": ats, "oauth2": w, "ciphertrust": ats.standard(func(c *issuer.DoorConfig) { asKylo(nil, c) }),
	}
	account := func(audience ...string) token.Set {
		return w.issue(issuer.Order{Subject: "ada", Client: "billing", Scope: "account", Audience: audience})
	}
	const api = "https://api.example.org/"
	theirs, mine := ats.login("marco"), ats.login("ada")
	for name, here := range doors {
		for what, use := range ways(here) {
			for _, audience := range [][]string{{api}, {api, "urn:b"}, {standardIssuer + "/"}, {"ats.auth"}, {"kylo"}} {
				if err := use(account(audience...).AccessToken.Reveal()); !errors.Is(err, token.ErrDenied) {
					t.Errorf("%s at the %s door by a token for %q: %v, want denied", what, name, audience, err)
				}
			}
			ats.wantGood(theirs, what+": the user's login")
			ats.wantGood(mine, what+": the bearer's login")
		}
	}
	for name, here := range doors {
		for what, use := range ways(here) {
			if err := use(account(api, standardIssuer).AccessToken.Reveal()); err != nil {
				t.Errorf("%s at the %s door by a token that is for this service too: %v", what, name, err)
			}
		}
	}
}

func TestADeviceThatNobodyDecidedAboutIsForgottenWhenItsTimeIsOver(t *testing.T) {
	for what, decide := range map[string]func(*world, store.Ticket){
		"nobody decided": func(*world, store.Ticket) {},
		"it was denied": func(w *world, ticket store.Ticket) {
			w.do(w.door.Decide(w.Context(), ticket, false, "marco", "read", w.door.Tick()))
		},
	} {
		_, w := newDoors(t)
		code, made := w.newDevice()
		decide(w, made)
		kept, err := w.door.Device(t.Context(), "billing", code)
		w.do(err)
		if kept.KeepUntil != kept.ExpiresAt {
			t.Errorf("%s: it is kept %d s longer", what, (kept.KeepUntil-kept.ExpiresAt)/1_000_000)
		}
		w.clock.move((issuer.DeviceTTL - 1) * time.Second)
		w.issuer.Purge(t.Context())
		if _, err := w.door.Device(t.Context(), "billing", code); err != nil {
			t.Errorf("%s, a second before the end: %v", what, err)
		}
		w.clock.move(2 * time.Second)
		w.issuer.Purge(t.Context())
		if _, err := w.door.Device(t.Context(), "billing", code); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%s, a second after the end: %v, want unknown", what, err)
		}
	}
}

func TestASecondUseOfWhatWasAllowedIsKnownForOneADayLater(t *testing.T) {
	for what, made := range tickets() {
		_, w := newDoors(t)
		early, late := made(w), made(w)
		first, second := w.redeemed(early), w.redeemed(late)
		ttl := map[string]time.Duration{"code": issuer.CodeTTL, "device code": issuer.DeviceTTL}[what]
		w.clock.move((ttl + 86400 - 1) * time.Second)
		w.issuer.Purge(t.Context())
		w.wantNotRedeemed(early, token.ErrRevoked, what+" a second before the day is over")
		w.wantRenewal(first, token.ErrRevoked, what+": the login that the first use gave")
		w.clock.move(2 * time.Second)
		w.issuer.Purge(t.Context())
		w.wantNotRedeemed(late, token.ErrUnknown, what+" a second after it")
		w.wantRenewal(second, nil, what+": the login that it gave")
	}
}

// links is a chain of exchanges: of a first token one for gateway, of that one
// for another.
func (w *world) links(first token.Set) (second, third token.Set) {
	w.Helper()
	second = w.exchange(first, "gateway")
	return second, w.exchange(second, "another")
}

func TestAnExchangedTokenIsVoidWithAnyOneOfItsChain(t *testing.T) {
	ats, w := newDoors(t)
	branch := ats.standard(func(c *issuer.DoorConfig) { c.Name, c.Issuer = "branch", "https://branch.example.org" })
	for what, first := range map[string]token.Set{
		"of a login with a refresh token": w.issue(identified()),
		"of an application's own":         w.issue(issuer.Order{Subject: "billing", Client: "billing"}),
		"of the ats door":                 ats.login("marco"),
	} {
		second, third := w.links(first)
		elsewhere, twin := branch.exchange(second, "another"), w.exchange(first, "gateway")
		fourth := w.exchange(third, "last")
		w.do(w.door.RevokeFor(t.Context(), "gateway", second.AccessToken))
		after := w.twinOf(w.door)
		for name, void := range map[string]token.Set{"the second": second, "the third": third, "the fourth": fourth} {
			w.wantAccess(void, token.ErrRevoked, what+": "+name)
			after.wantAccess(void, token.ErrRevoked, what+": "+name+" after a new start")
		}
		branch.wantAccess(elsewhere, token.ErrRevoked, what+": one that another door gave for the second")
		w.wantGood(first, what+": the first")
		w.wantGood(twin, what+": another one given for the first")
	}
}

func TestAnExchangedTokenIsVoidWithTheApplicationOfAnyOneOfItsChain(t *testing.T) {
	type live struct{ first, second, third bool }
	for what, c := range map[string]struct {
		own, theirs live // a chain that begins with an application's login, and with the ats door's
	}{
		"billing": {live{}, live{true, true, true}},
		"gateway": {live{first: true}, live{first: true}},
		"another": {live{first: true, second: true}, live{first: true, second: true}},
	} {
		ats, w := newDoors(t)
		for _, id := range []string{"billing", "gateway", "another"} {
			w.addApplication(func(a *store.Application) { a.ID = id })
		}
		want := func(first, second, third token.Set, is live, chain string) {
			t.Helper()
			for name, one := range map[string]struct {
				set  token.Set
				live bool
			}{"first": {first, is.first}, "second": {second, is.second}, "third": {third, is.third}} {
				if err := w.inspect(one.set); one.live != (err == nil) || err != nil && !errors.Is(err, token.ErrRevoked) {
					t.Errorf("%s deleted, %s, the %s: %v, want it live: %t", what, chain, name, err, one.live)
				}
			}
		}
		own, theirs := w.issue(identified()), ats.login("marco")
		second, third := w.links(own)
		secondOfAts, thirdOfAts := w.links(theirs)
		all := live{true, true, true}
		want(own, second, third, all, "before")
		want(theirs, secondOfAts, thirdOfAts, all, "before, of the ats door")
		w.do(w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, what))
		want(own, second, third, c.own, "a login of billing")
		want(theirs, secondOfAts, thirdOfAts, c.theirs, "a login of the ats door")
	}
}

func TestWhatMayBeUsedOnceIsRememberedThoughAnotherProcessIsFiftySecondsAhead(t *testing.T) {
	slow := newWorld(t)
	ahead := func(c *issuer.Config, _ *issuer.DoorConfig) {
		c.Now = func() time.Time { return slow.clock.Now().Add(50 * time.Second) }
	}
	fast := slow.twin(ahead)
	until := slow.clock.Now().Add(60 * time.Second).UnixMicro() // that of a proof made now
	slow.do(slow.issuer.Once(t.Context(), "proof:x", until))
	slow.clock.move(15 * time.Second)
	slow.do(fast.issuer.RevokeUser(t.Context(), store.DefaultTenant, "somebody"))
	slow.do(slow.issuer.Follow(t.Context())) // its clock is where the other's is
	for name, w := range map[string]*world{"slow": slow, "fast": fast} {
		w.issuer.Purge(t.Context())
		if err := slow.issuer.Once(t.Context(), "proof:x", until); !errors.Is(err, issuer.ErrReplayed) {
			t.Errorf("45 s before its end, after the %s one cleaned up: %v, want it known", name, err)
		}
	}
}

func TestAPublicApplicationThatAsksNobodyIsReachedByHTTPSAlone(t *testing.T) {
	w := newWorld(t)
	unasked := func(a *store.Application) { a.SkipConsent = true }
	redirects := func(list ...string) func(*store.Application) {
		return func(a *store.Application) { a.RedirectURIs = list }
	}
	const secure, loopback, scheme = "https://a.example.org/cb", "http://127.0.0.1/cb", "com.example.app:/cb"
	for what, c := range map[string]struct {
		change []func(*store.Application)
		good   bool
	}{
		"public, https":                       {[]func(*store.Application){public, unasked, redirects(secure)}, true},
		"public, no redirect":                 {[]func(*store.Application){public, unasked, redirects(), grants(token.GrantDeviceCode)}, true},
		"public, loopback":                    {[]func(*store.Application){public, unasked, redirects(loopback)}, false},
		"public, localhost":                   {[]func(*store.Application){public, unasked, redirects("http://localhost:3000/")}, false},
		"public, a private-use scheme":        {[]func(*store.Application){public, unasked, redirects(scheme)}, false},
		"public, https and loopback":          {[]func(*store.Application){public, unasked, redirects(secure, loopback)}, false},
		"public and asking, loopback":         {[]func(*store.Application){public, redirects(loopback, scheme)}, true},
		"confidential, loopback, asks nobody": {[]func(*store.Application){unasked, redirects(loopback)}, true},
	} {
		unique := func(a *store.Application) { a.ID = "" }
		_, _, err := w.issuer.AddApplication(t.Context(), application(append(c.change, unique)...))
		if (err == nil) != c.good {
			t.Errorf("%s: %v, want it taken: %t", what, err, c.good)
		}
	}
}
