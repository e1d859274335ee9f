package issuer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/ats-auth/ats-auth/internal/backend"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// LocalBackend is the name of the backend that is there where none is configured:
// the users of the store.
const LocalBackend = "local"

// Backend is a place where passwords are checked.
type Backend struct {
	Name   string
	Tenant string // whose users they are; empty: every tenant's
	// Role is demanded of who logs in by it; empty: none is.
	Role string
	// Policies are the names of those that everybody has who logs in by it.
	Policies []string
	// Directory checks them; nil: they are users of the store.
	Directory backend.Directory
	// Next lets the next one be asked where the directory cannot be. It never makes a
	// "no" of it: who is known to none of the others is told that the service is
	// unavailable.
	Next bool
}

func (b Backend) admits(u store.User) bool { return b.Role == "" || slices.Contains(u.Roles, b.Role) }

// Backends are the tenant's, in the order in which they are asked.
func (d *Door) Backends() []Backend { return d.issuer.backends(d.Tenant) }

func (i *Issuer) backends(tenant string) []Backend {
	return slices.DeleteFunc(slices.Clone(i.Config.Backends), func(b Backend) bool { return b.Tenant != "" && b.Tenant != tenant })
}

// Authenticate checks credentials and returns the instant before the user's
// record was read, which is the latest that a token may claim to be issued at.
func (d *Door) Authenticate(ctx context.Context, who token.Credentials, source string) (at int64, user store.User, err error) {
	in, err := d.issuer.authenticate(ctx, d.Tenant, d.Backends(), who, source)
	return in.at, in.user, err
}

// AuthenticateBy is Authenticate at one backend; empty: at the first.
// ErrCredentials where there is none of that name, or the user may not use it.
func (d *Door) AuthenticateBy(ctx context.Context, name string, who token.Credentials, source string) (at int64, user store.User, by Backend, err error) {
	list := d.Backends()
	n := 0
	if name != "" {
		n = slices.IndexFunc(list, func(b Backend) bool { return b.Name == name })
	}
	if n < 0 || len(list) == 0 {
		err := refusedLogin("there is no such backend")
		d.issuer.tellRefusal(d.Tenant, "", source, []Backend{{Name: shorten(name)}}, err)
		return 0, user, by, err
	}
	in, err := d.issuer.authenticate(ctx, d.Tenant, list[n:n+1], who, source)
	return in.at, in.user, in.by, err
}

// entry is who has proved to be a user.
type entry struct {
	user store.User
	by   Backend
	at   int64 // the instant before the user's record was read
}

// authenticate checks a name and a password at backends. Unknown user, disabled user
// and wrong password read the same, and cost the same where there is no directory.
func (i *Issuer) authenticate(ctx context.Context, tenant string, list []Backend, who token.Credentials, source string) (in entry, err error) {
	err = i.braked(ctx, store.SubjectKey(tenant, who.Username), source, func() (err error) {
		in, err = i.ask(ctx, tenant, list, who, source)
		return err
	})
	if errors.Is(err, token.ErrCredentials) {
		i.tellRefusal(tenant, in.user.Name, source, list, err)
	}
	e := Event{Tenant: tenant, User: in.user.Name, Backend: in.by.Name}
	return in, i.recordLogin(ctx, e, who.Username, err)
}

// ask finds the one backend that knows the user. Whose record is the store's own is
// the store's alone: nobody becomes that user by having the name in a directory.
func (i *Issuer) ask(ctx context.Context, tenant string, list []Backend, who token.Credentials, source string) (entry, error) {
	in := entry{at: i.clock.tick()}
	var err error
	if in.user, err = i.recordOf(ctx, tenant, who.Username); err != nil {
		return in, err
	}
	if in.user.Name != "" && in.user.Backend == "" {
		return i.checkLocal(ctx, in, list, who)
	}
	var down error
	for _, b := range list {
		if b.Directory == nil || in.user.Backend != "" && in.user.Backend != b.Name {
			continue
		}
		found, err := i.askDirectory(ctx, tenant, b, who, source)
		switch {
		case errors.Is(err, token.ErrUnknown):
		case errors.Is(err, token.ErrUnavailable) && b.Next && in.user.Backend == "" && ctx.Err() == nil:
			i.Log.Warn("a directory cannot be asked: the next backend is", "backend", b.Name, "error", err)
			down = err
		default:
			if found.user.Name == "" {
				found.user = in.user
			}
			return found, err
		}
	}
	if down != nil {
		return in, down
	}
	return i.checkLocal(ctx, entry{}, list, who)
}

// recordOf returns a user's record; its zero value where there is none.
func (i *Issuer) recordOf(ctx context.Context, tenant, name string) (store.User, error) {
	if checkName("user", name) != nil { // nobody has a name like that
		return store.User{}, nil
	}
	user, err := i.Store.User(ctx, tenant, name)
	if errors.Is(err, store.ErrNotFound) {
		return store.User{}, nil
	}
	return user, unavailable(err)
}

// checkLocal compares the password of a record of the store's own, or of none.
func (i *Issuer) checkLocal(ctx context.Context, in entry, list []Backend, who token.Credentials) (entry, error) {
	n := slices.IndexFunc(list, func(b Backend) bool { return b.Directory == nil && b.admits(in.user) })
	rehash, err := i.comparePassword(ctx, in.user.Name, in.user.PasswordHash, who.Password)
	switch {
	case err != nil && !errors.Is(err, token.ErrCredentials):
		return in, err
	case in.user.Name == "": // whatever was compared
		return in, refusedLogin("nobody has that name")
	case err != nil:
		return in, err
	case in.user.Disabled:
		return in, refusedLogin("the user is disabled")
	case n < 0:
		return in, refusedLogin("no backend that is asked lets the user in")
	}
	if rehash {
		i.rehash(ctx, in.user, who.Password)
	}
	in.by = list[n]
	return in, nil
}

// askDirectory checks a password where a directory knows the name: ErrUnknown where
// it does not. A name that is written in another way there is guessed as often as
// the name itself.
func (i *Issuer) askDirectory(ctx context.Context, tenant string, b Backend, who token.Credentials, source string) (entry, error) {
	p, err := b.Directory.Find(ctx, who.Username)
	if err == nil {
		err = checkPerson(p)
	}
	if err != nil {
		return entry{}, err
	}
	verify := func() (err error) {
		p, err = b.Directory.Verify(ctx, p, who.Password)
		return err
	}
	if p.Name == who.Username {
		err = verify()
	} else {
		err = i.braked(ctx, store.SubjectKey(tenant, p.Name), source, verify)
	}
	if err != nil {
		return entry{}, err
	}
	return i.enter(ctx, tenant, b, p)
}

// checkPerson takes somebody whom no record could be of for nobody.
func checkPerson(p backend.Person) error {
	if err := checkName("user", p.Name); err != nil {
		return token.Refuse(token.ErrUnknown, "%v", err)
	}
	return nil
}

// enter brings the record of a directory's person up to date, which is made at the
// first login.
func (i *Issuer) enter(ctx context.Context, tenant string, b Backend, p backend.Person) (entry, error) {
	for range 10 {
		in := entry{by: b, at: i.clock.tick()}
		var err error
		if in.user, err = i.recordOf(ctx, tenant, p.Name); err != nil {
			return in, err
		}
		changes := i.changesOf(tenant, in.user, b, p)
		switch {
		case in.user.Name != "" && in.user.Backend != b.Name:
			i.Log.Warn("a person of a directory has the name of somebody else here, and is not let in", "user", p.Name, "backend", b.Name)
			return in, refusedLogin("the name is somebody else's here")
		case len(changes) == 0 && in.user.Disabled:
			return in, refusedLogin("the user is disabled")
		case len(changes) == 0 && !b.admits(in.user):
			return in, refusedLogin("the user lacks the role that the backend demands")
		case len(changes) == 0:
			return in, nil
		case in.user.Name != "" && isAnother(in.user, p):
			i.Log.Warn("a name in a directory is another person's by now: what the former had is void", "user", p.Name, "backend", b.Name)
			err = i.voidUser(ctx, tenant, p.Name, changes...)
		default:
			err = i.alter(ctx, changes...)
		}
		if err != nil && !isRace(err) {
			return in, err
		}
	}
	i.Log.Warn("the record of a directory's person cannot be made or changed: an application may have its name", "user", p.Name, "backend", b.Name)
	return entry{}, refusedLogin("there is no record of the user, and none can be made")
}

// refusedLogin is token.ErrCredentials with a reason that the log alone is told.
type refusedLogin string

func (r refusedLogin) Error() string { return token.ErrCredentials.Error() }
func (r refusedLogin) Unwrap() error { return token.ErrCredentials }

// tellRefusal writes into the log why somebody was not let in: by name, if there is a
// record of that name. What else was typed there may be a password.
func (i *Issuer) tellRefusal(tenant, name, source string, list []Backend, err error) {
	reason := refusedLogin("wrong password")
	errors.As(err, &reason)
	asked := make([]string, len(list))
	for n, b := range list {
		asked[n] = b.Name
	}
	i.Log.Info("login refused", "user", name, "tenant", tenant, "backends", strings.Join(asked, " "), "source", source, "reason", string(reason))
}

// isRace tells that a record was made, changed or removed meanwhile.
func isRace(err error) bool {
	return errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound)
}

// isAnother tells that a record is of another person than the one who has its name
// now. Where the directory is asked for another attribute than it was, nobody can tell.
func isAnother(u store.User, p backend.Person) bool {
	before, _, _ := strings.Cut(u.BackendID, "=")
	now, _, _ := strings.Cut(p.ID, "=")
	return u.BackendID != p.ID && strings.EqualFold(before, now)
}

// changesOf are what makes a record that of a person; none: it is.
func (i *Issuer) changesOf(tenant string, u store.User, b Backend, p backend.Person) []store.Command {
	now := i.clock.tick()
	fresh := store.User{
		Tenant: tenant, Name: p.Name, Roles: p.Roles, Policies: p.Policies,
		Backend: b.Name, BackendID: p.ID, CreatedAt: now, UpdatedAt: now,
	}
	switch {
	case u.Name == "":
		return []store.Command{store.CreateUser{User: fresh}}
	case isAnother(u, p):
		fresh.Disabled = u.Disabled // whoever shut the name out did not mean one person of two
		return []store.Command{store.DeleteUser{Tenant: tenant, Name: u.Name}, store.CreateUser{User: fresh}}
	case u.BackendID == p.ID && slices.Equal(u.Roles, p.Roles) && slices.Equal(u.Policies, p.Policies):
		return nil
	}
	read := u.UpdatedAt
	u.Roles, u.Policies, u.BackendID, u.UpdatedAt = p.Roles, p.Policies, p.ID, now
	return []store.Command{store.UpdateUser{User: u, Read: read}}
}
