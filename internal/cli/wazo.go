package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ats-auth/ats-auth/pkg/client"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// What Wazo alone has: opaque tokens that say nothing, and a server that says
// everything of them.

// actingTTL is how long a token lives that is made for one command, in seconds, if
// nobody ends it: it is one of the hundred sessions that a user may have.
const actingTTL = 60

// endActing ends the token that was made for this command alone. Where that does not
// work it ends by itself.
func (a *app) endActing(ctx context.Context) {
	if a.acting != nil {
		_ = a.acting(ctx)
	}
}

// wishWazo refuses, before anybody is asked for a password, what that dialect cannot
// be asked for.
func (a *app) wishWazo(want token.Request) error {
	switch {
	case a.dialect() != "wazo":
	case want.Scope != "":
		return token.Refuse(token.ErrUnsupported, "the wazo dialect cannot ask for a scope: what a token gives access to is its user's ACL")
	case want.RefreshTTL != 0:
		return token.Refuse(token.ErrUnsupported, "the wazo dialect cannot ask for the end of a login: it has none")
	}
	return nil
}

// isUUID reports whether a text has the form of the tokens of that dialect, which the
// other doors of a server know too.
func isUUID(text string) bool {
	return len(text) == 36 && strings.Count(text, "-") == 4 && strings.Trim(text, "0123456789abcdef-") == ""
}

// checkWazo asks for each access by itself. done tells that nothing else was asked,
// so that the whole answer is not needed.
func (a *app) checkWazo(ctx context.Context, service *client.Client, raw token.Secret, least time.Duration, scopes []string) (done bool, err error) {
	done = least == 0 && a.flags.format == ""
	if done && len(scopes) == 0 {
		scopes = []string{""}
	}
	for _, scope := range scopes {
		if err := service.CheckAccess(ctx, raw, scope); err != nil {
			return done, err
		}
	}
	return done, nil
}

// instantOf is a time that the server writes without a zone, in UTC.
func instantOf(says *token.Object, name string) (time.Time, bool) {
	text, _ := says.String(name)
	at, err := time.Parse("2006-01-02T15:04:05", strings.TrimSuffix(strings.TrimSuffix(text, "Z"), "+00:00"))
	return at, err == nil
}

// endOfWazo is when a token ends.
func endOfWazo(says *token.Object) (time.Time, bool) { return instantOf(says, "utc_expires_at") }

// runWazoShow prints what the server says of a token.
func (a *app) runWazoShow(ctx context.Context, args []string) error {
	service, err := a.newClient()
	if err != nil {
		return err
	}
	raw, err := a.oneToken(args)
	if err != nil {
		return err
	}
	says, err := service.Check(ctx, token.NewSecret(raw))
	if err != nil {
		return err
	}
	r := wazoRecord(says)
	if end, known := endOfWazo(says); known {
		r = append(r, field{"validity", "valid, expires " + relative(end, a.Now())})
	}
	if a.flags.format != "" || len(a.flags.columns) > 0 {
		var known []string
		for _, f := range r {
			known = append(known, f.name)
		}
		if err := a.checkColumns(known...); err != nil {
			return err
		}
		return a.print(r)
	}
	_, err = fmt.Fprint(a.Stdout, lines(plain(r), func(f field) string { return f.name + ": " + safe(f.text()) }))
	return err
}

// single is a record without tokens, what stands in it twice, and times in a zone that
// nobody knows.
func single(r record) record {
	double := map[string]string{"acls": "acl", "issued_at": "utc_issued_at", "expires_at": "utc_expires_at"}
	return slices.DeleteFunc(slices.Clone(r), func(f field) bool {
		return f.name == "token" || f.name == "refresh_token" ||
			slices.ContainsFunc(r, func(other field) bool { return other.name == double[f.name] })
	})
}

// plain is a record for a person: each entry of a list and each member of an object is
// a field, but for what is null or was said before under another name.
func plain(r record) record {
	said, told := map[string]bool{}, record(nil)
	add := func(name, text string) {
		if text != "null" && !said[text] {
			told = append(told, field{name, text})
		}
		said[text] = len(text) > len("false")
	}
	for _, f := range single(r) {
		text := f.text()
		var list []string
		object, err := token.ParseObject(text)
		switch {
		case err == nil:
			for _, member := range wazoRecord(object)[1:] {
				add(f.name+"."+member.name, member.text())
			}
		case json.Unmarshal([]byte(text), &list) == nil:
			for _, entry := range list {
				add(f.name, entry)
			}
		default:
			add(f.name, text)
		}
	}
	return told
}

// wazoRecord is what the server says of a token, the token first. Names are the
// server's too: those that are none for a shell are left out.
func wazoRecord(says *token.Object) record {
	raw, _ := says.String("token")
	r := record{{"token", raw}}
	for _, name := range says.Names() {
		odd := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != ""
		if text, isText := says.String(name); odd || name == "token" {
			continue
		} else if isText {
			r = append(r, field{name, text})
			continue
		}
		value, _ := says.Raw(name)
		var line bytes.Buffer
		if json.Compact(&line, value) == nil {
			r = append(r, field{name, rawJSON(token.Printable(line.String()))})
		}
	}
	return r
}

// tellData tells what the server says of an opaque token, where somebody is told and
// the server says it. The tokens in it are left out.
func (a *app) tellData(ctx context.Context, service *client.Client, raw string) {
	if a.dialect() != "wazo" || a.level() < levelStory && a.log == nil {
		return
	}
	says, err := service.Check(ctx, token.NewSecret(raw))
	if err != nil {
		a.say(levelStory, "the server does not say what it is: %s", safe(err.Error()))
		return
	}
	if text, err := single(wazoRecord(says)).json(); err == nil {
		a.say(levelStory, "token data: %s", token.Printable(strings.TrimSuffix(text, "\n")))
	}
}

// backends looks whether the server speaks the dialect, and has the backend that is
// configured.
func (d *doctor) backends(ctx context.Context, service *client.Client) {
	if !d.speaks(ctx, service) {
		return
	}
	names, err := service.Backends(ctx)
	backend := d.profile.Value("backend")
	switch {
	case errors.Is(err, token.ErrUnsupported):
		d.warnOf("backends", "", "the server does not say which it has")
	case err != nil:
		d.fail("backends", err)
	case !backend.IsZero() && !slices.Contains(names, backend.Reveal()):
		d.fail("backends", &configError{problem: fmt.Sprintf("%s, from %s, is none of the server's: %s", backend.Reveal(), backend.Source(), strings.Join(names, ", "))})
	default:
		d.ok("backends", "%s", strings.Join(names, ", "))
	}
}

// markSaved marks the refresh token of the saved login, where it is that which asks.
func (a *app) markSaved(logins []token.Login) {
	if a.dialect() != "wazo" || a.saved.err != nil || !a.profile.Value("token").IsZero() || a.typedCredentials() {
		return
	}
	for i := range logins {
		logins[i].Current = logins[i].ID == a.saved.login.ClientID
	}
}

// mark is how a person sees what is current.
func mark(current bool) string {
	if current {
		return "*"
	}
	return ""
}

// refreshTokenRow is what a person knows a refresh token by.
func (a *app) refreshTokenRow(l token.Login) record {
	return record{
		{"id", l.ID},
		{"current", mark(l.Current)},
		{"mobile", slices.Contains(l.Labels, "mobile")},
		{"created", a.age(l.CreatedAt)},
	}
}
