package door_test

import (
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMustRFC7636ProofKeys(t *testing.T) {
	must(t, []rule{
		{"RFC 7636 section 4.4.1 and RFC 9700 section 2.1.1: without a challenge there is no code, for public and for confidential applications", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			for _, app := range []string{web, house, native, signer} {
				f := authorization(app, "code_challenge", "", "code_challenge_method", "")
				wantBack(t, b.get(authorizeTarget(f)), f.Get("redirect_uri"), "invalid_request")
			}
		}},
		{"RFC 7636 section 4.3 and RFC 9700 section 2.1.1: plain is refused, also where it is the default", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			for _, app := range []string{web, native, legacy} {
				for _, method := range []string{"plain", "", "s256", "S512", "PLAIN"} {
					f := authorization(app, "code_challenge_method", method)
					wantBack(t, b.get(authorizeTarget(f)), f.Get("redirect_uri"), "invalid_request")
				}
			}
		}},
		{"RFC 7636 section 4.2: a challenge is the base64url of a SHA-256", func(t *testing.T, w *world) {
			b := w.person().login("marco")
			good := challengeOf(codeVerifier)
			for _, challenge := range []string{"x", good + "=", good + "A", good[1:], strings.Repeat("+", 43), good[:42] + " ", codeVerifier + "~"} {
				wantBack(t, b.get(authorizeTarget(authorization(web, "code_challenge", challenge))), webCallback, "invalid_request")
			}
		}},
		{"RFC 7636 section 4.3: a method without a challenge is refused", func(t *testing.T, w *world) {
			f := authorization(legacy, "code_challenge", "")
			wantBack(t, w.person().login("marco").get(authorizeTarget(f)), f.Get("redirect_uri"), "invalid_request")
		}},
		{"RFC 7636 section 4.6: another verifier, and none, is invalid_grant; the right one is good after", func(_ *testing.T, w *world) {
			form := trade(web, w.code(web))
			for _, bad := range []string{"", strings.Repeat("w", 43), codeVerifier + "v", codeVerifier[1:], challengeOf(codeVerifier), strings.ToUpper(codeVerifier), strings.Repeat("v", 129)} {
				w.refused(400, "invalid_grant", form, w.as(web), withField("code_verifier", bad))
			}
			w.token(web, form)
		}},
		{"RFC 7636 section 4.1: a verifier has 43 to 128 characters of its alphabet", func(t *testing.T, w *world) {
			for verifier, want := range map[string]int{
				strings.Repeat("a", 42): 400, strings.Repeat("a", 43): 200, strings.Repeat("a", 128): 200, strings.Repeat("a", 129): 400,
				"AZaz09-._~" + strings.Repeat("a", 40): 200, "+/" + strings.Repeat("a", 43): 400, "é" + strings.Repeat("a", 43): 400,
			} {
				form := trade(web, w.code(web, "code_challenge", challengeOf(verifier)))
				form.Set("code_verifier", verifier)
				if a := w.post("/oauth2/token", form, w.as(web)); a.status != want {
					t.Errorf("%d characters %.4q: %d %s", len(verifier), verifier, a.status, a.body)
				}
			}
		}},
		{"RFC 9700 section 4.8.2: a verifier where there was no challenge is invalid_grant (downgrade)", func(_ *testing.T, w *world) {
			form := trade(legacy, w.code(legacy, "code_challenge", "", "code_challenge_method", ""))
			w.refused(400, "invalid_grant", form, w.as(legacy))
			form.Del("code_verifier")
			w.token(legacy, form)
		}},
		{"RFC 7636 section 4.6: an application that need not use a challenge, and does, is held to it", func(_ *testing.T, w *world) {
			form := trade(legacy, w.code(legacy))
			form.Del("code_verifier")
			w.refused(400, "invalid_grant", form, w.as(legacy))
		}},
		{"RFC 9700 section 2.1.1: a public application cannot be let off", func(t *testing.T, w *world) {
			_, _, err := w.issuer.AddApplication(t.Context(), store.Application{
				Tenant: store.DefaultTenant, ID: "p", Name: "p", AuthMethod: "none", PKCEOptional: true,
				Grants: []string{token.GrantAuthorizationCode}, RedirectURIs: []string{webCallback},
			})
			if err == nil {
				t.Error("it was")
			}
		}},
		{"RFC 8414 section 2: the metadata names S256 alone", func(t *testing.T, w *world) {
			list, _ := w.get("/.well-known/oauth-authorization-server").member("code_challenge_methods_supported").([]any)
			if len(list) != 1 || list[0] != "S256" {
				t.Error(list)
			}
		}},
	})
}
