package door

import (
	"net/http"

	"github.com/ats-auth/ats-auth/internal/dialect/ciphertrust"
	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/pkg/store"
)

func wireProperty(p store.Property) ciphertrust.Property {
	return ciphertrust.Property{Name: p.Name, Value: p.Value, Description: issuer.PropertyDescription(p.Name)}
}

func (h *Handler) properties(w http.ResponseWriter, r *http.Request, _ string) {
	h.withAdmin(w, r, func(caller) error {
		q, err := readQuery(r.URL.Query())
		if err != nil {
			return err
		}
		all, err := h.Core.Properties(r.Context(), h.Door.Tenant)
		if err != nil {
			return err
		}
		page := ciphertrust.Page[ciphertrust.Property]{Skip: q.skip, Limit: q.limit, Total: len(all), Resources: []ciphertrust.Property{}}
		for _, p := range all[min(q.skip, len(all)):min(q.skip+q.limit, len(all))] {
			page.Resources = append(page.Resources, wireProperty(p))
		}
		reply(w, http.StatusOK, page)
		return nil
	})
}

func (h *Handler) property(w http.ResponseWriter, r *http.Request, name string) {
	h.withAdmin(w, r, func(caller) error { return h.showProperty(w, r, name) })
}

func (h *Handler) showProperty(w http.ResponseWriter, r *http.Request, name string) error {
	p, err := h.Core.Property(r.Context(), h.Door.Tenant, name)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, wireProperty(p))
	return nil
}

// setProperty sets a property, or makes it one that is not set where the value is
// empty. Seconds may be a number.
func (h *Handler) setProperty(w http.ResponseWriter, r *http.Request, name string) {
	h.withAdmin(w, r, func(caller) error {
		b, err := readBody(w, r)
		if err != nil {
			return err
		}
		value, err := propertyValue(b)
		if err != nil {
			return err
		}
		if value == "" {
			err = h.Core.ResetProperty(r.Context(), h.Door.Tenant, name)
		} else {
			err = h.Core.SetProperty(r.Context(), h.Door.Tenant, name, value)
		}
		if err != nil {
			return err
		}
		return h.showProperty(w, r, name)
	})
}

func propertyValue(b *body) (string, error) {
	text, ok := b.member("value")
	if !ok {
		return "", refusal{message: "value is missing"}
	}
	if b.object == nil || text[0] != '"' && text[0] != '{' && text[0] != '[' && text != "true" && text != "false" {
		return text, b.err
	}
	text = b.text("value")
	return text, b.err
}

func (h *Handler) resetProperty(w http.ResponseWriter, r *http.Request, name string) {
	h.withAdmin(w, r, func(caller) error {
		if err := h.Core.ResetProperty(r.Context(), h.Door.Tenant, name); err != nil {
			return err
		}
		return h.showProperty(w, r, name)
	})
}
