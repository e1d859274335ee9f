package issuer_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// application is a confidential one that every check passes.
func application(change ...func(*store.Application)) store.Application {
	a := store.Application{
		Tenant: store.DefaultTenant, ID: "billing", Name: "Billing",
		Grants: []string{token.GrantAuthorizationCode, token.GrantRefreshToken}, RedirectURIs: []string{"https://billing.example.org/cb"},
		Scopes: []string{"read", "write"}, Audiences: []string{"https://api.example.org/"},
	}
	for _, c := range change {
		c(&a)
	}
	return a
}

func public(a *store.Application) { a.AuthMethod = "none" }

func redirect(uri string) func(*store.Application) {
	return func(a *store.Application) { a.RedirectURIs = []string{uri} }
}

func grants(list ...string) func(*store.Application) {
	return func(a *store.Application) { a.Grants = list }
}

// keyed makes an application one that signs with a key of its own.
func keyed(jwks string) func(*store.Application) {
	return func(a *store.Application) { a.AuthMethod, a.JWKS = "private_key_jwt", jwks }
}

func elliptic256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func jwkSet(t testing.TB, key any) string {
	t.Helper()
	jwk, err := signing.JWK(key, "k1", "")
	if err != nil {
		t.Fatal(err)
	}
	return `{"keys":[` + string(jwk) + `]}`
}

func (w *world) addApplication(change ...func(*store.Application)) (store.Application, token.Secret) {
	w.Helper()
	a, secret, err := w.issuer.AddApplication(w.Context(), application(change...))
	if err != nil {
		w.Fatal(err)
	}
	return a, secret
}

func TestAnApplicationIsKeptAsItWasMade(t *testing.T) {
	w := newWorld(t)
	made, secret := w.addApplication(func(a *store.Application) {
		a.Scopes = []string{"write", "read", "write"}
		a.SecretMAC, a.CreatedAt, a.UpdatedAt = []byte("smuggled"), 1, 2
	})
	kept, err := w.issuer.Application(t.Context(), store.DefaultTenant, "billing")
	w.do(err)
	if fmt.Sprint(kept) != fmt.Sprint(made) {
		t.Errorf("made %+v\nkept %+v", made, kept)
	}
	if !slices.Equal(kept.Scopes, []string{"write", "read"}) || kept.CreatedAt != kept.UpdatedAt || kept.CreatedAt < w.clock.Now().UnixMicro() {
		t.Errorf("%+v", kept)
	}
	if text := secret.Reveal(); !regexp.MustCompile(`^ats_cs_[A-Za-z0-9]{43}$`).MatchString(text) || strings.Contains(string(kept.SecretMAC), text) {
		t.Errorf("secret %q, kept as %q", text, kept.SecretMAC)
	}
	if !w.issuer.CheckSecret(kept, secret) {
		t.Error("its own secret is refused")
	}
}

func TestAnEmptyClientIDIsMadeUp(t *testing.T) {
	w := newWorld(t)
	a, _ := w.addApplication(func(a *store.Application) { a.ID = "" })
	b, _ := w.addApplication(func(a *store.Application) { a.ID = "" })
	if shape := regexp.MustCompile(`^app-[a-z0-9]{20}$`); !shape.MatchString(a.ID) || !shape.MatchString(b.ID) || a.ID == b.ID {
		t.Errorf("%q and %q", a.ID, b.ID)
	}
}

func TestOnlyItsOwnSecretIsAnApplications(t *testing.T) {
	w := newWorld(t)
	a, secret := w.addApplication()
	other, otherSecret := w.addApplication(func(a *store.Application) { a.ID = "other" })
	open, none := w.addApplication(public, func(a *store.Application) { a.ID, a.SecretMAC = "open", []byte("smuggled") })
	if !none.IsZero() || open.SecretMAC != nil {
		t.Error("a public application has a secret")
	}
	for _, c := range []struct {
		what   string
		a      store.Application
		secret token.Secret
		want   bool
	}{
		{"its own", a, secret, true},
		{"the other's own", other, otherSecret, true},
		{"another's", a, otherSecret, false},
		{"none", a, token.Secret{}, false},
		{"a part", a, token.NewSecret(secret.Reveal()[:49]), false},
		{"a longer one", a, token.NewSecret(secret.Reveal() + "x"), false},
		{"the hash itself", a, token.NewSecret(string(a.SecretMAC)), false},
		{"none of an unknown application", store.Application{}, token.Secret{}, false},
		{"one of an unknown application", store.Application{}, secret, false},
		{"none of a public one", open, token.Secret{}, false},
		{"a hash cut short", store.Application{SecretMAC: a.SecretMAC[:16]}, secret, false},
	} {
		if got := w.issuer.CheckSecret(c.a, c.secret); got != c.want {
			t.Errorf("%s: %t", c.what, got)
		}
	}
	strange := newWorldOver(t, w.hook, w.master, w.clock)
	if !strange.issuer.CheckSecret(a, secret) {
		t.Error("another process with the same master key refuses it")
	}
	foreign := newWorld(t)
	if foreign.issuer.CheckSecret(a, secret) {
		t.Error("another master key takes it")
	}
}

func TestWhatAnApplicationMayBe(t *testing.T) {
	w := newWorld(t)
	good := map[string][]func(*store.Application){
		"http on a loopback address":     {redirect("http://127.0.0.1:8080/cb")},
		"http on another of them":        {redirect("http://127.8.9.1/")},
		"http on IPv6's":                 {redirect("http://[::1]/cb")},
		"http on localhost":              {redirect("http://localhost:3000")},
		"a query":                        {redirect("https://a.example/cb?x=%2a&y=1")},
		"a port":                         {redirect("https://a.example:65535/")},
		"a private-use scheme":           {public, redirect("com.example.app:/cb")},
		"one with a host":                {public, redirect("com.example.app://cb")},
		"a public one with a password":   {public, grants(token.GrantPassword, token.GrantRefreshToken)},
		"a public one with a device":     {public, grants(token.GrantDeviceCode)},
		"token exchange":                 {grants(token.GrantTokenExchange, token.GrantRefreshToken)},
		"client credentials":             {grants(token.GrantClientCredentials), func(a *store.Application) { a.RedirectURIs = nil }},
		"basic alone":                    {func(a *store.Application) { a.AuthMethod = "client_secret_basic" }},
		"no PKCE for a confidential one": {func(a *store.Application) { a.PKCEOptional = true }},
		"a key of its own":               {keyed(jwkSet(t, elliptic256(t).Public()))},
		"odd letters of a client_id":     {func(a *store.Application) { a.ID = "a b~!@%\"\\" }},
		"a name in any script":           {func(a *store.Application) { a.Name = "Müllers Rechnung – 請求" }},
		"a scope with signs":             {func(a *store.Application) { a.Scopes = []string{"https://x/y:z#!~[]"} }},
		"an audience that is a URN":      {func(a *store.Application) { a.Audiences = []string{"urn:example:api", "api.internal-1_x"} }},
	}
	n := 0
	for what, change := range good {
		n++
		unique := func(a *store.Application) {
			if a.ID == "billing" {
				a.ID = fmt.Sprint("app", n)
			}
		}
		if _, _, err := w.issuer.AddApplication(t.Context(), application(append(change, unique)...)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWhatNoApplicationMayBeIsRefusedByTheNameOfTheField(t *testing.T) {
	w := newWorld(t)
	secretKey := `{"keys":[{"kty":"oct","k":"czNjcmU3LXMzY3JlNy1zM2NyZTctczNjcmU3LXMzY3JlNw","alg":"HS256"}]}`
	set := jwkSet(t, elliptic256(t).Public())
	private := strings.Replace(set, `"kty"`, `"d":"czNjcmU3","kty"`, 1)
	escaped := strings.Replace(set, `"kty"`, `"\u0064":"czNjcmU3","kty"`, 1)
	small := rsa.PublicKey{N: elliptic256(t).X, E: 65537}
	small.N.SetBit(small.N, 1023, 1)
	small.N.SetBit(small.N, 0, 1)
	for _, c := range []struct {
		change func(*store.Application)
		field  string
	}{
		{func(a *store.Application) { a.Tenant = "nowhere" }, `no tenant "nowhere": not found`},
		{func(a *store.Application) { a.Name = "" }, "application name"},
		{func(a *store.Application) { a.Name = "a\x1b[31m" }, "application name"},
		{func(a *store.Application) { a.Name = "a\u202eb" }, "application name"},
		{func(a *store.Application) { a.Name = "\xff" }, "application name"},
		{func(a *store.Application) { a.Name = strings.Repeat("a", 256) }, "application name"},
		{func(a *store.Application) { a.ID = "a:b" }, "client_id"},
		{func(a *store.Application) { a.ID = "a\nb" }, "client_id"},
		{func(a *store.Application) { a.ID = "ä" }, "client_id"},
		{func(a *store.Application) { a.ID = "a\x7f" }, "client_id"},
		{func(a *store.Application) { a.ID = strings.Repeat("a", 129) }, "client_id"},
		{func(a *store.Application) { a.AuthMethod = "tls_client_auth" }, "auth method"},
		{func(a *store.Application) { public(a); a.Introspect = true }, "introspect"},
		{func(a *store.Application) { public(a); a.PKCEOptional = true }, "pkce"},
		{grants(), "grant"},
		{grants("implicit"), `grant "implicit"`},
		{grants("device_code"), `grant "device_code"`},
		{grants(token.GrantRefreshToken), "grant refresh_token"},
		{grants(token.GrantRefreshToken, token.GrantClientCredentials), "grant refresh_token"},
		{func(a *store.Application) { public(a); a.Grants = []string{token.GrantClientCredentials} }, "grant client_credentials"},
		{func(a *store.Application) { public(a); a.Grants = []string{token.GrantTokenExchange} }, "grant " + token.GrantTokenExchange},
		{func(a *store.Application) { a.RedirectURIs = nil }, "redirect URI"},
		{func(a *store.Application) {
			for n := range 101 {
				a.Scopes = append(a.Scopes, fmt.Sprint(n))
			}
		}, "a list of 103"},
		{func(a *store.Application) { a.Scopes = []string{""} }, "scope"},
		{func(a *store.Application) { a.Scopes = []string{"a b"} }, `scope "a b"`},
		{func(a *store.Application) { a.Scopes = []string{`a"`} }, "scope"},
		{func(a *store.Application) { a.Scopes = []string{`a\`} }, "scope"},
		{func(a *store.Application) { a.Scopes = []string{"ä"} }, "scope"},
		{func(a *store.Application) { a.Audiences = []string{"https://a.example/#x"} }, "audience"},
		{func(a *store.Application) { a.Audiences = []string{"a.example/api"} }, "audience"},
		{func(a *store.Application) { a.Audiences = []string{"https:"} }, "audience"},
		{func(a *store.Application) { a.Audiences = []string{"a b"} }, "audience"},
		{func(a *store.Application) { a.Audiences = []string{""} }, "audience"},
		{func(a *store.Application) { a.JWKS = set }, "jwks"},
		{keyed(""), "jwks"},
		{keyed("{}"), "jwks"},
		{keyed(`{"keys":{}}`), "jwks"},
		{keyed(`{"keys":[]}`), "jwks"},
		{keyed(`{"keys":[7]}`), "jwks"},
		{keyed(set + "x"), "jwks"},
		{keyed(set[len(`{"keys":[`) : len(set)-2]), "jwks"},
		{keyed(secretKey), "jwks: key 1"},
		{keyed(private), "jwks: key 1"},
		{keyed(escaped), "jwks: key 1"},
		{keyed(strings.Replace(set, `"sig"`, `"enc"`, 1)), "jwks"},
		{keyed(jwkSet(t, &small)), "jwks"},
	} {
		a, secret, err := w.issuer.AddApplication(t.Context(), application(c.change))
		if err == nil || !strings.HasPrefix(err.Error(), c.field) || strings.Contains(err.Error(), "czNjcmU3") {
			t.Errorf("%s: %v", c.field, err)
		}
		if !secret.IsZero() || a.ID != "" {
			t.Errorf("%s: something was made", c.field)
		}
	}
	list, err := w.issuer.ListApplications(t.Context(), store.DefaultTenant, "", 10)
	if err != nil || len(list) != 0 {
		t.Errorf("%d were kept, %v", len(list), err)
	}
}

func TestACodeIsSentNowhereElse(t *testing.T) {
	w := newWorld(t)
	for _, uri := range []string{
		"", "/cb", "billing.example.org", "//a.example/cb", "https:", "https:///cb", "https:a.example",
		"https://a.example/cb#", "https://a.example/#x", "https://user:s3cre7@a.example/", "https://@a.example/",
		"https://*.example.org/cb", "https://a.example/*", "https://a.example:0/", "https://a.example:65536/", "https://a.example:x/",
		"https://a.example\\@b.example/", "https://a.example/ b", "https://a.example/\n", "https://ä.example/", "https://a%2eb/",
		"http://a.example/", "http://127.0.0.1.example.org/", "http://localhost.example.org/", "http://10.0.0.1/", "http://0.0.0.0/", "http://127.1/",
		"javascript:alert(1)", "JavaScript:alert(1)", "javascript://a.example/%0aalert(1)", "data:text/html,x", "data://x/y", "vbscript:x", "file:///etc/passwd", "blob:https://a/b",
		"about:blank", "myapp:/cb", "myapp://cb", "urn:ietf:wg:oauth:2.0:oob", "com.example.app:cb", "com.example.app:", "https://a.example/" + strings.Repeat("a", 2048),
	} {
		for _, kind := range []func(*store.Application){public, func(*store.Application) {}} {
			_, _, err := w.issuer.AddApplication(t.Context(), application(kind, redirect(uri)))
			if err == nil || !strings.HasPrefix(err.Error(), "redirect URI") || strings.Contains(err.Error(), "s3cre7") || len(err.Error()) > 400 {
				t.Errorf("%.60q: %v", uri, err)
			}
		}
	}
	if _, _, err := w.issuer.AddApplication(t.Context(), application(redirect("com.example.app:/cb"))); err == nil {
		t.Error("a confidential application with a private-use scheme")
	}
}

func TestUsersAndApplicationsShareTheirNames(t *testing.T) {
	w := newWorld(t)
	w.addUser("marco")
	_, _, err := w.issuer.AddApplication(t.Context(), application(func(a *store.Application) { a.ID = "marco" }))
	if !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), `"marco"`) {
		t.Errorf("an application of a user's name: %v", err)
	}
	w.addApplication()
	if _, _, err := w.issuer.AddApplication(t.Context(), application()); !errors.Is(err, store.ErrExists) {
		t.Errorf("an application twice: %v", err)
	}
	err = w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: "billing"}, token.NewPassword(pass))
	if !errors.Is(err, store.ErrExists) {
		t.Errorf("a user of an application's name: %v", err)
	}
}

func TestANewSecretVoidsTheOldOneAtOnce(t *testing.T) {
	w := newWorld(t)
	_, old := w.addApplication()
	w.addApplication(public, func(a *store.Application) { a.ID = "open" })
	var group sync.WaitGroup
	secrets := make([]token.Secret, 8)
	for n := range secrets {
		group.Go(func() {
			var err error
			if secrets[n], err = w.issuer.SetApplicationSecret(t.Context(), store.DefaultTenant, "billing"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	kept, err := w.issuer.Application(t.Context(), store.DefaultTenant, "billing")
	w.do(err)
	good := 0
	for _, s := range secrets {
		if w.issuer.CheckSecret(kept, s) {
			good++
		}
	}
	if good != 1 || w.issuer.CheckSecret(kept, old) || kept.UpdatedAt == kept.CreatedAt {
		t.Errorf("%d of the new secrets are good, the old one %t", good, w.issuer.CheckSecret(kept, old))
	}
	if _, err := w.issuer.SetApplicationSecret(t.Context(), store.DefaultTenant, "nobody"); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("of nobody: %v", err)
	}
	if _, err := w.issuer.SetApplicationSecret(t.Context(), store.DefaultTenant, "open"); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("of a public one: %v", err)
	}
}

func TestAnApplicationKeepsItsOwnerWhateverIsUpdated(t *testing.T) {
	w := newWorld(t)
	_, _, err := w.issuer.AddApplication(t.Context(), store.Application{Tenant: store.DefaultTenant, Name: "Shop", Grants: []string{token.GrantClientCredentials}, Owner: "nobody"})
	if !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `no user "nobody"`) {
		t.Errorf("of nobody: %v", err)
	}
	w.addUser("alice")
	w.addUser("bob")
	a, _, err := w.issuer.AddApplication(t.Context(), store.Application{Tenant: store.DefaultTenant, Name: "Shop", Grants: []string{token.GrantClientCredentials}, Owner: "alice"})
	w.do(err)
	for _, owner := range []string{"bob", "", "alice"} {
		read := a
		read.Owner = owner
		a, err = w.issuer.UpdateApplication(t.Context(), read)
		w.do(err)
		kept, err := w.issuer.Application(t.Context(), a.Tenant, a.ID)
		if w.do(err); a.Owner != "alice" || kept.Owner != "alice" {
			t.Errorf("updated as %q's: %q, kept %q", owner, a.Owner, kept.Owner)
		}
	}
	_, err = w.issuer.SetApplicationSecret(t.Context(), a.Tenant, a.ID)
	w.do(err)
	w.do(w.issuer.DeleteUser(t.Context(), a.Tenant, "alice"))
	w.addUser("alice")
	kept, err := w.issuer.Application(t.Context(), a.Tenant, a.ID)
	if w.do(err); kept.Owner != "" {
		t.Errorf("its owner is gone, and it is %q's", kept.Owner)
	}
}

func TestAnUpdateKeepsTheSecretAndChecksLikeTheFirst(t *testing.T) {
	w := newWorld(t)
	a, secret := w.addApplication()
	changed := a
	changed.Name, changed.SecretMAC, changed.CreatedAt = "Invoices", []byte("smuggled"), 7
	now, err := w.issuer.UpdateApplication(t.Context(), changed)
	w.do(err)
	kept, err := w.issuer.Application(t.Context(), store.DefaultTenant, "billing")
	w.do(err)
	if kept.Name != "Invoices" || kept.CreatedAt != a.CreatedAt || kept.UpdatedAt != now.UpdatedAt || !w.issuer.CheckSecret(kept, secret) {
		t.Errorf("%+v", kept)
	}
	if _, err := w.issuer.UpdateApplication(t.Context(), changed); !errors.Is(err, store.ErrConflict) {
		t.Errorf("what was read before the last change: %v", err)
	}
	wrong := kept
	wrong.Grants = []string{"implicit"}
	if _, err := w.issuer.UpdateApplication(t.Context(), wrong); err == nil || !strings.HasPrefix(err.Error(), "grant") {
		t.Errorf("what cannot be: %v", err)
	}
	public(&kept)
	if now, err = w.issuer.UpdateApplication(t.Context(), kept); err != nil || now.SecretMAC != nil || w.issuer.CheckSecret(now, secret) {
		t.Errorf("made public: %+v, %v", now, err)
	}
	kept.ID = "nobody"
	if _, err := w.issuer.UpdateApplication(t.Context(), kept); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("of nobody: %v", err)
	}
}

// newStandardWorld is one whose door issues tokens with a client_id.
func newStandardWorld(t testing.TB) *world {
	t.Helper()
	return newWorld(t, doorWith(func(d *issuer.DoorConfig) {
		d.Name, d.Issuer, d.Format = "oauth2", "https://id.example.org", issuer.FormatRFC9068()
	}))
}

func TestADeletedApplicationTakesWithItAllThatItWasGiven(t *testing.T) {
	w := newStandardWorld(t)
	w.addUser("marco")
	w.addApplication()
	own, about, others := w.issueTo("billing", "marco"), w.issueTo("", "billing"), w.issueTo("another", "marco")
	w.wantGood(own, "a token of the application")
	w.do(w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, "billing"))
	w.wantAccess(own, token.ErrRevoked, "its access token")
	if _, err := w.door.Renew(t.Context(), own.RefreshToken, issuer.Renewal{Client: "billing"}); !errors.Is(err, token.ErrRevoked) {
		t.Errorf("its refresh token: %v", err)
	}
	w.wantAccess(about, token.ErrRevoked, "a token about it")
	w.wantRefresh(about, token.ErrRevoked, "a login about it")
	w.wantGood(others, "another application's token")
	for _, subject := range []string{"marco", "billing"} {
		list, err := w.hook.ListSessions(t.Context(), store.DefaultTenant, subject, "", 10)
		w.do(err)
		for _, s := range list {
			if (s.RevokedAt != 0) != (s.Client != "another") {
				t.Errorf("the login %+v", s)
			}
		}
	}
	if _, err := w.issuer.Application(t.Context(), store.DefaultTenant, "billing"); !errors.Is(err, store.ErrNotFound) || !strings.Contains(err.Error(), `"billing"`) {
		t.Errorf("it is still there: %v", err)
	}
	if err := w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, "billing"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	w.addApplication()
	w.wantAccess(own, token.ErrRevoked, "its token when another has the name")
	w.wantGood(w.issueTo("billing", "marco"), "a token of the other")
}

func deletes(commands []store.Command) bool {
	return slices.ContainsFunc(commands, func(c store.Command) bool { _, ok := c.(store.DeleteApplication); return ok })
}

func TestWhatIsIssuedWhileAnApplicationIsDeletedIsVoidToo(t *testing.T) {
	w := newStandardWorld(t)
	w.addApplication()
	var own, about token.Set
	w.hook.set(func(h *hooked) {
		h.answered = func(commands []store.Command, _ error) {
			if deletes(commands) {
				own, about = w.issueTo("billing", "marco"), w.issueTo("", "billing")
			}
		}
	})
	w.do(w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, "billing"))
	w.wantAccess(own, token.ErrRevoked, "its token")
	w.wantAccess(about, token.ErrRevoked, "a token about it")
}

func TestADeletionThatIsCutShortHasVoidedEverything(t *testing.T) {
	w := newStandardWorld(t)
	w.addApplication()
	own, about := w.issueTo("billing", "marco"), w.issueTo("", "billing")
	w.hook.set(func(h *hooked) {
		h.onApply = func(commands []store.Command) error {
			if deletes(commands) {
				return nil
			}
			return errDown
		}
	})
	if err := w.issuer.DeleteApplication(t.Context(), store.DefaultTenant, "billing"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("%v", err)
	}
	after := w.twinOf(w.door)
	after.wantAccess(own, token.ErrRevoked, "its token after a new start")
	after.wantAccess(about, token.ErrRevoked, "a token about it after a new start")
}

// twinOf is another process over the same store, with such a door.
func (w *world) twinOf(door *issuer.Door) *world {
	w.Helper()
	return w.twin(doorWith(func(d *issuer.DoorConfig) { *d = door.DoorConfig }))
}

func TestApplicationsAreListedByID(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"c", "a", "b"} {
		w.addApplication(func(a *store.Application) { a.ID = id })
	}
	list, err := w.issuer.ListApplications(t.Context(), store.DefaultTenant, "a", 2)
	if err != nil || len(list) != 2 || list[0].ID != "b" || list[1].ID != "c" {
		t.Errorf("%v, %v", list, err)
	}
	w.hook.set(func(h *hooked) { h.broken = errDown })
	if _, _, err := w.issuer.AddApplication(t.Context(), application()); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("over a store that is down: %v", err)
	}
}

// issueTo is a login of a subject through an application.
func (w *world) issueTo(client, subject string) token.Set {
	w.Helper()
	set, err := w.door.Issue(w.Context(), w.door.Tick(), issuer.Order{Subject: subject, Client: client, Refresh: true})
	if err != nil {
		w.Fatal(err)
	}
	return set
}
