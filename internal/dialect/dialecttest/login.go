package dialecttest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/token"
)

func loginChecks() []check {
	return []check{
		{"credentials arrive byte for byte", credentialsArrive},
		{"credentials that are no text arrive unchanged or are refused", rawBytesArriveOrAreRefused},
		{"what is wished for arrives, or is unsupported", wishesArrive},
		{"where a request came from arrives", sourceArrives},
		{"the set comes back whole", setComesBack},
		{"without a refresh token there is none", noRefreshToken},
	}
}

// oddTexts are what people have chosen as names and passwords.
func oddTexts() []string {
	return []string{
		"marco", "márcô", "Ⓜ️arco 馬可 🦊", "e\u0301 is not é", `"quoted"`, `back\slash`, "it's; $(so) `too` %41 %zz",
		" spaces around ", "  ", "a:b@c/d?e=f&g=h#i+j", "<b>&amp;</b>", "tab\there", "line\nline\r\n", "\u2028\u202e\ufeff",
		"\x01\x7f", "Bearer", "null", "true", "{}", strings.Repeat("ü", 500), strings.Repeat("x", 1000),
	}
}

func credentialsArrive(t *testing.T, w *world) {
	w.authority.set = token.Set{AccessToken: token.NewSecret("t"), TokenType: "Bearer"}
	for _, odd := range oddTexts() {
		for _, who := range []token.Credentials{
			{Username: odd, Password: token.NewPassword("simple")},
			{Username: "marco", Password: token.NewPassword(odd)},
			{Username: odd, Password: token.NewPassword(odd)},
		} {
			w.wantLogin(t, who)
		}
	}
	w.wantLogin(t, token.Credentials{Username: "marco", Password: token.NewPassword("")})
	w.wantLogin(t, token.Credentials{Username: "", Password: token.NewPassword("")})
}

func (w *world) wantLogin(t *testing.T, who token.Credentials) {
	t.Helper()
	if _, err := w.client.Login(t.Context(), who, token.Request{}); err != nil {
		t.Errorf("login as %q: %v", who.Username, err)
	}
	w.authority.wantAsked(t, "Login")
	if got := w.authority.who; got.Username != who.Username || got.Password.Reveal() != who.Password.Reveal() {
		t.Errorf("%q with %q arrived as %q with %q", who.Username, who.Password.Reveal(), got.Username, got.Password.Reveal())
	}
	if text := fmt.Sprint(w.authority.who.Password); text != "" && text != "<redacted>" {
		t.Errorf("the password arrived as a secret that prints %s", text)
	}
}

func rawBytesArriveOrAreRefused(t *testing.T, w *world) {
	w.authority.set = token.Set{AccessToken: token.NewSecret("t")}
	for _, who := range []token.Credentials{
		{Username: "marc\xf4", Password: token.NewPassword("simple")}, {Username: "marco", Password: token.NewPassword("\xff\xfe")},
	} {
		_, err := w.client.Login(t.Context(), who, token.Request{})
		if errors.Is(err, token.ErrUnsupported) {
			if strings.Contains(err.Error(), who.Password.Reveal()) {
				t.Errorf("the error shows the password: %v", err)
			}
			continue
		}
		if got := w.authority.who; err != nil || got.Username != who.Username || got.Password.Reveal() != who.Password.Reveal() {
			t.Errorf("%q arrived as %q, %v", who.Username, got.Username, err)
		}
	}
}

func wishesArrive(t *testing.T, w *world) {
	w.authority.set = wholeSet()
	for _, wish := range []struct {
		want   token.Request
		cannot bool
	}{
		{token.Request{}, false},
		{token.Request{Refresh: true}, w.Cannot.LoginRefresh},
		{token.Request{TTL: 60}, w.Cannot.LoginTTL},
		{token.Request{TTL: 31536000000}, w.Cannot.LoginTTL},
		{token.Request{Refresh: true, RefreshTTL: 86400}, w.Cannot.LoginRefresh || w.Cannot.RefreshTTL},
		{token.Request{Scope: "read write:a"}, w.Cannot.LoginScope},
	} {
		w.authority.want = token.Request{}
		_, err := w.client.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, wish.want)
		if wish.cannot {
			w.wantUnsupported(t, err)
			continue
		}
		got := w.authority.want
		got.Source = ""
		w.authority.wantAsked(t, "Login")
		if err != nil || !reflect.DeepEqual(got, wish.want) {
			t.Errorf("%+v arrived as %+v, %v", wish.want, got, err)
		}
	}
}

func sourceArrives(t *testing.T, w *world) {
	w.authority.set = wholeSet()
	if _, err := w.client.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, token.Request{}); err != nil {
		t.Error(err)
	}
	if got := w.authority.want.Source; got != source {
		t.Errorf("a login came from %q, want %q", got, source)
	}
}

// wholeSet has every member, times with their microseconds.
func wholeSet() token.Set {
	return token.Set{
		AccessToken: token.NewSecret("eyJ.access-_.of~the.server"), RefreshToken: token.NewSecret("ats_rt_of-the-server"),
		TokenType: "Bearer", Scope: "read write:a", ExpiresAt: time.UnixMicro(1446568241016732), ExpiresIn: 3600,
	}
}

func setComesBack(t *testing.T, w *world) {
	w.authority.set = wholeSet()
	got, err := w.client.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, token.Request{Refresh: !w.Cannot.LoginRefresh})
	if err != nil {
		t.Fatal(err)
	}
	w.wantSet(t, got)
}

func (w *world) wantSet(t *testing.T, got token.Set) {
	t.Helper()
	want := w.authority.set
	if got.AccessToken.Reveal() != want.AccessToken.Reveal() || got.TokenType != want.TokenType {
		t.Errorf("%q of type %q, want %q of type %q", got.AccessToken.Reveal(), got.TokenType, want.AccessToken.Reveal(), want.TokenType)
	}
	if !w.Cannot.LoginRefresh && got.RefreshToken.Reveal() != want.RefreshToken.Reveal() {
		t.Errorf("refresh token %q, want %q", got.RefreshToken.Reveal(), want.RefreshToken.Reveal())
	}
	if !w.Cannot.AnswerExpiry && (!got.ExpiresAt.Equal(want.ExpiresAt) || got.ExpiresIn != want.ExpiresIn) {
		t.Errorf("ends at %v in %d s, want %v in %d s", got.ExpiresAt, got.ExpiresIn, want.ExpiresAt, want.ExpiresIn)
	}
	if !w.Cannot.AnswerScope && got.Scope != want.Scope {
		t.Errorf("scope %q, want %q", got.Scope, want.Scope)
	}
}

func noRefreshToken(t *testing.T, w *world) {
	w.authority.set = wholeSet()
	w.authority.set.RefreshToken = token.Secret{}
	got, err := w.client.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, token.Request{})
	if err != nil || !got.RefreshToken.IsZero() {
		t.Errorf("refresh token %q, %v", got.RefreshToken.Reveal(), err)
	}
	if w.Cannot.LoginRefresh {
		return
	}
	_, err = w.client.Login(t.Context(), token.Credentials{Username: "marco", Password: password()}, token.Request{Refresh: true})
	if !errors.Is(err, token.ErrUnsupported) {
		t.Errorf("a refresh token was asked for and none came: %v, want ErrUnsupported", err)
	}
}
