package pages

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func TestAPageHasAFrame(t *testing.T) {
	everyPage(t, func(t *testing.T, v view) {
		p := read(t, answer(newPages(t, Config{}), 200, v))
		if attr(p.one("html"), "lang") != "en" || text(p.one("title")) == "" {
			t.Error("no language or no title")
		}
		p.one("header")
		p.one("main")
		headings := p.all("h1", "h2", "h3", "h4", "h5", "h6")
		if p.one("h1") != headings[0] || len(p.all("h3", "h4", "h5", "h6")) != 0 {
			t.Error("the headings are out of order")
		}
		if !slices.ContainsFunc(p.all("meta"), func(n *html.Node) bool {
			return attr(n, "name") == "viewport" && attr(n, "content") == "width=device-width, initial-scale=1"
		}) {
			t.Error("no viewport")
		}
	})
}

func TestAPageHasNoScriptNothingInlineAndNothingFromElsewhere(t *testing.T) {
	everyPage(t, func(t *testing.T, v view) {
		w := answer(newPages(t, Config{Base: "/auth"}), 200, v)
		if strings.Contains(w.Body.String(), "ZgotmplZ") {
			t.Error("a value was given up")
		}
		p := read(t, w)
		if found := p.all("script", "style", "img", "iframe", "object", "embed", "svg", "base"); len(found) != 0 {
			t.Errorf("element %s", found[0].Data)
		}
		for _, n := range p.elements {
			for _, a := range n.Attr {
				switch {
				case a.Key == "style", strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s has %s", n.Data, a.Key)
				case a.Key == "href", a.Key == "src", a.Key == "action", a.Key == "formaction":
					if a.Val != "" && (a.Val[0] != '/' || strings.HasPrefix(a.Val, "//")) {
						t.Errorf("%s leads to %s", n.Data, a.Val)
					}
				}
			}
		}
		if got := attr(p.one("link"), "href"); got != newPages(t, Config{Base: "/auth"}).StylePath() {
			t.Errorf("stylesheet %s", got)
		}
	})
}

func TestEveryInputHasALabelAndEveryButtonItsOwnName(t *testing.T) {
	everyPage(t, func(t *testing.T, v view) {
		p := read(t, answer(newPages(t, Config{}), 200, v))
		ids, labels := map[string]int{}, map[string]string{}
		for _, n := range p.elements {
			if id := attr(n, "id"); id != "" {
				ids[id]++
			}
			if n.Data == "label" {
				labels[attr(n, "for")] = text(n)
			}
		}
		for id, n := range ids {
			if n != 1 {
				t.Errorf("id %s stands there %d times", id, n)
			}
		}
		for _, n := range p.all("input") {
			if attr(n, "type") != "hidden" && labels[attr(n, "id")] == "" {
				t.Errorf("input %s has no label", attr(n, "name"))
			}
			for _, id := range strings.Fields(attr(n, "aria-describedby")) {
				if ids[id] == 0 {
					t.Errorf("input %s is described by %s, which is not there", attr(n, "name"), id)
				}
			}
		}
		names := map[string]bool{}
		for _, n := range p.all("button") {
			if name := text(n); name == "" || names[name] {
				t.Errorf("button %q has no name of its own", name)
			}
			names[text(n)] = true
		}
	})
}

func TestEveryFormPostsWithItsCSRFToken(t *testing.T) {
	everyPage(t, func(t *testing.T, v view) {
		for _, form := range read(t, answer(newPages(t, Config{}), 200, v)).all("form") {
			sent := 0
			for n := range form.Descendants() {
				if attr(n, "name") == "csrf" && attr(n, "type") == "hidden" && attr(n, "value") == v.frame().CSRF {
					sent++
				}
			}
			if sent != 1 || attr(form, "method") != "post" {
				t.Errorf("form to %s: %d tokens, method %s", attr(form, "action"), sent, attr(form, "method"))
			}
		}
	})
}

func (p page) named(name string) *html.Node {
	p.Helper()
	for _, n := range p.all("input") {
		if attr(n, "name") == name {
			return n
		}
	}
	p.Fatalf("no input %s", name)
	return nil
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func TestALoginStartsWhereThePersonIs(t *testing.T) {
	for username, want := range map[string]string{"": "username", "alice": "password"} {
		p := read(t, answer(newPages(t, Config{}), 200, Login{Username: username}))
		for _, name := range []string{"username", "password"} {
			if has(p.named(name), "autofocus") != (name == want) {
				t.Errorf("username %q: wrong focus at %s", username, name)
			}
		}
		if got := attr(p.named("username"), "autocomplete"); got != "username" {
			t.Errorf("username is completed as %q", got)
		}
		if n := p.named("password"); attr(n, "autocomplete") != "current-password" || attr(n, "type") != "password" || has(n, "value") {
			t.Errorf("password is %v", n.Attr)
		}
	}
}

func TestAProblemIsAlertedAndDescribesItsInput(t *testing.T) {
	for name, v := range map[string]view{
		"username": Login{Problem: "Wrong."}, "password": Login{Problem: "Wrong."}, "user_code": Device{Problem: "Wrong."},
	} {
		p := read(t, answer(newPages(t, Config{}), 200, v))
		if !slices.Contains(strings.Fields(attr(p.named(name), "aria-describedby")), "problem") {
			t.Errorf("%s is not described by the problem", name)
		}
		if !strings.HasPrefix(text(p.one("title")), "Problem: ") {
			t.Errorf("title %q", text(p.one("title")))
		}
		if !slices.ContainsFunc(p.all("p"), func(n *html.Node) bool {
			return attr(n, "id") == "problem" && attr(n, "role") == "alert" && text(n) == "Wrong."
		}) {
			t.Errorf("no alert before %s", name)
		}
	}
}

func TestWhatIsNotSaidIsNotShown(t *testing.T) {
	for name, v := range views() {
		p := read(t, answer(newPages(t, Config{}), 200, v))
		for _, n := range p.elements {
			if role := attr(n, "role"); role == "alert" || role == "status" {
				t.Errorf("%s: an empty %s", name, role)
			}
			if n.Data == "time" || n.Data == "a" {
				t.Errorf("%s: an empty %s", name, n.Data)
			}
		}
		if got := text(p.one("header")); got != "ats-auth" {
			t.Errorf("%s: header %q", name, got)
		}
	}
}
