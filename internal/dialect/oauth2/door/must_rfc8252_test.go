package door_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestMustRFC8252NativeApplications(t *testing.T) {
	must(t, []rule{
		{"RFC 8252 section 7.3: any port of a loopback address is taken, as it is at the time", func(_ *testing.T, w *world) {
			for _, uri := range []string{"http://127.0.0.1:49152/cb", "http://[::1]:49153/cb"} {
				form := trade(native, w.code(native, "redirect_uri", uri))
				form.Set("redirect_uri", uri)
				w.token(native, form)
			}
		}},
		{"RFC 8252 section 7.1: a private-use scheme is a reversed domain name, of a public application", func(t *testing.T, w *world) {
			for uri, method := range map[string]string{"app:/cb": "none", "com.example.app:/cb": "", "com.example.app:cb": "none", "com.example.*:/cb": "none"} {
				_, _, err := w.issuer.AddApplication(t.Context(), store.Application{
					Tenant: store.DefaultTenant, ID: "x", Name: "x", AuthMethod: method, Grants: []string{token.GrantAuthorizationCode}, RedirectURIs: []string{uri},
				})
				if err == nil {
					t.Errorf("%s was registered", uri)
				}
			}
			a := w.person().visit(authorizeTarget(authorization(native, "redirect_uri", "com.example.app:/cb")))
			if a.status != http.StatusSeeOther || !strings.HasPrefix(a.location(), "com.example.app:/cb?") {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
		{"RFC 8252 section 8.1: a native application needs PKCE", func(t *testing.T, w *world) {
			f := authorization(native, "code_challenge", "", "code_challenge_method", "")
			wantBack(t, w.person().login("marco").get(authorizeTarget(f)), f.Get("redirect_uri"), "invalid_request")
		}},
		{"RFC 8252 section 8.4: a redirect URI is registered whole, its path too", func(t *testing.T, w *world) {
			f := authorization(native, "redirect_uri", "http://127.0.0.1:8080/other")
			wantPage(t, w.person().login("marco").get(authorizeTarget(f)), 400)
		}},
		{"RFC 8252 section 8.5: a public application is known by no secret: one that it sends is refused", func(_ *testing.T, w *world) {
			w.refused(401, "invalid_client", trade(native, w.code(native)), withField("client_id", native), withField("client_secret", "in-the-binary"))
		}},
		{"RFC 8252 section 8.6: a person is asked each time, since anybody can pose as a public application", func(t *testing.T, w *world) {
			b := w.person()
			b.visit(authorizeTarget(authorization(native)))
			if a := b.get(authorizeTarget(authorization(native))); a.status != 200 || !strings.Contains(a.body, `name="decision"`) {
				t.Errorf("%d %s", a.status, a.location())
			}
		}},
	})
}
