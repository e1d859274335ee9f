package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// tenantsOf is a service that publishes a key of every tenant but none, and counts
// how often it is asked.
type tenantsOf struct {
	key   *ecdsa.PrivateKey
	asked int
}

func (s *tenantsOf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked++
	name := strings.TrimPrefix(r.URL.Path, "/v3/tenants/")
	der, _ := x509.MarshalPKIXPublicKey(&s.key.PublicKey)
	answer := map[string]any{"status": "success", "result": map[string]any{
		"tenant_id": name, "token_service": "https://" + name, "public_key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
	}}
	if name == "none" {
		w.WriteHeader(http.StatusBadRequest)
		answer = map[string]any{"status": "error", "message": "no such tenant"}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (s *tenantsOf) rotate(t *testing.T) {
	var err error
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
}

// token is one of a tenant, with these claims beside.
func (s *tenantsOf) token(t *testing.T, tenant string, besides jwt.MapClaims) string {
	claims := jwt.MapClaims{"iss": "https://" + tenant, "sub": "x@" + tenant, "tapis/tenant_id": tenant, "tapis/token_type": "access", "exp": 1700000100}
	for name, v := range besides {
		claims[name] = v
		if v == nil {
			delete(claims, name)
		}
	}
	raw, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// tenantDesk is the judge of a service's tokens, whose clock for keys is now.
func tenantDesk(t *testing.T, only string, now *time.Time) (*tenantsOf, *judge) {
	s := &tenantsOf{}
	s.rotate(t)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	d := newDesk(t, map[string]string{"ATS_AUTH_DIALECT": "tapis"}, nil)
	if err := d.load(); err != nil {
		t.Fatal(err)
	}
	service, err := client.New(client.Config{URL: server.URL, Dialect: "tapis"})
	if err != nil {
		t.Fatal(err)
	}
	j := d.tenantJudgeOf(service, func(v *verifier.Config) { v.Rule = d.dialectRule() })
	j.tenants.only, j.tenants.from = only, "flag --tenant"
	j.tenants.now = func() time.Time { return *now }
	return s, j
}

func TestATokenIsJudgedByTheKeyOfItsOwnTenant(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s, j := tenantDesk(t, "", &now)
	for name, c := range map[string]struct {
		raw  string
		kind error
		text string
	}{
		"good":                {s.token(t, "dev", nil), nil, ""},
		"of another tenant":   {s.token(t, "prod", nil), nil, ""},
		"of none":             {s.token(t, "none", nil), token.ErrClaims, "is no tenant of http://127.0.0.1"},
		"of no tenant at all": {s.token(t, "dev", jwt.MapClaims{"tapis/tenant_id": nil}), token.ErrClaims, "tapis/tenant_id: missing"},
		"another's issuer":    {s.token(t, "dev", jwt.MapClaims{"iss": "https://prod"}), token.ErrClaims, "iss"},
		"a refresh token":     {s.token(t, "dev", jwt.MapClaims{"tapis/token_type": "refresh"}), token.ErrClaims, `tapis/token_type: "refresh" is not "access"`},
		"of no type":          {s.token(t, "dev", jwt.MapClaims{"tapis/token_type": nil}), token.ErrClaims, "tapis/token_type: missing"},
		"over":                {s.token(t, "dev", jwt.MapClaims{"exp": 1699999999}), token.ErrExpired, "expired"},
		"junk":                {"junk", token.ErrMalformed, ""},
	} {
		_, err := j.Verify(t.Context(), c.raw)
		if !errors.Is(err, c.kind) || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.asked != 3 {
		t.Errorf("asked %d times for the keys of three tenants", s.asked)
	}
	other := *s
	other.rotate(t)
	if _, err := j.Verify(t.Context(), other.token(t, "dev", nil)); !errors.Is(err, token.ErrSignature) {
		t.Errorf("forged: %v", err)
	}
	s, j = tenantDesk(t, "prod", &now)
	_, err := j.Verify(t.Context(), s.token(t, "dev", nil))
	if !errors.Is(err, token.ErrClaims) || s.asked != 0 || err.Error() != `tapis/tenant_id: "dev" is not "prod", which comes from flag --tenant` {
		t.Errorf("of another tenant than the one demanded: %v, asked %d", err, s.asked)
	}
}

func TestANewKeyIsLookedForWhenASignatureFailsButNotEachTime(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s, j := tenantDesk(t, "", &now)
	verify := func() error { _, err := j.Verify(t.Context(), s.token(t, "dev", nil)); return err }
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	s.rotate(t)
	for range 3 {
		if err := verify(); !errors.Is(err, token.ErrSignature) || s.asked != 1 {
			t.Fatalf("at once: %v, asked %d", err, s.asked)
		}
	}
	now = now.Add(keysMinAge)
	if err := verify(); err != nil || s.asked != 2 {
		t.Fatalf("later: %v, asked %d", err, s.asked)
	}
}

func TestStrangeTokensCannotHaveManyTenantsAskedFor(t *testing.T) {
	now := time.Unix(1700000000, 0)
	s, j := tenantDesk(t, "", &now)
	for i := range 2 * maxTenants {
		_, err := j.Verify(t.Context(), s.token(t, fmt.Sprintf("t%d", i), nil))
		if (err == nil) != (i < maxTenants) {
			t.Fatalf("tenant %d: %v", i, err)
		}
	}
	if s.asked != maxTenants {
		t.Errorf("asked %d times", s.asked)
	}
}

func TestATokenOfTapisIsShownInWords(t *testing.T) {
	for claims, want := range map[string]string{
		`{"sub":"x"}`: ``,
		`{"tapis/token_type":"access","tapis/tenant_id":"dev","tapis/username":"jstubbs","tapis/account_type":"user","tapis/delegation":false,"tapis/delegation_sub":"a@b"}`:                    `[{tenant dev} {token_type access} {account user jstubbs}]`,
		`{"sub":"jstubbs@dev","tapis/token_type":"access","tapis/tenant_id":"dev","tapis/username":"jstubbs","tapis/account_type":"user","tapis/delegation":true,"tapis/delegation_sub":"a@b"}`: `[{tenant dev} {token_type access} {account user jstubbs} {delegation a@b acts for jstubbs@dev}]`,
		`{"tapis/token_type":"refresh","tapis/access_token":{"sub":"f@dev","tapis/tenant_id":"dev","tapis/username":"f","tapis/account_type":"service","tapis/target_site":"tacc"}}`:            `[{tenant dev} {token_type refresh} {account service f} {target_site tacc}]`,
		`{"tapis/token_type":"a\u001b[2J","tapis/tenant_id":7,"sub":"s","tapis/delegation":true}`:                                                                                               `[{tenant } {token_type a?[2J} {delegation somebody who is not named acts for s}]`,
	} {
		c, err := token.ParseClaims(claims)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if r := tapisSays(c); r != nil {
			got = fmt.Sprint([]field(r))
		}
		if got != want {
			t.Errorf("%s: %s, want %s", claims, got, want)
		}
	}
}
