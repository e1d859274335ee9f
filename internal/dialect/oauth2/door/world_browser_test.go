package door_test

import (
	"crypto/sha256"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// person is somebody with a browser: it keeps cookies and fills in forms. It follows redirections only where a
// method says so, and only to the service itself.
type person struct {
	*world
	jar map[string]*http.Cookie
}

func (w *world) person() *person { return &person{world: w, jar: map[string]*http.Cookie{}} }

// withCookies sends what a browser keeps.
func (b *person) withCookies() option {
	return func(m *message) {
		for _, c := range b.jar {
			m.header.Add("Cookie", c.Name+"="+c.Value)
		}
	}
}

func (b *person) keep(a answer) answer {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Unix(1, 0)) {
			delete(b.jar, c.Name)
		} else {
			b.jar[c.Name] = c
		}
	}
	return a
}

func (b *person) get(target string, options ...option) answer {
	b.Helper()
	return b.keep(b.world.get(target, append([]option{b.withCookies()}, options...)...))
}

func (b *person) post(target string, form url.Values, options ...option) answer {
	b.Helper()
	return b.keep(b.world.post(target, form, append([]option{b.withCookies()}, options...)...))
}

// page is a form as it stands in a page.
type page struct {
	action string
	fields url.Values
}

var (
	formTag       = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)">(.*?)</form>`)
	inputTag      = regexp.MustCompile(`(?s)<input[^>]*>`)
	attributeForm = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// forms are those of a page, with what their fields hold.
func forms(a answer) []page {
	var list []page
	for _, m := range formTag.FindAllStringSubmatch(a.body, -1) {
		p := page{html.UnescapeString(m[1]), url.Values{}}
		for _, tag := range inputTag.FindAllString(m[2], -1) {
			attributes := map[string]string{}
			for _, at := range attributeForm.FindAllStringSubmatch(tag, -1) {
				attributes[at[1]] = html.UnescapeString(at[2])
			}
			p.fields.Set(attributes["name"], attributes["value"])
		}
		list = append(list, p)
	}
	return list
}

// form is the one whose action begins with a path.
func (w *world) form(a answer, action string) page {
	w.Helper()
	for _, f := range forms(a) {
		if strings.HasPrefix(f.action, w.path(action)) {
			return f
		}
	}
	w.Fatalf("no form for %s in %d %s %q", action, a.status, a.location(), a.body)
	return page{}
}

// path is one of the service's as it stands in its pages.
func (w *world) path(target string) string {
	u, err := url.Parse(w.url)
	w.do(err)
	return u.Path + target
}

// own is the target of a redirection to the service itself, behind its URL; the
// empty string: it goes elsewhere.
func (w *world) own(a answer) string {
	to, base := a.location(), w.path("/")
	if a.status/100 != 3 || !strings.HasPrefix(to, base) || strings.HasPrefix(to, "//") {
		return ""
	}
	return "/" + strings.TrimPrefix(to, base)
}

// submit sends a form of a page, with some fields filled in.
func (b *person) submit(a answer, action string, pairs ...string) answer {
	b.Helper()
	f := b.form(a, action)
	for i := 0; i+1 < len(pairs); i += 2 {
		f.fields.Set(pairs[i], pairs[i+1])
	}
	return b.post(strings.TrimPrefix(f.action, strings.TrimSuffix(b.path("/"), "/")), f.fields)
}

// login logs a user in.
func (b *person) login(user string) *person {
	b.Helper()
	a := b.submit(b.get("/login"), "/login", "username", user, "password", pass)
	if a.status != http.StatusSeeOther {
		b.Fatalf("login of %s: %d %s", user, a.status, a.body)
	}
	return b
}

// visit gets a page and follows the service's own redirections, logs marco in
// where the service asks, and allows what it asks for. It returns the first
// answer that is none of that.
func (b *person) visit(target string) answer {
	b.Helper()
	a := b.get(target)
	for range 8 {
		switch {
		case b.own(a) != "":
			a = b.get(b.own(a))
		case strings.Contains(a.body, `name="password"`):
			a = b.submit(a, "/login", "username", "marco", "password", pass)
		case strings.Contains(a.body, `name="decision"`) && strings.Contains(a.body, "/oauth2/authorize"):
			a = b.submit(a, "/oauth2/authorize", "decision", "allow")
		case strings.Contains(a.body, `name="decision"`) && strings.Contains(a.body, besidePath):
			a = b.submit(a, besidePath, "decision", "allow")
		default:
			return a
		}
	}
	b.Fatalf("%s leads in a circle: %d %s", target, a.status, a.location())
	return a
}

// codeVerifier is the code_verifier of all requests of the tests, and challengeOf it its
// code_challenge.
var codeVerifier = strings.Repeat("v", 43)

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return encode64(sum[:])
}

// authorization is a good authorization request of an application.
func authorization(app string, pairs ...string) url.Values {
	f := fields("client_id", app, "response_type", "code", "state", "st-1",
		"code_challenge", challengeOf(codeVerifier), "code_challenge_method", "S256")
	for _, a := range applications() {
		if a.ID == app && len(a.RedirectURIs) > 0 {
			f.Set("redirect_uri", a.RedirectURIs[0])
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			f.Del(pairs[i])
		} else {
			f.Set(pairs[i], pairs[i+1])
		}
	}
	return f
}

func authorizeTarget(f url.Values) string { return "/oauth2/authorize?" + f.Encode() }

// code has marco allow a request, and returns the code. A pair with an empty
// value leaves that parameter out.
func (w *world) code(app string, pairs ...string) string {
	w.Helper()
	a := w.person().visit(authorizeTarget(authorization(app, pairs...)))
	code := a.query().Get("code")
	if a.status != http.StatusSeeOther || code == "" {
		w.Fatalf("no code for %s: %d %s %s", app, a.status, a.location(), a.body)
	}
	return code
}

// trade is a good request for the token of a code.
func trade(app, code string) url.Values {
	return fields("grant_type", "authorization_code", "code", code, "redirect_uri", authorization(app).Get("redirect_uri"), "code_verifier", codeVerifier)
}

// logIn gets an application tokens for marco by a code. A pair with an empty value
// leaves that parameter out of the authorization request.
func (w *world) logIn(app string, pairs ...string) answer {
	w.Helper()
	return w.token(app, trade(app, w.code(app, pairs...)))
}

// renew trades a refresh token.
func (w *world) renew(app, refresh string, options ...option) answer {
	w.Helper()
	return w.post("/oauth2/token", fields("grant_type", "refresh_token", "refresh_token", refresh), append([]option{w.as(app)}, options...)...)
}
