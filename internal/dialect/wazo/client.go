package wazo

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// DefaultClientID is who a refresh token is for where nobody says so. A service keeps
// one for each user and client id: who asks again by the same gets the same.
const DefaultClientID = "ats-auth"

// Config says which service is asked, and as whom.
type Config struct {
	// Exchange carries the messages. Required. It follows no redirection.
	Exchange dialect.Exchange
	// URL is the service's, without a slash at its end; one that ends in /0.1 has the
	// paths behind that. Default one that does not.
	URL string
	// Backend is where users are looked up. Default the service's choice; those of
	// 2017 have none.
	Backend string
	// ClientID is who refresh tokens are for. Default DefaultClientID.
	ClientID string
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Client is the client's end of the wire, for this project's server and for an
// original one of any age.
type Client struct{ Config }

// NewClient makes a Client.
func NewClient(c Config) *Client {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ClientID == "" {
		c.ClientID = DefaultClientID
	}
	return &Client{c}
}

// at is a path for a service whose URL may hold its beginning.
func (c *Client) at(path string) string {
	if strings.HasSuffix(c.URL, "/0.1") {
		return strings.TrimPrefix(path, "/0.1")
	}
	return path
}

// Login logs a user in by name and password, with a refresh token if one is wanted.
func (c *Client) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	if err := canAsk(&want); err != nil {
		return token.Set{}, err
	}
	if strings.Contains(who.Username, ":") {
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name with a colon in it")
	}
	body := Request{Backend: c.Backend, Expiration: want.TTL}
	if want.Refresh {
		body.AccessType, body.ClientID = AccessOffline, c.ClientID
	}
	set, err := c.issue(ctx, dialect.Message{ID: who.Username, Secret: who.Password, Plain: true, JSON: body})
	switch {
	case errors.Is(err, token.ErrCredentials) && c.Backend != "":
		return set, token.Refuse(token.ErrCredentials, "wrong user name or password, or no backend %q", c.Backend)
	case errors.Is(err, token.ErrCredentials):
		return set, c.orAnother(ctx)
	case errors.Is(err, token.ErrDenied) && c.Backend == "" && (strings.Contains(err.Error(), "required") || strings.Contains(err.Error(), "backend")):
		return set, token.Refuse(token.ErrDenied, "%v; no backend is named, which some servers want", err)
	case err == nil && want.Refresh && set.RefreshToken.IsZero():
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this server gave no refresh token")
	}
	return set, err
}

// orAnother is a refusal of credentials that may be those of a backend that was not
// asked: who names none is looked up in one alone.
func (c *Client) orAnother(ctx context.Context) error {
	names, err := c.Backends(ctx)
	if list := short(strings.Join(names, ", ")); err == nil && len(names) > 1 && list != "" {
		return token.Refuse(token.ErrCredentials, "wrong user name or password, or those of another backend: none is named of %s", list)
	}
	return token.ErrCredentials
}

// canAsk refuses wishes that the wire has no words for.
func canAsk(want *token.Request) error {
	switch {
	case want.RefreshTTL != 0 || want.RefreshIdle != 0:
		return token.Refuse(token.ErrUnsupported, "this dialect's refresh tokens have no end to ask for")
	case want.Scope != "" || want.Description != "" || want.Mint != nil || len(want.Labels)+len(want.Resources) > 0:
		return token.Refuse(token.ErrUnsupported, "this dialect has a lifetime and nothing else to ask for: what a token gives access to is its user's ACL")
	}
	return nil
}

// Refresh trades a refresh token of the ClientID for a new access token. The refresh
// token stays as it is.
func (c *Client) Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error) {
	switch err := canAsk(&want); {
	case err != nil:
		return token.Set{}, err
	case want.Refresh:
		return token.Set{}, token.Refuse(token.ErrUnsupported, "this dialect gives no refresh token for another: it stays as it is")
	}
	if err := checkToken(refresh); err != nil {
		return token.Set{}, err
	}
	set, err := c.issue(ctx, dialect.Message{
		Token: refresh, JSON: Request{Expiration: want.TTL, ClientID: c.ClientID, RefreshToken: refresh.Reveal()},
	})
	switch {
	case errors.Is(err, token.ErrCredentials):
		return set, token.Refuse(token.ErrUnknown, "the server honours no such refresh token of the client id %q", c.ClientID)
	case err != nil:
		return set, err
	}
	set.RefreshToken, set.ClientID = refresh, c.ClientID
	return set, nil
}

// skew is how far two clocks may differ that agree.
const skew = time.Minute

// issue asks for a token, whose LoginID is that of its session. It has no type: it goes
// in a header of its own. When it ends counts from now where the service's clock is
// another.
func (c *Client) issue(ctx context.Context, m dialect.Message) (set token.Set, err error) {
	m.Method, m.Path = http.MethodPost, PathToken
	var answer Data[struct {
		Token        string `json:"token"`
		RefreshToken string `json:"refresh_token"`
		SessionUUID  string `json:"session_uuid"`
		UTCIssuedAt  string `json:"utc_issued_at"`
		UTCExpiresAt string `json:"utc_expires_at"`
	}]
	if err := c.ask(ctx, m, &answer); err != nil {
		return set, err
	}
	data := &answer.Data
	if checkToken(token.NewSecret(data.Token)) != nil {
		return set, senseless("no token in it")
	}
	set.AccessToken, set.LoginID = token.NewSecret(data.Token), data.SessionUUID
	if data.RefreshToken != "" {
		if !visible(data.RefreshToken) {
			return token.Set{}, senseless("no refresh token in it")
		}
		set.RefreshToken, set.ClientID = token.NewSecret(data.RefreshToken), c.ClientID
	}
	issued, begins := ParseInstant(data.UTCIssuedAt)
	ends, known := ParseInstant(data.UTCExpiresAt)
	if begins && known {
		set.ExpiresAt, set.ExpiresIn = ends, ends.Unix()-issued.Unix()
		if now := c.Now(); now.Sub(issued).Abs() > skew {
			set.ExpiresAt = time.UnixMicro(now.UnixMicro() + set.ExpiresIn*1_000_000)
		}
	}
	return set, nil
}

// Check returns what the service says of a token: ErrUnknown for one that it does not
// honour.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	if err := checkToken(raw); err != nil {
		return nil, err
	}
	return c.data(ctx, raw, "")
}

// CheckAccess asks, in the cheapest way, whether a token is honoured, ErrUnknown, and
// gives that access, ErrDenied. Empty access asks whether it is honoured alone.
func (c *Client) CheckAccess(ctx context.Context, raw token.Secret, access string) error {
	if err := checkToken(raw); err != nil {
		return err
	}
	query := ""
	if access != "" {
		query = "?" + url.Values{"scope": {access}}.Encode()
	}
	r, err := c.Exchange(ctx, dialect.Message{Method: http.MethodHead, Path: c.at(tokenPath(raw) + query), Token: raw})
	if err != nil || r.Status == http.StatusNoContent {
		return err
	}
	// A refusal without a body may be anybody's, a proxy's say: this one has words.
	_, err = c.data(ctx, raw, query)
	if errors.Is(err, token.ErrDenied) && access != "" {
		return token.Refuse(token.ErrDenied, "the token gives no access to %q", access)
	}
	return err
}

func tokenPath(raw token.Secret) string { return PathToken + "/" + url.PathEscape(raw.Reveal()) }

// data is what the service says of a token.
func (c *Client) data(ctx context.Context, raw token.Secret, query string) (*token.Object, error) {
	m := dialect.Message{Method: http.MethodGet, Path: c.at(tokenPath(raw) + query), Token: raw}
	r, err := c.Exchange(ctx, m)
	if err != nil {
		return nil, err
	}
	switch err := refusal(r, m); {
	case errors.Is(err, token.ErrUnknown):
		return nil, token.Refuse(token.ErrUnknown, "the server knows no such token: it is expired or revoked, or never was one")
	case err != nil:
		return nil, err
	}
	answer, err := r.Object()
	if err != nil {
		return nil, err
	}
	text, _ := answer.Member("data")
	says, err := token.ParseObject(text)
	if err != nil {
		return nil, dialect.Nonsense(r)
	}
	if about, _ := says.String("token"); about != raw.Reveal() {
		return nil, senseless("it is about another token")
	}
	return says, nil
}

// Revoke voids an access token. The service says of all that they are void, also of
// refresh tokens, which are not: one that it does not honour is ErrUnknown.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	err := c.CheckAccess(ctx, raw, "")
	switch {
	case errors.Is(err, token.ErrUnknown):
		return token.Refuse(token.ErrUnknown, "the server honours no such token: it is void, or it is a refresh token, which ends by its client id")
	case err != nil:
		return err
	}
	return c.void(ctx, raw)
}

func (c *Client) void(ctx context.Context, raw token.Secret) error {
	return c.ask(ctx, dialect.Message{Method: http.MethodDelete, Path: tokenPath(raw), Token: raw}, &Data[Message]{})
}

// helperTTL is how long a token lives that is made to revoke something, in seconds.
const helperTTL = 60

// RevokeRefresh voids a refresh token of the ClientID, in the name of an access token
// that it is traded for. Other access tokens stay good.
func (c *Client) RevokeRefresh(ctx context.Context, refresh token.Secret) error {
	set, err := c.Refresh(ctx, refresh, token.Request{TTL: helperTTL})
	if err != nil {
		return err
	}
	err = c.EndLogin(ctx, set.AccessToken, c.ClientID)
	_ = c.void(ctx, set.AccessToken) // it ends in a minute anyway
	return err
}

// RevokeAll cannot be done: sessions and refresh tokens end one by one.
func (c *Client) RevokeAll(context.Context, token.Secret, string) error {
	return token.Refuse(token.ErrUnsupported, "this dialect cannot revoke all tokens of a user at once: list the sessions and the refresh tokens, and end each")
}

// Backends returns the names of the service's backends, which it tells anybody.
func (c *Client) Backends(ctx context.Context) ([]string, error) {
	var answer Data[[]string]
	err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: PathBackends}, &answer)
	return answer.Data, err
}
