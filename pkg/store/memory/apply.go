package memory

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// Apply is store.Writer.
func (s *Store) Apply(ctx context.Context, commands ...store.Command) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(ctx); err != nil {
		return err
	}
	c := &change{Store: s}
	for _, command := range commands {
		if err := c.command(command); err != nil {
			c.takeBack()
			return err
		}
	}
	return nil
}

// change is one Apply under way: what would take back what it did so far.
type change struct {
	*Store
	undo []func()
}

func (c *change) takeBack() {
	for _, undo := range slices.Backward(c.undo) {
		undo()
	}
}

// set changes m[key], drop removes it, and both remember what was there.
func set[K comparable, V any](c *change, m map[K]V, key K, value V) {
	remember(c, m, key)
	m[key] = value
}

func drop[K comparable, V any](c *change, m map[K]V, key K) {
	remember(c, m, key)
	delete(m, key)
}

func remember[K comparable, V any](c *change, m map[K]V, key K) {
	before, had := m[key]
	c.undo = append(c.undo, func() {
		if had {
			m[key] = before
		} else {
			delete(m, key)
		}
	})
}

func (c *change) command(command store.Command) error {
	switch v := command.(type) {
	case store.CreateTenant:
		return c.createTenant(v.Tenant)
	case store.UpdateTenant:
		return c.updateTenant(v.Tenant, v.Read)
	case store.CreateUser:
		return c.createUser(store.CopyUser(v.User))
	case store.UpdateUser:
		return c.updateUser(store.CopyUser(v.User), v.Read)
	case store.DeleteUser:
		return c.deleteUser(nameKey{v.Tenant, v.Name})
	case store.CreateApplication:
		return c.createApplication(store.CopyApplication(v.Application))
	case store.UpdateApplication:
		return c.updateApplication(store.CopyApplication(v.Application), v.Read)
	case store.DeleteApplication:
		return c.deleteApplication(nameKey{v.Tenant, v.ID})
	case store.CreateServiceAccount:
		return c.createService(copyService(v.ServiceAccount))
	case store.UpdateServiceAccount:
		return c.updateService(copyService(v.ServiceAccount), v.Read)
	case store.DeleteServiceAccount:
		return c.deleteService(nameKey{v.Tenant, v.Name})
	case store.CreateTicket:
		return c.createTicket(v.Ticket)
	case store.DecideTicket:
		return c.decideTicket(v)
	case store.UseTicket:
		return c.useTicket(v)
	case store.Once:
		return c.rememberOnce(v)
	case store.Revoke:
		c.revoke(v.Revocation)
	case store.CreateSession:
		return c.createSession(v)
	case store.RotateSession:
		return c.rotateSession(v)
	case store.UseSession:
		return c.useSession(v)
	case store.RevokeSessions:
		c.revokeSessions(v)
	case store.PutProperty:
		c.putProperty(v.Property)
	case store.DeleteProperty:
		return c.deleteProperty(nameKey{v.Tenant, v.Name})
	case store.PutKey:
		set(c, c.keys, v.Key.ID, copyKey(v.Key))
	case store.RetireKey:
		return c.retireKey(v)
	case store.StretchKey:
		return c.stretchKey(v)
	case store.DeleteKey:
		return c.deleteKey(v.ID)
	case store.Purge:
		c.purge(v)
	default:
		return c.organisationCommand(command)
	}
	return nil
}

func (c *change) createUser(u store.User) error {
	key := nameKey{u.Tenant, u.Name}
	if c.named(key) {
		return fmt.Errorf("user %s: %w", u.Name, store.ErrExists)
	}
	u.Number = c.number(u.Tenant, "user")
	set(c, c.users, key, u)
	return nil
}

// named tells whether a user or an application has the name.
func (c *change) named(key nameKey) bool {
	_, user := c.users[key]
	_, application := c.applications[key]
	return user || application
}

func (c *change) updateUser(u store.User, read int64) error {
	key := nameKey{u.Tenant, u.Name}
	before, ok := c.users[key]
	if !ok {
		return known(ok, "user "+u.Name)
	}
	if before.UpdatedAt != read {
		return fmt.Errorf("user %s: %w", u.Name, store.ErrConflict)
	}
	u.CreatedAt, u.Number = before.CreatedAt, before.Number
	set(c, c.users, key, u)
	return nil
}

func (c *change) deleteUser(key nameKey) error {
	if _, ok := c.users[key]; !ok {
		return known(ok, "user "+key.name)
	}
	drop(c, c.users, key)
	c.disown(key)
	c.dropMemberships(func(m store.Membership) bool { return m.Tenant == key.tenant && m.User == key.name })
	c.dropAccessTokens(func(t store.AccessToken) bool { return t.Tenant == key.tenant && t.Subject == key.name })
	c.dropRefreshTokens(func(t store.RefreshToken) bool { return t.Tenant == key.tenant && t.Subject == key.name })
	return nil
}

func (c *change) revoke(r store.Revocation) {
	key := factKey{r.Kind, r.Key}
	if before, ok := c.facts[key]; ok {
		merged := r
		merged.At, merged.Until = max(before.At, r.At), later(before.Until, r.Until)
		if merged.At == before.At && merged.Until == before.Until {
			return
		}
		r = merged
	}
	seq, length := c.seq, len(c.log)
	c.undo = append(c.undo, func() { c.seq, c.log = seq, c.log[:length] })
	c.seq++
	r.Seq = c.seq
	set(c, c.facts, key, r)
	c.log = append(c.log, r)
}

// later is the later end of two, where 0 is unknown: later than any.
func later(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

func (c *change) createSession(v store.CreateSession) error {
	s := copySession(v.Session)
	if v.Most > 0 && !c.room(s, v.Most) {
		return fmt.Errorf("session %s: %w", s.Accessor, store.ErrConflict)
	}
	_, idTaken := c.sessions[s.ID]
	_, accessorTaken := c.accessor[s.Accessor]
	if idTaken || accessorTaken {
		return fmt.Errorf("session %s: %w", s.Accessor, store.ErrExists)
	}
	set(c, c.sessions, s.ID, s)
	set(c, c.accessor, s.Accessor, s.ID)
	return nil
}

func (c *change) rotateSession(v store.RotateSession) error {
	s, err := c.good(v.ID, v.From, v.At)
	if err != nil {
		return err
	}
	if v.From == math.MaxInt64 {
		return fmt.Errorf("session: %w", store.ErrConflict)
	}
	s.Counter, s.RotatedAt, s.LastUsedAt = v.From+1, v.At, v.At
	set(c, c.sessions, v.ID, s)
	return nil
}

func (c *change) useSession(v store.UseSession) error {
	s, err := c.good(v.ID, v.Counter, v.At)
	if err != nil {
		return err
	}
	s.LastUsedAt = max(s.LastUsedAt, v.At)
	set(c, c.sessions, v.ID, s)
	return nil
}

// good finds a session that has the given counter and may be used at an instant.
func (c *change) good(id store.ID, counter, at int64) (store.Session, error) {
	s, err := c.session(id)
	if err != nil {
		return s, err
	}
	over := s.ExpiresAt != 0 && s.ExpiresAt <= at
	idle := s.IdleTTL != 0 && (at-s.LastUsedAt)/1e6 >= s.IdleTTL
	if s.Counter != counter || s.RevokedAt != 0 || over || idle {
		return s, fmt.Errorf("session: %w", store.ErrConflict)
	}
	return s, nil
}

func (c *change) revokeSessions(v store.RevokeSessions) {
	for id, s := range c.sessions {
		if concerns(v, s) && s.RevokedAt == 0 {
			s.RevokedAt = v.At
			set(c, c.sessions, id, s)
		}
	}
}

// concerns tells whether a session is among those to revoke. One made without
// an application is of none, not of that without a name.
func concerns(v store.RevokeSessions, s store.Session) bool {
	switch {
	case v.ID != store.ID{}:
		return s.ID == v.ID
	case v.Subject != "":
		return s.Tenant == v.Tenant && s.Subject == v.Subject
	}
	return v.Client != "" && s.Tenant == v.Tenant && s.Client == v.Client
}
