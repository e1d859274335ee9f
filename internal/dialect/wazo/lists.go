package wazo

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// listRow is what is read of a refresh token, or of a session, of an original of any
// age.
type listRow struct {
	ClientID  string `json:"client_id"`
	UUID      string `json:"uuid"` // of a session
	UserUUID  string `json:"user_uuid"`
	Mobile    bool   `json:"mobile"`
	CreatedAt string `json:"created_at"`
	ExpiresAt string `json:"expires_at"`
	// Where a session was made, and by what.
	RemoteAddr string `json:"remote_addr"`
	UserAgent  string `json:"user_agent"`
}

// login is a row in our words, of the list at a path.
func (r *listRow) login(path string) token.Login {
	l := token.Login{ID: r.ClientID, Client: r.ClientID, User: r.UserUUID, Door: "wazo"}
	if path == PathMySessions {
		l.ID, l.Client, l.Name = r.UUID, r.RemoteAddr, r.UserAgent
	}
	l.CreatedAt, l.ExpiresAt = instant(r.CreatedAt), instant(r.ExpiresAt)
	if r.Mobile {
		l.Labels = []string{SessionMobile}
	}
	return l
}

// instant reads a time; what is none is no instant.
func instant(text string) time.Time {
	at, ok := ParseInstant(text)
	if !ok {
		return time.Time{}
	}
	return at
}

// list returns all rows of a list of the bearer's own.
func (c *Client) list(ctx context.Context, bearer token.Secret, path string) ([]token.Login, error) {
	var page Page[listRow]
	if err := c.askAs(ctx, bearer, dialect.Message{Method: http.MethodGet, Path: path}, needs(path, "read"), &page); err != nil {
		return nil, err
	}
	if page.Items == nil || page.Filtered > len(page.Items) {
		return nil, senseless("it is no whole list")
	}
	logins := make([]token.Login, len(page.Items))
	for i := range page.Items {
		if logins[i] = page.Items[i].login(path); logins[i].ID == "" {
			return nil, senseless("a row of its list has no id")
		}
	}
	return logins, nil
}

// end deletes a row of a list of the bearer's own.
func (c *Client) end(ctx context.Context, bearer token.Secret, path, id string) error {
	if id == "" || id == "." || id == ".." {
		return token.Refuse(token.ErrUnknown, "the server has no such thing: %q is no id", id)
	}
	m := dialect.Message{Method: http.MethodDelete, Path: path + "/" + url.PathEscape(id)}
	return c.askAs(ctx, bearer, m, needs(path+"/"+strings.ReplaceAll(id, ".", "_"), "delete"), nil)
}

// needs is what the ACL of a token must hold for a path.
func needs(path, verb string) string {
	return "auth" + strings.ReplaceAll(strings.TrimPrefix(path, "/0.1"), "/", ".") + "." + verb
}

// List returns the refresh tokens of the bearer's user. Their IDs are client ids.
func (c *Client) List(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	return c.list(ctx, bearer, PathMyTokens)
}

// FindLogins is List for the query that asks for all: it has no other.
func (c *Client) FindLogins(ctx context.Context, bearer token.Secret, q token.LoginQuery) (list []token.Login, total int, err error) {
	if q.Expired || q.Revoked || q.User != "" || q.Skip != 0 || q.Limit != 0 || len(q.Labels) > 0 {
		return nil, 0, token.Refuse(token.ErrUnsupported, "this dialect cannot choose among refresh tokens")
	}
	list, err = c.List(ctx, bearer)
	return list, len(list), err
}

// GetLogin returns one refresh token, by its client id.
func (c *Client) GetLogin(ctx context.Context, bearer token.Secret, id string) (token.Login, error) {
	list, err := c.List(ctx, bearer)
	if err != nil {
		return token.Login{}, err
	}
	for _, l := range list {
		if l.ID == id {
			return l, nil
		}
	}
	return token.Login{}, token.Refuse(token.ErrUnknown, "the server has no such thing: no refresh token of the client id %q", id)
}

// EndLogin voids one refresh token, by its client id. Access tokens that it gave stay
// good.
func (c *Client) EndLogin(ctx context.Context, bearer token.Secret, id string) error {
	return c.end(ctx, bearer, PathMyTokens, id)
}

// ListSessions returns the sessions of the bearer's user, each of which is an access
// token. Their IDs are UUIDs; Client is the address that one was made from, Name the
// program that made it, where the service tells.
func (c *Client) ListSessions(ctx context.Context, bearer token.Secret) ([]token.Login, error) {
	sessions, err := c.list(ctx, bearer, PathMySessions)
	if err != nil {
		return nil, err
	}
	if says, err := c.Check(ctx, bearer); err == nil {
		own, _ := says.String("session_uuid")
		for i := range sessions {
			sessions[i].Current = sessions[i].ID == own
		}
	}
	return sessions, nil
}

// EndSession voids the access token of one session, by its UUID.
func (c *Client) EndSession(ctx context.Context, bearer token.Secret, id string) error {
	return c.end(ctx, bearer, PathMySessions, id)
}
