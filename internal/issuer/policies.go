package issuer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/acl"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// rights are the access strings of a user who logs in by a backend: of the user's
// own templates, of the user's policies and of the backend's, in this order.
func (i *Issuer) rights(ctx context.Context, u store.User, by Backend) ([]string, error) {
	return i.rightsOf(ctx, u, i.UserUUID(u), by)
}

// Rights are the access strings that a login by a backend would give. Of somebody who
// has never logged in, the UUID is not known: "UUID" stands for it.
func (i *Issuer) Rights(ctx context.Context, u store.User, by Backend) ([]string, error) {
	uuid := "UUID"
	if u.CreatedAt != 0 {
		uuid = i.UserUUID(u)
	}
	return i.rightsOf(ctx, u, uuid, by)
}

func (i *Issuer) rightsOf(ctx context.Context, u store.User, uuid string, by Backend) ([]string, error) {
	templates := slices.Clone(u.ACL)
	for _, name := range slices.Concat(u.Policies, by.Policies) {
		p, err := i.Store.PolicyByName(ctx, u.Tenant, name)
		switch {
		case errors.Is(err, store.ErrNotFound):
			i.Log.Warn("there is no such policy: it allows nothing", "policy", name, "user", u.Name, "backend", by.Name)
		case err != nil:
			return nil, unavailable(err)
		}
		templates = append(templates, p.Templates...)
	}
	list, dropped, over := acl.Render(templates, variables(uuid, u.Name, u.Tenant))
	for _, t := range dropped { // what it was to deny may be allowed by another
		i.Log.Warn("a template of access strings allows nothing", "template", shorten(t), "user", u.Name)
	}
	switch {
	case over > 0 && len(list) == 0:
		i.Log.Error("a user is denied more than a list can hold, and allowed nothing", "user", u.Name, "backend", by.Name, "left_out", over)
	case over > 0:
		i.Log.Warn("a user's access strings are more than a list can hold: the last that allow are left out", "user", u.Name, "backend", by.Name, "left_out", over)
	}
	return list, nil
}

// variables are what templates can name.
func variables(uuid, user, tenant string) map[string]string {
	return map[string]string{"id": uuid, "uuid": uuid, "username": user, "tenant": tenant}
}

// samples are values that are as long as those of most people.
func samples() map[string]string {
	return variables("00000000-0000-4000-8000-000000000000", "sample", "sample")
}

// DroppedTemplates says of each template, and of each line of one, that gives nobody
// anything why it does not.
func DroppedTemplates(list []string) (faults []string) {
	for _, t := range list {
		for _, f := range acl.Faults(t, samples()) {
			faults = append(faults, fmt.Sprintf("access string %q gives nothing: it %s", shorten(f.Line), f.Why))
		}
		if why := fault(t); why != "" {
			faults = append(faults, fmt.Sprintf("access string %q gives nothing: %s", shorten(t), why))
		}
	}
	return faults
}

// fault says what is wrong with a template as a whole for everybody; empty: nothing is.
func fault(template string) string {
	sample := samples()
	_, dropped, _ := acl.Render([]string{template}, sample)
	switch {
	case strings.TrimSpace(template) == "":
		return "it is empty"
	case !slices.Contains(dropped, template) || len(acl.Faults(template, sample)) > 0:
		return ""
	case strings.Contains(template, "{%") || strings.Contains(template, "{#"):
		return "{% and {# mean nothing here"
	}
	for _, m := range named.FindAllStringSubmatch(template, -1) {
		if sample[m[1]] == "" {
			return fmt.Sprintf("%s is no variable; there are %s", m[1], strings.Join(slices.Sorted(maps.Keys(sample)), ", "))
		}
	}
	return "it cannot be read: a variable is written {{ uuid }}"
}

// named are variables as templates name them.
var named = regexp.MustCompile(`\{\{-?\s*\.?(\w+)\s*-?\}\}`)

// Gives reports whether the bearer may have a policy hold a template: that would give
// nobody what the bearer could not.
func (h *holder) Gives(template string) bool {
	return !slices.ContainsFunc(linesOf(template), func(line string) bool { return !h.Covers(line) })
}

// Lifts reports whether the bearer may have a policy hold a template no more: what it
// denies, the bearer must be able to give.
func (h *holder) Lifts(template string) bool {
	return !slices.ContainsFunc(linesOf(template), func(line string) bool {
		access, denies := strings.CutPrefix(line, "!")
		return denies && !h.Covers(access)
	})
}

// Weigh is Allows, with how much work that was.
func (h *holder) Weigh(access string) (allowed bool, work int) { return h.acl.Weigh(access) }

// linesOf are access strings that stand for all that a template could make, for
// whomever. One that makes none today could make any some day, and of one with too
// many lines not all would be seen.
func linesOf(template string) []string {
	if strings.Count(template, "\n") >= maxTemplates {
		return []string{"#", "!#"}
	}
	lines := acl.Reach(template)
	if _, dropped, _ := acl.Render([]string{template}, samples()); len(dropped) > 0 {
		lines = append(lines, "#")
	}
	return lines
}

// Bounds of what people say of rights.
const (
	maxTemplates   = 1000
	maxTemplate    = 4096 // bytes
	maxPolicyName  = 80   // characters
	maxPolicyCount = 100  // of one user
)

// AddPolicy makes a policy: store.ErrExists when the name is taken, ErrValue when it
// cannot be one. Of p, Tenant, Name, Description and Templates count. The error names
// what is wrong.
func (i *Issuer) AddPolicy(ctx context.Context, p store.Policy) (store.Policy, error) {
	if err := CheckPolicy(p); err != nil {
		return p, err
	}
	if _, err := i.Tenant(ctx, p.Tenant); err != nil {
		return p, err
	}
	p.UUID, p.CreatedAt = randomUUID(), i.clock.tick()
	p.UpdatedAt = p.CreatedAt
	return p, namedPolicy(p.Name, i.alter(ctx, store.CreatePolicy{Policy: p}))
}

// ChangePolicy replaces name, description and templates: store.ErrNotFound,
// store.ErrExists, ErrValue, or store.ErrConflict when p.UpdatedAt is not the
// record's. Tokens keep what they allow.
func (i *Issuer) ChangePolicy(ctx context.Context, p store.Policy) error {
	if err := CheckPolicy(p); err != nil {
		return err
	}
	read := p.UpdatedAt
	p.UpdatedAt = i.clock.tick()
	return namedPolicy(p.Name, i.alter(ctx, store.UpdatePolicy{Policy: p, Read: read}))
}

// DeletePolicy removes a policy: store.ErrNotFound when there is none,
// store.ErrConflict when its UpdatedAt is not read; 0: whatever it is.
func (i *Issuer) DeletePolicy(ctx context.Context, tenant, uuid string, read int64) error {
	return namedPolicy(uuid, i.alter(ctx, store.DeletePolicy{Tenant: tenant, UUID: uuid, Read: read}))
}

// Policy returns one policy: store.ErrNotFound when there is none.
func (i *Issuer) Policy(ctx context.Context, tenant, uuid string) (store.Policy, error) {
	p, err := i.Store.Policy(ctx, tenant, uuid)
	return p, namedPolicy(uuid, unavailable(err))
}

// PolicyByName is Policy by its name.
func (i *Issuer) PolicyByName(ctx context.Context, tenant, name string) (store.Policy, error) {
	p, err := i.Store.PolicyByName(ctx, tenant, name)
	return p, namedPolicy(name, unavailable(err))
}

// Policies returns all policies of a tenant, by name.
func (i *Issuer) Policies(ctx context.Context, tenant string) (all []store.Policy, err error) {
	const page = 500
	for after := ""; ; after = all[len(all)-1].Name {
		list, err := i.Store.ListPolicies(ctx, tenant, after, page)
		if err != nil {
			return nil, unavailable(err)
		}
		all = append(all, list...)
		if len(list) < page {
			return all, nil
		}
	}
}

// CheckPolicy tells why there can be no such policy: ErrValue, in words that say what
// is wrong with its name, its description or a line of its templates.
func CheckPolicy(p store.Policy) error {
	for _, err := range []error{checkPolicyName(p.Name), checkDescription(p.Description), checkTemplates(p.Templates)} {
		if err != nil {
			return valueError{err}
		}
	}
	return nil
}

// valueError is an ErrValue in words of its own.
type valueError struct{ error }

func (valueError) Is(target error) bool { return target == ErrValue }

func checkPolicyName(name string) error {
	odd := func(r rune) bool { return !unicode.IsPrint(r) }
	if n := utf8.RuneCountInString(name); n < 1 || n > maxPolicyName || !utf8.ValidString(name) || slices.ContainsFunc([]rune(name), odd) {
		return fmt.Errorf("policy name: want 1 to %d printable characters", maxPolicyName)
	}
	return nil
}

func checkTemplates(list []string) error {
	if len(list) > maxTemplates {
		return fmt.Errorf("access strings: there are %d, at most %d are possible", len(list), maxTemplates)
	}
	odd := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }
	for _, t := range list {
		if t == "" || len(t) > maxTemplate || !utf8.ValidString(t) || slices.ContainsFunc([]rune(t), odd) {
			return fmt.Errorf("access string %q: want 1 to %d bytes of UTF-8", shorten(t), maxTemplate)
		}
		for _, f := range acl.Faults(t, samples()) {
			return fmt.Errorf("access string %q %s", shorten(f.Line), f.Why)
		}
	}
	return nil
}

// checkRights says what of a user's own rights could not be meant.
func checkRights(u store.User) error {
	if len(u.Policies) > maxPolicyCount {
		return fmt.Errorf("policies: there are %d, at most %d are possible", len(u.Policies), maxPolicyCount)
	}
	for _, name := range u.Policies {
		if err := checkPolicyName(name); err != nil {
			return err
		}
	}
	return checkTemplates(u.ACL)
}

// SetRights replaces a user's own access strings and policies: store.ErrNotFound. A
// nil list leaves what there is. Tokens keep what they allow.
func (i *Issuer) SetRights(ctx context.Context, tenant, name string, list, policies []string) error {
	if err := checkRights(store.User{ACL: list, Policies: policies}); err != nil {
		return err
	}
	return i.change(ctx, tenant, name, false, func(u *store.User) {
		if list != nil {
			u.ACL = slices.Clone(list)
		}
		if policies != nil {
			u.Policies = slices.Clone(policies)
		}
	})
}

func namedPolicy(name string, err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("no policy %q: %w", shorten(name), err)
	case errors.Is(err, store.ErrExists), errors.Is(err, store.ErrConflict):
		return fmt.Errorf("policy %q: %w", name, err)
	}
	return err
}
