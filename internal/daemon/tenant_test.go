package daemon

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
)

// tapisServer is a service in memory with the tapis door open.
func tapisServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{Store: memory.New(), Dialects: []string{tapis}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAChangeOfATenantIsMadeAgainWhereAnotherWasFaster(t *testing.T) {
	s := tapisServer(t)
	if err := s.AddTenant(t.Context(), store.Tenant{Name: "dev", Site: "here"}); err != nil {
		t.Fatal(err)
	}
	tries := 0
	err := changeTenant(t.Context(), s, "dev", func(mine *store.Tenant) {
		if tries++; tries == 1 {
			faster, err := s.Tenant(t.Context(), "dev")
			if err != nil {
				t.Fatal(err)
			}
			faster.RefreshTTL = 77
			if err := s.ChangeTenant(t.Context(), faster); err != nil {
				t.Fatal(err)
			}
		}
		mine.AccessTTL = 42
	})
	got, _ := s.Tenant(t.Context(), "dev")
	if err != nil || tries != 2 || got.AccessTTL != 42 || got.RefreshTTL != 77 || got.Site != "here" {
		t.Errorf("%v after %d tries: %+v", err, tries, got)
	}
}

func TestOnlyWhatFlagsNameChangesOfATenant(t *testing.T) {
	dir := t.TempDir()
	must := func(args ...string) {
		t.Helper()
		if code, _, stderr := run(t, dir, args...); code != exitOK {
			t.Fatalf("%v: %d %q", args, code, stderr)
		}
	}
	show := func() (v tenantView) {
		t.Helper()
		code, stdout, stderr := run(t, dir, "tenant", "show", "dev", "-f", "json")
		if err := json.Unmarshal([]byte(stdout), &v); code != exitOK || err != nil {
			t.Fatalf("%d %q %q %v", code, stdout, stderr, err)
		}
		v.Created, v.Updated = "", ""
		return v
	}
	must("tenant", "add", "dev", "--alg", "ES256", "--issuer", "https://id.example.org/x", "--base-url", "https://dev.example.org", "--site", "tacc", "--site-admin",
		"--api-version", "1.3", "--access-ttl", "4h", "--refresh-ttl", "30d", "--max-access-ttl", "3153600000", "--max-refresh-ttl", "200000000000", "--allow-weak-key")
	want := tenantView{
		Name: "dev", Algorithm: "ES256", Issuer: "https://id.example.org/x", BaseURL: "https://dev.example.org", Site: "tacc", SiteAdmin: true,
		APIVersion: "1.3", AccessTTL: 14400, RefreshTTL: 2592000, MaxAccessTTL: 3153600000, MaxRefreshTTL: 200000000000, WeakKeys: true,
	}
	if got := show(); got != want {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	must("tenant", "add", "dev", "--if-not-exists", "--site", "elsewhere")
	if got := show(); got != want {
		t.Errorf("after --if-not-exists: %+v\nwant %+v", got, want)
	}
	must("tenant", "set", "dev", "--site-admin=false", "--access-ttl", "0", "--api-version=")
	want.SiteAdmin, want.AccessTTL, want.APIVersion = false, 0, ""
	if got := show(); got != want {
		t.Errorf("after a change: %+v\nwant %+v", got, want)
	}
	must("tenant", "set", "dev", "--issuer", "")
	if got := show().Issuer; got != "https://dev.example.org/v3/tokens" {
		t.Errorf("the issuer is %s", got)
	}
}

func TestTheKeyThatSignsIsTheNewestWhoseTimeHasCome(t *testing.T) {
	now := time.UnixMicro(1_800_000_000_000_000)
	at := func(id, state string, after int64) server.Key {
		return server.Key{ID: id, State: state, Door: "oauth2", Tenant: "default", CreatedAt: now.UnixMicro() - 1, NotBefore: now.UnixMicro() + after}
	}
	keys := []server.Key{
		at("first", store.KeyActive, -30), at("second", store.KeyActive, -20), at("gone", store.KeyRetiring, -10), at("third", store.KeyActive, 10),
	}
	var states []string
	for _, v := range viewKeys(keys, now) {
		states = append(states, v.ID+" "+v.State)
	}
	want := []string{"first retiring", "second active", "gone retiring", "third next"}
	if !slices.Equal(states, want) {
		t.Errorf("%q, want %q", states, want)
	}
	if k := signer(keys, now.Add(10*time.Microsecond)); k.ID != "third" {
		t.Errorf("%s signs when the third's time has come", k.ID)
	}
}

func TestATenantHasAColumnWhereThereIsMoreThanTheDefaultOne(t *testing.T) {
	one := keyView{Door: "ats", Tenant: "default", ID: "A", Algorithm: "HS256", State: "active"}
	other := keyView{Door: tapis, Tenant: "dev", ID: "B", Algorithm: "RS256", State: "next"}
	if got := keyTable([]keyView{one}); strings.Contains(got, "TENANT") || strings.Contains(got, "default") {
		t.Error(got)
	}
	want := "DOOR   TENANT   KID  ALG    STATE   CREATED  SIGNS FROM  VERIFIES UNTIL\n" +
		"ats    default  A    HS256  active  -        -           -\n" +
		"tapis  dev      B    RS256  next    -        -           -\n"
	if got := keyTable([]keyView{one, other}); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestALifetimeIsShownAsTheFlagsTakeItWhereItIsWhole(t *testing.T) {
	for want, c := range map[string][2]int64{
		"4h": {14400, 300}, "30d": {2592000, 0}, "300 s": {300, 600}, "90061 s": {90061, 0}, "600 s (default)": {0, 600}, "2d (default)": {0, 172800},
	} {
		if got := lifetime(c[0], c[1]); got != want {
			t.Errorf("%v: %s, want %s", c, got, want)
		}
	}
}

func TestCheckMissesUsersOnlyWhereNobodyCanLogIn(t *testing.T) {
	for name, args := range map[string][]string{
		"a user":                      {"user", "add", "marco", "--password-stdin"},
		"a user of another tenant":    {"user", "add", "marco", "--password-stdin", "--tenant", "dev"},
		"a service of another tenant": {"service", "add", "files", "--password-stdin", "--tenant", "dev"},
	} {
		dir := t.TempDir()
		for _, step := range []struct {
			args   []string
			misses bool
		}{{[]string{"tenant", "add", "dev"}, true}, {args, false}} {
			if code, _, stderr := run(t, dir, step.args...); code != exitOK {
				t.Fatalf("%s: %v: %d %q", name, step.args, code, stderr)
			}
			code, stdout, stderr := run(t, dir, "check")
			if code != exitOK || strings.Contains(stdout, "there is no user yet") != step.misses {
				t.Errorf("%s: after %v: %d %q %q", name, step.args, code, stdout, stderr)
			}
		}
	}
}
