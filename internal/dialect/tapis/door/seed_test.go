package door_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect/tapis"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// seedClaims is the claim set of the first token of the seed.
const seedClaims = `{
"iss": "https://dev.api.tapis.io/tokens/v3",
"sub": "jstubbs@dev",
"tapis/tenant_id": "dev",
"tapis/token_type": "access",
"tapis/delegation": false,
"tapis/delegation_sub": null,
"tapis/username": "jstubbs",
"tapis/account_type": "service"%s
}`

const curl = `{"token_tenant_id": "dev", "account_type": "service", "token_username": "jstubbs"%s}`

// open sends what curl sends in the seed: from this machine, without credentials.
func (w *world) openly(method, body string) answer {
	w.Helper()
	w.open = "dev"
	defer func() { w.open = "" }()
	return w.send(method, tapis.PathTokens, body, "Content-Type", "application/json", "Host", "localhost:5001", "Peer", "127.0.0.1:50123")
}

// wantClaims compares the claims of a token with those of the seed but for jti,
// exp and tapis/initial_ttl.
func (w *world) wantClaims(raw, want string, ttl int64) {
	w.Helper()
	got := w.claims(raw)
	if exp, _ := got["exp"].(float64); int64(exp) != w.clock.Now().Unix()+ttl {
		w.Errorf("exp %v, want in %d s", got["exp"], ttl)
	}
	if id, _ := got["jti"].(string); id == "" {
		w.Error("no jti")
	}
	for _, name := range []string{"jti", "exp", "tapis/initial_ttl"} {
		delete(got, name)
	}
	var wanted map[string]any
	w.do(json.Unmarshal([]byte(want), &wanted))
	if !reflect.DeepEqual(got, wanted) {
		w.Errorf("claims %v, want %v", got, wanted)
	}
}

// wantAccess wants an access token as the seed's is.
func (w *world) wantAccess(p tapis.Pair, more string, ttl int64, expiresAt string) {
	w.Helper()
	w.wantClaims(p.Access.Token, fmt.Sprintf(seedClaims, more), ttl)
	if p.Access.ExpiresIn != ttl || p.Access.ExpiresAt != expiresAt || p.Access.JTI != w.claims(p.Access.Token)["jti"] {
		w.Errorf("access token %+v, want the end %s", p.Access, expiresAt)
	}
	head, _, _ := strings.Cut(p.Access.Token, ".")
	if text, err := token.DecodeSegment(head); err != nil || string(text) != `{"typ":"JWT","alg":"RS256"}` {
		w.Errorf("header %s: %v", text, err)
	}
}

func TestTheCurlsOfTheSeedAreAnsweredInItsShape(t *testing.T) {
	w := newWorldOf(t, "RS256")
	bare := w.openly("POST", fmt.Sprintf(curl, ""))
	w.want(bare, 200, "Token generation successful.", "the first curl")
	w.wantAccess(bare.pair(w), "", 300, "2019-10-14 16:01:32.898216+00:00")
	if bare.pair(w).Refresh != nil || strings.Contains(bare.body, "refresh_token") {
		t.Errorf("a refresh token nobody asked for: %s", bare.body)
	}

	w.clock.move(time.Second)
	both := w.openly("POST", fmt.Sprintf(curl, `, "generate_refresh_token": true`)).pair(w)
	w.wantAccess(both, "", 300, "2019-10-14 16:01:33.898216+00:00")
	embedded := strings.TrimSuffix(fmt.Sprintf(seedClaims, ""), "\n}") + `,"ttl":300}`
	w.wantClaims(both.Refresh.Token, `{"iss":"https://dev.api.tapis.io/tokens/v3","sub":"jstubbs@dev","tapis/tenant_id":"dev","tapis/token_type":"refresh","tapis/access_token":`+embedded+`}`, 600)
	if both.Refresh.ExpiresIn != 600 || both.Refresh.ExpiresAt != "2019-10-14 16:06:33.898216+00:00" || both.Refresh.JTI != w.claims(both.Refresh.Token)["jti"] {
		t.Errorf("refresh token %+v", both.Refresh)
	}

	custom := w.openly("POST", fmt.Sprintf(curl, `, "claims": {"client_id": "123", "scope": "dev"}`)).pair(w)
	w.wantAccess(custom, `,"client_id": "123", "scope": "dev"`, 300, custom.Access.ExpiresAt)

	long := w.openly("POST", fmt.Sprintf(curl, `, "access_token_ttl": 9999999`)).pair(w)
	w.wantAccess(long, "", 9999999, long.Access.ExpiresAt)
	for _, p := range []tapis.Pair{both, custom, long} {
		if !w.live(p.Access.Token) {
			t.Errorf("%s is not honoured", p.Access.Token)
		}
	}
}

// legacy signs a refresh token of the oldest kind, as the seed's PUT sends one.
func (w *world) legacy(name string, exp int64) string {
	w.Helper()
	keys, err := w.door("dev").Keys(w.Context())
	w.do(err)
	ring, err := signing.NewRing(w.clock.Now().Add(time.Second), keys...)
	w.do(err)
	raw, err := ring.Sign(signing.Header{Type: "JWT", TypeFirst: true}, fmt.Appendf(nil, `{"iss":%q,"sub":"dev@%s","tenant_id":"dev","token_type":"refresh","exp":%d,"access_token":{"iss":%q,"sub":"dev@%s","tenant_id":"dev","token_type":"access","delegation":false,"username":%q,"account_type":"service","ttl":300}}`,
		seedIssuer, name, exp, seedIssuer, name, name))
	w.do(err)
	return raw
}

func TestTheSeedsOwnRefreshTokenIsTradedForANewPair(t *testing.T) {
	w := newWorldOf(t, "RS256")
	raw := w.legacy("jstubbs", w.clock.Now().Unix()+600)
	a := w.refresh(raw)
	w.want(a, 200, "Token generation successful.", "the oldest kind")
	w.wantAccess(a.pair(w), "", 300, a.pair(w).Access.ExpiresAt)
	if p := a.pair(w); p.Refresh.ExpiresIn != 600 || w.refresh(p.Refresh.Token).status != 200 {
		t.Errorf("its successor %+v", p.Refresh)
	}
	w.want(w.refresh(raw), 200, "", "the old one stays good")
	w.clock.move(601 * time.Second)
	w.want(w.refresh(raw), 400, "Invalid PUT data: refresh_token: the token has expired", "the old one, over")
}

func TestCustomClaimsSurviveTwoRefreshes(t *testing.T) {
	w := newWorldOf(t, "RS256")
	p := w.openly("POST", fmt.Sprintf(curl, `, "generate_refresh_token": true, "refresh_token_ttl": 1000, "access_token_ttl": 77, "target_site_id": "tacc",
		"delegation_token": true, "delegation_sub_tenant_id": "far", "delegation_sub_username": "ann", "claims": {"scope": "dev", "n": 12345678901234567890, "deep": {"a": [1, null]}}`)).pair(w)
	more := `, "tapis/target_site": "tacc", "scope": "dev", "n": 12345678901234567890, "deep": {"a": [1, null]}`
	want := strings.NewReplacer(`"tapis/delegation": false`, `"tapis/delegation": true`, "null,\n\"tapis/username\"", "\"ann@far\",\n\"tapis/username\"").Replace(fmt.Sprintf(seedClaims, more))
	for round := range 3 {
		w.wantClaims(p.Access.Token, want, 77)
		if p.Access.ExpiresIn != 77 || p.Refresh.ExpiresIn != 1000 || !strings.Contains(decoded(t, p.Access.Token), "12345678901234567890") {
			t.Errorf("round %d: %+v %+v", round, p.Access, p.Refresh)
		}
		w.clock.move(900 * time.Second)
		a := w.refresh(p.Refresh.Token)
		w.want(a, 200, tapis.MessageMinted, "a refresh")
		p = a.pair(w)
	}
}

func decoded(t *testing.T, raw string) string {
	t.Helper()
	d, err := token.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return d.Claims.Text()
}

func TestALifetimeOfAHundredYearsIsGranted(t *testing.T) {
	w := newWorld(t)
	const ttl = 3153600000
	p := w.apps(fmt.Sprintf(curl, `, "access_token_ttl": 3153600000, "generate_refresh_token": true, "refresh_token_ttl": 3153600000.0`))
	w.wantClaims(p.Access.Token, fmt.Sprintf(seedClaims, ""), ttl)
	if p.Access.ExpiresIn != ttl || p.Refresh.ExpiresIn != ttl || !strings.HasPrefix(p.Refresh.ExpiresAt, "2119-09-20 15:56:32.8982") {
		t.Errorf("%+v %+v", p.Access, p.Refresh)
	}
	w.clock.move(99 * 365 * 24 * time.Hour)
	if !w.live(p.Access.Token) || w.refresh(p.Refresh.Token).status != 200 {
		t.Error("not honoured after 99 years")
	}
}

func TestWithoutALifetimeOrWithNoneTheTenantsHolds(t *testing.T) {
	w := newWorld(t)
	for _, ttl := range []string{"0", "-5", "-99999999999999999999", "null", "-0.0"} {
		p := w.apps(fmt.Sprintf(curl, `, "generate_refresh_token": true, "access_token_ttl": `+ttl+`, "refresh_token_ttl": `+ttl))
		if p.Access.ExpiresIn != 300 || p.Refresh.ExpiresIn != 600 {
			t.Errorf("%s: %d %d", ttl, p.Access.ExpiresIn, p.Refresh.ExpiresIn)
		}
	}
}

func TestAfterARotationOldTokensVerifyUntilTheirKeyIsRemoved(t *testing.T) {
	w := newWorldOf(t, "RS256")
	old := w.apps(fmt.Sprintf(curl, `, "generate_refresh_token": true`))
	keys, err := w.door("dev").Keys(t.Context())
	w.do(err)
	before := w.tenant("dev").PublicKey
	a := w.send("PUT", tapis.PathKeys, `{"tenant_id":"dev"}`, bearing(w.service("dev", "apps"))...)
	w.want(a, 200, "Tenant signing keys update successful.", "a rotation")
	var result map[string]string
	w.do(json.Unmarshal(a.Result, &result))
	now := w.tenant("dev")
	if result["public_key"] != now.PublicKey || now.PublicKey == before || !strings.HasPrefix(now.PublicKey, "-----BEGIN PUBLIC KEY-----\n") || len(result) != 1 {
		t.Errorf("result %v, tenant %s, before %s", result, now.PublicKey, before)
	}
	fresh := w.apps(fmt.Sprintf(curl, ""))
	if !w.live(old.Access.Token) || !w.live(fresh.Access.Token) || w.refresh(old.Refresh.Token).status != 200 {
		t.Error("after the rotation a token is not honoured")
	}
	w.do(w.door("dev").RemoveKey(t.Context(), keys[0].ID))
	if w.live(old.Access.Token) || !w.live(fresh.Access.Token) {
		t.Error("a removed key's token is honoured, or the other one's is not")
	}
	w.want(w.refresh(old.Refresh.Token), 400, "Invalid PUT data: refresh_token: the signature is not by a key of the tenant's", "a removed key's refresh token")
}
