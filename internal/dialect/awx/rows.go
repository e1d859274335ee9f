package awx

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// A list is bounded, since all of it is kept: by its pages, which may be smaller than
// they were asked for, and by its rows.
const (
	maxPages = 5000
	maxRows  = 200_000
)

// tokenRow is what is read of a token, of an original of any age.
type tokenRow struct {
	ID          int64   `json:"id"`
	Created     string  `json:"created"`
	Description string  `json:"description"`
	Token       string  `json:"token"`
	Application *int64  `json:"application"`
	Expires     *string `json:"expires"`
	Scope       string  `json:"scope"`
	Summary     struct {
		User        userRow `json:"user"`
		Application named   `json:"application"`
	} `json:"summary_fields"`
}

type named struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// login is a token in our words.
func (t *tokenRow) login() token.Login {
	l := token.Login{
		ID: strconv.FormatInt(t.ID, 10), Client: printable(t.Summary.Application.Name), Name: printable(t.Description), Door: "awx",
		User: printable(t.Summary.User.Username), Scope: printable(t.Scope), CreatedAt: instant(&t.Created), ExpiresAt: instant(t.Expires),
	}
	if l.Client == "" && t.Application != nil {
		l.Client = strconv.FormatInt(*t.Application, 10)
	}
	return l
}

// instant reads a time; what is none is no instant.
func instant(text *string) time.Time {
	if text == nil {
		return time.Time{}
	}
	at, ok := ParseInstant(*text)
	if !ok {
		return time.Time{}
	}
	return at
}

// walk asks for all pages of a list, one after the other, and gives each row of them
// to take. A link to the next page says which it is, and not where: what proves who
// asks goes to the service alone.
func (c *Client) walk(ctx context.Context, bearer token.Secret, path string, query url.Values, take func(row []byte) error) error {
	query.Set("page_size", strconv.Itoa(PageMost))
	asked := make(map[string]bool)
	taken := 0
	for range maxPages {
		key := query.Encode()
		if asked[key] {
			return senseless("its list leads back to a page that was there")
		}
		asked[key] = true
		var page rows
		if err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: path + "?" + key, Bearer: bearer}, &page); err != nil {
			return err
		}
		if taken += len(page.Results); len(page.Results) > PageMost || taken > maxRows {
			return senseless("its list is longer than it may be")
		}
		for _, row := range page.Results {
			if err := take(row); err != nil {
				return err
			}
		}
		switch {
		case page.Results == nil:
			return senseless("it is no page of a list")
		case page.Next == "":
			return nil
		}
		next, err := url.Parse(page.Next)
		if err != nil || next.RawQuery == "" || len(page.Results) == 0 {
			return senseless("its list goes on nowhere")
		}
		query = next.Query()
	}
	return senseless("its list has no end")
}

// rows is what is read of a Page.
type rows struct {
	Count   int64             `json:"count"`
	Next    string            `json:"next"`
	Results []json.RawMessage `json:"results"`
}

// read reads one row.
func read(text []byte, row any) error {
	if json.Unmarshal(text, row) != nil {
		return senseless("a row of its list cannot be read")
	}
	return nil
}

// List returns the tokens that the bearer may see.
func (c *Client) List(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	var list []token.Login
	err := c.walk(ctx, bearer, PathTokens, url.Values{}, func(text []byte) error {
		var row tokenRow
		if err := read(text, &row); err != nil {
			return err
		}
		if row.ID < 1 {
			return senseless("a token without an id")
		}
		list = append(list, row.login())
		return nil
	})
	return list, err
}

// FindLogins is List for the query that asks for all: the wire has no other.
func (c *Client) FindLogins(ctx context.Context, bearer token.Secret, q token.LoginQuery) (list []token.Login, total int, err error) {
	if q.Expired || q.Revoked || q.User != "" || q.Skip != 0 || q.Limit != 0 || len(q.Labels) > 0 {
		return nil, 0, token.Refuse(token.ErrUnsupported, "this dialect cannot choose among tokens")
	}
	list, err = c.List(ctx, bearer)
	return list, len(list), err
}

// GetLogin returns one token.
func (c *Client) GetLogin(ctx context.Context, bearer token.Secret, id string) (token.Login, error) {
	return c.tokenAt(ctx, dialect.Message{Method: http.MethodGet, Bearer: bearer}, id)
}

// EditLogin changes the scope or the description of one token.
func (c *Client) EditLogin(ctx context.Context, bearer token.Secret, id string, change token.LoginChange) (token.Login, error) {
	body := make(map[string]string)
	for name, value := range map[string]*string{"scope": change.Scope, "description": change.Description} {
		if value == nil {
			continue
		}
		if !utf8.ValidString(*value) {
			return token.Login{}, token.Refuse(token.ErrUnsupported, "this dialect carries UTF-8 only")
		}
		body[name] = *value
	}
	return c.tokenAt(ctx, dialect.Message{Method: http.MethodPatch, Bearer: bearer, JSON: body}, id)
}

func (c *Client) tokenAt(ctx context.Context, m dialect.Message, id string) (token.Login, error) {
	var row tokenRow
	if err := c.askAt(ctx, m, PathTokens, id, &row); err != nil {
		return token.Login{}, err
	}
	if strconv.FormatInt(row.ID, 10) != strings.TrimLeft(id, "0") {
		return token.Login{}, senseless("it is about another token")
	}
	return row.login(), nil
}

// EndLogin deletes one token, and the refresh token that came with it.
func (c *Client) EndLogin(ctx context.Context, bearer token.Secret, id string) error {
	return c.askAt(ctx, dialect.Message{Method: http.MethodDelete, Bearer: bearer}, PathTokens, id, nil)
}

// askAt sends a message to what a list calls by a number. What is no number is
// nothing that there is.
func (c *Client) askAt(ctx context.Context, m dialect.Message, list, id string, answer any) error {
	number, err := strconv.ParseUint(id, 10, 63)
	if err != nil || number == 0 {
		return token.Refuse(token.ErrUnknown, "the server has no such thing: an id is a number above 0")
	}
	m.Path = ItemPath(list, int64(number))
	return c.ask(ctx, m, answer)
}
