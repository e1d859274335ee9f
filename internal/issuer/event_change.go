package issuer

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// recordChanges writes down what commands did that are durable now. All changes
// pass here: what is recorded is what was stored.
func (i *Issuer) recordChanges(ctx context.Context, commands []store.Command) error {
	for _, c := range commands {
		e, audible := changeOf(c)
		if !audible {
			continue
		}
		e.Done = true
		if err := i.record(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// alter is apply of what is no revocation: it is refused before anything is changed
// where it could not be written down. Revocations go on all the same.
func (i *Issuer) alter(ctx context.Context, commands ...store.Command) error {
	if err := i.recordable(ctx); err != nil {
		return err
	}
	return i.apply(ctx, commands...)
}

// changeOf is the event of a change. Those that go with an event of their own, such
// as the row of a login, are none.
func changeOf(c store.Command) (e Event, audible bool) {
	for _, of := range []func(store.Command) (Event, bool){accountChange, ownedChange, settingChange, revocationChange} {
		if e, known := of(c); known {
			return e, e.Name != ""
		}
	}
	// A change that nobody has thought of here is better seen by its type than not.
	return Event{Name: strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", c), "store."))}, true
}

// accountChange is that of users, service accounts and applications.
func accountChange(c store.Command) (Event, bool) {
	user := func(name, tenant, user string) (Event, bool) {
		return Event{Name: name, Tenant: tenant, User: user}, true
	}
	switch c := c.(type) {
	case store.CreateUser:
		return user("user.add", c.User.Tenant, c.User.Name)
	case store.UpdateUser:
		return user("user.change", c.User.Tenant, c.User.Name)
	case store.DeleteUser:
		return user("user.delete", c.Tenant, c.Name)
	case store.CreateServiceAccount:
		return user("service.add", c.ServiceAccount.Tenant, ServiceSubject(c.ServiceAccount.Name))
	case store.UpdateServiceAccount:
		return user("service.change", c.ServiceAccount.Tenant, ServiceSubject(c.ServiceAccount.Name))
	case store.DeleteServiceAccount:
		return user("service.delete", c.Tenant, ServiceSubject(c.Name))
	case store.CreateApplication:
		return Event{Name: "application.add", Tenant: c.Application.Tenant, Client: c.Application.ID}, true
	case store.UpdateApplication:
		return Event{Name: "application.change", Tenant: c.Application.Tenant, Client: c.Application.ID}, true
	case store.DeleteApplication:
		return Event{Name: "application.delete", Tenant: c.Tenant, Client: c.ID}, true
	}
	return Event{}, false
}

// ownedChange is that of what belongs to users: memberships, tokens, devices.
func ownedChange(c store.Command) (Event, bool) {
	switch c := c.(type) {
	case store.PutMembership:
		m := c.Membership
		return Event{Name: "member.add", Tenant: m.Tenant, User: m.User, Target: fmt.Sprint("organisation ", m.Organisation, " ", m.Role)}, true
	case store.DeleteMembership:
		m := c.Membership
		return Event{Name: "member.delete", Tenant: m.Tenant, User: m.User, Target: fmt.Sprint("organisation ", m.Organisation, " ", m.Role)}, true
	case store.UpdateAccessToken:
		return Event{Name: "token.change", Tenant: c.Tenant, Token: fmt.Sprint(c.Number)}, true
	case store.DecideTicket:
		return Event{Name: "device." + c.State, User: c.Subject, Login: loginID(c.ID)}, true
	case store.CreateSession:
		if c.Session.Door == DoorBrowser {
			return Event{Name: "browser.login", Tenant: c.Session.Tenant, User: c.Session.Subject, Login: loginID(c.Session.ID)}, true
		}
		return Event{}, true
	case store.RotateSession, store.UseSession, store.CreateTicket, store.UseTicket, store.Once, store.Purge,
		store.CreateAccessToken, store.ReplaceAccessToken, store.CreateRefreshToken:
		return Event{}, true
	}
	return Event{}, false
}

// settingChange is that of what administrators set.
func settingChange(c store.Command) (Event, bool) {
	change := func(name, tenant, target string) (Event, bool) {
		return Event{Name: name, Tenant: tenant, Target: target}, true
	}
	switch c := c.(type) {
	case store.CreateTenant:
		return change("tenant.add", c.Tenant.Name, "")
	case store.UpdateTenant:
		return change("tenant.change", c.Tenant.Name, "")
	case store.CreateOrganisation:
		return change("organisation.add", c.Organisation.Tenant, c.Organisation.Name)
	case store.UpdateOrganisation:
		return change("organisation.change", c.Organisation.Tenant, c.Organisation.Name)
	case store.DeleteOrganisation:
		return change("organisation.delete", c.Tenant, fmt.Sprint(c.Number))
	case store.CreatePolicy:
		return change("policy.add", c.Policy.Tenant, c.Policy.Name)
	case store.UpdatePolicy:
		return change("policy.change", c.Policy.Tenant, c.Policy.Name)
	case store.DeletePolicy:
		return change("policy.delete", c.Tenant, c.UUID)
	case store.PutProperty:
		return change("property.set", c.Property.Tenant, c.Property.Name)
	case store.DeleteProperty:
		return change("property.reset", c.Tenant, c.Name)
	case store.PutKey:
		return Event{Name: "key.add", Tenant: c.Key.Tenant, Door: c.Key.Door, Target: c.Key.ID}, true
	case store.RetireKey:
		return change("key.retire", "", c.ID)
	case store.DeleteKey:
		return change("key.delete", "", c.ID)
	case store.StretchKey:
		return Event{}, true
	}
	return Event{}, false
}

// revocationChange is that of facts, and of rows that are revoked by being removed.
func revocationChange(c store.Command) (Event, bool) {
	switch c := c.(type) {
	case store.Revoke:
		return factEvent(c.Revocation), true
	case store.DeleteAccessTokens:
		if c.Family != 0 {
			return Event{Name: EventRevoke, Tenant: c.Tenant, Token: fmt.Sprint(c.Family)}, true
		}
		return Event{}, true // a watermark goes with it
	case store.DeleteRefreshTokens:
		if c.Client != "" {
			return Event{Name: EventRevoke, Tenant: c.Tenant, User: c.Subject, Client: c.Client}, true
		}
		return Event{}, true // a watermark goes with it, or a token that takes its place
	case store.RevokeSessions: // a fact goes with it
		return Event{}, true
	}
	return Event{}, false
}

func factEvent(r store.Revocation) Event {
	tenant, name, _ := strings.Cut(r.Key, "\x00")
	switch r.Kind {
	case store.RevokeToken:
		return Event{Name: EventRevoke, Token: hex.EncodeToString([]byte(r.Key))}
	case store.RevokeSession:
		return Event{Name: EventLogout, Login: hex.EncodeToString([]byte(r.Key))}
	case store.RevokeSubject:
		return Event{Name: EventVoid, Tenant: tenant, User: name, Target: "user"}
	case store.RevokeClient:
		return Event{Name: EventVoid, Tenant: tenant, Client: name, Target: "application"}
	case store.RevokeTenant:
		return Event{Name: EventVoid, Tenant: r.Key, Target: "tenant"}
	case store.RevokeAll:
		return Event{Name: EventVoid, Target: "everybody"}
	}
	return Event{} // a change, which its own command tells of
}
