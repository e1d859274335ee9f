package awx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/ats-auth/ats-auth/internal/dialect"
	"github.com/ats-auth/ats-auth/pkg/token"
)

func TestAListIsWalkedToItsEndAndNowhereElse(t *testing.T) {
	page := func(next string) dialect.Reply {
		return reply(200, `{"count":9,"next":`+next+`,"previous":null,"results":[`+personalToken+`,`+applicationToken+`]}`)
	}
	first := "GET /api/v2/tokens/?page_size=200"
	second := "GET /api/v2/tokens/?page=2&page_size=200"
	for name, c := range map[string]struct {
		answers map[string]dialect.Reply
		kind    error
		rows    int
		asked   int
	}{
		"one page":            {map[string]dialect.Reply{first: page("null")}, nil, 2, 1},
		"two pages":           {map[string]dialect.Reply{first: page(`"/api/v2/tokens/?page=2&page_size=200"`), second: page("null")}, nil, 4, 2},
		"a link of elsewhere": {map[string]dialect.Reply{first: page(`"https://evil.example.org/steal/?page=2&page_size=200"`), second: page("null")}, nil, 4, 2},
		"a loop":              {map[string]dialect.Reply{first: page(`"/api/v2/tokens/?page=2&page_size=200"`), second: page(`"?page_size=200"`)}, token.ErrUnavailable, 0, 2},
		"a link to nowhere":   {map[string]dialect.Reply{first: page(`"/api/v2/tokens/"`)}, token.ErrUnavailable, 0, 1},
		"a link that is none": {map[string]dialect.Reply{first: page(`"%zz"`)}, token.ErrUnavailable, 0, 1},
		"an empty page":       {map[string]dialect.Reply{first: reply(200, `{"count":9,"next":"?page=2","results":[]}`)}, token.ErrUnavailable, 0, 1},
		"a full page":         {map[string]dialect.Reply{first: reply(200, `{"count":200,"next":null,"results":[`+rowsOf(PageMost)+`]}`)}, nil, PageMost, 1},
		"more than asked for": {map[string]dialect.Reply{first: reply(200, `{"count":201,"next":null,"results":[`+rowsOf(PageMost+1)+`]}`)}, token.ErrUnavailable, 0, 1},
		"no page":             {map[string]dialect.Reply{first: reply(200, `{}`)}, token.ErrUnavailable, 0, 1},
		"no rows":             {map[string]dialect.Reply{first: reply(200, `{"count":0,"next":null,"results":[]}`)}, nil, 0, 1},
		"a row without an id": {map[string]dialect.Reply{first: reply(200, `{"count":1,"next":null,"results":[{}]}`)}, token.ErrUnavailable, 0, 1},
		"a row that is none":  {map[string]dialect.Reply{first: reply(200, `{"count":1,"next":null,"results":[[]]}`)}, token.ErrUnavailable, 0, 1},
	} {
		client, s := talk(t, Config{}, c.answers)
		list, err := client.List(t.Context(), token.NewSecret("T"))
		if !errors.Is(err, c.kind) || err == nil && len(list) != c.rows || len(s.sent) != c.asked {
			t.Errorf("%s: %d rows, %d asked: %v", name, len(list), len(s.sent), err)
		}
		for _, m := range s.sent {
			if !strings.HasPrefix(m.Path, "/api/v2/tokens/?") {
				t.Errorf("%s: it asks %s", name, m.Path)
			}
		}
	}
	if maxRows/PageMost >= maxPages {
		t.Error("full pages are not bounded by their rows")
	}
	pages := 0
	long := NewClient(Config{Exchange: func(context.Context, dialect.Message) (dialect.Reply, error) {
		pages++
		return reply(200, fmt.Sprintf(`{"next":"?page=%d","results":[%s]}`, pages+1, rowsOf(PageMost))), nil
	}})
	if _, err := long.List(t.Context(), token.NewSecret("T")); !errors.Is(err, token.ErrUnavailable) || pages != maxRows/PageMost+1 {
		t.Errorf("without end: %v after %d full pages", err, pages)
	}
	rows := 0
	endless := NewClient(Config{Exchange: func(context.Context, dialect.Message) (dialect.Reply, error) {
		rows++
		return reply(200, fmt.Sprintf(`{"next":"?page=%d","results":[%s]}`, rows+1, personalToken)), nil
	}})
	if _, err := endless.List(t.Context(), token.NewSecret("T")); !errors.Is(err, token.ErrUnavailable) || rows != maxPages {
		t.Errorf("without end: %v after %d", err, rows)
	}
}

// rowsOf is so many rows of a list of tokens.
func rowsOf(n int) string { return strings.Repeat(`{"id":4},`, n-1) + `{"id":4}` }

func TestATokenIsToldInOurWords(t *testing.T) {
	client, s := talk(t, Config{}, map[string]dialect.Reply{
		"GET /api/v2/tokens/4/": reply(200, personalToken), "PATCH /api/v2/tokens/5/": reply(200, applicationToken), "GET /api/v2/tokens/6/": reply(200, personalToken),
		"GET /api/v2/tokens/7/": reply(404, `{"detail":"Not found."}`),
	})
	got, err := client.GetLogin(t.Context(), token.NewSecret("T"), "4")
	if err != nil || got.ID != "4" || got.User != "bob" || got.Name != "ats-auth CLI" || got.Client != "" || got.Scope != "write" || got.ExpiresAt.Year() != 3017 || got.CreatedAt.Unix() != 1522440742 {
		t.Errorf("%+v, %v", got, err)
	}
	scope, text := "read", "App Token Test"
	got, err = client.EditLogin(t.Context(), token.NewSecret("T"), "5", token.LoginChange{Scope: &scope, Description: &text})
	if sent := line(s.sent[1]); err != nil || got.Client != "Default application" || sent != `PATCH /api/v2/tokens/5/ Bearer T {"description":"App Token Test","scope":"read"}` {
		t.Errorf("%+v, %v, sent %s", got, err, sent)
	}
	if _, err := client.GetLogin(t.Context(), token.NewSecret("T"), "6"); !errors.Is(err, token.ErrUnavailable) {
		t.Errorf("another token: %v", err)
	}
	asked := len(s.sent)
	for _, id := range []string{"7", "0", "-1", "x", "4/../5", ""} {
		if _, err := client.GetLogin(t.Context(), token.NewSecret("T"), id); !errors.Is(err, token.ErrUnknown) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if len(s.sent) != asked+1 {
		t.Errorf("it asked for what is no id: %d", len(s.sent)-asked)
	}
}

func TestAnApplicationShowsItsSecretAtItsCreationAlone(t *testing.T) {
	client, s := talk(t, Config{Actor: bob()}, map[string]dialect.Reply{
		"GET /api/v2/organizations/?name=Default&page_size=200": reply(200, `{"count":2,"next":null,"results":[{"id":3,"name":"default"},{"id":1,"name":"Default"}]}`),
		"POST /api/v2/applications/":                            reply(201, anApplication),
		"GET /api/v2/applications/1/":                           reply(200, anApplication),
		"GET /api/v2/applications/":                             reply(200, `{"count":1,"next":null,"results":[`+anApplication+`]}`),
		"DELETE /api/v2/applications/1/":                        reply(204, ``),
	})
	made, err := client.CreateApplication(t.Context(), token.Secret{}, &token.Application{Name: "My Application", Organization: "Default", ClientType: "confidential", Grant: "password"})
	if err != nil || made.ID != "1" || made.ClientID != "Ecmc6RjjhKUOWJzDYEP8TZ35P3dvsKt0AKdIjgHV" || len(made.ClientSecret.Reveal()) != 128 || made.Organization != "Default" {
		t.Fatalf("%+v, %v", made, err)
	}
	want := `POST /api/v2/applications/ Basic Ym9iOlBhNTUtb2YtYm9i {"name":"My Application","description":"","client_type":"confidential","redirect_uris":"","authorization_grant_type":"password","skip_authorization":false,"organization":1}`
	if got := line(s.sent[1]); got != want {
		t.Errorf("sent %s", got)
	}
	shown, err := client.GetApplication(t.Context(), token.Secret{}, "1")
	if err != nil || !shown.ClientSecret.IsZero() || shown.Grant != "password" {
		t.Errorf("%+v, %v", shown, err)
	}
	list, err := client.ListApplications(t.Context(), token.Secret{})
	if err != nil || len(list) != 1 || !list[0].ClientSecret.IsZero() {
		t.Errorf("%+v, %v", list, err)
	}
	if err := client.DeleteApplication(t.Context(), token.Secret{}, "1"); err != nil {
		t.Error(err)
	}
	if _, err := client.CreateApplication(t.Context(), token.Secret{}, &token.Application{Organization: "None"}); err == nil {
		t.Error("an organization that there is not")
	}
}

// FuzzAnswers has a service say anything at all to everything.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		personalToken, applicationToken, grantAnswer, noCredentials, anApplication, `{"error":"invalid_grant"}`, `{"scope":["No."]}`, `<html>`, ``,
		`{"count":1,"next":"?page=2","results":[` + personalToken + `]}`, `{"count":1,"next":null,"results":[` + anApplication + `]}`, `{"detail":"` + password + `"}`,
	} {
		for _, status := range []int{200, 201, 301, 400, 401, 403, 404, 500} {
			f.Add(status, body)
		}
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		asked := 0
		say := func(context.Context, dialect.Message) (dialect.Reply, error) {
			asked++
			return reply(status, body), nil
		}
		for _, c := range []*Client{
			NewClient(Config{Exchange: say, Actor: bob()}),
			NewClient(Config{Exchange: say, ClientID: "app", ClientSecret: token.NewSecret("app-secret-0123456789")}),
		} {
			for name, err := range everything(t, c) {
				if err == nil {
					continue
				}
				var refusal *token.Refusal
				if text := err.Error(); name == "login" && strings.Contains(text, password) || strings.Contains(text, "app-secret") || strings.Contains(text, "token-of-bob") || len(text) > 500 ||
					strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%s: %q", name, text)
				}
				if !errors.As(err, &refusal) && !errors.Is(err, token.ErrCredentials) && !errors.Is(err, token.ErrExpired) || errors.Is(err, errGrant) {
					t.Errorf("%s: %v is no refusal", name, err)
				}
			}
		}
		if asked > 100 {
			t.Errorf("it asked %d times", asked)
		}
	})
}

// everything calls all verbs, and looks at what they give.
func everything(t *testing.T, c *Client) map[string]error {
	t.Helper()
	ctx, bearer := t.Context(), token.NewSecret("token-of-bob-0123456789")
	errs := make(map[string]error)
	set, err := c.Login(ctx, bob(), token.Request{})
	if errs["login"] = err; err == nil && (!visible(set.AccessToken.Reveal()) || set.ExpiresIn < 0 || set.ExpiresIn > 0 && set.ExpiresAt.IsZero()) {
		t.Errorf("login: %+v", set)
	}
	_, errs["refresh"] = c.Refresh(ctx, bearer, token.Request{})
	_, errs["check"] = c.Check(ctx, bearer)
	errs["revoke"] = c.Revoke(ctx, bearer)
	list, err := c.List(ctx, bearer)
	errs["list"] = err
	one, err := c.GetLogin(ctx, bearer, "4")
	errs["get"] = err
	for _, l := range append(list, one) {
		if text, _ := json.Marshal([]string{l.ID, l.User, l.Client, l.Name, l.Scope}); strings.ContainsFunc(string(text), unicode.IsControl) {
			t.Errorf("a login: %s", text)
		}
	}
	errs["end"] = c.EndLogin(ctx, bearer, "4")
	_, errs["applications"] = c.ListApplications(ctx, bearer)
	_, errs["application"] = c.GetApplication(ctx, bearer, "1")
	_, errs["create"] = c.CreateApplication(ctx, bearer, &token.Application{Name: "x", Organization: "Default"})
	return errs
}
