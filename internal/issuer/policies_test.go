package issuer_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// passOf is what a fresh token of a user allows, whose record has a list as it may be
// from before lists were checked.
func (w *opaqueWorld) passOf(name string, list ...string) *issuer.Pass {
	w.Helper()
	u := store.User{Tenant: store.DefaultTenant, Name: name, ACL: list, CreatedAt: w.wazo.Tick()}
	u.UpdatedAt = u.CreatedAt
	w.do(w.hook.Store.Apply(w.Context(), store.CreateUser{User: u}))
	w.bob = w.user(name)
	p, err := w.wazo.Check(w.Context(), w.opaque(issuer.OpaqueOrder{}).Access.Reveal())
	w.do(err)
	return p
}

func TestADenialOfWhoeverLogsInHoldsWhateverTheName(t *testing.T) {
	for name, words := range map[string][]string{
		"bobby":      {"bobby"},
		"john.doe":   {"john_doe"},
		"me":         {"me", "anybody"},
		"edit":       {"edit", "update", "anybody"},
		"my.session": {"my_session", "anybody"},
		"a*":         {"a*", "ab", "anybody"},
		"!a b":       {"a", "anybody"},
	} {
		p := newOpaque(t, newWorld(t)).passOf(name, "confd.#", "!confd.users.{{ username }}.delete\nagentd.{{ username }}")
		for _, word := range words {
			if p.Allows("confd.users." + word + ".delete") {
				t.Errorf("%s may confd.users.%s.delete", name, word)
			}
		}
		if !p.Allows("confd.users." + words[0] + ".read") {
			t.Errorf("%s lost what is not denied", name)
		}
		if given := p.Allows("agentd." + words[0]); given != (len(words) == 1) {
			t.Errorf("%s: agentd.%s allowed: %v", name, words[0], given)
		}
	}
}

func TestAListIsRefusedForEachLineThatCouldNotStandInOne(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	old, err := w.issuer.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "old"})
	w.do(err)
	long := strings.Repeat("a", 1025)
	for template, want := range map[string]string{
		"! x":                         `access string "! x" holds white space`,
		"a.b\n!a, !b":                 `access string "!a, !b" holds white space`,
		"!":                           `access string "!" denies nothing`,
		"!" + strings.Repeat("*", 33): `holds more than 32 wildcards`,
		"a\n" + long:                  `has 1025 bytes, more than 1024`,
		"a {{ uuid }}":                `access string "a {{ uuid }}" holds white space`,
		strings.Repeat("a", 1000) + ".{{ uuid }}":   `has 1037 bytes, more than 1024`,
		"!" + strings.Repeat("{{ username }}.", 33): `holds more than 32 wildcards`,
		"! x\n{% if a %}":                           `access string "! x" holds white space`,
	} {
		_, added := w.issuer.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "p", Templates: []string{"fine", template}})
		changed := old
		changed.Templates = []string{template}
		for what, err := range map[string]error{
			"AddPolicy":    added,
			"ChangePolicy": w.issuer.ChangePolicy(t.Context(), changed),
			"SetRights":    w.issuer.SetRights(t.Context(), store.DefaultTenant, "bob", []string{template}, nil),
			"AddUser":      w.issuer.AddUser(t.Context(), store.User{Tenant: store.DefaultTenant, Name: "eve", ACL: []string{template}}, token.NewPassword(pass)),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %.40q: %v, want %s", what, template, err, want)
			}
			if strings.HasSuffix(what, "Policy") && !errors.Is(err, issuer.ErrValue) {
				t.Errorf("%s of %.40q: %v", what, template, err)
			}
		}
		if faults := issuer.DroppedTemplates([]string{"fine", template}); !strings.Contains(strings.Join(faults, "\n"), " gives nothing: it ") {
			t.Errorf("%.40q: %q", template, faults)
		}
	}
	for _, template := range []string{"!confd.{{ username }}.#", " a.b \n\n!c", "{{ voicemail }}", "{% if a %}"} {
		w.do(w.issuer.SetRights(t.Context(), store.DefaultTenant, "bob", []string{template}, nil))
	}
}

// logged is what a log was told when a user with a list logged in.
func logged(t *testing.T, list ...string) (p *issuer.Pass, log string) {
	t.Helper()
	var text strings.Builder
	w := newOpaque(t, newWorld(t, func(c *issuer.Config, _ *issuer.DoorConfig) { c.Log = slog.New(slog.NewTextHandler(&text, nil)) }))
	return w.passOf("eve", list...), text.String()
}

func TestWhatALoginDropsOrLeavesOutIsLogged(t *testing.T) {
	numbered := func(format string, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return list
	}
	for what, c := range map[string]struct {
		list  []string
		wants string
		allow bool
	}{
		"nothing":       {[]string{"a", "!b"}, "", true},
		"a bad denial":  {[]string{"a", "! x"}, `level=WARN msg="a template of access strings allows nothing" template="! x" user=eve`, true},
		"no variable":   {[]string{"a", "!{{ x }}.y"}, `level=WARN msg="a template of access strings allows nothing" template="!{{ x }}.y" user=eve`, true},
		"what allows":   {append([]string{"a"}, numbered("b%d", 1000)...), "level=WARN msg=\"a user's access strings are more than a list can hold: the last that allow are left out\" user=eve backend=local left_out=1", true},
		"all":           {append([]string{"a"}, numbered("!b%d", 1001)...), `level=ERROR msg="a user is denied more than a list can hold, and allowed nothing" user=eve backend=local left_out=1002`, false},
		"all, by bytes": {append([]string{"a"}, numbered("!%03d"+strings.Repeat("b", 1000), 66)...), "level=ERROR", false},
	} {
		p, log := logged(t, c.list...)
		if (c.wants == "") != (log == "") || !strings.Contains(log, c.wants) {
			t.Errorf("%s: log %q, want %q", what, log, c.wants)
		}
		if p.Allows("a") != c.allow {
			t.Errorf("%s: a is allowed: %v", what, !c.allow)
		}
	}
}

func TestATemplateIsGivenByThoseAloneWhoHaveAllThatItCouldMake(t *testing.T) {
	p := newOpaque(t, newWorld(t)).passOf("clerk", "auth.users.m*.read", "x.ed*", "confd.users.*.read", "lines.#")
	for template, want := range map[string]bool{
		"confd.users.{{ username }}.read": true, "lines.{{ username }}": true, "lines.m{{ username }}": true,
		"secret." + strings.Repeat("{{username}}", 40): false, "secret." + strings.Repeat("{{username}}.", 78): false,
		"x.ed{{username}}": false, "auth.users.m{{username}}.read": false, "confd.users.m{{username}}.read": false,
		"lines.{{ voicemail }}": false, "lines.x\n!anything.{{ uuid }}": true, "lines.x\nother": false,
	} {
		if p.Gives(template) != want {
			t.Errorf("gives %.60q: %v", template, !want)
		}
	}
	for template, want := range map[string]bool{
		"anything": true, "!lines.{{ username }}.x": true, "!lines.m{{ username }}": true, "!confd.users.{{ username }}.read": true,
		"!secret." + strings.Repeat("{{username}}", 40): false, "!x.ed{{username}}": false, "!other": false,
		"{% if a %}\n!other": false, "{% if a %}\n!lines.x": true, "!other.{{ voicemail }}": false, strings.Repeat("\n", 1000) + "!lines.x": false,
	} {
		if p.Lifts(template) != want {
			t.Errorf("lifts %.60q: %v", template, !want)
		}
	}
}

func TestAPolicyThatHasChangedSinceItWasReadIsNotDeleted(t *testing.T) {
	w := newOpaque(t, newWorld(t))
	read, err := w.issuer.AddPolicy(t.Context(), store.Policy{Tenant: store.DefaultTenant, Name: "p"})
	w.do(err)
	changed := read
	changed.Templates = []string{"!a"}
	w.do(w.issuer.ChangePolicy(t.Context(), changed))
	if err := w.issuer.DeletePolicy(t.Context(), read.Tenant, read.UUID, read.UpdatedAt); !errors.Is(err, store.ErrConflict) {
		t.Error(err)
	}
	changed, err = w.issuer.Policy(t.Context(), read.Tenant, read.UUID)
	w.do(err)
	w.do(w.issuer.DeletePolicy(t.Context(), read.Tenant, read.UUID, changed.UpdatedAt))
}
