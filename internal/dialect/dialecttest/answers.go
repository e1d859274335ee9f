package dialecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func answerChecks() []check {
	return []check{
		{"an answer that makes no sense is ErrUnavailable", nonsenseIsUnavailable},
		{"an answer that refuses is a refusal", strangeRefusals},
		{"an error on the way comes back as it is", waysEnd},
		{"no answer makes a client panic", noPanic},
	}
}

// reply is an answer of any service.
func reply(status int, kind, body string) dialect.Reply {
	h := http.Header{}
	if kind != "" {
		h.Set("Content-Type", kind)
	}
	return dialect.Reply{Status: status, Header: h, Body: []byte(body)}
}

const page = "<!DOCTYPE html><html><title>Sign in to the Wi-Fi</title></html>"

func senseless() map[string]dialect.Reply {
	return map[string]dialect.Reply{
		"a page": reply(200, "text/html", page), "a page that says JSON": reply(200, "application/json", page),
		"nothing": reply(200, "application/json", ""), "an array": reply(200, "application/json", "[]"),
		"a text": reply(200, "application/json", `"token"`), "null": reply(200, "application/json", "null"),
		"a number": reply(200, "application/json", "1"), "an object of something else": reply(200, "application/json", `{"status":"ok"}`),
		"an empty object": reply(200, "application/json", "{}"), "cut JSON": reply(200, "application/json", `{"token": "eyJhbGci`),
		"members of other types": reply(200, "application/json", `{"token":{},"access_token":[],"jwt":1,"sub":[],"active":"yes","result":7,"data":null}`),
		"deep JSON":              reply(200, "application/json", strings.Repeat(`{"token":`, 1000)+"1"+strings.Repeat("}", 1000)),
		"a member twice":         reply(200, "application/json", `{"token":"a","token":"b","sub":"a","sub":"b"}`),
		"a megabyte":             reply(200, "application/octet-stream", strings.Repeat("\x00", 1<<20)),
		"a megabyte of JSON":     reply(200, "application/json", `{"x":"`+strings.Repeat("x", 1<<20)+`"}`),
		"a redirection":          {Status: 302, Header: http.Header{"Location": {"https://elsewhere.example.org/"}}},
		"not modified":           reply(304, "", ""), "continue": reply(100, "", ""), "no status": reply(0, "", ""),
		"a page of a failure": reply(500, "text/html", page), "a failure": reply(500, "", ""), "a bad gateway": reply(502, "text/html", page),
		"an unknown failure": reply(599, "text/plain", "what"), "not available": reply(503, "text/html", page),
	}
}

func nonsenseIsUnavailable(t *testing.T, w *world) {
	for name, answer := range senseless() {
		for _, v := range verbs() {
			err := v.call(t, w.NewClient(canned(answer, false)))
			if v.cannot(w.Cannot) {
				w.wantUnsupported(t, err)
				continue
			}
			if name == "nothing" && v.silent && w.EmptyIsDone {
				if err != nil {
					t.Errorf("%s: %s: %v", v.name, name, err)
				}
				continue
			}
			if !errors.Is(err, token.ErrUnavailable) {
				t.Errorf("%s: %s: got %v, want ErrUnavailable", v.name, name, err)
			}
			if err != nil && (len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\n<")) {
				t.Errorf("%s: %s: the error is no sentence: %q", v.name, name, err)
			}
		}
	}
}

func strangeRefusals(t *testing.T, w *world) {
	for _, c := range []struct {
		status int
		kinds  []error
	}{
		{401, []error{token.ErrDenied, token.ErrCredentials, token.ErrUnknown}},
		{403, []error{token.ErrDenied}},
		{418, []error{token.ErrDenied}},
		{451, []error{token.ErrDenied}},
		{404, []error{token.ErrDenied, token.ErrUnsupported}},
		{405, []error{token.ErrUnsupported}},
		{429, []error{token.ErrThrottled}},
	} {
		for _, v := range verbs() {
			for _, body := range []string{"", page, "{}", `{"error":{}}`, `{"error":`, "\x1b[31mred\x00"} {
				err := v.call(t, w.NewClient(canned(reply(c.status, "text/html", body), false)))
				if v.cannot(w.Cannot) {
					w.wantUnsupported(t, err)
					continue
				}
				known := false
				for _, kind := range c.kinds {
					known = known || errors.Is(err, kind)
				}
				if !known {
					t.Errorf("%s: status %d with %q: got %v, want one of %v", v.name, c.status, body, err, c.kinds)
				} else if strings.ContainsAny(err.Error(), "\n\x1b\x00<") {
					t.Errorf("%s: status %d with %q: the error is no sentence: %q", v.name, c.status, body, err)
				}
			}
		}
	}
}

func waysEnd(t *testing.T, w *world) {
	broken := errors.New("the way is broken")
	client := w.NewClient(func(context.Context, dialect.Message) (dialect.Reply, error) { return dialect.Reply{}, broken })
	for _, v := range verbs() {
		err := v.call(t, client)
		if v.cannot(w.Cannot) {
			w.wantUnsupported(t, err)
		} else if !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want the error of the exchange", v.name, err)
		}
	}
}

// noPanic gives every status with pieces of answers in no order. It is the same
// sequence each time.
func noPanic(t *testing.T, w *world) {
	pieces := []string{`{`, `}`, `[`, `]`, `"token"`, `"error"`, `:`, `,`, `"sub"`, `1e999`, `null`, `"\ud800"`, "\xff", `"expires_in"`, `-9223372036854775809`, " ", ""}
	dice := rand.New(rand.NewPCG(1, 2))
	for status := 100; status < 600; status++ {
		for _, v := range verbs() {
			var body bytes.Buffer
			for range dice.IntN(12) {
				body.WriteString(pieces[dice.IntN(len(pieces))])
			}
			answer := reply(status, "application/json", body.String())
			answer.Header.Set("Retry-After", fmt.Sprint(dice.Int64()))
			err := v.call(t, w.NewClient(canned(answer, false)))
			if err == nil && status/100 != 2 {
				t.Errorf("%s: status %d with %q is no error", v.name, status, &body)
			}
		}
	}
}
