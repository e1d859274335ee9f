package oauth2

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// maxPatience is how long somebody in a browser is waited for.
const maxPatience = 5 * time.Minute

// attempt is one login in a browser. Its values tie the answer to the question:
// state to this program (RFC 6749 section 10.12), verifier the code to it (RFC
// 7636), nonce the ID token (OpenID Connect Core section 3.1.2.1).
type attempt struct {
	state, verifier, nonce string
	redirect               string
}

// byBrowser has somebody log in in a browser, and waits on 127.0.0.1 until it
// comes back with a code (RFC 6749 section 4.1, RFC 8252 section 7.3).
func (c *Client) byBrowser(ctx context.Context, g token.Grant, want token.Request) (token.Set, error) {
	if err := c.needID(); err != nil {
		return token.Set{}, err
	}
	if g.OpenBrowser == nil {
		return token.Set{}, errors.New("authorization code: no browser to open")
	}
	m, err := c.metadata(ctx)
	if err != nil {
		return token.Set{}, err
	}
	if err := m.takesBrowsers(); err != nil {
		return token.Set{}, err
	}
	try := attempt{state: random(), verifier: random()}
	if hasScope(want.Scope, "openid") {
		try.nonce = random()
	}
	door, err := listen(ctx, c.RedirectPort, try.state)
	if err != nil {
		return token.Set{}, err
	}
	defer door.close()
	try.redirect = door.address()
	question, err := c.question(m, try, want)
	if err != nil {
		return token.Set{}, err
	}
	g.OpenBrowser(question)
	answer, err := door.await(ctx, c.patience)
	if err != nil {
		return token.Set{}, err
	}
	code, err := c.codeIn(m, answer)
	if err != nil {
		return token.Set{}, err
	}
	return c.request(ctx, url.Values{
		"grant_type": {token.GrantAuthorizationCode}, "code": {code},
		"redirect_uri": {try.redirect}, "code_verifier": {try.verifier},
	}, want, try.nonce)
}

// takesBrowsers says what a service lacks for a login in a browser. One that
// knows PKCE without S256 is refused; many know it and do not say so.
func (m *metadata) takesBrowsers() error {
	if err := need(m.authorization, "authorization_endpoint"); err != nil {
		return err
	}
	if m.pushed {
		return token.Refuse(token.ErrUnsupported, "this server takes pushed authorization requests only (RFC 9126), which this dialect does not speak")
	}
	if !lists(m.challenges, "S256") {
		return token.Refuse(token.ErrUnsupported, "this server does not take the code challenge S256 (RFC 7636)")
	}
	return nil
}

// question is the address at which somebody is asked (RFC 6749 section 4.1.1).
func (c *Client) question(m *metadata, try attempt, want token.Request) (string, error) {
	form := url.Values{
		"response_type": {"code"}, "client_id": {c.ClientID}, "redirect_uri": {try.redirect}, "state": {try.state},
		"code_challenge": {digest(try.verifier)}, "code_challenge_method": {"S256"},
	}
	if try.nonce != "" {
		form.Set("nonce", try.nonce)
	}
	if c.ProofKey != nil { // the code too is bound (RFC 9449 section 10)
		thumbprint, err := thumbprintOf(c.ProofKey)
		if err != nil {
			return "", err
		}
		form.Set("dpop_jkt", thumbprint)
	}
	if err := addWishes(form, want); err != nil {
		return "", err
	}
	if strings.Contains(m.authorization, "?") {
		return m.authorization + "&" + form.Encode(), nil
	}
	return m.authorization + "?" + form.Encode(), nil
}

// codeIn reads what a browser brought (RFC 6749 section 4.1.2). It must be of the
// service that was asked (RFC 9207 section 2.4): another one's code would be given
// to the wrong one.
func (c *Client) codeIn(m *metadata, answer url.Values) (string, error) {
	for _, values := range answer {
		if len(values) > 1 {
			return "", senseless("the browser brought a parameter twice")
		}
	}
	if answer.Has("iss") && answer.Get("iss") != c.Issuer {
		return "", token.Refuse(token.ErrDenied, "the browser brought an answer of the issuer %s instead of %s", shown(answer.Get("iss")), c.Issuer)
	}
	if m.namesItself && !answer.Has("iss") {
		return "", token.Refuse(token.ErrDenied, "the browser brought an answer that does not say by its iss that %s gave it", c.Issuer)
	}
	if answer.Has("error") {
		return "", browserRefusal(answer)
	}
	code := answer.Get("code")
	if code == "" || !visible(code) {
		return "", senseless("the browser brought no code")
	}
	return code, nil
}

// browserRefusal words an error that came through a browser (RFC 6749 section
// 4.1.2.1).
func browserRefusal(answer url.Values) error {
	code, description := plain(answer.Get("error"), nil, 64), plain(answer.Get("error_description"), nil, 200)
	if code == ErrorAccessDenied && description == "" {
		return token.Refuse(token.ErrDenied, "the login was denied")
	}
	if code == "" {
		return token.Refuse(token.ErrDenied, "the server refused, in words that are not shown")
	}
	if description != "" {
		description = " (" + description + ")"
	}
	return &coded{&token.Refusal{Kind: kindOf(0, code, ""), Reason: "the server refused: " + code + description}, code}
}
