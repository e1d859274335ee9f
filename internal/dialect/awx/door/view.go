package door

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
)

// view is a path of /api/: what it is called, what it takes, and by whom.
type view struct {
	name, about string
	open        bool    // for anybody
	fields      []field // of its objects
	methods     map[string]func(*visit) error
	// may reports whether the caller may use a method that changes something. Unless
	// it is set, whoever may change anything may.
	may func(v *visit, method string) (bool, error)
}

// endpoint is a view as a path takes it.
func (h *Handler) endpoint(v view) endpoint {
	e := endpoint{
		"OPTIONS": h.admit(v, func(q *visit) error { return h.describe(v, q) }),
		"": h.admit(v, func(q *visit) error {
			q.w.Header().Set("Allow", strings.Join(v.takes(), ", "))
			return errMethod(q.r.Method)
		}),
	}
	for method, serve := range v.methods {
		e[method] = h.admit(v, serve)
	}
	return e
}

// takes are the methods that the path takes, of anybody.
func (v view) takes() []string {
	return allowed(func(method string) bool { return v.methods[method] != nil || method == http.MethodOptions })
}

// admit finds out who asks, and lays the scope's mask over what is asked.
func (h *Handler) admit(v view, serve func(*visit) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := &visit{w: w, r: r, id: r.PathValue("id")}
		var err error
		if !v.open {
			err = h.authenticate(q)
		}
		if err == nil && !v.open && !q.caller.may(!isSafe(r.Method)) {
			err = errForbidden
		}
		if err == nil {
			err = serve(q)
		}
		if err != nil {
			h.refuse(w, r, err)
		}
	}
}

// described is the answer to OPTIONS.
type described struct {
	Name        string                      `json:"name"`
	Description string                      `json:"description"`
	Renders     []string                    `json:"renders"`
	Parses      []string                    `json:"parses"`
	Actions     map[string]map[string]field `json:"actions,omitempty"`
}

// describe answers OPTIONS. Allow says what the caller may do; also to an object
// that there is not, for clients that ask before they know one.
func (h *Handler) describe(v view, q *visit) error {
	var failed error
	allow := allowed(func(method string) bool {
		if v.methods[method] == nil || isSafe(method) {
			return v.methods[method] != nil || method == http.MethodOptions
		}
		if v.may == nil || v.open {
			return v.open || q.caller.may(true)
		}
		may, err := v.may(q, method)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			failed = err
		}
		return may
	})
	if failed != nil {
		return failed
	}
	answer := described{Name: v.name, Description: v.about, Renders: []string{"application/json"}, Parses: []string{"application/json"}}
	if v.fields != nil {
		answer.Actions = map[string]map[string]field{"GET": readable(v.fields)}
		if slices.Contains(allow, "POST") {
			answer.Actions["POST"] = writable(v.fields)
		}
	}
	q.w.Header().Set("Allow", strings.Join(allow, ", "))
	reply(q.w, http.StatusOK, answer)
	return nil
}

// created answers with what was made.
func created(v *visit, url string, object any) {
	v.w.Header().Set("Location", url)
	reply(v.w, http.StatusCreated, object)
}

// number reads the number that a path names.
func (v *visit) number() (int64, error) {
	n, err := strconv.ParseInt(v.id, 10, 64)
	if err != nil || n < 1 || v.id[0] == '+' || v.id[0] == '0' {
		return 0, errNotFound
	}
	return n, nil
}

// views are the paths of /api/ but those of logins and of the grants.
func (h *Handler) views() map[string]view {
	item := func(list string) string { return list + variable + "/" }
	beneath := func(list, name string) string { return item(list) + name + "/" }
	return map[string]view{
		awx.PathAPI:         {name: "REST API", about: "The versions of the API.", open: true, methods: gets(h.showRoot)},
		awx.PathV2:          {name: "Version 2", about: "The lists that there are.", open: true, methods: gets(h.showV2)},
		awx.PathMe:          {name: "Me", about: "The user who asks.", fields: userFields(), methods: gets(h.showMe)},
		awx.PathCredentials: {name: "Credential List", about: "This service keeps no credentials.", fields: []field{}, methods: gets(h.noCredentials)},

		awx.PathUsers:       {name: "User List", about: "The users that the caller may see.", fields: userFields(), methods: gets(h.listUsers)},
		item(awx.PathUsers): {name: "User Detail", about: "One user, by number or name.", fields: userFields(), methods: gets(h.showUser)},
		beneath(awx.PathUsers, awx.ListApplications): {
			name: "User Application List", about: "The applications of the user's organizations.", fields: applicationFields(),
			methods: listing(h.listUserApplications, h.createUserApplication), may: mayCreateApplications,
		},
		beneath(awx.PathUsers, awx.ListTokens):           h.userTokens("User Token List", anyToken),
		beneath(awx.PathUsers, awx.ListAuthorizedTokens): h.userTokens("User Authorized Token List", applicationToken),
		beneath(awx.PathUsers, awx.ListPersonalTokens):   h.userTokens("User Personal Token List", personalToken),

		awx.PathOrganizations: {
			name: "Organization List", about: "The organizations that the caller may see.", fields: organizationFields(),
			methods: listing(h.listOrganizations, h.createOrganization),
			may:     func(v *visit, _ string) (bool, error) { return v.rulesOrganizations(), nil },
		},
		item(awx.PathOrganizations): {
			name: "Organization Detail", about: "One organization.", fields: organizationFields(),
			methods: detail(h.showOrganization, h.changeOrganization, h.deleteOrganization), may: h.mayOrganization,
		},
		beneath(awx.PathOrganizations, awx.ListApplications): {
			name: "Organization Application List", about: "The applications of the organization.", fields: applicationFields(),
			methods: listing(h.listOrganizationApplications, h.createOrganizationApplication), may: h.mayOrganization,
		},
		beneath(awx.PathOrganizations, awx.ListUsers):  h.membersOf("Organization User List", store.OrganisationMember),
		beneath(awx.PathOrganizations, awx.ListAdmins): h.membersOf("Organization Admin List", store.OrganisationAdmin),

		awx.PathApplications: {
			name: "Application List", about: "The applications that the caller may see.", fields: applicationFields(),
			methods: listing(h.listApplications, h.createApplication), may: mayCreateApplications,
		},
		item(awx.PathApplications): {
			name: "Application Detail", about: "One application.", fields: applicationFields(),
			methods: detail(h.showApplication, h.changeApplication, h.deleteApplication), may: h.mayApplication,
		},
		beneath(awx.PathApplications, awx.ListTokens): {
			name: "Application Token List", about: "The application's tokens that the caller may see.", fields: tokenFields(),
			methods: listing(h.listApplicationTokens, h.createApplicationToken),
		},

		awx.PathTokens: {
			name: "Token List", about: "The tokens that the caller may see.", fields: tokenFields(),
			methods: listing(h.listTokens, h.createToken),
		},
		item(awx.PathTokens): {
			name: "Token Detail", about: "One token.", fields: tokenFields(),
			methods: detail(h.showToken, h.changeToken, h.deleteToken), may: h.mayToken,
		},
	}
}

func gets(show func(*visit) error) map[string]func(*visit) error {
	return map[string]func(*visit) error{"GET": show}
}

func listing(list, create func(*visit) error) map[string]func(*visit) error {
	return map[string]func(*visit) error{"GET": list, "POST": create}
}

func detail(show, change, remove func(*visit) error) map[string]func(*visit) error {
	return map[string]func(*visit) error{"GET": show, "PUT": change, "PATCH": change, "DELETE": remove}
}

func mayCreateApplications(v *visit, _ string) (bool, error) { return v.administersAny(), nil }
