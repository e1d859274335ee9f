package issuer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Values of token_endpoint_auth_method (RFC 7591 section 2) with a meaning of
// their own here.
const (
	authNone       = "none"            // a public application (RFC 6749 section 2.1)
	authPrivateKey = "private_key_jwt" // it signs with a key of its own
)

// checkApplication judges what an application is to be and brings it into the
// form in which it is kept.
func checkApplication(a *store.Application) error {
	for _, list := range []*[]string{&a.Grants, &a.RedirectURIs, &a.Scopes, &a.Audiences} {
		*list = distinct(*list)
		if len(*list) > maxItems {
			return fmt.Errorf("a list of %d entries, at most %d are possible", len(*list), maxItems)
		}
	}
	for _, check := range []func(*store.Application) error{
		checkApplicationName, checkApplicationDescription, checkClientID, checkAuthMethod, checkGrants, checkRedirectURIs, checkScopes, checkAudiences, checkJWKS,
	} {
		if err := check(a); err != nil {
			return err
		}
	}
	return nil
}

// maxItems bounds each list of an application, maxURI each URI in bytes.
const (
	maxItems = 100
	maxURI   = 2048
)

// distinct is the list in its order, nothing twice.
func distinct(list []string) []string {
	var once []string
	for _, s := range list {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

func checkApplicationName(a *store.Application) error {
	switch {
	case a.Name == "":
		return errors.New("application name is empty")
	case len(a.Name) > 255:
		return fmt.Errorf("application name of %d bytes, at most 255 are possible", len(a.Name))
	case !utf8.ValidString(a.Name):
		return errors.New("application name is not UTF-8")
	case strings.ContainsFunc(a.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("application name %q holds a character that does not print", a.Name)
	}
	return nil
}

func checkApplicationDescription(a *store.Application) error { return checkDescription(a.Description) }

// checkClientID wants VSCHAR (RFC 6749 appendix A.1) but no colon, which ends
// the name in Basic credentials (RFC 7617 section 2) of clients that do not
// encode it.
func checkClientID(a *store.Application) error {
	if len(a.ID) > 128 {
		return fmt.Errorf("client_id of %d bytes, at most 128 are possible", len(a.ID))
	}
	if strings.ContainsFunc(a.ID, func(r rune) bool { return r < ' ' || r > '~' || r == ':' }) {
		return fmt.Errorf("client_id %q holds another character than printable ASCII without ':'", a.ID)
	}
	return nil
}

func checkAuthMethod(a *store.Application) error {
	known := []string{"client_secret_basic", "client_secret_post", authPrivateKey, authNone}
	switch {
	case a.AuthMethod != "" && !slices.Contains(known, a.AuthMethod):
		return fmt.Errorf("auth method %q is not one of %s", a.AuthMethod, strings.Join(known, ", "))
	case a.AuthMethod == authNone && a.Introspect:
		return errors.New("introspect: a public application cannot prove who it is, so it may not introspect")
	case a.AuthMethod == authNone && a.SkipConsent && slices.ContainsFunc(a.RedirectURIs, isNotHTTPS):
		return errors.New("skip consent: whoever listens at the redirect URI of a public application can pose as it, so a person must be asked (RFC 8252 section 8.6)")
	case a.AuthMethod == authNone && a.PKCEOptional:
		return errors.New("pkce: a public application has nothing else that binds a code to it (RFC 9700 section 2.1.1)")
	}
	return nil
}

func isNotHTTPS(uri string) bool { return !strings.HasPrefix(uri, "https://") }

func checkGrants(a *store.Application) error {
	known := token.Grants()
	for _, g := range a.Grants {
		switch {
		case !slices.Contains(known, g):
			return fmt.Errorf("grant %q is not one of %s", g, strings.Join(known, ", "))
		case a.AuthMethod == authNone && (g == token.GrantClientCredentials || g == token.GrantTokenExchange):
			return fmt.Errorf("grant %s: a public application cannot prove who it is, which the grant stands on", g)
		}
	}
	if len(a.Grants) == 0 && !a.Implicit {
		return errors.New("grant: none is given, at least one is needed")
	}
	// RFC 6749 section 4.4.3: client credentials give no refresh token.
	lasting := func(g string) bool { return g != token.GrantRefreshToken && g != token.GrantClientCredentials }
	if slices.Contains(a.Grants, token.GrantRefreshToken) && !slices.ContainsFunc(a.Grants, lasting) {
		return errors.New("grant refresh_token: none of the other grants gives a refresh token")
	}
	if (a.Implicit || slices.Contains(a.Grants, token.GrantAuthorizationCode)) && len(a.RedirectURIs) == 0 {
		return errors.New("redirect URI: none is given, the grant authorization_code needs one")
	}
	return nil
}

func checkRedirectURIs(a *store.Application) error {
	for _, text := range a.RedirectURIs {
		if err := checkRedirectURI(text, a.AuthMethod == authNone); err != nil && !isOrganisations(a, text) {
			return fmt.Errorf("redirect URI %s %w", showURI(text), err)
		}
	}
	return nil
}

// isOrganisations allows what AWX always has: plain http for an organisation's
// application, compared character for character.
func isOrganisations(a *store.Application, text string) bool {
	u, err := checkURI(text)
	return a.Organisation != 0 && err == nil && u.Scheme == "http" && u.Hostname() != "" && !strings.Contains(text, "*")
}

// checkRedirectURI says what is wrong with the place that a code is sent to.
func checkRedirectURI(text string, public bool) error {
	u, err := checkURI(text)
	switch {
	case err != nil:
		return err
	case strings.Contains(text, "*"):
		return errors.New("holds a wildcard: it is compared character for character (RFC 9700 section 2.1)")
	case u.Scheme == "https" && u.Hostname() != "", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	case u.Scheme == "https":
		return errors.New("names no host")
	case u.Scheme == "http":
		return errors.New("is http, which is for localhost and loopback addresses alone (RFC 8252 section 7.3)")
	case !strings.Contains(u.Scheme, "."):
		return fmt.Errorf("has the scheme %s: https is possible, or a reversed domain name as in com.example.app:/ (RFC 8252 section 7.1)", u.Scheme)
	case u.Opaque != "":
		return errors.New("has no / behind its scheme")
	case !public:
		return fmt.Errorf("has the scheme %s, which is for public applications alone", u.Scheme)
	}
	return nil
}

// checkURI wants an absolute URI without a fragment, in the characters of RFC
// 3986, that names nobody.
func checkURI(text string) (*url.URL, error) {
	if len(text) > maxURI {
		return nil, fmt.Errorf("has %d bytes, at most %d are possible", len(text), maxURI)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\^{|}`+"`", r) }) {
		return nil, errors.New("holds a character that no URI has")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, strings.Contains(u.Host, "%"):
		return nil, errors.New("is not a URI")
	case !u.IsAbs():
		return nil, errors.New("is not absolute")
	case strings.Contains(text, "#"):
		return nil, errors.New("holds a fragment")
	case u.User != nil:
		return nil, errors.New("holds a user name")
	case u.Host == "" && u.Path == "" && u.Opaque == "":
		return nil, errors.New("is a scheme alone")
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n < 1 || n > 65535) {
		return nil, fmt.Errorf("has the port %s", u.Port())
	}
	return u, nil
}

// showURI quotes a URI without what may be a password.
func showURI(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		text = "…" + text[at:]
	}
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return strconv.Quote(text)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// checkScopes wants scope-tokens (RFC 6749 section 3.3).
func checkScopes(a *store.Application) error {
	for _, s := range a.Scopes {
		if s == "" || len(s) > 255 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return fmt.Errorf("scope %.255q is not one to 255 characters of printable ASCII without blanks, \" and \\", s)
		}
	}
	return nil
}

// checkAudiences wants resources (RFC 8707 section 2) or, as RFC 8693 section
// 2.1 has them, plain names of services.
func checkAudiences(a *store.Application) error {
	for _, text := range a.Audiences {
		if isPlainName(text) {
			continue
		}
		if _, err := checkURI(text); err != nil {
			return fmt.Errorf("audience %s %w", showURI(text), err)
		}
	}
	return nil
}

func isPlainName(s string) bool {
	odd := func(r rune) bool {
		return r > '~' || r != '.' && r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, odd)
}

// checkJWKS wants the public keys of an application that signs with one, and
// no others.
func checkJWKS(a *store.Application) error {
	switch {
	case a.AuthMethod != authPrivateKey && a.JWKS != "":
		return errors.New("jwks: keys are for the auth method private_key_jwt alone")
	case a.AuthMethod != authPrivateKey:
		return nil
	case a.JWKS == "":
		return errors.New("jwks: none is given, the auth method private_key_jwt needs one")
	}
	if err := checkPublic(a.JWKS); err != nil {
		return fmt.Errorf("jwks: %w", err)
	}
	keys, err := verifier.ParseKeys([]byte(a.JWKS))
	if err == nil {
		_, err = verifier.New(verifier.Config{Keys: keys})
	}
	if err != nil {
		return fmt.Errorf("jwks: %w", err)
	}
	var one bytes.Buffer
	if err := json.Compact(&one, []byte(a.JWKS)); err != nil {
		return fmt.Errorf("jwks: %w", err)
	}
	a.JWKS = one.String()
	return nil
}

// checkPublic wants a JWK set (RFC 7517 section 5) without a member that only
// its owner may know (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
func checkPublic(text string) error {
	set, err := token.ParseObject(text)
	if err != nil || !set.Has("keys") {
		return errors.New("not a JWK set")
	}
	raw, _ := set.Raw("keys")
	var keys []json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return errors.New("its keys are not a list")
	}
	for n, text := range keys {
		key, err := token.ParseObject(string(text))
		if err != nil {
			return fmt.Errorf("key %d is not an object", n+1)
		}
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if key.Has(name) {
				return fmt.Errorf("key %d holds what only its owner may know: give the public key", n+1)
			}
		}
	}
	return nil
}
