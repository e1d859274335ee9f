package oauth2

import (
	"strconv"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxLifetime is the longest expires_in that is believed, in seconds: beyond it
// an instant has more digits than a year.
const maxLifetime = 100_000_000_000

// readSet reads the answer of the token endpoint (RFC 6749 section 5.1). nonce is
// what the ID token must hold, unless empty.
func (c *Client) readSet(r dialect.Reply, want token.Request, nonce string) (token.Set, error) {
	set, err := c.tokensIn(r)
	if err != nil {
		return token.Set{}, err
	}
	if set.Scope == "" {
		set.Scope = want.Scope
	}
	if err := c.checkIDToken(set, nonce); err != nil {
		return token.Set{}, err
	}
	if want.Refresh && set.RefreshToken.IsZero() {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server issued no refresh token%s", c.offline(want.Scope))
	}
	return set, nil
}

// tokensIn reads what the answer says, without judging it by what was asked.
func (c *Client) tokensIn(r dialect.Reply) (token.Set, error) {
	o, err := r.Object()
	if err != nil {
		return token.Set{}, err
	}
	access, _ := o.String("access_token")
	refresh, _ := o.String("refresh_token")
	id, _ := o.String("id_token")
	if access == "" || !visible(access+refresh+id) {
		return token.Set{}, senseless("no token in it")
	}
	set := token.Set{AccessToken: token.NewSecret(access), RefreshToken: optional(refresh), IDToken: optional(id)}
	if set.TokenType, err = c.tokenType(o); err != nil {
		return token.Set{}, err
	}
	if set.Scope, _ = o.String("scope"); strings.ContainsFunc(set.Scope, func(r rune) bool { return r < ' ' || r > '~' }) {
		return token.Set{}, senseless("a scope that is none")
	}
	if set.ExpiresIn, err = secondsIn(o, "expires_in"); err != nil {
		return token.Set{}, err
	}
	if set.ExpiresIn > 0 {
		set.ExpiresAt = after(c.Now(), set.ExpiresIn)
	}
	return set, nil
}

func optional(text string) token.Secret {
	if text == "" {
		return token.Secret{}
	}
	return token.NewSecret(text)
}

// after adds seconds to an instant; a time.Duration ends after 292 years.
func after(at time.Time, seconds int64) time.Time {
	return time.UnixMicro(at.UnixMicro() + seconds*1_000_000).In(at.Location())
}

// tokenType reads how the token is used, in the one spelling of ours: the type is
// the same in any case (RFC 6749 section 5.1). One of another type than asked for
// is no use, or could be used by anybody (RFC 9449 section 5).
func (c *Client) tokenType(o *token.Object) (string, error) {
	text, _ := o.String("token_type")
	bearer, bound := strings.EqualFold(text, "Bearer"), strings.EqualFold(text, "DPoP")
	switch {
	case bound && c.ProofKey != nil:
		return "DPoP", nil
	case bearer && c.ProofKey == nil:
		return "Bearer", nil
	case bearer:
		return "", token.Refuse(token.ErrUnsupported, "this server does not bind tokens to keys: it gave one for any bearer")
	case text == "":
		return "", senseless("no token_type in it")
	}
	return "", senseless("a token of the type %s", shown(text))
}

// secondsIn reads a lifetime. Some services write it as a string; 0 is none.
func secondsIn(o *token.Object, name string) (int64, error) {
	text, ok := o.Member(name)
	if !ok || text == "null" {
		return 0, nil
	}
	if s, isString := o.String(name); isString {
		text = s
	}
	whole, _, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 {
		return 0, senseless("%s is no number of seconds", name)
	}
	return min(seconds, maxLifetime), nil
}

// offline says which scope may bring a refresh token (OpenID Connect Core section
// 11), where the service has one and it was not asked for.
func (c *Client) offline(scope string) string {
	const word = "offline_access"
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || c.known.scopes == nil || !lists(c.known.scopes, word) || hasScope(scope, word) {
		return ""
	}
	return ": ask for the scope " + word
}

// hasScope reports whether a scope is among those that stand between spaces (RFC
// 6749 section 3.3).
func hasScope(scopes, word string) bool {
	for s := range strings.FieldsSeq(scopes) {
		if s == word {
			return true
		}
	}
	return false
}
