package door_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// browser is a person's browser without scripts: it keeps cookies, follows
// redirects within the service, and sends the forms that it finds on the pages.
type browser struct {
	testing.TB
	http   *http.Client
	status int
	at     *url.URL   // where it is; a foreign address is not visited
	page   *html.Node // nil at a foreign address
}

// newBrowser makes one that trusts the service's certificate.
func newBrowser(t testing.TB, transport http.RoundTripper, home *url.URL) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{TB: t, http: &http.Client{
		Transport: transport, Jar: jar,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case r.URL.Host != home.Host:
				return http.ErrUseLastResponse
			case len(via) > 5:
				return errors.New("redirects without end")
			}
			return nil
		},
	}}
}

// open goes to an address.
func (b *browser) open(address string) *browser {
	b.Helper()
	return b.visit(http.MethodGet, address, nil)
}

func (b *browser) visit(method, address string, form url.Values) *browser {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := b.http.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	b.status, b.at, b.page = res.StatusCode, res.Request.URL, nil
	if res.StatusCode == http.StatusSeeOther {
		if b.at, err = res.Location(); err != nil {
			b.Fatal(err)
		}
		return b
	}
	if b.page, err = html.Parse(res.Body); err != nil {
		b.Fatal(err)
	}
	return b
}

// send fills in a form of the page and sends it. It is the one whose action has
// that path.
func (b *browser) send(path string, typed map[string]string) *browser {
	b.Helper()
	form := b.form(path)
	values := url.Values{}
	for n := range form.Descendants() {
		if n.Data == "input" {
			values.Set(attribute(n, "name"), attribute(n, "value"))
		}
	}
	for name, value := range typed {
		values.Set(name, value)
	}
	action, err := b.at.Parse(attribute(form, "action"))
	if err != nil {
		b.Fatal(err)
	}
	return b.visit(http.MethodPost, action.String(), values)
}

func (b *browser) form(path string) *html.Node {
	b.Helper()
	if b.page == nil {
		b.Fatalf("at %s, which is no page of the service", b.at)
	}
	for n := range b.page.Descendants() {
		if n.Data != "form" {
			continue
		}
		if action, err := url.Parse(attribute(n, "action")); err == nil && action.Path == path {
			return n
		}
	}
	b.Fatalf("%s (%d) has no form for %s: %s", b.at, b.status, path, b.text())
	return nil
}

// text is what a person reads.
func (b *browser) text() string {
	var words []string
	for n := range b.page.Descendants() {
		if n.Type == html.TextNode {
			words = append(words, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// logIn fills in the login page that is shown.
func (b *browser) logIn(name, password string) *browser {
	b.Helper()
	return b.send("/login", map[string]string{"username": name, "password": password})
}

// decide answers the consent that is shown, and returns the parameters with
// which the browser came back to the application.
func (b *browser) decide(decision string) url.Values {
	b.Helper()
	b.send("/oauth2/authorize", map[string]string{"decision": decision})
	if b.page != nil {
		b.Fatalf("still at %s (%d): %s", b.at, b.status, b.text())
	}
	return b.at.Query()
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
