package door

import (
	"errors"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/dialect/awx"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// wireToken writes a token without its values.
func (h *Handler) wireToken(v *visit, t store.AccessToken) (awx.Token, error) {
	rule, err := h.heldOf(v, t)
	if err != nil {
		return awx.Token{}, err
	}
	path := awx.ItemPath(awx.PathTokens, t.Number)
	object := awx.Token{
		Item: awx.Item[awx.TokenOwners]{
			ID: t.Number, Type: awx.TypeToken, URL: h.base + path, Related: map[string]string{},
			Created: awx.Instant(t.CreatedAt), Modified: awx.Instant(t.UpdatedAt),
		},
		Description: t.Description, Token: awx.Mask, Scope: t.Scope,
	}
	if t.ExpiresAt != 0 {
		expires := awx.Instant(t.ExpiresAt)
		object.Expires = &expires
	}
	changes := v.changesToken(rule)
	object.SummaryFields.UserCapabilities = awx.Capabilities{Edit: changes, Delete: changes}
	return object, errors.Join(h.writeOwner(v, t, &object), h.writeClient(v, t, &object))
}

func (h *Handler) writeOwner(v *visit, t store.AccessToken, object *awx.Token) error {
	owner, err := h.userNamed(v, t.Subject)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	object.User = &owner.Number
	object.Related["user"] = h.base + awx.ItemPath(awx.PathUsers, owner.Number)
	object.SummaryFields.User = &awx.UserSummary{ID: owner.Number, Username: owner.Name}
	return err
}

func (h *Handler) writeClient(v *visit, t store.AccessToken, object *awx.Token) error {
	if t.Client == "" {
		return nil
	}
	app, err := h.appNamed(v, t.Client)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	object.Application = &app.Number
	object.Related["application"] = h.base + awx.ItemPath(awx.PathApplications, app.Number)
	object.SummaryFields.Application = &awx.NameSummary{ID: app.Number, Name: app.Name}
	if slices.Contains(app.Grants, token.GrantRefreshToken) {
		mask := awx.Mask
		object.RefreshToken = &mask
	}
	return err
}

// wireApplication writes an application without its secret.
func (h *Handler) wireApplication(v *visit, app store.Application) (awx.Application, error) {
	url := h.base + awx.ItemPath(awx.PathApplications, app.Number)
	changes := v.changesApplication(programOf(app))
	object := awx.Application{
		Item: awx.Item[awx.ApplicationSummary]{
			ID: app.Number, Type: awx.TypeApplication, URL: url,
			Related: map[string]string{
				"tokens": url + awx.ListTokens + "/", "organization": h.base + awx.ItemPath(awx.PathOrganizations, app.Organisation),
			},
			Created: awx.Instant(app.CreatedAt), Modified: awx.Instant(app.UpdatedAt),
		},
		Name: app.Name, Description: app.Description, ClientID: app.ID, ClientType: awx.ClientConfidential,
		RedirectURIs: strings.Join(app.RedirectURIs, " "), AuthorizationGrantType: grantType(app),
		SkipAuthorization: app.SkipConsent, Organization: app.Organisation,
	}
	if app.AuthMethod == authNone {
		object.ClientType = awx.ClientPublic
	} else {
		object.ClientSecret = awx.Mask
	}
	object.SummaryFields.UserCapabilities = awx.Capabilities{Edit: changes, Delete: changes}
	org, err := h.orgNumbered(v, app.Organisation)
	if err == nil {
		object.SummaryFields.Organization = &awx.NameSummary{ID: org.Number, Name: org.Name, Description: org.Description}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return object, err
	}
	if err := h.writeUser(v, app, &object); err != nil {
		return object, err
	}
	object.SummaryFields.Tokens, err = h.summary(v, app)
	return object, err
}

// writeUser says whose an application is.
func (h *Handler) writeUser(v *visit, app store.Application, object *awx.Application) error {
	if app.Owner == "" {
		return nil
	}
	owner, err := h.userNamed(v, app.Owner)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	object.User = &owner.Number
	object.Related["user"] = h.base + awx.ItemPath(awx.PathUsers, owner.Number)
	object.SummaryFields.User = &awx.UserSummary{ID: owner.Number, Username: owner.Name}
	return err
}

// mostShort is how many tokens a summary holds.
const mostShort = 10

// summary is the application's first tokens of those that the caller may see.
func (h *Handler) summary(v *visit, app store.Application) (awx.TokenSummary, error) {
	rows, count, err := h.summarized(v, app)
	short := awx.TokenSummary{Count: count, Results: []awx.TokenShort{}}
	for _, t := range rows[:min(len(rows), mostShort)] {
		short.Results = append(short.Results, awx.TokenShort{ID: t.Number, Token: awx.Mask, Scope: t.Scope})
	}
	return short, err
}

// summarized is what a summary is made of. It costs the same however many tokens the
// application has, and however many the caller: a page of applications has a summary
// of each.
func (h *Handler) summarized(v *visit, app store.Application) (rows []store.AccessToken, count int64, err error) {
	if !v.readsToken(held{org: app.Organisation}) {
		byClient, err := h.watchedTokens(v)
		return byClient[app.ID], int64(len(byClient[app.ID])), err
	}
	f := store.AccessTokenFilter{Clients: []string{app.ID}}
	if count, err = h.Core.Store.CountAccessTokens(v.r.Context(), h.Door.Tenant, f); err == nil {
		rows, err = h.Core.Store.ListAccessTokens(v.r.Context(), h.Door.Tenant, f, 0, mostShort)
	}
	return slices.DeleteFunc(rows, h.gone), count, unavailable(err)
}

// watchedTokens are the first of the applications' tokens that the caller may see for
// their owners' sake, by client. They are read once for all summaries of an answer.
func (h *Handler) watchedTokens(v *visit) (map[string][]store.AccessToken, error) {
	const most = 1000
	if v.tokens != nil {
		return v.tokens, nil
	}
	names, err := h.watched(v)
	if err != nil {
		return nil, err
	}
	f := store.AccessTokenFilter{Subjects: names, Application: true}
	rows, err := h.Core.Store.ListAccessTokens(v.r.Context(), h.Door.Tenant, f, 0, most)
	if err != nil {
		return nil, unavailable(err)
	}
	v.tokens = map[string][]store.AccessToken{}
	for _, t := range slices.DeleteFunc(rows, h.gone) {
		v.tokens[t.Client] = append(v.tokens[t.Client], t)
	}
	return v.tokens, nil
}

func (h *Handler) wireUser(u store.User) awx.User {
	url := h.base + awx.ItemPath(awx.PathUsers, u.Number)
	related := map[string]string{}
	for _, list := range []string{awx.ListApplications, awx.ListTokens, awx.ListAuthorizedTokens, awx.ListPersonalTokens} {
		related[list] = url + list + "/"
	}
	return awx.User{
		Item: awx.Item[awx.UserCapabilities]{
			ID: u.Number, Type: awx.TypeUser, URL: url, Related: related,
			Created: awx.Instant(u.CreatedAt), Modified: awx.Instant(u.UpdatedAt),
		},
		Username:    u.Name,
		IsSuperuser: slices.Contains(u.Roles, store.RoleAdmin), IsSystemAuditor: slices.Contains(u.Roles, store.RoleAuditor),
	}
}

func (h *Handler) wireOrganization(v *visit, o store.Organisation) awx.Organization {
	url := h.base + awx.ItemPath(awx.PathOrganizations, o.Number)
	related := map[string]string{}
	for _, list := range []string{awx.ListApplications, awx.ListUsers, awx.ListAdmins} {
		related[list] = url + list + "/"
	}
	object := awx.Organization{
		Item: awx.Item[awx.UserCapabilities]{
			ID: o.Number, Type: awx.TypeOrganization, URL: url, Related: related,
			Created: awx.Instant(o.CreatedAt), Modified: awx.Instant(o.UpdatedAt),
		},
		Name: o.Name, Description: o.Description,
	}
	object.SummaryFields.UserCapabilities = awx.Capabilities{Edit: v.changesOrganization(o.Number), Delete: v.rulesOrganizations()}
	return object
}
