package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// kyloVectors are the JWTs of the original's documents. The first is older than
// the others, and holds less.
var kyloVectors = [...]string{
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJkMzEzYzcwZS01NmYyLTQ5MTUtOGJkNy01ZmMyYmUy" +
		"Nzk2YzEiLCJzdWIiOiJsb2NhbHxiM2ZjOGZlNy1hN2ZlLTQ1YzEtOWU1OS0zYmUxNTRkMTZjYmQiLCJpc3MiOiJre" +
		"WxvIiwiYWNjIjoia3lsbyIsImN1c3QiOnsiZ3JvdXBzIjpbImFkbWluIl19LCJpYXQiOjE0ODExMjQyODAsImV4cC" +
		"I6MTQ4MTEyNDU4MH0.xTWlkVnYTiCAzJ_ZL746F2HB5HAqxOdnHJ-Qyjq_K84",
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJkOWNhZTVlOC0xNDJmLTQ2NmQtOTlhZS1iODI5YmQ4ZTc0YWQiLCJzdWIiOiJsb2NhbHw5MTdiNTNmYy1kMjA5LTQ4OTUtYmFiZS03NmM3MTFlNDI5ZGMiLCJpc3MiOiJreWxvIiwiYWNjIjoia3lsbyIsInByZWZlcnJlZF91c2VybmFtZSI6ImFkbWluIiwiY3VzdCI6eyJncm91cHMiOlsiYWRtaW4iXX0sImp3dGlkIjoiNTg0MDI0N2YtZTQ5ZS00YmNkLTk0NjctNzE5YTU4OGQ0NjViIiwiaWF0IjoxNTMwODk1Nzg4LCJleHAiOjE1MzA4OTYwODh9.JMRtLevUUv5YOsxg4BJhHMt5pyzlvwxOTWLD49EzTU4",
	"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiI2NzI3ZWQ1Ni0yNjkxLTRkMzctOGNhMC1iYmJhMzNhMjBkNzMiLCJzdWIiOiJsb2NhbHxmZDBiNTcwYi04NDlhLTRlNDAtOGExYS0xYTEyZTJjZDA4MjQiLCJpc3MiOiJreWxvIiwiYWNjIjoia3lsbyIsInByZWZlcnJlZF91c2VybmFtZSI6ImFkbWluIiwiY3VzdCI6eyJncm91cHMiOlsiYWRtaW4iXX0sImp3dGlkIjoiOTAxODg4ZjYtODIzNy00ZWQxLTlkNWItOWJmNjBmNGQzM2E3IiwiaWF0IjoxNTMxMTQ3OTMxLCJleHAiOjE1MzExNDgyMzF9.5IKirMRFYfLeDXnN1LOQvxfnjZLL4lwCmbhZazHOhIU",
}

// asKylo opens the door of a world as that of CipherTrust Manager.
func asKylo(_ *issuer.Config, d *issuer.DoorConfig) {
	*d = issuer.DoorConfig{
		Name: "ciphertrust", Issuer: "kylo", Format: issuer.FormatKylo(), AccessTTL: 300, Secret: token.NewSecret("derived from the master key"),
	}
}

func (w *world) kylo(name string, o issuer.Order) token.Set {
	w.Helper()
	at, user, err := w.door.Authenticate(w.Context(), credentials(name, pass), "")
	w.do(err)
	o.Subject, o.Refresh = user.Name, true
	set, err := w.door.Issue(w.Context(), at, o)
	w.do(err)
	return set
}

// use is a plain refresh.
func (w *world) use(set token.Set) (token.Set, error) {
	next, _, err := w.door.Use(w.Context(), set.RefreshToken)
	return next, err
}

func (w *world) wantUse(set token.Set, kind error, what string) {
	w.Helper()
	if _, err := w.use(set); !errors.Is(err, kind) || kind == nil && err != nil {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func decoded(t testing.TB, raw string) *token.Token {
	t.Helper()
	tok, err := token.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestAJWTOfKyloHasTheHeaderAndTheClaimsOfTheOriginals(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("admin", store.RoleAdmin)
	ours := decoded(t, w.kylo("admin", issuer.Order{}).AccessToken.Reveal())
	for i, raw := range kyloVectors {
		theirs := decoded(t, raw)
		if theirs.Header.JSON() != ours.Header.JSON() {
			t.Errorf("header %s, want %s", ours.Header.JSON(), theirs.Header.JSON())
		}
		want, got := theirs.Claims.Names(), ours.Claims.Names()
		slices.Sort(want)
		slices.Sort(got)
		if i > 0 && !slices.Equal(got, want) {
			t.Errorf("claims %v, want %v", got, want)
		}
		for _, name := range []string{"iss", "acc", "cust"} {
			v, _ := theirs.Claims.Member(name)
			if o, _ := ours.Claims.Member(name); o != v {
				t.Errorf("%s is %s, want %s", name, o, v)
			}
		}
		wantShape(t, theirs, ours)
	}
	if name, _ := ours.Claims.String("preferred_username"); name != "admin" {
		t.Errorf("preferred_username %q", name)
	}
	w.addUser("marco")
	if v, _ := decoded(t, w.kylo("marco", issuer.Order{}).AccessToken.Reveal()).Claims.Member("cust"); v != `{"groups":[]}` {
		t.Errorf("cust of a user without a role is %s", v)
	}
}

// wantShape wants claims that differ from token to token to have one shape.
func wantShape(t *testing.T, theirs, ours *token.Token) {
	t.Helper()
	uuid := `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	for name, shape := range map[string]string{"aud": `^"` + uuid + `"$`, "sub": `^"local\|` + uuid + `"$`, "iat": `^\d{10}$`, "exp": `^\d{10}$`} {
		for _, tok := range []*token.Token{theirs, ours} {
			if v, _ := tok.Claims.Member(name); !regexp.MustCompile(shape).MatchString(v) {
				t.Errorf("%s is %s, want %s", name, v, shape)
			}
		}
	}
	for _, tok := range []*token.Token{theirs, ours} {
		iat, _, _ := tok.Claims.NumericDate("iat")
		if exp, _, _ := tok.Claims.NumericDate("exp"); exp-iat != 300_000_000 {
			t.Errorf("exp is %d µs behind iat", exp-iat)
		}
	}
}

func TestARefreshTokenOfKyloIs64LettersThatCannotBeGuessed(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	seen := map[string]bool{}
	shape := regexp.MustCompile(`^[0-9A-Za-z]{64}$`)
	for range 200 {
		raw := w.kylo("marco", issuer.Order{}).RefreshToken.Reveal()
		if !shape.MatchString(raw) || seen[raw] {
			t.Fatalf("refresh token %q, seen before: %v", raw, seen[raw])
		}
		seen[raw] = true
	}
	good := w.kylo("marco", issuer.Order{})
	raw := good.RefreshToken.Reveal()
	for i := range raw {
		other := []byte(raw)
		other[i] = map[bool]byte{true: 'b', false: 'a'}[raw[i] == 'a']
		if _, _, err := w.door.Use(t.Context(), token.NewSecret(string(other))); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("with another letter at %d: %v", i, err)
		}
	}
	for _, junk := range []string{"", raw[:63], raw + "0", strings.Repeat("z", 64), strings.Repeat("0", 64), raw[:63] + "-", raw[:62] + "é"} {
		if _, err := w.door.Kept(t.Context(), token.NewSecret(junk)); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%q: %v", junk, err)
		}
	}
	w.wantUse(good, nil, "the good one, after all that")
}

func TestAUseKeepsTheRefreshTokenAndARenewalEndsIt(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	set := w.kylo("marco", issuer.Order{})
	again, err := w.use(set)
	w.do(err)
	if again.RefreshToken.Reveal() != set.RefreshToken.Reveal() || again.AccessToken.Reveal() == set.AccessToken.Reveal() {
		t.Error("a use changed the refresh token, or gave the same JWT")
	}
	renewed, err := w.door.Renew(t.Context(), set.RefreshToken, issuer.Renewal{})
	w.do(err)
	w.wantUse(renewed, nil, "the renewed one")
	w.wantGood(set, "a JWT of before the renewal")
	w.wantUse(set, token.ErrRevoked, "the old one")
	w.wantUse(renewed, token.ErrRevoked, "the renewed one, after the old one was used: it is in two hands")
	w.wantAccess(again, token.ErrRevoked, "a JWT of theirs")
}

func TestOfManyRenewalsAtOnceOneWins(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	set := w.kylo("marco", issuer.Order{})
	var won atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if _, err := w.door.Renew(context.Background(), set.RefreshToken, issuer.Renewal{}); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d renewals won", won.Load())
	}
}

func TestAnIdleLimitIsCountedFromTheLastUse(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	set := w.kylo("marco", issuer.Order{IdleTTL: 1500})
	for range 5 {
		w.clock.move(24 * time.Minute)
		w.wantUse(set, nil, "used within the limit")
	}
	w.clock.move(24 * time.Minute)
	set, err := w.door.Renew(t.Context(), set.RefreshToken, issuer.Renewal{})
	w.do(err)
	w.clock.move(24 * time.Minute)
	w.wantUse(set, nil, "renewed within the limit")
	w.clock.move(25*time.Minute + time.Second)
	w.wantUse(set, token.ErrExpired, "unused for longer")
	endless := w.kylo("marco", issuer.Order{})
	w.clock.move(20 * 365 * 24 * time.Hour)
	w.wantUse(endless, nil, "without a limit")
}

func TestSeveralLoginsOfAUserAreIndependent(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	sets := make([]token.Set, 3)
	for i := range sets {
		sets[i] = w.kylo("marco", issuer.Order{Labels: []string{fmt.Sprint(i)}})
	}
	s, err := w.door.Kept(t.Context(), sets[1].RefreshToken)
	w.do(err)
	w.do(w.door.End(t.Context(), s))
	for i, set := range sets {
		kind := map[bool]error{true: token.ErrRevoked, false: nil}[i == 1]
		w.wantUse(set, kind, fmt.Sprint("refresh token ", i))
		if err := w.inspect(set); !errors.Is(err, kind) || kind == nil && err != nil {
			t.Errorf("JWT %d: %v, want %v", i, err, kind)
		}
	}
	all, err := w.door.AllLogins(t.Context(), "marco")
	if err != nil || len(all) != 3 || all[1].Labels[0] != "1" || !errors.Is(w.door.Ended(all[1]), token.ErrRevoked) || w.door.Ended(all[2]) != nil {
		t.Errorf("logins %+v: %v", all, err)
	}
	if s, err := w.door.LoginByID(t.Context(), all[2].Accessor); err != nil || s.Labels[0] != "2" {
		t.Errorf("by id: %+v %v", s, err)
	}
	if _, err := w.door.LoginByID(t.Context(), strings.ToUpper(all[2].Accessor)); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("by an id that is none: %v", err)
	}
}

func TestAUserUUIDIsOneUsersForAsLongAsThatIsThere(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco", store.RoleAdmin)
	sub := func() string {
		return decoded(t, w.kylo("marco", issuer.Order{}).AccessToken.Reveal()).Claims.Subject()
	}
	first := sub()
	w.do(w.issuer.SetPassword(t.Context(), store.DefaultTenant, "marco", token.NewPassword(pass), false))
	if sub() != first {
		t.Error("another password, another UUID")
	}
	u, err := w.door.UserByUUID(t.Context(), strings.TrimPrefix(first, "local|"))
	if err != nil || u.Name != "marco" {
		t.Errorf("by UUID: %q %v", u.Name, err)
	}
	set := w.kylo("marco", issuer.Order{})
	w.do(w.issuer.DeleteUser(t.Context(), store.DefaultTenant, "marco"))
	w.wantUse(set, token.ErrRevoked, "of a user that is gone")
	w.clock.move(time.Second)
	w.addUser("marco")
	if sub() == first {
		t.Error("who has the name now has the UUID too")
	}
	if _, err := w.door.UserByUUID(t.Context(), strings.TrimPrefix(first, "local|")); !errors.Is(err, token.ErrUnknown) {
		t.Errorf("the old UUID: %v", err)
	}
}

func TestAMaximumClampsLoginsThatAreThereInEveryProcess(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	twin := w.twin(asKylo)
	set := w.kylo("marco", issuer.Order{})
	w.do(w.issuer.SetProperty(t.Context(), store.DefaultTenant, issuer.PropertyMaxRefresh, "1h"))
	s, err := twin.door.Kept(t.Context(), set.RefreshToken)
	w.do(err)
	twin.do(twin.issuer.Follow(t.Context()))
	for name, d := range map[string]*issuer.Door{"this process": w.door, "another": twin.door, "one that starts": w.twin(asKylo).door} {
		if end := d.EndsAt(s); end != s.CreatedAt+3600_000_000 {
			t.Errorf("%s: the login ends at %d, made at %d", name, end, s.CreatedAt)
		}
	}
	w.clock.move(59*time.Minute + 30*time.Second)
	used, err := twin.use(set)
	if twin.do(err); used.ExpiresIn > 31 {
		t.Errorf("a JWT lives for %d s, longer than its login", used.ExpiresIn)
	}
	w.clock.move(time.Minute)
	w.wantUse(set, token.ErrExpired, "after the maximum")
	twin.wantUse(set, token.ErrExpired, "after the maximum, elsewhere")
	w.do(w.issuer.ResetProperty(t.Context(), store.DefaultTenant, issuer.PropertyMaxRefresh))
	w.do(w.issuer.ResetProperty(t.Context(), store.DefaultTenant, issuer.PropertyMaxRefresh))
	w.wantUse(set, nil, "without a maximum")
	twin.wantUse(set, nil, "without a maximum, elsewhere: a refresh follows first")
}

func TestAPropertyNeverLengthensWhatTheConfigurationAllows(t *testing.T) {
	w := newWorld(t, doorWith(func(d *issuer.DoorConfig) { d.MaxRefreshTTL = 7200 }))
	endless := w.twin(doorWith(func(d *issuer.DoorConfig) { d.RefreshTTL = 0 }))
	endless.addUser("marco")
	endless.loginRefresh("marco")
	left := func() int64 {
		all, err := w.door.AllLogins(t.Context(), "marco")
		w.do(err)
		return (w.door.EndsAt(all[0]) - all[0].CreatedAt) / 1_000_000
	}
	for value, want := range map[string]int64{"30d": 7200, "1h": 3600, "90m": 5400, "1800": 1800, "10s": 10, "1w": 7200} {
		w.do(w.issuer.SetProperty(t.Context(), store.DefaultTenant, issuer.PropertyMaxRefresh, value))
		if left() != want {
			t.Errorf("%s: the login lasts for %d s, want %d", value, left(), want)
		}
	}
}

func TestAPropertyThatMakesNoSenseIsRefused(t *testing.T) {
	w := newWorld(t, asKylo)
	for _, value := range []string{"", "0", "0h", "-1", "+1", "soon", "1.5h", "1y", "1 h", "99999999999999999999", "300000000000", "9999999999w"} {
		if err := w.issuer.SetProperty(t.Context(), store.DefaultTenant, issuer.PropertyMaxRefresh, value); !errors.Is(err, issuer.ErrValue) {
			t.Errorf("%q: %v", value, err)
		}
	}
	for what, err := range map[string]error{
		"set":   w.issuer.SetProperty(t.Context(), store.DefaultTenant, "MAXIMUM", "1h"),
		"reset": w.issuer.ResetProperty(t.Context(), store.DefaultTenant, "MAXIMUM"),
	} {
		if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `"MAXIMUM"`) || !strings.Contains(err.Error(), issuer.PropertyMaxRefresh) {
			t.Errorf("%s of an unknown name: %v", what, err)
		}
	}
	list, err := w.issuer.Properties(t.Context(), store.DefaultTenant)
	if err != nil || len(list) != 3 || list[0].Value != "" || issuer.PropertyDescription(list[0].Name) == "" {
		t.Errorf("properties %+v: %v", list, err)
	}
}

func TestAJWTOfKyloIsJudgedByItsOwnDoor(t *testing.T) {
	w := newWorld(t, asKylo)
	w.addUser("marco")
	ats, err := w.issuer.Door(t.Context(), issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600})
	w.do(err)
	set := w.kylo("marco", issuer.Order{})
	live, err := ats.Live(t.Context(), set.AccessToken.Reveal())
	if err != nil || live.User != "marco" || live.Door != w.door {
		t.Fatalf("at the ats door: %+v %v", live, err)
	}
	w.do(ats.Revoke(t.Context(), set.AccessToken.Reveal()))
	w.wantUse(set, token.ErrRevoked, "the refresh token, after its JWT was revoked at the ats door")
	var o map[string]any
	if err := json.Unmarshal([]byte(live.Claims.JSON()), &o); err != nil || o["jti"] != nil {
		t.Errorf("claims %v: %v", o, err)
	}
}
