package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestHowLongATokenMustLive(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for name, c := range map[string]struct {
		life, left, least time.Duration
		want              bool
	}{
		"a minute of an hour":          {time.Hour, time.Minute, 0, true},
		"less than a minute of it":     {time.Hour, time.Minute - time.Second, 0, false},
		"half of a minute":             {time.Minute, 30 * time.Second, 0, true},
		"less than half of it":         {time.Minute, 29 * time.Second, 0, false},
		"over":                         {time.Hour, 0, 0, false},
		"over for long":                {time.Hour, -time.Hour, 0, false},
		"what was asked for":           {time.Hour, 10 * time.Minute, 10 * time.Minute, true},
		"less than was asked for":      {time.Hour, 10*time.Minute - 1, 10 * time.Minute, false},
		"a wish below the default":     {time.Hour, 2 * time.Second, time.Second, true},
		"a wish above the whole life":  {time.Minute, time.Minute, 2 * time.Minute, false},
		"no lifetime, just issued":     {0, 59 * time.Second, 0, true},
		"no lifetime, a while ago":     {0, -time.Second, 0, false},
		"no lifetime, and a wish":      {0, 59 * time.Second, time.Second, false},
		"an hour that has just begun":  {time.Hour, time.Hour, 0, true},
		"an hour that begins tomorrow": {time.Hour, 25 * time.Hour, 0, true},
	} {
		a := &app{Env: Env{Now: func() time.Time { return now }}}
		set, issued := token.Set{}, now.Add(c.left-time.Minute)
		if c.life > 0 {
			set.ExpiresAt = now.Add(c.left)
			issued = set.ExpiresAt.Add(-c.life)
		}
		if got := a.livesLong(set, issued, c.least); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestALifetimeIsSaidAsTheSeedSaysIt(t *testing.T) {
	for want, l := range map[string]lifetime{
		"30 days": {days: 30}, "1 day": {days: 1}, "10 hours": {hours: 10}, "1 hour": {hours: 1}, "10 days, 10 hours": {days: 10, hours: 10},
		"1 day, 1 hour": {days: 1, hours: 1}, "48 hours": {hours: 48},
	} {
		if got := l.String(); got != want {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}

func TestTheEndThatWasGrantedIsSaid(t *testing.T) {
	d := newDesk(t, words{"ATS_AUTH_DIALECT": "ciphertrust", "ATS_AUTH_URL": "https://kylo-system"}, nil)
	if err := d.load(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		granted int64
		want    string
	}{
		"as asked for":         {30 * 86400, "30 days"},
		"a second on the way":  {30*86400 - 1, "30 days"},
		"less":                 {86400, "1 day"},
		"less than a day":      {5*3600 + 60, "5 hours"},
		"minutes":              {600, "10 minutes"},
		"the service is mute":  {0, "30 days"},
		"more than asked for":  {60 * 86400, "60 days"},
		"days and hours of it": {2*86400 + 3*3600, "2 days, 3 hours"},
	} {
		var next session.Login
		got := d.lasts(t.Context(), nil, token.Set{RefreshExpiresIn: c.granted}, lifetime{days: 30}, &next)
		if got != "this login will expire in "+c.want {
			t.Errorf("%s: %q", name, got)
		}
		seconds := c.granted
		if seconds == 0 {
			seconds = 30 * 86400
		}
		if want := d.Now().Add(time.Duration(seconds) * time.Second); !next.ExpiresAt.Equal(want) {
			t.Errorf("%s: saved as %s instead of %s", name, next.ExpiresAt, want)
		}
	}
}

// A login that is for one service is sent to that one alone, however another is
// named.
func TestASavedLoginIsBoundToItsService(t *testing.T) {
	saved := session.Login{URL: "https://a", Dialect: "ats", RefreshToken: token.NewSecret("rt-secret")}
	for name, c := range map[string]struct {
		env  words
		set  words
		want bool
	}{
		"nothing is said":       {want: true},
		"the same":              {set: words{"url": "https://a"}, want: true},
		"the same with a slash": {set: words{"url": "https://a/"}, want: true},
		"another":               {set: words{"url": "https://b"}},
		"another port":          {set: words{"url": "https://a:8443"}},
		"without TLS":           {env: words{"ATS_AUTH_URL": "http://a"}},
		"another path":          {env: words{"ATS_AUTH_URL": "https://a/b"}},
		"a longer name":         {env: words{"ATS_AUTH_URL": "https://a.example.org"}},
		"another dialect":       {set: words{"dialect": "oauth2"}},
	} {
		d := newDesk(t, c.env, c.set)
		file := d.sessionFile(filepath.Join(d.HomeDir, ".config", "ats-auth", "config.yaml"))
		if err := file.Update(t.Context(), func(session.Login) (session.Login, error) { return saved, nil }); err != nil {
			t.Fatal(err)
		}
		if err := d.load(); err != nil {
			t.Fatal(err)
		}
		login, err := d.savedLogin()
		switch {
		case c.want && (err != nil || login.RefreshToken.Reveal() != "rt-secret"):
			t.Errorf("%s: %v", name, err)
		case !c.want && exitCode(err) != exitConfig:
			t.Errorf("%s: %v", name, err)
		case !c.want && (strings.Contains(err.Error(), "rt-secret") || len(c.set["dialect"]) == 0 && !strings.Contains(err.Error(), "https://a,")):
			t.Errorf("%s: %v", name, err)
		}
	}
}
