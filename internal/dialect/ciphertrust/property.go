package ciphertrust

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// ListProperties returns the system properties, for an admin.
func (c *Client) ListProperties(ctx context.Context, bearer token.Secret) (list []token.Property, err error) {
	for range maxPages {
		var page Page[Property]
		path := PathProperties + "/?" + url.Values{"skip": {strconv.Itoa(len(list))}, "limit": {strconv.Itoa(pageSize)}}.Encode()
		if err := c.ask(ctx, dialect.Message{Method: http.MethodGet, Path: path, Bearer: bearer}, &page); err != nil {
			return nil, err
		}
		for _, p := range page.Resources {
			list = append(list, token.Property(p))
		}
		if len(page.Resources) == 0 || len(list) >= page.Total {
			return list, nil
		}
	}
	return nil, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: its list has no end")
}

// GetProperty returns one system property.
func (c *Client) GetProperty(ctx context.Context, bearer token.Secret, name string) (token.Property, error) {
	return c.property(ctx, dialect.Message{Method: http.MethodGet, Path: propertyPath(name), Bearer: bearer})
}

// SetProperty sets one.
func (c *Client) SetProperty(ctx context.Context, bearer token.Secret, name, value string) (token.Property, error) {
	if !utf8.ValidString(value) {
		return token.Property{}, token.Refuse(token.ErrUnsupported, "this dialect cannot carry a value that is not UTF-8")
	}
	return c.property(ctx, dialect.Message{
		Method: http.MethodPatch, Path: propertyPath(name), Bearer: bearer, JSON: map[string]string{"value": value},
	})
}

// ResetProperty makes one a property that is not set.
func (c *Client) ResetProperty(ctx context.Context, bearer token.Secret, name string) (token.Property, error) {
	return c.property(ctx, dialect.Message{Method: http.MethodPost, Path: propertyPath(name) + "/reset", Bearer: bearer})
}

func propertyPath(name string) string { return PathProperties + "/" + url.PathEscape(name) }

func (c *Client) property(ctx context.Context, m dialect.Message) (token.Property, error) {
	var p Property
	if err := c.ask(ctx, m, &p); err != nil {
		return token.Property{}, err
	}
	if p.Name == "" {
		return token.Property{}, token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: a property without a name")
	}
	return token.Property(p), nil
}
