package dialect

import (
	"encoding/json"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

// Logins is how the doors that are this project's own tell of logins. Instants
// are whole seconds since 1970-01-01 UTC; 0 is none.
type Logins struct {
	Logins []wireLogin `json:"logins"`
	More   bool        `json:"more"` // there are more than these
}

type wireLogin struct {
	ID         string `json:"id"`
	ClientID   string `json:"client_id,omitempty"`
	Name       string `json:"name,omitempty"`
	Dialect    string `json:"dialect,omitempty"`
	Scope      string `json:"scope,omitempty"`
	CreatedAt  int64  `json:"created_at"`
	LastUsedAt int64  `json:"last_used_at,omitempty"`
	ExpiresAt  int64  `json:"expires_at,omitempty"`
	Current    bool   `json:"current,omitempty"`
}

// NewLogins writes logins.
func NewLogins(list []token.Login, more bool) Logins {
	wire := Logins{Logins: make([]wireLogin, len(list)), More: more}
	for i, l := range list {
		wire.Logins[i] = wireLogin{
			l.ID, l.Client, l.Name, l.Door, l.Scope, seconds(l.CreatedAt), seconds(l.LastUsedAt), seconds(l.ExpiresAt), l.Current,
		}
	}
	return wire
}

// ReadLogins reads what NewLogins wrote. What is not that makes no sense:
// ErrUnavailable.
func ReadLogins(r Reply) ([]token.Login, error) {
	var wire Logins
	if err := json.Unmarshal(r.Body, &wire); err != nil || wire.Logins == nil {
		return nil, Nonsense(r)
	}
	list := make([]token.Login, len(wire.Logins))
	for i, l := range wire.Logins {
		if l.ID == "" {
			return nil, Nonsense(r)
		}
		list[i] = token.Login{
			ID: l.ID, Client: l.ClientID, Name: l.Name, Door: l.Dialect, Scope: l.Scope,
			CreatedAt: instant(l.CreatedAt), LastUsedAt: instant(l.LastUsedAt), ExpiresAt: instant(l.ExpiresAt), Current: l.Current,
		}
	}
	return list, nil
}

func seconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// maxInstant is the end of the year 9999.
const maxInstant = 253_402_300_799

func instant(seconds int64) time.Time {
	if seconds <= 0 || seconds > maxInstant {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
