package oauth2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Check asks the service about a token (RFC 7662), in the name of the
// application. It returns what the service says, without active, which is true.
func (c *Client) Check(ctx context.Context, raw token.Secret) (*token.Object, error) {
	if c.ClientID == "" {
		return nil, token.Refuse(token.ErrUnsupported, "a service tells applications only about tokens: it takes a client id, and its secret or key")
	}
	r, err := c.tell(ctx, "introspection_endpoint", raw)
	if err != nil {
		return nil, err
	}
	o, err := r.Object()
	if err != nil {
		return nil, err
	}
	switch active, _ := o.Member("active"); active {
	case "true":
		return without(o, "active")
	case "false":
		return nil, token.Refuse(token.ErrUnknown, "token not active")
	}
	return nil, senseless("it does not say whether the token is active")
}

// without is an object but for one member, the others as they were written.
func without(o *token.Object, name string) (*token.Object, error) {
	var members []string
	for _, n := range o.Names() {
		if value, _ := o.Member(n); n != name {
			quoted, err := json.Marshal(n)
			if err != nil {
				return nil, err
			}
			members = append(members, string(quoted)+":"+value)
		}
	}
	return token.ParseObject("{" + strings.Join(members, ",") + "}")
}

// Revoke voids a token, access or refresh (RFC 7009). That it is void already is
// no error there.
func (c *Client) Revoke(ctx context.Context, raw token.Secret) error {
	r, err := c.tell(ctx, "revocation_endpoint", raw)
	if err != nil {
		return err
	}
	// The body does not count (RFC 7009 section 2.2), but a page is some other
	// server's.
	if len(r.Body) > 0 {
		_, err = r.Object()
	}
	if r.Status != http.StatusOK || err != nil {
		return dialect.Nonsense(r)
	}
	return nil
}

// tell sends a token to one of the endpoints that take one.
func (c *Client) tell(ctx context.Context, name string, raw token.Secret) (dialect.Reply, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return dialect.Reply{}, err
	}
	endpoint := m.revocation
	if name == "introspection_endpoint" {
		endpoint = m.introspection
	}
	if err := need(endpoint, name); err != nil {
		return dialect.Reply{}, err
	}
	return c.post(ctx, m, endpoint, url.Values{"token": {raw.Reveal()}}, false)
}

// globalRevocation names whose tokens are voided
// (draft-parecki-oauth-global-token-revocation).
type globalRevocation struct {
	Subject *subjectID `json:"sub_id,omitempty"`
}

// subjectID is a subject identifier of the format iss_sub (RFC 9493 section
// 3.2.4).
type subjectID struct {
	Format  string `json:"format"`
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

// RevokeAll voids all tokens of a user. Nobody named is the bearer: the subject
// of the token if it can be read, else what the service takes its bearer for.
func (c *Client) RevokeAll(ctx context.Context, bearer token.Secret, user string) error {
	m, err := c.metadata(ctx)
	if err != nil {
		return err
	}
	if err := need(m.revokeAll, "global_token_revocation_endpoint"); err != nil {
		return err
	}
	if user == "" {
		user = c.subjectOf(bearer)
	}
	body := globalRevocation{}
	if user != "" {
		if strings.ToValidUTF8(user, "") != user {
			return token.Refuse(token.ErrUnsupported, "this dialect cannot carry a user name that is not UTF-8")
		}
		body.Subject = &subjectID{"iss_sub", c.Issuer, user}
	}
	r, err := c.bear(ctx, http.MethodPost, m.revokeAll, bearer, body)
	switch {
	case errors.Is(err, token.ErrUnsupported) && r.Status == http.StatusNotFound:
		return token.Refuse(token.ErrUnknown, "the server knows no user of that name")
	case err != nil:
		return err
	case r.Status != http.StatusNoContent && (r.Status != http.StatusOK || len(r.Body) > 0):
		return dialect.Nonsense(r)
	}
	return nil
}

// subjectOf reads whom a token of the service is about, without judging it.
func (c *Client) subjectOf(raw token.Secret) string {
	t, err := token.Decode(raw.Reveal())
	if err != nil || t.Claims.Issuer() != c.Issuer {
		return ""
	}
	return t.Claims.Subject()
}

// List returns the logins of the bearer. No standard has it: logins_endpoint is a
// member of the metadata that is our own, and other services cannot.
func (c *Client) List(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := need(m.logins, "logins_endpoint"); err != nil {
		return nil, err
	}
	r, err := c.bear(ctx, http.MethodGet, m.logins, bearer, nil)
	if err != nil {
		return nil, err
	}
	return dialect.ReadLogins(r)
}
