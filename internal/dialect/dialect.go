// Package dialect says what a dialect needs and what it offers. A dialect is
// the wire of one token service: a Client speaks it towards such a service, a
// handler speaks it for the token core (Authority).
//
// It never decides about tokens and never opens a connection: decisions are the
// Authority's, connections the Exchange's. Wire words stay inside the dialects.
//
// The suite that both ends of a dialect must pass together is dialecttest.
package dialect

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Authority is what a handler asks of the token core. Its refusals are those of
// pkg/token; any other error is an internal one.
type Authority interface {
	// Login checks credentials and issues a token: ErrCredentials, ErrThrottled.
	Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error)
	// Refresh trades a refresh token for a new set: ErrExpired, ErrRevoked, ErrUnknown.
	Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error)
	// Inspect returns the claims of a token that is honoured at this moment.
	Inspect(ctx context.Context, raw string) (*token.Claims, error)
	// Revoke voids one token that is honoured, durably.
	Revoke(ctx context.Context, raw string) error
	// RevokeAll voids all tokens of a user, durably, for the bearer of a token:
	// that user or an admin, else ErrDenied. An empty user is the bearer's own.
	RevokeAll(ctx context.Context, bearer, user string) error
	// RevokeAllOf is RevokeAll for a caller who has been trusted already.
	RevokeAllOf(ctx context.Context, user string) error
	// List returns the logins of the bearer of a token, and whether there are more.
	List(ctx context.Context, bearer string) (list []token.Login, more bool, err error)
}

// Client is the other end: the verbs of the command line over one dialect's
// wire. Refusals of the service come back as those of pkg/token; what the
// service has no way to do is ErrUnsupported.
type Client interface {
	Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error)
	Refresh(ctx context.Context, refresh token.Secret, want token.Request) (token.Set, error)
	// Check asks whether the service still honours a token.
	Check(ctx context.Context, raw token.Secret) (*token.Object, error)
	Revoke(ctx context.Context, raw token.Secret) error
	RevokeAll(ctx context.Context, bearer token.Secret, user string) error
}

// Exchange carries one request to the service and brings its answer, whatever
// the status. Its errors are about the way there: nothing answered, or nothing
// that is HTTP.
type Exchange func(ctx context.Context, m Message) (Reply, error)

// Granter is a Client whose service knows more ways to a token than a user's
// password.
type Granter interface {
	// Grant asks for a token. ErrUnsupported when the service does not know the way.
	Grant(ctx context.Context, g token.Grant, want token.Request) (token.Set, error)
}

// Lister is a Client whose service tells what logins it holds.
type Lister interface {
	// List returns the logins of the bearer of a token.
	List(ctx context.Context, bearer token.Secret) ([]token.Login, error)
}

// LoginKeeper is a Client whose service tells of single logins, and ends them by
// their IDs.
type LoginKeeper interface {
	// FindLogins returns the logins that a query means, for the bearer of a token,
	// and how many there are beside Skip and Limit: ErrDenied for another user's.
	FindLogins(ctx context.Context, bearer token.Secret, q token.LoginQuery) (list []token.Login, total int, err error)
	// GetLogin returns one login: ErrUnknown when the bearer has none of that ID.
	GetLogin(ctx context.Context, bearer token.Secret, id string) (token.Login, error)
	// EndLogin ends one login: ErrUnknown when the bearer has none of that ID.
	EndLogin(ctx context.Context, bearer token.Secret, id string) error
}

// LoginEditor is a Client whose service lets a login be changed.
type LoginEditor interface {
	// EditLogin returns the login as it is then: ErrUnknown when the bearer has none
	// of that ID, ErrDenied for a change that is refused.
	EditLogin(ctx context.Context, bearer token.Secret, id string, change token.LoginChange) (token.Login, error)
}

// RefreshRevoker is a Client whose service does not void refresh tokens as it does
// access tokens.
type RefreshRevoker interface {
	// RevokeRefresh voids a refresh token: ErrUnknown for one that is void already.
	RevokeRefresh(ctx context.Context, refresh token.Secret) error
}

// AccessChecker is a Client whose service judges what a token gives access to.
type AccessChecker interface {
	// CheckAccess asks whether a token is honoured, ErrUnknown, and gives that access,
	// ErrDenied. Empty access: whether it is honoured alone.
	CheckAccess(ctx context.Context, raw token.Secret, access string) error
	// Backends returns the names of where the service looks users up.
	Backends(ctx context.Context) ([]string, error)
}

// SessionKeeper is a Client whose service tells of sessions, which end with their
// access tokens, apart from logins, which last.
type SessionKeeper interface {
	// ListSessions returns those of the bearer's user.
	ListSessions(ctx context.Context, bearer token.Secret) ([]token.Login, error)
	// EndSession ends one of them: ErrUnknown when the bearer has none of that ID.
	EndSession(ctx context.Context, bearer token.Secret, id string) error
}

// Applications is a Client whose service has applications that its users manage.
// One that there is not: ErrUnknown. Without the right: ErrDenied.
type Applications interface {
	ListApplications(ctx context.Context, bearer token.Secret) ([]*token.Application, error)
	GetApplication(ctx context.Context, bearer token.Secret, id string) (*token.Application, error)
	// CreateApplication returns it with what the service gave it, its secret too.
	CreateApplication(ctx context.Context, bearer token.Secret, wanted *token.Application) (*token.Application, error)
	// DeleteApplication ends its tokens with it.
	DeleteApplication(ctx context.Context, bearer token.Secret, id string) error
}

// Publisher is a Client whose service publishes what its tokens verify with.
type Publisher interface {
	// Keys returns the keys of a tenant, a JWK set or PEM, and who issues its tokens:
	// ErrUnknown for a tenant that there is not.
	Keys(ctx context.Context, tenant string) (keys []byte, issuer string, err error)
}

// PasswordRevoker is a Client whose service ends a login for who knows the
// password of its user.
type PasswordRevoker interface {
	// RevokeWith ends the login of a refresh token: ErrCredentials, ErrUnknown.
	RevokeWith(ctx context.Context, refresh token.Secret, who token.Credentials) error
}

// Properties is a Client whose service has settings that an administrator
// changes. Without being one: ErrDenied. A name that is none: ErrUnknown.
type Properties interface {
	// ListProperties returns all, by name; those that are not set have no Value.
	ListProperties(ctx context.Context, bearer token.Secret) ([]token.Property, error)
	GetProperty(ctx context.Context, bearer token.Secret, name string) (token.Property, error)
	SetProperty(ctx context.Context, bearer token.Secret, name, value string) (token.Property, error)
	// ResetProperty makes it one that is not set.
	ResetProperty(ctx context.Context, bearer token.Secret, name string) (token.Property, error)
}

// Message is a request to a service.
type Message struct {
	Method string
	Path   string // behind the service's URL, "/user/login", or an absolute URL
	Header http.Header
	Bearer token.Secret // Authorization: Bearer; zero: none
	JSON   any          // the body; nil: none
	Form   url.Values   // the body, if JSON is nil; nil: none
	// ID and Secret go into Authorization: Basic, each form-encoded before (RFC
	// 6749 section 2.3.1), or with Plain as they are (RFC 7617); a zero Secret: none.
	ID     string
	Secret token.Secret
	Plain  bool
	// Token stands in the Path, or in a Header of the dialect's own, and no trace shows
	// it; zero: none does.
	Token token.Secret
	// Once says that something in it counts but once, a proof say: it is not to be
	// sent again.
	Once bool
}

// Authorization is the header of that name: the Bearer, by the scheme DPoP where
// the Header holds a proof (RFC 9449 section 7.1), else ID and Secret; empty when
// there is neither.
func (m Message) Authorization() string {
	switch {
	case !m.Bearer.IsZero() && m.Header.Get("DPoP") != "":
		return "DPoP " + m.Bearer.Reveal()
	case !m.Bearer.IsZero():
		return "Bearer " + m.Bearer.Reveal()
	case !m.Secret.IsZero():
		pair := m.ID + ":" + m.Secret.Reveal()
		if !m.Plain {
			pair = url.QueryEscape(m.ID) + ":" + url.QueryEscape(m.Secret.Reveal())
		}
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	}
	return ""
}

// URL is where the message goes, for a service at that address.
func (m Message) URL(service string) string {
	if strings.HasPrefix(m.Path, "/") {
		return service + m.Path
	}
	return m.Path
}

// Body is what the message carries, with its media type; both are empty when it
// carries nothing.
func (m Message) Body() (kind string, body []byte, err error) {
	switch {
	case m.JSON != nil:
		body, err = json.Marshal(m.JSON)
		return "application/json", body, err
	case m.Form != nil:
		return "application/x-www-form-urlencoded", []byte(m.Form.Encode()), nil
	}
	return "", nil, nil
}

// Reply is a service's answer.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Object reads a JSON answer. One that is none makes no sense: ErrUnavailable.
func (r Reply) Object() (*token.Object, error) {
	o, err := token.ParseObject(string(r.Body))
	if err != nil {
		return nil, Nonsense(r)
	}
	return o, nil
}

// Nonsense is the error for an answer that the service should not have given.
func Nonsense(r Reply) error {
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		kind = "no content type"
	}
	return token.Refuse(token.ErrUnavailable, "the server's answer makes no sense: status %d, %s, %d bytes", r.Status, kind, len(r.Body))
}

// MaxBody is the largest request body that ReadBody reads, in bytes.
const MaxBody = 64 << 10

// ErrTooLarge says that a request's body is larger than MaxBody.
var ErrTooLarge = errors.New("request body too large")

// ReadBody reads a request's body: ErrTooLarge, or the error of a connection
// that broke.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, ErrTooLarge
	}
	return body, err
}

// SourceKey is the key of a context's value that Source returns, a string.
type SourceKey struct{}

// WithSource says where a request came from, as the throttle counts it.
func WithSource(ctx context.Context, source string) context.Context {
	return context.WithValue(ctx, SourceKey{}, source)
}

// Source is what WithSource said, else empty.
func Source(ctx context.Context) string {
	s, _ := ctx.Value(SourceKey{}).(string)
	return s
}
