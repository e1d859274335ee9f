package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
)

// AuditEvent is one event as an audit log has it. It never holds a password, a token
// or a secret. Fields that do not apply are empty.
type AuditEvent struct {
	// Time is when it was written down, by the server's clock.
	Time time.Time `json:"time"`
	// Event is what happened: login, token.issue, token.refresh, token.reuse,
	// token.revoke, login.revoke, revoke.all, browser.login, device.approved, denied
	// (an answer 403 to somebody who is known; Target is what was asked), or what was
	// changed, user.add say.
	Event string `json:"event"`
	// Outcome is success, refused, throttled or unavailable.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"` // a word, where it is no success
	// By is who did it: who has proved so to the service, by a password or a token. Empty:
	// nobody has, or no request is the cause.
	By        string `json:"by,omitempty"`
	ByService string `json:"by_service,omitempty"` // the same of a service account
	// User is the user whom it is about, Service the service account, Client the
	// application.
	User    string `json:"user,omitempty"`
	Service string `json:"service,omitempty"`
	Client  string `json:"client,omitempty"`
	// NameSum stands for a name that was typed and that no user has, or that was not
	// looked at: equal names have equal sums, under a key of the server's.
	NameSum string `json:"name_sum,omitempty"`
	Tenant  string `json:"tenant,omitempty"`
	Door    string `json:"door,omitempty"`    // the dialect; empty: none
	Backend string `json:"backend,omitempty"` // that checked the password
	// Login is the login's ID, the same in all that comes of it, in hex.
	Login string `json:"login,omitempty"`
	// Token is the token's identity in hex (token.Identity), or its number.
	Token  string `json:"token,omitempty"`
	Target string `json:"target,omitempty"` // what was changed besides
	// Source is the address that asked, as the throttle counts it.
	Source      string `json:"source,omitempty"`
	RequestID   string `json:"request_id,omitempty"`
	Traceparent string `json:"traceparent,omitempty"`
	// Omitted is how many events were not written before this one, since there were too
	// many of its kind: what was refused or throttled unseen.
	Omitted uint64 `json:"omitted,omitempty"`
}

// recorder counts events, adds what their requests say, and passes them on.
type recorder struct {
	config    Config
	counts    *counts
	debt      debt
	throttled allowance
	refused   allowance
}

// Caller is issuer.Recorder: of several, the first one is who asks.
func (r *recorder) Caller(ctx context.Context, _, user string) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok && v.caller == "" {
		v.caller = user
	}
}

// Record is issuer.Recorder.
func (r *recorder) Record(ctx context.Context, e issuer.Event) error {
	v, asked := ctx.Value(visitKey{}).(*visit)
	if asked && v.door != doorNone {
		e.Door = doorNames()[v.dialect()]
	}
	r.counts.happened(e)
	if r.config.Audit == nil {
		return nil
	}
	now, omitted := r.config.Now(), uint64(0)
	if a := r.allowanceOf(e); a != nil {
		var ok bool
		if omitted, ok = a.take(now); !ok {
			return nil
		}
	}
	line := AuditEvent{
		Time: now.UTC(), Omitted: omitted, Event: e.Name, Outcome: e.Outcome, Reason: e.Reason, Client: e.Client, NameSum: e.Sum,
		Tenant: e.Tenant, Door: e.Door, Backend: e.Backend, Login: e.Login, Token: e.Token, Target: e.Target,
	}
	line.User, line.Service = whose(e.User)
	if asked {
		line.By, line.ByService = whose(v.caller)
		line.Source, line.RequestID, line.Traceparent = v.source(), v.id, traceparent(v.request)
	}
	return r.write(line, e.Done)
}

// denied writes down that somebody who is known may not change what the request was to
// change, whatever the door. To be told that one may not see something is no event:
// checks of tokens are such questions.
func (v *visit) denied() {
	switch v.request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return
	}
	if v.answer.status != http.StatusForbidden || v.caller == "" {
		return
	}
	// It is answered already: that it cannot be written down changes nothing.
	_ = v.server.issuer.Recorder.Record(v, issuer.Event{
		Name: issuer.EventDenied, Outcome: issuer.OutcomeRefused, Reason: "denied",
		Target: maskPath(v.request.Method) + " " + maskPath(v.request.URL.EscapedPath()),
	})
}

// whose tells users and service accounts apart, whose names are separate spaces.
func whose(subject string) (user, service string) {
	if name, found := strings.CutPrefix(subject, issuer.ServiceSubject("")); found {
		return "", name
	}
	return subject, ""
}
