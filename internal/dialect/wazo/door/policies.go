package door

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/wazo"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// policy is one on the wire.
type policy struct {
	UUID        string   `json:"uuid"`
	Name        string   `json:"name"`
	Description *string  `json:"description"` // null: there is none
	Templates   []string `json:"acl_templates"`
}

func wirePolicy(p store.Policy) policy {
	w := policy{UUID: p.UUID, Name: p.Name, Templates: append([]string{}, p.Templates...)}
	if p.Description != "" {
		w.Description = &p.Description
	}
	return w
}

// policies lists those of the tenant.
func (h *Handler) policies(c *call) error {
	q, err := readQuery(c, "name", "description", "uuid")
	if err != nil {
		return err
	}
	all, err := h.Core.Policies(c.Context(), h.Door.Tenant)
	if err != nil {
		return err
	}
	page := wazo.Page[policy]{Total: len(all), Items: []policy{}}
	all = slices.DeleteFunc(all, func(p store.Policy) bool { return !holds(p.Name, q.search) && !holds(p.Description, q.search) })
	page.Filtered = len(all)
	slices.SortFunc(all, q.comparePolicies)
	for _, p := range part(q, all) {
		page.Items = append(page.Items, wirePolicy(p))
	}
	h.reply(c, http.StatusOK, page)
	return nil
}

// holds reports whether a text holds another, whatever their case.
func holds(text, search string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(search))
}

func (q query) comparePolicies(a, b store.Policy) int {
	if q.descending {
		a, b = b, a
	}
	switch q.order {
	case "description":
		return cmp.Or(strings.Compare(a.Description, b.Description), strings.Compare(a.Name, b.Name))
	case "uuid":
		return strings.Compare(a.UUID, b.UUID)
	}
	return strings.Compare(a.Name, b.Name)
}

// policy tells of one.
func (h *Handler) policy(c *call) error {
	p, err := h.Core.Policy(c.Context(), h.Door.Tenant, c.ids[0])
	if err != nil {
		return err
	}
	h.reply(c, http.StatusOK, wirePolicy(p))
	return nil
}

// readPolicy reads what a policy is to be. The core bounds what it says.
func readPolicy(c *call) (store.Policy, error) {
	b, err := readBody(c)
	if err != nil {
		return store.Policy{}, err
	}
	p := store.Policy{Name: b.text("name", maxText), Description: b.text("description", maxDescription), Templates: b.texts("acl_templates")}
	if p.Name == "" {
		b.fail("name", "want 1 to 80 characters")
	}
	return p, b.wrong
}

// maxDescription is more than the core takes: it says how much that is.
const maxDescription = 1 << 16

// mayChange tells whether who asks may make one policy of another: what it gives
// besides, the caller must be able to give, and what it denies no more, the caller
// must have. Another name is another policy to whoever has it by its name.
func mayChange(by *issuer.Pass, was, will store.Policy) error {
	added, removed := will.Templates, was.Templates
	if was.Name == will.Name {
		added, removed = without(added, removed), without(removed, added)
	}
	for _, t := range added {
		if !by.Gives(t) {
			return errDenied(t)
		}
	}
	for _, t := range removed {
		if !by.Lifts(t) {
			return errDenied(t)
		}
	}
	return nil
}

// without is a list without what is in another.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(t string) bool { return slices.Contains(other, t) })
}

func (h *Handler) addPolicy(c *call) error {
	p, err := readPolicy(c)
	if err != nil {
		return err
	}
	if err := issuer.CheckPolicy(p); err != nil {
		return err
	}
	if err := mayChange(c.pass, store.Policy{}, p); err != nil {
		return err
	}
	p.Tenant = h.Door.Tenant
	if p, err = h.Core.AddPolicy(c.Context(), p); err != nil {
		return err
	}
	h.reply(c, http.StatusOK, wirePolicy(p))
	return nil
}

// attempts is how often a change is begun anew that another one came before.
const attempts = 10

// anew reads a policy and does something about it, again when another change came
// before.
func (h *Handler) anew(c *call, do func(was store.Policy) error) error {
	for range attempts {
		was, err := h.Core.Policy(c.Context(), h.Door.Tenant, c.ids[0])
		if err != nil {
			return err
		}
		if err = do(was); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return store.ErrConflict
}

// edit changes a policy.
func (h *Handler) edit(c *call, change func(*store.Policy) error) (will store.Policy, err error) {
	err = h.anew(c, func(was store.Policy) error {
		will = was
		if err := change(&will); err != nil {
			return err
		}
		if err := issuer.CheckPolicy(will); err != nil {
			return err
		}
		if err := mayChange(c.pass, was, will); err != nil {
			return err
		}
		return h.Core.ChangePolicy(c.Context(), will)
	})
	return will, err
}

func (h *Handler) changePolicy(c *call) error {
	wanted, err := readPolicy(c)
	if err != nil {
		return err
	}
	p, err := h.edit(c, func(p *store.Policy) error {
		p.Name, p.Description, p.Templates = wanted.Name, wanted.Description, wanted.Templates
		return nil
	})
	if err != nil {
		return err
	}
	h.reply(c, http.StatusOK, wirePolicy(p))
	return nil
}

func (h *Handler) deletePolicy(c *call) error {
	err := h.anew(c, func(was store.Policy) error {
		if err := mayChange(c.pass, was, store.Policy{}); err != nil {
			return err
		}
		return h.Core.DeletePolicy(c.Context(), was.Tenant, was.UUID, was.UpdatedAt)
	})
	if err == nil {
		h.done(c.w)
	}
	return err
}

// addTemplate adds a template, if the policy does not have it.
func (h *Handler) addTemplate(c *call) error {
	return h.editTemplates(c, func(list []string, t string) ([]string, error) {
		if slices.Contains(list, t) {
			return list, nil
		}
		return append(slices.Clone(list), t), nil
	})
}

func (h *Handler) deleteTemplate(c *call) error {
	return h.editTemplates(c, func(list []string, t string) ([]string, error) {
		if !slices.Contains(list, t) {
			return nil, errNoTemplate
		}
		return without(list, []string{t}), nil
	})
}

func (h *Handler) editTemplates(c *call, change func(list []string, template string) ([]string, error)) error {
	_, err := h.edit(c, func(p *store.Policy) (err error) {
		p.Templates, err = change(p.Templates, c.ids[1])
		return err
	})
	if err == nil {
		h.done(c.w)
	}
	return err
}
