package dialecttest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func refusalChecks() []check {
	return []check{
		{"every refusal keeps its kind across the wire", refusalsKeepTheirKind},
		{"the time to wait comes back", waitComesBack},
		{"an internal error stays inside and is reported", internalErrorsStayInside},
		{"what is wrapped around a refusal stays inside", wrappingStaysInside},
		{"a service that says back what it was sent puts no secret into an error", echoesShowNoSecret},
	}
}

// refusals are what an Authority may answer to a verb.
func refusals(verb string) []error {
	unhonoured := []error{
		token.ErrMalformed, token.ErrSignature, token.ErrClaims, token.ErrExpired, token.ErrNotYetValid,
		token.ErrRevoked, token.ErrUnknown, token.ErrUnavailable,
	}
	switch verb {
	case "login":
		return []error{token.ErrCredentials, token.ErrThrottled, token.ErrDenied, token.ErrUnavailable}
	case "refresh":
		return []error{token.ErrExpired, token.ErrRevoked, token.ErrUnknown, token.ErrThrottled, token.ErrDenied, token.ErrUnavailable}
	case "check":
		return unhonoured
	case "revoke":
		return []error{token.ErrDenied, token.ErrThrottled, token.ErrUnavailable}
	}
	return append(unhonoured, token.ErrDenied, token.ErrThrottled)
}

func refusalsKeepTheirKind(t *testing.T, w *world) {
	for _, v := range verbs() {
		for _, kind := range refusals(v.name) {
			for _, err := range []error{kind, token.Refuse(kind, "a reason of its own"), fmt.Errorf("wrapped: %w", kind)} {
				w.authority.err = err
				got := v.call(t, w.client)
				if v.cannot(w.Cannot) {
					w.wantUnsupported(t, got)
					continue
				}
				w.wantKind(t, v.name, got, kind)
			}
		}
	}
}

// wantKind wants that an error is of that kind and of no other.
func (w *world) wantKind(t *testing.T, verb string, err, kind error) {
	t.Helper()
	if blurred, ok := w.Blurs[kind]; ok {
		kind = blurred
	}
	for _, other := range kinds() {
		if is := errors.Is(err, other); is != (other == kind) { //nolint:errorlint // the very kinds
			t.Errorf("%s: the refusal %q came back as %v: is it %q? %v", verb, kind, err, other, is)
		}
	}
}

func kinds() []error {
	return []error{
		token.ErrCredentials, token.ErrDenied, token.ErrMalformed, token.ErrSignature, token.ErrClaims, token.ErrExpired,
		token.ErrNotYetValid, token.ErrRevoked, token.ErrUnknown, token.ErrThrottled, token.ErrUnavailable, token.ErrUnsupported,
	}
}

func waitComesBack(t *testing.T, w *world) {
	for _, c := range []struct{ told, want time.Duration }{
		{0, 0},
		{time.Second, time.Second},
		{90 * time.Second, 90 * time.Second},
		{24 * time.Hour, 24 * time.Hour},
		{1500 * time.Millisecond, 2 * time.Second},
		{time.Millisecond, time.Second}, // never too early
	} {
		w.authority.err = &token.Refusal{Kind: token.ErrThrottled, RetryAfter: c.told}
		w.wantWait(t, c.want)
		w.authority.err = fmt.Errorf("wrapped: %w", &token.Refusal{Kind: token.ErrUnavailable, RetryAfter: c.told})
		w.wantWait(t, max(c.want, time.Second))
	}
}

func (w *world) wantWait(t *testing.T, want time.Duration) {
	t.Helper()
	_, err := w.client.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, token.Request{})
	var refusal *token.Refusal
	if !errors.As(err, &refusal) || refusal.RetryAfter != want {
		t.Errorf("%v came back as %v: wait %v, want %v", w.authority.err, err, refusal, want)
	}
}

func internalErrorsStayInside(t *testing.T, w *world) {
	internal := errors.New("pq: the table users of host db1 has no column pass")
	for _, v := range verbs() {
		for _, told := range []error{internal, fmt.Errorf("%w: %w", token.ErrUnavailable, internal)} {
			w.authority.err, w.failed, w.answers = told, nil, ""
			err := v.call(t, w.client)
			if v.cannot(w.Cannot) {
				w.wantUnsupported(t, err)
				continue
			}
			w.wantKind(t, v.name, err, token.ErrUnavailable)
			if len(w.failed) != 1 || !errors.Is(w.failed[0], internal) {
				t.Errorf("%s: reported was %v, want the internal error once", v.name, w.failed)
			}
			w.wantInside(t, v.name, err, "table users")
		}
	}
}

// wantInside wants that neither the wire nor an error shows a text.
func (w *world) wantInside(t *testing.T, verb string, err error, text string) {
	t.Helper()
	if strings.Contains(w.answers, text) {
		t.Errorf("%s: the answer shows %q: %s", verb, text, w.answers)
	}
	if err != nil && strings.Contains(err.Error(), text) {
		t.Errorf("%s: the error shows %q: %v", verb, text, err)
	}
}

func wrappingStaysInside(t *testing.T, w *world) {
	for _, v := range verbs() {
		for _, kind := range refusals(v.name) {
			w.authority.err = fmt.Errorf("row 7 of db1: %w", token.Refuse(kind, "a reason of its own"))
			w.answers = ""
			w.wantInside(t, v.name, v.call(t, w.client), "row 7 of db1")
		}
	}
}

func echoesShowNoSecret(t *testing.T, w *world) {
	for _, status := range []int{200, 204, 302, 400, 401, 403, 404, 405, 413, 418, 422, 429, 500, 502, 503} {
		for _, kind := range []string{"text/plain; charset=utf-8", "text/html", "application/json", ""} {
			reply := dialect.Reply{Status: status, Header: map[string][]string{"Content-Type": {kind}}}
			for _, v := range verbs() {
				err := v.call(t, w.NewClient(canned(reply, true)))
				if v.cannot(w.Cannot) {
					w.wantUnsupported(t, err)
				}
				for _, secret := range secrets {
					w.wantInside(t, fmt.Sprintf("%s, status %d, %s", v.name, status, kind), err, secret)
				}
			}
		}
	}
}
