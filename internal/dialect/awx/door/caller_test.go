package door_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// minting opens the door at which services make tokens in the names of others.
func (w *world) minting() *issuer.Door {
	w.Helper()
	doors, err := w.core.Doors(w.Context(), func(t store.Tenant) (issuer.DoorConfig, bool) {
		return issuer.DoorConfig{
			Name: "tapis", Tenant: t.Name, Issuer: "https://" + t.Name + ".example/v3/tokens", Format: issuer.FormatTapis(), AccessTTL: 300, RefreshTTL: 600,
		}, true
	})
	w.do(err)
	served, ok := doors.Of(store.DefaultTenant)
	if !ok {
		w.Fatal("no door")
	}
	return served.Door
}

func TestATokenThatAServiceMadeReadsAlone(t *testing.T) {
	w := newHouse(t)
	minter := w.minting()
	for _, user := range []string{"rob", "root"} {
		set, err := minter.Issue(t.Context(), minter.Tick(), issuer.Order{Subject: user, Mint: &issuer.Mint{}})
		w.do(err)
		credential := bearer(set.AccessToken.Reveal())
		w.want(w.send("GET", awx.PathMe, "", credential...), 200, user+" reads")
		w.wantDetail(w.send("POST", awx.PathTokens, `{}`, credential...), 403, awx.MessageForbidden, user+" writes")
	}
}

func TestATokenThatWasSignedElsewhereIsNone(t *testing.T) {
	w := newHouse(t)
	minter := w.minting()
	key, err := signing.Generate("ES256")
	w.do(err)
	w.do(minter.RotateKey(t.Context(), issuer.Rotation{Private: key}))
	foreign := func(kind, more string) token.Secret {
		raw, err := signing.Compact(key, "ES256", map[string]any{"typ": "JWT"}, fmt.Appendf(nil,
			`{"iss":"https://default.example/v3/tokens","sub":"root@default","tapis/tenant_id":"default","tapis/token_type":%q,"tapis/username":"root","tapis/account_type":"user","exp":%d%s}`,
			kind, w.clock.Now().Unix()+100, more))
		w.do(err)
		return token.NewSecret(raw)
	}
	given, err := minter.MintAgain(t.Context(), foreign("refresh", `,"tapis/access_token":{"tapis/username":"root","tapis/account_type":"user","ttl":300}`), "")
	w.do(err)
	for name, secret := range map[string]token.Secret{"signed elsewhere": foreign("access", ""), "given for one": given.AccessToken} {
		if _, err := minter.LiveMinted(t.Context(), secret.Reveal()); err != nil {
			t.Fatalf("%s: its own door refuses it: %v", name, err)
		}
		w.wantDetail(w.send("GET", awx.PathMe, "", bearer(secret.Reveal())...), 401, awx.MessageNoCredentials, name)
	}
}

func TestAPasswordThatABrowserSendsForAnotherSiteChangesNothing(t *testing.T) {
	w := newHouse(t)
	for _, c := range []struct {
		headers string
		status  int
	}{
		{"", 201},
		{"Origin " + publicURL, 201},
		{"Origin " + publicURL + " Sec-Fetch-Site same-origin", 201},
		{"Sec-Fetch-Site none", 201},
		{"Origin https://evil.example", 403},
		{"Origin null", 403},
		{"Sec-Fetch-Site cross-site", 403},
		{"Sec-Fetch-Site same-site", 403},
		{"Origin https://evil.example Sec-Fetch-Site cross-site", 403},
	} {
		a := w.as("rob", "POST", awx.PathTokens, `{}`, strings.Fields(c.headers)...)
		if w.want(a, c.status, c.headers); c.status == 403 && !strings.HasPrefix(a.text(t, "detail"), "CSRF Failed: ") {
			t.Errorf("%s: %s", c.headers, a.body)
		}
	}
}

func TestAnswersWriteEverySignAsItIs(t *testing.T) {
	w := newHouse(t)
	a := w.want(w.as("rob", "POST", awx.PathTokens, `{"description":"<b> & \"c\""}`), 201, "create")
	if !strings.Contains(a.body, `"description":"<b> & \"c\""`) || a.text(t, "description") != `<b> & "c"` || !strings.HasSuffix(a.body, "}\n") {
		t.Errorf("answer %q", a.body)
	}
}
