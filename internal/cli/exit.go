package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"syscall"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/internal/profile"
	"github.com/ats-auth/ats-auth/internal/session"
	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// The exit codes.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitConfig      = 3
	exitRefused     = 4
	exitUnreachable = 5
	exitServer      = 6
	exitNotGenuine  = 7
	exitNotNow      = 8
	exitRevoked     = 9
	exitState       = 10
	exitInterrupted = 130
	exitPipe        = 141
)

// exits are the codes with their words and what they mean, as `help exit-codes`
// tells them.
func exits() []exitRow {
	return []exitRow{
		{exitOK, "ok", "done"},
		{exitError, "error", "unexpected error"},
		{exitUsage, "usage", "unknown command or flag, missing argument"},
		{exitConfig, "config", "nobody to ask: no credentials, not logged in, configuration missing, unreadable or refused"},
		{exitRefused, "refused", "the server refused: wrong credentials, not allowed, the dialect cannot do that"},
		{exitUnreachable, "unreachable", "cannot reach the server: name, connection, TLS, timeout"},
		{exitServer, "server", "the server failed, asks to wait, or gives an answer that makes no sense"},
		{exitNotGenuine, "not-genuine", "token not genuine: malformed, signature, algorithm, key, type, issuer, audience, a required claim missing"},
		{exitNotNow, "not-valid-now", "token genuine but not valid now: expired, not yet valid"},
		{exitRevoked, "revoked", "token revoked, inactive or unknown to the server"},
		{exitState, "state", "local files that keep what a server gave: unreadable, lock not had in time, cannot be written, disk full"},
		{exitInterrupted, "interrupted", "interrupted"},
		{exitPipe, "pipe", "the reader of stdout went away"},
	}
}

type exitRow struct {
	code    int
	word    string
	meaning string
}

func exitWord(code int) string {
	for _, row := range exits() {
		if row.code == code {
			return row.word
		}
	}
	return "error"
}

// configError is a setting that is missing or cannot be used.
type configError struct {
	problem string
	hint    string
	cause   error
	bare    bool // the problem is a seed's sentence, and stands alone
}

func (e *configError) Error() string { return e.problem }
func (e *configError) Unwrap() error { return e.cause }

// stateError is a file of ours that cannot be kept.
type stateError struct {
	problem string
	hint    string
	cause   error
}

func (e *stateError) Error() string { return e.problem }
func (e *stateError) Unwrap() error { return e.cause }

// exitCode is the one place that turns an error into an exit code. Of several
// refusals of one token the graver counts: not genuine before not valid now.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	var usage *command.UsageError
	var config *configError
	var refused *profile.Error
	var state *stateError
	var kept *session.Error
	is := func(kinds ...error) bool {
		for _, kind := range kinds {
			if errors.Is(err, kind) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &config), errors.As(err, &refused):
		return exitConfig
	case errors.As(err, &state), errors.As(err, &kept):
		return exitState
	case is(syscall.EPIPE):
		return exitPipe
	case is(client.ErrUnreachable):
		return exitUnreachable
	case is(token.ErrMalformed, token.ErrSignature, token.ErrClaims):
		return exitNotGenuine
	case is(token.ErrExpired, token.ErrNotYetValid):
		return exitNotNow
	case is(token.ErrRevoked, token.ErrUnknown):
		return exitRevoked
	case is(token.ErrCredentials, token.ErrDenied, token.ErrUnsupported):
		return exitRefused
	case is(token.ErrThrottled, token.ErrUnavailable):
		return exitServer
	}
	return exitError
}

// hintOf is a command that may help, or nothing.
func (a *app) hintOf(err error) string {
	var usage *command.UsageError
	var config *configError
	var refused *profile.Error
	var certificate *client.CertificateError
	var state *stateError
	var helped interface{ Hint() string }
	var claim *token.ClaimError
	var answered *token.Refusal
	switch {
	case errors.As(err, &claim) && claim.Claim == "aud" && a.profile != nil && a.profile.Value("audience").IsZero():
		return "--audience URL says whom tokens must be for, --no-aud that it makes no difference"
	case errors.As(err, &helped):
		return helped.Hint()
	case errors.As(err, &state):
		return state.hint
	case errors.As(err, &usage):
		return usage.Hint
	case errors.As(err, &config) && config.hint != "":
		return config.hint
	case errors.As(err, &refused):
		return refused.Hint
	case errors.As(err, &certificate):
		return "--cacert FILE, or --nosslverify for a test server"
	case !a.asks:
		return ""
	case errors.Is(err, token.ErrThrottled) && strings.HasSuffix(err.Error(), "number of active sessions"):
		return "one ends by itself, or by one's token: ATS_AUTH_TOKEN=… ats-auth session revoke UUID; an administrator's is ats-auth-server revoke --user NAME"
	case errors.As(err, &answered) && answered.RetryAfter > 0:
		return ""
	case errors.Is(err, client.ErrUnreachable), isForeign(err), errors.Is(err, token.ErrUnavailable):
		what := map[string]string{"url": "URL", "issuer": "issuer"}[a.address()]
		v := a.profile.Value(a.address())
		return fmt.Sprintf("check the %s: %s comes from %s", what, safe(v.Reveal()), v.Source())
	}
	return ""
}

// isForeign reports whether a server answered as one of another kind does: by the
// bare status 404 or 405, where the dialect has words for what cannot be done.
func isForeign(err error) bool {
	var refusal *token.Refusal
	return errors.As(err, &refusal) && errors.Is(err, token.ErrUnsupported) && strings.HasPrefix(refusal.Reason, "this server cannot do that: 40")
}

// of refuses what another dialect has.
func of(dialect, format string, args ...any) error {
	return &hinted{token.Refuse(token.ErrUnsupported, format, args...), "--dialect " + dialect}
}

// report tells an error on stderr and returns its exit code. The seed's own
// sentence stands bare.
func (a *app) report(err error) int {
	code := exitCode(err)
	if err == nil || code == exitPipe {
		return code
	}
	var many *reported
	if errors.As(err, &many) {
		return many.code
	}
	var refusal *token.Refusal
	problem, wait := safe(err.Error()), int64(0)
	if errors.As(err, &refusal) && refusal.RetryAfter > 0 {
		wait = int64(math.Ceil(refusal.RetryAfter.Seconds()))
		problem += "; try again in " + span(refusal.RetryAfter)
	}
	text := "ats-auth: " + problem
	var config *configError
	switch {
	case err == token.ErrSignature: //nolint:errorlint // the bare sentence alone
		text = "Signature verification failed"
	case errors.As(err, &config) && config.bare:
		text = problem
	}
	hint := a.hintOf(err)
	if a.flags.format == "json" {
		object, _ := json.Marshal(struct {
			Error string `json:"error"`
			Code  string `json:"code"`
			Exit  int    `json:"exit"`
			Hint  string `json:"hint,omitempty"`
			Wait  int64  `json:"retry_after,omitempty"` // seconds
		}{problem, exitWord(code), code, hint, wait})
		a.tell(levelError, string(object))
		return code
	}
	a.tell(levelError, text)
	if hint != "" {
		a.tell(levelError, "hint: "+hint)
	}
	return code
}

// reported is the outcome of several items whose errors have been told.
type reported struct{ code int }

func (r *reported) Error() string { return fmt.Sprintf("exit code %d", r.code) }
