package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ats-auth/ats-auth/internal/command"
	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
)

func (a *app) policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Manage the policies: what tokens of the wazo door allow"}
	var tenant string
	c.PersistentFlags().StringVar(&tenant, "tenant", store.DefaultTenant, "the `TENANT` of the policy")
	c.AddCommand(a.policyAdd(&tenant), a.policyList(&tenant), a.policyShow(&tenant), a.policySet(&tenant), a.policyDelete(&tenant))
	return c
}

// aclFlag names access strings. A comma in one is a part of it.
func aclFlag(c *cobra.Command, list *[]string, usage string) {
	c.Flags().StringArrayVar(list, "acl", nil, usage)
}

// warnOfTemplates tells of access strings that give nobody anything.
func (a *app) warnOfTemplates(list []string) {
	for _, fault := range server.DroppedTemplates(list) {
		a.say("warning: %s", fault)
	}
}

// given is what a flag lists that may be repeated: nil where it is not there, and
// none where it is there with the empty text alone.
func given(c *cobra.Command, name string, list []string) []string {
	if !c.Flags().Changed(name) {
		return nil
	}
	kept := []string{}
	for _, item := range list {
		if item != "" {
			kept = append(kept, item)
		}
	}
	return kept
}

func (a *app) policyAdd(tenant *string) *cobra.Command {
	var acl []string
	var description string
	c := a.formatFlag(&cobra.Command{
		Use: "add NAME --acl ACL", Short: "Add a policy, and print its UUID at the wazo door", Args: cobra.ExactArgs(1),
		Example: "  ats-auth-server policy add operators --acl confd.users.read --acl 'confd.users.me.#'\n" +
			"  ats-auth-server policy add mailbox --acl 'confd.users.{{ uuid }}.voicemails.read'",
		RunE: func(c *cobra.Command, args []string) error {
			if args[0] == "" {
				return command.Usage("the policy name is empty")
			}
			config, err := a.load()
			if err != nil {
				return err
			}
			wanted := store.Policy{Tenant: *tenant, Name: args[0], Description: description, Templates: given(c, "acl", acl)}
			var made store.Policy
			return a.withNew(c.Context(), config, func(s *server.Server) (err error) {
				made, err = s.AddPolicy(c.Context(), wanted)
				if errors.Is(err, store.ErrExists) {
					return fmt.Errorf("there is a policy %q already", wanted.Name)
				}
				return err
			}, func(*server.Server) error {
				a.say("policy %s added", made.Name)
				a.warnOfTemplates(made.Templates)
				object := struct {
					UUID string `json:"uuid"`
					Name string `json:"name"`
				}{made.UUID, made.Name}
				return a.answer(object, aligned([][2]string{{"uuid", made.UUID}, {"name", made.Name}}))
			})
		},
	})
	aclFlag(c, &acl, "allow what the access string `ACL` matches, or deny it with ! before it")
	c.Flags().StringVar(&description, "description", "", "say what it is for, a `TEXT`")
	return c
}

// knownPolicy is a policy that there is, by its name.
func knownPolicy(ctx context.Context, s *server.Server, tenant, name string) (store.Policy, error) {
	found, err := s.PolicyByName(ctx, tenant, name)
	if !errors.Is(err, store.ErrNotFound) {
		return found, err
	}
	if _, err := s.Tenant(ctx, tenant); err != nil {
		return found, err
	}
	return found, fmt.Errorf("there is no policy %q", name)
}

// knownPolicies refuses the names of policies that there are not.
func knownPolicies(ctx context.Context, s *server.Server, tenant string, names []string) error {
	for _, name := range names {
		if _, err := knownPolicy(ctx, s, tenant, name); err != nil {
			return err
		}
	}
	return nil
}

// policyView is what is shown of a policy.
type policyView struct {
	UUID        string   `json:"uuid"`
	Name        string   `json:"name"`
	Tenant      string   `json:"tenant"`
	Description string   `json:"description"`
	ACL         []string `json:"acl"`
	Created     string   `json:"created_at"`
	Updated     string   `json:"updated_at"`
}

func viewPolicy(p store.Policy) policyView {
	return policyView{p.UUID, p.Name, p.Tenant, p.Description, append([]string{}, p.Templates...), stamp(p.CreatedAt), stamp(p.UpdatedAt)}
}

func (v policyView) text() string {
	rows := [][2]string{{"uuid", v.UUID}, {"name", oneLine(v.Name)}, {"description", oneLine(orDash(v.Description))}}
	rows = appendList(rows, "acl", lines(v.ACL))
	return aligned(append(rows, [2]string{"created", v.Created}, [2]string{"updated", v.Updated}))
}

// lines are access strings for a person to read: a template may have several lines.
func lines(list []string) []string {
	shown := make([]string, len(list))
	for i, item := range list {
		shown[i] = oneLine(item)
	}
	return shown
}

// policyTable leaves of a description what a terminal of 80 columns has room for.
func policyTable(views []policyView) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tUUID\tACL\tDESCRIPTION")
	longest := len("NAME")
	for _, v := range views {
		longest = max(longest, utf8.RuneCountInString(v.Name))
	}
	room := max(12, 80-longest-len("  01234567-89ab-cdef-0123-456789abcdef  ACL  "))
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", oneLine(v.Name), v.UUID, len(v.ACL), cut(oneLine(orDash(v.Description)), room))
	}
	w.Flush()
	return b.String()
}

// cut keeps so many characters of a text.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

func (a *app) policyList(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "list", Short: "List the policies of a tenant",
		RunE: func(c *cobra.Command, _ []string) error {
			return a.inTenant(c.Context(), *tenant, func(s *server.Server) error {
				all, err := s.Policies(c.Context(), *tenant)
				if err != nil {
					return err
				}
				views := make([]policyView, len(all))
				for i, p := range all {
					views[i] = viewPolicy(p)
				}
				return a.answer(views, policyTable(views))
			})
		},
	})
}

func (a *app) policyShow(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "show NAME", Short: "Show a policy", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				p, err := knownPolicy(c.Context(), s, *tenant, args[0])
				if err != nil {
					return err
				}
				v := viewPolicy(p)
				return a.answer(v, v.text())
			})
		},
	})
}

func (a *app) policySet(tenant *string) *cobra.Command {
	var acl []string
	var description string
	c := a.formatFlag(&cobra.Command{
		Use: "set NAME", Short: "Change a policy", Args: cobra.ExactArgs(1),
		Long: `Change a policy. --acl gives the whole list anew; --acl '' alone is an empty one.
Tokens keep what they allow; later ones follow.`,
		RunE: func(c *cobra.Command, args []string) error {
			templates, described := given(c, "acl", acl), c.Flags().Changed("description")
			if templates == nil && !described {
				return command.Usage("policy set: change what? --acl ACL, or --description TEXT")
			}
			return a.with(c.Context(), func(s *server.Server) error {
				p, err := knownPolicy(c.Context(), s, *tenant, args[0])
				if err != nil {
					return err
				}
				if templates != nil {
					p.Templates = templates
				}
				if described {
					p.Description = description
				}
				if err := s.ChangePolicy(c.Context(), p); err != nil {
					return err
				}
				a.say("policy %s changed; tokens keep what they allow", p.Name)
				a.warnOfTemplates(templates)
				return a.answer(map[string]string{"name": p.Name}, "")
			})
		},
	})
	aclFlag(c, &acl, "allow what the access string `ACL` matches, or deny it with ! before it, and nothing of before")
	c.Flags().StringVar(&description, "description", "", "say what it is for, a `TEXT`")
	return c
}

func (a *app) policyDelete(tenant *string) *cobra.Command {
	return a.formatFlag(&cobra.Command{
		Use: "delete NAME", Short: "Delete a policy", Args: cobra.ExactArgs(1),
		Long: `Delete a policy. Tokens keep what they allow. Users and backends that name it have
nothing by it from then on.`,
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Server) error {
				if _, err := knownPolicy(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				if err := s.DeletePolicy(c.Context(), *tenant, args[0]); err != nil {
					return err
				}
				a.say("policy %s deleted; tokens keep what they allow", args[0])
				if err := a.warnOfDeleted(c.Context(), s, *tenant, args[0]); err != nil {
					return err
				}
				return a.answer(map[string]string{"name": args[0]}, "")
			})
		},
	})
}

// warnOfDeleted tells of those who name a policy that is not there any more.
func (a *app) warnOfDeleted(ctx context.Context, s *server.Server, tenant, name string) error {
	config, err := a.load()
	if err != nil {
		return err
	}
	for _, p := range config.places {
		if slices.Contains(p.policies(), name) && (p.Tenant == "" || p.Tenant == tenant) {
			a.say("warning: [%s] names the policy %q, which gives nothing there now", p.section(), name)
		}
	}
	missing, err := missingPolicies(ctx, s, tenant)
	if n := missing[name]; n > 0 {
		a.say("warning: %s", ofUsers(name, tenant, n))
	}
	return err
}

// missingPolicies counts the users of a tenant by each policy that they have and that
// is not there.
func missingPolicies(ctx context.Context, s *server.Server, tenant string) (map[string]int, error) {
	all, err := s.Policies(ctx, tenant)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool)
	for _, p := range all {
		there[p.Name] = true
	}
	list, err := allUsers(ctx, s, tenant)
	if err != nil {
		return nil, err
	}
	missing := make(map[string]int)
	for _, u := range list {
		for _, name := range u.Policies {
			if !there[name] {
				missing[name]++
			}
		}
	}
	return missing, nil
}

func ofUsers(policy, tenant string, n int) string {
	who := fmt.Sprintf("%d users", n)
	if n == 1 {
		who = "1 user"
	}
	return fmt.Sprintf("%s of the tenant %s with the policy %q: it gives nothing, since it is not there", who, tenant, policy)
}
