// Package dialecttest is the one suite that both ends of a dialect must pass
// together: what a Client is asked for reaches the Authority behind the handler
// unchanged, and what the Authority answers comes back unchanged. Its checks are
// named after what a dialect promises.
//
// It knows no wire and opens no connection: what the bytes are is tested beside
// the dialect.
package dialecttest

import (
	"errors"
	"net/http"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// Fail answers an error that is no refusal, as a service does: 503 with
// Retry-After for an ErrUnavailable, else 500.
type Fail func(w http.ResponseWriter, r *http.Request, err error)

// Dialect is both ends of a wire, and what the wire cannot do.
type Dialect struct {
	// NewHandler makes the service's end, which hands to fail what is no refusal.
	NewHandler func(a dialect.Authority, fail Fail) http.Handler
	NewClient  func(dialect.Exchange) dialect.Client
	Cannot     Cannot
	// VoidIsRefused says that revoking a token that is void already is refused
	// with what made it void. Default: it is done.
	VoidIsRefused bool
	// EmptyIsDone says that an empty 200 tells a success of Revoke and RevokeAll.
	// Default: it makes no sense.
	EmptyIsDone bool
	// Blurs names refusals that come back as another, because the wire has one
	// word for both. Default: each comes back as itself.
	Blurs map[error]error
}

// Cannot names what a wire has no way to say. A verb or a wish that cannot be
// sent must be ErrUnsupported; what merely does not come back is not looked at.
type Cannot struct {
	Refresh      bool // the verb; so below
	Check        bool
	Revoke       bool
	RevokeAll    bool
	RevokeOthers bool // RevokeAll of another user than the bearer
	LoginTTL     bool // wishes of a login
	LoginRefresh bool
	RefreshTTL   bool // the end of the login, as a wish of a login
	LoginScope   bool
	RenewTTL     bool // wishes of a refresh
	RenewEnd     bool
	RenewScope   bool
	AnswerScope  bool // what the set granted says of itself
	AnswerExpiry bool
}

// check is one promise.
type check struct {
	name string
	run  func(t *testing.T, w *world)
}

// Run checks the promises of a dialect.
func Run(t *testing.T, d Dialect) {
	groups := map[string][]check{
		"login": loginChecks(), "refresh": refreshChecks(), "tokens": tokenChecks(),
		"refusals": refusalChecks(), "answers": answerChecks(),
	}
	for group, checks := range groups {
		t.Run(group, func(t *testing.T) {
			for _, c := range checks {
				t.Run(c.name, func(t *testing.T) { c.run(t, newWorld(t, d)) })
			}
		})
	}
}

// verb is one call of a Client, with secrets that no error may show.
type verb struct {
	name   string
	silent bool // a success gives nothing
	cannot func(Cannot) bool
	call   func(*testing.T, dialect.Client) error
}

// secrets are what the verbs send.
var secrets = [...]string{"Pa55-of-the-caller", "opaque-refresh-of-the-caller", "raw.access.of-the-caller"}

func password() token.Secret { return token.NewPassword(secrets[0]) }
func refresh() token.Secret  { return token.NewSecret(secrets[1]) }
func access() token.Secret   { return token.NewSecret(secrets[2]) }

func verbs() []verb {
	return []verb{
		{"login", false, func(Cannot) bool { return false }, func(t *testing.T, c dialect.Client) error {
			set, err := c.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, token.Request{})
			return nothingBeside(t, err, set == token.Set{})
		}},
		{"refresh", false, func(c Cannot) bool { return c.Refresh }, func(t *testing.T, c dialect.Client) error {
			set, err := c.Refresh(t.Context(), refresh(), token.Request{})
			return nothingBeside(t, err, set == token.Set{})
		}},
		{"check", false, func(c Cannot) bool { return c.Check }, func(t *testing.T, c dialect.Client) error {
			claims, err := c.Check(t.Context(), access())
			return nothingBeside(t, err, claims == nil)
		}},
		{"revoke", true, func(c Cannot) bool { return c.Revoke }, func(t *testing.T, c dialect.Client) error {
			return c.Revoke(t.Context(), access())
		}},
		{"revoke-all", true, func(c Cannot) bool { return c.RevokeAll }, func(t *testing.T, c dialect.Client) error {
			return c.RevokeAll(t.Context(), access(), "")
		}},
	}
}

// nothingBeside wants an error or a result, not both and not neither.
func nothingBeside(t *testing.T, err error, none bool) error {
	t.Helper()
	if (err != nil) != none {
		t.Errorf("the error is %v, and there is a result: %v", err, !none)
	}
	return err
}

// wantUnsupported wants that a client says so and that the service was not
// troubled.
func (w *world) wantUnsupported(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("got %v, want ErrUnsupported", err)
	}
	if len(w.authority.asked) != 0 {
		t.Errorf("the service was asked %v", w.authority.asked)
	}
}
