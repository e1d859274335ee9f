package awx

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// applicationRow is what is read of an application, of an original of any age.
type applicationRow struct {
	ID           int64  `json:"id"`
	Created      string `json:"created"`
	Name         string `json:"name"`
	Description  string `json:"description"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	ClientType   string `json:"client_type"`
	RedirectURIs string `json:"redirect_uris"`
	Grant        string `json:"authorization_grant_type"`
	Organization *int64 `json:"organization"`
	Summary      struct {
		Organization named `json:"organization"`
	} `json:"summary_fields"`
}

// application is it in our words. Its secret is for the answer to its creation:
// the first originals showed it ever after.
func (r *applicationRow) application(secret bool) (*token.Application, error) {
	if r.ID < 1 || !visible(r.ClientID) {
		return nil, senseless("an application without an id")
	}
	a := &token.Application{
		ID: strconv.FormatInt(r.ID, 10), Name: printable(r.Name), Organization: printable(r.Summary.Organization.Name),
		ClientType: printable(r.ClientType), Grant: printable(r.Grant), RedirectURIs: printable(r.RedirectURIs),
		Description: printable(r.Description), ClientID: r.ClientID, CreatedAt: instant(&r.Created),
	}
	if a.Organization == "" && r.Organization != nil {
		a.Organization = strconv.FormatInt(*r.Organization, 10)
	}
	if secret && visible(r.ClientSecret) && strings.Trim(r.ClientSecret, "*") != "" {
		a.ClientSecret = token.NewSecret(r.ClientSecret)
	}
	return a, nil
}

// ListApplications returns the applications that the bearer may see.
func (c *Client) ListApplications(ctx context.Context, bearer token.Secret) ([]*token.Application, error) {
	var list []*token.Application
	err := c.walk(ctx, bearer, PathApplications, url.Values{}, func(text []byte) error {
		var row applicationRow
		if err := read(text, &row); err != nil {
			return err
		}
		a, err := row.application(false)
		list = append(list, a)
		return err
	})
	return list, err
}

// GetApplication returns one application.
func (c *Client) GetApplication(ctx context.Context, bearer token.Secret, id string) (*token.Application, error) {
	var row applicationRow
	if err := c.askAt(ctx, dialect.Message{Method: http.MethodGet, Bearer: bearer}, PathApplications, id, &row); err != nil {
		return nil, err
	}
	return row.application(false)
}

// DeleteApplication deletes one application, and its tokens.
func (c *Client) DeleteApplication(ctx context.Context, bearer token.Secret, id string) error {
	return c.askAt(ctx, dialect.Message{Method: http.MethodDelete, Bearer: bearer}, PathApplications, id, nil)
}

// applicationBody is what an application is created by.
type applicationBody struct {
	Name         string `json:"name"`
	Description  string `json:"description"`
	ClientType   string `json:"client_type"`
	RedirectURIs string `json:"redirect_uris"`
	Grant        string `json:"authorization_grant_type"`
	Skip         bool   `json:"skip_authorization"`
	Organization *int64 `json:"organization,omitempty"` // an original wants it
}

// CreateApplication creates an application.
func (c *Client) CreateApplication(ctx context.Context, bearer token.Secret, wanted *token.Application) (*token.Application, error) {
	body := applicationBody{
		Name: wanted.Name, Description: wanted.Description, ClientType: wanted.ClientType,
		RedirectURIs: wanted.RedirectURIs, Grant: wanted.Grant,
	}
	for _, text := range []string{body.Name, body.Description, body.ClientType, body.RedirectURIs, body.Grant, wanted.Organization} {
		if !utf8.ValidString(text) {
			return nil, token.Refuse(token.ErrUnsupported, "this dialect carries UTF-8 only")
		}
	}
	if wanted.Organization != "" {
		number, err := c.organization(ctx, bearer, wanted.Organization)
		if err != nil {
			return nil, err
		}
		body.Organization = &number
	}
	var row applicationRow
	if err := c.ask(ctx, dialect.Message{Method: http.MethodPost, Path: PathApplications, Bearer: bearer, JSON: body}, &row); err != nil {
		return nil, err
	}
	return row.application(true)
}

// organization is the number of one that is given by that, or by its name.
func (c *Client) organization(ctx context.Context, bearer token.Secret, text string) (int64, error) {
	if number, err := strconv.ParseUint(text, 10, 63); err == nil {
		return int64(number), nil
	}
	var found int64
	err := c.walk(ctx, bearer, PathOrganizations, url.Values{"name": {text}}, func(row []byte) error {
		var o named
		err := read(row, &o)
		if o.Name == text { // whatever the service makes of the query
			found = o.ID
		}
		return err
	})
	if err == nil && found < 1 {
		err = token.Refuse(token.ErrDenied, "the server shows you no organization of that name")
	}
	return found, err
}
