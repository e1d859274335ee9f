package oauth2

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// proven reads a proof as a strict service does (RFC 9449 section 4.3) and returns
// its claims.
func proven(t *testing.T, s sent) map[string]any {
	t.Helper()
	proofs := s.header.Values("DPoP")
	if len(proofs) != 1 {
		t.Fatalf("%s: %d proofs", s.path, len(proofs))
	}
	jws, err := jose.ParseSignedCompact(proofs[0], []jose.SignatureAlgorithm{jose.ES256, jose.PS256})
	if err != nil {
		t.Fatal(err)
	}
	header := jws.Signatures[0].Protected
	if header.ExtraHeaders["typ"] != "dpop+jwt" || header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() || header.KeyID != "" {
		t.Errorf("header %+v", header)
	}
	payload, err := jws.Verify(header.JSONWebKey)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	jti, _ := claims["jti"].(string)
	if claims["htm"] != s.method || claims["iat"] != float64(today.Unix()) || len(jti) < 22 {
		t.Errorf("%s: claims %v", s.path, claims)
	}
	return claims
}

func TestEachTokenRequestAndEachBearerCarriesAProof(t *testing.T) {
	p := newProvider(t, "")
	root := strings.TrimSuffix(p.issuer, "/")
	key := newKey(t)
	bound := func(c *Config) { c.ProofKey = key }
	p.metadata["logins_endpoint"] = root + "/logins?"
	p.say("/token", 200, `{"access_token":"at","token_type":"dpop"}`)
	p.say("/revoke-all", 204, "")
	p.say("/logins", 200, `{"logins":[]}`)
	p.say("/revoke", 200, "")
	client := p.client(bound)
	set, err := client.Login(t.Context(), marco(), token.Request{})
	if err != nil || set.TokenType != "DPoP" {
		t.Errorf("%+v, %v", set, err)
	}
	claims := proven(t, p.last("/token"))
	if claims["htu"] != root+"/token" || claims["ath"] != nil || claims["nonce"] != nil {
		t.Errorf("%v", claims)
	}
	if err := client.RevokeAll(t.Context(), set.AccessToken, "marco"); err != nil {
		t.Error(err)
	}
	if _, err := client.List(t.Context(), set.AccessToken); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/revoke-all", "/logins"} {
		s := p.last(path)
		claims := proven(t, s)
		if claims["htu"] != root+path || claims["ath"] != digest("at") || s.header.Get("Authorization") != "DPoP at" {
			t.Errorf("%s: %v with %v", path, claims, s.header)
		}
	}
	if err := client.Revoke(t.Context(), set.AccessToken); err != nil || p.last("/revoke").header.Get("DPoP") != "" {
		t.Errorf("%v, %v", err, p.last("/revoke").header)
	}
}

func TestTheCodeOfABrowserIsBoundToo(t *testing.T) {
	p := newProvider(t, "")
	p.say("/token", 200, `{"access_token":"at","token_type":"DPoP"}`)
	_, err := byBrowser(t, p.client(func(c *Config) { c.ProofKey = newKey(t) }), token.Request{}, func(question url.Values) {
		if len(question.Get("dpop_jkt")) != 43 {
			t.Errorf("dpop_jkt %q", question.Get("dpop_jkt"))
		}
		comeBack(t, "code=c&state=STATE")(question)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestATokenOfAnotherTypeThanAskedForIsRefused(t *testing.T) {
	for _, c := range []struct {
		bound bool
		kind  string
		want  error
	}{
		{true, "Bearer", token.ErrUnsupported},
		{true, "", token.ErrUnavailable},
		{true, "mac", token.ErrUnavailable},
		{false, "DPoP", token.ErrUnavailable},
	} {
		p := newProvider(t, "")
		p.say("/token", 200, fmt.Sprintf(`{"access_token":"at","token_type":%q}`, c.kind))
		set, err := p.client(func(d *Config) {
			if c.bound {
				d.ProofKey = newKey(t)
			}
		}).Login(t.Context(), marco(), token.Request{})
		if !errors.Is(err, c.want) || set != (token.Set{}) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// wantsNonce answers as a service that wants this nonce in a proof (RFC 9449
// sections 8 and 9).
func wantsNonce(t *testing.T, nonce string, good reply) func(sent) reply {
	return func(s sent) reply {
		header := map[string]string{"DPoP-Nonce": nonce}
		switch claims := proven(t, s); {
		case claims["nonce"] == nonce:
			return good
		case s.form == nil:
			header["WWW-Authenticate"] = `DPoP error="use_dpop_nonce", error_description="Resource server requires nonce in DPoP proof"`
			return reply{401, "", header}
		}
		return reply{400, map[string]string{"error": "use_dpop_nonce"}, header}
	}
}

func TestANonceIsPutIntoTheNextProofAndKeptForItsOrigin(t *testing.T) {
	p, other := newProvider(t, ""), newProvider(t, "")
	p.metadata["logins_endpoint"] = other.issuer + "/logins"
	p.answers["/token"] = wantsNonce(t, "n1", reply{200, `{"access_token":"at","token_type":"DPoP"}`, map[string]string{"DPoP-Nonce": "n2"}})
	other.answers["/logins"] = wantsNonce(t, "o1", reply{200, `{"logins":[]}`, nil})
	key := newKey(t)
	client := p.client(func(c *Config) { c.ProofKey, c.ClientKey = key, key })
	if _, err := client.Login(t.Context(), marco(), token.Request{}); err != nil {
		t.Fatal(err)
	}
	tries := p.asked("/token")
	if len(tries) != 2 || tries[0].form.Get("client_assertion") == tries[1].form.Get("client_assertion") || proven(t, tries[0])["jti"] == proven(t, tries[1])["jti"] {
		t.Errorf("%d tries, or something was sent twice that counts once", len(tries))
	}
	p.answers["/token"] = wantsNonce(t, "n2", reply{200, `{"access_token":"at","token_type":"DPoP"}`, nil})
	if _, err := client.Login(t.Context(), marco(), token.Request{}); err != nil || len(p.asked("/token")) != 3 {
		t.Errorf("%d tries, %v", len(p.asked("/token")), err)
	}
	for range 2 {
		if _, err := client.List(t.Context(), token.NewSecret("at")); err != nil {
			t.Error(err)
		}
	}
	seen := other.asked("/logins")
	if len(seen) != 3 || proven(t, seen[0])["nonce"] != nil {
		t.Errorf("%d tries at another origin, the first with the nonce %v", len(seen), proven(t, seen[0])["nonce"])
	}
}

func TestANonceIsTriedOnce(t *testing.T) {
	for _, nonce := range []string{"n", "", "a b", strings.Repeat("n", 1025)} {
		p := newProvider(t, "")
		p.answers["/token"] = func(sent) reply {
			return reply{400, map[string]string{"error": "use_dpop_nonce"}, map[string]string{"DPoP-Nonce": nonce}}
		}
		_, err := p.client(func(c *Config) { c.ProofKey = newKey(t) }).Login(t.Context(), marco(), token.Request{})
		tries := 1
		if nonce == "n" {
			tries = 2
		}
		if !errors.Is(err, token.ErrDenied) || len(p.asked("/token")) != tries {
			t.Errorf("%q: %v after %d tries", nonce, err, len(p.asked("/token")))
		}
	}
}

func TestANonceWithoutAProofIsNoReasonToAskAgain(t *testing.T) {
	p := newProvider(t, "")
	p.answers["/token"] = func(sent) reply {
		return reply{400, map[string]string{"error": "use_dpop_nonce"}, map[string]string{"DPoP-Nonce": "n"}}
	}
	if _, err := p.client(nil).Login(t.Context(), marco(), token.Request{}); err == nil || len(p.asked("/token")) != 1 {
		t.Errorf("%v after %d tries", err, len(p.asked("/token")))
	}
}

func TestWhatCountsOnceIsMadeAnewAfterAWait(t *testing.T) {
	for _, c := range []struct {
		retryAfter string
		good       int // the try that succeeds; 0: none
		tries      int
	}{{"2", 2, 2}, {"2", 0, 3}, {"6", 0, 1}, {"", 0, 1}} {
		p := newProvider(t, "")
		p.answers["/token"] = func(sent) reply {
			if len(p.asked("/token")) == c.good {
				return reply{200, `{"access_token":"at","token_type":"Bearer"}`, nil}
			}
			return reply{503, "", map[string]string{"Retry-After": c.retryAfter}}
		}
		client := p.client(func(d *Config) { d.ClientKey = newKey(t) })
		_, err := client.Login(t.Context(), marco(), token.Request{})
		assertions := map[string]bool{}
		for _, s := range p.asked("/token") {
			assertions[s.form.Get("client_assertion")] = true
		}
		if (c.good != 0) != (err == nil) || len(p.asked("/token")) != c.tries || len(assertions) != c.tries {
			t.Errorf("%+v: %v after %d tries with %d assertions", c, err, len(p.asked("/token")), len(assertions))
		}
	}
	p := newProvider(t, "")
	p.answers["/token"] = func(sent) reply { return reply{503, "", map[string]string{"Retry-After": "1"}} }
	if _, err := p.client(nil).Login(t.Context(), marco(), token.Request{}); !errors.Is(err, token.ErrUnavailable) || len(p.asked("/token")) != 1 {
		t.Errorf("what counts more than once is the exchange's to send again: %v after %d tries", err, len(p.asked("/token")))
	}
}

func TestAnRSAKeySignsInTheWayThatTheServiceTakes(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for want, listed := range map[string][]string{"RS256": nil, "PS256": {"ES256", "PS256"}} {
		if got, err := algorithmOf(key, listed); err != nil || got != want {
			t.Errorf("%v: %s, %v", listed, got, err)
		}
	}
	p := newProvider(t, "")
	p.metadata["dpop_signing_alg_values_supported"] = []string{"PS256"}
	p.say("/token", 200, `{"access_token":"at","token_type":"DPoP"}`)
	if _, err := p.client(func(c *Config) { c.ProofKey = key }).Login(t.Context(), marco(), token.Request{}); err != nil {
		t.Error(err)
	}
	proven(t, p.last("/token"))
}

func TestProofsAndNoncesMayBeMadeAtOnce(t *testing.T) {
	p := newProvider(t, "")
	n := make(chan string, 64)
	for i := range 64 {
		n <- fmt.Sprint("n", i)
	}
	p.answers["/token"] = func(sent) reply {
		return reply{200, `{"access_token":"at","token_type":"DPoP"}`, map[string]string{"DPoP-Nonce": <-n}}
	}
	client := p.client(func(c *Config) { c.ProofKey = newKey(t) })
	done := make(chan error)
	for range 16 {
		go func() {
			_, err := client.Login(t.Context(), marco(), token.Request{})
			done <- err
		}()
	}
	for range 16 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("a login hangs")
		}
	}
	if len(p.asked(PathMetadata)) != 1 {
		t.Errorf("metadata was fetched %d times", len(p.asked(PathMetadata)))
	}
}
